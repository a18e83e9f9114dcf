// SPDX-License-Identifier: LGPL-2.1-or-later
/* Taking segments that are not used any more out of a log's dictionary. */
#include <errno.h>
#include <limits.h>

#include "forget.h"
#include "idle.h"
#include "os.h"
#include "status.h"

/* A segment that may only be unreachable for now is kept. */
static bool is_gone(const struct dict_entry *entry)
{
	char canonical[PATH_MAX];

	return os.canonical(entry->path, canonical) == -ENOENT;
}

static bool any(const struct dict_entry *entry)
{
	(void)entry;
	return true;
}

static int forget(struct idle *log, bool all, size_t *forgotten)
{
	struct dict dict;
	int err;

	err = dict_load(&log->file, &log->status, &dict);
	if (err)
		return err;
	*forgotten = dict_drop(&dict, all ? any : is_gone);
	if (*forgotten)
		err = dict_store(&log->file, &log->status, &dict);
	dict_free(&dict);
	return err;
}

int log_forget(const char *path, bool all, size_t *forgotten)
{
	struct idle log;
	int err;

	err = idle_open(path, &log);
	if (err)
		return err;
	err = forget(&log, all, forgotten);
	idle_close(&log);
	return err;
}
