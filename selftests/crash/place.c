// SPDX-License-Identifier: GPL-2.0
/* Where a worker works, and how it is started and waited for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "place.h"

#define LOG_BYTES	(256 * 1024UL)
#define TRUNCATE_US	4000UL

bool place_make(struct place *place)
{
	const char *tmp = getenv("TMPDIR");
	bool vm = getenv("RVM_VM");

	memset(place, 0, sizeof(*place));
	snprintf(place->dir, sizeof(place->dir), "%s/rvm-kills-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(place->dir))
		return false;
	snprintf(place->log, sizeof(place->log), "%s/log", place->dir);
	snprintf(place->segment, sizeof(place->segment), "%s/segment", place->dir);
	place->slowness = vm ? 10 : 1;
	place->worker = (struct worker) {
		.log = place->log, .segment = place->segment, .mode = flush,
		.tracker = vm ? RVM_TRACK_KMOD : 0, .log_bytes = LOG_BYTES,
		.truncate_us = TRUNCATE_US * place->slowness, .oracle = oracle_open(NULL),
	};
	place->worker.state = mmap(NULL, sizeof(*place->worker.state), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return place->worker.oracle && place->worker.state != MAP_FAILED;
}

void place_remove(struct place *place)
{
	if (place->worker.state->why[0]) {
		fprintf(stderr, "# %s; see %s\n", place->worker.state->why, place->dir);
		return;
	}
	oracle_close(place->worker.oracle);
	unlink(place->log);
	unlink(place->segment);
	rmdir(place->dir);
}

pid_t place_start(struct place *place)
{
	pid_t pid;

	place->worker.state->working = 0;
	pid = fork();
	if (!pid)
		worker_run(&place->worker);
	return pid;
}

int place_finish(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

unsigned long place_random(unsigned long limit)
{
	unsigned long value = 0;

	return getrandom(&value, sizeof(value), 0) == sizeof(value) ? value % limit : 0;
}

void place_pause(unsigned long us)
{
	struct timespec time = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}
