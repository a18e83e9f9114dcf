// SPDX-License-Identifier: GPL-2.0
/* Messages as no library sends them: each attribute in each wrong way, and random ones. */

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	16
#define TID	7

/* An attribute of a command, as it must be. */
struct attribute {
	uint8_t cmd;
	uint16_t type;
	uint16_t size;
	bool required;
};

static const struct attribute attributes[] = {
	{ RVM_TRACK_CMD_REGION_CREATE, RVM_TRACK_A_SEG_FD, 4, true },
	{ RVM_TRACK_CMD_REGION_CREATE, RVM_TRACK_A_OFFSET, 8, true },
	{ RVM_TRACK_CMD_REGION_CREATE, RVM_TRACK_A_LENGTH, 8, true },
	{ RVM_TRACK_CMD_REGION_CREATE, RVM_TRACK_A_SLOTS, 4, false },
	{ RVM_TRACK_CMD_REGION_CREATE, RVM_TRACK_A_FLAGS, 4, false },
	{ RVM_TRACK_CMD_TX_END, RVM_TRACK_A_FD, 4, true },
	{ RVM_TRACK_CMD_TX_END, RVM_TRACK_A_TID, 4, true },
	{ RVM_TRACK_CMD_TX_END, RVM_TRACK_A_LSN, 8, false },
	{ RVM_TRACK_CMD_TX_END, RVM_TRACK_A_FLAGS, 4, false },
	{ RVM_TRACK_CMD_ARM, RVM_TRACK_A_FD, 4, true },
	{ RVM_TRACK_CMD_WRITEBACK, RVM_TRACK_A_FD, 4, true },
	{ RVM_TRACK_CMD_WRITEBACK, RVM_TRACK_A_FIRST, 8, true },
	{ RVM_TRACK_CMD_WRITEBACK, RVM_TRACK_A_COUNT, 8, true },
	{ RVM_TRACK_CMD_REGION_GET, RVM_TRACK_A_FD, 4, true },
};

#define ATTRIBUTES	(sizeof(attributes) / sizeof(*attributes))

FIXTURE(message) {
	struct client c;
	struct region r;
	int seg, other;
};

FIXTURE_SETUP(message)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	self->other = segment_new(PAGES);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 64, 0));
}

FIXTURE_TEARDOWN(message)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->other);
	close(self->seg);
}

/* What an attribute of a good message holds. */
static uint64_t good_value(FIXTURE_DATA(message) *self, uint16_t type)
{
	switch (type) {
	case RVM_TRACK_A_FD: return self->r.fd;
	case RVM_TRACK_A_SEG_FD: return self->other;
	case RVM_TRACK_A_LENGTH: return PAGES * PAGE;
	case RVM_TRACK_A_SLOTS: return 64;
	case RVM_TRACK_A_TID: return TID;
	case RVM_TRACK_A_COUNT: return 1;
	}
	return 0;
}

/* Put an attribute with so many bytes of its value, zeroes behind. */
static void put(FIXTURE_DATA(message) *self, struct nlmsghdr *message, uint16_t type, size_t size)
{
	uint64_t value[4] = { good_value(self, type) };

	mnl_attr_put(message, type, size, value);
}

enum wrong { GOOD, ABSENT, EMPTY, SHORT, LONG, TWICE, NESTED, WRONGS };

/* A message in which all is good, but for one attribute. */
static struct nlmsghdr *build(FIXTURE_DATA(message) *self, const struct attribute *bad,
			      enum wrong wrong)
{
	struct nlmsghdr *message = client_begin(&self->c, bad->cmd, NLM_F_ACK);
	const struct attribute *a;

