/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regions: mapped parts of segments, found by address.
 *
 * Lock order: region.lock (by address, if several), then part.lock (part.h) or the
 * truncator's lock, then regions.lock for reading, then region.dirty.lock.
 * Whoever holds regions.lock for writing waits for no other lock.
 */
#ifndef RVM_LIB_REGION_H
#define RVM_LIB_REGION_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dirty.h"
#include "range.h"

struct log;
struct segment;
struct tracker;
struct tx;
struct tx_part;

/**
 * struct region - a mapped, page-aligned part of a segment
 * @next: in struct regions, by address
 * @segment: what it is a part of
 * @offset: first byte in the segment
 * @length: bytes
 * @base: where it is mapped
 * @tracker: how it is mapped
 * @why: why by this tracker
 * @strict: stores outside transactions are refused
 * @disjoint: several transactions are tracked at once, each in pages of its own
 * @lock: guards parts, tracked, and the committed state against changes
 * @idle: signalled when tracked becomes 0
 * @tracked: how many transactions are tracked here: one at most unless @disjoint
 * @owner: the thread of the one, 0 if there is none or others are not shut out; changed under
 *	@lock, read by who looks for deadlocks
 * @parts: explicit transactions that declared ranges here
 * @log: where its records are
 * @dirty: pages that were committed since they were last written out
 * @busy: pages that the running truncation could not write, and holds where the tracker
 *	writes back; guarded by the truncator's lock
 */
struct region {
	struct region *next;
	struct segment *segment;
	uint64_t offset;
	uint64_t length;
	char *base;
	struct tracker *tracker;
	char why[256];
	bool strict;
	bool disjoint;
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned int tracked;
	pid_t owner;
	struct tx_part *parts;
	struct log *log;
	struct dirty dirty;
	struct rangeset busy;
};

/**
 * struct regions - all regions and the segments they are parts of
 * @lock: guards the lists
 * @first: regions by address
 * @segments: open segments; they stay open until the end
 */
struct regions {
	pthread_rwlock_t lock;
	struct region *first;
	struct segment *segments;
};

/**
 * struct region_spec - what to map
 * @path: the segment
 * @offset: first byte, page-aligned
 * @length: bytes, 0 for the rest of the segment; rounded up to pages
 * @addr: where, or NULL
 * @tracker: RVM_TRACK_* or 0 for the best
 * @strict: see struct region
 * @disjoint: likewise
 * @wait: see struct track_map
 * @huge: likewise
 * @create_length: make a missing segment so long, or 0
 */
struct region_spec {
	const char *path;
	uint64_t offset;
	uint64_t length;
	void *addr;
	unsigned long tracker;
	bool strict;
	bool disjoint;
	bool wait;
	bool huge;
	uint64_t create_length;
};

/** regions_init() - an empty table */
void regions_init(struct regions *regions);

/** regions_free() - unmap all regions and close all segments */
void regions_free(struct regions *regions);

/**
 * regions_durable() - tell all trackers how far the log is durable
 * @arg: struct regions, so that log_watch() can call it
 * @lsn: the durable LSN
 */
void regions_durable(void *arg, uint64_t lsn);

/**
 * regions_segment() - find or open a segment and enter it into the log
 * @regions: the table
 * @log: names the segment in its dictionary
 * @path: file or device
 * @create_length: see struct region_spec
 * @out: the segment, owned by the table
 *
 * Return: 0, or what segment_open() and log_name_segment() return.
 */
int regions_segment(struct regions *regions, struct log *log, const char *path,
		    uint64_t create_length, struct segment **out);

/**
 * region_map() - map a region
 * @regions: the table
 * @log: the log that its changes go to
 * @segment: from regions_segment()
 * @spec: what to map
 * @out: the region, owned by the table
 *
 * The segment must be in its newest committed state.
 *
 * Return: 0; -EOVERFLOW the offset is unaligned or beyond the segment; -EADDRINUSE that part is
 * mapped already; -EEXIST the addresses are in use; -EOPNOTSUPP no such
 * tracker; -EINVAL the address is unaligned; -ENOMEM; others, with a text.
 */
int region_map(struct regions *regions, struct log *log, struct segment *segment,
	       const struct region_spec *spec, struct region **out);

/**
 * region_unmap() - unmap a region
 * @regions: the table
 * @region: one of its regions; freed
 *
 * Return: 0, or -EBUSY with a text if a transaction is open on it.
 */
int region_unmap(struct regions *regions, struct region *region);

/** region_find() - the region that holds an address, or NULL */
struct region *region_find(struct regions *regions, const void *addr);

/**
 * region_note_dirty() - a commit is about to put a record about these pages in the log
 * @region: the region
 * @first: first page
 * @last: last page
 *
 * Called before log_append(), while the pages are owned or held, or declared ranges say that
 * they are in use.
 *
 * Return: 0 or -ENOMEM.
 */
static inline int region_note_dirty(struct region *region, uint64_t first, uint64_t last)
{
	if (dirty_is_noted(&region->dirty, first, last))
		return 0;
	return dirty_note(&region->dirty, region->log, first, last);
}

#endif
