// SPDX-License-Identifier: LGPL-2.1-or-later
/* Truncation: bring what the log holds into the segments and free its space. */
#include <errno.h>
#include <string.h>

#include "err.h"
#include "log.h"
#include "recover.h"
#include "region.h"
#include "segment.h"
#include "statistics.h"
#include "track.h"
#include "truncate.h"

#define CHUNK	1024	/* pages asked for at once */

/* A chunk of one region's dirty pages. */
struct chunk {
	struct region *region;
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

/* Steps 1 and 2 of the head comment for one chunk. */
static int write_chunk(struct chunk *chunk)
{
	struct tracker *tracker = chunk->region->tracker;
	uint64_t held[CHUNK], busy[CHUNK];
	size_t n_held, n_busy = 0, i;
	int err, late;

	err = tracker->ops->writeback(tracker, chunk->pages, chunk->n, held, &n_held);
	chunk->n = 0;
	if (err || !n_held)
		return err;
	for (i = 0; i < n_held; i++)
		tracker->ops->hold(tracker, held[i], held[i]);
	err = tracker->ops->writeback(tracker, held, n_held, busy, &n_busy);
	late = sort_out(chunk->region, held, n_held, busy, err ? 0 : n_busy);
	return err ? err : late;
}

static int add_pages(void *arg, uint64_t start, uint64_t end)
{
	struct chunk *chunk = arg;
	int err = 0;

	while (start < end && !err) {
		chunk->pages[chunk->n++] = start++;
		if (chunk->n == CHUNK)
			err = write_chunk(chunk);
	}
	return err;
}

static int add_dirty(void *arg, uint64_t start, uint64_t end)
{
	return region_note_dirty(arg, start, end - 1);
}

static int write_region(struct region *region)
{
	struct chunk chunk = { .region = region };
	struct rangeset taken;
	int err;

	pthread_mutex_lock(&region->dirty_lock);
	taken = region->dirty;
	rangeset_init(&region->dirty);
	pthread_mutex_unlock(&region->dirty_lock);

	err = rangeset_for_each(&taken, add_pages, &chunk);
	if (!err && chunk.n)
		err = write_chunk(&chunk);
	if (err)
		rangeset_for_each(&taken, add_dirty, region);
	rangeset_free(&taken);
	return err;
}

/* Step 4: what was busy is still dirty in memory. */
static int release_busy(struct region *region)
{
	const struct range *r;
	int err;

	err = rangeset_for_each(&region->busy, add_dirty, region);
	for (r = rangeset_first(&region->busy); r; r = rangeset_next(r))
		region->tracker->ops->release(region->tracker, r->start, r->end - 1, 0);
	rangeset_clear(&region->busy);
	return err;
}

static int find_segment(void *arg, uint32_t id, struct segment **out)
{
	struct truncator *tr = arg;
	struct segment *segment;

	for (segment = tr->regions->segments; segment; segment = segment->next)
		if (segment->id == id)
			break;
	*out = segment;
	if (segment)
		return 0;
	return err_set(EUCLEAN, "log %s: a record names segment %u, which was never opened",
		       log_path(tr->log), id);
}

/* Step 3: of regions that are written back, only busy pages take the log's bytes. */
static bool from_log(void *arg, uint32_t id, uint64_t page)
{
	struct truncator *tr = arg;
	uint64_t offset = page << TRACK_PAGE_SHIFT;

	for (struct region *r = tr->regions->first; r; r = r->next) {
		uint64_t at = (offset - r->offset) >> TRACK_PAGE_SHIFT;

		if (r->segment->id != id || offset < r->offset || offset - r->offset >= r->length)
			continue;
		return !r->tracker->ops->writeback || rangeset_overlaps(&r->busy, at, at + 1);
	}
	return true;
}

/* Is everything in the segments already, so that the log need not be read? */
static bool all_written(struct truncator *tr)
{
	if (tr->orphans)
		return false;
	for (struct region *r = tr->regions->first; r; r = r->next)
		if (!r->tracker->ops->writeback || r->busy.count)
			return false;
	return true;
}

static int write_regions(struct truncator *tr)
{
	int err = 0;

	for (struct region *r = tr->regions->first; r && !err; r = r->next)
		if (r->tracker->ops->writeback)
			err = write_region(r);
	return err;
}

static int apply(struct truncator *tr, uint64_t from, uint64_t to)
{
	const struct recover_ops ops = {
		.segment = find_segment,
		.page_mask = from_log,
		.arg = tr,
	};
	int err, late;

	pthread_rwlock_rdlock(&tr->regions->lock);
	err = write_regions(tr);
	if (!err && !all_written(tr))
		err = recover_apply(tr->log, from, to, &ops, NULL);
	for (struct region *r = tr->regions->first; r; r = r->next) {
		late = release_busy(r);
		if (!err)
			err = late;
	}
	pthread_rwlock_unlock(&tr->regions->lock);
	return err;
}

static int truncate_locked(struct truncator *tr)
{
	uint64_t start = statistics_clock();
	struct log_state state;
	int err;

	log_state(tr->log, &state);
	err = log_flush(tr->log, state.tail);
	if (err)
		return err;
	log_state(tr->log, &state);
	if (state.head == state.durable)
		return 0;
	err = apply(tr, state.head, state.durable);
	if (err)
		return err;
	statistics_log_used(log_used(tr->log), tr->size);
	err = log_set_head(tr->log, state.durable);
	if (err)
		return err;
	statistics_truncated(statistics_clock() - start);
	tr->orphans = false;
	tr->count++;
	return 0;
}

int truncate_log(struct truncator *tr)
{
	int err;

	pthread_mutex_lock(&tr->lock);
	err = truncate_locked(tr);
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

int truncate_orphans(struct truncator *tr)
{
	int err = 0;

	pthread_mutex_lock(&tr->lock);
	if (tr->orphans)
		err = truncate_locked(tr);
	pthread_mutex_unlock(&tr->lock);
	return err;
}

/* An error is not lost: who finds the log full truncates by itself and is told. */
static void *run(void *arg)
{
	struct truncator *tr = arg;

	pthread_mutex_lock(&tr->wake_lock);
	while (!tr->stop) {
		if (!tr->wanted) {
			pthread_cond_wait(&tr->wake, &tr->wake_lock);
			continue;
		}
		pthread_mutex_unlock(&tr->wake_lock);
		statistics_truncation(STATISTICS_BY_THREAD);
		truncate_log(tr);
		pthread_mutex_lock(&tr->wake_lock);
		tr->wanted = false;
	}
	pthread_mutex_unlock(&tr->wake_lock);
	return NULL;
}

int truncator_start(struct truncator *tr, struct log *log, struct regions *regions, long percent)
{
	struct log_state state;
	int err;

	memset(tr, 0, sizeof(*tr));
	log_state(log, &state);
	tr->log = log;
	tr->regions = regions;
	tr->size = state.size;
	tr->percent = percent;
	pthread_mutex_init(&tr->lock, NULL);
	pthread_mutex_init(&tr->wake_lock, NULL);
	pthread_cond_init(&tr->wake, NULL);
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
	pthread_cond_destroy(&tr->wake);
	pthread_mutex_destroy(&tr->wake_lock);
	pthread_mutex_destroy(&tr->lock);
}

void truncator_set_percent(struct truncator *tr, long percent)
{
	__atomic_store_n(&tr->percent, percent, __ATOMIC_RELAXED);
}

void truncator_kick(struct truncator *tr)
{
	long percent = __atomic_load_n(&tr->percent, __ATOMIC_RELAXED);

	if (!percent || log_used(tr->log) < tr->size / 100 * percent)
		return;
	pthread_mutex_lock(&tr->wake_lock);
	tr->wanted = true;
	pthread_cond_signal(&tr->wake);
	pthread_mutex_unlock(&tr->wake_lock);
}
