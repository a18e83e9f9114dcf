// SPDX-License-Identifier: GPL-2.0
/* Two processes and the same bytes: one has them, the other is refused, whichever way it comes. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES		16
#define TID		7
#define RACERS		6
#define ROUNDS		300

FIXTURE(processes) {
	char path[2][64];
	struct client c;
	struct region r;
	int seg;
	int go[2];
	int pair[2];
	pid_t other;
};

/* Run statements in a process that is there before the region is, and then is told to go. */
#define IN_ANOTHER(...) do { \
	self->other = fork(); \
	if (!self->other) { \
		char byte; \
		\
		if (read(self->go[0], &byte, 1) != 1 || client_open(&self->c)) \
			_exit(99); \
		__VA_ARGS__ \
		_exit(0); \
	} \
} while (0)

/* Why did it fail?  0: it did not. */
static int let_it_go(FIXTURE_DATA(processes) *self)
{
	int status;

	if (write(self->go[1], "g", 1) != 1 || waitpid(self->other, &status, 0) != self->other)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

FIXTURE_SETUP(processes)
{
	int i;

	for (i = 0; i < 2; i++)
		snprintf(self->path[i], sizeof(self->path[i]), "%s/processes-%d-%d",
			 getenv("TMPDIR") ?: "/tmp", getpid(), i);
	self->seg = open(self->path[0], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, ftruncate(self->seg, PAGES * PAGE));
	ASSERT_EQ(0, link(self->path[0], self->path[1]));
	ASSERT_EQ(0, pipe(self->go));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->pair));
	ASSERT_EQ(0, client_open(&self->c));
}

FIXTURE_TEARDOWN(processes)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
	unlink(self->path[0]);
	unlink(self->path[1]);
}

static int create(struct client *c, const char *path, uint64_t first, uint64_t pages)
{
	int seg = open(path, O_RDWR | O_CLOEXEC), fd;

	if (seg < 0)
		return -errno;
	fd = cmd_create(c, seg, first * PAGE, pages * PAGE, 0, 0);
	close(seg);
	return fd;
}

TEST_F(processes, a_segment_that_is_opened_again_is_refused_by_any_name)
{
	char by_number[64];

	snprintf(by_number, sizeof(by_number), "/proc/%d/fd/%d", getpid(), self->seg);
	IN_ANOTHER({
		if (create(&self->c, self->path[0], 0, PAGES) != -EBUSY || !self->c.extack[0])
			_exit(1);
		if (create(&self->c, self->path[1], 3, 1) != -EBUSY)
			_exit(2);
		if (create(&self->c, by_number, 7, 2) != -EBUSY)
			_exit(3);
		if (cmd_create(&self->c, self->seg, 0, PAGE, 0, 0) != -EBUSY)
			_exit(4);
		/* Other bytes of it are free. */
		if (create(&self->c, self->path[1], 8, 8) < 0)
			_exit(5);
	});
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, 8, 0, 0));
	EXPECT_EQ(0, let_it_go(self));
}

static bool send_fd(int to, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(to, &msg, 0) == 1;
}

static int receive_fd(int from)
{
	char control[CMSG_SPACE(sizeof(int))] = { }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(from, &msg, 0) == 1)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* Which of the things that only the owner may do was not refused?  0: none. */
static int use_foreign(struct client *c, int fd)
{
	static const uint64_t area[] = {
		RVM_TRACK_MMAP_DATA, RVM_TRACK_MMAP_CTL, RVM_TRACK_MMAP_WORDS,
		RVM_TRACK_MMAP_SLOTS, RVM_TRACK_MMAP_ARENA,
	};
	char again[64];
	int i;

	for (i = 0; i < 5; i++)
		if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, area[i]) != MAP_FAILED ||
		    errno != EPERM)
			return 1 + i;
	if (cmd_end(c, fd, TID, 0, RVM_TRACK_END_ABORT) != -EPERM || cmd_arm(c, fd) != -EPERM ||
	    cmd_writeback(c, fd, 0, 1, NULL, NULL) != -EPERM)
		return 10;
	if (pwrite(fd, "x", 1, 0) >= 0 || pread(fd, again, 1, 0) >= 0)
		return 11;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
	if (open(again, O_RDWR) >= 0)
		return 12;
	return cmd_get(c, fd) ? 13 : 0;
}

