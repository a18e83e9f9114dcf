// SPDX-License-Identifier: GPL-2.0
/* Log and segment of a specimen as they were before something was done to them. */
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "logfile.h"
#include "memdisk.h"
#include "status.h"

uint64_t disk_status_lsn(bool head)
{
	struct format_status status = {};
	struct status_copies copies;
	struct logfile file;

	if (logfile_open(LOG, true, &file))
		return 0;
	if (status_load(&file, &status, &copies))
		memset(&status, 0, sizeof(status));
	logfile_close(&file);
	return head ? status.head : status.tail_hint;
}

void disk_remember(struct disk *d)
{
	struct mem_file *segment = mem_find(SEG);

	d->log_size = mem_find(LOG)->size;
	d->durable = disk_status_lsn(false);
	memcpy(d->log, mem_find(LOG)->data, d->log_size);
	d->segment_size = segment ? segment->size : 0;
	if (segment)
		memcpy(d->segment, segment->data, d->segment_size);
}

bool disk_log_is(const struct disk *d, const char *name)
{
	const struct mem_file *file = mem_find(name);

	return file && file->size == d->log_size && !memcmp(file->data, d->log, d->log_size);
}

bool disk_unchanged(const struct disk *d)
{
	const struct mem_file *segment = mem_find(SEG);

	return disk_log_is(d, LOG) && (segment ? segment->size : 0) == d->segment_size &&
	       (!segment || !memcmp(segment->data, d->segment, d->segment_size));
}

void disk_forget_copies(void)
{
	char name[sizeof(KEPT) + 8];
	unsigned int i;

	mem_unlink(KEPT);
	for (i = 2; i < 4; i++) {
		snprintf(name, sizeof(name), "%s.%u", KEPT, i);
		mem_unlink(name);
	}
}
