// SPDX-License-Identifier: GPL-2.0
/* Whose a first write is that no tracked thread made, and which stores are refused. */

#include "tracked.h"

/* Make the region anew with other slots or flags. */
static int reopen(FIXTURE_DATA(track) *self, uint32_t slots, uint32_t flags)
{
	region_close(&self->r);
	return region_open(&self->c, &self->r, self->seg, PAGES, slots, flags);
}

TEST_F(track, a_stray_belongs_to_nobody)
{
	struct region *r = &self->r;

	r->data[9 * PAGE] = 200;
	EXPECT_TRUE(owned(r, 0, 9, segment_byte(9)));
	EXPECT_EQ(gettid(), r->slots[r->ctl->tx[0].first].thread);
	EXPECT_EQ(1, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_STRAY));
	begin(r, TID, RVM_TRACK_KIND_NONE);
	r->data[10 * PAGE] = 200;
	EXPECT_TRUE(owned(r, 0, 10, segment_byte(10)));
}

TEST_F(track, an_exclusive_transaction_owns_strays)
{
	struct region *r = &self->r;

	r->ctl->exclusive = TID;
	r->data[9 * PAGE] = 200;
	EXPECT_TRUE(owned(r, TID, 9, segment_byte(9)));
	EXPECT_EQ(0, chain_length(r, 0));
}

TEST_F(track, an_explicit_store_is_loose_without_an_exclusive_transaction)
{
	struct region *r = &self->r;

	begin(r, TID, RVM_TRACK_KIND_EXPLICIT);
	r->data[9 * PAGE] = 200;
	EXPECT_EQ(1, r->ctl->loose);
	EXPECT_EQ(0, r->words[9].slot);
	EXPECT_EQ(0, chain_length(r, TID));
	EXPECT_EQ(0, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
	r->data[9 * PAGE + 1] = 200;
	EXPECT_EQ(1, r->ctl->loose);
}

TEST_F(track, a_held_page_is_loose_for_everybody)
{
	struct region *r = &self->r;

	r->words[9].hold = 1;
	r->data[9 * PAGE] = 200;
	EXPECT_EQ(1, r->ctl->loose);
	EXPECT_EQ(0, chain_length(r, 0));
}

TEST_F(track, an_explicit_store_belongs_to_the_exclusive_transaction)
{
	struct region *r = &self->r;

	r->ctl->exclusive = TID;
	begin(r, TID + 1, RVM_TRACK_KIND_EXPLICIT);
	r->data[9 * PAGE] = 200;
	EXPECT_EQ(0, r->ctl->loose);
	EXPECT_TRUE(owned(r, TID, 9, segment_byte(9)));
}

TEST_F(track, arm_makes_the_next_store_to_a_loose_page_seen)
{
	struct region *r = &self->r;
	size_t i;

	begin(r, TID + 1, RVM_TRACK_KIND_EXPLICIT);
	for (i = 0; i < PAGES; i += 2)
		r->data[i * PAGE] = 200;
	EXPECT_EQ(PAGES / 2, r->ctl->loose);
	r->ctl->exclusive = TID;
	ASSERT_EQ(0, cmd_arm(&self->c, r->fd));
	EXPECT_EQ(0, r->ctl->loose);
	for (i = 0; i < PAGES; i += 2)
		r->data[i * PAGE + 1] = 201;
	EXPECT_EQ(PAGES / 2, chain_length(r, TID));
	/* The pre-image has what the explicit transaction stored before. */
	EXPECT_EQ(200, r->arena[chain_find(r, TID, 4) * PAGE]);
	EXPECT_EQ(segment_byte(4), r->arena[chain_find(r, TID, 4) * PAGE + 1]);
}

TEST_F(track, a_loose_page_that_faults_again_gets_an_owner)
{
	struct region *r = &self->r;

	begin(r, TID + 1, RVM_TRACK_KIND_EXPLICIT);
	r->data[9 * PAGE] = 200;
	ASSERT_EQ(0, madvise(r->data, PAGES * PAGE, MADV_DONTNEED));
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[9 * PAGE + 1] = 201;
	EXPECT_EQ(0, r->ctl->loose);
	EXPECT_EQ(1, chain_length(r, TID));
	EXPECT_EQ(200, r->arena[chain_find(r, TID, 9) * PAGE]);
}

struct handshake {
	struct region *r;
	unsigned int page;
	pthread_barrier_t barrier;
};

static void *explicit_store(void *arg)
{
	struct handshake *h = arg;

	begin(h->r, 3, RVM_TRACK_KIND_EXPLICIT);
	pthread_barrier_wait(&h->barrier);
	h->r->data[h->page * PAGE] = 1;
	pthread_barrier_wait(&h->barrier);
	return NULL;
}

/*
 * Dekker: whichever way the race goes, either the page has the exclusive owner
 * or the library sees that something is loose.
 */
TEST_F(track, loose_and_exclusive_never_miss_each_other)
{
	struct handshake h = { .r = &self->r };
	struct region *r = &self->r;
	unsigned int missed = 0;
	pthread_t id;
	uint32_t loose;

	pthread_barrier_init(&h.barrier, NULL, 2);
	for (h.page = 0; h.page < PAGES; h.page++) {
		r->ctl->exclusive = 0;
		ASSERT_EQ(0, pthread_create(&id, NULL, explicit_store, &h));
		pthread_barrier_wait(&h.barrier);
		__atomic_store_n(&r->ctl->exclusive, TID, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		loose = __atomic_load_n(&r->ctl->loose, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&h.barrier);
		pthread_join(id, NULL);
		if (!loose && !chain_find(r, TID, h.page))
			missed++;
		cmd_arm(&self->c, r->fd);
	}
	EXPECT_EQ(0, missed);
}

TEST_F(track, strict_regions_refuse_stores_outside_transactions)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, reopen(self, 0, RVM_TRACK_REGION_STRICT));
	EXPECT_TRUE(store_faults(r->data + PAGE, 1));
	EXPECT_EQ(1, r->ctl->refused);
	r->ctl->exclusive = TID;
	EXPECT_TRUE(store_faults(r->data + PAGE, 1));
	r->ctl->exclusive = 0;
	EXPECT_EQ(2, r->ctl->refused);
	EXPECT_TRUE(page_is(r->data + PAGE, segment_byte(1)));
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	EXPECT_FALSE(store_faults(r->data + PAGE, 1));
	begin(r, TID, RVM_TRACK_KIND_EXPLICIT);
	EXPECT_FALSE(store_faults(r->data + 2 * PAGE, 1));
	begin(r, TID, RVM_TRACK_KIND_NONE);
	r->words[3].hold = 1;
	EXPECT_FALSE(store_faults(r->data + 3 * PAGE, 1));
	EXPECT_EQ(2, r->ctl->refused);
}

