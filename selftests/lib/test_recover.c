// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery: what was committed comes back, a torn tail is dropped, damage is reported, and it
 * may be interrupted anywhere.  The disk is in memory.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "apply.h"
#include "logtest.h"

#define MOST 700
#define AREA 32768U
#define AREA_OFFSET 73728U

static unsigned char *segment_bytes(void)
{
	return mem_find(SEG)->data;
}

/* Recovers and tells how many transactions the segment holds then, or a negative errno. */
static int64_t recovered(unsigned int most)
{
	struct log *log;
	int64_t number;
	int err;

	err = open_log(0, &log);
	if (err)
		return err;
	number = prefix(segment_bytes(), most);
	log_close(log);
	return number < 0 ? -ENOMSG : number;
}

FIXTURE(recover)
{
	struct log *log;
	struct log_state before;	/* when the last flush began */
	struct log_state after;
	unsigned char *image;
	unsigned char *segment;
};

/*
 * A log that was not closed: transactions 1 to 12, each flushed, then 13 to 20 in one flush.
 */
FIXTURE_SETUP(recover)
{
	uint64_t n, lsn;

	ASSERT_EQ(0, make_disk(AREA));
	ASSERT_EQ(0, open_log(0, &self->log));
	for (n = 1; n <= 12; n++)
		ASSERT_EQ(0, commit_tx(self->log, n, MOST));
	log_state(self->log, &self->before);
	for (; n <= 20; n++)
		ASSERT_EQ(0, append_tx(self->log, n, MOST, &lsn));
	ASSERT_EQ(0, log_flush(self->log, lsn));
	log_state(self->log, &self->after);
	mem_power_loss(0);
	self->image = mem_save(LOG);
	self->segment = mem_save(SEG);
}

FIXTURE_TEARDOWN(recover)
{
	free(self->image);
	free(self->segment);
}

static void put_back(const unsigned char *image, const unsigned char *segment)
{
	mem_restore(LOG, image);
	mem_restore(SEG, segment);
	mem_heal();
}

/* Where in the file a byte of the record area stands. */
static uint64_t position(uint64_t lsn)
{
	return AREA_OFFSET + lsn % AREA;
}

TEST_F(recover, brings_back_all_that_was_committed)
{
	ASSERT_EQ(20, recovered(MOST));
}

TEST_F(recover, of_a_recovered_log_does_nothing_more)
{
	struct recover_stats stats;
	struct log *log;

	ASSERT_EQ(20, recovered(MOST));
	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, NULL, NULL, &stats));
	ASSERT_EQ(0, stats.records);
	ASSERT_EQ(0, stats.applied_bytes);
	ASSERT_EQ(0, log_close(log));
}

TEST_F(recover, tells_what_it_did)
{
	struct recover_stats stats;
	struct log *log;

	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, NULL, NULL, &stats));
	ASSERT_EQ(20, stats.records);
	ASSERT_EQ(self->after.tail - self->after.head, stats.log_bytes);
	ASSERT_GT(stats.applied_bytes, 0);
	ASSERT_EQ(0, log_close(log));
}

/* How a sector of the last flush may look after the power failed. */
static void tear(unsigned char *sector, int how, unsigned int seed)
{
	int i;

	switch (how) {
	case 0:
		memset(sector, 0, MEM_SECTOR);
		break;
	case 1:
		for (i = 0; i < MEM_SECTOR; i++)
			sector[i] = rand_r(&seed);
		break;
	case 2:
		memset(sector, 0xff, MEM_SECTOR);
		break;
	default:
		memset(sector + MEM_SECTOR / 2, 0, MEM_SECTOR / 2);
	}
}

TEST_F(recover, drops_a_torn_tail_whatever_sector_of_the_last_flush_is_torn)
{
	uint64_t lsn;
	int how;

	ASSERT_GT(self->after.tail - self->before.tail, 4 * MEM_SECTOR);
	for (lsn = self->before.tail; lsn < self->after.tail; lsn += MEM_SECTOR) {
		for (how = 0; how < 4; how++) {
			int64_t number;

			put_back(self->image, self->segment);
			tear(mem_find(LOG)->data + position(lsn), how, lsn);
			number = recovered(MOST);
			ASSERT_GE(number, 12) {
				TH_LOG("sector at LSN %llu, how %d: %s", (unsigned long long)lsn,
				       how, err_text());
			}
			ASSERT_LE(number, 20);
		}
	}
}

