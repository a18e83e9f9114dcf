/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The recoverable heap at work: which blocks are free, who has them, how they are split and
 * joined.
 *
 *	         malloc                 commit
 *	free -------------> allocated -----------> used
 *	  ^                     | abort             |
 *	  |<--------------------+                   | free
 *	  | commit                 abort            v
 *	  +----------- freed ---------------------> used
 *
 * free and used are in the blocks' heads; allocated and freed are the pending ones, and belong
 * to one transaction each.  A free block is on a list, in a cache, or it is being taken.
 *
 * Locks, in this order: the heap's; those of caches (rds_cache.h), by address if several; those of
 * stripes (rds_pending.h), likewise; all locks of the library.  A call takes a block from the
 * thread's cache, and gives one back to it, with the locks of that cache and of one stripe.  Only
 * if the cache has none, or no room, it takes the heap's lock, and then for several blocks at once.
 *
 * No lock is held while a transaction of the program's waits or ends.  The heap's is held while a
 * transaction of the heap's own splits or joins blocks, which may wait for room in the log but
 * for no other lock of the heap's.
 *
 * Whoever walks over all blocks (a join, a check) holds all locks, rds_space_hold(), and must find
 * each block in one of the states above.  So it does: a block goes from a cache or a list to the
 * pending ones, or back, while the lock of that cache or list is held all the time; and from
 * used to freed under its stripe's.  And two threads never take one block, since it is in one cache
 * or on one list; nor free one twice, since they meet at its stripe, and the second one finds it
 * pending.  None of this is in recoverable memory, where a block's head changes as it always did:
 * in the transaction that allocates or frees it, or, while it is free and nobody's, in one of the
 * heap's own.
 *
 * Functions return 0 or a code of rds.h, with a text.
 */
#ifndef RVM_LIB_RDS_HEAP_H
#define RVM_LIB_RDS_HEAP_H

#include <pthread.h>
#include <rvm/rds.h>
#include <stdbool.h>
#include <stdint.h>

#include "rds_cache.h"
#include "rds_format.h"
#include "rds_lists.h"
#include "rds_pending.h"

/**
 * struct rds_counters - as rds_stats_t, but for what is known otherwise
 * @malloc: rds_malloc calls
 * @prealloc: blocks made ahead
 * @free: rds_free calls
 * @coalesce: times all neighbours were joined
 * @hits: blocks of the right size found
 * @misses: not found
 * @large_hits: large blocks found
 * @large_misses: not found
 * @merged: blocks joined to the one before
 * @unmerged: blocks split off
 */
struct rds_counters {
	uint64_t malloc;
	uint64_t prealloc;
	uint64_t free;
	uint64_t coalesce;
	uint64_t hits;
	uint64_t misses;
	uint64_t large_hits;
	uint64_t large_misses;
	uint64_t merged;
	uint64_t unmerged;
};

/**
 * struct rds_heap - a heap that was started
 * @up: it was started; changes while nobody else uses the heap
 * @geometry: what it is like; constant while up
 * @caches: what threads keep to themselves
 * @pending: the blocks that open transactions allocated or freed
 * @lock: guards all that follows, and the heads of the blocks on the lists
 * @lists: the free blocks that are nobody's and in no cache
 * @joinable: a block was put on a list since neighbours were joined last
 * @used: chunks in allocated blocks, but for what is counted in the caches
 * @counters: since it was started, or since the counters were cleared; likewise
 */
struct rds_heap {
	bool up;
	struct rds_geometry geometry;
	struct rds_cache caches[RDS_CACHES];
	struct rds_pending pending;
	pthread_mutex_t lock;
	struct rds_lists lists;
	bool joinable;
	uint64_t used;
	struct rds_counters counters;
};

/** RDS_HEAP_INITIALIZER - a heap that is not up */
#define RDS_HEAP_INITIALIZER { \
	.caches = { [0 ... RDS_CACHES - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER } }, \
	.pending = RDS_PENDING_INITIALIZER, \
	.lock = PTHREAD_MUTEX_INITIALIZER }

/**
 * rds_heap_start() - look at all blocks and list the free ones
 * @heap: a heap that is not up
 * @geometry: from rds_format_check()
 *
 * Return: 0; EBAD_LIST the chain of blocks is broken; ECORRUPT a tail was overwritten;
 * RVM_ENO_MEMORY.
 */
int rds_heap_start(struct rds_heap *heap, const struct rds_geometry *geometry);

/** rds_heap_stop() - stop it; Return: 0, or RVM_EUNCOMMIT: open transactions have used it */
int rds_heap_stop(struct rds_heap *heap);

/** rds_heap_drop() - forget a heap whose memory and transactions have gone */
void rds_heap_drop(struct rds_heap *heap);

/** rds_heap_check() - look at all blocks; Return: 0; EHEAP_INIT; EBAD_LIST; ECORRUPT */
int rds_heap_check(struct rds_heap *heap);

/**
 * rds_heap_malloc() - allocate a block
 * @heap: the heap
 * @tid: an open transaction
 * @size: bytes
 * @out: the block's bytes, aligned to RDS_ALIGN
 *
 * Return: 0; EHEAP_INIT; ENO_ROOM; ECORRUPT; a code of RVM.
 */
int rds_heap_malloc(struct rds_heap *heap, rvm_tid_t *tid, uint64_t size, char **out);

/**
 * rds_heap_free() - free a block
 * @heap: the heap
 * @tid: an open transaction
 * @addr: from rds_heap_malloc()
 *
 * Return: 0; EHEAP_INIT; EBAD_ARGS not a pointer into the heap, or another open
 * transaction's block; EFREED_TWICE; ECORRUPT; a code of RVM.
 */
int rds_heap_free(struct rds_heap *heap, rvm_tid_t *tid, char *addr);

/** rds_heap_used() - is there an allocated block at @addr?  Return: as rds_heap_free() */
int rds_heap_used(struct rds_heap *heap, const char *addr);

/**
 * rds_heap_prealloc() - split blocks off, so that later mallocs find them
 * @heap: the heap
 * @size: bytes of each
 * @count: how many
 *
 * Return: 0; EHEAP_INIT; ENO_ROOM; ECORRUPT; a code of RVM.  What was split off stays.
 */
int rds_heap_prealloc(struct rds_heap *heap, uint64_t size, uint64_t count);

/** rds_heap_fits() - would rds_heap_malloc() find a block? */
bool rds_heap_fits(struct rds_heap *heap, uint64_t size);

/**
 * rds_heap_counters() - what was counted
 * @heap: the heap
 * @counters: filled in
 * @used: chunks in allocated blocks
 * @large: large free blocks
 *
 * Return: 0; EHEAP_INIT.
 */
int rds_heap_counters(struct rds_heap *heap, struct rds_counters *counters, uint64_t *used,
		      uint64_t *large);

/** rds_heap_clear_counters() - count from 0; Return: 0; EHEAP_INIT */
int rds_heap_clear_counters(struct rds_heap *heap);

/**
 * rds_heap_each() - look at all blocks in their order
 * @heap: the heap
 * @fn: called for each with "free", "used", or "allocated" or "freed" by an open transaction
 * @arg: for @fn
 *
 * Return: as rds_heap_check().
 */
int rds_heap_each(struct rds_heap *heap,
		  void (*fn)(void *arg, const char *addr, uint64_t size, const char *state),
		  void *arg);

#endif
