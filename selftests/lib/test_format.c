// SPDX-License-Identifier: GPL-2.0
/* The log's format: each field stands where the document says, each condition is asked for. */
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "format.h"
#include "kselftest_harness.h"

#define DICT 4096

static const uint8_t uuid[FORMAT_UUID] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static uint32_t get32(const void *buf, size_t at)
{
	uint32_t v;

	memcpy(&v, (const char *)buf + at, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const void *buf, size_t at)
{
	uint64_t v;

	memcpy(&v, (const char *)buf + at, sizeof(v));
	return le64toh(v);
}

static void put32(void *buf, size_t at, uint32_t v)
{
	v = htole32(v);
	memcpy((char *)buf + at, &v, sizeof(v));
}

static void put64(void *buf, size_t at, uint64_t v)
{
	v = htole64(v);
	memcpy((char *)buf + at, &v, sizeof(v));
}

TEST(crc32c_is_that_of_rfc_3720)
{
	uint8_t zeros[32] = {}, ones[32], rising[32];
	int i;

	memset(ones, 0xff, sizeof(ones));
	for (i = 0; i < 32; i++)
		rising[i] = i;
	ASSERT_EQ(0x8a9136aaU, crc32c(0, zeros, 32));
	ASSERT_EQ(0x62a8ab43U, crc32c(0, ones, 32));
	ASSERT_EQ(0x46dd794eU, crc32c(0, rising, 32));
	ASSERT_EQ(0xe3069283U, crc32c(0, "123456789", 9));
	ASSERT_EQ(0xe3069283U, crc32c(crc32c(0, "1234", 4), "56789", 5));
	ASSERT_EQ(0, crc32c(0, NULL, 0));
}

FIXTURE(status)
{
	struct format_status status;
	struct disk_status disk;
};

FIXTURE_SETUP(status)
{
	self->status = (struct format_status){
		.sector = 512, .compat = 0x11, .ro_compat = 0x22, .incompat = 0x33,
		.generation = 0x44, .sequence = 0x55, .dict_size = 32768, .area_offset = 73728,
		.area_size = 65536, .head = 65536 + 8, .tail_hint = 65536 + 16, .clean = true,
	};
	memcpy(self->status.uuid, uuid, FORMAT_UUID);
	format_status_encode(&self->status, &self->disk);
}

FIXTURE_TEARDOWN(status)
{
}

TEST_F(status, every_field_stands_at_its_place)
{
	const struct disk_status *d = &self->disk;
	size_t i;

	ASSERT_EQ(0, memcmp(d, "RVMLOG\x1a\n", 8));
	ASSERT_EQ(1, get32(d, 8));
	ASSERT_EQ(512, get32(d, 12));
	ASSERT_EQ(0, memcmp((char *)d + 16, uuid, 16));
	ASSERT_EQ(0x11, get32(d, 32));
	ASSERT_EQ(0x22, get32(d, 36));
	ASSERT_EQ(0x33, get32(d, 40));
	ASSERT_EQ(0x44, get32(d, 44));
	ASSERT_EQ(0x55, get64(d, 48));
	ASSERT_EQ(8192, get64(d, 56));
	ASSERT_EQ(32768, get64(d, 64));
	ASSERT_EQ(73728, get64(d, 72));
	ASSERT_EQ(65536, get64(d, 80));
	ASSERT_EQ(65536 + 8, get64(d, 88));
	ASSERT_EQ(65536 + 16, get64(d, 96));
	ASSERT_EQ(1, get32(d, 104));
	for (i = 108; i < 4092; i++)
		ASSERT_EQ(0, ((char *)d)[i]);
	ASSERT_EQ(crc32c(0, d, 4092), get32(d, 4092));
}

TEST_F(status, decoding_gives_back_what_was_encoded)
{
	struct format_status out;
	const char *why;

	memset(&out, 0, sizeof(out));
	ASSERT_EQ(0, format_status_decode(&self->disk, &out, &why));
	ASSERT_EQ(NULL, why);
	ASSERT_EQ(0, memcmp(&out.uuid, &self->status.uuid, FORMAT_UUID));
	ASSERT_EQ(self->status.sector, out.sector);
	ASSERT_EQ(self->status.compat, out.compat);
	ASSERT_EQ(self->status.ro_compat, out.ro_compat);
	ASSERT_EQ(self->status.incompat, out.incompat);
	ASSERT_EQ(self->status.generation, out.generation);
	ASSERT_EQ(self->status.sequence, out.sequence);
	ASSERT_EQ(self->status.dict_size, out.dict_size);
	ASSERT_EQ(self->status.area_offset, out.area_offset);
	ASSERT_EQ(self->status.area_size, out.area_size);
	ASSERT_EQ(self->status.head, out.head);
	ASSERT_EQ(self->status.tail_hint, out.tail_hint);
	ASSERT_TRUE(out.clean);
}

TEST_F(status, every_flipped_bit_is_found)
{
	struct format_status out;
	const char *why;
	size_t bit;

	for (bit = 0; bit < 8 * sizeof(self->disk); bit++) {
		uint8_t *byte = (uint8_t *)&self->disk + bit / 8;

		*byte ^= 1 << bit % 8;
		ASSERT_EQ(bit < 64 ? -EINVAL : -EUCLEAN,
			  format_status_decode(&self->disk, &out, &why));
		*byte ^= 1 << bit % 8;
	}
	ASSERT_EQ(0, format_status_decode(&self->disk, &out, &why));
}

/* One field is wrong and the checksum right: the condition itself must be asked for. */
static const struct {
	const char *condition;
	size_t at;
	int bytes;
	uint64_t value;
	int err;
} broken[] = {
	{ "magic", 0, 8, 0, -EINVAL },
	{ "version", 8, 4, 2, -EPROTO },
	{ "version 0", 8, 4, 0, -EPROTO },
	{ "sector 0", 12, 4, 0, -EUCLEAN },
	{ "sector 256", 12, 4, 256, -EUCLEAN },
	{ "sector 8192", 12, 4, 8192, -EUCLEAN },
	{ "sector 1000", 12, 4, 1000, -EUCLEAN },
	{ "generation 0", 44, 4, 0, -EUCLEAN },
	{ "sequence 0", 48, 8, 0, -EUCLEAN },
	{ "dict_offset", 56, 8, 4096, -EUCLEAN },
	{ "dict_size 0", 64, 8, 0, -EUCLEAN },
	{ "dict_size unaligned", 64, 8, 32769, -EUCLEAN },
	{ "dict_size huge", 64, 8, 0x40001000, -EUCLEAN },
	{ "area_offset", 72, 8, 73728 + 4096, -EUCLEAN },
	{ "area_size 0", 80, 8, 0, -EUCLEAN },
	{ "area_size unaligned", 80, 8, 65536 + 512, -EUCLEAN },
	{ "area_size huge", 80, 8, INT64_MAX & ~4095ULL, -EUCLEAN },
	{ "head below the first lap", 88, 8, 65536 - 8, -EUCLEAN },
	{ "head unaligned", 88, 8, 65536 + 4, -EUCLEAN },
	{ "head above the tail", 88, 8, 65536 + 24, -EUCLEAN },
	{ "tail unaligned", 96, 8, 65536 + 17, -EUCLEAN },
	{ "tail below the head", 96, 8, 65536, -EUCLEAN },
	{ "tail beyond a lap", 96, 8, 65536 + 8 + 65536 + 8, -EUCLEAN },
	{ "unknown flag", 104, 4, 3, -EUCLEAN },
	{ "first reserved byte", 108, 4, 1, -EUCLEAN },
	{ "last reserved byte", 4088, 4, 1U << 31, -EUCLEAN },
};

TEST_F(status, no_lsn_may_wrap)
{
	struct format_status out;
	const char *why;

	self->status.head = 1ULL << 63;
	self->status.tail_hint = self->status.head;
	format_status_encode(&self->status, &self->disk);
	EXPECT_EQ(-EUCLEAN, format_status_decode(&self->disk, &out, &why));
	EXPECT_STREQ("head or tail is no LSN of a record", why);
	self->status.head -= 8;
	self->status.tail_hint -= 8;
	format_status_encode(&self->status, &self->disk);
	EXPECT_EQ(0, format_status_decode(&self->disk, &out, &why));
}

TEST_F(status, every_broken_condition_is_found)
{
	struct format_status out;
	const char *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(broken); i++) {
		struct disk_status disk = self->disk;

		if (broken[i].bytes == 8)
			put64(&disk, broken[i].at, broken[i].value);
		else
			put32(&disk, broken[i].at, broken[i].value);
		put32(&disk, 4092, crc32c(0, &disk, 4092));
		ASSERT_EQ(broken[i].err, format_status_decode(&disk, &out, &why)) {
			TH_LOG("%s", broken[i].condition);
		}
		ASSERT_NE(NULL, why);
	}
}

