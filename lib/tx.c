// SPDX-License-Identifier: LGPL-2.1-or-later
/* Transactions: what they declared, and the old values that abort restores. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "region.h"
#include "segment.h"
#include "track.h"
#include "tx.h"

#define KEEP_BYTES	(1024 * 1024UL)	/* memory that an unused transaction may keep */
#define TID_CHAINS	256		/* no tid is a multiple: chain 0 is nobody's */
#define TID_MAX		0x3fffffffU

static void free_parts(struct tx_part *part)
{
	struct tx_part *next;

	for (; part; part = next) {
		next = part->next;
		rangeset_free(&part->ranges);
		rangeset_free(&part->pages);
		pthread_mutex_destroy(&part->lock);
		free(part);
	}
}

static void free_memory(struct tx *tx)
{
	free_parts(tx->parts);
	free_parts(tx->spare);
	free(tx->undo);
	free(tx->tracked);
	free(tx->bytes);
	free(tx->ranges);
	memset(tx, 0, sizeof(*tx));
}

/* The transactions themselves stay, so that their handles are stale for good. */
void txs_end(struct txs *txs)
{
	struct tx *tx, *next;

	for (tx = txs->unused; tx; tx = next) {
		next = tx->next;
		free_memory(tx);
		tx->next = next;
	}
	while ((tx = txs->open)) {
		txs->open = tx->next;
		free_memory(tx);
		tx->next = txs->unused;
		txs->unused = tx;
	}
	txs->count = 0;
}

uint32_t tx_tid(const struct tx *tx)
{
	uint32_t chains = TID_MAX / TID_CHAINS;
	uint64_t n = tx->id % ((uint64_t)chains * (TID_CHAINS - 1));

	return n / (TID_CHAINS - 1) * TID_CHAINS + n % (TID_CHAINS - 1) + 1;
}

static void *grown(void *old, size_t *max, size_t need, size_t item)
{
	size_t n = *max ? *max : 16;
	void *mem;

	while (n < need)
		n *= 2;
	mem = realloc(old, n * item);
	if (mem)
		*max = n;
	return mem;
}

int tx_reserve(struct tx *tx, size_t more)
{
	char *bytes;

	if (tx->n_bytes + more <= tx->max_bytes)
		return 0;
	bytes = grown(tx->bytes, &tx->max_bytes, tx->n_bytes + more, 1);
	if (!bytes)
		return err_set(ENOMEM, "out of memory for %zu bytes of a transaction",
			       tx->n_bytes + more);
	tx->bytes = bytes;
	return 0;
}

static struct tx *take(struct txs *txs)
{
	struct tx *tx;

	pthread_mutex_lock(&txs->lock);
	tx = txs->unused;
	if (tx)
		txs->unused = tx->next;
	else
		tx = calloc(1, sizeof(*tx));
	if (tx) {
		__atomic_store_n(&tx->id, ++txs->last_id, __ATOMIC_RELAXED);
		tx->prev = NULL;
		tx->next = txs->open;
		if (tx->next)
			tx->next->prev = tx;
		txs->open = tx;
		txs->count++;
	}
	pthread_mutex_unlock(&txs->lock);
	return tx;
}

static void trim(struct tx *tx)
{
	tx->n_undo = 0;
	tx->n_bytes = 0;
	tx->n_ranges = 0;
	tx->n_tracked = 0;
	tx->n_declared = 0;
	tx->declared_bytes = 0;
	if (tx->max_bytes <= KEEP_BYTES && tx->max_ranges * sizeof(*tx->ranges) <= KEEP_BYTES &&
	    tx->max_undo * sizeof(*tx->undo) <= KEEP_BYTES)
		return;
	free(tx->undo);
	free(tx->bytes);
	free(tx->ranges);
	tx->undo = NULL;
	tx->bytes = NULL;
	tx->ranges = NULL;
	tx->max_undo = 0;
	tx->max_bytes = 0;
	tx->max_ranges = 0;
}

