/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A subject in a process of its own, with log and segment, that takes samples when it is told to:
 * what others do to the library does not change what it costs there.
 */
#ifndef SELFTESTS_BENCH_WORKER_H
#define SELFTESTS_BENCH_WORKER_H

#include <limits.h>
#include <sys/types.h>

#include "sample.h"

/**
 * struct worker - a subject and its process
 * @subject: which
 * @here: it works on this machine
 * @pid: the process
 * @orders: milliseconds of each sample; 0 ends it
 * @results: come back there
 * @dir: its files
 */
struct worker {
	struct subject *subject;
	bool here;
	pid_t pid;
	int orders;
	int results;
	char dir[PATH_MAX];
};

/**
 * worker_start() - have a subject opened and warmed up
 * @worker: with @subject set; the rest is filled in
 * @workload: what it will do
 * @dir: directory for its files
 * @log: bytes of its log, if it has one
 * @tell: say why it is not to be had
 */
void worker_start(struct worker *worker, const struct workload *workload, const char *dir,
		  size_t log, bool tell);

/** worker_sample() - have it take a sample of so many milliseconds; or end the program */
struct sample worker_sample(struct worker *worker, unsigned int ms);

/** worker_stop() - have what it did verified, and end it */
void worker_stop(struct worker *worker);

#endif
