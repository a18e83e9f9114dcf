/* SPDX-License-Identifier: GPL-2.0 */
/* Comparisons: subjects that do the same, in turns; what came out, and whether it is enough. */
#ifndef SELFTESTS_BENCH_COMPARE_H
#define SELFTESTS_BENCH_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"
#include "trial.h"

#define SUBJECTS	5

/**
 * struct subject - who takes part in a comparison
 * @name: in the table
 * @trial: what it does; NULL: the trial before fills in its outcome too
 * @limit: the others are held against it
 * @set: changes the setting for it, or NULL
 */
struct subject {
	const char *name;
	trial_fn *trial;
	bool limit;
	void (*set)(struct setting *setting);
};

/**
 * struct comparison - subjects that do the same
 * @name: in the table
 * @unit: of the rate
 * @flush: commits are durable
 * @threads: how many; 0: it is not about them
 * @map: bytes of a region, for the time of a map
 * @least: the limit is the least of the limits, else the best
 * @once: one sample is enough, however many rounds there are
 * @subjects: the limits come first
 */
struct comparison {
	const char *name;
	const char *unit;
	bool flush;
	unsigned int threads;
	size_t map;
	bool least;
	bool once;
	struct subject subjects[SUBJECTS];
};

/* What a goal is about; LONGEST is the longest commit of all rounds, in nanoseconds. */
enum figure { RATE, CORE_RATE, BY_LIMIT, LOG_BYTES, DISK_BYTES, LONGEST };

/**
 * struct goal - what a subject is to reach
 * @comparison: its name
 * @threads: of that comparison
 * @subject: its name
 * @figure: which
 * @at_most: it is a bound from above
 * @bound: it
 * @text: what that means
 */
struct goal {
	const char *comparison;
	unsigned int threads;
	const char *subject;
	enum figure figure;
	bool at_most;
	double bound;
	const char *text;
};

/**
 * compare_open() - say where the samples go
 * @options: the command line
 * @dat: path of the medians, for gnuplot
 */
void compare_open(const struct options *options, const char *dat);

/** compare() - take all rounds, print a table; what it says of the goals is kept */
void compare(const struct comparison *c, const struct setting *setting, const struct goal *goals,
	     size_t n_goals);

#endif