static void give_back(struct txs *txs, struct tx *tx)
{
	trim(tx);
	pthread_mutex_lock(&txs->lock);
	if (tx->prev)
		tx->prev->next = tx->next;
	else
		txs->open = tx->next;
	if (tx->next)
		tx->next->prev = tx->prev;
	__atomic_store_n(&tx->id, 0, __ATOMIC_RELAXED);
	tx->next = txs->unused;
	txs->unused = tx;
	txs->count--;
	pthread_mutex_unlock(&txs->lock);
}

static struct tx *new_tx(struct txs *txs, bool restore)
{
	struct tx *tx = take(txs);

	if (!tx) {
		err_set(ENOMEM, "out of memory for a transaction");
		return NULL;
	}
	tx->restore = restore;
	tx->thread = gettid();
	return tx;
}

int tx_begin(struct txs *txs, bool restore, struct tx **out)
{
	*out = new_tx(txs, restore);
	return *out ? 0 : -ENOMEM;
}

/* The regions to track, by address: the one order in which all begins wait. */
static int choose_regions(struct txs *txs, struct region *only, struct tx *tx)
{
	size_t n = 0;

	pthread_rwlock_rdlock(&txs->regions->lock);
	for (struct region *r = txs->regions->first; r; r = r->next)
		n++;
	free(tx->tracked);
	tx->tracked = malloc((n + 1) * sizeof(*tx->tracked));
	n = 0;
	for (struct region *r = txs->regions->first; r && tx->tracked; r = r->next)
		if (r->tracker->ops->tracks && (!only || r == only))
			tx->tracked[n++] = r;
	pthread_rwlock_unlock(&txs->regions->lock);
	if (!tx->tracked)
		return err_set(ENOMEM, "out of memory for a transaction");
	tx->n_tracked = n;
	if (n)
		return 0;
	if (only)
		return err_set(EOPNOTSUPP, "the region at %p is mapped without a tracker (%s)",
			       only->base, only->why);
	return err_set(EOPNOTSUPP, "no region is mapped with a tracker");
}

static int own(struct region *region, struct tx *tx)
{
	int err = 0;

	pthread_mutex_lock(&region->lock);
	while (region->tracked && region->tracked->thread != tx->thread)
		pthread_cond_wait(&region->idle, &region->lock);
	if (region->tracked)
		err = err_set(EDEADLK,
			      "the region at %p is tracked for an earlier transaction of this thread: end it first",
			      region->base);
	else
		region->tracked = tx;
	pthread_mutex_unlock(&region->lock);
	return err;
}

static void disown(struct region *region)
{
	pthread_mutex_lock(&region->lock);
	region->tracked = NULL;
	pthread_cond_broadcast(&region->idle);
	pthread_mutex_unlock(&region->lock);
}

void tx_untrack(struct tx *tx)
{
	while (tx->n_tracked)
		disown(tx->tracked[--tx->n_tracked]);
}

static int track_one(struct region *region, struct tx *tx)
{
	const struct track_ops *ops = region->tracker->ops;
	int err = own(region, tx);

	if (err || !ops->begin)
		return err;
	err = ops->begin(region->tracker, tx_tid(tx));
	if (err)
		disown(region);
	return err;
}

static int track_all(struct tx *tx)
{
	size_t i;
	int err = 0;

	for (i = 0; i < tx->n_tracked; i++) {
		err = track_one(tx->tracked[i], tx);
		if (err)
			break;
	}
	if (!err)
		return 0;
	tx->n_tracked = i;
	while (i--)
		tx->tracked[i]->tracker->ops->end(tx->tracked[i]->tracker, tx_tid(tx), 0);
	tx_untrack(tx);
	return err;
}

