// SPDX-License-Identifier: GPL-2.0
/* A transaction of several regions is ended in all of them by one system call. */
#include "../lib/api.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rvm_track.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define REGIONS	5
#define PART	(4 * PAGE)

static int sent;	/* messages, since somebody looked last */
static int commands;	/* in the last of them */
static int spoil;	/* the command of the next message that shall fail, from 1 */

/* A transaction that cannot be: the module refuses it. */
static void spoil_command(struct nlmsghdr *nlh)
{
	struct nlattr *attr = (void *)((char *)NLMSG_DATA(nlh) + GENL_HDRLEN);
	char *end = (char *)nlh + nlh->nlmsg_len;

	for (; (char *)attr < end; attr = (void *)((char *)attr + NLA_ALIGN(attr->nla_len)))
		if (attr->nla_type == RVM_TRACK_A_TID)
			*(uint32_t *)(attr + 1) = RVM_TRACK_TXS;
}

/* What the library sends comes by here. */
ssize_t sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *to,
	       socklen_t length)
{
	struct nlmsghdr *nlh = (void *)buf;
	int left = size;

	sent++;
	for (commands = 0; NLMSG_OK(nlh, left); nlh = NLMSG_NEXT(nlh, left))
		if (++commands == spoil)
			spoil_command(nlh);
	spoil = 0;
	return syscall(SYS_sendto, fd, buf, size, flags, to, length);
}

FIXTURE(together) {
	struct place place;
	rvm_region_t region[REGIONS];
	rvm_tid_t tid;
};

FIXTURE_SETUP(together)
{
	int i;

	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	for (i = 0; i < REGIONS; i++)
		ASSERT_RVM(RVM_SUCCESS, map_part(&self->region[i], self->place.seg, i * PART, PART,
						 RVM_TRACK_KMOD | RVM_STRICT));
	rvm_init_tid(&self->tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, rvm_tracked));
}

FIXTURE_TEARDOWN(together)
{
	rvm_terminate();
	place_remove(&self->place);
}

TEST_F(together, one_system_call_ends_all_regions_that_were_stored_to)
{
	int round, i;

	for (round = 1; round <= REGIONS; round++) {
		for (i = 0; i < round; i++)
			put(self->region[i].vmaddr + round % 4 * PAGE, round);
		sent = 0;
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, no_flush));
		EXPECT_EQ(1, sent);
		EXPECT_EQ(round, commands);
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, rvm_tracked));
	}
	sent = 0;
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, no_flush));
	EXPECT_EQ(0, sent);
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_RVM(RVM_SUCCESS, place_recover(&self->place));
	for (i = 0; i < REGIONS; i++)
		EXPECT_EQ(REGIONS, file_byte(self->place.seg, i * PART + REGIONS % 4 * PAGE));
}

/* Each one is told of, and the others end. */
TEST_F(together, what_fails_is_told_whichever_it_is)
{
	int round, i;

	for (round = 1; round <= REGIONS; round++) {
		for (i = 0; i < REGIONS; i++)
			put(self->region[i].vmaddr, round);
		spoil = round;
		EXPECT_RVM(RVM_EIO, rvm_end_transaction(&self->tid, no_flush));
		EXPECT_NE(NULL, strstr(rvm_error(), "no transaction can have this id"));
		EXPECT_EQ(REGIONS, commands);
		/* The next one takes along what did not end, and no error is left behind. */
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, rvm_tracked));
		for (i = 0; i < REGIONS; i++)
			put(self->region[i].vmaddr + PAGE, round);
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, no_flush));
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, rvm_tracked));
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	for (i = 0; i < REGIONS; i++)
		EXPECT_EQ(REGIONS, *self->region[i].vmaddr);
}

TEST_HARNESS_MAIN
