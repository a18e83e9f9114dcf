// SPDX-License-Identifier: GPL-2.0
/* Hot pages: they stay writable, and what is committed of them is in their slots. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	64
#define TID	7
#define KEEP	RVM_TRACK_END_KEEP
#define HOT	RVM_TRACK_END_HOT
#define ABORT	RVM_TRACK_END_ABORT

FIXTURE(hot) {
	struct client c;
	struct region r;
	int seg;
};

FIXTURE_SETUP(hot)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED));
}

FIXTURE_TEARDOWN(hot)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

static void mark(struct region *r, unsigned int page)
{
	__atomic_fetch_or(&r->words[page].hold, RVM_TRACK_HOLD_HOT, __ATOMIC_SEQ_CST);
}

static void unmark(struct region *r, unsigned int page)
{
	__atomic_fetch_and(&r->words[page].hold, ~RVM_TRACK_HOLD_HOT, __ATOMIC_SEQ_CST);
}

static unsigned char *slot(struct region *r, unsigned int page)
{
	return r->arena + r->words[page].slot * PAGE;
}

static unsigned int first_writes(FIXTURE_DATA(hot) *self)
{
	return region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_FIRST_WRITES);
}

/* What a library does to commit what is in the pages, and to keep them. */
static int commit(FIXTURE_DATA(hot) *self, unsigned int first, unsigned int n, uint64_t lsn,
		  uint32_t flags)
{
	struct region *r = &self->r;
	unsigned int i;

	for (i = first; i < first + n; i++) {
		__atomic_fetch_add(&r->words[i].hold, 1, __ATOMIC_SEQ_CST);
		mark(r, i);
		memcpy(slot(r, i), r->data + i * PAGE, PAGE);
		__atomic_store_n(&r->words[i].lsn, lsn, __ATOMIC_SEQ_CST);
		__atomic_fetch_sub(&r->words[i].hold, 1, __ATOMIC_SEQ_CST);
	}
	return cmd_end(&self->c, r->fd, TID, lsn, flags);
}

static int make_hot(FIXTURE_DATA(hot) *self, unsigned int first, unsigned int n,
		    unsigned char byte)
{
	memset(self->r.data + first * PAGE, byte, n * PAGE);
	return commit(self, first, n, 0, KEEP);
}

static bool disk_has(FIXTURE_DATA(hot) *self, unsigned int page, unsigned char byte)
{
	static _Alignas(4096) unsigned char buf[PAGE];

	return !segment_read(self->seg, page, buf) && page_is(buf, byte);
}

TEST_F(hot, marked_pages_stay_writable_and_the_others_do_not)
{
	struct region *r = &self->r;
	unsigned int i;

	memset(r->data + 5 * PAGE, 199, 2 * PAGE);
	ASSERT_EQ(0, make_hot(self, 0, 3, 200));
	EXPECT_EQ(3, r->ctl->hot.count);
	EXPECT_EQ(3, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_HOT));
	EXPECT_EQ(0, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
	EXPECT_EQ(0, r->ctl->owned);
	EXPECT_EQ(0, chain_length(r, TID));
	EXPECT_EQ(5, first_writes(self));
	EXPECT_EQ(0, r->words[5].slot);
	/* No store to them is told, and each shows as a difference from the slot. */
	for (i = 0; i < 3; i++) {
		r->data[i * PAGE + 77] = 201;
		EXPECT_TRUE(page_is(slot(r, i), 200));
	}
	EXPECT_EQ(5, first_writes(self));
	EXPECT_EQ(0, chain_length(r, TID));
	r->data[6 * PAGE] = 201;
	EXPECT_EQ(6, first_writes(self));
	EXPECT_EQ(1, r->ctl->owned);
}

