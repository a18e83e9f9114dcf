/* SPDX-License-Identifier: GPL-2.0 */
/* The segment file as the disk has it, read behind everybody's back. */
#ifndef SELFTESTS_DEMO_IMAGE_H
#define SELFTESTS_DEMO_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "ledger.h"

/**
 * struct image - bytes of a segment file
 * @bytes: the bytes, aligned for direct I/O
 * @length: how many
 */
struct image {
	void *bytes;
	size_t length;
};

/**
 * image_read() - read a segment, with O_DIRECT where the file system can
 * @image: read into; its memory is used again
 * @path: the segment; a missing one has length 0
 *
 * Return: 0 or a negative errno.
 */
int image_read(struct image *image, const char *path);

/**
 * image_count() - how often a marker stands at an aligned place
 * @image: where to look
 * @marker: what to look for
 *
 * Return: the count.
 */
size_t image_count(const struct image *image, uint64_t marker);

/**
 * image_audit() - prove that a segment before recovery held committed transfers only
 * @image: the segment as it was right after the crash
 * @bank: the bank after recovery
 * @ledger: notes the fault
 *
 * Each account in the file names the transfer that stored it, and each teller its last
 * one: none may be newer than what recovery found committed.
 *
 * Return: true, or false with a fault noted.
 */
bool image_audit(const struct image *image, const struct bank *bank, struct ledger *ledger);

#endif
