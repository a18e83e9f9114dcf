// SPDX-License-Identifier: LGPL-2.1-or-later
/* Recovery of a log by itself: the segments are those that its dictionary names. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "apply.h"
#include "err.h"
#include "log.h"
#include "logfile.h"
#include "recover.h"
#include "scan.h"
#include "segment.h"
#include "statistics.h"
#include "writeout.h"

/**
 * struct recovery - a recovery under way
 * @log: the log
 * @segments: those opened so far
 * @apply: what the log says
 * @full: LSN of the first record that found no memory while the log was scanned, or 0
 * @progress: the caller's: half of it is the scan, half the application
 * @arg: its first argument
 * @scale: bytes that each half counts for
 */
struct recovery {
	struct log *log;
	struct segment *segments;
	struct apply apply;
	uint64_t full;
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	uint64_t scale;
};

int recover_scan(struct log *log, uint64_t *tail)
{
	const struct scan_ops ops = {};

	return scan_log(log, &ops, tail);
}

static int open_segment(void *arg, uint32_t id, struct segment **out)
{
	struct recovery *r = arg;
	struct log_segment entry;
	struct segment *segment;
	int err;

	if (log_segment(r->log, id, &entry))
		return err_set(EUCLEAN, "log %s: a record names segment %" PRIu32
			       ", its dictionary does not", log_path(r->log), id);
	err = segment_open(entry.path, 0, &segment);
	if (err)
		return err_add(err, "log %s cannot be recovered: ", log_path(r->log));
	segment->id = id;
	segment->next = r->segments;
	r->segments = segment;
	if (segment->length < entry.length)
		return err_set(EUCLEAN, "segment %s: it has %" PRIu64 " bytes and had %" PRIu64
			       " when it was mapped; it was cut off, or is another file",
			       segment->path, segment->length, entry.length);
	*out = segment;
	return segment_settle(segment);
}

static void close_segments(struct recovery *r)
{
	while (r->segments) {
		struct segment *segment = r->segments;

		r->segments = segment->next;
		segment_close(segment);
	}
}

static void scan_progress(void *arg, uint64_t done, uint64_t total)
{
	struct recovery *r = arg;

	(void)total;
	if (r->progress)
		r->progress(r->arg, done, 2 * r->scale);
}

static void apply_progress(void *arg, uint64_t done, uint64_t total)
{
	struct recovery *r = arg;

	if (r->progress)
		r->progress(r->arg, r->scale + (uint64_t)((double)done / total * r->scale),
			    2 * r->scale);
}

/* What is taken in here is only written when the whole log was found undamaged. */
static int take(void *arg, struct reader *reader, const struct format_record *record)
{
	struct recovery *r = arg;
	int err;

	if (r->full)
		return 0;
	err = apply_take(&r->apply, reader, record);
	if (err != -ENOSPC)
		return err;
	r->full = record->lsn;
	return 0;
}

/* Writes what the scan took, and reads again what it could not take. */
static int write_all(struct recovery *r, uint64_t tail)
{
	struct format_status status;
	struct reader reader;
	int err;

	err = apply_write(&r->apply);
	if (!err && r->full) {
		log_status(r->log, &status);
		err = reader_init(&reader, log_file(r->log), &status);
		if (err)
			return err;
		err = apply_log(&r->apply, &reader, r->full, tail);
		reader_free(&reader);
	}
	if (!err)
		err = apply_sync(&r->apply);
	if (!err)
		apply_progress(r, 1, 1);
	return err;
}

static int recover(struct recovery *r, struct recover_stats *stats)
{
	const struct recover_ops ops = {
		.segment = open_segment,
		.progress = apply_progress,
		.arg = r,
		.depth = WRITEOUT_DEPTH,
	};
	const struct scan_ops scan = {
		.record = take,
		.progress = scan_progress,
		.arg = r,
	};
	struct log_state state;
	uint64_t tail;
	int err;

	log_state(r->log, &state);
	r->scale = state.size;
	err = apply_init(&r->apply, r->log, state.size, &ops, stats);
	if (err)
		return err;
	err = scan_log(r->log, &scan, &tail);
	if (!err)
		err = write_all(r, tail);
	if (!err)
		stats->log_bytes = tail - state.head;
	apply_free(&r->apply);
	close_segments(r);
	if (!err)
		err = log_start(r->log, tail, tail);
	if (!err && stats->records)
		statistics_recovery();
	return err;
}

int recover_log(struct log *log, void (*progress)(void *arg, uint64_t done, uint64_t total),
		void *arg, struct recover_stats *stats)
{
	struct recovery r = { .log = log, .progress = progress, .arg = arg };
	struct recover_stats ignored;

	if (!stats)
		stats = &ignored;
	memset(stats, 0, sizeof(*stats));
	if (log_file(log)->readonly)
		return err_set(EROFS, "log %s: it was opened for reading only", log_path(log));
	return recover(&r, stats);
}

static int apply_runs(struct recovery *r, const struct recover_run *runs, size_t count,
		      struct recover_stats *stats)
{
	struct format_status status;
	struct reader reader;
	size_t i;
	int err;

	log_status(r->log, &status);
	err = reader_init(&reader, log_file(r->log), &status);
	if (err)
		return err;
	for (i = 0; i < count && !err; i++) {
		err = apply_log(&r->apply, &reader, runs[i].from, runs[i].to);
		stats->log_bytes += runs[i].to - runs[i].from;
	}
	reader_free(&reader);
	return err ? err : apply_sync(&r->apply);
}

int recover_runs(struct log *log, const struct recover_run *runs, size_t count, uint64_t tail,
		 struct recover_stats *stats)
{
	struct recovery r = { .log = log };
	const struct recover_ops ops = { .segment = open_segment, .arg = &r, .depth = 1 };
	struct log_state state;
	int err;

	memset(stats, 0, sizeof(*stats));
	log_state(log, &state);
	err = apply_init(&r.apply, log, state.size, &ops, stats);
	if (err)
		return err;
	err = apply_runs(&r, runs, count, stats);
	apply_free(&r.apply);
	close_segments(&r);
	return err ? err : log_start(log, tail, tail);
}
