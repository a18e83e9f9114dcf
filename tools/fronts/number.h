/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers in the arguments of the fronts. */
#ifndef RVM_TOOLS_FRONTS_NUMBER_H
#define RVM_TOOLS_FRONTS_NUMBER_H

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Read a number, decimal or 0x..., with K, M or G (of 1024) behind it or without. */
static inline bool read_number(const char *text, unsigned long *number)
{
	static const char units[] = "KMG";
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*number = strtoul(text, &end, 0);
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));

		if (!unit || end[1])
			return false;
		shift = 10 * (unit - units + 1);
	}
	if (errno || *number > ULONG_MAX >> shift)
		return false;
	*number <<= shift;
	return true;
}

#endif
