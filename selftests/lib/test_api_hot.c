// SPDX-License-Identifier: GPL-2.0
/*
 * Tracked transactions that change the same page over and over, which the module then calls hot:
 * the other trackers shall do the same without.
 */
#include "tracked_each.h"

static uint64_t hot_pages(rvm_region_t *region)
{
	rvm_region_info_t info;

	return rvm_query_region(region, &info) ? UINT64_MAX : info.hot;
}

static void warm(FIXTURE_DATA(tracked) *self, struct __test_metadata *_metadata, int n)
{
	for (int i = 0; i < n; i++) {
		BEGIN(&self->tid, rvm_tracked);
		self->at[7]++;
		self->at[2 * PAGE + 9]++;
		END(&self->tid, no_flush);
	}
}

TEST_F(tracked, a_page_that_changes_in_each_transaction_is_written_once_only)
{
	rvm_region_info_t info;

	warm(self, _metadata, 50);
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	if (variant->flag == RVM_TRACK_KMOD) {
		EXPECT_LT(0, info.patience);
		EXPECT_EQ(2, info.hot);
		EXPECT_EQ(4, info.first_writes);
	} else {
		EXPECT_EQ(0, info.patience);
		EXPECT_EQ(0, info.hot);
		EXPECT_LE(100, info.first_writes);
		/* uffd may once take pages that were never touched for written, on Linux 6.12 */
		EXPECT_GE(variant->flag == RVM_TRACK_UFFD ? 164 : 100, info.first_writes);
	}
	SETTLE();
	EXPECT_EQ(50, file_byte(self->place.seg, 7));
	EXPECT_EQ(50, file_byte(self->place.seg, 2 * PAGE + 9));
	EXPECT_TRUE(file_holds(self->place.seg, 8, 2 * PAGE, 0));
}

TEST_F(tracked, costs_are_measured)
{
	rvm_region_info_t info;

	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_LT(0, info.fault_ns);
	EXPECT_LT(0, info.end_ns);
	EXPECT_LT(0, info.diff_ns);
}

TEST_F(tracked, an_abort_undoes_the_stores_to_a_hot_page)
{
	warm(self, _metadata, 5);
	BEGIN(&self->tid, rvm_tracked);
	memset(self->at, 'x', 4 * PAGE);
	ABORT(&self->tid);
	EXPECT_EQ(5, self->at[7]);
	EXPECT_EQ(5, self->at[2 * PAGE + 9]);
	EXPECT_TRUE(holds(self->at + 8, 2 * PAGE, 0));
	warm(self, _metadata, 5);
	SETTLE();
	EXPECT_EQ(10, file_byte(self->place.seg, 7));
	EXPECT_TRUE(file_holds(self->place.seg, 2 * PAGE + 10, PAGE, 0));
}

TEST_F(tracked, truncation_in_an_open_transaction_writes_what_is_committed_of_a_hot_page)
{
	warm(self, _metadata, 20);
	BEGIN(&self->tid, rvm_tracked);
	memset(self->at, 'x', 4 * PAGE);
	EXPECT_EQ(0, msync(self->at, SEG_BYTES, MS_SYNC));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ(20, file_byte(self->place.seg, 7));
	EXPECT_EQ(20, file_byte(self->place.seg, 2 * PAGE + 9));
	EXPECT_TRUE(file_holds(self->place.seg, 8, 2 * PAGE, 0));
	END(&self->tid, no_flush);
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_TRUE(file_holds(self->place.seg, 0, 4 * PAGE, 'x'));
}

TEST_F(tracked, a_hot_page_is_cold_again_when_it_does_not_change)
{
	rvm_region_info_t info;

	warm(self, _metadata, 10);
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	for (uint32_t i = 0; i < 2 * info.patience + 2; i++) {
		BEGIN(&self->tid, rvm_tracked);
		self->at[2 * PAGE + 9]++;
		END(&self->tid, no_flush);
	}
	EXPECT_EQ(variant->flag == RVM_TRACK_KMOD ? 1 : 0, hot_pages(&self->region));
	warm(self, _metadata, 1);
	SETTLE();
	EXPECT_EQ(11, file_byte(self->place.seg, 7));
}

TEST_F(tracked, a_stray_to_a_hot_page_is_carried_by_the_next_commit_and_undone_by_an_abort)
{
	warm(self, _metadata, 5);
	self->at[100] = 's';
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ(0, file_byte(self->place.seg, 100));
	BEGIN(&self->tid, rvm_tracked);
	ABORT(&self->tid);
	EXPECT_EQ(0, self->at[100]);
	warm(self, _metadata, 5);
	self->at[100] = 's';
	warm(self, _metadata, 1);
	SETTLE();
	EXPECT_EQ('s', file_byte(self->place.seg, 100));
	EXPECT_EQ(11, file_byte(self->place.seg, 7));
}

TEST_F(tracked, what_an_explicit_transaction_declared_in_a_hot_page_is_its_own)
{
	rvm_tid_t explicit;

	rvm_init_tid(&explicit);
	warm(self, _metadata, 5);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&explicit, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&explicit, self->at + 100, 10));
	memset(self->at + 100, 'e', 10);
	warm(self, _metadata, 1);
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ(6, file_byte(self->place.seg, 7));
	EXPECT_TRUE(file_holds(self->place.seg, 100, 10, 0));
	END(&explicit, no_flush);
	BEGIN(&self->tid, rvm_tracked);
	ABORT(&self->tid);
	EXPECT_TRUE(holds(self->at + 100, 10, 'e'));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_TRUE(file_holds(self->place.seg, 100, 10, 'e'));
}

TEST_HARNESS_MAIN
