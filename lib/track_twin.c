// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the trackers uffd and sigsegv share: two private mappings, and pages collected. */
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "pageset.h"
#include "track.h"
#include "track_map.h"
#include "track_twin.h"

int track_twin_open(struct track_twin *twin, const struct track_ops *ops,
		    const struct track_map *map)
{
	int err;

	err = track_map_check(map);
	if (err)
		return err;
	err = track_map_private(map, map->addr, &twin->tracker.base);
	if (err)
		return err;
	err = track_map_private(map, NULL, &twin->committed);
	if (err)
		goto err_live;
	err = pageset_init(&twin->collected, map->length >> TRACK_PAGE_SHIFT);
	if (err)
		goto err_twin;
	pthread_mutex_init(&twin->lock, NULL);
	twin->tracker.ops = ops;
	twin->tracker.length = map->length;
	return 0;

err_twin:
	munmap(twin->committed, map->length);
err_live:
	munmap(twin->tracker.base, map->length);
	return err;
}

void track_twin_close(struct track_twin *twin)
{
	pthread_mutex_destroy(&twin->lock);
	pageset_destroy(&twin->collected);
	munmap(twin->committed, twin->tracker.length);
	munmap(twin->tracker.base, twin->tracker.length);
}

static struct track_store read_store(const struct track_store *store)
{
	return (struct track_store) {
		.ip = __atomic_load_n(&store->ip, __ATOMIC_RELAXED),
		.thread = __atomic_load_n(&store->thread, __ATOMIC_RELAXED),
		.at = __atomic_load_n(&store->at, __ATOMIC_RELAXED),
	};
}

int track_twin_visit(struct track_twin *twin, int (*fn)(void *arg, const struct track_page *page),
		     void *arg)
{
	uint64_t i = 0;
	int err;

	while ((i = pageset_next(&twin->collected, i)) != PAGESET_NONE) {
		struct track_page page = {
			.page = i,
			.live = twin->tracker.base + (i << TRACK_PAGE_SHIFT),
			.committed = twin->committed + (i << TRACK_PAGE_SHIFT),
		};

		if (twin->stores)
			page.store = read_store(&twin->stores[i]);
		err = fn(arg, &page);
		if (err)
			return err;
		i++;
	}
	return 0;
}

int track_twin_end(struct tracker *tracker, uint32_t tid, uint64_t lsn)
{
	struct track_twin *twin = (struct track_twin *)tracker;

	(void)tid;
	(void)lsn;
	pthread_mutex_lock(&twin->lock);
	pageset_clear(&twin->collected);
	pthread_mutex_unlock(&twin->lock);
	return 0;
}

char *track_twin_committed(struct tracker *tracker, uint64_t page)
{
	return ((struct track_twin *)tracker)->committed + (page << TRACK_PAGE_SHIFT);
}
