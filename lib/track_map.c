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
#include <unistd.h>

#include "err.h"
#include "os.h"
#include "track.h"
#include "track_map.h"

#define HUGE	(2UL << 20)	/* a huge page of x86-64, and of others with pages of 4 KiB */
#define READ_MAX	(1UL << 30)	/* bytes of one read */

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

/* Linux before 4.17 takes the address for a hint. */
static int map_at(const struct track_map *map, void *addr, int flags, int fd, char **base)
{
	void *at;

	flags |= MAP_PRIVATE | MAP_NORESERVE | (addr ? MAP_FIXED_NOREPLACE : 0);
	at = mmap(addr, map->length, PROT_READ | PROT_WRITE, flags, fd, fd < 0 ? 0 : map->offset);
	if (at == MAP_FAILED)
		return track_map_error(map, errno);
	if (addr && at != addr) {
		munmap(at, map->length);
		return track_map_error(map, EEXIST);
	}
	*base = at;
	return 0;
}

static int hide_from_children(const struct track_map *map, char *base)
{
	int err;

	if (!madvise(base, map->length, MADV_DONTFORK))
		return 0;
	err = errno;
	munmap(base, map->length);
	return err_set(err, "madvise(MADV_DONTFORK): %s", strerror(err));
}

int track_map_private(const struct track_map *map, void *addr, char **base)
{
	int err = map_at(map, addr, 0, map->fd, base);

	if (err)
		return err;
	/* A huge page would be copied, tracked and compared as a whole. */
	madvise(*base, map->length, MADV_NOHUGEPAGE);
	return hide_from_children(map, *base);
}

/* The next bytes of the segment from @from on that are no hole; a device has none. */
static uint64_t next_data(const struct track_map *map, uint64_t from, uint64_t *end)
{
	uint64_t all = map->offset + map->length;
	off_t data = lseek(map->fd, from, SEEK_DATA), hole;

	*end = all;
	if (data < 0)
		return errno == ENXIO ? all : from;
	hole = lseek(map->fd, data, SEEK_HOLE);
	if (hole >= 0 && (uint64_t)hole < all)
		*end = hole;
	return (uint64_t)data < all ? (uint64_t)data : all;
}

/* What is a hole costs no memory. */
static int read_all(const struct track_map *map, char *base)
{
	uint64_t at = map->offset, all = at + map->length, end;
	int err;

	for (at = next_data(map, at, &end); at < all; at = next_data(map, end, &end)) {
		if (end - at > READ_MAX)
			end = at + READ_MAX;
		err = os_read(map->fd, base + (at - map->offset), end - at, at);
		if (err)
			return err_set(EIO, "reading the segment at byte %" PRIu64 " failed: %s",
				       at, err_name(err));
	}
	return 0;
}

/* Huge pages want an address that is a multiple of theirs, and the kernel gives any. */
static int map_huge(const struct track_map *map, char **base)
{
	struct track_map larger = *map;
	char *all, *end;
	int err;

	larger.length += HUGE;
	err = map_at(&larger, NULL, MAP_ANONYMOUS, -1, &all);
	if (err)
		return err;
	*base = (char *)(((uintptr_t)all + HUGE - 1) & -HUGE);
	end = all + larger.length;
	if (*base > all)
		munmap(all, *base - all);
	if (end > *base + map->length)
		munmap(*base + map->length, end - (*base + map->length));
	return 0;
}

int track_map_copied(const struct track_map *map, char **base)
{
	int err = map->addr ? map_at(map, map->addr, MAP_ANONYMOUS, -1, base) : map_huge(map, base);

	if (!err)
		err = hide_from_children(map, *base);
	if (err)
		return err;
	madvise(*base, map->length, MADV_HUGEPAGE);	/* no more than a wish */
	err = read_all(map, *base);
	if (err)
		munmap(*base, map->length);
	return err;
}
