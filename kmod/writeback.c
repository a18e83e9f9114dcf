// SPDX-License-Identifier: GPL-2.0
/* Writing pages back to the segment, never one that is not committed. */

#include <linux/atomic.h>
#include <linux/blkdev.h>
#include <linux/bvec.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/errseq.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat.h"
#include "event.h"
#include "page.h"
#include "region.h"
#include "shortage.h"
#include "trace.h"
#include "writeback.h"

struct chunk;

/**
 * struct io - one write of consecutive pages
 * @kiocb: for the file system
 * @iter: over the chunk's bvecs
 * @chunk: to which it belongs
 * @at: its first page in the chunk
 * @n: how many pages
 * @ret: what the write returned
 */
struct io {
	struct kiocb kiocb;
	struct iov_iter iter;
	struct chunk *chunk;
	unsigned int at;
	unsigned int n;
	ssize_t ret;
};

/**
 * struct chunk - pages in flight at once
 * @bvec: copies of the pages: a writer of the region never waits for I/O, and
 *	what it writes meanwhile does not reach the segment
 * @index: of each page
 * @io: the writes
 * @n: how many pages
 * @nr_io: how many writes
 * @pending: writes that are not complete, and one for the submitter
 * @done: all are complete
 */
struct chunk {
	struct bio_vec bvec[RVMT_WB_CHUNK];
	pgoff_t index[RVMT_WB_CHUNK];
	struct io io[RVMT_WB_CHUNK];
	unsigned int n;
	unsigned int nr_io;
	atomic_t pending;
	struct completion done;
};

/**
 * struct work - a writeback under way
 * @region: where
 * @wb: what was asked for
 * @chunk: the pages in flight
 * @kept: pages written but not yet synced; they keep a reference, because a
 *	clean page could be reclaimed and its contents lost if the sync fails
 * @max_kept: room in @kept
 * @nr_kept: how many are there
 * @cursor: next page of the range, or next entry of the list
 * @since: the segment's write errors up to now
 */
struct work {
	struct rvmt_region *region;
	struct rvmt_wb *wb;
	struct chunk *chunk;
	struct folio **kept;
	unsigned int max_kept;
	unsigned int nr_kept;
	pgoff_t cursor;
	errseq_t since;
};

/* The next page that may be dirty. */
static bool next_page(struct work *w, pgoff_t *index)
{
	if (w->wb->list) {
		if (w->cursor == w->wb->count)
			return false;
		*index = w->wb->list[w->cursor++];
		return true;
	}
	*index = w->cursor;
	if (*index > w->wb->last ||
	    !rvmt_page_next_dirty(w->region->inode->i_mapping, index, w->wb->last))
		return false;
	w->cursor = *index + 1;
	return true;
}

/* May a page without owner be written to the segment, by what its word says? */
static bool writable(const struct rvmt_region *region, const struct rvm_track_word *word)
{
	/* The library stores lsn and then lowers hold. */
	return !RVM_TRACK_HOLD_COUNT(smp_load_acquire(&word->hold)) &&
	       READ_ONCE(word->lsn) <= READ_ONCE(region->ctl->durable_lsn);
}

/*
 * Copy the slot of a locked page, if the library says that it is its committed state.
 *
 * The library raises hold before it appends the record whose bytes it puts into the slot, and
 * lowers it after both these and the lsn are there: so a copy that has some of the bytes is
 * followed by a look at the word that sees hold or the lsn, and one that lacks some is of a
 * slot whose record nobody knows to be durable.
 *
 * The page stays dirty: its next store is not seen.
 */
static int copy_slot_out(struct rvmt_region *region, const struct rvmt_page *page, struct page *to)
{
	if (!(READ_ONCE(page->word->hold) & RVM_TRACK_HOLD_HOT) || !writable(region, page->word))
		return -EBUSY;
	memcpy(page_address(to), page_address(page->preimage), PAGE_SIZE);
	smp_rmb();	/* pairs with the library's, between hold and slot */
	return writable(region, page->word) ? 1 : -EBUSY;
}

/*
 * Copy a locked page that may be written, and make it clean.
 *
 * The word is read again after the page is write-protected.  A library that
 * stores to the page without a transaction raises hold before it stores: either
 * that is seen here, or the store comes after the protection, faults, and waits
 * for the folio lock until the copy is made.
 *
 * Return: 1 if it was copied, 0 if it is clean, -EBUSY or -ENOMEM.
 */
