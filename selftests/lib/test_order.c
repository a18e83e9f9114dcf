// SPDX-License-Identifier: GPL-2.0
/* The judge of the order of writes: it lets right ones pass, and aborts at each wrong one. */
#include <signal.h>
#include <string.h>

#include "kselftest_harness.h"

#include "logtest.h"

#define MOST 700

FIXTURE(order)
{
	struct log *log;
	struct segment *segment;
};

FIXTURE_SETUP(order)
{
	ASSERT_EQ(0, make_disk(16384));
	ASSERT_EQ(0, open_log(0, &self->log));
	ASSERT_EQ(0, segment_open(SEG, 0, &self->segment));
}

FIXTURE_TEARDOWN(order)
{
}

/* Transaction 1, written to the segment by hand. */
static int write_segment(struct segment *segment)
{
	struct tx tx;
	unsigned int i;
	int err = 0;

	make_tx(&tx, 1, MOST);
	for (i = 0; i < tx.count && !err; i++)
		err = segment_write(segment, tx.ranges[i].offset, tx.data[i],
				    tx.ranges[i].length);
	return err;
}

static uint64_t durable(struct log *log)
{
	struct log_state state;

	log_state(log, &state);
	return state.durable;
}

static ssize_t lie_about_syncs(int fd, const struct iovec *iov, int count, uint64_t offset,
			       bool sync)
{
	return mem_pwritev(fd, iov, count, offset, false);
}

TEST_F(order, log_then_segment_then_sync_then_head_is_right)
{
	unsigned long before = order_judged();

	ASSERT_EQ(0, commit_tx(self->log, 1, MOST));
	ASSERT_EQ(0, write_segment(self->segment));
	ASSERT_EQ(0, segment_sync(self->segment));
	ASSERT_EQ(0, log_set_head(self->log, durable(self->log)));
	ASSERT_LT(before + 2, order_judged());
}

TEST_F_SIGNAL(order, a_segment_that_no_record_tells_of_is_wrong, SIGTRAP)
{
	write_segment(self->segment);
}

TEST_F_SIGNAL(order, a_segment_written_while_its_record_is_in_memory_is_wrong, SIGTRAP)
{
	uint64_t lsn;

	ASSERT_EQ(0, append_tx(self->log, 1, MOST, &lsn));
	write_segment(self->segment);
}

TEST_F_SIGNAL(order, a_segment_written_before_its_record_is_synced_is_wrong, SIGTRAP)
{
	os.pwritev = lie_about_syncs;
	ASSERT_EQ(0, commit_tx(self->log, 1, MOST));
	write_segment(self->segment);
}

TEST_F_SIGNAL(order, a_byte_that_the_record_does_not_say_is_wrong, SIGTRAP)
{
	ASSERT_EQ(0, commit_tx(self->log, 1, MOST));
	segment_write(self->segment, SEG_SIZE - 1, "x", 1);
}

TEST_F_SIGNAL(order, a_head_moved_before_the_segment_is_written_is_wrong, SIGTRAP)
{
	ASSERT_EQ(0, commit_tx(self->log, 1, MOST));
	log_set_head(self->log, durable(self->log));
}

TEST_F_SIGNAL(order, a_head_moved_before_the_segment_is_synced_is_wrong, SIGTRAP)
{
	ASSERT_EQ(0, commit_tx(self->log, 1, MOST));
	ASSERT_EQ(0, write_segment(self->segment));
	log_set_head(self->log, durable(self->log));
}

TEST_F_SIGNAL(order, a_head_moved_over_a_page_that_was_only_synced_before_is_wrong, SIGTRAP)
{
	ASSERT_EQ(0, commit_tx(self->log, 1, MOST));
	ASSERT_EQ(0, write_segment(self->segment));
	ASSERT_EQ(0, segment_sync(self->segment));
	ASSERT_EQ(0, commit_tx(self->log, 2, MOST));
	log_set_head(self->log, durable(self->log));
}

/* The first byte that transaction 1 writes. */
static uint64_t first_byte(void)
{
	struct tx tx;

	make_tx(&tx, 1, MOST);
	return tx.ranges[0].offset;
}

TEST_F(order, an_older_byte_that_is_written_again_in_time_is_right)
{
	ASSERT_EQ(0, commit_tx(self->log, 1, MOST));
	ASSERT_EQ(0, segment_write(self->segment, first_byte(), "x", 1));
	ASSERT_EQ(0, write_segment(self->segment));
	ASSERT_EQ(0, segment_sync(self->segment));
	ASSERT_EQ(0, log_set_head(self->log, durable(self->log)));
}

TEST_F_SIGNAL(order, a_head_moved_over_a_page_with_an_older_byte_is_wrong, SIGTRAP)
{
	ASSERT_EQ(0, commit_tx(self->log, 1, MOST));
	ASSERT_EQ(0, write_segment(self->segment));
	ASSERT_EQ(0, segment_write(self->segment, first_byte(), "x", 1));
	ASSERT_EQ(0, segment_sync(self->segment));
	log_set_head(self->log, durable(self->log));
}

TEST_HARNESS_MAIN
