// SPDX-License-Identifier: LGPL-2.1-or-later
/* Making a log larger or smaller, its records brought to the segments first. */
#include "idle.h"
#include "resize.h"
#include "space.h"

static int change(struct idle *log, uint64_t size,
		  void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	uint64_t start = log->status.area_offset;
	uint64_t old = log->status.area_size;
	uint64_t area_size;
	int err;

	err = space_area_size(&log->file, start, size, &area_size);
	if (!err && area_size > old)
		err = space_grow(&log->file, start + old, start + area_size, progress, arg);
	if (!err && area_size != old)
		err = space_switch(&log->file, &log->status, &log->copies, area_size);
	return err ? err : space_cut(&log->file, start + area_size);
}

int log_resize(const char *path, uint64_t size,
	       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	struct idle log;
	int err;

	err = idle_open(path, &log);
	if (err)
		return err;
	err = change(&log, size, progress, arg);
	idle_close(&log);
	return err;
}
