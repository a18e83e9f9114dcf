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
 * struct kind - what the transactions of a workload do
 * @name: in the table
 * @prepare: make what they change, in transactions; NULL: any bytes will do
 * @transact: the changes of one of them
 * @verify: end the program if what they left behind is not right; NULL: nobody can tell
 *
 * All declare what they change by actor_declare(), so that they are the same for all subjects.
 */
struct kind {
	const char *name;
	void (*prepare)(struct actor *actor);
	void (*transact)(struct actor *actor);
	void (*verify)(struct actor *actor);
};

/* Ranges in some pages; three random records of 128 bytes and a new one of 64; data structures. */
extern const struct kind kind_ranges, kind_tpca, kind_list, kind_hash, kind_btree;

/* Which pages are next: any, those behind the last ones, or a few far more often than others. */
enum locality { RANDOM, SEQUENTIAL, ZIPF };

/* What varies while all else is as at the base point; APPLICATION is none of that. */
enum axis { BYTES, RANGES, PAGES, REGION, LOCALITY, THREADS, FLUSH, APPLICATION };

/**
 * struct workload - a workload and its parameters
 * @axis: along which it is one point
 * @kind: what its transactions do
 * @flush: commits are durable
 * @threads: that run transactions
 * @region: bytes of the region
 * @used: pages of it that change at all, spread evenly; 0: all
 * @locality: which of them
 * @pages: that a transaction changes; 0: it is not about pages, nor are the next two
 * @ranges: that it changes in each of them
 * @bytes: of each range
 */
struct workload {
	enum axis axis;
	const struct kind *kind;
	bool flush;
	unsigned int threads;
	size_t region;
	unsigned int used;
	enum locality locality;
	unsigned int pages;
	unsigned int ranges;
	unsigned int bytes;
};

/** workload_used() - pages that change at all */
static inline unsigned int workload_used(const struct workload *workload)
{
	return workload->used ? workload->used : workload->region / WORKLOAD_PAGE;
}

/** workload_page() - where the page with that number is, counting those that change */
static inline size_t workload_page(const struct workload *workload, unsigned int number)
{
	size_t stride = workload->region / WORKLOAD_PAGE / workload_used(workload);

	return number * stride * WORKLOAD_PAGE;
}

/** workload_axis() - the name of its axis */
const char *workload_axis(const struct workload *workload);

/** workload_place() - where on its axis it is */
const char *workload_place(const struct workload *workload);

/** workload_payload() - bytes that a transaction changes; 0 if they vary */
size_t workload_payload(const struct workload *workload);

/** workload_ranges() - ranges that a transaction changes; 0 if they vary */
unsigned int workload_ranges(const struct workload *workload);

#endif
