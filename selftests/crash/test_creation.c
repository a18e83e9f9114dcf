// SPDX-License-Identifier: GPL-2.0
/* A worker dies while it makes its log and its segment; the next one just starts over. */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "place.h"

#define KILLS		100
#define KILLS_VM	25	/* the same in the VM, which is slow */
#define TRIES		20	/* for each kill; a worker may be done before it dies */

FIXTURE(creation) {
	struct place place;
};

FIXTURE_SETUP(creation)
{
	ASSERT_TRUE(place_make(&self->place));
	self->place.worker.idle = true;
}

FIXTURE_TEARDOWN(creation)
{
	place_remove(&self->place);
}

static void start_over(struct place *place)
{
	unlink(place->log);
	unlink(place->segment);
}

/* How long a worker lives that is not killed: the shortest of a few; the first finds no cache. */
static unsigned long measure_us(struct place *place)
{
	unsigned long us, shortest = ULONG_MAX;
	struct timespec start, end;
	int i;

	for (i = 0; i < 4; i++) {
		start_over(place);
		clock_gettime(CLOCK_MONOTONIC, &start);
		place_finish(place_start(place));
		clock_gettime(CLOCK_MONOTONIC, &end);
		us = (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000;
		if (us < shortest)
			shortest = us;
	}
	return shortest;
}

TEST_F_TIMEOUT(creation, starts_over, 600)
{
	unsigned long life = measure_us(&self->place);
	unsigned int wanted = getenv("RVM_VM") ? KILLS_VM : KILLS, i, killed = 0;
	pid_t pid;

	for (i = 0; killed < wanted && i < TRIES * wanted; i++) {
		start_over(&self->place);
		pid = place_start(&self->place);
		ASSERT_LT(0, pid);
		place_pause(place_random(life));
		kill(pid, SIGKILL);
		killed += place_finish(pid) == SIGKILL;
		pid = place_start(&self->place);
		ASSERT_LT(0, pid);
		ASSERT_EQ(0, place_finish(pid)) {
			TH_LOG("try %u: %s", i, self->place.worker.state->why);
		}
	}
	EXPECT_EQ(wanted, killed);
	TH_LOG("%u kills in %u tries", killed, i);
}

TEST_HARNESS_MAIN
