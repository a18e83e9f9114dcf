// SPDX-License-Identifier: GPL-2.0
/* A worker dies while it makes its log and its segment; the next one just starts over. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "place.h"

#define KILLS		100
#define KILLS_VM	25	/* the same in the VM, which is slow */

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

/* How long the worker lives that is not killed. */
static unsigned long measure_us(struct place *place)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	place_finish(place_start(place));
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000;
}

TEST_F_TIMEOUT(creation, starts_over, 600)
{
	unsigned long life = measure_us(&self->place);
	unsigned int kills = getenv("RVM_VM") ? KILLS_VM : KILLS, i, killed = 0;
	pid_t pid;

	for (i = 0; i < kills; i++) {
		unlink(self->place.log);
		unlink(self->place.segment);
		pid = place_start(&self->place);
		ASSERT_LT(0, pid);
		place_pause(place_random(life));
		kill(pid, SIGKILL);
		killed += place_finish(pid) == SIGKILL;
		pid = place_start(&self->place);
		ASSERT_LT(0, pid);
		ASSERT_EQ(0, place_finish(pid)) {
			TH_LOG("kill %u: %s", i, self->place.worker.state->why);
		}
	}
	EXPECT_LT(kills / 4, killed);
}

TEST_HARNESS_MAIN
