// SPDX-License-Identifier: GPL-2.0
/* Statistics: each count against what the program did, and against the system calls it saw. */
#include "api.h"

#include <rvm/rvm_statistics.h>

#include "os.h"

#define THREADS	4
#define COMMITS	500	/* of each thread */

/* What the workload did, counted without the library's help. */
struct model {
	rvm_length_t aborts;
	rvm_length_t flush_commits;
	rvm_length_t no_flush_commits;
	rvm_length_t range_elim;
	rvm_length_t range_overlap;
	rvm_length_t lengths[13];
	rvm_length_t elims[6];
	rvm_length_t overlaps[13];
};

static const unsigned int lengths[] = { 0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096 };
static const unsigned int some[] = { 0, 5, 10, 50, 100 };

static void count(rvm_length_t *histogram, const unsigned int *bounds, size_t n,
		  rvm_length_t value)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (value <= bounds[i])
			break;
	histogram[i]++;
}

static bool same(const rvm_length_t *a, const rvm_length_t *b, size_t n)
{
	return !memcmp(a, b, n * sizeof(*a));
}

static rvm_length_t sum(const rvm_length_t *histogram, size_t n)
{
	rvm_length_t total = 0;

	while (n--)
		total += *histogram++;
	return total;
}

FIXTURE(statistics) {
	struct place place;
	rvm_region_t region;
	rvm_statistics_t now;
	struct model model;
};

FIXTURE_SETUP(statistics)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, RVM_TRACK_NONE));
	rvm_init_statistics(&self->now);
}

FIXTURE_TEARDOWN(statistics)
{
	rvm_terminate();
	os = os_real;
	place_remove(&self->place);
}

/*
 * A transaction that declares bytes in as many ranges as @pieces has, each
 * twice: what is logged is one range for each run of them.
 */
static bool declare_twice(rvm_tid_t *tid, char *at, const rvm_length_t *pieces, size_t n,
			  struct model *m)
{
	rvm_length_t declared = 0, bytes = 0;
	size_t i, ranges = 0;

	for (i = 0; i < n; i++) {
		if (rvm_set_range(tid, at, pieces[i]) || rvm_set_range(tid, at, pieces[i]))
			return false;
		memset(at, (int)i + 1, pieces[i]);
		if (pieces[i])
			declared += 2;
		if (pieces[i]) {
			count(m->lengths, lengths, ARRAY_SIZE(lengths), pieces[i]);
			ranges++;
		}
		bytes += pieces[i];
		at += pieces[i] + 1;
	}
	m->range_elim += declared - ranges;
	m->range_overlap += bytes;
	count(m->elims, some, ARRAY_SIZE(some), declared - ranges);
	count(m->overlaps, lengths, ARRAY_SIZE(lengths), bytes);
	return true;
}

static bool commit_pieces(char *at, const rvm_length_t *pieces, size_t n, rvm_mode_t mode,
			  struct model *m)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	if (rvm_begin_transaction(&tid, restore) || !declare_twice(&tid, at, pieces, n, m) ||
	    rvm_end_transaction(&tid, mode))
		return false;
	if (mode == flush)
		m->flush_commits++;
	else
		m->no_flush_commits++;
	return true;
}

static bool abort_one(char *at, struct model *m)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	m->aborts++;
	return !rvm_begin_transaction(&tid, restore) && !rvm_set_range(&tid, at, 100) &&
	       !rvm_abort_transaction(&tid);
}

/* Ranges of each bucket's bounds, one beside them, none, and many. */
static bool work(char *at, struct model *m)
{
	static const rvm_length_t bounds[] = { 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096 };
	static const rvm_length_t above[] = { 5, 9, 17, 33, 65, 129, 257, 513, 1025, 2049, 4097 };
	rvm_length_t small[120];
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(small); i++)
		small[i] = 1;
	for (i = 0; i < 3; i++)
		if (!commit_pieces(at, bounds, ARRAY_SIZE(bounds), flush, m) ||
		    !commit_pieces(at, above, ARRAY_SIZE(above), no_flush, m) ||
		    !abort_one(at, m))
			return false;
	for (n = 0; n <= ARRAY_SIZE(small); n += 5)
		if (!commit_pieces(at, small, n, n % 2 ? flush : no_flush, m))
			return false;
	return abort_one(at, m);
}