static int copy_page_out(struct rvmt_region *region, struct folio *folio, struct page *to)
{
	struct rvmt_page *page = rvmt_page_get(folio);
	struct rvm_track_word *word;

	if (folio->mapping != region->inode->i_mapping || !folio_test_dirty(folio))
		return 0;
	if (page && page->slot)
		return copy_slot_out(region, page, to);
	word = rvmt_region_word(region, folio->index);
	if (!word)
		return -ENOMEM;
	if (!writable(region, word))
		return -EBUSY;
	/* One that is neither owned, hot nor loose is protected already. */
	if (page)
		rvmt_page_protect(region, folio);
	smp_mb();	/* pairs with the library's, between hold and store */
	rvmt_page_unloose(region, folio);
	if (!writable(region, word))
		return -EBUSY;
	memcpy(page_address(to), folio_address(folio), PAGE_SIZE);
	rvmt_page_clear_dirty(folio);
	return 1;
}

static void note_busy(struct work *w, pgoff_t index)
{
	struct rvmt_wb *wb = w->wb;

	wb->busy_count++;
	atomic64_inc(&w->region->stats.busy);
	if (wb->nr_busy < wb->max_busy)
		wb->busy[wb->nr_busy++] = index;
}

static int fill_bvec(struct bio_vec *bvec)
{
	if (bvec->bv_page)
		return 0;
	bvec->bv_page = alloc_page(GFP_NOFS);
	bvec->bv_len = PAGE_SIZE;
	return bvec->bv_page ? 0 : -ENOMEM;
}

/* Take one page into the chunk if it may be written. */
static int gather_page(struct work *w, pgoff_t index)
{
	struct folio *folio = rvmt_find_folio(w->region->inode->i_mapping, index);
	struct chunk *chunk = w->chunk;
	int ret;

	if (!folio)
		return 0;
	ret = fill_bvec(&chunk->bvec[chunk->n]);
	if (!ret) {
		folio_lock(folio);
		ret = copy_page_out(w->region, folio, chunk->bvec[chunk->n].bv_page);
		folio_unlock(folio);
	}
	if (ret > 0) {
		chunk->index[chunk->n++] = index;
		w->kept[w->nr_kept++] = folio;
		atomic64_inc(&w->region->kept);
		return 0;
	}
	folio_put(folio);
	if (ret == -EBUSY) {
		note_busy(w, index);
		ret = 0;
	}
	return ret;
}

/* Fill the chunk; an empty one means that all is done. */
static void gather(struct work *w)
{
	pgoff_t index;

	w->chunk->n = 0;
	while (w->chunk->n < RVMT_WB_CHUNK && w->nr_kept < w->max_kept && !w->wb->error &&
	       next_page(w, &index)) {
		w->wb->error = gather_page(w, index);
		cond_resched();
	}
}

static void put_pending(struct chunk *chunk)
{
	if (atomic_dec_and_test(&chunk->pending))
		complete(&chunk->done);
}

static void io_done(struct kiocb *kiocb, long ret)
{
	struct io *io = container_of(kiocb, struct io, kiocb);

	io->ret = ret;
	put_pending(io->chunk);
}

/* Length of the run of consecutive pages that begins here. */
static unsigned int run_length(const struct chunk *chunk, unsigned int at)
{
	unsigned int n = 1;

	while (at + n < chunk->n && chunk->index[at + n] == chunk->index[at] + n)
		n++;
	return n;
}

static void prepare_io(struct work *w, struct io *io)
{
	struct rvmt_region *region = w->region;

	init_sync_kiocb(&io->kiocb, region->seg);
	io->kiocb.ki_pos = region->offset + ((loff_t)w->chunk->index[io->at] << PAGE_SHIFT);
	io->kiocb.ki_flags = 0;
	iov_iter_bvec(&io->iter, ITER_SOURCE, &w->chunk->bvec[io->at], io->n,
		      (size_t)io->n << PAGE_SHIFT);
}

static void submit_io(struct work *w, struct io *io)
{
	ssize_t ret = -EOPNOTSUPP;

	prepare_io(w, io);
	io->kiocb.ki_flags = IOCB_DIRECT | IOCB_WRITE;
	io->kiocb.ki_complete = io_done;
	atomic_inc(&w->chunk->pending);
	if (w->region->seg->f_mode & FMODE_CAN_ODIRECT)
		ret = vfs_iocb_iter_write(w->region->seg, &io->kiocb, &io->iter);
	if (ret != -EIOCBQUEUED)
		io_done(&io->kiocb, ret);
}

static void submit_chunk(struct work *w)
{
	struct chunk *chunk = w->chunk;
	struct blk_plug plug;
	unsigned int at;

	atomic_set(&chunk->pending, 1);
	reinit_completion(&chunk->done);
	chunk->nr_io = 0;
	blk_start_plug(&plug);
	for (at = 0; at < chunk->n; at += run_length(chunk, at)) {
		struct io *io = &chunk->io[chunk->nr_io++];

		io->chunk = chunk;
		io->at = at;
		io->n = run_length(chunk, at);
		submit_io(w, io);
	}
	blk_finish_plug(&plug);
	put_pending(chunk);
	wait_for_completion(&chunk->done);
}

