// SPDX-License-Identifier: LGPL-2.1-or-later
/* A set of bytes, kept as ranges that neither overlap nor touch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* The place in the array of the lowest range that ends above @at. */
static size_t place_above(const struct rangeset *set, uint64_t at)
{
	size_t i = 0;

	while (i < set->count && set->few[i].end <= at)
		i++;
	return i;
}

static struct range *few_above(const struct rangeset *set, uint64_t at)
{
	size_t i = place_above(set, at);

	return i < set->count ? (struct range *)&set->few[i] : NULL;
}

/* The lowest range that ends above @at, so that the byte @at or a later one is in it. */
static struct range *first_above(const struct rangeset *set, uint64_t at)
{
	struct range *r = RB_ROOT(tree_of(set));
	struct range *found = NULL;

	if (!set->many)
		return few_above(set, at);
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

	if (r)
		set->unused = r->next_free;
	else
		r = malloc(sizeof(*r));
	if (r)
		r->few = false;
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
	memset(set, 0, sizeof(*set));
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
	if (set->many)
		drop(set, RB_ROOT(&set->tree));
	RB_INIT(&set->tree);
	set->many = false;
	set->few[0].end = 0;
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

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Makes one of the array's ranges [first, after) and what lies between them. */
static void join_few(struct rangeset *set, size_t first, size_t after, uint64_t start,
		     uint64_t end)
{
	struct range *few = set->few;
	size_t i;

	for (i = first; i < after; i++) {
		start = lower(start, few[i].start);
		end = higher(end, few[i].end);
		set->bytes -= few[i].end - few[i].start;
	}
	few[first].start = start;
	few[first].end = end;
	set->bytes += end - start;
	for (i = first + 1; after < set->count; i++, after++) {
		few[i].start = few[after].start;
		few[i].end = few[after].end;
	}
	set->count = i;
	few[i].end = 0;
}

/* From the array to the tree. */
static int plant(struct rangeset *set)
{
	struct range *nodes[RANGESET_FEW];
	size_t i, n = set->count;

	for (i = 0; i < n; i++) {
		nodes[i] = get_node(set);
		if (!nodes[i])
			break;
	}
	if (i < n) {
		while (i--)
			put_node(set, nodes[i]);
		return -ENOMEM;
	}
	set->count = 0;
	set->bytes = 0;
	set->many = true;
	for (i = 0; i < n; i++) {
		nodes[i]->start = set->few[i].start;
		nodes[i]->end = set->few[i].end;
		insert(set, nodes[i]);
	}
	return 0;
}

static int add_many(struct rangeset *set, uint64_t start, uint64_t end, range_fn *gap, void *arg)
{
	struct range *new, *r, *next;
	int err;

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
		start = lower(start, r->start);
		end = higher(end, r->end);
		erase(set, r);
	}
	new->start = start;
	new->end = end;
	insert(set, new);
	return 0;
}

int rangeset_add(struct rangeset *set, uint64_t start, uint64_t end, range_fn *gap, void *arg)
{
	size_t first, after;
	int err;

	if (end < start)
		return -EINVAL;
	if (start == end)
		return 0;
	if (set->many)
		return add_many(set, start, end, gap, arg);
	first = place_above(set, start ? start - 1 : 0);
	if (first < set->count && set->few[first].start <= end) {
		err = gap ? rangeset_gaps(set, start, end, gap, arg) : 0;
		for (after = first; after < set->count && set->few[after].start <= end; after++)
			;
		if (!err)
			join_few(set, first, after, start, end);
		return err;
	}
	if (set->count == RANGESET_FEW) {
		err = plant(set);
		return err ? err : add_many(set, start, end, gap, arg);
	}
	err = gap ? gap(arg, start, end) : 0;
	if (!err)
		rangeset_insert(set, first, start, end);
	return err;
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

static void remove_many(struct rangeset *set, uint64_t start, uint64_t end)
{
	struct range *r, *next;

	for (r = first_above(set, start); r && r->start < end; r = next) {
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
}

static void split_few(struct rangeset *set, struct range *r, uint64_t start, uint64_t end)
{
	uint64_t last = r->end;

	r->end = start;
	set->bytes -= last - start;
	rangeset_insert(set, r + 1 - set->few, end, last);
}

static void remove_few(struct rangeset *set, uint64_t start, uint64_t end)
{
	size_t i, first = place_above(set, start), kept = first;

	for (i = first; i < set->count; i++) {
		struct range r = set->few[i];

		set->bytes -= r.end - r.start;
		if (r.start < start)
			r.end = start;
		else if (r.end > end)
			r.start = higher(r.start, end);
		else
			continue;
		set->bytes += r.end - r.start;
		set->few[kept++] = r;
	}
	set->count = kept;
	set->few[kept].end = 0;
}

int rangeset_remove(struct rangeset *set, uint64_t start, uint64_t end)
{
	struct range *r;
	bool inside;

	if (end < start)
		return -EINVAL;
	if (start == end)
		return 0;
	r = first_above(set, start);
	inside = r && r->start < start && r->end > end;
	if (inside && set->count == RANGESET_FEW && !set->many) {
		if (plant(set))
			return -ENOMEM;
		r = first_above(set, start);
	}
	if (inside && set->many)
		return split(set, r, start, end);
	if (inside)
		split_few(set, r, start, end);
	else if (set->many)
		remove_many(set, start, end);
	else
		remove_few(set, start, end);
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
	if (set->many)
		return RB_MIN(range_tree, tree_of(set));
	return set->count ? &set->few[0] : NULL;
}

const struct range *rangeset_last(const struct rangeset *set)
{
	if (set->many)
		return RB_MAX(range_tree, tree_of(set));
	return set->count ? &set->few[set->count - 1] : NULL;
}

const struct range *rangeset_next(const struct range *range)
{
	if (range->few)
		return range[1].end ? range + 1 : NULL;
	return RB_NEXT(range_tree, NULL, (struct range *)range);
}
