/* SPDX-License-Identifier: GPL-2.0 */
/* The oracle: what was acknowledged, kept where a crash of the worker cannot reach it. */
#ifndef SELFTESTS_CRASH_ORACLE_H
#define SELFTESTS_CRASH_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "workload.h"

/**
 * struct acknowledged - written by the worker, right after the library returned
 * @number: each thread's last transaction that is durable
 * @order: all transactions up to this place in the order are durable
 */
struct acknowledged {
	uint64_t number[WORK_THREADS];
	uint64_t order;
};

/**
 * struct oracle - an open oracle
 * @fd: a file that outlives the worker, with a struct acknowledged in it
 * @model: what the data of each thread must be after transaction @known
 * @known: see @model
 * @place: the last place in the order of commits that was found
 * @noted: called after each acknowledgment, unless it is NULL
 * @arg: its first argument
 */
struct oracle {
	int fd;
	uint64_t known[WORK_THREADS];
	uint64_t place;
	void (*noted)(void *arg, size_t offset, uint64_t value);
	void *arg;
	char model[WORK_THREADS][WORK_BYTES];
};

/**
 * struct verdict - how strictly a recovered region is judged
 * @flushed: commits were in flush mode: at most one in flight a thread
 * @ordered: the ring tells the order of all commits: no holes
 */
struct verdict {
	bool flushed;
	bool ordered;
};

/**
 * oracle_open() - an oracle in memory that forked children share
 * @path: the file to write acknowledgments to; NULL: one without a name
 *
 * Return: the oracle, or NULL with errno.
 */
struct oracle *oracle_open(const char *path);

/** oracle_close() - undo oracle_open() */
void oracle_close(struct oracle *oracle);

/**
 * oracle_note() - write one number of struct acknowledged, at once
 * @oracle: the oracle
 * @offset: offsetof() it
 * @value: the number
 */
void oracle_note(struct oracle *oracle, size_t offset, uint64_t value);

/**
 * oracle_read() - read what was acknowledged
 * @oracle: the oracle
 * @acknowledged: filled in
 *
 * Return: true, or false with errno.
 */
bool oracle_read(struct oracle *oracle, struct acknowledged *acknowledged);

/**
 * oracle_agrees() - is what was found not less than what has been acknowledged since?
 * @oracle: the oracle
 *
 * Return: true if it is not.
 */
bool oracle_agrees(struct oracle *oracle);

/**
 * oracle_judge() - compare a recovered region with what was acknowledged
 * @oracle: the oracle; its model moves on to what was found
 * @area: the areas of all threads
 * @verdict: how strictly
 * @why: filled with the first contradiction
 * @size: room in @why
 *
 * Return: true if everything acknowledged is there, each transaction is wholly there or wholly
 * absent, and no commit is missing before one that is there.
 */
bool oracle_judge(struct oracle *oracle, const struct work_area *area,
		  const struct verdict *verdict, char *why, size_t size);

#endif
