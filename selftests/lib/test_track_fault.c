// SPDX-License-Identifier: GPL-2.0
/* Stores that are refused. */
#include "faults.h"

/* What try_store() says in another thread. */
static void *try_in_thread(void *at)
{
	return (void *)(intptr_t)try_store(at);
}

static int try_elsewhere(char *at)
{
	pthread_t thread;
	void *ret;

	if (pthread_create(&thread, NULL, try_in_thread, at))
		return -1;
	pthread_join(thread, &ret);
	return (intptr_t)ret;
}

FIXTURE(strict)
{
	struct model model;
};

FIXTURE_VARIANT(strict)
{
	const char *name;
};

FIXTURE_VARIANT_ADD(strict, kmod)
{
	.name = "kmod",
};

FIXTURE_VARIANT_ADD(strict, sigsegv)
{
	.name = "sigsegv",
};

FIXTURE_SETUP(strict)
{
	ASSERT_EQ(0, model_open(&self->model, variant->name, REGION_PAGES, true)) {
		TH_LOG("%s", err_text());
	}
	catch(SIGBUS, 0);
}

FIXTURE_TEARDOWN(strict)
{
	model_close(&self->model);
}

TEST_F(strict, a_store_outside_transactions_is_sigbus_at_its_address)
{
	struct model *model = &self->model;
	char *at = model_at(model, 3 * PAGE + 77);

	EXPECT_EQ(SIGBUS, try_store(at));
	EXPECT_EQ(at, caught_addr);
	EXPECT_EQ(BUS_ADRERR, caught_code);
	/* Again: nothing became writable. */
	EXPECT_EQ(SIGBUS, try_store(at));
	EXPECT_TRUE(model_live_ok(model));
	ASSERT_EQ(0, model_begin(model));
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(0, model_commit(model, 1));
}

TEST_F(strict, loads_are_not_refused)
{
	EXPECT_TRUE(model_live_ok(&self->model));
}

TEST_F(strict, a_store_inside_a_tracked_transaction_is_made)
{
	struct model *model = &self->model;
	char *at = model_at(model, 3 * PAGE);

	ASSERT_EQ(0, model_begin(model));
	EXPECT_EQ(0, try_store(at));
	model_note(model, 3 * PAGE, "\1", 1);
	EXPECT_EQ(0, model_collect(model));
	ASSERT_EQ(0, model_commit(model, 1));
	EXPECT_EQ(SIGBUS, try_store(at));
}

TEST_F(strict, after_an_abort_stores_are_refused_again)
{
	struct model *model = &self->model;

	ASSERT_EQ(0, model_begin(model));
	model_store(model, 5 * PAGE, "a", 1);
	ASSERT_EQ(0, model_abort(model));
	EXPECT_EQ(SIGBUS, try_store(model_at(model, 6 * PAGE)));
	EXPECT_TRUE(model_live_ok(model));
}

TEST_F(strict, a_store_to_a_held_page_is_made_by_any_thread)
{
	struct model *model = &self->model;
	const struct track_ops *ops = model->ops;

	ops->hold(model->tracker, 0, 1);
	EXPECT_EQ(0, try_store(model_at(model, 0)));
	/* Holds nest, whatever the order of their ends. */
	ops->hold(model->tracker, 1, 3);
	ops->release(model->tracker, 0, 1, 0);
	EXPECT_EQ(0, try_elsewhere(model_at(model, PAGE)));
	EXPECT_EQ(0, try_elsewhere(model_at(model, 2 * PAGE)));
	EXPECT_EQ(SIGBUS, try_store(model_at(model, 4 * PAGE)));
	ops->release(model->tracker, 1, 3, 0);
	EXPECT_EQ(SIGBUS, try_store(model_at(model, 3 * PAGE)));
}

TEST_F(strict, armed_pages_that_nobody_holds_are_refused)
{
	struct model *model = &self->model;
	const struct track_ops *ops = model->ops;

	ops->hold(model->tracker, 1, 2);
	ops->hold(model->tracker, 2, 3);
	EXPECT_EQ(0, try_store(model_at(model, PAGE)));
	EXPECT_EQ(0, try_store(model_at(model, 2 * PAGE)));
	EXPECT_EQ(0, try_store(model_at(model, 3 * PAGE)));
	ops->release(model->tracker, 1, 2, 1);
	ops->arm(model->tracker);
	EXPECT_EQ(SIGBUS, try_store(model_at(model, PAGE)));
	EXPECT_EQ(0, try_store(model_at(model, 2 * PAGE)));
	EXPECT_EQ(0, try_store(model_at(model, 3 * PAGE)));
	ops->release(model->tracker, 2, 3, 2);
	ops->arm(model->tracker);
	EXPECT_EQ(SIGBUS, try_store(model_at(model, 2 * PAGE)));
	EXPECT_EQ(SIGBUS, try_store(model_at(model, 3 * PAGE)));
}

