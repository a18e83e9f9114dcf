// SPDX-License-Identifier: LGPL-2.1-or-later
/* The private mappings of a segment that the trackers without the module use. */
#include <errno.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "err.h"
#include "track.h"
#include "track_map.h"

static int segment_size(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(errno, "fstat of the segment: %s", strerror(errno));
	*size = st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, size))
		return err_set(errno, "size of the segment's device: %s", strerror(errno));
	return 0;
}

int track_map_check(const struct track_map *map)
{
	uint64_t mask = TRACK_PAGE_SIZE - 1, size;
	int err;

	if (!map->length || ((map->offset | map->length | (uintptr_t)map->addr) & mask))
		return err_set(EINVAL, "offset %" PRIu64 ", length %" PRIu64
			       " and address %p must be multiples of %lu, the length not 0",
			       map->offset, map->length, map->addr, TRACK_PAGE_SIZE);
	if (map->offset + map->length < map->offset)
		return err_set(EOVERFLOW, "offset %" PRIu64 " plus length %" PRIu64 " overflows",
			       map->offset, map->length);
	err = segment_size(map->fd, &size);
	if (err)
		return err;
	if (map->offset + map->length > size)
		return err_set(ENXIO, "the segment has %" PRIu64 " bytes, the region ends at %"
			       PRIu64, size, map->offset + map->length);
	return 0;
}

int track_map_error(const struct track_map *map, int err)
{
	if (err == EEXIST)
		return err_set(err, "addresses %p to %p are in use", map->addr,
			       (void *)((uintptr_t)map->addr + map->length));
	return err_set(err, "mmap of %" PRIu64 " bytes at %p: %s", map->length, map->addr,
		       strerror(err));
}

int track_map_refusal(const struct track_map *map, const char *base, struct refusal *refusal)
{
	*refusal = (struct refusal) { .base = base, .length = map->length, .offset = map->offset };
	if (!map->path)
		return 0;
	refusal->path = strdup(map->path);
	return refusal->path ? 0 : err_set(ENOMEM, "no memory for a tracker");
}

int track_map_private(const struct track_map *map, void *addr, char **base)
{
	int flags = MAP_PRIVATE | MAP_NORESERVE | (addr ? MAP_FIXED_NOREPLACE : 0);
	void *at;

	at = mmap(addr, map->length, PROT_READ | PROT_WRITE, flags, map->fd, map->offset);
	if (at == MAP_FAILED)
		return track_map_error(map, errno);
	if (addr && at != addr) {
		/* Linux before 4.17 takes the address for a hint. */
		munmap(at, map->length);
		return track_map_error(map, EEXIST);
	}
	/* A huge page would be copied, tracked and compared as a whole. */
	madvise(at, map->length, MADV_NOHUGEPAGE);
	if (madvise(at, map->length, MADV_DONTFORK)) {
		int err = errno;

		munmap(at, map->length);
		return err_set(err, "madvise(MADV_DONTFORK): %s", strerror(err));
	}
	*base = at;
	return 0;
}
