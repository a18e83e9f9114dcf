// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the commands of the tool rvm share. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "err.h"

enum result command_fail(int err)
{
	fprintf(stderr, "%s: %s\n", program_invocation_name, err_text());
	switch (-err) {
	case EUCLEAN:
		return RESULT_DAMAGED;
	case EBUSY:
		return RESULT_BUSY;
	case EINVAL:
	case EPROTO:
		return RESULT_FOREIGN;
	case EEXIST:
		return RESULT_EXISTS;
	default:
		return RESULT_FAILED;
	}
}

const char *command_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return "is not a number of bytes";
	errno = 0;
	*size = strtoull(text, &end, 10);
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));

		if (!unit || end[1])
			return "is not a number with K, M, G or T behind it";
		shift = 10 * (unit - units + 1);
	}
	if (errno || *size > (uint64_t)INT64_MAX >> shift)
		return "is more than any file can hold";
	*size <<= shift;
	return *size ? NULL : "is no size";
}

error_t command_word(struct paths *paths, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num >= paths->most)
			argp_error(state, "too many arguments: %s", arg);
		else
			paths->words[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < paths->least)
			argp_error(state, "arguments are missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}
