// SPDX-License-Identifier: LGPL-2.1-or-later
/* Truncation: bring what the log holds into the segments and free its space. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "increment.h"
#include "log.h"
#include "pageout.h"
#include "recover.h"
#include "region.h"
#include "segment.h"
#include "statistics.h"
#include "track.h"
#include "truncate.h"

#define CHUNK	1024	/* pages asked for at once */
#define REST	0x100000 /* bytes of log that commits may wait for to be truncated */
#define ROUNDS	4	/* most truncations to get there */
#define TURN	64	/* pages that commits wait for at once, meanwhile */
#define TURN_MAX 256	/* most, where they reference so many between two turns */
#define TRIES	4	/* turns for as many pages, at most */
#define PAUSE	200000	/* nanoseconds for commits between turns, if the head does not move */
#define EPOCH	32768	/* pages sorted at once */

/**
 * struct chunk - some of a region's dirty pages
 * @region: the region
 * @taken: in the order of the queue
 * @pages: the same
 * @n: how many
 */
struct chunk {
	struct region *region;
	struct queued_page taken[CHUNK];
	uint64_t pages[CHUNK];
	size_t n;
};

/* Of the pages that were asked for twice, note the busy ones and let go of the others. */
static int sort_out(struct region *region, const uint64_t *held, size_t n_held,
		    const uint64_t *busy, size_t n_busy)
{
	size_t i;
	int err = 0;

	for (i = 0; i < n_busy && !err; i++)
		err = rangeset_add(&region->busy, busy[i], busy[i] + 1, NULL, NULL);
	for (i = 0; i < n_held; i++)
		if (!rangeset_overlaps(&region->busy, held[i], held[i] + 1))
			region->tracker->ops->release(region->tracker, held[i], held[i], 0);
	return err;
}

/* Have the tracker write pages; what goes wrong is told with the segment's name. */
static int write_back(struct region *region, const uint64_t *pages, size_t n, uint64_t *busy,
		      size_t *n_busy)
{
	int err = region->tracker->ops->writeback(region->tracker, pages, n, busy, n_busy);

	return err ? err_add(err, "segment %s: ", region->segment->path) : 0;
}

/* Steps 1 and 2 of the head comment for one chunk. */
static int write_chunk(struct chunk *chunk)
{
	struct tracker *tracker = chunk->region->tracker;
	uint64_t held[CHUNK], busy[CHUNK];
	size_t n_held, n_busy = 0, i;
	int err, late;

	err = write_back(chunk->region, chunk->pages, chunk->n, held, &n_held);
	if (err || !n_held)
		return err;
	for (i = 0; i < n_held; i++)
		tracker->ops->hold(tracker, held[i], held[i]);
	err = write_back(chunk->region, held, n_held, busy, &n_busy);
	late = sort_out(chunk->region, held, n_held, busy, err ? 0 : n_busy);
	return err ? err : late;
}

/* A page is busy: the log has bytes for it, from where it is queued. */
static void need_log(struct truncator *tr, const struct queued_page *taken)
{
	if (taken->lsn < tr->needed)
		tr->needed = taken->lsn;
}

/* What failed is queued again, last first; what is busy stays reserved until the end. */
static void finish_chunk(struct truncator *tr, struct chunk *chunk, bool failed)
{
	struct region *region = chunk->region;
	size_t i = chunk->n;

	while (i--) {
		const struct queued_page *taken = &chunk->taken[i];

		if (rangeset_overlaps(&region->busy, taken->page, taken->page + 1))
			need_log(tr, taken);
		else if (failed)
			dirty_back(&region->dirty, taken->page, taken->lsn);
		else
			dirty_done(&region->dirty, taken->page);
	}
}

/* All pages that records below @to may reference. */
static int write_region(struct truncator *tr, struct region *region, uint64_t to)
{
	struct chunk *chunk = malloc(sizeof(*chunk));
	int err = 0;

	if (!chunk)
		return err_set(ENOMEM, "out of memory for truncation");
	chunk->region = region;
	while (!err) {
		chunk->n = dirty_take(&region->dirty, chunk->taken, CHUNK, to);
		if (!chunk->n)
			break;
		for (size_t i = 0; i < chunk->n; i++)
			chunk->pages[i] = chunk->taken[i].page;
		err = write_chunk(chunk);
		finish_chunk(tr, chunk, err);
	}
	free(chunk);
	return err;
}

