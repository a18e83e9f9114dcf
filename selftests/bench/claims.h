/* SPDX-License-Identifier: GPL-2.0 */
/* What is claimed of tracked transactions, by the medians of one run. */
#ifndef SELFTESTS_BENCH_CLAIMS_H
#define SELFTESTS_BENCH_CLAIMS_H

#include "report.h"

/* struct result - what came out at one point; a row for each subject, empty if it was not here */
struct result {
	struct workload workload;
	struct row rows[SUBJECTS_MAX];
};

/**
 * claims_tell() - print where trackers begin to beat set_range, and what was reached of the goals
 * @results: of all points
 * @count: how many
 * @subjects: those of the rows
 * @n_subjects: how many
 * @where: the machine
 */
void claims_tell(struct result *results, unsigned int count, const struct subject *subjects,
		 unsigned int n_subjects, const char *where);

#endif
