// SPDX-License-Identifier: GPL-2.0
/* Truncation against a tracker that behaves as the kernel module may at its worst. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "err.h"
#include "increment.h"
#include "log.h"
#include "logfile.h"
#include "nomemory.h"
#include "order.h"
#include "os.h"
#include "recover.h"
#include "region.h"
#include "segment.h"
#include "track.h"
#include "truncate.h"

#define PAGES	24
#define LENGTH	(PAGES * TRACK_PAGE_SIZE)

/* A region's page cache: what the module would know of each page. */
struct fake {
	struct tracker base;
	struct segment *segment;
	char memory[LENGTH];
	bool dirty[PAGES];
	bool owned[PAGES];
	int hold[PAGES];
	int calls;
	int fail_call;
	void (*after_first)(struct fake *fake);
	int relieved;
	int relieve_err;
	void (*each)(struct fake *fake);
	bool names_others;
	const bool *frozen;
};

static struct fake *to_fake(struct tracker *tracker)
{
	return (struct fake *)tracker;
}

static void fake_hold(struct tracker *tracker, uint64_t first, uint64_t last)
{
	for (; first <= last; first++)
		to_fake(tracker)->hold[first]++;
}

static void fake_release(struct tracker *tracker, uint64_t first, uint64_t last, uint64_t lsn)
{
	for (; first <= last; first++)
		to_fake(tracker)->hold[first]--;
}

static void write_page(struct fake *fake, uint64_t page)
{
	segment_write(fake->segment, page * TRACK_PAGE_SIZE,
		      fake->memory + page * TRACK_PAGE_SIZE, TRACK_PAGE_SIZE);
	fake->dirty[page] = false;
}

static int fake_writeback(struct tracker *tracker, const uint64_t *pages, size_t n, uint64_t *busy,
			  size_t *n_busy)
{
	struct fake *fake = to_fake(tracker);

	*n_busy = 0;
	if (++fake->calls == fake->fail_call)
		return -EIO;
	for (size_t i = n; i--;) {
		uint64_t page = pages[i];

		if (!fake->dirty[page])
			continue;
		if (fake->owned[page] || fake->hold[page])
			busy[(*n_busy)++] = page;
		else
			write_page(fake, page);
	}
	if (fake->names_others)
		busy[(*n_busy)++] = PAGES;
	if (fake->each)
		fake->each(fake);
	if (fake->calls == 1 && fake->after_first)
		fake->after_first(fake);
	return 0;
}

static int fake_relieve(struct tracker *tracker)
{
	to_fake(tracker)->relieved++;
	return to_fake(tracker)->relieve_err;
}

static void fake_close(struct tracker *tracker)
{
}

static const struct track_ops fake_ops = {
	.name = "fake",
	.tracks = true,
	.close = fake_close,
	.hold = fake_hold,
	.release = fake_release,
	.writeback = fake_writeback,
	.relieve = fake_relieve,
};

FIXTURE(truncate)
{
	char dir[64];
	char log_path[96];
	char seg_path[96];
	struct log *log;
	struct regions regions;
	struct segment *segment;
	struct truncator tr;
	struct region *region;
	struct fake *fake;
};

static struct region *fake_region(struct fake *fake, struct log *log)
{
	struct region *region = calloc(1, sizeof(*region));

	region->segment = fake->segment;
	region->log = log;
	region->length = LENGTH;
	region->base = fake->memory;
	region->tracker = &fake->base;
	pthread_mutex_init(&region->lock, NULL);
	pthread_cond_init(&region->idle, NULL);
	dirty_init(&region->dirty, PAGES);
	rangeset_init(&region->busy);
	return region;
}

FIXTURE_SETUP(truncate)
{
	order_excused = true;	/* the fake writes what no record says, to see it again */
	strcpy(self->dir, "/tmp/rvm-truncate-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->log_path, sizeof(self->log_path), "%s/log", self->dir);
	snprintf(self->seg_path, sizeof(self->seg_path), "%s/segment", self->dir);
	ASSERT_EQ(0, log_create(self->log_path, 1 << 20, 0600, false, NULL, NULL));
	ASSERT_EQ(0, log_open(self->log_path, 65536, false, &self->log));
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, NULL));
	regions_init(&self->regions);
	ASSERT_EQ(0, regions_segment(&self->regions, self->log, self->seg_path, LENGTH,
				     &self->segment));
	self->fake = calloc(1, sizeof(*self->fake));
	self->fake->base.ops = &fake_ops;
	self->fake->segment = self->segment;
	self->region = fake_region(self->fake, self->log);
	self->regions.first = self->region;
	ASSERT_EQ(0, truncator_start(&self->tr, self->log, &self->regions, 0, NULL, NULL));
}

