// SPDX-License-Identifier: GPL-2.0
/* Truncation from memory: steps and epochs, what blocks them, and power lost anywhere. */
#include "game.h"
#include "nomemory.h"

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
	ASSERT_EQ(game.copied, statistic_of(STATISTICS_STEP_PAGES));
	ASSERT_EQ(0, statistic_of(STATISTICS_STEP_BLOCKED));
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
	ASSERT_EQ(1, statistic_of(STATISTICS_STEP_BLOCKED));
	ASSERT_EQ(game.copied, statistic_of(STATISTICS_STEP_PAGES));
	ASSERT_EQ(0, statistic_of(STATISTICS_STEP));
	ASSERT_EQ(1, dirty_count(&game.region.dirty));
	game.blocked[0] = false;
	ASSERT_EQ(0, make_all_steps());
	ASSERT_EQ(0, game.wrong);
	ASSERT_EQ(log_durable(game.log), head());
	ASSERT_LT(0, statistic_of(STATISTICS_STEP));
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

static int make_epoch(void *arg)
{
	uint64_t before = head();

	return unmoved(truncate_log(&game.tr), before);
}

static int make_step(void *arg)
{
	uint64_t before = head();
	bool moved = false;
	int err;

	err = increment_step(&game.tr, &moved);
	return moved == !err ? unmoved(err, before) : -ENOMSG;
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
	EXPECT_LT(6, fail_each_allocation(make_epoch, NULL));
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
	EXPECT_LT(2, fail_each_allocation(make_step, NULL));
	ASSERT_EQ(0, game.wrong);
	ASSERT_EQ(log_durable(game.log), head());
	end_game();
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
