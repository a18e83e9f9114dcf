// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading records from a log, through a window of memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "reader.h"

/* Range headers of a long record that are read at once: the window does not jump for each. */
#define HEADERS 256

static int source_get(struct format_source *source, uint64_t lsn, size_t length,
		      const void **bytes)
{
	return reader_get((struct reader *)source, lsn, length, bytes);
}

int reader_init(struct reader *reader, const struct logfile *file,
		const struct format_status *status)
{
	memset(reader, 0, sizeof(*reader));
	reader->source.get = source_get;
	reader->file = file;
	format_seed_init(&reader->seed, status->uuid, status->generation);
	/* a lap and a block: the longest record, wherever in a block it starts */
	reader->memory_size = READER_WINDOW;
	if (file->area_size + LOGFILE_ALIGN < READER_WINDOW)
		reader->memory_size = file->area_size + LOGFILE_ALIGN;
	reader->memory = aligned_alloc(LOGFILE_ALIGN, reader->memory_size);
	if (!reader->memory)
		return err_set(ENOMEM, "log %s: out of memory", file->path);
	return 0;
}

/* They begin anywhere in a block. */
void reader_shorten(struct reader *reader, uint64_t bytes)
{
	uint64_t size = (bytes + 2 * LOGFILE_ALIGN - 1) & ~(uint64_t)(LOGFILE_ALIGN - 1);

	if (size < reader->memory_size)
		reader->memory_size = size;
}

void reader_ahead(struct reader *reader, uint64_t from, uint64_t end)
{
	if (end > from && end - from > 2 * READER_WINDOW)
		reader->is_ahead = !readahead_start(&reader->ahead, reader->file, from, end);
}

void reader_free(struct reader *reader)
{
	if (reader->is_ahead)
		readahead_stop(&reader->ahead);
	free(reader->memory);
}

static bool holds(const struct reader_window *window, uint64_t lsn, size_t length)
{
	return lsn >= window->start && lsn + length <= window->start + window->length;
}

/* Reads from the block of @lsn on. */
static int fill_window(struct reader *reader, uint64_t lsn)
{
	struct reader_window *window = &reader->window;
	int err;

	window->bytes = reader->memory;
	window->start = lsn & ~(uint64_t)(LOGFILE_ALIGN - 1);
	window->length = 0;
	err = logfile_read_lsn(reader->file, window->start, reader->memory, reader->memory_size);
	if (!err)
		window->length = reader->memory_size;
	if (!reader->is_ahead)
		reader->view = *window;
	return err;
}

static int move_view(struct reader *reader, uint64_t lsn, size_t length)
{
	struct reader_window *view = &reader->view;
	int err;

	if (!reader->is_ahead)
		return fill_window(reader, lsn);
	view->bytes = readahead_get(&reader->ahead, lsn, length, &view->start, &view->length,
				    &err);
	if (!view->bytes)
		view->length = 0;
	return err;
}

int reader_get(struct reader *reader, uint64_t lsn, size_t length, const void **bytes)
{
	if (!holds(&reader->view, lsn, length)) {
		int err = move_view(reader, lsn, length);

		if (err)
			return err;
	}
	*bytes = reader->view.bytes + (lsn - reader->view.start);
	return 0;
}

int reader_record(struct reader *reader, uint64_t lsn, uint64_t limit,
		  struct format_record *record, const char **why)
{
	return format_record_check(&reader->source, &reader->seed, lsn, limit, record, why);
}

int reader_before(struct reader *reader, uint64_t lsn, uint64_t head,
		  struct format_record *record, const char **why)
{
	const void *trailer;
	uint64_t length;
	int err;

	*why = "no record fits there";
	if (lsn < head || lsn - head < FORMAT_RECORD_MIN)
		return -EUCLEAN;
	err = reader_get(reader, lsn - sizeof(struct disk_trailer), sizeof(struct disk_trailer),
			 &trailer);
	if (err)
		return err;
	length = format_trailer_length(trailer);
	*why = "no record ends there";
	if (length < FORMAT_RECORD_MIN || length > lsn - head || length % FORMAT_ALIGN)
		return -EUCLEAN;
	err = reader_record(reader, lsn - length, lsn, record, why);
	if (!err && record->length != length) {
		*why = "no record ends there";
		err = -EUCLEAN;
	}
	return err;
}

/* Hands the data of one range over, from *@lsn on, which is moved behind it. */
static int walk_range(struct reader *reader, const struct format_range *range, uint64_t *lsn,
		      reader_range_fn *fn, void *arg)
{
	struct format_range part = { .segment = range->segment, .offset = range->offset };
	uint32_t left = range->length;
	int err = 0;

	while (left && !err) {
		const void *data;

		part.length = left < FORMAT_CHUNK ? left : FORMAT_CHUNK;
		err = reader_get(reader, *lsn, part.length, &data);
		if (!err)
			err = fn(arg, &part, data);
		part.offset += part.length;
		*lsn += part.length;
		left -= part.length;
	}
	return err;
}

/* A record that lies in memory as a whole. */
static int walk_short(struct reader *reader, const struct format_record *record, bool data,
		      reader_range_fn *fn, void *arg)
{
	const struct disk_record *header;
	const struct disk_range *disk;
	const char *bytes;
	uint32_t i;
	int err;

	err = reader_get(reader, record->lsn, record->length, (const void **)&header);
	if (err)
		return err;
	disk = (const struct disk_range *)(header + 1);
	bytes = (const char *)(disk + record->count);
	for (i = 0; i < record->count && !err; i++) {
		struct format_range range;

		format_range_decode(&disk[i], &range);
		err = fn(arg, &range, data ? bytes : NULL);
		bytes += range.length;
	}
	return err;
}

/* Range headers; what is read ahead stays at the data, which is far behind them perhaps. */
static int get_headers(struct reader *reader, uint64_t lsn, size_t length, struct disk_range *disk)
{
	const struct reader_window *window = &reader->view;
	int err = 0;

	if (!holds(window, lsn, length)) {
		window = &reader->window;
		if (!holds(window, lsn, length))
			err = fill_window(reader, lsn);
	}
	if (!err)
		memcpy(disk, window->bytes + (lsn - window->start), length);
	return err;
}

int reader_ranges(struct reader *reader, const struct format_record *record, bool data,
		  reader_range_fn *fn, void *arg)
{
	uint64_t header = record->lsn + sizeof(struct disk_record);
	uint64_t lsn = header + record->count * sizeof(struct disk_range);
	struct disk_range headers[HEADERS];
	uint32_t done = 0;
	int err = 0;

	if (record->length <= FORMAT_CHUNK)
		return walk_short(reader, record, data, fn, arg);
	while (done < record->count && !err) {
		uint32_t n = record->count - done < HEADERS ? record->count - done : HEADERS;
		uint32_t i;

		err = get_headers(reader, header, n * sizeof(headers[0]), headers);
		for (i = 0; i < n && !err; i++) {
			struct format_range range;

			format_range_decode(&headers[i], &range);
			err = data ? walk_range(reader, &range, &lsn, fn, arg) :
				     fn(arg, &range, NULL);
		}
		header += n * sizeof(headers[0]);
		done += n;
	}
	return err;
}
