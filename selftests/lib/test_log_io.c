// SPDX-License-Identifier: GPL-2.0
/* How bytes of a log get onto real files: past the page cache, around the end, 4 GiB at once. */
#include <endian.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "logfile.h"
#include "reallog.h"

TEST_F(log, direct_io_that_syncs_is_used_where_the_file_system_has_it)
{
	const struct logfile *file;

	ASSERT_EQ(0, start(self->path, &self->log));
	file = log_file(self->log);
	ASSERT_TRUE(file->proven);
	ASSERT_TRUE(file->dsync);
	TH_LOG("direct I/O: %s", file->direct ? "yes" : "no");
	ASSERT_EQ(0, log_close(self->log));
}

/* A write that is refused in one way is tried in another, until there is none. */
static int write_err;

static ssize_t no_write(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	return write_err;
}

static int no_change(int fd, bool direct)
{
	return direct ? 0 : -EIO;
}

TEST_F(log, what_can_be_written_in_no_way_is_an_error)
{
	static const int errs[] = { -EOPNOTSUPP, -EINVAL };
	unsigned int i, stays;

	os.pwritev = no_write;
	for (i = 0; i < 4; i++) {
		stays = i / 2;
		write_err = errs[i % 2];
		os.set_direct = stays ? no_change : os_real.set_direct;
		EXPECT_NE(0, start(self->path, &self->log));
		EXPECT_NE(NULL, strstr(err_text(), "a write at byte"));
		EXPECT_NE(0, log_close(self->log));
	}
	os = os_real;
	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(0, log_close(self->log));
}

static int no_direct(int fd, bool direct)
{
	return direct ? -EINVAL : 0;
}

TEST_F(log, where_there_is_no_direct_io_the_page_cache_serves)
{
	os.set_direct = no_direct;
	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_FALSE(log_file(self->log)->direct);
	EXPECT_EQ(0, log_close(self->log));
	os = os_real;
}

static bool directly;

static int note_direct(int fd, bool direct)
{
	directly = direct;
	return 0;
}

static ssize_t write_indirectly(int fd, const struct iovec *iov, int count, uint64_t offset,
				bool sync)
{
	return directly ? -EINVAL : os_real.pwritev(fd, iov, count, offset, sync);
}

TEST_F(log, where_direct_writes_are_refused_the_page_cache_serves)
{
	os.set_direct = note_direct;
	os.pwritev = write_indirectly;
	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_FALSE(directly);
	EXPECT_FALSE(log_file(self->log)->direct);
	EXPECT_EQ(0, log_close(self->log));
	os = os_real;
}

/* Of 600 bytes in two buffers 200 are before the end of the area. */
static int write_around(struct logfile *file, size_t first)
{
	uint64_t lsn = AREA - 200;
	char bytes[600], found[600];
	struct iovec iov[2] = {
		{ .iov_base = bytes, .iov_len = first },
		{ .iov_base = bytes + first, .iov_len = sizeof(bytes) - first },
	};
	unsigned int i;
	int err;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 7 + first;
	err = logfile_write_lsn(file, lsn, iov, 2);
	if (!err)
		err = logfile_read_lsn(file, lsn, found, sizeof(found));
	return err ? err : memcmp(bytes, found, sizeof(bytes));
}

TEST_F(log, two_buffers_go_around_the_end_wherever_they_part)
{
	static const size_t first[] = { 1, 100, 199, 200, 201, 350, 599 };
	struct logfile file;
	unsigned int i;

	order_excused = true;	/* these are no records */
	ASSERT_EQ(0, logfile_open(self->path, false, &file));
	file.area_offset = FILE_SIZE - AREA;
	file.area_size = AREA;
	for (i = 0; i < ARRAY_SIZE(first); i++)
		EXPECT_EQ(0, write_around(&file, first[i]));
	logfile_close(&file);
}

/* ThreadSanitizer would keep a shadow of each byte that is read. */
#ifndef __SANITIZE_THREAD__

/* A log of more than 6 GiB, of which nothing was written but its status and dictionary. */
#define HUGE_AREA	(6ULL << 30)

/* struct seen_record - the start of the record that was written last */
static struct seen_record {
	struct disk_record header;
	struct disk_range ranges[2];
} seen_record;

static uint64_t seen_bytes;

static ssize_t look_and_drop(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	ssize_t length = 0;
	int i;

	if (offset < FORMAT_DICT_OFFSET)
		return os_real.pwritev(fd, iov, count, offset, sync);
	if (!seen_bytes)
		memcpy(&seen_record, iov[0].iov_base, sizeof(seen_record));
	for (i = 0; i < count; i++)
		length += iov[i].iov_len;
	seen_bytes += length;
	return length;
}

static int make_huge(const char *path)
{
	struct format_status status;
	struct disk_status disk;
	const char *why;
	int i, err = 0;

	read_file(path, 0, &disk, sizeof(disk));
	if (truncate(path, FILE_SIZE - AREA + HUGE_AREA))
		return -errno;
	for (i = 0; i < 2 && !err; i++) {
		err = format_status_decode(&disk, &status, &why);
		status.area_size = HUGE_AREA;
		status.head = HUGE_AREA;
		status.tail_hint = HUGE_AREA;
		format_status_encode(&status, &disk);
		patch(path, i * FORMAT_BLOCK, &disk, sizeof(disk));
	}
	return err;
}

TEST_F_TIMEOUT(log, a_range_of_more_than_4_gib_is_two, 300)
{
	struct log_range r = { .segment = 1, .offset = 512, .length = (4ULL << 30) + 5000 };
	struct format_range first, second;
	uint64_t lsn;

	if (getenv("RVM_VM"))
		return;		/* it takes minutes there, and nothing of it is the kernel's */
	order_excused = true;	/* no page is written of what the log is said to hold */
	r.data = mmap(NULL, r.length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		      0);
	ASSERT_NE(MAP_FAILED, r.data);
	ASSERT_EQ(0, make_huge(self->path));
	ASSERT_EQ(0, log_open(self->path, 8 << 20, false, &self->log)) {
		TH_LOG("%s", err_text());
	}
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, NULL));
	os.pwritev = look_and_drop;
	ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_flush(self->log, lsn));
	EXPECT_LT(r.length, seen_bytes);
	EXPECT_EQ(2, le32toh(seen_record.header.count));
	format_range_decode(&seen_record.ranges[0], &first);
	format_range_decode(&seen_record.ranges[1], &second);
	EXPECT_EQ(512, first.offset);
	EXPECT_EQ(FORMAT_RANGE_MAX, first.length);
	EXPECT_EQ(512ULL + FORMAT_RANGE_MAX, second.offset);
	EXPECT_EQ(r.length, (uint64_t)first.length + second.length);
	ASSERT_EQ(0, log_set_head(self->log, lsn));
	EXPECT_EQ(0, log_close(self->log));
	os = os_real;
	munmap((void *)r.data, r.length);
}

#endif

TEST_HARNESS_MAIN
