// SPDX-License-Identifier: GPL-2.0
/* What is there after a crash, after truncation, and when the log is full. */
#include "api.h"

struct run {
	struct place place;
	unsigned long flag;
	unsigned long log_bytes;
	long truncate;
	bool tracked;
	rvm_region_t region;
	rvm_tid_t tid;
	char *at;
};

FIXTURE(crash) {
	struct run run;
};

FIXTURE_VARIANT(crash)
{
	unsigned long flag;
	bool tracked;
};

FIXTURE_VARIANT_ADD(crash, kmod) { .flag = RVM_TRACK_KMOD, .tracked = true };
FIXTURE_VARIANT_ADD(crash, uffd) { .flag = RVM_TRACK_UFFD, .tracked = true };
FIXTURE_VARIANT_ADD(crash, sigsegv) { .flag = RVM_TRACK_SIGSEGV, .tracked = true };
FIXTURE_VARIANT_ADD(crash, kmod_explicit) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(crash, uffd_explicit) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(crash, none) { .flag = RVM_TRACK_NONE };
FIXTURE_VARIANT_ADD(crash, huge) { .flag = RVM_HUGE_PAGES };

FIXTURE_SETUP(crash)
{
	self->run.flag = variant->flag;
	self->run.tracked = variant->tracked;
	self->run.log_bytes = LOG_BYTES;
	ASSERT_TRUE(place_make(&self->run.place));
}

FIXTURE_TEARDOWN(crash)
{
	place_remove(&self->run.place);
}

/* The same steps for both kinds of transaction. */
static void start(struct run *run)
{
	rvm_options_t options;

	place_options(&run->place, &options);
	options.create_log_size = rvm_mk_offset(0, run->log_bytes);
	options.truncate = run->truncate;
	need(RVM_INIT(&options) == RVM_SUCCESS);
	need(place_map(&run->place, &run->region, run->flag) == RVM_SUCCESS);
	run->at = run->region.vmaddr;
	rvm_init_tid(&run->tid);
}

static void begin(struct run *run)
{
	need(rvm_begin_transaction(&run->tid, run->tracked ? rvm_tracked : restore) ==
	     RVM_SUCCESS);
}

static void store(struct run *run, size_t offset, size_t length, int value)
{
	if (!run->tracked)
		need(rvm_set_range(&run->tid, run->at + offset, length) == RVM_SUCCESS);
	memset(run->at + offset, value, length);
}

static void end(struct run *run, rvm_mode_t mode)
{
	need(rvm_end_transaction(&run->tid, mode) == RVM_SUCCESS);
}

static void commit(struct run *run, size_t offset, size_t length, int value, rvm_mode_t mode)
{
	begin(run);
	store(run, offset, length, value);
	end(run, mode);
}

static void die_with_one_open(void *arg)
{
	struct run *run = arg;

	start(run);
	commit(run, 0, 100, 'c', flush);
	begin(run);
	store(run, 50, 100, 'u');
	store(run, 9 * PAGE, PAGE, 'u');
}

TEST_F(crash, what_was_committed_is_there_and_what_was_open_is_not)
{
	struct run *run = &self->run;

	ASSERT_EQ(0, in_child(die_with_one_open, run));
	EXPECT_TRUE(file_holds(run->place.seg, 0, SEG_BYTES, 0));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_TRUE(file_holds(run->place.seg, 0, 100, 'c'));
	EXPECT_TRUE(file_holds(run->place.seg, 100, SEG_BYTES - 100, 0));
}

static void die_after_abort(void *arg)
{
	struct run *run = arg;

	start(run);
	commit(run, 0, 100, 'c', flush);
	begin(run);
	store(run, 50, 100, 'u');
	need(rvm_abort_transaction(&run->tid) == RVM_SUCCESS);
	commit(run, 500, 1, 'd', flush);
}

