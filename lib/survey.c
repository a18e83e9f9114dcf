// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A survey of the record area.
 *
 * scan.c ends at the first damage, because recovery does.  A survey goes on: behind the end of
 * each run it looks at every possible start of a record, as scan.c does, and takes the first valid
 * one for the start of the next run.  What stands at the end of a run is damage by the same rule
 * as there: the status, or any record of a later run, tells a durable LSN above it.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "reader.h"
#include "survey.h"

#define REPORTS 1024U /* at most so many reports of the progress */

/* struct surveying - a survey under way */
struct surveying {
	struct survey *survey;
	const struct format_status *status;
	const struct survey_ops *ops;
	struct reader reader;
	uint64_t told;
};

static void report(struct surveying *s, uint64_t lsn)
{
	if (!s->ops->progress || lsn - s->told < s->status->area_size / REPORTS)
		return;
	s->told = lsn;
	s->ops->progress(s->ops->arg, lsn - s->status->head, s->status->area_size);
}

static struct survey_run *add_run(struct survey *survey, uint64_t from)
{
	size_t size = (survey->count + 1) * sizeof(*survey->runs);
	struct survey_run *runs = realloc(survey->runs, size);
	struct survey_run *run;

	if (!runs)
		return NULL;
	survey->runs = runs;
	run = &runs[survey->count++];
	memset(run, 0, sizeof(*run));
	run->from = from;
	run->to = from;
	return run;
}

static void take(struct survey_run *run, const struct format_record *record)
{
	run->to += record->length;
	if (record->durable > run->durable)
		run->durable = record->durable;
	if (record->type == FORMAT_TX)
		run->transactions++;
}

/* What the broken record says of itself. */
static int read_header(struct surveying *s, struct survey_run *run)
{
	const struct disk_record *disk;
	int err;

	if (s->survey->limit - run->to < sizeof(*disk))
		return 0;
	err = reader_get(&s->reader, run->to, sizeof(*disk), (const void **)&disk);
	if (err)
		return err;
	format_record_decode(disk, &run->header);
	run->has_header = le32toh(disk->magic) == FORMAT_RECORD_MAGIC &&
			  le32toh(disk->generation) == s->status->generation &&
			  run->header.lsn == run->to && run->header.durable <= run->to;
	return 0;
}

static int end_run(struct surveying *s, struct survey_run *run, const char *why)
{
	snprintf(run->why, sizeof(run->why), "%s", why);
	run->resume = run->to + FORMAT_ALIGN;
	return read_header(s, run);
}

/* Walks from the start of a run to the first LSN where no usable record is. */
static int walk_run(struct surveying *s, struct survey_run *run)
{
	struct format_record record;
	const char *why;
	int err;

	for (;;) {
		err = reader_record(&s->reader, run->to, s->survey->limit, &record, &why);
		if (err)
			return err == -EUCLEAN ? end_run(s, run, why) : err;
		err = s->ops->record(s->ops->arg, &s->reader, &record, run->why);
		if (err == -EUCLEAN) {
			run->unusable = true;
			run->resume = run->to + record.length;
			return read_header(s, run);
		}
		if (err)
			return err;
		take(run, &record);
		report(s, run->to);
	}
}

static uint64_t find_magic(const uint32_t *words, uint64_t lsn, uint64_t end)
{
	while (lsn < end && le32toh(*words) != FORMAT_RECORD_MAGIC) {
		lsn += FORMAT_ALIGN;
		words += FORMAT_ALIGN / sizeof(*words);
	}
	return lsn;
}

/* The next LSN from *@at on where a valid record is, or the limit. */
static int find_record(struct surveying *s, uint64_t *at)
{
	uint64_t limit = s->survey->limit;
	struct format_record record;

	while (*at < limit) {
		uint64_t end = limit - *at < FORMAT_CHUNK ? limit : *at + FORMAT_CHUNK;
		const char *why;
		const void *words;
		int err;

		err = reader_get(&s->reader, *at, end - *at, &words);
		if (err)
			return err;
		*at = find_magic(words, *at, end);
		report(s, *at);
		if (*at == end)
			continue;
		err = reader_record(&s->reader, *at, limit, &record, &why);
		if (err != -EUCLEAN)
			return err;
		*at += FORMAT_ALIGN;
	}
	return 0;
}

/* What no later record proves to have been durable was never acknowledged. */
static void judge(struct survey *survey, uint64_t durable)
{
	size_t i;

	for (i = survey->count; i--;) {
		struct survey_run *run = &survey->runs[i];

		run->damage = run->unusable || run->to < durable;
		if (run->durable > durable)
			durable = run->durable;
	}
}

static int look(struct surveying *s)
{
	struct survey *survey = s->survey;
	uint64_t at = s->status->head;
	struct survey_run *run;
	int err;

	do {
		run = add_run(survey, at);
		if (!run)
			return err_set(ENOMEM, "log %s: out of memory", s->reader.file->path);
		err = walk_run(s, run);
		if (err)
			return err;
		at = run->resume;
		err = find_record(s, &at);
		if (err)
			return err;
	} while (at < survey->limit);
	judge(survey, s->status->tail_hint);
	return 0;
}

int survey_log(struct survey *survey, const struct logfile *file,
	       const struct format_status *status, const struct survey_ops *ops)
{
	struct surveying s = { .survey = survey, .status = status, .ops = ops };
	int err;

	memset(survey, 0, sizeof(*survey));
	survey->limit = status->clean ? status->tail_hint : status->head + status->area_size;
	s.told = status->head;
	err = reader_init(&s.reader, file, status);
	if (err)
		return err;
	reader_ahead(&s.reader, status->head, survey->limit);
	err = look(&s);
	reader_free(&s.reader);
	if (err)
		survey_free(survey);
	return err;
}

void survey_free(struct survey *survey)
{
	free(survey->runs);
	memset(survey, 0, sizeof(*survey));
}

const struct survey_run *survey_damaged(const struct survey *survey)
{
	size_t i;

	for (i = 0; i < survey->count; i++)
		if (survey->runs[i].damage)
			return &survey->runs[i];
	return NULL;
}

uint64_t survey_end(const struct survey *survey)
{
	return survey->runs[survey->count - 1].to;
}
