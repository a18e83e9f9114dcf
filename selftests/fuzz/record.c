// SPDX-License-Identifier: GPL-2.0
/*
 * Records: format_record_check() on bytes in memory, and the reader on a log, find a valid record
 * exactly where the model finds one, with the same fields and new values.
 *
 * An input is short and may stand for a long record: byte 0 tells how near the end of the record
 * area it starts, byte 1 how far it may reach, byte 2 what is between the bytes that are given;
 * 0x5a is byte 3.  Then the record from its header on, and at last its trailer, which is put where
 * its length says.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "fuzz.h"
#include "memdisk.h"
#include "model.h"
#include "mutate.h"
#include "reader.h"

#define AREA		0x20000U	/* more than is looked at in one piece */
#define GENERATION	2U
#define KNOBS		4U
#define LEAST		(KNOBS + FORMAT_RECORD_MIN)
#define LOG		"/log"

static uint8_t area[AREA];

/* struct place - where the record is tried */
struct place {
	uint64_t lsn;
	uint64_t limit;
	uint64_t length;	/* bytes from the header to the trailer's end */
};

static void put(uint64_t lsn, const uint8_t *bytes, size_t length)
{
	while (length--)
		area[lsn++ % AREA] = *bytes++;
}

static uint64_t length_of(const uint8_t *data, size_t size)
{
	uint64_t given = size - KNOBS;
	uint64_t length = mutate_get(data + KNOBS + offsetof(struct disk_record, length), 8);

	return length >= given && length <= AREA && length % 8 == 0 ? length : given;
}

static void lay_out(const uint8_t *data, size_t size, struct place *place)
{
	size_t rest = size - KNOBS - sizeof(struct disk_trailer);

	place->lsn = 2 * AREA - 64 * (1 + data[0]);
	place->limit = place->lsn + (data[1] ? data[1] * 64 : AREA);
	place->length = length_of(data, size);
	memset(area, data[2], AREA);
	put(place->lsn, data + KNOBS, rest);
	put(place->lsn + place->length - sizeof(struct disk_trailer), data + KNOBS + rest,
	    sizeof(struct disk_trailer));
}

static void fill_status(struct model_status *model, struct format_status *status)
{
	memset(model, 0, sizeof(*model));
	memset(model->uuid, 0x5a, sizeof(model->uuid));
	model->generation = GENERATION;
	model->area_size = AREA;
	memset(status, 0, sizeof(*status));
	memset(status->uuid, 0x5a, sizeof(status->uuid));
	status->generation = GENERATION;
	status->area_size = AREA;
}

/* A source that gives away no byte more than was asked for. */
struct stingy {
	struct format_source source;
	void *piece;
};

static int get(struct format_source *source, uint64_t lsn, size_t length, const void **bytes)
{
	struct stingy *s = (struct stingy *)source;
	uint8_t *p;
	size_t i;

	judge(length <= FORMAT_CHUNK, "%zu bytes at once", length);
	free(s->piece);
	p = malloc(length ? length : 1);
	s->piece = p;
	if (!p)
		abort();
	for (i = 0; i < length; i++)
		p[i] = area[(lsn + i) % AREA];
	*bytes = p;
	return 0;
}

static bool same(const struct format_record *a, const struct model_record *b)
{
	return a->type == b->type && a->count == b->count && a->length == b->length &&
	       a->lsn == b->lsn && a->durable == b->durable && a->tid == b->tid;
}

static void judge_source(const struct place *place, bool valid, const struct model_record *right)
{
	struct stingy s = { .source.get = get };
	struct format_record record;
	struct format_seed seed;
	uint8_t uuid[FORMAT_UUID];
	const char *why;
	int err;

	memset(uuid, 0x5a, sizeof(uuid));
	format_seed_init(&seed, uuid, GENERATION);
	err = format_record_check(&s.source, &seed, place->lsn, place->limit, &record, &why);
	free(s.piece);
	judge(err == (valid ? 0 : -EUCLEAN), "the check says %d, the model %d", err, valid);
	judge(!why == valid, "the check says why, or it does not");
	judge(!valid || same(&record, right), "the record has other fields");
}

/* struct seen - the new values as they come */
struct seen {
	uint64_t bytes;
	uint32_t crc;
};

static void see(struct seen *seen, uint32_t segment, uint64_t offset, uint64_t length,
		const void *data)
{
	const uint8_t *p = data;
	uint64_t i, byte[2];

	for (i = 0; i < length; i += 512) {	/* however it is cut into pieces */
		byte[0] = segment;
		byte[1] = offset + i;
		seen->crc = model_crc(seen->crc, byte, sizeof(byte));
		if (p)
			seen->crc = model_crc(seen->crc, p + i, 1);
	}
	seen->bytes += length;
}

/* A reader_range_fn. */
static int see_range(void *arg, const struct format_range *range, const void *data)
{
	see(arg, range->segment, range->offset, range->length, data);
	return 0;
}

