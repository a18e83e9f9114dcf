/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tracker maps a region into memory and finds out which pages were written.
 *
 * There are four: "kmod" (the kernel module), "uffd" (userfaultfd in its
 * asynchronous mode), "sigsegv" (mprotect and a signal handler) and "none"
 * (explicit transactions only).  All but kmod map the segment MAP_PRIVATE, so
 * that the kernel never writes it back, and keep a second private mapping, the
 * twin, in the committed state; kmod has the pre-images in its arena.
 */
#ifndef RVM_LIB_TRACK_H
#define RVM_LIB_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACK_PAGE_SHIFT	12
#define TRACK_PAGE_SIZE		(1UL << TRACK_PAGE_SHIFT)

/**
 * struct track_map - what a tracker is to map
 * @fd: the segment, open for reading and writing
 * @offset: first byte in the segment, page-aligned
 * @length: bytes, page-aligned
 * @addr: where, page-aligned; NULL: anywhere.  Nothing there is replaced.
 * @strict: a store outside a transaction raises SIGBUS
 * @disjoint: several tracked transactions run at once, in pages of their own; then @strict is set
 * @wait: a store to a page of another tracked transaction waits for its end
 * @huge: the region is read now, into huge pages
 * @path: the segment's, for the words about that, or NULL
 */
struct track_map {
	int fd;
	uint64_t offset;
	uint64_t length;
	void *addr;
	bool strict;
	bool disjoint;
	bool wait;
	bool huge;
	const char *path;
};

/* The transaction that owns what is written while none is tracked and the region is watched. */
#define TRACK_WATCH_TID		255

/**
 * struct track_store - the store that a page was found written by
 * @ip: the instruction, 0 if it is not known or not the program's
 * @thread: the thread, 0 if it is not known
 * @at: where in the page
 */
struct track_store {
	uint64_t ip;
	uint32_t thread;
	uint32_t at;
};

/**
 * struct track_page - a page that a tracked transaction may have changed
 * @page: its index in the region
 * @live: the page as the program sees it
 * @committed: the page in its committed state
 * @store: who stored to it first, as far as is known
 */
struct track_page {
	uint64_t page;
	char *live;
	char *committed;
	struct track_store store;
};

struct track_cost;
struct tracker;

/**
 * struct track_stats - counts since the map
 * @first_writes: pages that were found written
 * @strays: of these, pages written outside any transaction, where known
 * @written_back: pages written to the segment by writeback
 * @hot: pages that stay writable between transactions, now
 * @conflicts: stores that were made to a page of another tracked transaction
 * @patience: see track_cost_patience()
 */
struct track_stats {
	uint64_t first_writes;
	uint64_t strays;
	uint64_t written_back;
	uint64_t hot;
	uint64_t conflicts;
	uint32_t patience;
};

/**
 * struct track_ops - what a tracker can do
 * @name: "kmod", "uffd", "sigsegv", "none"
 * @flag: its RVM_TRACK_* flag
 * @tracks: it can track; false for "none" only
 * @twin: it has a twin
 * @strict: it can refuse stores outside transactions
 * @disjoint: it can tell pages of several tracked transactions apart
 * @probe: 0 if it works here and now, else a negative errno with a text
 * @open: map a region.  0; -EEXIST the addresses are in use; -ENOMEM;
 *	-EBUSY (kmod) another process has that part; others; with a text.
 * @close: unmap it and forget all that was not written back
 * @settle: let each end walk over all pages of the region, written or not, which from some share
 *	of pages that were ever touched on is cheaper than to tell them apart; 0 or a negative
 *	errno with a text.  NULL: no end walks over anything
 * @begin: the calling thread begins tracked transaction @tid (1 to 2^30-1, modulo
 *	256 neither 0 nor TRACK_WATCH_TID); the caller lets only one run at a time, but in
 *	disjoint regions as many as their numbers differ modulo 256.  -EDEADLK this thread
 *	has one there
 * @seal: disjoint regions: this thread's transaction @tid is about to end; from now on stores of
 *	others to its pages wait for that.  Returns true if one was made before, or one of @tid to
 *	another's page, which is *@page then: it must be restored.  May be called again
 * @unseal: it goes on
 * @collect: call @fn for each page that may differ from its committed
 *	state; a page stays collected until end, so it may be called again.
 *	Stops at the first non-zero return of @fn and returns it.
 * @end: the tracked transaction ends, its record ends at @lsn (0: abort).  All of
 *	the caller's stores are made, live is what shall be.  Writes from
 *	now on are seen again.
 * @end_several: @end of @n regions of this tracker, which cost less together; or NULL
 * @restore: as @end, but first make every collected page what its committed state
 *	is; NULL where the caller has to copy by itself.  Others' declared bytes are restored too
 * @watch: from now on, or no longer, what is stored while no transaction is tracked can be
 *	collected, with the committed state, too; such pages are ended under TRACK_WATCH_TID.  The
 *	region is locked against end, @idle says that none is tracked
 * @committed: where the committed state of @page may be written to, or NULL if
 *	it needs not be; call with the region locked against end and restore
 * @keep: bytes of @page have changed and are in the log, and the page is held since before that:
 *	where the caller copies them, because the committed state outlives the transaction; or NULL.
 *	Set where @tracks is
 * @hold: an explicit transaction declared bytes of pages [@first, @last]: they may not
 *	reach the segment from now on, and any thread may store to them in a strict region; nests
 * @release: undo one hold; the pages' newest record ends at @lsn (0: none)
 * @arm: refuse stores to pages of a strict region that are no longer held
 * @durable: the log is durable up to @lsn
 * @writeback: write those of the @n @pages that may be, sync the segment; the
 *	ones that were dirty and could not be come back in @busy (room for @n),
 *	counted in *@n_busy.  NULL: the caller writes the segment from the log.
 * @relieve: write all pages that may be written, so that their memory can be reclaimed;
 *	NULL: they cannot be
 * @stats: counts since the map
 * @tune: what this tracker costs here; called once, before the first transaction
 *
 * All but open and close are thread-safe.  Unset ops are no-ops.
 */
