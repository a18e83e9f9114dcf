// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The tracker on userfaultfd(2) in its asynchronous write-protect mode.
 *
 * PAGEMAP_SCAN finds the pages that are not write-protected and protects them
 * in the same walk; the next store to such a page is resolved in the kernel, by
 * taking the protection off.  Stores by system calls are seen like any others.
 *
 * What was never stored to is told apart in one of two ways.  At first the scan
 * asks for anonymous pages as well, which the pages of a private mapping become by
 * the first store; it passes over what was never touched, and looks closely at
 * what was.  A region that is settled is protected as a whole, for which the
 * kernel needs 8 bytes a page; its scan asks for what is not protected, its fastest
 * kind, of all pages.  So the time that scans take decides, by the measured costs:
 * when they have taken so much longer than they would have over a settled region
 * that to settle it would be paid for by now, it is settled.
 *
 * A page is protected again when it is collected, which is before the caller
 * compares it: what is stored after the comparison is seen the next time.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rvm/rvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "pageset.h"
#include "track.h"
#include "track_cost.h"
#include "track_map.h"
#include "track_twin.h"
#include "uffd_uapi.h"

/* Runs of pages that one call of PAGEMAP_SCAN returns. */
#define SCAN_RUNS	256

/* The pages that a probe tries: one loaded from, one stored to, one left alone. */
#define PROBE_PAGES	3

/* So many scans at least must have taken too long: one may have had to wait for a processor. */
#define SETTLE_SCANS	8

/**
 * struct eye - what finds the written pages of one mapping
 * @uffd: the userfaultfd that keeps the mapping registered
 * @pagemap: /proc/self/pagemap
 * @settled: all of it was protected as a whole
 */
struct eye {
	int uffd;
	int pagemap;
	bool settled;
};

/**
 * struct uffd - a region tracked by userfaultfd
 * @twin: the head; its lock guards all but @eye's descriptors
 * @eye: on the live mapping
 * @first_writes: pages found written since the map
 * @excess: nanoseconds that scans took longer than they would have over a settled region
 * @walk: what one would take
 * @settle: what it takes to settle it, 0 if that is not known or failed
 * @runs: what a scan returned
 */
struct uffd {
	struct track_twin twin;
	struct eye eye;
	uint64_t first_writes;
	uint64_t excess;
	uint64_t walk;
	uint64_t settle;
	struct page_region runs[SCAN_RUNS];
};

static struct uffd *to_uffd(struct tracker *tracker)
{
	return (struct uffd *)tracker;
}

/* Returns a descriptor or an error. */
static int open_uffd(void)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED,
	};
	int fd, err;

	fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0)
		return err_set(errno, "userfaultfd(2): %s", strerror(errno));
	if (ioctl(fd, UFFDIO_API, &api)) {
		err = err_set(errno, "userfaultfd(2) is not asynchronous before Linux 6.7");
		close(fd);
		return err;
	}
	return fd;
}

/* Returns a descriptor or an error. */
static int open_pagemap(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(errno, "/proc/self/pagemap: %s", strerror(errno));
	return fd;
}

static int watch(struct eye *eye, const char *base, uint64_t length)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)base, .len = length },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	if (ioctl(eye->uffd, UFFDIO_REGISTER, &reg))
		return err_set(errno, "UFFDIO_REGISTER: %s", strerror(errno));
	return 0;
}

static void close_eye(struct eye *eye)
{
	close(eye->pagemap);
	close(eye->uffd);
}

static int open_eye(struct eye *eye, const char *base, uint64_t length)
{
	int err;

	eye->settled = false;
	eye->uffd = open_uffd();
	if (eye->uffd < 0)
		return eye->uffd;
	eye->pagemap = open_pagemap();
	if (eye->pagemap < 0) {
		close(eye->uffd);
		return eye->pagemap;
	}
	err = watch(eye, base, length);
	if (err)
		close_eye(eye);
	return err;
}

/* The categories that make a page one that was stored to. */
static void ask_for_written(const struct eye *eye, struct pm_scan_arg *arg)
{
	arg->category_mask = PAGE_IS_WRITTEN;
	arg->return_mask = PAGE_IS_WRITTEN;
	if (!eye->settled) {
		/* No longer a page of the file, and not just never touched. */
		arg->category_mask |= PAGE_IS_FILE;
		arg->category_inverted = PAGE_IS_FILE;
		arg->category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
	}
}

