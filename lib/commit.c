// SPDX-License-Identifier: LGPL-2.1-or-later
/* Commit and abort. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "commit.h"
#include "diff.h"
#include "err.h"
#include "format.h"
#include "log.h"
#include "part.h"
#include "region.h"
#include "segment.h"
#include "statistics.h"
#include "track.h"
#include "truncate.h"
#include "tx.h"

/* Equal bytes between two runs that cost less than a range of their own. */
#define JOIN	16

#define OLD_BUFFER	0x100000U /* bytes of old values read at once */
#define END_AT_ONCE	32	/* regions in which a transaction ends together */

/**
 * struct walk - a walk over the changed bytes of one region
 * @tx: the tracked transaction
 * @region: the region
 * @page: the page at hand
 * @noted: a range of it is among the transaction's
 */
struct walk {
	struct tx *tx;
	struct region *region;
	const struct track_page *page;
	bool noted;
};

static bool inside(const struct region *region, const struct log_range *range)
{
	return region->segment->id == range->segment && range->offset >= region->offset &&
	       range->offset - region->offset < region->length;
}

static int grow_ranges(struct tx *tx, size_t more)
{
	size_t n = tx->max_ranges ? tx->max_ranges : 16;
	struct log_range *ranges;

	while (n < tx->n_ranges + more)
		n *= 2;
	ranges = realloc(tx->ranges, n * sizeof(*ranges));
	if (!ranges)
		return err_set(ENOMEM, "out of memory for %zu ranges", n);
	tx->ranges = ranges;
	tx->max_ranges = n;
	return 0;
}

static int reserve_ranges(struct tx *tx, size_t more)
{
	return tx->n_ranges + more <= tx->max_ranges ? 0 : grow_ranges(tx, more);
}

/* There is room. */
static void add_range(struct tx *tx, struct region *region, uint64_t start, uint64_t end,
		      const void *data)
{
	tx->ranges[tx->n_ranges++] = (struct log_range) {
		.segment = region->segment->id,
		.offset = region->offset + start,
		.length = end - start,
		.data = data,
	};
}

static int note_dirty(struct region *region, uint64_t start, uint64_t end)
{
	if (region_note_dirty(region, start >> TRACK_PAGE_SHIFT, (end - 1) >> TRACK_PAGE_SHIFT))
		return err_set(ENOMEM, "out of memory to note which pages are changed");
	return 0;
}

static int gather_part(struct tx *tx, struct tx_part *part)
{
	const struct range *r;
	int err;

	err = reserve_ranges(tx, part->ranges.count);
	for (r = rangeset_first(&part->ranges); r && !err; r = rangeset_next(r)) {
		add_range(tx, part->region, r->start, r->end, part->base + r->start);
		err = note_dirty(part->region, r->start, r->end);
	}
	return err;
}

static uint64_t count_pieces(const struct rangeset *set)
{
	uint64_t pieces = set->count;

	if (set->bytes <= FORMAT_RANGE_MAX)
		return pieces;
	for (const struct range *r = rangeset_first(set); r; r = rangeset_next(r))
		pieces += (r->end - r->start - 1) / FORMAT_RANGE_MAX;
	return pieces;
}

/* Could the log ever hold an explicit transaction?  Nothing is gathered for it. */
static int fits(struct truncator *tr, const struct tx *tx)
{
	uint64_t pieces = 0, bytes = 0;

	for (const struct tx_part *part = tx->parts; part; part = part->next) {
		pieces += count_pieces(&part->ranges);
		bytes += part->ranges.bytes;
	}
	return log_fits(tr->log, pieces, bytes);
}

static int gather_declared(struct truncator *tr, struct tx *tx)
{
	int err = fits(tr, tx);

	for (struct tx_part *part = tx->parts; part && !err; part = part->next)
		err = gather_part(tx, part);
	return err;
}

static uint64_t page_of(const struct region *region, const struct log_range *range)
{
	return (range->offset - region->offset) >> TRACK_PAGE_SHIFT;
}

/*
 * Hold a page before its first range is noted: what is written back from here on until
 * finish_page() lacks the range, and may not count as written.
 */
static int note_page(struct walk *walk, uint64_t start, uint64_t end)
{
	struct tracker *tracker = walk->region->tracker;

	walk->noted = true;
	if (tracker->ops->hold)
		tracker->ops->hold(tracker, walk->page->page, walk->page->page);
	return note_dirty(walk->region, start, end);
}

