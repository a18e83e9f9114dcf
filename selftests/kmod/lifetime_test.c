// SPDX-License-Identifier: GPL-2.0
/* What becomes of a region when its process forks, execs, remaps, unmaps or dies. */

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	16
#define SIZE	(PAGES * PAGE)
#define TID	7

extern char **environ;

FIXTURE(lifetime) {
	struct client c;
	struct client events;
	struct region r;
	int seg;
};

FIXTURE_SETUP(lifetime)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, client_open(&self->events));
	ASSERT_EQ(0, client_subscribe(&self->events));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED));
}

FIXTURE_TEARDOWN(lifetime)
{
	region_close(&self->r);
	client_close(&self->c);
	client_close(&self->events);
	close(self->seg);
}

/* The next event is the end of this region's owner, with so many pages rolled back. */
#define EXPECT_OWNER_EXIT(pages) do { \
	EXPECT_EQ(RVM_TRACK_CMD_EVENT_OWNER_EXIT, client_event(&self->events, 5000)); \
	EXPECT_EQ(self->r.id, attr_u64(&self->events, RVM_TRACK_A_ID)); \
	EXPECT_EQ(pages, attr_u64(&self->events, RVM_TRACK_A_COUNT)); \
} while (0)

static int exit_status(pid_t child)
{
	int status;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void no_such_page(int signal)
{
	_exit(signal);
}

TEST_F(lifetime, a_forked_child_does_not_have_the_region)
{
	pid_t child;

	self->r.data[0] = 200;
	child = fork();
	if (!child) {
		signal(SIGSEGV, no_such_page);
		self->r.data[PAGE] = 1;
		_exit(0);
	}
	EXPECT_EQ(SIGSEGV, exit_status(child));
	EXPECT_EQ(1, chain_length(&self->r, TID));
	EXPECT_EQ(-EAGAIN, client_event(&self->events, 50));
}

TEST_F(lifetime, a_child_that_was_given_the_mapping_by_madvise_cannot_use_it)
{
	pid_t child;

	self->r.data[0] = 200;
	if (!kernel_before(7, 2)) {
		/* The kernel itself refuses it for such mappings. */
		ASSERT_EQ(-1, madvise(self->r.data, SIZE, MADV_DOFORK));
		EXPECT_EQ(EINVAL, errno);
		return;
	}
	ASSERT_EQ(0, madvise(self->r.data, SIZE, MADV_DOFORK));
	child = fork();
	if (!child)
		_exit(!load_faults(self->r.data) || !load_faults(self->r.data + 2 * PAGE) ||
		      !store_faults(self->r.data + PAGE, 1));
	EXPECT_EQ(0, exit_status(child));
	EXPECT_EQ(1, chain_length(&self->r, TID));
	EXPECT_EQ(-EAGAIN, client_event(&self->events, 50));
	/* And it does not keep the pages from being rolled back. */
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	munmap(self->r.data, SIZE);
	EXPECT_OWNER_EXIT(1);
	self->r.data = NULL;
	kill(child, SIGKILL);
	exit_status(child);
}

TEST_F(lifetime, vfork_and_spawn_disturb_nothing)
{
	char name[] = "true", *argv[2] = { name, NULL };
	pid_t child;

	self->r.data[0] = 200;
	child = vfork();
	if (!child)
		_exit(0);
	EXPECT_EQ(0, exit_status(child));
	ASSERT_EQ(0, posix_spawnp(&child, "true", NULL, NULL, argv, environ));
	EXPECT_EQ(0, exit_status(child));
	EXPECT_EQ(1, chain_length(&self->r, TID));
	self->r.data[PAGE] = 200;
	EXPECT_EQ(2, chain_length(&self->r, TID));
	EXPECT_EQ(-EAGAIN, client_event(&self->events, 50));
}

static int store_in_shared_mm(void *arg)
{
	struct region *r = arg;

	r->data[3 * PAGE] = 200;
	return mmap(NULL, PAGE, PROT_READ, MAP_SHARED, r->fd, 0) != MAP_FAILED || errno != EPERM;
}

TEST_F(lifetime, a_process_that_shares_the_memory_writes_strays)
{
	static _Alignas(16) char stack[65536];
	pid_t child = clone(store_in_shared_mm, stack + sizeof(stack), CLONE_VM | SIGCHLD,
			    &self->r);

	ASSERT_LT(0, child);
	EXPECT_EQ(0, exit_status(child));
	EXPECT_EQ(1, chain_length(&self->r, 0));
	EXPECT_EQ(0, chain_length(&self->r, TID));
}

/* A child with a region of its own that ends in some way, in a transaction. */
static pid_t child_with_pages(FIXTURE_DATA(lifetime) *self, int go[2], unsigned int pages)
{
	pid_t child;

	region_close(&self->r);
	if (pipe(go))
		abort();
	child = fork();
	if (child) {
		uint64_t id = 0;

		if (read(go[0], &id, sizeof(id)) != sizeof(id))
			abort();
		self->r.id = id;
		return child;
	}
	if (client_open(&self->c) || region_open(&self->c, &self->r, self->seg, PAGES, 0, 0) ||
	    thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED))
		_exit(9);
	while (pages--)
		self->r.data[pages * PAGE] = 200;
	if (write(go[1], &self->r.id, sizeof(self->r.id)) != sizeof(self->r.id))
		_exit(9);
	return 0;
}

