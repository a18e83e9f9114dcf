/* SPDX-License-Identifier: GPL-2.0 */
/* Writing pages back to the segment, never one that is not committed. */
#ifndef _RVMT_WRITEBACK_H
#define _RVMT_WRITEBACK_H

#include <linux/types.h>

struct rvmt_region;

/**
 * struct rvmt_wb - a request to write pages back, and its outcome
 * @first: first page of a range, if @list is NULL
 * @last: last page of the range
 * @list: page indices, ascending
 * @count: how many are in @list
 * @busy: room for the indices of pages that could not be written, or NULL
 * @max_busy: how many have room
 * @nr_busy: how many are there
 * @busy_count: how many there would be
 * @written: pages written and synced
 * @error: 0 or a negative errno
 */
struct rvmt_wb {
	pgoff_t first;
	pgoff_t last;
	const u64 *list;
	unsigned int count;
	u64 *busy;
	unsigned int max_busy;
	unsigned int nr_busy;
	u64 busy_count;
	u64 written;
	int error;
};

/**
 * rvmt_writeback() - write the dirty pages that may be written, and sync
 * @region: where
 * @wb: what, and what came of it
 */
void rvmt_writeback(struct rvmt_region *region, struct rvmt_wb *wb);

#endif /* _RVMT_WRITEBACK_H */
