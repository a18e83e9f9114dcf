// SPDX-License-Identifier: GPL-2.0
/*
 * Truncation from memory: the page vector, the page queue, and steps and epochs that lose power
 * anywhere.  The disk is in memory, and what may be written when is checked at each write.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "dirty.h"
#include "increment.h"
#include "logfile.h"
#define truncate_log empty_log	/* the helper there, not the library's function */
#include "logtest.h"
#undef truncate_log
#include "nomemory.h"
#include "region.h"
#include "statistics.h"
#include "track.h"
#include "truncate.h"

#define MOST 700
#define PAGES (SEG_SIZE / TRACK_PAGE_SIZE)

TEST(a_vector_holds_what_a_model_holds)
{
	static bool model[5000];
	struct page_state *state;
	struct pagevec vec;
	unsigned int seed = 3;
	size_t count = 0;
	int i;

	pagevec_init(&vec);
	ASSERT_EQ(NULL, pagevec_get(&vec, 1));
	for (i = 0; i < 200000; i++) {
		uint64_t n = rand_r(&seed) % ARRAY_SIZE(model);
		uint64_t page = n << (n % 3 * 20);	/* near and far */

		state = pagevec_get(&vec, page);
		ASSERT_EQ(model[n], !!state);
		if (state) {
			ASSERT_EQ(page, state->page);
			ASSERT_EQ(n * 7, state->lsn);
			pagevec_drop(&vec, state);
			count--;
		} else {
			state = pagevec_make(&vec, page);
			ASSERT_NE(NULL, state);
			ASSERT_FALSE(state->dirty || state->reserved || state->refs);
			ASSERT_EQ(state, pagevec_make(&vec, page));
			state->lsn = n * 7;
			count++;
		}
		model[n] = !model[n];
		ASSERT_EQ(count, vec.count);
	}
	ASSERT_LE(vec.size, 4 * ARRAY_SIZE(model));
	pagevec_free(&vec);
	ASSERT_EQ(NULL, pagevec_get(&vec, 1));
}

TEST(a_queue_gives_back_in_order_what_was_taken)
{
	struct queued_page taken[50];
	struct pagequeue queue;
	uint64_t in = 0, out = 0;
	int round, i;

	pagequeue_init(&queue);
	ASSERT_EQ(NULL, pagequeue_first(&queue));
	for (round = 0; round < 300; round++) {
		for (i = 0; i < 50 + round % 7; i++, in++)
			ASSERT_EQ(0, pagequeue_push(&queue, in, in * 2));
		for (i = 0; i < 50; i++)
			taken[i] = pagequeue_take(&queue);
		/* the room of those that may come back is not given away */
		for (i = 0; i < 10; i++, in++)
			ASSERT_EQ(0, pagequeue_push(&queue, in, in * 2));
		for (i = 50; i--;) {
			ASSERT_EQ(out + i, taken[i].page);
			if (i < 25)
				pagequeue_done(&queue);
			else
				pagequeue_back(&queue, taken[i].page, taken[i].lsn);
		}
		out += 25;
		ASSERT_EQ(out, pagequeue_first(&queue)->page);
		ASSERT_EQ(out * 2, pagequeue_first(&queue)->lsn);
		ASSERT_EQ(in - out, queue.count);
	}
	pagequeue_free(&queue);
}

/* A region whose memory is what transactions that ended made of it, as a twin is. */
static const struct track_ops twin_ops = { .name = "twin" };

/*
 * struct game - a log, a region and a truncator without its thread
 * @memory: the committed state
 * @blocked: of each page: it has an uncommitted reference
 * @epochs: truncation is not by steps: what is blocked takes the log's bytes
 * @needed: of each page: end of the newest record whose bytes are in @memory
 * @copied: pages that were copied
 * @refused: pages that were not, for their references
 */
static struct game {
	struct log *log;
	struct segment *segment;
	struct tracker tracker;
	struct region region;
	struct regions regions;
	struct truncator tr;
	unsigned char memory[SEG_SIZE];
	bool blocked[PAGES];
	bool epochs;
	uint64_t needed[PAGES];
	unsigned int wrong;
	uint64_t copied;
	uint64_t refused;
} game;

