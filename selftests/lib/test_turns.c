// SPDX-License-Identifier: GPL-2.0
/*
 * Truncation writes a large segment in turns: what commits wait for meanwhile, and what ends the
 * turns.
 */
#include "game.h"
#include "nomemory.h"

#define BIG	"/big"
#define MANY	300	/* pages of it */

/*
 * struct flow - pages of a large segment on their way from memory to the disk
 * @written: pages
 * @waiting: of them while commits waited
 * @heads: writes of a status while commits waited
 * @past_cache: the segment was opened for direct I/O beside commits
 * @late: likewise while commits waited
 * @turn: pages since the head moved last
 * @longest: the most of them
 */
static struct flow {
	int written;
	int waiting;
	int heads;
	int past_cache;
	int late;
	int turn;
	int longest;
} flow;

static bool copy_many(void *arg, struct region *region, const uint64_t *pages, size_t n,
		      char *to, bool *copied)
{
	memset(to, 1, n * TRACK_PAGE_SIZE);
	memset(copied, true, n * sizeof(*copied));
	return true;
}

static ssize_t count_and_write(int fd, const struct iovec *iov, int count, uint64_t offset,
			       bool sync)
{
	int pages = iov[0].iov_len / TRACK_PAGE_SIZE;

	if (mem_file(fd) == mem_find(BIG)) {
		flow.written += pages;
		flow.waiting += game.tr.frozen ? pages : 0;
		flow.turn += pages;
		if (flow.longest < flow.turn)
			flow.longest = flow.turn;
	} else if (offset < 8192) {
		flow.turn = 0;
		flow.heads += game.tr.frozen;
	}
	return mem_pwritev(fd, iov, count, offset, sync);
}

static int (*mem_direct)(int fd, bool direct);

static int count_direct(int fd, bool direct)
{
	if (mem_file(fd) == mem_find(BIG) && game.tr.frozen)
		flow.late++;
	else if (mem_file(fd) == mem_find(BIG))
		flow.past_cache++;
	return mem_direct(fd, direct);
}

/* After a record for each every other page of a large segment is dirty: each is a write. */
static int start_flow(struct segment **segment)
{
	uint64_t page, lsn;
	int err = start_game(1 << 20, false);

	order_excused = true;	/* the records are about another segment */
	if (!err)
		err = segment_open(BIG, 2 * MANY * TRACK_PAGE_SIZE, segment);
	if (err)
		return err;
	memset(&flow, 0, sizeof(flow));
	dirty_free(&game.region.dirty);
	dirty_init(&game.region.dirty, 2 * MANY);
	game.region.segment = *segment;
	game.region.length = 2 * MANY * TRACK_PAGE_SIZE;
	game.tr.copy = copy_many;
	mem_direct = os.set_direct;
	os.pwritev = count_and_write;
	os.set_direct = count_direct;
	for (page = 0; page < 2 * MANY && !err; page += 2) {
		err = region_note_dirty(&game.region, page, page);
		if (!err)
			err = append_tx(game.log, page / 2 + 1, 8, &lsn);
		if (!err)
			err = log_flush(game.log, lsn);
	}
	return err;
}

static void end_flow(struct segment *segment)
{
	os.set_direct = mem_direct;
	end_game();
	segment_close(segment);
}

static int note_call(void *arg, uint64_t tail)
{
	*(bool *)arg = game.tr.frozen;
	return log_set_head(game.log, tail);
}

/* Commits wait for a sync of few pages, not for one write after the other, nor for the head. */
TEST(while_commits_wait_pages_go_through_the_cache_and_the_head_moves_once)
{
	struct segment *segment;
	bool frozen = false;

	ASSERT_EQ(0, start_flow(&segment));
	ASSERT_EQ(0, truncate_empty(&game.tr, note_call, &frozen));
	EXPECT_TRUE(frozen);
	EXPECT_FALSE(game.tr.frozen);
	EXPECT_EQ(MANY, flow.written);
	EXPECT_EQ(MANY, flow.waiting);
	EXPECT_GE(64, flow.longest);
	EXPECT_EQ(0, flow.late);
	EXPECT_EQ(2, flow.heads);
	EXPECT_EQ(0, dirty_count(&game.region.dirty));
	end_flow(segment);
}

static int note_moves(void *arg, uint64_t tail)
{
	*(uint64_t *)arg = game.tr.moves;
	return log_set_head(game.log, tail);
}

