// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Bringing the newest bytes of each segment from the log to the segments.
 *
 * The records are taken in batches of bounded size, oldest first.  Within a batch the ranges
 * are looked at from the newest to the oldest, and of each only the bytes that no newer one
 * names; those are written in the order of the segment.  A later batch overwrites what an
 * earlier one wrote, so the order of batches is right at any size.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "log.h"
#include "range.h"
#include "reader.h"
#include "recover.h"
#include "segment.h"

#define BATCH_BYTES 0x800000U
#define BATCH_ENTRIES 65536U
#define WRITE_BYTES 0x100000U

/* struct piece - bytes of a batch: ranges of records, later those that are written */
struct piece {
	uint64_t offset;
	uint64_t length;
	const char *data;
	uint32_t segment;
};

/* struct target - a segment that the records name; NULL: to be skipped */
struct target {
	uint32_t id;
	struct segment *segment;
};

/**
 * struct apply - an application under way
 * @log: the log
 * @ops: the caller's decisions
 * @stats: to be added to
 * @reader: on the log
 * @data: the batch's bytes, in the order of the log
 * @data_size: room there
 * @data_used: bytes there
 * @entries: the batch's ranges, in the order of the log
 * @entry_size: room there
 * @entry_count: ranges there
 * @seen: bytes of the segment that newer ranges name
 * @pieces: newest bytes of a segment
 * @piece_size: room there
 * @piece_count: pieces there
 * @run: bytes that are written at once
 * @run_start: their offset in the segment
 * @run_length: how many
 * @targets: the segments
 * @target_count: how many
 * @page_size: of page_mask
 */
struct apply {
	struct log *log;
	const struct recover_ops *ops;
	struct recover_stats *stats;
	struct reader reader;
	char *data;
	size_t data_size;
	size_t data_used;
	struct piece *entries;
	size_t entry_size;
	size_t entry_count;
	struct rangeset seen;
	struct piece *pieces;
	size_t piece_size;
	size_t piece_count;
	char *run;
	uint64_t run_start;
	size_t run_length;
	struct target *targets;
	size_t target_count;
	uint64_t page_size;
};

static int no_memory(const struct apply *a)
{
	return err_set(ENOMEM, "log %s: out of memory for recovery", log_path(a->log));
}

/* By segment, and within it in the order of the log, which is the order of the data. */
static int compare_entries(const void *pa, const void *pb)
{
	const struct piece *a = pa, *b = pb;

	if (a->segment != b->segment)
		return a->segment < b->segment ? -1 : 1;
	return (a->data > b->data) - (a->data < b->data);
}

static int compare_pieces(const void *pa, const void *pb)
{
	const struct piece *a = pa, *b = pb;

	return (a->offset > b->offset) - (a->offset < b->offset);
}

static int find_target(struct apply *a, uint32_t id, struct segment **segment)
{
	struct target *targets;
	size_t i;
	int err;

	for (i = 0; i < a->target_count; i++)
		if (a->targets[i].id == id)
			goto found;
	targets = realloc(a->targets, (a->target_count + 1) * sizeof(*targets));
	if (!targets)
		return no_memory(a);
	a->targets = targets;
	targets[i].id = id;
	targets[i].segment = NULL;
	err = a->ops->segment(a->ops->arg, id, &targets[i].segment);
	if (err)
		return err;
	a->target_count++;
found:
	*segment = a->targets[i].segment;
	return 0;
}

static int flush_run(struct apply *a, struct segment *segment)
{
	int err;

	if (!a->run_length)
		return 0;
	err = segment_write(segment, a->run_start, a->run, a->run_length);
	if (!err)
		a->stats->applied_bytes += a->run_length;
	a->run_length = 0;
	return err;
}

/* Adds bytes to the run if they follow it, else writes it and begins another. */
static int write_bytes(struct apply *a, struct segment *segment, uint64_t offset,
		       const char *data, uint64_t length)
{
	while (length) {
		uint64_t n = WRITE_BYTES - a->run_length;

		if (!n || (a->run_length && a->run_start + a->run_length != offset)) {
			int err = flush_run(a, segment);

			if (err)
				return err;
			continue;
		}
		if (!a->run_length)
			a->run_start = offset;
		if (n > length)
			n = length;
		memcpy(a->run + a->run_length, data, n);
		a->run_length += n;
		offset += n;
		data += n;
		length -= n;
	}
	return 0;
}

/* Writes those pages of a piece that the mask allows. */
static int write_piece(struct apply *a, struct segment *segment, uint32_t id,
		       const struct piece *piece)
{
	uint64_t at = piece->offset;
	uint64_t end = at + piece->length;
	int err = 0;

	if (!a->ops->page_mask)
		return write_bytes(a, segment, at, piece->data, piece->length);
	while (at < end && !err) {
		uint64_t n = a->page_size - at % a->page_size;

		if (n > end - at)
			n = end - at;
		if (a->ops->page_mask(a->ops->arg, id, at / a->page_size))
			err = write_bytes(a, segment, at, piece->data + (at - piece->offset), n);
		at += n;
	}
	return err;
}

/* struct gap - where a gap's bytes come from */
struct gap {
	struct apply *apply;
	const struct piece *entry;
};

static int add_piece(void *arg, uint64_t start, uint64_t end)
{
	const struct gap *gap = arg;
	struct apply *a = gap->apply;
	struct piece *piece;

	if (a->piece_count == a->piece_size) {
		size_t size = a->piece_size ? 2 * a->piece_size : 1024;
		struct piece *pieces = realloc(a->pieces, size * sizeof(*pieces));

		if (!pieces)
			return -ENOMEM;
		a->pieces = pieces;
		a->piece_size = size;
	}
	piece = &a->pieces[a->piece_count++];
	piece->offset = start;
	piece->length = end - start;
	piece->data = gap->entry->data + (start - gap->entry->offset);
	return 0;
}

