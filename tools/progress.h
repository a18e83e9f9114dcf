/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A progress bar, for people only: nothing is shown unless stderr is a terminal. */
#ifndef RVM_TOOLS_PROGRESS_H
#define RVM_TOOLS_PROGRESS_H

#include <stdint.h>

/**
 * struct progress - a progress bar
 * @label: what is done
 * @shown: milliseconds of the monotonic clock when it was drawn last; 0: never
 */
struct progress {
	const char *label;
	uint64_t shown;
};

/** progress_show() - draw the bar, not too often; fits the library's callbacks */
void progress_show(void *progress, uint64_t done, uint64_t total);

/** progress_end() - take the bar off the terminal */
void progress_end(struct progress *progress);

#endif