TEST_F(strict, arming_loses_no_written_page)
{
	struct model *model = &self->model;

	model->ops->hold(model->tracker, 1, 1);
	ASSERT_EQ(0, model_begin(model));
	model_store(model, PAGE, "a", 1);
	model_store(model, 2 * PAGE, "b", 1);
	model->ops->arm(model->tracker);
	EXPECT_EQ(0, model_collect(model));
	EXPECT_EQ(2, model->n_seen);
	ASSERT_EQ(0, model_commit(model, 1));
	model->ops->release(model->tracker, 1, 1, 1);
}

TEST_F(strict, a_hold_outlives_a_tracked_transaction)
{
	struct model *model = &self->model;

	model->ops->hold(model->tracker, 1, 1);
	ASSERT_EQ(0, model_begin(model));
	model_store(model, 0, "t", 1);
	ASSERT_EQ(0, model_commit(model, 1));
	EXPECT_EQ(0, try_store(model_at(model, PAGE)));
	model->ops->release(model->tracker, 1, 1, 0);
	EXPECT_EQ(SIGBUS, try_store(model_at(model, 2 * PAGE)));
}

TEST_F(strict, another_thread_is_not_in_the_transaction)
{
	struct model *model = &self->model;

	ASSERT_EQ(0, model_begin(model));
	EXPECT_EQ(SIGBUS, try_elsewhere(model_at(model, 4 * PAGE)));
	EXPECT_EQ(0, try_store(model_at(model, 4 * PAGE)));
	ASSERT_EQ(0, model->ops->end(model->tracker, model->tid, 1));
}

static void *end_here(void *arg)
{
	struct model *model = arg;

	return (void *)(intptr_t)model->ops->end(model->tracker, model->tid, 1);
}

TEST_F(strict, ended_by_another_thread_it_is_over_for_the_one_that_began)
{
	struct model *model = &self->model;
	pthread_t thread;

	ASSERT_EQ(0, model_begin(model));
	EXPECT_EQ(0, try_store(model_at(model, 0)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, end_here, model));
	pthread_join(thread, NULL);
	EXPECT_EQ(SIGBUS, try_store(model_at(model, PAGE)));
}

static void *begin_and_exit(void *arg)
{
	return (void *)(intptr_t)model_begin(arg);
}

TEST_F(strict, a_thread_that_exits_in_a_transaction_leaves_no_trace)
{
	struct model *model = &self->model;
	pthread_t thread;
	int i;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, begin_and_exit, model));
		pthread_join(thread, NULL);
		ASSERT_EQ(SIGBUS, try_elsewhere(model_at(model, i % 16 * PAGE)));
		ASSERT_EQ(0, model->ops->end(model->tracker, model->tid, i + 1));
	}
}

static void *begin_and_end(void *arg)
{
	struct model *model = arg;
	int err = model->ops->begin(model->tracker, 1);

	return (void *)(intptr_t)(err ? err : model->ops->end(model->tracker, 1, 0));
}

TEST_F_TIMEOUT(strict, any_number_of_threads_may_come_and_go, 120)
{
	struct model *model = &self->model;
	pthread_t thread;
	void *ret;
	int i;

	for (i = 0; i < 4096 + 20; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, begin_and_end, model));
		pthread_join(thread, &ret);
		ASSERT_EQ(NULL, ret);
	}
}

struct attempt {
	const char *name;
	int fd;
	sighandler_t handler;
	bool block;
};

static void store_unhandled(void *arg)
{
	struct attempt *attempt = arg;
	struct model model;
	sigset_t set;

	must(!model_open(&model, attempt->name, REGION_PAGES, true));
	signal(SIGBUS, attempt->handler);
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	if (attempt->block)
		sigprocmask(SIG_BLOCK, &set, NULL);
	dup2(attempt->fd, STDERR_FILENO);
	*(volatile char *)model_at(&model, 2 * PAGE + 0x345) = 1;
}

TEST_F(strict, who_does_not_handle_it_dies_of_it)
{
	const struct {
		sighandler_t handler;
		bool block;
	} row[] = { { SIG_DFL, false }, { SIG_IGN, false }, { SIG_DFL, true }, { exit_99, true } };
	const char *words = "region offset 0x2345, offset 0x2345 of its segment, by";
	struct attempt attempt = { .name = variant->name };
	char text[256];
	int pipe_fd[2], i, status;
	ssize_t n;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pipe2(pipe_fd, O_CLOEXEC));
		attempt.fd = pipe_fd[1];
		attempt.handler = row[i].handler;
		attempt.block = row[i].block;
		status = status_of(store_unhandled, &attempt);
		close(pipe_fd[1]);
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) {
			TH_LOG("row %d: status 0x%x", i, status);
		}
		n = read(pipe_fd[0], text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		close(pipe_fd[0]);
		if (!strcmp(variant->name, "sigsegv"))
			EXPECT_NE(NULL, strstr(text, words));
	}
}

static void __attribute__((constructor)) register_last(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
