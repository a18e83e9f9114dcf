// SPDX-License-Identifier: GPL-2.0
/* Several tracked transactions in one region, and stores of one that fault on another's page. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES		64
#define A		7	/* two transactions */
#define B		9
#define SHARED		(RVM_TRACK_REGION_STRICT | RVM_TRACK_REGION_DISJOINT)
#define LIMIT		"/sys/module/rvm_track/parameters/conflict"
#define ROUNDS		2000

/**
 * struct actor - a thread that makes one store in a transaction
 * @thread: the thread
 * @r: the region
 * @tid: its transaction
 * @at: where
 * @byte: what
 * @by_call: by read(2)
 * @done: it is made, or has failed
 * @error: of read(2)
 */
struct actor {
	pthread_t thread;
	struct region *r;
	uint32_t tid;
	size_t at;
	unsigned char byte;
	bool by_call;
	int done;
	int error;
};

FIXTURE(conflict) {
	struct client c;
	struct region r;
	struct actor b;
	int seg;
};

FIXTURE_VARIANT(conflict)
{
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(conflict, refused) { .flags = SHARED };
FIXTURE_VARIANT_ADD(conflict, waits) { .flags = SHARED | RVM_TRACK_REGION_WAIT };

FIXTURE_SETUP(conflict)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, variant->flags));
	ASSERT_TRUE(write_line(LIMIT, "1000"));
	self->b = (struct actor){ .r = &self->r, .tid = B, .at = 3 * PAGE + 1, .byte = 201 };
}

FIXTURE_TEARDOWN(conflict)
{
	EXPECT_TRUE(write_line(LIMIT, "1000"));
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

static void enter(struct region *r, uint32_t tid, unsigned int kind)
{
	if (thread_set(r, tid, kind))
		abort();
}

/* From a pipe, so that the kernel stores the byte. */
static int read_byte(const struct actor *actor)
{
	int fd[2], error;

	if (pipe(fd) || write(fd[1], &actor->byte, 1) != 1)
		abort();
	error = read(fd[0], actor->r->data + actor->at, 1) == 1 ? 0 : errno;
	close(fd[0]);
	close(fd[1]);
	return error;
}

static void *act(void *arg)
{
	struct actor *actor = arg;

	enter(actor->r, actor->tid, RVM_TRACK_KIND_TRACKED);
	if (actor->by_call)
		actor->error = read_byte(actor);
	else
		actor->r->data[actor->at] = actor->byte;
	__atomic_store_n(&actor->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_done(const struct actor *actor, int ms)
{
	while (!__atomic_load_n(&actor->done, __ATOMIC_ACQUIRE) && ms-- > 0)
		usleep(1000);
	return __atomic_load_n(&actor->done, __ATOMIC_ACQUIRE);
}

/* So that the next store to any page faults. */
static bool forget_mappings(struct region *r)
{
	return !madvise(r->data, PAGES * PAGE, MADV_DONTNEED);
}

static uint32_t told(const struct region *r, uint32_t tid)
{
	const struct rvm_track_tx *tx = &r->ctl->tx[tid];

	return __atomic_load_n(&tx->tid, __ATOMIC_SEQ_CST) == tid ?
	       __atomic_load_n(&tx->conflict, __ATOMIC_SEQ_CST) : 0;
}

static uint64_t conflicts(FIXTURE_DATA(conflict) *self)
{
	return region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_CONFLICTS);
}

/* A has stored to page 3, and B's store to it faults. */
static bool meet(FIXTURE_DATA(conflict) *self)
{
	enter(&self->r, A, RVM_TRACK_KIND_TRACKED);
	self->r.data[3 * PAGE] = 200;
	return forget_mappings(&self->r) && !pthread_create(&self->b.thread, NULL, act, &self->b);
}

TEST_F(conflict, transactions_own_what_they_store_to_and_end_alone)
{
	struct region *r = &self->r;

	enter(r, A, RVM_TRACK_KIND_TRACKED);
	r->data[2 * PAGE] = 200;
	ASSERT_EQ(0, pthread_create(&self->b.thread, NULL, act, &self->b));
	pthread_join(self->b.thread, NULL);
	EXPECT_EQ(1, chain_length(r, A));
	EXPECT_EQ(1, chain_length(r, B));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, A, 5, 0));
	EXPECT_EQ(0, chain_length(r, A));
	EXPECT_NE(0, chain_find(r, B, 3));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, B, 0, RVM_TRACK_END_ABORT));
	EXPECT_EQ(200, r->data[2 * PAGE]);
	EXPECT_TRUE(page_is(r->data + 3 * PAGE, segment_byte(3)));
	EXPECT_EQ(0, conflicts(self));
}

