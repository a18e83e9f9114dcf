// SPDX-License-Identifier: GPL-2.0
/* The trackers: exactly the written pages are found, whoever writes them and however. */
#include "test_track.h"

#define REGION_PAGES	512
#define ROUNDS		40

FIXTURE(track)
{
	struct model model;
};

FIXTURE_VARIANT(track)
{
	const char *name;
	bool syscalls;
	uint64_t tail;
};

FIXTURE_VARIANT_ADD(track, kmod)
{
	.name = "kmod",
	.syscalls = true,
};

FIXTURE_VARIANT_ADD(track, uffd)
{
	.name = "uffd",
	.syscalls = true,
};

/* Too long to be protected as a whole. */
FIXTURE_VARIANT_ADD(track, uffd_long)
{
	.name = "uffd",
	.syscalls = true,
	.tail = 5ULL << 30,
};

FIXTURE_VARIANT_ADD(track, sigsegv)
{
	.name = "sigsegv",
};

FIXTURE_SETUP(track)
{
	ASSERT_EQ(0, model_open_long(&self->model, variant->name, REGION_PAGES, false,
				     variant->tail)) {
		TH_LOG("%s", err_text());
	}
}

FIXTURE_TEARDOWN(track)
{
	model_close(&self->model);
}

TEST_F(track, probe_says_it_works)
{
	EXPECT_EQ(0, self->model.ops->probe());
	EXPECT_TRUE(self->model.ops->tracks);
}

TEST_F(track, region_shows_the_segment)
{
	EXPECT_TRUE(model_live_ok(&self->model));
	EXPECT_EQ(0, (uintptr_t)self->model.tracker->base % PAGE);
	EXPECT_EQ(REGION_PAGES * PAGE + variant->tail, self->model.tracker->length);
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

struct writer {
	struct model *model;
	uint64_t first;
	uint64_t last;
	int round;
};

/* Writers touch pages of their own, so that the model needs no lock. */
static void *write_pages(void *arg)
{
	struct writer *writer = arg;
	uint64_t page, state = writer->first + writer->round;
	char byte;
	int i;

	for (i = 0; i < 200; i++) {
		page = writer->first + next_random(&state) % (writer->last - writer->first);
		byte = next_random(&state);
		model_store(writer->model, page * PAGE + next_random(&state) % PAGE, &byte, 1);
	}
	return NULL;
}

TEST_F(track, what_several_threads_write_is_collected)
{
	struct model *model = &self->model;
	struct writer writer[4];
	pthread_t thread[4];
	int round, i;

	for (round = 0; round < 10; round++) {
		ASSERT_EQ(0, model_begin(model));
		for (i = 0; i < 4; i++) {
			writer[i] = (struct writer){
				.model = model,
				.first = i * REGION_PAGES / 4,
				.last = (i + 1) * REGION_PAGES / 4,
				.round = round,
			};
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, write_pages, &writer[i]));
		}
		for (i = 0; i < 4; i++)
			pthread_join(thread[i], NULL);
		ASSERT_EQ(0, model_collect(model));
		ASSERT_EQ(0, model_commit(model, round + 1));
	}
	EXPECT_TRUE(model_live_ok(model));
}

static void *store_page_9(void *arg)
{
	model_store(arg, 9 * PAGE, "t", 1);
	return NULL;
}

static void *end_transaction(void *arg)
{
	struct model *model = arg;

	return (void *)(intptr_t)model_commit(model, 1);
}

TEST_F(track, another_thread_may_end_the_transaction)
{
	struct model *model = &self->model;
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, model_begin(model));
	model_store(model, 8 * PAGE, "s", 1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, store_page_9, model));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, model_collect(model));
	ASSERT_EQ(0, pthread_create(&thread, NULL, end_transaction, model));
	pthread_join(thread, &ret);
	EXPECT_EQ(NULL, ret);
	ASSERT_EQ(0, model_begin(model));
	model_store(model, 10 * PAGE, "u", 1);
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(1, model->n_seen);
	EXPECT_EQ(0, model_commit(model, 2));
}

static volatile bool storing;