TEST_F(statistics, commits_aborts_and_ranges_are_those_of_the_program)
{
	rvm_statistics_t *now = &self->now;
	struct model *m = &self->model;

	ASSERT_TRUE(work(self->region.vmaddr, m));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(now));
	EXPECT_EQ(m->aborts, now->n_abort);
	EXPECT_EQ(m->aborts, now->tot_abort);
	EXPECT_EQ(m->flush_commits, now->n_flush_commit);
	EXPECT_EQ(m->flush_commits, now->tot_flush_commit);
	EXPECT_EQ(m->no_flush_commits, now->n_no_flush_commit);
	EXPECT_EQ(m->no_flush_commits, now->tot_no_flush_commit);
	EXPECT_EQ(m->range_elim, now->n_range_elim);
	EXPECT_EQ(m->range_elim, now->tot_range_elim);
	EXPECT_EQ(0, now->range_overlap.high);
	EXPECT_EQ(m->range_overlap, now->range_overlap.low);
	EXPECT_EQ(m->range_overlap, now->tot_range_overlap.low);
	EXPECT_TRUE(same(m->lengths, now->range_lengths, 13));
	EXPECT_TRUE(same(m->lengths, now->tot_range_lengths, 13));
	EXPECT_TRUE(same(m->elims, now->range_elims, 6));
	EXPECT_TRUE(same(m->elims, now->tot_range_elims, 6));
	EXPECT_TRUE(same(m->overlaps, now->range_overlaps, 13));
	EXPECT_TRUE(same(m->overlaps, now->tot_range_overlaps, 13));
}

TEST_F(statistics, open_transactions_are_counted_now)
{
	rvm_tid_t tids[3];
	int i;

	for (i = 0; i < 3; i++) {
		rvm_init_tid(&tids[i]);
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tids[i], restore));
	}
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(3, self->now.n_uncommit);
	for (i = 0; i < 3; i++)
		ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tids[i]));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(0, self->now.n_uncommit);
	EXPECT_EQ(3, self->now.n_abort);
}

TEST_F(statistics, what_fails_is_not_counted)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, no_restore));
	ASSERT_RVM(RVM_ENOT_MAPPED, rvm_set_range(&tid, &tid, 8));
	ASSERT_RVM(RVM_EMODE, rvm_abort_transaction(&tid));
	ASSERT_RVM(RVM_EMODE, rvm_end_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(0, self->now.n_abort + self->now.n_flush_commit + self->now.n_no_flush_commit);
	EXPECT_EQ(0, self->now.n_range_elim);
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
}

TEST_F(statistics, an_epoch_ends_with_truncation_and_totals_go_on)
{
	struct model *m = &self->model;
	struct model zero = {};
	rvm_log_info_t log;

	ASSERT_TRUE(work(self->region.vmaddr, m));
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&log));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(1, self->now.tot_rvm_truncate);
	EXPECT_EQ(0, self->now.n_abort + self->now.n_flush_commit + self->now.n_no_flush_commit);
	EXPECT_TRUE(same(zero.lengths, self->now.range_lengths, 13));
	EXPECT_EQ(0, self->now.log_dev_cur);
	EXPECT_EQ((log.tail - log.head) * 100 / log.size, self->now.log_dev_max);
	EXPECT_LT(0, self->now.log_dev_max);
	EXPECT_EQ(1, sum(self->now.tot_truncation_times, 5));
	EXPECT_LT(0, self->now.tot_truncation_time.tv_sec * 1000000 +
		     self->now.tot_truncation_time.tv_usec);
	EXPECT_EQ(m->flush_commits, self->now.tot_flush_commit);

	memset(m->lengths, 0, sizeof(m->lengths));
	m->flush_commits = 0;
	ASSERT_TRUE(work(self->region.vmaddr, m));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(m->flush_commits, self->now.n_flush_commit);
	EXPECT_EQ(2 * m->flush_commits, self->now.tot_flush_commit);
	EXPECT_TRUE(same(m->lengths, self->now.range_lengths, 13));
	EXPECT_TRUE(same(m->elims, self->now.tot_range_elims, 6));
}

TEST_F(statistics, a_truncation_of_nothing_ends_no_epoch)
{
	ASSERT_TRUE(abort_one(self->region.vmaddr, &self->model));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(1, self->now.tot_rvm_truncate);
	EXPECT_EQ(0, sum(self->now.tot_truncation_times, 5));
	EXPECT_EQ(1, self->now.n_abort);
}

