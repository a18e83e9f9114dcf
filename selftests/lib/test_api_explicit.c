// SPDX-License-Identifier: GPL-2.0
/* Explicit transactions, the paper's: ranges, commit, abort, modes and errors. */
#include "transact.h"

#include "order.h"

FIXTURE(explicit) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;
	char *at;
};

FIXTURE_VARIANT(explicit)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(explicit, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(explicit, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(explicit, sigsegv) { .flag = RVM_TRACK_SIGSEGV };
FIXTURE_VARIANT_ADD(explicit, none) { .flag = RVM_TRACK_NONE };
FIXTURE_VARIANT_ADD(explicit, huge) { .flag = RVM_HUGE_PAGES };

FIXTURE_SETUP(explicit)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	self->at = self->region.vmaddr;
	rvm_init_tid(&self->tid);
}

FIXTURE_TEARDOWN(explicit)
{
	rvm_terminate();
	place_remove(&self->place);
}

TEST_F(explicit, a_flushed_commit_is_in_the_segment_after_recovery)
{
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at + 10, 100);
	memset(self->at + 10, 'c', 100);
	END(&self->tid, flush);
	SETTLE();
	EXPECT_TRUE(file_holds(self->place.seg, 0, 10, 0));
	EXPECT_TRUE(file_holds(self->place.seg, 10, 100, 'c'));
	EXPECT_TRUE(file_holds(self->place.seg, 110, PAGE, 0));
}

TEST_F(explicit, nothing_is_in_the_segment_before_truncation)
{
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, PAGE);
	memset(self->at, 'c', PAGE);
	EXPECT_EQ(0, msync(self->at, PAGE, MS_SYNC));
	sync();
	EXPECT_TRUE(file_holds(self->place.seg, 0, SEG_BYTES, 0));
	END(&self->tid, flush);
	EXPECT_TRUE(holds(self->at, PAGE, 'c'));
}

TEST_F(explicit, abort_restores_exactly_the_old_bytes)
{
	unsigned char before[4 * PAGE];
	size_t i;

	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, sizeof(before));
	for (i = 0; i < sizeof(before); i++) {
		self->at[i] = (char)(i * 31 + i / 4096);
		before[i] = (unsigned char)self->at[i];
	}
	END(&self->tid, no_flush);

	BEGIN(&self->tid, restore);
	for (i = 0; i < 200; i++) {
		RANGE(&self->tid, self->at + i * 67, 1 + i % 90);
		memset(self->at + i * 67, 0xee, 1 + i % 90);
	}
	ABORT(&self->tid);
	EXPECT_EQ(0, memcmp(self->at, before, sizeof(before)));
	SETTLE();
	for (i = 0; i < 4; i++) {
		unsigned char page[PAGE];

		ASSERT_TRUE(file_read(self->place.seg, i * PAGE, page, PAGE));
		EXPECT_EQ(0, memcmp(page, before + i * PAGE, PAGE));
	}
}

TEST_F(explicit, a_range_declared_twice_is_restored_to_what_it_was_first)
{
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 100);
	memset(self->at, 1, 100);
	RANGE(&self->tid, self->at, 100);
	memset(self->at, 2, 100);
	RANGE(&self->tid, self->at + 50, 100);
	memset(self->at + 50, 3, 100);
	ABORT(&self->tid);
	EXPECT_TRUE(holds(self->at, PAGE, 0));
}

TEST_F(explicit, the_same_tid_record_serves_many_transactions)
{
	int i;

	for (i = 1; i <= 50; i++) {
		BEGIN(&self->tid, i & 1 ? restore : no_restore);
		RANGE(&self->tid, self->at, 8);
		memset(self->at, i, 8);
		END(&self->tid, no_flush);
	}
	SETTLE();
	EXPECT_TRUE(file_holds(self->place.seg, 0, 8, 50));
}

TEST_F(explicit, a_bad_mode_is_refused)
{
	EXPECT_RVM(RVM_EMODE, rvm_begin_transaction(&self->tid, flush));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_EMODE, rvm_begin_transaction(&self->tid, no_flush));
	EXPECT_RVM(RVM_EMODE, rvm_begin_transaction(&self->tid, (rvm_mode_t)0));
	EXPECT_RVM(RVM_EMODE, rvm_begin_transaction(&self->tid, rvm_last_mode));
	BEGIN(&self->tid, restore);
	EXPECT_RVM(RVM_EMODE, rvm_end_transaction(&self->tid, restore));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_EMODE, rvm_end_transaction(&self->tid, rvm_tracked));
	EXPECT_RVM(RVM_EMODE, rvm_end_transaction(&self->tid, (rvm_mode_t)-1));
	END(&self->tid, flush);
}

