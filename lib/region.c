// SPDX-License-Identifier: LGPL-2.1-or-later
/* Regions: mapped parts of segments, found by address. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "err.h"
#include "log.h"
#include "region.h"
#include "segment.h"
#include "track.h"

#define PAGE_MASK	(TRACK_PAGE_SIZE - 1)

void regions_init(struct regions *regions)
{
	pthread_rwlock_init(&regions->lock, NULL);
	regions->first = NULL;
	regions->segments = NULL;
}

static void free_region(struct region *region)
{
	if (region->tracker)
		region->tracker->ops->close(region->tracker);
	dirty_free(&region->dirty);
	rangeset_free(&region->busy);
	pthread_cond_destroy(&region->idle);
	pthread_mutex_destroy(&region->lock);
	free(region);
}

void regions_free(struct regions *regions)
{
	struct segment *segment;
	struct region *region;

	while ((region = regions->first)) {
		regions->first = region->next;
		free_region(region);
	}
	while ((segment = regions->segments)) {
		regions->segments = segment->next;
		segment_close(segment);
	}
	pthread_rwlock_destroy(&regions->lock);
}

void regions_durable(void *arg, uint64_t lsn)
{
	struct regions *regions = arg;

	pthread_rwlock_rdlock(&regions->lock);
	for (struct region *r = regions->first; r; r = r->next)
		if (r->tracker->ops->durable)
			r->tracker->ops->durable(r->tracker, lsn);
	pthread_rwlock_unlock(&regions->lock);
}

/* By any name: a hard link is the same segment. */
static bool same_file(const struct segment *x, const struct segment *y)
{
	struct stat a, b;

	if (fstat(x->fd, &a) || fstat(y->fd, &b))
		return !strcmp(x->path, y->path);
	if (x->device && y->device)
		return a.st_rdev == b.st_rdev;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static struct segment *find_segment(struct regions *regions, const struct segment *like)
{
	struct segment *segment;

	pthread_rwlock_rdlock(&regions->lock);
	for (segment = regions->segments; segment; segment = segment->next)
		if (same_file(segment, like))
			break;
	pthread_rwlock_unlock(&regions->lock);
	return segment;
}

static void add_segment(struct regions *regions, struct segment *segment)
{
	pthread_rwlock_wrlock(&regions->lock);
	segment->next = regions->segments;
	regions->segments = segment;
	pthread_rwlock_unlock(&regions->lock);
}

/* Callers are serialized by the one lock that rvm_map() holds. */
int regions_segment(struct regions *regions, struct log *log, const char *path,
		    uint64_t create_length, struct segment **out)
{
	struct segment *segment, *known;
	int err;

	err = segment_open(path, create_length, &segment);
	if (err)
		return err;
	known = find_segment(regions, segment);
	if (known) {
		segment_close(segment);
		*out = known;
		return 0;
	}
	err = segment_settle(segment);
	if (!err)
		err = log_name_segment(log, segment->path, segment->length, &segment->id);
	if (err) {
		segment_close(segment);
		return err;
	}
	add_segment(regions, segment);
	*out = segment;
	return 0;
}

static bool overlaps(const struct region *region, const struct segment *segment,
		     uint64_t offset, uint64_t length)
{
	return region->segment == segment && offset < region->offset + region->length &&
	       region->offset < offset + length;
}

/* Where the region lies in the segment; the length is what is really mapped. */
static int place(const struct segment *segment, const struct region_spec *spec, uint64_t *length)
{
	uint64_t room = segment->length & ~PAGE_MASK;

	if (spec->offset & PAGE_MASK)
		return err_set(EOVERFLOW, "%s: offset %llu is not a multiple of the page size %lu",
			       segment->path, (unsigned long long)spec->offset, TRACK_PAGE_SIZE);
	if (spec->offset >= room)
		return err_set(EOVERFLOW, "%s: offset %llu is beyond its %llu bytes of whole pages",
			       segment->path, (unsigned long long)spec->offset,
			       (unsigned long long)room);
	*length = spec->length ? (spec->length + PAGE_MASK) & ~PAGE_MASK : room - spec->offset;
	if (*length < spec->length || *length > room - spec->offset)
		return err_set(EOVERFLOW,
			       "%s: offset %llu and length %llu reach beyond its %llu bytes of whole pages",
			       segment->path, (unsigned long long)spec->offset,
			       (unsigned long long)spec->length, (unsigned long long)room);
	return 0;
}

static int check_overlap(struct regions *regions, const struct segment *segment,
			 uint64_t offset, uint64_t length)
{
	int err = 0;

	pthread_rwlock_rdlock(&regions->lock);
	for (struct region *r = regions->first; r && !err; r = r->next)
		if (overlaps(r, segment, offset, length))
			err = err_set(EADDRINUSE, "%s: bytes %llu to %llu are mapped already at %p",
				      segment->path, (unsigned long long)r->offset,
				      (unsigned long long)(r->offset + r->length), r->base);
	pthread_rwlock_unlock(&regions->lock);
	return err;
}

static struct region *new_region(struct log *log, struct segment *segment, uint64_t offset,
				 uint64_t length)
{
	struct region *region = calloc(1, sizeof(*region));

	if (!region)
		return NULL;
	region->log = log;
	region->segment = segment;
	region->offset = offset;
	region->length = length;
	pthread_mutex_init(&region->lock, NULL);
	pthread_cond_init(&region->idle, NULL);
	rangeset_init(&region->busy);
	if (!dirty_init(&region->dirty, (length - 1) / TRACK_PAGE_SIZE + 1))
		return region;
	free_region(region);
	return NULL;
}

static int open_tracker(struct region *region, const struct region_spec *spec)
{
	struct track_map map = {
		.fd = region->segment->fd,
		.offset = region->offset,
		.length = region->length,
		.addr = spec->addr,
		.strict = spec->strict,
		.disjoint = spec->disjoint,
		.wait = spec->wait,
		.huge = spec->huge,
		.path = region->segment->path,
	};
	int err;

	err = track_open(&map, spec->tracker, region->why, sizeof(region->why),
			 &region->tracker);
	if (err)
		return err_add(err, "%s: ", region->segment->path);
	region->base = region->tracker->base;
	region->strict = spec->strict;
	region->disjoint = spec->disjoint;
	return 0;
}

/* A new region must not wait for the next flush to learn what is durable. */
static void insert(struct regions *regions, struct region *region, struct log *log)
{
	struct region **at;

	pthread_rwlock_wrlock(&regions->lock);
	for (at = &regions->first; *at && (*at)->base < region->base; at = &(*at)->next)
		;
	region->next = *at;
	*at = region;
	if (region->tracker->ops->durable)
		region->tracker->ops->durable(region->tracker, log_durable(log));
	pthread_rwlock_unlock(&regions->lock);
}

int region_map(struct regions *regions, struct log *log, struct segment *segment,
	       const struct region_spec *spec, struct region **out)
{
	struct region *region;
	uint64_t length = 0;
	int err;

	err = place(segment, spec, &length);
	if (!err)
		err = check_overlap(regions, segment, spec->offset, length);
	if (err)
		return err;
	region = new_region(log, segment, spec->offset, length);
	if (!region)
		return err_set(ENOMEM, "%s: out of memory for a region", segment->path);
	err = open_tracker(region, spec);
	if (err) {
		free_region(region);
		return err;
	}
	insert(regions, region, log);
	*out = region;
	return 0;
}

/* Only a transaction that is open on the region holds its lock. */
static bool in_use(struct region *region)
{
	bool busy;

	if (pthread_mutex_trylock(&region->lock))
		return true;
	busy = region->parts || region->tracked;
	pthread_mutex_unlock(&region->lock);
	return busy;
}

int region_unmap(struct regions *regions, struct region *region)
{
	struct region **at;
	bool busy;

	pthread_rwlock_wrlock(&regions->lock);
	busy = in_use(region);
	if (!busy) {
		for (at = &regions->first; *at != region; at = &(*at)->next)
			;
		*at = region->next;
	}
	pthread_rwlock_unlock(&regions->lock);
	if (busy)
		return err_set(EBUSY, "%s: the region at %p has transactions that have not ended",
			       region->segment->path, region->base);
	free_region(region);
	return 0;
}

struct region *region_find(struct regions *regions, const void *addr)
{
	const char *at = addr;
	struct region *region;

	pthread_rwlock_rdlock(&regions->lock);
	for (region = regions->first; region; region = region->next)
		if (at >= region->base && at < region->base + region->length)
			break;
	pthread_rwlock_unlock(&regions->lock);
	return region;
}
