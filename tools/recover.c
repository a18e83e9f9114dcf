// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm recover and rvm truncate: the same work, asked for with a different reason. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "err.h"
#include "log.h"
#include "progress.h"
#include "recover.h"

static error_t parse(int key, char *arg, struct argp_state *state)
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
	printf("%s: %" PRIu64 " transactions, %" PRIu64 " bytes of log, %" PRIu64
	       " bytes written to segments\n", done, stats.records, stats.log_bytes,
	       stats.applied_bytes);
	return RESULT_OK;
}

int command_recover(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "LOG",
		.doc = "Bring the committed changes of a log to its segments, after a crash.\n"
		       "\vA torn tail, which no commit was ever acknowledged for, is dropped.  If\n"
		       "the log is damaged otherwise, or a segment is missing, nothing is freed.\n"
		       "It may be interrupted and run again.",
	};
	struct paths paths = { .least = 1, .most = 1 };

	if (argp_parse(&argp, argc, argv, 0, NULL, &paths))
		return RESULT_USAGE;
	return recover(paths.words[0], "recovering", "recovered");
}

int command_truncate(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "LOG",
		.doc = "Bring the committed changes of a log to its segments and empty the log.\n"
		       "\vNo process may have the log open: one that has truncates it itself.",
	};
	struct paths paths = { .least = 1, .most = 1 };

	if (argp_parse(&argp, argc, argv, 0, NULL, &paths))
		return RESULT_USAGE;
	return recover(paths.words[0], "truncating", "truncated");
}
