// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Copies of pages in their committed state, while transactions run.
 *
 * With the region's lock no tracked transaction is between its record and the twin, and no
 * explicit one is added; with the locks of the parts none of them declares bytes.  So what is
 * copied of a page where no part has declared bytes holds the bytes of every record that
 * references it, and nothing else.  As long as parts are not shared there are no such locks, and
 * no tracked transaction; txs_stop() keeps everybody away from the parts instead.
 */
#include <string.h>
#include <time.h>

#include "committed.h"
#include "part.h"
#include "range.h"
#include "region.h"
#include "track.h"
#include "tx.h"

#define PATIENCE	1000000	/* ns; a commit that waits for room holds the region's lock */

/* ThreadSanitizer does not see the lock taken by pthread_mutex_clocklock(). */
#ifdef __SANITIZE_THREAD__
#define CLOCK		CLOCK_REALTIME
#define lock_until(lock, until)	pthread_mutex_timedlock(lock, until)
#else
#define CLOCK		CLOCK_MONOTONIC
#define lock_until(lock, until)	pthread_mutex_clocklock(lock, CLOCK, until)
#endif

static bool lock_region(struct region *region)
{
	struct timespec until;

	clock_gettime(CLOCK, &until);
	until.tv_nsec += PATIENCE;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return !lock_until(&region->lock, &until);
}

static bool references(const struct tx_part *part, uint64_t page)
{
	uint64_t start = page << TRACK_PAGE_SHIFT;

	return rangeset_overlaps(&part->ranges, start, start + TRACK_PAGE_SIZE);
}

static bool shared_reference(const struct region *region, uint64_t page)
{
	for (struct tx_part *part = region->parts; part; part = part->next_in_region)
		if (references(part, page))
			return true;
	return false;
}

static bool reference(const struct txs *txs, const struct region *region, uint64_t page)
{
	for (struct tx *tx = txs->all; tx; tx = tx->next_of_all)
		for (struct tx_part *part = tx->parts; part; part = part->next)
			if (part->region == region && references(part, page))
				return true;
	return false;
}

static void copy_page(struct region *region, uint64_t page, char *to)
{
	const struct track_ops *ops = region->tracker->ops;
	const char *from = region->base + (page << TRACK_PAGE_SHIFT);

	if (ops->committed)
		from = ops->committed(region->tracker, page);
	memcpy(to, from, TRACK_PAGE_SIZE);
}

static bool copy_shared(struct region *region, const uint64_t *pages, size_t n, char *to,
			bool *copied)
{
	size_t i;

	if (!lock_region(region))
		return false;
	parts_lock(region);
	for (i = 0; i < n; i++) {
		copied[i] = !shared_reference(region, pages[i]);
		if (copied[i])
			copy_page(region, pages[i], to + (i << TRACK_PAGE_SHIFT));
	}
	parts_unlock(region);
	pthread_mutex_unlock(&region->lock);
	return true;
}

bool committed_copy(void *arg, struct region *region, const uint64_t *pages, size_t n,
		    char *to, bool *copied)
{
	struct txs *txs = arg;
	size_t i;

	if (!txs_stop(txs))
		return copy_shared(region, pages, n, to, copied);
	for (i = 0; i < n; i++) {
		copied[i] = !reference(txs, region, pages[i]);
		if (copied[i])
			copy_page(region, pages[i], to + (i << TRACK_PAGE_SHIFT));
	}
	txs_go(txs);
	return true;
}
