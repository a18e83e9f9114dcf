// SPDX-License-Identifier: GPL-2.0
/* The trackers: exactly the written pages are found, however they are written. */
#include "track_each.h"

#define ROUNDS		40

TEST_F(track, probe_says_it_works)
{
	EXPECT_EQ(0, self->model.ops->probe());
	EXPECT_TRUE(self->model.ops->tracks);
}

TEST_F(track, region_shows_the_segment)
{
	EXPECT_TRUE(model_live_ok(&self->model));
	EXPECT_EQ(0, (uintptr_t)self->model.tracker->base % PAGE);
	EXPECT_EQ(REGION_PAGES * PAGE, self->model.tracker->length);
}

TEST_F(track, only_read_pages_are_not_collected)
{
	struct model *model = &self->model;

	ASSERT_EQ(0, model_begin(model));
	EXPECT_TRUE(model_live_ok(model));
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(0, model->n_seen);
	EXPECT_EQ(0, model_commit(model, 1));
}

TEST_F(track, exactly_the_written_pages_are_collected_in_each_of_many_commits)
{
	struct model *model = &self->model;
	uint64_t state = 1;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(0, model_begin(model));
		model_scribble(model, &state, round);
		ASSERT_EQ(0, model_collect(model));
		ASSERT_EQ(0, model_commit(model, round + 1));
		ASSERT_TRUE(model_live_ok(model));
	}
	EXPECT_TRUE(model_segment_untouched(model));
}

TEST_F(track, exactly_the_written_pages_are_collected_among_aborts)
{
	struct model *model = &self->model;
	uint64_t state = 2;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(0, model_begin(model));
		model_scribble(model, &state, round);
		ASSERT_EQ(0, model_collect(model));
		ASSERT_EQ(0, next_random(&state) % 2 ? model_commit(model, round + 1)
						     : model_abort(model));
		ASSERT_TRUE(model_live_ok(model));
	}
	EXPECT_TRUE(model_segment_untouched(model));
}

TEST_F(track, collecting_again_shows_earlier_and_later_pages)
{
	struct model *model = &self->model;
	uint64_t state = 3;
	int i;

	ASSERT_EQ(0, model_begin(model));
	for (i = 0; i < 10; i++) {
		model_scribble(model, &state, 5);
		ASSERT_EQ(0, model_collect(model));
		ASSERT_EQ(0, model_collect(model));
	}
	ASSERT_EQ(0, model_commit(model, 1));
	ASSERT_EQ(0, model_begin(model));
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(0, model->n_seen);
	EXPECT_EQ(0, model_commit(model, 2));
}

static int stop_at_third(void *arg, const struct track_page *page)
{
	int *n = arg;

	return ++*n == 3 ? -E2BIG : 0;
}

TEST_F(track, collect_stops_at_the_first_error_and_loses_nothing)
{
	struct model *model = &self->model;
	char byte = 1;
	int i, n = 0;

	ASSERT_EQ(0, model_begin(model));
	for (i = 0; i < 10; i++)
		model_store(model, i * 3 * PAGE, &byte, 1);
	EXPECT_EQ(-E2BIG, model->ops->collect(model->tracker, model->tid, stop_at_third, &n));
	EXPECT_EQ(3, n);
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(10, model->n_seen);
	EXPECT_EQ(0, model_commit(model, 1));
}

TEST_F(track, a_copy_across_pages_dirties_each_of_them)
{
	struct model *model = &self->model;
	char data[5 * PAGE];

	memset(data, 0xab, sizeof(data));
	ASSERT_EQ(0, model_begin(model));
	model_store(model, 10 * PAGE - 1, data, sizeof(data));
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(6, model->n_seen);
	EXPECT_EQ(0, model_commit(model, 1));
}

TEST_F(track, the_first_and_the_last_byte_count)
{
	struct model *model = &self->model;

	ASSERT_EQ(0, model_begin(model));
	model_store(model, 0, "x", 1);
	model_store(model, REGION_PAGES * PAGE - 1, "y", 1);
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(2, model->n_seen);
	EXPECT_EQ(0, model_commit(model, 1));
}

TEST_F(track, storing_the_same_byte_is_a_write)
{
	struct model *model = &self->model;

	ASSERT_EQ(0, model_begin(model));
	model_store(model, 7 * PAGE, model->live + 7 * PAGE, 1);
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(1, model->n_seen);
	EXPECT_EQ(0, model_commit(model, 1));
}

