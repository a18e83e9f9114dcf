// SPDX-License-Identifier: LGPL-2.1-or-later
/* Checked transactions: explicit ones that forgot no range. */
#include <errno.h>
#include <rvm/rvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "diff.h"
#include "err.h"
#include "forgotten.h"
#include "part.h"
#include "region.h"
#include "segment.h"
#include "track.h"
#include "tx.h"

#define AT_ONCE	64	/* runs that are copied before they are told of */
#define WORD	8	/* runs in one aligned word are one */

/**
 * struct run - bytes of a page that nobody declared
 * @region: the region
 * @start: where in it
 * @length: how many
 * @store: who stored to the page first
 * @bytes: what they were, then what they are
 */
struct run {
	struct region *region;
	uint64_t start;
	size_t length;
	struct track_store store;
	unsigned char *bytes;
};

/**
 * struct judge - a look at all regions, or one
 * @txs: the table
 * @tx: the transaction that begins or ends, NULL if a region goes
 * @others: transactions that are open beside it
 * @stray: none was open
 * @region: the region at hand
 * @page: the page at hand
 * @pages: pages of it that were looked at
 * @run: what was found
 * @n: how many
 */
struct judge {
	struct txs *txs;
	struct tx *tx;
	size_t others;
	bool stray;
	struct region *region;
	const struct track_page *page;
	size_t pages;
	struct run run[AT_ONCE];
	size_t n;
};

static int copy_run(struct run *run, const struct track_page *page)
{
	size_t at = run->start & (TRACK_PAGE_SIZE - 1);
	unsigned char *bytes = realloc(run->bytes, 2 * run->length);

	if (!bytes)
		return err_set(ENOMEM, "out of memory to check a transaction");
	run->bytes = bytes;
	memcpy(bytes, page->committed + at, run->length);
	memcpy(bytes + run->length, page->live + at, run->length);
	return 0;
}

/* In the word that the last run ends in? */
static bool goes_on(const struct judge *judge, uint64_t start)
{
	const struct run *last;

	if (!judge->n)
		return false;
	last = &judge->run[judge->n - 1];
	return last->region == judge->region &&
	       (last->start + last->length - 1) / WORD == start / WORD;
}

/* Returns 1 when there is no more room. */
static int add_run(void *arg, uint64_t start, uint64_t end)
{
	struct judge *judge = arg;
	struct run *run;

	if (!goes_on(judge, start)) {
		if (judge->n == AT_ONCE)
			return 1;
		judge->run[judge->n++] = (struct run) {
			.region = judge->region,
			.start = start,
			.store = judge->page->store,
		};
	}
	run = &judge->run[judge->n - 1];
	run->length = end - run->start;
	return copy_run(run, judge->page);
}

static int look_at_page(void *arg, const struct track_page *page)
{
	uint64_t base = page->page << TRACK_PAGE_SHIFT;
	struct diff_run runs[DIFF_RUNS(1)];
	struct judge *judge = arg;
	unsigned int n, i;
	int ret = 0;

	judge->page = page;
	judge->pages++;
	n = diff_page(page->live, page->committed, 1, runs);
	for (i = 0; i < n && !ret; i++)
		ret = parts_gaps(judge->region->parts, base + runs[i].start, base + runs[i].end,
				 add_run, judge);
	return ret;
}

/* Called with the region's lock. */
static int look(struct judge *judge, struct region *region)
{
	struct tracker *tracker = region->tracker;
	size_t before = judge->n;
	int ret;

	judge->region = region;
	judge->pages = 0;
	parts_lock(region);
	ret = tracker->ops->collect(tracker, TRACK_WATCH_TID, look_at_page, judge);
	if (!ret && judge->n == before && judge->pages)
		ret = tracker->ops->end(tracker, TRACK_WATCH_TID, 0);
	parts_unlock(region);
	return ret;
}

static int look_at_region(struct judge *judge, struct region *region)
{
	int ret = 0;

	pthread_mutex_lock(&region->lock);
	if (region->tracker->ops->tracks && !region->tracked)
		ret = look(judge, region);
	pthread_mutex_unlock(&region->lock);
	return ret;
}

