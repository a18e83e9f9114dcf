// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm status: where a log stands. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "command.h"
#include "err.h"
#include "logfile.h"
#include "look.h"
#include "status.h"

/* struct arguments - what is asked for */
struct arguments {
	struct paths paths;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	if (key == 'j') {
		arguments->json = true;
		return 0;
	}
	return command_word(&arguments->paths, key, arg, state);
}

static const char *state_name(const struct look *look)
{
	if (look->in_use)
		return "in use";
	if (look->damage)
		return "damaged";
	return look->status.clean ? "clean" : "not closed";
}

static const char *copies_name(const struct status_copies *copies)
{
	if (copies->valid[0] && copies->valid[1])
		return "both whole";
	return copies->valid[0] ? "second damaged" : "first damaged";
}

static json_t *segments_json(const struct look *look)
{
	json_t *array = json_array();
	struct log_segment segment;
	uint32_t id;

	for (id = 1; id <= log_segments(look->log); id++) {
		char uuid[37];

		if (log_segment(look->log, id, &segment))
			continue;
		look_uuid(segment.uuid, uuid);
		json_array_append_new(array, json_pack("{s:I, s:s, s:I, s:s}",
						       "id", (json_int_t)id, "uuid", uuid,
						       "length", (json_int_t)segment.length,
						       "path", segment.path));
	}
	return array;
}

static int print_json(const struct look *look, const char *path,
		      const struct status_copies *status, const struct status_copies *dict)
{
	const struct format_status *s = &look->status;
	json_t *json;
	char uuid[37];

	look_uuid(s->uuid, uuid);
	json = json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:o}",
			 "path", path, "state", state_name(look),
			 "version", FORMAT_VERSION, "uuid", uuid,
			 "sector", (json_int_t)s->sector,
			 "area_offset", (json_int_t)s->area_offset,
			 "area_size", (json_int_t)s->area_size,
			 "generation", (json_int_t)s->generation,
			 "head", (json_int_t)s->head, "tail", (json_int_t)look->tail,
			 "used", (json_int_t)(look->tail - s->head),
			 "status", copies_name(status), "dictionary", copies_name(dict),
			 "segments", segments_json(look));
	if (!json)
		return -1;
	if (look->damage)
		json_object_set_new(json, "damage", json_string(look->text));
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
	return 0;
}

static void print_segments(const struct look *look)
{
	struct log_segment segment;
	uint32_t id;

	for (id = 1; id <= log_segments(look->log); id++)
		if (!log_segment(look->log, id, &segment))
			printf("segment %-8" PRIu32 "%s, %" PRIu64 " bytes\n", id, segment.path,
			       segment.length);
}

static int print_text(const struct look *look, const char *path,
		      const struct status_copies *status, const struct status_copies *dict)
{
	const struct format_status *s = &look->status;
	uint64_t used = look->tail - s->head;
	char uuid[37];

	look_uuid(s->uuid, uuid);
	printf("log             %s\n", path);
	printf("state           %s\n", state_name(look));
	printf("uuid            %s\n", uuid);
	printf("version         %u, sectors of %" PRIu32 " bytes\n", FORMAT_VERSION, s->sector);
	printf("generation      %" PRIu32 "\n", s->generation);
	printf("record area     %" PRIu64 " bytes at byte %" PRIu64 "\n", s->area_size,
	       s->area_offset);
	printf("head            LSN %" PRIu64 " (byte %" PRIu64 ")\n", s->head,
	       logfile_position(log_file(look->log), s->head));
	printf("tail            LSN %" PRIu64 " (byte %" PRIu64 ")\n", look->tail,
	       logfile_position(log_file(look->log), look->tail));
	printf("used            %" PRIu64 " bytes, %.1f %%\n", used, 100.0 * used / s->area_size);
	printf("status          %s\n", copies_name(status));
	printf("dictionary      %s, %" PRIu32 " segments\n", copies_name(dict),
	       log_segments(look->log));
	print_segments(look);
	return 0;
}

int command_status(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "LOG",
		.doc = "Tell where a log stands: its state, identity, head, tail, and\n"
		       "the segments that it knows.\n"
		       "\vNothing is changed and no lock is taken, so it works while another\n"
		       "process has the log open; `state' is then `in use'.  `not closed' is a\n"
		       "log that needs recovery.  The exit code is 3 if the log is damaged.",
	};
	struct arguments arguments = { .paths = { .least = 1, .most = 1 } };
	struct status_copies status, dict;
	struct look look;
	const char *path;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments))
		return RESULT_USAGE;
	path = arguments.paths.words[0];
	err = look_open(path, &look);
	if (err)
		return command_fail(err);
	log_copies(look.log, &status, &dict);
	if (arguments.json)
		err = print_json(&look, path, &status, &dict);
	else
		err = print_text(&look, path, &status, &dict);
	if (err)
		err = command_fail(err_set(ENOMEM, "log %s: out of memory, or its path is no UTF-8",
					   path));
	else if (look.damage)
		err = command_fail(err_set(-look.damage, "%s", look.text));
	look_close(&look);
	return err;
}
