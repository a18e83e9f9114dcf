/* SPDX-License-Identifier: GPL-2.0 */
/* Who owns which page: the first write and the end of a transaction. */
#ifndef _RVMT_TRACK_H
#define _RVMT_TRACK_H

#include <linux/mm_types.h>
#include <linux/types.h>

struct folio;
struct rvmt_region;
struct vm_fault;

extern unsigned int rvmt_track_retain;

/**
 * rvmt_track_write() - decide about a write to a write-protected page
 * @region: where
 * @folio: the page, locked and in the region's page cache
 * @vmf: the fault
 *
 * Return: 0 if the page may become writable, or a VM_FAULT error.
 */
vm_fault_t rvmt_track_write(struct rvmt_region *region, struct folio *folio,
			    const struct vm_fault *vmf);

/**
 * rvmt_track_tid_ok() - may a transaction have this id
 * @tid: the id
 *
 * Return: whether it is one that the protocol allows.
 */
bool rvmt_track_tid_ok(u32 tid);

/**
 * rvmt_track_end() - write-protect a transaction's pages and free them
 * @region: where
 * @tid: the transaction
 * @lsn: end of its log record
 * @flags: enum rvm_track_end_flags
 *
 * It cannot fail and needs no memory.
 *
 * Return: how many pages there were.
 */
u64 rvmt_track_end(struct rvmt_region *region, u32 tid, u64 lsn, u32 flags);

/**
 * rvmt_track_arm() - write-protect the loose pages
 * @region: where
 */
void rvmt_track_arm(struct rvmt_region *region);

/**
 * rvmt_track_unloose() - a page is not writable any more
 * @region: where
 * @folio: locked and write-protected, not owned; need not be loose
 */
void rvmt_track_unloose(struct rvmt_region *region, struct folio *folio);

/**
 * rvmt_track_rollback() - restore all owned pages; their process has gone
 * @region: where
 */
void rvmt_track_rollback(struct rvmt_region *region);

#endif /* _RVMT_TRACK_H */
