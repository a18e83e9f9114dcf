/* SPDX-License-Identifier: GPL-2.0 */
/* What the module tells those who listen to its multicast group. */
#ifndef _RVMT_EVENT_H
#define _RVMT_EVENT_H

#include <linux/types.h>

struct rvmt_region;

extern struct genl_family rvmt_family;

/**
 * rvmt_event_owner_exit() - the last mapping went with pages owned
 * @region: where
 * @count: pages rolled back
 */
void rvmt_event_owner_exit(struct rvmt_region *region, u64 count);

/**
 * rvmt_event_pressure() - memory is short
 * @region: where
 * @count: dirty pages without owner
 */
void rvmt_event_pressure(struct rvmt_region *region, u64 count);

/**
 * rvmt_event_overflow() - a write found no free slot
 * @region: where
 */
void rvmt_event_overflow(struct rvmt_region *region);

/**
 * rvmt_event_io_error() - a page could not be written or synced
 * @region: where
 * @page: its index
 * @error: negative errno
 */
void rvmt_event_io_error(struct rvmt_region *region, u64 page, int error);

#endif /* _RVMT_EVENT_H */
