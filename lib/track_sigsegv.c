// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The tracker on mprotect(2) and SIGSEGV, for any kernel.
 *
 * The live mapping is private and read-only.  The first store to a page raises
 * SIGSEGV; the handler notes the page and makes it writable: it is open.
 * Collecting closes all open pages before the caller compares them, so that
 * what is stored after the comparison is seen the next time.
 *
 * Each run of open pages costs up to two of the mappings that a process may have
 * (vm.max_map_count).  When they get scarce, the handler opens all pages from the
 * nearest open one on, which takes no further mapping, and notes them all.
 */
#include <errno.h>
#include <linux/rvm_track.h>
#include <pthread.h>
#include <rvm/rvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "fault.h"
#include "pageset.h"
#include "siglock.h"
#include "thread.h"
#include "track.h"
#include "track_map.h"
#include "track_twin.h"

/* The kernel's default of vm.max_map_count, and our share of it in runs. */
#define MAPPINGS_MAX	65530
#define RUNS_SHARE	4

/**
 * struct segv - a region tracked by SIGSEGV
 * @twin: the head; its lock is taken before the lock of regions
 * @strict: a store outside a transaction raises SIGBUS
 * @refusal: the words for that
 * @holds: of each page, how many explicit transactions declared bytes in it
 * @pid: the process that has it mapped
 * @threads: who is in which transaction
 * @open: writable pages; under the lock of regions
 * @runs: of consecutive open pages; likewise
 * @stats: likewise
 * @next: in the list of regions
 */
struct segv {
	struct track_twin twin;
	bool strict;
	struct refusal refusal;
	uint32_t *holds;
	pid_t pid;
	struct thread_table threads;
	struct pageset open;
	uint64_t runs;
	struct track_stats stats;
	struct segv *next;
};

static struct siglock regions_lock;
static struct segv *regions;
static uint64_t all_runs;
static uint64_t runs_max;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct segv *to_segv(struct tracker *tracker)
{
	return (struct segv *)tracker;
}

/* A child has none of its parent's regions, and nobody else who holds the lock. */
static void begin_child(void)
{
	regions_lock.state = 0;
	regions = NULL;
	all_runs = 0;
}

static void init_once(void)
{
	unsigned long mappings = MAPPINGS_MAX;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");

	if (file && fscanf(file, "%lu", &mappings) != 1)
		mappings = MAPPINGS_MAX;
	if (file)
		fclose(file);
	runs_max = mappings / RUNS_SHARE;
	pthread_atfork(NULL, NULL, begin_child);
}

static struct segv *find(const char *addr)
{
	struct segv *segv;

	for (segv = regions; segv; segv = segv->next)
		if (addr >= segv->twin.tracker.base &&
		    addr < segv->twin.tracker.base + segv->twin.tracker.length)
			return segv;
	return NULL;
}

static int protect(struct segv *segv, uint64_t first, uint64_t end, int prot)
{
	return mprotect(segv->twin.tracker.base + (first << TRACK_PAGE_SHIFT),
			(end - first) << TRACK_PAGE_SHIFT, prot);
}

/* Make the pages from @first up to @end writable and note them. */
static bool open_pages(struct segv *segv, uint64_t first, uint64_t end)
{
	uint64_t page, runs = 1;

	if (protect(segv, first, end, PROT_READ | PROT_WRITE))
		return false;
	runs -= first > 0 && pageset_has(&segv->open, first - 1);
	runs -= end < segv->open.pages && pageset_has(&segv->open, end);
	segv->runs += runs;
	all_runs += runs;
	for (page = first; page < end; page++) {
		pageset_add(&segv->open, page);
		if (__atomic_load_n(&segv->twin.stores[page].thread, __ATOMIC_RELAXED))
			track_twin_note_store(&segv->twin, page, (struct track_store) { 0 });
	}
	return true;
}

/*
 * Note a page by moving the border of the nearest run up to it, with the pages
 * between: that takes no further mapping.
 */
static bool open_near(struct segv *segv, uint64_t page, uint64_t before, uint64_t after)
{
	if (before != PAGESET_NONE && (after == PAGESET_NONE || page - before <= after - page))
		return open_pages(segv, before + 1, page + 1);
	return after != PAGESET_NONE && open_pages(segv, page, after);
}

/* All pages between two runs, or the ends of the region: that removes a mapping. */
static bool open_gap(struct segv *segv, uint64_t before, uint64_t after)
{
	return open_pages(segv, before == PAGESET_NONE ? 0 : before + 1,
			  after == PAGESET_NONE ? segv->open.pages : after);
}