/* All pages, with what ask_for_written() looks at. */
static void ask_for_all(struct pm_scan_arg *arg)
{
	arg->category_mask = PAGE_IS_WPALLOWED;
	arg->return_mask = PAGE_IS_WRITTEN | PAGE_IS_FILE | PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
}

/* Of a run that ask_for_all() found: was it stored to?  One that was not filled in was not. */
static bool is_written(const struct page_region *run)
{
	return run->categories & PAGE_IS_WRITTEN && !(run->categories & PAGE_IS_FILE) &&
	       run->categories & (PAGE_IS_PRESENT | PAGE_IS_SWAPPED);
}

/* Returns how many runs of pages from @arg->start to @arg->walk_end there are, or an error. */
static int look(const struct eye *eye, struct pm_scan_arg *arg, struct page_region *runs, size_t n)
{
	int ret;

	arg->size = sizeof(*arg);
	arg->vec = (uintptr_t)runs;
	arg->vec_len = n;
	ret = ioctl(eye->pagemap, PAGEMAP_SCAN, arg);
	if (ret < 0)
		return err_set(errno, "PAGEMAP_SCAN: %s", strerror(errno));
	return ret;
}

/* The same, and those pages that have the categories are protected. */
static int scan(const struct eye *eye, struct pm_scan_arg *arg, struct page_region *runs, size_t n)
{
	arg->flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC;
	return look(eye, arg, runs, n);
}

/*
 * Call @fn for each run of pages of @found that are there and not the file's.  One that was never
 * touched looks like one that is swapped out once it is protected, and so it is among them: that
 * costs a comparison.
 */
static int tell_stored(const struct eye *eye, const struct page_region *found,
		       void (*fn)(void *arg, const struct page_region *run), void *arg)
{
	struct pm_scan_arg at = {
		.start = found->start,
		.end = found->end,
		.category_mask = PAGE_IS_FILE,
		.category_inverted = PAGE_IS_FILE,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT,
	};
	struct page_region run;
	int n;

	do {
		n = look(eye, &at, &run, 1);
		if (n > 0)
			fn(arg, &run);
		at.start = at.walk_end;
	} while (n > 0 && at.start < at.end);
	return n < 0 ? n : 0;
}

/*
 * On Linux 6.12 the first scan passes over what has a place in a page table and nothing in it,
 * which the scan of a settled region takes for written.  That scan protects it; of what it found,
 * what is there now was stored to, before that or later, and then it is found again.
 */
static int protect_empty(struct eye *eye, const char *base, uint64_t length,
			 struct page_region *runs, size_t n_runs,
			 void (*fn)(void *arg, const struct page_region *run), void *arg)
{
	uint64_t at = (uintptr_t)base, end = at + length;
	int i, n = 0, err = 0;

	eye->settled = true;	/* so that it is that scan */
	while (at < end && !err) {
		struct pm_scan_arg scanned = { .start = at, .end = end };

		ask_for_written(eye, &scanned);
		n = scan(eye, &scanned, runs, n_runs);
		for (i = 0; i < n && !err; i++)
			err = tell_stored(eye, &runs[i], fn, arg);
		if (n < 0 || err)
			break;
		at = scanned.walk_end;
	}
	if (at == end)
		return 0;
	/* Nobody knows what is protected by now, and was stored to. */
	runs[0] = (struct page_region) { .start = at, .end = end };
	fn(arg, &runs[0]);
	return n < 0 ? n : err;
}

/*
 * Protect all pages, from now on or again, and call @fn for each run that was stored to, also for
 * those that a scan had found before it failed.
 */
static int protect_all(struct eye *eye, const char *base, uint64_t length,
		       struct page_region *runs, size_t n_runs,
		       void (*fn)(void *arg, const struct page_region *run), void *arg)
{
	uint64_t at = (uintptr_t)base, end = at + length;
	size_t i;
	int n = 0;

	while (at < end && n >= 0) {
		struct pm_scan_arg scanned = { .start = at, .end = end };

		memset(runs, 0, n_runs * sizeof(*runs));
		ask_for_all(&scanned);
		n = scan(eye, &scanned, runs, n_runs);
		for (i = 0; i < n_runs; i++)
			if (is_written(&runs[i]))
				fn(arg, &runs[i]);
		at = scanned.walk_end;
	}
	if (n >= 0)
		n = protect_empty(eye, base, length, runs, n_runs, fn, arg);
	eye->settled = !n;
	return n;
}

