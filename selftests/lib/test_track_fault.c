// SPDX-License-Identifier: GPL-2.0
/* Stores that are refused, and faults and signals that are not the library's. */
#include "test_track.h"

#include <setjmp.h>
#include <sys/time.h>

#define REGION_PAGES	16

/* An address where nothing is ever mapped. */
static char *volatile nowhere = (char *)8;

static sigjmp_buf jump;
static volatile int caught;
static void *volatile caught_addr;
static volatile int caught_code;
static sigset_t caught_mask;

static void jump_out(int sig, siginfo_t *info, void *context)
{
	caught = sig;
	caught_addr = info->si_addr;
	caught_code = info->si_code;
	pthread_sigmask(SIG_SETMASK, NULL, &caught_mask);
	siglongjmp(jump, 1);
}

static void count_only(int sig)
{
	caught++;
}

static void exit_99(int sig)
{
	_exit(99);
}

static void catch(int sig, int flags)
{
	struct sigaction action = { .sa_sigaction = jump_out, .sa_flags = SA_SIGINFO | flags };

	sigaddset(&action.sa_mask, SIGUSR1);
	sigaction(sig, &action, NULL);
}

/* Store; the signal that it raised, 0 for none. */
static int try_store(char *at)
{
	caught = 0;
	if (!sigsetjmp(jump, 1))
		*(volatile char *)at = 1;
	return caught;
}

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

/* What one child does, so that its death is seen. */
static int status_of(void (*fn)(void *arg), void *arg)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
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
			EXPECT_NE(NULL, strstr(text, "offset 0x0000000000002345\n"));
	}
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

#define SCATTERED_PAGES	300000UL
#define SCATTERED_VM	8192	/* in the VM, which is slow and where we may set that number */
#define MAX_MAPPINGS	"/proc/sys/vm/max_map_count"

static unsigned int max_mappings(void)
{
	unsigned int n = 0;
	FILE *file = fopen(MAX_MAPPINGS, "r");

	must(file && fscanf(file, "%u", &n) == 1 && !fclose(file));
	return n;
}

static void allow_mappings(unsigned int n)
{
	FILE *file = fopen(MAX_MAPPINGS, "w");

	must(file && fprintf(file, "%u", n) > 0 && !fclose(file));
}

/* Stores to scattered pages, more than the process may have mappings. */

FIXTURE(scarce)
{
	struct track_map map;
	struct tracker *tracker;
	bool *written;
	bool *seen;
	uint64_t n;
	unsigned int allowed;
	unsigned int stores;
};

FIXTURE_SETUP(scarce)
{
	self->allowed = max_mappings();
	if (getenv("RVM_VM"))
		allow_mappings(SCATTERED_VM);
	self->stores = max_mappings() / 2 * 3;
	ASSERT_GT(SCATTERED_PAGES, 2 * self->stores);
	self->map.length = SCATTERED_PAGES * PAGE;
	self->map.fd = open_segment(self->map.length);
	self->written = calloc(SCATTERED_PAGES, sizeof(bool));
	self->seen = calloc(SCATTERED_PAGES, sizeof(bool));
	ASSERT_EQ(0, track_sigsegv.open(&self->map, &self->tracker));
}

FIXTURE_TEARDOWN(scarce)
{
	track_sigsegv.close(self->tracker);
	close(self->map.fd);
	if (getenv("RVM_VM"))
		allow_mappings(self->allowed);
	free(self->written);
	free(self->seen);
}

static int see_scattered(void *arg, const struct track_page *page)
{
	FIXTURE_DATA(scarce) *self = arg;

	self->seen[page->page] = true;
	self->n++;
	return 0;
}

static uint64_t missing(FIXTURE_DATA(scarce) *self)
{
	uint64_t page, n = 0;

	for (page = 0; page < SCATTERED_PAGES; page++)
		n += self->written[page] && !self->seen[page];
	return n;
}

static void store_scattered(FIXTURE_DATA(scarce) *self, uint64_t page)
{
	self->tracker->base[page * PAGE] = 1;
	self->written[page] = true;
}

static int collect_scattered(FIXTURE_DATA(scarce) *self)
{
	int err = track_sigsegv.collect(self->tracker, 1, see_scattered, self);

	return err ? err : track_sigsegv.end(self->tracker, 1, 1);
}

TEST_F_TIMEOUT(scarce, pages_at_random_are_all_found, 300)
{
	unsigned int mappings = count_mappings();
	uint64_t state = 11;
	unsigned int i;

	for (i = 0; i < self->stores; i++)
		store_scattered(self, next_random(&state) % SCATTERED_PAGES);
	/* It leaves the program half of what it may have. */
	EXPECT_GT(max_mappings() / 5 * 3, count_mappings());
	ASSERT_EQ(0, collect_scattered(self));
	EXPECT_EQ(0, missing(self));
	TH_LOG("%u stores, %llu pages collected", self->stores, (unsigned long long)self->n);
	EXPECT_EQ(mappings, count_mappings());
	/* And all is as before. */
	self->n = 0;
	store_scattered(self, 12345);
	ASSERT_EQ(0, collect_scattered(self));
	EXPECT_EQ(1, self->n);
}

TEST_F_TIMEOUT(scarce, every_other_page_costs_no_more_than_its_neighbour, 300)
{
	uint64_t page;

	for (page = 0; page < 2 * self->stores; page += 2)
		store_scattered(self, page);
	ASSERT_EQ(0, collect_scattered(self));
	EXPECT_EQ(0, missing(self));
	EXPECT_GE(2 * self->stores, self->n);
}

static void __attribute__((constructor)) register_last(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
