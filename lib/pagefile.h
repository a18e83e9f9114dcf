/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whole pages of a segment, read and written past the page cache where the file system can.
 *
 * A commit that waits for its sync waits for what the device has queued before.  Direct writes
 * of bounded length keep that short; a segment written through the page cache would be written
 * out all at once by the sync.
 */
#ifndef RVM_LIB_PAGEFILE_H
#define RVM_LIB_PAGEFILE_H

#include <stdbool.h>
#include <stdint.h>

struct segment;

#define PAGEFILE_ALIGN 4096U

/**
 * struct pagefile - a segment, open for pages
 * @segment: the segment
 * @fd: descriptor of its own for direct I/O, or -1
 * @refused: direct I/O was refused; atomic
 *
 * Threads may read and write at once, unless the same bytes.
 */
struct pagefile {
	struct segment *segment;
	int fd;
	bool refused;
};

/** pagefile_open() - prepare to write pages; without direct I/O the segment's cache is used */
void pagefile_open(struct pagefile *file, struct segment *segment);

/** pagefile_use_cache() - prepare to write pages into the segment's cache; the sync writes them */
void pagefile_use_cache(struct pagefile *file, struct segment *segment);

/** pagefile_close() - close what pagefile_open() opened; the segment stays open */
void pagefile_close(struct pagefile *file);

/**
 * pagefile_read() - read bytes of a segment
 * @file: the segment
 * @offset: the first byte, a multiple of PAGEFILE_ALIGN
 * @buf: for the bytes, aligned likewise
 * @length: how many; bytes beyond the last whole page go through the cache
 *
 * Return: as segment_read().
 */
int pagefile_read(struct pagefile *file, uint64_t offset, char *buf, uint64_t length);

/**
 * pagefile_write() - write bytes of a segment; segment_sync() makes them durable
 * @file: the segment
 * @offset: the first byte, a multiple of PAGEFILE_ALIGN
 * @buf: the bytes, aligned likewise
 * @length: how many; bytes beyond the last whole page go through the cache
 *
 * Return: as segment_write().
 */
int pagefile_write(struct pagefile *file, uint64_t offset, char *buf, uint64_t length);

#endif