TEST_F(lifetime, exec_rolls_back)
{
	int go[2];
	pid_t child = child_with_pages(self, go, 5);

	if (!child) {
		execlp("true", "true", NULL);
		_exit(9);
	}
	EXPECT_OWNER_EXIT(5);
	EXPECT_EQ(0, exit_status(child));
}

TEST_F(lifetime, exit_and_sigkill_roll_back)
{
	int go[2], round;
	pid_t child;

	for (round = 0; round < 2; round++) {
		child = child_with_pages(self, go, 3 + round);
		if (!child) {
			if (!round)
				_exit(0);
			pause();
		}
		if (round)
			kill(child, SIGKILL);
		EXPECT_OWNER_EXIT(3 + round);
		EXPECT_EQ(child, (pid_t)mnl_attr_get_u32(self->events.attr[RVM_TRACK_A_PID]));
		EXPECT_EQ(round ? 256 + SIGKILL : 0, exit_status(child));
		close(go[0]);
		close(go[1]);
	}
}

TEST_F(lifetime, a_death_without_owned_pages_is_no_event)
{
	int go[2];
	pid_t child = child_with_pages(self, go, 0);

	if (!child)
		_exit(0);
	EXPECT_EQ(0, exit_status(child));
	EXPECT_EQ(-EAGAIN, client_event(&self->events, 100));
	/* The segment is free at once. */
	EXPECT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
}

TEST_F(lifetime, munmap_rolls_back_and_the_file_lives_on)
{
	struct region *r = &self->r;
	size_t i;

	r->data[0] = 200;
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	for (i = 0; i < 4; i++)
		r->data[i * PAGE] = 201;
	ASSERT_EQ(0, thread_set(r, 0, RVM_TRACK_KIND_NONE));
	r->data[5 * PAGE] = 202;
	ASSERT_EQ(0, munmap(r->data, SIZE));
	EXPECT_OWNER_EXIT(5);
	EXPECT_EQ(0, chain_length(r, TID));
	EXPECT_EQ(0, chain_length(r, 0));
	r->data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	ASSERT_NE(MAP_FAILED, r->data);
	EXPECT_EQ(200, r->data[0]);
	EXPECT_TRUE(page_is(r->data + PAGE, segment_byte(1)));
	EXPECT_TRUE(page_is(r->data + 5 * PAGE, segment_byte(5)));
	EXPECT_EQ(5, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_ROLLED_BACK));
	r->data[0] = 203;
	EXPECT_EQ(1, chain_length(r, 0));
}

TEST_F(lifetime, only_the_last_munmap_rolls_back)
{
	struct region *r = &self->r;
	unsigned char *other = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);

	ASSERT_NE(MAP_FAILED, other);
	other[0] = 200;
	ASSERT_EQ(0, munmap(other, SIZE));
	EXPECT_EQ(1, chain_length(r, TID));
	EXPECT_EQ(-EAGAIN, client_event(&self->events, 50));
	ASSERT_EQ(0, munmap(r->data, SIZE));
	r->data = NULL;
	EXPECT_OWNER_EXIT(1);
}

TEST_F(lifetime, munmap_ends_loose_pages_too)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, thread_set(r, TID, RVM_TRACK_KIND_EXPLICIT));
	r->data[0] = 200;
	EXPECT_EQ(1, r->ctl->loose);
	ASSERT_EQ(0, munmap(r->data, SIZE));
	r->data = NULL;
	EXPECT_EQ(0, r->ctl->loose);
	EXPECT_EQ(-EAGAIN, client_event(&self->events, 50));
}

