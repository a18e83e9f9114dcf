// SPDX-License-Identifier: GPL-2.0
/* Stores that no instruction of the program makes: ptrace, io_uring; pipes and core dumps. */

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	64
#define TID	7

FIXTURE(foreign) {
	struct client c;
	struct region r;
	int seg;
};

FIXTURE_SETUP(foreign)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
}

FIXTURE_TEARDOWN(foreign)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

static int open_region(FIXTURE_DATA(foreign) *self)
{
	return region_open(&self->c, &self->r, self->seg, PAGES, 0, 0) ?:
	       thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED);
}

/* A debugger's store is a stray: it is in no transaction, whoever it stops. */
static int traced(FIXTURE_DATA(foreign) *self)
{
	struct region *r = &self->r;

	if (open_region(self) || ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 2;
	r->data[PAGE] = 200;
	raise(SIGSTOP);
	if (*(long *)(r->data + 5 * PAGE + 8) != 0x1122334455667788)
		return 3;
	if (chain_length(r, 0) != 1 || !chain_find(r, 0, 5) || chain_length(r, TID) != 1)
		return 4;
	if (r->slots[r->ctl->tx[0].first].ip)
		return 5;
	if (!page_is(r->arena + chain_find(r, 0, 5) * PAGE, segment_byte(5)))
		return 6;
	return 0;
}

TEST_F(foreign, a_debuggers_store_is_a_stray)
{
	char *at = NULL, line[256];
	pid_t child = fork();
	FILE *maps;
	int status;

	if (!child)
		_exit(traced(self));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	snprintf(line, sizeof(line), "/proc/%d/maps", child);
	maps = fopen(line, "r");
	ASSERT_NE(NULL, maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "rvm_track") && strstr(line, " 00000000 "))
			at = (char *)strtoul(line, NULL, 16);
	fclose(maps);
	ASSERT_NE(NULL, at);
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, child, at + 5 * PAGE + 8, 0x1122334455667788));
	EXPECT_EQ(0, ptrace(PTRACE_CONT, child, NULL, NULL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* One READ into the region through a ring, done in the kernel's or a worker's context. */
static int ring_read(int ring, const struct io_uring_params *p, int fd, void *to,
		     unsigned int flags)
{
	size_t size = p->sq_off.array + p->sq_entries * sizeof(__u32);
	size_t cq_size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	char *sq, *cq;
	int ret;

	sq = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	sqe = mmap(NULL, p->sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		   IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return -errno;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_READ;
	sqe->flags = flags;
	sqe->fd = fd;
	sqe->addr = (unsigned long)to;
	sqe->len = PAGE;
	*(__u32 *)(sq + p->sq_off.array) = 0;
	__atomic_store_n((__u32 *)(sq + p->sq_off.tail), 1, __ATOMIC_RELEASE);
	ret = syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	cqe = (void *)(cq + p->cq_off.cqes);
	ret = ret < 0 ? -errno : cqe->res;
	munmap(sq, size);
	munmap(cq, cq_size);
	munmap(sqe, p->sq_entries * sizeof(*sqe));
	return ret;
}

/* Done at once it is the thread's own; in a worker it is another thread's, and so a stray. */
TEST_F(foreign, reads_by_io_uring_are_seen)
{
	unsigned int flags[] = { 0, IOSQE_ASYNC }, i;
	struct region *r = &self->r;

	ASSERT_EQ(0, open_region(self));
	for (i = 0; i < 2; i++) {
		struct io_uring_params params = { };
		int ring = syscall(__NR_io_uring_setup, 1, &params);

		ASSERT_LE(0, ring);
		EXPECT_EQ((int)PAGE, ring_read(ring, &params, self->seg,
					       r->data + (10 + i) * PAGE, flags[i]));
		close(ring);
		EXPECT_TRUE(page_is(r->data + (10 + i) * PAGE, segment_byte(0)));
	}
	EXPECT_EQ(1, chain_length(r, TID));
	EXPECT_TRUE(chain_find(r, TID, 10));
	EXPECT_EQ(1, chain_length(r, 0));
	EXPECT_TRUE(chain_find(r, 0, 11));
	EXPECT_TRUE(page_is(r->arena + chain_find(r, 0, 11) * PAGE, segment_byte(11)));
}

/* Pages that were gifted to a pipe are the region's own, and reading them owns nothing. */
TEST_F(foreign, a_pipe_of_spliced_pages_owns_nothing)
{
	struct region *r = &self->r;
	struct iovec iov = { r->data, 0 };
	unsigned char buf[PAGE];
	int ends[2];

	ASSERT_EQ(0, open_region(self));
	iov = (struct iovec){ r->data + 7 * PAGE, PAGE };
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ((ssize_t)PAGE, vmsplice(ends[1], &iov, 1, 0));
	EXPECT_EQ(0, chain_length(r, TID));
	/* The pipe holds the page itself: a later store shows, and is seen. */
	r->data[7 * PAGE] = 200;
	EXPECT_EQ(1, chain_length(r, TID));
	ASSERT_EQ((ssize_t)PAGE, read(ends[0], buf, PAGE));
	EXPECT_EQ(200, buf[0]);
	EXPECT_EQ(segment_byte(7), buf[1]);
	close(ends[0]);
	close(ends[1]);
}

/* Bytes that are nowhere but where this puts them. */
static void put_mark(volatile unsigned char *at)
{
	unsigned int i, x = 20261122;

	for (i = 0; i < 256; i++) {
		x = x * 1103515245 + 12345;
		at[i] = x >> 16;
	}
}

/* Bit 3 of the filter asks for shared mappings of files. */
static void dump_core(FIXTURE_DATA(foreign) *self, const char *filter)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open("/proc/self/coredump_filter", O_WRONLY);

	if (fd < 0 || write(fd, filter, strlen(filter)) < 0 || open_region(self) ||
	    setrlimit(RLIMIT_CORE, &limit) || chdir(getenv("TMPDIR") ?: "/var/tmp"))
		_exit(2);
	put_mark(self->r.data + 3 * PAGE + 100);
	abort();
}

static bool has_mark(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char mark[256];
	struct stat st;
	void *p;
	bool is;

	if (fd < 0 || fstat(fd, &st))
		abort();
	p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		abort();
	put_mark(mark);
	is = memmem(p, st.st_size, mark, sizeof(mark));
	munmap(p, st.st_size);
	close(fd);
	return is;
}

static void set_core_pattern(const char *pattern)
{
	int fd = open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, pattern, strlen(pattern)) < 0)
		abort();
	close(fd);
}

TEST_F(foreign, a_core_dump_has_a_region_only_if_asked)
{
	static const char *const filter[] = { "0x33", "0x3b" };
	unsigned int i;
	char path[300];
	pid_t child;
	int status;

	snprintf(path, sizeof(path), "%s/rvm-core", getenv("TMPDIR") ?: "/var/tmp");
	set_core_pattern(path);
	for (i = 0; i < 2; i++) {
		child = fork();
		if (!child)
			dump_core(self, filter[i]);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status));
		EXPECT_EQ(i, has_mark(path));
		unlink(path);
	}
	set_core_pattern("core");
}

TEST_HARNESS_MAIN