FIXTURE_TEARDOWN(truncate)
{
	truncator_stop(&self->tr);
	regions_free(&self->regions);
	EXPECT_EQ(0, log_close(self->log));
	free(self->fake);
	unlink(self->log_path);
	unlink(self->seg_path);
	rmdir(self->dir);
}

/* Store @byte to all of a page and commit it. */
static int commit_page(struct log *log, struct region *region, struct fake *fake, uint64_t page,
		       char byte)
{
	struct log_range range = {
		.segment = region->segment->id,
		.offset = page * TRACK_PAGE_SIZE,
		.length = TRACK_PAGE_SIZE,
		.data = fake->memory + page * TRACK_PAGE_SIZE,
	};
	uint64_t lsn;

	memset(fake->memory + page * TRACK_PAGE_SIZE, byte, TRACK_PAGE_SIZE);
	fake->dirty[page] = true;
	return region_note_dirty(region, page, page) ?: log_append(log, 1, &range, 1, &lsn);
}

static char in_segment(struct segment *segment, uint64_t page)
{
	char byte = '?';

	segment_read(segment, page * TRACK_PAGE_SIZE + 17, &byte, 1);
	return byte;
}

static int held(struct fake *fake)
{
	int n = 0;

	for (int i = 0; i < PAGES; i++)
		n += fake->hold[i] != 0;
	return n;
}

TEST_F(truncate, pages_are_written_from_memory_and_the_log_is_empty)
{
	for (int i = 0; i < PAGES; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'a' + i));
	ASSERT_EQ(0, truncate_log(&self->tr));
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ('a' + i, in_segment(self->segment, i));
	EXPECT_EQ(0, log_used(self->log));
	EXPECT_EQ(0, held(self->fake));
}

TEST_F(truncate, an_owned_page_gets_the_committed_bytes_from_the_log)
{
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 2, 'c'));
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 5, 'd'));
	self->fake->owned[2] = true;
	memset(self->fake->memory + 2 * TRACK_PAGE_SIZE, 'u', TRACK_PAGE_SIZE);
	ASSERT_EQ(0, truncate_log(&self->tr));
	EXPECT_EQ('c', in_segment(self->segment, 2));
	EXPECT_EQ('d', in_segment(self->segment, 5));
	EXPECT_EQ(0, log_used(self->log));
	EXPECT_EQ(0, held(self->fake));
}

TEST_F(truncate, a_page_that_stayed_busy_is_written_by_the_next_truncation)
{
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 2, 'c'));
	self->fake->owned[2] = true;
	ASSERT_EQ(0, truncate_log(&self->tr));
	EXPECT_EQ(true, self->fake->dirty[2]);
	self->fake->owned[2] = false;
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 3, 'e'));
	ASSERT_EQ(0, truncate_log(&self->tr));
	EXPECT_EQ(false, self->fake->dirty[2]);
	EXPECT_EQ('e', in_segment(self->segment, 3));
}

/* struct reads - of a log: from the lowest byte that was read to the highest */
static struct {
	int fd;
	uint64_t lowest, highest;
} reads;

static ssize_t note_pread(int fd, void *buf, size_t length, uint64_t offset)
{
	if (fd == reads.fd && offset < reads.lowest)
		reads.lowest = offset;
	if (fd == reads.fd && offset + length > reads.highest)
		reads.highest = offset + length;
	return os_real.pread(fd, buf, length, offset);
}

static int truncate_and_see(struct truncator *tr, struct log *log)
{
	int err;

	reads.fd = log_file(log)->fd;
	reads.lowest = UINT64_MAX;
	reads.highest = 0;
	os.pread = note_pread;
	err = truncate_log(tr);
	os.pread = os_real.pread;
	return err;
}

