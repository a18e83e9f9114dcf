/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transactions: the table of them, and the old values that abort restores.
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
 *
 * A thread keeps a few unused transactions to itself, so that it begins and ends explicit ones
 * without a lock.  What they declare is shared with nobody either until one is tracked:
 *
 *	txs_start() ---> alone --- txs_share() ---> shared --- txs_end() --->
 *
 *	alone	parts are looked at by the transaction's thread alone, between txs_enter() and
 *		txs_leave() or for reading; by others only when the gate is closed
 *	shared	parts are in the list of their region, and locked as region.h says
 *
 * Lock order: txs.lock, then the locks of region.h.
 */
#ifndef RVM_LIB_TX_H
#define RVM_LIB_TX_H

#include <pthread.h>
#include <rvm/rvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gate.h"
#include "log.h"

struct region;
struct regions;
struct tx_part;
struct txs;

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
 * @next: in txs->unused, or in its thread's list of unused ones
 * @next_of_all: in txs->all
 * @id: its number, never used again; 0 while unused
 * @tid: the number by which trackers know it while it is tracked
 * @chain: of @tid, the part that no other transaction has now; 0: that needs not be
 * @inside: see gate.h
 * @restore: old values are kept
 * @checked: see check.h
 * @thread: thread that began it
 * @parts: explicit: what it declared
 * @spare: parts for reuse
 * @undo: explicit: old values, oldest first
 * @n_undo: how many
 * @max_undo: room
 * @tracked: the regions that are tracked for it, by address
 * @n_tracked: how many; 0: the transaction is explicit
 * @max_tracked: room
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
	struct tx *next_of_all;
	uint64_t id;
	uint32_t tid;
	uint32_t chain;
	bool inside;
	bool restore;
	bool checked;
	pid_t thread;
	struct tx_part *parts;
	struct tx_part *spare;
	struct tx_undo *undo;
	size_t n_undo;
	size_t max_undo;
	struct region **tracked;
	size_t n_tracked;
	size_t max_tracked;
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
 * struct checks - checked transactions; see check.h
 * @lock: guards what follows, and against regions that come and go; taken before all others here
 * @open: how many are open
 * @all: all explicit transactions are checked, and nothing is mapped that cannot be
 * @handler: the program's, or NULL: what was forgotten is refused
 * @arg: its first argument
 */
struct checks {
	pthread_mutex_t lock;
	size_t open;
	bool all;
	rvm_check_handler_t handler;
	void *arg;
};

/* Trackers keep pages in so many chains, by the number of a transaction. */
#define TXS_CHAINS	256

/**
 * struct txs - all transactions; there is one table a process
 * @regions: where they may write
 * @lock: guards the lists; held as long as the gate is closed for a while
 * @all: all there ever were; a struct tx is never freed, so that a stale handle can be
 *	told by its id
 * @unused: for reuse
 * @last_id: the number given last; it never goes back
 * @gate: closed while parts are looked at that are not shared
 * @aborts: how often declared bytes were let go without a record of them
 * @waiting: threads that found the gate closed and have not had @lock since
 * @shared: parts are shared; it changes under @lock
 * @chains: taken by transactions that share regions with others
 * @turn: how often one was taken
 * @checks: checked transactions
 */
struct txs {
	struct regions *regions;
	pthread_mutex_t lock;
	struct tx *all;
	struct tx *unused;
	uint64_t last_id;
	struct gate gate;
	uint64_t aborts;
	unsigned int waiting;
	bool shared;
	bool chains[TXS_CHAINS];
	uint32_t turn;
	struct checks checks;
};

/** TXS_INITIALIZER - no transactions */
#define TXS_INITIALIZER(table) { .regions = (table), .lock = PTHREAD_MUTEX_INITIALIZER, \
				 .checks.lock = PTHREAD_MUTEX_INITIALIZER }

/** txs_start() - before the first transaction: parts are not shared, if the gate can be closed */
void txs_start(struct txs *txs);