/* As finish_chunk(). */
static int finish_copies(struct pageout *out, bool failed)
{
	struct region *region = out->region;
	size_t i = out->n;
	int err = 0;

	while (i--) {
		const struct queued_page *taken = &out->taken[i];
		bool written = out->written[pageout_find(out, taken->page)];

		if (written)
			dirty_done(&region->dirty, taken->page);
		else if (!failed && !err)
			err = rangeset_add(&region->busy, taken->page, taken->page + 1, NULL, NULL);
		if (!written && !failed && !err)
			need_log(out->tr, taken);
		if (!written && (failed || err))
			dirty_back(&region->dirty, taken->page, taken->lsn);
	}
	return err;
}

/* Step 1 where the tracker does not write back. */
static int copy_region(struct truncator *tr, struct region *region, uint64_t to)
{
	size_t count = dirty_count(&region->dirty);
	struct pageout out;
	int err, late;

	if (!count)
		return 0;
	err = pageout_init(&out, tr, region, count < EPOCH ? count : EPOCH);
	while (!err && pageout_take(&out, to)) {
		err = pageout_write(&out);
		late = finish_copies(&out, err);
		if (!err)
			err = late;
	}
	pageout_free(&out);
	return err;
}

/*
 * Step 4: what was busy is still dirty in memory.  Its records below @to are in the segment; if
 * the truncation failed the old place in the queue is lost, and @to is the head.
 */
static void release_busy(struct region *region, uint64_t to)
{
	const struct range *r;

	for (r = rangeset_last(&region->busy); r; r = rangeset_last(&region->busy)) {
		uint64_t page = r->end - 1;

		if (region->tracker->ops->writeback)
			region->tracker->ops->release(region->tracker, page, page, 0);
		rangeset_remove(&region->busy, page, page + 1);
		dirty_back(&region->dirty, page, to);
	}
}

/*
 * Only truncate_unmap() takes regions away, so they stay while the truncator is locked; its lock
 * of regions is for the list, and a map does not wait for the length of a truncation.
 */
static struct region *next_region(struct truncator *tr, struct region *region)
{
	struct region *next;

	pthread_rwlock_rdlock(&tr->regions->lock);
	next = region ? region->next : tr->regions->first;
	pthread_rwlock_unlock(&tr->regions->lock);
	return next;
}

static int find_segment(void *arg, uint32_t id, struct segment **out)
{
	struct truncator *tr = arg;
	struct segment *segment;

	pthread_rwlock_rdlock(&tr->regions->lock);
	for (segment = tr->regions->segments; segment; segment = segment->next)
		if (segment->id == id)
			break;
	pthread_rwlock_unlock(&tr->regions->lock);
	*out = segment;
	if (segment)
		return 0;
	return err_set(EUCLEAN, "log %s: a record names segment %u, which was never opened",
		       log_path(tr->log), id);
}

static bool from_memory(const struct truncator *tr, const struct region *region)
{
	return region->tracker->ops->writeback || tr->copy;
}

/* Step 3: of regions that are written from memory, only busy pages take the log's bytes. */
static bool from_log(void *arg, uint32_t id, uint64_t page)
{
	struct truncator *tr = arg;
	uint64_t offset = page << TRACK_PAGE_SHIFT;
	struct region *r;
	bool takes = true;

	pthread_rwlock_rdlock(&tr->regions->lock);
	for (r = tr->regions->first; r; r = r->next) {
		uint64_t at = (offset - r->offset) >> TRACK_PAGE_SHIFT;

		if (r->segment->id != id || offset < r->offset || offset - r->offset >= r->length)
			continue;
		takes = !from_memory(tr, r) || rangeset_overlaps(&r->busy, at, at + 1);
		break;
	}
	pthread_rwlock_unlock(&tr->regions->lock);
	return takes;
}

/* LSN of the first record at or beyond @from that the segments need, or UINT64_MAX. */
static uint64_t first_needed(struct truncator *tr, uint64_t from)
{
	if (tr->orphans)
		return from;
	for (struct region *r = next_region(tr, NULL); r; r = next_region(tr, r))
		if (!from_memory(tr, r))
			return from;
	return tr->needed > from ? tr->needed : from;
}

