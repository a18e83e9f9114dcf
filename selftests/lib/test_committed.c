// SPDX-License-Identifier: GPL-2.0
/* Copies of pages in their committed state, while a transaction does anything to one of them. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "committed.h"
#include "kselftest_harness.h"
#include "part.h"
#include "region.h"
#include "track.h"
#include "tx.h"

#define PAGES	100
#define PAGE	TRACK_PAGE_SIZE
#define BUSY	40	/* the page that it is done to */

/* struct beside - what happens once: before the busy page is copied, after, if it is again */
struct beside {
	void (*before)(void);
	void (*after)(void);
	void (*again)(void);
};

static char memory[PAGES * PAGE] __attribute__((aligned(PAGE)));
static char copies[PAGES * PAGE];
static bool copied[PAGES];
static uint64_t pages[PAGES];
static struct beside beside;
static struct tx *tx;

static void call_once(void (**fn)(void))
{
	void (*once)(void) = *fn;

	*fn = NULL;
	if (once)
		once();
}

/* Asked for just before each page is copied. */
static char *committed(struct tracker *tracker, uint64_t page)
{
	if (page == BUSY && !beside.before)
		call_once(&beside.again);
	if (page == BUSY)
		call_once(&beside.before);
	if (page == BUSY + 1)
		call_once(&beside.after);
	return tracker->base + page * PAGE;
}

static const struct track_ops ops = { .name = "test", .committed = committed };
static struct tracker tracker = { .ops = &ops, .base = memory, .length = sizeof(memory) };
static struct region region = {
	.base = memory, .length = sizeof(memory), .tracker = &tracker,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};
static struct regions regions = { .lock = PTHREAD_RWLOCK_INITIALIZER, .first = &region };
static struct txs txs = TXS_INITIALIZER(&regions);

static void begin_and_store(void)
{
	char *at = memory + BUSY * PAGE + 100;

	if (tx_begin(&txs, true, &tx) || tx_set_range(&txs, tx, at, 8))
		_exit(1);
	memset(at, 'u', 8);
}

static void end(uint64_t lsn)
{
	if (!lsn)
		parts_undo(tx);
	tx_finish(&txs, tx, lsn);
}

static void abort_it(void)
{
	end(0);
}

static void commit_it(void)
{
	end(1000);
}

static bool is_old(const char *page)
{
	for (size_t i = 0; i < PAGE; i++)
		if (page[i] != 'o')
			return false;
	return true;
}

FIXTURE(copy)
{
	size_t others;
};

FIXTURE_SETUP(copy)
{
	size_t i;

	memset(memory, 'o', sizeof(memory));
	memset(copies, 0, sizeof(copies));
	for (i = 0; i < PAGES; i++)
		pages[i] = i;
	txs_start(&txs);
	ASSERT_FALSE(txs.shared);
}

FIXTURE_TEARDOWN(copy)
{
	txs_end(&txs);
}

/* Copies all; fills in how many of the other pages came out. */
static bool take(size_t *others, void (*before)(void), void (*after)(void))
{
	bool ret;
	size_t i;

	beside = (struct beside) { .before = before, .after = after };
	ret = committed_copy(&txs, &region, pages, PAGES, copies, copied);
	for (i = 0, *others = 0; i < PAGES; i++)
		*others += i != BUSY && copied[i] && is_old(copies + i * PAGE);
	return ret;
}

TEST_F(copy, all_pages_that_nobody_references)
{
	ASSERT_TRUE(take(&self->others, NULL, NULL));
	EXPECT_EQ(PAGES - 1, self->others);
	EXPECT_TRUE(copied[BUSY]);
	EXPECT_TRUE(is_old(copies + BUSY * PAGE));
}

TEST_F(copy, a_page_that_is_referenced_before_is_left_out)
{
	begin_and_store();
	ASSERT_TRUE(take(&self->others, NULL, commit_it));
	EXPECT_EQ(PAGES - 1, self->others);
	EXPECT_FALSE(copied[BUSY]);
	ASSERT_TRUE(take(&self->others, NULL, NULL));
	EXPECT_TRUE(copied[BUSY]);
}

