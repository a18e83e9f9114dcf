// SPDX-License-Identifier: GPL-2.0
/* Strict regions: a store outside any transaction is SIGBUS, all others go through. */
#include "api.h"

#include <setjmp.h>

FIXTURE(strict) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;
	char *at;
};

FIXTURE_VARIANT(strict)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(strict, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(strict, sigsegv) { .flag = RVM_TRACK_SIGSEGV };

FIXTURE_SETUP(strict)
{
	rvm_region_info_t info;

	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region,
					  variant->flag | RVM_STRICT));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	ASSERT_EQ(rvm_true, info.strict);
	self->at = self->region.vmaddr;
	rvm_init_tid(&self->tid);
}

FIXTURE_TEARDOWN(strict)
{
	rvm_terminate();
	place_remove(&self->place);
}

static sigjmp_buf out;

static void catch(int sig)
{
	siglongjmp(out, sig);
}

/* The signal that a store raises, 0 for none. */
static int store_raises(char *at, char value)
{
	struct sigaction action = { .sa_handler = catch };
	struct sigaction was;
	int sig;

	sigaction(SIGBUS, &action, &was);
	sig = sigsetjmp(out, 1);
	if (!sig)
		put(at, value);
	sigaction(SIGBUS, &was, NULL);
	return sig;
}

#define BEGIN(tid, mode) ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(tid, mode))
#define RANGE(tid, at, n) ASSERT_RVM(RVM_SUCCESS, rvm_set_range(tid, at, n))
#define END(tid) ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(tid, flush))

TEST_F(strict, a_store_outside_any_transaction_is_sigbus_and_changes_nothing)
{
	EXPECT_EQ(SIGBUS, store_raises(self->at, 'x'));
	EXPECT_EQ(0, self->at[0]);
	BEGIN(&self->tid, rvm_tracked);
	EXPECT_EQ(0, store_raises(self->at, 't'));
	END(&self->tid);
	EXPECT_EQ(SIGBUS, store_raises(self->at, 'x'));
	EXPECT_EQ('t', self->at[0]);
}

TEST_F(strict, declared_stores_go_through_and_later_ones_do_not)
{
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at + PAGE, 1);
	EXPECT_EQ(0, store_raises(self->at + PAGE, 'e'));
	END(&self->tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ(SIGBUS, store_raises(self->at + 2 * PAGE, 'x'));
	EXPECT_EQ('e', file_byte(self->place.seg, PAGE));
	EXPECT_EQ(0, file_byte(self->place.seg, 2 * PAGE));
}

TEST_F(strict, a_page_that_an_explicit_transaction_wrote_is_refused_again_after_its_end)
{
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 1);
	EXPECT_EQ(0, store_raises(self->at, 'e'));
	END(&self->tid);
	EXPECT_EQ(SIGBUS, store_raises(self->at + 1, 'x'));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 1);
	EXPECT_EQ(0, store_raises(self->at, 'a'));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	EXPECT_EQ(SIGBUS, store_raises(self->at + 1, 'x'));
	EXPECT_EQ('e', self->at[0]);
	EXPECT_EQ(0, self->at[1]);
}

TEST_F(strict, a_transaction_that_is_older_than_the_region_may_store_there)
{
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	BEGIN(&self->tid, restore);
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region,
					  variant->flag | RVM_STRICT));
	self->at = self->region.vmaddr;
	RANGE(&self->tid, self->at, 1);
	EXPECT_EQ(0, store_raises(self->at, 'e'));
	END(&self->tid);
	EXPECT_EQ(SIGBUS, store_raises(self->at + PAGE, 'x'));
}

struct turn {
	rvm_tid_t *tid;
	char *at;
	int raised;
};

static void store_in_other(void *arg)
{
	struct turn *turn = arg;

	turn->raised = store_raises(turn->at, 'o');
}

static void end_in_other(void *arg)
{
	struct turn *turn = arg;

	turn->raised = rvm_end_transaction(turn->tid, flush);
}

TEST_F(strict, another_thread_may_store_declared_bytes)
{
	struct turn turn = { .tid = &self->tid, .at = self->at };
	struct hand hand;

	ASSERT_TRUE(hand_start(&hand));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 1);
	ASSERT_TRUE(hand_do(&hand, store_in_other, &turn));
	EXPECT_EQ(0, turn.raised);
	END(&self->tid);
	turn.at = self->at + PAGE;
	ASSERT_TRUE(hand_do(&hand, store_in_other, &turn));
	EXPECT_EQ(SIGBUS, turn.raised);
	hand_stop(&hand);
}

TEST_F(strict, a_transaction_ended_by_another_thread_is_over_for_the_first)
{
	struct turn turn = { .tid = &self->tid, .at = self->at };
	struct hand hand;

	ASSERT_TRUE(hand_start(&hand));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 1);
	EXPECT_EQ(0, store_raises(self->at, 'e'));
	ASSERT_TRUE(hand_do(&hand, end_in_other, &turn));
	EXPECT_EQ(RVM_SUCCESS, turn.raised);
	hand_stop(&hand);
	EXPECT_EQ(SIGBUS, store_raises(self->at + PAGE, 'x'));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at + PAGE, 1);
	EXPECT_EQ(0, store_raises(self->at + PAGE, 'e'));
	END(&self->tid);
	EXPECT_EQ(SIGBUS, store_raises(self->at + 2 * PAGE, 'x'));
}

TEST_F(strict, two_transactions_of_one_thread_end_one_by_one)
{
	rvm_tid_t second;

	rvm_init_tid(&second);
	BEGIN(&self->tid, restore);
	BEGIN(&second, restore);
	RANGE(&self->tid, self->at, 1);
	END(&self->tid);
	RANGE(&second, self->at + PAGE, 1);
	EXPECT_EQ(0, store_raises(self->at + PAGE, 'e'));
	END(&second);
	EXPECT_EQ(SIGBUS, store_raises(self->at + 2 * PAGE, 'x'));
}

FIXTURE(lenient) {
	struct place place;
	rvm_region_t region;
};

FIXTURE_VARIANT(lenient)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(lenient, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(lenient, none) { .flag = RVM_TRACK_NONE };

FIXTURE_SETUP(lenient)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
}

FIXTURE_TEARDOWN(lenient)
{
	rvm_terminate();
	place_remove(&self->place);
}

TEST_F(lenient, a_tracker_that_cannot_be_strict_says_so)
{
	EXPECT_REFUSED(RVM_ETRACKER, "outside",
		       place_map(&self->place, &self->region, variant->flag | RVM_STRICT));
	EXPECT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
}

TEST_F(lenient, without_a_choice_one_that_can_be_strict_is_taken)
{
	rvm_region_info_t info;

	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, RVM_STRICT));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_EQ(rvm_true, info.strict);
	EXPECT_EQ(0, info.tracker & (RVM_TRACK_UFFD | RVM_TRACK_NONE));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
