// SPDX-License-Identifier: GPL-2.0
/* What both benchmark programs are told on the command line, and where their samples go. */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "options.h"
#include "series.h"

static void set_rounds(struct options *options, const char *arg, const struct argp_state *state)
{
	options->rounds = strtoul(arg, NULL, 0);
	if (options->rounds < 1 || options->rounds > SERIES_MAX)
		argp_error(state, "rounds are 1 to %d", SERIES_MAX);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
		options->csv = arg;
		return 0;
	case 'm':
		options->ms = strtoul(arg, NULL, 0);
		return 0;
	case 'q':
		options->quick = true;
		options->ms = 2;
		options->rounds = 1;
		return 0;
	case 'r':
		set_rounds(options, arg, state);
		return 0;
	case 'w':
		options->where = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (options->dir)
			argp_usage(state);
		options->dir = arg;
		return 0;
	case ARGP_KEY_END:
		if (!options->dir)
			argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option table[] = {
	{ "csv", 'c', "FILE", 0, "Write all samples there", 0 },
	{ "ms", 'm', "N", 0, "Milliseconds of a sample", 0 },
	{ "quick", 'q', 0, 0, "Only show that it runs: the figures mean nothing", 0 },
	{ "rounds", 'r', "N", 0, "Samples of each subject", 0 },
	{ "where", 'w', "TEXT", 0, "Name of this machine", 0 },
	{ 0 }
};

const struct argp options_argp = { table, parse, "DIRECTORY", NULL, NULL, NULL, NULL };

FILE *options_output(const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		die(path, strerror(errno));
	setvbuf(out, NULL, _IOLBF, 0);
	return out;
}
