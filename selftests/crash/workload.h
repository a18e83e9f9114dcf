/* SPDX-License-Identifier: GPL-2.0 */
/* What the transactions do: everything follows from thread and number, nothing is remembered. */
#ifndef SELFTESTS_CRASH_WORKLOAD_H
#define SELFTESTS_CRASH_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#define WORK_THREADS	4	/* that change their own areas */
#define WORK_ROUNDS	64	/* places in a thread's ring */
#define WORK_BYTES	(96 * 1024UL)	/* of each area's data */
#define WORK_WRITES	6	/* of one transaction, at most */

/**
 * struct work_head - what a thread says of itself, at the start of its area
 * @number: its last transaction
 * @order: the place in the order of commits of its transaction n is at n % WORK_ROUNDS; 0: none
 */
struct work_head {
	uint64_t number;
	uint64_t order[WORK_ROUNDS];
};

/**
 * struct work_area - what one thread changes
 * @head: counts the transactions
 * @page: gives the head a page of its own
 * @data: scribbled on
 */
struct work_area {
	union {
		struct work_head head;
		char page[4096];
	};
	char data[WORK_BYTES];
};

/**
 * struct work_write - one contiguous change of a transaction
 * @offset: first byte in the data
 * @length: bytes
 * @seed: makes the new bytes
 */
struct work_write {
	size_t offset;
	size_t length;
	uint64_t seed;
};

/**
 * struct work - a transaction
 * @count: writes
 * @write: the writes, in order; they may overlap
 */
struct work {
	unsigned int count;
	struct work_write write[WORK_WRITES];
};

/**
 * work_random() - a step of a small generator
 * @state: its state
 *
 * Return: the next number.
 */
uint64_t work_random(uint64_t *state);

/**
 * work_plan() - what transaction @number of @thread changes
 * @work: filled in
 * @thread: from 0; threads from WORK_THREADS on are those whose transactions abort
 * @number: from 1
 */
void work_plan(struct work *work, unsigned int thread, uint64_t number);

/**
 * work_fill() - the new bytes of one write
 * @write: the write
 * @to: write->length bytes
 */
void work_fill(const struct work_write *write, char *to);

/**
 * work_replay() - make data what it is after transactions (@from, @to] of @thread
 * @data: WORK_BYTES, as they are after transaction @from
 * @thread: from 0
 * @from: 0 for data that are all zero
 * @to: the last transaction
 */
void work_replay(char *data, unsigned int thread, uint64_t from, uint64_t to);

#endif
