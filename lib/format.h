/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log's on-disk format: the structures, and pure functions that encode, check and decode
 * them in memory.  Documentation/log-format.md describes it byte for byte.
 *
 * All numbers are little-endian.  An LSN is a byte position that only grows; the byte of
 * LSN l stands at area_offset + l % area_size in the file.
 *
 *	byte 0		status, copy 0 (4096 bytes)
 *	byte 4096	status, copy 1
 *	byte 8192	segment dictionary, copy 0 (dict_size bytes)
 *	...		segment dictionary, copy 1
 *	area_offset	record area (area_size bytes), circular
 */
#ifndef RVM_LIB_FORMAT_H
#define RVM_LIB_FORMAT_H

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_STATUS_MAGIC	0x0a1a474f4c4d5652ULL	/* "RVMLOG\x1a\n" */
#define FORMAT_DICT_MAGIC	0x0a1a5443444d5652ULL	/* "RVMDCT\x1a\n" */
#define FORMAT_RECORD_MAGIC	0x524d5652U		/* "RVMR" */
#define FORMAT_TRAILER_MAGIC	0x544d5652U		/* "RVMT" */
#define FORMAT_VERSION		1

#define FORMAT_BLOCK		4096U	/* of a status copy; the area and its parts align to it */
#define FORMAT_DICT_OFFSET	(2 * FORMAT_BLOCK)
#define FORMAT_DICT_DEFAULT	32768U
#define FORMAT_DICT_MAX		0x40000000U /* 1 GiB */
#define FORMAT_SECTOR_MIN	512U
#define FORMAT_SECTOR_MAX	FORMAT_BLOCK
#define FORMAT_ALIGN		8U	/* records start at multiples of it */
#define FORMAT_RANGE_MAX	0xfffff000U /* longer ranges are split */
#define FORMAT_CHUNK		65536U	/* most bytes that a check asks a source for at once */
#define FORMAT_UUID		16

/* Feature words: bits of any of them that this library knows. */
#define FORMAT_COMPAT		0U	/* an unknown bit is no obstacle */
#define FORMAT_RO_COMPAT	0U	/* an unknown bit forbids writing */
#define FORMAT_INCOMPAT		0U	/* an unknown bit forbids any use */

#define FORMAT_CLEAN		1U	/* status flag: the log ends exactly at tail_hint */

#define FORMAT_TX		1U	/* record type: a committed transaction */
#define FORMAT_PAD		2U	/* record type: fills up to the next sector */

/* struct disk_status - a status copy; all else up to crc is zero */
struct disk_status {
	uint64_t magic;			/* 0 */
	uint32_t version;		/* 8 */
	uint32_t sector;		/* 12 */
	uint8_t uuid[FORMAT_UUID];	/* 16 */
	uint32_t compat;		/* 32 */
	uint32_t ro_compat;		/* 36 */
	uint32_t incompat;		/* 40 */
	uint32_t generation;		/* 44 */
	uint64_t sequence;		/* 48 */
	uint64_t dict_offset;		/* 56 */
	uint64_t dict_size;		/* 64 */
	uint64_t area_offset;		/* 72 */
	uint64_t area_size;		/* 80 */
	uint64_t head;			/* 88 */
	uint64_t tail_hint;		/* 96 */
	uint32_t flags;			/* 104 */
	uint8_t reserved[FORMAT_BLOCK - 112]; /* 108 */
	uint32_t crc;			/* 4092, of all before, seed 0 */
};

static_assert(offsetof(struct disk_status, version) == 8, "format");
static_assert(offsetof(struct disk_status, sector) == 12, "format");
static_assert(offsetof(struct disk_status, uuid) == 16, "format");
static_assert(offsetof(struct disk_status, compat) == 32, "format");
static_assert(offsetof(struct disk_status, ro_compat) == 36, "format");
static_assert(offsetof(struct disk_status, incompat) == 40, "format");
static_assert(offsetof(struct disk_status, generation) == 44, "format");
static_assert(offsetof(struct disk_status, sequence) == 48, "format");
static_assert(offsetof(struct disk_status, dict_offset) == 56, "format");
static_assert(offsetof(struct disk_status, dict_size) == 64, "format");
static_assert(offsetof(struct disk_status, area_offset) == 72, "format");
static_assert(offsetof(struct disk_status, area_size) == 80, "format");
static_assert(offsetof(struct disk_status, head) == 88, "format");
static_assert(offsetof(struct disk_status, tail_hint) == 96, "format");
static_assert(offsetof(struct disk_status, flags) == 104, "format");
static_assert(offsetof(struct disk_status, reserved) == 108, "format");
static_assert(offsetof(struct disk_status, crc) == 4092, "format");
static_assert(sizeof(struct disk_status) == FORMAT_BLOCK, "format");

/* struct disk_dict - the head of a dictionary copy; entries follow, then zeros */
struct disk_dict {
	uint64_t magic;			/* 0 */
	uint64_t sequence;		/* 8 */
	uint32_t count;			/* 16, entries */
	uint32_t reserved;		/* 20 */
	/* the last 4 bytes of the copy: crc of all before, seeded with the uuid */
};

