// SPDX-License-Identifier: GPL-2.0
/* Tracked transactions have their regions for themselves: who waits, and what is refused. */
#include "tracked_each.h"

TEST_F(tracked, set_range_is_checked_but_not_needed)
{
	BEGIN(&self->tid, rvm_tracked);
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&self->tid, self->at, 10));
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_set_range(&self->tid, &self->tid, 1));
	EXPECT_RVM(RVM_ERANGE, rvm_set_range(&self->tid, self->at, SEG_BYTES + 1));
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&self->tid, self->at + 20, "modify", 6));
	memset(self->at, 'r', 10);
	END(&self->tid, flush);
	SETTLE();
	EXPECT_TRUE(file_holds(self->place.seg, 0, 10, 'r'));
	EXPECT_EQ('y', file_byte(self->place.seg, 25));
}

TEST_F(tracked, unmap_and_terminate_refuse_while_one_is_open)
{
	BEGIN(&self->tid, rvm_tracked);
	EXPECT_RVM(RVM_EUNCOMMIT, rvm_unmap(&self->region));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_EUNCOMMIT, rvm_terminate());
	self->at[0] = 1;
	ABORT(&self->tid);
	EXPECT_EQ(0, self->at[0]);
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(tracked, without_a_tracked_region_begin_is_refused)
{
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	EXPECT_RVM(RVM_ETRACKER, rvm_begin_transaction(&self->tid, rvm_tracked));
	EXPECT_NE(0, strlen(rvm_error()));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, RVM_TRACK_NONE));
	EXPECT_RVM(RVM_ETRACKER, rvm_begin_transaction(&self->tid, rvm_tracked));
	EXPECT_RVM(RVM_ETRACKER, rvm_begin_tracked(&self->tid, &self->region));
	EXPECT_NE(NULL, strstr(rvm_error(), "tracker"));
}

TEST_F(tracked, begin_tracked_needs_a_mapped_region)
{
	rvm_region_t other;

	rvm_init_region(&other);
	other.vmaddr = (char *)&other;
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_begin_tracked(&self->tid, &other));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_ETID, rvm_end_transaction(&self->tid, flush));
}

TEST_F(tracked, a_second_tracked_transaction_of_the_same_thread_is_refused)
{
	rvm_tid_t second;

	rvm_init_tid(&second);
	BEGIN(&self->tid, rvm_tracked);
	EXPECT_RVM(RVM_ECONFLICT, rvm_begin_transaction(&second, rvm_tracked));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_ETID, rvm_abort_transaction(&second));
	self->at[7] = 7;
	END(&self->tid, flush);
	BEGIN(&second, rvm_tracked);
	ABORT(&second);
}

struct turn {
	rvm_tid_t tid;
	rvm_region_t *region;
	char *at;
	rvm_return_t ret;
};

static void begin_store_end(void *arg)
{
	struct turn *turn = arg;

	rvm_init_tid(&turn->tid);
	if (turn->region)
		turn->ret = rvm_begin_tracked(&turn->tid, turn->region);
	else
		turn->ret = rvm_begin_transaction(&turn->tid, rvm_tracked);
	if (turn->ret)
		return;
	turn->at[0]++;
	turn->ret = rvm_end_transaction(&turn->tid, flush);
}

TEST_F(tracked, a_second_thread_waits_until_the_first_has_ended)
{
	struct turn turn = { .at = self->at };
	struct hand hand;

	ASSERT_TRUE(hand_start(&hand));
	BEGIN(&self->tid, rvm_tracked);
	self->at[0] = 10;
	hand_tell(&hand, begin_store_end, &turn);
	EXPECT_FALSE(hand_idle(&hand, 300));
	EXPECT_EQ(10, self->at[0]);
	ABORT(&self->tid);
	EXPECT_TRUE(hand_idle(&hand, 20000));
	EXPECT_EQ(RVM_SUCCESS, turn.ret);
	EXPECT_EQ(1, self->at[0]);
	hand_stop(&hand);
	SETTLE();
	EXPECT_EQ(1, file_byte(self->place.seg, 0));
}