static void *store_all_the_time(void *arg)
{
	struct model *model = arg;
	uint64_t state = 5;

	while (__atomic_load_n(&storing, __ATOMIC_RELAXED))
		__atomic_fetch_add(model_at(model, next_random(&state) % 64 * PAGE), 1,
				   __ATOMIC_RELAXED);
	return NULL;
}

/* As make_committed(), of a page that somebody stores to. */
static int make_committed_racing(void *arg, const struct track_page *page)
{
	int i;

	for (i = 0; i < PAGE; i++)
		page->committed[i] = __atomic_load_n(&page->live[i], __ATOMIC_RELAXED);
	return 0;
}

static int compare_committed(void *arg, const struct track_page *page)
{
	*(int *)arg += !!memcmp(page->live, page->committed, PAGE);
	return 0;
}

/*
 * No store between the comparison and the end of a transaction is lost: once
 * all is quiet, a last commit finds every difference that is left.  This is
 * promised by the trackers with a twin only.
 */
TEST_F_TIMEOUT(track, stores_during_commits_are_not_lost, 300)
{
	struct model *model = &self->model;
	pthread_t thread;
	int i, n = 0;

	if (!model->ops->twin)
		return;
	storing = true;
	ASSERT_EQ(0, pthread_create(&thread, NULL, store_all_the_time, model));
	for (i = 0; i < 2000; i++) {
		ASSERT_EQ(0, model_begin(model));
		ASSERT_EQ(0, model->ops->collect(model->tracker, model->tid,
						 make_committed_racing, NULL));
		ASSERT_EQ(0, model->ops->end(model->tracker, model->tid, i + 1));
	}
	__atomic_store_n(&storing, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, model_begin(model));
	ASSERT_EQ(0, model->ops->collect(model->tracker, model->tid, make_committed, model));
	ASSERT_EQ(0, model->ops->end(model->tracker, model->tid, i + 1));
	for (i = 0; i < 64; i++)
		n += !!memcmp(model_at(model, i * PAGE), model->ops->committed(model->tracker, i),
			      PAGE);
	EXPECT_EQ(0, n);
	ASSERT_EQ(0, model->ops->collect(model->tracker, model->tid, compare_committed, &n));
	EXPECT_EQ(0, n);
}

static void exit_99(int sig)
{
	_exit(99);
}

TEST_F(track, a_child_has_no_region_and_the_parent_keeps_it)
{
	struct model *model = &self->model;
	int status;
	pid_t pid;

	ASSERT_EQ(0, model_begin(model));
	model_store(model, 0, "a", 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (pid == 0) {
		signal(SIGSEGV, exit_99);
		*(volatile char *)model_at(model, 0) = 'b';
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(99, WEXITSTATUS(status));
	model_store(model, 4 * PAGE, "c", 1);
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(2, model->n_seen);
	EXPECT_EQ(0, model_commit(model, 1));
	EXPECT_TRUE(model_live_ok(model));
}

static void use_own_region(const char *name)
{
	struct model model;
	uint64_t state = 8;
	int round;

	must(!model_open(&model, name, 64, false));
	for (round = 0; round < 10; round++) {
		must(!model_begin(&model));
		model_scribble(&model, &state, 20);
		must(!model_collect(&model));
		must(!model_commit(&model, round + 1));
	}
	model_close(&model);
	_exit(0);
}

TEST_F(track, a_child_can_have_a_region_of_its_own)
{
	struct model *model = &self->model;
	int status;
	pid_t pid;

	ASSERT_EQ(0, model_begin(model));
	model_store(model, 0, "a", 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (pid == 0)
		use_own_region(variant->name);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(0, model_commit(model, 1));
}

TEST_F(track, many_regions_are_tracked_apart)
{
	struct model model[20];
	uint64_t state = 9;
	int round, i;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, model_open(&model[i], variant->name, 1 + i * 5, false));
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 20; i++) {
			ASSERT_EQ(0, model_begin(&model[i]));
			model_scribble(&model[i], &state, i);
		}
		for (i = 0; i < 20; i++) {
			ASSERT_EQ(0, model_collect(&model[i]));
			ASSERT_EQ(0, model_commit(&model[i], round + 1));
		}
	}
	for (i = 0; i < 20; i += 2)
		model_close(&model[i]);
	for (i = 1; i < 20; i += 2) {
		ASSERT_EQ(0, model_begin(&model[i]));
		model_scribble(&model[i], &state, i);
		ASSERT_EQ(0, model_collect(&model[i]));
		ASSERT_EQ(0, model_commit(&model[i], round + 1));
		EXPECT_TRUE(model_live_ok(&model[i]));
		EXPECT_TRUE(model_segment_untouched(&model[i]));
		model_close(&model[i]);
	}
}

