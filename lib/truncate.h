/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Truncation: bring what the log holds into the segments and free its space.
 *
 * Epoch truncation (section 5.1.2 of the paper) is recovery on the part of
 * the log that is durable now, while commits go on behind it.  But what the log says of a mapped
 * region is in memory too, and a page may have many records, so pages are written from memory;
 * only those that cannot be written now, because a transaction references them, get the log's
 * bytes.  Mostly there are none, and the log is not read at all.
 *
 *  1. Write the dirty pages: pageout.h; or ask the tracker to write them back.  Some are busy.
 *  2. Where the tracker writes back, hold the busy ones and ask again.  Those that are still busy
 *     are dirty, so they are in memory, and held, so nobody writes them back and
 *     evicts them.  The others have been written since, newer than the log.  Elsewhere
 *     nobody but truncation writes pages.
 *  3. Apply the log to the pages that are still busy, from where the first of them is queued.
 *     What it overwrites in the segment is older, because the page has not been written since it
 *     was dirtied.
 *  4. Release them.
 *
 * Incremental truncation, also of that section, reads no log: increment.h.  It is what the
 * thread does if it is asked to, as long as it makes room fast enough; where pages are blocked
 * by uncommitted references, or the log holds records of regions that are unmapped,
 * it is epoch truncation that makes the room.
 *
 * Who finds no room waits for the thread: for the next move of the head, not for its end.
 */
#ifndef RVM_LIB_TRUNCATE_H
#define RVM_LIB_TRUNCATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUNCATE_BATCH	512	/* most pages copied at once */

struct log;
struct region;
struct regions;

/**
 * typedef truncate_copy_fn - copy the committed state of pages
 * @arg: the caller's
 * @region: of a tracker that does not write back
 * @pages: which, at most TRUNCATE_BATCH
 * @n: how many
 * @to: room for all of them; those that are not copied are left out, their room is not
 * @copied: set where a page has no uncommitted reference
 *
 * Return: false if a transaction that is ending may reference any page that was not copied.
 */
typedef bool truncate_copy_fn(void *arg, struct region *region, const uint64_t *pages, size_t n,
			      char *to, bool *copied);

/** typedef truncate_progress_fn - told the bytes of log that were read, and how many there are */
typedef void truncate_progress_fn(void *arg, uint64_t done, uint64_t total);

/**
 * struct truncator - who truncates the log
 * @log: the log
 * @regions: the regions that it is about
 * @lock: held for the length of a truncation; guards @orphans
 * @orphans: the log may hold records about a region that was unmapped
 * @frozen: the log is, by truncate_empty(); guarded by @lock
 * @needed: LSN of the first record that a busy page may need, or UINT64_MAX; guarded by @lock
 * @size: bytes of the log's record area
 * @percent: truncate when the log is so full; 0: only when asked
 * @incremental: by steps, where possible
 * @retry: steps made no progress: make none until so many bytes are used
 * @copy: copies the committed state of pages; NULL: pages take the log's bytes
 * @copy_arg: its first argument
 * @wake_lock: guards what follows
 * @wake: signalled when @wanted or @stop is set
 * @room: signalled when the head has moved or cannot be moved
 * @wanted: the thread is asked to truncate
 * @urgent: a commit waits for it
 * @stop: the thread is asked to end
 * @moves: how often @room was signalled
 * @failed: the last truncation of the thread did
 * @progress: who is told how far the truncation at hand is, or NULL; guarded by @lock
 * @progress_arg: its first argument
 * @thread: truncates in the background
 */
struct truncator {
	struct log *log;
	struct regions *regions;
	pthread_mutex_t lock;
	bool orphans;
	bool frozen;
	uint64_t needed;
	uint64_t size;
	long percent;
	bool incremental;
	uint64_t retry;
	truncate_copy_fn *copy;
	void *copy_arg;
	pthread_mutex_t wake_lock;
	pthread_cond_t wake;
	pthread_cond_t room;
	bool wanted;
	bool urgent;
	bool stop;
	uint64_t moves;
	bool failed;
	truncate_progress_fn *progress;
	void *progress_arg;
	pthread_t thread;
};

/**
 * truncator_start() - start truncating a log in the background
 * @tr: filled in
 * @log: a started log
 * @regions: the regions whose changes it holds
 * @percent: see struct truncator
 * @copy: likewise
 * @copy_arg: likewise
 *
 * Return: 0, or -ENOMEM with a text: no thread could be made.
 */
int truncator_start(struct truncator *tr, struct log *log, struct regions *regions, long percent,
		    truncate_copy_fn *copy, void *copy_arg);

/** truncator_stop() - end the thread; a truncation under way is finished first */
void truncator_stop(struct truncator *tr);

/** truncator_set_percent() - change the threshold */
void truncator_set_percent(struct truncator *tr, long percent);

/** truncator_set_incremental() - choose incremental truncation, or epoch truncation */
void truncator_set_incremental(struct truncator *tr, bool on);

/** truncator_kick() - have the log truncated in the background if it is full enough */
void truncator_kick(struct truncator *tr);

/**
 * truncate_log() - flush, and truncate all that is durable then
 * @tr: the truncator
 *
 * Return: 0; -EIO, -ENOSPC, -ENOMEM, -EUCLEAN with a text: nothing was freed.
 */
int truncate_log(struct truncator *tr);

/**
 * typedef truncate_empty_fn - called by truncate_empty()
 * @arg: the caller's
 * @tail: the log's; all below it is durable, and in the segments
 *
 * Return: 0, after the log's head has moved to @tail or beyond; or a negative errno with a text.
 */
typedef int truncate_empty_fn(void *arg, uint64_t tail);

/**
 * truncate_empty() - have a function called that empties the log
 * @tr: the truncator
 * @fn: called when all that is committed is in the segments, and who commits waits for it to
 *	return; it moves the head, and may change the log's size
 * @arg: its argument
 *
 * A commit that waits has noted its pages with an LSN below the one where its record gets; that
 * is all that increment.h wants, however far the log's LSNs move on meanwhile.
 *
 * Return: 0; as truncate_log(), @fn was not called; or what @fn returned.
 */
int truncate_empty(struct truncator *tr, truncate_empty_fn *fn, void *arg);

/**
 * truncate_relieve() - write pages whose memory can be reclaimed then
 * @tr: the truncator
 *
 * For a kernel that is short of memory: has the trackers write what may be written, flushes the
 * log, and has them write what may be written then.  No record is freed.
 *
 * Return: 0, or as truncate_log(): some pages were not written.
 */
int truncate_relieve(struct truncator *tr);

/**
 * truncate_make_room() - wait until the log's head has moved
 * @tr: the truncator
 *
 * For who was told that the log is full.  The thread truncates, however full the log should be
 * by @tr->percent, and the call returns as soon as there may be room.
 *
 * Return: 0: try again; or as truncate_log().
 */
int truncate_make_room(struct truncator *tr);

/**
 * truncate_unmap() - unmap a region and note that its records must come from the log
 * @tr: the truncator
 * @region: one of its regions; freed
 *
 * Return: as region_unmap().
 */
int truncate_unmap(struct truncator *tr, struct region *region);

/**
 * truncate_orphans() - bring the records of unmapped regions to their segments
 * @tr: the truncator
 * @progress: called meanwhile, or NULL; it must not call the truncator
 * @arg: for @progress
 *
 * Called before a region is mapped.  Return: 0, or as truncate_log().
 */
int truncate_orphans(struct truncator *tr, truncate_progress_fn *progress, void *arg);

#endif
