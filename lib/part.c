// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What an explicit transaction declared, region by region, and the old values.
 *
 * As long as no transaction is tracked nobody but the transaction's thread looks at its parts, and
 * nobody reads the committed state.  Then no lock is taken here: txs_enter() tells so, and keeps
 * it so until txs_leave().
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "part.h"
#include "region.h"
#include "track.h"
#include "tx.h"

void parts_free(struct tx_part *part)
{
	struct tx_part *next;

	for (; part; part = next) {
		next = part->next;
		rangeset_free(&part->ranges);
		rangeset_free(&part->pages);
		pthread_mutex_destroy(&part->lock);
		free(part);
	}
}

static struct tx_part *new_part(struct tx *tx)
{
	struct tx_part *part = tx->spare;

	if (part) {
		tx->spare = part->next;
		return part;
	}
	part = calloc(1, sizeof(*part));
	if (!part)
		return NULL;
	pthread_mutex_init(&part->lock, NULL);
	rangeset_init(&part->ranges);
	rangeset_init(&part->pages);
	part->tx = tx;
	return part;
}

static void add_part(struct tx *tx, struct tx_part *part)
{
	part->next = tx->parts;
	tx->parts = part;
}

void part_share(struct tx_part *part)
{
	struct region *region = part->region;

	pthread_mutex_lock(&region->lock);
	part->prev_in_region = NULL;
	part->next_in_region = region->parts;
	if (region->parts)
		region->parts->prev_in_region = part;
	region->parts = part;
	pthread_mutex_unlock(&region->lock);
}

/* Called with the region's lock. */
static void leave_region(struct tx_part *part)
{
	struct region *region = part->region;

	if (part->next_in_region)
		part->next_in_region->prev_in_region = part->prev_in_region;
	if (part->prev_in_region)
		part->prev_in_region->next_in_region = part->next_in_region;
	else
		region->parts = part->next_in_region;
}

void parts_lock(struct region *region)
{
	for (struct tx_part *part = region->parts; part; part = part->next_in_region)
		pthread_mutex_lock(&part->lock);
}

void parts_unlock(struct region *region)
{
	for (struct tx_part *part = region->parts; part; part = part->next_in_region)
		pthread_mutex_unlock(&part->lock);
}

/**
 * struct gaps - a walk over bytes that no explicit transaction declared
 * @part: the next transaction whose bytes are left out
 * @fn: called for what remains
 * @arg: its first argument
 */
struct gaps {
	const struct tx_part *part;
	range_fn *fn;
	void *arg;
};

/* Leave out the bytes of one transaction, and of the others below it. */
static int cut_out(void *arg, uint64_t start, uint64_t end)
{
	const struct gaps *gaps = arg;

	return parts_gaps(gaps->part, start, end, gaps->fn, gaps->arg);
}

int part_gaps(const struct tx_part *part, uint64_t start, uint64_t end, range_fn *fn, void *arg)
{
	struct gaps gaps = { .part = part->next_in_region, .fn = fn, .arg = arg };

	return rangeset_gaps(&part->ranges, start, end, cut_out, &gaps);
}

static bool contains(const struct tx_part *part, const char *addr)
{
	return (uintptr_t)addr - (uintptr_t)part->base < part->length;
}

int part_check_end(const struct region *region, const char *addr, size_t length)
{
	if (length <= region->length - (size_t)(addr - region->base))
		return 0;
	return err_set(ERANGE, "the range of %zu bytes at %p crosses the end of its region at %p",
		       length, addr, region->base + region->length);
}

/* A transaction changes the same regions as the one before it, mostly. */
static struct tx_part *reuse_part(struct tx *tx, const char *addr)
{
	struct tx_part **at, *part;

	for (at = &tx->spare; (part = *at); at = &part->next) {
		if (!part->region || !contains(part, addr))
			continue;
		*at = part->next;
		return part;
	}
	return NULL;
}

