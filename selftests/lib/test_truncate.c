// SPDX-License-Identifier: GPL-2.0
/* Truncation against a tracker that behaves as the kernel module may at its worst. */
#include <fcntl.h>
#include <stdatomic.h>

#include "fakemod.h"
#include "logfile.h"
#include "nomemory.h"

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

/* What truncation comes to; -ENOMSG if pages are held or busy then, or it failed and freed some. */
static int truncate_or_nothing(void *arg)
{
	FIXTURE_DATA(truncate) *self = arg;
	uint64_t before = head_of(self->log);
	int err;

	err = truncate_log(&self->tr);
	if (held(self->fake) || self->region->busy.count || (err && head_of(self->log) != before))
		return -ENOMSG;
	return err;
}

TEST_F(truncate, without_memory_nothing_is_freed_and_nothing_stays_held)
{
	for (int i = 0; i < PAGES; i++)
		ASSERT_EQ(0, commit_page(self->log, self->region, self->fake, i, 'a' + i));
	ASSERT_EQ(0, truncate_relieve(&self->tr));
	for (int i = 1; i < PAGES; i += 2)	/* more than a set has at hand */
		self->fake->owned[i] = true;
	EXPECT_LT(2, fail_each_allocation(truncate_or_nothing, self));
	EXPECT_EQ(0, log_used(self->log));
	EXPECT_EQ(PAGES / 2, dirty_count(&self->region->dirty));
	for (int i = 0; i < PAGES; i++)
		EXPECT_EQ('a' + i, in_segment(self->segment, i));
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
	EXPECT_EQ(2, self->fake->relieved);
	unlink(path);
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

TEST_HARNESS_MAIN