static int look_at_all(struct judge *judge)
{
	struct region *region;
	int ret = 0;

	for (region = judge->txs->regions->first; region && !ret; region = region->next)
		ret = look_at_region(judge, region);
	return ret;
}

/* Of the bytes of a run those that nobody has declared meanwhile. */
static int let_pass(void *arg, uint64_t start, uint64_t end)
{
	struct region *region = arg;
	char *committed = region->tracker->ops->committed(region->tracker,
							  start >> TRACK_PAGE_SHIFT);

	if (committed)
		memcpy(committed + (start & (TRACK_PAGE_SIZE - 1)), region->base + start,
		       end - start);
	return 0;
}

/* In a strict region a store of the library's needs a hold as well. */
static int put_back(void *arg, uint64_t start, uint64_t end)
{
	uint64_t page = start >> TRACK_PAGE_SHIFT;
	struct region *region = arg;
	const struct track_ops *ops = region->tracker->ops;
	const char *committed = ops->committed(region->tracker, page);

	if (!committed)
		return 0;
	if (ops->hold)
		ops->hold(region->tracker, page, page);
	memcpy(region->base + start, committed + (start & (TRACK_PAGE_SIZE - 1)), end - start);
	if (ops->release)
		ops->release(region->tracker, page, page, 0);
	return 0;
}

static void settle(const struct run *run, range_fn *fn)
{
	struct region *region = run->region;

	pthread_mutex_lock(&region->lock);
	if (!region->tracked) {
		parts_lock(region);
		parts_gaps(region->parts, run->start, run->start + run->length, fn, region);
		parts_unlock(region);
	}
	pthread_mutex_unlock(&region->lock);
}

/* Does the program let it pass? */
static bool tell(const struct judge *judge, const struct run *run)
{
	size_t at = run->start & (TRACK_PAGE_SIZE - 1);
	const struct checks *checks = &judge->txs->checks;
	const struct track_store *store = &run->store;
	rvm_forgotten_t forgotten = {
		.segment = run->region->segment->path,
		.segment_offset = run->region->offset + run->start,
		.region_offset = run->start,
		.address = run->region->base + run->start,
		.length = run->length,
		.old_bytes = run->bytes,
		.new_bytes = run->bytes + run->length,
		.instruction = (void *)(uintptr_t)store->ip,
		.thread = store->thread,
		.exact = store->ip && store->at >= at && store->at < at + run->length,
		.stray = judge->stray,
		.transaction = judge->tx ? judge->tx->id : 0,
		.others = judge->others,
	};
	char symbol[FORGOTTEN_SYMBOL];

	forgotten.symbol = forgotten_symbol(forgotten.instruction, symbol);
	if (checks->handler && checks->handler(checks->arg, &forgotten))
		return true;
	forgotten_error(&forgotten);
	return false;
}

static void forget_runs(struct judge *judge)
{
	while (judge->n)
		free(judge->run[--judge->n].bytes);
}

/* Returns whether the program let everything pass. */
static bool tell_all(struct judge *judge, range_fn *refused)
{
	bool passed = true, ok;
	size_t i;

	for (i = 0; i < judge->n && (passed || refused); i++) {
		ok = tell(judge, &judge->run[i]);
		passed &= ok;
		if (ok || refused)
			settle(&judge->run[i], ok ? let_pass : refused);
	}
	return passed;
}

/*
 * Look until there is nothing more to tell.  With @refused, bytes that the program does not let
 * pass are treated so; without, they end the look.
 */
static int judge_all(struct judge *judge, struct region *only, range_fn *refused)
{
	bool passed = true;
	int ret;

	do {
		ret = only ? look_at_region(judge, only) : look_at_all(judge);
		if (ret >= 0)
			passed &= tell_all(judge, refused);
		forget_runs(judge);
	} while (ret == 1 && (passed || refused));
	if (ret < 0)
		return ret;
	return passed ? 0 : -EREMCHG;
}

