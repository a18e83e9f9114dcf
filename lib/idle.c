// SPDX-License-Identifier: LGPL-2.1-or-later
/* A log that is empty, closed cleanly, and locked: what is in it may be laid out anew. */
#include <errno.h>

#include "err.h"
#include "idle.h"
#include "log.h"
#include "recover.h"

/* Brings all records to the segments; what is damaged or foreign is refused here. */
static int empty_log(const char *path)
{
	struct log *log;
	int err, late;

	err = log_open(path, 0, false, &log);
	if (err)
		return err;
	err = recover_log(log, NULL, NULL, NULL);
	late = log_close(log);
	return err ? err : late;
}

/* Nobody locked it between: then it is as it was left, closed cleanly and empty. */
static int load_empty(struct idle *idle)
{
	int err = status_load(&idle->file, &idle->status, &idle->copies);

	if (err)
		return err;
	if (!idle->status.clean || idle->status.head != idle->status.tail_hint)
		return err_set(EBUSY, "log %s: another process has used it meanwhile",
			       idle->file.path);
	return 0;
}

int idle_open(const char *path, struct idle *idle)
{
	int err;

	err = empty_log(path);
	if (!err)
		err = logfile_open(path, false, &idle->file);
	if (err)
		return err;
	err = load_empty(idle);
	if (err)
		idle_close(idle);
	return err;
}

void idle_close(struct idle *idle)
{
	logfile_close(&idle->file);
}