static bool copy_pages(void *arg, struct region *region, const uint64_t *pages, size_t n,
		       char *to, bool *copied)
{
	size_t i;

	if (n > TRUNCATE_BATCH)
		abort();
	for (i = 0; i < n; i++) {
		if (copied[i])
			abort();	/* it is asked for again */
		copied[i] = !game.blocked[pages[i]];
		game.copied += copied[i];
		game.refused += !copied[i];
		if (copied[i])
			memcpy(to + i * TRACK_PAGE_SIZE,
			       game.memory + pages[i] * TRACK_PAGE_SIZE, TRACK_PAGE_SIZE);
	}
	return true;
}

static bool may_write(uint64_t page)
{
	if (game.blocked[page])
		return game.epochs;
	return game.needed[page] <= log_durable(game.log);
}

/*
 * The order checker: no page is written before its records are durable or while it is
 * referenced, and no status before the segment is synced.
 */
static ssize_t check_and_write(int fd, const struct iovec *iov, int count, uint64_t offset,
			       bool sync)
{
	struct mem_file *file = mem_file(fd), *segment = mem_find(SEG);
	uint64_t at;

	if (file == segment)
		for (at = offset; at < offset + iov[0].iov_len; at += TRACK_PAGE_SIZE)
			game.wrong += !may_write(at / TRACK_PAGE_SIZE);
	else if (offset < 8192)
		game.wrong += memcmp(segment->data, segment->stable, SEG_SIZE) != 0;
	return mem_pwritev(fd, iov, count, offset, sync);
}

static int start_game(uint64_t area, bool separate_syncs)
{
	int err;

	memset(&game, 0, sizeof(game));
	statistics_start();
	err = make_disk(area);
	mem.sync_writes = !separate_syncs;
	if (!err)
		err = open_log(0, &game.log);
	if (!err)
		err = segment_open(SEG, 0, &game.segment);
	if (err)
		return err;
	game.segment->id = 1;
	game.tracker.ops = &twin_ops;
	game.region.segment = game.segment;
	game.region.length = SEG_SIZE;
	game.region.tracker = &game.tracker;
	game.region.log = game.log;
	dirty_init(&game.region.dirty, SEG_SIZE / TRACK_PAGE_SIZE);
	pthread_rwlock_init(&game.regions.lock, NULL);
	game.regions.first = &game.region;
	game.regions.segments = game.segment;
	game.tr.log = game.log;
	game.tr.regions = &game.regions;
	game.tr.copy = copy_pages;
	os.pwritev = check_and_write;
	return 0;
}

static void end_game(void)
{
	os.pwritev = mem_pwritev;
	dirty_free(&game.region.dirty);
	segment_close(game.segment);
	log_close(game.log);
}

/* Commits transaction @number: note, append, make it the committed state. */
static int commit_number(uint64_t number, uint64_t *lsn)
{
	unsigned int i;
	struct tx tx;
	int err = 0;

	make_tx(&tx, number, MOST);
	for (i = 0; i < tx.count && !err; i++)
		err = region_note_dirty(&game.region, tx.ranges[i].offset / TRACK_PAGE_SIZE,
					(tx.ranges[i].offset + tx.ranges[i].length - 1) /
					TRACK_PAGE_SIZE);
	if (!err)
		err = log_append(game.log, number, tx.ranges, tx.count, lsn);
	for (i = 0; i < tx.count && !err; i++) {
		uint64_t at = tx.ranges[i].offset, end = at + tx.ranges[i].length;

		memcpy(game.memory + at, tx.data[i], tx.ranges[i].length);
		for (; at < end; at = (at / TRACK_PAGE_SIZE + 1) * TRACK_PAGE_SIZE)
			game.needed[at / TRACK_PAGE_SIZE] = *lsn;
	}
	return err;
}

/* Steps until one moves nothing. */
static int make_all_steps(void)
{
	bool moved = true;
	int err = 0;

	while (moved && !err)
		err = increment_step(&game.tr, &moved);
	return err;
}

static uint64_t counted(enum statistics_count what)
{
	struct statistics_counts total, epoch;
	struct statistics_last last;

	statistics_read(&total, &epoch, &last);
	return total.n[what];
}

static uint64_t head(void)
{
	struct log_state state;

	log_state(game.log, &state);
	return state.head;
}

