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
 */
#ifndef RVM_LIB_TRUNCATE_H
#define RVM_LIB_TRUNCATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct log;
struct region;
struct regions;

/**
 * struct truncator - who truncates the log
 * @log: the log
 * @regions: the regions that it is about
 * @lock: held for the length of a truncation; guards @orphans
 * @orphans: the log may hold records about a region that was unmapped
 * @size: bytes of the log's record area
 * @percent: truncate when the log is so full; 0: only when asked
 * @wake_lock: guards the rest
 * @wake: signalled when @wanted or @stop is set
 * @wanted: the thread is asked to truncate
 * @stop: the thread is asked to end
 * @thread: truncates in the background
 * @count: truncations that were made
 */
struct truncator {
	struct log *log;
	struct regions *regions;
	pthread_mutex_t lock;
	bool orphans;
	uint64_t size;
	long percent;
	pthread_mutex_t wake_lock;
	pthread_cond_t wake;
	bool wanted;
	bool stop;
	pthread_t thread;
	uint64_t count;
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
