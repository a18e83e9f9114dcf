// SPDX-License-Identifier: GPL-2.0
/* Transactions at the limits: larger than the log, in a full log, without old values. */
#include "api.h"

#include "dirty.h"
#include "instance.h"

#define SMALL_LOG	65536UL
#define THREADS		4
#define ROUNDS		150
#define CHUNK		1500UL

FIXTURE(limits) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;
	char *at;
};

FIXTURE_VARIANT(limits)
{
	unsigned long flag;
	rvm_mode_t end;
};

FIXTURE_VARIANT_ADD(limits, kmod_flush) { .flag = RVM_TRACK_KMOD, .end = flush };
FIXTURE_VARIANT_ADD(limits, kmod_no_flush) { .flag = RVM_TRACK_KMOD, .end = no_flush };
FIXTURE_VARIANT_ADD(limits, uffd_no_flush) { .flag = RVM_TRACK_UFFD, .end = no_flush };
FIXTURE_VARIANT_ADD(limits, sigsegv_flush) { .flag = RVM_TRACK_SIGSEGV, .end = flush };
FIXTURE_VARIANT_ADD(limits, none_flush) { .flag = RVM_TRACK_NONE, .end = flush };
FIXTURE_VARIANT_ADD(limits, none_no_flush) { .flag = RVM_TRACK_NONE, .end = no_flush };

FIXTURE_SETUP(limits)
{
	rvm_options_t options;

	ASSERT_TRUE(place_make(&self->place));
	place_options(&self->place, &options);
	options.create_log_size = rvm_mk_offset(0, SMALL_LOG);
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&options));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	self->at = self->region.vmaddr;
	rvm_init_tid(&self->tid);
}

FIXTURE_TEARDOWN(limits)
{
	rvm_terminate();
	place_remove(&self->place);
}

static void declare_and_fill(rvm_tid_t *tid, char *at, size_t length, int value)
{
	need(!rvm_set_range(tid, at, length));
	memset(at, value, length);
}

TEST_F(limits, one_larger_than_the_log_stays_open_and_whole)
{
	rvm_log_info_t before, after;

	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	declare_and_fill(&self->tid, self->at, 100, 'a');
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&before));

	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	declare_and_fill(&self->tid, self->at, SEG_BYTES, 'b');
	EXPECT_REFUSED(RVM_ETOO_BIG, self->place.log,
		       rvm_end_transaction(&self->tid, variant->end));
	EXPECT_RVM(RVM_ETOO_BIG, rvm_end_transaction(&self->tid, variant->end));
	EXPECT_TRUE(holds(self->at, SEG_BYTES, 'b'));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&after));
	EXPECT_EQ(before.tail, after.tail);
	EXPECT_EQ(before.head, after.head);
	EXPECT_EQ(0, after.error);
	EXPECT_RVM(RVM_EUNCOMMIT, rvm_unmap(&self->region));

	/* Others go on beside it, and what it declared comes back. */
	EXPECT_RVM(RVM_SUCCESS, rvm_set_range(&self->tid, self->at + 1, 1));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	EXPECT_TRUE(holds(self->at, 100, 'a'));
	EXPECT_TRUE(holds(self->at + 100, SEG_BYTES - 100, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, 100, 'a'));
	EXPECT_TRUE(file_holds(self->place.seg, 100, SEG_BYTES - 100, 0));
}

TEST_F(limits, one_without_old_values_ends_but_is_never_aborted)
{
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, no_restore));
	declare_and_fill(&self->tid, self->at, 100, 'n');
	EXPECT_REFUSED(RVM_EMODE, "no_restore", rvm_abort_transaction(&self->tid));
	EXPECT_TRUE(holds(self->at, 100, 'n'));
	declare_and_fill(&self->tid, self->at + 100, 100, 'n');
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, variant->end));
	EXPECT_RVM(RVM_ETID, rvm_abort_transaction(&self->tid));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, 200, 'n'));
}

/* It can never be committed: the old values come from the segment, with what is only logged. */
TEST_F(limits, one_too_big_and_without_old_values_is_aborted_from_the_segment)
{
	rvm_tid_t other;

	rvm_init_tid(&other);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	declare_and_fill(&self->tid, self->at + 50, 100, 'a');
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	declare_and_fill(&self->tid, self->at + 9 * PAGE, 100, 'c');
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, no_flush));

	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&other, restore));
	declare_and_fill(&other, self->at, 8, 'o');
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, no_restore));
	declare_and_fill(&self->tid, self->at + 8, SEG_BYTES - 8, 'b');
	EXPECT_RVM(RVM_ETOO_BIG, rvm_end_transaction(&self->tid, variant->end));
	EXPECT_TRUE(holds(self->at + 8, SEG_BYTES - 8, 'b'));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	EXPECT_RVM(RVM_ETID, rvm_abort_transaction(&self->tid));
	EXPECT_TRUE(holds(self->at, 8, 'o'));
	EXPECT_TRUE(holds(self->at + 8, 42, 0));
	EXPECT_TRUE(holds(self->at + 50, 100, 'a'));
	EXPECT_TRUE(holds(self->at + 150, 9 * PAGE - 150, 0));
	EXPECT_TRUE(holds(self->at + 9 * PAGE, 100, 'c'));
	EXPECT_TRUE(holds(self->at + 9 * PAGE + 100, SEG_BYTES - 9 * PAGE - 100, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&other, variant->end));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, 8, 'o'));
	EXPECT_TRUE(file_holds(self->place.seg, 50, 100, 'a'));
	EXPECT_TRUE(file_holds(self->place.seg, 9 * PAGE, 100, 'c'));
	EXPECT_TRUE(file_holds(self->place.seg, 10 * PAGE, SEG_BYTES - 10 * PAGE, 0));
}

