/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A log and a segment for tests: numbered transactions whose bytes follow from their numbers,
 * so that the segment alone tells which of them it holds.
 */
#ifndef LOGTEST_H
#define LOGTEST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "format.h"
#include "log.h"
#include "memdisk.h"
#include "recover.h"
#include "segment.h"
#include "statistics.h"

/* A test may have them elsewhere. */
#ifndef LOG
#define LOG "/log"
#define SEG "/segment"
#endif
#define SEG_SIZE 65536U
#define TX_RANGES 4

/* struct tx - a transaction: each writes its number at 0, and some bytes elsewhere */
struct tx {
	uint64_t number;
	struct log_range ranges[TX_RANGES];
	unsigned int count;
	unsigned char data[TX_RANGES][2048];
};

/* Makes the transaction @number, with at most @most bytes in a range. */
static inline void make_tx(struct tx *tx, uint64_t number, unsigned int most)
{
	unsigned int state = number * 2654435761U + 1;
	unsigned int i;

	tx->number = number;
	for (i = 0; i < 4; i++)
		rand_r(&state);	/* neighbours' seeds are alike, their later numbers are not */
	tx->count = 2 + rand_r(&state) / 7 % (TX_RANGES - 1);
	for (i = 0; i < tx->count; i++) {
		struct log_range *r = &tx->ranges[i];

		r->segment = 1;
		r->length = i ? 1 + rand_r(&state) % most : 8;
		r->offset = i ? 8 + rand_r(&state) % (SEG_SIZE - 8 - r->length) : 0;
		memset(tx->data[i], number * 7 + i + 1, r->length);
		r->data = tx->data[i];
	}
	memcpy(tx->data[0], &number, 8);
}

/* What the segment holds after the transactions 1 to @number. */
static inline void replay(unsigned char *segment, uint64_t number, unsigned int most)
{
	struct tx tx;
	uint64_t n;
	unsigned int i;

	memset(segment, 0, SEG_SIZE);
	for (n = 1; n <= number; n++) {
		make_tx(&tx, n, most);
		for (i = 0; i < tx.count; i++)
			memcpy(segment + tx.ranges[i].offset, tx.data[i], tx.ranges[i].length);
	}
}

/* The number of transactions that the segment holds, or -1 if it holds no prefix of them. */
static inline int64_t prefix(const unsigned char *segment, unsigned int most)
{
	static unsigned char right[SEG_SIZE];
	uint64_t number;

	memcpy(&number, segment, 8);
	if (number > 1000000)
		return -1;
	replay(right, number, most);
	return memcmp(right, segment, SEG_SIZE) ? -1 : (int64_t)number;
}

/* A new log with so much record space, and a segment, in memory. */
static inline int make_disk(uint64_t size)
{
	struct segment *segment;
	int err;

	mem_install();
	err = log_create(LOG, size, 0600, false, NULL, NULL);
	if (!err)
		err = segment_open(SEG, SEG_SIZE, &segment);
	if (!err)
		segment_close(segment);
	return err;
}

/* Opens and recovers the log and names the segment, which gets the number 1. */
static inline int open_log(uint64_t buffer, struct log **log)
{
	uint32_t id;
	int err;

	err = log_open(LOG, buffer, false, log);
	if (err)
		return err;
	err = recover_log(*log, NULL, NULL, NULL);
	if (!err)
		err = log_name_segment(*log, SEG, SEG_SIZE, &id);
	if (err) {
		log_close(*log);
		*log = NULL;
	}
	return err;
}

/* How append_tx() appends: log_append() or log_spool(). */
static int (*append_by)(struct log *log, uint64_t tid, const struct log_range *ranges,
			unsigned int count, uint64_t *lsn) = log_append;

static inline int append_tx(struct log *log, uint64_t number, unsigned int most, uint64_t *lsn)
{
	struct tx tx;

	make_tx(&tx, number, most);
	return append_by(log, number, tx.ranges, tx.count, lsn);
}

static inline int commit_tx(struct log *log, uint64_t number, unsigned int most)
{
	uint64_t lsn;
	int err;

	err = append_tx(log, number, most, &lsn);
	return err ? err : log_flush(log, lsn);
}

/* The library's own segment, for recover_apply(). */
static inline int only_segment(void *arg, uint32_t id, struct segment **out)
{
	*out = arg;
	return 0;
}

/* Truncates: brings everything durable to the segment and moves the head. */
static inline int truncate_log(struct log *log)
{
	struct recover_ops ops = { .segment = only_segment };
	struct segment *segment;
	struct log_state state;
	int err;

	log_state(log, &state);
	err = log_flush(log, state.tail);
	if (err)
		return err;
	log_state(log, &state);
	err = segment_open(SEG, 0, &segment);
	if (err)
		return err;
	ops.arg = segment;
	err = recover_apply(log, state.head, state.durable, &ops, NULL);
	segment_close(segment);
	return err ? err : log_set_head(log, state.durable);
}

/* append_tx(), with a truncation if the log is full. */
static inline int append_or_truncate(struct log *log, uint64_t number, unsigned int most,
				     uint64_t *lsn)
{
	int err = append_tx(log, number, most, lsn);

	if (err == -ENOSPC) {
		err = truncate_log(log);
		if (!err)
			err = append_tx(log, number, most, lsn);
	}
	return err;
}

/* What statistics have counted since statistics_start(). */
static inline uint64_t statistic_of(enum statistics_count what)
{
	struct statistics_counts total, epoch;
	struct statistics_last last;

	statistics_read(&total, &epoch, &last);
	return total.n[what];
}

#endif
