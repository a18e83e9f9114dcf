// SPDX-License-Identifier: GPL-2.0
/* The end: pages are write-protected, kept or restored, and have no owner any more. */

#include <linux/list_sort.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/sort.h>

#include "compat.h"
#include "conflict.h"
#include "end.h"
#include "event.h"
#include "page.h"
#include "region.h"
#include "trace.h"

unsigned int rvmt_end_retain = RVMT_RETAIN_DEFAULT;

/**
 * struct end - what is done to pages that are write-protected
 * @region: where
 * @done: where the structures of owned pages go; NULL for loose ones, which have no more
 * @lsn: end of the log record
 * @flags: enum rvm_track_end_flags
 */
struct end {
	struct rvmt_region *region;
	struct list_head *done;
	u64 lsn;
	u32 flags;
};

/*
 * Lock the first folio and those after it that are near.  With the folios
 * locked nobody can make their pages writable: a fault waits in page_mkwrite()
 * and a migration, which would put a writable entry back, waits as well.
 */
static unsigned int lock_run(struct folio **folio, unsigned int n)
{
	unsigned int i;

	folio_lock(folio[0]);
	for (i = 1; i < n; i++) {
		if (folio[i]->index - folio[i - 1]->index > RVMT_DENSE_GAP ||
		    !folio_trylock(folio[i]))
			break;
	}
	return i;
}

/*
 * Write-protect a run of locked folios in one walk of the page tables.  Entries
 * between them become read-only too, which costs their owners a fault and loses
 * nothing: a page is marked dirty before it becomes writable.  The dirty bits
 * must go as well, because mprotect(2) and NUMA hinting make a dirty entry of a
 * shared mapping writable without asking page_mkwrite().  An owned page whose entry
 * was not dirty has lost the one that it was stored to by.
 */
static void protect_dense(struct rvmt_region *region, struct folio **folio, unsigned int n)
{
	struct address_space *mapping = region->inode->i_mapping;
	pgoff_t first = folio[0]->index, nr = folio[n - 1]->index - first + 1;
	unsigned long *dirty = region->batch.dirty;
	pgoff_t start = nr, end = 0;
	unsigned int i;

	bitmap_zero(dirty, nr);
	wp_shared_mapping_range(mapping, first, nr);
	clean_record_shared_mapping_range(mapping, first, nr, first, dirty, &start, &end);
	for (i = 0; i < n; i++)
		if (!test_bit(folio[i]->index - first, dirty))
			rvmt_page_flush(region, folio[i]);
}

static void protect_run(struct rvmt_region *region, struct folio **folio, unsigned int n)
{
	unsigned int i;

	if (IS_ENABLED(CONFIG_MAPPING_DIRTY_HELPERS) && n >= RVMT_DENSE_MIN &&
	    READ_ONCE(region->vmas) <= 1) {
		protect_dense(region, folio, n);
		return;
	}
	for (i = 0; i < n; i++)
		rvmt_page_protect(region, folio[i]);
}

/* Raise a word's LSN; the library may raise it at the same time. */
static void raise_lsn(struct rvm_track_word *word, u64 lsn)
{
	unsigned int tries;
	u64 old = READ_ONCE(word->lsn), seen;

	for (tries = 0; old < lsn && tries < RVMT_LSN_TRIES; tries++) {
		seen = cmpxchg64(&word->lsn, old, lsn);
		if (seen == old)
			return;
		old = seen;
	}
	if (old < lsn)
		WRITE_ONCE(word->lsn, lsn);
}

/* A hot page mostly is what it was. */
static void restore(struct rvmt_region *region, struct rvmt_page *page)
{
	void *live = folio_address(page->folio), *was = page_address(page->preimage);

	if (!memcmp(live, was, PAGE_SIZE))
		return;
	memcpy(live, was, PAGE_SIZE);
	atomic64_inc(&region->stats.rolled_back);
}

