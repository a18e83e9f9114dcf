/* SPDX-License-Identifier: GPL-2.0 */
/* The end: pages are write-protected, kept or restored, and have no owner any more. */
#ifndef _RVMT_END_H
#define _RVMT_END_H

#include <linux/types.h>

struct rvmt_region;

extern unsigned int rvmt_end_retain;

/**
 * rvmt_end_tx() - write-protect a transaction's pages and free them
 * @region: where
 * @tid: the transaction
 * @lsn: end of its log record
 * @flags: enum rvm_track_end_flags
 *
 * It cannot fail and needs no memory.
 *
 * Return: how many pages there were.
 */
u64 rvmt_end_tx(struct rvmt_region *region, u32 tid, u64 lsn, u32 flags);

/**
 * rvmt_end_loose() - write-protect the loose pages
 * @region: where
 */
void rvmt_end_loose(struct rvmt_region *region);

/**
 * rvmt_end_all() - restore all owned and hot pages; their process has gone
 * @region: where
 */
void rvmt_end_all(struct rvmt_region *region);

#endif /* _RVMT_END_H */
