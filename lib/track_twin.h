/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the trackers uffd and sigsegv share: two private mappings, and pages collected. */
#ifndef RVM_LIB_TRACK_TWIN_H
#define RVM_LIB_TRACK_TWIN_H

#include <pthread.h>
#include <stdint.h>

#include "pageset.h"
#include "track.h"

/**
 * struct track_twin - a region that is mapped twice
 * @tracker: the head; its mapping is live
 * @committed: the other mapping, in the committed state
 * @lock: guards @collected
 * @collected: pages found written since the last end
 * @stores: of each page, who stored to it when it was found written; NULL if that is not known
 */
struct track_twin {
	struct tracker tracker;
	char *committed;
	pthread_mutex_t lock;
	struct pageset collected;
	struct track_store *stores;
};

/**
 * track_twin_note_store() - note who stores to a page, in a signal handler too
 * @twin: one with @stores
 * @page: the page
 * @store: the store; none but its zeroes to forget the last one
 *
 * It may be read meanwhile, after another thread's store; then it may be told as part of both.
 */
static inline void track_twin_note_store(struct track_twin *twin, uint64_t page,
					 struct track_store store)
{
	struct track_store *to = &twin->stores[page];

	__atomic_store_n(&to->ip, store.ip, __ATOMIC_RELAXED);
	__atomic_store_n(&to->thread, store.thread, __ATOMIC_RELAXED);
	__atomic_store_n(&to->at, store.at, __ATOMIC_RELAXED);
}

/**
 * track_twin_open() - map both mappings
 * @twin: to fill
 * @ops: whose region it is
 * @map: what to map
 *
 * Return: 0 or a negative errno, with a text.
 */
int track_twin_open(struct track_twin *twin, const struct track_ops *ops,
		    const struct track_map *map);

/**
 * track_twin_close() - unmap both mappings
 * @twin: an open one
 */
void track_twin_close(struct track_twin *twin);

/**
 * track_twin_visit() - call a function for each collected page, in order
 * @twin: its lock is held
 * @fn: the function
 * @arg: its first argument
 *
 * Return: 0, or the first non-zero return of @fn.
 */
int track_twin_visit(struct track_twin *twin, int (*fn)(void *arg, const struct track_page *page),
		     void *arg);

/**
 * track_twin_end() - the end op: nothing is collected any more
 * @tracker: the head of a struct track_twin
 * @tid: not used
 * @lsn: not used
 *
 * Return: 0.
 */
int track_twin_end(struct tracker *tracker, uint32_t tid, uint64_t lsn);

/**
 * track_twin_committed() - the committed op
 * @tracker: the head of a struct track_twin
 * @page: which page
 *
 * Return: its committed state.
 */
char *track_twin_committed(struct tracker *tracker, uint64_t page);

#endif