TEST_F(track, a_part_of_the_segment_is_mapped_at_its_offset)
{
	struct model *model = &self->model;
	struct track_map map = { .fd = open_segment(64 * PAGE), .offset = 16 * PAGE };
	struct tracker *tracker;

	ASSERT_EQ(4, pwrite(map.fd, "here", 4, 16 * PAGE + 5));
	map.length = 8 * PAGE;
	ASSERT_EQ(0, model->ops->open(&map, &tracker));
	EXPECT_EQ(0, memcmp(tracker->base + 5, "here", 4));
	model->ops->close(tracker);
	close(map.fd);
}

static int count_page(void *arg, const struct track_page *page)
{
	++*(int *)arg;
	return 0;
}

TEST_F(track, a_tebibyte_costs_what_is_touched)
{
	struct model *model = &self->model;
	struct track_map map = { .length = 1ULL << 40 };
	struct tracker *tracker;
	double start;
	int i, n = 0;

	map.fd = open_segment(map.length);
	ASSERT_LE(0, map.fd);
	start = now();
	ASSERT_EQ(0, model->ops->open(&map, &tracker)) {
		TH_LOG("%s", err_text());
	}
	TH_LOG("%s: mapped 1 TiB in %.3f ms", variant->name, (now() - start) * 1e3);
	EXPECT_GT(1, now() - start);
	if (model->ops->begin)
		ASSERT_EQ(0, model->ops->begin(tracker, 1));
	for (i = 0; i < 8; i++)
		tracker->base[i * (map.length / 8) + i] = 1;
	start = now();
	ASSERT_EQ(0, model->ops->collect(tracker, 1, count_page, &n));
	ASSERT_EQ(0, model->ops->end(tracker, 1, 1));
	TH_LOG("%s: collected 8 pages of it in %.3f ms", variant->name, (now() - start) * 1e3);
	EXPECT_GT(1, now() - start);
	EXPECT_EQ(8, n);
	model->ops->close(tracker);
	close(map.fd);
}

