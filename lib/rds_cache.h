/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a thread keeps to itself of the recoverable heap, so that it seldom meets others: some free
 * blocks of each small size, its transactions, its counts.  In ordinary memory.
 *
 * A thread has one cache for good; with more threads than caches some share one.  A transaction
 * stays with the cache of the thread that used the heap in it first, whoever ends it.
 */
#ifndef RVM_LIB_RDS_CACHE_H
#define RVM_LIB_RDS_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rds_lists.h"
#include "rds_pending.h"

#define RDS_CACHES	8U
#define RDS_CACHE_SIZES	32U	/* blocks of up to so many chunks are kept */
#define RDS_CACHE_DEPTH	32U	/* so many of each size */

/**
 * struct rds_cache - what a thread keeps
 * @lock: guards all that follows
 * @sizes: blocks of up to so many chunks are kept
 * @counts: how many blocks of i + 1 chunks there are
 * @numbers: which
 * @watches: transactions that have not ended
 * @spare_watches: for reuse
 * @spare_entries: for reuse
 * @n_spare: how many of the entries
 * @used: chunks that became allocated by its transactions, less those that became free
 * @malloc: see struct rds_counters
 * @free: likewise
 * @hits: likewise
 */
struct rds_cache {
	pthread_mutex_t lock;
	uint64_t sizes;
	unsigned int counts[RDS_CACHE_SIZES];
	uint64_t numbers[RDS_CACHE_SIZES][RDS_CACHE_DEPTH];
	struct rds_watch *watches;
	struct rds_watch *spare_watches;
	struct rds_entry *spare_entries;
	size_t n_spare;
	uint64_t used;
	uint64_t malloc;
	uint64_t free;
	uint64_t hits;
} __attribute__((aligned(64)));	/* a line of the processor's cache */

/** rds_cache_own() - the calling thread's of RDS_CACHES caches */
struct rds_cache *rds_cache_own(struct rds_cache *caches);

/** rds_cache_start() - keep blocks of at most @sizes chunks; count from 0 */
void rds_cache_start(struct rds_cache *cache, uint64_t sizes);

/** rds_cache_clear() - forget all free blocks */
void rds_cache_clear(struct rds_cache *cache);

/** rds_cache_free() - forget all and free it; nobody else uses it */
void rds_cache_free(struct rds_cache *cache);

/** rds_cache_fits() - is there room for a free block of so many chunks? */
bool rds_cache_fits(const struct rds_cache *cache, uint64_t chunks);

/** rds_cache_add() - keep a free block that fits */
void rds_cache_add(struct rds_cache *cache, struct rds_extent extent);

/** rds_cache_take() - take a free block of exactly so many chunks; Return: was there one? */
bool rds_cache_take(struct rds_cache *cache, uint64_t chunks, struct rds_extent *out);

/** rds_cache_take_any() - take a free block; Return: was there one? */
bool rds_cache_take_any(struct rds_cache *cache, struct rds_extent *out);

/** rds_cache_watch() - note a transaction; Return: its watch, or NULL: no memory */
struct rds_watch *rds_cache_watch(struct rds_cache *cache);

/** rds_cache_ended() - forget a transaction that has no entries any more */
void rds_cache_ended(struct rds_cache *cache, struct rds_watch *watch);

/** rds_cache_get_entry() - an entry; Return: it, or NULL: no memory */
struct rds_entry *rds_cache_get_entry(struct rds_cache *cache);

/** rds_cache_put_entry() - one that is needed no more */
void rds_cache_put_entry(struct rds_cache *cache, struct rds_entry *entry);

#endif
