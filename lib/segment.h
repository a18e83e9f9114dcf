/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A segment: external data in a file or a block device. */
#ifndef RVM_LIB_SEGMENT_H
#define RVM_LIB_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct segment - an open segment
 * @path: its canonical path
 * @fd: open for reading and writing, buffered
 * @id: its number in the log's dictionary, from 1
 * @length: bytes
 * @device: it is a block device
 * @next: in the owner's list
 */
struct segment {
	char *path;
	int fd;
	uint32_t id;
	uint64_t length;
	bool device;
	struct segment *next;
};

/**
 * segment_open() - open a segment
 * @path: a regular file or block device
 * @create_length: if not 0, make a missing file of that many zero bytes
 * @out: the segment, id 0
 *
 * Return: 0, or -ENOENT, -EACCES, -ENAMETOOLONG, -EINVAL (no regular file or
 * block device), -ENOSPC, -EIO, -ENOMEM, each with a text.
 */
int segment_open(const char *path, uint64_t create_length, struct segment **out);

/**
 * segment_settle() - make durable that a segment is there, and how long it is
 * @segment: the segment
 *
 * Before anything relies on it: whoever made it, or made it longer, may have been killed before
 * its sync.
 *
 * Return: 0 or -EIO with a text.
 */
int segment_settle(const struct segment *segment);

/** segment_close() - close and free a segment; NULL is allowed */
void segment_close(struct segment *segment);

/**
 * segment_refresh() - learn a segment's length again
 * @segment: the segment; its length is not changed
 * @length: its length now
 *
 * Return: 0, or -EOVERFLOW it was cut off, or -EIO, with a text.
 */
int segment_refresh(const struct segment *segment, uint64_t *length);

/**
 * segment_grow() - make a segment longer, durably
 * @segment: the segment; its length is not changed
 * @length: bytes; a device only has what it has
 *
 * The new bytes are zero, and their space is taken where the file system can do that.
 *
 * Return: 0; -EOVERFLOW it would become shorter; -ENOSPC, -EFBIG, -EIO, it has its old length;
 * with a text.
 */
int segment_grow(const struct segment *segment, uint64_t length);

/** segment_read() - read exactly @length bytes; Return: 0, or -EIO with a text */
int segment_read(struct segment *segment, uint64_t offset, void *buf, uint64_t length);

/** segment_write() - write exactly @length bytes; Return: 0, or -EIO, -ENOSPC with a text */
int segment_write(struct segment *segment, uint64_t offset, const void *buf, uint64_t length);

/** segment_sync() - make all writes durable; Return: 0, or -EIO with a text */
int segment_sync(struct segment *segment);

#endif