struct track_ops {
	const char *name;
	unsigned long flag;
	bool tracks;
	bool twin;
	bool strict;
	bool disjoint;
	int (*probe)(void);
	int (*open)(const struct track_map *map, struct tracker **out);
	void (*close)(struct tracker *tracker);
	int (*settle)(struct tracker *tracker);
	int (*begin)(struct tracker *tracker, uint32_t tid);
	bool (*seal)(struct tracker *tracker, uint32_t tid, uint64_t *page);
	void (*unseal)(struct tracker *tracker, uint32_t tid);
	int (*collect)(struct tracker *tracker, uint32_t tid,
		       int (*fn)(void *arg, const struct track_page *page), void *arg);
	int (*end)(struct tracker *tracker, uint32_t tid, uint64_t lsn);
	int (*end_several)(struct tracker *const *trackers, size_t n, uint32_t tid, uint64_t lsn);
	int (*restore)(struct tracker *tracker, uint32_t tid);
	int (*watch)(struct tracker *tracker, bool on, bool idle);
	char *(*committed)(struct tracker *tracker, uint64_t page);
	char *(*keep)(struct tracker *tracker, uint64_t page);
	void (*hold)(struct tracker *tracker, uint64_t first, uint64_t last);
	void (*release)(struct tracker *tracker, uint64_t first, uint64_t last, uint64_t lsn);
	void (*arm)(struct tracker *tracker);
	void (*durable)(struct tracker *tracker, uint64_t lsn);
	int (*writeback)(struct tracker *tracker, const uint64_t *pages, size_t n,
			 uint64_t *busy, size_t *n_busy);
	int (*relieve)(struct tracker *tracker);
	void (*stats)(struct tracker *tracker, struct track_stats *stats);
	void (*tune)(struct tracker *tracker, const struct track_cost *cost);
};

/**
 * struct tracker - one mapped region; the head of each tracker's own struct
 * @ops: what it can do
 * @base: where it is mapped
 * @length: bytes
 * @cost: what it costs here, NULL if that was not measured
 */
struct tracker {
	const struct track_ops *ops;
	char *base;
	uint64_t length;
	const struct track_cost *cost;
};

extern const struct track_ops track_kmod;
extern const struct track_ops track_uffd;
extern const struct track_ops track_sigsegv;
extern const struct track_ops track_none;

/**
 * track_open() - map a region with the tracker asked for, or the best one
 * @map: what to map
 * @flag: RVM_TRACK_*, or 0 for kmod if that works, else uffd or sigsegv, whichever is to cost less
 * @why: filled with the reason for the choice, one line: what was preferred
 *	and why it does not work here, or what it would cost
 * @size: room in @why
 * @out: the tracker
 *
 * Return: 0; -EOPNOTSUPP the tracker asked for does not work here, or cannot
 * do strict or disjoint; or what the tracker's open returns; with a text.
 */
int track_open(const struct track_map *map, unsigned long flag, char *why, size_t size,
	       struct tracker **out);

#endif
