// SPDX-License-Identifier: LGPL-2.1-or-later
/* Bringing the newest bytes of each segment from the log to the segments. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "err.h"
#include "log.h"
#include "recover.h"
#include "segment.h"
#include "statistics.h"

uint64_t apply_memory = 0x10000000;

static int no_memory(const struct apply *a)
{
	return err_set(ENOMEM, "log %s: out of memory for recovery", log_path(a->log));
}

/* At most an eighth of the machine's memory, and no more than so many bytes of log can need. */
static size_t most_pages(uint64_t bytes)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 8;
	uint64_t most, need = bytes / 8 + APPLY_PAGES_MIN;

	if (memory > apply_memory)
		memory = apply_memory;
	most = memory / (IMAGE_SIZE + IMAGE_WORDS * sizeof(uint64_t));
	if (most < APPLY_PAGES_MIN)
		most = APPLY_PAGES_MIN;
	return need < most ? need : most;
}

int apply_init(struct apply *a, struct log *log, uint64_t bytes, const struct recover_ops *ops,
	       struct recover_stats *stats)
{
	memset(a, 0, sizeof(*a));
	a->log = log;
	a->ops = ops;
	a->stats = stats;
	if (!writeout_init(&a->out, ops->depth) &&
	    !images_init(&a->images, most_pages(bytes), ops->depth > 1))
		return 0;
	writeout_free(&a->out);
	return no_memory(a);
}

void apply_free(struct apply *a)
{
	size_t i;

	for (i = 0; i < a->target_count; i++)
		if (a->targets[i].segment)
			pagefile_close(&a->targets[i].file);
	images_free(&a->images);
	writeout_free(&a->out);
	free(a->targets);
}

static int add_target(struct apply *a, uint32_t id, struct target **out)
{
	struct target *targets, *target;
	int err;

	targets = realloc(a->targets, (a->target_count + 1) * sizeof(*targets));
	if (!targets)
		return no_memory(a);
	a->targets = targets;
	target = &targets[a->target_count];
	memset(target, 0, sizeof(*target));
	target->id = id;
	err = a->ops->segment(a->ops->arg, id, &target->segment);
	if (err)
		return err;
	if (target->segment)
		pagefile_open(&target->file, target->segment);
	a->target_count++;
	*out = target;
	return 0;
}

static int find_target(struct apply *a, uint32_t id, struct target **out)
{
	size_t i;

	for (i = 0; i < a->target_count; i++) {
		if (a->targets[i].id != id)
			continue;
		*out = &a->targets[i];
		return 0;
	}
	return add_target(a, id, out);
}

static int check_lengths(const struct apply *a)
{
	const struct target *t;
	size_t i;

	for (i = 0; i < a->target_count; i++) {
		t = &a->targets[i];
		if (t->segment && t->end > t->segment->length)
			return err_set(EUCLEAN, "segment %s: it has %" PRIu64
				       " bytes, but the log changes byte %" PRIu64,
				       t->segment->path, t->segment->length, t->end - 1);
	}
	return 0;
}

int apply_write(struct apply *a)
{
	uint64_t start = statistics_clock();
	int err;

	images_sort(&a->images);
	err = check_lengths(a);
	if (!err)
		err = writeout_images(&a->out, &a->images, a->targets, a->target_count,
				      &a->stats->applied_bytes);
	images_clear(&a->images);
	a->write_ns += statistics_clock() - start;
	return err;
}

int apply_sync(struct apply *a)
{
	uint64_t start = statistics_clock();
	size_t i;
	int err = 0;

	for (i = 0; i < a->target_count && !err; i++)
		if (a->targets[i].segment)
			err = segment_sync(a->targets[i].segment);
	a->write_ns += statistics_clock() - start;
	return err;
}

/* struct taking - a record being taken */
struct taking {
	struct apply *apply;
	struct target *target;
};

