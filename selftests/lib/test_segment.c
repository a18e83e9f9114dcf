// SPDX-License-Identifier: GPL-2.0
/* A segment that grows while the log names it: power lost, and errors, at each call. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "logtest.h"

#define LONGER	(2 * SEG_SIZE)
#define CHOICES	4

static bool grown, committed;

static int counted_allocate(int fd, uint64_t offset, uint64_t length)
{
	int err = mem_count();

	return err < 0 ? err : mem_allocate(fd, offset, length);
}

/* Grows the segment, and commits a byte of what is new. */
static int grow_and_commit(struct log *log)
{
	struct log_range r = { .segment = 1, .offset = LONGER - 1, .length = 1, .data = "x" };
	struct segment *segment;
	uint64_t lsn;
	uint32_t id;
	int err;

	err = segment_open(SEG, 0, &segment);
	if (err)
		return err;
	err = segment_grow(segment, LONGER);
	grown = !err;
	if (!err)
		err = log_name_segment(log, SEG, LONGER, &id);
	if (!err)
		err = log_append(log, 1, &r, 1, &lsn);
	if (!err)
		err = log_flush(log, lsn);
	committed = !err;
	segment_close(segment);
	return err;
}

/* From a new log and segment on; the call @power_at or @fail_at is the last, or fails. */
static int attempt(unsigned int power_at, unsigned int fail_at, int error)
{
	struct log *log = NULL;
	int err;

	grown = false;
	committed = false;
	if (make_disk(65536) || open_log(0, &log))
		return -EINVAL;
	os.allocate = counted_allocate;
	mem_heal();
	mem.power_at = power_at;
	mem_fail(fail_at, error, false);
	err = grow_and_commit(log);
	if (!power_at && !fail_at)
		return log_close(log);
	/* no clean end, so that recovery has something to do */
	mem.dead = true;
	log_close(log);
	return err;
}

/* Recovery works, and what was acknowledged is there. */
static bool good(void)
{
	struct mem_file *file = mem_find(SEG);
	struct log *log;

	if (log_open(LOG, 0, false, &log))
		return false;
	if (recover_log(log, NULL, NULL, NULL)) {
		log_close(log);
		return false;
	}
	log_close(log);
	if (grown && file->size != LONGER)
		return false;
	return !committed || file->data[LONGER - 1] == 'x';
}

TEST(a_segment_that_grows_may_lose_power_at_every_call)
{
	unsigned int calls, at, choice;

	ASSERT_EQ(0, attempt(0, 0, 0));
	ASSERT_TRUE(committed);
	calls = mem.calls;
	ASSERT_LT(6, calls);
	for (at = 1; at <= calls; at++) {
		for (choice = 0; choice < CHOICES; choice++) {
			attempt(at, 0, 0);
			mem_power_loss(choice);
			ASSERT_TRUE(good()) {
				TH_LOG("power lost at call %u of %u: %s", at, calls, err_text());
			}
		}
	}
}

TEST(a_segment_that_grows_may_fail_at_every_call)
{
	static const int errors[] = { -EIO, -ENOSPC, -EDQUOT };
	unsigned int calls, at, i;

	ASSERT_EQ(0, attempt(0, 0, 0));
	calls = mem.calls;
	for (at = 1; at <= calls; at++) {
		for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
			attempt(0, at, errors[i]);
			mem_power_loss(at % 2);
			ASSERT_TRUE(good()) {
				TH_LOG("failed at call %u of %u: %s", at, calls, err_text());
			}
		}
	}
}

TEST(a_segment_that_does_not_grow_keeps_its_length)
{
	struct segment *segment;
	uint64_t length = 0;

	ASSERT_EQ(0, make_disk(65536));
	ASSERT_EQ(0, segment_open(SEG, 0, &segment));
	mem.limit = LONGER - 1;
	EXPECT_EQ(-ENOSPC, segment_grow(segment, LONGER));
	EXPECT_NE(NULL, strstr(err_text(), "No space left"));
	EXPECT_EQ(-EFBIG, segment_grow(segment, (uint64_t)INT64_MAX + 1));
	EXPECT_EQ(-EOVERFLOW, segment_grow(segment, SEG_SIZE - 1));
	EXPECT_EQ(0, segment_refresh(segment, &length));
	EXPECT_EQ(SEG_SIZE, length);
	ASSERT_EQ(0, mem_resize(segment->fd, SEG_SIZE - 1));
	EXPECT_EQ(-EOVERFLOW, segment_refresh(segment, &length));
	EXPECT_NE(NULL, strstr(err_text(), "cut off"));
	segment_close(segment);
}

/* A segment of 2^63 - 1 bytes, of which the disk has only the last ones. */
#define FAR	((uint64_t)INT64_MAX - SEG_SIZE + 1)

static int segment_fd;

static int far_geometry(int fd, struct os_geometry *geometry)
{
	int err = mem_geometry(fd, geometry);

	if (fd == segment_fd)
		geometry->size = INT64_MAX;
	return err;
}

static ssize_t far_pread(int fd, void *buf, size_t length, uint64_t offset)
{
	if (fd == segment_fd)
		return offset < FAR ? 0 : mem_pread(fd, buf, length, offset - FAR);
	return mem_pread(fd, buf, length, offset);
}

static ssize_t far_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	if (fd == segment_fd) {
		if (offset < FAR || offset > INT64_MAX)
			return -EFBIG;
		offset -= FAR;
	}
	return mem_pwritev(fd, iov, count, offset, sync);
}

TEST(the_last_byte_of_a_segment_of_2_to_the_63rd_is_recovered)
{
	struct log_range r = { .segment = 1, .offset = INT64_MAX - 1, .length = 1, .data = "y" };
	struct log_segment entry;
	struct log *log;
	uint64_t lsn;
	uint32_t id;

	ASSERT_EQ(0, make_disk(65536));
	ASSERT_EQ(0, open_log(0, &log));
	segment_fd = mem_find(SEG) - mem.files + 100;
	order_excused = true;	/* the bytes are not where the calls say */
	os.geometry = far_geometry;
	os.pread = far_pread;
	os.pwritev = far_pwritev;
	ASSERT_EQ(0, log_name_segment(log, SEG, INT64_MAX, &id));
	ASSERT_EQ(0, log_append(log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_flush(log, lsn));
	ASSERT_EQ(0, log_close(log));
	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, NULL, NULL, NULL));
	ASSERT_EQ(0, log_segment(log, 1, &entry));
	EXPECT_EQ(INT64_MAX, entry.length);
	EXPECT_EQ('y', mem_find(SEG)->data[INT64_MAX - 1 - FAR]);
	EXPECT_EQ(0, mem_find(SEG)->data[INT64_MAX - 2 - FAR]);
	ASSERT_EQ(0, log_close(log));
}

TEST_HARNESS_MAIN
