/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set of bytes, kept as ranges that neither overlap nor touch.  The first few are in a sorted
 * array within the set, so that a small set costs neither memory nor rotations; when they get
 * more they move to a red-black tree, until the set is cleared.  Every operation costs O(log n)
 * for each range that it meets.  Nodes that are no longer needed are kept for reuse, so a set
 * that is cleared and filled again allocates nothing.
 */
#ifndef RVM_LIB_RANGE_H
#define RVM_LIB_RANGE_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANGESET_FEW	8

/**
 * struct range - bytes [@start, @end)
 * @start: the first byte
 * @end: the byte after the last one; 0 in the array: there is no such range
 * @few: it is in the array, not in the tree
 * @node: in its set's tree, ordered by @start
 * @next_free: in the set's list of unused nodes
 */
struct range {
	uint64_t start;
	uint64_t end;
	bool few;
	union {
		RB_ENTRY(range) node;
		struct range *next_free;
	};
};

RB_HEAD(range_tree, range);

/**
 * struct rangeset - a set of bytes
 * @count: ranges in the set
 * @bytes: bytes in the set
 * @many: its ranges are in @tree, not in @few
 * @few: its ranges in order, and one that is none
 * @tree: its ranges
 * @unused: nodes for reuse
 */
struct rangeset {
	size_t count;
	uint64_t bytes;
	bool many;
	struct range few[RANGESET_FEW + 1];
	struct range_tree tree;
	struct range *unused;
};

/**
 * typedef range_fn - called for pieces of bytes, in rising order
 * @arg: the caller's
 * @start: the first byte of the piece
 * @end: the byte after its last
 *
 * It must not change the set.  Return: 0 to go on; anything else ends the walk and is what
 * the walking function returns.
 */
typedef int range_fn(void *arg, uint64_t start, uint64_t end);

/** rangeset_init() - make an empty set; it needs no memory */
void rangeset_init(struct rangeset *set);

/** rangeset_clear() - empty a set and keep its memory for reuse */
void rangeset_clear(struct rangeset *set);

/** rangeset_free() - empty a set and free its memory; the set may be used again */
void rangeset_free(struct rangeset *set);

/**
 * rangeset_add() - add [@start, @end)
 * @set: the set
 * @start: the first byte
 * @end: the byte after the last; an empty range adds nothing
 * @gap: NULL, or called for each piece that was not in the set yet, before the set changes
 * @arg: for @gap
 *
 * Return: 0; -EINVAL @end < @start; -ENOMEM; or what @gap returned.  If it is not 0 the set
 * is as it was.
 */
int rangeset_add(struct rangeset *set, uint64_t start, uint64_t end, range_fn *gap, void *arg);

/**
 * rangeset_remove() - take [@start, @end) out of the set
 * @set: the set
 * @start: the first byte
 * @end: the byte after the last
 *
 * Return: 0; -EINVAL @end < @start; -ENOMEM, and the set is as it was.
 */
int rangeset_remove(struct rangeset *set, uint64_t start, uint64_t end);

/**
 * rangeset_gaps() - walk the pieces of [@start, @end) that are not in the set
 * @set: the set
 * @start: the first byte
 * @end: the byte after the last
 * @fn: called for each piece
 * @arg: for @fn
 *
 * Return: 0 or what @fn returned.
 */
int rangeset_gaps(const struct rangeset *set, uint64_t start, uint64_t end, range_fn *fn,
		  void *arg);

/**
 * rangeset_for_each() - walk all ranges of the set in order
 * @set: the set
 * @fn: called for each range
 * @arg: for @fn
 *
 * Return: 0 or what @fn returned.
 */
int rangeset_for_each(const struct rangeset *set, range_fn *fn, void *arg);

/** rangeset_overlaps() - is any byte of [@start, @end) in the set? */
bool rangeset_overlaps(const struct rangeset *set, uint64_t start, uint64_t end);

/** rangeset_covers() - is every byte of [@start, @end) in the set? */
bool rangeset_covers(const struct rangeset *set, uint64_t start, uint64_t end);

/** rangeset_first() - the lowest range, NULL if the set is empty */
const struct range *rangeset_first(const struct rangeset *set);

/** rangeset_last() - the highest range, NULL if the set is empty */
const struct range *rangeset_last(const struct rangeset *set);

/** rangeset_next() - the range after @range, NULL if it is the highest */
const struct range *rangeset_next(const struct range *range);

/** rangeset_insert() - put [@start, @end) into an array with room, before its range @first */
static inline void rangeset_insert(struct rangeset *set, size_t first, uint64_t start, uint64_t end)
{
	struct range *few = set->few;
	size_t i = set->count++;

	few[i].few = true;
	few[i + 1].end = 0;
	for (; i > first; i--) {
		few[i].start = few[i - 1].start;
		few[i].end = few[i - 1].end;
	}
	few[i].start = start;
	few[i].end = end;
	set->bytes += end - start;
}

/**
 * rangeset_add_apart() - add [@start, @end) if that is easy
 * @set: the set
 * @start: the first byte
 * @end: the byte after the last; not @start
 *
 * Return: false if it overlaps or touches a range, or if the ranges are not in the array or it is
 * full; then the set is as it was.
 */
static inline bool rangeset_add_apart(struct rangeset *set, uint64_t start, uint64_t end)
{
	struct range *few = set->few;
	size_t i = set->count;

	if (set->many || i == RANGESET_FEW)
		return false;
	while (i && few[i - 1].start > end)
		i--;
	if (i && few[i - 1].end >= start)
		return false;
	rangeset_insert(set, i, start, end);
	return true;
}

#endif
