// SPDX-License-Identifier: LGPL-2.1-or-later
/* Errors: a negative errno for the caller, one line of text for the person. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strerrordesc_np() */
#endif

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

/* Long enough for a path of PATH_MAX in the middle of a sentence to be cut, not lost. */
#define TEXT_MAX 1024

static __thread char text[TEXT_MAX];

int err_set(int err, const char *fmt, ...)
{
	char new[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(new, sizeof(new), fmt, args);
	va_end(args);
	memcpy(text, new, sizeof(text));	/* the arguments may point into the old text */
	return -err;
}

int err_add(int err, const char *fmt, ...)
{
	char new[TEXT_MAX];
	va_list args;
	int used;

	va_start(args, fmt);
	used = vsnprintf(new, sizeof(new), fmt, args);
	va_end(args);
	if (used >= 0 && (size_t)used < sizeof(new))
		snprintf(new + used, sizeof(new) - used, "%s", text);
	memcpy(text, new, sizeof(text));
	return err;
}

const char *err_text(void)
{
	return text;
}

const char *err_name(int err)
{
	const char *name = strerrordesc_np(err < 0 ? -err : err);

	return name ? name : "unknown error";
}

void err_clear(void)
{
	text[0] = '\0';
}
