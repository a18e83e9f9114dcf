// SPDX-License-Identifier: GPL-2.0
/* The log that the judge of the order of writes knows: what of it is durable; under its lock. */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format.h"
#include "order.h"
#include "order_file.h"
#include "order_log.h"
#include "order_violation.h"

/* struct record - a durable record that is not freed */
struct record {
	struct format_record header;
	uint64_t when;
	struct record *next;
};

/* struct late - bytes of a log that were written and wait for a sync */
struct late {
	uint64_t offset;
	size_t length;
	struct late *next;
	unsigned char bytes[];
};

/*
 * struct judged_log - the log that is open
 * @source: the head, for format_record_check()
 * @fd: its descriptor, or -1
 * @status: what counts
 * @seed: of its records
 * @area: bytes of the record area that are durable
 * @started: its status was written: what is read is not durable any more
 * @next: LSN of the next record to become durable
 * @records: durable ones, in their order
 * @last: where the next one is linked
 * @late: what waits for a sync
 * @dict: the newest copy of the dictionary, or NULL
 */
struct judged_log {
	struct format_source source;
	int fd;
	struct format_status status;
	struct format_seed seed;
	unsigned char *area;
	bool started;
	uint64_t next;
	struct record *records;
	struct record **last;
	struct late *late;
	unsigned char *dict;
};

static struct judged_log judged = { .fd = -1, .last = &judged.records };
static unsigned long freed;

bool order_log_is(int fd)
{
	return fd == judged.fd;
}

uint64_t order_log_head(void)
{
	return judged.status.head;
}

unsigned long order_log_freed(void)
{
	return freed;
}

/* The open segment of a number, or NULL. */
static struct order_file *segment(uint32_t id)
{
	struct format_segment entry;
	char path[PATH_MAX];
	size_t at = 0;

	while (judged.dict && format_dict_next(judged.dict, &at, &entry)) {
		if (entry.id != id)
			continue;
		snprintf(path, sizeof(path), "%.*s", (int)entry.path_length, entry.path);
		return order_file_find(path);
	}
	return NULL;
}

/* Does the log name this file? */
bool order_log_names(const struct order_file *file)
{
	struct format_segment entry;
	size_t at = 0;

	while (judged.dict && format_dict_next(judged.dict, &at, &entry))
		if (entry.path_length == strlen(file->path) &&
		    !memcmp(entry.path, file->path, entry.path_length))
			return true;
	return false;
}

/* A format_source of what is durable; bytes around the end of the area are put together. */
static int get_area(struct format_source *source, uint64_t lsn, size_t length, const void **bytes)
{
	static _Alignas(8) unsigned char whole[FORMAT_CHUNK];
	uint64_t size = judged.status.area_size, at = lsn % size;
	size_t first = length < size - at ? length : size - at;

	(void)source;
	*bytes = judged.area + at;
	if (first == length)
		return 0;
	memcpy(whole, judged.area + at, first);
	memcpy(whole + first, judged.area, length - first);
	*bytes = whole;
	return 0;
}

void order_log_get(uint64_t lsn, void *to, size_t length)
{
	while (length) {
		size_t n = length < FORMAT_CHUNK ? length : FORMAT_CHUNK;
		const void *bytes;

		get_area(&judged.source, lsn, n, &bytes);
		memcpy(to, bytes, n);
		to = (char *)to + n;
		lsn += n;
		length -= n;
	}
}

/* Calls @fn with each part of a page that a record changes, and the LSN of its new bytes. */
static void each_part(const struct format_record *r,
		      void (*fn)(void *arg, struct order_file *file, uint64_t offset,
				 uint32_t length, uint64_t lsn), void *arg)
{
	uint64_t data = r->lsn + sizeof(struct disk_record) + r->count * sizeof(struct disk_range);
	struct format_range range;
	struct disk_range disk;
	uint32_t i;

	for (i = 0; r->type == FORMAT_TX && i < r->count; i++) {
		struct order_file *file;
		uint64_t at = 0;

		order_log_get(r->lsn + sizeof(struct disk_record) + i * sizeof(disk), &disk,
			      sizeof(disk));
		format_range_decode(&disk, &range);
		file = segment(range.segment);
		while (file && at < range.length) {
			uint64_t offset = range.offset + at;
			uint32_t n = ORDER_PAGE - offset % ORDER_PAGE;

			if (n > range.length - at)
				n = range.length - at;
			fn(arg, file, offset, n, data + at);
			at += n;
		}
		data += range.length;
	}
}

static void learn(void *arg, struct order_file *file, uint64_t offset, uint32_t length,
		  uint64_t lsn)
{
	struct order_page *page = order_file_page(file, offset / ORDER_PAGE);
	struct order_part *part = order_need(sizeof(*part));

	(void)arg;
	*part = (struct order_part){ .lsn = lsn, .offset = offset, .length = length,
				     .next = page->parts };
	page->parts = part;
}

/* What is whole and durable now behind the records that were. */
void order_log_walk(void)
{
	uint64_t limit = judged.status.head + judged.status.area_size;
	struct format_record header;
	const char *why;

	if (order_excused || judged.fd < 0 || !judged.area)
		return;
	while (!format_record_check(&judged.source, &judged.seed, judged.next, limit, &header,
				    &why)) {
		struct record *record = order_need(sizeof(*record));

		record->header = header;
		record->when = order_now();
		*judged.last = record;
		judged.last = &record->next;
		each_part(&header, learn, NULL);
		judged.next = header.lsn + header.length;
	}
}

