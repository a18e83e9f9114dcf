/* SPDX-License-Identifier: GPL-2.0 */
/* A region: its identity, its shared areas and what it counts. */
#ifndef _RVMT_REGION_H
#define _RVMT_REGION_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rvm_track.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "limits.h"

struct folio;
struct mm_struct;
struct net;
struct page;
struct pid;

/**
 * struct rvmt_tx - the pages of one transaction, as the kernel knows them
 * @pages: struct rvmt_page.link, newest first
 * @shared: the same in the control block, for the user
 * @tid: the transaction; while @count is 0 the last one
 * @count: length of @pages
 */
struct rvmt_tx {
	struct list_head pages;
	struct rvm_track_tx *shared;
	u32 tid;
	u32 count;
};

/**
 * struct rvmt_batch - scratch of TX_END and ARM, so that they need no memory
 * @folio: pages to write-protect, in order of their index
 * @dirty: which pages of a dense run were dirty
 */
struct rvmt_batch {
	struct folio *folio[RVMT_BATCH];
	DECLARE_BITMAP(dirty, RVMT_BATCH * RVMT_DENSE_GAP);
};

/**
 * struct rvmt_stats - what a region counted since its creation
 * @first_writes: pages that got an owner
 * @written: pages written back
 * @busy: refusals to write a page back
 * @read: pages read from the segment
 * @rolled_back: pages restored from their pre-image
 * @dirty: pages that are dirty now
 * @conflicts: stores to a page that another transaction owned
 */
struct rvmt_stats {
	atomic64_t first_writes;
	atomic64_t written;
	atomic64_t busy;
	atomic64_t read;
	atomic64_t rolled_back;
	atomic64_t dirty;
	atomic64_t conflicts;
};

/**
 * struct rvmt_region - a part of a segment that a process maps
 * @link: in the list of live regions, under its mutex
 * @id: a number for people
 * @inode: whose page cache holds the region; it owns this structure
 * @seg: the segment
 * @offset: of the region in @seg, in bytes
 * @length: in bytes
 * @flags: enum rvm_track_region_flags
 * @slots: the highest slot number
 * @owner: the only process that may map the region or send commands for it
 * @pid: @owner as it numbered itself
 * @uid: whose dump of regions shows this one
 * @net: where events are sent
 * @ctl: the control block, in vmalloc space
 * @words: pages of struct rvm_track_word
 * @descs: pages of struct rvm_track_slot
 * @arena: pre-images by slot
 * @tx_mutex: held by everything that takes pages from their owners
 * @batch: under @tx_mutex
 * @ended: where stores wait for the transaction that owns their page
 * @ends: transactions that ended; changed under @tx_mutex
 * @wb_mutex: held by whoever writes back
 * @kept: pages written whose sync is still to come: reclaim cannot take them yet
 * @requests: WRITEBACKs under way
 * @lock: protects everything below
 * @tx: owned pages by tid % RVM_TRACK_TXS
 * @hot: pages that are nobody's but stay writable, with their slots
 * @loose: writable pages without owner
 * @nr_loose: length of @loose
 * @idle: struct rvmt_page with a slot but without a page
 * @nr_idle: length of @idle
 * @nr_owned: pages in all of @tx
 * @refused: writes answered by SIGBUS
 * @mm: the address space that maps the data, NULL if none
 * @vmas: how many mappings of the data it has
 * @stats: counters
 *
 * Lock order:
 *	fault:	mmap lock -> folio lock -> segment's invalidate lock -> segment's
 *		folio lock; folio lock -> @lock
 *	end:	mmap lock -> @tx_mutex -> folio lock -> i_mmap lock -> @lock
 *	write:	@wb_mutex -> folio lock -> i_mmap lock -> @lock; segment I/O under
 *		@wb_mutex with no folio lock
 * Nobody waits for a second folio lock while holding one, and nobody touches
 * user memory under @tx_mutex or @wb_mutex.
 */
struct rvmt_region {
	struct list_head link;
	u64 id;
	struct inode *inode;
	struct file *seg;
	loff_t offset;
	u64 length;
	u32 flags;
	u32 slots;
	struct pid *owner;
	u32 pid;
	kuid_t uid;
	struct net *net;
	struct rvm_track_ctl *ctl;
	struct xarray words;
	struct xarray descs;
	struct xarray arena;
	struct mutex tx_mutex;		/* takers of pages from their owners */
	struct rvmt_batch batch;
	wait_queue_head_t ended;
	u32 ends;
	struct mutex wb_mutex;		/* writers to the segment */
	atomic64_t kept;
	atomic_t requests;
	spinlock_t lock;		/* all below, except @stats */
	struct rvmt_tx tx[RVM_TRACK_TXS];
	struct rvmt_tx hot;
	struct list_head loose;
	u32 nr_loose;
	struct list_head idle;
	u32 nr_idle;
	u64 nr_owned;
	u32 refused;
	struct mm_struct *mm;
	unsigned int vmas;
	struct rvmt_stats stats;
};

