// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation of every command and fault fails once.
 *
 * The n-th one of an action fails, with n from 1 until the action ends before
 * it is reached.  An action that fails has changed nothing, one that succeeds
 * has done all; and all that was made can be taken down again.
 */

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	32
#define TID	7
#define MOST	400		/* faults of one action; more is a loop */

/**
 * struct state - what an action works on
 * @c: for the action
 * @r: a region
 * @seg: its segment
 * @buf: what system calls read
 */
struct state {
	struct client c;
	struct region r;
	int seg;
	unsigned char buf[PAGE];
};

/**
 * struct action - something that allocates
 * @prepare: what comes before, without faults; NULL for a region without mapped pages
 * @act: with a fault; 0, or a negative errno
 * @check: whether all is as it must be after that result
 */
struct action {
	int (*prepare)(struct state *s);
	int (*act)(struct state *s);
	bool (*check)(struct state *s, int result);
};

static void set_knob(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0) {
		fprintf(stderr, "# %s: %s\n", path, strerror(errno));
		abort();
	}
	close(fd);
}

/* Also allocations that may sleep fail, and none is told in the log. */
static void set_knobs(void)
{
	set_knob("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	set_knob("/sys/kernel/debug/failslab/verbose", "0");
	set_knob("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	set_knob("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	set_knob("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	set_knob("/sys/kernel/debug/fail_page_alloc/verbose", "0");
}

/* Act with the n-th allocation failing; true if it was reached. */
static bool act_with_fault(struct state *s, const struct action *a, unsigned int n, int *result)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	char text[16];
	ssize_t len;

	if (fd < 0 || pwrite(fd, text, snprintf(text, sizeof(text), "%u", n), 0) < 0)
		abort();
	*result = a->act(s);
	len = pread(fd, text, sizeof(text) - 1, 0);
	if (len <= 0 || (atoi(text) && pwrite(fd, "0", 1, 0) != 1))
		abort();
	text[len] = 0;
	close(fd);
	return !atoi(text);
}

/* Nobody waits without end when an answer is lost. */
static int open_client(struct client *c)
{
	struct timeval limit = { .tv_sec = 20 };
	int err = client_open(c);

	if (!err && setsockopt(mnl_socket_get_fd(c->socket), SOL_SOCKET, SO_RCVTIMEO, &limit,
			       sizeof(limit)))
		err = -errno;
	return err;
}

/* How often the action met a fault, or a negative number. */
static int run(const struct action *a)
{
	static struct state s;
	int seg = segment_new(PAGES), result;
	unsigned int n;
	bool reached = true, ok = true;

	for (n = 1; n < MOST && reached && ok; n++) {
		s.seg = dup(seg);
		if (open_client(&s.c) || (a->prepare && a->prepare(&s)))
			return -1;
		reached = act_with_fault(&s, a, n, &result);
		ok = (result <= 0 && a->check(&s, result) && (reached || !result)) ||
		     !fprintf(stderr, "# fault %u: %d\n", n, result);
		region_close(&s.r);
		client_close(&s.c);
		/* What came although its number was lost on the way. */
		close_range(seg + 1, ~0U, 0);
	}
	close(seg);
	return ok && !reached ? (int)n - 2 : -2;
}

static bool out_of_memory(int result)
{
	return result == -ENOMEM || result == -ENOBUFS;
}

static int with_region(struct state *s)
{
	return region_open(&s->c, &s->r, s->seg, PAGES, 64, 0) ?:
	       thread_set(&s->r, TID, RVM_TRACK_KIND_TRACKED);
}

/* Pages that are owned. */
static int with_pages(struct state *s)
{
	int err = with_region(s);
	unsigned int i;

	for (i = 0; i < 4 && !err; i++)
		memset(s->r.data + i * PAGE, 200, PAGE);
	return err;
}

/* Pages that may be written back. */
static int with_dirty(struct state *s)
{
	return with_pages(s) ?: cmd_end(&s->c, s->r.fd, TID, 0, 0);
}

/* Pages that are loose. */
static int with_loose(struct state *s)
{
	int err = with_region(s) ?: thread_set(&s->r, TID, RVM_TRACK_KIND_EXPLICIT);

	if (!err)
		s->r.data[0] = 200;
	return err;
}

static int create(struct state *s)
{
	int fd = cmd_create(&s->c, s->seg, 0, PAGES * PAGE, 64, 0);

	return fd < 0 ? fd : 0;
}

static bool check_create(struct state *s, int result)
{
	return !result || out_of_memory(result);
}

/* A fault of the program's own is tried again by the kernel, so that it never fails. */
static int store(struct state *s)
{
	return store_faults(s->r.data + 5 * PAGE, 201) ? -EFAULT : 0;
}

static bool check_store(struct state *s, int result)
{
	return !result && chain_length(&s->r, TID) == 1 && s->r.data[5 * PAGE] == 201 &&
	       page_is(s->r.arena + chain_find(&s->r, TID, 5) * PAGE, segment_byte(5));
}

static int store_loose(struct state *s)
{
	thread_set(&s->r, TID, RVM_TRACK_KIND_EXPLICIT);
	return store_faults(s->r.data + 5 * PAGE, 201) ? -EFAULT : 0;
}

static bool check_store_loose(struct state *s, int result)
{
	return !result && s->r.ctl->loose == 1 && s->r.data[5 * PAGE] == 201;
}

static int read_into(struct state *s)
{
	return pread(s->seg, s->r.data + 6 * PAGE, PAGE, 0) == (ssize_t)PAGE ? 0 : -errno;
}

static bool check_read_into(struct state *s, int result)
{
	if (result)
		return (result == -EFAULT || result == -ENOMEM) && chain_length(&s->r, TID) <= 1;
	return chain_length(&s->r, TID) == 1 && page_is(s->r.data + 6 * PAGE, segment_byte(0));
}

static int end(struct state *s)
{
	return cmd_end(&s->c, s->r.fd, TID, 5, 0);
}

/* Of an answer that was lost the command may still have been carried out. */
static bool check_end(struct state *s, int result)
{
	uint32_t left = chain_length(&s->r, TID);

	return (!result ? !left : out_of_memory(result) && (left == 4 || !left)) &&
	       page_is(s->r.data, 200);
}

static int abort_all(struct state *s)
{
	return cmd_end(&s->c, s->r.fd, TID, 0, RVM_TRACK_END_ABORT);
}

static bool check_abort(struct state *s, int result)
{
	uint32_t left = chain_length(&s->r, TID);

	return (!result ? !left : out_of_memory(result) && (left == 4 || !left)) &&
	       page_is(s->r.data, left ? 200 : segment_byte(0));
}

static int arm(struct state *s)
{
	return cmd_arm(&s->c, s->r.fd);
}

static bool check_arm(struct state *s, int result)
{
	return !result ? !s->r.ctl->loose : out_of_memory(result);
}

static int write_back(struct state *s)
{
	return cmd_writeback(&s->c, s->r.fd, 0, PAGES, NULL, NULL);
}

static int sync_region(struct state *s)
{
	return fsync(s->r.fd) ? -errno : 0;
}

/* What was not written is still dirty, and is written when asked again. */
static bool check_written(struct state *s, int result)
{
	unsigned int i;

	if (result && !out_of_memory(result) && result != -EIO)
		return false;
	client_close(&s->c);
	if (open_client(&s->c) || (result && write_back(s)))
		return false;
	for (i = 0; i < 4; i++)
		if (segment_first_byte(s->seg, i) != 200)
			return false;
	return true;
}

/* Create, and map each part. */
static int open_region(struct state *s)
{
	return region_open(&s->c, &s->r, s->seg, PAGES, 64, 0);
}

static bool check_open(struct state *s, int result)
{
	return !result ? s->r.nslots == 64 : out_of_memory(result);
}

/* The first page of each part is there on demand; of the arena only what is a slot's. */
static int load_parts(struct state *s)
{
	return load_faults((void *)s->r.words) || load_faults((void *)s->r.slots) ||
	       load_faults(s->r.data) || !load_faults(s->r.arena + PAGE) ? -EFAULT : 0;
}

static bool check_parts(struct state *s, int result)
{
	return !result && !s->r.words[0].slot && !s->r.slots[0].page &&
	       page_is(s->r.data, segment_byte(0));
}

/* Mappings that go take the pages from their owner, and tell. */
static int unmap_data(struct state *s)
{
	if (munmap(s->r.data, PAGES * PAGE))
		return -errno;
	s->r.data = NULL;
	return 0;
}

static bool check_unmapped(struct state *s, int result)
{
	uint32_t left = chain_length(&s->r, TID);

	if (result)
		return out_of_memory(result) && left == 4 && page_is(s->r.data, 200);
	return !left && !s->r.ctl->owned;
}

static int end_keep(struct state *s)
{
	__atomic_fetch_or(&s->r.words[1].hold, RVM_TRACK_HOLD_HOT, __ATOMIC_SEQ_CST);
	return cmd_end(&s->c, s->r.fd, TID, 5, RVM_TRACK_END_KEEP);
}

static bool check_kept(struct state *s, int result)
{
	uint32_t left = chain_length(&s->r, TID), hot = s->r.ctl->hot.count;

	if (result && !out_of_memory(result))
		return false;
	return page_is(s->r.data, 200) && (!left ? hot == 1 : result && left == 4 && !hot);
}

static int with_hot(struct state *s)
{
	int err = with_pages(s) ?: end_keep(s);

	if (!err)
		__atomic_fetch_and(&s->r.words[1].hold, ~RVM_TRACK_HOLD_HOT, __ATOMIC_SEQ_CST);
	return err;
}

static int end_hot(struct state *s)
{
	return cmd_end(&s->c, s->r.fd, 0, 6, RVM_TRACK_END_HOT);
}

static bool check_cold(struct state *s, int result)
{
	uint32_t hot = s->r.ctl->hot.count;

	return page_is(s->r.data, 200) && (!result ? !hot : out_of_memory(result) && hot <= 1);
}

/* All regions, to the end of the list or to an error. */
static int dump(struct state *s)
{
	struct nlmsghdr *message = client_begin(&s->c, RVM_TRACK_CMD_REGION_GET, NLM_F_DUMP);
	int n, err = client_send(&s->c, message);

	while (!err) {
		n = mnl_socket_recvfrom(s->c.socket, s->c.answer, sizeof(s->c.answer));
		if (n <= 0)
			return n ? -errno : -EPROTO;
		for (message = (void *)s->c.answer; mnl_nlmsg_ok(message, n);
		     message = mnl_nlmsg_next(message, &n)) {
			if (message->nlmsg_type == NLMSG_DONE)
				return 0;
			if (message->nlmsg_type == NLMSG_ERROR)
				return *(int *)mnl_nlmsg_get_payload(message);
		}
	}
	return err;
}

static int get(struct state *s)
{
	return cmd_get(&s->c, s->r.fd);
}

static bool check_get(struct state *s, int result)
{
	return !result || out_of_memory(result);
}

FIXTURE(fail_nth) {
};

FIXTURE_VARIANT(fail_nth) {
	struct action action;
};

FIXTURE_VARIANT_ADD(fail_nth, region_create) {
	.action = { NULL, create, check_create },
};

FIXTURE_VARIANT_ADD(fail_nth, first_store) {
	.action = { with_region, store, check_store },
};

FIXTURE_VARIANT_ADD(fail_nth, loose_store) {
	.action = { with_region, store_loose, check_store_loose },
};

FIXTURE_VARIANT_ADD(fail_nth, read_into_a_page) {
	.action = { with_region, read_into, check_read_into },
};

FIXTURE_VARIANT_ADD(fail_nth, tx_end) {
	.action = { with_pages, end, check_end },
};

FIXTURE_VARIANT_ADD(fail_nth, tx_end_abort) {
	.action = { with_pages, abort_all, check_abort },
};

FIXTURE_VARIANT_ADD(fail_nth, arm) {
	.action = { with_loose, arm, check_arm },
};

FIXTURE_VARIANT_ADD(fail_nth, writeback) {
	.action = { with_dirty, write_back, check_written },
};

FIXTURE_VARIANT_ADD(fail_nth, fsync) {
	.action = { with_dirty, sync_region, check_written },
};

FIXTURE_VARIANT_ADD(fail_nth, region_get) {
	.action = { with_region, get, check_get },
};

FIXTURE_VARIANT_ADD(fail_nth, region_dump) {
	.action = { with_region, dump, check_get },
};

FIXTURE_VARIANT_ADD(fail_nth, mmap) {
	.action = { NULL, open_region, check_open },
};

FIXTURE_VARIANT_ADD(fail_nth, first_load_of_each_part) {
	.action = { with_region, load_parts, check_parts },
};

FIXTURE_VARIANT_ADD(fail_nth, munmap) {
	.action = { with_pages, unmap_data, check_unmapped },
};

FIXTURE_VARIANT_ADD(fail_nth, tx_end_keep) {
	.action = { with_pages, end_keep, check_kept },
};

FIXTURE_VARIANT_ADD(fail_nth, tx_end_hot) {
	.action = { with_hot, end_hot, check_cold },
};

FIXTURE_SETUP(fail_nth)
{
	set_knobs();
}

FIXTURE_TEARDOWN(fail_nth)
{
}

TEST_F_TIMEOUT(fail_nth, every_allocation_fails_once, 600)
{
	int faults = run(&variant->action);

	EXPECT_LE(0, faults);
	TH_LOG("%d faults", faults);
}

TEST_HARNESS_MAIN