TEST_F(track, every_page_may_be_written)
{
	struct model *model = &self->model;
	char *data = malloc(REGION_PAGES * PAGE);
	int round;

	for (round = 0; round < 3; round++) {
		memset(data, round + 1, REGION_PAGES * PAGE);
		ASSERT_EQ(0, model_begin(model));
		model_store(model, 0, data, REGION_PAGES * PAGE);
		ASSERT_EQ(0, model_collect(model));
		EXPECT_EQ(REGION_PAGES, model->n_seen);
		ASSERT_EQ(0, model_commit(model, round + 1));
	}
	free(data);
	EXPECT_TRUE(model_segment_untouched(model));
}

/* The program that reads a file into a region is told EFAULT by tracker sigsegv. */
TEST_F(track, read_into_the_region_is_seen_or_refused)
{
	struct model *model = &self->model;
	char data[3 * PAGE];
	ssize_t got;
	int round, fd;

	memset(data, 0x77, sizeof(data));
	fd = open_segment(sizeof(data));
	ASSERT_EQ(sizeof(data), pwrite(fd, data, sizeof(data), 0));
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, model_begin(model));
		got = pread(fd, model_at(model, 20 * PAGE + 100), sizeof(data), 0);
		if (variant->syscalls) {
			ASSERT_EQ(sizeof(data), got);
			model_note(model, 20 * PAGE + 100, data, sizeof(data));
		} else {
			ASSERT_EQ(-1, got);
			ASSERT_EQ(EFAULT, errno);
		}
		EXPECT_EQ(0, model_collect(model));
		EXPECT_EQ(variant->syscalls ? 4 : 0, model->n_seen);
		ASSERT_EQ(0, model_commit(model, round + 1));
	}
	close(fd);
}

/* What the caveat tells the program to do: store to each page first. */
TEST_F(track, read_into_pages_stored_to_before_works_everywhere)
{
	struct model *model = &self->model;
	volatile char *at = model_at(model, 20 * PAGE);
	char data[2 * PAGE];
	int fd;

	memset(data, 0x78, sizeof(data));
	fd = open_segment(sizeof(data));
	ASSERT_EQ(sizeof(data), pwrite(fd, data, sizeof(data), 0));
	ASSERT_EQ(0, model_begin(model));
	at[0] = at[0];
	at[PAGE] = at[PAGE];
	ASSERT_EQ(sizeof(data), pread(fd, model_at(model, 20 * PAGE), sizeof(data), 0));
	model_note(model, 20 * PAGE, data, sizeof(data));
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(0, model_commit(model, 1));
	close(fd);
}

TEST_F(track, process_vm_writev_is_seen_or_refused)
{
	struct model *model = &self->model;
	char data[PAGE + 1];
	struct iovec from = { .iov_base = data, .iov_len = sizeof(data) };
	struct iovec to = { .iov_base = model_at(model, 30 * PAGE), .iov_len = sizeof(data) };
	ssize_t got;

	memset(data, 0x79, sizeof(data));
	ASSERT_EQ(0, model_begin(model));
	got = process_vm_writev(getpid(), &from, 1, &to, 1, 0);
	if (variant->syscalls) {
		ASSERT_EQ(sizeof(data), got);
		model_note(model, 30 * PAGE, data, sizeof(data));
	} else {
		ASSERT_EQ(-1, got);
		ASSERT_EQ(EFAULT, errno);
	}
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(0, model_commit(model, 1));
}

TEST_F(track, committed_is_where_the_committed_page_is)
{
	struct model *model = &self->model;
	char *page;

	ASSERT_EQ(0, model_begin(model));
	model_store(model, 5 * PAGE + 9, "z", 1);
	page = model->ops->committed(model->tracker, 5);
	ASSERT_NE(NULL, page);
	EXPECT_EQ(0, memcmp(page, model->committed + 5 * PAGE, PAGE));
	/* Another transaction makes a byte of it committed. */
	page[100] = 42;
	model->committed[5 * PAGE + 100] = 42;
	EXPECT_EQ(0, model_collect(model));
	page = model->ops->committed(model->tracker, 6);
	if (model->ops->twin) {
		ASSERT_NE(NULL, page);
		EXPECT_EQ(0, memcmp(page, model->committed + 6 * PAGE, PAGE));
	} else {
		EXPECT_EQ(NULL, page);
	}
	EXPECT_EQ(0, model_abort(model));
	EXPECT_TRUE(model_live_ok(model));
}

