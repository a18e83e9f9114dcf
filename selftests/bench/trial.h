/* SPDX-License-Identifier: GPL-2.0 */
/* One measurement of one subject, in a process of its own, and what came out. */
#ifndef SELFTESTS_BENCH_TRIAL_H
#define SELFTESTS_BENCH_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct setting - what a trial is to do
 * @dir: for its files; emptied before and after
 * @flush: commits are durable
 * @threads: that make transactions
 * @ms: for so many milliseconds
 * @array: bytes of the array of accounts
 * @log: bytes of the log
 * @map: bytes of the region, for the time of a map
 * @truncating: the log is truncated all the time
 * @huge: the array is in huge pages
 */
struct setting {
	const char *dir;
	bool flush;
	unsigned int threads;
	unsigned int ms;
	size_t array;
	size_t log;
	size_t map;
	bool truncating;
	bool huge;
};

/**
 * struct outcome - what came out; 0 where a trial does not measure it
 * @rate: transactions, bytes or maps a second
 * @core_rate: transactions a second of processor time, of all threads and of the kernel for them
 * @log_bytes: bytes of log a transaction
 * @disk_bytes: bytes that went to disks, truncation included, a transaction
 * @latency: nanoseconds of a commit: half, 99 %, 99.9 % and all are below
 */
struct outcome {
	double rate;
	double core_rate;
	double log_bytes;
	double disk_bytes;
	double latency[4];
};

/** typedef trial_fn - a trial; it ends the process after an error */
typedef void trial_fn(const struct setting *setting, struct outcome *outcome);

/**
 * trial_run() - make a trial in a child process; ends the program if it fails
 * @fn: the trial
 * @setting: for it
 * @outcome: what it fills in
 * @count: how many of them
 */
void trial_run(trial_fn *fn, const struct setting *setting, struct outcome *outcome,
	       unsigned int count);

/* The TPC-A-like transactions of this library, and the same stores without. */
trial_fn trial_restore, trial_no_restore, trial_stores, trial_copies;

/* The same bytes appended and synced, one write for all that wait. */
trial_fn trial_append, trial_direct;

/* The same bytes written and synced by each thread alone: what the disk does at once. */
trial_fn trial_beside;

/* Blocks of the recoverable heap that come and go, one in each transaction. */
trial_fn trial_heap;

/* Durable transactions until the log was truncated twice. */
trial_fn trial_bytes;

/* Commit latencies of one thread. */
trial_fn trial_latency;

/* Those of several, while the log changes its size. */
trial_fn trial_resize;

/*
 * Bytes of log a second, of one log: reading it, its CRC32C, recovery, and the two parts of that,
 * until the log was walked and from there on: so many outcomes.
 */
trial_fn trial_recover;

/* Maps a second. */
trial_fn trial_map;

#endif
