// SPDX-License-Identifier: GPL-2.0
/* Many threads append and flush at once, while another moves the head. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "logtest.h"
#include "reader.h"

#define THREADS 8
#define COMMITS 400

/* struct shared - what the threads share */
struct shared {
	struct log *log;
	atomic_uint_fast64_t watched;
	atomic_int failures;
	atomic_int running;
	unsigned int commits;
	unsigned int longest;
};

/* struct worker - a thread that commits */
struct worker {
	struct shared *shared;
	pthread_t thread;
	unsigned int number;
};

static void watch(void *arg, uint64_t durable)
{
	struct shared *s = arg;

	if (durable <= s->watched)
		s->failures++;
	s->watched = durable;
}

/* Each thread has its own bytes of the segment, each record the number of its commit. */
static void *commit_all(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->shared;
	unsigned char *bytes = malloc(s->longest);
	unsigned int seed = w->number, i;
	uint64_t last = 0;

	for (i = 1; i <= s->commits; i++) {
		struct log_range r = { .segment = 1, .offset = w->number * 4096, .data = bytes };
		uint64_t lsn;
		int err;

		r.length = 4 + rand_r(&seed) % (s->longest - 4);
		memset(bytes, w->number, r.length);
		memcpy(bytes, &i, 4);
		do {
			err = log_append(s->log, w->number, &r, 1, &lsn);
			if (err == -ENOSPC)
				usleep(50);	/* the head is moved by another thread */
		} while (err == -ENOSPC);
		if (!err && i % 4)
			err = log_flush(s->log, lsn);
		if (err || lsn <= last || (i % 4 && log_durable(s->log) < lsn) ||
		    (i % 4 && s->watched < lsn))
			s->failures++;
		last = lsn;
	}
	free(bytes);
	s->running--;
	return NULL;
}

static void *move_head(void *arg)
{
	struct shared *s = arg;

	while (s->running) {
		struct log_state state;

		log_state(s->log, &state);
		if (state.head > state.durable || state.durable > state.tail ||
		    state.tail - state.head > state.size)
			s->failures++;
		if (log_used(s->log) > state.size / 2 && (log_flush(s->log, state.tail) ||
							  log_set_head(s->log, state.durable)))
			s->failures++;
		usleep(100);
	}
	return NULL;
}

FIXTURE(threads)
{
	struct shared shared;
	struct worker workers[THREADS];
	pthread_t mover;
};

FIXTURE_VARIANT(threads)
{
	uint64_t area;
	unsigned int longest;
};

FIXTURE_VARIANT_ADD(threads, short_records)
{
	.area = 1 << 20,
	.longest = 600,
};

FIXTURE_VARIANT_ADD(threads, a_log_that_is_full_all_the_time)
{
	.area = 16384,
	.longest = 2000,
};

FIXTURE_VARIANT_ADD(threads, records_longer_than_the_buffer)
{
	.area = 1 << 20,
	.longest = 60000,
};

FIXTURE_SETUP(threads)
{
	order_excused = true;	/* the log alone: its head moves without a segment */
	ASSERT_EQ(0, make_disk(variant->area));
	ASSERT_EQ(0, open_log(0, &self->shared.log));
	log_watch(self->shared.log, watch, &self->shared);
	self->shared.longest = variant->longest;
	self->shared.commits = COMMITS;
}

FIXTURE_TEARDOWN(threads)
{
	ASSERT_EQ(0, log_close(self->shared.log));
}

/* Walks the records that are left: each thread's numbers must rise one by one. */
static int check_order(struct log *log, unsigned int commits)
{
	unsigned int last[THREADS] = {};
	struct format_record record;
	struct format_status status;
	struct log_state state;
	struct reader reader;
	const char *why;
	uint64_t lsn;
	int err;

	log_state(log, &state);
	log_status(log, &status);
	err = reader_init(&reader, log_file(log), &status);
	for (lsn = state.head; !err && lsn < state.durable; lsn += record.length) {
		const uint32_t *number;

		err = reader_record(&reader, lsn, state.durable, &record, &why);
		if (err || record.type == FORMAT_PAD)
			continue;
		err = reader_get(&reader, lsn + 64, 4, (const void **)&number);
		if (last[record.tid] && *number != last[record.tid] + 1)
			err = -ENOMSG;
		last[record.tid] = *number;
	}
	reader_free(&reader);
	return err;
}

TEST_F_TIMEOUT(threads, lose_nothing_and_keep_their_order, 300)
{
	struct shared *s = &self->shared;
	struct log_state state;
	unsigned int i;

	s->running = THREADS;
	for (i = 0; i < THREADS; i++) {
		self->workers[i].shared = s;
		self->workers[i].number = i;
		ASSERT_EQ(0, pthread_create(&self->workers[i].thread, NULL, commit_all,
					    &self->workers[i]));
	}
	ASSERT_EQ(0, pthread_create(&self->mover, NULL, move_head, s));
	for (i = 0; i < THREADS; i++)
		pthread_join(self->workers[i].thread, NULL);
	pthread_join(self->mover, NULL);
	ASSERT_EQ(0, atomic_load(&s->failures)) {
		TH_LOG("%s", err_text());
	}
	log_state(s->log, &state);
	ASSERT_EQ(0, log_flush(s->log, state.tail));
	ASSERT_EQ(0, check_order(s->log, COMMITS));
	TH_LOG("%u commits, %llu flushes", THREADS * COMMITS, (unsigned long long)state.flushes);
}

static ssize_t (*plain_pwritev)(int fd, const struct iovec *iov, int count, uint64_t offset,
				bool sync);

static ssize_t slow_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	usleep(1000);	/* a disk that takes its time: others gather meanwhile */
	return plain_pwritev(fd, iov, count, offset, sync);
}

TEST(threads_share_flushes)
{
	struct worker workers[THREADS];
	struct shared s = { .longest = 100, .commits = 50, .running = THREADS };
	struct log_state state;
	unsigned int i;

	ASSERT_EQ(0, make_disk(1 << 20));
	plain_pwritev = os.pwritev;
	os.pwritev = slow_pwritev;
	ASSERT_EQ(0, open_log(0, &s.log));
	log_watch(s.log, watch, &s);
	for (i = 0; i < THREADS; i++) {
		workers[i].shared = &s;
		workers[i].number = i;
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, commit_all, &workers[i]));
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	ASSERT_EQ(0, atomic_load(&s.failures));
	log_state(s.log, &state);
	TH_LOG("%u commits, %llu flushes", THREADS * 50, (unsigned long long)state.flushes);
	ASSERT_LT(state.flushes, THREADS * 50 / 2);
	ASSERT_EQ(0, log_close(s.log));
}

TEST(a_failed_flush_fails_for_all_who_wait)
{
	struct worker workers[THREADS];
	struct shared s = { .longest = 100, .commits = COMMITS, .running = THREADS };
	unsigned int i;

	ASSERT_EQ(0, make_disk(4 << 20));
	ASSERT_EQ(0, open_log(0, &s.log));
	mem_fail(50, -EIO, false);
	for (i = 0; i < THREADS; i++) {
		workers[i].shared = &s;
		workers[i].number = i;
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, commit_all, &workers[i]));
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	ASSERT_GT(atomic_load(&s.failures), THREADS * COMMITS / 2);
	ASSERT_EQ(-EIO, log_error(s.log));
	ASSERT_EQ(-EIO, log_close(s.log));
}

TEST_HARNESS_MAIN
