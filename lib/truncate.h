/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Truncation: bring what the log holds into the segments and free its space.
 *
 * Epoch truncation (section 5.1.2 of the paper) is recovery on the part of
 * the log that is durable now, while commits go on behind it.  Pages of a
 * region whose tracker writes back are not taken from the log but from
 * memory; only those that cannot be written now, because a transaction owns
 * or holds them, get the log's bytes:
 *
 *  1. Ask for the dirty pages to be written back; some are busy.
 *  2. Hold the busy ones and ask again.  Those that are still busy are dirty,
 *     so they are in memory, and held, so nobody writes them back and
 *     evicts them.  The others have been written since, newer than the log.
 *  3. Apply the log to the pages that are still busy.  What it overwrites in the segment is
 *     older, because the page has not been written since it was dirtied.
 *  4. Release them.
 *
 * Incremental truncation, also of that section, reads no log: increment.h.  It is what the
 * thread does if it is asked to, as long as it makes room fast enough; where pages are blocked
 * by uncommitted references, or the log holds records of regions whose pages are not noted,
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

#define TRUNCATE_BATCH	32	/* most pages copied at once */

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
 * @copied: filled in: false where a page has an uncommitted reference
 */
typedef void truncate_copy_fn(void *arg, struct region *region, const uint64_t *pages, size_t n,
			      char *to, bool *copied);

/**
 * struct truncator - who truncates the log
 * @log: the log
 * @regions: the regions that it is about
 * @lock: held for the length of a truncation; guards @orphans
 * @orphans: the log may hold records about a region that was unmapped
 * @size: bytes of the log's record area
 * @percent: truncate when the log is so full; 0: only when asked
 * @incremental: by steps, if regions are noted
 * @retry: steps made no progress: make none until so many bytes are used
 * @copy: copies the committed state of pages, or NULL
 * @copy_arg: its first argument
 * @wake_lock: guards what follows, but for the counts
 * @wake: signalled when @wanted or @stop is set
 * @room: signalled when the head has moved or cannot be moved
 * @wanted: the thread is asked to truncate
 * @urgent: a commit waits for it
 * @stop: the thread is asked to end
 * @moves: how often @room was signalled
 * @failed: the last truncation of the thread did
 * @thread: truncates in the background
 * @count: truncations that were made; these are written with @lock held
 * @steps: steps of incremental truncation that moved the head
 * @pages: pages that they wrote
 * @blocked: pages that they could not write, for uncommitted references
 */
struct truncator {
	struct log *log;
	struct regions *regions;
	pthread_mutex_t lock;
	bool orphans;
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
	pthread_t thread;
	uint64_t count;
	uint64_t steps;
	uint64_t pages;
	uint64_t blocked;
};

/**
 * truncator_start() - start truncating a log in the background
 * @tr: filled in
 * @log: a started log
 * @regions: the regions whose changes it holds
 * @percent: see struct truncator
 *
 * Return: 0, or -ENOMEM with a text: no thread could be made.
 */
int truncator_start(struct truncator *tr, struct log *log, struct regions *regions, long percent);

/** truncator_stop() - end the thread; a truncation under way is finished first */
void truncator_stop(struct truncator *tr);

/** truncator_set_percent() - change the threshold */
void truncator_set_percent(struct truncator *tr, long percent);

/**
 * truncator_set_incremental() - choose incremental truncation
 * @tr: the truncator
 * @on: whether
 * @copy: see struct truncator
 * @arg: for @copy
 */
void truncator_set_incremental(struct truncator *tr, bool on, truncate_copy_fn *copy, void *arg);

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
 *
 * Called before a region is mapped.  Return: 0, or as truncate_log().
 */
int truncate_orphans(struct truncator *tr);

#endif
