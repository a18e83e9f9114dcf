/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library did, counted.
 *
 * Each thread counts in a block of its own, with plain stores and without a
 * lock; a reader adds the blocks up.  A count is never set back: the values
 * since a truncation are the difference to the counts of that moment.
 *
 * Who calls what:
 *
 *	commit		statistics_commit, statistics_abort, statistics_wait
 *	tail, spool	statistics_flush, statistics_wrap, statistics_special,
 *			statistics_coalesced
 *	truncate	statistics_truncation, statistics_truncated, statistics_log_used,
 *			statistics_fallback
 *	increment	statistics_step, statistics_step_pages
 *	recover		statistics_recovery
 *	apply		statistics_tree
 *	api_log		statistics_rvm_flush, statistics_truncation
 *	api_life	statistics_start
 *
 * All may be called by any thread, with any lock held: the first call of a
 * thread takes a lock that is a leaf.
 */
#ifndef RVM_LIB_STATISTICS_H
#define RVM_LIB_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_range;

/* Buckets of the histograms. */
#define STATISTICS_FLUSHES	10	/* ms: 25 50 100 250 500 1000 2500 5000 10000 */
#define STATISTICS_LENGTHS	13	/* bytes: 0 4 8 16 ... 4096 */
#define STATISTICS_ELIMS	6	/* 0 5 10 50 100 */
#define STATISTICS_SECONDS	5	/* s: 1 10 100 500 */

/* Where each count stands in struct statistics_counts; a histogram has several places. */
enum statistics_count {
	STATISTICS_ABORT,
	STATISTICS_FLUSH_COMMIT,
	STATISTICS_NO_FLUSH_COMMIT,
	STATISTICS_TRUNCATION_WAIT,
	STATISTICS_SPLIT,
	STATISTICS_FLUSH,
	STATISTICS_RVM_FLUSH,
	STATISTICS_SPECIAL,
	STATISTICS_WRAP,
	STATISTICS_LOG_WRITTEN,
	STATISTICS_RANGE_OVERLAP,
	STATISTICS_TRANS_OVERLAP,
	STATISTICS_RANGE_ELIM,
	STATISTICS_TRANS_ELIM,
	STATISTICS_TRANS_COALESCED,
	STATISTICS_RVM_TRUNCATE,
	STATISTICS_ASYNC_TRUNCATION,
	STATISTICS_SYNC_TRUNCATION,
	STATISTICS_RECOVERY,
	STATISTICS_EPOCH,
	STATISTICS_STEP,
	STATISTICS_STEP_PAGES,
	STATISTICS_STEP_BLOCKED,
	STATISTICS_FALLBACK,
	STATISTICS_FLUSH_NS,
	STATISTICS_TRUNCATION_NS,
	STATISTICS_FLUSH_TIMES,
	STATISTICS_RANGE_LENGTHS = STATISTICS_FLUSH_TIMES + STATISTICS_FLUSHES,
	STATISTICS_RANGE_ELIMS = STATISTICS_RANGE_LENGTHS + STATISTICS_LENGTHS,
	STATISTICS_TRANS_ELIMS = STATISTICS_RANGE_ELIMS + STATISTICS_ELIMS,
	STATISTICS_RANGE_OVERLAPS = STATISTICS_TRANS_ELIMS + STATISTICS_ELIMS,
	STATISTICS_TRANS_OVERLAPS = STATISTICS_RANGE_OVERLAPS + STATISTICS_LENGTHS,
	STATISTICS_TREE_BUILD_TIMES = STATISTICS_TRANS_OVERLAPS + STATISTICS_LENGTHS,
	STATISTICS_TREE_APPLY_TIMES = STATISTICS_TREE_BUILD_TIMES + STATISTICS_SECONDS,
	STATISTICS_TRUNCATION_TIMES = STATISTICS_TREE_APPLY_TIMES + STATISTICS_SECONDS,
	STATISTICS_TRANS_COALESCES = STATISTICS_TRUNCATION_TIMES + STATISTICS_SECONDS,
	STATISTICS_COUNTS = STATISTICS_TRANS_COALESCES + STATISTICS_ELIMS
};

