/* SPDX-License-Identifier: GPL-2.0 */
/* What a workload did to the disk, and what it was told, in one order. */
#ifndef SELFTESTS_CRASH_TRACE_H
#define SELFTESTS_CRASH_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "memdisk.h"

#define TRACE_FILES 4

/**
 * enum trace_kind - an event of the disk, or of the program
 * @TRACE_DISK: of the disk
 * @TRACE_COMMIT: the program is about to commit: one more state may be found after a crash
 * @TRACE_ACK: all states before @n are history
 */
enum trace_kind {
	TRACE_DISK,
	TRACE_COMMIT,
	TRACE_ACK,
};

/**
 * struct trace_event - something that happened
 * @kind: see there
 * @disk: of TRACE_DISK; its bytes live as long as the trace
 * @n: of the others: the number of a state
 */
struct trace_event {
	enum trace_kind kind;
	struct mem_event disk;
	unsigned int n;
};

/**
 * struct trace_image - a file as it was in the beginning
 * @name: its path, known in the end
 * @bytes: what it held
 * @size: how many
 * @exists: it had a name
 */
struct trace_image {
	char name[64];
	unsigned char *bytes;
	uint64_t size;
	bool exists;
};

/**
 * struct trace - all that happened
 * @events: in their order
 * @count: how many
 * @room: for how many
 * @files: the beginning
 */
struct trace {
	struct trace_event *events;
	size_t count;
	size_t room;
	struct trace_image files[TRACE_FILES];
};

/** trace_start() - note from now on what happens to the disk, which is as it is */
void trace_start(struct trace *trace);

/** trace_mark() - note what the program does or is told; Return: the number of the event */
size_t trace_mark(enum trace_kind kind, unsigned int n);

/** trace_amend() - the state that an event is about is known by now */
void trace_amend(size_t event, unsigned int n);

/** trace_linger() - writes take a while, so that others begin meanwhile */
void trace_linger(bool on);

/** trace_stop() - note nothing any more */
void trace_stop(void);

/** trace_free() - forget it */
void trace_free(struct trace *trace);

#endif
