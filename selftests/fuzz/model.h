/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The log and its recovery once more, from Documentation/log-format.md and without a line of the
 * library: what the fuzzers hold the library against.  It is slow and copies a lot.
 */
#ifndef SELFTESTS_FUZZ_MODEL_H
#define SELFTESTS_FUZZ_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** model_crc() - CRC32C, continued from @crc, 0 at first */
uint32_t model_crc(uint32_t crc, const void *bytes, size_t length);

/** model_get() - the little-endian number of @width bytes at @at */
uint64_t model_get(const uint8_t *at, unsigned int width);

/**
 * struct model_status - a status
 * @copy: which copy counts
 * @sector: bytes that the disk writes as one
 * @uuid: the log's identity
 * @generation: of its records
 * @sequence: of the copy
 * @dict_size: bytes of one dictionary copy
 * @area_offset: where the record area starts
 * @area_size: its bytes
 * @head: LSN of the oldest record
 * @tail_hint: the durable LSN then
 * @clean: the log ends there
 */
struct model_status {
	int copy;
	uint32_t sector;
	uint8_t uuid[16];
	uint32_t generation;
	uint64_t sequence;
	uint64_t dict_size;
	uint64_t area_offset;
	uint64_t area_size;
	uint64_t head;
	uint64_t tail_hint;
	bool clean;
};

/**
 * model_status() - read the status of a log of @size bytes
 * @log: its first bytes
 * @size: of all of the file
 * @out: filled in
 *
 * Return: 0, or the negative errno with which it is refused for writing.
 */
int model_status(const uint8_t *log, uint64_t size, struct model_status *out);

/**
 * struct model_record - a valid record
 * @type: 1 a transaction, 2 padding
 * @count: ranges
 * @length: bytes of all of it
 * @lsn: of its first byte
 * @durable: the durable LSN when it was made
 * @tid: the transaction's number
 * @bytes: all of it, in memory that the next call uses again
 */
struct model_record {
	uint16_t type;
	uint32_t count;
	uint64_t length;
	uint64_t lsn;
	uint64_t durable;
	uint64_t tid;
	const uint8_t *bytes;
};

/**
 * model_record() - is there a valid record?
 * @area: the record area
 * @status: its size, the log's identity and generation count
 * @lsn: where
 * @limit: LSN that it must not pass
 * @out: filled in if there is one
 */
bool model_record(const uint8_t *area, const struct model_status *status, uint64_t lsn,
		  uint64_t limit, struct model_record *out);

/** struct model_range - a range of a record and where its new values are */
struct model_range {
	uint64_t offset;
	uint32_t length;
	uint32_t segment;
	const uint8_t *data;
};

/** model_range() - the range @i of a record; each moves @data on, which begins as NULL */
void model_range(const struct model_record *record, uint32_t i, const uint8_t **data,
		 struct model_range *out);

/**
 * struct model_file - a file that may be a segment
 * @path: its path
 * @bytes: what it holds; recovery changes it
 * @size: how many
 */
struct model_file {
	const char *path;
	uint8_t *bytes;
	uint64_t size;
};

/**
 * struct model_result - what recovery has to come to
 * @err: 0, or the negative errno with which it ends; then nothing changes
 * @head: of the log, before
 * @tail: LSN after the last record
 * @records: transactions that were applied
 * @odd: the dictionary names a file twice, or the log: nobody says what that means
 */
struct model_result {
	int err;
	uint64_t head;
	uint64_t tail;
	unsigned long records;
	bool odd;
};

/**
 * model_recover() - recover a log
 * @log: all of it
 * @size: bytes
 * @path: of the log
 * @files: all other files there are; NULL: what records name does not matter
 * @count: how many
 * @result: filled in
 */
void model_recover(const uint8_t *log, uint64_t size, const char *path, struct model_file *files,
		   size_t count, struct model_result *result);

#endif