static int write_regions(struct truncator *tr, uint64_t to)
{
	int err = 0;

	for (struct region *r = next_region(tr, NULL); r && !err; r = next_region(tr, r)) {
		if (r->tracker->ops->writeback)
			err = write_region(tr, r, to);
		else if (tr->copy)
			err = copy_region(tr, r, to);
	}
	return err;
}

static void tell_progress(void *arg, uint64_t done, uint64_t total)
{
	struct truncator *tr = arg;

	tr->progress(tr->progress_arg, done, total);
}

static int apply(struct truncator *tr, uint64_t from, uint64_t to)
{
	const struct recover_ops ops = {
		.segment = find_segment,
		.progress = tr->progress ? tell_progress : NULL,
		.page_mask = from_log,
		.arg = tr,
	};
	uint64_t needed;
	int err;

	tr->needed = UINT64_MAX;
	err = write_regions(tr, to);
	needed = first_needed(tr, from);
	if (!err && needed < to)
		err = recover_apply(tr->log, needed, to, &ops, NULL);
	for (struct region *r = next_region(tr, NULL); r; r = next_region(tr, r))
		release_busy(r, err ? from : to);
	return err;
}

static int flush(struct truncator *tr)
{
	struct log_state state;

	log_state(tr->log, &state);
	return log_flush(tr->log, state.tail);
}

static int set_head(void *arg, uint64_t tail)
{
	struct truncator *tr = arg;

	return log_set_head(tr->log, tail);
}

/* @fn moves the head. */
static int truncate_by(struct truncator *tr, truncate_empty_fn *fn, void *arg)
{
	uint64_t start = statistics_clock();
	struct log_state state;
	int err;

	err = flush(tr);
	if (err)
		return err;
	log_state(tr->log, &state);
	if (state.head == state.durable)
		return fn(arg, state.durable);
	err = apply(tr, state.head, state.durable);
	if (err)
		return err;
	statistics_log_used(log_used(tr->log), tr->size);
	err = fn(arg, state.durable);
	if (err)
		return err;
	statistics_truncated(statistics_clock() - start);
	tr->orphans = false;
	return 0;
}

static int truncate_locked(struct truncator *tr)
{
	return truncate_by(tr, set_head, tr);
}

int truncate_log(struct truncator *tr)
{
	int err;

	pthread_mutex_lock(&tr->lock);
	err = truncate_locked(tr);
	pthread_mutex_unlock(&tr->lock);
	return err;
}

static int relieve_all(struct truncator *tr)
{
	struct region *region;
	int err = 0;

	for (region = next_region(tr, NULL); region && !err; region = next_region(tr, region))
		if (region->tracker->ops->relieve)
			err = region->tracker->ops->relieve(region->tracker);
	return err;
}

/* The flush needs memory too; what was durable before it makes room. */
int truncate_relieve(struct truncator *tr)
{
	int err;

	pthread_mutex_lock(&tr->lock);
	err = relieve_all(tr);
	if (!err)
		err = flush(tr);
	if (!err)
		err = relieve_all(tr);
	pthread_mutex_unlock(&tr->lock);
	return err;
}

int truncate_unmap(struct truncator *tr, struct region *region)
{
	int err;

	pthread_mutex_lock(&tr->lock);
	err = region_unmap(tr->regions, region);
	if (!err)
		tr->orphans = true;
	pthread_mutex_unlock(&tr->lock);
	return err;
}

int truncate_orphans(struct truncator *tr, truncate_progress_fn *progress, void *arg)
{
	int err = 0;

	pthread_mutex_lock(&tr->lock);
	if (tr->orphans) {
		tr->progress = progress;
		tr->progress_arg = arg;
		err = truncate_locked(tr);
		tr->progress = NULL;
	}
	pthread_mutex_unlock(&tr->lock);
	return err;
}

int truncate_make_room(struct truncator *tr)
{
	uint64_t seen;
	bool failed;

	pthread_mutex_lock(&tr->wake_lock);
	seen = tr->moves;
	tr->wanted = true;
	tr->urgent = true;
	pthread_cond_signal(&tr->wake);
	while (tr->moves == seen)
		pthread_cond_wait(&tr->room, &tr->wake_lock);
	failed = tr->failed;
	pthread_mutex_unlock(&tr->wake_lock);
	return failed ? truncate_log(tr) : 0;
}

