// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Copies of pages in their committed state, while transactions run.
 *
 * With the region's lock no tracked transaction is between its record and the twin, and no
 * explicit one is added; with the locks of the parts none of them declares bytes.  So what is
 * copied of a page where no part has declared bytes holds the bytes of every record that
 * references it, and nothing else.  txs_share() has all transactions take these locks.
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

static bool lock_region(struct region *region)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += PATIENCE;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return !pthread_mutex_clocklock(&region->lock, CLOCK_MONOTONIC, &until);
}

static bool is_referenced(const struct region *region, uint64_t page)
{
	uint64_t start = page << TRACK_PAGE_SHIFT;

	for (struct tx_part *part = region->parts; part; part = part->next_in_region)
		if (rangeset_overlaps(&part->ranges, start, start + TRACK_PAGE_SIZE))
			return true;
	return false;
}

static bool copy_page(struct region *region, uint64_t page, char *to)
{
	const struct track_ops *ops = region->tracker->ops;
	const char *from = region->base + (page << TRACK_PAGE_SHIFT);

	if (is_referenced(region, page))
		return false;
	if (ops->committed)
		from = ops->committed(region->tracker, page);
	memcpy(to, from, TRACK_PAGE_SIZE);
	return true;
}

void committed_copy(void *arg, struct region *region, const uint64_t *pages, size_t n,
		    char *to, bool *copied)
{
	struct tx_part *part;
	size_t i;

	txs_share(arg);
	if (!lock_region(region))
		return;
	for (part = region->parts; part; part = part->next_in_region)
		pthread_mutex_lock(&part->lock);
	for (i = 0; i < n; i++)
		copied[i] = copy_page(region, pages[i], to + (i << TRACK_PAGE_SHIFT));
	for (part = region->parts; part; part = part->next_in_region)
		pthread_mutex_unlock(&part->lock);
	pthread_mutex_unlock(&region->lock);
}
