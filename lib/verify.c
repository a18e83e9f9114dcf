// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is wrong with a log, and where. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alike.h"
#include "err.h"
#include "os.h"
#include "reader.h"
#include "verify.h"

#define TEXT 512

static void tell(struct verify *v, struct verify_defect *defect)
{
	v->defects++;
	v->refused += defect->refused;
	if (!defect->path)
		defect->path = v->file->path;
	if (v->ops->defect)
		v->ops->defect(v->ops->arg, defect);
}

/* What one damaged copy of two means. */
static const char *copy_effect(enum verify_trust trust, const char *whole, const char *alike,
			       const char *lost)
{
	return trust == VERIFY_WHOLE ? whole : trust == VERIFY_ALIKE ? alike : lost;
}

static void tell_status(struct verify *v, const char *const why[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		struct verify_defect defect = {
			.part = VERIFY_STATUS,
			.byte = i * FORMAT_BLOCK,
			.refused = v->status_trust != VERIFY_WHOLE,
			.what = why[i],
			.effect = copy_effect(v->status_trust,
				"a crash while it was written, or damage; the other copy counts, nothing is lost",
				"recovery is refused; salvage takes what both copies say alike",
				"recovery is refused; nobody knows where the records begin"),
		};

		if (!v->copies.valid[i])
			tell(v, &defect);
	}
}

static void tell_cut(struct verify *v)
{
	uint64_t need = v->status.area_offset + v->status.area_size;
	char what[TEXT];
	struct verify_defect defect = {
		.part = VERIFY_FILE,
		.byte = v->file->size,
		.refused = true,
		.what = what,
		.effect = "recovery is refused; the records behind the end of the file are lost",
	};

	v->cut = v->file->size < need;
	v->file->padded = v->cut;
	if (!v->cut)
		return;
	snprintf(what, sizeof(what), "the file ends, but its status says that it has %" PRIu64
		 " bytes; it was cut off", need);
	tell(v, &defect);
}

/* Return: 0, whatever is damaged; another errno says that this is no log to be looked at. */
static int look_at_status(struct verify *v)
{
	_Alignas(LOGFILE_ALIGN) struct disk_status disk[2];
	struct format_status ignored;
	const char *why[2];
	int err, i;

	err = status_load(v->file, &v->status, &v->copies);
	if ((err && err != -EUCLEAN && err != -EINVAL) || v->file->size < sizeof(disk))
		return err;
	if (logfile_read(v->file, 0, disk, sizeof(disk)))
		return -EIO;
	for (i = 0; i < 2; i++)
		format_status_decode(&disk[i], &ignored, &why[i]);
	if (!v->copies.valid[0] && !v->copies.valid[1]) {
		bool alike = alike_status(v->file, disk, &v->status);

		if (err == -EINVAL && !alike)
			return err;
		v->status_trust = alike ? VERIFY_ALIKE : VERIFY_LOST;
		v->file->area_offset = v->status.area_offset;
		v->file->area_size = v->status.area_size;
	}
	tell_status(v, why);
	if (v->status_trust != VERIFY_LOST)
		tell_cut(v);
	return 0;
}

static void tell_dict(struct verify *v, const char *const why[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		struct verify_defect defect = {
			.part = VERIFY_DICT,
			.byte = FORMAT_DICT_OFFSET + i * v->status.dict_size,
			.refused = v->dict_trust != VERIFY_WHOLE,
			.what = why[i],
			.effect = copy_effect(v->dict_trust,
				"a crash while it was written, or damage; the other copy counts, nothing is lost",
				"recovery is refused; salvage takes what both copies say alike",
				"recovery is refused; which segments are meant is unknown"),
		};

		if (why[i])
			tell(v, &defect);
	}
}