static const struct format_segment entries[] = {
	{ .id = 1, .uuid = { 1 }, .length = 4096, .path = "/a", .path_length = 2 },
	{ .id = 2, .uuid = { 2 }, .length = 8192, .path = "/bcdefgh", .path_length = 8 },
	{ .id = 7, .uuid = { 3 }, .length = 1ULL << 60, .path = "/bcdefghi", .path_length = 9 },
};

FIXTURE(dict)
{
	unsigned char buf[DICT];
};

FIXTURE_SETUP(dict)
{
	ASSERT_EQ(0, format_dict_encode(self->buf, DICT, uuid, 0x66, entries, 3));
}

FIXTURE_TEARDOWN(dict)
{
}

static void seal_dict(void *buf)
{
	put32(buf, DICT - 4, crc32c(crc32c(0, uuid, FORMAT_UUID), buf, DICT - 4));
}

TEST_F(dict, every_field_stands_at_its_place)
{
	const unsigned char *b = self->buf;

	ASSERT_EQ(0, memcmp(b, "RVMDCT\x1a\n", 8));
	ASSERT_EQ(0x66, get64(b, 8));
	ASSERT_EQ(3, get32(b, 16));
	ASSERT_EQ(0, get32(b, 20));
	ASSERT_EQ(1, get32(b, 24));
	ASSERT_EQ(2, get32(b, 28));
	ASSERT_EQ(4096, get64(b, 32));
	ASSERT_EQ(1, b[40]);
	ASSERT_EQ(0, memcmp(b + 56, "/a\0\0\0\0\0\0", 8));
	ASSERT_EQ(2, get32(b, 64));
	ASSERT_EQ(0, memcmp(b + 96, "/bcdefgh", 8));
	ASSERT_EQ(7, get32(b, 104));
	ASSERT_EQ(0, memcmp(b + 136, "/bcdefghi\0\0\0\0\0\0\0", 16));
}

