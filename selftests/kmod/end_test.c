// SPDX-License-Identifier: GPL-2.0
/* The end of a transaction: kept or restored, and seen again at the next store. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	1024
#define TID	7

FIXTURE(end) {
	struct client c;
	struct region r;
	int seg;
};

/* The pages of a transaction: a run of neighbours, or lone ones far apart. */
FIXTURE_VARIANT(end) {
	unsigned int first, step, count;
};

FIXTURE_VARIANT_ADD(end, one) { .first = 3, .step = 1, .count = 1 };
FIXTURE_VARIANT_ADD(end, sparse) { .first = 5, .step = 40, .count = 25 };
FIXTURE_VARIANT_ADD(end, dense) { .first = 10, .step = 1, .count = 900 };
FIXTURE_VARIANT_ADD(end, half_dense) { .first = 0, .step = 7, .count = 146 };

FIXTURE_SETUP(end)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
}

FIXTURE_TEARDOWN(end)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

static unsigned int page_of(const FIXTURE_VARIANT(end) *v, unsigned int i)
{
	return v->first + i * v->step;
}

/* From the last page to the first, so that the module must sort them. */
static void store_all(struct region *r, const FIXTURE_VARIANT(end) *v, unsigned char byte)
{
	unsigned int i;

	for (i = v->count; i--;)
		r->data[page_of(v, i) * PAGE + i % PAGE] = byte;
}

TEST_F(end, a_commit_keeps_the_stores_and_raises_the_lsn)
{
	struct region *r = &self->r;
	unsigned int i, page;

	ASSERT_EQ(0, thread_set(r, TID, RVM_TRACK_KIND_TRACKED));
	store_all(r, variant, 200);
	EXPECT_EQ(variant->count, chain_length(r, TID));
	r->words[page_of(variant, 0)].lsn = 1000;
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 77, 0));
	EXPECT_EQ(0, chain_length(r, TID));
	EXPECT_EQ(0, r->ctl->tx[TID].count);
	EXPECT_EQ(0, r->ctl->tx[TID].tid);
	for (i = 0; i < variant->count; i++) {
		page = page_of(variant, i);
		EXPECT_EQ(200, r->data[page * PAGE + i % PAGE]);
		EXPECT_EQ(0, r->words[page].slot);
		EXPECT_EQ(i ? 77 : 1000, r->words[page].lsn);
	}
	EXPECT_EQ(0, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
}

TEST_F(end, an_abort_restores_every_byte)
{
	struct region *r = &self->r;
	unsigned int i;

	ASSERT_EQ(0, thread_set(r, TID, RVM_TRACK_KIND_TRACKED));
	store_all(r, variant, 200);
	store_all(r, variant, 201);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 77, RVM_TRACK_END_ABORT));
	for (i = 0; i < PAGES; i++) {
		EXPECT_TRUE(page_is(r->data + i * PAGE, segment_byte(i)));
		EXPECT_EQ(0, r->words[i].slot);
		EXPECT_EQ(0, r->words[i].lsn);
	}
	EXPECT_EQ(variant->count, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_ROLLED_BACK));
}

TEST_F(end, an_abort_restores_what_the_library_put_into_the_slot)
{
	struct region *r = &self->r;
	unsigned int page = page_of(variant, variant->count - 1);

	ASSERT_EQ(0, thread_set(r, TID, RVM_TRACK_KIND_TRACKED));
	store_all(r, variant, 200);
	r->arena[chain_find(r, TID, page) * PAGE + 99] = 123;
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, RVM_TRACK_END_ABORT));
	EXPECT_EQ(123, r->data[page * PAGE + 99]);
	EXPECT_EQ(segment_byte(page), r->data[page * PAGE + 98]);
}

static unsigned char *preimage(struct region *r, uint32_t tid, unsigned int page)
{
	return r->arena + chain_find(r, tid, page) * PAGE;
}

TEST_F(end, the_next_store_to_each_page_is_seen)
{
	struct region *r = &self->r;
	unsigned int round, i;

	for (round = 0; round < 4; round++) {
		ASSERT_EQ(0, thread_set(r, TID + round, RVM_TRACK_KIND_TRACKED));
		store_all(r, variant, 100 + round);
		EXPECT_EQ(variant->count, chain_length(r, TID + round));
		for (i = 0; i < variant->count && round; i++)
			EXPECT_EQ(99 + round, preimage(r, TID + round, page_of(variant, i))[i]);
		ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID + round, round, 0));
	}
	EXPECT_EQ(4 * variant->count,
		  region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_FIRST_WRITES));
}

TEST_F(end, mprotect_hides_no_store_after_it)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, thread_set(r, TID, RVM_TRACK_KIND_TRACKED));
	store_all(r, variant, 200);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	ASSERT_EQ(0, mprotect(r->data, PAGES * PAGE, PROT_READ));
	ASSERT_EQ(0, mprotect(r->data, PAGES * PAGE, PROT_READ | PROT_WRITE));
	store_all(r, variant, 201);
	EXPECT_EQ(variant->count, chain_length(r, TID));
}

