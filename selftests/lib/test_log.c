// SPDX-License-Identifier: GPL-2.0
/* The log's life, its limits, its dictionary and every way to misuse it; on real files. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crc.h"
#include "kselftest_harness.h"
#include "logfile.h"
#include "logtest.h"
#include "statistics.h"
#include "status.h"

#define AREA 65536U
#define FILE_SIZE (73728U + AREA)

FIXTURE(log)
{
	char dir[64];
	char path[128];
	struct log *log;
};

FIXTURE_SETUP(log)
{
	snprintf(self->dir, sizeof(self->dir), "/tmp/rvm-test-log-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/log", self->dir);
	os = os_real;
	ASSERT_EQ(0, log_create(self->path, AREA, 0640, false, NULL, NULL)) {
		TH_LOG("%s", err_text());
	}
}

FIXTURE_TEARDOWN(log)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	ASSERT_EQ(0, system(command));
}

static int start(const char *path, struct log **log)
{
	int err = log_open(path, 0, false, log);

	return err ? err : recover_log(*log, NULL, NULL, NULL);
}

static void patch(const char *path, uint64_t at, const void *bytes, size_t length)
{
	int fd = open(path, O_RDWR);

	if (pwrite(fd, bytes, length, at) != (ssize_t)length)
		abort();
	close(fd);
}

static void read_file(const char *path, uint64_t at, void *bytes, size_t length)
{
	int fd = open(path, O_RDONLY);

	if (pread(fd, bytes, length, at) != (ssize_t)length)
		abort();
	close(fd);
}

/* Does each copy of the status in the file tell of this head, and of this durable LSN? */
static bool both_tell(const char *path, uint64_t head, uint64_t durable)
{
	struct format_status status;
	struct disk_status disk;
	const char *why;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		read_file(path, copy * FORMAT_BLOCK, &disk, sizeof(disk));
		if (format_status_decode(&disk, &status, &why) || status.head != head ||
		    status.tail_hint != durable || status.clean)
			return false;
	}
	return true;
}

/* Changes a 32-bit field of both status copies under a right checksum. */
static void patch_status(const char *path, size_t at, uint32_t value)
{
	struct disk_status disk;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		read_file(path, copy * FORMAT_BLOCK, &disk, sizeof(disk));
		memcpy((char *)&disk + at, &value, sizeof(value));
		disk.crc = crc32c(0, &disk, offsetof(struct disk_status, crc));
		patch(path, copy * FORMAT_BLOCK, &disk, sizeof(disk));
	}
}