TEST_F(explicit, a_tid_that_is_null_of_another_type_or_not_begun_is_refused)
{
	rvm_tid_t tid;

	EXPECT_RVM(RVM_ETID, rvm_begin_transaction(NULL, restore));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_ETID, rvm_begin_tracked(NULL, &self->region));
	EXPECT_RVM(RVM_ETID, rvm_set_range(NULL, self->at, 1));
	EXPECT_RVM(RVM_ETID, rvm_modify_bytes(NULL, self->at, "x", 1));
	EXPECT_RVM(RVM_ETID, rvm_end_transaction(NULL, flush));
	EXPECT_RVM(RVM_ETID, rvm_abort_transaction(NULL));

	EXPECT_RVM(RVM_ETID, rvm_set_range(&self->tid, self->at, 1));
	EXPECT_RVM(RVM_ETID, rvm_modify_bytes(&self->tid, self->at, "x", 1));
	EXPECT_RVM(RVM_ETID, rvm_end_transaction(&self->tid, flush));
	EXPECT_RVM(RVM_ETID, rvm_abort_transaction(&self->tid));

	memset(&tid, 0, sizeof(tid));
	EXPECT_RVM(RVM_ETID, rvm_begin_transaction(&tid, restore));
	rvm_init_tid(&tid);
	tid.struct_id = rvm_region_id;
	EXPECT_RVM(RVM_ETID, rvm_begin_transaction(&tid, restore));
}

TEST_F(explicit, an_ended_transaction_is_no_transaction_even_by_a_copy)
{
	rvm_tid_t copy;

	BEGIN(&self->tid, restore);
	copy = self->tid;
	END(&self->tid, flush);
	EXPECT_RVM(RVM_ETID, rvm_end_transaction(&self->tid, flush));
	EXPECT_RVM(RVM_ETID, rvm_end_transaction(&copy, flush));
	EXPECT_RVM(RVM_ETID, rvm_set_range(&copy, self->at, 1));
	EXPECT_RVM(RVM_ETID, rvm_abort_transaction(&copy));
	BEGIN(&self->tid, restore);
	EXPECT_RVM(RVM_ETID, rvm_abort_transaction(&copy));
	copy = self->tid;
	ABORT(&copy);
	EXPECT_RVM(RVM_ETID, rvm_abort_transaction(&self->tid));
}

TEST_F(explicit, a_range_in_no_region_is_refused)
{
	char stack[8] = "";

	BEGIN(&self->tid, restore);
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_set_range(&self->tid, stack, 8));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_set_range(&self->tid, NULL, 1));
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_set_range(&self->tid, self->at - 1, 1));
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_set_range(&self->tid, self->at + SEG_BYTES, 1));
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_modify_bytes(&self->tid, stack, "x", 1));
	EXPECT_EQ(0, stack[0]);
	ABORT(&self->tid);
}

TEST_F(explicit, a_range_across_the_end_is_refused_and_the_rest_goes_on)
{
	char *last = self->at + SEG_BYTES - 1;

	BEGIN(&self->tid, restore);
	EXPECT_RVM(RVM_ERANGE, rvm_set_range(&self->tid, last, 2));
	EXPECT_RVM(RVM_ERANGE, rvm_set_range(&self->tid, self->at, SEG_BYTES + 1));
	EXPECT_RVM(RVM_ERANGE, rvm_modify_bytes(&self->tid, last, "xy", 2));
	EXPECT_EQ(0, *last);
	RANGE(&self->tid, last, 1);
	*last = 'z';
	END(&self->tid, flush);
	SETTLE();
	EXPECT_EQ('z', file_byte(self->place.seg, SEG_BYTES - 1));
}

TEST_F(explicit, a_range_of_no_bytes_declares_nothing)
{
	unsigned long was = tail();

	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 0);
	END(&self->tid, flush);
	EXPECT_EQ(was, tail());
}

