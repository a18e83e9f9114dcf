// SPDX-License-Identifier: LGPL-2.1-or-later
/* A progress bar, for people only. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

#define WIDTH 40
#define INTERVAL 100 /* milliseconds */

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

void progress_show(void *arg, uint64_t done, uint64_t total)
{
	struct progress *progress = arg;
	uint64_t time = now();
	char bar[WIDTH + 1];
	double part;

	if (!total || !isatty(STDERR_FILENO))
		return;
	if (progress->shown && time - progress->shown < INTERVAL && done < total)
		return;
	part = (double)done / total;
	memset(bar, '.', WIDTH);
	memset(bar, '#', (size_t)(part * WIDTH));
	bar[WIDTH] = '\0';
	fprintf(stderr, "\r%s [%s] %3d %%", progress->label, bar, (int)(part * 100));
	progress->shown = time ? time : 1;
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = 0;
}
