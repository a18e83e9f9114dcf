// SPDX-License-Identifier: GPL-2.0
/* WRITEBACK and fsync write what they may, all of it, and say what they may not. */

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	1024
#define TID	7

FIXTURE(writeback) {
	struct client c;
	struct region r;
	int seg;
};

FIXTURE_SETUP(writeback)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED));
}

FIXTURE_TEARDOWN(writeback)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

/* Commit a byte to some pages, with an LSN. */
static int commit(FIXTURE_DATA(writeback) *self, unsigned int first, unsigned int step,
		  unsigned int count, unsigned char byte, uint64_t lsn)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		memset(self->r.data + (first + i * step) * PAGE, byte, PAGE);
	return cmd_end(&self->c, self->r.fd, TID, lsn, 0);
}

static bool disk_has(FIXTURE_DATA(writeback) *self, unsigned int page, unsigned char byte)
{
	static _Alignas(4096) unsigned char buf[PAGE];

	return !segment_read(self->seg, page, buf) && page_is(buf, byte);
}

TEST_F(writeback, committed_and_durable_pages_reach_the_disk)
{
	uint64_t written, busy;
	unsigned int i;

	/* Runs, lone pages, more than one batch. */
	ASSERT_EQ(0, commit(self, 0, 1, 600, 200, 50));
	ASSERT_EQ(0, commit(self, 601, 2, 200, 201, 50));
	self->r.ctl->durable_lsn = 50;
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(800, written);
	EXPECT_EQ(0, busy);
	EXPECT_EQ(NULL, self->c.attr[RVM_TRACK_A_BUSY]);
	for (i = 0; i < 600; i++)
		EXPECT_TRUE(disk_has(self, i, 200));
	for (i = 601; i < 1000; i++)
		EXPECT_TRUE(disk_has(self, i, i % 2 ? 201 : segment_byte(i)));
	EXPECT_EQ(800, region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_WRITTEN));
	/* They are clean now. */
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(0, written);
	EXPECT_EQ(0, busy);
}

/* How often the disk under the segment was told to flush its cache. */
static long flushes(int seg)
{
	unsigned int field = 0;
	unsigned long n = 0;
	char path[64];
	struct stat st;
	FILE *file;

	fstat(seg, &st);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(st.st_dev),
		 minor(st.st_dev));
	file = fopen(path, "r");
	if (!file)
		return -1;
	while (field < 16 && fscanf(file, "%lu", &n) == 1)
		field++;
	fclose(file);
	return field == 16 ? (long)n : -1;
}

TEST_F(writeback, the_disk_is_flushed_before_the_answer)
{
	long before;

	ASSERT_EQ(0, commit(self, 0, 1, 4, 200, 0));
	before = flushes(self->seg);
	ASSERT_LE(0, before);
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, NULL, NULL));
	EXPECT_LT(before, flushes(self->seg));
	ASSERT_EQ(0, commit(self, 0, 1, 4, 201, 0));
	before = flushes(self->seg);
	ASSERT_EQ(0, fsync(self->r.fd));
	EXPECT_LT(before, flushes(self->seg));
}

TEST_F(writeback, it_writes_the_range_asked_for_and_no_more)
{
	uint64_t written, busy;

	ASSERT_EQ(0, commit(self, 0, 1, 20, 200, 0));
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 5, 3, &written, &busy));
	EXPECT_EQ(3, written);
	EXPECT_FALSE(disk_has(self, 4, 200));
	EXPECT_TRUE(disk_has(self, 5, 200));
	EXPECT_TRUE(disk_has(self, 7, 200));
	EXPECT_FALSE(disk_has(self, 8, 200));
}

TEST_F(writeback, it_writes_the_pages_of_a_list_in_any_order)
{
	uint64_t list[] = { 900, 3, 17, 3, 500, 4 };

	ASSERT_EQ(0, commit(self, 3, 1, 15, 200, 0));
	ASSERT_EQ(0, commit(self, 900, 1, 1, 200, 0));
	ASSERT_EQ(0, cmd_writeback_list(&self->c, self->r.fd, list, 6));
	EXPECT_EQ(4, attr_u64(&self->c, RVM_TRACK_A_WRITTEN));
	EXPECT_TRUE(disk_has(self, 900, 200));
	EXPECT_TRUE(disk_has(self, 3, 200));
	EXPECT_TRUE(disk_has(self, 4, 200));
	EXPECT_TRUE(disk_has(self, 17, 200));
	EXPECT_FALSE(disk_has(self, 5, 200));
}

