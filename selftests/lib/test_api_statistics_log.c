// SPDX-License-Identifier: GPL-2.0
/* Statistics of the log and its truncation: each count against what the system saw. */
#include "counting.h"

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

TEST_HARNESS_MAIN
