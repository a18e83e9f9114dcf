/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocks that open transactions allocated or freed, in ordinary memory.
 *
 * Each has an entry, found by the block's number, and on the list of its transaction; whether
 * the block is free is known when the transaction has ended.
 *
 * Numbers are spread over stripes, each with a lock of its own, so that threads seldom meet.  The
 * stripe's lock guards the entries of its blocks, but for their place on the list of their
 * transaction, which is the transaction's.
 */
#ifndef RVM_LIB_RDS_PENDING_H
#define RVM_LIB_RDS_PENDING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rds_lists.h"
#include "tx.h"

struct rds_cache;
struct rds_heap;

/* With the caches less than the 64 locks of one thread that ThreadSanitizer follows. */
#define RDS_STRIPES	32U

/**
 * struct rds_entry - a block that an open transaction allocated or freed
 * @next: in its chain, or among the spare ones
 * @watch: the transaction
 * @older: the transaction's entry before
 * @newer: the one after
 * @extent: the block
 * @used: it is allocated if the transaction commits
 */
struct rds_entry {
	struct rds_entry *next;
	struct rds_watch *watch;
	struct rds_entry *older;
	struct rds_entry *newer;
	struct rds_extent extent;
	bool used;
};

/**
 * struct rds_watch - a transaction that has used the heap
 * @tx: tells us of its end
 * @heap: the heap
 * @cache: where its blocks come from and go to
 * @newest: its entries
 * @next: in @cache, or among its spare ones
 * @prev: likewise
 */
struct rds_watch {
	struct tx_watch tx;
	struct rds_heap *heap;
	struct rds_cache *cache;
	struct rds_entry *newest;
	struct rds_watch *next;
	struct rds_watch *prev;
};

/**
 * struct rds_stripe - the entries of some blocks
 * @lock: see above
 * @chains: hash table by the block's number
 * @nchains: its size, a power of two; 0: not made yet
 * @count: entries
 */
struct rds_stripe {
	pthread_mutex_t lock;
	struct rds_entry **chains;
	size_t nchains;
	size_t count;
} __attribute__((aligned(64)));	/* a line of the cache: threads write to neighbours */

/**
 * struct rds_pending - all entries
 * @stripes: by the block's number
 */
struct rds_pending {
	struct rds_stripe stripes[RDS_STRIPES];
};

/** RDS_PENDING_INITIALIZER - no entries */
#define RDS_PENDING_INITIALIZER { \
	.stripes = { [0 ... RDS_STRIPES - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER } } }

/** rds_pending_free() - forget and free all entries; nobody else uses them */
void rds_pending_free(struct rds_pending *pending);

/** rds_pending_lock() - lock the stripe of a block */
void rds_pending_lock(struct rds_pending *pending, uint64_t number);

/** rds_pending_unlock() - unlock it */
void rds_pending_unlock(struct rds_pending *pending, uint64_t number);

/** rds_pending_lock_all() - lock all stripes, in their order */
void rds_pending_lock_all(struct rds_pending *pending);

/** rds_pending_unlock_all() - unlock them */
void rds_pending_unlock_all(struct rds_pending *pending);

/** rds_pending_find() - the entry of a block, or NULL; its stripe is locked */
struct rds_entry *rds_pending_find(const struct rds_pending *pending, uint64_t number);

/**
 * rds_pending_add() - add the entry of a block that has none; its stripe is locked
 * @pending: all entries
 * @entry: with @watch, @extent and @used filled in
 *
 * Return: false: no memory.
 */
bool rds_pending_add(struct rds_pending *pending, struct rds_entry *entry);

/** rds_pending_remove() - take an entry away, which is the caller's then; its stripe is locked */
void rds_pending_remove(struct rds_pending *pending, struct rds_entry *entry);

#endif
