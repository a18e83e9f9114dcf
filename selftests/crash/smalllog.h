/* SPDX-License-Identifier: GPL-2.0 */
/* A new log on the disk in memory, as log_create() makes it, but with a small dictionary. */
#ifndef SELFTESTS_CRASH_SMALLLOG_H
#define SELFTESTS_CRASH_SMALLLOG_H

#include "format.h"

#define SMALLLOG_DICT	4096U
#define SMALLLOG_AREA	(FORMAT_DICT_OFFSET + 2 * SMALLLOG_DICT)	/* where records start */

/** smalllog_make() - make it: its path, bytes of record space, bytes of a sector */
void smalllog_make(const char *path, unsigned int area, unsigned int sector);

#endif
