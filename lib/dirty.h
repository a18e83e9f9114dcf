/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The dirty pages of a region: its page vector and page queue, which belong together.
 *
 * A commit notes the pages that its record references before the record gets its place in the
 * log, with an LSN that the record cannot be below.  A page that is dirty already keeps its
 * place in the queue.  Truncation takes pages from the front, writes them and says so, or puts
 * them back; a page that is noted meanwhile is queued anew.
 *
 * A bit for each page tells without the lock that it is dirty and was not taken since.  Who finds
 * it set is done, although the page may be taken in the next moment: a commit looks at the bits
 * while its pages are owned, held or referenced.  Truncation clears the bit, and only then asks
 * whether the page is; if it still is, the page goes back.  If it is not any more, what the
 * commit stored is in the page that truncation writes.
 */
#ifndef RVM_LIB_DIRTY_H
#define RVM_LIB_DIRTY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pagequeue.h"
#include "pagevec.h"

#define DIRTY_NONE	UINT64_MAX

struct log;

/**
 * struct dirty - the dirty pages of a region
 * @lock: guards the rest; a leaf
 * @vec: what is known of each page
 * @queue: those that are dirty
 * @bits: set: the page is dirty and not reserved; written with the lock, read without
 * @size: bytes of them; only what is used takes memory
 */
struct dirty {
	pthread_mutex_t lock;
	struct pagevec vec;
	struct pagequeue queue;
	uint64_t *bits;
	size_t size;
};

/**
 * dirty_init() - no page is dirty
 * @dirty: to be filled in
 * @pages: of the region
 *
 * Return: 0 or -ENOMEM, without a text; then dirty_free() is called all the same.
 */
int dirty_init(struct dirty *dirty, uint64_t pages);

/** dirty_free() - free the memory */
void dirty_free(struct dirty *dirty);

/** dirty_is_noted() - is there nothing for dirty_note() to do? */
static inline bool dirty_is_noted(const struct dirty *dirty, uint64_t first, uint64_t last)
{
	for (; first <= last; first++) {
		uint64_t bits = __atomic_load_n(&dirty->bits[first / 64], __ATOMIC_SEQ_CST);

		if (!(bits >> first % 64 & 1))
			return false;
	}
	return true;
}

/**
 * dirty_note() - a record is about to reference pages
 * @dirty: the region's
 * @log: where the record will be; its durable LSN is what the record cannot be below
 * @first: first page
 * @last: last page
 *
 * Return: 0 or -ENOMEM; some of them may be noted then, which does no harm.
 */
int dirty_note(struct dirty *dirty, struct log *log, uint64_t first, uint64_t last);

/**
 * dirty_take() - reserve the first pages of the queue
 * @dirty: the region's
 * @pages: filled in, in the order of the queue
 * @max: room there
 * @limit: only those whose first record may be below this LSN
 *
 * Return: how many; for each of them dirty_done() or dirty_back() follows.
 */
size_t dirty_take(struct dirty *dirty, struct queued_page *pages, size_t max,
		  uint64_t limit);

/** dirty_done() - a reserved page was written, and the segment synced */
void dirty_done(struct dirty *dirty, uint64_t page);

/**
 * dirty_back() - a reserved page could not be written
 * @dirty: the region's
 * @page: the page; several are put back last first
 * @lsn: where it is queued, no lower than that of pages put back before
 */
void dirty_back(struct dirty *dirty, uint64_t page, uint64_t lsn);

/** dirty_first() - the LSN of the first page in the queue, or DIRTY_NONE */
uint64_t dirty_first(struct dirty *dirty);

/** dirty_count() - how many pages wait to be written */
size_t dirty_count(struct dirty *dirty);

#endif
