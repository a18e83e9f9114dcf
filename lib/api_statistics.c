// SPDX-License-Identifier: LGPL-2.1-or-later
/* The public record of statistics: made, copied, filled in. */
#include <rvm/rvm_statistics.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "log.h"
#include "statistics.h"

void rvm_init_statistics(rvm_statistics_t *statistics)
{
	if (!statistics)
		return;
	memset(statistics, 0, sizeof(*statistics));
	statistics->struct_id = rvm_statistics_id;
}

rvm_statistics_t *rvm_malloc_statistics(void)
{
	rvm_statistics_t *statistics = malloc(sizeof(*statistics));

	if (!statistics)
		return NULL;
	rvm_init_statistics(statistics);
	statistics->from_heap = rvm_true;
	return statistics;
}

rvm_statistics_t *rvm_copy_statistics(rvm_statistics_t *statistics)
{
	rvm_statistics_t *copy;

	if (!statistics || statistics->struct_id != rvm_statistics_id)
		return NULL;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return NULL;
	*copy = *statistics;
	copy->from_heap = rvm_true;
	return copy;
}

void rvm_free_statistics(rvm_statistics_t *statistics)
{
	if (statistics && statistics->struct_id == rvm_statistics_id && statistics->from_heap)
		free(statistics);
}

static rvm_offset_t offset_of(uint64_t n)
{
	return rvm_mk_offset(0, n);
}

static struct timeval time_of(uint64_t ns)
{
	return (struct timeval){ .tv_sec = ns / 1000000000, .tv_usec = ns / 1000 % 1000000 };
}

static void copy(rvm_length_t *to, const uint64_t *from, size_t buckets)
{
	while (buckets--)
		*to++ = *from++;
}

static void fill_epoch(rvm_statistics_t *s, const uint64_t *n)
{
	s->n_abort = n[STATISTICS_ABORT];
	s->n_flush_commit = n[STATISTICS_FLUSH_COMMIT];
	s->n_no_flush_commit = n[STATISTICS_NO_FLUSH_COMMIT];
	s->n_truncation_wait = n[STATISTICS_TRUNCATION_WAIT];
	s->n_split = n[STATISTICS_SPLIT];
	s->n_flush = n[STATISTICS_FLUSH];
	s->n_rvm_flush = n[STATISTICS_RVM_FLUSH];
	s->n_special = n[STATISTICS_SPECIAL];
	s->n_wrap = n[STATISTICS_WRAP];
	s->log_written = offset_of(n[STATISTICS_LOG_WRITTEN]);
	s->range_overlap = offset_of(n[STATISTICS_RANGE_OVERLAP]);
	s->trans_overlap = offset_of(n[STATISTICS_TRANS_OVERLAP]);
	s->n_range_elim = n[STATISTICS_RANGE_ELIM];
	s->n_trans_elim = n[STATISTICS_TRANS_ELIM];
	s->n_trans_coalesced = n[STATISTICS_TRANS_COALESCED];
	s->flush_time = time_of(n[STATISTICS_FLUSH_NS]);
	copy(s->flush_times, &n[STATISTICS_FLUSH_TIMES], STATISTICS_FLUSHES);
	copy(s->range_lengths, &n[STATISTICS_RANGE_LENGTHS], STATISTICS_LENGTHS);
	copy(s->range_elims, &n[STATISTICS_RANGE_ELIMS], STATISTICS_ELIMS);
	copy(s->trans_elims, &n[STATISTICS_TRANS_ELIMS], STATISTICS_ELIMS);
	copy(s->range_overlaps, &n[STATISTICS_RANGE_OVERLAPS], STATISTICS_LENGTHS);
	copy(s->trans_overlaps, &n[STATISTICS_TRANS_OVERLAPS], STATISTICS_LENGTHS);
}

