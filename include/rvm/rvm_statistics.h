/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library did: counts, times and histograms.
 *
 * The interface is source-compatible with CMU RVM 1.3.  "Epoch" is the time
 * since the last truncation of the log; what is called tot_ counts since
 * rvm_initialize().  See rvm_statistics(3).
 *
 * A value stands in the first bucket of a histogram whose bound is not below
 * it; the last bucket has no bound.
 */
#ifndef RVM_RVM_STATISTICS_H
#define RVM_RVM_STATISTICS_H

#include <rvm/rvm.h>
#include <stdio.h>
#include <sys/time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RVM_STATISTICS_VERSION	"RVM Statistics Interface Version 1.3"

/**
 * struct rvm_statistics_t - what the library did
 * @struct_id: rvm_statistics_id
 * @from_heap: made by rvm_malloc_statistics or rvm_copy_statistics
 * @n_abort: epoch: transactions aborted
 * @n_flush_commit: epoch: committed in mode flush
 * @n_no_flush_commit: epoch: committed in mode no_flush
 * @n_uncommit: open now
 * @n_no_flush: committed in mode no_flush and still in memory now
 * @n_truncation_wait: epoch: transactions that waited for truncation
 * @no_flush_length: bytes of committed work still in memory now
 * @n_split: epoch: records that stand on both sides of the log's end
 * @n_flush: epoch: writes and syncs of the log
 * @n_rvm_flush: epoch: calls of rvm_flush
 * @n_special: epoch: records that are no transactions, as padding is
 * @n_wrap: epoch: times that the log went on at its beginning
 * @log_dev_cur: how full the log is now, in percent
 * @log_written: epoch: bytes written to the log
 * @range_overlap: epoch: bytes saved by joining ranges of a transaction
 * @trans_overlap: epoch: bytes saved because newer transactions covered them
 * @n_range_elim: epoch: ranges saved by joining
 * @n_trans_elim: epoch: ranges saved because newer transactions covered them
 * @n_trans_coalesced: epoch: transactions of which nothing had to be logged
 * @flush_time: epoch: time spent writing and syncing the log
 * @last_flush_time: ms that the last of these took
 * @last_truncation_time: seconds that the last truncation took
 * @last_tree_build_time: of that, reading and sorting the log
 * @last_tree_apply_time: of that, writing to the segments
 * @flush_times: epoch: ms, 25 50 100 250 500 1000 2500 5000 10000
 * @range_lengths: epoch: bytes of logged ranges, 0 4 8 16 ... 4096
 * @range_elims: epoch: ranges saved by joining, a transaction, 0 5 10 50 100
 * @trans_elims: epoch: ranges saved by newer transactions, a time, 0 5 10 50 100
 * @range_overlaps: epoch: bytes saved by joining, a transaction, 0 4 8 16 ... 4096
 * @trans_overlaps: epoch: bytes saved by newer transactions, a time
 * @tot_abort: as n_abort, since rvm_initialize
 * @tot_flush_commit: as n_flush_commit
 * @tot_no_flush_commit: as n_no_flush_commit
 * @tot_split: as n_split
 * @tot_flush: as n_flush
 * @tot_rvm_flush: as n_rvm_flush
 * @tot_special: as n_special
 * @tot_wrap: as n_wrap
 * @log_dev_max: the fullest that the log was, in percent
 * @tot_log_written: as log_written
 * @tot_range_overlap: as range_overlap
 * @tot_trans_overlap: as trans_overlap
 * @tot_range_elim: as n_range_elim
 * @tot_trans_elim: as n_trans_elim
 * @tot_trans_coalesced: as n_trans_coalesced
 * @tot_rvm_truncate: calls of rvm_truncate
 * @tot_async_truncation: truncations by the library's thread
 * @tot_sync_truncation: truncations because a transaction found no room
 * @tot_truncation_wait: as n_truncation_wait
 * @tot_recovery: recoveries of a log that held transactions
 * @tot_flush_time: as flush_time
 * @tot_truncation_time: time spent in truncation
 * @tot_tree_build_times: seconds, 1 10 100 500
 * @tot_tree_apply_times: seconds, 1 10 100 500
 * @tot_truncation_times: seconds, 1 10 100 500
 * @tot_flush_times: as flush_times
 * @tot_range_lengths: as range_lengths
 * @tot_range_elims: as range_elims
 * @tot_trans_elims: as trans_elims
 * @tot_range_overlaps: as range_overlaps
 * @tot_trans_overlaps: as trans_overlaps
 * @tot_trans_coalesces: transactions dropped for newer ones, a time, 0 5 10 50 100
 * @tot_epoch_truncation: epoch truncations that freed space
 * @tot_step: steps of incremental truncation that did
 * @tot_step_pages: pages that steps wrote
 * @tot_step_blocked: pages that steps could not write, for uncommitted references
 * @tot_fallback: times that steps freed too little, and epoch truncation had to
 */
