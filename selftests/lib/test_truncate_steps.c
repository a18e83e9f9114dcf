// SPDX-License-Identifier: GPL-2.0
/* Truncation by steps, and logs that are emptied, against a tracker at its worst. */
#include "fakemod.h"
#include "nomemory.h"

TEST_F(truncate, a_step_writes_what_is_not_busy_and_moves_the_head_below_what_is)
{
	uint64_t before = head_of(self->log);
	bool moved;

	for (int i = 1; i <= 3; i++) {
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'a' + i));
		ASSERT_EQ(0, truncate_relieve(&self->tr));	/* flushes */
	}
	self->fake->owned[2] = true;
	ASSERT_TRUE(increment_possible(&self->tr));
	ASSERT_EQ(0, increment_step(&self->tr, &moved));
	EXPECT_TRUE(moved);
	EXPECT_LT(before, head_of(self->log));
	EXPECT_LT(0, log_used(self->log));
	EXPECT_EQ('b', in_segment(self->segment, 1));
	EXPECT_EQ(0, in_segment(self->segment, 2));
	EXPECT_EQ('d', in_segment(self->segment, 3));
	EXPECT_EQ(1, dirty_count(&self->region->dirty));
	before = head_of(self->log);
	ASSERT_EQ(0, increment_step(&self->tr, &moved));
	EXPECT_FALSE(moved);
	EXPECT_EQ(before, head_of(self->log));
	self->fake->owned[2] = false;
	ASSERT_EQ(0, increment_step(&self->tr, &moved));
	EXPECT_TRUE(moved);
	EXPECT_EQ('c', in_segment(self->segment, 2));
	EXPECT_EQ(0, log_used(self->log));
}

TEST_F(truncate, a_step_that_fails_says_of_which_segment_and_is_made_good)
{
	uint64_t before = head_of(self->log);
	bool moved;

	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 1, 'b'));
	ASSERT_EQ(0, truncate_relieve(&self->tr));
	self->fake->fail_call = 1;
	EXPECT_EQ(-EIO, increment_step(&self->tr, &moved));
	EXPECT_NE(NULL, strstr(err_text(), self->seg_path));
	EXPECT_FALSE(moved);
	EXPECT_EQ(before, head_of(self->log));
	EXPECT_EQ(1, dirty_count(&self->region->dirty));
	ASSERT_EQ(0, increment_step(&self->tr, &moved));
	EXPECT_EQ('b', in_segment(self->segment, 1));
	EXPECT_EQ(0, log_used(self->log));
}

TEST_F(truncate, all_regions_are_relieved_until_one_fails)
{
	struct region *second = fake_region(self->fake, self->log);

	self->region->next = second;
	ASSERT_EQ(0, truncate_relieve(&self->tr));
	EXPECT_EQ(4, self->fake->relieved);
	self->fake->relieve_err = -EIO;
	EXPECT_EQ(-EIO, truncate_relieve(&self->tr));
	EXPECT_EQ(5, self->fake->relieved);
}

/* What is durable makes room for the flush, and the flush makes more durable. */
TEST_F(truncate, regions_are_relieved_before_and_after_the_flush)
{
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 1, 'b'));
	ASSERT_EQ(0, truncate_relieve(&self->tr));
	ASSERT_EQ(2, self->fake->relieved);
	EXPECT_LT(self->fake->durable[0], self->fake->durable[1]);
}

/* struct calls - of a function that empties a log */
struct calls {
	struct log *log;
	int count;
};

static int count_calls(void *arg, uint64_t tail)
{
	struct calls *calls = arg;

	calls->count++;
	return log_set_head(calls->log, tail);
}

/* So much is in the log that truncations beside commits come first. */
TEST_F(truncate, what_cannot_be_emptied_is_not_changed)
{
	struct calls calls = {};
	int i;

	truncator_stop(&self->tr);
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, log_create(self->log_path, 4 << 20, 0600, true, NULL, NULL));
	ASSERT_EQ(0, log_open(self->log_path, 65536, false, &self->log));
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, NULL));
	ASSERT_EQ(0, log_name_segment(self->log, self->seg_path, LENGTH, &self->segment->id));
	self->region->log = self->log;
	calls.log = self->log;
	ASSERT_EQ(0, truncator_start(&self->tr, self->log, &self->regions, 0, NULL, NULL));
	for (i = 0; log_used(self->log) < 2 << 20; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i % PAGES, 'a'));
	self->fake->fail_call = 1;
	EXPECT_EQ(-EIO, truncate_empty(&self->tr, count_calls, &calls));
	EXPECT_EQ(0, calls.count);
	EXPECT_LT(2 << 20, log_used(self->log) + 1);
	ASSERT_EQ(0, truncate_empty(&self->tr, count_calls, &calls));
	EXPECT_EQ(1, calls.count);
	EXPECT_EQ(0, log_used(self->log));
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ('a', in_segment(self->segment, i));
}

TEST_F(truncate, without_a_thread_there_is_no_truncator)
{
	truncator_stop(&self->tr);
	fail_memory(1, false);
	EXPECT_EQ(-ENOMEM, truncator_start(&self->tr, self->log, &self->regions, 0, NULL, NULL));
	EXPECT_NE(NULL, strstr(err_text(), "no thread for truncation"));
	fail_memory(0, false);
	ASSERT_EQ(0, truncator_start(&self->tr, self->log, &self->regions, 0, NULL, NULL));
}

