// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a tracker costs here: measured once a process, on a few pages of a scratch file. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "diff.h"
#include "err.h"
#include "track.h"
#include "track_cost.h"

#define PAGES		16	/* that a transaction stores to, to tell pages from transactions */
#define ROUNDS		4	/* of which the first reads the pages in */
#define PATIENCE_MAX	1024
#define WALKED		4096	/* pages of a region that tells walks from all else */
#define WALK_UNIT	1024

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void least(uint32_t *best, uint64_t value)
{
	if (!*best || value < *best)
		*best = value ? value : 1;
}

static int nothing(void *arg, const struct track_page *page)
{
	(void)arg;
	(void)page;
	return 0;
}

/* One transaction that stores to @n pages; adds what its stores and its end took. */
static int transact(struct tracker *tracker, size_t n, uint32_t *stores, uint32_t *end)
{
	const struct track_ops *ops = tracker->ops;
	uint64_t begin, stored;
	int err = 0;

	if (ops->begin)
		err = ops->begin(tracker, 1);
	if (err)
		return err;
	begin = now();
	for (size_t i = 0; i < n; i++)
		++*(volatile char *)(tracker->base + i * TRACK_PAGE_SIZE);
	stored = now();
	err = ops->collect(tracker, 1, nothing, NULL);
	if (!err)
		err = ops->end(tracker, 1, 1);
	least(end, now() - stored);
	least(stores, stored - begin);
	return err;
}

static void compare(const char *pages, struct track_cost *cost)
{
	struct diff_run runs[DIFF_RUNS(1)];
	uint64_t begin = now();

	for (size_t i = 0; i < PAGES; i += 2)
		diff_page(pages + i * TRACK_PAGE_SIZE, pages + (i + 1) * TRACK_PAGE_SIZE, 1, runs);
	least(&cost->diff, (now() - begin) / (PAGES / 2));
}

static int run(struct tracker *tracker, struct track_cost *cost)
{
	uint32_t one = 0, many = 0, ignored = 0, stores = 0;
	int err = 0;

	for (unsigned int i = 0; i < ROUNDS && !err; i++) {
		err = transact(tracker, PAGES, &stores, &many);
		if (!err)
			err = transact(tracker, 1, &ignored, &one);
		if (!err)
			err = transact(tracker, 0, &ignored, &cost->idle);
		compare(tracker->base, cost);
	}
	cost->fault = stores / PAGES;
	cost->rearm = many > one ? (many - one) / (PAGES - 1) : 0;
	cost->end = one > cost->rearm ? one - cost->rearm : one;
	return err;
}

/*
 * In a longer region, that is settled.  No page is stored to: to tell all processors that one is
 * protected again may take much longer than the walk, and not twice the same time.
 */
static int run_long(struct tracker *tracker, struct track_cost *cost)
{
	uint32_t all = 0, ignored = 0;
	uint64_t begin = now();
	int err = tracker->ops->settle(tracker);

	least(&cost->settle, (now() - begin) * WALK_UNIT / WALKED);
	for (unsigned int i = 0; i < ROUNDS && !err; i++)
		err = transact(tracker, 0, &ignored, &all);
	if (all > cost->idle)
		cost->walk = (uint64_t)(all - cost->idle) * WALK_UNIT / (WALKED - PAGES);
	return err;
}

static int track_file(const struct track_ops *ops, int file, uint64_t pages,
		      int (*fn)(struct tracker *tracker, struct track_cost *cost),
		      struct track_cost *cost)
{
	struct track_map map = { .fd = file, .length = pages * TRACK_PAGE_SIZE };
	struct tracker *tracker;
	int err;

	if (ftruncate(file, map.length))
		return -1;
	err = ops->open(&map, &tracker);
	if (err)
		return err;
	err = fn(tracker, cost);
	ops->close(tracker);
	return err;
}

void track_cost_measure(const struct track_ops *ops, struct track_cost *cost)
{
	int file = memfd_create("rvm-cost", MFD_CLOEXEC), err;

	memset(cost, 0, sizeof(*cost));
	if (file < 0)
		return;
	err = track_file(ops, file, PAGES, run, cost);
	if (!err && ops->settle)
		err = track_file(ops, file, WALKED, run_long, cost);
	close(file);
	if (!err)
		return;
	memset(cost, 0, sizeof(*cost));
	err_clear();	/* it is no error to go without */
}

static uint64_t for_length(uint32_t unit, uint64_t length)
{
	return (length >> TRACK_PAGE_SHIFT) * unit / WALK_UNIT;
}

uint64_t track_cost_walk(const struct track_cost *cost, uint64_t length)
{
	return for_length(cost->walk, length);
}

uint64_t track_cost_settle(const struct track_cost *cost, uint64_t length)
{
	return for_length(cost->settle, length);
}

uint64_t track_cost_rest(const struct track_cost *cost)
{
	return cost->end + TRACK_COST_PAGES * ((uint64_t)cost->fault + cost->rearm);
}

uint32_t track_cost_patience(const struct track_cost *cost)
{
	uint32_t n;

	if (!cost->diff)
		return 0;
	n = 1 + (cost->fault + cost->rearm) / cost->diff;
	return n < PATIENCE_MAX ? n : PATIENCE_MAX;
}
