// SPDX-License-Identifier: LGPL-2.1-or-later
/* The load map of a segment on disk. */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "err.h"
#include "loadmap.h"

#define PAGE_MASK	((uint64_t)LOADMAP_PAGE - 1)

/* A stretch of the segment or of the address space. */
struct stretch {
	uint64_t start;
	uint64_t length;
};

static int check_def(const rvm_region_def_t *def, uint64_t length)
{
	uint64_t addr = (uintptr_t)def->vmaddr;

	if ((def->offset.low | def->length | addr) & PAGE_MASK)
		return err_set(EINVAL, "its offset, length or address is not at a page boundary");
	if (!def->length || addr + def->length < addr)
		return err_set(EINVAL, "a length of %lu bytes is impossible", def->length);
	if (def->offset.high || def->offset.low < LOADMAP_PAGE)
		return err_set(EOVERFLOW, "its offset is in the header, or above 2^64");
	if (def->offset.low > length || def->length > length - def->offset.low)
		return err_set(EOVERFLOW, "it reaches beyond the segment's %llu bytes",
			       (unsigned long long)length);
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static bool overlapping(struct stretch *s, size_t count)
{
	size_t i;

	qsort(s, count, sizeof(*s), by_start);
	for (i = 1; i < count; i++)
		if (s[i].start - s[i - 1].start < s[i - 1].length)
			return true;
	return false;
}

static int check_overlaps(const rvm_region_def_t *defs, size_t count, struct stretch *s)
{
	size_t i, n = 0;

	for (i = 0; i < count; i++)
		s[i] = (struct stretch){ defs[i].offset.low, defs[i].length };
	if (overlapping(s, count))
		return err_set(EADDRINUSE, "two regions share bytes of the segment");
	for (i = 0; i < count; i++)
		if (defs[i].vmaddr)
			s[n++] = (struct stretch){ (uintptr_t)defs[i].vmaddr, defs[i].length };
	if (overlapping(s, n))
		return err_set(EEXIST, "two regions share addresses");
	return 0;
}

int loadmap_check_defs(const rvm_region_def_t *defs, size_t count, uint64_t length)
{
	struct stretch *s;
	size_t i;
	int err;

	if (!count)
		return err_set(EINVAL, "a segment needs at least one region");
	for (i = 0; i < count; i++) {
		err = check_def(&defs[i], length);
		if (err)
			return err_add(err, "region %zu: ", i);
	}
	s = calloc(count, sizeof(*s));
	if (!s)
		return err_set(ENOMEM, "out of memory for %zu regions", count);
	err = check_overlaps(defs, count, s);
	free(s);
	return err;
}

static uint64_t rest_length(uint64_t count)
{
	uint64_t bytes = (count - LOADMAP_FIRST) * sizeof(struct disk_region);

	return count > LOADMAP_FIRST ? (bytes + PAGE_MASK) & ~PAGE_MASK : 0;
}

/* The first gap between sorted stretches. */
static uint64_t find_gap(const struct stretch *s, size_t count, uint64_t need, uint64_t length)
{
	uint64_t at = LOADMAP_PAGE;
	size_t i;

	for (i = 0; i < count && s[i].start - at < need; i++)
		at = s[i].start + s[i].length;
	length &= ~PAGE_MASK;
	return at <= length && length - at >= need ? at : 0;
}

int loadmap_place(const rvm_region_def_t *defs, size_t count, uint64_t length,
		  struct loadmap_more *more)
{
	struct stretch *s;
	size_t i;

	more->offset = 0;
	more->length = rest_length(count);
	if (!more->length)
		return 0;
	s = calloc(count, sizeof(*s));
	if (!s)
		return err_set(ENOMEM, "out of memory for %zu regions", count);
	for (i = 0; i < count; i++)
		s[i] = (struct stretch){ defs[i].offset.low, defs[i].length };
	qsort(s, count, sizeof(*s), by_start);
	more->offset = find_gap(s, count, more->length, length);
	free(s);
	if (more->offset)
		return 0;
	return err_set(ENOSPC,
		       "the load map of %zu regions needs %llu bytes that no region uses: leave them free",
		       count, (unsigned long long)more->length);
}

static void encode(const rvm_region_def_t *def, struct disk_region *out)
{
	*out = (struct disk_region){
		.offset = htole64(def->offset.low),
		.length = htole64(def->length),
		.vmaddr = htole64((uintptr_t)def->vmaddr),
	};
}

void loadmap_encode(const rvm_region_def_t *defs, size_t count, const struct loadmap_more *more,
		    struct disk_loadmap *map, void *rest)
{
	struct disk_region *further = rest;
	size_t i;

	memset(map, 0, sizeof(*map));
	if (more->length)
		memset(rest, 0, more->length);
	for (i = 0; i < count; i++)
		encode(&defs[i], i < LOADMAP_FIRST ? &map->first[i] : &further[i - LOADMAP_FIRST]);
	map->magic = htole64(LOADMAP_MAGIC);
	map->version = htole32(LOADMAP_VERSION);
	map->compat = htole32(LOADMAP_COMPAT);
	map->ro_compat = htole32(LOADMAP_RO_COMPAT);
	map->incompat = htole32(LOADMAP_INCOMPAT);
	map->count = htole64(count);
	map->more_offset = htole64(more->offset);
	map->more_length = htole64(more->length);
	map->more_crc = htole32(more->length ? crc32c(0, rest, more->length) : 0);
	map->crc = htole32(crc32c(0, map, offsetof(struct disk_loadmap, crc)));
}

static bool zero(const void *buf, size_t length)
{
	const unsigned char *p = buf;

	while (length && !*p) {
		p++;
		length--;
	}
	return !length;
}

static bool reserved_is_zero(const struct disk_loadmap *map, uint64_t count)
{
	uint64_t used = count < LOADMAP_FIRST ? count : LOADMAP_FIRST;
	uint64_t i;

	for (i = 0; i < used; i++)
		if (map->first[i].reserved)
			return false;
	return !map->reserved_a && !map->reserved_b &&
	       zero(map->reserved_c, sizeof(map->reserved_c)) &&
	       zero(&map->first[used], (LOADMAP_FIRST - used) * sizeof(map->first[0]));
}

static bool rest_fits(const struct loadmap_more *more, uint64_t count)
{
	if (!count || count > SIZE_MAX / 2 / sizeof(struct disk_region))
		return false;
	return more->length == rest_length(count) && !more->length == !more->offset &&
	       !(more->offset & PAGE_MASK);
}

int loadmap_check(const struct disk_loadmap *map, size_t *count, struct loadmap_more *more)
{
	uint64_t n = le64toh(map->count);

	if (le64toh(map->magic) != LOADMAP_MAGIC)
		return err_set(EUCLEAN, "there is no load map in its first page");
	if (le32toh(map->crc) != crc32c(0, map, offsetof(struct disk_loadmap, crc)))
		return err_set(EUCLEAN, "its load map is damaged: the checksum is wrong");
	if (le32toh(map->version) != LOADMAP_VERSION ||
	    le32toh(map->ro_compat) & ~LOADMAP_RO_COMPAT ||
	    le32toh(map->incompat) & ~LOADMAP_INCOMPAT)
		return err_set(EPROTO,
			       "its load map is of version %u or has features that this library does not know",
			       le32toh(map->version));
	more->offset = le64toh(map->more_offset);
	more->length = le64toh(map->more_length);
	if (!rest_fits(more, n) || !reserved_is_zero(map, n))
		return err_set(EUCLEAN, "its load map is damaged: its parts do not fit together");
	*count = n;
	return 0;
}

static bool decode(const struct disk_region *region, rvm_region_def_t *def)
{
	def->offset = (rvm_offset_t){ .low = le64toh(region->offset) };
	def->length = le64toh(region->length);
	def->vmaddr = (char *)(uintptr_t)le64toh(region->vmaddr);
	return !region->reserved;
}

/* The rest may not lie where a region does: it counts as one. */
static int check_with_rest(rvm_region_def_t *defs, size_t count, const struct disk_loadmap *map,
			   uint64_t length)
{
	rvm_region_def_t *all;
	int err;

	if (!map->more_length)
		return loadmap_check_defs(defs, count, length);
	all = calloc(count + 1, sizeof(*all));
	if (!all)
		return err_set(ENOMEM, "out of memory for %zu regions", count);
	memcpy(all, defs, count * sizeof(*all));
	all[count].offset.low = le64toh(map->more_offset);
	all[count].length = le64toh(map->more_length);
	err = loadmap_check_defs(all, count + 1, length);
	free(all);
	return err;
}

int loadmap_decode(const struct disk_loadmap *map, const void *rest, uint64_t length,
		   rvm_region_def_t *defs)
{
	uint64_t count = le64toh(map->count), more = le64toh(map->more_length), i;
	const struct disk_region *further = rest;
	bool clean = true;
	int err;

	if (more && le32toh(map->more_crc) != crc32c(0, rest, more))
		return err_set(EUCLEAN, "the rest of its load map is damaged: the checksum is wrong");
	for (i = 0; i < count; i++)
		clean &= decode(i < LOADMAP_FIRST ? &map->first[i] : &further[i - LOADMAP_FIRST],
				&defs[i]);
	if (!clean || (more && !zero(&further[count - LOADMAP_FIRST],
				     more - (count - LOADMAP_FIRST) * sizeof(*further))))
		return err_set(EUCLEAN, "its load map is damaged: reserved bytes are not zero");
	err = check_with_rest(defs, count, map, length);
	if (err == -ENOMEM)
		return err;
	return err ? err_add(-EUCLEAN, "its load map is damaged: ") : 0;
}