typedef struct {
	rvm_struct_id_t struct_id;
	rvm_bool_t from_heap;

	rvm_length_t n_abort;
	rvm_length_t n_flush_commit;
	rvm_length_t n_no_flush_commit;
	rvm_length_t n_uncommit;
	rvm_length_t n_no_flush;
	rvm_length_t n_truncation_wait;
	rvm_offset_t no_flush_length;
	rvm_length_t n_split;
	rvm_length_t n_flush;
	rvm_length_t n_rvm_flush;
	rvm_length_t n_special;
	rvm_length_t n_wrap;
	rvm_length_t log_dev_cur;
	rvm_offset_t log_written;
	rvm_offset_t range_overlap;
	rvm_offset_t trans_overlap;
	rvm_length_t n_range_elim;
	rvm_length_t n_trans_elim;
	rvm_length_t n_trans_coalesced;
	struct timeval flush_time;
	rvm_length_t last_flush_time;
	rvm_length_t last_truncation_time;
	rvm_length_t last_tree_build_time;
	rvm_length_t last_tree_apply_time;

	rvm_length_t flush_times[10];
	rvm_length_t range_lengths[13];
	rvm_length_t range_elims[6];
	rvm_length_t trans_elims[6];
	rvm_length_t range_overlaps[13];
	rvm_length_t trans_overlaps[13];

	rvm_length_t tot_abort;
	rvm_length_t tot_flush_commit;
	rvm_length_t tot_no_flush_commit;
	rvm_length_t tot_split;
	rvm_length_t tot_flush;
	rvm_length_t tot_rvm_flush;
	rvm_length_t tot_special;
	rvm_length_t tot_wrap;
	rvm_length_t log_dev_max;
	rvm_offset_t tot_log_written;
	rvm_offset_t tot_range_overlap;
	rvm_offset_t tot_trans_overlap;
	rvm_length_t tot_range_elim;
	rvm_length_t tot_trans_elim;
	rvm_length_t tot_trans_coalesced;
	rvm_length_t tot_rvm_truncate;
	rvm_length_t tot_async_truncation;
	rvm_length_t tot_sync_truncation;
	rvm_length_t tot_truncation_wait;
	rvm_length_t tot_recovery;
	struct timeval tot_flush_time;
	struct timeval tot_truncation_time;

	rvm_length_t tot_tree_build_times[5];
	rvm_length_t tot_tree_apply_times[5];
	rvm_length_t tot_truncation_times[5];
	rvm_length_t tot_flush_times[10];
	rvm_length_t tot_range_lengths[13];
	rvm_length_t tot_range_elims[6];
	rvm_length_t tot_trans_elims[6];
	rvm_length_t tot_range_overlaps[13];
	rvm_length_t tot_trans_overlaps[13];
	rvm_length_t tot_trans_coalesces[6];

	rvm_length_t tot_epoch_truncation;
	rvm_length_t tot_step;
	rvm_length_t tot_step_pages;
	rvm_length_t tot_step_blocked;
	rvm_length_t tot_fallback;
} rvm_statistics_t;

/* Records: allocate, initialize in place, copy, free. */
rvm_statistics_t *rvm_malloc_statistics(void);
void rvm_init_statistics(rvm_statistics_t *statistics);
rvm_statistics_t *rvm_copy_statistics(rvm_statistics_t *statistics);
void rvm_free_statistics(rvm_statistics_t *statistics);

/**
 * rvm_statistics() - tell what the library did
 * @version: RVM_STATISTICS_VERSION
 * @statistics: an initialized record, filled in
 *
 * Return: RVM_SUCCESS; RVM_EINIT; RVM_ESTAT_VERSION_SKEW compiled for another
 * version; RVM_ESTATISTICS not a statistics record.
 */
rvm_return_t rvm_statistics(const char *version, rvm_statistics_t *statistics);
#define RVM_STATISTICS(s)	rvm_statistics(RVM_STATISTICS_VERSION, s)

/**
 * rvm_print_statistics() - print a record
 * @statistics: a record, filled in
 * @out: where to
 *
 * The library need not be initialized.
 *
 * Return: RVM_SUCCESS; RVM_ESTATISTICS not a statistics record; RVM_EIO @out is
 * NULL or takes no more.
 */
rvm_return_t rvm_print_statistics(rvm_statistics_t *statistics, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
