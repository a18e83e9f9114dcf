// SPDX-License-Identifier: LGPL-2.1-or-later
/* Getting out of a damaged log what can be got. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "filecopy.h"
#include "log.h"
#include "os.h"
#include "reader.h"
#include "salvage.h"
#include "space.h"

#define KEEP_TRIES 100
#define RANGES_SHOWN 1024 /* of a record that is damaged, so its number of ranges may be wrong */

/**
 * struct salvage - a salvage under way
 * @file: the log, locked
 * @v: what is wrong with it
 * @ops: the caller's
 * @stats: to be filled in
 */
struct salvage {
	struct logfile file;
	struct verify v;
	const struct salvage_ops *ops;
	struct salvage_stats *stats;
};

static bool has_records(const struct verify *v)
{
	size_t i;

	for (i = 0; i < v->survey.count; i++)
		if (v->survey.runs[i].to > v->survey.runs[i].from)
			return true;
	return false;
}

/* What is refused is left as it is. */
static int refuse_segments(const struct salvage *s)
{
	size_t i;

	for (i = 0; i < s->v.segment_count; i++) {
		const struct verify_segment *seg = &s->v.segments[i];

		if (!seg->ranges || !seg->err)
			continue;
		if (seg->err == -EUCLEAN)
			return err_set(EUCLEAN, "log %s: segment %s has %" PRIu64
				       " bytes and had %" PRIu64 " when it was mapped; put it back, or make it as long as it was",
				       s->file.path, seg->path, seg->bytes, seg->length);
		return err_set(-seg->err, "log %s: segment %s cannot be used: %s; put it back first",
			       s->file.path, seg->path, err_name(seg->err));
	}
	return 0;
}

static int refuse(const struct salvage *s)
{
	const char *path = s->file.path;

	if (s->v.status_trust == VERIFY_LOST)
		return err_set(EUCLEAN, "log %s: both statuses are damaged and do not tell the same, so nobody knows which records are needed; nothing was changed",
			       path);
	if (s->v.dict_trust == VERIFY_LOST)
		return err_set(EUCLEAN, "log %s: both segment dictionaries are damaged and do not tell the same, so nobody knows which segments the records are about; nothing was changed",
			       path);
	if (s->v.cut && !has_records(&s->v))
		return err_set(EUCLEAN, "log %s: it is shorter than its status says, and no record is found where one should be; nothing was changed",
			       path);
	return refuse_segments(s);
}

/* Bytes of the file that are the log's. */
static uint64_t log_bytes(const struct salvage *s)
{
	uint64_t bytes = s->v.status.area_offset + s->v.status.area_size;

	return bytes < s->file.size ? bytes : s->file.size;
}

static bool is_copy(const struct salvage *s, int fd)
{
	struct filecopy_digest left, right;
	struct os_geometry geometry;
	uint64_t bytes = log_bytes(s);

	return !os.geometry(fd, &geometry) && geometry.regular && geometry.size == bytes &&
	       !filecopy_digest(fd, bytes, NULL, &left) &&
	       !filecopy_digest(s->file.fd, bytes, NULL, &right) &&
	       left.blocks == right.blocks && left.crc == right.crc;
}

/* A copy that a salvage made before it was interrupted is one. */
static int try_existing(const struct salvage *s, const char *path)
{
	int fd = os.open(path, O_RDONLY | O_NONBLOCK, 0);
	int err = -EEXIST;

	if (fd < 0)
		return fd;
	if (is_copy(s, fd)) {
		err = os.sync(fd);
		if (!err)
			err = os_sync_parent(path);
	}
	os.close(fd);
	return err;
}

static int make_copy(const struct salvage *s, const char *path)
{
	struct filecopy_digest digest;
	bool named;
	int err, fd;

	fd = os_create(path, 0600, &named);
	if (fd < 0)
		return fd;
	err = filecopy_make(s->file.fd, fd, false, log_bytes(s), NULL, &digest);
	if (!err)
		err = os_publish(fd, path, named);
	os.close(fd);
	if (err && named)
		os.unlink(path);
	return err;
}

static int keep_at(const struct salvage *s, const char *path)
{
	int err = try_existing(s, path);

	return err == -ENOENT ? make_copy(s, path) : err;
}

