/* SPDX-License-Identifier: GPL-2.0 */
/* A page of a region: filled from the segment, dirty, owned or loose. */
#ifndef _RVMT_PAGE_H
#define _RVMT_PAGE_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/pagemap.h>
#include <linux/rvm_track.h>
#include <linux/types.h>

struct rvmt_region;
struct rvmt_tx;

/**
 * struct rvmt_page - what the module knows of a page that is owned, hot or loose
 * @link: in the list of the owner, of the hot, of the loose or of the idle
 * @folio: the page; this structure is the folio's private data and holds the
 *	reference that goes with it, so such a page is neither freed nor migrated
 * @word: the page's word
 * @desc: the slot's descriptor, NULL if loose
 * @preimage: the slot's arena page, NULL if loose
 * @slot: the slot, 0 if loose
 * @tid: the owner, 0 for nobody
 * @met: when a store of another transaction met the page, in jiffies, 0 for never
 *
 *	          first write            first write, no exclusive
 *	  +------- (none) <---------+-----------+ (none) -----+
 *	  v                         |           |             v
 *	owned --- TX_END, death ----+           +-- ARM --- loose
 *	  |  ^                      |           |             |
 *	  |  |                      |  WRITEBACK, death       |
 *	  |  +------------- write, exclusive or tracked ------+
 *	  |                         |
 *	  +- TX_END KEEP --> hot ---+ TX_END HOT, death
 *
 * Every transition is made under the folio lock.
 */
struct rvmt_page {
	struct list_head link;
	struct folio *folio;
	struct rvm_track_word *word;
	struct rvm_track_slot *desc;
	struct page *preimage;
	u32 slot;
	u32 tid;
	unsigned long met;
};

extern const struct address_space_operations rvmt_page_aops;

/**
 * rvmt_page_init() - make the cache of struct rvmt_page
 *
 * Return: 0 or -ENOMEM.
 */
int rvmt_page_init(void);

/** rvmt_page_exit() - destroy the cache of struct rvmt_page */
void rvmt_page_exit(void);

/**
 * rvmt_page_new_loose() - make a structure without a slot
 *
 * Return: the structure, or NULL for lack of memory.
 */
struct rvmt_page *rvmt_page_new_loose(void);

/**
 * rvmt_page_new_slot() - make a structure with a slot of its own
 * @region: where
 *
 * Return: the structure, -ENOMEM, or -EBUSY if no slot is free.
 */
struct rvmt_page *rvmt_page_new_slot(struct rvmt_region *region);

/**
 * rvmt_page_drop_slots() - give slots and their arena pages back
 * @region: where
 * @pages: struct rvmt_page.link, none of them attached; empty afterwards
 */
void rvmt_page_drop_slots(struct rvmt_region *region, struct list_head *pages);

/**
 * rvmt_page_free() - free a structure, but not what it points to
 * @page: the structure
 */
void rvmt_page_free(struct rvmt_page *page);

/**
 * rvmt_page_free_list() - free the structures in a list
 * @pages: struct rvmt_page.link; empty afterwards
 */
void rvmt_page_free_list(struct list_head *pages);

/**
 * rvmt_page_get() - what the module knows of a folio
 * @folio: locked, or known to be attached
 *
 * Return: the structure, or NULL if the page is neither owned nor loose.
 */
static inline struct rvmt_page *rvmt_page_get(struct folio *folio)
{
	return folio_get_private(folio);
}

/**
 * rvmt_page_detach() - a structure is its folio's private data no longer
 * @page: the structure; its folio is locked
 */
void rvmt_page_detach(struct rvmt_page *page);

/**
 * rvmt_page_flush() - no processor stores to a page by an entry that is in no page table
 * @region: where
 * @folio: locked; its next access may fault
 *
 * Reclaim takes the entries of many pages away and tells the other processors once, when it is
 * done with all (TTU_BATCH_FLUSH).  Until then they store by what they remember, and nothing
 * that looks at the page tables sees it.  Whoever takes entries away in an ordinary manner
 * makes up for that before it looks, in the whole address space (flush_tlb_batched_pending());
 * where there is no page table any more somebody has done so since.
 */
void rvmt_page_flush(struct rvmt_region *region, struct folio *folio);

/**
 * rvmt_page_protect() - the next store to a page faults
 * @region: where
 * @folio: locked; owned, hot or loose: a page that was stored to through some mapping
 */
void rvmt_page_protect(struct rvmt_region *region, struct folio *folio);

/**
 * rvmt_page_chain() - put a page at the front of a chain
 * @tx: the chain; the region's lock is held
 * @page: the page, with a slot and in no list
 */
void rvmt_page_chain(struct rvmt_tx *tx, struct rvmt_page *page);

/**
 * rvmt_page_name_chain() - a chain without pages is that of a transaction
 * @tx: the chain; the region's lock is held
 * @tid: the transaction
 */
void rvmt_page_name_chain(struct rvmt_tx *tx, u32 tid);

/**
 * rvmt_page_unloose() - a page is not writable any more
 * @region: where
 * @folio: locked and write-protected, not owned; need not be loose
 */
void rvmt_page_unloose(struct rvmt_region *region, struct folio *folio);

/**
 * rvmt_page_next_dirty() - find a dirty page
 * @mapping: the region's page cache
 * @index: where to begin; where one was found
 * @last: where to end
 *
 * The cost is that of the dirty pages, not of the resident ones.
 *
 * Return: whether there is one.
 */
bool rvmt_page_next_dirty(struct address_space *mapping, pgoff_t *index, pgoff_t last);

/**
 * rvmt_page_clear_dirty() - take the dirty flag and its mark away
 * @folio: locked and write-protected
 */
void rvmt_page_clear_dirty(struct folio *folio);

#endif /* _RVMT_PAGE_H */