	for (a = attributes; a < attributes + ATTRIBUTES; a++) {
		if (a->cmd != bad->cmd)
			continue;
		if (a != bad || wrong == GOOD || wrong == TWICE)
			put(self, message, a->type, a->size);
		if (a != bad)
			continue;
		if (wrong == TWICE)
			put(self, message, a->type, a->size);
		else if (wrong == EMPTY)
			put(self, message, a->type, 0);
		else if (wrong == SHORT)
			put(self, message, a->type, a->size - 1);
		else if (wrong == LONG)
			put(self, message, a->type, a->size + 4);
		else if (wrong == NESTED)
			put(self, message, a->type | NLA_F_NESTED, a->size);
	}
	return message;
}

/* Send one whose only outcome is its acknowledgment; what it made goes again. */
static int outcome(FIXTURE_DATA(message) *self, struct nlmsghdr *message, uint8_t cmd)
{
	int fd, err;

	self->c.extack[0] = 0;
	err = client_call(&self->c, message, cmd == RVM_TRACK_CMD_REGION_CREATE ||
			  cmd == RVM_TRACK_CMD_REGION_GET);
	if (!err && cmd == RVM_TRACK_CMD_REGION_CREATE) {
		fd = mnl_attr_get_u32(self->c.attr[RVM_TRACK_A_FD]);
		close(fd);
	}
	/* A listener that is new has no answers of others in its queue. */
	client_close(&self->c);
	return client_open(&self->c) ?: err;
}

/* The kernel's own texts, which are the same in all versions that the module knows. */
#define LENGTH_TEXT	"invalid attribute length"
#define NESTED_TEXT	"NLA_F_NESTED not expected"

TEST_F(message, every_attribute_in_every_wrong_way)
{
	const struct attribute *a;

	for (a = attributes; a < attributes + ATTRIBUTES; a++) {
		EXPECT_EQ(0, outcome(self, build(self, a, GOOD), a->cmd));
		if (a->required) {
			EXPECT_EQ(-EINVAL, client_call(&self->c, build(self, a, ABSENT), false));
			EXPECT_NE(0, strlen(self->c.extack));
		} else {
			EXPECT_EQ(0, outcome(self, build(self, a, ABSENT), a->cmd));
		}
		EXPECT_EQ(-EINVAL, outcome(self, build(self, a, EMPTY), a->cmd));
		EXPECT_EQ(-EINVAL, outcome(self, build(self, a, SHORT), a->cmd));
		EXPECT_EQ(-EINVAL, outcome(self, build(self, a, LONG), a->cmd));
		EXPECT_EQ(-EINVAL, outcome(self, build(self, a, NESTED), a->cmd));
		/* The last one counts, as everywhere in netlink. */
		EXPECT_EQ(0, outcome(self, build(self, a, TWICE), a->cmd));
	}
}

TEST_F(message, every_attribute_that_is_not_the_commands)
{
	const struct attribute *a;
	struct nlmsghdr *message;
	uint16_t type;
	uint8_t cmd;
	bool known;

	for (cmd = RVM_TRACK_CMD_REGION_CREATE; cmd <= RVM_TRACK_CMD_REGION_GET; cmd++) {
		for (type = 1; type <= RVM_TRACK_A_MAX + 3; type++) {
			const struct attribute *first = NULL;

			known = cmd == RVM_TRACK_CMD_WRITEBACK && type == RVM_TRACK_A_PAGES;
			for (a = attributes; a < attributes + ATTRIBUTES; a++) {
				if (a->cmd == cmd)
					first = first ?: a;
				known = known || (a->cmd == cmd && a->type == type);
			}
			if (known)
				continue;
			message = build(self, first, GOOD);
			put(self, message, type, 8);
			EXPECT_EQ(-EINVAL, client_call(&self->c, message, false));
			EXPECT_NE(0, strlen(self->c.extack));
		}
	}
}

