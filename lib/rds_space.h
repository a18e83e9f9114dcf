/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the heap's space is divided: free blocks are found, split and joined.
 *
 * Splitting and joining are transactions of the heap's own, committed before the block is
 * given away; so they stand before any record of who uses it, and abort of that changes nothing
 * here.  All functions want the heap's lock held, but for those that say otherwise.
 *
 * They return 0 or a code of rds.h, with a text.
 */
#ifndef RVM_LIB_RDS_SPACE_H
#define RVM_LIB_RDS_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "rds_lists.h"

struct rds_heap;

/** rds_space_no_room() - note the text; Return: ENO_ROOM */
int rds_space_no_room(void);

/**
 * rds_space_scan() - list the free blocks
 * @heap: a heap with empty lists
 *
 * Return: 0; EBAD_LIST the chain of blocks is broken; ECORRUPT a tail was overwritten;
 * RVM_ENO_MEMORY.
 */
int rds_space_scan(struct rds_heap *heap);

/** rds_space_hold() - keep all others out of the heap: take all locks of caches and stripes */
void rds_space_hold(struct rds_heap *heap);

/** rds_space_release() - let them in again */
void rds_space_release(struct rds_heap *heap);

/**
 * rds_space_look() - look at a block
 * @heap: the heap, held
 * @number: its number
 * @chunks: its length, filled in
 *
 * Return: 0; EBAD_LIST there is none; ECORRUPT its tail was overwritten.
 */
int rds_space_look(struct rds_heap *heap, uint64_t number, uint64_t *chunks);

/**
 * rds_space_check_free() - a block that is on a list or in a cache must be one, and free
 * @heap: the heap
 * @extent: the block; the lock of the list or the cache is held
 *
 * Return: 0 or ECORRUPT.
 */
int rds_space_check_free(const struct rds_heap *heap, struct rds_extent extent);

/** rds_space_used() - does its head say that a block is allocated?  Wants no lock */
bool rds_space_used(const struct rds_heap *heap, uint64_t number);

/** rds_space_check_state() - is its state one of the two?  Wants no lock.  Return: 0 or ECORRUPT */
int rds_space_check_state(const struct rds_heap *heap, uint64_t number);

/** rds_space_add() - put a free block on its list; without memory it waits for the next join */
void rds_space_add(struct rds_heap *heap, struct rds_extent extent);

/**
 * rds_space_find() - take a block of at least so many chunks off the lists
 * @heap: the heap
 * @chunks: how many
 * @out: the block
 *
 * If there is none, those in the caches are put on the lists, then neighbours joined.
 *
 * Return: 0; ENO_ROOM; ECORRUPT; a code of RVM.
 */
int rds_space_find(struct rds_heap *heap, uint64_t chunks, struct rds_extent *out);

/**
 * rds_space_take() - take a block of exactly so many chunks off the lists
 * @heap: the heap
 * @chunks: how many
 * @count: if another must be split, split off so many of them
 * @out: the block
 *
 * Return: as rds_space_find().
 */
int rds_space_take(struct rds_heap *heap, uint64_t chunks, uint64_t count,
		   struct rds_extent *out);

/** rds_space_ahead() - split off @count blocks and list them; Return: as rds_space_find() */
int rds_space_ahead(struct rds_heap *heap, uint64_t chunks, uint64_t count);

#endif