TEST_F(dict, walking_gives_back_what_was_encoded)
{
	struct format_segment s;
	size_t at = 0;
	int i;

	ASSERT_EQ(NULL, format_dict_check(self->buf, DICT, uuid));
	ASSERT_EQ(0x66, format_dict_sequence(self->buf));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(format_dict_next(self->buf, &at, &s));
		ASSERT_EQ(entries[i].id, s.id);
		ASSERT_EQ(entries[i].length, s.length);
		ASSERT_EQ(entries[i].path_length, s.path_length);
		ASSERT_EQ(0, memcmp(entries[i].path, s.path, s.path_length));
		ASSERT_EQ(0, memcmp(entries[i].uuid, s.uuid, FORMAT_UUID));
	}
	ASSERT_FALSE(format_dict_next(self->buf, &at, &s));
}

TEST_F(dict, every_flipped_bit_is_found)
{
	size_t bit;

	for (bit = 0; bit < 8 * DICT; bit++) {
		self->buf[bit / 8] ^= 1 << bit % 8;
		ASSERT_NE(NULL, format_dict_check(self->buf, DICT, uuid));
		self->buf[bit / 8] ^= 1 << bit % 8;
	}
	ASSERT_EQ(NULL, format_dict_check(self->buf, DICT, uuid));
}

