// SPDX-License-Identifier: GPL-2.0
/* Dumps of all regions, while regions come and go. */

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define STAY	400U		/* regions that are there the whole time, too many for a message */
#define GO	8U		/* each thread's regions that come and go */
#define THREADS	2U
#define GONE	350U		/* of them, more than two messages hold */
#define DUMPS	60U

/**
 * struct churn - a thread that makes regions and closes them
 * @c: its socket
 * @seg: the segment
 * @first: the first page that is its own
 * @stop: to end it
 * @made: how many it made
 * @failed: how many it could not make
 * @id: the thread
 */
struct churn {
	struct client c;
	int seg;
	unsigned int first;
	volatile bool stop;
	volatile unsigned long made;
	unsigned long failed;
	pthread_t id;
};

/**
 * struct listing - what a dump showed
 * @id: of its regions
 * @n: how many
 * @messages: in how many pieces it came
 */
struct listing {
	uint64_t id[STAY + 4 * THREADS * GO];
	unsigned int n;
	unsigned int messages;
};

FIXTURE(dump) {
	struct client c;
	int seg;
	int fd[STAY];
	uint64_t id[STAY];
	struct churn churn[THREADS];
};

static void *come_and_go(void *arg)
{
	struct churn *churn = arg;
	int fd[GO] = { };
	unsigned int i = 0;

	while (!churn->stop) {
		if (fd[i])
			close(fd[i]);
		fd[i] = cmd_create(&churn->c, churn->seg, (churn->first + i) * PAGE, PAGE, 0, 0);
		churn->failed += fd[i] < 0;
		churn->made++;
		i = (i + 1) % GO;
	}
	for (i = 0; i < GO; i++)
		if (fd[i] > 0)
			close(fd[i]);
	return NULL;
}

FIXTURE_SETUP(dump)
{
	unsigned int i;

	self->seg = segment_new(STAY + THREADS * GO);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	for (i = 0; i < STAY; i++) {
		self->fd[i] = cmd_create(&self->c, self->seg, i * PAGE, PAGE, 0, 0);
		ASSERT_LE(0, self->fd[i]);
		self->id[i] = attr_u64(&self->c, RVM_TRACK_A_ID);
	}
	for (i = 0; i < THREADS; i++) {
		struct churn *churn = &self->churn[i];

		churn->stop = false;
		churn->made = 0;
		churn->failed = 0;
		churn->seg = self->seg;
		churn->first = STAY + i * GO;
		ASSERT_EQ(0, client_open(&churn->c));
	}
}

FIXTURE_TEARDOWN(dump)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		client_close(&self->churn[i].c);
	for (i = 0; i < STAY; i++)
		if (self->fd[i] >= 0)
			close(self->fd[i]);
	client_close(&self->c);
	close(self->seg);
}

/* Note a region of a dump; false if there are more than there can be. */
static bool note(struct listing *listing, const struct nlmsghdr *message)
{
	const struct nlattr *attr;

	if (listing->n == sizeof(listing->id) / sizeof(*listing->id))
		return false;
	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) == RVM_TRACK_A_ID)
			listing->id[listing->n++] = mnl_attr_get_u64(attr);
	return true;
}

/* One dump to its end; 0, or a negative errno. */
static int list_regions(struct client *c, struct listing *listing)
{
	struct nlmsghdr *message = client_begin(c, RVM_TRACK_CMD_REGION_GET, NLM_F_DUMP);
	int n, err = client_send(c, message);

	memset(listing, 0, sizeof(*listing));
	while (!err) {
		n = mnl_socket_recvfrom(c->socket, c->answer, sizeof(c->answer));
		if (n <= 0)
			return -EIO;
		listing->messages++;
		for (message = (void *)c->answer; mnl_nlmsg_ok(message, n);
		     message = mnl_nlmsg_next(message, &n)) {
			if (message->nlmsg_type == NLMSG_DONE)
				return 0;
			if (message->nlmsg_type == NLMSG_ERROR)
				return -EPROTO;
			if (!note(listing, message))
				return -E2BIG;
		}
	}
	return err;
}

/* Each region once, the oldest first. */
static bool in_order(const struct listing *listing)
{
	unsigned int i;

	for (i = 1; i < listing->n; i++)
		if (listing->id[i] <= listing->id[i - 1])
			return false;
	return true;
}

/* How many of those that stay were shown. */
static unsigned int count_staying(FIXTURE_DATA(dump) *self, const struct listing *listing)
{
	unsigned int i, at = 0, n = 0;

	for (i = 0; i < listing->n && at < STAY; i++) {
		while (at < STAY && self->id[at] < listing->id[i])
			at++;
		if (at < STAY && self->id[at] == listing->id[i])
			n++;
	}
	return n;
}

TEST_F_TIMEOUT(dump, shows_what_stays_once_and_in_order, 120)
{
	static struct listing listing;
	unsigned int i, more = 0;

	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&self->churn[i].id, NULL, come_and_go,
					    &self->churn[i]));
	while (!self->churn[0].made || !self->churn[1].made)
		usleep(1000);
	for (i = 0; i < DUMPS; i++) {
		ASSERT_EQ(0, list_regions(&self->c, &listing));
		ASSERT_LT(2, listing.messages);
		ASSERT_TRUE(in_order(&listing));
		ASSERT_EQ(STAY, count_staying(self, &listing));
		more += listing.n > STAY;
	}
	for (i = 0; i < THREADS; i++) {
		self->churn[i].stop = true;
		pthread_join(self->churn[i].id, NULL);
		EXPECT_EQ(0, self->churn[i].failed);
	}
	/* Of those that come and go, some were met. */
	EXPECT_LT(0, more);
	ASSERT_EQ(0, list_regions(&self->c, &listing));
	EXPECT_EQ(STAY, listing.n);
}

/* The last region that was shown goes before the dump goes on: what is behind it is shown. */
TEST_F(dump, goes_on_behind_a_region_that_went)
{
	struct nlmsghdr *message = client_begin(&self->c, RVM_TRACK_CMD_REGION_GET, NLM_F_DUMP);
	static struct listing listing;
	unsigned int i;
	int n;

	memset(&listing, 0, sizeof(listing));
	ASSERT_EQ(0, client_send(&self->c, message));
	n = mnl_socket_recvfrom(self->c.socket, self->c.answer, sizeof(self->c.answer));
	ASSERT_LT(0, n);
	for (message = (void *)self->c.answer; mnl_nlmsg_ok(message, n);
	     message = mnl_nlmsg_next(message, &n))
		ASSERT_TRUE(note(&listing, message));
	ASSERT_LT(0, listing.n);
	ASSERT_LT(listing.n, STAY / 2);
	/* The next piece was made when this one was taken; the one after that was not. */
	for (i = 0; i < GONE; i++) {
		close(self->fd[i]);
		self->fd[i] = -1;
	}
	for (;;) {
		n = mnl_socket_recvfrom(self->c.socket, self->c.answer, sizeof(self->c.answer));
		ASSERT_LT(0, n);
		message = (void *)self->c.answer;
		if (message->nlmsg_type == NLMSG_DONE)
			break;
		for (; mnl_nlmsg_ok(message, n) && message->nlmsg_type != NLMSG_DONE;
		     message = mnl_nlmsg_next(message, &n))
			ASSERT_TRUE(note(&listing, message));
		if (mnl_nlmsg_ok(message, n))
			break;
	}
	EXPECT_TRUE(in_order(&listing));
	for (i = 1; i <= STAY - GONE; i++)
		EXPECT_EQ(self->id[STAY - i], listing.id[listing.n - i]);
}

TEST_HARNESS_MAIN
