/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading records from a log, through a window of memory; or, if the log is read from one end to
 * the other, through one that is read ahead.
 */
#ifndef RVM_LIB_READER_H
#define RVM_LIB_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "logfile.h"
#include "readahead.h"

#define READER_WINDOW 0x100000U

/**
 * struct reader_window - bytes of the record area in memory
 * @bytes: where they are
 * @start: LSN of the first one
 * @length: how many
 */
struct reader_window {
	const char *bytes;
	uint64_t start;
	size_t length;
};

/**
 * struct reader - a window on the record area
 * @source: for format_record_check(); it must be the first member
 * @file: the log's
 * @seed: of the generation that is read
 * @memory: for a window
 * @memory_size: bytes of it
 * @window: what is in that memory
 * @view: where reader_get() looks first: the same, or a piece that was read ahead
 * @ahead: what is read ahead, if @is_ahead
 * @is_ahead: see reader_ahead()
 */
struct reader {
	struct format_source source;
	const struct logfile *file;
	struct format_seed seed;
	char *memory;
	size_t memory_size;
	struct reader_window window;
	struct reader_window view;
	struct readahead ahead;
	bool is_ahead;
};

/**
 * reader_init() - prepare to read
 * @reader: to be filled in
 * @file: the log's
 * @status: the log's
 *
 * Return: 0 or -ENOMEM with a text.
 */
int reader_init(struct reader *reader, const struct logfile *file,
		const struct format_status *status);

/** reader_shorten() - no more than @bytes will be read: let no window be longer */
void reader_shorten(struct reader *reader, uint64_t bytes);

/**
 * reader_ahead() - expect a walk from @from to @end
 * @reader: the reader
 * @from: LSN where it begins
 * @end: LSN that it does not pass; it may go back, and what is far back is read again
 *
 * Reads are in flight beside the walk from now on, unless there is little to read, or neither
 * memory nor a thread for that.
 */
void reader_ahead(struct reader *reader, uint64_t from, uint64_t end);

/** reader_free() - free the memory, end what reader_ahead() began */
void reader_free(struct reader *reader);

/**
 * reader_get() - tell where the bytes at @lsn are in memory
 * @reader: the reader
 * @lsn: of the first byte
 * @length: at most FORMAT_CHUNK
 * @bytes: where they are until the next call
 *
 * Return: 0, or a negative errno with a text.
 */
int reader_get(struct reader *reader, uint64_t lsn, size_t length, const void **bytes);

/**
 * reader_record() - check and decode the record at @lsn
 * @reader: the reader
 * @lsn: where it starts
 * @limit: LSN that it must not pass
 * @record: filled in
 * @why: if it is not valid, which condition it breaks
 *
 * Return: 0; -EUCLEAN not valid, without a text; another errno with a text.
 */
int reader_record(struct reader *reader, uint64_t lsn, uint64_t limit,
		  struct format_record *record, const char **why);

/**
 * reader_before() - find the record that ends at @lsn
 * @reader: the reader
 * @lsn: where a record starts, or the tail
 * @head: LSN that it must not start below
 * @record: filled in
 * @why: if there is none, which condition is broken
 *
 * Return: as reader_record().
 */
int reader_before(struct reader *reader, uint64_t lsn, uint64_t head,
		  struct format_record *record, const char **why);

/**
 * typedef reader_range_fn - called for each piece of new values of a record
 * @arg: the caller's
 * @range: where it belongs
 * @data: @range->length bytes, valid during the call
 *
 * Return: 0 to go on; anything else ends the walk.
 */
typedef int reader_range_fn(void *arg, const struct format_range *range, const void *data);

/**
 * reader_ranges() - walk the new values of a record that reader_record() found valid
 * @reader: the reader
 * @record: the record
 * @data: hand the data over, in pieces of at most FORMAT_CHUNK bytes; else @fn gets whole ranges
 *	and NULL
 * @fn: called for each piece, in the order of the log
 * @arg: for @fn
 *
 * Return: 0, an errno of reading with a text, or what @fn returned.
 */
int reader_ranges(struct reader *reader, const struct format_record *record, bool data,
		  reader_range_fn *fn, void *arg);

#endif