static_assert(offsetof(struct disk_dict, sequence) == 8, "format");
static_assert(offsetof(struct disk_dict, count) == 16, "format");
static_assert(offsetof(struct disk_dict, reserved) == 20, "format");
static_assert(sizeof(struct disk_dict) == 24, "format");

/* struct disk_segment - a dictionary entry; the path follows, zeros up to a multiple of 8 */
struct disk_segment {
	uint32_t id;			/* 0 */
	uint32_t path_length;		/* 4 */
	uint64_t length;		/* 8 */
	uint8_t uuid[FORMAT_UUID];	/* 16 */
};

static_assert(offsetof(struct disk_segment, path_length) == 4, "format");
static_assert(offsetof(struct disk_segment, length) == 8, "format");
static_assert(offsetof(struct disk_segment, uuid) == 16, "format");
static_assert(sizeof(struct disk_segment) == 32, "format");

/* struct disk_record - the header of a record; ranges, data and zeros follow, then a trailer */
struct disk_record {
	uint32_t magic;			/* 0 */
	uint32_t generation;		/* 4 */
	uint16_t type;			/* 8 */
	uint16_t flags;			/* 10, zero */
	uint32_t count;			/* 12, ranges */
	uint64_t length;		/* 16, of the whole record */
	uint64_t lsn;			/* 24, of its first byte */
	uint64_t durable;		/* 32, the log's durable LSN when it was made */
	uint64_t tid;			/* 40 */
};

static_assert(offsetof(struct disk_record, generation) == 4, "format");
static_assert(offsetof(struct disk_record, type) == 8, "format");
static_assert(offsetof(struct disk_record, flags) == 10, "format");
static_assert(offsetof(struct disk_record, count) == 12, "format");
static_assert(offsetof(struct disk_record, length) == 16, "format");
static_assert(offsetof(struct disk_record, lsn) == 24, "format");
static_assert(offsetof(struct disk_record, durable) == 32, "format");
static_assert(offsetof(struct disk_record, tid) == 40, "format");
static_assert(sizeof(struct disk_record) == 48, "format");

/* struct disk_range - the new values' place */
struct disk_range {
	uint64_t offset;		/* 0, in the segment */
	uint32_t length;		/* 8 */
	uint32_t segment;		/* 12, its number in the dictionary */
};

static_assert(offsetof(struct disk_range, length) == 8, "format");
static_assert(offsetof(struct disk_range, segment) == 12, "format");
static_assert(sizeof(struct disk_range) == 16, "format");

/* struct disk_trailer - the end of a record */
struct disk_trailer {
	uint64_t length;		/* 0, of the whole record */
	uint32_t crc;			/* 8, of all before, seeded with uuid and generation */
	uint32_t magic;			/* 12 */
};

static_assert(offsetof(struct disk_trailer, crc) == 8, "format");
static_assert(offsetof(struct disk_trailer, magic) == 12, "format");
static_assert(sizeof(struct disk_trailer) == 16, "format");

#define FORMAT_RECORD_MIN	(sizeof(struct disk_record) + sizeof(struct disk_trailer))

/**
 * struct format_status - a status, decoded
 * @sector: bytes that the disk writes as one
 * @uuid: the log's identity
 * @compat: feature bits
 * @ro_compat: feature bits
 * @incompat: feature bits
 * @generation: raised when the log is started; records of another are void
 * @sequence: raised by each write of a copy; the newer copy counts
 * @dict_size: bytes of one dictionary copy
 * @area_offset: where the record area starts in the file
 * @area_size: its bytes
 * @head: LSN of the oldest record
 * @tail_hint: the durable LSN when the status was written
 * @clean: nothing was appended since
 */
struct format_status {
	uint32_t sector;
	uint8_t uuid[FORMAT_UUID];
	uint32_t compat;
	uint32_t ro_compat;
	uint32_t incompat;
	uint32_t generation;
	uint64_t sequence;
	uint64_t dict_size;
	uint64_t area_offset;
	uint64_t area_size;
	uint64_t head;
	uint64_t tail_hint;
	bool clean;
};

/** format_status_encode() - make a status copy */
void format_status_encode(const struct format_status *status, struct disk_status *disk);

/**
 * format_status_decode() - check and decode a status copy
 * @disk: the copy
 * @status: filled in if it is valid
 * @why: NULL if it is valid, else which condition it breaks
 *
 * Return: 0; -EINVAL no status at all (magic); -EPROTO another version; -EUCLEAN damaged.
 */
int format_status_decode(const struct disk_status *disk, struct format_status *status,
			 const char **why);

/** format_status_fields() - read the fields of a status copy without a check */
void format_status_fields(const struct disk_status *disk, struct format_status *status);

/**
 * struct format_segment - a dictionary entry, decoded
 * @id: number, from 1
 * @uuid: identity
 * @length: bytes of the segment
 * @path: its path, not terminated
 * @path_length: bytes of the path
 */
struct format_segment {
	uint32_t id;
	uint8_t uuid[FORMAT_UUID];
	uint64_t length;
	const char *path;
	uint32_t path_length;
};