/* Those of the bytes that are in pages which the mask allows. */
static int take_pages(struct apply *a, const struct format_range *range, const char *data)
{
	uint64_t at = range->offset;
	uint64_t end = at + range->length;
	int err = 0;

	while (at < end && !err) {
		uint64_t n = IMAGE_SIZE - at % IMAGE_SIZE;

		if (n > end - at)
			n = end - at;
		if (a->ops->page_mask(a->ops->arg, range->segment, at >> IMAGE_SHIFT))
			err = images_put(&a->images, range->segment, at, data, n);
		data += n;
		at += n;
	}
	return err;
}

static int put_range(struct apply *a, const struct format_range *range, const char *data)
{
	if (a->ops->page_mask)
		return take_pages(a, range, data);
	return images_put(&a->images, range->segment, range->offset, data, range->length);
}

/* A reader_range_fn. */
static int take_range(void *arg, const struct format_range *range, const void *data)
{
	struct taking *t = arg;
	struct apply *a = t->apply;
	int err;

	if (!t->target || t->target->id != range->segment) {
		err = find_target(a, range->segment, &t->target);
		if (err)
			return err;
	}
	if (!t->target->segment)
		return 0;
	if (t->target->end < range->offset + range->length)
		t->target->end = range->offset + range->length;
	err = put_range(a, range, data);
	if (err != -ENOSPC || !a->writes)
		return err;
	err = apply_write(a);
	return err ? err : put_range(a, range, data);
}

int apply_take(struct apply *a, struct reader *reader, const struct format_record *record)
{
	struct taking taking = { .apply = a };
	int err;

	if (record->type != FORMAT_TX)
		return 0;
	err = reader_ranges(reader, record, true, take_range, &taking);
	if (!err)
		a->stats->records++;
	return err;
}

static int read_record(struct apply *a, struct reader *reader, uint64_t lsn, uint64_t limit,
		       struct format_record *record)
{
	const char *why;
	int err = reader_record(reader, lsn, limit, record, &why);

	if (err != -EUCLEAN)
		return err;
	return err_set(EUCLEAN, "log %s: damaged at LSN %" PRIu64 " (byte %" PRIu64 "): %s",
		       log_path(a->log), lsn, logfile_position(reader->file, lsn), why);
}

int apply_log(struct apply *a, struct reader *reader, uint64_t from, uint64_t to)
{
	struct format_record record;
	uint64_t lsn = from, told = from;
	int err = 0;

	a->writes = true;
	if (a->ops->depth > 1)
		reader_ahead(reader, from, to);
	while (lsn < to) {
		err = read_record(a, reader, lsn, to, &record);
		if (!err)
			err = apply_take(a, reader, &record);
		if (err)
			break;
		lsn += record.length;
		if (!a->ops->progress ||
		    (lsn - told < (to - from) / APPLY_REPORTS && lsn < to))
			continue;
		a->ops->progress(a->ops->arg, lsn - from, to - from);
		told = lsn;
	}
	return err ? err : apply_write(a);
}

int recover_apply(struct log *log, uint64_t from, uint64_t to, const struct recover_ops *ops,
		  struct recover_stats *stats)
{
	uint64_t start = statistics_clock();
	struct recover_stats ignored = {};
	struct format_status status;
	struct reader reader;
	struct apply a;
	int err;

	if (from == to)
		return 0;
	stats = stats ? stats : &ignored;
	log_status(log, &status);
	err = reader_init(&reader, log_file(log), &status);
	if (err)
		return err;
	reader_shorten(&reader, to - from);
	err = apply_init(&a, log, to - from, ops, stats);
	if (err)
		goto free_reader;
	err = apply_log(&a, &reader, from, to);
	if (!err)
		err = apply_sync(&a);
	if (!err)
		stats->log_bytes += to - from;
	statistics_tree(statistics_clock() - start - a.write_ns, a.write_ns);
	apply_free(&a);
free_reader:
	reader_free(&reader);
	return err;
}
