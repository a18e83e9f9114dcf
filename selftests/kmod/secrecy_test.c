// SPDX-License-Identifier: GPL-2.0
/*
 * No byte that is not committed and durable reaches the segment, by any way.
 *
 * The segment is read past the page cache the whole time.  SECRET is stored
 * only to pages that may not be written, so it must never be found there.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define PAGES	1024
#define CHUNK	(256 * PAGE)
#define SECRET	0xee
#define TID	7

/**
 * struct spy - a thread that reads the segment from the disk
 * @fd: with O_DIRECT
 * @found: pages with the secret
 * @rounds: how often it has read all
 * @stop: to end it
 * @id: the thread
 */
struct spy {
	int fd;
	volatile unsigned int found;
	volatile unsigned int rounds;
	volatile bool stop;
	pthread_t id;
};

static unsigned int look(int fd)
{
	unsigned int found = 0;
	unsigned char *buf;
	size_t at, i;

	buf = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (at = 0; at < PAGES * PAGE; at += CHUNK) {
		if (pread(fd, buf, CHUNK, at) != (ssize_t)CHUNK)
			abort();
		for (i = 0; i < CHUNK; i += PAGE)
			found += !!memchr(buf + i, SECRET, PAGE);
	}
	munmap(buf, CHUNK);
	return found;
}

static void *spy_thread(void *arg)
{
	struct spy *spy = arg;

	while (!spy->stop) {
		spy->found += look(spy->fd);
		spy->rounds++;
	}
	return NULL;
}

static int spy_start(struct spy *spy, int seg)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", seg);
	spy->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	return spy->fd < 0 ? -errno : pthread_create(&spy->id, NULL, spy_thread, spy);
}

/* What the spy found, with one more look after the last action. */
static unsigned int spy_end(struct spy *spy)
{
	spy->stop = true;
	pthread_join(spy->id, NULL);
	spy->found += look(spy->fd);
	close(spy->fd);
	return spy->found;
}

FIXTURE(secrecy) {
	struct client c;
	struct region r;
	struct spy spy;
	int seg;
};

enum why { UNCOMMITTED, STRAY, HELD, NOT_DURABLE };

FIXTURE_VARIANT(secrecy) {
	enum why why;
};

FIXTURE_VARIANT_ADD(secrecy, uncommitted) { .why = UNCOMMITTED };
FIXTURE_VARIANT_ADD(secrecy, stray) { .why = STRAY };
FIXTURE_VARIANT_ADD(secrecy, held) { .why = HELD };
FIXTURE_VARIANT_ADD(secrecy, not_durable) { .why = NOT_DURABLE };

/* Store the secret to every other page, in the way that makes it secret. */
static int store_secrets(struct client *c, struct region *r, enum why why)
{
	size_t i;

	if (why == UNCOMMITTED || why == NOT_DURABLE)
		thread_set(r, TID, RVM_TRACK_KIND_TRACKED);
	if (why == HELD)
		thread_set(r, TID, RVM_TRACK_KIND_EXPLICIT);
	for (i = 0; i < PAGES; i += 2) {
		if (why == HELD)
			__atomic_add_fetch(&r->words[i].hold, 1, __ATOMIC_SEQ_CST);
		r->data[i * PAGE + i] = SECRET;
	}
	if (why != NOT_DURABLE)
		return 0;
	r->ctl->durable_lsn = 99;
	return cmd_end(c, r->fd, TID, 100, 0);
}

FIXTURE_SETUP(secrecy)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	memset(&self->spy, 0, sizeof(self->spy));
	ASSERT_EQ(0, spy_start(&self->spy, self->seg));
	ASSERT_EQ(0, store_secrets(&self->c, &self->r, variant->why));
}

FIXTURE_TEARDOWN(secrecy)
{
	size_t i;

	EXPECT_EQ(0, spy_end(&self->spy));
	/* And nothing was lost by what was done to find it. */
	for (i = 0; i < PAGES && self->r.data; i += 2)
		EXPECT_EQ(SECRET, self->r.data[i * PAGE + i]);
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -errno : 0;
}

