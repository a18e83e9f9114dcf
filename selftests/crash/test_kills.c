// SPDX-License-Identifier: GPL-2.0
/* A worker is killed at random moments a thousand times; nothing acknowledged may be missing. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "worker.h"

#define KILLS		1000	/* in all, where RVM_KILLS says nothing else */
#define KILLS_VM	100	/* the same in the VM, which is slow */
#define VARIANTS	9
#define LOG_BYTES	(256 * 1024UL)
#define PATIENCE_US	60000000L

FIXTURE(kills) {
	struct worker worker;
	char dir[64];
	char log[80];
	char segment[80];
	unsigned int kills;
	unsigned int slowness;
};

FIXTURE_VARIANT(kills) {
	enum worker_kind kind;
	int mode;
	bool ordered;
	unsigned long tracker;
};

FIXTURE_VARIANT_ADD(kills, explicit_flush) { WORKER_EXPLICIT, flush, false, 0 };
FIXTURE_VARIANT_ADD(kills, explicit_no_flush) { WORKER_EXPLICIT, no_flush, true, 0 };
FIXTURE_VARIANT_ADD(kills, explicit_either) { WORKER_EXPLICIT, 0, true, RVM_TRACK_NONE };
FIXTURE_VARIANT_ADD(kills, tracked_flush) { WORKER_TRACKED, flush, false, 0 };
FIXTURE_VARIANT_ADD(kills, tracked_no_flush) { WORKER_TRACKED, no_flush, true, 0 };
FIXTURE_VARIANT_ADD(kills, mixed_flush) { WORKER_MIXED, flush, false, 0 };
FIXTURE_VARIANT_ADD(kills, mixed_no_flush) { WORKER_MIXED, no_flush, true, 0 };
FIXTURE_VARIANT_ADD(kills, sigsegv_flush) { WORKER_TRACKED, flush, true, RVM_TRACK_SIGSEGV };
FIXTURE_VARIANT_ADD(kills, sigsegv_no_flush) { WORKER_MIXED, no_flush, true, RVM_TRACK_SIGSEGV };

static unsigned long random_below(unsigned long limit)
{
	unsigned long value = 0;

	return getrandom(&value, sizeof(value), 0) == sizeof(value) ? value % limit : 0;
}

static void pause_us(unsigned long us)
{
	struct timespec time = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}

static unsigned int number_of_kills(bool vm)
{
	const char *text = getenv("RVM_KILLS");
	unsigned int all = text ? strtoul(text, NULL, 0) : vm ? KILLS_VM : KILLS;

	return (all + VARIANTS - 1) / VARIANTS;
}

FIXTURE_SETUP(kills)
{
	const char *tmp = getenv("TMPDIR");
	bool vm = getenv("RVM_VM");

	snprintf(self->dir, sizeof(self->dir), "%s/rvm-kills-XXXXXX", tmp ? tmp : "/tmp");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->log, sizeof(self->log), "%s/log", self->dir);
	snprintf(self->segment, sizeof(self->segment), "%s/segment", self->dir);
	self->kills = number_of_kills(vm);
	self->slowness = vm ? 10 : 1;
	self->worker = (struct worker) {
		.log = self->log, .segment = self->segment, .kind = variant->kind,
		.mode = variant->mode, .ordered = variant->ordered, .log_bytes = LOG_BYTES,
		.truncate_us = vm ? 40000 : 4000,
		.tracker = variant->tracker ? variant->tracker : vm ? RVM_TRACK_KMOD : 0,
	};
	self->worker.oracle = oracle_open(NULL);
	ASSERT_NE(NULL, self->worker.oracle);
	self->worker.state = mmap(NULL, sizeof(*self->worker.state), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->worker.state);
}

/* What a failure left is for those who look for its cause. */
FIXTURE_TEARDOWN(kills)
{
	if (self->worker.state->why[0]) {
		TH_LOG("%s; see %s", self->worker.state->why, self->dir);
		return;
	}
	oracle_close(self->worker.oracle);
	unlink(self->log);
	unlink(self->segment);
	rmdir(self->dir);
}

static pid_t start(struct worker *worker)
{
	pid_t pid;

	worker->state->working = 0;
	pid = fork();
	if (!pid)
		worker_run(worker);
	return pid;
}

/* One in four dies early, maybe while it recovers, the others while they work. */
static void wait_for_the_moment(const struct worker *worker, pid_t pid, unsigned int slowness)
{
	long waited = 0;
	siginfo_t info;

	if (!random_below(4)) {
		pause_us(random_below(4000 * slowness));
		return;
	}
	while (!worker->state->working && waited < PATIENCE_US) {
		info.si_pid = 0;
		if (!waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid)
			return;
		pause_us(200);
		waited += 200;
	}
	pause_us(random_below(random_below(2) ? 3000 * slowness : 30000 * slowness));
}

static int finish(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

TEST_F_TIMEOUT(kills, lose_nothing, 600)
{
	const struct worker_state *state = self->worker.state;
	uint64_t recovered = 0;
	unsigned int i, thread;
	pid_t pid;

	for (i = 0; i < self->kills; i++) {
		pid = start(&self->worker);
		ASSERT_LT(0, pid);
		wait_for_the_moment(&self->worker, pid, self->slowness);
		kill(pid, SIGKILL);
		ASSERT_EQ(SIGKILL, finish(pid)) {
			TH_LOG("kill %u: %s", i, state->why);
		}
	}
	self->worker.idle = true;
	pid = start(&self->worker);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, finish(pid)) {
		TH_LOG("after the last kill: %s", state->why);
	}
	for (thread = 0; thread < WORK_THREADS; thread++) {
		recovered += self->worker.oracle->known[thread];
		EXPECT_LT(0, self->worker.oracle->known[thread]);
	}
	EXPECT_LT(0, state->aborts);
	EXPECT_LT(0, state->truncations);
	TH_LOG("%u kills, %lu commits of which %lu recovered, %lu aborts, %lu truncations, lost 0",
	       self->kills, state->commits, recovered, state->aborts, state->truncations);
}

TEST_HARNESS_MAIN
