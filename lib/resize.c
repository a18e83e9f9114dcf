// SPDX-License-Identifier: LGPL-2.1-or-later
/* Making a log larger or smaller, its records brought to the segments first. */
#include <errno.h>

#include "err.h"
#include "format.h"
#include "log.h"
#include "logfile.h"
#include "recover.h"
#include "resize.h"
#include "space.h"
#include "status.h"

/* struct resizing - a log whose size is being changed */
struct resizing {
	struct logfile file;
	struct format_status status;
	struct status_copies copies;
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

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
static int load_empty(struct resizing *r)
{
	int err = status_load(&r->file, &r->status, &r->copies);

	if (err)
		return err;
	if (!r->status.clean || r->status.head != r->status.tail_hint)
		return err_set(EBUSY, "log %s: another process has used it meanwhile",
			       r->file.path);
	return 0;
}

static int change(struct resizing *r, uint64_t size)
{
	uint64_t start = r->status.area_offset;
	uint64_t old = r->status.area_size;
	uint64_t area_size;
	int err;

	err = space_area_size(&r->file, start, size, &area_size);
	if (err)
		return err;
	if (area_size > old)
		err = space_grow(&r->file, start + old, start + area_size, r->progress, r->arg);
	if (!err && area_size != old)
		err = space_switch(&r->file, &r->status, &r->copies, area_size);
	return err ? err : space_cut(&r->file, start + area_size);
}

int log_resize(const char *path, uint64_t size,
	       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	struct resizing r = { .progress = progress, .arg = arg };
	int err;

	err = empty_log(path);
	if (!err)
		err = logfile_open(path, false, &r.file);
	if (err)
		return err;
	err = load_empty(&r);
	if (!err)
		err = change(&r, size);
	logfile_close(&r.file);
	return err;
}
