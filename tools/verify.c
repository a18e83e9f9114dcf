// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm verify: what is wrong with a log, or with a backup, and where. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive.h"
#include "command.h"
#include "err.h"
#include "header.h"
#include "logfile.h"
#include "os.h"
#include "progress.h"
#include "verify.h"

static const char *const part_names[] = {
	[VERIFY_FILE] = "file",
	[VERIFY_STATUS] = "status",
	[VERIFY_DICT] = "dictionary",
	[VERIFY_RECORD] = "record",
	[VERIFY_SEGMENT] = "segment",
};

/**
 * struct checking - a log being looked at
 * @path: the log, or the backup
 * @paths: the segments to be looked into
 * @count: how many
 * @json: print JSON
 * @progress: what is shown meanwhile
 * @file: the log
 * @v: what is known of it
 * @defects: a copy of each that was found
 * @found: how many
 */
struct checking {
	const char *path;
	char **paths;
	size_t count;
	bool json;
	struct progress progress;
	struct logfile file;
	struct verify v;
	struct verify_defect *defects;
	size_t found;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct checking *c = state->input;

	switch (key) {
	case 'j':
		c->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (c->path)
			return ARGP_ERR_UNKNOWN;	/* the segments follow */
		c->path = arg;
		return 0;
	case ARGP_KEY_ARGS:
		c->paths = state->argv + state->next;
		c->count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "arguments are missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void *need(void *memory)
{
	if (!memory) {
		fprintf(stderr, "%s: out of memory\n", program_invocation_name);
		exit(RESULT_FAILED);
	}
	return memory;
}

/* They are told at the end: a log that is used meanwhile only seems damaged. */
static void note(void *arg, const struct verify_defect *defect)
{
	struct checking *c = arg;
	struct verify_defect *copy;

	c->defects = need(realloc(c->defects, (c->found + 1) * sizeof(*c->defects)));
	copy = &c->defects[c->found++];
	*copy = *defect;
	copy->path = need(strdup(defect->path));
	copy->what = need(strdup(defect->what));
	copy->effect = need(strdup(defect->effect));
}

static void forget(struct checking *c)
{
	while (c->found--) {
		free((char *)c->defects[c->found].path);
		free((char *)c->defects[c->found].what);
		free((char *)c->defects[c->found].effect);
	}
	free(c->defects);
}

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
	struct checking *c = arg;

	progress_show(&c->progress, done, total);
}

static int refuse_used(const struct checking *c)
{
	return err_set(EBUSY, "log %s: a program uses it; what is just being written would look damaged",
		       c->path);
}

/* Has nobody opened it meanwhile? */
static int check_still(struct checking *c)
{
	struct status_copies copies = {};
	struct format_status status;

	if (os.locked(c->file.fd) == 1)
		return refuse_used(c);
	if (c->v.status_trust == VERIFY_WHOLE && !status_load(&c->file, &status, &copies) &&
	    status.sequence != c->v.status.sequence)
		return refuse_used(c);
	return 0;
}

static const struct verify_segment *find_segment(const struct checking *c, const char *path)
{
	char canonical[PATH_MAX];
	size_t i;

	for (i = 0; i < c->v.segment_count; i++)
		if (!strcmp(c->v.segments[i].path, path) ||
		    (!os.canonical(path, canonical) &&
		     !strcmp(c->v.segments[i].path, canonical)))
			return &c->v.segments[i];
	return NULL;
}

/* What is in the log for a segment may be about its load map, too: it is as it will be then. */
static int look_into(struct checking *c, const char *path)
{
	const struct verify_segment *s = find_segment(c, path);
	struct verify_defect defect = {
		.part = VERIFY_SEGMENT,
		.path = path,
		.what = "the log does not know this segment",
		.effect = "recovery does without",
	};
	int err;

	if (!s && c->v.status_trust != VERIFY_LOST && c->v.dict_trust != VERIFY_LOST) {
		note(c, &defect);
	} else if (!s || !s->ranges) {
		err = header_check(path);
		if (err && err != -EUCLEAN)
			return err;
		defect.what = err_text();
		defect.effect = "recovery does not need it; rvm_load_segment(3) refuses it";
		if (err)
			note(c, &defect);
	}
	return 0;
}

static int look(struct checking *c)
{
	const struct verify_ops ops = { .defect = note, .progress = show_progress, .arg = c };
	size_t i;
	int err;

	if (os.locked(c->file.fd) == 1)
		return refuse_used(c);
	err = verify_log(&c->v, &c->file, &ops);
	progress_end(&c->progress);
	for (i = 0; i < c->count && !err; i++)
		err = look_into(c, c->paths[i]);
	return err ? err : check_still(c);
}

static uint64_t transactions(const struct survey *survey)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < survey->count; i++)
		sum += survey->runs[i].transactions;
	return sum;
}

