/* SPDX-License-Identifier: GPL-2.0 */
/* Whole images of logs as inputs: their place on the disk in memory, and their mutations. */
#ifndef SELFTESTS_FUZZ_LOGIMAGE_H
#define SELFTESTS_FUZZ_LOGIMAGE_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_LOG	"/log"
#define IMAGE_SEGMENTS	2
#define IMAGE_BYTES	12288U	/* of a segment */
#define IMAGE_MOST	65536U	/* of a log */

/** image_segment() - the path of segment 0 or 1 */
const char *image_segment(unsigned int i);

/** image_put() - the log of an input, and the segments as they always are at first */
void image_put(const uint8_t *data, size_t size);

/** image_mutate() - change fields or bytes of a log, move sectors; then mostly right checksums */
size_t image_mutate(uint8_t *data, size_t size, size_t max);

#endif
