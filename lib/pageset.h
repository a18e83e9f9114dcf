/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set of page indices whose cost is that of its members, not of its bounds.
 *
 * It is a bitmap with, above each level, a level that has a bit for each word
 * that is not 0.  All of it is reserved address space; only words that
 * were ever set take memory.  Nothing but init and destroy can fail, and all
 * but these two may be called in a signal handler.  The caller locks.
 */
#ifndef RVM_LIB_PAGESET_H
#define RVM_LIB_PAGESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGESET_LEVELS	9
#define PAGESET_NONE	UINT64_MAX

/**
 * struct pageset - a set of page indices
 * @level: words of each level; level 0 has a bit a page
 * @levels: how many levels there are
 * @pages: all members are below
 * @count: how many members there are
 * @memory: the mapping that holds the levels
 * @size: its bytes
 */
struct pageset {
	uint64_t *level[PAGESET_LEVELS];
	unsigned int levels;
	uint64_t pages;
	uint64_t count;
	void *memory;
	size_t size;
};

/**
 * pageset_init() - make an empty set
 * @set: to fill
 * @pages: members will be below
 *
 * Return: 0 or -ENOMEM, with a text.
 */
int pageset_init(struct pageset *set, uint64_t pages);

/**
 * pageset_destroy() - free what pageset_init() took
 * @set: the set; all zero bytes are fine too
 */
void pageset_destroy(struct pageset *set);

/**
 * pageset_has() - is a page in the set?
 * @set: the set
 * @page: a page below the bound
 *
 * Return: true if it is.
 */
bool pageset_has(const struct pageset *set, uint64_t page);

/**
 * pageset_add() - put a page in
 * @set: the set
 * @page: a page below the bound
 *
 * Return: true if it was not in before.
 */
bool pageset_add(struct pageset *set, uint64_t page);

/**
 * pageset_del() - take a page out
 * @set: the set
 * @page: a page below the bound
 *
 * Return: true if it was in before.
 */
bool pageset_del(struct pageset *set, uint64_t page);

/**
 * pageset_next() - the first member from a page on
 * @set: the set
 * @from: where to begin, may be beyond the bound
 *
 * Return: the member, or PAGESET_NONE.
 */
uint64_t pageset_next(const struct pageset *set, uint64_t from);

/**
 * pageset_prev() - the last member up to a page
 * @set: the set
 * @from: where to begin, below the bound
 *
 * Return: the member, or PAGESET_NONE.
 */
uint64_t pageset_prev(const struct pageset *set, uint64_t from);

/**
 * pageset_clear() - take all pages out
 * @set: the set
 */
void pageset_clear(struct pageset *set);

#endif