static int choose_name(struct salvage *s)
{
	size_t room = sizeof(s->stats->kept);
	char *kept = s->stats->kept;
	unsigned int i;
	int err = -EEXIST;

	if (s->ops->keep) {
		snprintf(kept, room, "%s", s->ops->keep);
		return keep_at(s, kept);
	}
	for (i = 1; i <= KEEP_TRIES && err == -EEXIST; i++) {
		char number[16] = "";

		if (i > 1)
			snprintf(number, sizeof(number), ".%u", i);
		if (snprintf(kept, room, "%s.damaged%s", s->file.path, number) >= (int)room)
			return -ENAMETOOLONG;
		err = keep_at(s, kept);
	}
	return err;
}

static int keep(struct salvage *s)
{
	int err;

	if (!s->ops->keep && s->file.device)
		return err_set(EINVAL, "log %s: it is a device; say where a copy of it is to be kept",
			       s->file.path);
	err = choose_name(s);
	if (err == -EEXIST)
		return err_set(EEXIST, "log %s: something else stands at %s, where the damaged log was to be kept",
			       s->file.path, s->stats->kept);
	return err ? err_set(-err, "log %s: the damaged log cannot be kept at %s, so nothing was changed: %s",
			     s->file.path, s->stats->kept, err_name(err)) : 0;
}

/* Makes it a log that can be opened; its records stay as they are. */
static int repair(struct salvage *s)
{
	struct format_status *status = &s->v.status;
	uint64_t need = status->area_offset + status->area_size;
	int err = 0;

	if (s->v.cut)
		err = space_grow(&s->file, s->file.size, need, NULL, NULL);
	if (!err && s->v.dict_trust == VERIFY_ALIKE)
		err = dict_store(&s->file, status, &s->v.dict);
	if (!err && s->v.status_trust == VERIFY_ALIKE)
		err = status_store(&s->file, status, &s->v.copies);
	return err;
}

/* How many runs are brought to the segments; the others are lost. */
static size_t runs_to_take(const struct salvage *s)
{
	const struct survey *survey = &s->v.survey;
	size_t n = 1;

	while (s->ops->beyond && n < survey->count && survey->runs[n - 1].damage)
		n++;
	return n;
}

/* struct losing - who is told of the ranges of a lost record */
struct losing {
	struct salvage *s;
	struct salvage_lost lost;
};

/* A reader_range_fn. */
static int lose_range(void *arg, const struct format_range *range, const void *data)
{
	struct losing *losing = arg;
	struct dict_entry *entry = dict_by_id(&losing->s->v.dict, range->segment);

	(void)data;
	losing->lost.path = entry ? entry->path : NULL;
	losing->lost.offset = range->offset;
	losing->lost.length = range->length;
	losing->s->ops->lost(losing->s->ops->arg, &losing->lost);
	return 0;
}

static int lose_record(struct salvage *s, struct reader *reader,
		       const struct format_record *record)
{
	struct losing losing = {
		.s = s,
		.lost.lsn = record->lsn,
		.lost.end = record->lsn + record->length,
		.lost.tid = record->tid,
		.lost.sure = true,
	};

	if (record->type != FORMAT_TX)
		return 0;
	s->stats->lost++;
	return reader_ranges(reader, record, false, lose_range, &losing);
}

static int lose_run(struct salvage *s, struct reader *reader, const struct survey_run *run)
{
	struct format_record record;
	uint64_t lsn = run->from;
	const char *why;
	int err = 0;

	while (lsn < run->to && !err) {
		err = reader_record(reader, lsn, run->to, &record, &why);
		if (!err)
			err = lose_record(s, reader, &record);
		lsn += record.length;
	}
	return err;
}

/* What is left of a damaged record may tell which bytes it was about. */
static int lose_ranges(struct salvage *s, struct reader *reader, const struct survey_run *run,
		       struct losing *losing)
{
	uint32_t i, count = run->header.count < RANGES_SHOWN ? run->header.count : RANGES_SHOWN;
	uint64_t at = run->to + sizeof(struct disk_record);
	const void *disk;
	int err = 0;