static void judge_ranges(struct reader *reader, const struct format_record *record,
			 const struct model_record *right, bool data)
{
	struct seen seen = {}, wanted = {};
	const uint8_t *at = NULL;
	struct model_range r;
	uint32_t i;
	int err;

	err = reader_ranges(reader, record, data, see_range, &seen);
	judge(!err, "the ranges cannot be read: %d", err);
	for (i = 0; i < right->count; i++) {
		model_range(right, i, &at, &r);
		see(&wanted, r.segment, r.offset, r.length, data ? r.data : NULL);
	}
	judge(seen.bytes == wanted.bytes && seen.crc == wanted.crc,
	      "the ranges have other bytes: %llu, not %llu", (unsigned long long)seen.bytes,
	      (unsigned long long)wanted.bytes);
}

static void judge_reader(struct reader *reader, const struct place *place, bool valid,
			 const struct model_record *right)
{
	struct format_record record;
	const char *why;
	int err;

	err = reader_record(reader, place->lsn, place->limit, &record, &why);
	judge(err == (valid ? 0 : -EUCLEAN), "the reader says %d, the model %d", err, valid);
	if (!valid)
		return;
	judge(same(&record, right), "the reader's record has other fields");
	judge_ranges(reader, &record, right, true);
	judge_ranges(reader, &record, right, false);
	memset(&record, 0, sizeof(record));
	err = reader_before(reader, place->lsn + right->length, place->lsn - AREA, &record, &why);
	judge(!err && same(&record, right), "backward there is another record: %d", err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct logfile file = { .path = (char *)LOG, .area_size = AREA, .size = AREA };
	struct format_status status;
	struct model_record right;
	struct model_status model;
	struct reader reader;
	struct place place;
	bool valid;

	if (size < LEAST || size > LEAST + AREA || data[3] != 0x5a)
		return -1;
	if (!mem_find(LOG))
		mem_install();
	lay_out(data, size, &place);
	mem_put(LOG, area, AREA);
	fill_status(&model, &status);
	valid = model_record(area, &model, place.lsn, place.limit, &right);
	judge_source(&place, valid, &right);
	file.fd = os.open(LOG, 0, 0);
	if (reader_init(&reader, &file, &status))
		abort();
	judge_reader(&reader, &place, valid, &right);
	reader_free(&reader);
	return 0;
}

static const struct field header[] = {
	{ 0, 4 }, { 4, 4 }, { 8, 2 }, { 10, 2 }, { 12, 4 }, { 16, 8 }, { 24, 8 }, { 32, 8 },
	{ 40, 8 },
};

/* A range gets longer or shorter by what the record does: the sum stays right. */
static void stretch(uint8_t *data, size_t size)
{
	uint8_t *length = data + KNOBS + offsetof(struct disk_record, length);
	uint8_t *range = data + KNOBS + sizeof(struct disk_record);
	int64_t by = ((int64_t)mutate_below(2 * AREA / 8) - AREA / 8) * 8;

	if (size < LEAST + sizeof(struct disk_range))
		return;
	mutate_put(length, 8, mutate_get(length, 8) + by);
	mutate_put(range + 8, 4, mutate_get(range + 8, 4) + by);
}

static size_t change(uint8_t *data, size_t size, size_t max)
{
	uint32_t count = mutate_get(data + KNOBS + offsetof(struct disk_record, count), 4);
	uint64_t room = (size - LEAST) / sizeof(struct disk_range);
	uint8_t *range = data + KNOBS + sizeof(struct disk_record);
	size_t most = size > 4096 ? size : 4096;

	if (most > max)
		most = max;
	switch (mutate_below(6)) {
	case 0:
		mutate_one(data + KNOBS, header, sizeof(header) / sizeof(*header));
		return size;
	case 1:
		if (room && count) {
			range += mutate_below(count < room ? count : room) * 16;
			mutate_field(range + 4 * mutate_below(3), 4 + 4 * mutate_below(2));
		}
		return size;
	case 2:
		stretch(data, size);
		return size;
	case 3:
		mutate_field(data + mutate_below(3), 1);
		return size;
	case 4:
		mutate_field(data + size - 16, 8);
		return size;
	default:
		return LLVMFuzzerMutate(data + KNOBS, size - KNOBS, most - KNOBS) + KNOBS;
	}
}

/* What is at stake is seldom the checksum: it is right, and so are place and trailer mostly. */
static void repair(uint8_t *data, size_t size)
{
	uint8_t *record = data + KNOBS, *trailer = data + size - 16, uuid[FORMAT_UUID];
	static uint8_t linear[AREA];
	struct place place;
	uint64_t i;

	data[3] = 0x5a;
	lay_out(data, size, &place);
	if (mutate_below(8))
		mutate_put(record + offsetof(struct disk_record, lsn), 8, place.lsn);
	if (mutate_below(8)) {
		mutate_put(trailer, 8,
			   mutate_get(record + offsetof(struct disk_record, length), 8));
		mutate_put(trailer + 12, 4, FORMAT_TRAILER_MAGIC);
	}
	lay_out(data, size, &place);
	for (i = 0; i < place.length; i++)
		linear[i] = area[(place.lsn + i) % AREA];
	memset(uuid, 0x5a, sizeof(uuid));
	repair_record(linear, place.length, uuid, GENERATION);
	memcpy(trailer + 8, linear + place.length - 8, 4);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	mutate_seed(seed);
	if (max < LEAST + 64)
		return size;
	if (size < LEAST) {
		memset(data + size, 0, LEAST - size);
		size = LEAST;
	}
	size = change(data, size, max);
	if (size < LEAST)
		size = LEAST;
	if (mutate_below(16))
		repair(data, size);
	return size;
}
