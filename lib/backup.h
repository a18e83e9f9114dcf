/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backup: a copy of all segments and of the log's records, while transactions run.
 *
 *  1. From now on records that truncation frees are copied before (log_keep()); H is the head.
 *  2. Copy the segments, in any order, while they are written.
 *  3. Flush; T is the durable LSN.  Copy what is still missing of the records in [H, T).
 *  4. Write the manifest, last of all: a backup without one is none.
 *
 * The copies with the records in [H, T) applied are the state after the last commit before T;
 * Documentation/backup.md has the proof.
 */
#ifndef RVM_LIB_BACKUP_H
#define RVM_LIB_BACKUP_H

#include <stdint.h>

struct log;
struct regions;

/**
 * struct backup_source - what is backed up
 * @log: a started log; or one that is opened and locked, but not started, and so does not change
 * @regions: who has the log's segments open, or NULL: they are opened by their paths
 * @tail: of a log that is not started: LSN after its last record
 * @progress: called with bytes of segments done and in all, or NULL
 * @arg: its first argument
 */
struct backup_source {
	struct log *log;
	struct regions *regions;
	uint64_t tail;
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/**
 * struct backup_stats - what was copied
 * @lsn: the backup is the state after the last commit before it
 * @segments: how many
 * @segment_bytes: their length
 * @log_bytes: bytes of records
 */
struct backup_stats {
	uint64_t lsn;
	uint32_t segments;
	uint64_t segment_bytes;
	uint64_t log_bytes;
};

/**
 * backup_make() - make a backup
 * @source: of what
 * @dir: a directory that does not exist; it is made, and removed again if the backup fails
 * @stats: filled in
 *
 * Nothing but @dir is written.  No commit and no truncation waits for more than the copy of
 * those records that the truncation frees.  There is one backup of a log at a time.
 *
 * Return: 0; -EEXIST @dir is there; -ENOENT, -EACCES, -ENOSPC, -EIO, -ENOMEM, others; the poison
 * of the log; with a text.
 */
int backup_make(const struct backup_source *source, const char *dir, struct backup_stats *stats);

#endif