/* Take a write-protected page from its owner. */
static void disown(const struct end *end, struct rvmt_page *page)
{
	if (end->flags & RVM_TRACK_END_ABORT)
		restore(end->region, page);
	else
		raise_lsn(page->word, end->lsn);
	WRITE_ONCE(page->word->slot, 0);
	rvmt_page_detach(page);
	list_move(&page->link, end->done);
}

static int by_index(void *priv, const struct list_head *a, const struct list_head *b)
{
	pgoff_t x = list_entry(a, struct rvmt_page, link)->folio->index;
	pgoff_t y = list_entry(b, struct rvmt_page, link)->folio->index;

	return x < y ? -1 : x > y;
}

/* Move the pages of a chain to a list; its lock is held. */
static void empty_chain(struct rvmt_tx *tx, struct list_head *pages)
{
	list_splice_tail_init(&tx->pages, pages);
	tx->count = 0;
	WRITE_ONCE(tx->shared->first, 0);
	WRITE_ONCE(tx->shared->count, 0);
	WRITE_ONCE(tx->shared->conflict, 0);
	WRITE_ONCE(tx->shared->tid, 0);
}

/* Move the pages of a transaction to a list, and free its chain. */
static void take_pages(struct rvmt_region *region, u32 tid, struct list_head *pages)
{
	struct rvmt_tx *tx = rvmt_region_tx(region, tid);

	spin_lock(&region->lock);
	if (tx->tid == tid) {
		region->nr_owned -= tx->count;
		WRITE_ONCE(region->ctl->owned, region->nr_owned);
		empty_chain(tx, pages);
	}
	spin_unlock(&region->lock);
}

static void take_hot(struct rvmt_region *region, struct list_head *pages)
{
	spin_lock(&region->lock);
	empty_chain(&region->hot, pages);
	spin_unlock(&region->lock);
}

/*
 * Move marked pages to the chain of the hot ones.  The mark is the library's: what it
 * says decides who is told of the next store to a page, and nothing else.
 */
static void keep_marked(struct rvmt_region *region, struct list_head *pages)
{
	struct rvmt_page *page, *next;

	list_for_each_entry_safe(page, next, pages, link) {
		cond_resched();
		if (!(READ_ONCE(page->word->hold) & RVM_TRACK_HOLD_HOT))
			continue;
		list_del(&page->link);
		page->desc->ip = 0;
		page->desc->tid = 0;
		page->desc->thread = 0;
		page->desc->at = 0;
		spin_lock(&region->lock);
		rvmt_page_chain(&region->hot, page);
		spin_unlock(&region->lock);
	}
}

/* A page that was loose may have got an owner since, and keeps it. */
static void end_page(const struct end *end, struct folio *folio)
{
	struct rvmt_page *page = rvmt_page_get(folio);

	if (end->done)
		disown(end, page);
	else if (page && !page->slot)
		rvmt_page_unloose(end->region, folio);
}

/* Get references to the first pages of a list. */
static unsigned int get_first(const struct list_head *pages, struct folio **folio)
{
	struct rvmt_page *page;
	unsigned int n = 0;

	list_for_each_entry(page, pages, link) {
		folio_get(page->folio);
		folio[n++] = page->folio;
		if (n == RVMT_BATCH)
			break;
	}
	return n;
}

/* Write-protect pages, in order of their index, and end them; drop the references. */
static void end_batch(const struct end *end, struct folio **folio, unsigned int n)
{
	unsigned int i, run;

	for (; n; folio += run, n -= run) {
		run = lock_run(folio, n);
		protect_run(end->region, folio, run);
		for (i = 0; i < run; i++) {
			end_page(end, folio[i]);
			folio_unlock(folio[i]);
			folio_put(folio[i]);
		}
	}
	cond_resched();
}