TEST_F(conflict, who_is_in_no_transaction_is_refused)
{
	enter(&self->r, A, RVM_TRACK_KIND_TRACKED);
	self->r.data[0] = 200;
	enter(&self->r, 0, RVM_TRACK_KIND_NONE);
	EXPECT_TRUE(store_faults(self->r.data + PAGE, 1));
}

TEST_F(conflict, an_owner_that_faults_again_meets_nobody)
{
	enter(&self->r, A, RVM_TRACK_KIND_TRACKED);
	self->r.data[3 * PAGE] = 200;
	ASSERT_TRUE(forget_mappings(&self->r));
	self->r.data[3 * PAGE] = 201;
	EXPECT_EQ(0, told(&self->r, A));
	EXPECT_EQ(1, chain_length(&self->r, A));
	EXPECT_EQ(0, conflicts(self));
}

/* What it declares is cut out of what the owner logs. */
TEST_F(conflict, an_explicit_transaction_meets_nobody)
{
	ASSERT_TRUE(meet(self));
	pthread_join(self->b.thread, NULL);
	ASSERT_EQ(0, cmd_end(&self->c, self->r.fd, A, 5, 0));
	ASSERT_EQ(0, cmd_end(&self->c, self->r.fd, B, 5, 0));
	enter(&self->r, A, RVM_TRACK_KIND_TRACKED);
	self->r.data[5 * PAGE] = 200;
	ASSERT_TRUE(forget_mappings(&self->r));
	enter(&self->r, B, RVM_TRACK_KIND_EXPLICIT);
	self->r.data[5 * PAGE] = 201;
	EXPECT_EQ(0, told(&self->r, A));
	EXPECT_NE(0, chain_find(&self->r, A, 5));
}

TEST_F(conflict, is_told_to_both_and_an_end_forgets_it)
{
	struct region *r = &self->r;

	ASSERT_TRUE(meet(self));
	pthread_join(self->b.thread, NULL);
	EXPECT_EQ(4, told(r, A));
	EXPECT_EQ(4, told(r, B));
	EXPECT_EQ(1, conflicts(self));
	EXPECT_EQ(201, r->data[3 * PAGE + 1]);
	/* The page is A's alone, and so goes back as a whole. */
	EXPECT_EQ(0, chain_length(r, B));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, A, 0, RVM_TRACK_END_ABORT));
	EXPECT_TRUE(page_is(r->data + 3 * PAGE, segment_byte(3)));
	EXPECT_EQ(0, told(r, A));
	EXPECT_EQ(4, told(r, B));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, B, 0, RVM_TRACK_END_ABORT));
	EXPECT_EQ(0, told(r, B));
}

/* The next transaction in the same chain is not to blame. */
TEST_F(conflict, is_not_inherited)
{
	uint32_t next = B + RVM_TRACK_TXS;
	struct region *r = &self->r;

	ASSERT_TRUE(meet(self));
	pthread_join(self->b.thread, NULL);
	EXPECT_EQ(4, told(r, B));
	enter(r, next, RVM_TRACK_KIND_TRACKED);
	r->data[9 * PAGE] = 1;
	EXPECT_EQ(next, r->ctl->tx[B].tid);
	EXPECT_EQ(0, r->ctl->tx[B].conflict);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

TEST_F(conflict, is_waited_for_if_that_was_asked_for)
{
	bool waits = variant->flags & RVM_TRACK_REGION_WAIT;
	struct region *r = &self->r;

	ASSERT_TRUE(write_line(LIMIT, "60000"));
	ASSERT_TRUE(meet(self));
	EXPECT_EQ(!waits, is_done(&self->b, 200));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, A, 5, 0));
	EXPECT_TRUE(is_done(&self->b, 5000));
	pthread_join(self->b.thread, NULL);
	if (!waits)
		return;
	EXPECT_EQ(0, told(r, B));
	EXPECT_EQ(0, conflicts(self));
	ASSERT_NE(0, chain_find(r, B, 3));
	EXPECT_EQ(200, r->arena[chain_find(r, B, 3) * PAGE]);
	EXPECT_EQ(segment_byte(3), r->arena[chain_find(r, B, 3) * PAGE + 1]);
}

/* Each waits for the other, until one has waited long enough; then both go on. */
TEST_F(conflict, a_circle_ends_with_the_time)
{
	struct region *r = &self->r;
	int64_t began = now_ms();

	ASSERT_TRUE(write_line(LIMIT, "300"));
	self->b.at = 3 * PAGE;
	enter(r, B, RVM_TRACK_KIND_TRACKED);
	r->data[4 * PAGE] = 1;
	/* B is two threads: it has stored to page 4, and goes on to page 3. */
	ASSERT_TRUE(meet(self));
	r->data[4 * PAGE] = 200;
	EXPECT_TRUE(is_done(&self->b, 5000));
	pthread_join(self->b.thread, NULL);
	EXPECT_NE(0, told(r, A));
	EXPECT_NE(0, told(r, B));
	if (variant->flags & RVM_TRACK_REGION_WAIT)
		EXPECT_LE(290, now_ms() - began);
	EXPECT_GE(4000, now_ms() - began);
}

