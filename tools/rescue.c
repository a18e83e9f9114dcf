// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm recover --salvage: what is lost, range by range. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "progress.h"
#include "rescue.h"
#include "salvage.h"

static void print_defect(void *arg, const struct verify_defect *defect)
{
	(void)arg;
	printf("%s: byte %" PRIu64, defect->path, defect->byte);
	if (defect->lsn)
		printf(", LSN %" PRIu64, defect->lsn);
	printf(": %s\n", defect->what);
}

static void print_lost(void *arg, const struct salvage_lost *lost)
{
	(void)arg;
	printf("lost: LSN %" PRIu64, lost->lsn);
	if (lost->end)
		printf(" to %" PRIu64, lost->end);
	else
		printf(" and all behind it");
	if (lost->tid)
		printf(", transaction %" PRIu64, lost->tid);
	if (lost->length)
		printf(", %s offset %" PRIu64 " length %" PRIu32, lost->path ? lost->path : "?",
		       lost->offset, lost->length);
	puts(lost->sure || !(lost->tid || lost->length) ? "" : " (by what is left of it)");
}

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
	progress_show(arg, done, total);
}

void recover_print(const char *done, const struct recover_stats *stats)
{
	printf("%s: %" PRIu64 " transactions, %" PRIu64 " bytes of log, %" PRIu64
	       " bytes written to segments\n", done, stats->records, stats->log_bytes,
	       stats->applied_bytes);
}

static void print_result(const struct salvage_stats *stats, bool beyond)
{
	if (stats->sound) {
		recover_print("recovered", &stats->recovered);
		return;
	}
	recover_print("salvaged", &stats->recovered);
	if (stats->damage && !beyond)
		printf("lost: from LSN %" PRIu64 " on: %" PRIu64
		       " whole transactions, and what stood in %" PRIu64
		       " places where nothing can be read\n", stats->damage, stats->lost,
		       stats->holes);
	else if (stats->damage)
		printf("lost: what stood in %" PRIu64
		       " places where nothing can be read, from LSN %" PRIu64
		       " on; what is in the segments now was never committed as a whole\n",
		       stats->holes, stats->damage);
	printf("the damaged log is %s\n", stats->kept);
}

int rescue_log(const char *path, const struct rescue *rescue)
{
	struct progress progress = { .label = "salvaging" };
	const struct salvage_ops ops = {
		.keep = rescue->keep,
		.beyond = rescue->beyond,
		.defect = print_defect,
		.lost = print_lost,
		.progress = show_progress,
		.arg = &progress,
	};
	struct salvage_stats stats;
	int err;

	err = salvage_log(path, &ops, &stats);
	progress_end(&progress);
	if (err)
		return command_fail(err);
	print_result(&stats, rescue->beyond);
	return RESULT_OK;
}
