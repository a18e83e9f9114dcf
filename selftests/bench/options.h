/* SPDX-License-Identifier: GPL-2.0 */
/* What both benchmark programs are told on the command line, and where their samples go. */
#ifndef SELFTESTS_BENCH_OPTIONS_H
#define SELFTESTS_BENCH_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

/**
 * struct options - the command line
 * @dir: the directory for files
 * @csv: path of the samples
 * @where: name of this machine
 * @rounds: samples of each subject
 * @ms: milliseconds of a sample
 * @quick: only show that it runs
 */
struct options {
	char *dir;
	char *csv;
	char *where;
	unsigned int rounds;
	unsigned int ms;
	bool quick;
};

/* A child parser whose input is a struct options. */
extern const struct argp options_argp;

/** options_output() - begin a file that samples go to, line by line; dies if it cannot */
FILE *options_output(const char *path);

#endif
