/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find the bytes in which a page differs from its committed state. */
#ifndef RVM_LIB_DIFF_H
#define RVM_LIB_DIFF_H

#include <stddef.h>

/**
 * diff_next() - the next run of changed bytes
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