TEST(steps_empty_the_log_and_write_each_page_once)
{
	uint64_t n, lsn = 0;

	ASSERT_EQ(0, start_game(131072, false));
	for (n = 1; n <= 40; n++)
		ASSERT_EQ(0, commit_number(n, &lsn));
	ASSERT_EQ(0, log_flush(game.log, lsn));
	ASSERT_EQ(0, make_all_steps());
	ASSERT_EQ(0, game.wrong);
	ASSERT_EQ(log_durable(game.log), head());
	ASSERT_LE(game.copied, PAGES);
	ASSERT_EQ(game.copied, counted(STATISTICS_STEP_PAGES));
	ASSERT_EQ(0, counted(STATISTICS_STEP_BLOCKED));
	ASSERT_EQ(0, dirty_count(&game.region.dirty));
	ASSERT_EQ(0, memcmp(mem_find(SEG)->stable, game.memory, SEG_SIZE));
	end_game();
}

TEST(a_referenced_page_blocks_the_head_at_its_first_record)
{
	uint64_t n, lsn = 0, first;

	ASSERT_EQ(0, start_game(131072, false));
	ASSERT_EQ(0, commit_number(1, &lsn));
	ASSERT_EQ(0, log_flush(game.log, lsn));
	first = head();
	game.blocked[0] = true;	/* each transaction writes its number there */
	for (n = 2; n <= 40; n++)
		ASSERT_EQ(0, commit_number(n, &lsn));
	ASSERT_EQ(0, log_flush(game.log, lsn));
	ASSERT_EQ(0, make_all_steps());
	ASSERT_EQ(0, game.wrong);
	ASSERT_EQ(first, head());
	ASSERT_GT(game.refused, 1);	/* it was tried again */
	ASSERT_EQ(1, counted(STATISTICS_STEP_BLOCKED));
	ASSERT_EQ(game.copied, counted(STATISTICS_STEP_PAGES));
	ASSERT_EQ(0, counted(STATISTICS_STEP));
	ASSERT_EQ(1, dirty_count(&game.region.dirty));
	game.blocked[0] = false;
	ASSERT_EQ(0, make_all_steps());
	ASSERT_EQ(0, game.wrong);
	ASSERT_EQ(log_durable(game.log), head());
	ASSERT_LT(0, counted(STATISTICS_STEP));
	ASSERT_EQ(0, memcmp(mem_find(SEG)->stable, game.memory, SEG_SIZE));
	end_game();
}

TEST(a_page_whose_newest_record_is_not_durable_waits_for_the_log)
{
	uint64_t lsn = 0;

	ASSERT_EQ(0, start_game(131072, false));
	ASSERT_EQ(0, commit_number(1, &lsn));
	ASSERT_EQ(0, log_flush(game.log, lsn));
	ASSERT_EQ(0, commit_number(2, &lsn));
	ASSERT_LT(log_durable(game.log), lsn);
	ASSERT_EQ(0, make_all_steps());
	ASSERT_EQ(0, game.wrong);
	ASSERT_GE(log_durable(game.log), lsn);
	end_game();
}

/* A page stands in the queue twice: noted when it had been taken, and not to be written then. */
static int queue_twice(struct queued_page *twice)
{
	struct queued_page taken[PAGES];
	uint64_t lsn = 0;
	size_t n;
	int err;

	err = start_game(131072, false);
	if (!err)
		err = commit_number(1, &lsn);
	if (!err)
		err = log_flush(game.log, lsn);
	if (err)
		return err;
	n = dirty_take(&game.region.dirty, taken, PAGES, UINT64_MAX);
	*twice = taken[0];
	if (n < 2 || dirty_first(&game.region.dirty) != DIRTY_NONE)
		return -1;
	err = region_note_dirty(&game.region, twice->page, twice->page);
	if (err || dirty_first(&game.region.dirty) <= twice->lsn ||
	    dirty_take(&game.region.dirty, taken + n, 1, UINT64_MAX))
		return -1;
	while (n-- > 1)
		dirty_done(&game.region.dirty, taken[n].page);
	dirty_back(&game.region.dirty, twice->page, twice->lsn);
	return 0;
}