TEST_F(recover, drops_a_tail_cut_off_at_any_sector)
{
	uint64_t lsn, at;
	int64_t last = 12;

	for (lsn = self->before.tail; lsn <= self->after.tail; lsn += MEM_SECTOR) {
		int64_t number;

		put_back(self->image, self->segment);
		for (at = lsn; at < self->after.tail; at++)
			mem_find(LOG)->data[position(at)] = 0;
		number = recovered(MOST);
		ASSERT_GE(number, last);
		last = number;
	}
	ASSERT_EQ(20, last);
}

TEST_F(recover, reports_damage_in_each_sector_before_the_last_flush)
{
	uint64_t lsn;
	int how;

	for (lsn = self->before.head; lsn < self->before.tail; lsn += MEM_SECTOR) {
		for (how = 0; how < 4; how++) {
			unsigned char *sector = mem_find(LOG)->data + position(lsn);

			put_back(self->image, self->segment);
			sector = mem_find(LOG)->data + position(lsn);
			tear(sector, how, lsn);
			if (!memcmp(sector, self->image + position(lsn), MEM_SECTOR))
				continue;	/* its second half was zero already */
			ASSERT_EQ(-EUCLEAN, recovered(MOST)) {
				TH_LOG("sector at LSN %llu, how %d", (unsigned long long)lsn, how);
			}
			ASSERT_NE(NULL, strstr(err_text(), "damaged at LSN"));
			ASSERT_EQ(0, memcmp(segment_bytes(), self->segment, SEG_SIZE));
		}
	}
}

TEST_F_TIMEOUT(recover, never_replays_a_flipped_bit, 300)
{
	uint64_t bit, reported = 0, dropped = 0;
	uint64_t first = 8 * (self->before.tail - self->before.head);
	uint64_t last = 8 * (self->after.tail - self->before.head);

	for (bit = 0; bit < last; bit += 3) {
		uint64_t at = position(self->before.head + bit / 8);
		int64_t number;

		put_back(self->image, self->segment);
		mem_find(LOG)->data[at] ^= 1 << bit % 8;
		number = recovered(MOST);
		if (bit < first) {
			ASSERT_EQ(-EUCLEAN, number);
			reported++;
		} else {
			ASSERT_GE(number, 12);
			ASSERT_LE(number, 20);
			dropped += number < 20;
		}
	}
	ASSERT_GT(reported, 10000);
	ASSERT_GT(dropped, 5000);
	TH_LOG("%llu flips reported, %llu dropped with the tail", (unsigned long long)reported,
	       (unsigned long long)dropped);
}

TEST_F_TIMEOUT(recover, reports_any_flipped_bit_of_a_log_that_was_closed, 300)
{
	uint64_t bit, last;
	struct log_state state;

	/* close it with its records in it */
	mem_restore(LOG, self->image);
	ASSERT_EQ(20, recovered(MOST));
	ASSERT_EQ(0, open_log(0, &self->log));
	ASSERT_EQ(0, commit_tx(self->log, 21, MOST));
	ASSERT_EQ(0, commit_tx(self->log, 22, MOST));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_close(self->log));
	free(self->image);
	free(self->segment);
	self->image = mem_save(LOG);
	self->segment = mem_save(SEG);
	last = 8 * (state.tail - state.head);
	for (bit = 0; bit < last; bit += 5) {
		put_back(self->image, self->segment);
		mem_find(LOG)->data[position(state.head + bit / 8)] ^= 1 << bit % 8;
		ASSERT_EQ(-EUCLEAN, recovered(MOST));
	}
	put_back(self->image, self->segment);
	ASSERT_EQ(22, recovered(MOST));
}

TEST_F(recover, survives_damage_of_one_copy_of_status_and_dictionary)
{
	static const uint64_t copies[][2] = { { 0, 4096 }, { 4096, 8192 }, { 8192, 40960 },
					      { 40960, 73728 } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(copies); i++) {
		put_back(self->image, self->segment);
		memset(mem_find(LOG)->data + copies[i][0], 0xa5, copies[i][1] - copies[i][0]);
		ASSERT_EQ(20, recovered(MOST));
		/* and the copy is repaired: now the other one may go */
		memset(mem_find(LOG)->data + copies[i ^ 1][0], 0xa5,
		       copies[i ^ 1][1] - copies[i ^ 1][0]);
		ASSERT_EQ(20, recovered(MOST));
	}
}

