// SPDX-License-Identifier: GPL-2.0
/* Who asks for it is told how far a recovery is. */
#include "api.h"

#define TXS	300

/*
 * struct told - how the callback was called
 * @calls: how often
 * @done: bytes, the last time
 * @total: bytes, the last time
 * @wrong: done fell, was too much, or the total changed
 * @thread: by whom, the last time
 */
struct told {
	unsigned int calls;
	uint64_t done;
	uint64_t total;
	bool wrong;
	pthread_t thread;
};

static void tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *told = arg;

	told->wrong |= done < told->done || done > total || (told->calls && told->total != total);
	told->done = done;
	told->total = total;
	told->thread = pthread_self();
	told->calls++;
}

FIXTURE(progress) {
	struct place place;
	struct told told;
};

static void commit(rvm_region_t *region, unsigned int n)
{
	char *at = region->vmaddr + n * 700 % (SEG_BYTES - 100);
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, no_restore));
	need(!rvm_set_range(&tid, at, 100));
	memset(at, n + 1, 100);
	need(!rvm_end_transaction(&tid, flush));
}

/* Leaves a log with transactions behind. */
static void work_and_die(void *arg)
{
	rvm_region_t region;
	unsigned int n;

	need(!place_open(arg));
	need(!place_map(arg, &region, RVM_TRACK_NONE));
	for (n = 0; n < TXS; n++)
		commit(&region, n);
}

FIXTURE_SETUP(progress)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_EQ(0, in_child(work_and_die, &self->place));
	memset(&self->told, 0, sizeof(self->told));
}

FIXTURE_TEARDOWN(progress)
{
	rvm_set_progress(NULL, NULL);
	rvm_terminate();
	place_remove(&self->place);
}

/* Was it told a good many times, but not for each byte, by this thread, and up to the end? */
static bool told_all(const struct told *told)
{
	return told->calls >= 50 && told->calls <= 5000 && !told->wrong && told->total &&
	       told->done == told->total && pthread_equal(told->thread, pthread_self());
}

TEST_F(progress, of_rvm_initialize_rises_to_the_end)
{
	rvm_set_progress(tell, &self->told);
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	EXPECT_TRUE(told_all(&self->told));
}

TEST_F(progress, of_rvm_set_options_that_opens_a_log)
{
	rvm_options_t options;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	rvm_set_progress(tell, &self->told);
	place_options(&self->place, &options);
	ASSERT_RVM(RVM_SUCCESS, rvm_set_options(&options));
	EXPECT_TRUE(told_all(&self->told));
}

TEST_F(progress, of_rvm_map_after_rvm_unmap)
{
	rvm_region_t region;
	unsigned int n;

	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, RVM_TRACK_NONE));
	for (n = 0; n < TXS; n++)
		commit(&region, n);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&region));
	rvm_set_progress(tell, &self->told);
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, RVM_TRACK_NONE));
	EXPECT_TRUE(told_all(&self->told));
}

/* A truncation is nobody's recovery. */
TEST_F(progress, is_not_told_of_a_truncation)
{
	rvm_region_t region;
	unsigned int n;

	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, RVM_TRACK_NONE));
	commit(&region, 0);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&region));
	rvm_set_progress(tell, &self->told);
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, RVM_TRACK_NONE));
	EXPECT_NE(0, self->told.calls);
	self->told.calls = 0;
	for (n = 0; n < TXS; n++)
		commit(&region, n);
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ(0, self->told.calls);
}

TEST_F(progress, is_told_no_longer_when_nobody_asks)
{
	rvm_set_progress(tell, &self->told);
	rvm_set_progress(NULL, &self->told);
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	EXPECT_EQ(0, self->told.calls);
}

/* It holds from one life of the library to the next. */
TEST_F(progress, is_told_at_each_initialize)
{
	rvm_set_progress(tell, &self->told);
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	ASSERT_EQ(0, in_child(work_and_die, &self->place));
	memset(&self->told, 0, sizeof(self->told));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	EXPECT_TRUE(told_all(&self->told));
}

TEST_HARNESS_MAIN
