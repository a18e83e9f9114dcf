// SPDX-License-Identifier: GPL-2.0
/* Commit and abort of tracked transactions with trackers that fail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "check.h"
#include "commit.h"
#include "err.h"
#include "log.h"
#include "nomemory.h"
#include "order.h"
#include "os.h"
#include "part.h"
#include "recover.h"
#include "region.h"
#include "segment.h"
#include "track.h"
#include "truncate.h"
#include "tx.h"

#define PAGES	4U
#define LENGTH	(PAGES * TRACK_PAGE_SIZE)
#define NEVER	PAGES

/**
 * struct fake - a tracker that finds all pages written, and fails
 * @base: the head
 * @live: what the program sees
 * @committed: the committed state
 * @fail_page: collect fails there
 * @end_err: what end returns
 * @restore_err: what restore returns
 * @ended: calls of end
 * @restored: calls of restore
 * @kept: calls of keep
 * @holds: holds that were not released
 * @met: another transaction has stored to a page of this one
 * @sealed: seals that were not taken back
 * @at_once: calls for several regions
 * @lock: the region's, which must be held meanwhile
 * @unlocked: it was not
 */
struct fake {
	struct tracker base;
	char live[LENGTH];
	char committed[LENGTH];
	unsigned int fail_page;
	int end_err;
	int restore_err;
	int ended;
	int restored;
	int kept;
	int holds;
	bool met;
	int sealed;
	int at_once;
	pthread_mutex_t *lock;
	int unlocked;
};

static struct fake *to_fake(struct tracker *tracker)
{
	return (struct fake *)tracker;
}

static void look_at_lock(struct fake *fake)
{
	if (pthread_mutex_trylock(fake->lock))
		return;
	fake->unlocked++;
	pthread_mutex_unlock(fake->lock);
}

static int fake_collect(struct tracker *tracker, uint32_t tid,
			int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	struct fake *fake = to_fake(tracker);
	unsigned int i;
	int err = 0;

	if (tid != TRACK_WATCH_TID)
		look_at_lock(fake);
	for (i = 0; i < PAGES && !err; i++) {
		struct track_page page = {
			.page = i,
			.live = fake->live + i * TRACK_PAGE_SIZE,
			.committed = fake->committed + i * TRACK_PAGE_SIZE,
		};

		if (i == fake->fail_page)
			return err_set(EIO, "page %u cannot be collected", i);
		err = fn(arg, &page);
	}
	return err;
}

static int fake_end(struct tracker *tracker, uint32_t tid, uint64_t lsn)
{
	to_fake(tracker)->ended++;
	return to_fake(tracker)->end_err;
}

static int fake_restore(struct tracker *tracker, uint32_t tid)
{
	look_at_lock(to_fake(tracker));
	to_fake(tracker)->restored++;
	return to_fake(tracker)->restore_err;
}

static char *fake_keep(struct tracker *tracker, uint64_t page)
{
	to_fake(tracker)->kept++;
	return to_fake(tracker)->committed + page * TRACK_PAGE_SIZE;
}

static char *fake_committed(struct tracker *tracker, uint64_t page)
{
	return to_fake(tracker)->committed + page * TRACK_PAGE_SIZE;
}

static void fake_hold(struct tracker *tracker, uint64_t first, uint64_t last)
{
	to_fake(tracker)->holds += last - first + 1;
}

static void fake_release(struct tracker *tracker, uint64_t first, uint64_t last, uint64_t lsn)
{
	to_fake(tracker)->holds -= last - first + 1;
}

static void fake_close(struct tracker *tracker)
{
}

static const struct track_ops plain_ops = {
	.name = "plain",
	.tracks = true,
	.close = fake_close,
	.collect = fake_collect,
	.end = fake_end,
	.committed = fake_committed,
	.keep = fake_keep,
	.hold = fake_hold,
	.release = fake_release,
};

static const struct track_ops restoring_ops = {
	.name = "restoring",
	.tracks = true,
	.close = fake_close,
	.collect = fake_collect,
	.end = fake_end,
	.restore = fake_restore,
	.keep = fake_keep,
	.hold = fake_hold,
	.release = fake_release,
};