/* Its block of the log. */
static uint64_t block_of(struct log *log, uint64_t lsn)
{
	return logfile_position(log_file(log), lsn) & ~(uint64_t)(LOGFILE_ALIGN - 1);
}

/* All before is in the segment, from memory. */
TEST_F(truncate, the_log_is_read_from_where_the_first_busy_page_is_queued)
{
	struct log_state state;
	uint64_t first;

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'a'));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_flush(self->log, state.tail));
	first = block_of(self->log, log_durable(self->log));
	for (int i = 5; i < 7; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'd'));
	self->fake->owned[5] = true;
	memset(self->fake->memory + 5 * TRACK_PAGE_SIZE, 'u', TRACK_PAGE_SIZE);
	EXPECT_EQ(0, truncate_and_see(&self->tr, self->log));
	EXPECT_EQ(first, reads.lowest);
	EXPECT_GE(block_of(self->log, log_durable(self->log)) + 2 * LOGFILE_ALIGN, reads.highest);
	EXPECT_EQ('a', in_segment(self->segment, 3));
	EXPECT_EQ('d', in_segment(self->segment, 5));
	EXPECT_EQ('d', in_segment(self->segment, 6));
	EXPECT_EQ(0, log_used(self->log));
	/* an unmapped region's records may be anywhere */
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 1, 'e'));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_flush(self->log, state.tail));
	first = block_of(self->log, state.head);
	for (int i = 5; i < 7; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'f'));
	self->tr.orphans = true;
	EXPECT_EQ(0, truncate_and_see(&self->tr, self->log));
	EXPECT_EQ(first, reads.lowest);
	EXPECT_EQ(0, log_used(self->log));
}

TEST_F(truncate, of_pages_side_by_side_only_the_busy_one_stays_dirty)
{
	for (int i = 1; i <= 3; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'a' + i));
	self->fake->owned[2] = true;
	ASSERT_EQ(0, truncate_log(&self->tr));
	EXPECT_EQ(1, dirty_count(&self->region->dirty));
	self->fake->owned[2] = false;
	for (int i = 1; i <= 3; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'p' + i));
	ASSERT_EQ(0, truncate_log(&self->tr));
	EXPECT_EQ(0, dirty_count(&self->region->dirty));
	for (int i = 1; i <= 3; i++)
		EXPECT_EQ('p' + i, in_segment(self->segment, i));
	EXPECT_EQ(0, held(self->fake));
}

/* Whatever it does meanwhile, it has done when truncator_stop() returns. */
static atomic_int slow_began, slow_ended;

static void be_slow(struct fake *fake)
{
	const struct timespec pause = { .tv_nsec = 50000000 };

	slow_began = 1;
	nanosleep(&pause, NULL);
	slow_ended = 1;
}

TEST_F(truncate, a_stopped_truncator_does_nothing_any_more)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < PAGES; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'a' + i));
	self->fake->after_first = be_slow;
	truncator_set_percent(&self->tr, 1);
	truncator_kick(&self->tr);
	ASSERT_LT(0, log_used(self->log));
	while (!slow_began)
		nanosleep(&pause, NULL);
	truncator_stop(&self->tr);
	EXPECT_EQ(1, atomic_load(&slow_ended));
	EXPECT_EQ(0, log_used(self->log));
	ASSERT_EQ(0, truncator_start(&self->tr, self->log, &self->regions, 0, NULL, NULL));
}

/* The owner commits newer bytes, somebody calls msync, reclaim may take the page. */
static void end_and_write(struct fake *fake)
{
	memset(fake->memory + 2 * TRACK_PAGE_SIZE, 'n', TRACK_PAGE_SIZE);
	fake->owned[2] = false;
	write_page(fake, 2);
}

TEST_F(truncate, newer_bytes_written_meanwhile_are_not_overwritten_from_the_log)
{
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 2, 'c'));
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 3, 'd'));
	self->fake->owned[2] = true;
	self->fake->owned[3] = true;
	self->fake->after_first = end_and_write;
	ASSERT_EQ(0, truncate_log(&self->tr));
	EXPECT_EQ('n', in_segment(self->segment, 2));
	EXPECT_EQ('d', in_segment(self->segment, 3));
	EXPECT_EQ(0, held(self->fake));
}

