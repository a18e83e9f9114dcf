/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find the bytes in which a page differs from its committed state. */
#ifndef RVM_LIB_DIFF_H
#define RVM_LIB_DIFF_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct diff_way - one way to compare, by what the processor has
 * @name: "portable", "avx2", "avx512"
 * @works: can this processor do it?
 * @skip_equal: the first byte from @at on that differs, or @length
 * @skip_changed: the first byte from @at on that is equal, or @length
 */
struct diff_way {
	const char *name;
	bool (*works)(void);
	size_t (*skip_equal)(const char *a, const char *b, size_t at, size_t length);
	size_t (*skip_changed)(const char *a, const char *b, size_t at, size_t length);
};

/** diff_ways - all of them, the best last, and a NULL; the first one works everywhere */
extern const struct diff_way *const diff_ways[];

/**
 * diff_next_by() - diff_next(), in one way
 * @way: one that works
 * @live: the page as it is
 * @committed: the page as it was
 * @length: bytes of both
 * @join: runs with fewer equal bytes than this between them are one
 * @start: where to look from; set to the run's first byte
 * @end: set to the byte after the run
 *
 * Return: 1 if there is a run, 0 if the rest is equal.
 */
int diff_next_by(const struct diff_way *way, const char *live, const char *committed,
		 size_t length, size_t join, size_t *start, size_t *end);

/**
 * diff_next() - the next run of changed bytes, in the best way that works here
 * @live: the page as it is
 * @committed: the page as it was
 * @length: bytes of both
 * @join: runs with fewer equal bytes than this between them are one
 * @start: where to look from; set to the run's first byte
 * @end: set to the byte after the run
 *
 * Return: 1 if there is a run, 0 if the rest is equal.
 */
int diff_next(const char *live, const char *committed, size_t length, size_t join,
	      size_t *start, size_t *end);

#endif
