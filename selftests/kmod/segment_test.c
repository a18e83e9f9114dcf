// SPDX-License-Identifier: GPL-2.0
/* Segments on each kind of file system, and what is done to a segment under a live region. */

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	64
#define TID	7

/* Run a command; what it says is in the log. */
static __attribute__((format(printf, 1, 2))) int shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

FIXTURE(segment) {
	struct client c, events;
	struct region r;
	char dir[256], path[300];
	int seg;
};

/* How a file system is made: of the image, and what must be mounted with which options. */
FIXTURE_VARIANT(segment) {
	const char *mkfs;
	const char *mount;
};

FIXTURE_VARIANT_ADD(segment, ext4) {
	.mkfs = "mkfs.ext4 -q -F image",
	.mount = "mount -t ext4 -o loop image fs",
};

FIXTURE_VARIANT_ADD(segment, xfs) {
	.mkfs = "mkfs.xfs -q -f image",
	.mount = "mount -t xfs -o loop image fs",
};

FIXTURE_VARIANT_ADD(segment, btrfs) {
	.mkfs = "mkfs.btrfs -q -f image",
	.mount = "mount -t btrfs -o loop image fs",
};

FIXTURE_VARIANT_ADD(segment, tmpfs) {
	.mkfs = "true",
	.mount = "mount -t tmpfs -o size=8M tmpfs fs",
};

FIXTURE_VARIANT_ADD(segment, overlay) {
	.mkfs = "mkfs.ext4 -q -F image && mkdir lower t && mount -o loop image t && mkdir t/u t/w",
	.mount = "mount -t overlay -o lowerdir=lower,upperdir=t/u,workdir=t/w overlay fs",
};

static int make_segment(const char *path)
{
	unsigned char buf[PAGE];
	int seg = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), i;

	for (i = 0; i < PAGES; i++) {
		memset(buf, segment_byte(i), PAGE);
		if (pwrite(seg, buf, PAGE, i * PAGE) != (ssize_t)PAGE)
			return -errno;
	}
	return fsync(seg) ? -errno : seg;
}

FIXTURE_SETUP(segment)
{
	snprintf(self->dir, sizeof(self->dir), "%s/segment-XXXXXX",
		 getenv("TMPDIR") ?: "/var/tmp");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, shell("/sbin/modprobe loop"));
	ASSERT_EQ(0, chdir(self->dir));
	ASSERT_EQ(0, shell("mkdir fs && truncate -s 400M image"));
	ASSERT_EQ(0, shell("PATH=$PATH:/usr/sbin:/sbin; %s && %s", variant->mkfs, variant->mount));
	snprintf(self->path, sizeof(self->path), "%s/fs/segment", self->dir);
	self->seg = make_segment(self->path);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, client_open(&self->events));
	ASSERT_EQ(0, client_subscribe(&self->events));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED));
}

FIXTURE_TEARDOWN(segment)
{
	region_close(&self->r);
	client_close(&self->events);
	client_close(&self->c);
	close(self->seg);
	EXPECT_EQ(0, shell("umount fs && if [ -e t ]; then umount t; fi && rm -r %s", self->dir));
}

static int commit(FIXTURE_DATA(segment) *self, unsigned int first, unsigned int count,
		  unsigned char byte)
{
	memset(self->r.data + first * PAGE, byte, count * PAGE);
	return cmd_end(&self->c, self->r.fd, TID, 0, 0);
}

/* What a descriptor reads once nothing of the file is in memory. */
static bool file_has(int fd, unsigned int page, unsigned char byte)
{
	unsigned char buf[PAGE];

	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return pread(fd, buf, PAGE, page * PAGE) == (ssize_t)PAGE && page_is(buf, byte);
}

static uint64_t dirty(FIXTURE_DATA(segment) *self)
{
	return region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_DIRTY);
}

TEST_F_TIMEOUT(segment, is_read_and_written, 120)
{
	uint64_t written;

	EXPECT_TRUE(page_is(self->r.data + 9 * PAGE, segment_byte(9)));
	ASSERT_EQ(0, commit(self, 10, 3, 200));
	ASSERT_EQ(0, commit(self, 20, 1, 201));
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, NULL));
	EXPECT_EQ(4, written);
	EXPECT_TRUE(file_has(self->seg, 9, segment_byte(9)));
	EXPECT_TRUE(file_has(self->seg, 10, 200));
	EXPECT_TRUE(file_has(self->seg, 12, 200));
	EXPECT_TRUE(file_has(self->seg, 20, 201));
}

