// SPDX-License-Identifier: GPL-2.0
/* Tracked transactions: plain stores are found, committed and aborted exactly. */
#include "tracked_each.h"

#include <sys/uio.h>

TEST_F(tracked, plain_stores_are_committed)
{
	BEGIN(&self->tid, rvm_tracked);
	self->at[0] = 'f';
	self->at[SEG_BYTES - 1] = 'l';
	memset(self->at + 3 * PAGE - 5, 'm', 10);
	END(&self->tid, flush);
	SETTLE();
	EXPECT_EQ('f', file_byte(self->place.seg, 0));
	EXPECT_EQ(0, file_byte(self->place.seg, 1));
	EXPECT_EQ('l', file_byte(self->place.seg, SEG_BYTES - 1));
	EXPECT_TRUE(file_holds(self->place.seg, 3 * PAGE - 5, 10, 'm'));
	EXPECT_TRUE(file_holds(self->place.seg, 3 * PAGE + 5, PAGE, 0));
}

TEST_F(tracked, every_page_of_the_region_is_seen)
{
	size_t i;

	BEGIN(&self->tid, rvm_tracked);
	for (i = 0; i < SEG_PAGES; i++)
		self->at[i * PAGE + i * 7] = (char)(i + 1);
	END(&self->tid, flush);
	SETTLE();
	for (i = 0; i < SEG_PAGES; i++)
		EXPECT_EQ((int)(i + 1), file_byte(self->place.seg, i * PAGE + i * 7));
}

TEST_F(tracked, abort_restores_exactly_the_committed_bytes)
{
	static unsigned char before[SEG_BYTES];
	size_t i;

	BEGIN(&self->tid, rvm_tracked);
	for (i = 0; i < SEG_BYTES; i++)
		self->at[i] = (char)(i * 31 + i / PAGE);
	END(&self->tid, no_flush);
	memcpy(before, self->at, SEG_BYTES);
	BEGIN(&self->tid, rvm_tracked);
	for (i = 0; i < SEG_BYTES; i += 97)
		self->at[i]++;
	ABORT(&self->tid);
	EXPECT_EQ(0, memcmp(self->at, before, SEG_BYTES));
	BEGIN(&self->tid, rvm_tracked);
	memset(self->at + 2 * PAGE, 'x', PAGE);
	END(&self->tid, flush);
	memset(before + 2 * PAGE, 'x', PAGE);
	EXPECT_EQ(0, memcmp(self->at, before, SEG_BYTES));
	SETTLE();
	for (i = 0; i < SEG_PAGES; i++) {
		unsigned char page[PAGE];

		ASSERT_TRUE(file_read(self->place.seg, i * PAGE, page, PAGE));
		EXPECT_EQ(0, memcmp(page, before + i * PAGE, PAGE));
	}
}

TEST_F(tracked, only_changed_bytes_are_logged)
{
	unsigned long was = tail();

	BEGIN(&self->tid, rvm_tracked);
	memset(self->at + 9 * PAGE + 1000, 'd', 8);
	END(&self->tid, no_flush);
	EXPECT_LT(0, tail() - was);
	EXPECT_GE(64 + 16 + 8, tail() - was);
}

TEST_F(tracked, stores_of_the_same_values_leave_no_record)
{
	unsigned long was;

	BEGIN(&self->tid, rvm_tracked);
	memset(self->at, 's', 2 * PAGE);
	END(&self->tid, flush);
	was = tail();
	BEGIN(&self->tid, rvm_tracked);
	memset(self->at, 's', 2 * PAGE);
	END(&self->tid, flush);
	EXPECT_EQ(was, tail());
	BEGIN(&self->tid, rvm_tracked);
	END(&self->tid, flush);
	EXPECT_EQ(was, tail());
}

TEST_F(tracked, a_page_written_in_each_of_100_transactions_is_seen_each_time)
{
	int i;

	ASSERT_RVM(RVM_SUCCESS, merge_nothing());
	for (i = 1; i <= 100; i++) {
		unsigned long was = tail();

		BEGIN(&self->tid, rvm_tracked);
		self->at[5] = (char)i;
		END(&self->tid, no_flush);
		ASSERT_LT(was, tail());
	}
	SETTLE();
	EXPECT_EQ(100, file_byte(self->place.seg, 5));
}

TEST_F(tracked, a_transaction_of_a_thousand_pages_is_one)
{
	rvm_region_t big;
	char path[128];
	int i;

	snprintf(path, sizeof(path), "%s/big", self->place.dir);
	ASSERT_RVM(RVM_SUCCESS, map_new(&big, path, 1000 * PAGE, variant->flag));
	BEGIN(&self->tid, rvm_tracked);
	for (i = 0; i < 1000; i++)
		memset(big.vmaddr + i * PAGE, 'a' + i % 26, 100);
	ABORT(&self->tid);
	EXPECT_TRUE(holds(big.vmaddr, 1000 * PAGE, 0));
	BEGIN(&self->tid, rvm_tracked);
	for (i = 0; i < 1000; i++)
		memset(big.vmaddr + i * PAGE, 'a' + i % 26, 100);
	END(&self->tid, flush);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&big));
	SETTLE();
	for (i = 0; i < 1000; i++)
		ASSERT_TRUE(file_holds(path, i * PAGE, 100, 'a' + i % 26));
}