TEST_F(truncate, a_failed_writeback_frees_nothing_and_is_made_good_later)
{
	struct log_state before, after;

	for (int fail = 1; fail <= 2; fail++) {
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 1, 'x'));
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 4, 'y'));
		self->fake->owned[4] = true;
		self->fake->calls = 0;
		self->fake->fail_call = fail;
		log_state(self->log, &before);
		EXPECT_EQ(-EIO, truncate_log(&self->tr));
		log_state(self->log, &after);
		EXPECT_EQ(before.head, after.head);
		EXPECT_EQ(0, held(self->fake));
		self->fake->fail_call = 0;
		self->fake->owned[4] = false;
		ASSERT_EQ(0, truncate_log(&self->tr));
		EXPECT_EQ('x', in_segment(self->segment, 1));
		EXPECT_EQ('y', in_segment(self->segment, 4));
	}
}

TEST_F(truncate, records_of_an_unmapped_region_come_from_the_log)
{
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 6, 'o'));
	ASSERT_EQ(0, truncate_unmap(&self->tr, self->region));
	EXPECT_EQ(0, in_segment(self->segment, 6));
	ASSERT_EQ(0, truncate_orphans(&self->tr, NULL, NULL));
	EXPECT_EQ('o', in_segment(self->segment, 6));
	EXPECT_EQ(0, log_used(self->log));
}

static void count_progress(void *arg, uint64_t done, uint64_t total)
{
	++*(int *)arg;
}

TEST_F(truncate, who_asked_is_told_how_far_that_truncation_is_and_no_other)
{
	int told = 0;

	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 3, 'p'));
	self->tr.orphans = true;	/* so it reads the log */
	ASSERT_EQ(0, truncate_orphans(&self->tr, count_progress, &told));
	EXPECT_LT(0, told);
	told = 0;
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 4, 'q'));
	self->fake->owned[4] = true;	/* so it does again */
	EXPECT_EQ(0, truncate_and_see(&self->tr, self->log));
	EXPECT_LT(0, reads.highest);
	EXPECT_EQ(0, told);
}

TEST_F(truncate, a_region_in_use_is_not_unmapped)
{
	self->region->tracked = 1;
	EXPECT_EQ(-EBUSY, truncate_unmap(&self->tr, self->region));
	self->region->tracked = 0;
	EXPECT_EQ(self->region, self->regions.first);
}

static uint64_t head_of(struct log *log)
{
	struct log_state state;

	log_state(log, &state);
	return state.head;
}

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

TEST_F(truncate, a_record_of_a_segment_that_was_never_opened_is_told)
{
	struct log_range range = { .segment = 77, .length = 1, .data = "x" };
	uint64_t before, lsn;

	ASSERT_EQ(0, log_append(self->log, 1, &range, 1, &lsn));
	ASSERT_EQ(0, truncate_unmap(&self->tr, self->region));
	before = head_of(self->log);
	EXPECT_EQ(-EUCLEAN, truncate_orphans(&self->tr, NULL, NULL));
	EXPECT_NE(NULL, strstr(err_text(), "names segment 77"));
	EXPECT_EQ(before, head_of(self->log));
}

TEST_F(truncate, all_regions_are_relieved_until_one_fails)
{
	struct region *second = fake_region(self->fake, self->log);

	self->region->next = second;
	ASSERT_EQ(0, truncate_relieve(&self->tr));
	EXPECT_EQ(2, self->fake->relieved);
	self->fake->relieve_err = -EIO;
	EXPECT_EQ(-EIO, truncate_relieve(&self->tr));
	EXPECT_EQ(3, self->fake->relieved);
}

/* Two regions: the first one's error is not lost behind the other's success. */
TEST_F(truncate, an_error_of_the_first_region_ends_the_truncation)
{
	struct region *second = fake_region(self->fake, self->log);

	self->region->next = second;
	ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, 1, 'b'));
	ASSERT_EQ(0, region_note_dirty(second, 3, 3));
	self->fake->fail_call = 1;
	EXPECT_EQ(-EIO, truncate_log(&self->tr));
	EXPECT_EQ(1, self->fake->calls);
	EXPECT_LT(0, log_used(self->log));
	ASSERT_EQ(0, truncate_log(&self->tr));
	EXPECT_EQ('b', in_segment(self->segment, 1));
	EXPECT_EQ(0, log_used(self->log));
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