static void drop_records(void)
{
	while (judged.records) {
		struct record *record = judged.records;

		judged.records = record->next;
		free(record);
	}
	judged.last = &judged.records;
}

static void drop_late(void)
{
	while (judged.late) {
		struct late *late = judged.late;

		judged.late = late->next;
		free(late);
	}
}

void order_log_drop(void)
{
	drop_records();
	drop_late();
	if (judged.area)
		munmap(judged.area, judged.status.area_size);
	free(judged.dict);
	judged = (struct judged_log){ .fd = -1, .last = &judged.records };
	order_file_forget_pages();
}

static void begin_area(void)
{
	const struct format_status *s = &judged.status;

	/* tests let the function fail */
	judged.area = (void *)syscall(SYS_mmap, NULL, s->area_size, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (judged.area == MAP_FAILED)
		judged.area = NULL;
	format_seed_init(&judged.seed, s->uuid, s->generation);
	judged.next = s->head;
}

/* A page that a freed record changes. */
static void check_freed(void *arg, struct order_file *file, uint64_t offset, uint32_t length,
			uint64_t lsn)
{
	const struct record *record = arg;
	struct order_page *page = order_file_page(file, offset / ORDER_PAGE);
	uint64_t durable = page->written <= file->synced ? page->written : page->durable;

	(void)length;
	if (page->stale && lsn >= page->stale)
		order_violation("the head moves over the record at LSN %llu, but page %llu of %s was written with older bytes",
				(unsigned long long)record->header.lsn,
				(unsigned long long)page->number, file->path);
	if (durable <= record->when)
		order_violation("the head moves over the record at LSN %llu, but page %llu of %s was not %s since it was durable",
				(unsigned long long)record->header.lsn,
				(unsigned long long)page->number, file->path,
				page->written > record->when ? "synced" : "written");
}

static void move_head(uint64_t head)
{
	while (judged.records && judged.records->header.lsn < head) {
		struct record *record = judged.records;

		if (!order_kernel_writes && !order_excused)
			each_part(&record->header, check_freed, record);
		judged.records = record->next;
		if (!judged.records)
			judged.last = &judged.records;
		free(record);
		freed++;
	}
}

/* A copy of the status was read, or is about to be written. */
static void note_status(const struct format_status *s, bool writing)
{
	bool anew = !judged.area || s->area_size != judged.status.area_size ||
		    s->generation != judged.status.generation;

	if (writing && judged.area)
		move_head(s->head);
	if (anew && judged.area) {
		munmap(judged.area, judged.status.area_size);
		drop_records();
	}
	judged.status = *s;
	judged.started |= writing;
	if (anew)
		begin_area();
	if (judged.next < s->head)
		judged.next = s->head;
}

static void note_dict(const unsigned char *bytes, size_t length)
{
	uint64_t size = judged.status.dict_size;

	if (length < size || format_dict_check(bytes, size, judged.status.uuid) ||
	    (judged.dict && format_dict_sequence(judged.dict) >= format_dict_sequence(bytes)))
		return;
	free(judged.dict);
	judged.dict = memcpy(order_need(size), bytes, size);
}

/* Both copies, as status_load() reads them. */
void order_log_open(int fd, const unsigned char *copies)
{
	struct format_status found, newest = { .sequence = 0 };
	const char *why;
	int i;

	for (i = 0; i < 2; i++, copies += FORMAT_BLOCK)
		if (!format_status_decode((const void *)copies, &found, &why) &&
		    found.sequence > newest.sequence)
			newest = found;
	if (!newest.sequence)
		return;
	order_log_drop();
	judged.source.get = get_area;
	judged.fd = fd;
	note_status(&newest, false);
}

static void put_area(uint64_t offset, const unsigned char *bytes, size_t length)
{
	uint64_t start = judged.status.area_offset, end = start + judged.status.area_size;

	if (!judged.area || offset < start || offset >= end)
		return;
	if (length > end - offset)
		length = end - offset;
	memcpy(judged.area + (offset - start), bytes, length);
}

static void keep_late(uint64_t offset, const void *bytes, size_t length)
{
	struct late **at = &judged.late, *late = order_need(sizeof(*late) + length);

	late->offset = offset;
	late->length = length;
	memcpy(late->bytes, bytes, length);
	while (*at)
		at = &(*at)->next;
	*at = late;
}

void order_log_written(uint64_t offset, const unsigned char *bytes, size_t length, bool sync)
{
	if (sync)
		put_area(offset, bytes, length);
	else
		keep_late(offset, bytes, length);
	if (offset >= FORMAT_DICT_OFFSET && offset < judged.status.area_offset)
		note_dict(bytes, length);
}

void order_log_status(const struct format_status *status)
{
	note_status(status, true);
}

void order_log_read(uint64_t offset, const unsigned char *bytes, size_t length)
{
	uint64_t dict = judged.status.dict_size;

	if (judged.started)
		return;
	put_area(offset, bytes, length);
	if (offset == FORMAT_DICT_OFFSET && length == 2 * dict) {
		note_dict(bytes, dict);
		note_dict(bytes + dict, dict);
	}
}

void order_log_synced(void)
{
	struct late *late;

	for (late = judged.late; late; late = late->next)
		put_area(late->offset, late->bytes, late->length);
	drop_late();
	order_log_walk();
}
