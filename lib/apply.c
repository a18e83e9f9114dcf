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

#define WINDOW_PAGES 64U	/* pages that are written at once */
#define DENSE 4U		/* a window is read at once if one page in so many is needed */

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
	a->window = aligned_alloc(PAGEFILE_ALIGN, WINDOW_PAGES * IMAGE_SIZE);
	if (a->window && !images_init(&a->images, most_pages(bytes)))
		return 0;
	free(a->window);
	a->window = NULL;
	return no_memory(a);
}

void apply_free(struct apply *a)
{
	size_t i;

	for (i = 0; i < a->target_count; i++)
		if (a->targets[i].segment)
			pagefile_close(&a->targets[i].file);
	images_free(&a->images);
	free(a->window);
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

/* How many bytes of a page the segment has: its last one may be short. */
static size_t page_room(const struct segment *segment, const struct image *image)
{
	uint64_t left = segment->length - (image->page << IMAGE_SHIFT);

	return left < IMAGE_SIZE ? left : IMAGE_SIZE;
}

static int read_pages(struct apply *a, struct target *target, const struct image *first,
		      const struct image *last)
{
	uint64_t start = first->page << IMAGE_SHIFT;
	uint64_t end = (last->page << IMAGE_SHIFT) + page_room(target->segment, last);

	return pagefile_read(&target->file, start, a->window, end - start);
}

static char *in_window(struct apply *a, const struct image *window, const struct image *image)
{
	return a->window + ((image->page - window->page) << IMAGE_SHIFT);
}

/* Fills the window with what the segment has, where the log has not all of it. */
static int fill_window(struct apply *a, struct target *target, const struct image *window,
		       size_t count)
{
	const struct image *last = &window[count - 1];
	size_t i, partial = 0;
	int err = 0;

	for (i = 0; i < count; i++)
		partial += !image_full(&a->images, &window[i]);
	if (partial && partial * DENSE > last->page - window->page)
		return read_pages(a, target, window, last);
	for (i = 0; i < count && !err && partial; i++)
		if (!image_full(&a->images, &window[i]))
			err = pagefile_read(&target->file, window[i].page << IMAGE_SHIFT,
					    in_window(a, window, &window[i]),
					    page_room(target->segment, &window[i]));
	return err;
}

static int write_run(struct apply *a, struct target *target, const struct image *window,
		     const struct image *first, const struct image *last)
{
	uint64_t length = ((last->page - first->page) << IMAGE_SHIFT) +
			  page_room(target->segment, last);

	return pagefile_write(&target->file, first->page << IMAGE_SHIFT,
			      in_window(a, window, first), length);
}

/* Writes pages that lie in one window, neighbours at once. */
static int write_window(struct apply *a, struct target *target, const struct image *window,
			size_t count)
{
	size_t i, first = 0;
	int err;

	err = fill_window(a, target, window, count);
	for (i = 0; i < count && !err; i++) {
		a->stats->applied_bytes +=
			image_merge(&a->images, &window[i], in_window(a, window, &window[i]),
				    page_room(target->segment, &window[i]));
		if (i + 1 < count && window[i + 1].page == window[i].page + 1)
			continue;
		err = write_run(a, target, window, &window[first], &window[i]);
		first = i + 1;
	}
	return err;
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

/* How many images from @first on, sorted, lie in one window. */
static size_t window_size(const struct images *images, size_t first)
{
	const struct image *window = &images->image[first];
	size_t n = 1;

	while (first + n < images->count && window[n].segment == window->segment &&
	       window[n].page - window->page < WINDOW_PAGES)
		n++;
	return n;
}

int apply_write(struct apply *a)
{
	struct images *images = &a->images;
	uint64_t start = statistics_clock();
	struct target *target = NULL;
	size_t i, n;
	int err;

	err = check_lengths(a);
	images_sort(images);
	for (i = 0; i < images->count && !err; i += n) {
		n = window_size(images, i);
		err = find_target(a, images->image[i].segment, &target);
		if (!err)
			err = write_window(a, target, &images->image[i], n);
	}
	images_clear(images);
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

/* A reader_range_fn: the misses of all ranges of a record are waited for together. */
static int expect_range(void *arg, const struct format_range *range, const void *data)
{
	struct apply *a = arg;

	(void)data;
	images_expect(&a->images, range->segment, range->offset);
	return 0;
}

int apply_take(struct apply *a, struct reader *reader, const struct format_record *record)
{
	struct taking taking = { .apply = a };
	int err;

	if (record->type != FORMAT_TX)
		return 0;
	err = reader_ranges(reader, record, 0, expect_range, a);
	if (!err)
		err = reader_ranges(reader, record, FORMAT_CHUNK, take_range, &taking);
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
	uint64_t lsn = from;
	int err = 0;

	a->writes = true;
	while (lsn < to && !err) {
		err = read_record(a, reader, lsn, to, &record);
		if (!err)
			err = apply_take(a, reader, &record);
		if (err)
			break;
		lsn += record.length;
		if (a->ops->progress)
			a->ops->progress(a->ops->arg, lsn - from, to - from);
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
