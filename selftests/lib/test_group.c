// SPDX-License-Identifier: GPL-2.0
/* Groups of records: when one begins beside another, and who goes on when it is written. */
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

static ssize_t gated_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
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

static void *commit(void *arg)
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

static atomic_uint heard;

static void hear(void *arg, uint64_t durable)
{
	heard++;
}

/* The one before it is on the disk, and nobody is told so. */
TEST_F(groups, a_later_one_that_failed_ends_the_one_that_arrives_after_it)
{
	uint64_t durable;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, start(self));
		ASSERT_TRUE(have_begun(i + 1));
	}
	disk.fails = 2;
	sem_post(&disk.end[1]);
	for (i = 0; i < SOON_MS && self->committers[1].result == 1; i++)
		usleep(1000);
	EXPECT_EQ(-EIO, atomic_load(&self->committers[1].result));
	durable = log_durable(self->log);
	log_watch(self->log, hear, NULL);
	sem_post(&disk.end[0]);
	for (i = 0; i < SOON_MS && self->committers[0].result == 1; i++)
		usleep(1000);
	EXPECT_EQ(-EIO, atomic_load(&self->committers[0].result));
	EXPECT_EQ(durable, log_durable(self->log));
	EXPECT_EQ(0, atomic_load(&heard));
	EXPECT_EQ(-EIO, log_close(self->log));
	os.pwritev = disk.pwritev;
	ASSERT_EQ(0, open_log(0, &self->log));
}

/* What may last is done by a thread, so that the test goes on. */
struct call {
	int (*fn)(struct log *log, uint64_t lsn);
	struct log *log;
	uint64_t lsn;
	pthread_t thread;
	atomic_int result;	/* 1: it is not back yet */
};

static void *make_call(void *arg)
{
	struct call *call = arg;

	call->result = call->fn(call->log, call->lsn);
	return NULL;
}

static int begin_call(struct call *call, struct log *log, uint64_t lsn,
		      int (*fn)(struct log *log, uint64_t lsn))
{
	call->fn = fn;
	call->log = log;
	call->lsn = lsn;
	call->result = 1;
	return pthread_create(&call->thread, NULL, make_call, call);
}

static bool is_out(const struct call *call)
{
	usleep(AWHILE);
	return call->result == 1;
}

static int end_call(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->result;
}

static void let_all_end(void)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		sem_post(&disk.end[i]);
}

#define RING	16384U	/* the smallest, and what log_open(0) has */

static char zeros[4 * RING];

/* A record of so many bytes in the log, its header and all included. */
static int append_long(struct log *log, uint64_t length)
{
	struct log_range r = { .segment = 1, .length = length - 64 - 16, .data = zeros };
	uint64_t lsn;

	return log_append(log, 1, &r, 1, &lsn);
}

static int spool_long(struct log *log, uint64_t length)
{
	struct log_range r = { .segment = 1, .length = length - 64 - 16, .data = zeros };
	uint64_t lsn;

	return log_spool(log, 2, &r, 1, &lsn);
}

/* Nothing of it is written, and there is room for 128 bytes and what must stay free. */
static int fill_ring(struct log *log)
{
	static const uint64_t lengths[] = { 8192, 4096, 2048, 512, 256, 128 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(lengths) && !err; i++)
		err = append_long(log, lengths[i]);
	return err;
}

/* The same, and that much is merged. */
static int fill_both(struct log *log, uint64_t spooled)
{
	int err = fill_ring(log);

	return err ? err : spool_long(log, spooled);
}

static int freeze(struct log *log, uint64_t ignored)
{
	log_freeze(log);
	return 0;
}

TEST_F(groups, a_record_on_its_way_is_ended_before_the_log_is_frozen)
{
	struct call append, stop;

	ASSERT_EQ(0, begin_call(&append, self->log, 2 * RING, append_long));
	ASSERT_TRUE(have_begun(1));
	ASSERT_EQ(0, begin_call(&stop, self->log, 0, freeze));
	EXPECT_TRUE(is_out(&stop));
	let_all_end();
	EXPECT_EQ(0, end_call(&append));
	EXPECT_EQ(0, end_call(&stop));
	ASSERT_EQ(0, begin_call(&append, self->log, 128, append_long));
	EXPECT_TRUE(is_out(&append));
	log_thaw(self->log);
	EXPECT_EQ(0, end_call(&append));
}

