/* SPDX-License-Identifier: GPL-2.0 */
/* The subjects: the ways to make a transaction that are compared. */
#ifndef SELFTESTS_BENCH_SUBJECT_H
#define SELFTESTS_BENCH_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rvm/rvm.h>

#include "workload.h"

#define SUBJECTS_MAX	12

struct actor;

/**
 * struct subject - one way to make a transaction
 * @name: what it is called in the table
 * @flag: RVM_TRACK_* of its region; 0: it changes memory that belongs to none
 * @mode: its transactions begin with it
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
	rvm_mode_t mode;
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
 * @next: the page that a sequential workload changes next
 * @done: transactions so far
 */
struct actor {
	struct subject *subject;
	const struct workload *workload;
	rvm_tid_t tid;
	char *base;
	unsigned int id;
	uint64_t random;
	uint64_t next;
	uint64_t done;
};

/** actor_declare() - say that bytes will change, if the subject is one that must */
static inline void actor_declare(struct actor *actor, void *bytes, size_t length)
{
	if (actor->subject->change)
		actor->subject->change(actor, bytes, length);
}

/** actor_change() - change @length bytes to values that they did not have */
static inline void actor_change(struct actor *actor, char *bytes, size_t length)
{
	uint64_t word = actor->random | 1;
	size_t i;

	actor_declare(actor, bytes, length);
	for (i = 0; i + sizeof(word) <= length; i += sizeof(word))
		*(uint64_t *)(bytes + i) += word;
	for (; i < length; i++)
		bytes[i]++;
}

/** subjects_all() - all of them; they are closed */
struct subject *subjects_all(unsigned int *count);

#define SUBJECTS_LOG	(32UL << 20)

/** subjects_open() - initialize the library with a log in @dir, of SUBJECTS_LOG bytes or so many */
void subjects_open(const char *dir, size_t log);

/** subjects_close() - terminate the library; all subjects are closed */
void subjects_close(void);

/** subject_is() - is it that one? */
static inline bool subject_is(const struct subject *subject, const char *name)
{
	return !strcmp(subject->name, name);
}

/**
 * subject_open() - give a subject its memory or its file
 * @subject: which
 * @dir: directory of its files
 * @workload: what it will be used for
 * @tell: say why it is not to be had
 *
 * Sets @here.  Any error but the lack of a tracker ends the program.
 */
void subject_open(struct subject *subject, const char *dir, const struct workload *workload,
		  bool tell);

/** subject_close() - give back what it has, if it is here */
void subject_close(struct subject *subject, const struct workload *workload);

#endif
