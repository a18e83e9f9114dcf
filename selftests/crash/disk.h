/* SPDX-License-Identifier: GPL-2.0 */
/* Log and segment of a specimen as they were before something was done to them. */
#ifndef SELFTESTS_CRASH_DISK_H
#define SELFTESTS_CRASH_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "specimen.h"

#define KEPT	"/log.damaged"	/* where salvage keeps the log, if the name is free */

/**
 * struct disk - log and segment as they were before
 * @log_size: bytes of @log
 * @segment_size: bytes of @segment; 0: there was none
 * @durable: LSN below which all was, as the log's status says
 * @log: the log
 * @segment: the segment
 */
struct disk {
	uint64_t log_size;
	uint64_t segment_size;
	uint64_t durable;
	unsigned char log[2 * BYTES];
	unsigned char segment[SEG_BYTES];
};

/** disk_remember() - as they are now */
void disk_remember(struct disk *d);

/** disk_log_is() - is there such a file, and is it the log as it was? */
bool disk_log_is(const struct disk *d, const char *name);

/** disk_unchanged() - are log and segment as they were? */
bool disk_unchanged(const struct disk *d);

/** disk_forget_copies() - remove what salvage kept */
void disk_forget_copies(void);

/** disk_status_lsn() - what a whole status says, or 0: the head, or what was durable */
uint64_t disk_status_lsn(bool head);

#endif