	for (i = 0; i < count && at + sizeof(struct disk_range) <= s->v.survey.limit; i++) {
		struct format_range range;

		err = reader_get(reader, at, sizeof(struct disk_range), &disk);
		if (err)
			break;
		format_range_decode(disk, &range);
		if (!range.length || !dict_by_id(&s->v.dict, range.segment))
			break;
		lose_range(losing, &range, NULL);
		at += sizeof(struct disk_range);
	}
	return err;
}

static int lose_hole(struct salvage *s, struct reader *reader, size_t i)
{
	const struct survey_run *run = &s->v.survey.runs[i];
	struct losing losing = {
		.s = s,
		.lost.lsn = run->to,
		.lost.end = i + 1 < s->v.survey.count ? run[1].from : 0,
		.lost.tid = run->has_header ? run->header.tid : 0,
		.lost.sure = run->unusable,
	};

	s->stats->holes++;
	s->ops->lost(s->ops->arg, &losing.lost);
	return run->has_header ? lose_ranges(s, reader, run, &losing) : 0;
}

static int tell_lost(struct salvage *s)
{
	const struct survey *survey = &s->v.survey;
	size_t i, taken = runs_to_take(s);
	struct reader reader;
	int err;

	err = reader_init(&reader, &s->file, &s->v.status);
	if (err)
		return err;
	/* what stands behind the end of a run that is no damage was never acknowledged */
	for (i = 0; i < survey->count && !err && (!i || survey->runs[i - 1].damage); i++) {
		if (i >= taken)
			err = lose_run(s, &reader, &survey->runs[i]);
		if (!err && survey->runs[i].damage)
			err = lose_hole(s, &reader, i);
	}
	reader_free(&reader);
	return err;
}

/* Above all that was ever said to be durable. */
static uint64_t tail_of(const struct salvage *s)
{
	uint64_t end = survey_end(&s->v.survey);

	return end > s->v.status.tail_hint ? end : s->v.status.tail_hint;
}

static int apply(struct salvage *s, struct log *log)
{
	size_t i, count = runs_to_take(s);
	struct recover_run *runs;
	int err;

	runs = calloc(count, sizeof(*runs));
	if (!runs)
		return err_set(ENOMEM, "log %s: out of memory", log_path(log));
	for (i = 0; i < count; i++) {
		runs[i].from = s->v.survey.runs[i].from;
		runs[i].to = s->v.survey.runs[i].to;
	}
	err = recover_runs(log, runs, count, tail_of(s), &s->stats->recovered);
	free(runs);
	return err;
}

/* The lock is given up and taken again: whoever comes between finds the log damaged, or sound. */
static int bring(struct salvage *s, const char *path)
{
	struct log *log;
	int err, late;

	err = log_open(path, 0, false, &log);
	if (err)
		return err;
	err = survey_damaged(&s->v.survey) ? apply(s, log) :
	      recover_log(log, s->ops->progress, s->ops->arg, &s->stats->recovered);
	late = log_close(log);
	return err ? err : late;
}

static int look(struct salvage *s)
{
	const struct verify_ops ops = {
		.defect = s->ops->defect,
		.progress = s->ops->progress,
		.arg = s->ops->arg,
	};
	const struct survey_run *run;
	int err;

	err = logfile_settle(&s->file);
	if (!err)
		err = verify_log(&s->v, &s->file, &ops);
	if (err || !s->v.survey.count)
		return err;
	run = survey_damaged(&s->v.survey);
	s->stats->damage = run ? run->to : 0;
	s->stats->end = survey_end(&s->v.survey);
	return 0;
}

static int prepare(struct salvage *s)
{
	int err = look(s);

	if (err)
		return err;
	s->stats->sound = !s->v.refused;
	if (s->stats->sound)
		return 0;
	err = refuse(s);
	if (!err)
		err = keep(s);
	if (!err)
		err = tell_lost(s);
	return err ? err : repair(s);
}

int salvage_log(const char *path, const struct salvage_ops *ops, struct salvage_stats *stats)
{
	struct salvage s = { .ops = ops, .stats = stats };
	int err;

	memset(stats, 0, sizeof(*stats));
	err = logfile_open(path, false, &s.file);
	if (err)
		return err;
	err = prepare(&s);
	logfile_close(&s.file);
	if (!err)
		err = bring(&s, path);
	verify_free(&s.v);
	return err;
}
