/* SPDX-License-Identifier: GPL-2.0 */
/* One sample: a subject runs a workload for some time. */
#ifndef SELFTESTS_BENCH_SAMPLE_H
#define SELFTESTS_BENCH_SAMPLE_H

#include "subject.h"
#include "workload.h"

/**
 * struct sample - what came out
 * @rate: transactions a second
 * @cpu_ns: processor time of all threads a transaction, truncation included
 * @log_bytes: bytes of log a transaction
 * @io_bytes: bytes that the process had written to disks, a transaction
 */
struct sample {
	double rate;
	double cpu_ns;
	double log_bytes;
	double io_bytes;
};

/** sample_actor() - a thread that makes transactions, the @id-th */
struct actor sample_actor(struct subject *subject, const struct workload *workload,
			  unsigned int id);

/** sample_transact() - one transaction, from begin to end */
void sample_transact(struct actor *actor);

/**
 * sample_warm_up() - change every page once, as far as two seconds allow, and build what changes
 * @subject: an open subject
 * @workload: what it will do
 *
 * The first touch of a page costs more than all later ones.
 */
void sample_warm_up(struct subject *subject, const struct workload *workload);

/** sample_verify() - end the program if what the samples left behind is not right */
void sample_verify(struct subject *subject, const struct workload *workload);

/**
 * sample_take() - let a subject run a workload
 * @subject: an open subject
 * @workload: what to do
 * @ms: for so many milliseconds
 *
 * The log is empty before and afterwards.  What no_flush commits left in memory is flushed within
 * the time.  Ends the program after an error.  Return: what came out.
 */
struct sample sample_take(struct subject *subject, const struct workload *workload,
			  unsigned int ms);

#endif
