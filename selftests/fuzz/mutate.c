// SPDX-License-Identifier: GPL-2.0
/* Changing fields, and making checksums right. */
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "format.h"
#include "fuzz.h"
#include "mutate.h"

static uint64_t state;

void judge_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: wrong: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

void mutate_seed(unsigned int seed)
{
	state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

/* xorshift64* */
static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dULL;
}

uint64_t mutate_below(uint64_t n)
{
	return (next() >> 11) % n;
}

uint64_t mutate_get(const uint8_t *at, unsigned int width)
{
	uint64_t value = 0;

	memcpy(&value, at, width);
	return le64toh(value);
}

void mutate_put(uint8_t *at, unsigned int width, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, width);
}

void mutate_field(uint8_t *at, unsigned int width)
{
	static const uint64_t bounds[] = {
		0, 1, 2, 7, 8, 16, 24, 63, 64, 512, 4096, 8192, 65536, 0x7fffffff, 0x80000000,
		0xfffff000, 0xffffffff, 1ULL << 32, INT64_MAX, 1ULL << 63, UINT64_MAX - 4095,
		UINT64_MAX,
	};
	uint64_t old = mutate_get(at, width);

	switch (mutate_below(6)) {
	case 0:
		old = bounds[mutate_below(sizeof(bounds) / sizeof(*bounds))];
		break;
	case 1:
		old += mutate_below(33) - 16;
		break;
	case 2:
		old += (mutate_below(33) - 16) * 8;
		break;
	case 3:
		old += (mutate_below(9) - 4) * 4096;
		break;
	case 4:
		old ^= 1ULL << mutate_below(8 * width);
		break;
	default:
		old = next() >> mutate_below(64);
	}
	mutate_put(at, width, old);
}

void mutate_one(uint8_t *at, const struct field *fields, size_t count)
{
	const struct field *field = &fields[mutate_below(count)];

	mutate_field(at + field->offset, field->width);
}

void mutate_bytes(uint8_t *data, size_t size)
{
	size_t at = mutate_below(size), n = 1 + mutate_below(64);

	if (n > size - at)
		n = size - at;
	LLVMFuzzerMutate(data + at, n, n);
}

void repair_status(uint8_t *copy)
{
	mutate_put(copy + offsetof(struct disk_status, crc), 4,
		   crc32c(0, copy, offsetof(struct disk_status, crc)));
}

void repair_record(uint8_t *at, uint64_t length, const uint8_t *uuid, uint32_t generation)
{
	struct format_seed seed;

	format_seed_init(&seed, uuid, generation);
	mutate_put(at + length - 8, 4, crc32c(seed.crc, at, length - 8));
}
