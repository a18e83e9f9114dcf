// SPDX-License-Identifier: LGPL-2.1-or-later
/* The log's on-disk format: records, and what makes one valid. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "crc.h"
#include "format.h"

void format_seed_init(struct format_seed *seed, const uint8_t uuid[FORMAT_UUID],
		      uint32_t generation)
{
	uint32_t le = htole32(generation);

	seed->generation = generation;
	seed->crc = crc32c(crc32c(0, uuid, FORMAT_UUID), &le, sizeof(le));
}

static uint64_t round_up(uint64_t n)
{
	return (n + FORMAT_ALIGN - 1) & ~(uint64_t)(FORMAT_ALIGN - 1);
}

uint64_t format_record_length(uint64_t count, uint64_t bytes)
{
	return FORMAT_RECORD_MIN + count * sizeof(struct disk_range) + round_up(bytes);
}

uint64_t format_pad_length(uint64_t lsn, uint32_t sector)
{
	uint64_t room = sector - (lsn & (sector - 1));

	return room < FORMAT_RECORD_MIN ? room + sector : room;
}

void format_record_encode(const struct format_record *record, const struct format_seed *seed,
			  struct disk_record *disk)
{
	disk->magic = htole32(FORMAT_RECORD_MAGIC);
	disk->generation = htole32(seed->generation);
	disk->type = htole16(record->type);
	disk->flags = 0;
	disk->count = htole32(record->count);
	disk->length = htole64(record->length);
	disk->lsn = htole64(record->lsn);
	disk->durable = htole64(record->durable);
	disk->tid = htole64(record->tid);
}

void format_record_decode(const struct disk_record *disk, struct format_record *record)
{
	record->type = le16toh(disk->type);
	record->count = le32toh(disk->count);
	record->length = le64toh(disk->length);
	record->lsn = le64toh(disk->lsn);
	record->durable = le64toh(disk->durable);
	record->tid = le64toh(disk->tid);
}

void format_range_encode(uint64_t offset, uint32_t length, uint32_t segment,
			 struct disk_range *disk)
{
	disk->offset = htole64(offset);
	disk->length = htole32(length);
	disk->segment = htole32(segment);
}

void format_trailer_encode(uint64_t length, uint32_t crc, struct disk_trailer *disk)
{
	disk->length = htole64(length);
	disk->crc = htole32(crc32c(crc, &disk->length, sizeof(disk->length)));
	disk->magic = htole32(FORMAT_TRAILER_MAGIC);
}

uint64_t format_trailer_length(const struct disk_trailer *disk)
{
	return le32toh(disk->magic) == FORMAT_TRAILER_MAGIC ? le64toh(disk->length) : 0;
}

/* Conditions 1 to 7, which the header alone decides. */
static const char *check_header(const struct disk_record *disk, const struct format_seed *seed,
				uint64_t lsn, uint64_t limit)
{
	struct format_record r;

	format_record_decode(disk, &r);
	if (le32toh(disk->magic) != FORMAT_RECORD_MAGIC)
		return "no record starts there";
	if (le32toh(disk->generation) != seed->generation)
		return "the record is of another generation";
	if (r.lsn != lsn)
		return "the record belongs to another place";
	if ((r.type != FORMAT_TX && r.type != FORMAT_PAD) || disk->flags)
		return "the record's type or flags are unknown";
	if (r.length < FORMAT_RECORD_MIN || r.length % FORMAT_ALIGN || r.length > limit - lsn)
		return "the record's length is impossible";
	if (r.durable > lsn)
		return "the record claims that it was durable before it was made";
	if ((r.type == FORMAT_PAD && (r.count || r.tid)) || (r.type == FORMAT_TX && !r.count) ||
	    r.count > (r.length - FORMAT_RECORD_MIN) / sizeof(struct disk_range))
		return "the record's number of ranges is impossible";
	return NULL;
}

/*
 * The walk over a record's bytes, in order, each once.
 *
 * @source: the bytes
 * @lsn: of the next one
 * @crc: of those before it
 * @whole: the next one in memory, if all of the record is there and in @crc
 */
struct walk {
	struct format_source *source;
	uint64_t lsn;
	uint32_t crc;
	const char *whole;
};

static int walk_get(struct walk *walk, size_t length, const void **bytes)
{
	int err;

	if (walk->whole) {
		*bytes = walk->whole;
		walk->whole += length;
		return 0;
	}
	err = walk->source->get(walk->source, walk->lsn, length, bytes);
	if (err)
		return err;
	walk->crc = crc32c(walk->crc, *bytes, length);
	walk->lsn += length;
	return 0;
}

/* A short record, as most are: all of it at once, and one checksum. */
static int walk_whole(struct walk *walk, uint64_t length)
{
	size_t rest = length - sizeof(struct disk_record);
	const void *bytes;
	int err;

	err = walk->source->get(walk->source, walk->lsn, rest, &bytes);
	if (err)
		return err;
	walk->crc = crc32c(walk->crc, bytes, rest - sizeof(struct disk_trailer));
	walk->whole = bytes;
	return 0;
}