TEST_F(hot, the_chain_names_each_hot_page_once)
{
	struct region *r = &self->r;
	unsigned int round, seen[PAGES] = { 0 }, n = 0;
	uint32_t at;

	for (round = 0; round < 4; round++)
		ASSERT_EQ(0, make_hot(self, round * 5, 5, 200));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, 0, 0, KEEP | HOT));
	for (at = r->ctl->hot.first; at && n < PAGES; at = r->slots[at].next, n++)
		seen[r->slots[at].page]++;
	EXPECT_EQ(20, n);
	EXPECT_EQ(20, r->ctl->hot.count);
	for (n = 0; n < 20; n++)
		EXPECT_EQ(1, seen[n]);
}

TEST_F(hot, a_page_without_mark_is_cold_again)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, make_hot(self, 0, 4, 200));
	unmark(r, 1);
	unmark(r, 3);
	/* Not yet: this command is not about them. */
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 5, KEEP));
	EXPECT_EQ(4, r->ctl->hot.count);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 5, KEEP | HOT));
	EXPECT_EQ(2, r->ctl->hot.count);
	EXPECT_EQ(0, r->words[1].slot);
	EXPECT_EQ(5, r->words[1].lsn);
	EXPECT_EQ(0, r->words[0].lsn);
	EXPECT_EQ(4, first_writes(self));
	memset(r->data, 201, 4 * PAGE);
	EXPECT_EQ(6, first_writes(self));
	EXPECT_EQ(2, chain_length(r, TID));
	EXPECT_TRUE(page_is(slot(r, 1), 200));
	/* Without KEEP all end, whatever their marks. */
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 6, HOT));
	EXPECT_EQ(0, r->ctl->hot.count);
	EXPECT_TRUE(page_is(r->data, 201));
}

TEST_F(hot, an_abort_restores_hot_pages_if_asked_and_they_are_cold)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, make_hot(self, 0, 4, 200));
	r->data[2 * PAGE] = 222;
	r->data[9 * PAGE] = 222;
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, ABORT));
	EXPECT_EQ(222, r->data[2 * PAGE]);
	EXPECT_TRUE(page_is(r->data + 9 * PAGE, segment_byte(9)));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, ABORT | HOT));
	EXPECT_TRUE(page_is(r->data + 2 * PAGE, 200));
	EXPECT_EQ(0, r->ctl->hot.count);
	/* Those that had changed. */
	EXPECT_EQ(2, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_ROLLED_BACK));
	r->data[2 * PAGE] = 201;
	EXPECT_EQ(1, chain_length(r, TID));
}

TEST_F(hot, what_is_written_back_is_the_slot)
{
	struct region *r = &self->r;
	uint64_t written, busy;

	ASSERT_EQ(0, make_hot(self, 0, 4, 200));
	memset(r->data, 222, 4 * PAGE);
	ASSERT_EQ(0, cmd_writeback(&self->c, r->fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(4, written);
	EXPECT_EQ(0, busy);
	EXPECT_TRUE(disk_has(self, 0, 200));
	EXPECT_TRUE(disk_has(self, 3, 200));
	/* It hid no store: what is committed next is written as well. */
	ASSERT_EQ(0, commit(self, 1, 1, 0, KEEP));
	ASSERT_EQ(0, fsync(r->fd));
	EXPECT_TRUE(disk_has(self, 0, 200));
	EXPECT_TRUE(disk_has(self, 1, 222));
	EXPECT_EQ(4, first_writes(self));
	/* And the page itself, when it is cold. */
	ASSERT_EQ(0, commit(self, 2, 1, 0, HOT));
	ASSERT_EQ(0, cmd_writeback(&self->c, r->fd, 2, 1, &written, NULL));
	EXPECT_EQ(1, written);
	EXPECT_TRUE(disk_has(self, 2, 222));
}

TEST_F(hot, a_slot_is_written_only_if_it_is_durable_and_not_held)
{
	struct region *r = &self->r;
	uint64_t written, busy;

	ASSERT_EQ(0, make_hot(self, 0, 4, 200));
	r->words[1].hold += 1;
	r->words[2].lsn = 10;
	unmark(r, 3);
	ASSERT_EQ(0, cmd_writeback(&self->c, r->fd, 0, PAGES, &written, &busy));
	EXPECT_EQ(1, written);
	EXPECT_EQ(3, busy);
	EXPECT_TRUE(disk_has(self, 0, 200));
	EXPECT_TRUE(disk_has(self, 1, segment_byte(1)));
	EXPECT_TRUE(disk_has(self, 2, segment_byte(2)));
	EXPECT_TRUE(disk_has(self, 3, segment_byte(3)));
	r->ctl->durable_lsn = 10;
	r->words[1].hold -= 1;
	mark(r, 3);
	ASSERT_EQ(0, msync(r->data, PAGES * PAGE, MS_SYNC));
	EXPECT_TRUE(disk_has(self, 1, 200));
	EXPECT_TRUE(disk_has(self, 2, 200));
	EXPECT_TRUE(disk_has(self, 3, 200));
}

/* The slot of a page of an open transaction is what was before. */
TEST_F(hot, a_mark_lets_no_uncommitted_byte_out)
{
	struct region *r = &self->r;

	memset(r->data, 222, PAGE);
	mark(r, 0);
	ASSERT_EQ(0, fsync(r->fd));
	EXPECT_TRUE(disk_has(self, 0, segment_byte(0)));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, ABORT));
	EXPECT_TRUE(page_is(r->data, segment_byte(0)));
}