/* The bytes may move, and the ranges with them. */
static int grow_bytes(struct tx *tx, size_t more)
{
	uintptr_t before = (uintptr_t)tx->bytes;
	int err = tx_grow(tx, more, 0);

	for (size_t i = 0; i < tx->n_ranges && !err; i++)
		tx->ranges[i].data = tx->bytes + ((uintptr_t)tx->ranges[i].data - before);
	return err;
}

static int reserve_bytes(struct tx *tx, size_t more)
{
	return tx->n_bytes + more <= tx->max_bytes ? 0 : grow_bytes(tx, more);
}

/*
 * A changed run is copied while no explicit transaction can declare bytes: what one
 * stores into bytes declared later never gets into this record.  There is room.
 */
static inline int add_changed(void *arg, uint64_t start, uint64_t end)
{
	struct walk *walk = arg;
	struct tx *tx = walk->tx;
	char *copy = tx->bytes + tx->n_bytes;

	memcpy(copy, walk->region->base + start, end - start);
	tx->n_bytes += end - start;
	add_range(tx, walk->region, start, end, copy);
	return walk->noted ? 0 : note_page(walk, start, end);
}

/* What others declared cuts a run into any number of pieces. */
static int add_piece(void *arg, uint64_t start, uint64_t end)
{
	struct walk *walk = arg;

	return reserve_ranges(walk->tx, 1) ? -ENOMEM : add_changed(walk, start, end);
}

static int undo_changed(void *arg, uint64_t start, uint64_t end)
{
	struct walk *walk = arg;
	uint64_t page = walk->page->page << TRACK_PAGE_SHIFT;

	memcpy(walk->page->live + (start - page), walk->page->committed + (start - page),
	       end - start);
	return 0;
}

/* Call @fn for each run of changed bytes that no explicit transaction declared; it becomes part. */
static inline __attribute__((always_inline))
int walk_page(struct walk *walk, const struct track_page *page, range_fn *fn)
{
	uint64_t base = page->page << TRACK_PAGE_SHIFT;
	struct diff_run runs[DIFF_RUNS(JOIN)];
	unsigned int n, i;
	int err = 0;

	walk->page = page;
	walk->noted = false;
	n = diff_page(page->live, page->committed, JOIN, runs);
	/* unreached: in undo_page() no run ends the walk, for undo_changed() never fails */
	for (i = 0; i < n && !err; i++)
		err = parts_gaps(walk->region->parts, base + runs[i].start, base + runs[i].end,
				 fn, walk);
	return err;
}

/* What is too big for the log is not gathered to its end. */
static int gather_page(void *arg, const struct track_page *page)
{
	struct walk *walk = arg;
	struct tx *tx = walk->tx;
	int err = log_fits(walk->region->log, tx->n_ranges + 1, tx->n_bytes + 1);

	if (err)
		return err;
	if (reserve_bytes(tx, DIFF_PAGE) || reserve_ranges(tx, DIFF_RUNS(JOIN)))
		return -ENOMEM;
	return walk->region->parts ? walk_page(walk, page, add_piece) :
				     walk_page(walk, page, add_changed);
}

static int undo_page(void *arg, const struct track_page *page)
{
	return walk_page(arg, page, undo_changed);
}

static int walk_region(struct tx *tx, struct region *region,
		       int (*visit)(void *walk, const struct track_page *page))
{
	struct walk walk = { .tx = tx, .region = region };
	struct tracker *tracker = region->tracker;
	int err;

	parts_lock(region);
	err = tracker->ops->collect(tracker, tx->tid, visit, &walk);
	parts_unlock(region);
	return err;
}

static int gather_changed(struct tx *tx)
{
	size_t i;
	int err = 0;

	for (i = 0; i < tx->n_tracked && !err; i++)
		err = walk_region(tx, tx->tracked[i], gather_page);
	return err;
}

static int append(struct truncator *tr, struct tx *tx, bool durable, uint64_t *lsn)
{
	int (*put)(struct log *log, uint64_t tid, const struct log_range *ranges,
		   unsigned int count, uint64_t *lsn) = durable ? log_append : log_spool;
	bool waited = false;
	int err;

	for (;;) {
		err = put(tr->log, tx->id, tx->ranges, tx->n_ranges, lsn);
		if (err != -ENOSPC)
			return err;
		if (!waited)
			statistics_wait();
		waited = true;
		statistics_truncation(STATISTICS_BY_COMMIT);
		err = truncate_make_room(tr);
		if (err)
			return err_add(err, "no room for the transaction: ");
	}
}