TEST_F(message, texts_name_what_is_wrong)
{
	static const struct {
		unsigned int attribute;
		enum wrong wrong;
		const char *text;
	} texts[] = {
		{ 0, ABSENT, "a file descriptor is missing" },
		{ 1, ABSENT, "offset or length is missing" },
		{ 2, ABSENT, "offset or length is missing" },
		{ 5, ABSENT, "a file descriptor is missing" },
		{ 6, ABSENT, "the transaction is missing" },
		{ 11, ABSENT, "give either first and count, or a list of pages" },
		{ 12, ABSENT, "give either first and count, or a list of pages" },
		{ 9, SHORT, LENGTH_TEXT },
		{ 9, NESTED, NESTED_TEXT },
	};
	unsigned int i;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		EXPECT_EQ(true, client_call(&self->c, build(self, &attributes[texts[i].attribute],
							    texts[i].wrong), false) < 0);
		EXPECT_STREQ(texts[i].text, self->c.extack);
	}
}

/* A message that ends in the middle of its own header, or claims to be longer than it is. */
TEST_F(message, torn_messages_are_refused_or_dropped)
{
	struct nlmsghdr *message;
	unsigned int cut;

	for (cut = NLMSG_HDRLEN; cut < NLMSG_HDRLEN + GENL_HDRLEN; cut++) {
		message = build(self, &attributes[9], GOOD);
		message->nlmsg_len = cut;
		EXPECT_EQ(-EINVAL, client_call(&self->c, message, false));
	}
	message = build(self, &attributes[9], GOOD);
	mnl_attr_put_u32(message, RVM_TRACK_A_FD, self->r.fd);
	message->nlmsg_len -= 6;
	EXPECT_EQ(-EINVAL, client_call(&self->c, message, false));
	EXPECT_EQ(0, cmd_arm(&self->c, self->r.fd));
}

/**
 * struct dice - random numbers that are the same everywhere
 * @state: never 0
 */
struct dice {
	uint64_t state;
};

static uint32_t roll(struct dice *dice, uint32_t sides)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return (dice->state >> 32) % sides;
}

/* Numbers at which something may change, and any other. */
static uint64_t odd_value(FIXTURE_DATA(message) *self, struct dice *dice, uint16_t type)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, PAGES - 1, PAGES, PAGES + 1, PAGE - 1, PAGE, PAGES * PAGE,
		RVM_TRACK_TXS, RVM_TRACK_TID_MAX, RVM_TRACK_TID_MAX + 1ULL, RVM_TRACK_LENGTH_MAX,
		INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - PAGE + 1,
	};

	switch (roll(dice, 4)) {
	case 0: return edges[roll(dice, sizeof(edges) / sizeof(*edges))];
	case 1: return ((uint64_t)roll(dice, UINT32_MAX) << 32) | roll(dice, UINT32_MAX);
	}
	return good_value(self, type);
}

static void random_attribute(FIXTURE_DATA(message) *self, struct dice *dice,
			     struct nlmsghdr *message, uint16_t type, size_t size)
{
	static unsigned char blob[512];
	uint64_t value[2] = { odd_value(self, dice, type) };
	unsigned int i;

	if (roll(dice, 16) == 0)
		type = roll(dice, 2) ? roll(dice, RVM_TRACK_A_MAX + 4) : roll(dice, 65536);
	if (roll(dice, 16) == 0)
		size = roll(dice, 17);
	if (type != RVM_TRACK_A_PAGES || roll(dice, 8) == 0) {
		mnl_attr_put(message, type, size, value);
		return;
	}
	for (i = 0; i < sizeof(blob); i++)
		blob[i] = i % 8 ? 0 : roll(dice, PAGES + 1);
	mnl_attr_put(message, type, roll(dice, sizeof(blob) + 1), blob);
}

static struct nlmsghdr *random_message(FIXTURE_DATA(message) *self, struct dice *dice)
{
	uint8_t cmd = roll(dice, 32) ? 1 + roll(dice, RVM_TRACK_CMD_REGION_GET) : roll(dice, 256);
	uint16_t flags = roll(dice, 16) ? NLM_F_ACK : roll(dice, 65536);
	struct nlmsghdr *message = client_begin(&self->c, cmd, flags);
	const struct attribute *a;
	unsigned char *bytes;
	uint32_t cut;