/** format_segment_size() - bytes of an entry with so long a path */
size_t format_segment_size(size_t path_length);

/**
 * format_dict_encode() - make a dictionary copy
 * @buf: the copy
 * @size: its bytes
 * @uuid: of the log
 * @sequence: of the copy
 * @entries: in rising order of their ids
 * @count: how many
 *
 * Return: 0, or -ENOSPC they do not fit.
 */
int format_dict_encode(void *buf, size_t size, const uint8_t uuid[FORMAT_UUID],
		       uint64_t sequence, const struct format_segment *entries, size_t count);

/** format_dict_seal() - give a copy whose entries stand there its magic, sequence and checksum */
void format_dict_seal(void *buf, size_t size, const uint8_t uuid[FORMAT_UUID], uint64_t sequence);

/**
 * format_dict_check() - is a dictionary copy valid?
 * @buf: the copy
 * @size: its bytes
 * @uuid: of the log
 *
 * Return: NULL if it is, else which condition it breaks.
 */
const char *format_dict_check(const void *buf, size_t size, const uint8_t uuid[FORMAT_UUID]);

/** format_dict_sequence() - the sequence of a valid copy */
uint64_t format_dict_sequence(const void *buf);

/**
 * format_dict_next() - walk the entries of a valid copy
 * @buf: the copy
 * @at: 0 at first, then kept by the function
 * @entry: filled in; its path points into @buf
 *
 * Return: false after the last one.
 */
bool format_dict_next(const void *buf, size_t *at, struct format_segment *entry);

/**
 * struct format_seed - what makes the records of a generation of a log its own
 * @generation: of the log
 * @crc: checksum of uuid and generation, which each record's checksum continues
 */
struct format_seed {
	uint32_t generation;
	uint32_t crc;
};

/** format_seed_init() - the seed of a log's generation */
void format_seed_init(struct format_seed *seed, const uint8_t uuid[FORMAT_UUID],
		      uint32_t generation);

/**
 * struct format_record - the header of a record, decoded
 * @type: FORMAT_TX or FORMAT_PAD
 * @count: ranges
 * @length: bytes of the whole record
 * @lsn: of its first byte
 * @durable: the log's durable LSN when it was made
 * @tid: the transaction's number
 */
struct format_record {
	uint16_t type;
	uint32_t count;
	uint64_t length;
	uint64_t lsn;
	uint64_t durable;
	uint64_t tid;
};

/** format_record_length() - bytes of a record with @count ranges and @bytes of data */
uint64_t format_record_length(uint64_t count, uint64_t bytes);

/** format_pad_length() - bytes of the padding record that a flush ending at @lsn needs */
uint64_t format_pad_length(uint64_t lsn, uint32_t sector);

/** format_record_encode() - make a header */
void format_record_encode(const struct format_record *record, const struct format_seed *seed,
			  struct disk_record *disk);

/** format_record_decode() - read a header without a check */
void format_record_decode(const struct disk_record *disk, struct format_record *record);

/** format_range_encode() - make a range header */
void format_range_encode(uint64_t offset, uint32_t length, uint32_t segment,
			 struct disk_range *disk);

/**
 * struct format_range - a range header, decoded
 * @offset: first byte in the segment
 * @length: bytes
 * @segment: number in the dictionary
 */
struct format_range {
	uint64_t offset;
	uint32_t length;
	uint32_t segment;
};

/** format_range_decode() - read a range header without a check */
static inline void format_range_decode(const struct disk_range *disk, struct format_range *range)
{
	range->offset = le64toh(disk->offset);
	range->length = le32toh(disk->length);
	range->segment = le32toh(disk->segment);
}

/**
 * format_trailer_encode() - make a trailer
 * @length: of the whole record
 * @crc: checksum of all before the trailer, from the seed on
 * @disk: filled in
 */
void format_trailer_encode(uint64_t length, uint32_t crc, struct disk_trailer *disk);

/** format_trailer_length() - the length in a trailer, 0 if it has not its magic */
uint64_t format_trailer_length(const struct disk_trailer *disk);

/**
 * struct format_source - where the bytes of records come from
 * @get: tell where the @length (at most FORMAT_CHUNK) bytes at @lsn are in memory; they stay
 *	there until the next call, aligned to 8 if @lsn is.  Return: 0 or a negative errno.
 */
struct format_source {
	int (*get)(struct format_source *source, uint64_t lsn, size_t length, const void **bytes);
};

/**
 * format_record_check() - is there a valid record?
 * @source: the bytes
 * @seed: of the log's generation
 * @lsn: where the record would start
 * @limit: LSN that it must not pass
 * @record: filled in if it is valid
 * @why: NULL if it is valid, else which condition it breaks
 *
 * The one place that decides; the conditions stand in format_record.c.
 *
 * Return: 0; -EUCLEAN it is not valid; or what @source returned.
 */
int format_record_check(struct format_source *source, const struct format_seed *seed,
			uint64_t lsn, uint64_t limit, struct format_record *record,
			const char **why);

#endif
