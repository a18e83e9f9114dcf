// SPDX-License-Identifier: GPL-2.0
/* What each of several workers in the VM does: kinds of transactions, of commits, of truncation. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "duty.h"

#define TRUNCATE_US	100000UL

static const struct {
	enum worker_kind kind;
	int mode;
	bool ordered;
	enum worker_truncation truncation;
} duties[DUTIES] = {
	{ WORKER_TRACKED, flush, true, WORKER_EPOCHS },
	{ WORKER_MIXED, 0, true, WORKER_STEPS },
	{ WORKER_EXPLICIT, flush, false, WORKER_STEPS },
	{ WORKER_MIXED, no_flush, true, WORKER_EPOCHS },
};

bool duty_give(struct worker *worker, unsigned int number, unsigned long log_bytes)
{
	number %= DUTIES;
	worker->tracker = RVM_TRACK_KMOD;
	worker->kind = duties[number].kind;
	worker->mode = duties[number].mode;
	worker->ordered = duties[number].ordered;
	worker->truncation = duties[number].truncation;
	worker->log_bytes = log_bytes;
	worker->truncate_us = TRUNCATE_US;
	worker->state = mmap(NULL, sizeof(*worker->state), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return worker->state != MAP_FAILED;
}

static pid_t start(struct worker *worker)
{
	pid_t pid;

	worker->idle = true;
	pid = fork();
	if (!pid)
		worker_run(worker);
	return pid;
}

static bool finish(struct worker *worker, pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	if (status && !worker->state->why[0])
		snprintf(worker->state->why, sizeof(worker->state->why), "status %#x", status);
	return !status;
}

const struct worker *duty_recover(struct worker *workers, unsigned int count)
{
	const struct worker *failed = NULL;
	pid_t pid[count];
	unsigned int i;

	for (i = 0; i < count; i++)
		pid[i] = start(&workers[i]);
	for (i = 0; i < count; i++)
		if (!finish(&workers[i], pid[i]))
			failed = &workers[i];
	return failed;
}