/**
 * txs_take() - an unused transaction
 * @txs: the table
 *
 * Return: it, with an id of its own, or NULL: no memory.
 */
struct tx *txs_take(struct txs *txs);

/** txs_give() - a transaction is unused; its handle becomes stale */
void txs_give(struct txs *txs, struct tx *tx);

/** txs_wait_to_enter() - txs_enter() when the gate is closed, or parts are shared */
bool txs_wait_to_enter(struct txs *txs, struct tx *tx);

/**
 * txs_enter() - the transaction's thread is about to use the parts
 * @txs: the table
 * @tx: its transaction
 *
 * Return: whether it is alone with them until txs_leave(); else it takes the locks.
 */
static inline bool txs_enter(struct txs *txs, struct tx *tx)
{
	return gate_enter(&txs->gate, &tx->inside) || txs_wait_to_enter(txs, tx);
}

/** txs_leave() - it has used them; @alone is what txs_enter() returned */
static inline void txs_leave(struct tx *tx, bool alone)
{
	if (alone)
		gate_leave(&tx->inside);
}

/**
 * txs_stop() - let nobody use parts until txs_go(), if they are not shared
 * @txs: the table
 *
 * Return: false if they are shared, and not stopped.  Else the list of all transactions may be
 * walked, and what they declared be read.
 */
bool txs_stop(struct txs *txs);

/** txs_aborts() - how many transactions have aborted, or ended without a record */
static inline uint64_t txs_aborts(const struct txs *txs)
{
	return __atomic_load_n(&txs->aborts, __ATOMIC_RELAXED);
}

/** txs_go() - after txs_stop() returned true */
void txs_go(struct txs *txs);

/** txs_share() - a transaction is going to be tracked: parts are shared from now on */
void txs_share(struct txs *txs);

/**
 * txs_forget() - a region is going to be unmapped
 * @txs: the table
 * @region: the region
 *
 * Return: true if an open transaction declared bytes of it; where parts are shared they are in
 * region->parts, and this returns false.
 */
bool txs_forget(struct txs *txs, const struct region *region);

/**
 * txs_take_chain() - give a transaction a tid whose chain no other one has that took one
 * @txs: the table
 * @tx: the transaction
 *
 * Return: 0, or -ENOMEM with a text if so many are open already.
 */
int txs_take_chain(struct txs *txs, struct tx *tx);

/** txs_give_chain() - after txs_take_chain(), if that was called */
void txs_give_chain(struct txs *txs, struct tx *tx);

/**
 * typedef tx_fn - called for open transactions
 * @arg: the caller's
 * @tx: the transaction; it may end meanwhile
 * @id: its number
 */
typedef void tx_fn(void *arg, struct tx *tx, uint64_t id);

/** txs_open() - call @fn, if not NULL, for each open transaction; Return: how many there are */
size_t txs_open(struct txs *txs, tx_fn *fn, void *arg);

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
 * Waits until no other transaction is tracked there, but where they share the region.
 * Return: 0; -EDEADLK this thread tracks one of them already, or would wait for itself;
 * -EOPNOTSUPP no tracker; -ENOMEM, also if too many share regions; -EIO.
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

/** tx_finish() - end an open transaction; its handle becomes stale */
void tx_finish(struct txs *txs, struct tx *tx, uint64_t lsn);

/**
 * tx_untrack() - let the next transaction track the regions
 * @tx: an open transaction
 *
 * The trackers have been told of the end.
 */
void tx_untrack(struct tx *tx);

/** tx_grow() - make room for @bytes more in tx->bytes and @undo more in tx->undo; or -ENOMEM */
int tx_grow(struct tx *tx, size_t bytes, size_t undo);

/** tx_reserve() - the same; mostly there is room already */
static inline int tx_reserve(struct tx *tx, size_t bytes, size_t undo)
{
	if (tx->n_bytes + bytes <= tx->max_bytes && tx->n_undo + undo <= tx->max_undo)
		return 0;
	return tx_grow(tx, bytes, undo);
}

#endif