TEST_F(track, strict_regions_refuse_system_calls_as_well)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, reopen(self, 0, RVM_TRACK_REGION_STRICT));
	EXPECT_EQ(-1, pread(self->seg, r->data, PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_NE(0, r->ctl->refused);
}

TEST_F(track, without_a_slot_a_store_is_a_sigbus_and_an_event)
{
	struct region *r = &self->r;
	size_t i;

	ASSERT_EQ(0, reopen(self, 4, 0));
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	for (i = 0; i < 4; i++)
		EXPECT_FALSE(store_faults(r->data + i * PAGE, 200));
	EXPECT_TRUE(store_faults(r->data + 4 * PAGE, 200));
	EXPECT_EQ(1, r->ctl->refused);
	EXPECT_TRUE(page_is(r->data + 4 * PAGE, segment_byte(4)));
	EXPECT_EQ(RVM_TRACK_CMD_EVENT_OVERFLOW, client_event(&self->c, 5000));
	EXPECT_EQ(r->id, attr_u64(&self->c, RVM_TRACK_A_ID));
	EXPECT_EQ(4, chain_length(r, TID));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	EXPECT_FALSE(store_faults(r->data + 4 * PAGE, 200));
}

TEST_F(track, bad_transaction_ids_in_the_table_are_refused)
{
	uint32_t bad[] = { 0, RVM_TRACK_TXS, 4 * RVM_TRACK_TXS };
	struct region *r = &self->r;
	unsigned int i;

	for (i = 1; i < 3; i++) {
		begin(r, bad[i], RVM_TRACK_KIND_TRACKED);
		EXPECT_TRUE(store_faults(r->data, 1));
		begin(r, 0, RVM_TRACK_KIND_NONE);
		r->ctl->exclusive = bad[i];
		EXPECT_TRUE(store_faults(r->data, 1));
		r->ctl->exclusive = 0;
	}
	r->ctl->exclusive = UINT32_MAX;
	EXPECT_TRUE(store_faults(r->data, 1));
	r->ctl->exclusive = 0;
	/* Tid 0 is nobody, and so is one that is ending. */
	begin(r, TID, RVM_TRACK_KIND_ENDING);
	EXPECT_FALSE(store_faults(r->data, 1));
	EXPECT_EQ(1, chain_length(r, 0));
}

TEST_F(track, two_live_transactions_equal_modulo_the_table_are_refused)
{
	struct region *r = &self->r;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[0] = 1;
	begin(r, TID + RVM_TRACK_TXS, RVM_TRACK_KIND_TRACKED);
	EXPECT_TRUE(store_faults(r->data + PAGE, 1));
	EXPECT_EQ(0, cmd_end(&self->c, r->fd, TID + RVM_TRACK_TXS, 0, 0));
	EXPECT_EQ(1, chain_length(r, TID));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	EXPECT_FALSE(store_faults(r->data + PAGE, 1));
	EXPECT_TRUE(owned(r, TID + RVM_TRACK_TXS, 1, segment_byte(1)));
}

/* The module believes nothing it finds in the shared memory. */
TEST_F(track, garbage_in_the_shared_areas_harms_nobody)
{
	struct region *r = &self->r;
	size_t i;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	for (i = 0; i < 20; i++)
		r->data[i * PAGE] = 200;
	memset(&r->ctl->tx, 0xee, sizeof(r->ctl->tx));
	memset(r->words, 0xee, PAGES * sizeof(*r->words));
	r->ctl->loose = 0xeeeeeeee;
	r->ctl->slots = 0xeeeeeeee;
	r->ctl->version = 0xeeeeeeee;
	r->ctl->length = UINT64_MAX;
	for (i = 20; i < 40; i++)
		r->data[i * PAGE] = 200;
	EXPECT_EQ(40, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, RVM_TRACK_END_ABORT));
	for (i = 0; i < PAGES; i++)
		EXPECT_TRUE(page_is(r->data + i * PAGE, segment_byte(i)));
	EXPECT_EQ(0, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
}

TEST_F(track, a_slot_that_was_never_used_is_a_sigbus)
{
	struct region *r = &self->r;

	EXPECT_TRUE(load_faults(r->arena));
	EXPECT_TRUE(load_faults(r->arena + PAGE));
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[0] = 1;
	EXPECT_EQ(1, r->ctl->tx[TID].first);
	EXPECT_FALSE(load_faults(r->arena + PAGE));
	EXPECT_TRUE(load_faults(r->arena + 2 * PAGE));
}

TEST_HARNESS_MAIN
