// SPDX-License-Identifier: LGPL-2.1-or-later
/* Lists of the heap's free blocks, in ordinary memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "rds_lists.h"

#define WORD_BITS	64
#define LOOK_MAX	16	/* extents of its own list that a large request looks at first */

static size_t words(size_t nsmall)
{
	return (nsmall + WORD_BITS - 1) / WORD_BITS;
}

int rds_lists_init(struct rds_lists *lists, size_t nsmall)
{
	memset(lists, 0, sizeof(*lists));
	lists->small = calloc(nsmall, sizeof(*lists->small));
	lists->filled = calloc(words(nsmall), sizeof(*lists->filled));
	lists->nsmall = nsmall;
	if (lists->small && lists->filled)
		return 0;
	rds_lists_free(lists);
	return err_set(ENOMEM, "out of memory for %zu lists of free blocks", nsmall);
}

void rds_lists_free(struct rds_lists *lists)
{
	size_t i;

	for (i = 0; lists->small && i < lists->nsmall; i++)
		free(lists->small[i].extents);
	for (i = 0; i < RDS_LARGE_LISTS; i++)
		free(lists->large[i].extents);
	free(lists->small);
	free(lists->filled);
	memset(lists, 0, sizeof(*lists));
}

void rds_lists_clear(struct rds_lists *lists)
{
	size_t i;

	for (i = 0; i < lists->nsmall; i++)
		lists->small[i].count = 0;
	for (i = 0; i < RDS_LARGE_LISTS; i++)
		lists->large[i].count = 0;
	memset(lists->filled, 0, words(lists->nsmall) * sizeof(*lists->filled));
	lists->count = 0;
	lists->count_large = 0;
}

static int push(struct rds_list *list, struct rds_extent extent)
{
	size_t max = list->max ? list->max * 2 : 16;
	struct rds_extent *extents;

	if (list->count == list->max) {
		extents = realloc(list->extents, max * sizeof(*extents));
		if (!extents)
			return err_set(ENOMEM, "out of memory for %zu free blocks", max);
		list->extents = extents;
		list->max = max;
	}
	list->extents[list->count++] = extent;
	return 0;
}

static unsigned int log2_of(uint64_t n)
{
	return WORD_BITS - 1 - __builtin_clzll(n);
}

int rds_lists_add(struct rds_lists *lists, struct rds_extent extent)
{
	size_t at = extent.chunks - 1;
	int err;

	if (at < lists->nsmall) {
		err = push(&lists->small[at], extent);
		if (!err)
			lists->filled[at / WORD_BITS] |= 1ULL << at % WORD_BITS;
	} else {
		err = push(&lists->large[log2_of(extent.chunks)], extent);
		if (!err)
			lists->count_large++;
	}
	if (!err)
		lists->count++;
	return err;
}

static void pop_small(struct rds_lists *lists, size_t at, struct rds_extent *out)
{
	struct rds_list *list = &lists->small[at];

	*out = list->extents[--list->count];
	lists->count--;
	if (!list->count)
		lists->filled[at / WORD_BITS] &= ~(1ULL << at % WORD_BITS);
}

bool rds_lists_take_small(struct rds_lists *lists, uint64_t chunks, struct rds_extent *out)
{
	if (!chunks || chunks > lists->nsmall || !lists->small[chunks - 1].count)
		return false;
	pop_small(lists, chunks - 1, out);
	return true;
}

bool rds_lists_take_above(struct rds_lists *lists, uint64_t chunks, struct rds_extent *out)
{
	size_t word = chunks / WORD_BITS, count = words(lists->nsmall);
	uint64_t bits;

	/* bit i stands for i + 1 chunks */
	for (; word < count; word++) {
		bits = lists->filled[word];
		if (word == chunks / WORD_BITS)
			bits &= ~0ULL << chunks % WORD_BITS;
		if (bits) {
			pop_small(lists, word * WORD_BITS + __builtin_ctzll(bits), out);
			return true;
		}
	}
	return false;
}

static void pull_large(struct rds_lists *lists, struct rds_list *list, size_t at,
		       struct rds_extent *out)
{
	*out = list->extents[at];
	list->extents[at] = list->extents[--list->count];
	lists->count--;
	lists->count_large--;
}

/* The smallest that fits of the last @look extents; list->count: none. */
static size_t best(const struct rds_list *list, uint64_t chunks, size_t look)
{
	size_t i, found = list->count;

	for (i = list->count; i-- > 0 && look; look--)
		if (list->extents[i].chunks >= chunks &&
		    (found == list->count || list->extents[i].chunks < list->extents[found].chunks))
			found = i;
	return found;
}

bool rds_lists_take_large(struct rds_lists *lists, uint64_t chunks, struct rds_extent *out)
{
	unsigned int own = log2_of(chunks), i;
	size_t at = best(&lists->large[own], chunks, LOOK_MAX);

	for (i = own; at == lists->large[i].count && ++i < RDS_LARGE_LISTS;)
		at = best(&lists->large[i], chunks, LOOK_MAX);
	if (i == RDS_LARGE_LISTS) {
		i = own;
		at = best(&lists->large[own], chunks, SIZE_MAX);
	}
	if (at == lists->large[i].count)
		return false;
	pull_large(lists, &lists->large[i], at, out);
	return true;
}