TEST_F(truncate, without_memory_nothing_is_freed_and_nothing_stays_held)
{
	uint64_t before;
	unsigned int at;
	int err = -ENOMEM;

	for (int i = 0; i < PAGES; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'a' + i));
	ASSERT_EQ(0, truncate_relieve(&self->tr));
	for (int i = 1; i < PAGES; i += 2)	/* more than a set has at hand */
		self->fake->owned[i] = true;
	before = head_of(self->log);
	for (at = 1; err; at++) {
		fail_memory(at, false);
		err = truncate_log(&self->tr);
		fail_memory(0, false);
		ASSERT_TRUE(!err || err == -ENOMEM);
		ASSERT_EQ(0, held(self->fake));
		ASSERT_EQ(0, self->region->busy.count);
		if (err)
			ASSERT_EQ(before, head_of(self->log));
	}
	EXPECT_LT(4, at);
	EXPECT_EQ(0, log_used(self->log));
	EXPECT_EQ(PAGES / 2, dirty_count(&self->region->dirty));
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ('a' + i, in_segment(self->segment, i));
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

/* As the fake, but pages are not written back. */
static const struct track_ops plain_ops = {
	.name = "plain",
	.close = fake_close,
};

static int append_page(struct log *log, uint32_t segment, uint64_t page, char byte)
{
	char bytes[TRACK_PAGE_SIZE];
	struct log_range range = {
		.segment = segment,
		.offset = page * TRACK_PAGE_SIZE,
		.length = sizeof(bytes),
		.data = bytes,
	};
	uint64_t lsn;

	memset(bytes, byte, sizeof(bytes));
	return log_append(log, 1, &range, 1, &lsn);
}

/* Two pages of the segment are mapped; another segment is, too; the rest comes from the log. */
TEST_F(truncate, only_pages_of_mapped_parts_are_left_to_memory)
{
	struct fake *other = calloc(1, sizeof(*other));
	struct segment *segment;
	char path[128];

	snprintf(path, sizeof(path), "%s/other", self->dir);
	ASSERT_EQ(0, regions_segment(&self->regions, self->log, path, LENGTH, &segment));
	other->base.ops = &plain_ops;
	other->segment = segment;
	self->region->next = fake_region(other, self->log);
	self->region->offset = 2 * TRACK_PAGE_SIZE;
	self->region->length = 2 * TRACK_PAGE_SIZE;
	for (int i = 0; i < PAGES; i++) {
		ASSERT_EQ(0, append_page(self->log, self->segment->id, i, 'a' + i));
		ASSERT_EQ(0, append_page(self->log, segment->id, i, 'A' + i));
	}
	EXPECT_FALSE(increment_possible(&self->tr));
	ASSERT_EQ(0, truncate_log(&self->tr));
	for (int i = 0; i < PAGES; i++) {
		bool mapped = i == 2 || i == 3;

		EXPECT_EQ(mapped ? 0 : 'a' + i, in_segment(self->segment, i));
		EXPECT_EQ('A' + i, in_segment(segment, i));
	}
	EXPECT_EQ(0, log_used(self->log));
	EXPECT_EQ(0, truncate_relieve(&self->tr));	/* of one there is nothing to relieve */
	EXPECT_EQ(1, self->fake->relieved);
	unlink(path);
}

static int flush_all(struct log *log)
{
	struct log_state state;

	log_state(log, &state);
	return log_flush(log, state.tail);
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

static int count_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST_F(truncate, recovery_leaves_no_descriptor_open)
{
	int before;

	truncator_stop(&self->tr);
	for (int i = 0; i < PAGES; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'a' + i));
	ASSERT_EQ(0, flush_all(self->log));
	EXPECT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, log_open(self->log_path, 65536, false, &self->log));
	before = count_descriptors();
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, NULL));
	EXPECT_EQ(before, count_descriptors());
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ('a' + i, in_segment(self->segment, i));
	ASSERT_EQ(0, truncator_start(&self->tr, self->log, &self->regions, 0, NULL, NULL));
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