TEST_F(track, the_region_is_where_the_caller_wants_it)
{
	struct model *model = &self->model;
	struct track_map map = { .fd = open_segment(16 * PAGE), .length = 16 * PAGE };
	struct tracker *tracker, *second = NULL;
	unsigned int mappings, descriptors;

	map.addr = mmap(NULL, map.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(map.addr, map.length);
	ASSERT_EQ(0, model->ops->open(&map, &tracker));
	EXPECT_EQ(map.addr, tracker->base);
	tracker->base[0] = 'k';

	/* What is there already stays, and a failed open leaves nothing behind. */
	mappings = count_mappings();
	descriptors = count_descriptors();
	map.fd = open_segment(16 * PAGE);
	EXPECT_EQ(-EEXIST, model->ops->open(&map, &second));
	EXPECT_NE(NULL, strstr(err_text(), "in use"));
	map.addr = (char *)map.addr - 8 * PAGE;
	EXPECT_EQ(-EEXIST, model->ops->open(&map, &second));
	EXPECT_EQ(NULL, second);
	EXPECT_EQ('k', tracker->base[0]);
	close(map.fd);
	EXPECT_EQ(mappings, count_mappings());
	EXPECT_EQ(descriptors, count_descriptors());
	model->ops->close(tracker);
}

TEST_F(track, what_cannot_be_mapped_is_refused_with_the_exact_error)
{
	struct model *model = &self->model;
	int fd = open_segment(16 * PAGE);
	const struct {
		struct track_map map;
		int err;
	} row[] = {
		{ { .length = 0 }, -EINVAL },
		{ { .length = PAGE - 1 }, -EINVAL },
		{ { .length = PAGE, .offset = 512 }, -EINVAL },
		{ { .length = PAGE, .addr = (void *)0x10000800 }, -EINVAL },
		{ { .length = 17 * PAGE }, -ENXIO },
		{ { .length = 16 * PAGE, .offset = PAGE }, -ENXIO },
		{ { .length = 2 * PAGE, .offset = -PAGE }, -EOVERFLOW },
	};
	unsigned int mappings = count_mappings(), descriptors = count_descriptors();
	struct tracker *tracker = NULL;
	struct track_map map;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		map = row[i].map;
		map.fd = fd;
		err_clear();
		EXPECT_EQ(row[i].err, model->ops->open(&map, &tracker)) {
			TH_LOG("row %zu", i);
		}
		EXPECT_NE('\0', err_text()[0]);
	}
	map = (struct track_map){ .fd = -1, .length = PAGE };
	EXPECT_EQ(-EBADF, model->ops->open(&map, &tracker));
	EXPECT_EQ(NULL, tracker);
	EXPECT_EQ(mappings, count_mappings());
	EXPECT_EQ(descriptors, count_descriptors());
	close(fd);
}

TEST_F(track, opening_and_closing_leaves_nothing_behind)
{
	unsigned int mappings = 0, descriptors = 0;
	struct model model;
	uint64_t state = 10;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, model_open(&model, variant->name, 256, false));
		ASSERT_EQ(0, model_begin(&model));
		model_scribble(&model, &state, 50);
		ASSERT_EQ(0, model_collect(&model));
		model_close(&model);
		if (i == 2) {
			mappings = count_mappings();
			descriptors = count_descriptors();
		}
	}
	EXPECT_EQ(mappings, count_mappings());
	EXPECT_EQ(descriptors, count_descriptors());
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

/* A page that became writable before the transaction began is seen in it all the same. */
TEST_F(track, a_page_that_an_explicit_transaction_opened_is_seen)
{
	struct model *model = &self->model;
	struct track_stats stats;
	char byte;
	int round;

	for (round = 0; round < 3; round++) {
		if (model->ops->hold)
			model->ops->hold(model->tracker, 11, 11);
		byte = 'e' + round;
		model_store(model, 11 * PAGE, &byte, 1);
		if (model->ops->release)
			model->ops->release(model->tracker, 11, 11, 10);
		/* It committed its byte. */
		model->committed[11 * PAGE] = byte;
		if (model->ops->twin)
			model->ops->committed(model->tracker, 11)[0] = byte;
		model->written[11] = false;
		model->may[11] = true;
		ASSERT_EQ(0, model_begin(model));
		model_store(model, 11 * PAGE + 1, &byte, 1);
		EXPECT_EQ(0, model_collect(model));
		ASSERT_EQ(0, model_commit(model, 20 + round));
	}
	model->ops->stats(model->tracker, &stats);
	EXPECT_EQ(0, stats.strays);
}

/* Nor does one that an explicit transaction opens meanwhile hide later stores. */
TEST_F(track, a_page_that_an_explicit_transaction_opens_meanwhile_is_seen)
{
	struct model *model = &self->model;
	pthread_t thread;

	ASSERT_EQ(0, model_begin(model));
	if (model->ops->hold)
		model->ops->hold(model->tracker, 9, 9);
	ASSERT_EQ(0, pthread_create(&thread, NULL, store_page_9, model));
	pthread_join(thread, NULL);
	model_store(model, 9 * PAGE + 1, "m", 1);
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(1, model->n_seen);
	ASSERT_EQ(0, model_commit(model, 1));
	if (model->ops->release)
		model->ops->release(model->tracker, 9, 9, 1);
}

FIXTURE(choice)
{
	struct track_map map;
	struct tracker *tracker;
	char why[256];
};