static int choose_dict(struct verify *v, void *const copy[2])
{
	const uint8_t *uuid = v->status.uuid;
	size_t size = v->status.dict_size;
	uint64_t sequence[2];
	const char *why[2];
	int i, newest;

	for (i = 0; i < 2; i++) {
		why[i] = format_dict_check(copy[i], size, uuid);
		sequence[i] = why[i] ? 0 : format_dict_sequence(copy[i]);
		v->dict.copies.valid[i] = !why[i];
	}
	newest = sequence[1] > sequence[0];
	if (why[0] && why[1])
		v->dict_trust = alike_dict(copy, size, uuid) ? VERIFY_ALIKE : VERIFY_LOST;
	v->dict.copies.newest = newest;
	v->dict.sequence = sequence[newest];
	tell_dict(v, why);
	return v->dict_trust == VERIFY_LOST ? 0 : dict_decode(&v->dict, copy[newest]);
}

static int look_at_dict(struct verify *v)
{
	size_t size = v->status.dict_size;
	char *both = aligned_alloc(LOGFILE_ALIGN, 2 * size);
	void *const copy[2] = { both, both + size };
	int err = -ENOMEM;

	if (both)
		err = logfile_read(v->file, FORMAT_DICT_OFFSET, both, 2 * size);
	if (!err)
		err = choose_dict(v, copy);
	free(both);
	return err == -ENOMEM ? err_set(ENOMEM, "log %s: out of memory", v->file->path) : err;
}

/* As recovery finds it. */
static void measure(struct verify_segment *s)
{
	struct os_geometry geometry;
	int fd = os.open(s->path, O_RDONLY | O_NONBLOCK, 0);

	s->bytes = s->length;
	s->err = fd < 0 ? fd : os.geometry(fd, &geometry);
	if (!s->err && !geometry.regular && !geometry.device)
		s->err = -EINVAL;
	if (!s->err) {
		s->bytes = geometry.size;
		s->err = s->bytes < s->length ? -EUCLEAN : 0;
	}
	if (fd >= 0)
		os.close(fd);
}

static int look_at_segments(struct verify *v)
{
	size_t i;

	v->segments = calloc(v->dict.count + 1, sizeof(*v->segments));
	if (!v->segments)
		return err_set(ENOMEM, "log %s: out of memory", v->file->path);
	for (i = 0; i < v->dict.count; i++) {
		struct verify_segment *s = &v->segments[i];

		s->id = v->dict.entries[i].id;
		s->length = v->dict.entries[i].length;
		s->path = v->dict.entries[i].path;
		measure(s);
	}
	v->segment_count = v->dict.count;
	return 0;
}

