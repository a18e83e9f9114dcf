/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A log opened for looking only, also while another process uses it. */
#ifndef RVM_TOOLS_LOOK_H
#define RVM_TOOLS_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"
#include "log.h"

/**
 * struct look - what was seen
 * @log: opened read-only
 * @status: as the disk has it
 * @in_use: another process has it open, so it may change while it is looked at
 * @tail: LSN after the last valid record
 * @damage: 0, or -EUCLEAN if the records are damaged from @tail on
 * @text: what is damaged
 */
struct look {
	struct log *log;
	struct format_status status;
	bool in_use;
	uint64_t tail;
	int damage;
	char text[512];
};

/**
 * look_open() - open a log and find its tail
 * @path: the log
 * @look: filled in
 *
 * A log that is in use is opened again if it changed so that it seems damaged.
 *
 * Return: 0 or a negative errno with a text.
 */
int look_open(const char *path, struct look *look);

/** look_close() - close it */
void look_close(struct look *look);

/** look_uuid() - a uuid as text */
void look_uuid(const uint8_t uuid[FORMAT_UUID], char text[37]);

#endif