TEST_F(writeback, owned_pages_are_busy_and_named)
{
	uint64_t busy, written, *list;
	unsigned int i;

	for (i = 10; i < 20; i++)
		self->r.data[i * PAGE] = 200;
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(0, written);
	ASSERT_EQ(10, busy);
	ASSERT_NE(NULL, self->c.attr[RVM_TRACK_A_BUSY]);
	ASSERT_EQ(80, mnl_attr_get_payload_len(self->c.attr[RVM_TRACK_A_BUSY]));
	list = mnl_attr_get_payload(self->c.attr[RVM_TRACK_A_BUSY]);
	for (i = 0; i < 10; i++)
		EXPECT_EQ(10 + i, list[i]);
	EXPECT_EQ(10, region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_BUSY));
	EXPECT_FALSE(disk_has(self, 10, 200));
	/* And so are strays. */
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_NONE));
	self->r.data[30 * PAGE] = 200;
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 30, 1, &written, &busy));
	EXPECT_EQ(1, busy);
}

TEST_F(writeback, pages_whose_record_is_not_durable_are_busy)
{
	uint64_t written, busy;

	ASSERT_EQ(0, commit(self, 0, 1, 4, 200, 100));
	ASSERT_EQ(0, commit(self, 4, 1, 4, 201, 101));
	self->r.ctl->durable_lsn = 99;
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(0, written);
	EXPECT_EQ(8, busy);
	self->r.ctl->durable_lsn = 100;
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(4, written);
	EXPECT_EQ(4, busy);
	EXPECT_TRUE(disk_has(self, 3, 200));
	EXPECT_FALSE(disk_has(self, 4, 201));
}

TEST_F(writeback, held_pages_are_busy)
{
	uint64_t written, busy;

	ASSERT_EQ(0, commit(self, 0, 1, 4, 200, 0));
	self->r.words[2].hold = 1;
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(3, written);
	EXPECT_EQ(1, busy);
	EXPECT_FALSE(disk_has(self, 2, 200));
	self->r.words[2].hold = 0;
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(1, written);
	EXPECT_TRUE(disk_has(self, 2, 200));
}

TEST_F(writeback, a_loose_page_is_written_and_loose_no_more)
{
	uint64_t written, busy;

	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_EXPLICIT));
	memset(self->r.data, 200, PAGE);
	EXPECT_EQ(1, self->r.ctl->loose);
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(1, written);
	EXPECT_EQ(0, self->r.ctl->loose);
	EXPECT_TRUE(disk_has(self, 0, 200));
	/* The next store is noticed: it makes the page loose, and dirty. */
	self->r.data[1] = 201;
	EXPECT_EQ(1, self->r.ctl->loose);
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(1, written);
}

TEST_F(writeback, the_next_store_to_a_written_page_is_seen)
{
	ASSERT_EQ(0, commit(self, 0, 1, 4, 200, 0));
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, NULL, NULL));
	self->r.data[0] = 201;
	EXPECT_EQ(1, chain_length(&self->r, TID));
	EXPECT_TRUE(page_is(self->r.arena + self->r.words[0].slot * PAGE, 200));
}

TEST_F(writeback, an_aborted_page_has_its_committed_bytes)
{
	ASSERT_EQ(0, commit(self, 0, 1, 4, 200, 0));
	memset(self->r.data, 222, 4 * PAGE);
	ASSERT_EQ(0, cmd_end(&self->c, self->r.fd, TID, 0, RVM_TRACK_END_ABORT));
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, NULL, NULL));
	EXPECT_TRUE(disk_has(self, 0, 200));
	EXPECT_TRUE(disk_has(self, 3, 200));
}

TEST_F(writeback, fsync_and_msync_write_what_is_eligible)
{
	ASSERT_EQ(0, commit(self, 0, 1, 4, 200, 10));
	ASSERT_EQ(0, commit(self, 8, 1, 4, 201, 20));
	self->r.ctl->durable_lsn = 10;
	EXPECT_EQ(0, fsync(self->r.fd));
	EXPECT_TRUE(disk_has(self, 0, 200));
	EXPECT_FALSE(disk_has(self, 8, 201));
	self->r.ctl->durable_lsn = 20;
	EXPECT_EQ(0, msync(self->r.data + 8 * PAGE, 2 * PAGE, MS_SYNC));
	EXPECT_TRUE(disk_has(self, 9, 201));
	EXPECT_FALSE(disk_has(self, 10, 201));
	EXPECT_EQ(0, msync(self->r.ctl, PAGE, MS_SYNC));
	EXPECT_FALSE(disk_has(self, 10, 201));
	EXPECT_EQ(0, fdatasync(self->r.fd));
	EXPECT_TRUE(disk_has(self, 10, 201));
}