extern unsigned int rvmt_region_most;

/**
 * rvmt_region_new() - make a region that is not yet visible to anybody
 * @seg: the segment, already checked; the region takes a reference
 * @offset: in bytes
 * @length: in bytes
 * @slots: the highest slot number
 * @flags: enum rvm_track_region_flags
 * @net: where its events go
 *
 * Return: the region, or NULL for lack of memory.
 */
struct rvmt_region *rvmt_region_new(struct file *seg, loff_t offset, u64 length, u32 slots,
				    u32 flags, struct net *net);

/**
 * rvmt_region_claim() - put a region into the list of live ones
 * @region: a new region
 *
 * Return: 0, -EBUSY if another one overlaps it, or -EDQUOT if its user has too many.
 */
int rvmt_region_claim(struct rvmt_region *region);

/**
 * rvmt_region_free() - take a region off the list and free all it has
 * @region: a region whose page cache is empty and that nobody can reach
 */
void rvmt_region_free(struct rvmt_region *region);

/**
 * rvmt_region_each() - call a function for each live region, oldest first
 * @after: only regions whose id is above this
 * @fn: called under the list's mutex; anything but 0 stops
 * @arg: passed on
 *
 * Return: what @fn returned last, or 0.
 */
int rvmt_region_each(u64 after, int (*fn)(struct rvmt_region *region, void *arg), void *arg);

/**
 * rvmt_region_writable() - how many pages a writeback could make clean
 * @region: the region
 *
 * Return: dirty pages without owner and pages being written; each count may change meanwhile.
 */
u64 rvmt_region_writable(struct rvmt_region *region);

/**
 * rvmt_region_all_writable() - the same of all regions
 *
 * For reclaim, which must not wait: a list that is in use counts for nothing.
 *
 * Return: how many pages.
 */
unsigned long rvmt_region_all_writable(void);

/**
 * rvmt_region_tid_ok() - may a transaction have this id
 * @tid: the id
 *
 * Return: whether it is one that the protocol allows.
 */
static inline bool rvmt_region_tid_ok(u32 tid)
{
	return tid && tid <= RVM_TRACK_TID_MAX && tid % RVM_TRACK_TXS;
}

/**
 * rvmt_region_tx() - where the pages of a transaction are
 * @region: the region
 * @tid: the transaction
 *
 * Return: the chain, which may be another transaction's.
 */
static inline struct rvmt_tx *rvmt_region_tx(struct rvmt_region *region, u32 tid)
{
	return &region->tx[tid % RVM_TRACK_TXS];
}

/**
 * rvmt_region_thread() - what the library says of a thread
 * @region: the region
 * @thread: the thread, as its pid namespace numbers it
 *
 * The table is the library's: an entry is read once, and nothing in it is believed.
 *
 * Return: the entry of the thread table, 0 if there is none.
 */
u64 rvmt_region_thread(const struct rvmt_region *region, u32 thread);

/**
 * rvmt_region_pages() - the length of a region in pages
 * @region: the region
 *
 * Return: the number of pages.
 */
static inline pgoff_t rvmt_region_pages(const struct rvmt_region *region)
{
	return region->length >> RVM_TRACK_PAGE_SHIFT;
}

/**
 * rvmt_area_page() - find or make a page of the words or descriptors
 * @area: the area
 * @index: which page
 *
 * The page lives as long as the region.
 *
 * Return: the page, or NULL for lack of memory.
 */
struct page *rvmt_area_page(struct xarray *area, unsigned long index);

/**
 * rvmt_region_word() - find or make the word of a page
 * @region: the region
 * @index: the page
 *
 * Return: the word, or NULL for lack of memory.
 */
struct rvm_track_word *rvmt_region_word(struct rvmt_region *region, pgoff_t index);

/**
 * rvmt_region_desc() - find or make the descriptor of a slot
 * @region: the region
 * @slot: the slot
 *
 * Return: the descriptor, or NULL for lack of memory.
 */
struct rvm_track_slot *rvmt_region_desc(struct rvmt_region *region, u32 slot);

#endif /* _RVMT_REGION_H */
