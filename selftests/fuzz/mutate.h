/* SPDX-License-Identifier: GPL-2.0 */
/* Changing fields, and making checksums right. */
#ifndef SELFTESTS_FUZZ_MUTATE_H
#define SELFTESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct field - a number in an input
 * @offset: its first byte
 * @width: its bytes, 1 to 8
 */
struct field {
	unsigned int offset;
	unsigned int width;
};

/** mutate_seed() - begin a sequence of random numbers */
void mutate_seed(unsigned int seed);

/** mutate_below() - a random number below @n, which is not 0 */
uint64_t mutate_below(uint64_t n);

/** mutate_get() - a little-endian number */
uint64_t mutate_get(const uint8_t *at, unsigned int width);

/** mutate_put() - write one */
void mutate_put(uint8_t *at, unsigned int width, uint64_t value);

/** mutate_field() - give a number another value: near the old one, at a bound, or any */
void mutate_field(uint8_t *at, unsigned int width);

/** mutate_one() - do that to one of some fields of the bytes at @at */
void mutate_one(uint8_t *at, const struct field *fields, size_t count);

/** mutate_bytes() - let libFuzzer change some of the bytes, whose number stays */
void mutate_bytes(uint8_t *data, size_t size);

/** repair_status() - the checksum of a status copy */
void repair_status(uint8_t *copy);

/** repair_record() - the checksum of the record at @at, which has @length bytes in all */
void repair_record(uint8_t *at, uint64_t length, const uint8_t *uuid, uint32_t generation);

#endif