TEST_F(tracked, two_regions_are_tracked_by_two_threads_at_once)
{
	rvm_region_t second;
	struct turn turn;
	struct hand hand;
	char path[128];

	snprintf(path, sizeof(path), "%s/second", self->place.dir);
	ASSERT_RVM(RVM_SUCCESS, map_new(&second, path, SEG_BYTES, variant->flag));
	turn = (struct turn){ .region = &second, .at = second.vmaddr };
	ASSERT_TRUE(hand_start(&hand));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_tracked(&self->tid, &self->region));
	self->at[0] = 'x';
	ASSERT_TRUE(hand_do(&hand, begin_store_end, &turn));
	EXPECT_EQ(RVM_SUCCESS, turn.ret);
	ABORT(&self->tid);
	hand_stop(&hand);
	EXPECT_EQ(0, self->at[0]);
	EXPECT_EQ(1, second.vmaddr[0]);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&second));
	SETTLE();
	EXPECT_EQ(0, file_byte(self->place.seg, 0));
	EXPECT_EQ(1, file_byte(path, 0));
}

#define ADDERS	3
#define ADDS	100

struct adder {
	unsigned int *counter;
	int failed;
};

static void *add_up(void *arg)
{
	struct adder *adder = arg;
	rvm_tid_t tid;
	int i;

	rvm_init_tid(&tid);
	for (i = 0; i < ADDS && !adder->failed; i++) {
		adder->failed = rvm_begin_transaction(&tid, rvm_tracked) != RVM_SUCCESS;
		if (adder->failed)
			break;
		adder->counter[0]++;
		adder->counter[3 * PAGE / sizeof(int)]++;
		if (i % 4 == 3)
			adder->failed = rvm_abort_transaction(&tid) != RVM_SUCCESS;
		else
			adder->failed = rvm_end_transaction(&tid, no_flush) != RVM_SUCCESS;
	}
	return NULL;
}

TEST_F(tracked, threads_that_take_turns_lose_no_update)
{
	struct adder adders[ADDERS];
	pthread_t threads[ADDERS];
	unsigned int sum = 0;
	int i;

	for (i = 0; i < ADDERS; i++) {
		adders[i] = (struct adder){ .counter = (unsigned int *)self->at };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, add_up, &adders[i]));
	}
	for (i = 0; i < ADDERS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, adders[i].failed);
	}
	SETTLE();
	ASSERT_TRUE(file_read(self->place.seg, 0, &sum, sizeof(sum)));
	EXPECT_EQ(ADDERS * ADDS * 3 / 4, sum);
	ASSERT_TRUE(file_read(self->place.seg, 3 * PAGE, &sum, sizeof(sum)));
	EXPECT_EQ(ADDERS * ADDS * 3 / 4, sum);
}

TEST_F(tracked, a_transaction_bigger_than_the_log_is_refused_and_can_be_aborted)
{
	rvm_region_t big;
	char path[128];

	snprintf(path, sizeof(path), "%s/big", self->place.dir);
	ASSERT_RVM(RVM_SUCCESS, map_new(&big, path, 2 * LOG_BYTES, variant->flag));
	BEGIN(&self->tid, rvm_tracked);
	memset(big.vmaddr, 'B', 2 * LOG_BYTES);
	EXPECT_RVM(RVM_ETOO_BIG, rvm_end_transaction(&self->tid, flush));
	ABORT(&self->tid);
	EXPECT_TRUE(holds(big.vmaddr, 2 * LOG_BYTES, 0));
	BEGIN(&self->tid, rvm_tracked);
	memset(big.vmaddr, 's', 2 * PAGE);
	END(&self->tid, flush);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&big));
	SETTLE();
	EXPECT_TRUE(file_holds(path, 0, 2 * PAGE, 's'));
	EXPECT_EQ(0, file_byte(path, 2 * PAGE));
}

TEST_HARNESS_MAIN