TEST_F(dict, a_dictionary_of_another_log_is_found)
{
	static const uint8_t other[FORMAT_UUID] = { 9 };

	ASSERT_NE(NULL, format_dict_check(self->buf, DICT, other));
}

TEST_F(dict, every_broken_condition_is_found)
{
	static const struct {
		const char *condition;
		size_t at;
		uint32_t value;
	} cases[] = {
		{ "magic", 0, 1 },
		{ "sequence 0", 8, 0 },
		{ "an entry more", 16, 4 },
		{ "an entry less", 16, 2 },
		{ "a great many entries", 16, UINT32_MAX },
		{ "reserved", 20, 1 },
		{ "id 0", 24, 0 },
		{ "ids do not rise", 64, 1 },
		{ "path of 1 byte", 28, 1 },
		{ "path of 4096 bytes", 28, 4096 },
		{ "path past the end", 28, 4090 },
		{ "path beyond the next entry", 28, 4000 },
		{ "path not absolute", 56, 'a' },
		{ "path with NUL", 96, '/' },
		{ "padding of the path", 60, 1 },
		{ "rest not zero", 1000, 1 },
		{ "last byte not zero", DICT - 8, 1 },
	};
	unsigned char copy[DICT];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memcpy(copy, self->buf, DICT);
		put32(copy, cases[i].at, cases[i].value);
		seal_dict(copy);
		ASSERT_NE(NULL, format_dict_check(copy, DICT, uuid)) {
			TH_LOG("%s", cases[i].condition);
		}
	}
}

TEST_F(dict, what_does_not_fit_is_refused)
{
	struct format_segment many[200];
	size_t i, fit = (DICT - 24 - 4) / format_segment_size(2);

	for (i = 0; i < 200; i++)
		many[i] = (struct format_segment){ .id = i + 1, .path = "/x", .path_length = 2 };
	ASSERT_EQ(40, format_segment_size(2));
	ASSERT_EQ(0, format_dict_encode(self->buf, DICT, uuid, 1, many, fit));
	ASSERT_EQ(NULL, format_dict_check(self->buf, DICT, uuid));
	put32(self->buf, 16, fit + 1);
	seal_dict(self->buf);
	EXPECT_STREQ("an entry passes the dictionary's end",
		     format_dict_check(self->buf, DICT, uuid));
	ASSERT_EQ(-ENOSPC, format_dict_encode(self->buf, DICT, uuid, 1, many, fit + 1));
}

/* A record in memory, and the memory as a source. */
#define LSN 4096ULL
#define ROOM 4096

/* struct memory - a source whose bytes are those of an array */
struct memory {
	struct format_source source;
	unsigned char bytes[ROOM];	/* behind a pointer, so aligned to 8 */
	int err;
};

static int memory_get(struct format_source *source, uint64_t lsn, size_t length,
		      const void **bytes)
{
	struct memory *memory = (struct memory *)source;

	if (memory->err)
		return memory->err;
	if (length > FORMAT_CHUNK || lsn < LSN || lsn + length > LSN + ROOM)
		abort();	/* a check must not ask for more than the limit allows */
	*bytes = memory->bytes + (lsn - LSN);
	return 0;
}

FIXTURE(record)
{
	struct memory memory;
	struct format_seed seed;
	uint64_t length;
};

