/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page vector of a region (section 5.1.2 of the paper): what truncation knows of each page.
 *
 * The paper has an entry for each page; here only those pages have one of which there is
 * something to tell, in a hash table, so that the memory follows what is dirty and not how
 * long the region is.  The caller locks.
 *
 *	           note                take                    write
 *	absent ----------> dirty --------------> reserved -----------------> absent
 *	                     ^                    |     | note
 *	                     |   blocked, failed  |     v             write
 *	                     +--------------------+   reserved, dirty -------> dirty
 */
#ifndef RVM_LIB_PAGEVEC_H
#define RVM_LIB_PAGEVEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct page_state - what is known of a page
 * @page: its index in the region
 * @lsn: no record that still has to be written out and references it starts below
 * @refs: times that it could not be written since, for its uncommitted references
 * @dirty: it is to be written out, and in the page queue
 * @reserved: it is being written out
 * @used: the entry is taken
 */
struct page_state {
	uint64_t page;
	uint64_t lsn;
	uint32_t refs;
	bool dirty;
	bool reserved;
	bool used;
};

/**
 * struct pagevec - a page vector
 * @entry: hash table, linear probing
 * @size: its entries, a power of two, or 0
 * @count: entries taken
 */
struct pagevec {
	struct page_state *entry;
	size_t size;
	size_t count;
};

/** pagevec_init() - an empty vector; it needs no memory */
void pagevec_init(struct pagevec *vec);

/** pagevec_free() - free the memory */
void pagevec_free(struct pagevec *vec);

/** pagevec_get() - what is known of a page, or NULL; valid until the next make or drop */
struct page_state *pagevec_get(const struct pagevec *vec, uint64_t page);

/** pagevec_make() - the same, with an entry made if there is none; NULL: no memory */
struct page_state *pagevec_make(struct pagevec *vec, uint64_t page);

/** pagevec_drop() - forget a page that has an entry */
void pagevec_drop(struct pagevec *vec, struct page_state *state);

#endif