/* What is just too big can be aborted, what just fits can end: nothing is neither. */
TEST_F(limits, one_without_old_values_always_ends_in_one_way)
{
	unsigned int ended = 0, aborted = 0;
	size_t length;

	for (length = SMALL_LOG - 1200; length <= SMALL_LOG; length += 60) {
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, no_restore));
		declare_and_fill(&self->tid, self->at, length, 'n');
		if (rvm_end_transaction(&self->tid, variant->end) == RVM_SUCCESS) {
			ended++;
			continue;
		}
		aborted++;
		ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	}
	EXPECT_LT(2, ended);
	EXPECT_LT(2, aborted);
}

/* A page that was looked at for its record is dirty from then on. */
TEST_F(limits, one_too_big_is_refused_before_its_pages_are_looked_at)
{
	rvm_options_t options;

	place_options(&self->place, &options);
	options.flags |= RVM_INCREMENTAL_TRUNCATION;
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_options(&options));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	self->at = self->region.vmaddr;
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	declare_and_fill(&self->tid, self->at, SEG_BYTES, 'b');
	EXPECT_RVM(RVM_ETOO_BIG, rvm_end_transaction(&self->tid, variant->end));
	EXPECT_EQ(0, dirty_count(&rvm.regions.first->dirty));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	declare_and_fill(&self->tid, self->at, 1, 'c');
	EXPECT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, variant->end));
	EXPECT_EQ(1, dirty_count(&rvm.regions.first->dirty));
}

/* Ranges that join where sets of many ranges begin, and beyond. */
TEST_F(limits, the_first_old_value_comes_back_whatever_the_number_of_ranges)
{
	static const int counts[] = { 1, 7, 8, 9, 16, 300 };
	char *old = malloc(SEG_BYTES);
	unsigned int state = 3;
	int c, i;

	ASSERT_NE(NULL, old);
	for (c = 0; c < 6; c++) {
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
		declare_and_fill(&self->tid, self->at, 9000, '0' + c);
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, variant->end));
		memcpy(old, self->at, SEG_BYTES);
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
		for (i = 0; i < counts[c]; i++)
			declare_and_fill(&self->tid, self->at + rand_r(&state) % 12000,
					 1 + rand_r(&state) % 60, i);
		for (i = 0; i < counts[c]; i++)
			declare_and_fill(&self->tid, self->at + rand_r(&state) % 12000,
					 1 + rand_r(&state) % 600, i);
		ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
		ASSERT_EQ(0, memcmp(old, self->at, SEG_BYTES));
	}
	free(old);
}

struct filler {
	pthread_t thread;
	char *at;
	rvm_mode_t end;
	rvm_return_t code;
};

/*
 * Each thread alone writes several times what the log holds, and flushes before a newer transaction
 * makes one unnecessary.
 */
static void *fill(void *arg)
{
	struct filler *f = arg;
	rvm_tid_t tid;
	int i;

	rvm_init_tid(&tid);
	for (i = 0; i < ROUNDS && !f->code; i++) {
		char *mine = f->at + i % 8 * PAGE;

		f->code = rvm_begin_transaction(&tid, i % 2 ? restore : no_restore);
		if (!f->code)
			f->code = rvm_set_range(&tid, mine, CHUNK);
		memset(mine, i + 1, CHUNK);
		if (!f->code)
			f->code = rvm_end_transaction(&tid, f->end);
		if (!f->code && i % 4 == 3)
			f->code = rvm_flush();
	}
	return NULL;
}

TEST_F(limits, in_a_full_log_all_threads_wait_and_none_fails)
{
	struct filler f[THREADS] = { 0 };
	rvm_log_info_t info;
	int i, page;

	for (i = 0; i < THREADS; i++) {
		f[i].at = self->at + i * 8 * PAGE;
		f[i].end = variant->end;
		ASSERT_EQ(0, pthread_create(&f[i].thread, NULL, fill, &f[i]));
	}
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(f[i].thread, NULL));
		EXPECT_RVM(RVM_SUCCESS, f[i].code);
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&info));
	EXPECT_EQ(0, info.error);
	EXPECT_LT(4 * info.size, info.tail);
	EXPECT_GE(info.size, info.tail - info.head);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	for (i = 0; i < THREADS; i++)
		for (page = 0; page < 8; page++)
			EXPECT_TRUE(file_holds(self->place.seg, (i * 8 + page) * PAGE, CHUNK,
					       ROUNDS - (ROUNDS - 1 - page) % 8));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