/* Who waits for room tries again. */
static void tell_room(struct truncator *tr, bool failed)
{
	pthread_mutex_lock(&tr->wake_lock);
	tr->moves++;
	tr->failed = failed;
	pthread_cond_broadcast(&tr->room);
	pthread_mutex_unlock(&tr->wake_lock);
}

static uint64_t percent_of(const struct truncator *tr, long percent)
{
	return __atomic_load_n(&tr->size, __ATOMIC_RELAXED) / 100 * percent;
}

/* Called with the lock and a frozen log; what was told of a size holds no more. */
static int empty_by(struct truncator *tr, truncate_empty_fn *fn, void *arg)
{
	struct log_state state;
	int err = truncate_by(tr, fn, arg);

	log_state(tr->log, &state);
	__atomic_store_n(&tr->size, state.size, __ATOMIC_RELAXED);
	__atomic_store_n(&tr->retry, 0, __ATOMIC_RELAXED);
	return err;
}

/* Truncations beside the commits, as long as each leaves at most half of what there was. */
static int make_rounds(struct truncator *tr)
{
	uint64_t used = log_used(tr->log), before = UINT64_MAX;
	int err = 0, round;

	for (round = 0; !err && round < ROUNDS && used > REST && used <= before / 2; round++) {
		err = truncate_locked(tr);
		before = used;
		used = log_used(tr->log);
	}
	return err;
}

/* Pages that wait to be written. */
static size_t count_dirty(struct truncator *tr)
{
	size_t count = 0;

	for (struct region *r = next_region(tr, NULL); r; r = next_region(tr, r))
		count += dirty_count(&r->dirty);
	return count;
}

static void freeze(struct truncator *tr)
{
	log_freeze(tr->log);
	tr->frozen = true;
}

static void thaw(struct truncator *tr)
{
	tr->frozen = false;
	log_thaw(tr->log);
}

/* While the head moves, or for a moment, commits go on. */
static int make_turn(struct truncator *tr, size_t pages, size_t *written)
{
	const struct timespec pause = { .tv_nsec = PAUSE };
	uint64_t durable;
	bool moved = false;
	int err;

	err = flush(tr);
	if (!err)
		err = increment_pages(tr, pages, written, &durable);
	thaw(tr);
	if (!err)
		err = increment_move(tr, durable, &moved);
	tell_room(tr, false);
	if (!moved)
		nanosleep(&pause, NULL);
	freeze(tr);
	return err;
}

/* Twice as many pages as commits referenced since the last turn. */
static size_t next_turn(size_t turn, size_t more)
{
	if (2 * more <= turn)
		return turn;
	return 2 * more < TURN_MAX ? 2 * more : TURN_MAX;
}

/*
 * Commits may reference pages faster than they are written, so commits and truncation take turns,
 * until so few are left that commits may wait for them at once.  Where that does not come, for
 * more are referenced between two turns than one can write, or all are blocked, the end is one
 * long turn.  The log is frozen before and after.
 */
static int take_turns(struct truncator *tr)
{
	size_t dirty = count_dirty(tr), turn = TURN, turns = TRIES * (dirty / TURN);
	size_t written = increment_possible(tr);
	int err = 0;

	while (written && !err && turns-- && dirty > turn) {
		size_t left;

		err = make_turn(tr, turn, &written);
		left = dirty - written;
		dirty = count_dirty(tr);
		turn = next_turn(turn, dirty > left ? dirty - left : 0);
	}
	return err;
}

/* Most is truncated beside the commits; the log is frozen only for what they added meanwhile. */
int truncate_empty(struct truncator *tr, truncate_empty_fn *fn, void *arg)
{
	int err;

	pthread_mutex_lock(&tr->lock);
	err = make_rounds(tr);
	if (!err) {
		freeze(tr);
		err = take_turns(tr);
		if (!err)
			err = empty_by(tr, fn, arg);
		thaw(tr);
	}
	pthread_mutex_unlock(&tr->lock);
	tell_room(tr, false);
	return err;
}

/* One step, or none if that is not possible; the lock is free between two of them. */
static int make_step(struct truncator *tr, bool *moved)
{
	int err = 0;

	*moved = false;
	pthread_mutex_lock(&tr->lock);
	if (increment_possible(tr))
		err = increment_step(tr, moved);
	pthread_mutex_unlock(&tr->lock);
	if (*moved)
		tell_room(tr, false);
	return err;
}

