// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading records from a log, through a window of memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "reader.h"

/* Range headers that are read at once, so that the window does not jump for each. */
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
	reader->window_size = READER_WINDOW;
	if (file->area_size + LOGFILE_ALIGN < READER_WINDOW)
		reader->window_size = file->area_size + LOGFILE_ALIGN;
	reader->window = aligned_alloc(LOGFILE_ALIGN, reader->window_size);
	if (!reader->window)
		return err_set(ENOMEM, "log %s: out of memory", file->path);
	return 0;
}

void reader_free(struct reader *reader)
{
	free(reader->window);
}

int reader_get(struct reader *reader, uint64_t lsn, size_t length, const void **bytes)
{
	if (lsn < reader->start || lsn + length > reader->start + reader->length) {
		int err;

		reader->start = lsn & ~(uint64_t)(LOGFILE_ALIGN - 1);
		reader->length = 0;
		err = logfile_read_lsn(reader->file, reader->start, reader->window,
				       reader->window_size);
		if (err)
			return err;
		reader->length = reader->window_size;
	}
	*bytes = reader->window + (lsn - reader->start);
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
static int walk_range(struct reader *reader, const struct format_range *range, size_t piece,
		      uint64_t *lsn, reader_range_fn *fn, void *arg)
{
	struct format_range part = *range;
	uint32_t left = range->length;
	int err = 0;

	if (!piece)
		return fn(arg, range, NULL);
	while (left && !err) {
		const void *data;

		part.length = left < piece ? left : piece;
		err = reader_get(reader, *lsn, part.length, &data);
		if (!err)
			err = fn(arg, &part, data);
		part.offset += part.length;
		*lsn += part.length;
		left -= part.length;
	}
	return err;
}

int reader_ranges(struct reader *reader, const struct format_record *record, size_t piece,
		  reader_range_fn *fn, void *arg)
{
	uint64_t header = record->lsn + sizeof(struct disk_record);
	uint64_t data = header + record->count * sizeof(struct disk_range);
	struct disk_range headers[HEADERS];
	uint32_t done = 0;
	int err = 0;

	while (done < record->count && !err) {
		uint32_t n = record->count - done < HEADERS ? record->count - done : HEADERS;
		const void *bytes;
		uint32_t i;

		err = reader_get(reader, header, n * sizeof(headers[0]), &bytes);
		if (err)
			return err;
		memcpy(headers, bytes, n * sizeof(headers[0]));
		for (i = 0; i < n && !err; i++) {
			struct format_range range;

			format_range_decode(&headers[i], &range);
			err = walk_range(reader, &range, piece, &data, fn, arg);
		}
		header += n * sizeof(headers[0]);
		done += n;
	}
	return err;
}