/* Keep some slots with their arena pages at hand and free the others. */
static void put_slots(struct rvmt_region *region, struct list_head *done, u32 n)
{
	struct rvmt_page *page;
	LIST_HEAD(drop);

	spin_lock(&region->lock);
	list_splice(done, &region->idle);
	region->nr_idle += n;
	while (region->nr_idle > READ_ONCE(rvmt_end_retain)) {
		page = list_last_entry(&region->idle, struct rvmt_page, link);
		list_move(&page->link, &drop);
		region->nr_idle--;
	}
	spin_unlock(&region->lock);
	rvmt_page_drop_slots(region, &drop);
}

static u64 end_pages(struct rvmt_region *region, struct list_head *pages, u64 lsn, u32 flags)
{
	struct folio **folio = region->batch.folio;
	LIST_HEAD(done);
	struct end end = { .region = region, .done = &done, .lsn = lsn, .flags = flags };
	unsigned int n;
	u64 all = 0;

	lockdep_assert_held(&region->tx_mutex);
	list_sort(NULL, pages, by_index);
	for (; !list_empty(pages); all += n) {
		n = get_first(pages, folio);
		end_batch(&end, folio, n);
	}
	put_slots(region, &done, all);
	return all;
}

u64 rvmt_end_tx(struct rvmt_region *region, u32 tid, u64 lsn, u32 flags)
{
	LIST_HEAD(pages);
	u64 n;

	mutex_lock(&region->tx_mutex);
	if (tid)
		take_pages(region, tid, &pages);
	if (flags & RVM_TRACK_END_STRAYS)
		take_pages(region, 0, &pages);
	if (flags & RVM_TRACK_END_HOT)
		take_hot(region, &pages);
	if (flags & RVM_TRACK_END_KEEP)
		keep_marked(region, &pages);
	n = end_pages(region, &pages, lsn, flags);
	rvmt_conflict_wake(region);
	mutex_unlock(&region->tx_mutex);
	trace_rvm_track_end(region->id, tid, lsn, flags, n);
	return n;
}

static int compare_folio(const void *a, const void *b)
{
	const struct folio *x = *(const struct folio **)a, *y = *(const struct folio **)b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static unsigned int get_loose(struct rvmt_region *region, struct folio **folio)
{
	unsigned int n;

	spin_lock(&region->lock);
	n = get_first(&region->loose, folio);
	spin_unlock(&region->lock);
	sort(folio, n, sizeof(*folio), compare_folio, NULL);
	return n;
}

static void arm_all(struct rvmt_region *region)
{
	struct folio **folio = region->batch.folio;
	struct end end = { .region = region };
	unsigned int n = 1;
	long left;

	lockdep_assert_held(&region->tx_mutex);
	/* Pages that become loose meanwhile are no business of this command. */
	spin_lock(&region->lock);
	left = region->nr_loose;
	spin_unlock(&region->lock);
	for (; left > 0 && n; left -= n) {
		n = get_loose(region, folio);
		end_batch(&end, folio, n);
	}
}

void rvmt_end_loose(struct rvmt_region *region)
{
	mutex_lock(&region->tx_mutex);
	arm_all(region);
	mutex_unlock(&region->tx_mutex);
}

void rvmt_end_all(struct rvmt_region *region)
{
	u64 before, n;
	LIST_HEAD(pages);
	u32 i;

	mutex_lock(&region->tx_mutex);
	for (i = 0; i < RVM_TRACK_TXS; i++)
		take_pages(region, region->tx[i].tid, &pages);
	take_hot(region, &pages);
	before = atomic64_read(&region->stats.rolled_back);
	end_pages(region, &pages, 0, RVM_TRACK_END_ABORT);
	n = atomic64_read(&region->stats.rolled_back) - before;
	arm_all(region);
	mutex_unlock(&region->tx_mutex);
	if (n)
		rvmt_event_owner_exit(region, n);
	trace_rvm_track_end(region->id, 0, 0, RVM_TRACK_END_ABORT | RVM_TRACK_END_STRAYS, n);
}