TEST_F(conflict, an_end_that_has_begun_is_waited_for)
{
	struct region *r = &self->r;

	ASSERT_TRUE(write_line(LIMIT, "50"));
	enter(r, A, RVM_TRACK_KIND_TRACKED);
	r->data[3 * PAGE] = 200;
	enter(r, A, RVM_TRACK_KIND_ENDING);
	ASSERT_TRUE(forget_mappings(r));
	ASSERT_EQ(0, pthread_create(&self->b.thread, NULL, act, &self->b));
	EXPECT_FALSE(is_done(&self->b, 500));
	EXPECT_EQ(segment_byte(3), r->data[3 * PAGE + 1]);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, A, 5, 0));
	EXPECT_TRUE(is_done(&self->b, 5000));
	pthread_join(self->b.thread, NULL);
	EXPECT_EQ(0, told(r, B));
	EXPECT_NE(0, chain_find(r, B, 3));
	EXPECT_EQ(0, conflicts(self));
}

/* It may hold a lock that the end needs. */
TEST_F(conflict, a_system_call_does_not_wait_for_ever)
{
	struct region *r = &self->r;

	ASSERT_TRUE(write_line(LIMIT, "100"));
	enter(r, A, RVM_TRACK_KIND_TRACKED);
	r->data[3 * PAGE] = 200;
	enter(r, A, RVM_TRACK_KIND_ENDING);
	ASSERT_TRUE(forget_mappings(r));
	self->b.by_call = true;
	ASSERT_EQ(0, pthread_create(&self->b.thread, NULL, act, &self->b));
	EXPECT_FALSE(is_done(&self->b, 50));
	ASSERT_TRUE(is_done(&self->b, 5000));
	pthread_join(self->b.thread, NULL);
	EXPECT_EQ(EFAULT, self->b.error);
	EXPECT_EQ(segment_byte(3), r->data[3 * PAGE + 1]);
}

/* In a process of its own: two of its threads, of which one waits for the other for ever. */
static void wait_for_ever(int seg, uint32_t flags, bool by_call, int ready)
{
	static struct region r;
	static struct client c;
	struct actor b = { .r = &r, .tid = B, .at = 3 * PAGE, .by_call = by_call };

	if (client_open(&c) || region_open(&c, &r, seg, PAGES, 0, flags))
		_exit(1);
	enter(&r, A, RVM_TRACK_KIND_TRACKED);
	r.data[3 * PAGE] = 200;
	enter(&r, A, RVM_TRACK_KIND_ENDING);
	if (!forget_mappings(&r) || pthread_create(&b.thread, NULL, act, &b))
		_exit(1);
	if (is_done(&b, 200) || write(ready, "r", 1) != 1)
		_exit(1);
	pause();
}

static void kill_while_it_waits(struct __test_metadata *_metadata, uint32_t flags, bool by_call)
{
	int seg = segment_new(PAGES), ready[2], status = 0, ms;
	pid_t child;
	char byte;

	ASSERT_LE(0, seg);
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	if (!child)
		wait_for_ever(seg, flags, by_call, ready[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, kill(child, SIGKILL));
	for (ms = 0; ms < 5000 && !waitpid(child, &status, WNOHANG); ms++)
		usleep(1000);
	EXPECT_TRUE(WIFSIGNALED(status));
	close(ready[0]);
	close(seg);
}

TEST_F(conflict, who_waits_can_be_killed)
{
	ASSERT_TRUE(write_line(LIMIT, "600000"));
	kill_while_it_waits(_metadata, variant->flags, false);
	kill_while_it_waits(_metadata, variant->flags, true);
}

/* A thread that waits does not hold the mappings for long. */
TEST_F(conflict, others_may_map_while_one_waits)
{
	struct region *r = &self->r;
	int64_t began;
	int i;

	enter(r, A, RVM_TRACK_KIND_TRACKED);
	r->data[3 * PAGE] = 200;
	enter(r, A, RVM_TRACK_KIND_ENDING);
	ASSERT_TRUE(forget_mappings(r));
	ASSERT_EQ(0, pthread_create(&self->b.thread, NULL, act, &self->b));
	EXPECT_FALSE(is_done(&self->b, 100));
	began = now_ms();
	for (i = 0; i < 10; i++) {
		void *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		ASSERT_NE(MAP_FAILED, at);
		ASSERT_EQ(0, munmap(at, PAGE));
	}
	EXPECT_GE(3000, now_ms() - began);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, A, 5, 0));
	EXPECT_TRUE(is_done(&self->b, 5000));
	pthread_join(self->b.thread, NULL);
}

