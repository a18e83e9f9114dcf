// SPDX-License-Identifier: GPL-2.0
/* The ring that records are in until they are written: who waits for room in it, and until when. */
#include "gated.h"

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

/* Beside a record that is being streamed nobody can do anything: all of the ring is on its way. */
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