/* Why the log is truncated. */
enum statistics_truncation {
	STATISTICS_BY_PROGRAM,		/* rvm_truncate() */
	STATISTICS_BY_THREAD,		/* the threshold was reached */
	STATISTICS_BY_COMMIT		/* a transaction found no room */
};

/** struct statistics_counts - counts of all threads; see enum statistics_count */
struct statistics_counts {
	uint64_t n[STATISTICS_COUNTS];
};

/**
 * struct statistics_last - the last of each, and the highest
 * @flush_ns: the last flush took that long
 * @truncation_ns: the last truncation
 * @tree_build_ns: the last sorting of what a part of the log holds
 * @tree_apply_ns: and writing it to the segments
 * @log_used_max: the fullest that the log was, in percent
 */
struct statistics_last {
	uint64_t flush_ns;
	uint64_t truncation_ns;
	uint64_t tree_build_ns;
	uint64_t tree_apply_ns;
	uint64_t log_used_max;
};

/** statistics_clock() - nanoseconds of a clock that nobody sets, to take differences of */
uint64_t statistics_clock(void);

/** statistics_start() - count from zero; nothing is counted meanwhile */
void statistics_start(void);

/**
 * statistics_commit() - a transaction was committed
 * @flush: in mode flush
 * @declared: ranges that it declared
 * @declared_bytes: their bytes
 * @ranges: those that are logged
 * @n_ranges: how many
 *
 * What it declared more than is logged was saved.
 */
void statistics_commit(bool flush, uint64_t declared, uint64_t declared_bytes,
		       const struct log_range *ranges, size_t n_ranges);

/** statistics_abort() - a transaction was aborted */
void statistics_abort(void);

/** statistics_wait() - a transaction had to wait for truncation; once a transaction */
void statistics_wait(void);

/**
 * statistics_flush() - records were written to the log and synced
 * @ns: how long it took
 * @bytes: how many bytes went to the log's file
 */
void statistics_flush(uint64_t ns, uint64_t bytes);

/** statistics_wrap() - the log goes on at the beginning of its record area */
void statistics_wrap(void);

/** statistics_split() - and the record of a transaction stands on both sides of the end */
void statistics_split(void);

/** statistics_special() - a record that is no transaction was written, as padding is */
void statistics_special(void);

/**
 * statistics_coalesced() - newer records made waiting ones unnecessary
 * @n_tx: records of so many transactions are not written
 * @bytes: new values that they held
 */
void statistics_coalesced(uint64_t n_tx, uint64_t bytes);

/** statistics_ranges_coalesced() - how many ranges the records had that were not written */
void statistics_ranges_coalesced(uint64_t n_ranges);

/** statistics_rvm_flush() - the program called rvm_flush() */
void statistics_rvm_flush(void);

/** statistics_truncation() - a truncation begins, for that reason */
void statistics_truncation(enum statistics_truncation why);

/**
 * statistics_log_used() - how full the log is; called before its head is moved
 * @used: bytes in use
 * @size: bytes of the record area
 */
void statistics_log_used(uint64_t used, uint64_t size);

/** statistics_fallback() - steps free too little, so that epoch truncation must */
void statistics_fallback(void);

/** statistics_step() - a step of incremental truncation has freed space */
void statistics_step(void);

/**
 * statistics_step_pages() - a step was at work on pages
 * @written: pages that it wrote
 * @blocked: pages that it could not write, for uncommitted references
 */
void statistics_step_pages(uint64_t written, uint64_t blocked);

/** statistics_truncated() - a truncation has freed space, and took so long; an epoch begins */
void statistics_truncated(uint64_t ns);

/**
 * statistics_tree() - a part of the log was brought to the segments
 * @build_ns: reading and sorting took that long
 * @apply_ns: and writing
 */
void statistics_tree(uint64_t build_ns, uint64_t apply_ns);

/** statistics_recovery() - a log was recovered */
void statistics_recovery(void);

/**
 * statistics_read() - what was counted
 * @total: since statistics_start()
 * @epoch: since the last statistics_truncated()
 * @last: the last of each
 */
void statistics_read(struct statistics_counts *total, struct statistics_counts *epoch,
		     struct statistics_last *last);

#endif