/*
 * The ranges of one page, that begin at @range, are in the log, or @lsn is 0: a committed state
 * that outlives the transaction takes their bytes, then the page may be written back again.
 * Returns how many they are; none lies in two pages.
 */
static size_t finish_page(struct region *region, const struct log_range *range, size_t left,
			  uint64_t lsn)
{
	const struct track_ops *ops = region->tracker->ops;
	uint64_t page = page_of(region, range);
	uint64_t base = range->offset & -TRACK_PAGE_SIZE;
	char *to = lsn ? ops->keep(region->tracker, page) : NULL;
	size_t n = 0;

	do {
		if (to)
			memcpy(to + (range[n].offset - base), range[n].data, range[n].length);
		n++;
	} while (n < left && range[n].offset - base < TRACK_PAGE_SIZE &&
		 range[n].segment == range->segment);
	if (ops->release)
		ops->release(region->tracker, page, page, lsn);
	return n;
}

/* The ranges lie in the order of the regions. */
static void finish_pages(struct tx *tx, uint64_t lsn)
{
	size_t at = 0;

	for (size_t i = 0; i < tx->n_tracked; i++)
		while (at < tx->n_ranges && inside(tx->tracked[i], &tx->ranges[at]))
			at += finish_page(tx->tracked[i], &tx->ranges[at], tx->n_ranges - at, lsn);
}

static void lock_regions(struct tx *tx)
{
	for (size_t i = 0; i < tx->n_tracked; i++)
		pthread_mutex_lock(&tx->tracked[i]->lock);
}

static void unlock_regions(struct tx *tx)
{
	for (size_t i = 0; i < tx->n_tracked; i++)
		pthread_mutex_unlock(&tx->tracked[i]->lock);
}

/* End the transaction in the first regions of @left, as many as can be at once. */
static size_t end_some(struct region **region, size_t left, uint32_t tid, uint64_t lsn, int *err)
{
	const struct track_ops *ops = region[0]->tracker->ops;
	struct tracker *tracker[END_AT_ONCE];
	size_t n = 0;

	if (left == 1 || !ops->end_several) {
		*err = ops->end(region[0]->tracker, tid, lsn);
		return 1;
	}
	do {
		tracker[n] = region[n]->tracker;
	} while (++n < left && n < END_AT_ONCE && region[n]->tracker->ops == ops);
	*err = ops->end_several(tracker, n, tid, lsn);
	return n;
}

static int end_tracked(struct tx *tx, uint64_t lsn)
{
	int err = 0, late;

	for (size_t i = 0; i < tx->n_tracked;) {
		i += end_some(&tx->tracked[i], tx->n_tracked - i, tx->tid, lsn, &late);
		if (!err)
			err = late;
	}
	return err;
}

static int put_in_log(struct truncator *tr, struct tx *tx, bool durable, uint64_t *lsn)
{
	int err;

	tx->n_ranges = 0;
	if (tx->n_tracked)
		tx->n_bytes = 0;
	err = tx->n_tracked ? gather_changed(tx) : gather_declared(tr, tx);
	return err ? err : append(tr, tx, durable, lsn);
}

/* After these errors the transaction is as it was before the call. */
static bool still_open(struct truncator *tr, int err)
{
	return err && !log_error(tr->log);
}

/* From here on no store of another transaction gets to a page of this one.  Did one? */
static bool seal(const struct region *region, const struct tx *tx, uint64_t *page)
{
	const struct track_ops *ops = region->tracker->ops;

	return ops->seal && ops->seal(region->tracker, tx->tid, page);
}

static int seal_all(const struct tx *tx)
{
	uint64_t page;
	int err = 0;

	for (size_t i = 0; i < tx->n_tracked; i++)
		if (seal(tx->tracked[i], tx, &page))
			err = err_set(EDEADLK,
				      "%s: two tracked transactions have stored to the page at %p: this one is rolled back",
				      tx->tracked[i]->segment->path,
				      tx->tracked[i]->base + (page << TRACK_PAGE_SHIFT));
	return err;
}

static void unseal_all(const struct tx *tx)
{
	for (size_t i = 0; i < tx->n_tracked; i++) {
		struct tracker *tracker = tx->tracked[i]->tracker;

		if (tracker->ops->unseal)
			tracker->ops->unseal(tracker, tx->tid);
	}
}

/*
 * Where a store of another transaction met a page of this one the tracker restores: it protects
 * the page first.  What explicit ones declared there is lost, against the program's promise.
 */