TEST_F(log, a_new_log_is_empty_and_written_through)
{
	struct log_state state;
	struct stat st;

	ASSERT_EQ(0, stat(self->path, &st));
	ASSERT_EQ(FILE_SIZE, st.st_size);
	ASSERT_GE(st.st_blocks * 512, FILE_SIZE);
	ASSERT_EQ(0640, st.st_mode & 0777);
	ASSERT_EQ(0, log_open(self->path, 0, true, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(AREA, state.size);
	ASSERT_EQ(AREA, state.head);
	ASSERT_EQ(AREA, state.tail);
	ASSERT_EQ(1, state.generation);
	ASSERT_EQ(0, state.error);
	ASSERT_EQ(0, log_used(self->log));
	ASSERT_STREQ(self->path, log_path(self->log));
	ASSERT_EQ(0, log_close(self->log));
}

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

TEST_F(log, create_refuses_what_stands_there)
{
	char other[160];

	ASSERT_EQ(-EEXIST, log_create(self->path, AREA, 0600, false, NULL, NULL));
	ASSERT_EQ(0, log_create(self->path, 2 * AREA, 0600, true, NULL, NULL));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(-EBUSY, log_create(self->path, AREA, 0600, true, NULL, NULL));
	ASSERT_EQ(0, log_close(self->log));
	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(3, write(open(other, O_CREAT | O_RDWR, 0600), "abc", 3));
	ASSERT_EQ(-EEXIST, log_create(other, AREA, 0600, true, NULL, NULL));
	ASSERT_NE(NULL, strstr(err_text(), "no log"));
	ASSERT_EQ(-EINVAL, log_create(self->dir, AREA, 0600, true, NULL, NULL));
}

TEST_F(log, create_refuses_impossible_sizes_and_paths)
{
	char path[PATH_MAX + 10];
	char other[160];

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(-EINVAL, log_create(other, 0, 0600, false, NULL, NULL));
	ASSERT_EQ(-EINVAL, log_create(other, UINT64_MAX, 0600, false, NULL, NULL));
	ASSERT_NE(0, log_create(other, 1ULL << 60, 0600, false, NULL, NULL));
	ASSERT_EQ(-1, access(other, F_OK));
	snprintf(other, sizeof(other), "%s/none/log", self->dir);
	ASSERT_EQ(-ENOENT, log_create(other, AREA, 0600, false, NULL, NULL));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ASSERT_EQ(-ENAMETOOLONG, log_create(path, AREA, 0600, false, NULL, NULL));
	ASSERT_EQ(-ENAMETOOLONG, log_open(path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "longer than 4095 bytes"));
}

TEST_F(log, create_rounds_the_size_up)
{
	char other[160];
	struct log_state state;

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(0, log_create(other, 1, 0600, false, NULL, NULL));
	ASSERT_EQ(0, log_open(other, 0, true, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(4096, state.size);
	ASSERT_EQ(0, log_close(self->log));
}

static void count_bytes(void *arg, uint64_t done, uint64_t total)
{
	uint64_t *last = arg;

	if (done <= *last || done > total)
		abort();
	*last = done;
}

TEST_F(log, create_tells_its_progress)
{
	char other[160];
	uint64_t last = 0;

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(0, log_create(other, 4 << 20, 0600, false, count_bytes, &last));
	ASSERT_EQ(73728 + (4 << 20), last);
}

TEST_F(log, create_on_a_full_disk_leaves_nothing_behind)
{
	mem_install();
	mem.limit = 100000;
	ASSERT_EQ(-ENOSPC, log_create(LOG, AREA, 0600, false, NULL, NULL));
	ASSERT_EQ(NULL, mem_find(LOG));
	mem.limit = FILE_SIZE;
	ASSERT_EQ(0, log_create(LOG, AREA, 0600, false, NULL, NULL));
	os = os_real;
}

TEST_F(log, open_refuses_what_is_no_log)
{
	char other[160];
	static char page[FILE_SIZE];
	int fd;

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(-ENOENT, log_open(other, 0, false, &self->log));
	ASSERT_EQ(-EINVAL, log_open(self->dir, 0, false, &self->log));
	ASSERT_EQ(-EINVAL, log_open(self->dir, 0, true, &self->log));
	ASSERT_EQ(0, mkfifo(other, 0600));
	ASSERT_EQ(-EINVAL, log_open(other, 0, false, &self->log));
	ASSERT_EQ(0, unlink(other));
	ASSERT_EQ(-EINVAL, log_open("/dev/null", 0, false, &self->log));
	fd = open(other, O_CREAT | O_RDWR, 0600);
	ASSERT_EQ(-EINVAL, log_open(other, 0, false, &self->log));
	ASSERT_EQ(100, write(fd, page, 100));
	ASSERT_EQ(-EINVAL, log_open(other, 0, false, &self->log));
	ASSERT_EQ(FILE_SIZE, pwrite(fd, page, FILE_SIZE, 0));
	ASSERT_EQ(-EINVAL, log_open(other, 0, false, &self->log));
	ASSERT_NE(NULL, strstr(err_text(), "not a log"));
	close(fd);
}

TEST_F(log, open_refuses_other_versions_and_unknown_features)
{
	patch_status(self->path, 8, 2);
	ASSERT_EQ(-EPROTO, log_open(self->path, 0, false, &self->log));
	ASSERT_EQ(-EPROTO, log_open(self->path, 0, true, &self->log));
	patch_status(self->path, 8, 1);
	patch_status(self->path, 40, 1);
	ASSERT_EQ(-EPROTO, log_open(self->path, 0, true, &self->log));
	ASSERT_NE(NULL, strstr(err_text(), "incompat 0x1"));
	patch_status(self->path, 40, 0);
	patch_status(self->path, 36, 4);
	ASSERT_EQ(-EPROTO, log_open(self->path, 0, false, &self->log));
	ASSERT_NE(NULL, strstr(err_text(), "ro_compat 0x4"));
	ASSERT_EQ(0, log_open(self->path, 0, true, &self->log));
	ASSERT_EQ(0, log_close(self->log));
	patch_status(self->path, 36, 0);
	patch_status(self->path, 32, 0xffffffff);
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_close(self->log));
}

static uint32_t sector_told;

static int odd_geometry(int fd, struct os_geometry *geometry)
{
	int err = os_real.geometry(fd, geometry);

	geometry->sector = sector_told;
	return err;
}

static int no_geometry(int fd, struct os_geometry *geometry)
{
	return -EIO;
}

static int no_lock(int fd)
{
	return -ENOLCK;
}

static int no_access(int fd)
{
	return -EACCES;
}

TEST_F(log, open_refuses_sectors_that_fit_into_no_block)
{
	static const uint32_t sectors[] = { 520, 3000, 8192 };
	unsigned int i;

	os.geometry = odd_geometry;
	for (i = 0; i < sizeof(sectors) / sizeof(*sectors); i++) {
		sector_told = sectors[i];
		EXPECT_EQ(-EINVAL, log_open(self->path, 0, false, &self->log));
		EXPECT_NE(NULL, strstr(err_text(), "bytes are not supported"));
	}
	sector_told = 4096;
	ASSERT_EQ(0, log_open(self->path, 0, false, &self->log));
	EXPECT_EQ(0, log_close(self->log));
}

TEST_F(log, open_tells_what_it_cannot_learn_or_lock)
{
	os.geometry = no_geometry;
	EXPECT_EQ(-EIO, log_open(self->path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "cannot learn its size"));
	os = os_real;
	os.lock = no_lock;
	EXPECT_EQ(-ENOLCK, log_open(self->path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "cannot lock it"));
	os.lock = no_access;
	EXPECT_EQ(-EBUSY, log_open(self->path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "another process has it open"));
	os = os_real;
	ASSERT_EQ(0, start(self->path, &self->log));
	os.geometry = no_geometry;
	EXPECT_EQ(-EIO, log_take_space(self->log, 2 * AREA, &(uint64_t){ 0 }));
	os = os_real;
	EXPECT_EQ(0, log_error(self->log));
	EXPECT_EQ(0, log_close(self->log));
}

static uint64_t device_size;

static int device_geometry(int fd, struct os_geometry *geometry)
{
	*geometry = (struct os_geometry) { .device = true, .size = device_size, .sector = 512 };
	return 0;
}

TEST_F(log, a_device_that_grew_while_it_was_open_has_room_for_a_longer_log)
{
	uint64_t area = 0;

	device_size = FILE_SIZE;
	os.geometry = device_geometry;
	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(-ENOSPC, log_take_space(self->log, 2 * AREA, &area));
	EXPECT_NE(NULL, strstr(err_text(), "the device has"));
	device_size = FILE_SIZE + AREA;
	EXPECT_EQ(0, log_take_space(self->log, 2 * AREA, &area));
	EXPECT_EQ(2 * AREA, area);
	EXPECT_EQ(0, log_error(self->log));
	EXPECT_EQ(0, log_close(self->log));
	os = os_real;
}

static int no_space(int fd, uint64_t offset, uint64_t length)
{
	return -ENOSPC;
}

TEST_F(log, a_longer_log_that_finds_no_space_changes_nothing)
{
	uint64_t area = 0;
	struct stat st;

	ASSERT_EQ(0, start(self->path, &self->log));
	os.allocate = no_space;
	EXPECT_EQ(-ENOSPC, log_take_space(self->log, 2 * AREA, &area));
	EXPECT_EQ(0, log_error(self->log));
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(FILE_SIZE, st.st_size);
	os = os_real;
	EXPECT_EQ(0, log_close(self->log));
}

static int no_random(void *buf, size_t length)
{
	return -EIO;
}

TEST_F(log, a_segment_without_an_identity_is_not_entered)
{
	uint32_t id;

	ASSERT_EQ(0, start(self->path, &self->log));
	os.random = no_random;
	EXPECT_EQ(-EIO, log_name_segment(self->log, "/some/segment", 4096, &id));
	EXPECT_NE(NULL, strstr(err_text(), "no random bytes"));
	EXPECT_EQ(0, log_segments(self->log));
	os = os_real;
	EXPECT_EQ(0, log_name_segment(self->log, "/some/segment", 4096, &id));
	EXPECT_EQ(1, log_segments(self->log));
	EXPECT_EQ(0, log_close(self->log));
}

TEST_F(log, what_is_too_large_for_the_log_is_refused_without_flush_as_well)
{
	static const char bytes[2 * AREA];
	struct log_range range = { .segment = 1, .length = sizeof(bytes), .data = bytes };
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(-EFBIG, log_spool(self->log, 1, &range, 1, &lsn));
	EXPECT_NE(NULL, strstr(err_text(), "can never fit"));
	EXPECT_EQ(0, log_used(self->log));
	EXPECT_EQ(0, log_close(self->log));
}

static int log_open_err;

static int no_open(const char *path, int flags, mode_t mode)
{
	return log_open_err;
}

TEST_F(log, open_says_what_is_in_the_way)
{
	static const struct {
		int err;
		int told;
		const char *text;
	} ways[] = {
		{ -EPERM, -EACCES, "not permitted" },
		{ -EROFS, -EACCES, "Read-only" },
		{ -EACCES, -EACCES, "denied" },
		{ -EBUSY, -EBUSY, "perhaps mounted" },
		{ -EISDIR, -EINVAL, "a directory" },
		{ -ELOOP, -ELOOP, "cannot open it" },
	};
	unsigned int i;

	os.open = no_open;
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		log_open_err = ways[i].err;
		EXPECT_EQ(ways[i].told, log_open(self->path, 0, false, &self->log));
		EXPECT_NE(NULL, strstr(err_text(), ways[i].text)) {
			TH_LOG("%s", err_text());
		}
	}
	os = os_real;
	EXPECT_EQ(-ENOMEM, log_open(self->path, UINT64_MAX, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "out of memory"));
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

/* The file is cut off between two reads. */
static ssize_t read_statuses(int fd, void *buf, size_t length, uint64_t offset)
{
	return offset < FORMAT_DICT_OFFSET ? os_real.pread(fd, buf, length, offset) : 0;
}

TEST_F(log, a_log_that_is_cut_off_while_it_is_read_is_told)
{
	os.pread = read_statuses;
	EXPECT_EQ(-EUCLEAN, log_open(self->path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "cut off"));
	os = os_real;
}

TEST_F(log, generations_go_on_after_the_last_number)
{
	struct log_state state;

	patch_status(self->path, offsetof(struct disk_status, generation), UINT32_MAX);
	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	EXPECT_EQ(1, state.generation);
	EXPECT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	EXPECT_EQ(2, state.generation);
	EXPECT_EQ(0, log_close(self->log));
}

/* Recovery makes the second copy of the dictionary good. */
TEST_F(log, a_copy_of_the_dictionary_that_cannot_be_mended_is_an_error)
{
	uint64_t area;

	patch(self->path, FORMAT_DICT_OFFSET, "x", 1);
	os.pwritev = no_write;
	write_err = -EIO;
	EXPECT_EQ(-EIO, start(self->path, &self->log));
	EXPECT_EQ(-EIO, log_error(self->log));
	EXPECT_EQ(-EIO, log_take_space(self->log, 2 * AREA, &area));
	EXPECT_EQ(-EIO, log_set_size(self->log, AREA, 2 * AREA));
	EXPECT_EQ(-EIO, log_cut(self->log));
	EXPECT_EQ(-EIO, log_close(self->log));
	os = os_real;
	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(0, log_close(self->log));
	/* it was mended: the other one is not needed any more */
	patch(self->path, FORMAT_DICT_OFFSET + FORMAT_DICT_DEFAULT, "x", 1);
	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(0, log_close(self->log));
}

TEST_F(log, what_no_log_can_hold_is_refused_before_it_is_gathered)
{
	static const char bytes[AREA];
	struct log_range all = { .segment = 1, .length = AREA, .data = bytes };
	const struct log_range ranges[] = { all, all, all };
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(0, log_fits(self->log, 1, AREA / 2));
	EXPECT_EQ(-EFBIG, log_fits(self->log, 1, AREA));
	EXPECT_EQ(-EFBIG, log_fits(self->log, 1, AREA + 1));
	EXPECT_EQ(-EFBIG, log_fits(self->log, UINT32_MAX + 1ULL, 1));
	EXPECT_EQ(-EFBIG, log_append(self->log, 1, ranges, 3, &lsn));
	EXPECT_EQ(0, log_used(self->log));
	log_keep_below(self->log, AREA);	/* nobody wants to know */
	EXPECT_EQ(0, log_set_head(self->log, AREA));	/* where it is */
	EXPECT_EQ(0, log_close(self->log));
}

static uint64_t counted(enum statistics_count what)
{
	struct statistics_counts total, epoch;
	struct statistics_last last;

	statistics_read(&total, &epoch, &last);
	return total.n[what];
}

/* A record of so many bytes in all, alone in the log. */
static int fill_with(struct log *log, uint64_t length)
{
	static const char bytes[AREA];
	struct log_range range = { .segment = 1, .length = length - 64 - 16, .data = bytes };
	uint64_t lsn;
	int err = log_append(log, 1, &range, 1, &lsn);

	if (!err)
		err = log_flush(log, lsn);
	return err ? err : log_set_head(log, log_durable(log));
}

TEST_F(log, a_record_that_ends_with_the_area_is_in_one_piece)
{
	statistics_start();
	order_excused = true;	/* the head moves, and nothing is written */
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, fill_with(self->log, AREA / 2 - 512));
	ASSERT_EQ(0, fill_with(self->log, AREA / 2));
	EXPECT_EQ(0, counted(STATISTICS_SPLIT));
	ASSERT_EQ(0, fill_with(self->log, AREA / 2));
	EXPECT_EQ(0, counted(STATISTICS_SPLIT));
	ASSERT_EQ(0, fill_with(self->log, AREA / 2));
	EXPECT_EQ(1, counted(STATISTICS_SPLIT));
	EXPECT_EQ(0, log_close(self->log));
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

TEST_F(log, an_event_without_a_descriptor_for_it_is_an_error)
{
	struct rlimit before, none;
	int fd;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	none = before;
	none.rlim_cur = 3;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, log_event_fd(self->log, &fd));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	EXPECT_EQ(0, log_event_fd(self->log, &fd));
	EXPECT_EQ(0, log_close(self->log));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
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

TEST_F(log, open_refuses_a_log_that_was_cut_off)
{
	ASSERT_EQ(0, truncate(self->path, FILE_SIZE - 1));
	ASSERT_EQ(-EUCLEAN, log_open(self->path, 0, false, &self->log));
	ASSERT_NE(NULL, strstr(err_text(), "cut off"));
}

TEST_F(log, is_locked_against_this_and_other_processes_but_may_be_looked_at)
{
	struct log *second;
	int status;
	pid_t pid;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(-EBUSY, log_open(self->path, 0, false, &second));
	pid = fork();
	if (!pid) {
		int err = log_open(self->path, 0, false, &second);

		if (err != -EBUSY || !strstr(err_text(), "another process"))
			_exit(1);
		if (log_open(self->path, 0, true, &second))
			_exit(2);
		_exit(os.locked(log_file(second)->fd) == 1 ? 0 : 3);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, is_unlocked_by_the_death_of_its_process)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (start(self->path, &self->log))
			_exit(1);
		raise(SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, without_permission_is_refused_by_name)
{
	struct segment *segment;
	char other[160];
	int status;
	pid_t pid;

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(0, segment_open(other, 4096, &segment));
	segment_close(segment);
	ASSERT_EQ(0, chmod(self->dir, 0755));
	ASSERT_EQ(0, chmod(self->path, 0444));
	ASSERT_EQ(0, chmod(other, 0444));
	pid = fork();
	if (!pid) {
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(1);
		if (log_open(self->path, 0, false, &self->log) != -EACCES)
			_exit(2);
		if (!strstr(err_text(), self->path))
			_exit(3);
		if (log_open(self->path, 0, true, &self->log))
			_exit(4);
		if (segment_open(other, 0, &segment) != -EACCES || !strstr(err_text(), other))
			_exit(5);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

TEST_F(log, refuses_to_append_before_it_is_started)
{
	struct log_range r = { .segment = 1, .length = 1, .data = "x" };
	struct log_state state;
	uint32_t id;
	uint64_t lsn;

	ASSERT_EQ(0, log_open(self->path, 0, false, &self->log));
	ASSERT_EQ(-EINVAL, log_append(self->log, 1, &r, 1, &lsn));
	ASSERT_EQ(-EINVAL, log_flush(self->log, 0));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, AREA));
	ASSERT_EQ(-EINVAL, log_name_segment(self->log, "/x", 1, &id));
	log_state(self->log, &state);
	ASSERT_EQ(-EINVAL, log_start(self->log, state.head, state.head + 8));
	ASSERT_EQ(-EINVAL, log_start(self->log, 0, 0));
	ASSERT_EQ(0, log_start(self->log, state.tail, state.tail));
	ASSERT_EQ(-EINVAL, log_start(self->log, state.tail, state.tail));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, refuses_impossible_ranges)
{
	struct log_range r = { .segment = 1, .length = 1, .data = "x" };
	struct log_state before, after;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &before);
	r.segment = 0;
	ASSERT_EQ(-EINVAL, log_append(self->log, 1, &r, 1, &lsn));
	r.segment = 1;
	r.length = 0;
	ASSERT_EQ(-EINVAL, log_append(self->log, 1, &r, 1, &lsn));
	r.length = 2;
	r.offset = UINT64_MAX - 1;
	ASSERT_EQ(-EINVAL, log_append(self->log, 1, &r, 1, &lsn));
	r.offset = 0;
	r.length = UINT64_MAX;
	ASSERT_EQ(-EFBIG, log_append(self->log, 1, &r, 1, &lsn));
	log_state(self->log, &after);
	ASSERT_EQ(before.tail, after.tail);
	ASSERT_EQ(-EINVAL, log_flush(self->log, after.tail + 8));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, a_record_without_ranges_is_none)
{
	struct log_state state;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_append(self->log, 1, NULL, 0, &lsn));
	ASSERT_EQ(state.tail, lsn);
	ASSERT_EQ(0, log_flush(self->log, lsn));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, a_record_costs_64_bytes_and_16_a_range)
{
	struct log_range r[3] = { { 1, 0, 8, "01234567" }, { 1, 100, 8, "01234567" },
				  { 2, 0, 8, "01234567" } };
	struct log_state state;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_append(self->log, 1, r, 3, &lsn));
	ASSERT_EQ(state.tail + 64 + 3 * 16 + 3 * 8, lsn);
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, full_is_full_to_the_byte_and_the_head_frees_it)
{
	static char bytes[AREA];
	/* what fills the log exactly: header, trailer, range, and the shortest padding */
	struct log_range r = { .segment = 1, .length = AREA - 64 - 16 - 64, .data = bytes };
	struct log_range one = { .segment = 1, .length = 1, .data = bytes };
	uint64_t lsn;
	int i;

	ASSERT_EQ(0, start(self->path, &self->log));
	r.length++;
	ASSERT_EQ(-EFBIG, log_append(self->log, 1, &r, 1, &lsn));
	r.length--;
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
		ASSERT_EQ(-ENOSPC, log_append(self->log, 2, &one, 1, &lsn));
		ASSERT_EQ(-ENOSPC, log_append(self->log, 2, &one, 1, &lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
		ASSERT_EQ(AREA, log_used(self->log));
		ASSERT_EQ(-ENOSPC, log_append(self->log, 2, &one, 1, &lsn));
		ASSERT_EQ(0, log_set_head(self->log, log_durable(self->log)));
		ASSERT_EQ(0, log_used(self->log));
	}
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, the_head_moves_only_forward_and_not_beyond_what_is_durable)
{
	struct log_range r = { .segment = 1, .length = 100, .data = self->path };
	struct log_state state;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, lsn));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, state.head - 8));
	ASSERT_EQ(0, log_flush(self->log, lsn));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, lsn + 1));
	ASSERT_TRUE(both_tell(self->path, state.head, state.head));
	ASSERT_EQ(0, log_set_head(self->log, lsn));
	ASSERT_TRUE(both_tell(self->path, lsn, log_durable(self->log)));
	ASSERT_EQ(0, log_set_head(self->log, lsn));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, lsn - 8));
	ASSERT_EQ(0, log_close(self->log));
	/* a head inside a sector is where recovery begins */
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, what_was_not_flushed_is_gone_after_close_and_no_error)
{
	struct log_range r = { .segment = 1, .length = 8, .data = "notthere" };
	struct log_state state;
	struct recover_stats stats;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, log_open(self->path, 0, false, &self->log));
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, &stats));
	ASSERT_EQ(0, stats.records);
	log_state(self->log, &state);
	ASSERT_EQ(3, state.generation);
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, flushes_share_no_sector)
{
	struct log_range r = { .segment = 1, .data = self->path };
	struct log_state state;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	for (r.length = 1; r.length < 64; r.length++) {
		ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
		log_state(self->log, &state);
		ASSERT_EQ(0, state.tail % 512);
		ASSERT_EQ(state.tail, state.durable);
	}
	ASSERT_EQ(63, state.flushes);
	ASSERT_EQ(state.tail - state.head, state.bytes_written);
	ASSERT_EQ(0, log_close(self->log));
}

