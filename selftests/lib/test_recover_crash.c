// SPDX-License-Identifier: GPL-2.0
/* Power is lost at each call of a workload: no acknowledged transaction is lost. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "recovery.h"

FIXTURE(crash)
{
	struct log *log;
	uint64_t acked;
};

FIXTURE_VARIANT(crash)
{
	uint64_t area;
	bool separate_syncs;
	bool reopen;
	bool meanwhile;
	bool overlap;
	bool spool;
};

FIXTURE_VARIANT_ADD(crash, a_tiny_log)
{
	.area = 4096,
};

FIXTURE_VARIANT_ADD(crash, a_small_log)
{
	.area = 8192,
};

FIXTURE_VARIANT_ADD(crash, a_log_that_is_never_full)
{
	.area = 131072,
};

FIXTURE_VARIANT_ADD(crash, separate_syncs)
{
	.area = 8192,
	.separate_syncs = true,
};

FIXTURE_VARIANT_ADD(crash, closed_and_opened_in_between)
{
	.area = 8192,
	.reopen = true,
};

FIXTURE_VARIANT_ADD(crash, others_append_while_one_flushes)
{
	.area = 12288,
	.meanwhile = true,
};

FIXTURE_VARIANT_ADD(crash, others_append_while_one_flushes_and_syncs)
{
	.area = 12288,
	.separate_syncs = true,
	.meanwhile = true,
};

FIXTURE_VARIANT_ADD(crash, a_later_group_is_written_before_an_earlier_one)
{
	.area = 16384,
	.overlap = true,
};

FIXTURE_VARIANT_ADD(crash, merged_while_nobody_waits)
{
	.area = 16384,
	.spool = true,
};

FIXTURE_VARIANT_ADD(crash, merged_while_one_flushes_and_syncs)
{
	.area = 16384,
	.separate_syncs = true,
	.meanwhile = true,
	.spool = true,
};

/* The next transaction's number, and the log that gets one more at each write, or NULL. */
static uint64_t next_number;
static struct log *meanwhile;

/*
 * A second thread that appends and flushes while a write of the first one is about to be made.
 *
 * @log: the log, or NULL while nobody shall
 * @thread: it, if @running
 * @written: its own write was made, or there will be none
 */
static struct {
	struct log *log;
	pthread_t thread;
	bool running;
	atomic_bool written;
} second;

static void *flush_next(void *arg)
{
	uint64_t lsn;

	if (!append_tx(arg, next_number, MOST, &lsn)) {
		next_number++;
		log_flush(arg, lsn);
	}
	second.written = true;
	return NULL;
}

static void join_second(void)
{
	if (second.running)
		pthread_join(second.thread, NULL);
	second.running = false;
}

/* The write of the second thread gets to the disk before that of the first. */
static ssize_t write_after_another(int fd, const struct iovec *iov, int count, uint64_t offset,
				   bool sync)
{
	struct log *log = second.log;
	ssize_t n;

	if (mem_file(fd) != mem_find(LOG))
		return mem_pwritev(fd, iov, count, offset, sync);
	if (second.running && pthread_equal(second.thread, pthread_self())) {
		n = mem_pwritev(fd, iov, count, offset, sync);
		second.written = true;
		return n;
	}
	if (log && !second.running) {
		second.written = false;
		second.running = true;
		if (pthread_create(&second.thread, NULL, flush_next, log))
			abort();
		while (!second.written)
			sched_yield();
	}
	return mem_pwritev(fd, iov, count, offset, sync);
}

/* Another thread appends while this one writes: the log's lock is free then. */
static ssize_t append_and_write(int fd, const struct iovec *iov, int count, uint64_t offset,
				bool sync)
{
	struct log *log = meanwhile;
	uint64_t lsn;

	if (log && mem_file(fd) == mem_find(LOG)) {
		meanwhile = NULL;
		if (!append_tx(log, next_number, MOST, &lsn))
			next_number++;
		meanwhile = log;
	}
	return mem_pwritev(fd, iov, count, offset, sync);
}

FIXTURE_SETUP(crash)
{
	append_by = variant->spool ? log_spool : log_append;
}

FIXTURE_TEARDOWN(crash)
{
	append_by = log_append;
}

/* Closing flushes nothing, so what must be there after it is flushed before. */
static int close_and_open(struct log **log, uint64_t lsn, uint64_t number, uint64_t *acked)
{
	int err = log_flush(*log, lsn);

	if (err)
		return err;
	*acked = number;
	err = log_close(*log);
	*log = NULL;
	return err ? err : open_log(0, log);
}

/* Is a transaction to be flushed: two of three, or so few that there are some to be merged? */
static bool flushed(uint64_t number)
{
	return append_by == log_spool ? number % 5 == 0 : number % 3;
}

/* Stops at the first error. */
static int work(struct log **log, uint64_t *acked, bool reopen)
{
	uint64_t n, lsn;
	int err;

	for (next_number = 1; next_number <= 60;) {
		join_second();
		err = append_or_truncate(*log, next_number, MOST, &lsn);
		if (err)
			return err;
		n = next_number++;
		if (flushed(n)) {
			err = log_flush(*log, lsn);
			if (err)
				return err;
			*acked = n;
		}
		if (reopen && n % 20 == 17) {
			err = close_and_open(log, lsn, n, acked);
			if (err)
				return err;
		}
	}
	return 0;
}

TEST_F_TIMEOUT(crash, at_any_call_loses_no_acknowledged_transaction, 300)
{
	unsigned int at, choice, states = 0;
	bool dead = true;

	for (at = 1; dead; at += mem_stride(3)) {
		for (choice = 0; choice < 8; choice++) {
			int64_t number;

			ASSERT_EQ(0, make_disk(variant->area));
			mem.sync_writes = !variant->separate_syncs;
			ASSERT_EQ(0, open_log(0, &self->log));
			mem.calls = 0;
			mem.power_at = at;
			self->acked = 0;
			os.pwritev = variant->overlap ? write_after_another : append_and_write;
			meanwhile = variant->meanwhile ? self->log : NULL;
			second.log = variant->overlap ? self->log : NULL;
			work(&self->log, &self->acked, variant->reopen);
			dead = mem.dead;
			meanwhile = NULL;
			second.log = NULL;
			join_second();
			if (self->log)
				log_close(self->log);
			mem_power_loss(choice);
			number = recovered(MOST);
			ASSERT_GE(number, (int64_t)self->acked) {
				TH_LOG("call %u, choice %u: %s", at, choice, err_text());
			}
			ASSERT_LT(number, next_number);
			states++;
		}
	}
	ASSERT_GT(at, 40);
	TH_LOG("%u crash states", states);
}

TEST_HARNESS_MAIN