/* 200 transactions of 20 KB; how many of them moved the log's head? */
static rvm_length_t fill_log(char *at, rvm_mode_t mode, struct model *m)
{
	static const rvm_length_t pieces[] = { 4000, 4000, 4000, 4000, 4000 };
	rvm_length_t moves = 0;
	rvm_log_info_t log;
	uint64_t head;
	int i;

	need(!rvm_query_log(&log));
	head = log.head;
	for (i = 0; i < 200; i++) {
		need(commit_pieces(at, pieces, ARRAY_SIZE(pieces), mode, m));
		need(!rvm_query_log(&log));
		moves += log.head != head;
		head = log.head;
	}
	return moves;
}

/* In either mode. */
TEST_F(statistics, commits_without_flush_that_wait_for_truncation_are_counted)
{
	rvm_length_t waits;

	ASSERT_RVM(RVM_SUCCESS, merge_nothing());
	waits = fill_log(self->region.vmaddr, no_flush, &self->model);
	ASSERT_LT(2, waits);
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(waits, self->now.tot_truncation_wait);
	EXPECT_EQ(waits, self->now.tot_sync_truncation);
	EXPECT_EQ(waits, self->now.tot_epoch_truncation);
	EXPECT_EQ(200, self->now.tot_no_flush_commit);
}

/* A commit that found no room has moved the log's head itself: nobody else does here. */
TEST_F(statistics, commits_that_wait_for_truncation_are_counted)
{
	rvm_length_t waits = fill_log(self->region.vmaddr, flush, &self->model);

	ASSERT_LT(2, waits);
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(waits, self->now.tot_truncation_wait);
	EXPECT_EQ(waits, self->now.tot_sync_truncation);
	EXPECT_EQ(0, self->now.tot_async_truncation + self->now.tot_rvm_truncate);
	EXPECT_EQ(waits, sum(self->now.tot_truncation_times, 5));
	EXPECT_EQ(waits, self->now.tot_epoch_truncation);
	EXPECT_EQ(0, self->now.tot_step + self->now.tot_step_pages + self->now.tot_fallback);
	EXPECT_EQ(waits, sum(self->now.tot_tree_build_times, 5));
	EXPECT_EQ(waits, sum(self->now.tot_tree_apply_times, 5));
	EXPECT_LT(90, self->now.log_dev_max);
	EXPECT_GE(100, self->now.log_dev_max);
}

static bool head_moved(uint64_t from)
{
	rvm_log_info_t log;
	int i;

	for (i = 0; i < 10000; i++) {
		if (rvm_query_log(&log) == RVM_SUCCESS && log.head != from)
			return true;
		usleep(1000);
	}
	return false;
}

TEST_F(statistics, truncations_in_the_background_are_counted)
{
	static const rvm_length_t pieces[] = { 4000, 4000, 4000, 4000, 4000 };
	rvm_options_t options;
	rvm_log_info_t log;

	place_options(&self->place, &options);
	options.truncate = 20;
	ASSERT_RVM(RVM_SUCCESS, rvm_set_options(&options));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&log));
	while (log.tail - log.head < log.size / 4) {
		ASSERT_TRUE(commit_pieces(self->region.vmaddr, pieces, ARRAY_SIZE(pieces), flush,
					  &self->model));
		log.tail += 20000;
	}
	ASSERT_TRUE(head_moved(log.head));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_LE(1, self->now.tot_async_truncation);
	EXPECT_EQ(0, self->now.tot_sync_truncation + self->now.tot_rvm_truncate);
	EXPECT_EQ(0, self->now.tot_truncation_wait);
}

static void crash_with_work(void *arg)
{
	struct place *place = arg;
	struct model m = {};
	rvm_region_t region;

	need(place_open(place) == RVM_SUCCESS);
	need(place_map(place, &region, RVM_TRACK_NONE) == RVM_SUCCESS);
	need(work(region.vmaddr, &m));
	need(rvm_flush() == RVM_SUCCESS);
}

