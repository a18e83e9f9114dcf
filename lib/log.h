/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The write-ahead log: appended at its tail, synced in groups, moved on at its
 * head.  An LSN is the log's ever-growing byte position; the byte stands at
 * lsn % size of the record area.  See Documentation/log-format.md.
 */
#ifndef RVM_LIB_LOG_H
#define RVM_LIB_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct format_status;
struct log;
struct logfile;
struct status_copies;

/**
 * struct log_range - new values of some bytes of a segment
 * @segment: the segment's number in the dictionary
 * @offset: first byte in the segment
 * @length: bytes
 * @data: the new values
 */
struct log_range {
	uint32_t segment;
	uint64_t offset;
	uint64_t length;
	const void *data;
};

/**
 * struct log_state - where a log stands, taken at one moment
 * @uuid: identity
 * @generation: raised by each recovery
 * @size: bytes of the record area
 * @head: LSN of the oldest record
 * @next: LSN of the next record; it and all after it start there or above
 * @tail: LSN that log_flush() takes to make all durable that is committed now
 * @durable: all records that end at or below it are durable
 * @error: 0, or the negative errno that poisoned the log
 * @bytes_written: bytes that were written to the log since it was opened
 * @flushes: syncs of the log since it was opened
 * @spooled: transactions that wait in the spool
 */
struct log_state {
	unsigned char uuid[16];
	uint32_t generation;
	uint64_t size;
	uint64_t head;
	uint64_t next;
	uint64_t tail;
	uint64_t durable;
	int error;
	uint64_t bytes_written;
	uint64_t flushes;
	uint64_t spooled;
};

/**
 * log_create() - make a new log and write all of it once
 * @path: a file that does not exist, or a block device
 * @size: bytes of record space; 0 on a device: all of it
 * @mode: permissions of a new file
 * @force: a device or file that holds a log already is overwritten
 * @progress: called with bytes done and bytes in all, or NULL
 * @arg: for @progress
 *
 * Return: 0, or -EEXIST, -EACCES, -EINVAL (size), -ENOSPC, -EIO, -ENOMEM,
 * -ENAMETOOLONG with a text.
 */
int log_create(const char *path, uint64_t size, mode_t mode, bool force,
	       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg);

/**
 * log_open() - open and lock a log, read its status and dictionary
 * @path: file or block device
 * @buffer: bytes of memory for records on their way to the disk
 * @readonly: for looking only: takes no lock, refuses to write
 * @out: the log; nothing is recovered yet, and log_append() is refused until
 *	log_start()
 *
 * Return: 0, or -ENOENT, -EACCES, -EBUSY (another has it open), -EINVAL (not
 * a log), -EPROTO (a version or feature that this library does not know),
 * -EUCLEAN (damaged), -EIO, -ENOMEM, with a text.
 */
int log_open(const char *path, uint64_t buffer, bool readonly, struct log **out);

/**
 * log_start() - begin a new generation whose records start at @tail, or at the next sector
 * @log: a log that was recovered
 * @head: LSN of the oldest record that is still needed: it must be @tail, since records of
 *	the generation before become void
 * @tail: LSN after the last valid record
 *
 * Also repairs a copy of the status or of the dictionary that was found damaged.
 *
 * Return: 0, -EINVAL (@head is not @tail, started already), -EROFS (opened for looking only),
 * or -EIO with a text.
 */
int log_start(struct log *log, uint64_t head, uint64_t tail);

/**
 * log_close() - flush nothing, write a status that tells the tail, unlock
 * @log: the log
 *
 * Return: 0, or -EIO with a text; the log is gone all the same.
 */
int log_close(struct log *log);

/**
 * log_fits() - could the log hold a record, were it empty?
 * @log: a started log
 * @pieces: its ranges, those above FORMAT_RANGE_MAX counted as they will be split
 * @bytes: their bytes
 *
 * log_append() says the same, once all of it is gathered.
 *
 * Return: 0, or -EFBIG with a text.
 */
int log_fits(const struct log *log, uint64_t pieces, uint64_t bytes);

/**
 * log_append() - put the record of a committed transaction at the tail
 * @log: a started log
 * @tid: number of the transaction, for people who read the log
 * @ranges: new values; copied before the call returns
 * @count: how many; 0 makes no record and returns the current tail
 * @lsn: LSN after the record: it is durable once log_durable() >= *@lsn
 *
 * Thread-safe; records are ordered as the calls get their LSNs.
 *
 * Return: 0; -EFBIG the log could never hold it, nothing was done; -ENOSPC the
 * log is full now: truncate and try again, nothing was done; the poison.
 */
int log_append(struct log *log, uint64_t tid, const struct log_range *ranges,
	       unsigned int count, uint64_t *lsn);

/**
 * log_spool() - log_append() for a transaction that nobody waits for
 * @log: a started log
 * @tid: number of the transaction
 * @ranges: new values; copied before the call returns
 * @count: how many; 0 makes no record
 * @lsn: an LSN that is durable when and only when the transaction is
 *
 * Transactions that come one after the other this way are merged into one record: of the bytes
 * that several changed only the newest values get into the log.
 *
 * Return: as log_append().
 */
int log_spool(struct log *log, uint64_t tid, const struct log_range *ranges,
	      unsigned int count, uint64_t *lsn);

/**
 * log_flush() - wait until everything below @lsn is durable
 * @log: a started log
 * @lsn: what log_append() returned
 *
 * Group commit: whoever finds its record in no group that is being written writes all that is
 * there as a group of its own, beside some others; when too many are on their way it waits.
 *
 * Return: 0, or the poison (-EIO) with a text.
 */
int log_flush(struct log *log, uint64_t lsn);