static int undo_region(struct tx *tx, struct region *region)
{
	struct tracker *tracker = region->tracker;
	uint64_t page;
	bool met = seal(region, tx, &page);
	int err;

	if (tracker->ops->restore && (met || !region->parts))
		return tracker->ops->restore(tracker, tx->tid);
	err = walk_region(tx, region, undo_page);
	return err ? err : tracker->ops->end(tracker, tx->tid, 0);
}

/* With the locks of its regions. */
static int undo_tracked(struct tx *tx)
{
	int err = 0, late;

	for (size_t i = 0; i < tx->n_tracked; i++) {
		late = undo_region(tx, tx->tracked[i]);
		if (!err)
			err = late;
	}
	return err;
}

/* A transaction that met another one ends as by an abort. */
static int give_up(struct txs *txs, struct tx *tx, int conflict)
{
	int err = undo_tracked(tx);

	unlock_regions(tx);
	statistics_abort();
	check_finish(txs, tx, 0);
	return err ? err : conflict;
}

int commit(struct txs *txs, struct truncator *tr, struct tx *tx, bool durable, uint64_t *ticket)
{
	uint64_t lsn = 0;
	int err, end_err = 0;
	bool open;

	err = tx->checked ? check_end(txs, tx) : 0;
	if (err)
		return err;
	lock_regions(tx);
	err = seal_all(tx);
	if (err)
		return give_up(txs, tx, err);
	err = put_in_log(tr, tx, durable, &lsn);
	finish_pages(tx, err ? 0 : lsn);
	open = still_open(tr, err);
	if (open)
		unseal_all(tx);
	else
		end_err = end_tracked(tx, lsn);
	unlock_regions(tx);
	if (open)
		return err;
	if (!err)
		statistics_commit(durable, tx->n_declared, tx->declared_bytes, tx->ranges,
				  tx->n_ranges);
	check_finish(txs, tx, lsn);
	*ticket = lsn;
	if (!err)
		err = end_err;
	if (!err && durable)
		err = log_flush(tr->log, lsn);
	truncator_kick(tr);
	return err;
}

static int abort_tracked(struct tx *tx)
{
	int err;

	lock_regions(tx);
	err = undo_tracked(tx);
	unlock_regions(tx);
	return err;
}

/* A page that says so already is not stored to: if it was never touched it costs nothing. */
static void set_bytes(char *to, const char *from, uint64_t length)
{
	uint64_t at, n;

	for (at = 0; at < length; at += n) {
		n = length - at < TRACK_PAGE_SIZE ? length - at : TRACK_PAGE_SIZE;
		if (memcmp(to + at, from + at, n))
			memcpy(to + at, from + at, n);
	}
}

/* By way of @buf: a read into a region's page could fault inside a read of its segment. */
static int read_old(const struct tx_part *part, const struct range *range, char *buf)
{
	uint64_t at, n;
	int err = 0;

	for (at = range->start; at < range->end && !err; at += n) {
		n = range->end - at < OLD_BUFFER ? range->end - at : OLD_BUFFER;
		err = segment_read(part->region->segment, part->region->offset + at, buf, n);
		if (!err)
			set_bytes(part->base + at, buf, n);
	}
	return err;
}

/*
 * A transaction that keeps no old values and can never be committed: they are in the segments, once
 * all that is committed is.  If a read fails it is still open, and may be aborted again.
 */
static int undo_from_segments(struct truncator *tr, struct tx *tx)
{
	char *buf = malloc(OLD_BUFFER);
	const struct range *r;
	int err;

	if (!buf)
		return err_set(ENOMEM, "out of memory to abort a transaction");
	err = truncate_log(tr);
	for (struct tx_part *part = tx->parts; part; part = part->next)
		for (r = rangeset_first(&part->ranges); r && !err; r = rangeset_next(r))
			err = read_old(part, r, buf);
	free(buf);
	return err;
}

static int refuse_abort(void)
{
	return err_set(EPERM,
		       "a no_restore transaction keeps no old values to go back to: it must end");
}

int abort_tx(struct txs *txs, struct truncator *tr, struct tx *tx)
{
	int err = tx->checked && tx->restore ? check_abort(txs, tx) : 0;

	if (err)
		return err;
	if (!tx->restore) {
		err = fits(tr, tx) ? undo_from_segments(tr, tx) : refuse_abort();
		if (err)
			return err;
		err_clear();	/* that it does not fit is no error here */
	} else if (tx->n_tracked) {
		err = abort_tracked(tx);
	} else {
		parts_undo(tx);
	}
	statistics_abort();
	check_finish(txs, tx, 0);
	return err;
}
