/* SPDX-License-Identifier: GPL-2.0 */
/* The workloads: which bytes the transactions change. */
#ifndef SELFTESTS_BENCH_WORKLOAD_H
#define SELFTESTS_BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKLOAD_PAGE	4096UL

struct actor;

/**
 * struct workload - a workload and its parameters
 * @name: "ranges" or "tpca"
 * @flush: commits are durable
 * @threads: that run transactions
 * @region: bytes that they change
 * @pages: that a transaction changes
 * @ranges: that it changes in each of them
 * @bytes: of each range
 *
 * "tpca" changes three random records of 128 bytes and appends one of 64 bytes.
 */
struct workload {
	const char *name;
	bool flush;
	unsigned int threads;
	size_t region;
	unsigned int pages;
	unsigned int ranges;
	unsigned int bytes;
};

/**
 * workload_transact() - make the changes of one transaction
 * @workload: what to do
 * @actor: who does it
 */
void workload_transact(const struct workload *workload, struct actor *actor);

/** workload_payload() - bytes that a transaction changes */
size_t workload_payload(const struct workload *workload);

/** workload_ranges() - ranges that a transaction changes */
unsigned int workload_ranges(const struct workload *workload);

#endif