/**
 * struct race - an owner that ends, and a store of another, round by round
 * @r: the region
 * @gate: both are ready
 */
struct race {
	struct region *r;
	pthread_barrier_t gate;
};

static void *store_each_round(void *arg)
{
	struct race *race = arg;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		enter(race->r, B, RVM_TRACK_KIND_TRACKED);
		pthread_barrier_wait(&race->gate);
		race->r->data[3 * PAGE + 1] = round + 1;
		pthread_barrier_wait(&race->gate);
		enter(race->r, 0, RVM_TRACK_KIND_NONE);
		pthread_barrier_wait(&race->gate);
	}
	return NULL;
}

/* What the library does: once the end has begun and no conflict is told, the page is A's alone. */
static bool ends_alone(FIXTURE_DATA(conflict) *self)
{
	volatile unsigned char *page = self->r.data + 3 * PAGE;
	unsigned char before;
	bool alone = true;
	int i;

	enter(&self->r, A, RVM_TRACK_KIND_ENDING);
	if (told(&self->r, A))
		return !cmd_end(&self->c, self->r.fd, A, 0, RVM_TRACK_END_ABORT);
	before = page[1];
	for (i = 0; i < 20000; i++)
		alone &= page[1] == before;
	return !cmd_end(&self->c, self->r.fd, A, 5, 0) && alone;
}

TEST_F_TIMEOUT(conflict, no_store_gets_into_an_end_that_was_told_of_none, 300)
{
	struct race race = { .r = &self->r };
	struct region *r = &self->r;
	int round, shared = 0, alone = 0;
	pthread_t thread;

	ASSERT_TRUE(write_line(LIMIT, "0"));
	pthread_barrier_init(&race.gate, NULL, 2);
	ASSERT_EQ(0, pthread_create(&thread, NULL, store_each_round, &race));
	for (round = 0; round < ROUNDS; round++) {
		bool met;

		enter(r, A, RVM_TRACK_KIND_TRACKED);
		r->data[3 * PAGE] = round;
		ASSERT_TRUE(forget_mappings(r));
		pthread_barrier_wait(&race.gate);
		usleep(round % 4 * 20);
		ASSERT_TRUE(ends_alone(self));
		pthread_barrier_wait(&race.gate);
		/* B was told of it, or has the page for itself. */
		met = told(r, B);
		ASSERT_TRUE(met || chain_find(r, B, 3)) TH_LOG("round %d", round);
		shared += met;
		alone += !met;
		ASSERT_EQ(0, cmd_end(&self->c, r->fd, B, 5, met ? RVM_TRACK_END_ABORT : 0));
		pthread_barrier_wait(&race.gate);
	}
	pthread_join(thread, NULL);
	printf("# %d rounds with a conflict, %d without\n", shared, alone);
	EXPECT_LT(0, shared);
	EXPECT_LT(0, alone);
}

TEST(flags_that_do_not_fit_are_refused)
{
	int seg = segment_new(PAGES);
	struct client c;

	ASSERT_LE(0, seg);
	ASSERT_EQ(0, client_open(&c));
	EXPECT_EQ(-EINVAL, cmd_create(&c, seg, 0, PAGE, 0, RVM_TRACK_REGION_DISJOINT));
	EXPECT_NE(NULL, strstr(c.extack, "strict"));
	EXPECT_EQ(-EINVAL, cmd_create(&c, seg, 0, PAGE, 0,
				      RVM_TRACK_REGION_STRICT | RVM_TRACK_REGION_WAIT));
	EXPECT_NE(NULL, strstr(c.extack, "share"));
	client_close(&c);
	close(seg);
}

/* Without the flag a page that has an owner is anybody's, as ever. */
TEST(elsewhere_a_page_that_is_owned_is_anybodys)
{
	int seg = segment_new(PAGES);
	struct client c;
	struct region r;

	ASSERT_LE(0, seg);
	ASSERT_EQ(0, client_open(&c));
	ASSERT_EQ(0, region_open(&c, &r, seg, PAGES, 0, 0));
	enter(&r, A, RVM_TRACK_KIND_TRACKED);
	r.data[3 * PAGE] = 200;
	ASSERT_TRUE(forget_mappings(&r));
	enter(&r, B, RVM_TRACK_KIND_TRACKED);
	r.data[3 * PAGE] = 201;
	EXPECT_EQ(0, told(&r, A));
	EXPECT_EQ(0, told(&r, B));
	EXPECT_EQ(0, region_stat(&c, r.fd, RVM_TRACK_A_STAT_CONFLICTS));
	region_close(&r);
	client_close(&c);
	close(seg);
}

TEST_HARNESS_MAIN
