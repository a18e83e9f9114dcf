// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm dump: the records of a log, forward or backward, for people or as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "err.h"
#include "log.h"
#include "logfile.h"
#include "look.h"
#include "reader.h"

#define LINE 16 /* bytes of data on a line */

/* struct dump - what is asked for, and the work under way */
struct dump {
	struct paths paths;
	bool backward;
	bool json;
	bool data;
	struct look look;
	struct reader reader;
	bool first;	/* of the JSON array */
	json_t *ranges;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct dump *d = state->input;

	switch (key) {
	case 'b':
		d->backward = true;
		return 0;
	case 'd':
		d->data = true;
		return 0;
	case 'j':
		d->json = true;
		return 0;
	}
	return command_word(&d->paths, key, arg, state);
}

static const char *type_name(const struct format_record *record)
{
	return record->type == FORMAT_PAD ? "padding" : "transaction";
}

static void print_data(uint64_t offset, const uint8_t *data, uint32_t length)
{
	uint32_t i;

	for (i = 0; i < length; i++) {
		if (i % LINE == 0)
			printf("%s    %016" PRIx64, i ? "\n" : "", offset + i);
		printf(" %02x", data[i]);
	}
	putchar('\n');
}

/* A reader_range_fn. */
static int print_range(void *arg, const struct format_range *range, const void *data)
{
	(void)arg;
	printf("  segment %" PRIu32 " offset %" PRIu64 " length %" PRIu32 "\n", range->segment,
	       range->offset, range->length);
	if (data)
		print_data(range->offset, data, range->length);
	return 0;
}

static int print_record(struct dump *d, const struct format_record *record)
{
	printf("LSN %" PRIu64 " byte %" PRIu64 " length %" PRIu64 " %s", record->lsn,
	       logfile_position(d->reader.file, record->lsn), record->length, type_name(record));
	if (record->type == FORMAT_TX)
		printf(" %" PRIu64 " ranges %" PRIu32, record->tid, record->count);
	printf(" durable %" PRIu64 "\n", record->durable);
	return reader_ranges(&d->reader, record, d->data, print_range, d);
}

static json_t *data_json(const uint8_t *data, uint32_t length)
{
	char *hex = malloc(2 * (size_t)length + 1);
	json_t *json;
	uint32_t i;

	if (!hex)
		return NULL;
	for (i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", data[i]);
	json = json_stringn(hex, 2 * (size_t)length);
	free(hex);
	return json;
}

/* A reader_range_fn. */
static int add_range(void *arg, const struct format_range *range, const void *data)
{
	struct dump *d = arg;
	json_t *json = json_pack("{s:I, s:I, s:I}", "segment", (json_int_t)range->segment,
				 "offset", (json_int_t)range->offset,
				 "length", (json_int_t)range->length);

	if (!json || (data && json_object_set_new(json, "data", data_json(data, range->length))) ||
	    json_array_append_new(d->ranges, json))
		return err_set(ENOMEM, "log %s: out of memory", d->paths.words[0]);
	return 0;
}

static int json_record(struct dump *d, const struct format_record *record)
{
	json_t *json;
	int err;

	d->ranges = json_array();
	err = reader_ranges(&d->reader, record, d->data, add_range, d);
	json = json_pack("{s:I, s:I, s:I, s:s, s:I, s:I, s:o}", "lsn", (json_int_t)record->lsn,
			 "byte", (json_int_t)logfile_position(d->reader.file, record->lsn),
			 "length", (json_int_t)record->length, "type", type_name(record),
			 "tid", (json_int_t)record->tid, "durable", (json_int_t)record->durable,
			 "ranges", d->ranges);
	if (!json)
		return err_set(ENOMEM, "log %s: out of memory", d->paths.words[0]);
	if (!err) {
		printf("%s\n    ", d->first ? "" : ",");
		json_dumpf(json, stdout, JSON_COMPACT);
		d->first = false;
	}
	json_decref(json);
	return err;
}

static int show(struct dump *d, const struct format_record *record)
{
	return d->json ? json_record(d, record) : print_record(d, record);
}

static int report_change(const struct dump *d, uint64_t lsn, const char *why)
{
	return err_set(EUCLEAN, "log %s: damaged at LSN %" PRIu64 ": %s%s", d->paths.words[0], lsn,
		       why, d->look.in_use ? "; the log is in use, it may just have changed" : "");
}

static int dump_forward(struct dump *d)
{
	uint64_t lsn = d->look.status.head;
	struct format_record record;
	const char *why;
	int err = 0;

	while (lsn < d->look.tail && !err) {
		err = reader_record(&d->reader, lsn, d->look.tail, &record, &why);
		if (err == -EUCLEAN)
			return report_change(d, lsn, why);
		if (!err)
			err = show(d, &record);
		lsn += record.length;
	}
	return err;
}

static int dump_backward(struct dump *d)
{
	uint64_t lsn = d->look.tail;
	struct format_record record;
	const char *why;
	int err = 0;

	while (lsn > d->look.status.head && !err) {
		err = reader_before(&d->reader, lsn, d->look.status.head, &record, &why);
		if (err == -EUCLEAN)
			return report_change(d, lsn, why);
		if (!err)
			err = show(d, &record);
		lsn = record.lsn;
	}
	return err;
}

static void json_begin(struct dump *d)
{
	char uuid[37];

	look_uuid(d->look.status.uuid, uuid);
	printf("{\n  \"uuid\": \"%s\",\n  \"generation\": %" PRIu32 ",\n  \"head\": %" PRIu64
	       ",\n  \"tail\": %" PRIu64 ",\n  \"records\": [", uuid, d->look.status.generation,
	       d->look.status.head, d->look.tail);
	d->first = true;
}

static void json_end(void)
{
	printf("\n  ]\n}\n");
}

static int dump(struct dump *d)
{
	int err;

	err = reader_init(&d->reader, log_file(d->look.log), &d->look.status);
	if (err)
		return err;
	if (d->json)
		json_begin(d);
	err = d->backward ? dump_backward(d) : dump_forward(d);
	if (d->json)
		json_end();
	reader_free(&d->reader);
	if (!err && d->look.damage)
		err = err_set(-d->look.damage, "%s", d->look.text);
	return err;
}

int command_dump(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "backward", 'b', NULL, 0, "From the tail to the head, as recovery reads", 0 },
		{ "data", 'd', NULL, 0, "Show the new values, in hexadecimal", 0 },
		{ "json", 'j', NULL, 0, "Print JSON", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "LOG",
		.doc = "Show the records of a log.\n"
		       "\vNothing is changed and no lock is taken.  Of a damaged log the records\n"
		       "before the damage are shown, and the exit code is 3.",
	};
	struct dump d = { .paths = { .least = 1, .most = 1 } };
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &d))
		return RESULT_USAGE;
	err = look_open(d.paths.words[0], &d.look);
	if (err)
		return command_fail(err);
	err = dump(&d);
	look_close(&d.look);
	return err ? command_fail(err) : RESULT_OK;
}
