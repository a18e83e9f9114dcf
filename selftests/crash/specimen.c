// SPDX-License-Identifier: GPL-2.0
/* A log of 64 KiB and its segment on the disk in memory, to be damaged. */
#include <endian.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "log.h"
#include "logfile.h"
#include "recover.h"
#include "recoverlog.h"
#include "seen.h"
#include "segment.h"
#include "specimen.h"
#include "verify.h"

#include "broken.h"

/* Its number, and some of its bytes here and there. */
void specimen_ranges(unsigned int n, unsigned char data[SPECIMEN_DATA],
		     struct log_range r[SPECIMEN_RANGES])
{
	unsigned int length = 1 + n * 97 % 900, i;

	for (i = 0; i < SPECIMEN_DATA; i++)
		data[i] = n + i / 256;
	memcpy(data, &n, sizeof(n));
	r[0] = (struct log_range){ .segment = 1, .length = 8, .data = data };
	r[1] = (struct log_range){ .segment = 1, .offset = 16 + n * 389 % 6000, .length = length,
				   .data = data + 8 };
	r[2] = (struct log_range){ .segment = 1, .offset = 7000 + n * 41 % 1000, .length = 100,
				   .data = data + 1000 };
}

void specimen_replay(unsigned char segment[SEG_BYTES], unsigned int n)
{
	unsigned char data[SPECIMEN_DATA];
	struct log_range ranges[SPECIMEN_RANGES];
	unsigned int i;

	specimen_ranges(n, data, ranges);
	for (i = 0; i < SPECIMEN_RANGES; i++)
		memcpy(segment + ranges[i].offset, ranges[i].data, ranges[i].length);
}

static int append(struct log *log, unsigned int n, uint64_t *lsn)
{
	unsigned char data[SPECIMEN_DATA];
	struct log_range ranges[SPECIMEN_RANGES];

	specimen_ranges(n, data, ranges);
	return log_append(log, n, ranges, SPECIMEN_RANGES, lsn);
}

static void make_states(uint64_t states[COUNT + 1])
{
	unsigned char segment[SEG_BYTES] = {};
	unsigned int n;

	states[0] = seen_hash(1, segment, sizeof(segment));
	for (n = 1; n <= COUNT; n++) {
		specimen_replay(segment, n);
		states[n] = seen_hash(1, segment, sizeof(segment));
	}
}

static int open_segment(void *arg, uint32_t id, struct segment **out)
{
	(void)id;
	*out = arg;
	return 0;
}

static int truncate_all(struct log *log)
{
	struct recover_ops ops = { .segment = open_segment };
	struct segment *segment;
	struct log_state state;
	int err;

	log_state(log, &state);
	err = segment_open(SEG, 0, &segment);
	if (err)
		return err;
	ops.arg = segment;
	err = recover_apply(log, state.head, state.durable, &ops, NULL);
	segment_close(segment);
	return err ? err : log_set_head(log, state.durable);
}

/* *@last: where the last flush begins in the file. */
static int fill_log(struct log *log, unsigned char older[BYTES], unsigned int *last)
{
	uint64_t lsn = 0;
	unsigned int n;
	uint32_t id;
	int err;

	err = log_name_segment(log, SEG, SEG_BYTES, &id);
	for (n = 1; n <= COUNT && !err; n++) {
		err = append(log, n, &lsn);
		if (!err && (n <= COUNT - LAST || n == COUNT))
			err = log_flush(log, lsn);
		if (!err && n == TRUNCATED)
			err = truncate_all(log);
		if (n == COUNT - LAST)
			*last = SMALLLOG_AREA + log_durable(log) % AREA;
		if (n == OLDER)
			memcpy(older, mem_find(LOG)->data, BYTES);
	}
	return err;
}

int specimen_make(struct specimen *s, bool closed)
{
	static const unsigned char zeros[SEG_BYTES];
	struct log *log;
	int err;

	mallopt(M_MMAP_THRESHOLD, 1 << 30);	/* the same memory for each recovery */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mem_install();
	smalllog_make(LOG, AREA, MEM_SECTOR);
	mem_put(SEG, zeros, sizeof(zeros));
	make_states(s->states);
	s->closed = closed;
	err = log_open(LOG, 0, false, &log);
	if (err)
		return err;
	err = recover_log(log, NULL, NULL, NULL);
	if (!err)
		err = fill_log(log, s->older, &s->last);
	if (!closed)
		memcpy(s->image, mem_find(LOG)->data, BYTES);
	log_close(log);
	if (closed)
		memcpy(s->image, mem_find(LOG)->data, BYTES);
	memcpy(s->segment, mem_find(SEG)->data, SEG_BYTES);
	return err;
}

