// SPDX-License-Identifier: LGPL-2.1-or-later
/* The tracker that tracks nothing: a private mapping for explicit transactions. */
#include <errno.h>
#include <rvm/rvm.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "err.h"
#include "track.h"
#include "track_map.h"

static int probe(void)
{
	return 0;
}

static int open_region(const struct track_map *map, struct tracker **out)
{
	struct tracker *tracker;
	int err;

	err = track_map_check(map);
	if (err)
		return err;
	tracker = calloc(1, sizeof(*tracker));
	if (!tracker)
		return err_set(ENOMEM, "no memory for a tracker");
	err = map->huge ? track_map_copied(map, &tracker->base) :
			  track_map_private(map, map->addr, &tracker->base);
	if (err) {
		free(tracker);
		return err;
	}
	tracker->ops = &track_none;
	tracker->length = map->length;
	*out = tracker;
	return 0;
}

static void close_region(struct tracker *tracker)
{
	munmap(tracker->base, tracker->length);
	free(tracker);
}

const struct track_ops track_none = {
	.name = "none",
	.flag = RVM_TRACK_NONE,
	.probe = probe,
	.open = open_region,
	.close = close_region,
};
