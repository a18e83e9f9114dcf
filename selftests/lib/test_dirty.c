// SPDX-License-Identifier: GPL-2.0
/* The vector and the queue of pages, and pages of a region that are dirty. */
#include "game.h"
#include "nomemory.h"

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

#define SOME	64U	/* pages for which a queue has room at first */

static int note_some(void *dirty)
{
	return dirty_note(dirty, game.log, 0, SOME - 1);
}

TEST(a_page_that_cannot_be_noted_is_as_it_was)
{
	struct queued_page taken[SOME];
	struct dirty dirty;
	unsigned int at;

	ASSERT_EQ(0, start_game(131072, false));
	fail_memory(1, false);
	ASSERT_EQ(-ENOMEM, dirty_init(&dirty, 2 * SOME));
	dirty_free(&dirty);
	ASSERT_EQ(0, dirty_init(&dirty, 2 * SOME));
	EXPECT_LT(1, fail_each_allocation(note_some, &dirty));
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

TEST_HARNESS_MAIN
