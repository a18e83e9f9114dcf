// SPDX-License-Identifier: GPL-2.0
/* What memory pressure takes: every clean page, no dirty one, and nothing goes to swap. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	512
#define DIRTY	64		/* the first of them are dirty */
#define TID	7
#define WAIT_MS	500		/* that whoever reclaims waits for an answer */
#define PARAMETERS	"/sys/module/rvm_track/parameters/"

FIXTURE(pressure) {
	struct client c;
	struct region r;
	char cgroup[64];
	int seg;
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

FIXTURE_SETUP(pressure)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	snprintf(self->cgroup, sizeof(self->cgroup), "/sys/fs/cgroup/rvm-pressure-%d", getpid());
	ASSERT_EQ(0, write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(self->cgroup, 0755));
}

FIXTURE_TEARDOWN(pressure)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
	EXPECT_EQ(0, rmdir(self->cgroup));
}

/* Pages whose record is not durable and pages of an open transaction; the rest is clean. */
static void fill(FIXTURE_DATA(pressure) *self)
{
	struct region *r = &self->r;
	unsigned int i;

	if (region_open(&self->c, r, self->seg, PAGES, 0, 0) ||
	    thread_set(r, TID, RVM_TRACK_KIND_TRACKED))
		abort();
	for (i = 0; i < DIRTY / 2; i++)
		memset(r->data + i * PAGE, 200, PAGE);
	if (cmd_end(&self->c, r->fd, TID, 100, 0))
		abort();
	for (; i < DIRTY; i++)
		memset(r->data + i * PAGE, 201, PAGE);
	for (; i < PAGES; i++)
		if (!page_is(r->data + i * PAGE, segment_byte(i)))
			abort();
}

static bool intact(struct region *r)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		if (!page_is(r->data + i * PAGE,
			     i < DIRTY / 2 ? 200 : i < DIRTY ? 201 : segment_byte(i)))
			return false;
	return chain_length(r, TID) == DIRTY / 2;
}

/* In a child, because its memory is what the group counts. */
#define IN_GROUP(statement) ({ \
	pid_t pid_ = fork(); \
	int status_ = -1; \
	if (!pid_) { \
		char path_[128]; \
		snprintf(path_, sizeof(path_), "%s/cgroup.procs", self->cgroup); \
		if (write_file(path_, "0")) \
			_exit(99); \
		fill(self); \
		statement; \
		_exit(0); \
	} \
	waitpid(pid_, &status_, 0); \
	WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; \
})

/* Reclaim of the whole group, as often as it takes; the pages are not mapped meanwhile. */
static uint64_t reclaim(FIXTURE_DATA(pressure) *self, const char *file, const char *text)
{
	unsigned int tries;
	uint64_t resident = PAGES;

	for (tries = 0; tries < 20 && resident > DIRTY; tries++) {
		if (tries)
			/* drains the LRU batches of all processors */
			write_file("/proc/sys/vm/compact_memory", "1");
		if (madvise(self->r.data, PAGES * PAGE, MADV_DONTNEED))
			abort();
		write_file(file, text);
		resident = region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_RESIDENT);
	}
	printf("# %llu pages are resident after %u tries\n", (unsigned long long)resident, tries);
	fflush(stdout);
	return resident;
}

/* What is resident in the end is exactly what may not go. */
TEST_F_TIMEOUT(pressure, reclaim_of_a_memory_group_takes_all_clean_pages, 60)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.reclaim", self->cgroup);
	EXPECT_EQ(0, IN_GROUP({
		if (reclaim(self, path, "8M") != DIRTY)
			_exit(1);
		if (!intact(&self->r))
			_exit(2);
		if (region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_READ) !=
		    PAGES + PAGES - DIRTY)
			_exit(3);
	}));
}

TEST_F_TIMEOUT(pressure, dropping_caches_takes_all_clean_pages, 60)
{
	EXPECT_EQ(0, IN_GROUP({
		if (reclaim(self, "/proc/sys/vm/drop_caches", "1") != DIRTY)
			_exit(1);
		if (!intact(&self->r))
			_exit(2);
	}));
}

/* What a group uses now, in pages; the kernel counts in portions, up to 64 of a processor. */
static size_t used(FIXTURE_DATA(pressure) *self)
{
	char path[128], line[64] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/memory.current", self->cgroup);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, line, sizeof(line) - 1) <= 0)
		abort();
	close(fd);
	return strtoul(line, NULL, 10) / PAGE;
}

/* What is read is charged to whoever reads it, and the old page to whoever stores to it. */
TEST_F_TIMEOUT(pressure, pages_and_old_ones_are_charged_to_the_group, 60)
{
	EXPECT_EQ(0, IN_GROUP({
		size_t before = used(self);
		size_t i;

		if (before < PAGES)
			_exit(1);
		for (i = DIRTY; i < PAGES; i++)
			self->r.data[i * PAGE] = 201;
		/* Those of the transaction that ended are used again. */
		if (used(self) < before + PAGES - DIRTY - DIRTY / 2 - 2 * 64)
			_exit(2);
	}));
}

