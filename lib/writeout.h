/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing images of pages to their segments, in the order of the segments, in windows of bounded
 * length.  Each window is filled with what the segment has, where the log has not all of it, then
 * with what the log has, and written.  Windows share no page, so some may be under way at once.
 */
#ifndef RVM_LIB_WRITEOUT_H
#define RVM_LIB_WRITEOUT_H

#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "pagefile.h"

#define WRITEOUT_DEPTH	4U	/* windows under way, when nobody else needs the disk */

/**
 * struct target - a segment that records name
 * @id: its number
 * @segment: NULL: its bytes are skipped
 * @file: for its pages
 * @end: behind the last byte that was taken
 */
struct target {
	uint32_t id;
	struct segment *segment;
	struct pagefile file;
	uint64_t end;
};

/**
 * struct writeout - memory for windows
 * @memory: it
 * @depth: windows
 * @pages: pages of each
 */
struct writeout {
	char *memory;
	unsigned int depth;
	unsigned int pages;
};

/**
 * writeout_init() - get memory
 * @out: to be filled in
 * @depth: windows that may be under way at once, at most WRITEOUT_DEPTH; 0 and 1: one, and a short
 *	one, so that a commit that waits for the same disk does not wait for long
 *
 * Return: 0 or -ENOMEM, without a text.
 */
int writeout_init(struct writeout *out, unsigned int depth);

/** writeout_free() - free the memory; all zero bytes are fine too */
void writeout_free(struct writeout *out);

/**
 * writeout_images() - write images
 * @out: memory for windows
 * @images: sorted
 * @targets: all segments that they name
 * @count: how many
 * @bytes: increased by the bytes of the images that were written
 *
 * Return: 0; or the first error, with a text; then some pages are written and some are not.
 */
int writeout_images(const struct writeout *out, const struct images *images,
		    struct target *targets, size_t count, uint64_t *bytes);

#endif