/* Closes the record with a right checksum, whatever its bytes say. */
static void seal_record(unsigned char *bytes, uint64_t length, const struct format_seed *seed)
{
	put64(bytes, length - 16, length);
	put32(bytes, length - 8, crc32c(seed->crc, bytes, length - 8));
	put32(bytes, length - 4, FORMAT_TRAILER_MAGIC);
}

static void make_record(unsigned char *bytes, const struct format_seed *seed, uint64_t *length)
{
	struct format_record r = {
		.type = FORMAT_TX, .count = 2, .length = format_record_length(2, 13), .lsn = LSN,
		.durable = LSN - 512, .tid = 77,
	};

	format_record_encode(&r, seed, (void *)bytes);
	format_range_encode(1000, 5, 1, (void *)(bytes + 48));
	format_range_encode(2000, 8, 2, (void *)(bytes + 64));
	memcpy(bytes + 80, "hello, world!", 13);
	*length = r.length;
	seal_record(bytes, r.length, seed);
}

FIXTURE_SETUP(record)
{
	memset(&self->memory, 0, sizeof(self->memory));
	self->memory.source.get = memory_get;
	format_seed_init(&self->seed, uuid, 3);
	make_record(self->memory.bytes, &self->seed, &self->length);
}

FIXTURE_TEARDOWN(record)
{
}

static int check(struct memory *memory, const struct format_seed *seed, uint64_t limit)
{
	struct format_record r;
	const char *why = NULL;
	int err = format_record_check(&memory->source, seed, LSN, limit, &r, &why);

	if ((err == -EUCLEAN) != !!why)
		abort();
	return err;
}

TEST_F(record, every_field_stands_at_its_place)
{
	const unsigned char *b = self->memory.bytes;
	uint32_t generation = htole32(3);

	ASSERT_EQ(112, self->length);
	ASSERT_EQ(0, memcmp(b, "RVMR", 4));
	ASSERT_EQ(3, get32(b, 4));
	ASSERT_EQ(1, get32(b, 8));
	ASSERT_EQ(2, get32(b, 12));
	ASSERT_EQ(112, get64(b, 16));
	ASSERT_EQ(LSN, get64(b, 24));
	ASSERT_EQ(LSN - 512, get64(b, 32));
	ASSERT_EQ(77, get64(b, 40));
	ASSERT_EQ(1000, get64(b, 48));
	ASSERT_EQ(5, get32(b, 56));
	ASSERT_EQ(1, get32(b, 60));
	ASSERT_EQ(2000, get64(b, 64));
	ASSERT_EQ(0, memcmp(b + 80, "hello, world!\0\0\0", 16));
	ASSERT_EQ(112, get64(b, 96));
	ASSERT_EQ(0, memcmp(b + 108, "RVMT", 4));
	ASSERT_EQ(crc32c(crc32c(crc32c(0, uuid, 16), &generation, 4), b, 104), get32(b, 104));
}

TEST_F(record, the_trailer_that_is_encoded_is_the_one_that_is_right)
{
	struct disk_trailer t;

	format_trailer_encode(112, crc32c(self->seed.crc, self->memory.bytes, 96), &t);
	ASSERT_EQ(0, memcmp(&t, self->memory.bytes + 96, 16));
	ASSERT_EQ(112, format_trailer_length(&t));
	t.magic ^= 1;
	ASSERT_EQ(0, format_trailer_length(&t));
}

TEST_F(record, a_right_record_is_valid_up_to_the_very_limit)
{
	ASSERT_EQ(0, check(&self->memory, &self->seed, LSN + ROOM));
	ASSERT_EQ(0, check(&self->memory, &self->seed, LSN + 112));
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN + 111));
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN + 8));
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN));
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, 0));
}

TEST_F(record, every_flipped_bit_is_found)
{
	size_t bit;

	for (bit = 0; bit < 8 * self->length; bit++) {
		self->memory.bytes[bit / 8] ^= 1 << bit % 8;
		ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN + ROOM)) {
			TH_LOG("bit %zu", bit);
		}
		self->memory.bytes[bit / 8] ^= 1 << bit % 8;
	}
	ASSERT_EQ(0, check(&self->memory, &self->seed, LSN + ROOM));
}

