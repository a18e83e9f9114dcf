// SPDX-License-Identifier: LGPL-2.1-or-later
/* What two damaged copies of a thing say alike. */
#include <endian.h>
#include <string.h>

#include "alike.h"
#include "logfile.h"
#include "os.h"

/* Is there a second copy of a dictionary of this size? */
static bool has_dict(const struct logfile *file, uint64_t size)
{
	uint64_t magic;

	return size >= FORMAT_BLOCK && size <= FORMAT_DICT_MAX && !(size % FORMAT_BLOCK) &&
	       !os_read(file->fd, &magic, sizeof(magic), FORMAT_DICT_OFFSET + size) &&
	       le64toh(magic) == FORMAT_DICT_MAGIC;
}

/* Two fields tell of one thing; the one that is right leads to a dictionary. */
static bool find_areas(const struct logfile *file, const struct format_status *a,
		       const struct format_status *b, struct format_status *status)
{
	uint64_t other = (a->area_offset - FORMAT_DICT_OFFSET) / 2;

	if (a->dict_size == b->dict_size && has_dict(file, a->dict_size))
		status->dict_size = a->dict_size;
	else if (a->area_offset == b->area_offset && has_dict(file, other))
		status->dict_size = other;
	else
		return false;
	status->area_offset = FORMAT_DICT_OFFSET + 2 * status->dict_size;
	return true;
}

static bool is_area(const struct format_status *status, uint64_t size)
{
	return size >= FORMAT_BLOCK && !(size % FORMAT_BLOCK) &&
	       size <= INT64_MAX - status->area_offset;
}

/* Where the copies do not tell, the file's length does, if it is that of a log. */
static bool find_size(const struct logfile *file, const struct format_status *a,
		      const struct format_status *b, struct format_status *status)
{
	status->area_size = a->area_size;
	if (a->area_size == b->area_size && is_area(status, a->area_size))
		return true;
	if (file->device || file->size < status->area_offset)
		return false;
	status->area_size = file->size - status->area_offset;
	return is_area(status, status->area_size);
}

static bool is_lsn(const struct format_status *status, uint64_t lsn)
{
	return lsn >= status->area_size && lsn <= INT64_MAX && !(lsn % FORMAT_ALIGN);
}

/* Without a tail the head does: then less is known to have been durable. */
static bool find_ends(const struct format_status *a, const struct format_status *b,
		      struct format_status *status)
{
	if (a->head != b->head || !is_lsn(status, a->head))
		return false;
	status->head = a->head;
	status->tail_hint = a->head;
	status->clean = false;
	if (a->tail_hint != b->tail_hint || !is_lsn(status, a->tail_hint))
		return true;
	status->tail_hint = a->tail_hint;
	status->clean = a->clean && b->clean;
	return status->head <= status->tail_hint &&
	       status->tail_hint - status->head <= status->area_size;
}

static bool is_sector(uint32_t sector)
{
	return sector >= FORMAT_SECTOR_MIN && sector <= FORMAT_SECTOR_MAX &&
	       !(sector & (sector - 1));
}

bool alike_status(const struct logfile *file, const struct disk_status disk[2],
		  struct format_status *status)
{
	struct format_status a, b;

	format_status_fields(&disk[0], &a);
	format_status_fields(&disk[1], &b);
	if (le32toh(disk[0].version) != FORMAT_VERSION ||
	    le32toh(disk[1].version) != FORMAT_VERSION || memcmp(a.uuid, b.uuid, FORMAT_UUID) ||
	    a.compat != b.compat || a.ro_compat || b.ro_compat || a.incompat || b.incompat ||
	    a.generation != b.generation || !a.generation)
		return false;
	memset(status, 0, sizeof(*status));
	memcpy(status->uuid, a.uuid, FORMAT_UUID);
	status->compat = a.compat;
	status->generation = a.generation;
	status->sequence = 1;
	status->sector = a.sector == b.sector && is_sector(a.sector) ? a.sector :
								      FORMAT_SECTOR_MAX;
	return find_areas(file, &a, &b, status) && find_size(file, &a, &b, status) &&
	       find_ends(&a, &b, status);
}

bool alike_dict(void *const copy[2], size_t size, const uint8_t uuid[FORMAT_UUID])
{
	const struct disk_dict *a = copy[0], *b = copy[1];

	if (a->count != b->count ||
	    memcmp(a + 1, b + 1, size - sizeof(*a) - sizeof(uint32_t)))
		return false;
	format_dict_seal(copy[0], size, uuid, 1);
	return !format_dict_check(copy[0], size, uuid);
}
