/* SPDX-License-Identifier: GPL-2.0 */
/* The report: a table for people, CSV for programs, the medians for plots. */
#ifndef SELFTESTS_BENCH_REPORT_H
#define SELFTESTS_BENCH_REPORT_H

#include "sample.h"
#include "series.h"

/**
 * struct row - all samples of one subject in one workload
 * @rate: transactions a second
 * @cpu_ns: processor time a transaction
 * @log_bytes: bytes of log a transaction
 * @io_bytes: bytes written to disks a transaction
 * @ratio: its rate by the rate of set_range in the same round
 */
struct row {
	struct series rate;
	struct series cpu_ns;
	struct series log_bytes;
	struct series io_bytes;
	struct series ratio;
};

/**
 * report_open() - where samples and medians go
 * @csv: path of the samples, begun anew
 * @dat: path of the medians, likewise
 * @where: "native" or the kernel of the VM, for the first column
 */
void report_open(const char *csv, const char *dat, const char *where);

/** report_sample() - a line of CSV; @round counts from 0 */
void report_sample(const struct workload *workload, const struct subject *subject,
		   unsigned int round, const struct sample *sample);

/** report_title() - the line above a table; @progress is printed before it */
void report_title(const struct workload *workload, const char *progress);

/** report_row() - a line of the table, and of the medians */
void report_row(const struct workload *workload, const struct subject *subject, struct row *row);

#endif