/* Its old place counts, and once, whether the page is written now, or noted again before. */
TEST(a_page_noted_while_it_is_written_is_queued_anew)
{
	enum { WRITTEN, TAKEN, NOTED, ENDS } end;
	struct queued_page twice, taken;
	struct dirty *dirty = &game.region.dirty;
	uint64_t lsn;

	for (end = WRITTEN; end < ENDS; end++) {
		ASSERT_EQ(0, queue_twice(&twice));
		ASSERT_EQ(twice.lsn, dirty_first(dirty));
		ASSERT_EQ(1, dirty_take(dirty, &taken, 1, UINT64_MAX));
		ASSERT_EQ(twice.page, taken.page);
		if (end == TAKEN)
			ASSERT_EQ(DIRTY_NONE, dirty_first(dirty));
		if (end == NOTED) {
			ASSERT_EQ(0, append_tx(game.log, 2, MOST, &lsn));
			ASSERT_EQ(0, log_flush(game.log, lsn));
			ASSERT_EQ(0, region_note_dirty(&game.region, twice.page, twice.page));
			ASSERT_EQ(log_durable(game.log), dirty_first(dirty));
		}
		dirty_done(dirty, twice.page);
		if (end == NOTED) {
			ASSERT_EQ(1, dirty_take(dirty, &taken, 1, UINT64_MAX));
			dirty_done(dirty, taken.page);
		}
		ASSERT_EQ(DIRTY_NONE, dirty_first(dirty));
		ASSERT_EQ(0, dirty_count(dirty));
		end_game();
	}
}

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

static uint64_t lowest_read;

static ssize_t note_pread(int fd, void *buf, size_t length, uint64_t offset)
{
	if (mem_file(fd) == mem_find(LOG) && offset < lowest_read)
		lowest_read = offset;
	return mem_pread(fd, buf, length, offset);
}

TEST(an_epoch_reads_the_log_from_where_a_blocked_page_is_queued)
{
	uint64_t page, lsn, first = 0;

	ASSERT_EQ(0, start_game(131072, false));
	order_excused = true;	/* the records are not about the pages that are noted */
	game.epochs = true;
	for (page = 0; page < PAGES; page++) {
		first = log_durable(game.log);
		ASSERT_EQ(0, region_note_dirty(&game.region, page, page));
		ASSERT_EQ(0, append_tx(game.log, page + 1, MOST, &lsn));
		ASSERT_EQ(0, log_flush(game.log, lsn));
	}
	game.blocked[PAGES - 1] = true;
	lowest_read = UINT64_MAX;
	os.pread = note_pread;
	ASSERT_EQ(0, truncate_log(&game.tr));
	os.pread = mem_pread;
	EXPECT_EQ(logfile_position(log_file(game.log), first) & ~(uint64_t)(LOGFILE_ALIGN - 1),
		  lowest_read);
	EXPECT_LT(logfile_position(log_file(game.log), 0) + LOGFILE_ALIGN, lowest_read);
	EXPECT_EQ(log_durable(game.log), head());
	end_game();
}

TEST(an_epoch_takes_from_the_log_only_what_is_blocked)
{
	unsigned char old[SEG_SIZE];
	uint64_t n, lsn = 0;

	ASSERT_EQ(0, start_game(131072, false));
	game.epochs = true;
	for (n = 1; n <= 40; n++)
		ASSERT_EQ(0, commit_number(n, &lsn));
	game.blocked[0] = true;
	memcpy(old, game.memory, SEG_SIZE);
	memset(game.memory, 0xee, TRACK_PAGE_SIZE);	/* what is not committed */
	ASSERT_EQ(0, truncate_log(&game.tr));
	ASSERT_EQ(0, game.wrong);
	ASSERT_EQ(log_durable(game.log), head());
	ASSERT_EQ(1, dirty_count(&game.region.dirty));
	ASSERT_EQ(0, memcmp(mem_find(SEG)->stable + TRACK_PAGE_SIZE, old + TRACK_PAGE_SIZE,
			    SEG_SIZE - TRACK_PAGE_SIZE));
	ASSERT_EQ(40, prefix(mem_find(SEG)->stable, MOST));
	memcpy(game.memory, old, TRACK_PAGE_SIZE);
	game.blocked[0] = false;
	ASSERT_EQ(0, commit_number(41, &lsn));
	ASSERT_EQ(0, truncate_log(&game.tr));
	ASSERT_EQ(0, game.wrong);
	ASSERT_EQ(log_durable(game.log), head());
	ASSERT_EQ(0, dirty_count(&game.region.dirty));
	ASSERT_EQ(0, memcmp(mem_find(SEG)->stable, game.memory, SEG_SIZE));
	end_game();
}

/*
 * until_memory_lasts() - truncate with each allocation failing in turn, until none does: it is
 * told, the head stays, and nothing is left behind; how many failed, or -1
 */
static int until_memory_lasts(int (*truncate)(void))
{
	uint64_t before = head();
	int at, err;

	for (at = 0;; at++) {
		fail_memory(at + 1, false);
		err = truncate();
		fail_memory(0, false);
		if ((err && err != -ENOMEM) || game.region.busy.count)
			return -1;
		if (!err)
			return at;
		if (head() != before)
			return -1;
	}
}

