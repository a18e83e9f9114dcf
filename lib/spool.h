/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The spool: transactions that are committed but that nobody waits for, as one record to be.
 *
 * Of each byte that several of them changed only the newest value is kept: what a later
 * transaction covers is overwritten in place, so a transaction that newer ones wholly cover
 * takes no room in the log.  This is the paper's inter-transaction optimization (SOSP'93,
 * section 5.2), taken from records to bytes.
 *
 * The whole spool becomes one record.  A record is in the log as a whole or not at all, so after
 * a crash either all of its transactions are there or none, and with none of them nothing that
 * was committed after them: all that follows in the log follows their record.  So atomicity
 * and the order of commits hold, whatever was dropped: the state between two transactions of
 * one spool is one that no crash can ever show.
 *
 * The ranges are disjoint and none crosses a block, so their order in the record means
 * nothing.  A table of blocks finds the ranges of a block.
 */
#ifndef RVM_LIB_SPOOL_H
#define RVM_LIB_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"

/**
 * struct spool_range - some bytes of one block of a segment
 * @offset: first byte in the segment
 * @length: how many
 * @segment: number of the segment
 * @at: where the values are in the spool's bytes
 * @next: the next range in the same slot of the table, counted from 1; 0: none
 * @owner: the transaction that changed them last, as an index in @live
 */
struct spool_range {
	uint64_t offset;
	uint32_t length;
	uint32_t segment;
	uint32_t at;
	uint32_t next;
	uint32_t owner;
};

/**
 * struct spool_stats - what merging saved, since the spool was empty
 * @eliminated: transactions that are wholly covered by newer ones
 * @bytes: that newer values took the place of
 * @ranges: that newer ones took the place of as a whole
 */
struct spool_stats {
	uint64_t eliminated;
	uint64_t bytes;
	uint64_t ranges;
};

/**
 * struct spool - transactions to be merged into one record
 * @bytes: their values
 * @n_bytes: bytes used
 * @max_bytes: room
 * @ranges: where they belong
 * @n_ranges: how many
 * @max_ranges: room
 * @table: by block: the newest range, counted from 1; 0: none
 * @live: ranges that each transaction still has
 * @n_live: transactions in the spool
 * @out: the ranges as the log takes them
 * @tid: number of the newest transaction
 * @stats: what merging saved
 */
struct spool {
	char *bytes;
	uint32_t n_bytes;
	uint32_t max_bytes;
	struct spool_range *ranges;
	uint32_t n_ranges;
	uint32_t max_ranges;
	uint32_t *table;
	uint32_t *live;
	uint32_t n_live;
	struct log_range *out;
	uint64_t tid;
	struct spool_stats stats;
};

/**
 * spool_init() - an empty spool
 * @spool: to be filled in
 * @max_bytes: bytes of values that it takes
 *
 * Return: 0 or -ENOMEM; then spool_free() is called all the same.
 */
int spool_init(struct spool *spool, uint32_t max_bytes);

/** spool_free() - free the memory */
void spool_free(struct spool *spool);

/**
 * spool_bound() - how long the record is at most if a transaction is added
 * @spool: the spool
 * @ranges: what the transaction changed
 * @count: how many ranges
 *
 * Return: bytes of the record, or 0 if the spool has no room for it.
 */
uint64_t spool_bound(const struct spool *spool, const struct log_range *ranges,
		     unsigned int count);

/** spool_add() - add a transaction for which spool_bound() has told that there is room */
void spool_add(struct spool *spool, uint64_t tid, const struct log_range *ranges,
	       unsigned int count);

/** spool_empty() - nothing is in it */
static inline bool spool_empty(const struct spool *spool)
{
	return !spool->n_ranges;
}

/** spool_length() - how long its record would be */
uint64_t spool_length(const struct spool *spool);

/** spool_take() - its contents as the ranges of a record, in spool->out; Return: how many */
unsigned int spool_take(struct spool *spool);

/** spool_clear() - make it empty */
void spool_clear(struct spool *spool);

#endif