/* A commit that found the log full does not wait until all is written. */
TEST(who_waits_for_room_tries_again_after_each_turn)
{
	struct segment *segment;
	uint64_t turns = 0;

	ASSERT_EQ(0, start_flow(&segment));
	ASSERT_EQ(0, truncate_empty(&game.tr, note_moves, &turns));
	EXPECT_LT(2, turns);
	EXPECT_EQ(turns + 1, game.tr.moves);
	end_flow(segment);
}

/* Beside commits a write is on the disk when the next one begins. */
TEST(beside_commits_pages_go_past_the_cache)
{
	struct segment *segment;

	ASSERT_EQ(0, start_flow(&segment));
	ASSERT_EQ(0, make_all_steps());
	EXPECT_EQ(MANY, flow.written);
	EXPECT_LT(0, flow.past_cache);
	EXPECT_EQ(0, flow.waiting);
	end_flow(segment);
}

/* While commits wait none ends: what is blocked stays so, and nobody waits for it. */
TEST(while_commits_wait_a_blocked_page_is_not_tried_again)
{
	uint64_t lsn = 0;
	bool frozen;

	ASSERT_EQ(0, start_game(131072, false));
	game.epochs = true;
	ASSERT_EQ(0, commit_number(1, &lsn));
	game.blocked[0] = true;
	ASSERT_EQ(0, truncate_empty(&game.tr, note_call, &frozen));
	EXPECT_EQ(0, game.wrong);
	EXPECT_EQ(1, game.refused);
	EXPECT_EQ(1, prefix(mem_find(SEG)->stable, MOST));
	end_game();
}

/* The large segment's pages are copied in two parts: more than one holds are dirty. */
static int note_all(void)
{
	uint64_t page, lsn;
	int err = 0;

	for (page = 0; page < 2 * MANY && !err; page++)
		err = region_note_dirty(&game.region, page, page);
	if (!err)
		err = append_tx(game.log, MANY + 1, 8, &lsn);
	return err ? err : log_flush(game.log, lsn);
}

/* One step would be enough for the log to be as full as it may be, and not more. */
TEST(the_thread_makes_steps_until_the_log_is_three_quarters_as_full_as_it_may_be)
{
	uint64_t page, lsn, most = (1 << 20) / 100 * 20;
	struct segment *segment;
	unsigned int ms;

	ASSERT_EQ(0, start_flow(&segment));
	ASSERT_EQ(0, truncate_log(&game.tr));
	ASSERT_EQ(0, truncator_start(&game.tr, game.log, &game.regions, 20, copy_many, NULL));
	truncator_set_incremental(&game.tr, true);
	for (page = 0; page < 2 * MANY; page++) {
		ASSERT_EQ(0, region_note_dirty(&game.region, page, page));
		ASSERT_EQ(0, append_tx(game.log, 1, 8, &lsn));
		ASSERT_EQ(0, log_flush(game.log, lsn));
	}
	ASSERT_LT(most, log_used(game.log));
	truncator_kick(&game.tr);
	for (ms = 0; ms < 5000 && log_used(game.log) > most / 4 * 3; ms++)
		usleep(1000);
	EXPECT_GE(most / 4 * 3, log_used(game.log));
	truncator_stop(&game.tr);
	end_flow(segment);
}

static unsigned int writes_left;

static ssize_t write_some(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	if (mem_file(fd) == mem_find(BIG) && !writes_left--)
		return -EIO;
	return count_and_write(fd, iov, count, offset, sync);
}

TEST(no_part_is_written_after_one_that_failed)
{
	struct segment *segment;
	uint64_t before;

	ASSERT_EQ(0, start_flow(&segment));
	ASSERT_EQ(0, note_all());
	before = head();
	writes_left = 2;
	os.pwritev = write_some;
	ASSERT_EQ(-EIO, truncate_log(&game.tr));
	EXPECT_LT(0, flow.written);
	EXPECT_GT(512, flow.written);
	EXPECT_EQ(before, head());
	EXPECT_EQ(2 * MANY, dirty_count(&game.region.dirty));
	os.pwritev = count_and_write;
	ASSERT_EQ(0, truncate_log(&game.tr));
	EXPECT_EQ(0, dirty_count(&game.region.dirty));
	EXPECT_EQ(log_durable(game.log), head());
	end_flow(segment);
}