int tx_begin_tracked(struct txs *txs, struct region *only, struct tx **out)
{
	struct tx *tx = new_tx(txs, true);
	int err;

	if (!tx)
		return -ENOMEM;
	err = choose_regions(txs, only, tx);
	if (!err)
		err = track_all(tx);
	if (err) {
		tx->n_tracked = 0;
		tx_finish(txs, tx, 0);
		return err;
	}
	*out = tx;
	return 0;
}

static struct tx_part *new_part(struct tx *tx)
{
	struct tx_part *part = tx->spare;

	if (part) {
		tx->spare = part->next;
		return part;
	}
	part = calloc(1, sizeof(*part));
	if (!part)
		return NULL;
	pthread_mutex_init(&part->lock, NULL);
	rangeset_init(&part->ranges);
	rangeset_init(&part->pages);
	return part;
}

static struct tx_part *add_part(struct tx *tx, struct region *region)
{
	struct tx_part *part = new_part(tx);

	if (!part)
		return NULL;
	part->tx = tx;
	part->region = region;
	part->next = tx->parts;
	tx->parts = part;
	pthread_mutex_lock(&region->lock);
	part->prev_in_region = NULL;
	part->next_in_region = region->parts;
	if (region->parts)
		region->parts->prev_in_region = part;
	region->parts = part;
	pthread_mutex_unlock(&region->lock);
	return part;
}

static bool holds(const struct region *region, const char *addr)
{
	return addr >= region->base && addr < region->base + region->length;
}

static int check_end(const struct region *region, const char *addr, size_t length)
{
	if (length <= region->length - (size_t)(addr - region->base))
		return 0;
	return err_set(ERANGE, "the range of %zu bytes at %p crosses the end of its region at %p",
		       length, addr, region->base + region->length);
}

/* The part for an address; the region is looked up once a transaction. */
static int find_part(struct txs *txs, struct tx *tx, char *addr, struct tx_part **out)
{
	struct region *region;

	for (*out = tx->parts; *out; *out = (*out)->next)
		if (holds((*out)->region, addr))
			return 0;
	region = region_find(txs->regions, addr);
	if (!region)
		return err_set(ENXIO, "no region is mapped at %p", addr);
	*out = add_part(tx, region);
	return *out ? 0 : err_set(ENOMEM, "out of memory for a range");
}

static int hold_gap(void *arg, uint64_t start, uint64_t end)
{
	struct tracker *tracker = arg;

	tracker->ops->hold(tracker, start, end - 1);
	return 0;
}

static int release_gap(void *arg, uint64_t start, uint64_t end)
{
	struct tracker *tracker = arg;

	tracker->ops->release(tracker, start, end - 1, 0);
	return 0;
}

/* Hold each page once a transaction, however many ranges it has. */
static int hold_pages(struct tx_part *part, uint64_t start, uint64_t end)
{
	struct tracker *tracker = part->region->tracker;
	uint64_t first = start >> TRACK_PAGE_SHIFT;
	uint64_t after = ((end - 1) >> TRACK_PAGE_SHIFT) + 1;
	int err;

	if (!tracker->ops->hold || rangeset_covers(&part->pages, first, after))
		return 0;
	rangeset_gaps(&part->pages, first, after, hold_gap, tracker);
	err = rangeset_add(&part->pages, first, after, NULL, NULL);
	if (err)
		rangeset_gaps(&part->pages, first, after, release_gap, tracker);
	return err;
}

static int save_gap(void *arg, uint64_t start, uint64_t end)
{
	struct tx_part *part = arg;
	struct tx *tx = part->tx;
	struct tx_undo *undo;

	if (tx->n_undo == tx->max_undo) {
		undo = grown(tx->undo, &tx->max_undo, tx->n_undo + 1, sizeof(*undo));
		if (!undo)
			return -ENOMEM;
		tx->undo = undo;
	}
	if (tx_reserve(tx, end - start))
		return -ENOMEM;
	undo = &tx->undo[tx->n_undo++];
	undo->addr = part->region->base + start;
	undo->length = end - start;
	undo->at = tx->n_bytes;
	memcpy(tx->bytes + undo->at, undo->addr, undo->length);
	tx->n_bytes += undo->length;
	return 0;
}