TEST_F_TIMEOUT(secrecy, is_kept_by_msync_fsync_and_sync, 120)
{
	struct region *r = &self->r;

	EXPECT_EQ(0, msync(r->data, PAGES * PAGE, MS_SYNC));
	EXPECT_EQ(0, msync(r->data, PAGES * PAGE, MS_ASYNC | MS_INVALIDATE));
	EXPECT_EQ(0, fsync(r->fd));
	EXPECT_EQ(0, fdatasync(r->fd));
	sync_file_range(r->fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	EXPECT_EQ(0, syncfs(r->fd));
	EXPECT_EQ(0, fsync(self->seg));
	EXPECT_EQ(0, syncfs(self->seg));
	sync();
}

TEST_F_TIMEOUT(secrecy, is_kept_by_reclaim, 120)
{
	struct region *r = &self->r;

	EXPECT_EQ(0, madvise(r->data, PAGES * PAGE, MADV_COLD));
	EXPECT_EQ(0, madvise(r->data, PAGES * PAGE, MADV_PAGEOUT));
	EXPECT_EQ(0, madvise(r->data, PAGES * PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	EXPECT_EQ(0, write_file("/proc/sys/vm/compact_memory", "1"));
	EXPECT_EQ(0, write_file("/proc/sys/vm/drop_caches", "3"));
	posix_fadvise(r->fd, 0, 0, POSIX_FADV_DONTNEED);
	/* The clean half went, so reclaim has looked at this region. */
	EXPECT_GT(PAGES - 100, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_RESIDENT));
}

TEST_F_TIMEOUT(secrecy, is_kept_by_writeback, 120)
{
	uint64_t written, busy;

	EXPECT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(0, written);
	EXPECT_EQ(PAGES / 2, busy);
}

FIXTURE(killed) {
	struct client c;
	struct region r;
	struct spy spy;
	char cgroup[64];
	int seg;
	int pipe[2];
};

FIXTURE_SETUP(killed)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	memset(&self->spy, 0, sizeof(self->spy));
	ASSERT_EQ(0, spy_start(&self->spy, self->seg));
	ASSERT_EQ(0, pipe(self->pipe));
	snprintf(self->cgroup, sizeof(self->cgroup), "/sys/fs/cgroup/rvm-%d", getpid());
	ASSERT_EQ(0, write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(self->cgroup, 0755));
}

FIXTURE_TEARDOWN(killed)
{
	EXPECT_EQ(0, spy_end(&self->spy));
	EXPECT_EQ(0, rmdir(self->cgroup));
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->seg);
}

static int enter_cgroup(const char *cgroup, const char *max)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.max", cgroup);
	if (write_file(path, max))
		return -1;
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	return write_file(path, "0");
}

static void open_region(FIXTURE_DATA(killed) *self)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (client_open(&self->c) ||
	    region_open(&self->c, &self->r, self->seg, PAGES, 0, 0) ||
	    thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED))
		_exit(9);
}

/* Wait for the child to say that it is so far. */
static bool so_far(FIXTURE_DATA(killed) *self)
{
	char byte;

	return read(self->pipe[0], &byte, 1) == 1;
}

TEST_F_TIMEOUT(killed, a_sigkill_in_a_transaction_writes_nothing, 120)
{
	pid_t child = fork();
	int status;
	size_t i;

	if (!child) {
		open_region(self);
		for (i = 0;; i = (i + 1) % PAGES) {
			self->r.data[i * PAGE + i] = SECRET;
			if (i == PAGES / 2 && write(self->pipe[1], "x", 1) != 1)
				_exit(9);
		}
	}
	ASSERT_TRUE(so_far(self));
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	sync();
	/* The segment is free again, and as it was. */
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	for (i = 0; i < PAGES; i++)
		EXPECT_TRUE(page_is(self->r.data + i * PAGE, segment_byte(i)));
	region_close(&self->r);
}

static unsigned char expected(size_t page)
{
	return page % 16 ? segment_byte(page) : SECRET;
}

/* Half of the region's size is all the memory there is. */
TEST_F_TIMEOUT(killed, memory_pressure_takes_clean_pages_only, 120)
{
	pid_t child = fork();
	unsigned int round;
	int status;
	size_t i;

	if (!child) {
		if (enter_cgroup(self->cgroup, "3M"))
			_exit(8);
		open_region(self);
		for (i = 0; i < PAGES; i += 16)
			self->r.data[i * PAGE + i] = SECRET;
		for (round = 0; round < 3; round++)
			for (i = 0; i < PAGES; i++)
				if (self->r.data[i * PAGE + i] != expected(i))
					_exit(1);
		if (region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_READ) < PAGES + PAGES / 2)
			_exit(2);	/* nothing was ever reclaimed */
		if (cmd_end(&self->c, self->r.fd, TID, 0, RVM_TRACK_END_ABORT))
			_exit(3);
		for (i = 0; i < PAGES; i++)
			if (!page_is(self->r.data + i * PAGE, segment_byte(i)))
				_exit(4);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* Dirty pages cannot be dropped: too many of them end in death, not in the segment. */
TEST_F_TIMEOUT(killed, too_many_dirty_pages_are_out_of_memory, 120)
{
	pid_t child = fork();
	int status;
	size_t i;

	if (!child) {
		if (enter_cgroup(self->cgroup, "3M"))
			_exit(8);
		open_region(self);
		for (i = 0; i < PAGES; i++)
			self->r.data[i * PAGE + i] = SECRET;
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

TEST_HARNESS_MAIN
