/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bringing the newest bytes of each segment from the log to the segments.
 *
 * Records are taken into images of pages, oldest first, until all are taken or the memory is
 * full; then the pages are written in the order of the segments, in pieces of bounded length.
 * A later batch overwrites what an earlier one wrote, so the order is right at any size.
 */
#ifndef RVM_LIB_APPLY_H
#define RVM_LIB_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "reader.h"
#include "writeout.h"

struct log;
struct recover_ops;
struct recover_stats;

#define APPLY_REPORTS	1024U	/* at most so many reports of the progress, and one */
#define APPLY_PAGES_MIN	64U	/* more than one piece of a range can touch */

/** apply_memory - the most memory for images, in bytes; a test makes it small */
extern uint64_t apply_memory;

/**
 * struct apply - an application under way
 * @log: the log
 * @ops: the caller's decisions
 * @stats: to be added to
 * @images: what was taken
 * @out: for pages on their way to a segment
 * @targets: the segments
 * @target_count: how many
 * @writes: when the memory is full, what was taken is written
 * @write_ns: the time that writing took so far
 */
struct apply {
	struct log *log;
	const struct recover_ops *ops;
	struct recover_stats *stats;
	struct images images;
	struct writeout out;
	struct target *targets;
	size_t target_count;
	bool writes;
	uint64_t write_ns;
};

/**
 * apply_init() - begin
 * @apply: to be filled in
 * @log: the log
 * @bytes: of log that are to be applied, for the most memory that can be of use
 * @ops: see struct recover_ops
 * @stats: to be added to
 *
 * Return: 0 or -ENOMEM with a text.
 */
int apply_init(struct apply *apply, struct log *log, uint64_t bytes,
	       const struct recover_ops *ops, struct recover_stats *stats);

/** apply_free() - end; what was taken and not written is forgotten */
void apply_free(struct apply *apply);

/**
 * apply_take() - take the new values of a record
 * @apply: the application
 * @reader: on the log
 * @record: a valid record
 *
 * Return: 0; -ENOSPC, unless @apply->writes, the memory is full: write, and take the record
 * again; another errno with a text.
 */
int apply_take(struct apply *apply, struct reader *reader, const struct format_record *record);

/**
 * apply_write() - write what was taken, and forget it
 * @apply: the application
 *
 * Return: 0; -EUCLEAN a segment is too short; another errno; with a text.
 */
int apply_write(struct apply *apply);

/** apply_sync() - sync all segments that were written; Return: 0 or -EIO with a text */
int apply_sync(struct apply *apply);

/**
 * apply_log() - read, take and write records; what was taken before is written with them
 * @apply: the application
 * @reader: on the log
 * @from: LSN where a record starts
 * @to: LSN where one ends
 *
 * Return: 0, or a negative errno with a text.
 */
int apply_log(struct apply *apply, struct reader *reader, uint64_t from, uint64_t to);

#endif
