// SPDX-License-Identifier: GPL-2.0
/* The trackers: threads, processes and explicit transactions beside each other. */
#include "track_each.h"

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

static void __attribute__((constructor)) register_last(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