TEST_F(explicit, modify_bytes_declares_and_copies)
{
	BEGIN(&self->tid, restore);
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&self->tid, self->at + 5, "hello", 5));
	EXPECT_EQ(0, memcmp(self->at + 5, "hello", 5));
	END(&self->tid, flush);
	BEGIN(&self->tid, restore);
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&self->tid, self->at + 5, "never", 5));
	ABORT(&self->tid);
	EXPECT_EQ(0, memcmp(self->at + 5, "hello", 5));
	BEGIN(&self->tid, restore);
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&self->tid, self->at + 7, self->at + 5, 5));
	END(&self->tid, flush);
	EXPECT_EQ(0, memcmp(self->at + 5, "hehello", 7));
	SETTLE();
	EXPECT_EQ('o', file_byte(self->place.seg, 11));
}

TEST_F(explicit, modify_bytes_from_nowhere_is_refused)
{
	BEGIN(&self->tid, restore);
	EXPECT_RVM(RVM_ESRC, rvm_modify_bytes(&self->tid, self->at, NULL, 1));
	EXPECT_NE(0, strlen(rvm_error()));
	ABORT(&self->tid);
	EXPECT_EQ(0, self->at[0]);
}

TEST_F(explicit, abort_of_a_transaction_that_kept_no_old_values_is_refused)
{
	BEGIN(&self->tid, no_restore);
	RANGE(&self->tid, self->at, 4);
	memset(self->at, 'n', 4);
	EXPECT_RVM(RVM_EMODE, rvm_abort_transaction(&self->tid));
	EXPECT_NE(NULL, strstr(rvm_error(), "no_restore"));
	EXPECT_TRUE(holds(self->at, 4, 'n'));
	END(&self->tid, flush);
	SETTLE();
	EXPECT_TRUE(file_holds(self->place.seg, 0, 4, 'n'));
}

TEST_F(explicit, overlapping_duplicate_and_adjacent_ranges_are_logged_once)
{
	unsigned long was, once;
	int i;

	ASSERT_RVM(RVM_SUCCESS, merge_nothing());
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 1000);
	memset(self->at, 'a', 1000);
	was = tail();
	END(&self->tid, no_flush);
	once = tail() - was;

	BEGIN(&self->tid, restore);
	for (i = 0; i < 1000; i++)
		RANGE(&self->tid, self->at + i, 1);
	for (i = 0; i < 990; i++)
		RANGE(&self->tid, self->at + i, 10);
	RANGE(&self->tid, self->at, 1000);
	memset(self->at, 'b', 1000);
	was = tail();
	END(&self->tid, no_flush);
	EXPECT_EQ(once, tail() - was);
	SETTLE();
	EXPECT_TRUE(file_holds(self->place.seg, 0, 1000, 'b'));
	EXPECT_TRUE(file_holds(self->place.seg, 1000, 1000, 0));
}

TEST_F(explicit, a_record_costs_at_most_64_bytes_and_16_a_range)
{
	unsigned long was;
	int i;

	ASSERT_RVM(RVM_SUCCESS, merge_nothing());
	BEGIN(&self->tid, no_restore);
	for (i = 0; i < 10; i++) {
		RANGE(&self->tid, self->at + i * 500, 40);
		memset(self->at + i * 500, 'r', 40);
	}
	was = tail();
	END(&self->tid, no_flush);
	EXPECT_GE(64 + 10 * 16 + 10 * 40, tail() - was);
	EXPECT_LE(10 * 40, tail() - was);
}

/* Without a copy of the committed state they reach the segment with their page. */
TEST_F(explicit, bytes_outside_the_ranges_are_not_logged)
{
	bool copy = variant->flag == RVM_TRACK_UFFD || variant->flag == RVM_TRACK_SIGSEGV;

	order_excused = !copy;
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at + 100, 10);
	memset(self->at, 'x', 300);
	END(&self->tid, flush);
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_TRUE(file_holds(self->place.seg, 100, 10, 'x'));
	EXPECT_TRUE(!copy || file_holds(self->place.seg, 0, 100, 0));
	EXPECT_TRUE(!copy || file_holds(self->place.seg, 110, 190, 0));
}

