/* SPDX-License-Identifier: GPL-2.0 */
/* A conflict: a store to a page that another transaction owns. */
#ifndef _RVMT_CONFLICT_H
#define _RVMT_CONFLICT_H

#include <linux/mm_types.h>
#include <linux/types.h>

struct rvmt_page;
struct rvmt_region;

extern unsigned int rvmt_conflict_wait_ms;

/**
 * rvmt_conflict_meet() - a tracked transaction stores to a page that another one owns
 * @region: where; transactions share it
 * @page: the page; its folio is locked
 * @tid: the transaction that stores
 * @user: by an instruction of its own, not by a system call
 *
 * Return: 0 if the store may be made, and neither may commit; VM_FAULT_NOPAGE if it has to
 * wait; VM_FAULT_SIGBUS if no transaction can have this id, or if a system call would wait too
 * long with the locks that it holds.
 */
vm_fault_t rvmt_conflict_meet(struct rvmt_region *region, struct rvmt_page *page, u32 tid,
			      bool user);

/**
 * rvmt_conflict_wait() - wait a little for the end of a transaction
 * @region: where
 * @ends: of the region, read under the lock of the folio that it owns
 *
 * The page is not mapped: the store faults again, and whoever wants to change the
 * mappings comes in between.
 *
 * Return: VM_FAULT_NOPAGE, or VM_FAULT_SIGBUS if the thread is to die.
 */
vm_fault_t rvmt_conflict_wait(struct rvmt_region *region, u32 ends);

/**
 * rvmt_conflict_wake() - a transaction has ended
 * @region: where; its tx_mutex is held
 */
void rvmt_conflict_wake(struct rvmt_region *region);

#endif /* _RVMT_CONFLICT_H */
