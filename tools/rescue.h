/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rvm recover --salvage, and what recovery prints. */
#ifndef RVM_TOOLS_RESCUE_H
#define RVM_TOOLS_RESCUE_H

#include <stdbool.h>

struct recover_stats;

/**
 * struct rescue - what is asked for
 * @keep: where the damaged log is kept, or NULL
 * @beyond: take transactions beyond the damage
 */
struct rescue {
	const char *keep;
	bool beyond;
};

/** rescue_log() - salvage a log and print what was lost; Return: the exit code */
int rescue_log(const char *path, const struct rescue *rescue);

/** recover_print() - print what recovery did */
void recover_print(const char *done, const struct recover_stats *stats);

#endif