/* The last page is the one that was met. */
static bool fake_seal(struct tracker *tracker, uint32_t tid, uint64_t *page)
{
	to_fake(tracker)->sealed++;
	*page = PAGES - 1;
	return to_fake(tracker)->met;
}

static void fake_unseal(struct tracker *tracker, uint32_t tid)
{
	to_fake(tracker)->sealed--;
}

static int fake_end_several(struct tracker *const *trackers, size_t n, uint32_t tid, uint64_t lsn)
{
	int err = 0;
	size_t i;

	to_fake(trackers[0])->at_once++;
	for (i = 0; i < n; i++) {
		int late = fake_end(trackers[i], tid, lsn);

		err = err ? err : late;
	}
	return err;
}

/* All that a tracker can have. */
static const struct track_ops whole_ops = {
	.name = "whole",
	.tracks = true,
	.close = fake_close,
	.collect = fake_collect,
	.end = fake_end,
	.end_several = fake_end_several,
	.restore = fake_restore,
	.keep = fake_keep,
	.seal = fake_seal,
	.unseal = fake_unseal,
};

static struct regions regions;
static struct txs txs = TXS_INITIALIZER(&regions);

FIXTURE(commit)
{
	char dir[64];
	char log_path[96];
	char seg_paths[2][96];
	struct log *log;
	struct truncator tr;
	struct fake *fake[2];
	struct region *region[2];
	struct tx *tx;
};

static struct region *add_region(struct fake *fake, struct segment *segment, struct log *log,
				 struct region *next)
{
	struct region *region = calloc(1, sizeof(*region));

	fake->base.ops = &plain_ops;
	fake->fail_page = NEVER;
	fake->lock = &region->lock;
	region->segment = segment;
	region->log = log;
	region->length = LENGTH;
	region->base = fake->live;
	region->tracker = &fake->base;
	region->next = next;
	pthread_mutex_init(&region->lock, NULL);
	pthread_cond_init(&region->idle, NULL);
	dirty_init(&region->dirty, PAGES);
	rangeset_init(&region->busy);
	return region;
}

FIXTURE_SETUP(commit)
{
	char dir[] = "/tmp/rvm-commit-XXXXXX";
	struct segment *segment;
	int i;

	order_excused = true;	/* nothing is truncated */
	ASSERT_NE(NULL, mkdtemp(dir));
	strcpy(self->dir, dir);
	snprintf(self->log_path, sizeof(self->log_path), "%s/log", dir);
	ASSERT_EQ(0, log_create(self->log_path, 1 << 20, 0600, false, NULL, NULL));
	ASSERT_EQ(0, log_open(self->log_path, 65536, false, &self->log));
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, NULL));
	regions_init(&regions);
	for (i = 2; i--;) {
		char *path = self->seg_paths[i];

		snprintf(path, sizeof(self->seg_paths[i]), "%s/segment%d", dir, i);
		ASSERT_EQ(0, regions_segment(&regions, self->log, path, LENGTH, &segment));
		self->fake[i] = calloc(1, sizeof(*self->fake[i]));
		self->region[i] = add_region(self->fake[i], segment, self->log, regions.first);
		regions.first = self->region[i];
	}
	ASSERT_EQ(0, truncator_start(&self->tr, self->log, &regions, 0, NULL, NULL));
	txs_start(&txs);
	ASSERT_EQ(0, tx_begin_tracked(&txs, NULL, &self->tx));
	for (i = 0; i < 2; i++)
		memset(self->fake[i]->live, 'n', LENGTH);
}

FIXTURE_TEARDOWN(commit)
{
	int i;

	truncator_stop(&self->tr);
	txs_end(&txs);
	regions_free(&regions);
	EXPECT_EQ(0, log_close(self->log));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, self->fake[i]->holds);
		EXPECT_EQ(0, self->fake[i]->unlocked);
		free(self->fake[i]);
		unlink(self->seg_paths[i]);
	}
	unlink(self->log_path);
	rmdir(self->dir);
}

