// SPDX-License-Identifier: GPL-2.0
/* Durable tickets, the bounds of no_flush, and the merging of its transactions. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "os.h"

#define LONG_MS		600000

FIXTURE(ticket) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;
};

FIXTURE_SETUP(ticket)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, RVM_TRACK_NONE));
	rvm_init_tid(&self->tid);
}

FIXTURE_TEARDOWN(ticket)
{
	os = os_real;
	rvm_terminate();
	place_remove(&self->place);
}

static rvm_return_t set_interval(long ms, unsigned long flags)
{
	rvm_options_t options;
	rvm_return_t code;

	rvm_init_options(&options);
	code = rvm_query(&options, NULL);
	options.flush_interval = ms;
	options.flags = flags;
	return code ? code : rvm_set_options(&options);
}

/* Commits one byte by no_flush; its ticket. */
static rvm_lsn_t commit_byte(FIXTURE_DATA(ticket) *self, unsigned long at, char value)
{
	rvm_lsn_t lsn = 0;

	need(!rvm_begin_transaction(&self->tid, restore));
	need(!rvm_set_range(&self->tid, self->region.vmaddr + at, 1));
	self->region.vmaddr[at] = value;
	need(!rvm_end_transaction_lsn(&self->tid, no_flush, &lsn));
	return lsn;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

TEST_F(ticket, is_durable_after_a_flush_and_not_before)
{
	rvm_lsn_t first, second, third = 0;

	ASSERT_RVM(RVM_SUCCESS, set_interval(0, RVM_ALL_OPTIMIZATIONS));
	first = commit_byte(self, 0, 'a');
	EXPECT_EQ(rvm_false, rvm_durable(first));
	second = commit_byte(self, 1, 'b');
	EXPECT_LE(first, second);
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	EXPECT_EQ(rvm_true, rvm_durable(first));
	EXPECT_EQ(rvm_true, rvm_durable(second));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction_lsn(&self->tid, flush, &third));
	EXPECT_EQ(rvm_true, rvm_durable(third));
	EXPECT_LE(second, third);
}

TEST_F(ticket, of_a_flushed_transaction_is_durable_at_once)
{
	rvm_lsn_t before, lsn = 0;

	ASSERT_RVM(RVM_SUCCESS, set_interval(0, RVM_ALL_OPTIMIZATIONS));
	before = commit_byte(self, 0, 'a');
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&self->tid, self->region.vmaddr, 8));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction_lsn(&self->tid, flush, &lsn));
	EXPECT_LT(before, lsn);
	EXPECT_EQ(rvm_true, rvm_durable(lsn));
	EXPECT_EQ(rvm_true, rvm_durable(before));
}

TEST_F(ticket, without_merging_each_has_its_own)
{
	rvm_lsn_t first, second;

	ASSERT_RVM(RVM_SUCCESS, set_interval(0, RVM_COALESCE_RANGES));
	first = commit_byte(self, 0, 'a');
	second = commit_byte(self, 0, 'b');
	EXPECT_LT(first, second);
	ASSERT_RVM(RVM_SUCCESS, rvm_wait_durable(first, -1));
	EXPECT_EQ(rvm_true, rvm_durable(first));
}

TEST_F(ticket, an_empty_flush_makes_all_before_it_durable)
{
	rvm_lsn_t lsn;

	ASSERT_RVM(RVM_SUCCESS, set_interval(0, RVM_ALL_OPTIMIZATIONS));
	lsn = commit_byte(self, 0, 'a');
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
	EXPECT_EQ(rvm_true, rvm_durable(lsn));
}

TEST_F(ticket, waiting_makes_it_durable)
{
	rvm_lsn_t lsn;

	ASSERT_RVM(RVM_SUCCESS, set_interval(0, RVM_ALL_OPTIMIZATIONS));
	lsn = commit_byte(self, 0, 'a');
	ASSERT_RVM(RVM_SUCCESS, rvm_wait_durable(lsn, LONG_MS));
	EXPECT_EQ(rvm_true, rvm_durable(lsn));
	lsn = commit_byte(self, 1, 'b');
	ASSERT_RVM(RVM_SUCCESS, rvm_wait_durable(lsn, -1));
	EXPECT_EQ(rvm_true, rvm_durable(lsn));
	ASSERT_RVM(RVM_SUCCESS, rvm_wait_durable(lsn, 0));
}

