/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transactions: what they declared, and the old values that abort restores.
 *
 *	         begin                      commit, abort
 *	unused --------> open (explicit) ----------------> unused
 *	   |               set_range: hold, save, add          ^
 *	   | begin                                             |
 *	   +-----------> open (tracked) -----------------------+
 *	                   owns the regions in tx->tracked
 *
 * A transaction that could not be committed for lack of memory or log stays
 * open and may be tried again or aborted.
 */
#ifndef RVM_LIB_TX_H
#define RVM_LIB_TX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "log.h"
#include "range.h"

struct region;
struct regions;
struct txs;

/**
 * struct tx_part - what one explicit transaction declared in one region
 * @tx: the transaction
 * @region: the region
 * @next: the transaction's next part
 * @prev_in_region: in region->parts, guarded by region->lock
 * @next_in_region: likewise
 * @lock: guards ranges: a tracked commit reads them beside set_range
 * @ranges: declared bytes, as offsets in the region
 * @pages: held pages
 */
struct tx_part {
	struct tx *tx;
	struct region *region;
	struct tx_part *next;
	struct tx_part *prev_in_region;
	struct tx_part *next_in_region;
	pthread_mutex_t lock;
	struct rangeset ranges;
	struct rangeset pages;
};

/**
 * struct tx_undo - old values of bytes
 * @addr: where they stood
 * @length: how many
 * @at: where they are kept in tx->bytes
 */
struct tx_undo {
	char *addr;
	size_t length;
	size_t at;
};

/**
 * struct tx_watch - who wants to know when a transaction has ended
 * @next: the transaction's next
 * @ended: called without locks when the transaction's bytes are committed or restored; the
 *	watch belongs to nobody then.  Not called by txs_end()
 */
struct tx_watch {
	struct tx_watch *next;
	void (*ended)(struct tx_watch *watch);
};

/**
 * struct tx - a transaction
 * @next: in txs->open or txs->unused
 * @prev: in txs->open
 * @id: its number, never used again; 0 while unused
 * @restore: old values are kept
 * @thread: thread that began it
 * @parts: explicit: what it declared
 * @spare: parts for reuse
 * @undo: explicit: old values, oldest first
 * @n_undo: how many
 * @max_undo: room
 * @tracked: the regions that are tracked for it, by address
 * @n_tracked: how many; 0: the transaction is explicit
 * @bytes: explicit: the old values; tracked: the new ones on their way to the log
 * @n_bytes: bytes used
 * @max_bytes: room
 * @ranges: ranges on their way to the log
 * @n_ranges: how many
 * @max_ranges: room
 * @n_declared: explicit: how many ranges it declared, equal ones counted again
 * @declared_bytes: bytes of them
 * @watches: called at its end, last added first; only the thread that uses the transaction
 *	adds one
 */
struct tx {
	struct tx *next;
	struct tx *prev;
	uint64_t id;
	bool restore;
	pid_t thread;
	struct tx_part *parts;
	struct tx_part *spare;
	struct tx_undo *undo;
	size_t n_undo;
	size_t max_undo;
	struct region **tracked;
	size_t n_tracked;
	char *bytes;
	size_t n_bytes;
	size_t max_bytes;
	struct log_range *ranges;
	size_t n_ranges;
	size_t max_ranges;
	uint64_t n_declared;
	uint64_t declared_bytes;
	struct tx_watch *watches;
};

/**
 * struct txs - all transactions
 * @regions: where they may write
 * @lock: guards the lists and the count
 * @open: those that have begun and not ended
 * @unused: for reuse; a struct tx is never freed, so that a stale handle can be
 *	told by its id
 * @last_id: the number given last; it never goes back
 * @count: how many are open
 */
struct txs {
	struct regions *regions;
	pthread_mutex_t lock;
	struct tx *open;
	struct tx *unused;
	uint64_t last_id;
	size_t count;
};

/** TXS_INITIALIZER - no transactions */
#define TXS_INITIALIZER(table) { .regions = (table), .lock = PTHREAD_MUTEX_INITIALIZER }

/** txs_end() - forget all transactions, open ones too; handles of them stay stale for ever */
void txs_end(struct txs *txs);

/**
 * tx_begin() - begin an explicit transaction
 * @txs: the table
 * @restore: keep old values
 * @out: the transaction
 *
 * Return: 0 or -ENOMEM.
 */
int tx_begin(struct txs *txs, bool restore, struct tx **out);

/**
 * tx_begin_tracked() - begin a transaction tracked on one region or all
 * @txs: the table
 * @only: the region; NULL: all that have a tracker
 * @out: the transaction
 *
 * Waits until no other transaction is tracked there.  Return: 0; -EDEADLK this
 * thread tracks one of them already; -EOPNOTSUPP no tracker; -ENOMEM; -EIO.
 */
int tx_begin_tracked(struct txs *txs, struct region *only, struct tx **out);

/**
 * tx_set_range() - declare bytes that the transaction is about to change
 * @txs: the table
 * @tx: an open transaction; a tracked one needs no ranges and only checks them
 * @addr: the first byte
 * @length: how many; 0 declares nothing
 *
 * Return: 0; -ENXIO in no region; -ERANGE it crosses the end of the region; -ENOMEM.  If it
 * is not 0 nothing was declared.
 */
int tx_set_range(struct txs *txs, struct tx *tx, void *addr, size_t length);

/** tx_undo() - put the old values back; the newest saved first */
void tx_undo(struct tx *tx);

/**
 * tx_finish_part() - the bytes of a part are what they shall be: let others at them
 * @part: the part
 * @lsn: end of the record that holds them; 0 if there is none
 *
 * Makes the declared bytes part of the committed state and lowers the holds.
 */
void tx_finish_part(struct tx_part *part, uint64_t lsn);

/** tx_finish() - end an open transaction; its handle becomes stale */
void tx_finish(struct txs *txs, struct tx *tx, uint64_t lsn);

/**
 * tx_untrack() - let the next transaction track the regions
 * @tx: an open transaction
 *
 * The trackers have been told of the end.
 */
void tx_untrack(struct tx *tx);

/** tx_reserve() - make room for @more bytes in tx->bytes; Return: 0 or -ENOMEM */
int tx_reserve(struct tx *tx, size_t more);

/** tx_tid() - the number by which trackers know a transaction */
uint32_t tx_tid(const struct tx *tx);

#endif