static void use_ops(FIXTURE_DATA(commit) *self, const struct track_ops *ops)
{
	int i;

	for (i = 0; i < 2; i++)
		self->fake[i]->base.ops = ops;
}

/* An explicit transaction beside the tracked one, with a range of its own. */
static int begin_declared(char *bytes, uint64_t length, struct tx **tx)
{
	int err = tx_begin(&txs, true, tx);

	return err ? err : tx_set_range(&txs, *tx, bytes, length);
}

static bool all_are(const char *bytes, char byte, size_t length)
{
	while (length && *bytes == byte) {
		bytes++;
		length--;
	}
	return !length;
}

TEST_F(commit, what_is_in_the_log_is_the_committed_state)
{
	uint64_t lsn = 0;
	int i;

	memory_moves = true;
	ASSERT_EQ(0, commit(&txs, &self->tr, self->tx, true, &lsn));
	EXPECT_LE(lsn, log_durable(self->log));
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(all_are(self->fake[i]->committed, 'n', LENGTH));
		EXPECT_EQ(1, self->fake[i]->ended);
	}
}

TEST_F(commit, the_first_of_two_errors_at_the_end_is_told)
{
	uint64_t lsn = 0;

	self->fake[0]->end_err = -EIO;
	self->fake[1]->end_err = -ENODEV;
	EXPECT_EQ(-EIO, commit(&txs, &self->tr, self->tx, true, &lsn));
	EXPECT_EQ(1, self->fake[0]->ended);
	EXPECT_EQ(1, self->fake[1]->ended);
	EXPECT_LT(0, lsn);
	ASSERT_EQ(0, tx_begin_tracked(&txs, NULL, &self->tx));	/* it has ended */
	self->fake[0]->end_err = 0;
	EXPECT_EQ(-ENODEV, commit(&txs, &self->tr, self->tx, true, &lsn));
}

TEST_F(commit, regions_of_one_kind_end_together_and_of_another_for_themselves)
{
	uint64_t lsn = 0;

	use_ops(self, &whole_ops);
	ASSERT_EQ(0, commit(&txs, &self->tr, self->tx, true, &lsn));
	EXPECT_EQ(1, self->fake[0]->at_once);
	EXPECT_EQ(1, self->fake[1]->ended);
	ASSERT_EQ(0, tx_begin_tracked(&txs, NULL, &self->tx));
	self->fake[1]->base.ops = &plain_ops;
	self->fake[1]->end_err = -EIO;
	EXPECT_EQ(-EIO, commit(&txs, &self->tr, self->tx, true, &lsn));
	EXPECT_EQ(2, self->fake[0]->at_once);
	EXPECT_EQ(2, self->fake[1]->ended);
}

#define MORE	40

TEST_F(commit, more_regions_than_can_end_together_end_in_turns)
{
	struct fake *more[MORE];
	int i, at_once = 0;
	uint64_t lsn = 0;

	ASSERT_EQ(0, abort_tx(&txs, &self->tr, self->tx));
	for (i = 0; i < MORE; i++) {
		more[i] = calloc(1, sizeof(*more[i]));
		self->region[1]->next = add_region(more[i], self->region[1]->segment, self->log,
						   self->region[1]->next);
		self->region[1]->next->offset = (i + 1) * LENGTH;
		more[i]->base.ops = &whole_ops;
	}
	ASSERT_EQ(0, tx_begin_tracked(&txs, NULL, &self->tx));
	more[0]->live[0] = 'n';
	ASSERT_EQ(0, commit(&txs, &self->tr, self->tx, true, &lsn));
	for (i = 0; i < MORE; i++) {
		EXPECT_EQ(1, more[i]->ended);
		at_once += more[i]->at_once;
	}
	EXPECT_EQ(2, at_once);
}

