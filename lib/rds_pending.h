/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocks that open transactions allocated or freed, in ordinary memory.
 *
 * Each has an entry, found by the block's number, and on the list of its transaction; whether
 * the block is free is known when the transaction has ended.
 */
#ifndef RVM_LIB_RDS_PENDING_H
#define RVM_LIB_RDS_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rds_lists.h"
#include "tx.h"

struct rds_heap;

/**
 * struct rds_entry - a block that an open transaction allocated or freed
 * @next: in its chain, or among the spare ones
 * @watch: the transaction
 * @older: the transaction's entry before
 * @newer: the one after
 * @extent: the block
 * @used: it is allocated if the transaction commits
 */
struct rds_entry {
	struct rds_entry *next;
	struct rds_watch *watch;
	struct rds_entry *older;
	struct rds_entry *newer;
	struct rds_extent extent;
	bool used;
};

/**
 * struct rds_watch - a transaction that has used the heap
 * @tx: tells us of its end
 * @heap: the heap
 * @newest: its entries
 * @next: in struct rds_pending
 * @prev: likewise
 */
struct rds_watch {
	struct tx_watch tx;
	struct rds_heap *heap;
	struct rds_entry *newest;
	struct rds_watch *next;
	struct rds_watch *prev;
};

/**
 * struct rds_pending - all entries
 * @chains: hash table by the block's number
 * @nchains: its size, a power of two; 0: not made yet
 * @count: entries
 * @spare: entries for reuse
 * @nspare: how many
 * @watches: transactions that have not ended
 */
struct rds_pending {
	struct rds_entry **chains;
	size_t nchains;
	size_t count;
	struct rds_entry *spare;
	size_t nspare;
	struct rds_watch *watches;
};

/** rds_pending_free() - forget all entries and transactions */
void rds_pending_free(struct rds_pending *pending);

/** rds_pending_watch() - note a transaction; Return: its watch, or NULL: no memory */
struct rds_watch *rds_pending_watch(struct rds_pending *pending);

/** rds_pending_ended() - forget a transaction that has no entries any more */
void rds_pending_ended(struct rds_pending *pending, struct rds_watch *watch);

/** rds_pending_find() - the entry of a block, or NULL */
struct rds_entry *rds_pending_find(const struct rds_pending *pending, uint64_t number);

/**
 * rds_pending_add() - make an entry for a block that has none
 * @pending: all entries
 * @watch: the transaction
 * @extent: the block
 * @used: it is allocated, as far as the transaction is concerned
 *
 * Return: the entry, or NULL: no memory.
 */
struct rds_entry *rds_pending_add(struct rds_pending *pending, struct rds_watch *watch,
				  struct rds_extent extent, bool used);

/** rds_pending_remove() - forget an entry */
void rds_pending_remove(struct rds_pending *pending, struct rds_entry *entry);

#endif