TEST_F(statistics, a_new_life_counts_from_zero_and_recoveries_that_had_something_to_do)
{
	ASSERT_TRUE(work(self->region.vmaddr, &self->model));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(0, self->now.tot_recovery + self->now.tot_flush_commit + self->now.tot_abort);
	EXPECT_EQ(0, self->now.n_flush_commit + self->now.tot_rvm_truncate);
	EXPECT_EQ(0, sum(self->now.tot_range_lengths, 13));
	EXPECT_EQ(0, self->now.log_dev_max);
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());

	ASSERT_EQ(0, in_child(crash_with_work, &self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(1, self->now.tot_recovery);
	EXPECT_EQ(0, self->now.tot_flush_commit);
}

TEST_F(statistics, calls_of_rvm_flush_are_counted)
{
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(4, self->now.n_rvm_flush);
	EXPECT_EQ(4, self->now.tot_rvm_flush);
}

/* Synchronous writes to the log's records, as the system sees them. */
static uint64_t area_start, seen_writes, seen_bytes;

static ssize_t seeing_pwritev(int fd, const struct iovec *iov, int n, uint64_t offset, bool sync)
{
	ssize_t done = os_real.pwritev(fd, iov, n, offset, sync);

	if (offset >= area_start && done > 0) {
		__atomic_add_fetch(&seen_writes, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&seen_bytes, done, __ATOMIC_RELAXED);
	}
	return done;
}

TEST_F(statistics, flushes_and_bytes_are_those_that_the_system_saw)
{
	area_start = file_length(self->place.log) - LOG_BYTES;
	os.pwritev = seeing_pwritev;
	ASSERT_TRUE(work(self->region.vmaddr, &self->model));
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_LT(10, seen_writes);
	EXPECT_EQ(seen_writes, self->now.n_flush);
	EXPECT_EQ(seen_writes, self->now.tot_flush);
	EXPECT_EQ(seen_bytes, self->now.log_written.low);
	EXPECT_EQ(seen_bytes, self->now.tot_log_written.low);
	EXPECT_EQ(seen_writes, sum(self->now.flush_times, 10));
	EXPECT_LT(0, self->now.flush_time.tv_sec * 1000000 + self->now.flush_time.tv_usec);
	EXPECT_EQ(0, self->now.n_wrap);
	EXPECT_EQ(0, self->now.n_split);
	EXPECT_EQ(0, self->now.n_no_flush);
	EXPECT_EQ(0, self->now.no_flush_length.low);
}

/* Nothing but time and size ends a spool: either nothing was written, or it was counted. */
TEST_F(statistics, what_waits_for_a_flush_is_told)
{
	static const rvm_length_t piece[] = { 64 };
	rvm_length_t flushes;
	int i;

	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	flushes = self->now.n_flush;
	for (i = 0; i < 5; i++)
		ASSERT_TRUE(commit_pieces(self->region.vmaddr + i * PAGE, piece, 1, no_flush,
					  &self->model));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	if (self->now.n_flush == flushes) {
		EXPECT_EQ(5, self->now.n_no_flush);
		EXPECT_LE(5 * 64, self->now.no_flush_length.low);
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_LT(flushes, self->now.n_flush);
	EXPECT_EQ(0, self->now.n_no_flush);
	EXPECT_EQ(0, self->now.no_flush_length.low);
}

TEST_F(statistics, what_newer_transactions_cover_is_counted)
{
	static const rvm_length_t piece[] = { 64 };
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_TRUE(commit_pieces(self->region.vmaddr, piece, 1, no_flush, &self->model));
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	/* The last of each spool is covered by none after it. */
	EXPECT_EQ(64 * self->now.n_trans_coalesced, self->now.trans_overlap.low);
	EXPECT_GE(9, self->now.n_trans_coalesced);
	EXPECT_TRUE(self->now.n_flush > 1 || self->now.n_trans_coalesced == 9);
}

/*
 * What the system sees of truncation: bytes written to a segment, and how often a log's first
 * status was written, which is once for each move of the head.
 */
static ino_t log_inode, seg_inode;
static uint64_t seen_statuses, seen_segment;

static ssize_t telling_pwritev(int fd, const struct iovec *iov, int n, uint64_t offset, bool sync)
{
	ssize_t done = os_real.pwritev(fd, iov, n, offset, sync);
	struct stat st;

	if (fstat(fd, &st) || done < 0)
		return done;
	if (st.st_ino == seg_inode)
		__atomic_add_fetch(&seen_segment, done, __ATOMIC_RELAXED);
	if (st.st_ino == log_inode && !offset)
		__atomic_add_fetch(&seen_statuses, 1, __ATOMIC_RELAXED);
	return done;
}

static bool watch_truncation(struct place *place)
{
	struct stat log, seg;

	if (stat(place->log, &log) || stat(place->seg, &seg))
		return false;
	log_inode = log.st_ino;
	seg_inode = seg.st_ino;
	os.pwritev = telling_pwritev;
	return true;
}

/* Maps the region anew, for steps of truncation where the log is a fifth full. */
static bool go_by_steps(struct place *place, rvm_region_t *region)
{
	rvm_options_t options;

	place_options(place, &options);
	options.truncate = 20;
	options.flags |= RVM_INCREMENTAL_TRUNCATION;
	return !rvm_unmap(region) && !rvm_truncate() && !rvm_set_options(&options) &&
	       !place_map(place, region, RVM_TRACK_NONE) && watch_truncation(place);
}

TEST_F(statistics, steps_of_truncation_and_their_pages_are_those_that_the_system_saw)
{
	rvm_statistics_t *now = &self->now;
	rvm_options_t options;

	ASSERT_TRUE(go_by_steps(&self->place, &self->region));
	rvm_init_options(&options);
	ASSERT_RVM(RVM_SUCCESS, rvm_query(&options, NULL));
	EXPECT_NE(0, options.flags & RVM_INCREMENTAL_TRUNCATION);
	ASSERT_LT(2, fill_log(self->region.vmaddr, flush, &self->model));
	place_options(&self->place, &options);	/* what has begun is finished, no more */
	options.truncate = 0;
	options.flags |= RVM_INCREMENTAL_TRUNCATION;
	ASSERT_RVM(RVM_SUCCESS, rvm_set_options(&options));
	usleep(200000);
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(now));
	EXPECT_LT(0, now->tot_step);
	EXPECT_LT(0, now->tot_step_pages);
	EXPECT_EQ(seen_statuses, now->tot_step + now->tot_epoch_truncation);
	if (!now->tot_epoch_truncation)
		EXPECT_EQ(seen_segment, now->tot_step_pages * PAGE);
	EXPECT_LE(now->tot_epoch_truncation, now->tot_fallback);
}

TEST_F(statistics, steps_that_are_blocked_and_what_they_fall_back_to_are_counted)
{
	rvm_statistics_t *now = &self->now;
	struct model ignored = {};
	rvm_tid_t tid;

	ASSERT_TRUE(go_by_steps(&self->place, &self->region));
	ASSERT_TRUE(commit_pieces(self->region.vmaddr, &(rvm_length_t){ 8 }, 1, flush, &ignored));
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, self->region.vmaddr, 8));
	ASSERT_LT(2, fill_log(self->region.vmaddr + PAGE, flush, &self->model));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(now));
	EXPECT_LT(0, now->tot_step_blocked);
	EXPECT_LT(2, now->tot_fallback);
	EXPECT_LE(now->tot_epoch_truncation, now->tot_fallback);
	EXPECT_LT(2, now->tot_epoch_truncation);
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tid));
}