	for (a = attributes; a < attributes + ATTRIBUTES; a++)
		if (a->cmd == cmd && roll(dice, 10))
			random_attribute(self, dice, message, a->type, a->size);
	if (cmd == RVM_TRACK_CMD_WRITEBACK && roll(dice, 2))
		random_attribute(self, dice, message, RVM_TRACK_A_PAGES, 8);
	if (roll(dice, 8) == 0) {
		bytes = (unsigned char *)message + NLMSG_HDRLEN;
		bytes[roll(dice, message->nlmsg_len - NLMSG_HDRLEN)] = roll(dice, 256);
	}
	if (roll(dice, 16) == 0) {
		cut = roll(dice, message->nlmsg_len - NLMSG_HDRLEN + 1);
		message->nlmsg_len -= cut;
	}
	return message;
}

/* Take all answers there are; a region that was made is closed. */
static void drain(struct client *c, unsigned long *refused, unsigned long *accepted)
{
	const struct nlattr *attr;
	struct nlmsghdr *got;
	struct nlmsgerr *err;
	int n;

	for (;;) {
		n = recv(mnl_socket_get_fd(c->socket), c->answer, sizeof(c->answer), MSG_DONTWAIT);
		if (n <= 0)
			return;
		for (got = (void *)c->answer; mnl_nlmsg_ok(got, n); got = mnl_nlmsg_next(got, &n)) {
			if (got->nlmsg_type == NLMSG_ERROR) {
				err = mnl_nlmsg_get_payload(got);
				*(err->error ? refused : accepted) += 1;
			}
			if (got->nlmsg_type != c->family)
				continue;
			mnl_attr_for_each(attr, got, sizeof(struct genlmsghdr))
				if (mnl_attr_get_type(attr) == RVM_TRACK_A_FD)
					close(mnl_attr_get_u32(attr));
		}
	}
}

/* RVM_FUZZ messages, or some thousands; RVM_SEED is the first seed. */
TEST_F_TIMEOUT(message, random_ones_harm_nobody, 3600)
{
	unsigned long count = strtoul(getenv("RVM_FUZZ") ?: "4000", NULL, 10), i;
	struct dice dice = { strtoull(getenv("RVM_SEED") ?: "20261122", NULL, 10) | 1 };
	unsigned long refused = 0, accepted = 0;
	struct region *r = &self->r;
	unsigned int page;

	ASSERT_EQ(0, thread_set(r, TID, RVM_TRACK_KIND_TRACKED));
	for (i = 0; i < count; i++) {
		/* Something to end, to write and to refuse. */
		if (i % 8 == 0)
			r->data[roll(&dice, PAGES) * PAGE + 100] = i;
		ASSERT_EQ(0, client_send(&self->c, random_message(self, &dice)));
		drain(&self->c, &refused, &accepted);
	}
	TH_LOG("%lu messages, %lu refused, %lu accepted", count, refused, accepted);
	EXPECT_LT(count / 10, refused);
	EXPECT_LT(count / 10, accepted);
	/* The module is as it was: a transaction is kept, another one is not. */
	client_close(&self->c);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, RVM_TRACK_END_ABORT | RVM_TRACK_END_STRAYS));
	for (page = 0; page < PAGES; page++)
		r->data[page * PAGE + 200] = 123;
	EXPECT_EQ(PAGES, chain_length(r, TID));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, RVM_TRACK_END_ABORT));
	for (page = 0; page < PAGES; page++) {
		EXPECT_EQ(segment_byte(page), r->data[page * PAGE + 200]);
		EXPECT_EQ(0, r->words[page].slot);
	}
	EXPECT_EQ(0, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
}

TEST_HARNESS_MAIN
