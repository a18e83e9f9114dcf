// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a log stores twice at a fixed place: its segment dictionary. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "status.h"

static uint64_t copy_position(const struct format_status *status, int copy)
{
	return FORMAT_DICT_OFFSET + copy * status->dict_size;
}

struct dict_entry *dict_add(struct dict *dict, const char *path, uint64_t length,
			    const uint8_t uuid[FORMAT_UUID])
{
	struct dict_entry *entries;
	struct dict_entry *entry;

	entries = realloc(dict->entries, (dict->count + 1) * sizeof(*entries));
	if (!entries)
		return NULL;
	dict->entries = entries;
	entry = &entries[dict->count];
	entry->path = strdup(path);
	if (!entry->path)
		return NULL;
	entry->id = dict->count ? entry[-1].id + 1 : 1;
	entry->length = length;
	memcpy(entry->uuid, uuid, FORMAT_UUID);
	dict->count++;
	return entry;
}

void dict_drop_last(struct dict *dict)
{
	free(dict->entries[--dict->count].path);
}

size_t dict_drop(struct dict *dict, bool (*drop)(const struct dict_entry *entry))
{
	size_t i, kept = 0, dropped;

	for (i = 0; i < dict->count; i++) {
		if (drop(&dict->entries[i])) {
			free(dict->entries[i].path);
			continue;
		}
		dict->entries[kept] = dict->entries[i];
		dict->entries[kept].id = kept + 1;
		kept++;
	}
	dropped = dict->count - kept;
	dict->count = kept;
	return dropped;
}

void dict_free(struct dict *dict)
{
	while (dict->count)
		dict_drop_last(dict);
	free(dict->entries);
	dict->entries = NULL;
}

struct dict_entry *dict_by_path(const struct dict *dict, const char *path)
{
	size_t i;

	for (i = 0; i < dict->count; i++)
		if (!strcmp(dict->entries[i].path, path))
			return &dict->entries[i];
	return NULL;
}

struct dict_entry *dict_by_id(const struct dict *dict, uint32_t id)
{
	size_t i;

	for (i = 0; i < dict->count; i++)
		if (dict->entries[i].id == id)
			return &dict->entries[i];
	return NULL;
}

int dict_decode(struct dict *dict, const void *buf)
{
	struct format_segment s;
	struct dict_entry *entry;
	size_t at = 0;

	while (format_dict_next(buf, &at, &s)) {
		char *path = strndup(s.path, s.path_length);

		entry = path ? dict_add(dict, path, s.length, s.uuid) : NULL;
		free(path);
		if (!entry)
			return -ENOMEM;
		entry->id = s.id;
	}
	return 0;
}

/* Chooses the copy that counts. */
static int choose(const struct logfile *file, const struct format_status *status,
		  char *const buf[2], struct dict *dict)
{
	const char *why[2];
	uint64_t sequence[2];
	int i;

	for (i = 0; i < 2; i++) {
		why[i] = format_dict_check(buf[i], status->dict_size, status->uuid);
		dict->copies.valid[i] = !why[i];
		sequence[i] = why[i] ? 0 : format_dict_sequence(buf[i]);
	}
	if (why[0] && why[1])
		return err_set(EUCLEAN, "log %s: both segment dictionaries are damaged (%s; %s)",
			       file->path, why[0], why[1]);
	dict->copies.newest = sequence[1] > sequence[0];
	dict->sequence = sequence[dict->copies.newest];
	return 0;
}

int dict_load(const struct logfile *file, const struct format_status *status, struct dict *dict)
{
	char *both, *buf[2];
	int err;

	memset(dict, 0, sizeof(*dict));
	both = aligned_alloc(LOGFILE_ALIGN, 2 * status->dict_size);
	if (!both)
		return err_set(ENOMEM, "log %s: out of memory", file->path);
	buf[0] = both;
	buf[1] = both + status->dict_size;
	err = logfile_read(file, FORMAT_DICT_OFFSET, both, 2 * status->dict_size);
	if (!err)
		err = choose(file, status, buf, dict);
	if (!err && dict_decode(dict, buf[dict->copies.newest])) {
		dict_free(dict);
		err = err_set(ENOMEM, "log %s: out of memory", file->path);
	}
	free(both);
	return err;
}

/* The entries as the encoder wants them; NULL if there is no memory. */
static struct format_segment *list_entries(const struct dict *dict)
{
	struct format_segment *list = calloc(dict->count + 1, sizeof(*list));
	size_t i;

	for (i = 0; list && i < dict->count; i++) {
		const struct dict_entry *entry = &dict->entries[i];

		list[i].id = entry->id;
		memcpy(list[i].uuid, entry->uuid, FORMAT_UUID);
		list[i].length = entry->length;
		list[i].path = entry->path;
		list[i].path_length = strlen(entry->path);
	}
	return list;
}

/* What is full is known before the first write, so that nothing else is taken for it. */
static int write_copies(struct logfile *file, const struct format_status *status,
			struct dict *dict, const struct format_segment *list, void *buf)
{
	int i, err;

	for (i = 0; i < 2; i++) {
		int older = !dict->copies.newest;

		if (format_dict_encode(buf, status->dict_size, status->uuid, dict->sequence + 1,
				       list, dict->count))
			return err_set(ENOSPC, "log %s: its dictionary of %" PRIu64
				       " bytes holds no more segments than the %zu it has; `rvm forget' drops those that are not used",
				       file->path, status->dict_size, dict->count - 1);
		dict->sequence++;
		err = logfile_write(file, copy_position(status, older), buf, status->dict_size);
		if (err)
			return err_set(EIO, "%s", err_text());
		dict->copies.valid[older] = true;
		dict->copies.newest = older;
	}
	return 0;
}

int dict_store(struct logfile *file, const struct format_status *status, struct dict *dict)
{
	struct format_segment *list = list_entries(dict);
	void *buf = aligned_alloc(LOGFILE_ALIGN, status->dict_size);
	int err;

	if (list && buf)
		err = write_copies(file, status, dict, list, buf);
	else
		err = err_set(ENOMEM, "log %s: out of memory", file->path);
	free(buf);
	free(list);
	return err;
}