static void fill_total(rvm_statistics_t *s, const uint64_t *n)
{
	s->tot_abort = n[STATISTICS_ABORT];
	s->tot_flush_commit = n[STATISTICS_FLUSH_COMMIT];
	s->tot_no_flush_commit = n[STATISTICS_NO_FLUSH_COMMIT];
	s->tot_split = n[STATISTICS_SPLIT];
	s->tot_flush = n[STATISTICS_FLUSH];
	s->tot_rvm_flush = n[STATISTICS_RVM_FLUSH];
	s->tot_special = n[STATISTICS_SPECIAL];
	s->tot_wrap = n[STATISTICS_WRAP];
	s->tot_log_written = offset_of(n[STATISTICS_LOG_WRITTEN]);
	s->tot_range_overlap = offset_of(n[STATISTICS_RANGE_OVERLAP]);
	s->tot_trans_overlap = offset_of(n[STATISTICS_TRANS_OVERLAP]);
	s->tot_range_elim = n[STATISTICS_RANGE_ELIM];
	s->tot_trans_elim = n[STATISTICS_TRANS_ELIM];
	s->tot_trans_coalesced = n[STATISTICS_TRANS_COALESCED];
	s->tot_rvm_truncate = n[STATISTICS_RVM_TRUNCATE];
	s->tot_async_truncation = n[STATISTICS_ASYNC_TRUNCATION];
	s->tot_sync_truncation = n[STATISTICS_SYNC_TRUNCATION];
	s->tot_truncation_wait = n[STATISTICS_TRUNCATION_WAIT];
	s->tot_recovery = n[STATISTICS_RECOVERY];
	s->tot_flush_time = time_of(n[STATISTICS_FLUSH_NS]);
	s->tot_truncation_time = time_of(n[STATISTICS_TRUNCATION_NS]);
	copy(s->tot_tree_build_times, &n[STATISTICS_TREE_BUILD_TIMES], STATISTICS_SECONDS);
	copy(s->tot_tree_apply_times, &n[STATISTICS_TREE_APPLY_TIMES], STATISTICS_SECONDS);
	copy(s->tot_truncation_times, &n[STATISTICS_TRUNCATION_TIMES], STATISTICS_SECONDS);
	copy(s->tot_flush_times, &n[STATISTICS_FLUSH_TIMES], STATISTICS_FLUSHES);
	copy(s->tot_range_lengths, &n[STATISTICS_RANGE_LENGTHS], STATISTICS_LENGTHS);
	copy(s->tot_range_elims, &n[STATISTICS_RANGE_ELIMS], STATISTICS_ELIMS);
	copy(s->tot_trans_elims, &n[STATISTICS_TRANS_ELIMS], STATISTICS_ELIMS);
	copy(s->tot_range_overlaps, &n[STATISTICS_RANGE_OVERLAPS], STATISTICS_LENGTHS);
	copy(s->tot_trans_overlaps, &n[STATISTICS_TRANS_OVERLAPS], STATISTICS_LENGTHS);
	copy(s->tot_trans_coalesces, &n[STATISTICS_TRANS_COALESCES], STATISTICS_ELIMS);
	s->tot_epoch_truncation = n[STATISTICS_EPOCH];
	s->tot_step = n[STATISTICS_STEP];
	s->tot_step_pages = n[STATISTICS_STEP_PAGES];
	s->tot_step_blocked = n[STATISTICS_STEP_BLOCKED];
	s->tot_fallback = n[STATISTICS_FALLBACK];
}

static void fill_last(rvm_statistics_t *s, const struct statistics_last *last)
{
	s->last_flush_time = last->flush_ns / 1000000;
	s->last_truncation_time = last->truncation_ns / 1000000000;
	s->last_tree_build_time = last->tree_build_ns / 1000000000;
	s->last_tree_apply_time = last->tree_apply_ns / 1000000000;
	s->log_dev_max = last->log_used_max;
}

/* What is so now. */
static void fill_now(rvm_statistics_t *s)
{
	struct log_state state;
	uint64_t used;

	s->n_uncommit = txs_open(&rvm.txs, NULL, NULL);
	if (!rvm.log)
		return;
	used = log_used(rvm.log);
	log_state(rvm.log, &state);
	s->n_no_flush = state.spooled;
	if (state.head + used > state.durable)
		s->no_flush_length = offset_of(state.head + used - state.durable);
	s->log_dev_cur = (double)used / state.size * 100;
	if (s->log_dev_max < s->log_dev_cur)
		s->log_dev_max = s->log_dev_cur;
}

static rvm_return_t check_record(const rvm_statistics_t *statistics)
{
	if (statistics && statistics->struct_id == rvm_statistics_id)
		return RVM_SUCCESS;
	return fail(RVM_ESTATISTICS,
		    "not a statistics record: call rvm_init_statistics() on it");
}

static void fill(rvm_statistics_t *statistics)
{
	struct statistics_counts total, epoch;
	struct statistics_last last;
	rvm_bool_t from_heap = statistics->from_heap;

	statistics_read(&total, &epoch, &last);
	rvm_init_statistics(statistics);
	statistics->from_heap = from_heap;
	fill_epoch(statistics, epoch.n);
	fill_total(statistics, total.n);
	fill_last(statistics, &last);
	fill_now(statistics);
}

rvm_return_t rvm_statistics(const char *version, rvm_statistics_t *statistics)
{
	rvm_return_t code = enter();

	if (code)
		return code;
	if (!version || strcmp(version, RVM_STATISTICS_VERSION))
		return fail(RVM_ESTAT_VERSION_SKEW,
			    "the program was compiled for \"%s\", the library is \"%s\"",
			    version ? version : "NULL", RVM_STATISTICS_VERSION);
	code = check_record(statistics);
	if (!code)
		fill(statistics);
	return code;
}
