// SPDX-License-Identifier: GPL-2.0
/* Tracker uffd settles a region when its scans take too long, and loses no store by that. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "api.h"
#include "test_track.h"
#include "track_cost.h"
#include "uffd_uapi.h"

#define REGION_PAGES	4096
#define UFFD_WP		(1ULL << 57)	/* of an entry of /proc/self/pagemap */
#define ROUNDS		100

FIXTURE(settle)
{
	struct model model;
};

/* Where userfaultfd has no asynchronous mode there is nothing to test. */
FIXTURE_SETUP(settle)
{
	if (tracker_expected("uffd")) {
		ASSERT_EQ(0, model_open(&self->model, "uffd", REGION_PAGES, false)) {
			TH_LOG("%s", err_text());
		}
	}
}

FIXTURE_TEARDOWN(settle)
{
	if (self->model.tracker)
		model_close(&self->model);
}

/* Only in a settled region a page that was never touched is protected. */
static bool is_settled(struct model *model)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry, at = (uintptr_t)model_at(model, (REGION_PAGES - 1) * PAGE) / PAGE;

	must(fd >= 0 && pread(fd, &entry, sizeof(entry), at * sizeof(entry)) == sizeof(entry));
	close(fd);
	return entry & UFFD_WP;
}

/* So much is a walk over a settled region said to cost, and to settle one. */
static void tell_costs(struct model *model, uint32_t walk, uint32_t settle)
{
	struct track_cost cost = { .walk = walk, .settle = settle };

	model->ops->tune(model->tracker, &cost);
}

/* A transaction that stores to pages of the front half. */
static void transact(struct __test_metadata *_metadata, struct model *model, int round)
{
	uint64_t page = round * 7 % (REGION_PAGES / 2);

	ASSERT_EQ(0, model_begin(model));
	model_store(model, page * PAGE + 3, &round, sizeof(round));
	model_store(model, (page + 100) * PAGE, &round, sizeof(round));
	ASSERT_EQ(0, model_collect(model));
	ASSERT_EQ(2, model->n_seen);
	ASSERT_EQ(0, model_commit(model, round + 1));
	ASSERT_TRUE(model_live_ok(model));
}

TEST_F(settle, as_long_as_scans_are_cheap_a_region_is_not_settled)
{
	struct model *model = &self->model;
	int round;

	if (!model->tracker)
		return;
	tell_costs(model, 1U << 30, 1);
	for (round = 0; round < ROUNDS; round++)
		transact(_metadata, model, round);
	EXPECT_FALSE(is_settled(model));
}

TEST_F(settle, without_costs_a_region_is_not_settled)
{
	struct model *model = &self->model;
	int round;

	if (!model->tracker)
		return;
	for (round = 0; round < ROUNDS; round++)
		transact(_metadata, model, round);
	EXPECT_FALSE(is_settled(model));
}

/* The walk costs nothing, so each scan takes too long; but eight must, and each round has two. */
TEST_F(settle, when_scans_were_dear_often_enough_a_region_is_settled)
{
	struct model *model = &self->model;
	int round;

	if (!model->tracker)
		return;
	tell_costs(model, 0, 16);
	for (round = 0; round < 3; round++)
		transact(_metadata, model, round);
	EXPECT_FALSE(is_settled(model));
	for (; round < ROUNDS && !is_settled(model); round++)
		transact(_metadata, model, round);
	EXPECT_TRUE(is_settled(model));
	for (; round < 2 * ROUNDS; round++)
		transact(_metadata, model, round);
}

static atomic_bool over;

/* Pages are stored to once each, so that none that is lost is found by a later store. */
static void *store_all_over(void *arg)
{
	struct model *model = arg;
	uint64_t page;

	for (page = 0; page < REGION_PAGES; page++) {
		volatile char *byte = model_at(model, page * PAGE);

		++*byte;
		if (page % 8 == 0)
			usleep(10);
	}
	over = true;
	return NULL;
}

static bool seen[REGION_PAGES];

static int note_page(void *arg, const struct track_page *page)
{
	((bool *)arg)[page->page] = true;
	return 0;
}

TEST_F(settle, what_is_stored_while_a_region_is_being_settled_is_found)
{
	struct model *model = &self->model;
	uint64_t page, lost = 0;
	pthread_t thread;
	int settles = 0;

	if (!model->tracker)
		return;
	ASSERT_EQ(0, pthread_create(&thread, NULL, store_all_over, model));
	while (!over || !settles) {
		ASSERT_EQ(0, model->ops->settle(model->tracker));
		settles++;
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, model->ops->collect(model->tracker, 1, note_page, seen));
	for (page = 0; page < REGION_PAGES; page++)
		lost += !seen[page];
	EXPECT_EQ(0, lost);
	EXPECT_LT(1, settles);
}

