/* SPDX-License-Identifier: GPL-2.0 */
/* Who owns which page: what happens at the first write. */
#ifndef _RVMT_TRACK_H
#define _RVMT_TRACK_H

#include <linux/mm_types.h>
#include <linux/types.h>

struct folio;
struct rvmt_region;
struct vm_fault;

/**
 * rvmt_track_write() - decide about a write to a write-protected page
 * @region: where
 * @folio: the page, locked and in the region's page cache
 * @vmf: the fault
 *
 * Return: 0 if the page may become writable, VM_FAULT_NOPAGE if the store has to wait first (see
 * rvmt_conflict_wait()), or a VM_FAULT error.
 */
vm_fault_t rvmt_track_write(struct rvmt_region *region, struct folio *folio,
			    const struct vm_fault *vmf);

#endif /* _RVMT_TRACK_H */
