// SPDX-License-Identifier: GPL-2.0
/* Groups of records: when one begins beside another, and who goes on when it is written. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
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
	sem_t end[THREADS];
} disk;

static ssize_t gated_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
			     bool sync)
{
	unsigned int i = atomic_fetch_add(&disk.begun, 1);

	if (i < THREADS)
		sem_wait(&disk.end[i]);
	return disk.pwritev(fd, iov, count, offset, sync);
}

/* struct committer - a thread that makes one commit durable */
struct committer {
	struct log *log;
	pthread_t thread;
	atomic_int tid;		/* 0: it has not appended yet */
	atomic_int result;	/* 1: it is not back yet */
};

static void *commit(void *arg)
{
	struct committer *c = arg;
	char byte = 'x';
	struct log_range r = { .segment = 1, .length = 1, .data = &byte };
	uint64_t lsn;
	int err;

	err = log_append(c->log, 1, &r, 1, &lsn);
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

static bool sleeps(pid_t tid)
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
static int start(FIXTURE_DATA(groups) *self)
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

static bool comes(atomic_uint *value, unsigned int expected)
{
	unsigned int ms;

	for (ms = 0; ms < SOON_MS && *value < expected; ms++)
		usleep(1000);
	return *value == expected;
}

/* So many writes have begun, and no more do by themselves. */
static bool have_begun(unsigned int expected)
{
	if (!comes(&disk.begun, expected))
		return false;
	usleep(AWHILE);
	return disk.begun == expected;
}

/* The committers from @first to @last come back. */
static bool are_back(FIXTURE_DATA(groups) *self, unsigned int first, unsigned int last)
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

static bool nobody_is_back(FIXTURE_DATA(groups) *self, unsigned int first)
{
	unsigned int i;

	usleep(AWHILE);
	for (i = first; i < self->started; i++)
		if (self->committers[i].result != 1)
			return false;
	return true;
}

TEST_F(groups, a_lone_thread_does_not_wait_nor_does_one_beside_it)
{
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(1));
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(2));
	sem_post(&disk.end[0]);
	ASSERT_TRUE(are_back(self, 0, 0));
	ASSERT_TRUE(nobody_is_back(self, 1));
}

TEST_F(groups, who_comes_while_all_places_are_taken_is_one_group)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(2));
	sem_post(&disk.end[0]);
	ASSERT_TRUE(have_begun(3));
	sem_post(&disk.end[1]);
	sem_post(&disk.end[2]);
	ASSERT_TRUE(are_back(self, 0, 4));
	ASSERT_EQ(3, atomic_load(&disk.begun));
}

TEST_F(groups, one_begins_beside_another_when_as_many_wait)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, start(self));
	sem_post(&disk.end[0]);
	ASSERT_TRUE(have_begun(3));
	sem_post(&disk.end[1]);
	ASSERT_TRUE(are_back(self, 0, 1));
	/* three are on their way */
	ASSERT_EQ(0, start(self));
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(3));
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(4));
}

TEST_F(groups, one_begins_when_the_other_is_done_however_few_wait)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, start(self));
	sem_post(&disk.end[0]);
	ASSERT_TRUE(have_begun(3));
	sem_post(&disk.end[1]);
	ASSERT_TRUE(are_back(self, 0, 1));
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(3));
	sem_post(&disk.end[2]);
	ASSERT_TRUE(have_begun(4));
	sem_post(&disk.end[3]);
	ASSERT_TRUE(are_back(self, 2, 5));
}

TEST_F(groups, a_later_one_that_is_done_first_lets_nobody_go_on)
{
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(1));
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(2));
	sem_post(&disk.end[1]);
	ASSERT_TRUE(nobody_is_back(self, 0));
	sem_post(&disk.end[0]);
	ASSERT_TRUE(are_back(self, 0, 1));
}

TEST_HARNESS_MAIN