TEST(a_turn_that_fails_ends_them_all_and_commits_go_on)
{
	struct segment *segment;
	bool called = false;
	uint64_t before;

	ASSERT_EQ(0, start_flow(&segment));
	before = head();
	writes_left = 100;
	os.pwritev = write_some;
	ASSERT_EQ(-EIO, truncate_empty(&game.tr, note_call, &called));
	EXPECT_FALSE(called);
	EXPECT_FALSE(game.tr.frozen);
	EXPECT_LE(before, head());
	EXPECT_EQ(100, flow.written);
	os.pwritev = count_and_write;
	ASSERT_EQ(0, truncate_empty(&game.tr, note_call, &called));
	EXPECT_TRUE(called);
	end_flow(segment);
}

static unsigned int copies;

/* All but the first page are copied, and commits reference each again at once. */
static bool copy_and_note(void *arg, struct region *region, const uint64_t *pages, size_t n,
			  char *to, bool *copied)
{
	size_t i;

	copies += n;
	copy_many(arg, region, pages, n, to, copied);
	for (i = 0; i < n; i++) {
		copied[i] = pages[i];
		if (copied[i])
			region_note_dirty(region, pages[i], pages[i]);
	}
	return true;
}

static bool copy_nothing(void *arg, struct region *region, const uint64_t *pages, size_t n,
			 char *to, bool *copied)
{
	copies += n;
	memset(copied, false, n * sizeof(*copied));
	return true;
}

/* An epoch that writes no page, as all are busy. */
static int make_busy_epoch(void *arg)
{
	uint64_t before = head();
	int err;

	err = truncate_log(&game.tr);
	return dirty_count(&game.region.dirty) == MANY ? unmoved(err, before) : -ENOMSG;
}

TEST(an_epoch_whose_busy_pages_find_no_memory_frees_nothing)
{
	struct segment *segment;

	ASSERT_EQ(0, start_flow(&segment));
	game.tr.copy = copy_nothing;
	EXPECT_LT(6, fail_each_allocation(make_busy_epoch, NULL));
	EXPECT_EQ(log_durable(game.log), head());
	end_flow(segment);
}

/* Pages are written, and then the log is not: its records, or its status. */
static unsigned int log_writes_left;

static ssize_t write_no_log(int fd, const struct iovec *iov, int count, uint64_t offset,
			    bool sync)
{
	if (mem_file(fd) == mem_find(LOG) && !log_writes_left--)
		return -EIO;
	return count_and_write(fd, iov, count, offset, sync);
}

TEST(a_turn_whose_log_cannot_be_written_is_the_last_one)
{
	unsigned int records;

	for (records = 0; records < 2; records++) {
		struct segment *segment;
		bool called = false;
		uint64_t lsn;

		ASSERT_EQ(0, start_flow(&segment));
		if (records)
			ASSERT_EQ(0, append_tx(game.log, MANY + 1, 8, &lsn));
		log_writes_left = 0;
		os.pwritev = write_no_log;
		EXPECT_EQ(-EIO, truncate_empty(&game.tr, note_call, &called));
		EXPECT_FALSE(called);
		EXPECT_FALSE(game.tr.frozen);
		EXPECT_EQ(-EIO, log_error(game.log));
		EXPECT_EQ(records, !flow.written);
		end_flow(segment);
	}
}

static void commit_meanwhile(void)
{
	uint64_t lsn;

	if (!game.tr.frozen && !append_tx(game.log, 1, 8, &lsn))
		log_flush(game.log, lsn);
}

/* What turns do not bring nearer is one long turn. */
TEST(turns_end_where_as_many_pages_come_as_go_or_none_goes)
{
	truncate_copy_fn *const copy[] = { copy_and_note, copy_nothing };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(copy); i++) {
		struct segment *segment;
		bool called = false;

		ASSERT_EQ(0, start_flow(&segment));
		game.tr.copy = copy[i];
		copies = 0;
		game.pause = commit_meanwhile;
		ASSERT_EQ(0, truncate_empty(&game.tr, note_call, &called));
		EXPECT_TRUE(called);
		EXPECT_LT(i ? MANY : 4 * MANY, copies);
		EXPECT_EQ(MANY, dirty_count(&game.region.dirty));
		EXPECT_EQ(log_durable(game.log), head());
		EXPECT_EQ(i, !flow.written);
		end_flow(segment);
	}
}

TEST_HARNESS_MAIN
