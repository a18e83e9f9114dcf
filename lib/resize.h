/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making a log larger or smaller, its records brought to the segments first. */
#ifndef RVM_LIB_RESIZE_H
#define RVM_LIB_RESIZE_H

#include <stdint.h>

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

#endif
