// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm recover and rvm truncate: the same work, asked for with a different reason. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "err.h"
#include "log.h"
#include "progress.h"
#include "recover.h"
#include "rescue.h"

/* struct arguments - what is asked for */
struct arguments {
	struct paths paths;
	bool salvage;
	struct rescue rescue;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 's':
		arguments->salvage = true;
		return 0;
	case 'b':
		arguments->rescue.beyond = true;
		return 0;
	case 'k':
		arguments->rescue.keep = arg;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->salvage && (arguments->rescue.beyond || arguments->rescue.keep))
			argp_error(state, "--beyond-damage and --keep only go with --salvage");
		break;
	}
	return command_word(&arguments->paths, key, arg, state);
}

static error_t parse_path(int key, char *arg, struct argp_state *state)
{
	return command_word(state->input, key, arg, state);
}

static int recover(const char *path, const char *label, const char *done)
{
	struct progress progress = { .label = label };
	struct recover_stats stats;
	struct log *log;
	int err;

	err = log_open(path, 0, false, &log);
	if (err)
		return command_fail(err);
	err = recover_log(log, progress_show, &progress, &stats);
	progress_end(&progress);
	if (err) {
		enum result result = command_fail(err);

		log_close(log);
		return result;
	}
	err = log_close(log);
	if (err)
		return command_fail(err);
	recover_print(done, &stats);
	return RESULT_OK;
}

int command_recover(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "salvage", 's', NULL, 0, "Get out of a damaged log what can be got", 0 },
		{ "beyond-damage", 'b', NULL, 0,
		  "Also whole transactions beyond the damage: not in order any more", 0 },
		{ "keep", 'k', "FILE", 0, "Where the damaged log is kept; LOG.damaged if not given",
		  0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "LOG",
		.doc = "Bring the committed changes of a log to its segments, after a crash.\n"
		       "\vA torn tail, which no commit was ever acknowledged for, is dropped.  If\n"
		       "the log is damaged otherwise, or a segment is missing, nothing is freed.\n"
		       "It may be interrupted and run again.\n"
		       "\n"
		       "With --salvage a damaged log is kept as it is, under another name; then\n"
		       "what was committed before the damage is brought to the segments, what was\n"
		       "lost is told, and an empty log that is sound is left.",
	};
	struct arguments arguments = { .paths = { .least = 1, .most = 1 } };

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return RESULT_USAGE;
	if (arguments.salvage)
		return rescue_log(arguments.paths.words[0], &arguments.rescue);
	return recover(arguments.paths.words[0], "recovering", "recovered");
}

int command_truncate(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_path,
		.args_doc = "LOG",
		.doc = "Bring the committed changes of a log to its segments and empty the log.\n"
		       "\vNo process may have the log open: one that has truncates it itself.",
	};
	struct paths paths = { .least = 1, .most = 1 };

	if (argp_parse(&argp, argc, argv, 0, NULL, &paths))
		return RESULT_USAGE;
	return recover(paths.words[0], "truncating", "truncated");
}