static void tell_segment(struct verify *v, const struct verify_segment *s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void tell_segment(struct verify *v, const struct verify_segment *s, const char *fmt, ...)
{
	char what[PATH_MAX + TEXT];
	struct verify_defect defect = {
		.part = VERIFY_SEGMENT,
		.path = s->path,
		.byte = s->err == -EUCLEAN ? s->bytes : 0,
		.refused = s->err && s->ranges,
		.what = what,
		.effect = !s->err ? "recovery writes there" :
			  s->ranges ? "recovery is refused until it is as it was" :
				       "no record is about it, recovery does without",
	};
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	tell(v, &defect);
}

static void judge_segment(struct verify *v, const struct verify_segment *s)
{
	char canonical[PATH_MAX];

	if (s->err == -ENOENT)
		tell_segment(v, s, "there is no such file");
	else if (s->err == -EINVAL)
		tell_segment(v, s, "it is neither a regular file nor a block device");
	else if (s->err == -EUCLEAN)
		tell_segment(v, s, "it ends here, and had %" PRIu64 " bytes when it was mapped; it was cut off, or is another file",
			     s->length);
	else if (s->err)
		tell_segment(v, s, "it cannot be opened: %s", err_name(s->err));
	else if (!os.canonical(s->path, canonical) && strcmp(canonical, s->path))
		tell_segment(v, s, "it was no symbolic link, and leads to %s now", canonical);
}

static struct verify_segment *find_segment(struct verify *v, uint32_t id)
{
	size_t i;

	for (i = 0; i < v->segment_count; i++)
		if (v->segments[i].id == id)
			return &v->segments[i];
	return NULL;
}

/* struct use - could recovery use a record? */
struct use {
	struct verify *v;
	char *why;
};

/* A reader_range_fn. */
static int check_range(void *arg, const struct format_range *range, const void *data)
{
	struct use *use = arg;
	struct verify_segment *s = find_segment(use->v, range->segment);

	(void)data;
	if (!s && use->v->dict_trust == VERIFY_LOST)
		return 0;
	if (!s) {
		snprintf(use->why, SURVEY_WHY, "a record names segment %" PRIu32
			 ", its dictionary does not", range->segment);
		return -EUCLEAN;
	}
	s->ranges++;
	if (s->err || range->offset + range->length <= s->bytes)
		return 0;
	snprintf(use->why, SURVEY_WHY, "the record changes byte %" PRIu64 " of segment %" PRIu32
		 ", which has %" PRIu64, range->offset + range->length - 1, range->segment,
		 s->bytes);
	return -EUCLEAN;
}

static int check_record(void *arg, struct reader *reader, const struct format_record *record,
			char *why)
{
	struct use use = { .v = arg, .why = why };

	return record->type == FORMAT_TX ? reader_ranges(reader, record, false, check_range, &use) :
					   0;
}

static uint64_t transactions(const struct survey *survey, size_t from, size_t to)
{
	uint64_t sum = 0;

	for (; from < to; from++)
		sum += survey->runs[from].transactions;
	return sum;
}

static void tell_run(struct verify *v, size_t i)
{
	const struct survey *survey = &v->survey;
	const struct survey_run *run = &survey->runs[i];
	char effect[TEXT];
	struct verify_defect defect = {
		.part = VERIFY_RECORD,
		.byte = logfile_position(v->file, run->to),
		.lsn = run->to,
		.end = i + 1 < survey->count ? run[1].from : 0,
		.tid = run->has_header ? run->header.tid : 0,
		.refused = true,
		.what = run->why,
		.effect = effect,
	};

	snprintf(effect, sizeof(effect), "recovery is refused; %" PRIu64 " whole transactions stand before it, and %"
		 PRIu64 " beyond it, up to LSN %" PRIu64, transactions(survey, 0, i + 1),
		 transactions(survey, i + 1, survey->count), survey_end(survey));
	tell(v, &defect);
}

static void progress(void *arg, uint64_t done, uint64_t total)
{
	struct verify *v = arg;

	if (v->ops->progress)
		v->ops->progress(v->ops->arg, done, total);
}

static int look_at_records(struct verify *v)
{
	const struct survey_ops ops = {
		.record = check_record,
		.progress = progress,
		.arg = v,
	};
	size_t i;
	int err;

	err = survey_log(&v->survey, v->file, &v->status, &ops);
	for (i = 0; i < v->survey.count; i++)
		if (v->survey.runs[i].damage)
			tell_run(v, i);
	return err;
}

/* What both copies say alike needs a checksum that agrees with it. */
static bool is_confirmed(const struct verify *v)
{
	size_t i;

	for (i = 0; i < v->survey.count; i++)
		if (v->survey.runs[i].to > v->survey.runs[i].from)
			return true;
	return v->dict.copies.valid[0] || v->dict.copies.valid[1];
}

int verify_log(struct verify *v, struct logfile *file, const struct verify_ops *ops)
{
	size_t i;
	int err;

	memset(v, 0, sizeof(*v));
	v->file = file;
	v->ops = ops;
	err = look_at_status(v);
	if (err || v->status_trust == VERIFY_LOST)
		return err;
	err = look_at_dict(v);
	if (!err)
		err = look_at_segments(v);
	if (!err)
		err = look_at_records(v);
	if (err)
		return err;
	for (i = 0; i < v->segment_count; i++)
		judge_segment(v, &v->segments[i]);
	if (v->status_trust == VERIFY_ALIKE && !is_confirmed(v))
		v->status_trust = VERIFY_LOST;
	return 0;
}

void verify_free(struct verify *v)
{
	survey_free(&v->survey);
	free(v->segments);
	dict_free(&v->dict);
}