TEST_F(record, an_error_of_the_source_is_passed_on)
{
	self->memory.err = -EIO;
	ASSERT_EQ(-EIO, check(&self->memory, &self->seed, LSN + ROOM));
}

/* A record of more bytes than are looked at together, of ranges and of data. */
#define LONG_RANGES	5000U
#define LONG_DATA	(16U * LONG_RANGES + 3)

/* struct source - a source that fails */
struct source {
	struct format_source source;
	unsigned char *bytes;
	unsigned int left;	/* so many pieces from now it fails */
};

static int source_get(struct format_source *source, uint64_t lsn, size_t length,
		      const void **bytes)
{
	struct source *s = (struct source *)source;

	if (length > FORMAT_CHUNK)
		abort();
	if (!s->left--)
		return -EIO;
	*bytes = s->bytes + (lsn - LSN);
	return 0;
}

TEST_F(record, an_error_at_any_piece_of_a_long_record_is_passed_on)
{
	struct format_record r = {
		.type = FORMAT_TX, .count = LONG_RANGES, .lsn = LSN, .tid = 7,
		.length = format_record_length(LONG_RANGES, LONG_DATA),
	};
	struct source s = { .source.get = source_get, .bytes = calloc(1, r.length) };
	struct format_record found;
	const char *why = NULL;
	unsigned int at, i;
	int err = -EIO;

	format_record_encode(&r, &self->seed, (void *)s.bytes);
	for (i = 0; i < LONG_RANGES; i++)
		format_range_encode(100 * i, i ? 16 : 19, 1, (void *)(s.bytes + 48 + 16 * i));
	seal_record(s.bytes, r.length, &self->seed);
	for (at = 0; err; at++) {
		s.left = at;
		err = format_record_check(&s.source, &self->seed, LSN, LSN + r.length, &found,
					  &why);
		ASSERT_TRUE(!err || err == -EIO);
	}
	/* header, two of ranges, two of data, what fills up, trailer */
	EXPECT_EQ(1 + 2 + 2 + 1 + 1 + 1, at);
	EXPECT_EQ(LONG_RANGES, found.count);
	free(s.bytes);
}

TEST_F(record, every_broken_condition_is_found)
{
	static const struct {
		const char *condition;
		size_t at;
		int bytes;
		uint64_t value;
		uint64_t length;	/* of the record that is sealed */
	} cases[] = {
		{ "1 magic", 0, 4, 0, 112 },
		{ "2 generation", 4, 4, 2, 112 },
		{ "3 lsn", 24, 8, LSN + 8, 112 },
		{ "4 type 0", 8, 4, 0, 112 },
		{ "4 type 3", 8, 4, 3, 112 },
		{ "4 flags", 8, 4, 0x10001, 112 },
		{ "5 length not a multiple of 8", 16, 8, 108, 108 },
		{ "5 length below 64", 16, 8, 56, 112 },
		{ "5 length past the limit", 16, 8, ROOM + 8, 112 },
		{ "5 length huge", 16, 8, UINT64_MAX - 7, 112 },
		{ "6 durable above lsn", 32, 8, LSN + 8, 112 },
		{ "7 no range", 12, 4, 0, 112 },
		{ "7 more ranges than fit", 12, 4, 4, 112 },
		{ "7 a great many ranges", 12, 4, UINT32_MAX, 112 },
		{ "7 padding with ranges", 8, 4, 2, 112 },
		{ "8 range without length", 56, 4, 0, 112 },
		{ "8 range without segment", 60, 4, 0, 112 },
		{ "8 range past 2^64", 48, 8, UINT64_MAX - 4, 112 },
		{ "9 data longer than the record", 56, 4, 9, 112 },
		{ "9 record longer than the data", 16, 8, 120, 120 },
		{ "10 not filled up with zeros", 92, 4, 0x01000000, 112 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		make_record(self->memory.bytes, &self->seed, &self->length);
		if (cases[i].bytes == 8)
			put64(self->memory.bytes, cases[i].at, cases[i].value);
		else
			put32(self->memory.bytes, cases[i].at, cases[i].value);
		if (cases[i].length != 112)
			memset(self->memory.bytes + 96, 0, 16);
		seal_record(self->memory.bytes, cases[i].length, &self->seed);
		ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN + ROOM)) {
			TH_LOG("%s", cases[i].condition);
		}
		memset(self->memory.bytes, 0, ROOM);
	}
}