/* Which scan fails, from 1; 0: none.  And has it looked at the first half of its pages before? */
static int scans, failing;
static bool half_way;
static bool settling;	/* those count that begin with the first that settles a region */
static struct model *storing;	/* who stores just before it */

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct pm_scan_arg *scanned;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	scanned = arg;
	if (request != PAGEMAP_SCAN || !failing ||
	    (settling && !scans && scanned->category_mask != PAGE_IS_WPALLOWED) ||
	    ++scans != failing)
		return __real_ioctl(fd, request, arg);
	if (storing) {
		model_store(storing, 9 * PAGE + 11, &scans, sizeof(scans));
		model_store(storing, (REGION_PAGES - 9) * PAGE + 11, &scans, sizeof(scans));
	}
	scanned->walk_end = scanned->start;
	if (half_way) {
		scanned->end = scanned->start + (scanned->end - scanned->start) / 2 / PAGE * PAGE;
		must(__real_ioctl(fd, request, arg) >= 0);
	}
	errno = EINTR;
	return -1;
}

/* From now on the scan of that number fails, at once or half-way, and @by stores just before. */
static void fail_scan(int at, bool half, struct model *by)
{
	half_way = half;
	storing = by;
	scans = 0;
	failing = at;
}

/* Stores to every other page, so that there are more runs than one scan returns. */
static void store_to_many(struct model *model, int round)
{
	uint64_t page;

	for (page = round % 2; page < REGION_PAGES - 1; page += 2)
		model_store(model, page * PAGE + 7, &round, sizeof(round));
}

/* Pages that were not stored to may be among those that it tells of, none that was is missing. */
static void expect_all(struct __test_metadata *_metadata, struct model *model, int round)
{
	memset(model->may, true, model->pages * sizeof(bool));
	ASSERT_EQ(0, model_collect(model)) {
		TH_LOG("scan %d failed %s", round, half_way ? "half-way" : "at once");
	}
	failing = 0;
	if (settling)
		tell_costs(model, 0, 0);	/* not when nothing fails */
	ASSERT_EQ(0, model_commit(model, round));
	ASSERT_TRUE(model_live_ok(model));
}

/* Each scan of a collection fails once, and once after it has protected half of its pages. */
TEST_F(settle, a_scan_that_fails_while_pages_are_collected_loses_nothing)
{
	struct model *model = &self->model;
	int at, half, err;

	if (!model->tracker)
		return;
	for (half = 0; half < 2; half++) {
		for (at = 1, err = -1; err; at++) {
			ASSERT_EQ(0, model_begin(model));
			store_to_many(model, at);
			fail_scan(at, half, NULL);
			err = model->ops->collect(model->tracker, 1, note_page, seen);
			failing = 0;
			ASSERT_TRUE(!err || err == -EINTR);
			ASSERT_EQ(0, model_collect(model)) {
				TH_LOG("scan %d failed %s", at, half ? "half-way" : "at once");
			}
			ASSERT_EQ(0, model_commit(model, at));
		}
		ASSERT_LT(8, at);
	}
}

/* Each scan of settling a region fails once, and once after it has protected half of its pages. */
TEST_F_TIMEOUT(settle, a_scan_that_fails_while_a_region_is_being_settled_loses_nothing, 120)
{
	struct model *model = &self->model;
	int at, half, err;

	if (!model->tracker)
		return;
	for (half = 0; half < 2; half++) {
		for (at = 1, err = -1; err; at++) {
			ASSERT_EQ(0, model_begin(model));
			store_to_many(model, at);
			fail_scan(at, half, model);
			err = model->ops->settle(model->tracker);
			failing = 0;
			ASSERT_TRUE(!err || err == -EINTR);
			expect_all(_metadata, model, at);
			ASSERT_TRUE(err || is_settled(model));
			/* and what is stored to then is found as well */
			ASSERT_EQ(0, model_begin(model));
			store_to_many(model, at + 1);
			expect_all(_metadata, model, at);
		}
		ASSERT_LT(8, at);
	}
}

/* The transaction does not notice, and goes on with what was found before. */
TEST_F(settle, a_scan_that_fails_then_is_no_error_of_the_transaction)
{
	struct model *model = &self->model;
	int round = 0, at = 0;
	bool fewer;

	if (!model->tracker)
		return;
	do {
		tell_costs(model, 0, 16);
		settling = true;
		fail_scan(at + 1, round % 2, model);
		ASSERT_EQ(0, model_begin(model));
		store_to_many(model, round);
		expect_all(_metadata, model, ++round);
		settling = false;
		fewer = scans && scans <= at;
		at += scans > at;	/* it was time to settle, and that one failed */
		ASSERT_GT(ROUNDS, round);
	} while (!fewer);
	EXPECT_LE(2, at);
	EXPECT_TRUE(is_settled(model));
}

TEST_HARNESS_MAIN