FIXTURE_SETUP(choice)
{
	self->map.fd = open_segment(16 * PAGE);
	self->map.length = 16 * PAGE;
	ASSERT_LE(0, self->map.fd);
}

FIXTURE_TEARDOWN(choice)
{
	if (self->tracker)
		self->tracker->ops->close(self->tracker);
	close(self->map.fd);
}

static int choose(FIXTURE_DATA(choice) *self, unsigned long flag)
{
	return track_open(&self->map, flag, self->why, sizeof(self->why), &self->tracker);
}

TEST_F(choice, the_best_is_taken_and_the_reason_told)
{
	const char *best = tracker_expected("kmod") ? "kmod" :
			   tracker_expected("uffd") ? "uffd" : "sigsegv";
	char used[32];

	ASSERT_EQ(0, choose(self, 0));
	EXPECT_EQ(0, strcmp(best, self->tracker->ops->name)) {
		TH_LOG("%s", self->why);
	}
	snprintf(used, sizeof(used), "%s: used", best);
	EXPECT_NE(NULL, strstr(self->why, used));
	if (strcmp(best, "kmod"))
		EXPECT_NE(NULL, strstr(self->why, "kmod: the module rvm_track is not loaded"));
}

TEST_F(choice, what_is_asked_for_is_taken)
{
	ASSERT_EQ(0, choose(self, RVM_TRACK_SIGSEGV));
	EXPECT_EQ(&track_sigsegv, self->tracker->ops);
	EXPECT_EQ(0, strcmp("sigsegv: asked for", self->why));
}

TEST_F(choice, what_is_asked_for_is_never_replaced)
{
	int err = choose(self, RVM_TRACK_KMOD);

	if (tracker_expected("kmod")) {
		EXPECT_EQ(0, err);
		return;
	}
	EXPECT_EQ(-EOPNOTSUPP, err);
	EXPECT_EQ(NULL, self->tracker);
	EXPECT_NE(NULL, strstr(err_text(), "insmod rvm_track.ko"));
	EXPECT_NE(NULL, strstr(self->why, "not loaded"));
}

TEST_F(choice, none_maps_and_tracks_nothing)
{
	ASSERT_EQ(0, choose(self, RVM_TRACK_NONE));
	EXPECT_EQ(&track_none, self->tracker->ops);
	EXPECT_FALSE(self->tracker->ops->tracks);
	EXPECT_FALSE(self->tracker->ops->twin);
	self->tracker->base[0] = 'n';
	EXPECT_EQ('n', self->tracker->base[0]);
	EXPECT_EQ(1, pread(self->map.fd, self->why, 1, 0));
	EXPECT_EQ(0, self->why[0]);
}

TEST_F(choice, a_strict_region_gets_a_tracker_that_can_refuse)
{
	self->map.strict = true;
	ASSERT_EQ(0, choose(self, 0));
	EXPECT_TRUE(self->tracker->ops->strict);
	EXPECT_EQ(NULL, strstr(self->why, "uffd: used"));
}

TEST_F(choice, who_cannot_refuse_is_not_given_a_strict_region)
{
	self->map.strict = true;
	EXPECT_EQ(-EOPNOTSUPP, choose(self, RVM_TRACK_UFFD));
	EXPECT_EQ(-EOPNOTSUPP, choose(self, RVM_TRACK_NONE));
	EXPECT_NE(NULL, strstr(err_text(), "cannot refuse"));
}

TEST_F(choice, an_unknown_flag_is_refused)
{
	EXPECT_EQ(-EINVAL, choose(self, 0x10000));
	EXPECT_EQ(-EINVAL, choose(self, RVM_TRACK_UFFD | RVM_TRACK_NONE));
}

TEST_F(choice, a_short_text_is_cut)
{
	char why[8];

	memset(why, 'x', sizeof(why));
	ASSERT_EQ(0, track_open(&self->map, RVM_TRACK_SIGSEGV, why, sizeof(why),
				&self->tracker));
	EXPECT_EQ(0, strcmp("sigsegv", why));
}

static void __attribute__((constructor)) register_last(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
