/* SPDX-License-Identifier: GPL-2.0 */
/* A log whose writes end when the test lets them, and threads that commit to it. */
#ifndef SELFTESTS_LIB_GATED_H
#define SELFTESTS_LIB_GATED_H

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "logtest.h"

#define THREADS	9
#define SOON_MS	5000
#define AWHILE	20000	/* us: time enough for what must not happen */

/* Writes begin as the library makes them, and end when the test lets them. */
static struct {
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync);
	atomic_uint begun;
	unsigned int fails;	/* the write of that number does, from 1 */
	sem_t end[THREADS];
} disk;

static inline ssize_t gated_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
				    bool sync)
{
	unsigned int i = atomic_fetch_add(&disk.begun, 1);

	if (i < THREADS)
		sem_wait(&disk.end[i]);
	if (i + 1 == disk.fails)
		return -EIO;
	return disk.pwritev(fd, iov, count, offset, sync);
}

/* struct committer - a thread that makes one commit durable */
struct committer {
	struct log *log;
	uint64_t lsn;
	pthread_t thread;
	atomic_int tid;		/* 0: it has not appended yet */
	atomic_int result;	/* 1: it is not back yet */
};

static inline void *commit(void *arg)
{
	struct committer *c = arg;
	char byte = 'x';
	struct log_range r = { .segment = 1, .length = 1, .data = &byte };
	uint64_t lsn;
	int err;

	err = log_append(c->log, 1, &r, 1, &lsn);
	c->lsn = lsn;
	c->tid = gettid();
	if (!err)
		err = log_flush(c->log, lsn);
	if (!err && log_durable(c->log) < lsn)
		err = -1;
	c->result = err;
	return NULL;
}

FIXTURE(groups)
{
	struct log *log;
	struct committer committers[THREADS];
	unsigned int started;
};

FIXTURE_SETUP(groups)
{
	unsigned int i;

	ASSERT_EQ(0, make_disk(1 << 20));
	ASSERT_EQ(0, open_log(0, &self->log));
	memset(&disk, 0, sizeof(disk));
	for (i = 0; i < THREADS; i++)
		sem_init(&disk.end[i], 0, 0);
	disk.pwritev = os.pwritev;
	os.pwritev = gated_pwritev;
	self->started = 0;
}

FIXTURE_TEARDOWN(groups)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		sem_post(&disk.end[i]);
	for (i = 0; i < self->started; i++)
		pthread_join(self->committers[i].thread, NULL);
	os.pwritev = disk.pwritev;
	ASSERT_EQ(0, log_close(self->log));
}

static inline bool sleeps(pid_t tid)
{
	char path[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (file)
		fclose(file);
	return state == 'S';
}

/* Starts a committer and waits until it has appended its record and waits, too. */
static inline int start(FIXTURE_DATA(groups) *self)
{
	struct committer *c = &self->committers[self->started];
	unsigned int ms, asleep = 0;

	c->log = self->log;
	c->result = 1;
	if (pthread_create(&c->thread, NULL, commit, c))
		return -1;
	self->started++;
	for (ms = 0; ms < SOON_MS && asleep < 3; ms++) {
		usleep(1000);
		asleep = c->tid && sleeps(c->tid) ? asleep + 1 : 0;
	}
	return asleep < 3;
}

static inline bool comes(atomic_uint *value, unsigned int expected)
{
	unsigned int ms;

	for (ms = 0; ms < SOON_MS && *value < expected; ms++)
		usleep(1000);
	return *value == expected;
}

/* So many writes have begun, and no more do by themselves. */
static inline bool have_begun(unsigned int expected)
{
	if (!comes(&disk.begun, expected))
		return false;
	usleep(AWHILE);
	return disk.begun == expected;
}

/* The committers from @first to @last come back. */
static inline bool are_back(FIXTURE_DATA(groups) *self, unsigned int first, unsigned int last)
{
	unsigned int i, ms;

	for (ms = 0; ms < SOON_MS; ms++) {
		for (i = first; i <= last && !self->committers[i].result; i++)
			continue;
		if (i > last)
			return true;
		usleep(1000);
	}
	return false;
}

/* What the commit of that number comes to; 1: it does not come back. */
static inline int result_of(FIXTURE_DATA(groups) *self, unsigned int i)
{
	unsigned int ms;

	for (ms = 0; ms < SOON_MS && self->committers[i].result == 1; ms++)
		usleep(1000);
	return self->committers[i].result;
}

static inline bool nobody_is_back(FIXTURE_DATA(groups) *self, unsigned int first)
{
	unsigned int i;

	usleep(AWHILE);
	for (i = first; i < self->started; i++)
		if (self->committers[i].result != 1)
			return false;
	return true;
}

/* What may last is done by a thread, so that the test goes on. */
struct call {
	int (*fn)(struct log *log, uint64_t lsn);
	struct log *log;
	uint64_t lsn;
	pthread_t thread;
	atomic_int result;	/* 1: it is not back yet */
};

static inline void *make_call(void *arg)
{
	struct call *call = arg;

	call->result = call->fn(call->log, call->lsn);
	return NULL;
}

static inline int begin_call(struct call *call, struct log *log, uint64_t lsn,
			     int (*fn)(struct log *log, uint64_t lsn))
{
	call->fn = fn;
	call->log = log;
	call->lsn = lsn;
	call->result = 1;
	return pthread_create(&call->thread, NULL, make_call, call);
}

static inline bool is_out(const struct call *call)
{
	usleep(AWHILE);
	return call->result == 1;
}

static inline int end_call(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->result;
}

static inline void let_all_end(void)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		sem_post(&disk.end[i]);
}

/* Five commit: two groups of one, which end, and one of three, which has begun. */
static inline bool three_are_on_their_way(FIXTURE_DATA(groups) *self)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		if (start(self))
			return false;
	sem_post(&disk.end[0]);
	if (!have_begun(3))
		return false;
	sem_post(&disk.end[1]);
	return are_back(self, 0, 1);
}

static inline int wait_a_bit(struct log *log, uint64_t lsn)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 50000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return log_wait(log, lsn, &until);
}

#endif
