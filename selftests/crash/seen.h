/* SPDX-License-Identifier: GPL-2.0 */
/* The images of disks that were recovered, by hash, and what came of each: shared by processes. */
#ifndef SELFTESTS_CRASH_SEEN_H
#define SELFTESTS_CRASH_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** seen_make() - a table for so many images; children share it. Return: false without memory. */
bool seen_make(uint64_t images);

/**
 * seen_find() - was that image recovered before?
 * @image: its hash
 * @value: set to what came of it
 */
bool seen_find(uint64_t image, uint64_t *value);

/** seen_add() - that image was recovered, and this came of it, which is not 0 */
void seen_add(uint64_t image, uint64_t value);

/** seen_count() - how many images, of all processes */
uint64_t seen_count(void);

/** seen_hash() - a hash of bytes, of which there is a multiple of 8 */
uint64_t seen_hash(uint64_t seed, const void *bytes, size_t length);

#endif
