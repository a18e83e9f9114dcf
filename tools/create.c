// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm create-log and rvm create-segment. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "err.h"
#include "log.h"
#include "progress.h"
#include "segment.h"

#define PAGE 4096

/* struct creation - what the arguments ask for */
struct creation {
	struct paths paths;
	uint64_t size;
	mode_t mode;
	bool force;
};

static mode_t parse_mode(const char *arg, struct argp_state *state)
{
	char *end;
	unsigned long mode = strtoul(arg, &end, 8);

	if (*end || end == arg || mode > 0777)
		argp_error(state, "%s is no octal file mode", arg);
	return mode;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct creation *c = state->input;
	const char *wrong;

	switch (key) {
	case 'f':
		c->force = true;
		return 0;
	case 'm':
		c->mode = parse_mode(arg, state);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num != 1)
			break;
		wrong = command_size(arg, &c->size);
		if (wrong)
			argp_error(state, "SIZE: %s %s", arg, wrong);
		break;
	}
	return command_word(&c->paths, key, arg, state);
}

int command_create_log(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "force", 'f', NULL, 0, "Overwrite a log, or a device that holds data", 0 },
		{ "mode", 'm', "OCTAL", 0, "Permissions of a new file (default 600)", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "FILE|DEVICE [SIZE]",
		.doc = "Make a log with SIZE bytes of record space and write all of it once.\n"
		       "\vSIZE is a number of bytes, or one with K, M, G or T behind it; it is\n"
		       "rounded up to 4096.  On a device it may be left out: then the log takes\n"
		       "all of it.  The file is 72 KiB longer than SIZE.",
	};
	struct creation c = { .paths = { .least = 1, .most = 2 }, .mode = 0600 };
	struct progress progress = { .label = "creating the log" };
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &c))
		return RESULT_USAGE;
	err = log_create(c.paths.words[0], c.size, c.mode, c.force, progress_show, &progress);
	progress_end(&progress);
	if (err == -EEXIST)
		err_add(err, "nothing was changed (see --force): ");
	if (err == -EINVAL) {
		command_fail(err);
		return RESULT_USAGE;
	}
	return err ? command_fail(err) : RESULT_OK;
}

int command_create_segment(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "FILE SIZE",
		.doc = "Make a segment: a file of SIZE zero bytes, its space taken on the disk.\n"
		       "\vSIZE is a number of bytes, or one with K, M, G or T behind it; it is\n"
		       "rounded up to 4096, since regions are mapped by pages.  A block device\n"
		       "is a segment as it is.",
	};
	struct creation c = { .paths = { .least = 2, .most = 2 } };
	struct segment *segment;
	const char *path;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &c))
		return RESULT_USAGE;
	path = c.paths.words[0];
	if (!access(path, F_OK))
		return command_fail(err_set(EEXIST, "segment %s: it exists already", path));
	err = segment_open(path, (c.size + PAGE - 1) & ~(uint64_t)(PAGE - 1), &segment);
	if (err)
		return command_fail(err);
	segment_close(segment);
	return RESULT_OK;
}