/* What is in memory stays; what was cut off is a SIGBUS; a commit makes the file longer again. */
TEST_F_TIMEOUT(segment, that_is_truncated_loses_nothing_committed, 120)
{
	struct region *r = &self->r;
	struct stat st;

	EXPECT_TRUE(page_is(r->data + 40 * PAGE, segment_byte(40)));
	ASSERT_EQ(0, commit(self, 41, 1, 200));
	ASSERT_EQ(0, ftruncate(self->seg, 32 * PAGE));
	EXPECT_TRUE(page_is(r->data + 40 * PAGE, segment_byte(40)));
	EXPECT_TRUE(load_faults(r->data + 50 * PAGE));
	EXPECT_TRUE(store_faults(r->data + 51 * PAGE, 1));
	EXPECT_TRUE(page_is(r->data + 31 * PAGE, segment_byte(31)));
	ASSERT_EQ(0, cmd_writeback(&self->c, r->fd, 0, PAGES, NULL, NULL));
	ASSERT_EQ(0, fstat(self->seg, &st));
	EXPECT_EQ(42 * PAGE, st.st_size);
	EXPECT_TRUE(file_has(self->seg, 41, 200));
	/* A hole behind what was left: the bytes of before are not shown again. */
	EXPECT_TRUE(file_has(self->seg, 35, 0));
}

/* The region is of the file that was opened, whatever its name stands for. */
TEST_F_TIMEOUT(segment, that_is_deleted_or_replaced_is_the_one_of_before, 120)
{
	struct region other;
	char path[310];
	int seg;

	snprintf(path, sizeof(path), "%s.new", self->path);
	seg = make_segment(path);
	ASSERT_LE(0, seg);
	ASSERT_EQ(0, rename(path, self->path));
	ASSERT_EQ(0, commit(self, 5, 1, 200));
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, NULL, NULL));
	EXPECT_TRUE(file_has(self->seg, 5, 200));
	EXPECT_TRUE(file_has(seg, 5, segment_byte(5)));
	/* The new file is another segment. */
	EXPECT_EQ(-EBUSY, region_open(&self->c, &other, self->seg, PAGES, 0, 0));
	ASSERT_EQ(0, region_open(&self->c, &other, seg, PAGES, 0, 0));
	region_close(&other);
	ASSERT_EQ(0, unlink(self->path));
	ASSERT_EQ(0, commit(self, 6, 1, 201));
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, NULL, NULL));
	EXPECT_TRUE(file_has(self->seg, 6, 201));
	close(seg);
}

/* Take all space that the file system has: most of it at once, the rest by writing. */
static int fill_up(const char *path)
{
	static char block[1 << 20];
	size_t size = 128 << 20;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	off_t at = 0;

	while (size >= sizeof(block)) {
		if (fallocate(fd, 0, at, size))
			size /= 2;
		else
			at += size;
	}
	lseek(fd, at, SEEK_SET);
	while (size >= 4096) {
		if (write(fd, block, size) <= 0 || fsync(fd))
			size /= 2;
	}
	return fd;
}

/* A hole in a full file system cannot be written; the pages stay, and go when there is room. */
TEST_F_TIMEOUT(segment, that_has_no_space_keeps_pages_dirty, 120)
{
	struct region *r = &self->r;
	uint64_t written;
	char path[320];
	int filler, i;

	ASSERT_EQ(0, ftruncate(self->seg, 0));
	ASSERT_EQ(0, ftruncate(self->seg, PAGES * PAGE));
	ASSERT_EQ(0, fsync(self->seg));
	snprintf(path, sizeof(path), "%s.filler", self->path);
	filler = fill_up(path);
	ASSERT_LE(0, filler);
	ASSERT_EQ(0, commit(self, 0, PAGES, 200));
	EXPECT_EQ(-ENOSPC, cmd_writeback(&self->c, r->fd, 0, PAGES, &written, NULL));
	ASSERT_EQ(RVM_TRACK_CMD_EVENT_IO_ERROR, client_event(&self->events, 5000));
	EXPECT_EQ(r->id, attr_u64(&self->events, RVM_TRACK_A_ID));
	EXPECT_EQ(-ENOSPC, (int)mnl_attr_get_u32(self->events.attr[RVM_TRACK_A_ERROR]));
	EXPECT_EQ(PAGES, dirty(self));
	EXPECT_EQ(-1, fsync(r->fd));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_EQ(PAGES, dirty(self));
	ASSERT_EQ(0, ftruncate(filler, 0));
	ASSERT_EQ(0, fsync(filler));
	sync();
	EXPECT_EQ(0, cmd_writeback(&self->c, r->fd, 0, PAGES, &written, NULL));
	EXPECT_EQ(PAGES, written);
	EXPECT_EQ(0, dirty(self));
	for (i = 0; i < PAGES; i++)
		ASSERT_TRUE(file_has(self->seg, i, 200));
	close(filler);
}