static int declare(struct tx_part *part, uint64_t start, uint64_t end)
{
	int err;

	err = hold_pages(part, start, end);
	if (err)
		return err;
	pthread_mutex_lock(&part->lock);
	err = rangeset_add(&part->ranges, start, end, part->tx->restore ? save_gap : NULL, part);
	pthread_mutex_unlock(&part->lock);
	return err;
}

int tx_set_range(struct txs *txs, struct tx *tx, void *addr, size_t length)
{
	struct tx_part *part;
	struct region *region;
	uint64_t start;
	int err;

	if (tx->n_tracked) {
		region = region_find(txs->regions, addr);
		if (!region)
			return err_set(ENXIO, "no region is mapped at %p", addr);
		return check_end(region, addr, length);
	}
	err = find_part(txs, tx, addr, &part);
	if (!err)
		err = check_end(part->region, addr, length);
	if (err || !length)
		return err;
	start = (char *)addr - part->region->base;
	err = declare(part, start, start + length);
	if (err)
		return err_set(-err, "out of memory for a range of %zu bytes", length);
	tx->n_declared++;
	tx->declared_bytes += length;
	return 0;
}

void tx_undo(struct tx *tx)
{
	while (tx->n_undo--) {
		struct tx_undo *undo = &tx->undo[tx->n_undo];

		memcpy(undo->addr, tx->bytes + undo->at, undo->length);
	}
	tx->n_undo = 0;
}

/* What the twin or the pre-images say of declared bytes becomes what the memory says. */
static int commit_gap(void *arg, uint64_t start, uint64_t end)
{
	struct region *region = arg;

	while (start < end) {
		uint64_t page = start >> TRACK_PAGE_SHIFT;
		uint64_t next = (page + 1) << TRACK_PAGE_SHIFT;
		uint64_t stop = next < end ? next : end;
		char *committed = region->tracker->ops->committed(region->tracker, page);

		if (committed)
			memcpy(committed + (start & (TRACK_PAGE_SIZE - 1)), region->base + start,
			       stop - start);
		start = stop;
	}
	return 0;
}

static int release_pages(struct tx_part *part, uint64_t lsn)
{
	struct tracker *tracker = part->region->tracker;
	const struct range *r;

	for (r = rangeset_first(&part->pages); r; r = rangeset_next(r))
		tracker->ops->release(tracker, r->start, r->end - 1, lsn);
	return 0;
}

static void leave_region(struct tx_part *part)
{
	struct region *region = part->region;

	if (part->next_in_region)
		part->next_in_region->prev_in_region = part->prev_in_region;
	if (part->prev_in_region)
		part->prev_in_region->next_in_region = part->next_in_region;
	else
		region->parts = part->next_in_region;
}

void tx_finish_part(struct tx_part *part, uint64_t lsn)
{
	struct region *region = part->region;

	pthread_mutex_lock(&region->lock);
	if (region->tracker->ops->committed)
		rangeset_for_each(&part->ranges, commit_gap, region);
	release_pages(part, lsn);
	if (region->strict && region->tracker->ops->arm)
		region->tracker->ops->arm(region->tracker);
	leave_region(part);
	pthread_mutex_unlock(&region->lock);
	rangeset_clear(&part->ranges);
	rangeset_clear(&part->pages);
}

static void tell_watches(struct tx *tx)
{
	struct tx_watch *watch;

	while ((watch = tx->watches)) {
		tx->watches = watch->next;
		watch->ended(watch);
	}
}

void tx_finish(struct txs *txs, struct tx *tx, uint64_t lsn)
{
	struct tx_part *part;

	while ((part = tx->parts)) {
		tx->parts = part->next;
		tx_finish_part(part, lsn);
		part->next = tx->spare;
		tx->spare = part;
	}
	tx_untrack(tx);
	tell_watches(tx);
	give_back(txs, tx);
}