/* Of a page that is none of those asked for. */
TEST_F(truncate, a_busy_page_that_nobody_asked_for_changes_nothing)
{
	bool moved;

	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 1, 'b'));
	ASSERT_EQ(0, truncate_relieve(&self->tr));
	self->fake->names_others = true;
	ASSERT_EQ(0, increment_step(&self->tr, &moved));
	EXPECT_TRUE(moved);
	EXPECT_EQ(0, log_used(self->log));
	EXPECT_EQ('b', in_segment(self->segment, 1));
}

/* Nothing is written whose records cannot be made durable before. */
static ssize_t write_nothing(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	return -EIO;
}

TEST_F(truncate, a_step_on_a_log_that_cannot_be_written_writes_no_page)
{
	bool moved;

	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 1, 'b'));
	ASSERT_EQ(0, truncate_relieve(&self->tr));
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 1, 'c'));
	os.pwritev = write_nothing;
	EXPECT_EQ(-EIO, increment_step(&self->tr, &moved));
	EXPECT_FALSE(moved);
	EXPECT_EQ(0, self->fake->calls);
	EXPECT_EQ(-EIO, truncate_relieve(&self->tr));
	os = os_real;
	truncator_stop(&self->tr);
	EXPECT_EQ(-EIO, log_close(self->log));
	ASSERT_EQ(0, log_open(self->log_path, 65536, false, &self->log));
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, NULL));
	ASSERT_EQ(0, truncator_start(&self->tr, self->log, &self->regions, 0, NULL, NULL));
}

/* The thread makes no steps while the log has records of what is not mapped. */
TEST_F(truncate, where_no_step_is_possible_the_thread_truncates_as_a_whole)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t moves = self->tr.moves;

	self->tr.orphans = true;
	truncator_set_incremental(&self->tr, true);
	truncator_set_percent(&self->tr, 1);
	for (int i = 0; i < PAGES; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'a' + i));
	truncator_kick(&self->tr);	/* not so full that it must be */
	while (__atomic_load_n(&self->tr.moves, __ATOMIC_ACQUIRE) == moves)
		nanosleep(&pause, NULL);
	EXPECT_LT(0, log_used(self->log));
	EXPECT_FALSE(self->tr.failed);
	ASSERT_EQ(0, truncate_make_room(&self->tr));
	EXPECT_FALSE(self->tr.failed);
	EXPECT_EQ(0, log_used(self->log));
	EXPECT_FALSE(self->tr.orphans);
	/* half way from there to its end it is time for it */
	self->tr.orphans = true;
	truncator_set_incremental(&self->tr, true);
	for (int i = 0; log_used(self->log) < (1 << 20) / 10 * 6; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i % PAGES, 'a'));
	truncator_kick(&self->tr);
	for (int ms = 0; ms < 5000 && log_used(self->log); ms++)
		nanosleep(&pause, NULL);
	EXPECT_EQ(0, log_used(self->log));
}

/* While a truncation runs commits fill the log: with less each time, or with as much. */
static struct log *busy_log;
static struct region *busy_region;
static size_t busy_bytes;
static unsigned int busy_part;

static void commit_meanwhile(struct fake *fake)
{
	static char bytes[1 << 20];
	struct log_range range = { .segment = 1, .length = sizeof(bytes), .data = bytes };
	uint64_t lsn;
	size_t done;

	if (*fake->frozen)
		return;
	for (done = 0; done < busy_bytes; done += sizeof(bytes))
		log_append(busy_log, 1, &range, 1, &lsn);
	commit_page(busy_log, busy_region, fake, 0, 'z');
	busy_bytes /= busy_part;
}

TEST_F(truncate, a_log_is_emptied_beside_commits_as_long_as_that_gets_somewhere)
{
	static const struct {
		unsigned int part;
		int rounds;
	} cases[] = { { 3, 4 }, { 1, 1 } };
	struct calls calls = {};

	truncator_stop(&self->tr);
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, log_create(self->log_path, 64 << 20, 0600, true, NULL, NULL));
	ASSERT_EQ(0, log_open(self->log_path, 1 << 20, false, &self->log));
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, NULL));
	ASSERT_EQ(0, log_name_segment(self->log, self->seg_path, LENGTH, &self->segment->id));
	self->region->log = self->log;
	ASSERT_EQ(0, truncator_start(&self->tr, self->log, &self->regions, 0, NULL, NULL));
	calls.log = self->log;
	busy_log = self->log;
	busy_region = self->region;
	self->fake->frozen = &self->tr.frozen;
	self->fake->each = commit_meanwhile;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		busy_part = cases[i].part;
		busy_bytes = busy_part == 1 ? 20 << 20 : 40 << 20;
		commit_meanwhile(self->fake);
		self->fake->calls = 0;
		ASSERT_EQ(0, truncate_empty(&self->tr, count_calls, &calls));
		EXPECT_EQ(cases[i].rounds + 1, self->fake->calls);
		EXPECT_EQ(0, log_used(self->log));
	}
	EXPECT_EQ(2, calls.count);
}

TEST_HARNESS_MAIN
