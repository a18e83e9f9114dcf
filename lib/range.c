// SPDX-License-Identifier: LGPL-2.1-or-later
/* A set of bytes, kept as ranges that neither overlap nor touch, in a red-black tree. */
#include <errno.h>
#include <stdlib.h>

#include "range.h"

static int compare(const struct range *a, const struct range *b)
{
	return (a->start > b->start) - (a->start < b->start);
}

RB_PROTOTYPE(range_tree, range, node, compare)
RB_GENERATE(range_tree, range, node, compare)

/* The tree's functions take it without const and do not change it when they only look. */
static struct range_tree *tree_of(const struct rangeset *set)
{
	return (struct range_tree *)&set->tree;
}

/* The lowest range that ends above @at, so that the byte @at or a later one is in it. */
static struct range *first_above(const struct rangeset *set, uint64_t at)
{
	struct range *r = RB_ROOT(tree_of(set));
	struct range *found = NULL;

	while (r) {
		if (r->end > at) {
			found = r;
			r = RB_LEFT(r, node);
		} else {
			r = RB_RIGHT(r, node);
		}
	}
	return found;
}

static struct range *get_node(struct rangeset *set)
{
	struct range *r = set->unused;

	if (!r)
		return malloc(sizeof(*r));
	set->unused = r->next_free;
	return r;
}

static void put_node(struct rangeset *set, struct range *r)
{
	r->next_free = set->unused;
	set->unused = r;
}

static void insert(struct rangeset *set, struct range *r)
{
	RB_INSERT(range_tree, &set->tree, r);
	set->count++;
	set->bytes += r->end - r->start;
}

static void erase(struct rangeset *set, struct range *r)
{
	RB_REMOVE(range_tree, &set->tree, r);
	set->count--;
	set->bytes -= r->end - r->start;
	put_node(set, r);
}

void rangeset_init(struct rangeset *set)
{
	RB_INIT(&set->tree);
	set->unused = NULL;
	set->count = 0;
	set->bytes = 0;
}

/* Moves a subtree to the unused nodes; its depth is O(log n). */
static void drop(struct rangeset *set, struct range *r)
{
	if (!r)
		return;
	drop(set, RB_LEFT(r, node));
	drop(set, RB_RIGHT(r, node));
	put_node(set, r);
}

void rangeset_clear(struct rangeset *set)
{
	drop(set, RB_ROOT(&set->tree));
	RB_INIT(&set->tree);
	set->count = 0;
	set->bytes = 0;
}

void rangeset_free(struct rangeset *set)
{
	rangeset_clear(set);
	while (set->unused) {
		struct range *r = set->unused;

		set->unused = r->next_free;
		free(r);
	}
}

int rangeset_gaps(const struct rangeset *set, uint64_t start, uint64_t end, range_fn *fn,
		  void *arg)
{
	const struct range *r = first_above(set, start);
	int err;

	for (; r && r->start < end; r = rangeset_next(r)) {
		if (r->start > start) {
			err = fn(arg, start, r->start);
			if (err)
				return err;
		}
		start = r->end;
	}
	return start < end ? fn(arg, start, end) : 0;
}

/* The lowest range that overlaps or touches [@start, ...). */
static struct range *first_touching(const struct rangeset *set, uint64_t start)
{
	return first_above(set, start ? start - 1 : 0);
}

int rangeset_add(struct rangeset *set, uint64_t start, uint64_t end, range_fn *gap, void *arg)
{
	struct range *new, *r, *next;
	int err;

	if (end < start)
		return -EINVAL;
	if (start == end)
		return 0;
	new = get_node(set);
	if (!new)
		return -ENOMEM;
	err = gap ? rangeset_gaps(set, start, end, gap, arg) : 0;
	if (err) {
		put_node(set, new);
		return err;
	}
	for (r = first_touching(set, start); r && r->start <= end; r = next) {
		next = RB_NEXT(range_tree, &set->tree, r);
		if (r->start < start)
			start = r->start;
		if (r->end > end)
			end = r->end;
		erase(set, r);
	}
	new->start = start;
	new->end = end;
	insert(set, new);
	return 0;
}

/* Takes [start, end) out of the middle of @r, which needs one more node. */
static int split(struct rangeset *set, struct range *r, uint64_t start, uint64_t end)
{
	struct range *high = get_node(set);

	if (!high)
		return -ENOMEM;
	high->start = end;
	high->end = r->end;
	set->bytes -= r->end - start;
	r->end = start;
	insert(set, high);
	return 0;
}

int rangeset_remove(struct rangeset *set, uint64_t start, uint64_t end)
{
	struct range *r, *next;

	if (end < start)
		return -EINVAL;
	if (start == end)
		return 0;
	r = first_above(set, start);
	if (r && r->start < start && r->end > end)
		return split(set, r, start, end);
	for (; r && r->start < end; r = next) {
		next = RB_NEXT(range_tree, &set->tree, r);
		if (r->start < start) {
			set->bytes -= r->end - start;
			r->end = start;
		} else if (r->end > end) {
			set->bytes -= end - r->start;
			r->start = end;
		} else {
			erase(set, r);
		}
	}
	return 0;
}

int rangeset_for_each(const struct rangeset *set, range_fn *fn, void *arg)
{
	const struct range *r;
	int err;

	for (r = rangeset_first(set); r; r = rangeset_next(r)) {
		err = fn(arg, r->start, r->end);
		if (err)
			return err;
	}
	return 0;
}

bool rangeset_overlaps(const struct rangeset *set, uint64_t start, uint64_t end)
{
	const struct range *r = first_above(set, start);

	return r && start < end && r->start < end;
}

bool rangeset_covers(const struct rangeset *set, uint64_t start, uint64_t end)
{
	const struct range *r = first_above(set, start);

	return start >= end || (r && r->start <= start && r->end >= end);
}

const struct range *rangeset_first(const struct rangeset *set)
{
	return RB_MIN(range_tree, tree_of(set));
}

const struct range *rangeset_last(const struct rangeset *set)
{
	return RB_MAX(range_tree, tree_of(set));
}

const struct range *rangeset_next(const struct range *range)
{
	return RB_NEXT(range_tree, NULL, (struct range *)range);
}
