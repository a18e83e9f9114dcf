/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading records from a log, through a window of memory. */
#ifndef RVM_LIB_READER_H
#define RVM_LIB_READER_H

#include <stdint.h>

#include "format.h"
#include "logfile.h"

#define READER_WINDOW 0x100000U

/**
 * struct reader - a window on the record area
 * @source: for format_record_check(); it must be the first member
 * @file: the log's
 * @seed: of the generation that is read
 * @window: memory
 * @window_size: bytes of it
 * @start: LSN of its first byte
 * @length: bytes in it
 */
struct reader {
	struct format_source source;
	const struct logfile *file;
	struct format_seed seed;
	char *window;
	size_t window_size;
	uint64_t start;
	size_t length;
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

/** reader_free() - free the memory */
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
 * @piece: data is handed over in pieces of at most so many bytes, at most FORMAT_CHUNK; 0: not
 *	at all, and @fn gets whole ranges and NULL
 * @fn: called for each piece, in the order of the log
 * @arg: for @fn
 *
 * Return: 0, an errno of reading with a text, or what @fn returned.
 */
int reader_ranges(struct reader *reader, const struct format_record *record, size_t piece,
		  reader_range_fn *fn, void *arg);

#endif