/* Scan the pages at @base: exactly page @written of them must be found, or none. */
static int expect(const struct eye *eye, char *base, int written)
{
	struct pm_scan_arg arg = {
		.start = (uintptr_t)base,
		.end = (uintptr_t)base + PROBE_PAGES * TRACK_PAGE_SIZE,
	};
	struct page_region run;
	int ret;

	ask_for_written(eye, &arg);
	ret = scan(eye, &arg, &run, 1);
	if (ret < 0)
		return ret;
	if (ret != !(written < 0) ||
	    (ret && (run.start != arg.start + written * TRACK_PAGE_SIZE ||
		     run.end != run.start + TRACK_PAGE_SIZE)))
		return err_set(EOPNOTSUPP, "PAGEMAP_SCAN does not see stores to private pages");
	return 0;
}

/* Each store is seen once, the first one and later ones; a load is not, nor is nothing. */
static int try_pages(const struct eye *eye, char *base)
{
	volatile char *loaded = base, *stored = base + TRACK_PAGE_SIZE;
	int i, err;

	(void)*loaded;
	for (i = 0; i < 2; i++) {
		*stored = i;
		err = expect(eye, base, 1);
		if (!err)
			err = expect(eye, base, -1);
		if (err)
			return err;
	}
	return 0;
}

static void count_run(void *arg, const struct page_region *run)
{
	*(uint64_t *)arg += (run->end - run->start) >> TRACK_PAGE_SHIFT;
}

/* What is stored to before that, after it was protected the first time, is found by that. */
static int settle_pages(struct eye *eye, char *base)
{
	uint64_t length = PROBE_PAGES * TRACK_PAGE_SIZE, found = 0;
	volatile char *stored = base + TRACK_PAGE_SIZE;
	struct page_region runs[PROBE_PAGES];
	int err;

	*stored = 1;
	err = protect_all(eye, base, length, runs, PROBE_PAGES, count_run, &found);
	if (!err && !found)
		err = err_set(EOPNOTSUPP, "PAGEMAP_SCAN passes over stores to private pages");
	return err;
}

static int try_file(int file)
{
	struct track_map map = { .fd = file, .length = PROBE_PAGES * TRACK_PAGE_SIZE };
	struct eye eye;
	char *base;
	int err;

	err = track_map_private(&map, NULL, &base);
	if (err)
		return err;
	err = open_eye(&eye, base, map.length);
	if (!err) {
		err = try_pages(&eye, base);
		if (!err)
			err = settle_pages(&eye, base);
		if (!err)
			err = try_pages(&eye, base);
		close_eye(&eye);
	}
	munmap(base, map.length);
	return err;
}

static int probe(void)
{
	int file, err;

	file = memfd_create("rvm-probe", MFD_CLOEXEC);
	if (file < 0)
		return err_set(errno, "memfd_create: %s", strerror(errno));
	if (ftruncate(file, PROBE_PAGES * TRACK_PAGE_SIZE))
		err = err_set(errno, "ftruncate: %s", strerror(errno));
	else
		err = try_file(file);
	close(file);
	return err;
}

static int open_region(const struct track_map *map, struct tracker **out)
{
	struct uffd *uffd;
	int err;

	uffd = calloc(1, sizeof(*uffd));
	if (!uffd)
		return err_set(ENOMEM, "no memory for a tracker");
	err = track_twin_open(&uffd->twin, &track_uffd, map);
	if (err)
		goto err_free;
	err = open_eye(&uffd->eye, uffd->twin.tracker.base, map->length);
	if (err)
		goto err_twin;
	*out = &uffd->twin.tracker;
	return 0;

err_twin:
	track_twin_close(&uffd->twin);
err_free:
	free(uffd);
	return err;
}

static void close_region(struct tracker *tracker)
{
	struct uffd *uffd = to_uffd(tracker);

	close_eye(&uffd->eye);
	track_twin_close(&uffd->twin);
	free(uffd);
}

