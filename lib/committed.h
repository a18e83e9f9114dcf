/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of pages in their committed state, while transactions run. */
#ifndef RVM_LIB_COMMITTED_H
#define RVM_LIB_COMMITTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct region;

/**
 * committed_copy() - a truncate_copy_fn
 * @arg: struct txs
 * @region: of a tracker that does not write back
 * @pages: which
 * @n: how many
 * @to: room for all of them
 * @copied: filled in
 *
 * A page has an uncommitted reference while a transaction that has not ended declared bytes in
 * it.
 *
 * Return: false if a tracked transaction is ending; trying again at once is no use then.
 */
bool committed_copy(void *arg, struct region *region, const uint64_t *pages, size_t n,
		    char *to, bool *copied);

#endif
