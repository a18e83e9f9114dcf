// SPDX-License-Identifier: GPL-2.0
/* A worker is killed at random moments a thousand times; nothing acknowledged may be missing. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "kselftest_harness.h"

#include "place.h"

#define KILLS		1000	/* in all, where RVM_KILLS says nothing else */
#define KILLS_VM	100	/* the same in the VM, which is slow */
#define VARIANTS	12
#define LARGE_LOG	(16 * 1024 * 1024UL)	/* for all that a worker commits in its life */
#define PATIENCE_US	60000000L

FIXTURE(kills) {
	struct place place;
	unsigned int kills;
};

FIXTURE_VARIANT(kills) {
	enum worker_kind kind;
	int mode;
	bool ordered;
	unsigned long tracker;
	enum worker_truncation truncation;
};

FIXTURE_VARIANT_ADD(kills, explicit_flush) { WORKER_EXPLICIT, flush, false, 0, WORKER_EPOCHS };
FIXTURE_VARIANT_ADD(kills, explicit_no_flush) { WORKER_EXPLICIT, no_flush, true, 0, WORKER_EPOCHS };
FIXTURE_VARIANT_ADD(kills, explicit_either) {
	WORKER_EXPLICIT, 0, true, RVM_TRACK_NONE, WORKER_EPOCHS
};
FIXTURE_VARIANT_ADD(kills, tracked_flush) { WORKER_TRACKED, flush, false, 0, WORKER_EPOCHS };
FIXTURE_VARIANT_ADD(kills, tracked_no_flush) { WORKER_TRACKED, no_flush, true, 0, WORKER_EPOCHS };
FIXTURE_VARIANT_ADD(kills, mixed_flush) { WORKER_MIXED, flush, false, 0, WORKER_EPOCHS };
FIXTURE_VARIANT_ADD(kills, mixed_no_flush) { WORKER_MIXED, no_flush, true, 0, WORKER_EPOCHS };
FIXTURE_VARIANT_ADD(kills, sigsegv_flush) {
	WORKER_TRACKED, flush, true, RVM_TRACK_SIGSEGV, WORKER_EPOCHS
};
FIXTURE_VARIANT_ADD(kills, sigsegv_no_flush) {
	WORKER_MIXED, no_flush, true, RVM_TRACK_SIGSEGV, WORKER_EPOCHS
};
FIXTURE_VARIANT_ADD(kills, steps_either) { WORKER_MIXED, 0, true, 0, WORKER_STEPS };
FIXTURE_VARIANT_ADD(kills, explicit_no_truncation) {
	WORKER_EXPLICIT, flush, false, 0, WORKER_NONE
};
FIXTURE_VARIANT_ADD(kills, tracked_no_truncation) { WORKER_TRACKED, 0, true, 0, WORKER_NONE };

static unsigned int number_of_kills(void)
{
	const char *text = getenv("RVM_KILLS");
	unsigned int all = text ? strtoul(text, NULL, 0) : getenv("RVM_VM") ? KILLS_VM : KILLS;

	return (all + VARIANTS - 1) / VARIANTS;
}

FIXTURE_SETUP(kills)
{
	struct worker *worker = &self->place.worker;

	ASSERT_TRUE(place_make(&self->place));
	self->kills = number_of_kills();
	worker->kind = variant->kind;
	worker->mode = variant->mode;
	worker->ordered = variant->ordered;
	worker->truncation = variant->truncation;
	if (variant->truncation == WORKER_NONE)
		worker->log_bytes = LARGE_LOG;
	if (variant->tracker)
		worker->tracker = variant->tracker;
}

FIXTURE_TEARDOWN(kills)
{
	place_remove(&self->place);
}

/* Wait until the worker has recovered and begun to work, or has failed to. */
static void wait_until_working(const struct worker *worker, pid_t pid)
{
	long waited = 0;
	siginfo_t info;

	while (!worker->state->working && waited < PATIENCE_US) {
		info.si_pid = 0;
		if (!waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid)
			return;
		place_pause(200);
		waited += 200;
	}
}

static bool truncated(const struct worker *worker)
{
	return worker->truncation != WORKER_EPOCHS || worker->state->truncations;
}

/* Has each thread been acknowledged something, and was there an abort and a truncation? */
static bool all_happened(const struct worker *worker)
{
	struct acknowledged told;
	unsigned int i;

	if (!worker->state->aborts || !truncated(worker) ||
	    !oracle_read(worker->oracle, &told))
		return false;
	for (i = 0; i < WORK_THREADS; i++)
		if (!told.number[i])
			return false;
	return true;
}

/* The last one lives until nothing is left untried, however slow the machine is. */
static void wait_until_all_happened(const struct worker *worker)
{
	long waited;

	for (waited = 0; !all_happened(worker) && waited < PATIENCE_US; waited += 1000)
		place_pause(1000);
}

/* One in four dies early, maybe while it recovers, the others while they work. */
static void wait_for_the_moment(const struct place *place, pid_t pid)
{
	if (!place_random(4)) {
		place_pause(place_random(4000 * place->slowness));
		return;
	}
	wait_until_working(&place->worker, pid);
	place_pause(place_random(place_random(2) ? 3000 : 50000) * place->slowness);
}

TEST_F_TIMEOUT(kills, lose_nothing, 600)
{
	const struct worker_state *state = self->place.worker.state;
	const struct oracle *oracle = self->place.worker.oracle;
	uint64_t recovered = 0, aborts, truncations;
	unsigned int i, thread;
	pid_t pid;

	for (i = 0; i < self->kills; i++) {
		pid = place_start(&self->place);
		ASSERT_LT(0, pid);
		if (i + 1 == self->kills)
			wait_until_all_happened(&self->place.worker);
		else
			wait_for_the_moment(&self->place, pid);
		kill(pid, SIGKILL);
		ASSERT_EQ(SIGKILL, place_finish(pid)) {
			TH_LOG("kill %u: %s", i, state->why);
		}
	}
	self->place.worker.idle = true;
	pid = place_start(&self->place);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, place_finish(pid)) {
		TH_LOG("after the last kill: %s", state->why);
	}
	for (thread = 0; thread < WORK_THREADS; thread++) {
		recovered += oracle->known[thread];
		EXPECT_LT(0, oracle->known[thread]);
	}
	aborts = state->aborts;
	truncations = state->truncations;
	EXPECT_LT(0, aborts);
	EXPECT_TRUE(truncated(&self->place.worker));
	TH_LOG("%u kills, %lu commits recovered, %lu aborts, %lu truncations, lost 0",
	       self->kills, recovered, aborts, truncations);
}

TEST_HARNESS_MAIN
