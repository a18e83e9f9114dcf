// SPDX-License-Identifier: GPL-2.0
/* A log that cannot be read while commits wait for room in it: no commit, and nothing lost. */
#include "api.h"
#include "os.h"

#define SMALL_LOG	(128 * 1024UL)

FIXTURE(read_fault) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;
	char committed;
};

FIXTURE_VARIANT(read_fault) {
	unsigned long tracker;
};

FIXTURE_VARIANT_ADD(read_fault, none) { RVM_TRACK_NONE };
FIXTURE_VARIANT_ADD(read_fault, sigsegv) { RVM_TRACK_SIGSEGV };
FIXTURE_VARIANT_ADD(read_fault, uffd) { RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(read_fault, kmod) { RVM_TRACK_KMOD };

static struct stat log_file;

static bool is_log(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == log_file.st_dev && st.st_ino == log_file.st_ino;
}

static ssize_t read_no_log(int fd, void *buf, size_t length, uint64_t offset)
{
	return is_log(fd) ? -EIO : os_real.pread(fd, buf, length, offset);
}

static ssize_t write_no_log(int fd, const struct iovec *iov, int count, uint64_t offset,
			    bool sync)
{
	return is_log(fd) ? -EIO : os_real.pwritev(fd, iov, count, offset, sync);
}

static rvm_return_t begin(FIXTURE_DATA(read_fault) *self, char value)
{
	rvm_return_t code;

	rvm_init_tid(&self->tid);
	code = rvm_begin_transaction(&self->tid, restore);
	if (!code)
		code = rvm_set_range(&self->tid, self->region.vmaddr, PAGE);
	if (!code)
		memset(self->region.vmaddr, value, PAGE);
	return code;
}

static unsigned long room(void)
{
	rvm_log_info_t info;

	need(!rvm_query_log(&info));
	return info.size - (info.tail - info.head);
}

FIXTURE_SETUP(read_fault)
{
	rvm_options_t options;

	ASSERT_TRUE(place_make(&self->place));
	place_options(&self->place, &options);
	options.create_log_size = rvm_mk_offset(0, SMALL_LOG);
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&options));
	ASSERT_EQ(0, stat(self->place.log, &log_file));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->tracker));
	while (room() > 2 * PAGE) {
		ASSERT_RVM(RVM_SUCCESS, begin(self, ++self->committed));
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
	}
	ASSERT_LT(10, self->committed);
	ASSERT_RVM(RVM_SUCCESS, begin(self, ++self->committed));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
	os.pread = read_no_log;
}

FIXTURE_TEARDOWN(read_fault)
{
	os = os_real;
	rvm_terminate();
	place_remove(&self->place);
}

/* Its page is held, so that only the log can tell truncation the bytes that are committed. */
static void fail_for_want_of_room(struct __test_metadata *_metadata,
				  FIXTURE_DATA(read_fault) *self)
{
	ASSERT_RVM(RVM_SUCCESS, begin(self, -1));
	EXPECT_REFUSED(RVM_EIO, "no room", rvm_end_transaction(&self->tid, flush));
	EXPECT_NE(NULL, strstr(rvm_error(), "reading"));
}

TEST_F(read_fault, a_commit_finds_no_room_and_its_transaction_stays_open)
{
	rvm_log_info_t info;

	fail_for_want_of_room(_metadata, self);
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&info));
	EXPECT_EQ(0, info.error);
	os = os_real;
	EXPECT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, PAGE, 0xff));
}

TEST_F(read_fault, what_was_committed_is_durable_and_a_flush_may_say_so)
{
	fail_for_want_of_room(_metadata, self);
	EXPECT_RVM(RVM_SUCCESS, rvm_flush());
	EXPECT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	EXPECT_TRUE(holds(self->region.vmaddr, PAGE, self->committed));
	os = os_real;
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, PAGE, self->committed));
}

/* Where no page is held the log need not be read. */
TEST_F(read_fault, truncation_from_memory_makes_room_again)
{
	fail_for_want_of_room(_metadata, self);
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	ASSERT_RVM(RVM_SUCCESS, begin(self, -1));
	EXPECT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
}

TEST_F(read_fault, a_write_that_fails_later_is_final)
{
	fail_for_want_of_room(_metadata, self);
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	os.pwritev = write_no_log;
	EXPECT_RVM(RVM_EIO, rvm_truncate());
	os = os_real;
	EXPECT_RVM(RVM_EIO, rvm_flush());
	EXPECT_RVM(RVM_EIO, rvm_truncate());
	ASSERT_RVM(RVM_EIO, rvm_terminate());
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
