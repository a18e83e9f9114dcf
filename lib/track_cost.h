/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tracker costs here: measured once a process, on a few pages of a scratch file. */
#ifndef RVM_LIB_TRACK_COST_H
#define RVM_LIB_TRACK_COST_H

#include <stdint.h>

struct track_ops;

/**
 * struct track_cost - nanoseconds; all 0 if nothing could be measured
 * @fault: the first store to a page in a transaction
 * @end: the end of a transaction, beside what each page costs
 * @idle: the end of one that stored nothing
 * @rearm: to see the next first store to a page
 * @diff: to compare a page in which nothing changed
 * @walk: the end of a transaction, for 1024 pages of a region that is settled
 * @settle: to settle 1024 pages
 */
struct track_cost {
	uint32_t fault;
	uint32_t end;
	uint32_t idle;
	uint32_t rearm;
	uint32_t diff;
	uint32_t walk;
	uint32_t settle;
};

/**
 * track_cost_measure() - let a tracker track a scratch file
 * @ops: the tracker; it works here
 * @cost: what it took, the least of some rounds
 */
void track_cost_measure(const struct track_ops *ops, struct track_cost *cost);

/* Pages that a transaction changes for whom trackers are compared. */
#define TRACK_COST_PAGES	8

/**
 * track_cost_walk() - what a transaction costs at most because the tracker walks over the region
 * @cost: what the tracker costs
 * @length: the region's bytes
 *
 * Return: nanoseconds.
 */
uint64_t track_cost_walk(const struct track_cost *cost, uint64_t length);

/**
 * track_cost_settle() - what it costs to settle a region
 * @cost: what the tracker costs
 * @length: the region's bytes
 *
 * Return: nanoseconds, 0 if that was not measured.
 */
uint64_t track_cost_settle(const struct track_cost *cost, uint64_t length);

/**
 * track_cost_rest() - what else a transaction of TRACK_COST_PAGES pages costs
 * @cost: what the tracker costs
 *
 * Return: nanoseconds.
 */
uint64_t track_cost_rest(const struct track_cost *cost);

/**
 * track_cost_patience() - how long a page may stay writable that does not change
 * @cost: what it costs
 *
 * A page that is left writable is compared at the end of each transaction until it changes
 * again; one that is not faults then.  Whoever waits until comparisons have cost as much as a
 * fault pays at most twice what the better choice would have cost, whatever the program does.
 * One that changes in each transaction is compared in either case.
 *
 * Return: ends of transactions, that of the last change counted; 0 if pages should not be left
 * writable at all.
 */
uint32_t track_cost_patience(const struct track_cost *cost);

#endif