/* All that is written to the record area, in the order of the writes. */
static char stream[8 * LOG_BYTES];
static size_t streamed;

static ssize_t keeping_pwritev(int fd, const struct iovec *iov, int n, uint64_t offset, bool sync)
{
	ssize_t done = os_real.pwritev(fd, iov, n, offset, sync);
	int i;

	for (i = 0; i < n && offset >= area_start && done > 0; i++) {
		need(streamed + iov[i].iov_len <= sizeof(stream));
		memcpy(stream + streamed, iov[i].iov_base, iov[i].iov_len);
		streamed += iov[i].iov_len;
	}
	return done;
}

/*
 * struct records - what the records say, as Documentation/log-format.md has them
 * @pads: padding
 * @split: transactions on both sides of the end of the record area
 */
struct records {
	rvm_length_t pads;
	rvm_length_t split;
};

static bool read_records(struct records *records)
{
	size_t at = 0;

	memset(records, 0, sizeof(*records));
	while (at < streamed) {
		uint64_t length, lsn;
		uint16_t type;

		memcpy(&type, stream + at + 8, sizeof(type));
		memcpy(&length, stream + at + 16, sizeof(length));
		memcpy(&lsn, stream + at + 24, sizeof(lsn));
		if (memcmp(stream + at, "RVMR", 4) || length > streamed - at)
			return false;
		records->pads += type == 2;
		records->split += type == 1 &&
				  lsn / LOG_BYTES != (lsn + length - 1) / LOG_BYTES;
		at += length;
	}
	return true;
}