static size_t chunk(uint64_t length)
{
	return length < FORMAT_CHUNK ? length : FORMAT_CHUNK;
}

/* Range headers that are looked at together. */
#define RANGES	(FORMAT_CHUNK / sizeof(struct disk_range))

/* Condition 8; tells the sum of the ranges' lengths. */
static int walk_ranges(struct walk *walk, uint32_t count, uint64_t *bytes, const char **why)
{
	const struct disk_range *disk;
	struct format_range range;
	uint32_t i, n;
	int err;

	for (*bytes = 0; count; count -= n) {
		n = count < RANGES ? count : RANGES;
		err = walk_get(walk, n * sizeof(*disk), (const void **)&disk);
		if (err)
			return err;
		for (i = 0; i < n; i++) {
			format_range_decode(&disk[i], &range);
			if (!range.length || !range.segment ||
			    range.offset > UINT64_MAX - range.length)
				*why = "a range is impossible";
			*bytes += range.length;
		}
	}
	return *why ? -EUCLEAN : 0;
}

static int walk_data(struct walk *walk, uint64_t length)
{
	const void *bytes;
	int err = 0;

	while (length && !err) {
		size_t n = chunk(length);

		err = walk_get(walk, n, &bytes);
		length -= n;
	}
	return err;
}

/* Condition 10. */
static int walk_zeros(struct walk *walk, uint64_t length, const char **why)
{
	const uint8_t *bytes;

	while (length) {
		size_t i, n = chunk(length);
		int err = walk_get(walk, n, (const void **)&bytes);

		if (err)
			return err;
		for (i = 0; i < n; i++)
			if (bytes[i])
				*why = "the record is not filled up with zeros";
		length -= n;
	}
	return *why ? -EUCLEAN : 0;
}

/* Conditions 11 and 12. */
static int walk_trailer(struct walk *walk, uint64_t length, const char **why)
{
	const struct disk_trailer *disk;
	struct disk_trailer right;
	uint32_t crc = walk->crc;	/* without the trailer */
	int err;

	err = walk_get(walk, sizeof(*disk), (const void **)&disk);
	if (err)
		return err;
	format_trailer_encode(length, crc, &right);
	if (disk->length != right.length || disk->magic != right.magic)
		*why = "the record does not end as it should";
	else if (disk->crc != right.crc)
		*why = "the record's checksum is wrong";
	return *why ? -EUCLEAN : 0;
}

/*
 * There is a valid record at LSN l if and only if
 *  1. it starts with FORMAT_RECORD_MAGIC;
 *  2. its generation is the log's;
 *  3. its lsn is l;
 *  4. its type is FORMAT_TX or FORMAT_PAD and its flags are zero;
 *  5. its length is a multiple of 8, at least 64, and does not pass the limit (a whole round
 *     from the head, or the end of what the caller knows to be records);
 *  6. its durable LSN is not above l;
 *  7. a FORMAT_PAD has no range and tid 0; a FORMAT_TX has a range, and no more than fit;
 *  8. each range has a length and a segment that are not 0, and ends at most at 2^64 - 1;
 *  9. header, ranges, data filled up to a multiple of 8, and trailer are as long as its
 *     length says (in a FORMAT_PAD anything may be between header and trailer);
 * 10. what fills up is zero;
 * 11. its trailer has the same length and FORMAT_TRAILER_MAGIC;
 * 12. its crc is the CRC32C of all bytes before, seeded with uuid and generation.
 */
int format_record_check(struct format_source *source, const struct format_seed *seed,
			uint64_t lsn, uint64_t limit, struct format_record *record,
			const char **why)
{
	struct walk walk = { .source = source, .lsn = lsn, .crc = seed->crc };
	const struct disk_record *disk;
	struct format_record r;
	uint64_t bytes, zeros;
	int err;

	*why = "no record fits there";
	if (limit < lsn || limit - lsn < FORMAT_RECORD_MIN)
		return -EUCLEAN;
	*why = NULL;
	err = walk_get(&walk, sizeof(*disk), (const void **)&disk);
	if (err)
		return err;
	*why = check_header(disk, seed, lsn, limit);
	if (*why)
		return -EUCLEAN;
	format_record_decode(disk, &r);
	if (r.length <= FORMAT_CHUNK)
		err = walk_whole(&walk, r.length);
	if (!err)
		err = walk_ranges(&walk, r.count, &bytes, why);
	if (err)
		return err;
	zeros = r.length - FORMAT_RECORD_MIN - r.count * sizeof(struct disk_range);
	if (bytes > zeros || (r.type == FORMAT_TX && zeros - bytes >= FORMAT_ALIGN)) {
		*why = "the record's ranges do not add up to its length";
		return -EUCLEAN;
	}
	err = walk_data(&walk, bytes);
	if (!err)
		err = walk_zeros(&walk, zeros - bytes, why);
	if (!err)
		err = walk_trailer(&walk, r.length, why);
	if (!err)
		*record = r;
	return err;
}