TEST_F(recover, reports_damage_of_both_copies)
{
	put_back(self->image, self->segment);
	mem_find(LOG)->data[100] ^= 1;
	mem_find(LOG)->data[4096 + 100] ^= 1;
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
	put_back(self->image, self->segment);
	mem_find(LOG)->data[8192 + 30] ^= 1;
	mem_find(LOG)->data[40960 + 30] ^= 1;
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
}

TEST_F(recover, reports_a_missing_segment_and_frees_nothing)
{
	mem_unlink(SEG);
	ASSERT_EQ(-ENOENT, recovered(MOST));
	ASSERT_NE(NULL, strstr(err_text(), SEG));
	ASSERT_EQ(0, memcmp(mem_find(LOG)->data, self->image, mem_find(LOG)->size));
}

TEST_F(recover, reports_a_segment_that_was_cut_off_and_frees_nothing)
{
	mem_find(SEG)->size = SEG_SIZE / 2;
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
	ASSERT_EQ(0, memcmp(mem_find(LOG)->data, self->image, mem_find(LOG)->size));
	mem_find(SEG)->size = SEG_SIZE;
	ASSERT_EQ(20, recovered(MOST));
}

TEST_F_TIMEOUT(recover, interrupted_at_any_call_and_run_again_gives_the_same_bytes, 300)
{
	unsigned int calls, at, choice, again;

	put_back(self->image, self->segment);
	ASSERT_EQ(20, recovered(MOST));
	calls = mem.calls;
	for (at = 1; at <= calls; at++) {
		for (choice = 0; choice < 6; choice++) {
			put_back(self->image, self->segment);
			mem.power_at = at;
			recovered(MOST);
			mem_power_loss(choice);
			/* a second crash, somewhere in the second recovery */
			again = 1 + (at * 7 + choice) % calls;
			mem.power_at = again;
			recovered(MOST);
			mem_power_loss(choice + 1);
			ASSERT_EQ(20, recovered(MOST)) {
				TH_LOG("calls %u and %u, choice %u: %s", at, again, choice,
				       err_text());
			}
		}
	}
	ASSERT_GT(calls, 10);
}

