// SPDX-License-Identifier: LGPL-2.1-or-later
/* A region of the module as this process has it mapped: linux/rvm_track.h is the protocol. */
#include <errno.h>
#include <linux/rvm_track.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "kmod_area.h"
#include "netlink.h"
#include "track.h"
#include "track_map.h"

#define CREATE_TRIES	100
#define CREATE_PAUSE	10000	/* microseconds */

static size_t words_size(const struct kmod_area *area)
{
	return (area->pages * sizeof(*area->words) + TRACK_PAGE_SIZE - 1) & -TRACK_PAGE_SIZE;
}

static size_t slots_size(const struct kmod_area *area)
{
	return ((area->slots + 1ULL) * sizeof(*area->slot) + TRACK_PAGE_SIZE - 1) &
	       -TRACK_PAGE_SIZE;
}

static size_t arena_size(const struct kmod_area *area)
{
	return (area->slots + 1ULL) << TRACK_PAGE_SHIFT;
}

static int map_part(struct kmod_area *area, uint64_t offset, size_t size, int prot, void **out)
{
	void *at = mmap(NULL, size, prot, MAP_SHARED | MAP_NORESERVE, area->fd, offset);

	if (at == MAP_FAILED)
		return err_set(errno, "mmap of %zu bytes of the region file at 0x%llx: %s", size,
			       (unsigned long long)offset, strerror(errno));
	*out = at;
	return 0;
}

static int map_data(struct kmod_area *area, const struct track_map *map)
{
	int flags = MAP_SHARED | MAP_NORESERVE | (map->addr ? MAP_FIXED_NOREPLACE : 0);
	void *at;

	at = mmap(map->addr, map->length, PROT_READ | PROT_WRITE, flags, area->fd,
		  RVM_TRACK_MMAP_DATA);
	if (at == MAP_FAILED)
		return track_map_error(map, errno);
	if (map->addr && at != map->addr) {
		munmap(at, map->length);
		return track_map_error(map, EEXIST);
	}
	area->base = at;
	return 0;
}

static void unmap(void *at, size_t size)
{
	if (at)
		munmap(at, size);
}

static void unmap_parts(struct kmod_area *area)
{
	unmap(area->arena, arena_size(area));
	unmap((void *)area->slot, slots_size(area));
	unmap(area->words, words_size(area));
	unmap(area->ctl, sizeof(*area->ctl));
}

/* Of the control block's numbers all that matter are read once, here. */
static int map_parts(struct kmod_area *area)
{
	void *at;
	int err;

	err = map_part(area, RVM_TRACK_MMAP_CTL, sizeof(*area->ctl), PROT_READ | PROT_WRITE, &at);
	if (err)
		return err;
	area->ctl = at;
	if (area->ctl->version != RVM_TRACK_GENL_VERSION)
		return err_set(EPROTO, "rvm_track has version %u, this library is for %u",
			       area->ctl->version, RVM_TRACK_GENL_VERSION);
	area->slots = area->ctl->slots;
	err = map_part(area, RVM_TRACK_MMAP_WORDS, words_size(area), PROT_READ | PROT_WRITE, &at);
	if (err)
		return err;
	area->words = at;
	err = map_part(area, RVM_TRACK_MMAP_SLOTS, slots_size(area), PROT_READ, &at);
	if (err)
		return err;
	area->slot = at;
	err = map_part(area, RVM_TRACK_MMAP_ARENA, arena_size(area), PROT_READ | PROT_WRITE, &at);
	if (err)
		return err;
	area->arena = at;
	return 0;
}

static uint32_t region_flags(const struct track_map *map)
{
	return (map->strict ? RVM_TRACK_REGION_STRICT : 0) |
	       (map->disjoint ? RVM_TRACK_REGION_DISJOINT : 0) |
	       (map->wait ? RVM_TRACK_REGION_WAIT : 0);
}

/*
 * A process that was killed during writeback keeps its region until that is done,
 * so a restarted program waits a little for its predecessor.
 */
static int create(struct kmod_area *area, struct netlink *nl, const struct track_map *map)
{
	struct netlink_region region = {
		.seg_fd = map->fd,
		.offset = map->offset,
		.length = map->length,
		.flags = region_flags(map),
	};
	unsigned int tries;

	for (tries = 0; tries < CREATE_TRIES; tries++) {
		area->fd = netlink_create(nl, &region);
		if (area->fd != -EBUSY)
			break;
		usleep(CREATE_PAUSE);
	}
	return area->fd < 0 ? area->fd : 0;
}

/* The data first, or another part might get the addresses that were asked for. */
int kmod_area_open(struct kmod_area *area, struct netlink *nl, const struct track_map *map)
{
	int err;

	memset(area, 0, sizeof(*area));
	area->pages = map->length >> TRACK_PAGE_SHIFT;
	err = create(area, nl, map);
	if (err)
		return err;
	err = map_data(area, map);
	if (err)
		goto err_file;
	err = map_parts(area);
	if (err)
		goto err_parts;
	return 0;

err_parts:
	unmap_parts(area);
	munmap(area->base, map->length);
err_file:
	close(area->fd);
	return err;
}

void kmod_area_close(struct kmod_area *area)
{
	unmap_parts(area);
	munmap(area->base, area->pages << TRACK_PAGE_SHIFT);
	close(area->fd);
}