TEST_F(record, a_broken_trailer_is_found)
{
	unsigned char *b = self->memory.bytes;

	put64(b, 96, 104);
	put32(b, 104, crc32c(self->seed.crc, b, 104));
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN + ROOM));
	make_record(b, &self->seed, &self->length);
	put32(b, 108, 0);
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN + ROOM));
	make_record(b, &self->seed, &self->length);
	put32(b, 104, get32(b, 104) + 1);
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN + ROOM));
}

TEST_F(record, a_record_of_another_log_or_generation_is_void)
{
	static const uint8_t other[FORMAT_UUID] = { 9 };
	struct format_seed seed;

	format_seed_init(&seed, other, 3);
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &seed, LSN + ROOM));
	format_seed_init(&seed, uuid, 4);
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &seed, LSN + ROOM));
	seed.generation = 3;	/* the header alone must not decide */
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &seed, LSN + ROOM));
}

TEST_F(record, the_longest_range_and_the_last_byte_of_a_segment_are_legal)
{
	put64(self->memory.bytes, 48, UINT64_MAX - 5);
	seal_record(self->memory.bytes, 112, &self->seed);
	ASSERT_EQ(0, check(&self->memory, &self->seed, LSN + ROOM));
}

TEST_F(record, padding_may_have_any_length_and_holds_zeros)
{
	uint64_t length;

	for (length = 64; length <= 4096; length += 8) {
		struct format_record r = {
			.type = FORMAT_PAD, .length = length, .lsn = LSN, .durable = LSN,
		};

		memset(self->memory.bytes, 0, ROOM);
		format_record_encode(&r, &self->seed, (void *)self->memory.bytes);
		seal_record(self->memory.bytes, length, &self->seed);
		ASSERT_EQ(0, check(&self->memory, &self->seed, LSN + ROOM));
		if (length == 64)
			continue;
		self->memory.bytes[length - 17] = 1;
		seal_record(self->memory.bytes, length, &self->seed);
		ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN + ROOM));
	}
}

TEST_F(record, padding_with_a_transaction_number_is_not_valid)
{
	struct format_record r = { .type = FORMAT_PAD, .length = 64, .lsn = LSN, .tid = 1 };

	memset(self->memory.bytes, 0, ROOM);
	format_record_encode(&r, &self->seed, (void *)self->memory.bytes);
	seal_record(self->memory.bytes, 64, &self->seed);
	ASSERT_EQ(-EUCLEAN, check(&self->memory, &self->seed, LSN + ROOM));
}

TEST(lengths)
{
	uint64_t lsn;

	ASSERT_EQ(64 + 16 + 8, format_record_length(1, 1));
	ASSERT_EQ(64 + 16 + 8, format_record_length(1, 8));
	ASSERT_EQ(64 + 32 + 16, format_record_length(2, 9));
	for (lsn = 0; lsn < 8192; lsn += 8) {
		uint64_t pad = format_pad_length(lsn, 512);

		ASSERT_GE(pad, 64);
		ASSERT_LT(pad, 512 + 64);
		ASSERT_EQ(0, (lsn + pad) % 512);
	}
}

TEST_HARNESS_MAIN