/* The image, undamaged. */
unsigned char *specimen_put(const struct specimen *s)
{
	mem_put(LOG, s->image, BYTES);
	mem_put(SEG, s->segment, SEG_BYTES);
	return mem_find(LOG)->data;
}

int specimen_state(const struct specimen *s)
{
	uint64_t hash = seen_hash(1, mem_find(SEG)->data, SEG_BYTES);
	int n;

	for (n = COUNT; n >= 0; n--)
		if (s->states[n] == hash)
			return n;
	return NO_STATE;
}

int specimen_recovered(const struct specimen *s)
{
	int err = recover_closed(LOG);

	return err ? err : specimen_state(s);
}

int specimen_verify(struct verify *v, const struct verify_ops *ops)
{
	struct logfile file;
	int err;

	err = logfile_open(LOG, true, &file);
	if (err)
		return err;
	err = verify_log(v, &file, ops);
	verify_free(v);
	logfile_close(&file);
	return err;
}

/* Where the record number @n of the image is, from 0. */
unsigned int specimen_record(const unsigned char *image, unsigned int n)
{
	const struct disk_status *status = (const void *)image;
	uint64_t lsn = le64toh(status->head);
	const struct disk_record *record;

	for (;;) {
		record = (const void *)(image + SMALLLOG_AREA + lsn % AREA);
		if (!n--)
			return SMALLLOG_AREA + lsn % AREA;
		lsn += le64toh(record->length);
	}
}

static void put_field(unsigned char *at, unsigned int width, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, width);
}

void specimen_seal_status(unsigned char *copy)
{
	put_field(copy + offsetof(struct disk_status, crc), 4,
		  crc32c(0, copy, offsetof(struct disk_status, crc)));
}

static void seal_dict(unsigned char *copy)
{
	unsigned char uuid[FORMAT_UUID];

	memset(uuid, 0x5a, sizeof(uuid));
	put_field(copy + SMALLLOG_DICT - 4, 4,
		  crc32c(crc32c(0, uuid, sizeof(uuid)), copy, SMALLLOG_DICT - 4));
}

void specimen_seal(unsigned char *image, unsigned int at, uint64_t length)
{
	const struct disk_status *status = (const void *)image;
	struct format_seed seed;

	format_seed_init(&seed, status->uuid, le32toh(status->generation));
	put_field(image + at + length - 8, 4, crc32c(seed.crc, image + at, length - 8));
}

/* Breaks the image in memory as the table says, and repairs the checksums. */
void specimen_break(const struct specimen *s, const struct broken *b)
{
	unsigned char *image = specimen_put(s);
	unsigned int copy, at;
	uint64_t length;

	switch (b->part) {
	case STATUS:
		for (copy = 0; copy < 2; copy++) {
			put_field(image + copy * FORMAT_BLOCK + b->offset, b->width, b->value);
			if (b->offset != offsetof(struct disk_status, crc))
				specimen_seal_status(image + copy * FORMAT_BLOCK);
		}
		break;
	case DICT:
		for (copy = 0; copy < 2; copy++) {
			at = FORMAT_DICT_OFFSET + copy * SMALLLOG_DICT;
			put_field(image + at + b->offset, b->width, b->value);
			if (b->offset != SMALLLOG_DICT - 4)
				seal_dict(image + at);
		}
		break;
	case RECORD:
	case PADDING:
		at = specimen_record(image, b->part == RECORD ? MIDDLE : MIDDLE + 1);
		length = le64toh(((struct disk_record *)(image + at))->length);
		put_field(image + at + b->offset, b->width, b->value);
		specimen_seal(image, at, length);
		break;
	case TRAILER:
		at = specimen_record(image, MIDDLE);
		length = le64toh(((struct disk_record *)(image + at))->length);
		put_field(image + at + length - 16 + b->offset, b->width, b->value);
		if (b->offset < 8)
			specimen_seal(image, at, length);
		break;
	case LENGTH:
		mem_put(LOG, s->image, b->value);
		break;
	case SEGMENT:
		if (b->value)
			mem_put(SEG, s->segment, b->value);
		else
			mem_unlink(SEG);
		break;
	}
}
