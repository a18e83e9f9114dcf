// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm top: a table of the live regions that is drawn anew all the time. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "live.h"

/* struct arguments - what is asked for */
struct arguments {
	double seconds;
	unsigned long count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	char *end;

	switch (key) {
	case 'd':
		arguments->seconds = strtod(arg, &end);
		if (*end || !(arguments->seconds >= 0.05 && arguments->seconds <= 86400))
			argp_error(state, "%s is no number of seconds from 0.05 to 86400", arg);
		return 0;
	case 'n':
		arguments->count = strtoul(arg, &end, 10);
		if (*end || !arguments->count)
			argp_error(state, "%s is no number of tables", arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "too many arguments: %s", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What the region had counted at the last look; of a new one nothing. */
static const struct netlink_stats *find(const struct live *live, uint64_t id)
{
	static const struct netlink_stats none;
	size_t i;

	for (i = 0; i < live->n; i++)
		if (live->region[i].id == id)
			return &live->region[i];
	return &none;
}

static double elapsed(const struct timespec *from, const struct timespec *to)
{
	return to->tv_sec - from->tv_sec + (to->tv_nsec - from->tv_nsec) / 1e9;
}

static void print_region(const struct netlink_stats *now, const struct netlink_stats *old,
			 double seconds)
{
	printf("%6" PRIu64 " %7" PRIu32 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %7" PRIu64
	       " %7" PRIu64 " %9.0f %9.0f %9.0f %9.0f\n",
	       now->id, now->pid, now->length >> 20, now->resident, now->dirty, now->owned,
	       now->stray, (now->first_writes - old->first_writes) / seconds,
	       (now->written - old->written) / seconds, (now->busy - old->busy) / seconds,
	       (now->read - old->read) / seconds);
}

/* On a terminal the table stays where it is. */
static void print_table(const struct live *now, const struct live *old, double seconds)
{
	size_t i;

	if (isatty(STDOUT_FILENO))
		printf("\033[H\033[J");
	printf("%6s %7s %9s %9s %9s %7s %7s %9s %9s %9s %9s\n", "REGION", "PID", "MiB",
	       "RESIDENT", "DIRTY", "OWNED", "STRAY", "FIRST/s", "WRITTEN/s", "BUSY/s", "READ/s");
	for (i = 0; i < now->n; i++)
		print_region(&now->region[i], find(old, now->region[i].id), seconds);
	fflush(stdout);
}

static void pause_for(double seconds)
{
	struct timespec pause = { .tv_sec = seconds };

	pause.tv_nsec = (seconds - pause.tv_sec) * 1e9;
	nanosleep(&pause, NULL);
}

static int watch(struct netlink *nl, const struct arguments *arguments)
{
	struct live old = { 0 }, now;
	struct timespec before, at;
	unsigned long i;
	int err;

	err = live_look(nl, &old);
	clock_gettime(CLOCK_MONOTONIC, &before);
	for (i = 0; !err && (!arguments->count || i < arguments->count); i++) {
		pause_for(arguments->seconds);
		err = live_look(nl, &now);
		clock_gettime(CLOCK_MONOTONIC, &at);
		if (!err)
			print_table(&now, &old, elapsed(&before, &at));
		live_free(&old);
		old = now;
		before = at;
	}
	live_free(&old);
	return err;
}

int command_top(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "delay", 'd', "SECONDS", 0, "Between two tables; 1 if not given", 0 },
		{ "number", 'n', "COUNT", 0, "End after so many tables", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Show what happens in the live regions of the kernel module rvm_track,\n"
		       "again and again: your own regions, or all of them for root.\n"
		       "\vRESIDENT, DIRTY, OWNED and STRAY are pages, now.  Then, a second: pages\n"
		       "that got an owner (FIRST), pages written back, refusals to write one back\n"
		       "(BUSY), and pages read from the segment.",
	};
	struct arguments arguments = { .seconds = 1 };
	struct netlink *nl;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return RESULT_USAGE;
	err = netlink_open(&nl);
	if (err)
		return command_fail(err);
	err = watch(nl, &arguments);
	netlink_close(nl);
	return err ? command_fail(err) : RESULT_OK;
}