static int make_epoch(void)
{
	return truncate_log(&game.tr);
}

static int make_step(void)
{
	bool moved = false;
	int err;

	err = increment_step(&game.tr, &moved);
	return moved == !err ? err : -ENOMSG;
}

/* An epoch that writes no page, as all are busy. */
static int make_busy_epoch(void)
{
	int err;

	err = truncate_log(&game.tr);
	return dirty_count(&game.region.dirty) == MANY ? err : -ENOMSG;
}

TEST(an_epoch_without_memory_frees_nothing_and_keeps_what_is_blocked)
{
	unsigned char old[SEG_SIZE];
	uint64_t n, lsn = 0;

	ASSERT_EQ(0, start_game(131072, false));
	game.epochs = true;
	for (n = 1; n <= 40; n++)
		ASSERT_EQ(0, commit_number(n, &lsn));
	for (n = 0; n < 6; n += 2)
		game.blocked[n] = true;
	memcpy(old, game.memory, SEG_SIZE);
	EXPECT_LT(6, until_memory_lasts(make_epoch));
	ASSERT_EQ(0, game.wrong);
	ASSERT_EQ(log_durable(game.log), head());
	ASSERT_EQ(3, dirty_count(&game.region.dirty));
	ASSERT_EQ(0, memcmp(mem_find(SEG)->stable, old, SEG_SIZE));
	end_game();
}

TEST(a_step_without_memory_moves_nothing)
{
	uint64_t lsn = 0;

	ASSERT_EQ(0, start_game(131072, false));
	ASSERT_EQ(0, commit_number(1, &lsn));
	ASSERT_EQ(0, log_flush(game.log, lsn));
	EXPECT_LT(2, until_memory_lasts(make_step));
	ASSERT_EQ(0, game.wrong);
	ASSERT_EQ(log_durable(game.log), head());
	end_game();
}

#define SOME	64U	/* pages for which a queue has room at first */

TEST(a_page_that_cannot_be_noted_is_as_it_was)
{
	struct queued_page taken[SOME];
	struct dirty dirty;
	unsigned int at;
	int err = -ENOMEM;

	ASSERT_EQ(0, start_game(131072, false));
	fail_memory(1, false);
	ASSERT_EQ(-ENOMEM, dirty_init(&dirty, 2 * SOME));
	dirty_free(&dirty);
	ASSERT_EQ(0, dirty_init(&dirty, 2 * SOME));
	for (at = 1; err; at++) {
		fail_memory(at, false);
		err = dirty_note(&dirty, game.log, 0, SOME - 1);
		ASSERT_TRUE(!err || err == -ENOMEM);
	}
	EXPECT_LT(3, at);
	fail_memory(0, false);
	ASSERT_EQ(SOME, dirty_take(&dirty, taken, SOME, UINT64_MAX));
	/* one that is reserved, and one of which nothing is known */
	fail_memory(1, true);
	EXPECT_EQ(-ENOMEM, dirty_note(&dirty, game.log, 0, 0));
	EXPECT_EQ(-ENOMEM, dirty_note(&dirty, game.log, SOME, SOME));
	fail_memory(0, false);
	EXPECT_EQ(SOME, dirty_count(&dirty));
	EXPECT_EQ(DIRTY_NONE, dirty_first(&dirty));
	for (at = 0; at < SOME; at++)
		dirty_done(&dirty, taken[at].page);
	EXPECT_EQ(0, dirty_count(&dirty));
	EXPECT_EQ(0, dirty_note(&dirty, game.log, SOME, SOME));
	EXPECT_EQ(1, dirty_count(&dirty));
	dirty_free(&dirty);
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
static bool commits_go_on;

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

TEST(an_epoch_whose_busy_pages_find_no_memory_frees_nothing)
{
	struct segment *segment;

	ASSERT_EQ(0, start_flow(&segment));
	game.tr.copy = copy_nothing;
	EXPECT_LT(6, until_memory_lasts(make_busy_epoch));
	EXPECT_EQ(log_durable(game.log), head());
	end_flow(segment);
}

TEST(without_a_dirty_page_an_epoch_only_moves_the_head)
{
	size_t written = 1;
	uint64_t lsn;

	ASSERT_EQ(0, start_game(131072, false));
	order_excused = true;	/* the page that the record is about is not noted */
	ASSERT_EQ(0, append_tx(game.log, 1, 8, &lsn));
	ASSERT_EQ(0, truncate_log(&game.tr));
	EXPECT_EQ(log_durable(game.log), head());
	EXPECT_EQ(0, game.copied);
	ASSERT_EQ(0, increment_pages(&game.tr, PAGES, &written, &lsn));
	EXPECT_EQ(0, written);
	EXPECT_EQ(log_durable(game.log), lsn);
	end_game();
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
		commits_go_on = true;
		ASSERT_EQ(0, truncate_empty(&game.tr, note_call, &called));
		commits_go_on = false;
		EXPECT_TRUE(called);
		EXPECT_LT(i ? MANY : 4 * MANY, copies);
		EXPECT_EQ(MANY, dirty_count(&game.region.dirty));
		EXPECT_EQ(log_durable(game.log), head());
		EXPECT_EQ(i, !flow.written);
		end_flow(segment);
	}
}