TEST_F(writeback, a_region_inside_a_segment_writes_to_its_place)
{
	struct region *r = &self->r;

	region_close(r);
	r->fd = cmd_create(&self->c, self->seg, 100 * PAGE, 10 * PAGE, 0, 0);
	ASSERT_LE(0, r->fd);
	r->data = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	ASSERT_NE(MAP_FAILED, r->data);
	r->pages = 10;
	EXPECT_TRUE(page_is(r->data + 3 * PAGE, segment_byte(103)));
	memset(r->data + 3 * PAGE, 200, PAGE);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, 0, 0, RVM_TRACK_END_STRAYS));
	ASSERT_EQ(0, fsync(r->fd));
	EXPECT_TRUE(disk_has(self, 103, 200));
	EXPECT_TRUE(disk_has(self, 3, segment_byte(3)));
}

TEST_F(writeback, written_pages_are_reclaimed_and_read_again)
{
	unsigned int i;
	FILE *drop;

	ASSERT_EQ(0, commit(self, 0, 1, 100, 200, 0));
	ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, NULL, NULL));
	ASSERT_EQ(0, madvise(self->r.data, PAGES * PAGE, MADV_DONTNEED));
	drop = fopen("/proc/sys/vm/drop_caches", "w");
	ASSERT_NE(NULL, drop);
	fputs("1", drop);
	fclose(drop);
	/* The kernel's lists of recently used pages may hold a few back. */
	EXPECT_GT(50, region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_RESIDENT));
	for (i = 0; i < 100; i++)
		EXPECT_TRUE(page_is(self->r.data + i * PAGE, 200));
	EXPECT_LT(50, region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_READ) - 100);
}

TEST_F(writeback, several_requests_answer_each_with_its_number)
{
	struct nlmsghdr *message, *got = (void *)self->c.answer;
	uint32_t first = 0, seen = 0, i;

	ASSERT_EQ(0, commit(self, 0, 1, 100, 200, 0));
	for (i = 0; i < 4; i++) {
		message = client_begin(&self->c, RVM_TRACK_CMD_WRITEBACK, 0);
		first = first ?: message->nlmsg_seq;
		mnl_attr_put_u32(message, RVM_TRACK_A_FD, self->r.fd);
		mnl_attr_put_u64(message, RVM_TRACK_A_FIRST, i * 25);
		mnl_attr_put_u64(message, RVM_TRACK_A_COUNT, 25);
		ASSERT_EQ(0, client_send(&self->c, message));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_LT(0, mnl_socket_recvfrom(self->c.socket, got, sizeof(self->c.answer)));
		EXPECT_EQ(self->c.family, got->nlmsg_type);
		seen |= 1 << (got->nlmsg_seq - first);
	}
	EXPECT_EQ(15, seen);
	EXPECT_TRUE(disk_has(self, 99, 200));
}

/* The region goes with the answer still to come: the work keeps what it needs. */
TEST_F(writeback, a_region_may_be_closed_while_it_is_written)
{
	struct nlmsghdr *message;

	ASSERT_EQ(0, commit(self, 0, 1, PAGES, 200, 0));
	message = client_begin(&self->c, RVM_TRACK_CMD_WRITEBACK, 0);
	mnl_attr_put_u32(message, RVM_TRACK_A_FD, self->r.fd);
	mnl_attr_put_u64(message, RVM_TRACK_A_FIRST, 0);
	mnl_attr_put_u64(message, RVM_TRACK_A_COUNT, PAGES);
	ASSERT_EQ(0, client_send(&self->c, message));
	region_close(&self->r);
	ASSERT_LT(0, mnl_socket_recvfrom(self->c.socket, self->c.answer,
					 sizeof(self->c.answer)));
	EXPECT_TRUE(disk_has(self, PAGES - 1, 200));
}

/* A loop device over the segment's file; -1 if there is none to be had. */
static int loop_over(int file, char *path, size_t size)
{
	int control = open("/dev/loop-control", O_RDWR), number, loop;

	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, size, "/dev/loop%d", number);
	loop = open(path, O_RDWR);
	if (loop >= 0 && ioctl(loop, LOOP_SET_FD, file)) {
		close(loop);
		loop = -1;
	}
	return loop;
}

