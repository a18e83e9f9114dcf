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
 * to one transaction each.  A free block is on a list, or it is being taken.
 *
 * The lock is never held while a transaction of the program's waits or ends.  It is held while
 * a transaction of the heap's own splits or joins blocks, which may wait for room in the log
 * but for no other lock of the heap's.  It is above all locks of the library.
 *
 * Functions return 0 or a code of rds.h, with a text.
 */
#ifndef RVM_LIB_RDS_HEAP_H
#define RVM_LIB_RDS_HEAP_H

#include <pthread.h>
#include <rvm/rds.h>
#include <stdbool.h>
#include <stdint.h>

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
 * @lock: guards all that follows, and the blocks' heads but for the states of pending ones
 * @up: it was started
 * @geometry: what it is like; constant while up
 * @lists: the free blocks that are nobody's
 * @pending: the blocks that open transactions allocated or freed
 * @joinable: a block was put on a list since neighbours were joined last
 * @used: chunks in allocated blocks
 * @counters: since it was started, or since the counters were cleared
 */
struct rds_heap {
	pthread_mutex_t lock;
	bool up;
	struct rds_geometry geometry;
	struct rds_lists lists;
	struct rds_pending pending;
	bool joinable;
	uint64_t used;
	struct rds_counters counters;
};

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