/* A disk on which a write lasts until it is let go. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static ssize_t gated_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
			     bool sync)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return os_real.pwritev(fd, iov, count, offset, sync);
}

TEST_F(ticket, a_wait_ends_at_its_time_however_slow_the_disk)
{
	rvm_lsn_t lsn;
	long start;

	ASSERT_RVM(RVM_SUCCESS, set_interval(0, RVM_ALL_OPTIMIZATIONS));
	lsn = commit_byte(self, 0, 'a');
	os.pwritev = gated_pwritev;
	pthread_mutex_lock(&gate);
	start = now_ms();
	EXPECT_RVM(RVM_ETIMEOUT, rvm_wait_durable(lsn, 0));
	EXPECT_RVM(RVM_ETIMEOUT, rvm_wait_durable(lsn, 50));
	EXPECT_LE(50, now_ms() - start);
	EXPECT_EQ(rvm_false, rvm_durable(lsn));
	pthread_mutex_unlock(&gate);
	ASSERT_RVM(RVM_SUCCESS, rvm_wait_durable(lsn, LONG_MS));
}

TEST_F(ticket, the_interval_bounds_how_long_it_takes)
{
	rvm_options_t options;
	long start;
	rvm_lsn_t lsn;

	rvm_init_options(&options);
	EXPECT_EQ(FLUSH_INTERVAL, options.flush_interval);
	ASSERT_RVM(RVM_SUCCESS, set_interval(20, RVM_ALL_OPTIMIZATIONS));
	ASSERT_RVM(RVM_SUCCESS, rvm_query(&options, NULL));
	EXPECT_EQ(20, options.flush_interval);
	start = now_ms();
	lsn = commit_byte(self, 0, 'a');
	while (!rvm_durable(lsn) && now_ms() - start < 20000)
		usleep(1000);
	EXPECT_EQ(rvm_true, rvm_durable(lsn));
	/* and again after it was idle, and when it is changed while something waits */
	ASSERT_RVM(RVM_SUCCESS, set_interval(LONG_MS, RVM_ALL_OPTIMIZATIONS));
	lsn = commit_byte(self, 0, 'b');
	usleep(50000);
	EXPECT_EQ(rvm_false, rvm_durable(lsn));
	ASSERT_RVM(RVM_SUCCESS, set_interval(1, RVM_ALL_OPTIMIZATIONS));
	while (!rvm_durable(lsn) && now_ms() - start < 40000)
		usleep(1000);
	EXPECT_EQ(rvm_true, rvm_durable(lsn));
}

TEST_F(ticket, so_many_bytes_are_written_without_any_interval)
{
	rvm_lsn_t first;
	long start = now_ms();
	int i;

	ASSERT_RVM(RVM_SUCCESS, set_interval(0, RVM_COALESCE_RANGES));
	first = commit_byte(self, 0, 'a');
	for (i = 0; i < 100 + FLUSH_BUF_LEN / 80; i++)
		commit_byte(self, i % PAGE, 'b');
	while (!rvm_durable(first) && now_ms() - start < 20000)
		usleep(1000);
	EXPECT_EQ(rvm_true, rvm_durable(first));
}

TEST_F(ticket, the_descriptor_tells_an_event_loop)
{
	struct pollfd poll_fd = { .events = POLLIN };
	uint64_t count;
	rvm_lsn_t lsn;
	int again;

	ASSERT_RVM(RVM_SUCCESS, set_interval(0, RVM_ALL_OPTIMIZATIONS));
	ASSERT_RVM(RVM_SUCCESS, rvm_durable_fd(&poll_fd.fd));
	ASSERT_RVM(RVM_SUCCESS, rvm_durable_fd(&again));
	EXPECT_EQ(poll_fd.fd, again);
	lsn = commit_byte(self, 0, 'a');
	os.pwritev = gated_pwritev;
	pthread_mutex_lock(&gate);
	EXPECT_RVM(RVM_ETIMEOUT, rvm_wait_durable(lsn, 0));
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
	pthread_mutex_unlock(&gate);
	ASSERT_EQ(1, poll(&poll_fd, 1, LONG_MS));
	ASSERT_EQ(8, read(poll_fd.fd, &count, 8));
	EXPECT_EQ(rvm_true, rvm_durable(lsn));
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
}

static ssize_t failing_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
			       bool sync)
{
	return -EIO;
}

TEST_F(ticket, a_failed_log_ends_all_waiting)
{
	struct pollfd poll_fd = { .events = POLLIN };
	rvm_lsn_t lsn;

	ASSERT_RVM(RVM_SUCCESS, set_interval(0, RVM_ALL_OPTIMIZATIONS));
	ASSERT_RVM(RVM_SUCCESS, rvm_durable_fd(&poll_fd.fd));
	lsn = commit_byte(self, 0, 'a');
	os.pwritev = failing_pwritev;
	EXPECT_RVM(RVM_EIO, rvm_wait_durable(lsn, LONG_MS));
	EXPECT_RVM(RVM_EIO, rvm_wait_durable(lsn, -1));
	EXPECT_EQ(rvm_false, rvm_durable(lsn));
	EXPECT_EQ(1, poll(&poll_fd, 1, 0));
}

