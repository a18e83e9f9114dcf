// SPDX-License-Identifier: LGPL-2.1-or-later
/* The tool rvm: makes, shows and recovers logs and segments.  This file only dispatches. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

#ifndef RVM_TOOL_VERSION
#define RVM_TOOL_VERSION "1.0.0"
#endif

const char *argp_program_version = "rvm " RVM_TOOL_VERSION;

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "create-log", command_create_log },
	{ "create-segment", command_create_segment },
	{ "init-heap", command_init_heap },
	{ "status", command_status },
	{ "dump", command_dump },
	{ "recover", command_recover },
	{ "truncate", command_truncate },
	{ "resize-log", command_resize_log },
	{ "forget", command_forget },
	{ "backup", command_backup },
	{ "verify", command_verify },
	{ "restore", command_restore },
	{ "regions", command_regions },
	{ "top", command_top },
	{ NULL, NULL }
};

static const char doc[] =
	"Make, look at and recover the logs and segments of recoverable virtual memory.\n"
	"\vCommands:\n"
	"  create-log FILE|DEVICE [SIZE]   make a log\n"
	"  create-segment FILE SIZE        make a segment\n"
	"  init-heap LOG SEGMENT SIZE      make a recoverable heap in a segment\n"
	"  status LOG                      tell where a log stands\n"
	"  dump LOG                        show its records\n"
	"  recover LOG                     bring committed changes to the segments\n"
	"  truncate LOG                    bring them there and empty the log\n"
	"  resize-log LOG [SIZE]           make a log larger or smaller\n"
	"  forget LOG                      forget the segments that are gone\n"
	"  backup LOG DIR                  copy its segments and records\n"
	"  verify LOG [SEGMENT...]         tell what is wrong, and where\n"
	"  verify DIR                      check every byte of a backup\n"
	"  restore DIR                     put a backup where it came from\n"
	"  regions                         list the regions of the kernel module\n"
	"  top                             show what happens in them\n"
	"\n"
	"`rvm COMMAND --help' tells more about each.\n"
	"\n"
	"Exit codes:\n"
	"  0  done\n"
	"  1  an operation failed: no such file, no permission, I/O, a full disk\n"
	"  2  wrong arguments; nothing was done\n"
	"  3  the log or the backup is damaged, or a segment is not the one that the log knows\n"
	"  4  another process has the log open, or the device is in use\n"
	"  5  not a log, or one of an unknown version\n"
	"  6  something stands there already\n";

/* What the parser of the words before the command finds. */
struct words {
	const struct command *command;
	int first;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct words *words = state->input;
	size_t i;

	switch (key) {
	case ARGP_KEY_ARG:
		for (i = 0; commands[i].name; i++)
			if (!strcmp(arg, commands[i].name))
				words->command = &commands[i];
		if (!words->command)
			argp_error(state, "there is no command %s", arg);
		words->first = state->next - 1;
		state->next = state->argc;	/* the rest is the command's */
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = doc,
	};
	struct words words = {};
	static char name[64];

	argp_err_exit_status = RESULT_USAGE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &words) || !words.command)
		return RESULT_USAGE;
	snprintf(name, sizeof(name), "rvm %s", words.command->name);
	argv[words.first] = name;
	program_invocation_name = name;
	return words.command->run(argc - words.first, argv + words.first);
}
