// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm resize-log: a log of another size. */
#include <errno.h>

#include "command.h"
#include "progress.h"
#include "resize.h"

/* struct arguments - what is asked for */
struct arguments {
	struct paths paths;
	uint64_t size;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	const char *wrong;

	if (key == ARGP_KEY_ARG && state->arg_num == 1) {
		wrong = command_size(arg, &arguments->size);
		if (wrong)
			argp_error(state, "SIZE: %s %s", arg, wrong);
	}
	return command_word(&arguments->paths, key, arg, state);
}

int command_resize_log(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "LOG [SIZE]",
		.doc = "Give a log SIZE bytes of record space, more or fewer than it has.\n"
		       "\vSIZE is as for create-log; on a device it may be left out: then the\n"
		       "log takes all of it.  Its records are brought to the segments first, as\n"
		       "recover does.  If it is interrupted the log has its old size or the new\n"
		       "one, and nothing is lost.  No process may have the log open: one that has\n"
		       "changes the size itself, by rvm_resize_log().",
	};
	struct arguments arguments = { .paths = { .least = 1, .most = 2 } };
	struct progress progress = { .label = "writing the log" };
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return RESULT_USAGE;
	err = log_resize(arguments.paths.words[0], arguments.size, progress_show, &progress);
	progress_end(&progress);
	if (err == -ERANGE) {
		command_fail(err);
		return RESULT_USAGE;
	}
	return err ? command_fail(err) : RESULT_OK;
}