TEST_F(processes, a_descriptor_that_was_passed_can_be_looked_at_only)
{
	IN_ANOTHER({
		int fd = receive_fd(self->pair[0]);

		_exit(fd < 0 ? 98 : use_foreign(&self->c, fd));
	});
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED));
	self->r.data[0] = 200;
	ASSERT_TRUE(send_fd(self->pair[1], self->r.fd));
	EXPECT_EQ(0, let_it_go(self));
	/* And nothing of it reached the owner's pages. */
	EXPECT_EQ(1, chain_length(&self->r, TID));
	EXPECT_EQ(200, self->r.data[0]);
}

TEST_F(processes, nor_can_one_that_was_taken)
{
	pid_t owner = getpid();

	IN_ANOTHER({
		int pidfd = syscall(SYS_pidfd_open, owner, 0);
		int number, fd;

		if (read(self->pair[0], &number, sizeof(number)) != sizeof(number))
			_exit(97);
		fd = syscall(SYS_pidfd_getfd, pidfd, number, 0);
		_exit(fd < 0 ? 98 : use_foreign(&self->c, fd));
	});
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	ASSERT_EQ(sizeof(int), write(self->pair[1], &self->r.fd, sizeof(int)));
	EXPECT_EQ(0, let_it_go(self));
}

/* It may die at any moment: what it had not committed is not in the segment. */
TEST_F(processes, when_the_owner_is_killed_the_other_has_it)
{
	int tries, err = -EBUSY, status;
	char ready;

	IN_ANOTHER({
		if (region_open(&self->c, &self->r, self->seg, PAGES, 0, 0) ||
		    thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED))
			_exit(1);
		self->r.data[0] = 200;
		if (write(self->pair[1], "r", 1) != 1)
			_exit(2);
		pause();
	});
	ASSERT_EQ(1, write(self->go[1], "g", 1));
	ASSERT_EQ(1, read(self->pair[0], &ready, 1));
	EXPECT_EQ(-EBUSY, cmd_create(&self->c, self->seg, 0, PAGE, 0, 0));
	ASSERT_EQ(0, kill(self->other, SIGKILL));
	ASSERT_EQ(self->other, waitpid(self->other, &status, 0));
	for (tries = 0; tries < 100 && err == -EBUSY; tries++) {
		err = region_open(&self->c, &self->r, self->seg, PAGES, 0, 0);
		usleep(10000);
	}
	ASSERT_EQ(0, err);
	EXPECT_EQ(0, self->r.data[0]);
}

/* While one has it nobody else does. */
static int race(struct client *c, const char *path, int *owners)
{
	int round, fd, won = 0;

	for (round = 0; round < ROUNDS; round++) {
		fd = create(c, path, 0, PAGES);
		if (fd < 0 && fd != -EBUSY)
			return -1;
		if (fd < 0)
			continue;
		won++;
		if (__atomic_fetch_add(owners, 1, __ATOMIC_SEQ_CST))
			return -1;
		usleep(100);
		__atomic_fetch_sub(owners, 1, __ATOMIC_SEQ_CST);
		close(fd);
	}
	return won;
}

TEST_F(processes, of_those_who_race_for_it_one_has_it_at_a_time)
{
	int *owners = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child[RACERS];
	int i, status;

	ASSERT_NE(MAP_FAILED, owners);
	for (i = 0; i < RACERS; i++) {
		child[i] = fork();
		if (!child[i]) {
			int won;

			if (client_open(&self->c))
				_exit(99);
			won = race(&self->c, self->path[i % 2], owners);
			__atomic_fetch_add(&owners[1], won, __ATOMIC_SEQ_CST);
			_exit(won < 0);
		}
	}
	for (i = 0; i < RACERS; i++) {
		ASSERT_EQ(child[i], waitpid(child[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_LT(1, owners[1]);
	EXPECT_EQ(0, owners[0]);
}

TEST_HARNESS_MAIN