/* The mark is no hold: an explicit store to a marked page that has no owner is a stray. */
TEST_F(hot, a_mark_alone_makes_no_page_loose)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, thread_set(r, TID, RVM_TRACK_KIND_NONE));
	mark(r, 0);
	r->data[0] = 201;
	EXPECT_EQ(0, r->ctl->loose);
	EXPECT_EQ(1, chain_length(r, 0));
}

TEST_F(hot, death_restores_what_was_not_committed)
{
	struct region *r = &self->r;
	struct client events;

	ASSERT_EQ(0, client_open(&events));
	ASSERT_EQ(0, client_subscribe(&events));
	ASSERT_EQ(0, make_hot(self, 0, 4, 200));
	r->data[PAGE] = 222;
	ASSERT_EQ(0, munmap(r->data, PAGES * PAGE));
	EXPECT_EQ(RVM_TRACK_CMD_EVENT_OWNER_EXIT, client_event(&events, 5000));
	EXPECT_EQ(1, attr_u64(&events, RVM_TRACK_A_COUNT));
	r->data = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	ASSERT_NE(MAP_FAILED, r->data);
	EXPECT_TRUE(page_is(r->data + PAGE, 200));
	EXPECT_EQ(0, r->ctl->hot.count);
	EXPECT_EQ(1, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_ROLLED_BACK));
	client_close(&events);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

TEST_F(hot, memory_pressure_takes_no_store_and_no_page)
{
	static const int advice[] = { MADV_DONTNEED, MADV_COLD, 21 /* MADV_PAGEOUT */ };
	struct region *r = &self->r;
	unsigned int i, page;

	ASSERT_EQ(0, make_hot(self, 0, 16, 200));
	for (i = 0; i < 9; i++) {
		for (page = 0; page < 16; page++)
			r->data[page * PAGE + i] = 100 + i;
		ASSERT_EQ(0, madvise(r->data, PAGES * PAGE, advice[i % 3]));
		write_file("/proc/sys/vm/drop_caches", "1");
		write_file("/proc/sys/vm/compact_memory", "1");
		for (page = 0; page < 16; page++) {
			ASSERT_EQ(100 + i, r->data[page * PAGE + i]);
			ASSERT_TRUE(page_is(slot(r, page), 200));
		}
	}
	EXPECT_EQ(16, first_writes(self));
	EXPECT_EQ(16, r->ctl->hot.count);
	/* Cold and written, they can go. */
	ASSERT_EQ(0, commit(self, 0, 16, 0, HOT));
	ASSERT_EQ(0, fsync(r->fd));
	EXPECT_TRUE(r->data[0] == 100 && disk_has(self, 20, segment_byte(20)));
	EXPECT_EQ(16, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_WRITTEN));
}

