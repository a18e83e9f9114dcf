/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an explicit transaction declared, region by region, and the old values. */
#ifndef RVM_LIB_PART_H
#define RVM_LIB_PART_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "range.h"

struct region;
struct tx;
struct txs;

/**
 * struct tx_part - what one explicit transaction declared in one region
 * @tx: the transaction
 * @region: the region; of a spare part the one that it was for, NULL if that is gone
 * @base: the region's
 * @length: the region's
 * @holds: its pages are held
 * @next: the transaction's next part
 * @prev_in_region: in region->parts once transactions are tracked, guarded by region->lock
 * @next_in_region: likewise
 * @lock: once transactions are tracked it guards @ranges: a tracked commit reads them beside
 *	set_range
 * @ranges: declared bytes, as offsets in the region
 * @pages: held pages
 */
struct tx_part {
	struct tx *tx;
	struct region *region;
	char *base;
	size_t length;
	bool holds;
	struct tx_part *next;
	struct tx_part *prev_in_region;
	struct tx_part *next_in_region;
	pthread_mutex_t lock;
	struct rangeset ranges;
	struct rangeset pages;
};

/**
 * parts_declare() - declare bytes that an explicit transaction is about to change
 * @txs: the table
 * @tx: the transaction
 * @addr: the first byte
 * @length: how many
 *
 * Return: as tx_set_range().
 */
int parts_declare(struct txs *txs, struct tx *tx, char *addr, size_t length);

/** parts_undo() - put the old values back; the newest saved first */
void parts_undo(struct tx *tx);

/**
 * parts_finish() - the declared bytes are what they shall be: let others at them
 * @txs: the table
 * @tx: the transaction
 * @lsn: end of the record that holds them; 0 if there is none
 *
 * Makes the declared bytes part of the committed state and lowers the holds.
 */
void parts_finish(struct txs *txs, struct tx *tx, uint64_t lsn);

/** parts_lock() - let no transaction declare bytes of a region; the region's lock is held */
void parts_lock(struct region *region);

/** parts_unlock() - after parts_lock() */
void parts_unlock(struct region *region);

/** part_gaps() - parts_gaps(), where there is a part */
int part_gaps(const struct tx_part *part, uint64_t start, uint64_t end, range_fn *fn, void *arg);

/**
 * parts_gaps() - walk the pieces of bytes that no explicit transaction declared
 * @part: a region's first part, after parts_lock()
 * @start: the first byte, as an offset in the region
 * @end: the byte after the last
 * @fn: called for each piece
 * @arg: for @fn
 *
 * Return: 0 or what @fn returned.
 */
static inline int parts_gaps(const struct tx_part *part, uint64_t start, uint64_t end,
			     range_fn *fn, void *arg)
{
	return part ? part_gaps(part, start, end, fn, arg) : fn(arg, start, end);
}

/** part_share() - let tracked transactions on the region see the part */
void part_share(struct tx_part *part);

/** parts_free() - free a list of parts */
void parts_free(struct tx_part *part);

/** part_check_end() - -ERANGE with a text if bytes reach beyond the region that they begin in */
int part_check_end(const struct region *region, const char *addr, size_t length);

#endif
