/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of recovery share: how many transactions come back, and a log that was not
 * closed.  The disk is in memory.
 */
#ifndef RECOVERY_H
#define RECOVERY_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "logtest.h"

#define MOST 700
#define AREA 32768U
#define AREA_OFFSET 73728U

static inline unsigned char *segment_bytes(void)
{
	return mem_find(SEG)->data;
}

/* Recovers and tells how many transactions the segment holds then, or a negative errno. */
static inline int64_t recovered(unsigned int most)
{
	struct log *log;
	int64_t number;
	int err;

	err = open_log(0, &log);
	if (err)
		return err;
	number = prefix(segment_bytes(), most);
	log_close(log);
	return number < 0 ? -ENOMSG : number;
}

/* Opens the log, recovers and closes it; a call behind open fails, of that number. */
static inline int recover_failing(unsigned int at, void *ignored)
{
	struct log *log;
	int err, close_err;

	err = log_open(LOG, 0, false, &log);
	if (err)
		return err;
	mem_fail(at, -EIO, false);
	err = recover_log(log, NULL, NULL, NULL);
	close_err = log_close(log);
	return err ? err : close_err;
}

/*
 * Each call of @fn fails in turn, until none does; of more than 20 some are left out.  @fn lets the
 * call number @at fail when it is ready, and must tell of each, with -EIO.  What it comes to at
 * last, or -ENOMSG; and in *@calls the number of the call that it did not make.
 */
static inline int fail_each_call(int (*fn)(unsigned int at, void *arg), void *arg,
				 unsigned int *calls)
{
	unsigned int failed, at;
	int err;

	for (at = 1;; at += 1 + at / 20) {
		err = fn(at, arg);
		failed = mem.failed;
		mem_heal();
		*calls = at;
		if (!failed || err != -EIO)
			return failed ? -ENOMSG : err;
	}
}

/*
 * struct crashed - a log that was not closed: transactions 1 to 12, each flushed, then 13 to 20 in
 * one flush
 * @before: its state when the last flush began
 * @after: when all was over
 * @image: its bytes
 * @segment: those of the segment
 */
struct crashed {
	struct log_state before;
	struct log_state after;
	unsigned char *image;
	unsigned char *segment;
};

static inline int crashed_make(struct crashed *c)
{
	struct log *log;
	uint64_t n, lsn;
	int err;

	err = make_disk(AREA);
	if (!err)
		err = open_log(0, &log);
	for (n = 1; n <= 12 && !err; n++)
		err = commit_tx(log, n, MOST);
	if (err)
		return err;
	log_state(log, &c->before);
	for (; n <= 20 && !err; n++)
		err = append_tx(log, n, MOST, &lsn);
	if (!err)
		err = log_flush(log, lsn);
	log_state(log, &c->after);
	mem_power_loss(0);
	c->image = mem_save(LOG);
	c->segment = mem_save(SEG);
	return err;
}

static inline void crashed_free(struct crashed *c)
{
	free(c->image);
	free(c->segment);
}

/* The disk is what it was when the power failed. */
static inline void put_back(const struct crashed *c)
{
	mem_restore(LOG, c->image);
	mem_restore(SEG, c->segment);
	mem_heal();
}

/* Where in the file a byte of the record area stands. */
static inline uint64_t position(uint64_t lsn)
{
	return AREA_OFFSET + lsn % AREA;
}

#endif