TEST_F(hot, mprotect_hides_no_store)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, make_hot(self, 0, 4, 200));
	ASSERT_EQ(0, mprotect(r->data, PAGES * PAGE, PROT_READ));
	ASSERT_EQ(0, mprotect(r->data, PAGES * PAGE, PROT_READ | PROT_WRITE));
	r->data[0] = 201;
	EXPECT_EQ(4, first_writes(self));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, ABORT | HOT));
	EXPECT_TRUE(page_is(r->data, 200));
}

TEST_F(hot, a_strict_region_has_none_and_an_abort_keeps_none)
{
	struct region strict;
	int seg = segment_new(PAGES);

	ASSERT_LE(0, seg);
	ASSERT_EQ(0, region_open(&self->c, &strict, seg, PAGES, 0, RVM_TRACK_REGION_STRICT));
	EXPECT_EQ(-EINVAL, cmd_end(&self->c, strict.fd, TID, 0, KEEP));
	EXPECT_STREQ("a strict region keeps no page writable", self->c.extack);
	EXPECT_EQ(0, cmd_end(&self->c, strict.fd, TID, 0, HOT));
	EXPECT_EQ(-EINVAL, cmd_end(&self->c, self->r.fd, TID, 0, KEEP | ABORT));
	EXPECT_STREQ("an abort keeps no page writable", self->c.extack);
	EXPECT_EQ(0, cmd_end(&self->c, self->r.fd, 0, 0, HOT));
	EXPECT_EQ(-EINVAL, cmd_end(&self->c, self->r.fd, 0, 0, KEEP));
	region_close(&strict);
	close(seg);
}

struct meddler {
	struct region *r;
	volatile bool stop;
};

/* Marks that come and go, holds that are nonsense, slots and pages that are scribbled over. */
static void *meddle(void *arg)
{
	struct meddler *m = arg;
	unsigned int seed = 5, i;

	while (!m->stop) {
		for (i = 0; i < PAGES; i++) {
			m->r->words[i].hold = rand_r(&seed) << 1;
			m->r->data[i * PAGE + rand_r(&seed) % PAGE]++;
		}
		m->r->ctl->hot.first = rand_r(&seed);
		m->r->ctl->hot.count = rand_r(&seed);
		m->r->ctl->owned = rand_r(&seed);
	}
	return NULL;
}

/* What the user writes there decides about the user's bytes only. */
TEST_F(hot, the_module_believes_no_mark_and_no_chain)
{
	static const uint32_t flags[] = { KEEP, KEEP | HOT, KEEP, ABORT | HOT, HOT };
	struct meddler m = { .r = &self->r };
	unsigned int i;
	pthread_t id;

	ASSERT_EQ(0, pthread_create(&id, NULL, meddle, &m));
	for (i = 0; i < 300; i++) {
		memset(self->r.data, i, PAGES * PAGE);
		ASSERT_EQ(0, cmd_end(&self->c, self->r.fd, TID, i,
				     flags[i % 5] | RVM_TRACK_END_STRAYS));
		if (i % 10 == 0)
			ASSERT_EQ(0, cmd_writeback(&self->c, self->r.fd, 0, PAGES, NULL, NULL));
	}
	m.stop = true;
	pthread_join(id, NULL);
	ASSERT_EQ(0, cmd_end(&self->c, self->r.fd, TID, 0, HOT | RVM_TRACK_END_STRAYS));
	EXPECT_EQ(0, region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_HOT));
	EXPECT_EQ(0, region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_OWNED));
	EXPECT_EQ(0, self->r.ctl->hot.count);
}

TEST_HARNESS_MAIN
