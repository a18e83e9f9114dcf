// SPDX-License-Identifier: GPL-2.0
/* Faults and signals that are not the library's. */
#include "faults.h"

#include <sys/time.h>

/* An address where nothing is ever mapped. */
static char *volatile nowhere = (char *)8;

static void count_only(int sig)
{
	caught++;
}

FIXTURE(foreign)
{
	struct model model;
	char *closed;
};

/* The program's handler is there before the library's. */
static void foreign_open(struct __test_metadata *_metadata, FIXTURE_DATA(foreign) *self)
{
	ASSERT_EQ(0, model_open(&self->model, "sigsegv", REGION_PAGES, false));
}

FIXTURE_SETUP(foreign)
{
	self->closed = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->closed);
}

FIXTURE_TEARDOWN(foreign)
{
	if (self->model.ops)
		model_close(&self->model);
}

/* Tracking works, before and after something happened. */
static bool tracks(struct model *model)
{
	bool ok;

	if (model_begin(model))
		return false;
	model_store(model, 9 * PAGE, "T", 1);
	ok = !model_collect(model) && model->n_seen == 1;
	return !model_commit(model, 1) && ok;
}

TEST_F(foreign, a_fault_reaches_the_handler_with_all_it_needs)
{
	int i;

	catch(SIGSEGV, 0);
	foreign_open(_metadata, self);
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(tracks(&self->model));
		EXPECT_EQ(SIGSEGV, try_store(self->closed + 8));
		EXPECT_EQ(self->closed + 8, caught_addr);
		EXPECT_EQ(SEGV_ACCERR, caught_code);
		/* As the kernel would have it: SIGSEGV and what the handler asked for. */
		EXPECT_TRUE(sigismember(&caught_mask, SIGSEGV));
		EXPECT_TRUE(sigismember(&caught_mask, SIGUSR1));
		EXPECT_FALSE(sigismember(&caught_mask, SIGUSR2));
		EXPECT_EQ(SIGSEGV, try_store(nowhere));
		EXPECT_EQ(nowhere, caught_addr);
		EXPECT_EQ(SEGV_MAPERR, caught_code);
	}
}

TEST_F(foreign, a_handler_with_nodefer_may_be_interrupted)
{
	catch(SIGSEGV, SA_NODEFER);
	foreign_open(_metadata, self);
	EXPECT_EQ(SIGSEGV, try_store(self->closed));
	EXPECT_FALSE(sigismember(&caught_mask, SIGSEGV));
	EXPECT_TRUE(tracks(&self->model));
}

static void make_writable(int sig, siginfo_t *info, void *context)
{
	caught++;
	mprotect((void *)((uintptr_t)info->si_addr & -PAGE), PAGE, PROT_READ | PROT_WRITE);
}

TEST_F(foreign, a_handler_may_resolve_the_fault_and_return)
{
	struct sigaction action = { .sa_sigaction = make_writable, .sa_flags = SA_SIGINFO };
	volatile char *closed = self->closed;

	sigaction(SIGSEGV, &action, NULL);
	foreign_open(_metadata, self);
	caught = 0;
	closed[0] = 5;
	closed[PAGE] = 6;
	EXPECT_EQ(2, caught);
	EXPECT_EQ(11, closed[0] + closed[PAGE]);
	EXPECT_TRUE(tracks(&self->model));
}

static char *store_target;

static void store_in_handler(int sig)
{
	*(volatile char *)store_target = 7;
	_exit(sig == SIGSEGV && *store_target == 7 ? 99 : 1);
}

static void fault_and_store_in_handler(void *arg)
{
	FIXTURE_DATA(foreign) *self = arg;

	signal(SIGSEGV, store_in_handler);
	must(!model_open(&self->model, "sigsegv", REGION_PAGES, false));
	store_target = model_at(&self->model, 0);
	self->closed[0] = 1;
}

/* The kernel would kill a program whose SIGSEGV handler faults, so nothing else is promised. */
TEST_F(foreign, a_handler_that_stores_to_a_region_needs_nodefer)
{
	struct sigaction action = { .sa_handler = store_in_handler, .sa_flags = SA_NODEFER };
	int status;
	pid_t pid;

	status = status_of(fault_and_store_in_handler, self);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	pid = fork();
	if (pid == 0) {
		sigaction(SIGSEGV, &action, NULL);
		must(!model_open(&self->model, "sigsegv", REGION_PAGES, false));
		store_target = model_at(&self->model, 0);
		self->closed[0] = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 99);
}

static struct model *stored_at;
static volatile int stored;

static void store_in_profiler(int sig)
{
	++*(volatile char *)model_at(stored_at, stored % REGION_PAGES * PAGE);
	stored++;
}

static int copy_committed(void *arg, const struct track_page *page)
{
	memcpy(page->committed, page->live, PAGE);
	return 0;
}