TEST_F(copy, a_page_that_is_referenced_after_is_left_out)
{
	ASSERT_TRUE(take(&self->others, begin_and_store, NULL));
	EXPECT_EQ(PAGES - 1, self->others);
	EXPECT_FALSE(copied[BUSY]);
	end(0);
}

/* The copy was made while the bytes were there that the abort took back: it is made again. */
TEST_F(copy, what_was_aborted_meanwhile_is_not_there)
{
	uint64_t aborts = txs_aborts(&txs);

	ASSERT_TRUE(take(&self->others, begin_and_store, abort_it));
	EXPECT_EQ(aborts + 1, txs_aborts(&txs));
	EXPECT_EQ(PAGES - 1, self->others);
	EXPECT_TRUE(copied[BUSY]);
	EXPECT_TRUE(is_old(copies + BUSY * PAGE));
}

TEST_F(copy, what_was_committed_meanwhile_may_be_there)
{
	uint64_t aborts = txs_aborts(&txs);

	ASSERT_TRUE(take(&self->others, begin_and_store, commit_it));
	EXPECT_EQ(aborts, txs_aborts(&txs));
	EXPECT_EQ(PAGES - 1, self->others);
	EXPECT_TRUE(copied[BUSY]);
}

static void share(void)
{
	txs_share(&txs);
}

TEST_F(copy, parts_that_are_shared_meanwhile_are_looked_at)
{
	ASSERT_TRUE(take(&self->others, begin_and_store, share));
	EXPECT_EQ(PAGES - 1, self->others);
	EXPECT_FALSE(copied[BUSY]);
	end(0);
	ASSERT_TRUE(take(&self->others, NULL, NULL));
	EXPECT_EQ(PAGES - 1, self->others);
	EXPECT_TRUE(copied[BUSY]);
}

static pthread_t sharer;

static void *share_beside(void *arg)
{
	share();
	return arg;
}

/* All are stopped: a thread waits to share the parts, and is let in before they are again. */
static void share_next(void)
{
	if (pthread_create(&sharer, NULL, share_beside, NULL))
		_exit(1);
	usleep(20000);
	txs.waiting = 1;
}

static void *lock_and_share(void *arg)
{
	pthread_mutex_lock(&region.lock);
	share();
	usleep(50000);
	pthread_mutex_unlock(&region.lock);
	return arg;
}

/* The same of one whose transaction is ending. */
static void lock_next(void)
{
	if (pthread_create(&sharer, NULL, lock_and_share, NULL))
		_exit(1);
	usleep(20000);
	txs.waiting = 1;
}

/* An end asks for the committed state, too: only what comes after it is the second copy. */
static void abort_and_wait(void)
{
	abort_it();
	beside.again = share_next;
}

static void abort_and_lock(void)
{
	abort_it();
	beside.again = lock_next;
}

TEST_F(copy, nothing_more_is_copied_if_they_are_and_a_transaction_is_ending)
{
	beside = (struct beside) { .before = begin_and_store, .after = abort_and_lock };
	ASSERT_FALSE(committed_copy(&txs, &region, pages, PAGES, copies, copied));
	txs.waiting = 0;
	pthread_join(sharer, NULL);
	EXPECT_TRUE(txs.shared);
	EXPECT_FALSE(copied[PAGES - 1]);
}

TEST_F(copy, parts_that_are_shared_while_all_are_stopped_again_are_looked_at)
{
	size_t i;

	beside = (struct beside) { .before = begin_and_store, .after = abort_and_wait };
	ASSERT_TRUE(committed_copy(&txs, &region, pages, PAGES, copies, copied));
	txs.waiting = 0;
	pthread_join(sharer, NULL);
	EXPECT_TRUE(txs.shared);
	for (i = 0; i < PAGES; i++)
		EXPECT_TRUE(copied[i] && is_old(copies + i * PAGE));
}

static void lock_elsewhere(void)
{
	txs_share(&txs);
	pthread_mutex_lock(&region.lock);
}

TEST_F(copy, nothing_is_copied_while_a_transaction_is_ending)
{
	ASSERT_FALSE(take(&self->others, lock_elsewhere, NULL));
	EXPECT_EQ(0, self->others);
	EXPECT_FALSE(copied[BUSY]);
	pthread_mutex_unlock(&region.lock);
}

TEST_HARNESS_MAIN