static int judge(struct txs *txs, struct tx *tx, bool stray, range_fn *refused)
{
	struct judge judge = { .txs = txs, .tx = tx, .stray = stray };

	judge.others = txs_open(txs, NULL, NULL) - 1;
	return judge_all(&judge, NULL, refused);
}

static int watch(struct region *region, bool on)
{
	const struct track_ops *ops = region->tracker->ops;
	int err = 0;

	pthread_mutex_lock(&region->lock);
	if (ops->watch)
		err = ops->watch(region->tracker, on, !region->tracked);
	pthread_mutex_unlock(&region->lock);
	return err;
}

static void stop_watching(struct txs *txs)
{
	for (struct region *r = txs->regions->first; r; r = r->next)
		watch(r, false);
}

static int start_watching(struct txs *txs)
{
	int err = 0;

	for (struct region *r = txs->regions->first; r && !err; r = r->next)
		err = watch(r, true);
	if (err)
		stop_watching(txs);
	return err;
}

static int refuse_shared(const struct region *region)
{
	if (!region->disjoint)
		return 0;
	return err_set(EOPNOTSUPP,
		       "%s: tracked transactions share the region at %p: nothing can be checked there",
		       region->segment->path, region->base);
}

static int refuse_untracked(const struct txs *txs)
{
	int err = 0;

	for (struct region *r = txs->regions->first; r && !err; r = r->next) {
		if (!r->tracker->ops->tracks)
			return err_set(EOPNOTSUPP,
				       "the region at %p is mapped without a tracker (%s): nothing can be checked there",
				       r->base, r->why);
		err = refuse_shared(r);
	}
	return err;
}

static int begin_first(struct txs *txs, struct tx *tx)
{
	int err = 0;

	txs_share(txs);
	if (txs_open(txs, NULL, NULL) == 1)
		err = judge(txs, tx, true, let_pass);
	return err ? err : start_watching(txs);
}

int check_begin(struct txs *txs, struct tx *tx)
{
	int err;

	check_lock(txs);
	err = refuse_untracked(txs);
	if (!err && !txs->checks.open)
		err = begin_first(txs, tx);
	if (!err) {
		txs->checks.open++;
		tx->checked = true;
	}
	check_unlock(txs);
	return err;
}

int check_end(struct txs *txs, struct tx *tx)
{
	int err;

	check_lock(txs);
	err = judge(txs, tx, false, NULL);
	check_unlock(txs);
	return err;
}

int check_abort(struct txs *txs, struct tx *tx)
{
	int err;

	check_lock(txs);
	err = judge(txs, tx, false, put_back);
	check_unlock(txs);
	if (err != -EREMCHG)
		return err;
	err_clear();
	return 0;
}

void check_finish(struct txs *txs, struct tx *tx, uint64_t lsn)
{
	bool checked = tx->checked;

	tx_finish(txs, tx, lsn);
	if (!checked)
		return;
	check_lock(txs);
	if (!--txs->checks.open)
		stop_watching(txs);
	check_unlock(txs);
}

void check_lock(struct txs *txs)
{
	pthread_mutex_lock(&txs->checks.lock);
}

void check_unlock(struct txs *txs)
{
	pthread_mutex_unlock(&txs->checks.lock);
}

int check_mapped(struct txs *txs, struct region *region)
{
	int err = 0;

	if (txs->checks.all && !region->tracker->ops->tracks)
		return err_set(EOPNOTSUPP, "%s: tracker none cannot check transactions, as RVM_CHECK asks for",
			       region->segment->path);
	if (txs->checks.all || txs->checks.open)
		err = refuse_shared(region);
	return !err && txs->checks.open ? watch(region, true) : err;
}

void check_unmapping(struct txs *txs, struct region *region)
{
	struct judge judge = { .txs = txs };

	if (!txs->checks.handler)
		return;
	judge.others = txs_open(txs, NULL, NULL);
	judge.stray = !judge.others;
	judge_all(&judge, region, let_pass);
}
