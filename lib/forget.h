/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking segments that are not used any more out of a log's dictionary. */
#ifndef RVM_LIB_FORGET_H
#define RVM_LIB_FORGET_H

#include <stdbool.h>
#include <stddef.h>

/**
 * log_forget() - forget segments, in a log that nobody has open
 * @path: file or block device
 * @all: every segment, not only those whose files are gone
 * @forgotten: how many they were
 *
 * Recovers the log first, so no record names a segment any more; those that are used again
 * are entered again.  The others get new numbers from 1 on.  A crash leaves all or none forgotten.
 *
 * Return: 0, or what log_open() and recover_log() return, with a text.
 */
int log_forget(const char *path, bool all, size_t *forgotten);

#endif