static void add_run(void *arg, const struct page_region *run)
{
	struct uffd *uffd = arg;
	uint64_t base = (uintptr_t)uffd->twin.tracker.base;
	uint64_t page, end = (run->end - base) >> TRACK_PAGE_SHIFT;

	for (page = (run->start - base) >> TRACK_PAGE_SHIFT; page < end; page++)
		uffd->first_writes += pageset_add(&uffd->twin.collected, page);
}

static int settle_locked(struct uffd *uffd)
{
	const struct tracker *tracker = &uffd->twin.tracker;

	return protect_all(&uffd->eye, tracker->base, tracker->length, uffd->runs, SCAN_RUNS,
			   add_run, uffd);
}

static int settle(struct tracker *tracker)
{
	struct uffd *uffd = to_uffd(tracker);
	int err;

	pthread_mutex_lock(&uffd->twin.lock);
	err = settle_locked(uffd);
	pthread_mutex_unlock(&uffd->twin.lock);
	return err;
}

static void tune(struct tracker *tracker, const struct track_cost *cost)
{
	struct uffd *uffd = to_uffd(tracker);

	uffd->walk = track_cost_walk(cost, tracker->length);
	uffd->settle = track_cost_settle(cost, tracker->length);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/*
 * What a failing scan has protected before it failed is in the set as well: the kernel does not say
 * how many runs it has told by then, but it has told them.
 */
static int scan_all(struct uffd *uffd)
{
	uint64_t at = (uintptr_t)uffd->twin.tracker.base, end = at + uffd->twin.tracker.length;
	int i, n = 0;

	while (at < end && n >= 0) {
		struct pm_scan_arg arg = { .start = at, .end = end };

		memset(uffd->runs, 0, sizeof(uffd->runs));
		ask_for_written(&uffd->eye, &arg);
		n = scan(&uffd->eye, &arg, uffd->runs, SCAN_RUNS);
		for (i = 0; i < SCAN_RUNS && uffd->runs[i].end; i++)
			add_run(uffd, &uffd->runs[i]);
		at = arg.walk_end;
	}
	return n < 0 ? n : 0;
}

/* A scan has taken so long.  Would it have been worth the while to have settled the region? */
static bool is_time_to_settle(struct uffd *uffd, uint64_t took)
{
	uint64_t most = uffd->settle / SETTLE_SCANS + 1, less = uffd->walk;

	if (took > less)
		uffd->excess += took - less < most ? took - less : most;
	else
		uffd->excess -= less - took < uffd->excess ? less - took : uffd->excess;
	return uffd->excess > uffd->settle;
}

static int collect_written(struct uffd *uffd)
{
	uint64_t begin;
	int err;

	if (uffd->eye.settled || !uffd->settle)
		return scan_all(uffd);
	begin = now();
	err = scan_all(uffd);
	if (err || !is_time_to_settle(uffd, now() - begin))
		return err;
	/* Otherwise it stays as it is, and what was found is in the set. */
	if (settle_locked(uffd)) {
		uffd->settle = 0;
		err_clear();
	}
	return 0;
}

static int collect(struct tracker *tracker, uint32_t tid,
		   int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	struct uffd *uffd = to_uffd(tracker);
	int err;

	(void)tid;
	pthread_mutex_lock(&uffd->twin.lock);
	err = collect_written(uffd);
	if (!err)
		err = track_twin_visit(&uffd->twin, fn, arg);
	pthread_mutex_unlock(&uffd->twin.lock);
	return err;
}

static void stats(struct tracker *tracker, struct track_stats *stats)
{
	struct uffd *uffd = to_uffd(tracker);

	pthread_mutex_lock(&uffd->twin.lock);
	*stats = (struct track_stats){ .first_writes = uffd->first_writes };
	pthread_mutex_unlock(&uffd->twin.lock);
}

const struct track_ops track_uffd = {
	.name = "uffd",
	.flag = RVM_TRACK_UFFD,
	.tracks = true,
	.twin = true,
	.probe = probe,
	.open = open_region,
	.close = close_region,
	.settle = settle,
	.collect = collect,
	.end = track_twin_end,
	.committed = track_twin_committed,
	.keep = track_twin_committed,
	.stats = stats,
	.tune = tune,
};
