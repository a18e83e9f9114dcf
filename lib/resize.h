/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making a log larger or smaller, its records brought to the segments first. */
#ifndef RVM_LIB_RESIZE_H
#define RVM_LIB_RESIZE_H

#include <stdint.h>

struct log;
struct truncator;

/**
 * log_resize() - change the size of a log that nobody has open
 * @path: file or block device
 * @size: bytes of record space; 0 on a device: all of it
 * @progress: called with bytes written through and bytes in all, or NULL
 * @arg: for @progress
 *
 * Recovers the log first.  A crash leaves the size before or after, and nothing is lost.
 *
 * Return: 0; -ERANGE (@size); -ENOSPC, the log has its old size; or what log_open() and
 * recover_log() return, with a text.
 */
int log_resize(const char *path, uint64_t size,
	       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg);

/**
 * log_resize_in_use() - change the size of a log while transactions run
 * @log: a started log
 * @tr: who truncates it
 * @size: as for log_resize()
 *
 * Space is taken, and most of the log truncated, beside the commits; then they wait until the rest
 * is truncated and the status written.  A crash leaves the size before or after, and all that was
 * durable.  One thread at a time; no backup runs.
 *
 * Return: 0; -ERANGE (@size), -ENOSPC, others, or as truncate_log(): the log has its old size; the
 * poison; -EIO and others with the new size: the file could not be cut off.
 */
int log_resize_in_use(struct log *log, struct truncator *tr, uint64_t size);

#endif