/* The ring is full to its last byte when the record ends: its padding is a group of its own. */
TEST_F(groups, a_record_that_fills_the_ring_is_padded_later)
{
	struct log_state state;

	let_all_end();
	ASSERT_EQ(0, append_long(self->log, 2 * RING));
	log_state(self->log, &state);
	ASSERT_LT(state.durable, state.tail);
	EXPECT_EQ(0, log_flush(self->log, state.tail));
	log_state(self->log, &state);
	EXPECT_EQ(state.tail, state.durable);
}

static sem_t watched, watch_on;

static void hold_on(void *arg, uint64_t durable)
{
	sem_post(&watched);
	sem_wait(&watch_on);
}

static int watch_nothing(struct log *log, uint64_t ignored)
{
	log_watch(log, NULL, NULL);
	return 0;
}

TEST_F(groups, a_watch_is_not_taken_away_while_it_is_told)
{
	struct call call;

	sem_init(&watched, 0, 0);
	sem_init(&watch_on, 0, 0);
	log_watch(self->log, hold_on, NULL);
	ASSERT_EQ(0, start(self));
	let_all_end();
	sem_wait(&watched);
	ASSERT_EQ(0, begin_call(&call, self->log, 0, watch_nothing));
	EXPECT_TRUE(is_out(&call));
	sem_post(&watch_on);
	EXPECT_EQ(0, end_call(&call));
	EXPECT_TRUE(are_back(self, 0, 0));
}

static int ask(struct log *log, uint64_t ignored)
{
	struct format_status status;

	log_status(log, &status);
	return 0;
}

/* struct keeper - who keeps what truncation frees: what it saw when it was told of the head */
struct keeper {
	struct log *log;
	struct call call;
	bool alone;
};

static void ask_beside(void *arg, uint64_t head)
{
	struct keeper *keeper = arg;

	keeper->alone = !begin_call(&keeper->call, keeper->log, 0, ask) && is_out(&keeper->call);
}

TEST_F(groups, who_keeps_records_is_told_of_a_head_that_does_not_move_meanwhile)
{
	struct keeper keeper = { .log = self->log };

	let_all_end();
	log_keep(self->log, ask_beside, &keeper);
	EXPECT_TRUE(keeper.alone);
	EXPECT_EQ(0, end_call(&keeper.call));
	log_keep(self->log, NULL, NULL);
}

/* The merged transactions find no room in the ring until what fills it was written. */
TEST_F(groups, a_full_ring_is_written_before_the_spool_gets_in)
{
	struct log_state state;
	struct call call;

	ASSERT_EQ(0, fill_both(self->log, 400));
	ASSERT_EQ(0, begin_call(&call, self->log, 128, append_long));
	ASSERT_TRUE(have_begun(1));
	EXPECT_TRUE(is_out(&call));
	log_state(self->log, &state);
	EXPECT_EQ(1, state.spooled);
	let_all_end();
	EXPECT_EQ(0, end_call(&call));
	log_state(self->log, &state);
	EXPECT_EQ(0, state.spooled);
	EXPECT_EQ(0, log_flush(self->log, state.tail));
}

/* What fits beside two sectors that stay free fits. */
TEST_F(groups, a_spool_that_just_fits_gets_in_before_the_ring_is_written)
{
	struct log_state state;
	struct call call;

	ASSERT_EQ(0, fill_both(self->log, 128));
	ASSERT_EQ(0, begin_call(&call, self->log, 128, append_long));
	ASSERT_TRUE(have_begun(1));
	log_state(self->log, &state);
	EXPECT_EQ(0, state.spooled);
	let_all_end();
	EXPECT_EQ(0, end_call(&call));
}

