// SPDX-License-Identifier: LGPL-2.1-or-later
/* Transactions: begin and finish, and the old values that abort restores. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "part.h"
#include "region.h"
#include "thread.h"
#include "track.h"
#include "tx.h"

#define TID_OURS	254		/* chain 0 is nobody's, the last TRACK_WATCH_TID's */
#define TID_MAX		0x3fffffffU

/**
 * struct wait - a thread that waits until no other has a transaction tracked on a region
 * @thread: the thread
 * @region: the region
 * @next: in the list of them
 */
struct wait {
	pid_t thread;
	const struct region *region;
	struct wait *next;
};

/* The lock is taken after all others. */
static pthread_mutex_t waits_lock = PTHREAD_MUTEX_INITIALIZER;
static struct wait *waits;

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

int tx_grow(struct tx *tx, size_t bytes, size_t undo)
{
	struct tx_undo *list = tx->undo;
	char *mem = tx->bytes;

	if (tx->n_bytes + bytes > tx->max_bytes)
		mem = grown(mem, &tx->max_bytes, tx->n_bytes + bytes, 1);
	if (!mem)
		return err_set(ENOMEM, "out of memory for %zu bytes of a transaction",
			       tx->n_bytes + bytes);
	tx->bytes = mem;
	if (tx->n_undo + undo > tx->max_undo)
		list = grown(list, &tx->max_undo, tx->n_undo + undo, sizeof(*list));
	if (undo && !list)
		return err_set(ENOMEM, "out of memory for a transaction of %zu ranges",
			       tx->n_undo + undo);
	tx->undo = list;
	return 0;
}

static struct tx *new_tx(struct txs *txs, bool restore)
{
	struct tx *tx = txs_take(txs);

	if (!tx) {
		err_set(ENOMEM, "out of memory for a transaction");
		return NULL;
	}
	tx->restore = restore;
	tx->thread = thread_id();
	return tx;
}

int tx_begin(struct txs *txs, bool restore, struct tx **out)
{
	*out = new_tx(txs, restore);
	return *out ? 0 : -ENOMEM;
}

static int add_tracked(struct tx *tx, struct region *region)
{
	struct region **more = tx->tracked;

	if (tx->n_tracked == tx->max_tracked)
		more = grown(more, &tx->max_tracked, tx->n_tracked + 1, sizeof(*more));
	if (!more)
		return err_set(ENOMEM, "out of memory for a transaction");
	tx->tracked = more;
	tx->tracked[tx->n_tracked++] = region;
	return 0;
}

/* The regions to track, by address: the one order in which all begins wait. */
static int choose_regions(struct txs *txs, struct region *only, struct tx *tx)
{
	int err = 0;

	pthread_rwlock_rdlock(&txs->regions->lock);
	for (struct region *r = txs->regions->first; r && !err; r = r->next)
		if (r->tracker->ops->tracks && (!only || r == only))
			err = add_tracked(tx, r);
	pthread_rwlock_unlock(&txs->regions->lock);
	if (err || tx->n_tracked)
		return err;
	if (only)
		return err_set(EOPNOTSUPP, "the region at %p is mapped without a tracker (%s)",
			       only->base, only->why);
	return err_set(EOPNOTSUPP, "no region is mapped with a tracker");
}

/* The tid of a transaction that shares no region: one at a time is enough there. */
static uint32_t tid_of(uint64_t id)
{
	uint32_t turns = TID_MAX / TXS_CHAINS;
	uint64_t n = id % ((uint64_t)turns * TID_OURS);

	return n / TID_OURS * TXS_CHAINS + n % TID_OURS + 1;
}

static int choose_tid(struct txs *txs, struct tx *tx)
{
	for (size_t i = 0; i < tx->n_tracked; i++)
		if (tx->tracked[i]->disjoint)
			return txs_take_chain(txs, tx);
	tx->tid = tid_of(tx->id);
	return 0;
}

static const struct wait *find_wait(pid_t thread)
{
	const struct wait *wait = waits;

	while (wait && wait->thread != thread)
		wait = wait->next;
	return wait;
}

/*
 * Would a thread wait for itself?  Who waits ends no transaction, and became the owner of its
 * regions before it was in the list; so what is followed here is as it is read.
 */
static bool closes_circle(const struct region *region, pid_t thread)
{
	const struct wait *wait;
	pid_t owner;

	do {
		owner = __atomic_load_n(&region->owner, __ATOMIC_RELAXED);
		if (owner == thread)
			return true;
		wait = find_wait(owner);
		region = wait ? wait->region : NULL;
	} while (region);
	return false;
}

static bool begin_wait(struct wait *wait)
{
	bool circle;

	pthread_mutex_lock(&waits_lock);
	circle = closes_circle(wait->region, wait->thread);
	if (!circle) {
		wait->next = waits;
		waits = wait;
	}
	pthread_mutex_unlock(&waits_lock);
	return !circle;
}

static void end_wait(struct wait *wait)
{
	struct wait **at = &waits;

	pthread_mutex_lock(&waits_lock);
	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
	pthread_mutex_unlock(&waits_lock);
}

/* Called with the region's lock. */
static int wait_for(struct region *region, pid_t thread)
{
	struct wait wait = { .thread = thread, .region = region };

	while (region->tracked) {
		if (!begin_wait(&wait))
			return err_set(EDEADLK,
				       "the region at %p is tracked for thread %d, which waits for one of this thread's: end that first",
				       region->base, region->owner);
		pthread_cond_wait(&region->idle, &region->lock);
		end_wait(&wait);
	}
	return 0;
}

static void set_owner(struct region *region, pid_t thread)
{
	__atomic_store_n(&region->owner, thread, __ATOMIC_RELAXED);
}

/* Others are not shut out where transactions share the region: there its tracker looks on. */
static int own(struct region *region, struct tx *tx)
{
	int err = 0;

	pthread_mutex_lock(&region->lock);
	if (!region->disjoint && region->tracked && region->owner == tx->thread)
		err = err_set(EDEADLK,
			      "the region at %p is tracked for an earlier transaction of this thread: end it first",
			      region->base);
	else if (!region->disjoint)
		err = wait_for(region, tx->thread);
	if (!err && !region->disjoint)
		set_owner(region, tx->thread);
	if (!err)
		region->tracked++;
	pthread_mutex_unlock(&region->lock);
	return err;
}

static void disown(struct region *region)
{
	pthread_mutex_lock(&region->lock);
	region->tracked--;
	set_owner(region, 0);
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
	err = ops->begin(region->tracker, tx->tid);
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
		tx->tracked[i]->tracker->ops->end(tx->tracked[i]->tracker, tx->tid, 0);
	tx_untrack(tx);
	return err;
}

int tx_begin_tracked(struct txs *txs, struct region *only, struct tx **out)
{
	struct tx *tx = new_tx(txs, true);
	int err;

	if (!tx)
		return -ENOMEM;
	txs_share(txs);
	err = choose_regions(txs, only, tx);
	if (!err)
		err = choose_tid(txs, tx);
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

int tx_set_range(struct txs *txs, struct tx *tx, void *addr, size_t length)
{
	struct region *region;

	if (!tx->n_tracked)
		return parts_declare(txs, tx, addr, length);
	region = region_find(txs->regions, addr);
	if (!region)
		return err_set(ENXIO, "no region is mapped at %p", addr);
	return part_check_end(region, addr, length);
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
	parts_finish(txs, tx, lsn);
	tx_untrack(tx);
	txs_give_chain(txs, tx);
	tell_watches(tx);
	txs_give(txs, tx);
}