/* The outcome of a write; where direct I/O cannot do it, write through the cache. */
static int finish_io(struct work *w, struct io *io)
{
	ssize_t len = (ssize_t)io->n << PAGE_SHIFT;

	if (io->ret >= 0 && io->ret != len)
		io->ret = -EINVAL;
	if (io->ret == -EINVAL || io->ret == -EOPNOTSUPP) {
		prepare_io(w, io);
		io->ret = vfs_iocb_iter_write(w->region->seg, &io->kiocb, &io->iter);
	}
	if (io->ret == len)
		return 0;
	return io->ret < 0 ? io->ret : -EIO;
}

static void write_chunk(struct work *w)
{
	struct chunk *chunk = w->chunk;
	unsigned int i;
	int err;

	submit_chunk(w);
	for (i = 0; i < chunk->nr_io; i++) {
		err = finish_io(w, &chunk->io[i]);
		if (!err)
			continue;
		rvmt_event_io_error(w->region, chunk->index[chunk->io[i].at], err);
		w->wb->error = w->wb->error ?: err;
	}
}

/* Make what was written durable. */
static void sync_segment(struct work *w)
{
	struct file *seg = w->region->seg;
	int err;

	err = vfs_fsync(seg, 1) ?: filemap_check_wb_err(seg->f_mapping, w->since);
	if (!err)
		return;
	w->wb->error = err;
	rvmt_event_io_error(w->region, w->kept[0]->index, err);
}

/* Release the pages written; after an error they are dirty again. */
static void settle(struct work *w)
{
	unsigned int i;

	if (!w->nr_kept)
		return;
	if (!w->wb->error)
		sync_segment(w);
	for (i = 0; i < w->nr_kept; i++) {
		if (w->wb->error) {
			folio_lock(w->kept[i]);
			folio_mark_dirty(w->kept[i]);
			folio_unlock(w->kept[i]);
		}
		folio_put(w->kept[i]);
	}
	if (!w->wb->error) {
		w->wb->written += w->nr_kept;
		atomic64_add(w->nr_kept, &w->region->stats.written);
	}
	atomic64_sub(w->nr_kept, &w->region->kept);
	w->nr_kept = 0;
	rvmt_shortage_eased();
}

static void write_all(struct work *w)
{
	file_start_write(w->region->seg);
	for (;;) {
		gather(w);
		if (w->chunk->n)
			write_chunk(w);
		if (!w->chunk->n || w->wb->error)
			break;
		if (w->nr_kept == w->max_kept || rvmt_shortage_lasts())
			settle(w);
	}
	file_end_write(w->region->seg);
	settle(w);
}

static int alloc_work(struct work *w)
{
	u64 asked = w->wb->list ? w->wb->count : w->wb->last - w->wb->first + 1ULL;
	u64 most = min_t(u64, RVMT_WB_SYNC, totalram_pages() / RVMT_WB_SHARE + 1);

	w->max_kept = clamp_t(u64, asked, 1, most);
	w->kept = kvmalloc_array(w->max_kept, sizeof(*w->kept), GFP_KERNEL);
	w->chunk = kvzalloc(sizeof(*w->chunk), GFP_KERNEL);
	if (!w->kept || !w->chunk)
		return -ENOMEM;
	init_completion(&w->chunk->done);
	return 0;
}

static void free_work(struct work *w)
{
	unsigned int i;

	for (i = 0; w->chunk && i < RVMT_WB_CHUNK && w->chunk->bvec[i].bv_page; i++)
		put_page(w->chunk->bvec[i].bv_page);
	kvfree(w->chunk);
	kvfree(w->kept);
}

void rvmt_writeback(struct rvmt_region *region, struct rvmt_wb *wb)
{
	struct work w = {
		.region = region,
		.wb = wb,
		.cursor = wb->list ? 0 : wb->first,
		.since = filemap_sample_wb_err(region->seg->f_mapping),
	};
	unsigned int nofs = memalloc_nofs_save();
	const struct cred *cred = override_creds(region->seg->f_cred);

	if (!wb->list)
		wb->last = min(wb->last, rvmt_region_pages(region) - 1);
	mutex_lock(&region->wb_mutex);
	wb->error = alloc_work(&w);
	if (!wb->error)
		write_all(&w);
	mutex_unlock(&region->wb_mutex);
	free_work(&w);
	revert_creds(cred);
	memalloc_nofs_restore(nofs);
	trace_rvm_track_writeback(region->id, wb->written, wb->busy_count, wb->error);
}