TEST_F(statistics, records_that_wrap_and_split_and_pad_are_those_in_the_log)
{
	rvm_statistics_t *now = &self->now;
	rvm_log_info_t first, last;
	struct records records;

	area_start = file_length(self->place.log) - LOG_BYTES;
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&first));
	os.pwritev = keeping_pwritev;
	fill_log(self->region.vmaddr, flush, &self->model);
	os.pwritev = os_real.pwritev;
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&last));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(now));
	ASSERT_EQ(last.durable - first.durable, streamed);
	ASSERT_TRUE(read_records(&records));
	EXPECT_LT(100, records.pads);
	EXPECT_LT(1, records.split);
	EXPECT_EQ(records.pads, now->tot_special);
	EXPECT_EQ(records.split, now->tot_split);
	EXPECT_EQ(last.durable / LOG_BYTES - first.durable / LOG_BYTES, now->tot_wrap);
	/* the epoch began after the last truncation, in the last lap but one at most */
	EXPECT_GE(2, now->n_wrap);
	EXPECT_LE(now->n_split, now->n_wrap);
	EXPECT_GT(now->tot_special, now->n_special);
	EXPECT_LT(0, now->n_special);
}

/* @n transactions that each change the same @pieces pieces, as one record. */
static bool merge(char *at, int n, size_t pieces, struct model *m)
{
	static const rvm_length_t lengths_of_pieces[] = { 16, 16, 16, 16, 16, 16, 16 };

	while (n--)
		if (!commit_pieces(at, lengths_of_pieces, pieces, no_flush, m))
			return false;
	return !rvm_flush();
}

TEST_F(statistics, ranges_that_newer_transactions_cover_are_counted_for_each_record)
{
	rvm_length_t elims[6] = {}, overlaps[13] = {}, coalesces[6] = {};
	rvm_statistics_t *now = &self->now;
	rvm_options_t options;

	place_options(&self->place, &options);
	options.flush_interval = 0;	/* a spool ends when it is flushed, and not before */
	ASSERT_RVM(RVM_SUCCESS, rvm_set_options(&options));
	ASSERT_TRUE(merge(self->region.vmaddr, 10, 7, &self->model));
	ASSERT_TRUE(merge(self->region.vmaddr, 3, 2, &self->model));
	ASSERT_TRUE(merge(self->region.vmaddr, 1, 7, &self->model));
	count(elims, some, ARRAY_SIZE(some), 9 * 7);
	count(elims, some, ARRAY_SIZE(some), 2 * 2);
	count(overlaps, lengths, ARRAY_SIZE(lengths), 9 * 7 * 16);
	count(overlaps, lengths, ARRAY_SIZE(lengths), 2 * 2 * 16);
	count(coalesces, some, ARRAY_SIZE(some), 9);
	count(coalesces, some, ARRAY_SIZE(some), 2);
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(now));
	EXPECT_EQ(9 * 7 + 2 * 2, now->n_trans_elim);
	EXPECT_EQ(9 * 7 + 2 * 2, now->tot_trans_elim);
	EXPECT_EQ(9 + 2, now->n_trans_coalesced);
	EXPECT_EQ((9 * 7 + 2 * 2) * 16, now->trans_overlap.low);
	EXPECT_TRUE(same(elims, now->trans_elims, 6));
	EXPECT_TRUE(same(elims, now->tot_trans_elims, 6));
	EXPECT_TRUE(same(overlaps, now->trans_overlaps, 13));
	EXPECT_TRUE(same(overlaps, now->tot_trans_overlaps, 13));
	EXPECT_TRUE(same(coalesces, now->tot_trans_coalesces, 6));
}

/* One thread's share of the work, on a page of its own. */
struct worker {
	pthread_t thread;
	char *at;
	struct model model;
	bool done;
};

static void *work_alone(void *arg)
{
	static const rvm_length_t pieces[] = { 8, 100 };
	struct worker *w = arg;
	int i;

	for (i = 0; i < COMMITS; i++)
		if (!commit_pieces(w->at, pieces, 2, i % 50 ? no_flush : flush, &w->model) ||
		    !abort_one(w->at, &w->model))
			return NULL;
	w->done = true;
	return NULL;
}

