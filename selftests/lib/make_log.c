// SPDX-License-Identifier: GPL-2.0
/*
 * make_log LOG SEGMENT COUNT closed|killed|open: commits COUNT transactions, the n-th with the
 * byte n at offset n, then closes the log, or dies with it open, or waits with it open for the
 * end of its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "log.h"
#include "recover.h"
#include "segment.h"

static void check(int err)
{
	if (!err)
		return;
	fprintf(stderr, "%s\n", err_text());
	exit(1);
}

static void commit(struct log *log, uint32_t id, unsigned char number)
{
	struct log_range r = { .segment = id, .offset = number, .length = 1, .data = &number };
	uint64_t lsn;

	check(log_append(log, number, &r, 1, &lsn));
	check(log_flush(log, lsn));
}

int main(int argc, char **argv)
{
	struct segment *segment;
	struct log *log;
	uint32_t id;
	int i;

	if (argc != 5)
		return 2;
	check(log_open(argv[1], 0, false, &log));
	check(recover_log(log, NULL, NULL, NULL));
	check(segment_open(argv[2], 4096, &segment));
	check(log_name_segment(log, segment->path, segment->length, &id));
	for (i = 1; i <= atoi(argv[3]); i++)
		commit(log, id, i);
	if (!strcmp(argv[4], "open")) {
		puts("open");
		fflush(stdout);
		while (getchar() != EOF)
			;
	}
	if (strcmp(argv[4], "killed"))
		check(log_close(log));
	_exit(0);
}
