/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists of the heap's free blocks, in ordinary memory: one for each small size, and for large
 * blocks one for each power of two.
 */
#ifndef RVM_LIB_RDS_LISTS_H
#define RVM_LIB_RDS_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct rds_extent - a stretch of chunks
 * @number: the first
 * @chunks: how many
 */
struct rds_extent {
	uint64_t number;
	uint64_t chunks;
};

/**
 * struct rds_list - a stack of extents
 * @extents: the stack
 * @count: how many are on it
 * @max: room
 */
struct rds_list {
	struct rds_extent *extents;
	size_t count;
	size_t max;
};

#define RDS_LARGE_LISTS 64U

/**
 * struct rds_lists - all lists
 * @small: list i - 1 holds extents of i chunks
 * @nsmall: how many there are
 * @filled: bit i is set while small[i] is not empty
 * @large: list i holds larger extents of 2^i to 2^(i+1) - 1 chunks
 * @count: extents on all lists
 * @count_large: extents on the large ones
 */
struct rds_lists {
	struct rds_list *small;
	size_t nsmall;
	uint64_t *filled;
	struct rds_list large[RDS_LARGE_LISTS];
	size_t count;
	size_t count_large;
};

/** rds_lists_init() - empty lists; Return: 0 or -ENOMEM with a text */
int rds_lists_init(struct rds_lists *lists, size_t nsmall);

/** rds_lists_free() - free the lists' memory */
void rds_lists_free(struct rds_lists *lists);

/** rds_lists_clear() - make all lists empty */
void rds_lists_clear(struct rds_lists *lists);

/** rds_lists_add() - put an extent on its list; Return: 0 or -ENOMEM with a text */
int rds_lists_add(struct rds_lists *lists, struct rds_extent extent);

/** rds_lists_take_small() - take an extent of exactly so many chunks; Return: was there one? */
bool rds_lists_take_small(struct rds_lists *lists, uint64_t chunks, struct rds_extent *out);

/**
 * rds_lists_take_large() - take a large extent of at least so many chunks
 * @lists: the lists
 * @chunks: how many
 * @out: the extent
 *
 * Usually in constant time: only if no list of larger ones has any, all of one list are
 * looked at.
 *
 * Return: was there one?
 */
bool rds_lists_take_large(struct rds_lists *lists, uint64_t chunks, struct rds_extent *out);

/** rds_lists_take_above() - take the smallest small extent of more than so many chunks */
bool rds_lists_take_above(struct rds_lists *lists, uint64_t chunks, struct rds_extent *out);

#endif