TEST_F(tracked, read_2_into_the_region_is_seen_or_refused_as_documented)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	ASSERT_LE(0, fd);
	BEGIN(&self->tid, rvm_tracked);
	memset(self->at, 'o', PAGE);
	END(&self->tid, no_flush);
	BEGIN(&self->tid, rvm_tracked);
	n = read(fd, self->at + 100, 50);
	if (variant->flag == RVM_TRACK_SIGSEGV) {
		EXPECT_EQ(-1, n);
		EXPECT_EQ(EFAULT, errno);
		put(&self->at[99], 'o');
		n = read(fd, self->at + 100, 50);
	}
	EXPECT_EQ(50, n);
	END(&self->tid, flush);
	close(fd);
	SETTLE();
	EXPECT_TRUE(file_holds(self->place.seg, 0, 100, 'o'));
	EXPECT_TRUE(file_holds(self->place.seg, 100, 50, 0));
	EXPECT_TRUE(file_holds(self->place.seg, 150, PAGE - 150, 'o'));
}

/* Store through /proc/self/mem, as a debugger does. */
static ssize_t write_mem(char *at, const void *buf, size_t length)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ssize_t n = pwrite(fd, buf, length, (off_t)(uintptr_t)at);

	close(fd);
	return n;
}

/* Store through process_vm_writev(2). */
static ssize_t write_vm(char *at, const void *buf, size_t length)
{
	struct iovec from = { .iov_base = (void *)buf, .iov_len = length };
	struct iovec to = { .iov_base = at, .iov_len = length };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

TEST_F(tracked, stores_by_process_vm_writev_and_proc_mem_are_seen_or_refused_as_documented)
{
	ssize_t n;

	BEGIN(&self->tid, rvm_tracked);
	n = write_vm(self->at + 6 * PAGE, "written", 7);
	if (variant->flag == RVM_TRACK_SIGSEGV) {
		EXPECT_EQ(-1, n);
		EXPECT_EQ(EFAULT, errno);
		ABORT(&self->tid);
		return;
	}
	EXPECT_EQ(7, n);
	EXPECT_EQ(7, write_mem(self->at + 7 * PAGE, "written", 7));
	EXPECT_EQ(7, write_mem(self->at + 8 * PAGE - 3, "written", 7));
	END(&self->tid, no_flush);
	BEGIN(&self->tid, rvm_tracked);
	EXPECT_EQ(7, write_mem(self->at + 7 * PAGE, "aborted", 7));
	ABORT(&self->tid);
	EXPECT_EQ(0, memcmp(self->at + 7 * PAGE, "written", 7));
	SETTLE();
	EXPECT_EQ('n', file_byte(self->place.seg, 6 * PAGE + 6));
	EXPECT_EQ('w', file_byte(self->place.seg, 7 * PAGE));
	EXPECT_EQ('n', file_byte(self->place.seg, 8 * PAGE + 3));
}

TEST_F(tracked, what_was_committed_is_what_was_there_at_the_end)
{
	BEGIN(&self->tid, rvm_tracked);
	memset(self->at, 'c', 100);
	END(&self->tid, no_flush);
	BEGIN(&self->tid, rvm_tracked);
	memset(self->at, 'u', 100);
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ABORT(&self->tid);
	EXPECT_TRUE(holds(self->at, 100, 'c'));
	SETTLE();
	EXPECT_TRUE(file_holds(self->place.seg, 0, 100, 'c'));
}

TEST_F(tracked, stores_outside_any_transaction_are_carried_by_the_next_commit)
{
	memset(self->at + 4 * PAGE, 't', 50);
	BEGIN(&self->tid, rvm_tracked);
	self->at[0] = 'c';
	END(&self->tid, flush);
	SETTLE();
	EXPECT_EQ('c', file_byte(self->place.seg, 0));
	EXPECT_TRUE(file_holds(self->place.seg, 4 * PAGE, 50, 't'));
}

TEST_F(tracked, stores_outside_any_transaction_are_undone_by_the_next_abort)
{
	memset(self->at + 4 * PAGE, 't', 50);
	BEGIN(&self->tid, rvm_tracked);
	self->at[0] = 'a';
	ABORT(&self->tid);
	EXPECT_TRUE(holds(self->at, SEG_BYTES, 0));
	BEGIN(&self->tid, rvm_tracked);
	self->at[0] = 'c';
	END(&self->tid, flush);
	SETTLE();
	EXPECT_EQ('c', file_byte(self->place.seg, 0));
	EXPECT_TRUE(file_holds(self->place.seg, 1, SEG_BYTES - 1, 0));
}

TEST_F(tracked, strays_are_counted_where_they_can_be_told)
{
	rvm_region_info_t info;

	memset(self->at + 4 * PAGE, 't', 2 * PAGE);
	BEGIN(&self->tid, rvm_tracked);
	self->at[0] = 'c';
	END(&self->tid, flush);
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_EQ(3, info.first_writes);
	EXPECT_EQ(variant->flag == RVM_TRACK_UFFD ? 0 : 2, info.strays);
}

TEST_F(tracked, a_stray_store_never_reaches_the_segment_by_itself)
{
	memset(self->at + 4 * PAGE, 't', 50);
	EXPECT_EQ(0, msync(self->at, SEG_BYTES, MS_SYNC));
	sync();
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_TRUE(file_holds(self->place.seg, 0, SEG_BYTES, 0));
}

TEST_F(tracked, query_region_counts_the_pages_written)
{
	rvm_region_info_t info;

	BEGIN(&self->tid, rvm_tracked);
	memset(self->at, 'q', 5 * PAGE);
	END(&self->tid, flush);
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_EQ(5, info.first_writes);
}

TEST_HARNESS_MAIN