TEST_F(groups, a_spool_that_is_full_waits_for_the_ring_as_well)
{
	struct log_state state;
	struct call call;

	ASSERT_EQ(0, fill_both(self->log, 400));
	ASSERT_EQ(0, begin_call(&call, self->log, 4000, spool_long));
	ASSERT_TRUE(have_begun(1));
	EXPECT_TRUE(is_out(&call));
	let_all_end();
	EXPECT_EQ(0, end_call(&call));
	log_state(self->log, &state);
	EXPECT_EQ(1, state.spooled);
	EXPECT_EQ(0, log_flush(self->log, state.tail));
}

/* All of the ring is on its way: there is nothing to lead until it has arrived. */
TEST_F(groups, who_finds_the_ring_on_its_way_waits_for_it)
{
	struct call first, second;
	struct log_state state;

	ASSERT_EQ(0, fill_ring(self->log));
	log_state(self->log, &state);
	ASSERT_EQ(0, begin_call(&first, self->log, state.tail, log_flush));
	ASSERT_TRUE(have_begun(1));
	ASSERT_EQ(0, spool_long(self->log, 400));
	log_state(self->log, &state);
	ASSERT_EQ(0, begin_call(&second, self->log, state.tail, log_flush));
	EXPECT_TRUE(have_begun(1));
	EXPECT_TRUE(is_out(&second));
	let_all_end();
	EXPECT_EQ(0, end_call(&first));
	EXPECT_EQ(0, end_call(&second));
	EXPECT_LE(state.tail, log_durable(self->log));
}

/* Nobody else would wake them: their group has not begun, and none will. */
TEST_F(groups, who_sleeps_is_told_of_a_write_that_failed)
{
	unsigned int i, ms;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(2));
	disk.fails = 1;
	sem_post(&disk.end[0]);
	for (i = 2; i < 5; i++) {
		for (ms = 0; ms < SOON_MS && self->committers[i].result == 1; ms++)
			usleep(1000);
		EXPECT_EQ(-EIO, atomic_load(&self->committers[i].result));
	}
	EXPECT_EQ(1, atomic_load(&self->committers[1].result));	/* it writes */
	sem_post(&disk.end[1]);
	for (ms = 0; ms < SOON_MS && self->committers[1].result == 1; ms++)
		usleep(1000);
	EXPECT_EQ(-EIO, log_close(self->log));
	os.pwritev = disk.pwritev;
	ASSERT_EQ(0, open_log(0, &self->log));
}

/* Else the next one would begin with few in it. */
TEST_F(groups, who_waits_for_one_on_its_way_does_not_count_for_the_next)
{
	struct call call;
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, start(self));
	sem_post(&disk.end[0]);
	ASSERT_TRUE(have_begun(3));
	sem_post(&disk.end[1]);
	ASSERT_TRUE(are_back(self, 0, 1));
	/* three are on their way, two wait, and one for what is on its way */
	ASSERT_EQ(0, begin_call(&call, self->log, self->committers[4].lsn, log_flush));
	usleep(AWHILE);
	ASSERT_EQ(0, start(self));
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(3));
	sem_post(&disk.end[2]);
	sem_post(&disk.end[3]);
	ASSERT_TRUE(are_back(self, 2, 6));
	pthread_join(call.thread, NULL);
	ASSERT_EQ(0, atomic_load(&call.result));
}

/* Each of those who wait for room is told that there will never be any. */
static ssize_t failing_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
			       bool sync)
{
	return -EIO;
}

TEST_F(groups, a_long_record_that_finds_no_room_at_all_is_told_of_the_error)
{
	struct log_state state;

	let_all_end();
	ASSERT_EQ(0, append_long(self->log, 2 * RING));
	ASSERT_EQ(0, append_long(self->log, 2 * RING));
	log_state(self->log, &state);
	EXPECT_EQ(0, log_flush(self->log, state.tail));
	ASSERT_EQ(0, append_long(self->log, 2 * RING));
	os.pwritev = failing_pwritev;
	EXPECT_EQ(-EIO, append_long(self->log, 2 * RING));
	EXPECT_EQ(-EIO, log_close(self->log));
	os.pwritev = mem_pwritev;
	ASSERT_EQ(0, open_log(0, &self->log));
}

