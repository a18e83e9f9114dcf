/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find the bytes in which a page differs from its committed state. */
#ifndef RVM_LIB_DIFF_H
#define RVM_LIB_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#define DIFF_PAGE	4096U
/* As many runs as there can be: each is a byte at least, and @join ones lie before the next. */
#define DIFF_RUNS(join)	((DIFF_PAGE - 1) / ((join) + 1) + 1)

/* struct diff_run - changed bytes of a page, from @start to the one before @end */
struct diff_run {
	uint16_t start;
	uint16_t end;
};

/**
 * struct diff_way - one way to compare, by what the processor has
 * @name: "portable", "avx2", "avx512"
 * @works: can this processor do it?
 * @page: diff_page() in this way
 */
struct diff_way {
	const char *name;
	bool (*works)(void);
	unsigned int (*page)(const char *live, const char *committed, unsigned int join,
			     struct diff_run *runs);
};

/** diff_ways - all of them, the best last, and a NULL; the first one works everywhere */
extern const struct diff_way *const diff_ways[];

/**
 * diff_page() - all runs of changed bytes of a page, in the best way that works here
 * @live: the page as it is
 * @committed: the page as it was
 * @join: runs with fewer equal bytes than this between them are one; 1: none are joined
 * @runs: the runs, in their order; room for DIFF_RUNS(join)
 *
 * Each byte is read once at most, but where the page has changed, and no other memory is.
 *
 * Return: how many runs there are.
 */
unsigned int diff_page(const char *live, const char *committed, unsigned int join,
		       struct diff_run *runs);

#endif