TEST_F(explicit, a_transaction_bigger_than_the_log_is_refused_before_anything_is_lost)
{
	rvm_region_t big;
	rvm_log_info_t info;
	char path[128];

	snprintf(path, sizeof(path), "%s/big", self->place.dir);
	ASSERT_RVM(RVM_SUCCESS, map_new(&big, path, 4 * LOG_BYTES, variant->flag));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 4);
	memset(self->at, 'k', 4);
	END(&self->tid, flush);

	BEGIN(&self->tid, restore);
	RANGE(&self->tid, big.vmaddr, 4 * LOG_BYTES);
	memset(big.vmaddr, 'B', 4 * LOG_BYTES);
	EXPECT_RVM(RVM_ETOO_BIG, rvm_end_transaction(&self->tid, flush));
	EXPECT_NE(NULL, strstr(rvm_error(), self->place.log));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&info));
	EXPECT_EQ(0, info.error);

	/* It is still open: it can be aborted, and the next commit works. */
	ABORT(&self->tid);
	EXPECT_TRUE(holds(big.vmaddr, 4 * LOG_BYTES, 0));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at + 4, 4);
	memset(self->at + 4, 'l', 4);
	END(&self->tid, flush);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&big));
	SETTLE();
	EXPECT_TRUE(file_holds(self->place.seg, 0, 4, 'k'));
	EXPECT_TRUE(file_holds(self->place.seg, 4, 4, 'l'));
	EXPECT_EQ(0, file_byte(path, 0));
}

TEST_F(explicit, open_transactions_do_not_see_or_carry_each_other)
{
	rvm_tid_t other;

	rvm_init_tid(&other);
	BEGIN(&self->tid, restore);
	BEGIN(&other, restore);
	RANGE(&self->tid, self->at, 10);
	RANGE(&other, self->at + 10, 10);
	memset(self->at, 'm', 10);
	memset(self->at + 10, 'o', 10);
	END(&self->tid, flush);
	ABORT(&other);
	EXPECT_TRUE(holds(self->at, 10, 'm'));
	EXPECT_TRUE(holds(self->at + 10, 10, 0));
	SETTLE();
	EXPECT_TRUE(file_holds(self->place.seg, 0, 10, 'm'));
	EXPECT_TRUE(file_holds(self->place.seg, 10, 10, 0));
}

TEST_F(explicit, a_transaction_may_span_two_segments)
{
	rvm_region_t second;
	char path[128];

	snprintf(path, sizeof(path), "%s/second", self->place.dir);
	ASSERT_RVM(RVM_SUCCESS, map_new(&second, path, SEG_BYTES, variant->flag));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at + 1, 1);
	RANGE(&self->tid, second.vmaddr + 2, 1);
	self->at[1] = '1';
	second.vmaddr[2] = '2';
	END(&self->tid, flush);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&second));
	SETTLE();
	EXPECT_EQ('1', file_byte(self->place.seg, 1));
	EXPECT_EQ('2', file_byte(path, 2));
}

#define THREADS		4
#define ROUNDS		200

struct job {
	char *at;
	int number;
	int failed;
};

static void *commit_rounds(void *arg)
{
	struct job *job = arg;
	rvm_tid_t tid;
	int i;

	rvm_init_tid(&tid);
	for (i = 0; i < ROUNDS && !job->failed; i++) {
		char *mine = job->at + (i % 8) * PAGE + job->number * 64;

		job->failed = rvm_begin_transaction(&tid, restore) != RVM_SUCCESS ||
			      rvm_set_range(&tid, mine, 64) != RVM_SUCCESS;
		memset(mine, i, 64);
		if (!job->failed)
			job->failed = i % 5 == 4 ?
				      rvm_abort_transaction(&tid) != RVM_SUCCESS :
				      rvm_end_transaction(&tid, i & 1 ? flush : no_flush) !=
				      RVM_SUCCESS;
	}
	return NULL;
}

/* What round after round leaves at the place that belongs to i % 8. */
static int last_committed(int slot)
{
	int i, last = 0;

	for (i = 0; i < ROUNDS; i++)
		if (i % 8 == slot && i % 5 != 4)
			last = i;
	return last;
}

TEST_F(explicit, four_threads_commit_and_abort_side_by_side_on_the_same_pages)
{
	pthread_t threads[THREADS];
	struct job jobs[THREADS];
	int i, slot;

	for (i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){ .at = self->at, .number = i };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, commit_rounds, &jobs[i]));
	}
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, jobs[i].failed);
	}
	SETTLE();
	for (slot = 0; slot < 8; slot++)
		EXPECT_TRUE(file_holds(self->place.seg, slot * PAGE, THREADS * 64,
				       last_committed(slot)));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