static int make_part(struct txs *txs, struct tx *tx, const char *addr, struct tx_part **out)
{
	struct region *region = region_find(txs->regions, addr);

	if (!region)
		return err_set(ENXIO, "no region is mapped at %p", addr);
	*out = new_part(tx);
	if (!*out)
		return err_set(ENOMEM, "out of memory for a range");
	(*out)->region = region;
	(*out)->base = region->base;
	(*out)->length = region->length;
	(*out)->holds = region->tracker->ops->hold;
	return 0;
}

/* The part for an address; the region is looked up once a transaction. */
static int find_part(struct txs *txs, struct tx *tx, const char *addr, bool alone,
		     struct tx_part **out)
{
	int err = 0;

	for (*out = tx->parts; *out; *out = (*out)->next)
		if (contains(*out, addr))
			return 0;
	if (alone)
		*out = reuse_part(tx, addr);
	if (!*out)
		err = make_part(txs, tx, addr, out);
	if (err)
		return err;
	add_part(tx, *out);
	if (!alone)
		part_share(*out);
	return 0;
}

static int hold_gap(void *arg, uint64_t start, uint64_t end)
{
	struct tracker *tracker = arg;

	tracker->ops->hold(tracker, start, end - 1);
	return 0;
}

static int release_gap(void *arg, uint64_t start, uint64_t end)
{
	struct tracker *tracker = arg;

	tracker->ops->release(tracker, start, end - 1, 0);
	return 0;
}

/* Hold each page once a transaction, however many ranges it has. */
static int hold_pages(struct tx_part *part, uint64_t start, uint64_t end)
{
	struct tracker *tracker = part->region->tracker;
	uint64_t first = start >> TRACK_PAGE_SHIFT;
	uint64_t after = ((end - 1) >> TRACK_PAGE_SHIFT) + 1;
	int err;

	if (rangeset_covers(&part->pages, first, after))
		return 0;
	rangeset_gaps(&part->pages, first, after, hold_gap, tracker);
	err = rangeset_add(&part->pages, first, after, NULL, NULL);
	if (err)
		rangeset_gaps(&part->pages, first, after, release_gap, tracker);
	return err;
}

/* A checked transaction may declare what it has stored already. */
static void copy_committed(struct tx_part *part, uint64_t start, uint64_t end, char *to)
{
	struct tracker *tracker = part->region->tracker;

	while (start < end) {
		uint64_t page = start >> TRACK_PAGE_SHIFT;
		uint64_t next = (page + 1) << TRACK_PAGE_SHIFT;
		uint64_t stop = next < end ? next : end;
		const char *from = tracker->ops->committed(tracker, page);

		memcpy(to, from ? from + (start & (TRACK_PAGE_SIZE - 1)) : part->base + start,
		       stop - start);
		to += stop - start;
		start = stop;
	}
}

/* Keeps the old value of bytes; there is room for it. */
static void save(struct tx_part *part, uint64_t start, uint64_t end)
{
	struct tx *tx = part->tx;
	struct tx_undo *undo = &tx->undo[tx->n_undo++];

	undo->addr = part->base + start;
	undo->length = end - start;
	undo->at = tx->n_bytes;
	tx->n_bytes += end - start;
	if (tx->checked)
		copy_committed(part, start, end, tx->bytes + undo->at);
	else
		memcpy(tx->bytes + undo->at, undo->addr, undo->length);
}

static int save_gap(void *arg, uint64_t start, uint64_t end)
{
	struct tx_part *part = arg;

	if (tx_reserve(part->tx, end - start, 1))
		return -ENOMEM;
	save(part, start, end);
	return 0;
}

/* Mostly there is nothing to join with, and room. */
static int add_range(struct tx_part *part, uint64_t start, uint64_t end)
{
	struct tx *tx = part->tx;

	if (tx->restore && tx_reserve(tx, end - start, 1))
		return -ENOMEM;
	if (!rangeset_add_apart(&part->ranges, start, end))
		return rangeset_add(&part->ranges, start, end, tx->restore ? save_gap : NULL,
				    part);
	if (tx->restore)
		save(part, start, end);
	return 0;
}