/**
 * log_wait() - wait until the flusher has made @lsn durable
 * @log: a log with a flusher
 * @lsn: what log_append() or log_spool() returned
 * @deadline: by CLOCK_MONOTONIC
 *
 * The flusher is told to hurry.
 *
 * Return: 0, -ETIMEDOUT, -EINVAL (no such LSN yet), or the poison.
 */
int log_wait(struct log *log, uint64_t lsn, const struct timespec *deadline);

/**
 * log_start_flusher() - have a thread flush what log_spool() left in memory
 * @log: a started log
 * @interval: at the latest after so many milliseconds; 0: only what is too much for the memory
 *
 * It ends with log_close().
 *
 * Return: 0 or -ENOMEM.
 */
int log_start_flusher(struct log *log, long interval);

/** log_set_interval() - change the flusher's interval */
void log_set_interval(struct log *log, long interval);

/** log_set_merge() - may log_spool() merge transactions? */
void log_set_merge(struct log *log, bool merge);

/**
 * log_event_fd() - an eventfd that becomes readable when more is durable, or the log has failed
 * @log: the log
 * @fd: set; it belongs to the log
 *
 * Return: 0, -EMFILE, -ENFILE or -ENOMEM.
 */
int log_event_fd(struct log *log, int *fd);

/** log_durable() - the durable LSN; lock-free */
uint64_t log_durable(struct log *log);

/**
 * log_watch() - have a function called after each rise of the durable LSN
 * @log: the log
 * @fn: called with the new value, in LSN order, without the log's lock, before log_durable()
 *	and log_flush() tell of it; or NULL
 * @arg: its first argument
 *
 * When it returns the function of before is not running and will not be called again; so @fn
 * must not call it.
 */
void log_watch(struct log *log, void (*fn)(void *arg, uint64_t durable), void *arg);

/** log_state() - a consistent copy of where the log stands */
void log_state(struct log *log, struct log_state *state);

/** log_path() - the path it was opened by; it lives as long as the log */
const char *log_path(struct log *log);

/** log_error() - 0, or the negative errno that poisoned the log, with its text */
int log_error(struct log *log);

/**
 * log_used() - how full the record area is; lock-free
 * @log: the log
 *
 * Return: bytes between head and tail; log_state() tells the size.
 */
uint64_t log_used(struct log *log);

/**
 * log_set_head() - free the space below @head, durably
 * @log: a started log
 * @head: LSN at or below the durable LSN where a record starts
 *
 * The caller has made durable, in the segments, all that it frees.
 *
 * Return: 0, or the poison with a text.
 */
int log_set_head(struct log *log, uint64_t head);

/**
 * log_keep() - have a function called before the head moves
 * @log: the log
 * @fn: called with the LSN below which records are about to be freed, or are asked for by
 *	log_keep_below(); at first, at once, with the head as it is; with the log's lock held
 * @arg: its first argument
 *
 * There is one such function at a time; NULL ends it.
 */
void log_keep(struct log *log, void (*fn)(void *arg, uint64_t lsn), void *arg);

/** log_keep_below() - have that function called now, so that it need not be when the head moves */
void log_keep_below(struct log *log, uint64_t lsn);

/**
 * log_take_space() - take the space that the log needs to have another size
 * @log: a started log; transactions go on
 * @size: bytes of record space asked for; 0 on a device: all of it
 * @area_size: set to what log_set_size() takes
 *
 * The log keeps its size.  For one thread at a time, as all that follows down to log_cut().
 *
 * Return: 0; -ERANGE (@size); -ENOSPC, -EFBIG, -ENOMEM, others: what was taken is given back; the
 * poison: also where a sync failed.
 */
int log_take_space(struct log *log, uint64_t size, uint64_t *area_size);

/** log_freeze() - from now on who appends waits, until log_thaw() */
void log_freeze(struct log *log);

/** log_thaw() - go on */
void log_thaw(struct log *log);

/**
 * log_set_size() - free all space and change the size of the record area, durably
 * @log: frozen, and no backup of it is made
 * @tail: its tail, which is durable; the caller has made all below it durable in the segments
 * @area_size: from log_take_space()
 *
 * The log goes on at an LSN that is not lower.
 *
 * Return: 0, or the poison.
 */
int log_set_size(struct log *log, uint64_t tail, uint64_t area_size);

/** log_cut() - cut a file off where its log ends; Return: 0, or an errno with a text */
int log_cut(struct log *log);

/**
 * struct log_segment - an entry of the segment dictionary
 * @id: number, from 1
 * @uuid: its identity in this log
 * @length: bytes
 * @path: canonical path
 */
struct log_segment {
	uint32_t id;
	unsigned char uuid[16];
	uint64_t length;
	const char *path;
};

/**
 * log_name_segment() - the dictionary number of a segment, durably
 * @log: a started log
 * @path: canonical path; a new one is entered
 * @length: bytes; a changed one is noted
 * @id: its number
 *
 * Return: 0; -ENOSPC the dictionary is full; -ENAMETOOLONG; the poison.
 */
int log_name_segment(struct log *log, const char *path, uint64_t length, uint32_t *id);

/**
 * log_segment() - look an entry of the dictionary up
 * @log: the log
 * @id: number
 * @entry: filled in; the path lives as long as the log
 *
 * Return: 0 or -ENOENT.
 */
int log_segment(struct log *log, uint32_t id, struct log_segment *entry);

/** log_segments() - how many entries the dictionary has; their numbers are 1 to that */
uint32_t log_segments(struct log *log);

/** log_file() - the log's file, for those who read records from it */
const struct logfile *log_file(struct log *log);

/** log_status() - a copy of the status as the disk has it */
void log_status(struct log *log, struct format_status *status);

/** log_copies() - which copies of the status and the dictionary were whole */
void log_copies(struct log *log, struct status_copies *status, struct status_copies *dict);

#endif