struct watched {
	struct log *log;
	uint64_t last;
	unsigned int calls;
	bool early;
};

static void watch(void *arg, uint64_t durable)
{
	struct watched *w = arg;

	w->early |= durable <= w->last || log_durable(w->log) >= durable;
	w->last = durable;
	w->calls++;
}

TEST_F(log, the_watcher_hears_of_each_rise_before_anybody_else)
{
	struct log_range r = { .segment = 1, .length = 5, .data = "12345" };
	struct watched w = {};
	uint64_t lsn;
	int i;

	ASSERT_EQ(0, start(self->path, &self->log));
	w.log = self->log;
	log_watch(self->log, watch, &w);
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
	}
	ASSERT_EQ(10, w.calls);
	ASSERT_FALSE(w.early);
	ASSERT_EQ(log_durable(self->log), w.last);
	log_watch(self->log, NULL, NULL);
	ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_flush(self->log, lsn));
	ASSERT_EQ(10, w.calls);
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, the_dictionary_keeps_names_over_reopening)
{
	struct log_segment segment;
	uint32_t a, b, c;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_name_segment(self->log, "/a", 4096, &a));
	ASSERT_EQ(0, log_name_segment(self->log, "/b", 8192, &b));
	ASSERT_EQ(0, log_name_segment(self->log, "/a", 4096, &c));
	ASSERT_EQ(1, a);
	ASSERT_EQ(2, b);
	ASSERT_EQ(a, c);
	ASSERT_EQ(0, log_name_segment(self->log, "/a", 16384, &c));
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(2, log_segments(self->log));
	ASSERT_EQ(0, log_segment(self->log, 1, &segment));
	ASSERT_EQ(1, segment.id);
	ASSERT_STREQ("/a", segment.path);
	ASSERT_EQ(16384, segment.length);
	ASSERT_EQ(0, log_segment(self->log, 2, &segment));
	ASSERT_STREQ("/b", segment.path);
	ASSERT_EQ(-ENOENT, log_segment(self->log, 3, &segment));
	ASSERT_EQ(-ENOENT, log_segment(self->log, 0, &segment));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, the_dictionary_refuses_bad_paths_and_is_full_one_day)
{
	char path[PATH_MAX + 1];
	struct log_segment segment;
	uint32_t id, last = 0;
	int err;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(-EINVAL, log_name_segment(self->log, "a", 1, &id));
	ASSERT_EQ(-EINVAL, log_name_segment(self->log, "", 1, &id));
	ASSERT_EQ(-EINVAL, log_name_segment(self->log, "/", 1, &id));
	memset(path, 'x', PATH_MAX);
	path[0] = '/';
	path[PATH_MAX] = '\0';
	ASSERT_EQ(-ENAMETOOLONG, log_name_segment(self->log, path, 1, &id));
	EXPECT_NE(NULL, strstr(err_text(), "longer than 4095 bytes"));
	path[PATH_MAX - 1] = '\0';
	do {
		snprintf(path + 1, 5, "%04u", last);
		path[5] = 'x';
		err = log_name_segment(self->log, path, 1, &id);
		if (!err)
			last = id;
	} while (!err);
	ASSERT_EQ(-ENOSPC, err);
	ASSERT_EQ(7, last);
	ASSERT_EQ(7, log_segments(self->log));
	/* full is no poison */
	ASSERT_EQ(0, log_error(self->log));
	ASSERT_EQ(0, log_name_segment(self->log, "/short", 1, &id));
	ASSERT_EQ(8, id);
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_segment(self->log, 7, &segment));
	ASSERT_EQ(PATH_MAX - 1, strlen(segment.path));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, each_status_copy_alone_tells_the_truth)
{
	struct log_range r = { .segment = 1, .length = 5, .data = "12345" };
	char junk[FORMAT_BLOCK];
	uint64_t lsn, head;
	int copy;

	memset(junk, 0x3c, sizeof(junk));
	for (copy = 0; copy < 2; copy++) {
		struct status_copies status, dict;
		struct log_state state;

		ASSERT_EQ(0, start(self->path, &self->log));
		ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
		head = log_durable(self->log);
		ASSERT_EQ(0, log_set_head(self->log, head));
		ASSERT_TRUE(both_tell(self->path, head, head));
		ASSERT_EQ(0, log_close(self->log));
		patch(self->path, copy * FORMAT_BLOCK, junk, sizeof(junk));
		ASSERT_EQ(0, log_open(self->path, 0, true, &self->log));
		log_state(self->log, &state);
		ASSERT_EQ(head, state.head);
		ASSERT_EQ(head, state.tail);
		log_copies(self->log, &status, &dict);
		ASSERT_FALSE(status.valid[copy]);
		ASSERT_TRUE(status.valid[!copy]);
		ASSERT_TRUE(dict.valid[0] && dict.valid[1]);
		ASSERT_EQ(0, log_close(self->log));
	}
}