static int add_shared_range(struct tx_part *part, uint64_t start, uint64_t end)
{
	pthread_mutex_t *committed = part->tx->checked ? &part->region->lock : NULL;
	int err;

	if (committed)
		pthread_mutex_lock(committed);
	pthread_mutex_lock(&part->lock);
	err = add_range(part, start, end);
	pthread_mutex_unlock(&part->lock);
	if (committed)
		pthread_mutex_unlock(committed);
	return err;
}

static int find_and_declare(struct txs *txs, struct tx *tx, char *addr, size_t length, bool alone)
{
	struct tx_part *part = tx->parts;
	uint64_t start;
	int err = 0;

	if (!part || !contains(part, addr))
		err = find_part(txs, tx, addr, alone, &part);
	if (err)
		return err;
	start = addr - part->base;
	if (length > part->length - start)
		return part_check_end(part->region, addr, length);
	if (!length)
		return 0;
	if (part->holds)
		err = hold_pages(part, start, start + length);
	if (!err)
		err = alone ? add_range(part, start, start + length) :
			      add_shared_range(part, start, start + length);
	if (err)
		return err_set(-err, "out of memory for a range of %zu bytes", length);
	tx->n_declared++;
	tx->declared_bytes += length;
	return 0;
}

int parts_declare(struct txs *txs, struct tx *tx, char *addr, size_t length)
{
	bool alone = txs_enter(txs, tx);
	int err;

	err = find_and_declare(txs, tx, addr, length, alone);
	txs_leave(tx, alone);
	return err;
}

void parts_undo(struct tx *tx)
{
	while (tx->n_undo) {
		struct tx_undo *undo = &tx->undo[--tx->n_undo];

		memcpy(undo->addr, tx->bytes + undo->at, undo->length);
	}
}

/*
 * What the twin or the pre-images say of declared bytes becomes what the memory says.  After an
 * abort they mostly do, and a page of the twin that is not stored to takes no memory.
 */
static int commit_gap(void *arg, uint64_t start, uint64_t end)
{
	struct region *region = arg;

	while (start < end) {
		uint64_t page = start >> TRACK_PAGE_SHIFT;
		uint64_t next = (page + 1) << TRACK_PAGE_SHIFT;
		uint64_t stop = next < end ? next : end;
		char *committed = region->tracker->ops->committed(region->tracker, page);

		if (committed)
			committed += start & (TRACK_PAGE_SIZE - 1);
		if (committed && memcmp(committed, region->base + start, stop - start))
			memcpy(committed, region->base + start, stop - start);
		start = stop;
	}
	return 0;
}

static void release_pages(struct tx_part *part, uint64_t lsn)
{
	struct tracker *tracker = part->region->tracker;
	const struct range *r;

	for (r = rangeset_first(&part->pages); r; r = rangeset_next(r))
		tracker->ops->release(tracker, r->start, r->end - 1, lsn);
}

static void let_go(struct tx_part *part, uint64_t lsn)
{
	struct region *region = part->region;

	if (region->tracker->ops->committed)
		rangeset_for_each(&part->ranges, commit_gap, region);
	release_pages(part, lsn);
	if (region->strict && region->tracker->ops->arm)
		region->tracker->ops->arm(region->tracker);
}

static void finish_part(struct tx_part *part, uint64_t lsn, bool alone)
{
	struct region *region = part->region;

	if (alone) {
		let_go(part, lsn);
	} else {
		pthread_mutex_lock(&region->lock);
		let_go(part, lsn);
		leave_region(part);
		pthread_mutex_unlock(&region->lock);
	}
	rangeset_clear(&part->ranges);
	rangeset_clear(&part->pages);
}

void parts_finish(struct txs *txs, struct tx *tx, uint64_t lsn)
{
	struct tx_part *part;
	bool alone;

	if (!tx->parts)
		return;
	alone = txs_enter(txs, tx);
	if (!lsn)
		__atomic_fetch_add(&txs->aborts, 1, __ATOMIC_RELAXED);
	while ((part = tx->parts)) {
		finish_part(part, lsn, alone);
		tx->parts = part->next;
		part->next = tx->spare;
		tx->spare = part;
	}
	txs_leave(tx, alone);
}