static int check_length(const struct apply *a, const struct segment *segment)
{
	const struct range *last = rangeset_last(&a->seen);

	if (last && last->end > segment->length)
		return err_set(EUCLEAN, "segment %s: it has %" PRIu64
			       " bytes, but the log changes byte %" PRIu64,
			       segment->path, segment->length, last->end - 1);
	return 0;
}

/* The batch's ranges of one segment. */
static int apply_segment(struct apply *a, const struct piece *entries, size_t count)
{
	struct segment *segment = NULL;
	size_t i;
	int err;

	err = find_target(a, entries->segment, &segment);
	if (err || !segment)
		return err;
	rangeset_clear(&a->seen);
	a->piece_count = 0;
	for (i = count; i-- && !err;) {
		const struct piece *e = &entries[i];
		struct gap gap = { .apply = a, .entry = e };

		err = rangeset_add(&a->seen, e->offset, e->offset + e->length, add_piece, &gap);
	}
	if (err)
		return no_memory(a);
	err = check_length(a, segment);
	qsort(a->pieces, a->piece_count, sizeof(*a->pieces), compare_pieces);
	for (i = 0; i < a->piece_count && !err; i++)
		err = write_piece(a, segment, entries->segment, &a->pieces[i]);
	return err ? err : flush_run(a, segment);
}

static int apply_batch(struct apply *a)
{
	size_t i = 0;
	int err = 0;

	qsort(a->entries, a->entry_count, sizeof(*a->entries), compare_entries);
	while (i < a->entry_count && !err) {
		size_t first = i;

		while (i < a->entry_count && a->entries[i].segment == a->entries[first].segment)
			i++;
		err = apply_segment(a, &a->entries[first], i - first);
	}
	a->entry_count = 0;
	a->data_used = 0;
	return err;
}

/* A reader_range_fn: takes new values into the batch. */
static int take(void *arg, const struct format_range *range, const void *data)
{
	struct apply *a = arg;
	struct piece *entry;
	int err;

	if (a->entry_count == a->entry_size || range->length > a->data_size - a->data_used) {
		err = apply_batch(a);
		if (err)
			return err;
	}
	entry = &a->entries[a->entry_count++];
	entry->segment = range->segment;
	entry->offset = range->offset;
	entry->length = range->length;
	entry->data = memcpy(a->data + a->data_used, data, range->length);
	a->data_used += range->length;
	return 0;
}

static int apply_record(struct apply *a, uint64_t lsn, uint64_t limit, uint64_t *next)
{
	struct format_record record;
	const char *why;
	int err;

	err = reader_record(&a->reader, lsn, limit, &record, &why);
	if (err == -EUCLEAN)
		return err_set(EUCLEAN, "log %s: damaged at LSN %" PRIu64 " (byte %" PRIu64 "): %s",
			       log_path(a->log), lsn, logfile_position(a->reader.file, lsn), why);
	if (err)
		return err;
	*next = lsn + record.length;
	if (record.type != FORMAT_TX)
		return 0;
	a->stats->records++;
	return reader_ranges(&a->reader, &record, FORMAT_CHUNK, take, a);
}

static int apply_all(struct apply *a, uint64_t from, uint64_t to)
{
	uint64_t lsn = from;
	int err = 0;

	while (lsn < to && !err) {
		err = apply_record(a, lsn, to, &lsn);
		if (!err && a->ops->progress)
			a->ops->progress(a->ops->arg, lsn - from, to - from);
	}
	if (!err)
		a->stats->log_bytes += to - from;
	return err ? err : apply_batch(a);
}

static int sync_targets(struct apply *a)
{
	size_t i;
	int err = 0;

	for (i = 0; i < a->target_count && !err; i++)
		if (a->targets[i].segment)
			err = segment_sync(a->targets[i].segment);
	return err;
}

/* Nothing is taken that a short log cannot need. */
static int take_memory(struct apply *a, uint64_t bytes)
{
	a->data_size = bytes < BATCH_BYTES ? bytes : BATCH_BYTES;
	if (a->data_size < FORMAT_CHUNK)
		a->data_size = FORMAT_CHUNK;
	a->entry_size = bytes / sizeof(struct disk_range) + 1;
	if (a->entry_size > BATCH_ENTRIES)
		a->entry_size = BATCH_ENTRIES;
	a->data = malloc(a->data_size);
	a->entries = calloc(a->entry_size, sizeof(*a->entries));
	a->run = malloc(WRITE_BYTES);
	return a->data && a->entries && a->run ? 0 : no_memory(a);
}

static void free_memory(struct apply *a)
{
	rangeset_free(&a->seen);
	free(a->data);
	free(a->entries);
	free(a->run);
	free(a->pieces);
	free(a->targets);
}

int recover_apply(struct log *log, uint64_t from, uint64_t to,
		  const struct recover_ops *ops, struct recover_stats *stats)
{
	struct recover_stats ignored = {};
	struct apply a = {
		.log = log,
		.ops = ops,
		.stats = stats ? stats : &ignored,
		.page_size = sysconf(_SC_PAGESIZE),
	};
	struct format_status status;
	int err;

	if (from == to)
		return 0;
	log_status(log, &status);
	err = reader_init(&a.reader, log_file(log), &status);
	if (err)
		return err;
	rangeset_init(&a.seen);
	err = take_memory(&a, to - from);
	if (!err)
		err = apply_all(&a, from, to);
	if (!err)
		err = sync_targets(&a);
	free_memory(&a);
	reader_free(&a.reader);
	return err;
}
