/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A log that is empty, closed cleanly, and locked: what is in it may be laid out anew. */
#ifndef RVM_LIB_IDLE_H
#define RVM_LIB_IDLE_H

#include "format.h"
#include "logfile.h"
#include "status.h"

/**
 * struct idle - such a log
 * @file: locked
 * @status: its status: the head is the tail
 * @copies: of the status
 */
struct idle {
	struct logfile file;
	struct format_status status;
	struct status_copies copies;
};

/**
 * idle_open() - bring a log's records to the segments, and lock it
 * @path: file or block device
 * @idle: filled in
 *
 * Return: 0, or what log_open() and recover_log() return, with a text.
 */
int idle_open(const char *path, struct idle *idle);

/** idle_close() - unlock it */
void idle_close(struct idle *idle);

#endif