static void print_defect(const struct verify_defect *d)
{
	printf("%s: byte %" PRIu64, d->path, d->byte);
	if (d->lsn)
		printf(", LSN %" PRIu64, d->lsn);
	if (d->end)
		printf(" to %" PRIu64, d->end);
	if (d->tid)
		printf(", transaction %" PRIu64, d->tid);
	printf(": %s; %s\n", d->what, d->effect);
}

static void print_text(const struct checking *c)
{
	const struct survey *survey = &c->v.survey;
	size_t i;

	for (i = 0; i < c->found; i++)
		print_defect(&c->defects[i]);
	printf("%s: %zu defects, recovery is %s", c->found ? "damaged" : "sound", c->found,
	       c->v.refused ? "refused" : "possible");
	if (survey->count)
		printf("; %" PRIu64 " transactions, LSN %" PRIu64 " to %" PRIu64,
		       transactions(survey), survey->runs[0].from, survey_end(survey));
	putchar('\n');
}

static json_t *defect_json(const struct verify_defect *d)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:s, s:s}",
			 "part", part_names[d->part], "path", d->path,
			 "byte", (json_int_t)d->byte, "lsn", (json_int_t)d->lsn,
			 "end", (json_int_t)d->end, "transaction", (json_int_t)d->tid,
			 "refused", d->refused, "what", d->what, "effect", d->effect);
}

static int print_json(const struct checking *c)
{
	const struct survey *survey = &c->v.survey;
	json_t *array = json_array();
	json_t *json;
	size_t i;

	for (i = 0; i < c->found; i++)
		if (json_array_append_new(array, defect_json(&c->defects[i])))
			return err_set(ENOMEM, "log %s: out of memory, or a path is no UTF-8",
				       c->path);
	json = json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:o}", "path", c->path,
			 "state", c->found ? "damaged" : "sound",
			 "refused", (int)(c->v.refused != 0),
			 "head", (json_int_t)(survey->count ? survey->runs[0].from : 0),
			 "end", (json_int_t)(survey->count ? survey_end(survey) : 0),
			 "transactions", (json_int_t)transactions(survey), "defects", array);
	if (!json)
		return err_set(ENOMEM, "log %s: out of memory, or its path is no UTF-8", c->path);
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
	return 0;
}

static int verify_a_log(struct checking *c)
{
	int result = RESULT_OK;
	int err;

	err = logfile_open(c->path, true, &c->file);
	if (err)
		return command_fail(err);
	err = look(c);
	if (!err && c->json)
		err = print_json(c);
	else if (!err)
		print_text(c);
	if (err)
		result = command_fail(err);
	else if (c->found)
		result = RESULT_DAMAGED;
	verify_free(&c->v);
	logfile_close(&c->file);
	return result;
}

static int check_backup(const char *dir, struct archive *archive)
{
	struct progress progress = { .label = "verifying" };
	int err;

	err = archive_open(dir, archive);
	if (err)
		return err;
	err = archive_check(archive, progress_show, &progress);
	progress_end(&progress);
	if (err)
		archive_close(archive);
	return err;
}

static int verify_a_backup(const char *dir)
{
	struct archive archive;
	int err = check_backup(dir, &archive);

	if (err)
		return command_fail(err);
	printf("whole: %zu segments and %" PRIu64 " bytes of log, to LSN %" PRIu64 "\n",
	       archive.manifest.count, archive.manifest.tail - archive.manifest.head,
	       archive.manifest.tail);
	archive_close(&archive);
	return RESULT_OK;
}

int command_verify(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON, of a log", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "LOG [SEGMENT...]\nDIR",
		.doc = "Tell what is wrong with a log, or with a backup, and where.\n"
		       "\vOf a log: both copies of the status and of the segment dictionary, each\n"
		       "record from head to tail and beyond damage, the segments it knows; of each\n"
		       "SEGMENT the load map. Nothing is changed, and a log that a program uses is\n"
		       "refused. Of the backup in DIR every byte is held against its checksums.\n"
		       "The exit code is 3 if anything is wrong.",
	};
	struct checking c = { .progress.label = "reading the log" };
	struct stat st;
	int err, result;

	if (argp_parse(&argp, argc, argv, 0, NULL, &c))
		return RESULT_USAGE;
	err = stat(c.path, &st) ? errno : 0;
	if (err == ENOENT)
		return command_fail(err_set(ENOENT, "%s: there is no such file, and no such directory",
					    c.path));
	if (!err && S_ISDIR(st.st_mode)) {
		if (!c.count && !c.json)
			return verify_a_backup(c.path);
		fprintf(stderr, "%s: %s is a backup: neither segments nor --json go with it\n",
			program_invocation_name, c.path);
		return RESULT_USAGE;
	}
	result = verify_a_log(&c);
	forget(&c);
	return result;
}
