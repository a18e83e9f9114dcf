// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm backup. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "backup.h"
#include "command.h"
#include "err.h"
#include "log.h"
#include "progress.h"
#include "recover.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	return command_word(state->input, key, arg, state);
}

/* The log is locked, and only looked at: what is in it stays for its own recovery. */
static int back_up(const char *path, const char *dir, struct backup_stats *stats)
{
	struct progress progress = { .label = "copying the segments" };
	struct backup_source source = { .progress = progress_show, .arg = &progress };
	int err;

	err = log_open(path, 0, false, &source.log);
	if (err == -EBUSY)
		return err_set(EBUSY, "log %s: a program has it open; while it runs only that program can make a backup, by rvm_backup()",
			       path);
	if (err)
		return err;
	err = recover_scan(source.log, &source.tail);
	if (!err)
		err = backup_make(&source, dir, stats);
	progress_end(&progress);
	log_close(source.log);
	return err;
}

int command_backup(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "LOG DIR",
		.doc = "Copy all segments that a log knows, and its records, to a new directory.\n"
		       "\vThe log and the segments are not changed.  No process may have the log\n"
		       "open: one that has makes a backup itself, with rvm_backup(3), while its\n"
		       "transactions run.",
	};
	struct paths paths = { .least = 2, .most = 2 };
	struct backup_stats stats;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &paths))
		return RESULT_USAGE;
	err = back_up(paths.words[0], paths.words[1], &stats);
	if (err)
		return command_fail(err);
	printf("backed up: %" PRIu32 " segments, %" PRIu64 " bytes, and %" PRIu64
	       " bytes of log, to LSN %" PRIu64 "\n", stats.segments, stats.segment_bytes,
	       stats.log_bytes, stats.lsn);
	return RESULT_OK;
}