/* Files that the module cannot use are told when a region is asked for. */
TEST(what_cannot_be_a_segment_is_refused_at_create)
{
	static struct client c;
	int fd;

	ASSERT_EQ(0, client_open(&c));
	fd = open("/proc/self/comm", O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, cmd_create(&c, fd, 0, PAGE, 0, 0));
	EXPECT_STREQ("the segment cannot be read, written or synced", c.extack);
	close(fd);
	fd = memfd_create("huge", MFD_HUGETLB);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, 2 << 20));
	EXPECT_EQ(-EINVAL, cmd_create(&c, fd, 0, PAGE, 0, 0));
	EXPECT_STREQ("the segment cannot be read, written or synced", c.extack);
	close(fd);
	client_close(&c);
}

/* A command to device-mapper, without anybody who runs udev. */
static int dm(const char *verb, const char *options)
{
	return shell("DM_DISABLE_UDEV=1 /sbin/dmsetup %s rvm-segment %s 2>&1", verb, options);
}

/* Give the device under the segment a table: all of the loop device, or nothing but errors. */
static int set_table(const char *verb, const char *target, const char *loop)
{
	char table[128];

	snprintf(table, sizeof(table), "--table '0 %lu %s %s'", PAGES * PAGE / 512, target, loop);
	return dm(verb, table);
}

/* Another table under a device in use. */
static int swap_table(const char *target, const char *loop)
{
	return set_table("load", target, loop) ?: dm("suspend", "--nolockfs --noflush") ?:
	       dm("resume", "");
}

/* A segment on a device-mapper device over a loop device over a file. */
FIXTURE(failing) {
	struct client c, events;
	struct region r;
	char path[256], loop[32], place[40];
	int device;
};

FIXTURE_SETUP(failing)
{
	FILE *losetup;
	int seg;

	snprintf(self->path, sizeof(self->path), "%s/segment", getenv("TMPDIR") ?: "/var/tmp");
	seg = make_segment(self->path);
	ASSERT_LE(0, seg);
	close(seg);
	ASSERT_EQ(0, shell("/sbin/modprobe -a loop dm-mod"));
	ASSERT_EQ(0, chdir(getenv("TMPDIR") ?: "/var/tmp"));
	losetup = popen("/sbin/losetup -f --show segment", "r");
	ASSERT_NE(NULL, fgets(self->loop, sizeof(self->loop), losetup));
	pclose(losetup);
	*strchr(self->loop, '\n') = 0;
	snprintf(self->place, sizeof(self->place), "%s 0", self->loop);
	ASSERT_EQ(0, set_table("create", "linear", self->place));
	self->device = open("/dev/mapper/rvm-segment", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, client_open(&self->events));
	ASSERT_EQ(0, client_subscribe(&self->events));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->device, PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED));
}

FIXTURE_TEARDOWN(failing)
{
	region_close(&self->r);
	close(self->device);
	client_close(&self->events);
	client_close(&self->c);
	EXPECT_EQ(0, dm("remove", ""));
	EXPECT_EQ(0, shell("/sbin/losetup -d %s", self->loop));
	unlink(self->path);
}

/* The error is told to all who ask, nothing is lost, and it goes on afterwards. */
TEST_F_TIMEOUT(failing, a_device_that_fails_keeps_pages_dirty, 120)
{
	struct region *r = &self->r;
	uint64_t written;
	int i;

	for (i = 0; i < 4; i++)
		memset(r->data + 8 * i * PAGE, 200, PAGE);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	ASSERT_EQ(0, swap_table("error", ""));
	EXPECT_EQ(-EIO, cmd_writeback(&self->c, r->fd, 0, PAGES, &written, NULL));
	ASSERT_EQ(RVM_TRACK_CMD_EVENT_IO_ERROR, client_event(&self->events, 5000));
	EXPECT_EQ(0, attr_u64(&self->events, RVM_TRACK_A_PAGE));
	EXPECT_EQ(-EIO, (int)mnl_attr_get_u32(self->events.attr[RVM_TRACK_A_ERROR]));
	EXPECT_EQ(4, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_DIRTY));
	EXPECT_EQ(-1, fsync(r->fd));
	EXPECT_EQ(EIO, errno);
	/* A page that was not read yet cannot be read now, and can be later. */
	EXPECT_TRUE(load_faults(r->data + 40 * PAGE));
	EXPECT_TRUE(page_is(r->data + 24 * PAGE, 200));
	ASSERT_EQ(0, swap_table("linear", self->place));
	EXPECT_TRUE(page_is(r->data + 40 * PAGE, segment_byte(40)));
	EXPECT_EQ(0, cmd_writeback(&self->c, r->fd, 0, PAGES, &written, NULL));
	EXPECT_EQ(4, written);
	EXPECT_TRUE(file_has(self->device, 24, 200));
}

TEST_HARNESS_MAIN
