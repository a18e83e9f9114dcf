/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the log's tail, and telling a torn tail from damage. */
#ifndef RVM_LIB_SCAN_H
#define RVM_LIB_SCAN_H

#include <stdint.h>

struct format_record;
struct log;
struct reader;

#define SCAN_REPORTS	1024U	/* at most so many reports of the progress */

/**
 * struct scan_ops - who looks on
 * @record: called for each valid record from the head on, or NULL; anything but 0 ends the scan
 * @progress: called with bytes read and the most there are to read, or NULL
 * @arg: their first argument
 */
struct scan_ops {
	int (*record)(void *arg, struct reader *reader, const struct format_record *record);
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/**
 * scan_log() - read forward from the head and validate every record
 * @log: opened, not started
 * @ops: who looks on
 * @tail: LSN after the last valid record
 *
 * Return: 0; -EUCLEAN the log is damaged; -EIO; -ENOMEM, with a text.
 */
int scan_log(struct log *log, const struct scan_ops *ops, uint64_t *tail);

#endif
