// SPDX-License-Identifier: LGPL-2.1-or-later
/* Incremental truncation: write out the first pages of the page queue, move the head. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "increment.h"
#include "log.h"
#include "pagefile.h"
#include "region.h"
#include "segment.h"
#include "track.h"
#include "truncate.h"

#define STEP	256	/* pages of a step */

/**
 * struct step - a step under way
 * @tr: the truncator
 * @region: whose pages they are
 * @taken: the pages, in the order of the queue
 * @n: how many
 * @pages: the same, in the order of the region
 * @written: by the order of the region: it was written
 * @bytes: copies, in that order
 */
struct step {
	struct truncator *tr;
	struct region *region;
	struct queued_page taken[STEP];
	size_t n;
	uint64_t pages[STEP];
	bool written[STEP];
	char *bytes;
};

bool increment_possible(struct truncator *tr)
{
	bool possible = !tr->orphans;

	pthread_rwlock_rdlock(&tr->regions->lock);
	for (struct region *r = tr->regions->first; r && possible; r = r->next)
		possible = r->noted && (r->tracker->ops->writeback || tr->copy);
	pthread_rwlock_unlock(&tr->regions->lock);
	return possible;
}

/* The region whose queue begins lowest; *@lsn is where, at most @most. */
static struct region *lowest(struct truncator *tr, uint64_t most, uint64_t *lsn)
{
	struct region *region = NULL;

	*lsn = most;
	pthread_rwlock_rdlock(&tr->regions->lock);
	for (struct region *r = tr->regions->first; r; r = r->next) {
		uint64_t first = r->noted ? dirty_first(&r->dirty) : DIRTY_NONE;

		if (first >= *lsn)
			continue;
		*lsn = first;
		region = r;
	}
	pthread_rwlock_unlock(&tr->regions->lock);
	return region;
}

static int compare(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

static void take(struct step *s, uint64_t limit)
{
	size_t i;

	s->n = dirty_take(&s->region->dirty, s->taken, STEP, limit);
	for (i = 0; i < s->n; i++)
		s->pages[i] = s->taken[i].page;
	qsort(s->pages, s->n, sizeof(s->pages[0]), compare);
	memset(s->written, 0, sizeof(s->written));
}

static bool was_written(const struct step *s, uint64_t page)
{
	const uint64_t *at = bsearch(&page, s->pages, s->n, sizeof(page), compare);

	return s->written[at - s->pages];
}

/* Last first, so that those which go back are in order in front again. */
static void finish(struct step *s)
{
	size_t i = s->n;

	while (i--) {
		if (was_written(s, s->taken[i].page)) {
			dirty_done(&s->region->dirty, s->taken[i].page);
			s->tr->pages++;
		} else {
			dirty_back(&s->region->dirty, s->taken[i].page, s->taken[i].lsn);
			s->tr->blocked++;
		}
	}
}

static int flush(struct step *s)
{
	struct log_state state;

	log_state(s->tr->log, &state);
	return log_flush(s->tr->log, state.tail);
}

/* The module refuses what is owned or held, and syncs the segment. */
static int write_back(struct step *s)
{
	uint64_t busy[STEP];
	size_t n_busy = 0, i;
	int err;

	err = flush(s);
	if (!err)
		err = s->region->tracker->ops->writeback(s->region->tracker, s->pages, s->n, busy,
							 &n_busy);
	if (err)
		return err;
	memset(s->written, true, s->n * sizeof(s->written[0]));
	for (i = 0; i < n_busy; i++) {
		const uint64_t *at = bsearch(&busy[i], s->pages, s->n, sizeof(*at), compare);

		if (at)
			s->written[at - s->pages] = false;
	}
	return 0;
}

static char *copy_of(const struct step *s, size_t i)
{
	return s->bytes + (i << TRACK_PAGE_SHIFT);
}

static bool copy(struct step *s, bool *copied)
{
	size_t i, n;
	bool any = false;

	for (i = 0; i < s->n; i += n) {
		n = s->n - i < TRUNCATE_BATCH ? s->n - i : TRUNCATE_BATCH;
		s->tr->copy(s->tr->copy_arg, s->region, &s->pages[i], n, copy_of(s, i),
			    &copied[i]);
	}
	for (i = 0; i < s->n; i++)
		any |= copied[i];
	return any;
}

/* How many copied pages from @i on are neighbours. */
static size_t run_length(const struct step *s, const bool *copied, size_t i)
{
	size_t n = 1;

	while (i + n < s->n && copied[i + n] && s->pages[i + n] == s->pages[i] + n)
		n++;
	return n;
}

static int write_copies(struct step *s, const bool *copied)
{
	struct pagefile file;
	size_t i, n;
	int err = 0;

	pagefile_open(&file, s->region->segment);
	for (i = 0; i < s->n && !err; i += n) {
		n = 1;
		if (!copied[i])
			continue;
		n = run_length(s, copied, i);
		err = pagefile_write(&file, s->region->offset +
				     (s->pages[i] << TRACK_PAGE_SHIFT), copy_of(s, i),
				     n << TRACK_PAGE_SHIFT);
	}
	pagefile_close(&file);
	return err ? err : segment_sync(s->region->segment);
}

static int copy_and_write(struct step *s)
{
	bool copied[STEP] = {};
	int err;

	s->bytes = aligned_alloc(PAGEFILE_ALIGN, s->n << TRACK_PAGE_SHIFT);
	if (!s->bytes)
		return err_set(ENOMEM, "out of memory for a step of truncation");
	err = copy(s, copied) ? flush(s) : -EAGAIN;
	if (!err)
		err = write_copies(s, copied);
	if (!err)
		memcpy(s->written, copied, sizeof(copied));
	free(s->bytes);
	return err == -EAGAIN ? 0 : err;
}

static int write_pages(struct truncator *tr, struct region *region, uint64_t limit)
{
	struct step s = { .tr = tr, .region = region };
	int err;

	take(&s, limit);
	if (!s.n)
		return 0;
	if (region->tracker->ops->writeback)
		err = write_back(&s);
	else
		err = copy_and_write(&s);
	finish(&s);
	return err;
}

int increment_step(struct truncator *tr, bool *moved)
{
	uint64_t durable = log_durable(tr->log);
	struct log_state state;
	struct region *region;
	uint64_t lsn;
	int err = 0;

	*moved = false;
	region = lowest(tr, durable, &lsn);
	if (region)
		err = write_pages(tr, region, durable);
	if (err)
		return err;
	lowest(tr, durable, &lsn);
	log_state(tr->log, &state);
	if (lsn <= state.head)
		return 0;
	err = log_set_head(tr->log, lsn);
	if (err)
		return err;
	*moved = true;
	tr->steps++;
	return 0;
}