TEST_F(ticket, what_is_wrong_is_told)
{
	rvm_lsn_t lsn = commit_byte(self, 0, 'a');
	rvm_options_t options;

	EXPECT_RVM(RVM_ELSN, rvm_wait_durable(lsn + 100000, 0));
	EXPECT_RVM(RVM_ELSN, rvm_wait_durable(lsn + 100000, -1));
	EXPECT_RVM(RVM_EOPTIONS, rvm_durable_fd(NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	EXPECT_RVM(RVM_ELSN, rvm_end_transaction_lsn(&self->tid, no_flush, NULL));
	EXPECT_RVM(RVM_EMODE, rvm_end_transaction_lsn(&self->tid, restore, &lsn));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	EXPECT_RVM(RVM_ETID, rvm_end_transaction_lsn(&self->tid, no_flush, &lsn));
	rvm_init_options(&options);
	options.flush_interval = -1;
	EXPECT_RVM(RVM_EOPTIONS, rvm_set_options(&options));
	options.flush_interval = 1L << 40;
	EXPECT_RVM(RVM_EOPTIONS, rvm_set_options(&options));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_RVM(RVM_EINIT, rvm_wait_durable(lsn, 0));
	EXPECT_RVM(RVM_EINIT, rvm_durable_fd(NULL));
	EXPECT_EQ(rvm_false, rvm_durable(lsn));
	ASSERT_RVM(RVM_SUCCESS, rvm_initialize(RVM_VERSION, NULL));
	EXPECT_RVM(RVM_ELOG, rvm_wait_durable(lsn, 0));
}

/* Bytes of the log that 1000 transactions on the same byte take. */
static uint64_t log_bytes(FIXTURE_DATA(ticket) *self, unsigned long flags)
{
	rvm_log_info_t before, after;
	int i;

	need(!set_interval(0, flags));
	need(!rvm_flush());
	need(!rvm_query_log(&before));
	for (i = 0; i < 1000; i++)
		commit_byte(self, 77, (char)i);
	need(!rvm_flush());
	need(!rvm_query_log(&after));
	return after.tail - before.tail;
}

TEST_F(ticket, transactions_on_the_same_bytes_are_merged_if_the_options_say_so)
{
	EXPECT_LE(1000 * 80, log_bytes(self, RVM_COALESCE_RANGES));
	EXPECT_GE(4096, log_bytes(self, RVM_ALL_OPTIMIZATIONS));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 77, 1, (char)999));
	EXPECT_TRUE(file_holds(self->place.seg, 0, 77, 0));
}

/* Commits pairs that must be equal until it is killed; counts them in *@commits. */
static void commit_pairs(struct place *place, volatile int *commits)
{
	rvm_region_t region;
	rvm_tid_t tid;
	int i;

	need(!place_open(place));
	need(!place_map(place, &region, RVM_TRACK_NONE));
	need(!set_interval(1, RVM_ALL_OPTIMIZATIONS));
	rvm_init_tid(&tid);
	for (i = 1;; i++) {
		int *pair = (int *)region.vmaddr + 2 * (i % 7);
		int *last = (int *)(region.vmaddr + PAGE);

		need(!rvm_begin_transaction(&tid, restore));
		need(!rvm_set_range(&tid, pair, 8));
		need(!rvm_set_range(&tid, last, 4));
		pair[0] = i;
		pair[1] = i;
		*last = i;
		need(!rvm_end_transaction(&tid, no_flush));
		*commits = i;
	}
}

/* Each pair holds the last number of its turn up to the last transaction that is there. */
TEST_F(ticket, a_kill_leaves_a_prefix_of_merged_transactions)
{
	int round, i, status, last, sum = 0;
	volatile int *commits;
	int pairs[14];

	commits = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, commits);
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	for (round = 0; round < 20; round++) {
		pid_t child;

		*commits = 0;
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			commit_pairs(&self->place, commits);
		while (*commits < 100)
			usleep(100);
		usleep(round * 700);
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
		ASSERT_TRUE(file_read(self->place.seg, 0, pairs, sizeof(pairs)));
		ASSERT_TRUE(file_read(self->place.seg, PAGE, &last, sizeof(last)));
		for (i = last; i > 0 && i > last - 7; i--) {
			ASSERT_EQ(i, pairs[2 * (i % 7)]);
			ASSERT_EQ(i, pairs[2 * (i % 7) + 1]);
		}
		sum += last;
		ASSERT_TRUE(file_write(self->place.seg, 0, (char [PAGE + 4]){}, PAGE + 4));
	}
	EXPECT_LT(0, sum);
	TH_LOG("%d transactions recovered", sum);
	munmap((void *)commits, PAGE);
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
}

TEST_HARNESS_MAIN
