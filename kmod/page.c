// SPDX-License-Identifier: GPL-2.0
/* A page of a region: filled from the segment, dirty, owned or loose. */

#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "page.h"
#include "region.h"

static struct kmem_cache *page_cache;

int rvmt_page_init(void)
{
	page_cache = KMEM_CACHE(rvmt_page, SLAB_ACCOUNT);
	return page_cache ? 0 : -ENOMEM;
}

void rvmt_page_exit(void)
{
	kmem_cache_destroy(page_cache);
}

struct rvmt_page *rvmt_page_new_loose(void)
{
	return kmem_cache_zalloc(page_cache, GFP_NOFS);
}

void rvmt_page_free(struct rvmt_page *page)
{
	kmem_cache_free(page_cache, page);
}

void rvmt_page_free_list(struct list_head *pages)
{
	struct rvmt_page *page, *next;

	list_for_each_entry_safe(page, next, pages, link)
		rvmt_page_free(page);
	INIT_LIST_HEAD(pages);
}

/* Number the slot; the lowest free number keeps the descriptors dense. */
static int number_slot(struct rvmt_region *region, struct rvmt_page *page)
{
	int err;

	err = xa_alloc(&region->arena, &page->slot, page->preimage,
		       XA_LIMIT(1, region->slots), GFP_NOFS);
	if (err)
		return err;
	page->desc = rvmt_region_desc(region, page->slot);
	if (page->desc)
		return 0;
	xa_erase(&region->arena, page->slot);
	return -ENOMEM;
}

struct rvmt_page *rvmt_page_new_slot(struct rvmt_region *region)
{
	struct rvmt_page *page = rvmt_page_new_loose();
	int err = -ENOMEM;

	if (!page)
		return ERR_PTR(err);
	page->preimage = alloc_page(GFP_NOFS | __GFP_ACCOUNT);
	if (!page->preimage)
		goto err_page;
	err = number_slot(region, page);
	if (!err)
		return page;
	put_page(page->preimage);
err_page:
	rvmt_page_free(page);
	return ERR_PTR(err);
}

void rvmt_page_drop_slots(struct rvmt_region *region, struct list_head *pages)
{
	loff_t first = U32_MAX, last = 0;
	struct rvmt_page *page;

	lockdep_assert_held(&region->tx_mutex);
	if (list_empty(pages))
		return;
	/*
	 * A fault maps an arena page under its lock and only while it is in
	 * the arena: after the loop no new mapping of these can appear.
	 */
	list_for_each_entry(page, pages, link) {
		lock_page(page->preimage);
		xa_erase(&region->arena, page->slot);
		unlock_page(page->preimage);
		first = min_t(loff_t, first, page->slot);
		last = max_t(loff_t, last, page->slot);
	}
	unmap_mapping_range(region->inode->i_mapping,
			    RVM_TRACK_MMAP_ARENA + (first << PAGE_SHIFT),
			    (last - first + 1) << PAGE_SHIFT, 1);
	list_for_each_entry(page, pages, link)
		put_page(page->preimage);
	rvmt_page_free_list(pages);
}

void rvmt_page_detach(struct rvmt_page *page)
{
	folio_detach_private(page->folio);
	page->folio = NULL;
}

void rvmt_page_flush(struct rvmt_region *region, struct folio *folio)
{
	unmap_mapping_pages(region->inode->i_mapping, folio->index, 1, false);
}

/* An entry that is found is also flushed; one that is missing may have been taken by reclaim. */
void rvmt_page_protect(struct rvmt_region *region, struct folio *folio)
{
	unsigned int found = folio_mkclean(folio);

	if (found < READ_ONCE(region->vmas))
		rvmt_page_flush(region, folio);
}

void rvmt_page_chain(struct rvmt_tx *tx, struct rvmt_page *page)
{
	page->desc->next = 0;
	if (tx->count)
		page->desc->next = list_first_entry(&tx->pages, struct rvmt_page, link)->slot;
	list_add(&page->link, &tx->pages);
	WRITE_ONCE(tx->shared->count, ++tx->count);
	smp_store_release(&tx->shared->first, page->slot);	/* pairs with the library's walk */
}

void rvmt_page_name_chain(struct rvmt_tx *tx, u32 tid)
{
	if (tx->tid != tid)
		WRITE_ONCE(tx->shared->conflict, 0);
	tx->tid = tid;
	/* pairs with the library's look for a conflict */
	smp_store_release(&tx->shared->tid, tid);
}

void rvmt_page_unloose(struct rvmt_region *region, struct folio *folio)
{
	struct rvmt_page *page = rvmt_page_get(folio);

	if (!page)
		return;
	spin_lock(&region->lock);
	list_del(&page->link);
	WRITE_ONCE(region->ctl->loose, --region->nr_loose);
	spin_unlock(&region->lock);
	rvmt_page_detach(page);
	rvmt_page_free(page);
}

bool rvmt_page_next_dirty(struct address_space *mapping, pgoff_t *index, pgoff_t last)
{
	return xa_find(&mapping->i_pages, index, last, PAGECACHE_TAG_DIRTY);
}

