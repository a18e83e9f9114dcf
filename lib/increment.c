// SPDX-License-Identifier: LGPL-2.1-or-later
/* Incremental truncation: write out the first pages of the page queue, move the head. */
#include <string.h>

#include "err.h"
#include "increment.h"
#include "log.h"
#include "pageout.h"
#include "region.h"
#include "segment.h"
#include "statistics.h"
#include "track.h"
#include "truncate.h"

#define STEP	256	/* pages of a step */

bool increment_possible(struct truncator *tr)
{
	bool possible = !tr->orphans;

	pthread_rwlock_rdlock(&tr->regions->lock);
	for (struct region *r = tr->regions->first; r && possible; r = r->next)
		possible = r->tracker->ops->writeback || tr->copy;
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
		uint64_t first = dirty_first(&r->dirty);

		if (first >= *lsn)
			continue;
		*lsn = first;
		region = r;
	}
	pthread_rwlock_unlock(&tr->regions->lock);
	return region;
}

/* Last first, so that those which go back are in order in front again. */
static size_t finish(struct pageout *out)
{
	size_t i = out->n, written = 0;

	while (i--) {
		if (out->written[pageout_find(out, out->taken[i].page)]) {
			dirty_done(&out->region->dirty, out->taken[i].page);
			written++;
		} else {
			dirty_back(&out->region->dirty, out->taken[i].page, out->taken[i].lsn);
		}
	}
	statistics_step_pages(written, out->n - written);
	return written;
}

/* The module refuses what is owned or held, and syncs the segment. */
static int write_back(struct pageout *out)
{
	struct tracker *tracker = out->region->tracker;
	uint64_t busy[STEP];
	size_t n_busy = 0, i;
	struct log_state state;
	int err;

	log_state(out->tr->log, &state);
	err = log_flush(out->tr->log, state.tail);
	if (err)
		return err;
	err = tracker->ops->writeback(tracker, out->pages, out->n, busy, &n_busy);
	if (err)
		return err_add(err, "segment %s: ", out->region->segment->path);
	memset(out->written, true, out->n * sizeof(*out->written));
	for (i = 0; i < n_busy; i++) {
		size_t at = pageout_find(out, busy[i]);

		if (at != SIZE_MAX)
			out->written[at] = false;
	}
	return 0;
}

static int write_pages(struct truncator *tr, struct region *region, uint64_t limit, size_t max,
		       size_t *written)
{
	struct pageout out;
	int err;

	err = pageout_init(&out, tr, region, max);
	if (!err) {
		pageout_take(&out, limit);
		err = region->tracker->ops->writeback ? write_back(&out) : pageout_write(&out);
		*written = finish(&out);
	}
	pageout_free(&out);
	return err;
}

int increment_move(struct truncator *tr, uint64_t durable, bool *moved)
{
	struct log_state state;
	uint64_t lsn;
	int err;

	lowest(tr, durable, &lsn);
	log_state(tr->log, &state);
	if (lsn <= state.head)
		return 0;
	err = log_set_head(tr->log, lsn);
	if (err)
		return err;
	*moved = true;
	statistics_step();
	return 0;
}

int increment_pages(struct truncator *tr, size_t max, size_t *written, uint64_t *durable)
{
	struct region *region;
	uint64_t lsn;

	*written = 0;
	*durable = log_durable(tr->log);
	region = lowest(tr, *durable, &lsn);
	return region ? write_pages(tr, region, *durable, max < STEP ? max : STEP, written) : 0;
}

int increment_step(struct truncator *tr, bool *moved)
{
	uint64_t durable;
	size_t written;
	int err;

	*moved = false;
	err = increment_pages(tr, STEP, &written, &durable);
	return err ? err : increment_move(tr, durable, moved);
}
