// SPDX-License-Identifier: GPL-2.0
/* Users without rights, other namespaces, and descriptors of somebody else's. */

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	16
#define TID	7
#define USER	1000

FIXTURE(namespace) {
	struct client c;
	struct region r;
	int seg, other;
};

FIXTURE_SETUP(namespace)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, fchown(self->seg, USER, USER));
	self->other = segment_new(PAGES);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, client_open(&self->c));
	memset(&self->r, 0, sizeof(self->r));
}

FIXTURE_TEARDOWN(namespace)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->other);
	close(self->seg);
}

/* Run something in a child; its exit status. */
#define IN_CHILD(statement) ({ \
	pid_t pid_ = fork(); \
	int status_ = -1; \
	if (!pid_) { \
		statement; \
		_exit(0); \
	} \
	waitpid(pid_, &status_, 0); \
	WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; \
})

/* All that a library does, from a new socket on; 0, or the number of what did not work. */
static int use_all(FIXTURE_DATA(namespace) *self)
{
	struct client *c = &self->c;
	struct region *r = &self->r;
	uint64_t written;

	client_close(c);
	if (client_open(c) || client_subscribe(c))
		return 1;
	if (region_open(c, r, self->seg, PAGES, 0, 0) ||
	    thread_set(r, TID, RVM_TRACK_KIND_TRACKED))
		return 2;
	r->data[3 * PAGE] = 200;
	if (chain_length(r, TID) != 1 || !chain_find(r, TID, 3))
		return 3;
	if (cmd_end(c, r->fd, TID, 0, 0) || cmd_arm(c, r->fd))
		return 4;
	if (cmd_writeback(c, r->fd, 0, PAGES, &written, NULL) || written != 1)
		return 5;
	if (segment_first_byte(self->seg, 3) != 200)
		return 6;
	if (region_stat(c, r->fd, RVM_TRACK_A_STAT_WRITTEN) != 1)
		return 7;
	r->data[4 * PAGE] = 201;
	munmap(r->data, PAGES * PAGE);
	r->data = NULL;
	if (client_event(c, 5000) != RVM_TRACK_CMD_EVENT_OWNER_EXIT ||
	    attr_u64(c, RVM_TRACK_A_ID) != r->id || attr_u64(c, RVM_TRACK_A_COUNT) != 1)
		return 8;
	return 0;
}

TEST_F(namespace, a_user_without_rights_can_do_everything)
{
	EXPECT_EQ(0, IN_CHILD({
		if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
			_exit(99);
		_exit(use_all(self));
	}));
}

TEST_F(namespace, so_can_one_in_a_network_namespace_of_its_own)
{
	EXPECT_EQ(0, IN_CHILD({
		if (unshare(CLONE_NEWNET))
			_exit(99);
		_exit(use_all(self));
	}));
}

TEST_F(namespace, so_can_one_in_a_user_namespace_of_its_own)
{
	EXPECT_EQ(0, IN_CHILD({
		if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER) ||
		    unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS))
			_exit(99);
		_exit(use_all(self));
	}));
}

/* In a pid namespace of its own a program has other numbers: those the table holds. */
TEST_F(namespace, so_can_one_in_a_pid_namespace_of_its_own)
{
	EXPECT_EQ(0, IN_CHILD({
		if (unshare(CLONE_NEWPID))
			_exit(99);
		_exit(IN_CHILD({
			if (getpid() != 1)
				_exit(98);
			_exit(use_all(self));
		}));
	}));
}

/* A socket that was opened with the rights of another namespace is another's. */
TEST_F(namespace, a_socket_from_outside_a_user_namespace_is_refused)
{
	EXPECT_EQ(0, IN_CHILD({
		if (unshare(CLONE_NEWUSER))
			_exit(99);
		if (cmd_create(&self->c, self->seg, 0, PAGE, 0, 0) != -EPERM)
			_exit(1);
		if (strcmp("the socket was opened with other credentials", self->c.extack))
			_exit(2);
	}));
}

/* The ids of all regions that a dump shows: none, this one alone, or others too. */
enum shown { NONE, THIS, OTHERS };

static enum shown dump(struct client *c, uint64_t id)
{
	struct nlmsghdr *message = client_begin(c, RVM_TRACK_CMD_REGION_GET, NLM_F_DUMP);
	int err = client_call(c, message, true);

	/* A dump of nothing begins with its end, which has no attributes. */
	if (err || !c->attr[RVM_TRACK_A_ID])
		return NONE;
	return attr_u64(c, RVM_TRACK_A_ID) == id ? THIS : OTHERS;
}

/* Root in a namespace of a user's own making is that user, and sees no other's regions. */
TEST_F(namespace, root_of_a_user_namespace_sees_its_own_regions_only)
{
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	EXPECT_EQ(THIS, dump(&self->c, self->r.id));
	EXPECT_EQ(0, IN_CHILD({
		struct client *c = &self->c;
		int fd;

		if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER) ||
		    unshare(CLONE_NEWUSER))
			_exit(99);
		client_close(c);
		if (client_open(c))
			_exit(1);
		if (dump(c, self->r.id) != NONE)
			_exit(2);
		fd = cmd_create(c, self->other, 0, PAGE, 0, 0);
		if (fd < 0)
			_exit(3);
		if (dump(c, attr_u64(c, RVM_TRACK_A_ID)) != THIS)
			_exit(4);
	}));
}

/* Events go to the network namespace that the region was made from, and to no other. */
TEST_F(namespace, events_stay_in_their_network_namespace)
{
	static struct client here;

	ASSERT_EQ(0, client_open(&here));
	ASSERT_EQ(0, client_subscribe(&here));
	EXPECT_EQ(0, IN_CHILD({
		if (unshare(CLONE_NEWNET))
			_exit(99);
		_exit(use_all(self));
	}));
	EXPECT_EQ(-EAGAIN, client_event(&here, 200));
	ASSERT_EQ(0, use_all(self));
	EXPECT_EQ(RVM_TRACK_CMD_EVENT_OWNER_EXIT, client_event(&here, 5000));
	EXPECT_EQ(self->r.id, attr_u64(&here, RVM_TRACK_A_ID));
	client_close(&here);
}

/* A number means a descriptor of whoever sends it, whatever it means to others. */
TEST_F(namespace, a_number_of_another_process_is_nothing_here)
{
	int numbers[2];

	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	ASSERT_EQ(0, pipe(numbers));
	EXPECT_EQ(0, IN_CHILD({
		struct client *c = &self->c;

		/* Closed here, and open where it came from. */
		close(self->r.fd);
		if (cmd_get(c, self->r.fd) != -EBADF || cmd_arm(c, self->r.fd) != -EBADF)
			_exit(1);
		/* And then a file of another kind here. */
		if (dup2(self->seg, self->r.fd) < 0 || cmd_get(c, self->r.fd) != -EINVAL)
			_exit(2);
		/* A segment's number that is a region there, a pipe here. */
		if (dup2(numbers[0], self->r.fd) < 0 ||
		    cmd_create(c, self->r.fd, 0, PAGE, 0, 0) != -EINVAL)
			_exit(3);
	}));
	EXPECT_EQ(0, cmd_get(&self->c, self->r.fd));
	close(numbers[0]);
	close(numbers[1]);
}

TEST_HARNESS_MAIN
