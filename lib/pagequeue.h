/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page queue of a region (section 5.1.2 of the paper): its dirty pages, in the order of the
 * first record that references each.  The log's head can move to the first one's.
 *
 * The caller locks.
 */
#ifndef RVM_LIB_PAGEQUEUE_H
#define RVM_LIB_PAGEQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct queued_page - an entry
 * @page: its index in the region
 * @lsn: no record below it references the page
 */
struct queued_page {
	uint64_t page;
	uint64_t lsn;
};

/**
 * struct pagequeue - a page queue
 * @ring: the entries
 * @size: room there, a power of two, or 0
 * @first: the first one
 * @count: entries in the queue
 * @out: entries that were taken out and may come back
 */
struct pagequeue {
	struct queued_page *ring;
	size_t size;
	size_t first;
	size_t count;
	size_t out;
};

/** pagequeue_init() - an empty queue; it needs no memory */
void pagequeue_init(struct pagequeue *queue);

/** pagequeue_free() - free the memory */
void pagequeue_free(struct pagequeue *queue);

/** pagequeue_push() - put a page at the end; Return: 0 or -ENOMEM */
int pagequeue_push(struct pagequeue *queue, uint64_t page, uint64_t lsn);

/** pagequeue_first() - the first entry, or NULL */
const struct queued_page *pagequeue_first(const struct pagequeue *queue);

/** pagequeue_drop() - forget the first entry */
void pagequeue_drop(struct pagequeue *queue);

/** pagequeue_take() - take the first entry out; pagequeue_back() or pagequeue_done() follows */
struct queued_page pagequeue_take(struct pagequeue *queue);

/** pagequeue_back() - put an entry that was taken out in front again; there is room */
void pagequeue_back(struct pagequeue *queue, uint64_t page, uint64_t lsn);

/** pagequeue_done() - an entry that was taken out does not come back */
void pagequeue_done(struct pagequeue *queue);

#endif