/* It may come at any time, while the library holds its lock as well. */
TEST_F(foreign, another_signals_handler_may_store_to_a_region)
{
	struct model *model = &self->model;
	struct itimerval timer = {
		.it_interval.tv_usec = 200,
		.it_value.tv_usec = 200,
	};
	int i, different = 0;

	foreign_open(_metadata, self);
	stored_at = model;
	signal(SIGPROF, store_in_profiler);
	ASSERT_EQ(0, setitimer(ITIMER_PROF, &timer, NULL));
	for (i = 0; stored < 100; i++) {
		ASSERT_EQ(0, model_begin(model));
		ASSERT_EQ(0, model->ops->collect(model->tracker, model->tid, copy_committed, NULL));
		ASSERT_EQ(0, model->ops->end(model->tracker, model->tid, i + 1));
	}
	timer = (struct itimerval){};
	ASSERT_EQ(0, setitimer(ITIMER_PROF, &timer, NULL));
	ASSERT_EQ(0, model->ops->collect(model->tracker, model->tid, copy_committed, NULL));
	for (i = 0; i < REGION_PAGES; i++)
		different += !!memcmp(model_at(model, i * PAGE),
				      model->ops->committed(model->tracker, i), PAGE);
	EXPECT_EQ(0, different);
}

/* struct attempt - what a child that faults has for a handler */
struct attempt {
	sighandler_t handler;
};

static void die(void *arg)
{
	struct attempt *attempt = arg;
	struct model model;

	signal(SIGSEGV, attempt->handler);
	must(!model_open(&model, "sigsegv", REGION_PAGES, false));
	must(tracks(&model));
	*nowhere = 1;
}

static void kill_self(void *arg)
{
	struct attempt *attempt = arg;
	struct model model;

	signal(SIGSEGV, attempt->handler);
	must(!model_open(&model, "sigsegv", REGION_PAGES, false));
	kill(getpid(), SIGSEGV);
	_exit(attempt->handler == SIG_DFL || tracks(&model) ? 55 : 1);
}

static bool killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

TEST_F(foreign, without_a_handler_a_fault_kills)
{
	struct attempt attempt = { .handler = SIG_DFL };

	EXPECT_TRUE(killed(status_of(die, &attempt)));
}

TEST_F(foreign, a_fault_cannot_be_ignored)
{
	struct attempt attempt = { .handler = SIG_IGN };

	EXPECT_TRUE(killed(status_of(die, &attempt)));
}

TEST_F(foreign, a_handler_without_siginfo_is_called)
{
	struct attempt attempt = { .handler = exit_99 };
	int status = status_of(die, &attempt);

	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 99);
}

TEST_F(foreign, a_sent_signal_does_what_it_did)
{
	struct attempt attempt = { .handler = SIG_DFL };
	int status;

	EXPECT_TRUE(killed(status_of(kill_self, &attempt)));
	attempt.handler = SIG_IGN;
	status = status_of(kill_self, &attempt);
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 55);
	attempt.handler = count_only;
	status = status_of(kill_self, &attempt);
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 55);
	attempt.handler = exit_99;
	status = status_of(kill_self, &attempt);
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 99);
}

static void fault_twice(void *arg)
{
	struct sigaction action = {
		.sa_sigaction = jump_out,
		.sa_flags = SA_SIGINFO | SA_RESETHAND,
	};
	struct model model;

	sigaction(SIGSEGV, &action, NULL);
	must(!model_open(&model, "sigsegv", REGION_PAGES, false));
	must(try_store(nowhere) == SIGSEGV);
	must(tracks(&model));
	try_store(nowhere);
}

TEST_F(foreign, a_handler_for_one_time_is_called_one_time)
{
	EXPECT_TRUE(killed(status_of(fault_twice, NULL)));
}

/* A child has the handler, but not the region; it may have something else there. */
static void store_to_the_parents_region(void *arg)
{
	FIXTURE_DATA(foreign) *self = arg;
	char *base = self->model.tracker->base;

	must(mmap(base, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		  0) == base);
	*(volatile char *)base = 1;
}

TEST_F(foreign, a_child_faults_at_the_region_of_its_parent)
{
	int status;

	signal(SIGSEGV, exit_99);
	foreign_open(_metadata, self);
	status = status_of(store_to_the_parents_region, self);
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 99);
	EXPECT_TRUE(tracks(&self->model));
}

TEST_F(foreign, executing_in_a_region_is_a_fault_not_a_store)
{
	void (*fn)(void);

	catch(SIGSEGV, 0);
	foreign_open(_metadata, self);
	*(void **)&fn = self->model.tracker->base;
	caught = 0;
	if (!sigsetjmp(jump, 1))
		fn();
	EXPECT_EQ(SIGSEGV, caught);
	EXPECT_EQ(self->model.tracker->base, caught_addr);
	EXPECT_TRUE(tracks(&self->model));
}

TEST_F(foreign, a_handler_installed_later_is_noticed)
{
	struct model second;

	foreign_open(_metadata, self);
	EXPECT_EQ(0, track_sigsegv.probe());
	signal(SIGSEGV, exit_99);
	EXPECT_EQ(-EBUSY, track_sigsegv.probe());
	EXPECT_NE(NULL, strstr(err_text(), "SIGSEGV handler"));
	EXPECT_EQ(-EBUSY, model_open(&second, "sigsegv", 1, false));
	second.tracker = NULL;
	model_close(&second);
}

TEST_F(foreign, an_alternate_stack_is_used)
{
	stack_t stack = { .ss_sp = malloc(1 << 16), .ss_size = 1 << 16 };
	char *top;

	foreign_open(_metadata, self);
	ASSERT_EQ(0, sigaltstack(&stack, NULL));
	memset(stack.ss_sp, 0, stack.ss_size);
	EXPECT_TRUE(tracks(&self->model));
	for (top = (char *)stack.ss_sp + stack.ss_size - 1; top > (char *)stack.ss_sp; top--)
		if (*top)
			break;
	EXPECT_LT((char *)stack.ss_sp, top);
}

static void __attribute__((constructor)) register_last(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
