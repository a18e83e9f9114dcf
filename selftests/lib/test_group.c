// SPDX-License-Identifier: GPL-2.0
/* Groups of records: when one begins beside another, and who goes on when it is written. */
#include "gated.h"

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
	ASSERT_TRUE(three_are_on_their_way(self));
	ASSERT_EQ(0, start(self));
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(3));
	ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(4));
}

TEST_F(groups, one_begins_when_the_other_is_done_however_few_wait)
{
	ASSERT_TRUE(three_are_on_their_way(self));
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
	EXPECT_EQ(-EIO, result_of(self, 1));
	durable = log_durable(self->log);
	log_watch(self->log, hear, NULL);
	sem_post(&disk.end[0]);
	EXPECT_EQ(-EIO, result_of(self, 0));
	EXPECT_EQ(durable, log_durable(self->log));
	EXPECT_EQ(0, atomic_load(&heard));
	EXPECT_EQ(-EIO, log_close(self->log));
	os.pwritev = disk.pwritev;
	ASSERT_EQ(0, open_log(0, &self->log));
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

/* Nobody else would wake them: their group has not begun, and none will. */
TEST_F(groups, who_sleeps_is_told_of_a_write_that_failed)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, start(self));
	ASSERT_TRUE(have_begun(2));
	disk.fails = 1;
	sem_post(&disk.end[0]);
	for (i = 2; i < 5; i++)
		EXPECT_EQ(-EIO, result_of(self, i));
	EXPECT_EQ(1, atomic_load(&self->committers[1].result));	/* it writes */
	sem_post(&disk.end[1]);
	EXPECT_EQ(-EIO, result_of(self, 1));
	EXPECT_EQ(-EIO, log_close(self->log));
	os.pwritev = disk.pwritev;
	ASSERT_EQ(0, open_log(0, &self->log));
}

/* Else the next one would begin with few in it. */
TEST_F(groups, who_waits_for_one_on_its_way_does_not_count_for_the_next)
{
	struct call call;

	ASSERT_TRUE(three_are_on_their_way(self));
	/* two wait, and one for what is on its way */
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

TEST_HARNESS_MAIN