TEST_F(writeback, a_block_device_is_a_segment_too)
{
	struct region r;
	char path[32];
	int loop;

	region_close(&self->r);
	if (system("modprobe -q loop"))
		TH_LOG("the loop driver is built in or missing");
	loop = loop_over(self->seg, path, sizeof(path));
	ASSERT_LE(0, loop);
	ASSERT_EQ(0, region_open(&self->c, &r, loop, PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&r, TID, RVM_TRACK_KIND_TRACKED));
	EXPECT_TRUE(page_is(r.data + 9 * PAGE, segment_byte(9)));
	memset(r.data + 9 * PAGE, 200, 3 * PAGE);
	ASSERT_EQ(0, cmd_end(&self->c, r.fd, TID, 0, 0));
	ASSERT_EQ(0, cmd_writeback(&self->c, r.fd, 0, PAGES, NULL, NULL));
	region_close(&r);
	EXPECT_EQ(0, ioctl(loop, LOOP_CLR_FD));
	close(loop);
	EXPECT_TRUE(disk_has(self, 11, 200));
}

TEST_F(writeback, a_file_system_without_direct_io_is_written_through_its_cache)
{
	unsigned char buf[PAGE];
	struct region r;
	int shm = memfd_create("segment", MFD_CLOEXEC);

	ASSERT_LE(0, shm);
	ASSERT_EQ(0, ftruncate(shm, 8 * PAGE));
	ASSERT_EQ(0, region_open(&self->c, &r, shm, 8, 0, 0));
	ASSERT_EQ(0, thread_set(&r, TID, RVM_TRACK_KIND_TRACKED));
	EXPECT_TRUE(page_is(r.data, 0));
	memset(r.data + PAGE, 200, 2 * PAGE);
	ASSERT_EQ(0, cmd_end(&self->c, r.fd, TID, 0, 0));
	ASSERT_EQ(0, cmd_writeback(&self->c, r.fd, 0, 8, NULL, NULL));
	ASSERT_EQ((ssize_t)PAGE, pread(shm, buf, PAGE, 2 * PAGE));
	EXPECT_TRUE(page_is(buf, 200));
	region_close(&r);
	close(shm);
}

TEST_F(writeback, an_error_is_told_and_the_pages_stay_dirty)
{
	struct client events;
	uint64_t written, busy;
	struct region r;
	char dir[256], path[300];
	int seg, filler;
	char block[4096] = { };

	snprintf(dir, sizeof(dir), "%s/small", getenv("TMPDIR") ?: "/var/tmp");
	ASSERT_EQ(0, mkdir(dir, 0700));
	ASSERT_EQ(0, mount("tmpfs", dir, "tmpfs", 0, "size=64k"));
	snprintf(path, sizeof(path), "%s/segment", dir);
	seg = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, seg);
	ASSERT_EQ(0, ftruncate(seg, 8 * PAGE));
	ASSERT_EQ(0, client_open(&events));
	ASSERT_EQ(0, client_subscribe(&events));
	ASSERT_EQ(0, region_open(&self->c, &r, seg, 8, 0, 0));
	ASSERT_EQ(0, thread_set(&r, TID, RVM_TRACK_KIND_TRACKED));
	memset(r.data + PAGE, 200, 3 * PAGE);
	ASSERT_EQ(0, cmd_end(&self->c, r.fd, TID, 0, 0));
	snprintf(path, sizeof(path), "%s/filler", dir);
	filler = open(path, O_RDWR | O_CREAT, 0600);
	while (write(filler, block, sizeof(block)) > 0)
		;
	EXPECT_EQ(-ENOSPC, cmd_writeback(&self->c, r.fd, 0, 8, &written, &busy));
	EXPECT_EQ(RVM_TRACK_CMD_EVENT_IO_ERROR, client_event(&events, 5000));
	EXPECT_EQ(r.id, attr_u64(&events, RVM_TRACK_A_ID));
	EXPECT_EQ(1, attr_u64(&events, RVM_TRACK_A_PAGE));
	EXPECT_EQ(-ENOSPC, (int)mnl_attr_get_u32(events.attr[RVM_TRACK_A_ERROR]));
	EXPECT_EQ(-1, fsync(r.fd));
	EXPECT_EQ(ENOSPC, errno);
	ASSERT_EQ(0, ftruncate(filler, 0));
	EXPECT_EQ(0, cmd_writeback(&self->c, r.fd, 0, 8, &written, &busy));
	EXPECT_EQ(3, written);
	region_close(&r);
	close(filler);
	close(seg);
	client_close(&events);
	EXPECT_EQ(0, umount(dir));
	rmdir(dir);
}

TEST_HARNESS_MAIN