/* Flag and mark change together under the lock of the page cache. */
void rvmt_page_clear_dirty(struct folio *folio)
{
	struct xarray *pages = &folio->mapping->i_pages;
	struct rvmt_region *region = folio->mapping->host->i_private;
	unsigned long flags;

	xa_lock_irqsave(pages, flags);
	if (folio_test_clear_dirty(folio))
		atomic64_dec(&region->stats.dirty);
	__xa_clear_mark(pages, folio->index, PAGECACHE_TAG_DIRTY);
	xa_unlock_irqrestore(pages, flags);
}

/*
 * The inode has no writeback, so the generic code neither counts dirty pages
 * nor marks them; the mark is for rvmt_page_next_dirty() alone.
 */
static bool dirty_folio(struct address_space *mapping, struct folio *folio)
{
	struct rvmt_region *region = mapping->host->i_private;
	unsigned long flags;
	bool was_clean;

	if (folio_test_dirty(folio))
		return false;
	xa_lock_irqsave(&mapping->i_pages, flags);
	was_clean = !folio_test_set_dirty(folio);
	if (was_clean)
		atomic64_inc(&region->stats.dirty);
	if (folio->mapping == mapping)
		__xa_set_mark(&mapping->i_pages, folio->index, PAGECACHE_TAG_DIRTY);
	xa_unlock_irqrestore(&mapping->i_pages, flags);
	return was_clean;
}

/* Read past the segment's page cache, if that needs no lock of its inode. */
static ssize_t read_direct(struct file *seg, struct folio *folio, loff_t pos)
{
	struct bio_vec bvec = {
		.bv_page = &folio->page,
		.bv_len = PAGE_SIZE,
	};
	struct kiocb kiocb;
	struct iov_iter iter;

	if (!(seg->f_mode & FMODE_CAN_ODIRECT) || !(seg->f_mode & FMODE_NOWAIT))
		return -EOPNOTSUPP;
	init_sync_kiocb(&kiocb, seg);
	kiocb.ki_pos = pos;
	kiocb.ki_flags = IOCB_DIRECT | IOCB_NOWAIT;
	iov_iter_bvec(&iter, ITER_DEST, &bvec, 1, PAGE_SIZE);
	return vfs_iocb_iter_read(seg, &kiocb, &iter);
}

/*
 * Read through the segment's page cache.  Unlike read(2) this takes no lock of
 * the inode, which somebody may hold who writes the segment from a page of this
 * very region.  The page is not wanted twice, so it goes again.
 */
static ssize_t read_cached(struct file *seg, struct folio *folio, loff_t pos)
{
	struct address_space *mapping = seg->f_mapping;
	struct folio *cached;
	ssize_t ret = 0;

	if (!mapping->a_ops->read_folio)	/* a page cache of another kind, if any */
		return kernel_read(seg, folio_address(folio), PAGE_SIZE, &pos);
	filemap_invalidate_lock_shared(mapping);
	if (pos + PAGE_SIZE > i_size_read(mapping->host))
		goto out;
	cached = read_mapping_folio(mapping, pos >> PAGE_SHIFT, seg);
	if (IS_ERR(cached)) {
		ret = PTR_ERR(cached);
		goto out;
	}
	memcpy_from_page(folio_address(folio), folio_file_page(cached, pos >> PAGE_SHIFT),
			 0, PAGE_SIZE);
	folio_put(cached);
	ret = PAGE_SIZE;
out:
	filemap_invalidate_unlock_shared(mapping);
	if (ret > 0)
		invalidate_mapping_pages(mapping, pos >> PAGE_SHIFT, pos >> PAGE_SHIFT);
	return ret;
}

static int read_folio(struct file *file, struct folio *folio)
{
	struct rvmt_region *region = folio->mapping->host->i_private;
	loff_t pos = region->offset + folio_pos(folio);
	unsigned int nofs = memalloc_nofs_save();
	ssize_t ret;

	ret = read_direct(region->seg, folio, pos);
	if (ret != PAGE_SIZE)
		ret = read_cached(region->seg, folio, pos);
	memalloc_nofs_restore(nofs);
	if (ret == PAGE_SIZE) {
		atomic64_inc(&region->stats.read);
		folio_mark_uptodate(folio);
		ret = 0;
	} else if (ret >= 0) {
		ret = -EIO;	/* the segment has shrunk */
	}
	folio_unlock(folio);
	return ret;
}

/* The generic code must not take the private data of an owned page away. */
static bool release_folio(struct folio *folio, gfp_t gfp)
{
	return false;
}

static int migrate_region_folio(struct address_space *mapping, struct folio *dst,
				struct folio *src, enum migrate_mode mode)
{
	/* Not -EAGAIN: the page stays for as long as its transaction. */
	if (folio_test_private(src))
		return -EBUSY;
	return migrate_folio(mapping, dst, src, mode);
}

const struct address_space_operations rvmt_page_aops = {
	.read_folio = read_folio,
	.dirty_folio = dirty_folio,
	.release_folio = release_folio,
	.migrate_folio = migrate_region_folio,
};