TEST_F(recover, a_failing_call_is_an_error_and_nothing_is_lost)
{
	unsigned int calls, at;

	put_back(self->image, self->segment);
	ASSERT_EQ(20, recovered(MOST));
	calls = mem.calls;
	for (at = 1; at < calls - 2; at++) {	/* the last ones are log_close() */
		int64_t number;

		put_back(self->image, self->segment);
		mem.fail_at = at;
		mem.fail_err = -EIO;
		number = recovered(MOST);
		if (number >= 0) {
			ASSERT_EQ(0, atomic_load(&mem.failed));
		} else {
			ASSERT_EQ(-EIO, number) {
				TH_LOG("call %u: %s", at, err_text());
			}
		}
		mem_power_loss(0);
		ASSERT_EQ(20, recovered(MOST));
	}
}

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

	for (at = 1; dead; at++) {
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

TEST(records_wrap_around_the_end_at_every_alignment)
{
	unsigned int length;
	uint64_t lsn;

	for (length = 8; length <= 1500; length += 8) {
		unsigned char bytes[1500];
		struct log_range r = { .segment = 1, .length = length, .data = bytes };
		struct log *log;
		int i;

		ASSERT_EQ(0, make_disk(4096));
		ASSERT_EQ(0, open_log(0, &log));
		for (i = 0; i < 40; i++) {
			int err;

			memset(bytes, i, length);
			r.offset = i;
			err = log_append(log, i, &r, 1, &lsn);
			if (err == -ENOSPC) {
				ASSERT_EQ(0, truncate_log(log));
				err = log_append(log, i, &r, 1, &lsn);
			}
			ASSERT_EQ(0, err);
			if (i % 3 == 0)
				ASSERT_EQ(0, log_flush(log, lsn));
		}
		ASSERT_EQ(0, log_flush(log, lsn));
		mem_power_loss(0);
		ASSERT_EQ(0, open_log(0, &log));
		for (i = 0; i < 39 + length; i++)
			ASSERT_EQ(i < 39 ? i : 39, segment_bytes()[i]);
		ASSERT_EQ(0, log_close(log));
	}
}

TEST(a_record_longer_than_the_buffer_and_one_that_fills_the_log)
{
	static const uint64_t area = 1 << 20;
	/* header, trailer, one range; the shortest padding that may follow is 64 bytes */
	uint64_t most = area - 64 - 16 - 64;
	struct log_range r = { .segment = 1 };
	unsigned char *bytes = malloc(area);
	struct segment *segment;
	struct log *log;
	uint64_t lsn, length, i;
	uint32_t id;

	ASSERT_EQ(0, make_disk(area));
	ASSERT_EQ(0, segment_open("/big", area, &segment));
	segment_close(segment);
	for (length = 1000; length <= most; length = length * 3 < most || length == most ?
	     length * 3 : most) {
		ASSERT_EQ(0, log_open(LOG, 0, false, &log));
		ASSERT_EQ(0, recover_log(log, NULL, NULL, NULL));
		ASSERT_EQ(0, log_name_segment(log, "/big", area, &id));
		for (i = 0; i < length; i++)
			bytes[i] = i * 31 + length;
		r.length = length;
		r.data = bytes;
		ASSERT_EQ(0, log_append(log, 1, &r, 1, &lsn)) {
			TH_LOG("%llu: %s", (unsigned long long)length, err_text());
		}
		ASSERT_EQ(0, log_flush(log, lsn));
		mem_power_loss(0);
		ASSERT_EQ(0, log_open(LOG, 0, false, &log));
		ASSERT_EQ(0, recover_log(log, NULL, NULL, NULL));
		ASSERT_EQ(0, memcmp(mem_find("/big")->data, bytes, length));
		ASSERT_EQ(0, log_close(log));
	}
	ASSERT_EQ(0, open_log(0, &log));
	r.length = most + 1;
	ASSERT_EQ(-EFBIG, log_append(log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_close(log));
	free(bytes);
}

/*
 * Appends a record of 60000 bytes, which the buffer does not hold, and a short one behind it,
 * and flushes both.
 */
static int append_streamed(struct log *log, int value)
{
	static unsigned char bytes[60000];
	struct log_range r = { .segment = 1, .offset = 8, .data = bytes, .length = sizeof(bytes) };
	struct log_range after = { .segment = 1, .length = 8, .data = bytes };
	uint64_t lsn;
	int err;

	memset(bytes, value, sizeof(bytes));
	err = log_append(log, value, &r, 1, &lsn);
	if (!err)
		err = log_append(log, value, &after, 1, &lsn);
	return err ? err : log_flush(log, lsn);
}

TEST(a_streamed_record_that_is_torn_is_dropped)
{
	unsigned int at, choice;

	for (at = 1; at < 12; at++) {
		for (choice = 0; choice < 40; choice++) {
			unsigned char *bytes;
			struct log *log;
			int err;

			ASSERT_EQ(0, make_disk(1 << 18));
			ASSERT_EQ(0, open_log(0, &log));
			ASSERT_EQ(0, append_streamed(log, 1));
			mem.calls = 0;
			mem.power_at = at;
			err = append_streamed(log, 2);
			log_close(log);
			mem_power_loss(choice);
			ASSERT_EQ(0, open_log(0, &log)) {
				TH_LOG("call %u, choice %u: %s", at, choice, err_text());
			}
			bytes = segment_bytes();
			ASSERT_NE(0, bytes[8]);
			ASSERT_TRUE(err || (bytes[0] == 2 && bytes[8] == 2));
			ASSERT_LE(bytes[0], bytes[8]);
			ASSERT_EQ(0, memcmp(bytes + 8, bytes + 9, 60000 - 1));
			ASSERT_EQ(0, log_close(log));
		}
	}
}

TEST(an_unknown_segment_number_is_damage)
{
	struct log_range r = { .segment = 9, .length = 3, .data = "abc" };
	struct log *log;
	uint64_t lsn;

	ASSERT_EQ(0, make_disk(AREA));
	ASSERT_EQ(0, open_log(0, &log));
	ASSERT_EQ(0, log_append(log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_flush(log, lsn));
	mem_power_loss(0);
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
	ASSERT_NE(NULL, strstr(err_text(), "segment 9"));
}

TEST(a_record_beyond_the_end_of_its_segment_is_reported)
{
	struct log_range r = { .segment = 1, .offset = SEG_SIZE - 1, .length = 2, .data = "ab" };
	struct log *log;
	uint64_t lsn;

	ASSERT_EQ(0, make_disk(AREA));
	ASSERT_EQ(0, open_log(0, &log));
	ASSERT_EQ(0, log_append(log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_flush(log, lsn));
	mem_power_loss(0);
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
	ASSERT_EQ(SEG_SIZE, mem_find(SEG)->size);
}

static bool odd_pages(void *arg, uint32_t id, uint64_t page)
{
	return page % 2;
}

TEST(pages_that_the_mask_refuses_are_not_written)
{
	static unsigned char bytes[SEG_SIZE - 100];
	struct log_range r = { .segment = 1, .offset = 50, .length = sizeof(bytes),
			       .data = bytes };
	struct recover_ops ops = { .segment = only_segment, .page_mask = odd_pages };
	struct recover_stats stats = {};
	struct segment *segment;
	struct log_state state;
	struct log *log;
	uint64_t lsn, i;

	ASSERT_EQ(0, make_disk(1 << 20));
	ASSERT_EQ(0, open_log(0, &log));
	memset(bytes, 7, sizeof(bytes));
	ASSERT_EQ(0, log_append(log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_flush(log, lsn));
	log_state(log, &state);
	ASSERT_EQ(0, segment_open(SEG, 0, &segment));
	ops.arg = segment;
	ASSERT_EQ(0, recover_apply(log, state.head, state.durable, &ops, &stats));
	segment_close(segment);
	for (i = 0; i < SEG_SIZE; i++)
		ASSERT_EQ(i / 4096 % 2 && i < SEG_SIZE - 50 ? 7 : 0, segment_bytes()[i]);
	ASSERT_EQ(SEG_SIZE / 2 - 50, stats.applied_bytes);
	ASSERT_EQ(0, log_close(log));
}

static int no_segment(void *arg, uint32_t id, struct segment **out)
{
	*out = NULL;
	return 0;
}

TEST(a_segment_that_the_caller_skips_is_not_written)
{
	struct recover_ops ops = { .segment = no_segment };
	struct recover_stats stats = {};
	struct log_state state;
	struct log *log;

	ASSERT_EQ(0, make_disk(AREA));
	ASSERT_EQ(0, open_log(0, &log));
	ASSERT_EQ(0, commit_tx(log, 1, MOST));
	log_state(log, &state);
	ASSERT_EQ(0, recover_apply(log, state.head, state.durable, &ops, &stats));
	ASSERT_EQ(0, stats.applied_bytes);
	ASSERT_EQ(1, stats.records);
	ASSERT_EQ(0, log_close(log));
}

FIXTURE(memory)
{
	uint64_t before;
};

FIXTURE_VARIANT(memory)
{
	uint64_t bytes;
	int ranges;
};

FIXTURE_VARIANT_ADD(memory, for_all_pages)
{
	.bytes = 1 << 28,
	.ranges = 150000,
};

FIXTURE_VARIANT_ADD(memory, for_half_of_the_pages)
{
	.bytes = 512 * 4608,
	.ranges = 150000,
};

FIXTURE_VARIANT_ADD(memory, for_the_fewest_pages)
{
	.bytes = 0,
	.ranges = 5000,
};

FIXTURE_SETUP(memory)
{
	self->before = apply_memory;
	apply_memory = variant->bytes;
}

FIXTURE_TEARDOWN(memory)
{
	apply_memory = self->before;
}

#define BIG (4 << 20)

/* Ranges of all lengths up to more than the memory holds, overwriting each other. */
static int append_ranges(struct log *log, uint32_t id, int ranges, unsigned char *model)
{
	unsigned char *bytes = malloc(BIG);
	unsigned int state = 5;
	uint64_t lsn;
	int i, err = 0;

	for (i = 0; i < ranges && !err; i++) {
		struct log_range r = { .segment = id, .data = bytes };

		r.length = i % 20000 == 7 ? BIG / 2 + i : 1 + rand_r(&state) % 64;
		r.offset = rand_r(&state) % (BIG - r.length);
		memset(bytes, i * 13 + 1, r.length);
		err = log_append(log, i, &r, 1, &lsn);
		memcpy(model + r.offset, bytes, r.length);
	}
	free(bytes);
	return err ? err : log_flush(log, lsn);
}

static int make_big(struct log **log, uint32_t *id)
{
	struct segment *segment;
	int err;

	err = make_disk(64 << 20);
	if (!err)
		err = segment_open("/big", BIG, &segment);
	if (err)
		return err;
	segment_close(segment);
	err = log_open(LOG, 1 << 20, false, log);
	if (!err)
		err = recover_log(*log, NULL, NULL, NULL);
	return err ? err : log_name_segment(*log, "/big", BIG, id);
}

TEST_F(memory, batches_apply_in_the_order_of_the_log)
{
	unsigned char *model = calloc(1, BIG);
	struct recover_stats stats;
	struct log *log;
	uint32_t id;

	ASSERT_EQ(0, make_big(&log, &id));
	ASSERT_EQ(0, append_ranges(log, id, variant->ranges, model));
	mem_power_loss(0);
	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, NULL, NULL, &stats));
	ASSERT_EQ(0, memcmp(model, mem_find("/big")->data, BIG));
	ASSERT_EQ(variant->ranges, stats.records);
	if (variant->bytes > BIG)
		ASSERT_LE(stats.applied_bytes, BIG);
	ASSERT_EQ(0, log_close(log));
	free(model);
}

TEST_F(memory, nothing_of_a_damaged_log_is_applied)
{
	unsigned char *model = calloc(1, BIG);
	unsigned char *none = calloc(1, BIG);
	struct log_state state;
	struct log *log;
	uint64_t lsn;
	uint32_t id;

	ASSERT_EQ(0, make_big(&log, &id));
	ASSERT_EQ(0, append_ranges(log, id, variant->ranges, model));
	log_state(log, &state);
	ASSERT_EQ(0, append_ranges(log, id, 1, model));
	mem_power_loss(0);
	for (lsn = state.tail - 4096; lsn < state.tail - 512; lsn++)
		mem_find(LOG)->data[AREA_OFFSET + lsn % (64 << 20)] ^= 1;
	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(-EUCLEAN, recover_log(log, NULL, NULL, NULL));
	ASSERT_EQ(0, memcmp(none, mem_find("/big")->data, BIG));
	log_close(log);
	free(model);
	free(none);
}

/* struct steps - how a progress callback was called */
struct steps {
	unsigned int calls;
	uint64_t last;
	uint64_t total;
	bool back;
};

static void note_step(void *arg, uint64_t done, uint64_t total)
{
	struct steps *steps = arg;

	steps->back |= done < steps->last || done > total;
	steps->last = done;
	steps->total = total;
	steps->calls++;
}

TEST_F(recover, progress_rises_to_the_end)
{
	struct steps steps = {};
	struct log *log;

	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, note_step, &steps, NULL));
	ASSERT_GT(steps.calls, 20);
	ASSERT_FALSE(steps.back);
	ASSERT_EQ(steps.total, steps.last);
	ASSERT_EQ(0, log_close(log));
}

TEST_F(recover, a_log_opened_for_looking_is_neither_recovered_nor_changed)
{
	struct log *log;
	uint64_t tail;

	ASSERT_EQ(0, log_open(LOG, 0, true, &log));
	ASSERT_EQ(0, recover_scan(log, &tail));
	ASSERT_EQ(self->after.tail, tail);
	ASSERT_EQ(-EROFS, recover_log(log, NULL, NULL, NULL));
	ASSERT_EQ(-EROFS, log_start(log, tail, tail));
	ASSERT_EQ(0, log_close(log));
	ASSERT_EQ(0, memcmp(mem_find(LOG)->data, self->image, mem_find(LOG)->size));
	ASSERT_EQ(0, memcmp(segment_bytes(), self->segment, SEG_SIZE));
}

TEST_HARNESS_MAIN
