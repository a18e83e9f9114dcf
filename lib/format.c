// SPDX-License-Identifier: LGPL-2.1-or-later
/* The log's on-disk format: status, segment dictionary and the encoding of records. */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "crc.h"
#include "format.h"

void format_status_encode(const struct format_status *status, struct disk_status *disk)
{
	memset(disk, 0, sizeof(*disk));
	disk->magic = htole64(FORMAT_STATUS_MAGIC);
	disk->version = htole32(FORMAT_VERSION);
	disk->sector = htole32(status->sector);
	memcpy(disk->uuid, status->uuid, FORMAT_UUID);
	disk->compat = htole32(status->compat);
	disk->ro_compat = htole32(status->ro_compat);
	disk->incompat = htole32(status->incompat);
	disk->generation = htole32(status->generation);
	disk->sequence = htole64(status->sequence);
	disk->dict_offset = htole64(FORMAT_DICT_OFFSET);
	disk->dict_size = htole64(status->dict_size);
	disk->area_offset = htole64(status->area_offset);
	disk->area_size = htole64(status->area_size);
	disk->head = htole64(status->head);
	disk->tail_hint = htole64(status->tail_hint);
	disk->flags = htole32(status->clean ? FORMAT_CLEAN : 0);
	disk->crc = htole32(crc32c(0, disk, offsetof(struct disk_status, crc)));
}

void format_status_fields(const struct disk_status *disk, struct format_status *status)
{
	status->sector = le32toh(disk->sector);
	memcpy(status->uuid, disk->uuid, FORMAT_UUID);
	status->compat = le32toh(disk->compat);
	status->ro_compat = le32toh(disk->ro_compat);
	status->incompat = le32toh(disk->incompat);
	status->generation = le32toh(disk->generation);
	status->sequence = le64toh(disk->sequence);
	status->dict_size = le64toh(disk->dict_size);
	status->area_offset = le64toh(disk->area_offset);
	status->area_size = le64toh(disk->area_size);
	status->head = le64toh(disk->head);
	status->tail_hint = le64toh(disk->tail_hint);
	status->clean = le32toh(disk->flags) & FORMAT_CLEAN;
}

static bool all_zero(const void *buf, size_t length)
{
	const uint8_t *p = buf;

	while (length--)
		if (*p++)
			return false;
	return true;
}

/* Conditions 5 to 7: the layout is one that a library of this version makes. */
static const char *check_layout(const struct disk_status *disk, const struct format_status *s)
{
	if (s->sector < FORMAT_SECTOR_MIN || s->sector > FORMAT_SECTOR_MAX ||
	    (s->sector & (s->sector - 1)))
		return "the sector size is not 512, 1024, 2048 or 4096";
	if (le64toh(disk->dict_offset) != FORMAT_DICT_OFFSET || s->dict_size < FORMAT_BLOCK ||
	    s->dict_size > FORMAT_DICT_MAX || s->dict_size % FORMAT_BLOCK)
		return "the dictionary has no legal place";
	if (s->area_offset != FORMAT_DICT_OFFSET + 2 * s->dict_size ||
	    s->area_size < FORMAT_BLOCK || s->area_size % FORMAT_BLOCK ||
	    s->area_size > INT64_MAX - s->area_offset)
		return "the record area has no legal place";
	return NULL;
}

/* Conditions 8 to 10: the state is one that a log can be in. */
static const char *check_state(const struct format_status *s)
{
	if (!s->generation || !s->sequence)
		return "generation or sequence is zero";
	if (s->head < s->area_size || s->head > INT64_MAX || s->head % FORMAT_ALIGN ||
	    s->tail_hint % FORMAT_ALIGN)
		return "head or tail is no LSN of a record";
	if (s->tail_hint < s->head || s->tail_hint - s->head > s->area_size)
		return "the tail is not between the head and a whole round from it";
	return NULL;
}

/*
 * A status copy is valid if and only if
 *  1. it starts with FORMAT_STATUS_MAGIC;
 *  2. its last 4 bytes are the CRC32C of all bytes before;
 *  3. its version is FORMAT_VERSION (1 to 3 hold for every version to come);
 *  4. the reserved bytes are zero and no unknown flag is set;
 *  5. the sector size is a power of two from 512 to 4096;
 *  6. dict_offset is 8192, dict_size a multiple of 4096 from 4096 to 1 GiB;
 *  7. area_offset follows the two dictionary copies; area_size is a multiple of 4096, not
 *     zero, and the file's end is at most 2^63 - 1;
 *  8. generation and sequence are not zero;
 *  9. head and tail_hint are multiples of 8, head is at least area_size and below 2^63, so that no
 *     LSN of the log wraps;
 * 10. head <= tail_hint <= head + area_size.
 */
int format_status_decode(const struct disk_status *disk, struct format_status *status,
			 const char **why)
{
	*why = "it does not start as a log's status does";
	if (le64toh(disk->magic) != FORMAT_STATUS_MAGIC)
		return -EINVAL;
	*why = "its checksum is wrong";
	if (le32toh(disk->crc) != crc32c(0, disk, offsetof(struct disk_status, crc)))
		return -EUCLEAN;
	*why = "it is of another version of the format";
	if (le32toh(disk->version) != FORMAT_VERSION)
		return -EPROTO;
	*why = "reserved bytes or flags are not zero";
	if (!all_zero(disk->reserved, sizeof(disk->reserved)) ||
	    (le32toh(disk->flags) & ~FORMAT_CLEAN))
		return -EUCLEAN;
	format_status_fields(disk, status);
	*why = check_layout(disk, status);
	if (!*why)
		*why = check_state(status);
	return *why ? -EUCLEAN : 0;
}

