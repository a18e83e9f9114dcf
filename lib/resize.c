// SPDX-License-Identifier: LGPL-2.1-or-later
/* Making a log larger or smaller, its records brought to the segments first. */
#include <stdio.h>

#include "err.h"
#include "idle.h"
#include "log.h"
#include "resize.h"
#include "space.h"
#include "truncate.h"

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

/**
 * struct layout - what becomes of a log in use
 * @log: the log
 * @area_size: bytes of its record area
 */
struct layout {
	struct log *log;
	uint64_t area_size;
};

/* One status tells of both, so that commits wait for one. */
static int lay_out(void *arg, uint64_t tail)
{
	struct layout *layout = arg;

	return log_set_size(layout->log, tail, layout->area_size);
}

/* What was taken in vain is given back; the first error is told. */
static int cut_after(struct log *log, int err)
{
	char text[512];

	snprintf(text, sizeof(text), "%s", err_text());
	log_cut(log);
	return err_set(-err, "%s", text);
}

int log_resize_in_use(struct log *log, struct truncator *tr, uint64_t size)
{
	struct layout layout = { .log = log };
	struct log_state state;
	int err;

	err = log_take_space(log, size, &layout.area_size);
	if (err)
		return err;
	log_state(log, &state);
	if (layout.area_size != state.size)
		err = truncate_empty(tr, lay_out, &layout);
	return err ? cut_after(log, err) : log_cut(log);
}