static bool open_page(struct segv *segv, uint64_t page)
{
	uint64_t before = pageset_prev(&segv->open, page);
	uint64_t after = pageset_next(&segv->open, page);
	bool first = before == PAGESET_NONE && after == PAGESET_NONE;

	if ((first || all_runs < runs_max) && open_pages(segv, page, page + 1))
		return true;
	return open_near(segv, page, before, after) || open_gap(segv, before, after);
}

static bool is_held(const struct segv *segv, uint64_t page)
{
	return __atomic_load_n(&segv->holds[page], __ATOMIC_SEQ_CST);
}

/* Pages that are opened with it were not stored to. */
static void note_store(struct segv *segv, uint64_t offset, uint64_t ip)
{
	track_twin_note_store(&segv->twin, offset >> TRACK_PAGE_SHIFT, (struct track_store) {
		.ip = ip,
		.thread = thread_id(),
		.at = offset & (TRACK_PAGE_SIZE - 1),
	});
}

static enum fault_verdict judge_store(struct segv *segv, uint64_t offset, uint64_t ip)
{
	uint64_t page = offset >> TRACK_PAGE_SHIFT;
	bool stray;

	/* Another thread was faster, or collect failed half-way. */
	if (pageset_has(&segv->open, page))
		return protect(segv, page, page + 1, PROT_READ | PROT_WRITE) ? FAULT_FOREIGN
									     : FAULT_RESOLVED;
	stray = thread_kind(&segv->threads, thread_id()) == RVM_TRACK_KIND_NONE &&
		!is_held(segv, page);
	if (stray && segv->strict)
		return FAULT_REFUSED;
	if (!open_page(segv, page))
		return FAULT_FOREIGN;
	note_store(segv, offset, ip);
	segv->stats.strays += stray;
	return FAULT_RESOLVED;
}

static enum fault_verdict judge(void *addr, uint64_t ip)
{
	enum fault_verdict verdict = FAULT_FOREIGN;
	struct segv *segv;

	siglock_take(&regions_lock);
	segv = find(addr);
	if (segv && segv->pid == getpid())
		verdict = judge_store(segv, (char *)addr - segv->twin.tracker.base, ip);
	siglock_give(&regions_lock);
	return verdict;
}

static int probe(void)
{
	return fault_check();
}

static void add_region(struct segv *segv)
{
	sigset_t saved;

	siglock_block(&regions_lock, &saved);
	segv->next = regions;
	regions = segv;
	siglock_unblock(&regions_lock, &saved);
}

static void del_region(struct segv *segv)
{
	struct segv **at = &regions;
	sigset_t saved;

	siglock_block(&regions_lock, &saved);
	while (*at && *at != segv)
		at = &(*at)->next;
	if (*at)
		*at = segv->next;
	all_runs -= segv->runs;
	siglock_unblock(&regions_lock, &saved);
}

/* What is noted of each page: the holds, and the stores. */
static size_t notes_size(const struct segv *segv)
{
	return segv->open.pages * (sizeof(*segv->twin.stores) + sizeof(*segv->holds));
}