TEST_F(groups, who_waits_for_room_is_told_of_the_error)
{
	uint64_t lsn = 0;

	ASSERT_EQ(0, fill_both(self->log, 400));
	os.pwritev = failing_pwritev;
	EXPECT_EQ(-EIO, append_long(self->log, 128));
	EXPECT_EQ(-EIO, log_flush(self->log, lsn));
	EXPECT_EQ(-EIO, spool_long(self->log, 128));
	EXPECT_EQ(-EIO, log_close(self->log));
	os.pwritev = mem_pwritev;
	ASSERT_EQ(0, open_log(0, &self->log));
	ASSERT_EQ(0, fill_both(self->log, 400));
	os.pwritev = failing_pwritev;
	EXPECT_EQ(-EIO, spool_long(self->log, 4000));
	EXPECT_EQ(-EIO, log_close(self->log));
	os.pwritev = mem_pwritev;
	ASSERT_EQ(0, open_log(0, &self->log));
}

/* Whatever part of a long record finds the disk broken, its transaction is not there. */
TEST_F(groups, a_record_on_its_way_that_fails_is_told)
{
	struct log_range r[2000];
	struct log_state state;
	unsigned int fail, i;
	uint64_t lsn;
	int err;

	for (i = 0; i < ARRAY_SIZE(r); i++)
		r[i] = (struct log_range){ .segment = 1, .offset = 16 * i, .length = 9,
					   .data = zeros };
	let_all_end();
	for (fail = 1, err = -1; err; fail++) {
		mem_fail(fail, -EIO, false);
		os.pwritev = mem_pwritev;
		err = log_append(self->log, fail, r, ARRAY_SIZE(r), &lsn);
		mem_heal();
		ASSERT_EQ(err, log_error(self->log));
		log_close(self->log);
		ASSERT_EQ(0, open_log(0, &self->log));
		log_state(self->log, &state);
	}
	EXPECT_LT(4, fail);
}

static int wait_a_bit(struct log *log, uint64_t lsn)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 50000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return log_wait(log, lsn, &until);
}

/* There is nothing that the flusher could do for who waits: all is on its way. */
TEST_F(groups, who_waits_for_what_is_on_its_way_begins_no_group)
{
	struct log_state state;

	log_set_interval(self->log, 10000);	/* of nobody */
	ASSERT_EQ(0, log_start_flusher(self->log, 10000));
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(1));
	log_state(self->log, &state);
	EXPECT_EQ(-ETIMEDOUT, wait_a_bit(self->log, state.tail));
	EXPECT_TRUE(have_begun(1));
	let_all_end();
	EXPECT_TRUE(are_back(self, 0, 0));
	EXPECT_EQ(0, wait_a_bit(self->log, state.tail));
}

/* Nor is there beside a record that is being streamed, while all of the ring is on its way. */
TEST_F(groups, who_waits_beside_a_long_record_begins_no_group_in_it)
{
	struct log_state state;
	struct call call;

	ASSERT_EQ(0, append_long(self->log, 128));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_start_flusher(self->log, 10000));
	ASSERT_EQ(0, begin_call(&call, self->log, 2 * RING, append_long));
	ASSERT_TRUE(have_begun(1));
	EXPECT_EQ(-ETIMEDOUT, wait_a_bit(self->log, state.tail));
	EXPECT_TRUE(have_begun(1));
	let_all_end();
	EXPECT_EQ(0, end_call(&call));
	EXPECT_EQ(0, log_flush(self->log, state.tail));
}

TEST_F(groups, a_flusher_that_is_told_not_to_write_stops_waiting)
{
	struct log_state state;
	unsigned int ms;

	let_all_end();
	ASSERT_EQ(0, log_start_flusher(self->log, 10000));
	ASSERT_EQ(0, spool_long(self->log, 128));
	usleep(AWHILE);
	log_set_interval(self->log, 0);
	usleep(AWHILE);
	log_state(self->log, &state);
	EXPECT_EQ(1, state.spooled);
	log_set_interval(self->log, 1);
	for (ms = 0; ms < SOON_MS && log_durable(self->log) < state.tail; ms++)
		usleep(1000);
	EXPECT_LE(state.tail, log_durable(self->log));
}

TEST_HARNESS_MAIN