static int make_swap(char *path, size_t size)
{
	unsigned int info[3] = { 1, 4095, 0 };
	int fd;

	snprintf(path, size, "%s/swap", getenv("TMPDIR") ?: "/var/tmp");
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, 4096 * PAGE) ||
	    pwrite(fd, info, sizeof(info), 1024) != sizeof(info) ||
	    pwrite(fd, "SWAPSPACE2", 10, PAGE - 10) != 10 || fsync(fd))
		return -1;
	close(fd);
	return swapon(path, 0);
}

static unsigned long swapped(const char *path)
{
	unsigned long used = 0;
	char line[512];
	FILE *file = fopen("/proc/swaps", "r");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, path, strlen(path)))
			sscanf(line, "%*s %*s %*u %lu", &used);
	if (file)
		fclose(file);
	return used;
}

/* Swap takes anonymous memory, and no page of a region although it cannot be written back. */
TEST_F_TIMEOUT(pressure, nothing_of_a_region_is_swapped, 60)
{
	char path[256], reclaim_file[128];
	unsigned char *anonymous;

	ASSERT_EQ(0, make_swap(path, sizeof(path)));
	snprintf(reclaim_file, sizeof(reclaim_file), "%s/memory.reclaim", self->cgroup);
	EXPECT_EQ(0, IN_GROUP({
		anonymous = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(anonymous, 1, 64 * PAGE);
		madvise(anonymous, 64 * PAGE, 21 /* MADV_PAGEOUT */);
		if (swapped(path) < 64 * 4)
			_exit(1);
		if (madvise(self->r.data, PAGES * PAGE, 21))
			_exit(2);
		if (reclaim(self, reclaim_file, "8M") != DIRTY)
			_exit(3);
		if (!intact(&self->r))
			_exit(4);
	}));
	EXPECT_EQ(0, swapoff(path));
	unlink(path);
}

/* Offlining a page moves what is on it to another: how migration looks from outside. */
TEST_F_TIMEOUT(pressure, pages_migrate_unless_they_have_an_owner, 60)
{
	enum { OWNED = DIRTY - 1, COMMITTED = 0 };
	struct region *r = &self->r;

	fill(self);
	/* Dirty, and nobody's: it moves, and is as dirty as before. */
	EXPECT_EQ(0, madvise(r->data + COMMITTED * PAGE, PAGE, 101 /* MADV_SOFT_OFFLINE */));
	EXPECT_TRUE(page_is(r->data + COMMITTED * PAGE, 200));
	r->ctl->durable_lsn = 100;
	EXPECT_EQ(0, cmd_writeback(&self->c, r->fd, COMMITTED, 1, NULL, NULL));
	EXPECT_EQ(1, attr_u64(&self->c, RVM_TRACK_A_WRITTEN));
	EXPECT_EQ(200, segment_first_byte(self->seg, COMMITTED));
	/* Owned: it stays. */
	EXPECT_EQ(-1, madvise(r->data + OWNED * PAGE, PAGE, 101));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_TRUE(intact(r));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, RVM_TRACK_END_ABORT));
	EXPECT_TRUE(page_is(r->data + OWNED * PAGE, segment_byte(OWNED)));
}

/* Reclaim from outside, as the kernel does it when it is short of memory. */
static void shrink(void)
{
	write_file("/proc/sys/vm/drop_caches", "2");
}

/* It counts what a writeback could make clean, and nobody is asked in vain. */
TEST_F_TIMEOUT(pressure, a_shortage_asks_for_pages_without_owner, 60)
{
	static struct client events;
	struct region *r = &self->r;

	fill(self);
	ASSERT_EQ(0, client_open(&events));
	ASSERT_EQ(0, client_subscribe(&events));
	/* While they are few, all other memory goes first. */
	ASSERT_EQ(0, write_file(PARAMETERS "pressure", "100"));
	shrink();
	EXPECT_EQ(-EAGAIN, client_event(&events, 500));
	ASSERT_EQ(0, write_file(PARAMETERS "pressure", "0"));
	EXPECT_EQ(DIRTY, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_DIRTY));
	shrink();
	ASSERT_EQ(RVM_TRACK_CMD_EVENT_PRESSURE, client_event(&events, 5000));
	EXPECT_EQ(r->id, attr_u64(&events, RVM_TRACK_A_ID));
	EXPECT_EQ(DIRTY / 2, attr_u64(&events, RVM_TRACK_A_COUNT));
	while (client_event(&events, 300) == RVM_TRACK_CMD_EVENT_PRESSURE)
		;
	r->ctl->durable_lsn = 100;
	ASSERT_EQ(0, cmd_writeback(&self->c, r->fd, 0, PAGES, NULL, NULL));
	EXPECT_EQ(DIRTY / 2, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_DIRTY));
	shrink();
	EXPECT_EQ(-EAGAIN, client_event(&events, 500));
	ASSERT_EQ(0, write_file(PARAMETERS "pressure", "25"));
	client_close(&events);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000UL + now.tv_nsec / 1000000;
}