static int open_notes(struct segv *segv)
{
	void *at = mmap(NULL, notes_size(segv), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return err_set(ENOMEM, "no address space for the holds of a region");
	segv->twin.stores = at;
	segv->holds = (void *)(segv->twin.stores + segv->open.pages);
	return 0;
}

static void close_notes(struct segv *segv)
{
	munmap(segv->twin.stores, notes_size(segv));
}

/*
 * One store while all is one mapping gives it its anon_vma, which all later
 * pieces share; the kernel would not join pieces again that have different ones.
 */
static int close_all(struct segv *segv)
{
	volatile char *first = segv->twin.tracker.base;

	*first = *first;
	if (protect(segv, 0, segv->open.pages, PROT_READ))
		return err_set(errno, "mprotect: %s", strerror(errno));
	return 0;
}

static int open_all(struct segv *segv, const struct track_map *map)
{
	int err;

	err = track_twin_open(&segv->twin, &track_sigsegv, map);
	if (err)
		return err;
	err = pageset_init(&segv->open, map->length >> TRACK_PAGE_SHIFT);
	if (err)
		goto err_twin;
	err = open_notes(segv);
	if (err)
		goto err_open;
	err = thread_table_open(&segv->threads, NULL);
	if (err)
		goto err_notes;
	err = close_all(segv);
	if (!err)
		err = fault_install(judge);
	if (!err && map->strict)
		err = track_map_refusal(map, segv->twin.tracker.base, &segv->refusal);
	if (err)
		goto err_threads;
	return 0;

err_threads:
	thread_table_close(&segv->threads);
err_notes:
	close_notes(segv);
err_open:
	pageset_destroy(&segv->open);
err_twin:
	track_twin_close(&segv->twin);
	return err;
}

static int open_region(const struct track_map *map, struct tracker **out)
{
	struct segv *segv;
	int err;

	segv = calloc(1, sizeof(*segv));
	if (!segv)
		return err_set(ENOMEM, "no memory for a tracker");
	pthread_once(&once, init_once);
	segv->strict = map->strict;
	segv->pid = getpid();
	err = open_all(segv, map);
	if (err) {
		free(segv);
		return err;
	}
	add_region(segv);
	if (map->strict)
		refusal_add(&segv->refusal);
	*out = &segv->twin.tracker;
	return 0;
}

static void close_region(struct tracker *tracker)
{
	struct segv *segv = to_segv(tracker);

	refusal_del(&segv->refusal);
	del_region(segv);
	free(segv->refusal.path);
	thread_table_close(&segv->threads);
	track_twin_close(&segv->twin);
	close_notes(segv);
	pageset_destroy(&segv->open);
	free(segv);
}

static void hold(struct tracker *tracker, uint64_t first, uint64_t last)
{
	uint32_t *holds = to_segv(tracker)->holds;

	for (; first <= last; first++)
		__atomic_add_fetch(&holds[first], 1, __ATOMIC_SEQ_CST);
}

static void release(struct tracker *tracker, uint64_t first, uint64_t last, uint64_t lsn)
{
	uint32_t *holds = to_segv(tracker)->holds;

	(void)lsn;
	for (; first <= last; first++)
		__atomic_sub_fetch(&holds[first], 1, __ATOMIC_SEQ_CST);
}

static int begin(struct tracker *tracker, uint32_t tid)
{
	return thread_begin(&to_segv(tracker)->threads, tid);
}

/* Close all open pages by one call: the kernel skips what is closed, joins what was split. */
static int collect_open(struct segv *segv)
{
	uint64_t page, first = pageset_next(&segv->open, 0);

	if (first == PAGESET_NONE)
		return 0;
	if (protect(segv, first, pageset_prev(&segv->open, segv->open.pages - 1) + 1, PROT_READ))
		return err_set(errno, "mprotect: %s", strerror(errno));
	for (page = first; page != PAGESET_NONE; page = pageset_next(&segv->open, page + 1))
		segv->stats.first_writes += pageset_add(&segv->twin.collected, page);
	pageset_clear(&segv->open);
	all_runs -= segv->runs;
	segv->runs = 0;
	return 0;
}

/* Whoever holds an open page faults once more. */
static void arm(struct tracker *tracker)
{
	struct segv *segv = to_segv(tracker);
	sigset_t saved;

	pthread_mutex_lock(&segv->twin.lock);
	siglock_block(&regions_lock, &saved);
	collect_open(segv);
	siglock_unblock(&regions_lock, &saved);
	pthread_mutex_unlock(&segv->twin.lock);
}

static int collect(struct tracker *tracker, uint32_t tid,
		   int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	struct segv *segv = to_segv(tracker);
	sigset_t saved;
	int err;

	(void)tid;
	pthread_mutex_lock(&segv->twin.lock);
	siglock_block(&regions_lock, &saved);
	err = collect_open(segv);
	siglock_unblock(&regions_lock, &saved);
	if (!err)
		err = track_twin_visit(&segv->twin, fn, arg);
	pthread_mutex_unlock(&segv->twin.lock);
	return err;
}

static int end(struct tracker *tracker, uint32_t tid, uint64_t lsn)
{
	thread_end(&to_segv(tracker)->threads);
	return track_twin_end(tracker, tid, lsn);
}

static void stats(struct tracker *tracker, struct track_stats *stats)
{
	sigset_t saved;

	siglock_block(&regions_lock, &saved);
	*stats = to_segv(tracker)->stats;
	siglock_unblock(&regions_lock, &saved);
}

const struct track_ops track_sigsegv = {
	.name = "sigsegv",
	.flag = RVM_TRACK_SIGSEGV,
	.tracks = true,
	.twin = true,
	.strict = true,
	.probe = probe,
	.open = open_region,
	.close = close_region,
	.begin = begin,
	.collect = collect,
	.end = end,
	.committed = track_twin_committed,
	.keep = track_twin_committed,
	.hold = hold,
	.release = release,
	.arm = arm,
	.stats = stats,
};