/* What was not known when it stored is known at its end: it is undone, and told where. */
TEST_F(commit, a_transaction_that_met_another_is_rolled_back)
{
	uint64_t lsn = 0;

	use_ops(self, &whole_ops);
	self->fake[1]->met = true;
	EXPECT_EQ(-EDEADLK, commit(&txs, &self->tr, self->tx, true, &lsn));
	EXPECT_NE(NULL, strstr(err_text(), self->seg_paths[1]));
	EXPECT_EQ(1, self->fake[0]->restored);
	EXPECT_EQ(1, self->fake[1]->restored);
	EXPECT_EQ(0, log_used(self->log));
	ASSERT_EQ(0, tx_begin_tracked(&txs, NULL, &self->tx));	/* it has ended */
	self->fake[0]->restore_err = -EIO;
	EXPECT_EQ(-EIO, commit(&txs, &self->tr, self->tx, true, &lsn));
	EXPECT_EQ(2, self->fake[1]->restored);
}

/* Whatever explicit ones declared there. */
TEST_F(commit, what_another_stored_to_is_restored_as_a_whole)
{
	char *declared = self->fake[1]->live + 10;
	struct tx *other;

	use_ops(self, &whole_ops);
	ASSERT_EQ(0, begin_declared(declared, 100, &other));
	self->fake[1]->met = true;
	EXPECT_EQ(0, abort_tx(&txs, &self->tr, self->tx));
	EXPECT_EQ(1, self->fake[1]->restored);
	EXPECT_EQ(0, abort_tx(&txs, &self->tr, other));
}

/* Its pages were sealed, and are not any more. */
TEST_F(commit, a_transaction_that_stays_open_goes_on)
{
	uint64_t lsn = 0;

	self->fake[0]->base.ops = &whole_ops;
	self->fake[0]->fail_page = 1;
	EXPECT_EQ(-EIO, commit(&txs, &self->tr, self->tx, true, &lsn));
	EXPECT_EQ(0, self->fake[0]->sealed);
	self->fake[0]->fail_page = NEVER;
	EXPECT_EQ(0, commit(&txs, &self->tr, self->tx, true, &lsn));
	EXPECT_EQ(1, self->fake[0]->sealed);
}

TEST_F(commit, of_pages_that_did_not_get_into_the_log_none_is_committed)
{
	uint64_t lsn = 0;

	self->fake[1]->fail_page = 2;
	EXPECT_EQ(-EIO, commit(&txs, &self->tr, self->tx, true, &lsn));
	EXPECT_EQ(0, self->fake[0]->kept + self->fake[1]->kept);
	EXPECT_EQ(0, self->fake[0]->ended + self->fake[1]->ended);
	EXPECT_EQ(0, self->fake[0]->holds + self->fake[1]->holds);
	EXPECT_EQ(0, log_used(self->log));
	self->fake[1]->fail_page = NEVER;
	EXPECT_EQ(0, commit(&txs, &self->tr, self->tx, true, &lsn));	/* it was still open */
	EXPECT_TRUE(all_are(self->fake[1]->committed, 'n', LENGTH));
}

/* What a range of one region is said to be in is its own region, whatever lies beside it. */
TEST_F(commit, two_parts_of_one_segment_get_their_own_bytes)
{
	uint64_t lsn = 0;
	int i, low;

	self->region[1]->segment = self->region[0]->segment;
	for (low = 0; low < 2; low++) {
		self->region[low]->offset = 0;
		self->region[!low]->offset = LENGTH;
		for (i = 0; i < 2; i++)
			memset(self->fake[i]->live, 'a' + 2 * low + i, LENGTH);
		ASSERT_EQ(0, commit(&txs, &self->tr, self->tx, true, &lsn));
		for (i = 0; i < 2; i++) {
			EXPECT_TRUE(all_are(self->fake[i]->committed, 'a' + 2 * low + i, LENGTH));
			EXPECT_EQ(0, self->fake[i]->holds);
		}
		ASSERT_EQ(0, tx_begin_tracked(&txs, NULL, &self->tx));
	}
}

/* struct again - a transaction that is committed until there is memory for it */
struct again {
	struct truncator *tr;
	struct tx *tx;
};

