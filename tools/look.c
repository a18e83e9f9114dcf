// SPDX-License-Identifier: LGPL-2.1-or-later
/* A log opened for looking only, also while another process uses it. */
#include <errno.h>
#include <stdio.h>

#include "err.h"
#include "logfile.h"
#include "look.h"
#include "os.h"
#include "progress.h"
#include "reader.h"
#include "scan.h"

#define TRIES 5

/* The records up to the damage. */
static int find_damage(struct look *look)
{
	uint64_t limit = look->status.head + look->status.area_size;
	struct format_record record;
	struct reader reader;
	const char *why;
	int err;

	err = reader_init(&reader, log_file(look->log), &look->status);
	if (err)
		return err;
	look->tail = look->status.head;
	while (!reader_record(&reader, look->tail, limit, &record, &why))
		look->tail += record.length;
	reader_free(&reader);
	return 0;
}

static int look_once(const char *path, struct look *look)
{
	struct progress progress = { .label = "reading the log" };
	const struct scan_ops ops = { .progress = progress_show, .arg = &progress };
	int err;

	err = log_open(path, 0, true, &look->log);
	if (err)
		return err;
	look->in_use = os.locked(log_file(look->log)->fd) == 1;
	log_status(look->log, &look->status);
	err = scan_log(look->log, &ops, &look->tail);
	progress_end(&progress);
	look->damage = 0;
	if (err == -EUCLEAN) {
		look->damage = err;
		snprintf(look->text, sizeof(look->text), "%s", err_text());
		err = find_damage(look);
	}
	if (err)
		look_close(look);
	return err;
}

int look_open(const char *path, struct look *look)
{
	int tries, err;

	for (tries = 1;; tries++) {
		err = look_once(path, look);
		if (err || !look->damage || !look->in_use || tries == TRIES)
			return err;
		look_close(look);
	}
}

void look_close(struct look *look)
{
	log_close(look->log);
}

void look_uuid(const uint8_t uuid[FORMAT_UUID], char text[37])
{
	int i, at = 0;

	for (i = 0; i < FORMAT_UUID; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		at += snprintf(text + at, 3, "%02x", uuid[i]);
	}
}