static size_t round_up(size_t n)
{
	return (n + FORMAT_ALIGN - 1) & ~(size_t)(FORMAT_ALIGN - 1);
}

size_t format_segment_size(size_t path_length)
{
	return sizeof(struct disk_segment) + round_up(path_length);
}

static uint32_t dict_crc(const void *buf, size_t size, const uint8_t uuid[FORMAT_UUID])
{
	return crc32c(crc32c(0, uuid, FORMAT_UUID), buf, size - sizeof(uint32_t));
}

static uint32_t *dict_crc_field(const void *buf, size_t size)
{
	return (uint32_t *)((char *)buf + size - sizeof(uint32_t));
}

static void put_segment(void *at, const struct format_segment *entry)
{
	struct disk_segment *disk = at;

	disk->id = htole32(entry->id);
	disk->path_length = htole32(entry->path_length);
	disk->length = htole64(entry->length);
	memcpy(disk->uuid, entry->uuid, FORMAT_UUID);
	memcpy(disk + 1, entry->path, entry->path_length);
}

void format_dict_seal(void *buf, size_t size, const uint8_t uuid[FORMAT_UUID], uint64_t sequence)
{
	struct disk_dict *head = buf;

	head->magic = htole64(FORMAT_DICT_MAGIC);
	head->sequence = htole64(sequence);
	head->reserved = 0;
	*dict_crc_field(buf, size) = htole32(dict_crc(buf, size, uuid));
}

int format_dict_encode(void *buf, size_t size, const uint8_t uuid[FORMAT_UUID],
		       uint64_t sequence, const struct format_segment *entries, size_t count)
{
	struct disk_dict *head = buf;
	size_t at = sizeof(*head);
	size_t i;

	memset(buf, 0, size);
	head->count = htole32(count);
	for (i = 0; i < count; i++) {
		size_t need = format_segment_size(entries[i].path_length);

		if (need > size - sizeof(uint32_t) - at)
			return -ENOSPC;
		put_segment((char *)buf + at, &entries[i]);
		at += need;
	}
	format_dict_seal(buf, size, uuid, sequence);
	return 0;
}

/* Conditions 4 and 5 for the entry at @at, which is moved behind it. */
static const char *check_segment(const void *buf, size_t end, size_t *at, uint32_t *last_id)
{
	const struct disk_segment *disk = (const void *)((const char *)buf + *at);
	const char *path = (const char *)(disk + 1);
	size_t length, need;

	if (end - *at < sizeof(*disk))
		return "an entry passes the dictionary's end";
	length = le32toh(disk->path_length);
	need = format_segment_size(length);
	if (length < 2 || length >= PATH_MAX || end - *at < need)
		return "a path has no legal length";
	if (path[0] != '/' || memchr(path, '\0', length) ||
	    !all_zero(path + length, round_up(length) - length))
		return "a path is not absolute and filled up with zeros";
	if (le32toh(disk->id) <= *last_id)
		return "the segments' numbers do not rise";
	*last_id = le32toh(disk->id);
	*at += need;
	return NULL;
}

/*
 * A dictionary copy is valid if and only if
 *  1. it starts with FORMAT_DICT_MAGIC;
 *  2. its last 4 bytes are the CRC32C of all bytes before, seeded with the log's uuid;
 *  3. its sequence is not zero, its reserved bytes are;
 *  4. count entries lie between its head and its last 4 bytes, each with an absolute path of 2
 *     to 4095 bytes without NUL, filled up with zeros to a multiple of 8;
 *  5. the numbers rise from 1;
 *  6. all bytes after the last entry are zero.
 */
const char *format_dict_check(const void *buf, size_t size, const uint8_t uuid[FORMAT_UUID])
{
	const struct disk_dict *head = buf;
	size_t end = size - sizeof(uint32_t);
	size_t at = sizeof(*head);
	uint32_t i, last_id = 0;
	const char *why;

	if (le64toh(head->magic) != FORMAT_DICT_MAGIC)
		return "it does not start as a dictionary does";
	if (le32toh(*dict_crc_field(buf, size)) != dict_crc(buf, size, uuid))
		return "its checksum is wrong";
	if (!head->sequence || head->reserved)
		return "its sequence is zero or its reserved bytes are not";
	for (i = 0; i < le32toh(head->count); i++) {
		why = check_segment(buf, end, &at, &last_id);
		if (why)
			return why;
	}
	if (!all_zero((const char *)buf + at, end - at))
		return "the bytes after the last entry are not zero";
	return NULL;
}

uint64_t format_dict_sequence(const void *buf)
{
	return le64toh(((const struct disk_dict *)buf)->sequence);
}

bool format_dict_next(const void *buf, size_t *at, struct format_segment *entry)
{
	const struct disk_segment *disk;

	if (!*at)
		*at = sizeof(struct disk_dict);
	disk = (const void *)((const char *)buf + *at);
	if (!disk->id)
		return false;	/* ids start at 1 and the rest of a valid copy is zero */
	entry->id = le32toh(disk->id);
	memcpy(entry->uuid, disk->uuid, FORMAT_UUID);
	entry->length = le64toh(disk->length);
	entry->path = (const char *)(disk + 1);
	entry->path_length = le32toh(disk->path_length);
	*at += format_segment_size(entry->path_length);
	return true;
}