TEST_F(track, strays_are_collected_by_the_next_transaction)
{
	struct model *model = &self->model;
	struct track_stats stats;
	int round;

	for (round = 0; round < 3; round++) {
		model_store(model, 2 * PAGE, &round, 1);
		ASSERT_EQ(0, model_begin(model));
		model_store(model, 3 * PAGE, &round, 1);
		EXPECT_EQ(0, model_collect(model));
		EXPECT_EQ(2, model->n_seen);
		ASSERT_EQ(0, model_commit(model, round + 1));
	}
	model->ops->stats(model->tracker, &stats);
	EXPECT_EQ(6, stats.first_writes);
	if (strcmp(variant->name, "uffd"))
		EXPECT_EQ(3, stats.strays);
	EXPECT_EQ(0, stats.written_back);
}

TEST_F(track, the_module_writes_the_segment_and_nobody_else)
{
	struct model *model = &self->model;
	uint64_t pages[3] = { 1, 2, 3 }, busy[3];
	struct track_stats stats;
	size_t n_busy;
	char byte;

	if (!model->ops->writeback) {
		EXPECT_TRUE(model->ops->twin);
		EXPECT_EQ(model->ops->strict, !!model->ops->hold);
		EXPECT_EQ(model->ops->strict, !!model->ops->release);
		EXPECT_FALSE(!!model->ops->durable);
		return;
	}
	ASSERT_EQ(0, model_begin(model));
	model_store(model, 1 * PAGE, "1", 1);
	model_store(model, 2 * PAGE, "2", 1);
	/* Owned. */
	ASSERT_EQ(0, model->ops->writeback(model->tracker, pages, 3, busy, &n_busy));
	EXPECT_EQ(2, n_busy);
	EXPECT_EQ(0, model_commit(model, 100));
	/* Not durable. */
	ASSERT_EQ(0, model->ops->writeback(model->tracker, pages, 3, busy, &n_busy));
	EXPECT_EQ(2, n_busy);
	EXPECT_TRUE(model_segment_untouched(model));
	/* Held. */
	model->ops->durable(model->tracker, 100);
	model->ops->hold(model->tracker, 2, 3);
	ASSERT_EQ(0, model->ops->writeback(model->tracker, pages, 3, busy, &n_busy));
	EXPECT_EQ(1, n_busy);
	EXPECT_EQ(2, busy[0]);
	ASSERT_EQ(1, pread(model->fd, &byte, 1, PAGE));
	EXPECT_EQ('1', byte);
	/* Released, with a record that is not durable; durable never goes back. */
	model->ops->release(model->tracker, 2, 3, 200);
	model->ops->durable(model->tracker, 50);
	ASSERT_EQ(0, model->ops->writeback(model->tracker, pages, 3, busy, &n_busy));
	EXPECT_EQ(1, n_busy);
	model->ops->durable(model->tracker, 200);
	ASSERT_EQ(0, model->ops->writeback(model->tracker, pages, 3, busy, &n_busy));
	EXPECT_EQ(0, n_busy);
	ASSERT_EQ(1, pread(model->fd, &byte, 1, 2 * PAGE));
	EXPECT_EQ('2', byte);
	model->ops->stats(model->tracker, &stats);
	EXPECT_EQ(2, stats.written_back);
	/* A written page is tracked again. */
	ASSERT_EQ(0, model_begin(model));
	model_store(model, 2 * PAGE, "3", 1);
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(1, model->n_seen);
	EXPECT_EQ(0, model_abort(model));
}

TEST_F(track, many_pages_are_written_back_in_several_commands)
{
	struct model *model = &self->model;
	uint64_t *pages, *busy, i;
	size_t n_busy;
	struct track_map map = { .length = 10000 * PAGE };
	struct tracker *tracker;
	char byte;

	if (!model->ops->writeback)
		return;
	map.fd = open_segment(map.length);
	ASSERT_EQ(0, model->ops->open(&map, &tracker));
	pages = calloc(10000, sizeof(*pages));
	busy = calloc(10000, sizeof(*busy));
	ASSERT_EQ(0, model->ops->begin(tracker, 1));
	for (i = 0; i < 10000; i++) {
		pages[i] = i;
		tracker->base[i * PAGE] = i + 1;
	}
	ASSERT_EQ(0, model->ops->writeback(tracker, pages, 10000, busy, &n_busy));
	EXPECT_EQ(10000, n_busy);
	EXPECT_EQ(9999, busy[9999]);
	ASSERT_EQ(0, model->ops->end(tracker, 1, 0));
	ASSERT_EQ(0, model->ops->writeback(tracker, pages, 10000, busy, &n_busy));
	EXPECT_EQ(0, n_busy);
	ASSERT_EQ(1, pread(map.fd, &byte, 1, 9999 * PAGE));
	EXPECT_EQ((char)10000, byte);
	model->ops->close(tracker);
	close(map.fd);
	free(pages);
	free(busy);
}

static void __attribute__((constructor)) register_last(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
