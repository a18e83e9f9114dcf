// SPDX-License-Identifier: LGPL-2.1-or-later
/* rvm regions: what the kernel module tells of each live region. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <linux/rvm_track.h>
#include <stdbool.h>
#include <stdio.h>

#include "command.h"
#include "err.h"
#include "live.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	if (key == 'j') {
		*json = true;
		return 0;
	}
	if (key == ARGP_KEY_ARG)
		argp_error(state, "too many arguments: %s", arg);
	return ARGP_ERR_UNKNOWN;
}

static json_t *region_json(const struct netlink_stats *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			 "id", (json_int_t)s->id, "pid", (json_int_t)s->pid,
			 "offset", (json_int_t)s->offset, "length", (json_int_t)s->length,
			 "slots", (json_int_t)s->slots,
			 "strict", !!(s->flags & RVM_TRACK_REGION_STRICT),
			 "disjoint", !!(s->flags & RVM_TRACK_REGION_DISJOINT),
			 "resident", (json_int_t)s->resident, "dirty", (json_int_t)s->dirty,
			 "owned", (json_int_t)s->owned, "stray", (json_int_t)s->stray,
			 "first_writes", (json_int_t)s->first_writes,
			 "written", (json_int_t)s->written, "busy", (json_int_t)s->busy,
			 "read", (json_int_t)s->read, "conflicts", (json_int_t)s->conflicts,
			 "rolled_back", (json_int_t)s->rolled_back);
}

static int print_json(const struct live *live)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < live->n; i++)
		json_array_append_new(array, region_json(&live->region[i]));
	if (json_array_size(array) != live->n)
		return err_set(ENOMEM, "out of memory for JSON");
	json_dumpf(array, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(array);
	return 0;
}

static int print_text(const struct live *live)
{
	const struct netlink_stats *s;

	for (s = live->region; s < live->region + live->n; s++)
		printf("region %" PRIu64 " of process %" PRIu32 ": %" PRIu64 " bytes at %" PRIu64
		       "%s%s\n"
		       "  pages in memory %" PRIu64 ", dirty %" PRIu64 ", owned %" PRIu64
		       ", stray %" PRIu64 "; slots %" PRIu32 "\n"
		       "  first writes %" PRIu64 ", written back %" PRIu64 ", busy %" PRIu64
		       ", read %" PRIu64 ", rolled back %" PRIu64 ", conflicts %" PRIu64 "\n",
		       s->id, s->pid, s->length, s->offset,
		       s->flags & RVM_TRACK_REGION_STRICT ? ", strict" : "",
		       s->flags & RVM_TRACK_REGION_DISJOINT ? ", disjoint" : "",
		       s->resident, s->dirty, s->owned, s->stray, s->slots,
		       s->first_writes, s->written, s->busy, s->read, s->rolled_back,
		       s->conflicts);
	return 0;
}

static int look_once(struct live *live)
{
	struct netlink *nl;
	int err;

	err = netlink_open(&nl);
	if (err)
		return err;
	err = live_look(nl, live);
	netlink_close(nl);
	return err;
}

int command_regions(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "List the live regions of the kernel module rvm_track, oldest first:\n"
		       "your own, or all of them for root.\n"
		       "\vA process is named as it numbers itself in its pid namespace.",
	};
	struct live live = { 0 };
	bool json = false;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &json))
		return RESULT_USAGE;
	err = look_once(&live);
	if (!err)
		err = json ? print_json(&live) : print_text(&live);
	live_free(&live);
	return err ? command_fail(err) : RESULT_OK;
}