static int commit_again(void *arg)
{
	const struct again *again = arg;
	uint64_t lsn = 0;

	return commit(&txs, again->tr, again->tx, true, &lsn);
}

#define APART	17U	/* as many runs of changed bytes in each page as it can have */

TEST_F(commit, without_memory_a_transaction_stays_open)
{
	struct tx *other;
	unsigned int at;

	memset(self->fake[0]->live, 0, LENGTH);
	for (at = 0; at < LENGTH; at += APART)
		self->fake[0]->live[at] = 'n';
	EXPECT_LT(1, fail_each_allocation(commit_again, &(struct again){ &self->tr, self->tx }));
	EXPECT_EQ('n', self->fake[0]->committed[LENGTH / APART * APART]);
	/* and so does an explicit one of several ranges */
	ASSERT_EQ(0, tx_begin(&txs, true, &other));
	for (at = 0; at < LENGTH; at += TRACK_PAGE_SIZE)
		ASSERT_EQ(0, tx_set_range(&txs, other, self->fake[1]->live + at, 10));
	dirty_free(&self->region[1]->dirty);
	ASSERT_EQ(0, dirty_init(&self->region[1]->dirty, PAGES));
	EXPECT_LT(0, fail_each_allocation(commit_again, &(struct again){ &self->tr, other }));
	ASSERT_EQ(0, tx_begin_tracked(&txs, NULL, &self->tx));
}

/* More than a page can have of runs that are apart. */
TEST_F(commit, a_run_is_cut_into_any_number_of_pieces)
{
	struct tx *other;
	unsigned int at;

	ASSERT_EQ(0, tx_begin(&txs, true, &other));
	for (at = 0; at < TRACK_PAGE_SIZE; at += 8)
		ASSERT_EQ(0, tx_set_range(&txs, other, self->fake[0]->live + at, 1));
	EXPECT_LT(2, fail_each_allocation(commit_again, &(struct again){ &self->tr, self->tx }));
	for (at = 0; at < TRACK_PAGE_SIZE; at++)
		EXPECT_EQ(at % 8 ? 'n' : 0, self->fake[0]->committed[at]);
	EXPECT_TRUE(all_are(self->fake[0]->committed + at, 'n', LENGTH - at));
	EXPECT_EQ(0, abort_tx(&txs, &self->tr, other));
}

TEST_F(commit, an_abort_that_fails_in_one_region_is_made_in_the_other)
{
	self->fake[0]->fail_page = 1;
	self->fake[1]->fail_page = 3;
	EXPECT_EQ(-EIO, abort_tx(&txs, &self->tr, self->tx));
	EXPECT_NE(NULL, strstr(err_text(), "page 3"));	/* the last that was tried */
	EXPECT_EQ(0, self->fake[0]->ended + self->fake[1]->ended);
	EXPECT_TRUE(all_are(self->fake[0]->live, 0, TRACK_PAGE_SIZE));
	EXPECT_TRUE(all_are(self->fake[1]->live, 0, 3 * TRACK_PAGE_SIZE));
	EXPECT_TRUE(all_are(self->fake[1]->live + 3 * TRACK_PAGE_SIZE, 'n', TRACK_PAGE_SIZE));
}

TEST_F(commit, who_can_restore_is_asked_to_and_its_error_is_told)
{
	use_ops(self, &restoring_ops);
	self->fake[0]->restore_err = -EIO;
	EXPECT_EQ(-EIO, abort_tx(&txs, &self->tr, self->tx));
	EXPECT_EQ(1, self->fake[0]->restored);
	EXPECT_EQ(1, self->fake[1]->restored);
}

