// SPDX-License-Identifier: GPL-2.0
/* The report: a table for people and CSV for programs. */
#include <stdio.h>

#include "options.h"
#include "report.h"

static FILE *csv;
static char place[32];

void report_open(const char *path, const char *where)
{
	csv = options_output(path);
	snprintf(place, sizeof(place), "%s", where);
	fprintf(csv, "where,workload,commit,threads,region,pages,ranges,bytes,subject,round,");
	fprintf(csv, "transactions_per_second,cpu_ns,log_bytes,io_bytes\n");
}

void report_sample(const struct workload *workload, const struct subject *subject,
		   unsigned int round, const struct sample *sample)
{
	fprintf(csv, "%s,%s,%s,%u,%zu,%u,%u,%u,%s,%u,%.1f,%.1f,%.1f,%.1f\n", place, workload->name,
		workload->flush ? "flush" : "no_flush", workload->threads, workload->region,
		workload->pages, workload->ranges, workload->bytes, subject->name, round,
		sample->rate, sample->cpu_ns, sample->log_bytes, sample->io_bytes);
}

void report_title(const struct workload *workload)
{
	printf("\n%s: %s, %s, ", place, workload->name, workload->flush ? "flush" : "no_flush");
	if (workload->pages)
		printf("%u page%s x %u range%s x %u bytes, ", workload->pages,
		       workload->pages > 1 ? "s" : "", workload->ranges,
		       workload->ranges > 1 ? "s" : "", workload->bytes);
	printf("region %zu MiB, %u thread%s\n", workload->region >> 20, workload->threads,
	       workload->threads > 1 ? "s" : "");
	printf("  %-18s %12s %7s %12s %11s %10s %10s %10s\n", "", "transact./s", "+-",
	       "by set_range", "ns each", "cpu ns", "log bytes", "disk bytes");
	fflush(stdout);
}

void report_row(const struct subject *subject, struct row *row)
{
	double rate = series_median(&row->rate);

	printf("  %-18s %12.0f %6.1f%% %12.3f %11.0f %10.0f %10.0f %10.0f\n", subject->name, rate,
	       series_spread(&row->rate), series_median(&row->ratio), rate > 0 ? 1e9 / rate : 0,
	       series_median(&row->cpu_ns), series_median(&row->log_bytes),
	       series_median(&row->io_bytes));
	fflush(stdout);
}
