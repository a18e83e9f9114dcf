/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recovery: find the log's tail, then bring the newest committed bytes of each
 * segment from the log to the segment (section 5.1.2 of the paper).
 */
#ifndef RVM_LIB_RECOVER_H
#define RVM_LIB_RECOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log;
struct segment;

/**
 * struct recover_ops - what the caller of recovery decides
 * @segment: the open segment of a dictionary number; *@out NULL: skip its bytes
 * @page_mask: NULL, or asked before bytes are applied: which pages of
 *	the segment may be written (true) and which are newer in the segment already
 * @progress: bytes of log done and in all, or NULL
 * @arg: their first argument
 * @depth: windows of pages under way to the segments, and reads of the log ahead if more than
 *	one; 0: one, for a truncation beside commits, which wait for the same disk
 */
struct recover_ops {
	int (*segment)(void *arg, uint32_t id, struct segment **out);
	bool (*page_mask)(void *arg, uint32_t id, uint64_t page);
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	unsigned int depth;
};

/**
 * struct recover_stats - what recovery did
 * @records: records applied
 * @log_bytes: bytes of log read
 * @applied_bytes: bytes written to segments
 */
struct recover_stats {
	uint64_t records;
	uint64_t log_bytes;
	uint64_t applied_bytes;
};

/**
 * recover_scan() - read forward from the head and validate every record
 * @log: opened, not started
 * @tail: LSN after the last valid record
 *
 * Drops a torn tail quietly.  Return: 0; -EUCLEAN the log is damaged, with a text
 * that names LSN and byte position; -EIO; -ENOMEM.
 */
int recover_scan(struct log *log, uint64_t *tail);

/**
 * recover_apply() - apply the records in [@from, @to) and sync the segments
 * @log: the log; records are read from the disk, so they are durable
 * @from: LSN where a record starts
 * @to: LSN where one ends
 * @ops: see there
 * @stats: added to, or NULL
 *
 * Idempotent.  Return: 0, or -EUCLEAN, -EIO, -ENOSPC, -ENOMEM with a text.
 */
int recover_apply(struct log *log, uint64_t from, uint64_t to,
		  const struct recover_ops *ops, struct recover_stats *stats);

/**
 * recover_log() - recover a log: scan, apply to the segments it names, start it empty
 * @log: opened, not started; started when the call returns 0
 * @progress: see struct recover_ops
 * @arg: its first argument
 * @stats: filled in, or NULL
 *
 * Return: 0; -EUCLEAN nothing was replayed; -ENOENT a segment is missing, nothing was
 * freed; -EIO, -ENOSPC, -ENOMEM, with a text.
 */
int recover_log(struct log *log, void (*progress)(void *arg, uint64_t done, uint64_t total),
		void *arg, struct recover_stats *stats);

/**
 * struct recover_run - records, one behind the other
 * @from: LSN of the first one
 * @to: LSN after the last one
 */
struct recover_run {
	uint64_t from;
	uint64_t to;
};

/**
 * recover_runs() - recover some records of a log and no others, start it empty
 * @log: opened, not started; started when the call returns 0
 * @runs: valid records, oldest first
 * @count: how many runs
 * @tail: LSN that all records of the log end at or below
 * @stats: filled in
 *
 * For salvage.  Return: as recover_log().
 */
int recover_runs(struct log *log, const struct recover_run *runs, size_t count, uint64_t tail,
		 struct recover_stats *stats);

#endif