/* Pages without owner that wait for a writeback; somebody reclaims and has asked for them. */
static pid_t start_to_reclaim(FIXTURE_DATA(pressure) *self, struct client *events, uint64_t lsn)
{
	struct region *r = &self->r;
	pid_t pid;

	if (thread_set(r, TID, RVM_TRACK_KIND_TRACKED))
		abort();
	for (int i = 0; i < DIRTY; i++)
		memset(r->data + i * PAGE, (int)lsn, PAGE);
	if (cmd_end(&self->c, r->fd, TID, lsn, 0))
		abort();
	pid = fork();
	if (!pid) {
		shrink();
		_exit(0);
	}
	if (client_event(events, 5000) != RVM_TRACK_CMD_EVENT_PRESSURE)
		abort();
	return pid;
}

/* Else the kernel's tries would be over before there is an answer, and the OOM killer came. */
TEST_F_TIMEOUT(pressure, whoever_reclaims_waits_for_the_answer_with_a_bound, 60)
{
	uint64_t start, ms, least = UINT64_MAX;
	static struct client events;
	struct region *r = &self->r;
	pid_t pid;

	ASSERT_EQ(0, region_open(&self->c, r, self->seg, PAGES, 0, 0));
	ASSERT_EQ(0, client_open(&events));
	ASSERT_EQ(0, client_subscribe(&events));
	ASSERT_EQ(0, write_file(PARAMETERS "pressure", "0"));
	start = now_ms();
	pid = start_to_reclaim(self, &events, 1);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_LE(WAIT_MS, now_ms() - start);
	/* This machine may be busy, but not each time. */
	for (uint64_t lsn = 2; lsn < 10 && least >= WAIT_MS; lsn++) {
		while (client_event(&events, 300) == RVM_TRACK_CMD_EVENT_PRESSURE)
			;
		start = now_ms();
		pid = start_to_reclaim(self, &events, lsn);
		EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
		r->ctl->durable_lsn = lsn;
		ASSERT_EQ(0, cmd_writeback(&self->c, r->fd, 0, PAGES, NULL, NULL));
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		ms = now_ms() - start;
		least = ms < least ? ms : least;
	}
	EXPECT_GT(WAIT_MS, least);
	ASSERT_EQ(0, write_file(PARAMETERS "pressure", "25"));
	client_close(&events);
}

/* The parameters hold from the next command on, and their defaults are put back. */
TEST_F(pressure, limits_are_parameters)
{
	struct region other;
	int seg = segment_new(4);

	ASSERT_LE(0, seg);
	fill(self);
	ASSERT_EQ(0, write_file(PARAMETERS "regions", "1"));
	EXPECT_EQ(-EDQUOT, region_open(&self->c, &other, seg, 4, 0, 0));
	EXPECT_STREQ("the user has too many regions", self->c.extack);
	ASSERT_EQ(0, write_file(PARAMETERS "regions", "2"));
	EXPECT_EQ(0, region_open(&self->c, &other, seg, 4, 0, 0));
	ASSERT_EQ(0, write_file(PARAMETERS "regions", "4096"));
	ASSERT_EQ(0, write_file(PARAMETERS "requests", "0"));
	EXPECT_EQ(-EAGAIN, cmd_writeback(&self->c, other.fd, 0, 4, NULL, NULL));
	EXPECT_STREQ("too many writebacks of the region are under way", self->c.extack);
	ASSERT_EQ(0, write_file(PARAMETERS "requests", "1"));
	EXPECT_EQ(0, cmd_writeback(&self->c, other.fd, 0, 4, NULL, NULL));
	EXPECT_EQ(0, cmd_writeback(&self->c, other.fd, 0, 4, NULL, NULL));
	ASSERT_EQ(0, write_file(PARAMETERS "requests", "64"));
	ASSERT_EQ(0, write_file(PARAMETERS "slots", "7"));
	region_close(&other);
	ASSERT_EQ(0, region_open(&self->c, &other, seg, 4, 0, 0));
	EXPECT_EQ(7, other.ctl->slots);
	ASSERT_EQ(0, write_file(PARAMETERS "slots", "1048576"));
	region_close(&other);
	close(seg);
}

TEST_HARNESS_MAIN
