// SPDX-License-Identifier: LGPL-2.1-or-later
/* Writing dirty pages of a region to its segment from memory. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "log.h"
#include "pagefile.h"
#include "pageout.h"
#include "region.h"
#include "segment.h"
#include "track.h"
#include "truncate.h"

#define PART	512U	/* pages copied before they are written */
static_assert(PART <= TRUNCATE_BATCH, "a part may be copied at once");

#define RUN	64U	/* most pages of one write: a commit may wait behind it */
#define TRIES	8	/* of pages with references */
#define PAUSE	50000	/* nanoseconds between two of them */

int pageout_init(struct pageout *out, struct truncator *tr, struct region *region, size_t max)
{
	size_t part = max < PART ? max : PART;

	*out = (struct pageout) { .tr = tr, .region = region, .max = max };
	out->taken = calloc(max, sizeof(*out->taken));
	out->pages = calloc(max, sizeof(*out->pages));
	out->written = calloc(max, sizeof(*out->written));
	out->copied = calloc(part, sizeof(*out->copied));
	out->bytes = aligned_alloc(PAGEFILE_ALIGN, part << TRACK_PAGE_SHIFT);
	if (out->taken && out->pages && out->written && out->copied && out->bytes)
		return 0;
	return err_set(ENOMEM, "out of memory for truncation");
}

void pageout_free(struct pageout *out)
{
	free(out->taken);
	free(out->pages);
	free(out->written);
	free(out->copied);
	free(out->bytes);
}

static int compare(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

size_t pageout_take(struct pageout *out, uint64_t limit)
{
	size_t i;

	out->n = dirty_take(&out->region->dirty, out->taken, out->max, limit);
	for (i = 0; i < out->n; i++)
		out->pages[i] = out->taken[i].page;
	qsort(out->pages, out->n, sizeof(*out->pages), compare);
	memset(out->written, 0, out->n * sizeof(*out->written));
	return out->n;
}

size_t pageout_find(const struct pageout *out, uint64_t page)
{
	const uint64_t *at = bsearch(&page, out->pages, out->n, sizeof(page), compare);

	return at ? (size_t)(at - out->pages) : SIZE_MAX;
}

/* How many pages from @i on, of @n, are to be copied at once. */
static size_t batch_length(const struct pageout *out, size_t i, size_t n)
{
	size_t end = i;

	while (end < n && !out->copied[end])
		end++;
	return end - i;
}

/* Tries all that are not copied; false: a transaction that is ending has the whole region. */
static bool try_copies(struct pageout *out, const uint64_t *pages, size_t n, size_t *left)
{
	size_t i, batch;

	for (i = 0; i < n; i += batch ? batch : 1) {
		char *to = out->bytes + (i << TRACK_PAGE_SHIFT);

		batch = batch_length(out, i, n);
		if (batch && !out->tr->copy(out->tr->copy_arg, out->region, pages + i, batch, to,
					    out->copied + i))
			return false;
	}
	for (i = 0, *left = 0; i < n; i++)
		*left += !out->copied[i];
	return true;
}

/* While the log is frozen no commit ends, and none gives up a reference. */
static void copy_part(struct pageout *out, const uint64_t *pages, size_t n)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	unsigned int tries = out->tr->frozen ? 1 : TRIES;
	size_t left;

	memset(out->copied, 0, n * sizeof(*out->copied));
	while (try_copies(out, pages, n, &left) && left && --tries)
		nanosleep(&pause, NULL);
}

static int flush(struct pageout *out)
{
	struct log_state state;

	log_state(out->tr->log, &state);
	return log_flush(out->tr->log, state.tail);
}

/* How many copied pages from @i on, of @n, are neighbours. */
static size_t run_length(const struct pageout *out, const uint64_t *pages, size_t i, size_t n)
{
	size_t end = i;

	while (end < n && end - i < RUN && out->copied[end] && pages[end] == pages[i] + (end - i))
		end++;
	return end - i;
}

static int write_copies(struct pageout *out, struct pagefile *file, const uint64_t *pages, size_t n)
{
	size_t i, run;
	int err = 0;

	for (i = 0; i < n && !err; i += run ? run : 1) {
		run = run_length(out, pages, i, n);
		if (run)
			err = pagefile_write(file, out->region->offset +
					     (pages[i] << TRACK_PAGE_SHIFT),
					     out->bytes + (i << TRACK_PAGE_SHIFT),
					     run << TRACK_PAGE_SHIFT);
	}
	return err;
}

static int write_part(struct pageout *out, struct pagefile *file, size_t first, size_t n)
{
	int err = 0;

	copy_part(out, out->pages + first, n);
	memcpy(out->written + first, out->copied, n * sizeof(*out->copied));
	if (memchr(out->copied, true, n))
		err = flush(out);
	return err ? err : write_copies(out, file, out->pages + first, n);
}

int pageout_write(struct pageout *out)
{
	struct pagefile file;
	size_t i, n;
	int err = 0;

	if (out->tr->frozen)
		pagefile_use_cache(&file, out->region->segment);
	else
		pagefile_open(&file, out->region->segment);
	for (i = 0; i < out->n && !err; i += n) {
		n = out->n - i < PART ? out->n - i : PART;
		err = write_part(out, &file, i, n);
	}
	pagefile_close(&file);
	if (!err && memchr(out->written, true, out->n))
		err = segment_sync(out->region->segment);
	if (err)
		memset(out->written, 0, out->n * sizeof(*out->written));
	return err;
}
