/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the log's tail, and telling a torn tail from damage. */
#ifndef RVM_LIB_SCAN_H
#define RVM_LIB_SCAN_H

#include <stdint.h>

struct log;

/**
 * scan_log() - read forward from the head and validate every record
 * @log: opened, not started
 * @progress: called with bytes read and the most there are to read, or NULL
 * @arg: its first argument
 * @tail: LSN after the last valid record
 *
 * Return: 0; -EUCLEAN the log is damaged; -EIO; -ENOMEM, with a text.
 */
int scan_log(struct log *log, void (*progress)(void *arg, uint64_t done, uint64_t total),
	     void *arg, uint64_t *tail);

#endif