/* Bytes that another transaction declared are not this one's to restore. */
TEST_F(commit, beside_an_explicit_transaction_the_other_bytes_are_put_back)
{
	char *declared = self->fake[0]->live + 5000;
	struct tx *other;

	use_ops(self, &restoring_ops);
	ASSERT_EQ(0, begin_declared(declared, 100, &other));
	memset(declared, 'd', 100);
	EXPECT_EQ(0, abort_tx(&txs, &self->tr, self->tx));
	EXPECT_EQ(0, self->fake[0]->restored);
	EXPECT_EQ(1, self->fake[0]->ended);
	EXPECT_EQ(1, self->fake[1]->restored);
	EXPECT_TRUE(all_are(self->fake[0]->live, 0, 5000));
	EXPECT_TRUE(all_are(declared, 'd', 100));
	EXPECT_TRUE(all_are(declared + 100, 0, LENGTH - 5100));
	EXPECT_EQ(0, abort_tx(&txs, &self->tr, other));
}

TEST_F(commit, a_checked_abort_that_cannot_look_leaves_its_transaction_open)
{
	char *declared = self->fake[1]->live + 10;
	struct tx *checked;

	ASSERT_EQ(0, abort_tx(&txs, &self->tr, self->tx));
	ASSERT_EQ(0, tx_begin(&txs, true, &checked));
	ASSERT_EQ(0, check_begin(&txs, checked));
	ASSERT_EQ(0, tx_set_range(&txs, checked, declared, 100));
	memset(declared, 'd', 100);
	self->fake[0]->fail_page = 1;
	EXPECT_EQ(-EIO, abort_tx(&txs, &self->tr, checked));
	EXPECT_TRUE(all_are(declared, 'd', 100));
	self->fake[0]->fail_page = NEVER;
	EXPECT_EQ(0, abort_tx(&txs, &self->tr, checked));
	EXPECT_TRUE(all_are(declared, 0, 100));
}

/* A region that is longer than the log, and of which nothing is known to be written. */
#define LONG	(3U << 20)

static int collect_nothing(struct tracker *tracker, uint32_t tid,
			   int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	return 0;
}

static const struct track_ops long_ops = {
	.name = "long",
	.tracks = true,
	.close = fake_close,
	.collect = collect_nothing,
	.end = fake_end,
	.keep = fake_keep,
};

static ssize_t read_nothing(int fd, void *buf, size_t length, uint64_t offset)
{
	return -EIO;
}

TEST_F(commit, an_abort_from_segments_that_cannot_be_read_is_made_again)
{
	static char memory[LONG];
	struct segment *segment;
	struct region *region;
	struct fake *fake;
	char path[128];
	struct tx *tx;
	uint64_t lsn;

	ASSERT_EQ(0, abort_tx(&txs, &self->tr, self->tx));
	snprintf(path, sizeof(path), "%s/long", self->dir);
	ASSERT_EQ(0, regions_segment(&regions, self->log, path, LONG, &segment));
	fake = calloc(1, sizeof(*fake));
	region = add_region(fake, segment, self->log, NULL);
	fake->base.ops = &long_ops;
	region->base = memory;
	region->length = LONG;
	self->region[1]->next = region;
	ASSERT_EQ(0, tx_begin(&txs, false, &tx));
	ASSERT_EQ(0, check_begin(&txs, tx));
	ASSERT_EQ(0, tx_set_range(&txs, tx, memory, LONG / 2));
	ASSERT_EQ(0, tx_set_range(&txs, tx, memory + LONG / 2 + 1, LONG / 2 - 1));
	memset(memory, 'x', LONG);
	memory[LONG / 2] = 0;
	EXPECT_EQ(-EFBIG, commit(&txs, &self->tr, tx, true, &lsn));
	fail_memory(1, false);
	EXPECT_EQ(-ENOMEM, abort_tx(&txs, &self->tr, tx));
	fail_memory(0, false);
	os.pread = read_nothing;
	EXPECT_EQ(-EIO, abort_tx(&txs, &self->tr, tx));
	EXPECT_TRUE(all_are(memory, 'x', LONG / 2));
	os = os_real;
	EXPECT_EQ(0, abort_tx(&txs, &self->tr, tx));
	EXPECT_TRUE(all_are(memory, 0, LONG));
	unlink(path);
}

TEST_HARNESS_MAIN