TEST_F(crash, what_was_aborted_is_not_there)
{
	struct run *run = &self->run;

	ASSERT_EQ(0, in_child(die_after_abort, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_TRUE(file_holds(run->place.seg, 0, 100, 'c'));
	EXPECT_TRUE(file_holds(run->place.seg, 100, 100, 0));
	EXPECT_EQ('d', file_byte(run->place.seg, 500));
}

static void flush_while_the_next_is_open(void *arg)
{
	struct run *run = arg;

	start(run);
	commit(run, 0, 100, 'c', no_flush);
	begin(run);
	store(run, 0, 100, 'u');
	need(rvm_flush() == RVM_SUCCESS);
}

TEST_F(crash, a_late_flush_logs_the_bytes_of_the_commit_not_those_of_the_next_transaction)
{
	struct run *run = &self->run;

	ASSERT_EQ(0, in_child(flush_while_the_next_is_open, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_TRUE(file_holds(run->place.seg, 0, 100, 'c'));
	EXPECT_TRUE(file_holds(run->place.seg, 100, SEG_BYTES - 100, 0));
}

#define COUNTED	200

static void count_without_flush(void *arg)
{
	struct run *run = arg;
	int i;

	start(run);
	for (i = 1; i <= COUNTED; i++) {
		begin(run);
		store(run, 0, 1, i);
		store(run, (size_t)(i % 60 + 1) * PAGE, 8, i);
		end(run, i == COUNTED / 2 ? flush : no_flush);
	}
}

TEST_F(crash, commits_without_flush_survive_as_a_prefix)
{
	struct run *run = &self->run;
	int i, last;

	ASSERT_EQ(0, in_child(count_without_flush, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	last = file_byte(run->place.seg, 0);
	EXPECT_LE(COUNTED / 2, last);
	EXPECT_GE(COUNTED, last);
	for (i = last - 59; i <= last; i++)
		EXPECT_TRUE(file_holds(run->place.seg, (size_t)(i % 60 + 1) * PAGE, 8, i));
}

static void flush_at_the_end(void *arg)
{
	struct run *run = arg;
	int i;

	start(run);
	for (i = 0; i < 100; i++)
		commit(run, i * 100, 100, i + 1, no_flush);
	need(rvm_flush() == RVM_SUCCESS);
}

TEST_F(crash, after_rvm_flush_every_commit_is_durable)
{
	struct run *run = &self->run;
	int i;

	ASSERT_EQ(0, in_child(flush_at_the_end, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	for (i = 0; i < 100; i++)
		EXPECT_TRUE(file_holds(run->place.seg, i * 100, 100, i + 1));
}

static void empty_flush(void *arg)
{
	struct run *run = arg;

	start(run);
	commit(run, 0, 10, 'n', no_flush);
	begin(run);
	end(run, flush);
}

TEST_F(crash, an_empty_commit_in_flush_mode_makes_those_before_it_durable)
{
	struct run *run = &self->run;

	ASSERT_EQ(0, in_child(empty_flush, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_TRUE(file_holds(run->place.seg, 0, 10, 'n'));
}

static void truncate_and_die(void *arg)
{
	struct run *run = arg;
	rvm_options_t options;
	rvm_log_info_t info;
	int i;

	start(run);
	for (i = 0; i < 50; i++)
		commit(run, i * 300, 300, i + 1, no_flush);
	need(rvm_truncate() == RVM_SUCCESS);
	need(rvm_query_log(&info) == RVM_SUCCESS);
	need(info.head == info.tail);
	rvm_init_options(&options);
	need(rvm_query(&options, NULL) == RVM_SUCCESS);
	need(options.log_empty == rvm_true);
	for (i = 0; i < 50; i++)
		need(file_holds(run->place.seg, i * 300, 300, i + 1));
	commit(run, 0, 300, 'x', flush);
	need(rvm_query(&options, NULL) == RVM_SUCCESS);
	need(options.log_empty == rvm_false);
}

TEST_F(crash, truncation_empties_the_log_into_the_segment_and_loses_nothing)
{
	struct run *run = &self->run;
	int i;

	ASSERT_EQ(0, in_child(truncate_and_die, run));
	for (i = 1; i < 50; i++)
		EXPECT_TRUE(file_holds(run->place.seg, i * 300, 300, i + 1));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_TRUE(file_holds(run->place.seg, 0, 300, 'x'));
	for (i = 1; i < 50; i++)
		EXPECT_TRUE(file_holds(run->place.seg, i * 300, 300, i + 1));
}

static void truncate_with_one_open(void *arg)
{
	struct run *run = arg;

	start(run);
	commit(run, 0, 3 * PAGE, 'c', flush);
	begin(run);
	store(run, 100, 50, 'u');
	store(run, 5 * PAGE, 50, 'u');
	need(rvm_truncate() == RVM_SUCCESS);
	need(file_holds(run->place.seg, 0, 3 * PAGE, 'c'));
	need(file_holds(run->place.seg, 3 * PAGE, SEG_BYTES - 3 * PAGE, 0));
	store(run, 200, 50, 'u');
	need(rvm_truncate() == RVM_SUCCESS);
	need(file_holds(run->place.seg, 0, 3 * PAGE, 'c'));
	end(run, flush);
	need(rvm_truncate() == RVM_SUCCESS);
	need(file_holds(run->place.seg, 100, 50, 'u'));
	need(file_holds(run->place.seg, 200, 50, 'u'));
	need(file_holds(run->place.seg, 5 * PAGE, 50, 'u'));
	begin(run);
	store(run, 0, 3 * PAGE, 'v');
	need(rvm_truncate() == RVM_SUCCESS);
}

TEST_F(crash, truncation_beside_an_open_transaction_writes_no_byte_of_it)
{
	struct run *run = &self->run;

	ASSERT_EQ(0, in_child(truncate_with_one_open, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_TRUE(file_holds(run->place.seg, 0, 100, 'c'));
	EXPECT_TRUE(file_holds(run->place.seg, 100, 50, 'u'));
	EXPECT_TRUE(file_holds(run->place.seg, 250, 3 * PAGE - 250, 'c'));
}

#define FILLS	400

static void fill_the_log_many_times(void *arg)
{
	struct run *run = arg;
	rvm_log_info_t info;
	int i;

	start(run);
	for (i = 0; i < FILLS; i++)
		commit(run, (size_t)(i % 60) * PAGE + 10, 1500, i,
		       i % 7 ? no_flush : flush);
	need(rvm_flush() == RVM_SUCCESS);
	need(rvm_query_log(&info) == RVM_SUCCESS);
	need(info.error == 0);
	need(info.tail - info.head <= info.size);
	need(info.tail > 4 * info.size);
}

TEST_F(crash, a_full_log_waits_for_truncation_by_itself)
{
	struct run *run = &self->run;
	int i;

	run->log_bytes = 65536;
	run->truncate = 50;
	ASSERT_EQ(0, in_child(fill_the_log_many_times, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	for (i = FILLS - 60; i < FILLS; i++)
		EXPECT_TRUE(file_holds(run->place.seg, (size_t)(i % 60) * PAGE + 10, 1500, i));
}

TEST_F(crash, a_full_log_is_truncated_even_when_told_never_to_by_itself)
{
	struct run *run = &self->run;
	int i;

	run->log_bytes = 65536;
	ASSERT_EQ(0, in_child(fill_the_log_many_times, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	for (i = FILLS - 60; i < FILLS; i++)
		EXPECT_TRUE(file_holds(run->place.seg, (size_t)(i % 60) * PAGE + 10, 1500, i));
}

static void fill_in_other_thread(void *arg)
{
	struct run *run = arg;
	rvm_tid_t tid;
	int i;

	rvm_init_tid(&tid);
	for (i = 0; i < 100; i++) {
		need(rvm_begin_transaction(&tid, no_restore) == RVM_SUCCESS);
		need(rvm_set_range(&tid, run->at + 20 * PAGE, 2000) == RVM_SUCCESS);
		memset(run->at + 20 * PAGE, i, 2000);
		need(rvm_end_transaction(&tid, no_flush) == RVM_SUCCESS);
	}
}

static void fill_beside_an_open_one(void *arg)
{
	struct run *run = arg;
	struct hand hand;

	start(run);
	begin(run);
	store(run, 20 * PAGE + 3000, 100, 'o');
	need(hand_start(&hand));
	need(hand_do(&hand, fill_in_other_thread, run));
	hand_stop(&hand);
	end(run, flush);
}

TEST_F(crash, a_full_log_is_truncated_beside_an_open_transaction_on_the_same_page)
{
	struct run *run = &self->run;

	run->log_bytes = 65536;
	ASSERT_EQ(0, in_child(fill_beside_an_open_one, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_TRUE(file_holds(run->place.seg, 20 * PAGE, 2000, 99));
	EXPECT_TRUE(file_holds(run->place.seg, 20 * PAGE + 2000, 1000, 0));
	EXPECT_TRUE(file_holds(run->place.seg, 20 * PAGE + 3000, 100, 'o'));
}

static void many_lives(void *arg)
{
	struct run *run = arg;

	start(run);
	need(run->at[0] == run->at[SEG_BYTES - 1]);
	begin(run);
	store(run, 0, 1, run->at[0] + 1);
	store(run, SEG_BYTES - 1, 1, run->at[SEG_BYTES - 1] + 1);
	end(run, flush);
	begin(run);
	store(run, 0, 1, 77);
}

TEST_F(crash, thirty_crashes_in_a_row_keep_count)
{
	struct run *run = &self->run;
	int i;

	for (i = 0; i < 30; i++)
		ASSERT_EQ(0, in_child(many_lives, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_EQ(30, file_byte(run->place.seg, 0));
	EXPECT_EQ(30, file_byte(run->place.seg, SEG_BYTES - 1));
}

static void end_well(void *arg)
{
	struct run *run = arg;

	start(run);
	commit(run, 0, 100, 'n', no_flush);
	need(rvm_unmap(&run->region) == RVM_SUCCESS);
	need(rvm_terminate() == RVM_SUCCESS);
}

TEST_F(crash, terminate_makes_every_commit_durable)
{
	struct run *run = &self->run;

	ASSERT_EQ(0, in_child(end_well, run));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_TRUE(file_holds(run->place.seg, 0, 100, 'n'));
}

TEST_F(crash, recovery_shows_in_the_next_map_of_the_same_process)
{
	struct run *run = &self->run;

	ASSERT_EQ(0, in_child(die_with_one_open, run));
	ASSERT_RVM(RVM_SUCCESS, place_open(&run->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&run->place, &run->region, run->flag));
	EXPECT_TRUE(holds(run->region.vmaddr, 100, 'c'));
	EXPECT_TRUE(holds(run->region.vmaddr + 100, SEG_BYTES - 100, 0));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&run->region));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(crash, without_its_segment_recovery_is_refused_and_the_log_kept)
{
	struct run *run = &self->run;
	char away[128];

	ASSERT_EQ(0, in_child(die_with_one_open, run));
	snprintf(away, sizeof(away), "%s/away", run->place.dir);
	ASSERT_EQ(0, rename(run->place.seg, away));
	EXPECT_REFUSED(RVM_EIO, run->place.seg, place_open(&run->place));
	EXPECT_RVM(RVM_EIO, place_open(&run->place));
	EXPECT_RVM(RVM_EINIT, rvm_flush());
	ASSERT_EQ(0, rename(away, run->place.seg));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&run->place));
	EXPECT_TRUE(file_holds(run->place.seg, 0, 100, 'c'));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
