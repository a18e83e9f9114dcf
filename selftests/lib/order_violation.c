// SPDX-License-Identifier: GPL-2.0
/* How the judge of the order of writes ends the program. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order_violation.h"

void order_violation(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "# order of writes: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	raise(SIGTRAP);	/* the harness takes SIGABRT for a failed assertion only */
	abort();
}

void *order_need(size_t size)
{
	void *p = reallocarray(NULL, 1, size);	/* tests let the other calls fail */

	if (!p)
		order_violation("no memory");
	return memset(p, 0, size);
}
