// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The tracker on userfaultfd(2) in its asynchronous write-protect mode.
 *
 * PAGEMAP_SCAN finds the pages that are not write-protected and protects them
 * in the same walk; the next store to such a page is resolved in the kernel, by
 * taking the protection off.  Stores by system calls are seen like any others.
 *
 * What was never stored to is told apart in one of two ways.  A region that is
 * not too long is protected as a whole when it is mapped, for which the kernel
 * needs 8 bytes a page, and the scan asks for what is not protected, its
 * fastest kind.  A longer one is not: there the scan asks for anonymous pages as
 * well, which the pages of a private mapping become by the first store.
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
#include <unistd.h>

#include "err.h"
#include "pageset.h"
#include "track.h"
#include "track_map.h"
#include "track_twin.h"
#include "uffd_uapi.h"

/* Runs of pages that one call of PAGEMAP_SCAN returns. */
#define SCAN_RUNS	256

/* The pages that a probe tries: one loaded from, one stored to, one left alone. */
#define PROBE_PAGES	3

/* The longest region that is protected as a whole: 8 MiB of page tables, about 4 ms. */
#define PROTECT_MAX	(4ULL << 30)

/**
 * struct eye - what finds the written pages of one mapping
 * @uffd: the userfaultfd that keeps the mapping registered
 * @pagemap: /proc/self/pagemap
 * @protected: all of it was protected in the beginning
 */
struct eye {
	int uffd;
	int pagemap;
	bool protected;
};

/**
 * struct uffd - a region tracked by userfaultfd
 * @twin: the head; its lock guards @first_writes and @runs too
 * @eye: on the live mapping
 * @first_writes: pages found written since the map
 * @runs: what a scan returned
 */
struct uffd {
	struct track_twin twin;
	struct eye eye;
	uint64_t first_writes;
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
	struct uffdio_writeprotect wp = {
		.range = reg.range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (ioctl(eye->uffd, UFFDIO_REGISTER, &reg))
		return err_set(errno, "UFFDIO_REGISTER: %s", strerror(errno));
	if (eye->protected && ioctl(eye->uffd, UFFDIO_WRITEPROTECT, &wp))
		return err_set(errno, "UFFDIO_WRITEPROTECT: %s", strerror(errno));
	return 0;
}

static void close_eye(struct eye *eye)
{
	close(eye->pagemap);
	close(eye->uffd);
}

static int open_eye(struct eye *eye, const char *base, uint64_t length, bool protected)
{
	int err;

	eye->protected = protected;
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

/* Returns how many runs of pages @arg->start to @arg->walk_end has, or an error. */
static int scan(const struct eye *eye, struct pm_scan_arg *arg, struct page_region *runs, size_t n)
{
	int ret;

	arg->size = sizeof(*arg);
	arg->flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC;
	arg->vec = (uintptr_t)runs;
	arg->vec_len = n;
	arg->category_mask = PAGE_IS_WRITTEN;
	arg->return_mask = PAGE_IS_WRITTEN;
	if (!eye->protected) {
		/* No longer a page of the file, and not just never touched. */
		arg->category_mask |= PAGE_IS_FILE;
		arg->category_inverted = PAGE_IS_FILE;
		arg->category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
	}
	ret = ioctl(eye->pagemap, PAGEMAP_SCAN, arg);
	if (ret < 0)
		return err_set(errno, "PAGEMAP_SCAN: %s", strerror(errno));
	return ret;
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

static int try_file(int file, bool protected)
{
	struct track_map map = { .fd = file, .length = PROBE_PAGES * TRACK_PAGE_SIZE };
	struct eye eye;
	char *base;
	int err;

	err = track_map_private(&map, NULL, &base);
	if (err)
		return err;
	err = open_eye(&eye, base, map.length, protected);
	if (!err) {
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
		err = try_file(file, false);
	if (!err)
		err = try_file(file, true);
	close(file);
	return err;
}

/* There the pages that were never touched have entries in the page tables too. */
static bool protects(uint64_t length)
{
	return length <= PROTECT_MAX;
}

static uint64_t walks(uint64_t length)
{
	return protects(length) ? length >> TRACK_PAGE_SHIFT : 0;
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
	err = open_eye(&uffd->eye, uffd->twin.tracker.base, map->length, protects(map->length));
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

static void add_run(struct uffd *uffd, const struct page_region *run)
{
	uint64_t base = (uintptr_t)uffd->twin.tracker.base;
	uint64_t page, end = (run->end - base) >> TRACK_PAGE_SHIFT;

	for (page = (run->start - base) >> TRACK_PAGE_SHIFT; page < end; page++)
		uffd->first_writes += pageset_add(&uffd->twin.collected, page);
}

/* What a failing scan has protected before it failed is in the set already. */
static int collect_written(struct uffd *uffd)
{
	uint64_t at = (uintptr_t)uffd->twin.tracker.base, end = at + uffd->twin.tracker.length;
	int i, n;

	while (at < end) {
		struct pm_scan_arg arg = { .start = at, .end = end };

		n = scan(&uffd->eye, &arg, uffd->runs, SCAN_RUNS);
		if (n < 0)
			return n;
		for (i = 0; i < n; i++)
			add_run(uffd, &uffd->runs[i]);
		at = arg.walk_end;
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
	.walks = walks,
	.probe = probe,
	.open = open_region,
	.close = close_region,
	.collect = collect,
	.end = track_twin_end,
	.committed = track_twin_committed,
	.keep = track_twin_committed,
	.stats = stats,
};