/*
 * Steps until the log is three quarters as full as it may be.  What makes no progress is tried
 * again when the log is a little fuller; half way to its end, or if a commit waits, it is time
 * for epoch truncation.
 */
static int make_steps(struct truncator *tr, bool urgent)
{
	long percent = __atomic_load_n(&tr->percent, __ATOMIC_RELAXED);
	bool moved;
	int err;

	do
		err = make_step(tr, &moved);
	while (!err && moved && log_used(tr->log) > percent_of(tr, percent) / 4 * 3);
	__atomic_store_n(&tr->retry, moved ? 0 : log_used(tr->log) + percent_of(tr, 100) / 16,
			 __ATOMIC_RELAXED);
	if (err || moved)
		return err;
	if (!urgent && log_used(tr->log) <= percent_of(tr, 100 + percent) / 2)
		return 0;
	statistics_fallback();
	return truncate_log(tr);
}

/*
 * What is wanted, with the lock left meanwhile.  An error is not lost: who finds the log full
 * truncates by itself and is told.
 */
static void work(struct truncator *tr)
{
	bool urgent = tr->urgent;
	int err;

	tr->urgent = false;
	pthread_mutex_unlock(&tr->wake_lock);
	if (!urgent)
		statistics_truncation(STATISTICS_BY_THREAD);
	if (__atomic_load_n(&tr->incremental, __ATOMIC_RELAXED))
		err = make_steps(tr, urgent);
	else
		err = truncate_log(tr);
	tell_room(tr, err);
	pthread_mutex_lock(&tr->wake_lock);
	tr->wanted = tr->urgent;	/* what was asked for since then */
}

static void *run(void *arg)
{
	struct truncator *tr = arg;

	pthread_mutex_lock(&tr->wake_lock);
	while (!tr->stop) {
		if (tr->wanted)
			work(tr);
		else
			pthread_cond_wait(&tr->wake, &tr->wake_lock);
	}
	pthread_mutex_unlock(&tr->wake_lock);
	return NULL;
}

int truncator_start(struct truncator *tr, struct log *log, struct regions *regions, long percent,
		    truncate_copy_fn *copy, void *copy_arg)
{
	struct log_state state;
	int err;

	memset(tr, 0, sizeof(*tr));
	log_state(log, &state);
	tr->log = log;
	tr->regions = regions;
	tr->size = state.size;
	tr->percent = percent;
	tr->copy = copy;
	tr->copy_arg = copy_arg;
	pthread_mutex_init(&tr->lock, NULL);
	pthread_mutex_init(&tr->wake_lock, NULL);
	pthread_cond_init(&tr->wake, NULL);
	pthread_cond_init(&tr->room, NULL);
	err = pthread_create(&tr->thread, NULL, run, tr);
	return err ? err_set(ENOMEM, "no thread for truncation: %s", strerror(err)) : 0;
}

void truncator_stop(struct truncator *tr)
{
	pthread_mutex_lock(&tr->wake_lock);
	tr->stop = true;
	pthread_cond_signal(&tr->wake);
	pthread_mutex_unlock(&tr->wake_lock);
	pthread_join(tr->thread, NULL);
	pthread_cond_destroy(&tr->room);
	pthread_cond_destroy(&tr->wake);
	pthread_mutex_destroy(&tr->wake_lock);
	pthread_mutex_destroy(&tr->lock);
}

void truncator_set_percent(struct truncator *tr, long percent)
{
	__atomic_store_n(&tr->percent, percent, __ATOMIC_RELAXED);
}

void truncator_set_incremental(struct truncator *tr, bool on)
{
	__atomic_store_n(&tr->incremental, on, __ATOMIC_RELAXED);
	__atomic_store_n(&tr->retry, 0, __ATOMIC_RELAXED);
}

void truncator_kick(struct truncator *tr)
{
	long percent = __atomic_load_n(&tr->percent, __ATOMIC_RELAXED);

	uint64_t used = log_used(tr->log);

	if (!percent || used < percent_of(tr, percent) ||
	    used < __atomic_load_n(&tr->retry, __ATOMIC_RELAXED))
		return;
	pthread_mutex_lock(&tr->wake_lock);
	tr->wanted = true;
	pthread_cond_signal(&tr->wake);
	pthread_mutex_unlock(&tr->wake_lock);
}
