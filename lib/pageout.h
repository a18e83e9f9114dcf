/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing dirty pages of a region to its segment from memory, for trackers that do not write
 * back.
 *
 *  1. Take pages from the queue, in the order of the segment from here on.
 *  2. Copy those without uncommitted references.  Most references last as long as a short
 *     transaction, so the others are tried again a few times.
 *  3. Flush the log: what was copied may be of records that were not durable.  A byte may have
 *     changed since, and transactions that are merged leave only its newest value in the log; then
 *     recovery brings it, and the page, which was noted anew, is written again before the record
 *     is freed.
 *  4. Write the copies, neighbours at once; 2 to 4 again until all were tried.  Beside commits
 *     one write is under way at a time, because a commit's own waits behind those of the disk.
 *     While commits wait for truncation there are none, and the sync writes all at once.
 *  5. Sync the segment.
 *
 * Claim: a page that was written has the bytes of every record that was appended before step 1
 * and references it.  Such a record's transaction noted the page before, and it is a reference
 * until its bytes are in the committed state, so the copy has them.  It has no byte that a
 * transaction which has not ended declared, for that is a reference too.
 */
#ifndef RVM_LIB_PAGEOUT_H
#define RVM_LIB_PAGEOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pagequeue.h"

struct region;
struct truncator;

/**
 * struct pageout - pages on their way out
 * @tr: whose copy function is used
 * @region: whose pages they are
 * @max: most pages that are taken at once
 * @n: how many were taken
 * @taken: they, in the order of the queue
 * @pages: the same, in the order of the region
 * @written: of those in @pages: it was written
 * @copied: of a part of them: it was copied
 * @bytes: the copies of that part
 */
struct pageout {
	struct truncator *tr;
	struct region *region;
	size_t max;
	size_t n;
	struct queued_page *taken;
	uint64_t *pages;
	bool *written;
	bool *copied;
	char *bytes;
};

/**
 * pageout_init() - prepare to write pages
 * @out: to be filled in
 * @tr: the truncator
 * @region: the region
 * @max: most pages at once
 *
 * Return: 0, or -ENOMEM with a text; then pageout_free() is called all the same.
 */
int pageout_init(struct pageout *out, struct truncator *tr, struct region *region, size_t max);

/** pageout_free() - free the memory */
void pageout_free(struct pageout *out);

/** pageout_take() - step 1; Return: how many whose first record is below @limit */
size_t pageout_take(struct pageout *out, uint64_t limit);

/**
 * pageout_write() - steps 2 to 5
 * @out: what was taken; out->written is filled in
 *
 * Return: 0, or a negative errno with a text; then none counts as written.
 */
int pageout_write(struct pageout *out);

/** pageout_find() - the place of one of the pages in out->pages; of another page SIZE_MAX */
size_t pageout_find(const struct pageout *out, uint64_t page);

#endif
