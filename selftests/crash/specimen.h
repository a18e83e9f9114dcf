/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A log of 64 KiB and its segment on the disk in memory, to be damaged: numbered transactions, a
 * truncation, three transactions in the last flush.
 */
#ifndef SELFTESTS_CRASH_SPECIMEN_H
#define SELFTESTS_CRASH_SPECIMEN_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "format.h"
#include "log.h"
#include "memdisk.h"
#include "smalllog.h"

#define LOG		"/log"
#define SEG		"/segment"
#define BYTES		65536U	/* of the log file */
#define AREA		(BYTES - SMALLLOG_AREA)
#define SEG_BYTES	8192U
#define SECTORS		(BYTES / MEM_SECTOR)
#define FIRST		(SMALLLOG_AREA / MEM_SECTOR) /* sector of the record area */
#define COUNT		60	/* transactions */
#define LAST		3	/* of them in the last flush */
#define TRUNCATED	15	/* after so many the log is truncated */
#define OLDER		40	/* after so many an older image is kept */
#define SPECIMEN_RANGES	3	/* of a transaction */
#define SPECIMEN_DATA	1200	/* bytes that they have at most */
#define MIDDLE		4	/* the record that is broken there; its padding is the next one */
#define BEFORE_MIDDLE	(TRUNCATED + MIDDLE / 2) /* transactions, each with a padding */
#define BEFORE_END	50	/* transactions before a padding that ends with the file */
#define NO_STATE	(-ENOMSG)

struct broken;
struct verify;
struct verify_ops;

/**
 * struct specimen - the log as it was
 * @closed: it was closed; else it is as a crash leaves it
 * @last: where the last flush begins in the file
 * @image: the log
 * @older: the log as it was earlier
 * @segment: the segment
 * @states: hashes of the segment after so many transactions
 */
struct specimen {
	bool closed;
	unsigned int last;
	unsigned char image[BYTES];
	unsigned char older[BYTES];
	unsigned char segment[SEG_BYTES];
	uint64_t states[COUNT + 1];
};

/** specimen_make() - make it; Return: 0 or a negative errno */
int specimen_make(struct specimen *s, bool closed);

/** specimen_put() - put it on the disk, undamaged; Return: the bytes of the log there */
unsigned char *specimen_put(const struct specimen *s);

/** specimen_state() - how many transactions the segment has, or NO_STATE */
int specimen_state(const struct specimen *s);

/** specimen_recovered() - recover the log that is there; Return: specimen_state(), or an error */
int specimen_recovered(const struct specimen *s);

/** specimen_verify() - look at the log that is on the disk, as verify_log() does; @v is freed */
int specimen_verify(struct verify *v, const struct verify_ops *ops);

/**
 * specimen_ranges() - the ranges of a transaction
 * @n: its number
 * @data: their new values, where the ranges point to
 * @r: filled in
 */
void specimen_ranges(unsigned int n, unsigned char data[SPECIMEN_DATA],
		     struct log_range r[SPECIMEN_RANGES]);

/** specimen_replay() - do a transaction to the bytes of a segment */
void specimen_replay(unsigned char segment[SEG_BYTES], unsigned int n);

/** specimen_record() - where the record number @n of an image is in it, from 0 */
unsigned int specimen_record(const unsigned char *image, unsigned int n);

/** specimen_seal_status() - make the checksum of a copy of the status right */
void specimen_seal_status(unsigned char *copy);

/** specimen_seal() - make the checksum of the record at a byte of an image right */
void specimen_seal(unsigned char *image, unsigned int at, uint64_t length);

/** specimen_break() - put it on the disk, broken as the table says, its checksums right again */
void specimen_break(const struct specimen *s, const struct broken *b);

#endif