/* For the library: who waits here for a blocked page waits for nobody. */
int nanosleep(const struct timespec *pause, struct timespec *left)
{
	uint64_t lsn;

	if (commits_go_on && !game.tr.frozen && !append_tx(game.log, 1, 8, &lsn))
		log_flush(game.log, lsn);
	return 0;
}

static int make_room(void)
{
	return game.epochs ? truncate_log(&game.tr) : make_all_steps();
}

static int truncate_some(void)
{
	bool moved;

	return game.epochs ? truncate_log(&game.tr) : increment_step(&game.tr, &moved);
}

/* Two of three transactions are flushed, and a page is blocked now and then. */
static int work(uint64_t *last, uint64_t *acked)
{
	uint64_t lsn;
	int err;

	for (*last = 0; *last < 40;) {
		err = commit_number(*last + 1, &lsn);
		if (err == -ENOSPC) {
			memset(game.blocked, 0, sizeof(game.blocked));
			err = make_room();
			if (!err)
				err = commit_number(*last + 1, &lsn);
		}
		if (err)
			return err;
		(*last)++;
		if (*last % 3) {
			err = log_flush(game.log, lsn);
			if (err)
				return err;
			*acked = *last;
		}
		game.blocked[*last * 7 % PAGES] = *last % 4 == 0;
		err = *last % 2 ? truncate_some() : 0;
		if (err)
			return err;
	}
	return 0;
}

FIXTURE(crash)
{
};

FIXTURE_VARIANT(crash)
{
	uint64_t area;
	bool separate_syncs;
	bool epochs;
};

FIXTURE_VARIANT_ADD(crash, a_small_log) { .area = 12288 };
FIXTURE_VARIANT_ADD(crash, a_large_log) { .area = 131072 };
FIXTURE_VARIANT_ADD(crash, separate_syncs) { .area = 12288, .separate_syncs = true };
FIXTURE_VARIANT_ADD(crash, epochs_in_a_small_log) { .area = 12288, .epochs = true };
FIXTURE_VARIANT_ADD(crash, epochs_in_a_large_log) { .area = 131072, .epochs = true };

FIXTURE_SETUP(crash)
{
}

FIXTURE_TEARDOWN(crash)
{
}

TEST_F_TIMEOUT(crash, at_any_call_loses_no_acknowledged_transaction, 300)
{
	unsigned int at, choice, states = 0;
	uint64_t last, acked;
	bool dead = true;

	for (at = 1; dead; at += mem_stride(3)) {
		for (choice = 0; choice < 6; choice++) {
			struct log *log;
			int64_t number;

			ASSERT_EQ(0, start_game(variant->area, variant->separate_syncs));
			game.epochs = variant->epochs;
			mem.calls = 0;
			mem.power_at = at;
			acked = 0;
			work(&last, &acked);
			dead = mem.dead;
			ASSERT_EQ(0, game.wrong);
			end_game();
			mem_power_loss(choice);
			ASSERT_EQ(0, open_log(0, &log)) {
				TH_LOG("call %u, choice %u: %s", at, choice, err_text());
			}
			number = prefix(mem_find(SEG)->data, MOST);
			log_close(log);
			ASSERT_GE(number, (int64_t)acked) {
				TH_LOG("call %u, choice %u", at, choice);
			}
			ASSERT_LE(number, (int64_t)last + 1);
			states++;
		}
	}
	ASSERT_GT(at, 100);
	TH_LOG("%u crash states", states);
}

TEST_HARNESS_MAIN
