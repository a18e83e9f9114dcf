// SPDX-License-Identifier: GPL-2.0
/* Several workers beside each other on the same disks, until the power goes. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "duty.h"

#define LOG_BYTES	(512 * 1024UL)
#define WORKERS_MAX	8

static struct {
	struct worker worker[WORKERS_MAX];
	pid_t pid[WORKERS_MAX];
	unsigned int count;
	bool idle;
} all;

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct worker *worker = &all.worker[all.count % WORKERS_MAX];

	switch (key) {
	case 'i':
		all.idle = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->argc - state->next < 2 || all.count == WORKERS_MAX)
			argp_usage(state);
		worker->log = arg;
		worker->segment = state->argv[state->next++];
		worker->oracle = oracle_open(state->argv[state->next]);
		if (!worker->oracle)
			argp_failure(state, 1, errno, "%s", state->argv[state->next]);
		state->next++;
		all.count++;
		return 0;
	case ARGP_KEY_END:
		if (!all.count)
			argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void start(unsigned int i)
{
	struct worker *worker = &all.worker[i];

	worker->idle = all.idle;
	if (!duty_give(worker, i, LOG_BYTES))
		exit(1);
	all.pid[i] = fork();
	if (!all.pid[i])
		worker_run(worker);
}

/* A worker that ends has found a fault, unless it had nothing else to do. */
static int wait_for_one(void)
{
	int status;
	pid_t pid = wait(&status);
	unsigned int i = 0;

	while (i < all.count && all.pid[i] != pid)
		i++;
	if (i == all.count)
		return 0;
	if (all.idle && !status)
		return 0;
	printf("fault of worker %u: status %#x: %s\n", i, status, all.worker[i].state->why);
	return 1;
}

/* The line for which the power cut waits: all have recovered and found all in order. */
static void tell_when_working(void)
{
	unsigned int i;
	pid_t pid = fork();

	if (pid)
		return;
	for (i = 0; i < all.count; i++)
		while (!all.worker[i].state->working)
			usleep(10000);
	printf("working\n");
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "idle", 'i', 0, 0, "Only recover and judge", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		options, parse, "LOG SEGMENT ORACLE...",
		"Recover and judge what is there, then work until the power goes.", 0, 0, 0
	};
	unsigned int i;
	int ret = 0;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, 0, 0);
	for (i = 0; i < all.count; i++)
		start(i);
	if (!all.idle)
		tell_when_working();
	for (i = 0; i < all.count + !all.idle && !ret; i++)
		ret = wait_for_one();
	for (i = 0; i < all.count && all.idle && !ret; i++)
		printf("recovered %lu %lu %lu %lu\n", all.worker[i].oracle->known[0],
		       all.worker[i].oracle->known[1], all.worker[i].oracle->known[2],
		       all.worker[i].oracle->known[3]);
	return ret;
}
