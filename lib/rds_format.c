// SPDX-License-Identifier: LGPL-2.1-or-later
/* The recoverable heap in its region. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "crc.h"
#include "err.h"
#include "rds_format.h"

#define TAIL_MAGIC	0x7c3a915e20d6b84fULL
#define TAIL_STEP	0x9e3779b97f4a7c15ULL	/* odd: no two places share a tail */

static uint32_t seed_of(const uint8_t uuid[16])
{
	return crc32c(0, uuid, 16);
}

int rds_format_plan(char *base, uint64_t length, uint64_t chunk, uint64_t nlists,
		    const uint8_t uuid[16], struct rds_geometry *geometry)
{
	if (!base || (uintptr_t)base % RDS_ALIGN)
		return err_set(EINVAL, "a heap cannot start at %p", base);
	if (!chunk || chunk > RDS_CHUNK_MAX || !nlists || nlists > RDS_LISTS_MAX)
		return err_set(EINVAL, "a heap has chunks of 1 to %lu bytes and 1 to %lu lists",
			       RDS_CHUNK_MAX, RDS_LISTS_MAX);
	if (chunk < RDS_CHUNK_MIN)
		chunk = RDS_CHUNK_MIN;
	chunk = (chunk + RDS_ALIGN - 1) & ~(uint64_t)(RDS_ALIGN - 1);
	if (length < RDS_FIRST + chunk)
		return err_set(EINVAL, "%llu bytes are too few for a heap with chunks of %llu",
			       (unsigned long long)length, (unsigned long long)chunk);
	*geometry = (struct rds_geometry){
		.base = base,
		.length = length,
		.chunk = chunk,
		.nlists = nlists,
		.chunks = (length - RDS_FIRST) / chunk,
		.seed = seed_of(uuid),
	};
	return 0;
}

void rds_format_header(const struct rds_geometry *geometry, const uint8_t uuid[16],
		       struct disk_heap *out)
{
	memset(out, 0, sizeof(*out));
	out->magic = htole64(RDS_MAGIC);
	out->version = htole32(RDS_VERSION);
	out->compat = htole32(RDS_COMPAT);
	out->ro_compat = htole32(RDS_RO_COMPAT);
	out->incompat = htole32(RDS_INCOMPAT);
	memcpy(out->uuid, uuid, sizeof(out->uuid));
	out->length = htole64(geometry->length);
	out->chunk = htole64(geometry->chunk);
	out->nlists = htole64(geometry->nlists);
	out->chunks = htole64(geometry->chunks);
	out->crc = htole32(crc32c(0, out, offsetof(struct disk_heap, crc)));
}

static bool zero(const uint8_t *p, size_t length)
{
	while (length && !*p) {
		p++;
		length--;
	}
	return !length;
}

static bool figures_fit(const struct disk_heap *heap, char *base, uint64_t length,
			struct rds_geometry *geometry)
{
	uint64_t own = le64toh(heap->length), chunk = le64toh(heap->chunk);

	return own <= length && zero(heap->reserved, sizeof(heap->reserved)) &&
	       !rds_format_plan(base, own, chunk, le64toh(heap->nlists), heap->uuid, geometry) &&
	       geometry->chunk == chunk && geometry->chunks == le64toh(heap->chunks);
}

int rds_format_check(char *base, uint64_t length, struct rds_geometry *geometry)
{
	const struct disk_heap *heap = (struct disk_heap *)base;

	if (le64toh(heap->magic) != RDS_MAGIC)
		return err_set(EPROTO, "there is no heap at %p", base);
	if (le32toh(heap->crc) != crc32c(0, heap, offsetof(struct disk_heap, crc)))
		return err_set(EUCLEAN, "the header of the heap at %p is damaged", base);
	if (le32toh(heap->version) != RDS_VERSION ||
	    le32toh(heap->ro_compat) & ~RDS_RO_COMPAT || le32toh(heap->incompat) & ~RDS_INCOMPAT)
		return err_set(EPROTO,
			       "the heap at %p is of version %u, or has features that are unknown here",
			       base, le32toh(heap->version));
	if (!figures_fit(heap, base, length, geometry))
		return err_set(EUCLEAN, "the header of the heap at %p does not fit its place",
			       base);
	return 0;
}

struct disk_block *rds_format_block(const struct rds_geometry *geometry, uint64_t number)
{
	return (struct disk_block *)(geometry->base + RDS_FIRST + number * geometry->chunk);
}

uint64_t *rds_format_tail(const struct rds_geometry *geometry, uint64_t end)
{
	return (uint64_t *)rds_format_block(geometry, end) - 1;
}

static uint32_t check_of(const struct rds_geometry *geometry, uint64_t number, uint64_t chunks)
{
	uint64_t what[2] = { htole64(number), htole64(chunks) };

	return crc32c(geometry->seed, what, sizeof(what));
}

void rds_format_extent(const struct rds_geometry *geometry, uint64_t number, uint64_t chunks,
		       struct disk_block *head)
{
	head->chunks = htole64(chunks);
	head->check = htole32(check_of(geometry, number, chunks));
}

uint64_t rds_format_tail_value(const struct rds_geometry *geometry, uint64_t end)
{
	return htole64(TAIL_MAGIC ^ geometry->seed ^ end * TAIL_STEP);
}

int rds_format_check_extent(const struct rds_geometry *geometry, uint64_t number,
			    uint64_t *chunks)
{
	const struct disk_block *head = rds_format_block(geometry, number);
	const char *addr = (const char *)(head + 1);
	uint64_t n = le64toh(head->chunks);

	if (!n || n > geometry->chunks - number ||
	    le32toh(head->check) != check_of(geometry, number, n))
		return err_set(EUCLEAN, "no block of the heap is at %p, or its head is damaged",
			       addr);
	*chunks = n;
	if (*rds_format_tail(geometry, number + n) == rds_format_tail_value(geometry, number + n))
		return 0;
	return err_set(EBADMSG, "something wrote beyond the end of the block at %p", addr);
}

bool rds_format_number(const struct rds_geometry *geometry, const char *addr, uint64_t *number)
{
	uint64_t first = RDS_FIRST + sizeof(struct disk_block);
	uint64_t at = (uintptr_t)addr - (uintptr_t)geometry->base;

	if (!addr || addr < geometry->base || at < first || (at - first) % geometry->chunk)
		return false;
	*number = (at - first) / geometry->chunk;
	return *number < geometry->chunks;
}

uint64_t rds_format_chunks(const struct rds_geometry *geometry, uint64_t size)
{
	uint64_t room = geometry->chunks * geometry->chunk;

	if (room < RDS_OVERHEAD || size > room - RDS_OVERHEAD)
		return 0;
	return (size + RDS_OVERHEAD + geometry->chunk - 1) / geometry->chunk;
}
