/* SPDX-License-Identifier: GPL-2.0 */
/* The subjects: the ways to make a transaction that are compared. */
#ifndef SELFTESTS_BENCH_SUBJECT_H
#define SELFTESTS_BENCH_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rvm/rvm.h>

#include "workload.h"

#define SUBJECTS_MAX	8

struct actor;

/**
 * struct subject - one way to make a transaction
 * @name: what it is called in the table
 * @flag: RVM_TRACK_* of its region
 * @limit: it does no more than a log must: write as many bytes and sync them
 * @begin: begin a transaction
 * @change: declare bytes before they change; NULL: nobody needs to
 * @end: end it
 * @here: it works on this machine
 * @region: where it is mapped, for what maps a region
 * @base: the memory that it changes
 * @fd: the file that a limit writes
 * @place: where a limit writes next
 * @record: bytes that a limit writes a transaction
 * @buffer: of these bytes, aligned
 */
struct subject {
	const char *name;
	unsigned long flag;
	bool limit;
	void (*begin)(struct actor *actor);
	void (*change)(struct actor *actor, void *bytes, size_t length);
	void (*end)(struct actor *actor);
	bool here;
	rvm_region_t region;
	char *base;
	int fd;
	size_t place;
	size_t record;
	void *buffer;
};

/**
 * struct actor - a thread that makes transactions
 * @subject: how
 * @workload: which
 * @tid: the transaction under way
 * @base: the memory that it changes
 * @id: from 0
 * @random: state of its generator
 * @done: transactions so far
 */
struct actor {
	struct subject *subject;
	const struct workload *workload;
	rvm_tid_t tid;
	char *base;
	unsigned int id;
	uint64_t random;
	uint64_t done;
};

/** actor_change() - change @length bytes to values that they did not have */
static inline void actor_change(struct actor *actor, char *bytes, size_t length)
{
	uint64_t word = actor->random | 1;
	size_t i;

	if (actor->subject->change)
		actor->subject->change(actor, bytes, length);
	for (i = 0; i + sizeof(word) <= length; i += sizeof(word))
		*(uint64_t *)(bytes + i) += word;
	for (; i < length; i++)
		bytes[i]++;
}

/**
 * subjects_open() - initialize the library and map a region for each subject
 * @dir: directory for log, segments and other files
 * @workload: what they will be used for
 * @only: name of the only subject beside set_range, or NULL
 * @tell: say why a subject is not here
 * @count: how many subjects there are; those not here have @here unset
 *
 * Ends the program after an error.  Return: the subjects.
 */
struct subject *subjects_open(const char *dir, const struct workload *workload,
			      const char *only, bool tell, unsigned int *count);

/** subjects_close() - unmap all regions and terminate the library */
void subjects_close(void);

#endif