TEST_F(log, an_open_log_leaks_no_descriptor)
{
	int before = dup(0), after, i;

	close(before);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, start(self->path, &self->log));
		ASSERT_EQ(0, log_close(self->log));
		ASSERT_EQ(-EINVAL, log_open(self->dir, 0, true, &self->log));
		ASSERT_EQ(-EEXIST, log_create(self->path, 1, 0600, false, NULL, NULL));
	}
	after = dup(0);
	close(after);
	ASSERT_EQ(before, after);
}

TEST_F(log, segment_open_tells_what_is_wrong)
{
	struct segment *segment;
	char path[PATH_MAX + 10];

	snprintf(path, sizeof(path), "%s/seg", self->dir);
	ASSERT_EQ(-ENOENT, segment_open(path, 0, &segment));
	ASSERT_EQ(0, segment_open(path, 12288, &segment));
	ASSERT_EQ(12288, segment->length);
	ASSERT_STREQ(path, segment->path);
	ASSERT_FALSE(segment->device);
	ASSERT_EQ(-EIO, segment_read(segment, 12288, path, 1));
	segment_close(segment);
	ASSERT_EQ(-EINVAL, segment_open(self->dir, 0, &segment));
	ASSERT_EQ(-EINVAL, segment_open("/dev/null", 0, &segment));
	snprintf(path, sizeof(path), "%s/none/seg", self->dir);
	ASSERT_EQ(-ENOENT, segment_open(path, 4096, &segment));
	snprintf(path, sizeof(path), "%s/huge", self->dir);
	ASSERT_NE(0, segment_open(path, 1ULL << 62, &segment));
	ASSERT_EQ(-1, access(path, F_OK));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ASSERT_EQ(-ENAMETOOLONG, segment_open(path, 0, &segment));
	EXPECT_NE(NULL, strstr(err_text(), "longer than 4095 bytes"));
	segment_close(NULL);
}

TEST_F(log, a_segment_is_known_by_its_canonical_path)
{
	char path[128], link_path[128];
	struct segment *segment;

	snprintf(path, sizeof(path), "%s/seg", self->dir);
	snprintf(link_path, sizeof(link_path), "%s/link", self->dir);
	ASSERT_EQ(0, segment_open(path, 4096, &segment));
	segment_close(segment);
	ASSERT_EQ(0, symlink(path, link_path));
	ASSERT_EQ(0, segment_open(link_path, 0, &segment));
	ASSERT_STREQ(path, segment->path);
	segment_close(segment);
}

TEST_HARNESS_MAIN