TEST_F(statistics, nothing_is_lost_between_threads_nor_when_they_end)
{
	struct worker workers[2 * THREADS] = {};
	rvm_length_t aborts = 0, commits = 0, elims = 0;
	struct worker *w;
	int i, round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < THREADS; i++) {
			w = &workers[round * THREADS + i];
			w->at = self->region.vmaddr + i * PAGE;
			ASSERT_EQ(0, pthread_create(&w->thread, NULL, work_alone, w));
		}
		for (i = 0; i < THREADS; i++)
			pthread_join(workers[round * THREADS + i].thread, NULL);
	}
	for (i = 0; i < 2 * THREADS; i++) {
		w = &workers[i];
		ASSERT_TRUE(w->done);
		aborts += w->model.aborts;
		commits += w->model.flush_commits + w->model.no_flush_commits;
		elims += w->model.range_elim;
	}
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(aborts, self->now.tot_abort);
	EXPECT_EQ(commits, self->now.tot_flush_commit + self->now.tot_no_flush_commit);
	EXPECT_EQ(elims, self->now.tot_range_elim);
}

TEST_F(statistics, bad_records_and_versions_are_refused)
{
	rvm_statistics_t wrong = {};
	FILE *full = fopen("/dev/full", "w");

	EXPECT_REFUSED(RVM_ESTAT_VERSION_SKEW, "NULL", rvm_statistics(NULL, &self->now));
	EXPECT_REFUSED(RVM_ESTAT_VERSION_SKEW, "1.0", rvm_statistics("1.0", &self->now));
	EXPECT_REFUSED(RVM_ESTATISTICS, "rvm_init_statistics", RVM_STATISTICS(&wrong));
	EXPECT_RVM(RVM_ESTATISTICS, RVM_STATISTICS((rvm_statistics_t *)NULL));
	EXPECT_RVM(RVM_ESTATISTICS, rvm_print_statistics(&wrong, stderr));
	EXPECT_RVM(RVM_ESTATISTICS, rvm_print_statistics(NULL, stderr));
	EXPECT_REFUSED(RVM_EIO, "stream", rvm_print_statistics(&self->now, NULL));
	ASSERT_NE(NULL, full);
	setvbuf(full, NULL, _IONBF, 0);
	EXPECT_REFUSED(RVM_EIO, "printed", rvm_print_statistics(&self->now, full));
	fclose(full);
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_RVM(RVM_EINIT, RVM_STATISTICS(&self->now));
	EXPECT_EQ(NULL, rvm_copy_statistics(&wrong));
	EXPECT_EQ(NULL, rvm_copy_statistics(NULL));
	rvm_free_statistics(NULL);
	rvm_free_statistics(&self->now);
	rvm_init_statistics(NULL);
}

TEST(a_copy_is_a_record_of_its_own)
{
	rvm_statistics_t *one = rvm_malloc_statistics(), *two;

	ASSERT_NE(NULL, one);
	EXPECT_EQ(rvm_statistics_id, one->struct_id);
	EXPECT_EQ(rvm_true, one->from_heap);
	one->tot_wrap = 7;
	two = rvm_copy_statistics(one);
	rvm_free_statistics(one);
	ASSERT_NE(NULL, two);
	EXPECT_EQ(7, two->tot_wrap);
	EXPECT_EQ(rvm_true, two->from_heap);
	rvm_free_statistics(two);
}

/* Each field has a number of its own, and each must be in the text: nothing is left out. */
TEST(everything_in_a_record_is_printed)
{
	rvm_length_t *word;
	rvm_statistics_t record;
	char text[16384], want[32];
	size_t i, n;
	FILE *out;

	rvm_init_statistics(&record);
	word = &record.n_abort;
	n = (sizeof(record) - offsetof(rvm_statistics_t, n_abort)) / sizeof(*word);
	for (i = 0; i < n; i++)
		word[i] = 100001 + i;
	memset(text, 0, sizeof(text));
	out = fmemopen(text, sizeof(text) - 1, "w");
	ASSERT_NE(NULL, out);
	ASSERT_RVM(RVM_SUCCESS, rvm_print_statistics(&record, out));
	fclose(out);
	for (i = 0; i < n; i++) {
		snprintf(want, sizeof(want), "%lu", word[i]);
		EXPECT_NE(NULL, strstr(text, want)) {
			TH_LOG("word %zu is not printed", i);
		}
	}
}

TEST_HARNESS_MAIN
