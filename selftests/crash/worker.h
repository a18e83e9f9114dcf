/* SPDX-License-Identifier: GPL-2.0 */
/* The worker: recovers what its predecessor left, judges it, and works until it is killed. */
#ifndef SELFTESTS_CRASH_WORKER_H
#define SELFTESTS_CRASH_WORKER_H

#include <stdatomic.h>

#include <rvm/rvm.h>

#include "oracle.h"

#define WORK_SEGMENT	(WORK_THREADS * sizeof(struct work_area))

/**
 * enum worker_kind - what transactions a worker's threads run
 * @WORKER_EXPLICIT: they declare their bytes
 * @WORKER_TRACKED: plain stores
 * @WORKER_MIXED: each second thread this, the others that
 */
enum worker_kind { WORKER_EXPLICIT, WORKER_TRACKED, WORKER_MIXED };

/**
 * enum worker_truncation - who truncates the log
 * @WORKER_EPOCHS: a thread of the worker's, at moments of its own, and the library
 * @WORKER_STEPS: the library, in steps
 * @WORKER_NONE: nobody, as long as the log has room
 */
enum worker_truncation { WORKER_EPOCHS, WORKER_STEPS, WORKER_NONE };

/**
 * struct worker_state - what the parent sees, in shared memory
 * @working: recovery and judgement are over
 * @aborts: transactions that were aborted
 * @truncations: log truncations that returned
 * @why: the fault, "" if there is none
 */
struct worker_state {
	atomic_int working;
	atomic_ulong aborts;
	atomic_ulong truncations;
	char why[256];
};

/**
 * struct worker - what a worker is told
 * @log: path of the log
 * @segment: path of the segment
 * @tracker: RVM_TRACK_* flag, 0 for the best
 * @kind: of transactions
 * @mode: flush, no_flush, or 0 for either at random
 * @ordered: commits under a lock that gives them their places in one order
 * @log_bytes: record space of the log, if it is made
 * @truncation: who truncates
 * @truncate_us: the longest pause between two truncations of its own, in microseconds
 * @idle: only recover and judge
 * @oracle: the oracle
 * @state: shared with the parent
 */
struct worker {
	char *log;
	char *segment;
	unsigned long tracker;
	enum worker_kind kind;
	int mode;
	bool ordered;
	unsigned long log_bytes;
	enum worker_truncation truncation;
	unsigned long truncate_us;
	bool idle;
	struct oracle *oracle;
	struct worker_state *state;
};

/**
 * worker_run() - recover, judge, work
 * @worker: what to do
 *
 * Return: never.  The process exits with 0 if it is told to be idle and all was well, with 2 after
 * a fault, which is in @worker->state->why.
 */
void worker_run(struct worker *worker) __attribute__((noreturn));

#endif
