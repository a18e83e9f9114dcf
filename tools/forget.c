// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm forget: segments that a log need not know any more. */
#include <stdio.h>

#include "command.h"
#include "forget.h"

/* struct arguments - what is asked for */
struct arguments {
	struct paths paths;
	bool all;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	if (key == 'a') {
		arguments->all = true;
		return 0;
	}
	return command_word(&arguments->paths, key, arg, state);
}

int command_forget(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "all", 'a', NULL, 0, "Also those whose files are there", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "LOG",
		.doc = "Take segments whose files are gone out of a log's dictionary.\n"
		       "\vThe log's records are brought to the segments first, as recover does.\n"
		       "A segment that is mapped again is entered again.  No process may have\n"
		       "the log open.",
	};
	struct arguments arguments = { .paths = { .least = 1, .most = 1 } };
	size_t forgotten = 0;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return RESULT_USAGE;
	err = log_forget(arguments.paths.words[0], arguments.all, &forgotten);
	if (err)
		return command_fail(err);
	printf("forgotten: %zu segments\n", forgotten);
	return RESULT_OK;
}
