// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Copies of pages in their committed state, while transactions run.
 *
 * With the region's lock no tracked transaction is between its record and the twin, and no
 * explicit one is added; with the locks of the parts none of them declares bytes.  So what is
 * copied of a page where no part has declared bytes holds the bytes of every record that
 * references it, and nothing else.
 *
 * As long as parts are not shared there are no such locks, and no tracked transaction.  Then
 * txs_stop() keeps everybody away from the parts, for the moment that it takes to look at them:
 *
 *	A1  stop all, leave out the pages that are referenced, note how many aborted; go
 *	A2  copy the others
 *	A3  stop all, leave out the pages that are referenced now; all, if one has aborted; go
 *
 * Claim: what is not left out holds the bytes of every record that referenced it before A1, for
 * its transaction had ended; and no byte that was not committed before A3.  Whoever stored
 * such a byte before it was copied had declared it before, so at A3 it is a reference still or
 * has ended since A1: by commit, or by an abort that was counted.  What was committed meanwhile
 * may be there in part: then the page was noted anew, after truncation had taken it, and its
 * record, which the flush between the copy and the write makes durable, stays in the log until
 * the page is written again.
 */
#include <string.h>
#include <time.h>

#include "committed.h"
#include "part.h"
#include "range.h"
#include "region.h"
#include "track.h"
#include "tx.h"

#define FEW		32	/* pages copied while nobody may use parts */
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
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
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

/* ThreadSanitizer shall not hear of step A2: others may store to the page with plain stores. */
#ifdef __SANITIZE_THREAD__
__attribute__((no_sanitize("thread"), noinline))
static void copy_bytes(char *to, const char *from)
{
	const volatile uint64_t *words = (const volatile uint64_t *)from;
	volatile uint64_t *copies = (volatile uint64_t *)to;

	for (size_t i = 0; i < TRACK_PAGE_SIZE / sizeof(*words); i++)
		copies[i] = words[i];
}
#else
static void copy_bytes(char *to, const char *from)
{
	memcpy(to, from, TRACK_PAGE_SIZE);
}
#endif

static void copy_page(struct region *region, uint64_t page, char *to)
{
	const struct track_ops *ops = region->tracker->ops;
	const char *from = region->base + (page << TRACK_PAGE_SHIFT);

	if (ops->committed)
		from = ops->committed(region->tracker, page);
	copy_bytes(to, from);
}

static bool copy_shared(struct region *region, const uint64_t *pages, size_t n, char *to,
			bool *copied)
{
	size_t i;

	memset(copied, 0, n * sizeof(*copied));
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

/* The pages that no transaction references; all are stopped. */
static void find_free(const struct txs *txs, const struct region *region, const uint64_t *pages,
		      size_t n, bool *free)
{
	size_t i;

	for (i = 0; i < n; i++)
		free[i] = free[i] && !reference(txs, region, pages[i]);
}

static void copy_free(struct region *region, const uint64_t *pages, size_t n, char *to,
		      const bool *free)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (free[i])
			copy_page(region, pages[i], to + (i << TRACK_PAGE_SHIFT));
}

/* Where somebody aborts all the time step A3 would leave out all for ever. */
static bool copy_stopped(struct txs *txs, struct region *region, const uint64_t *pages, size_t n,
			 char *to, bool *copied)
{
	size_t i, some;

	for (i = 0; i < n; i += some) {
		some = n - i < FEW ? n - i : FEW;
		if (!txs_stop(txs))
			return copy_shared(region, pages + i, n - i, to + (i << TRACK_PAGE_SHIFT),
					   copied + i);
		memset(copied + i, true, some * sizeof(*copied));
		find_free(txs, region, pages + i, some, copied + i);
		copy_free(region, pages + i, some, to + (i << TRACK_PAGE_SHIFT), copied + i);
		txs_go(txs);
	}
	return true;
}

bool committed_copy(void *arg, struct region *region, const uint64_t *pages, size_t n,
		    char *to, bool *copied)
{
	struct txs *txs = arg;
	uint64_t aborts;

	if (!txs_stop(txs))
		return copy_shared(region, pages, n, to, copied);
	memset(copied, true, n * sizeof(*copied));
	find_free(txs, region, pages, n, copied);
	aborts = txs_aborts(txs);
	txs_go(txs);
	copy_free(region, pages, n, to, copied);
	if (!txs_stop(txs))
		return copy_shared(region, pages, n, to, copied);
	find_free(txs, region, pages, n, copied);
	aborts -= txs_aborts(txs);
	txs_go(txs);
	return !aborts || copy_stopped(txs, region, pages, n, to, copied);
}