TEST_F(lifetime, the_mapping_works_without_the_descriptor)
{
	struct region *r = &self->r;
	size_t i;

	close(r->fd);
	r->fd = -1;
	for (i = 0; i < PAGES; i++)
		r->data[i * PAGE] = 200;
	EXPECT_EQ(PAGES, chain_length(r, TID));
	ASSERT_EQ(0, munmap(r->data, SIZE));
	r->data = NULL;
	EXPECT_OWNER_EXIT(PAGES);
}

/* Where a system call would split the mapping, by a range of its pages. */
static const struct {
	unsigned int first, count;
} parts[] = { { 0, 1 }, { PAGES / 2, 1 }, { PAGES - 1, 1 }, { 0, PAGES - 1 }, { 1, PAGES - 1 } };

TEST_F(lifetime, a_mapping_is_never_split)
{
	struct region *r = &self->r;
	int over = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned char *at;
	unsigned int i;
	size_t length;

	r->data[0] = 200;
	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		at = r->data + parts[i].first * PAGE;
		length = parts[i].count * PAGE;
		EXPECT_EQ(-1, munmap(at, length));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, mprotect(at, length, PROT_READ));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, madvise(at, length, MADV_SEQUENTIAL));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(MAP_FAILED, mmap(at, length, PROT_READ, over, -1, 0));
		EXPECT_EQ(kernel_before(6, 12) ? ENOMEM : EINVAL, errno);
	}
	/* All of it is there. */
	for (i = 0; i < PAGES; i++)
		r->data[i * PAGE] = 201;
	EXPECT_EQ(PAGES, chain_length(r, TID));
}

TEST_F(lifetime, what_splits_nothing_is_allowed)
{
	struct region *r = &self->r;

	r->data[0] = 200;
	EXPECT_EQ(0, mprotect(r->data, SIZE, PROT_NONE));
	EXPECT_EQ(0, mprotect(r->data, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, madvise(r->data + PAGE, PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, madvise(r->data, SIZE, MADV_RANDOM));
	EXPECT_EQ(0, mlock(r->data + PAGE, PAGE));
	EXPECT_EQ(0, munlock(r->data, SIZE));
	EXPECT_EQ(200, r->data[0]);
	EXPECT_EQ(1, chain_length(r, TID));
}

TEST_F(lifetime, a_mapping_is_never_moved_or_copied)
{
	struct region *r = &self->r;
	unsigned char *to = mmap(NULL, 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct {
		size_t offset, old, new;
		int flags, err;
	} bad[] = {
		{ 0, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, EINVAL },
		{ 0, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, EINVAL },
		{ 0, SIZE, 2 * SIZE, MREMAP_MAYMOVE, EFAULT },
		{ 0, SIZE, 2 * SIZE, 0, EFAULT },
		{ 0, SIZE, SIZE - PAGE, 0, EINVAL },
		{ 0, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, EINVAL },
		{ PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, EINVAL },
		{ SIZE - PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, EINVAL },
		{ 0, 0, SIZE, MREMAP_MAYMOVE, EFAULT },
		{ 0, 0, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, EFAULT },
	};
	unsigned int i;

	ASSERT_NE(MAP_FAILED, to);
	r->data[0] = 200;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(MAP_FAILED, mremap(r->data + bad[i].offset, bad[i].old, bad[i].new,
					     bad[i].flags, to));
		EXPECT_EQ(bad[i].err, errno);
	}
	/* Stores are seen as before, and the pages are those that were there. */
	EXPECT_EQ(200, r->data[0]);
	r->data[PAGE] = 200;
	EXPECT_EQ(2, chain_length(r, TID));
	EXPECT_EQ(-EAGAIN, client_event(&self->events, 50));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	r->data[0] = 201;
	EXPECT_EQ(1, chain_length(r, TID));
}

TEST_F(lifetime, a_descriptor_that_was_sent_away_keeps_the_region)
{
	int go[2], pair[2], got = -1;
	pid_t child;
	char control[CMSG_SPACE(sizeof(int))] = { }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	child = child_with_pages(self, go, 2);
	if (!child) {
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &self->r.fd, sizeof(int));
		_exit(sendmsg(pair[1], &msg, 0) != 1);
	}
	EXPECT_EQ(0, exit_status(child));
	ASSERT_EQ(1, recvmsg(pair[0], &msg, 0));
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	EXPECT_EQ(0, region_stat(&self->c, got, RVM_TRACK_A_STAT_OWNED));
	EXPECT_EQ(-EPERM, cmd_arm(&self->c, got));
	EXPECT_EQ(-EBUSY, cmd_create(&self->c, self->seg, 0, PAGE, 0, 0));
	close(got);
	EXPECT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
}

TEST_HARNESS_MAIN