TEST_F(end, pages_of_others_stay_theirs)
{
	struct region *r = &self->r;
	unsigned int i, others = 0;

	ASSERT_EQ(0, thread_set(r, TID, RVM_TRACK_KIND_TRACKED));
	store_all(r, variant, 200);
	ASSERT_EQ(0, thread_set(r, TID + 1, RVM_TRACK_KIND_TRACKED));
	for (i = 0; i < PAGES; i += 3, others++)
		r->data[i * PAGE] = 210;
	others = chain_length(r, TID + 1);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, RVM_TRACK_END_ABORT));
	EXPECT_EQ(others, chain_length(r, TID + 1));
	/* Still theirs after they were write-protected in passing. */
	for (i = 0; i < PAGES; i += 3)
		r->data[i * PAGE] = 211;
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID + 1, 0, RVM_TRACK_END_ABORT));
	EXPECT_EQ(0, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED) - chain_length(r, 0));
}

TEST_F(end, strays_end_only_if_asked)
{
	struct region *r = &self->r;

	store_all(r, variant, 200);
	EXPECT_EQ(variant->count, chain_length(r, 0));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 5, 0));
	EXPECT_EQ(variant->count, chain_length(r, 0));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 5, RVM_TRACK_END_STRAYS));
	EXPECT_EQ(0, chain_length(r, 0));
	EXPECT_EQ(5, r->words[page_of(variant, 0)].lsn);
	store_all(r, variant, 201);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, 0, 0, RVM_TRACK_END_STRAYS | RVM_TRACK_END_ABORT));
	EXPECT_EQ(200, r->data[page_of(variant, 0) * PAGE]);
}

FIXTURE(slots) {
	struct client c;
	struct region r;
	int seg;
};

FIXTURE_SETUP(slots)
{
	self->seg = segment_new(2 * PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, 2 * PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED));
}

FIXTURE_TEARDOWN(slots)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

static unsigned int slots_with_memory(struct region *r)
{
	unsigned int slot, n = 0;

	for (slot = 1; slot <= 2 * PAGES + 1; slot++)
		n += !load_faults(r->arena + slot * PAGE);
	return n;
}

static void store_each(struct region *r, unsigned char byte)
{
	unsigned int i;

	for (i = 0; i < 2 * PAGES; i++)
		r->data[i * PAGE] = byte;
}

/* 1,024 is the default of the module parameter "retain". */
TEST_F(slots, a_large_transaction_does_not_keep_its_memory)
{
	struct region *r = &self->r;
	unsigned int i;

	store_each(r, 200);
	EXPECT_EQ(2 * PAGES, slots_with_memory(r));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	EXPECT_EQ(1024, slots_with_memory(r));
	/* Slots that come back have fresh pages, not what was mapped before. */
	store_each(r, 201);
	EXPECT_EQ(2 * PAGES, chain_length(r, TID));
	for (i = 0; i < 2 * PAGES; i++)
		EXPECT_EQ(200, r->arena[r->words[i].slot * PAGE]);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, RVM_TRACK_END_ABORT));
	for (i = 0; i < 2 * PAGES; i++)
		EXPECT_EQ(200, r->data[i * PAGE]);
}

TEST_F(slots, two_regions_do_not_touch_each_other)
{
	struct region *a = &self->r, b;
	int other = segment_new(PAGES);
	unsigned int i;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, region_open(&self->c, &b, other, PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&b, TID, RVM_TRACK_KIND_TRACKED));
	for (i = 0; i < 300; i++) {
		a->data[i * PAGE] = 200;
		b.data[i * PAGE] = 200;
	}
	ASSERT_EQ(0, cmd_end(&self->c, a->fd, TID, 9, RVM_TRACK_END_ABORT));
	EXPECT_EQ(300, chain_length(&b, TID));
	for (i = 0; i < 300; i++) {
		EXPECT_EQ(200, b.data[i * PAGE]);
		EXPECT_EQ(segment_byte(i), a->data[i * PAGE]);
		b.data[i * PAGE] = 201;
	}
	EXPECT_EQ(300, region_stat(&self->c, b.fd, RVM_TRACK_A_STAT_FIRST_WRITES));
	region_close(&b);
	close(other);
}

struct hammer {
	struct region *r;
	volatile bool stop;
	volatile uint64_t stores;
};

static void *hammer_thread(void *arg)
{
	struct hammer *h = arg;
	unsigned int i;

	while (!h->stop) {
		for (i = 0; i < 64; i++)
			h->r->data[i * PAGE + 8] = 1 + i % 3;
		h->stores++;
	}
	return NULL;
}

/* Stores go on while their pages are taken: none is lost, none is unseen. */
TEST_F(slots, ends_beside_a_storing_thread_lose_nothing)
{
	struct hammer h = { .r = &self->r };
	struct region *r = &self->r;
	unsigned int round, i;
	pthread_t id;

	ASSERT_EQ(0, pthread_create(&id, NULL, hammer_thread, &h));
	for (round = 0; round < 200 || h.stores < 200; round++)
		ASSERT_EQ(0, cmd_end(&self->c, r->fd, 0, round, RVM_TRACK_END_STRAYS));
	h.stop = true;
	pthread_join(id, NULL);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, 0, round, RVM_TRACK_END_STRAYS));
	for (i = 0; i < 64; i++) {
		EXPECT_EQ(1 + i % 3, r->data[i * PAGE + 8]);
		EXPECT_EQ(0, r->words[i].slot);
		r->data[i * PAGE + 8] = 9;
	}
	EXPECT_EQ(64, chain_length(r, TID));
}

TEST_HARNESS_MAIN
