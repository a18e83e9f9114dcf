// SPDX-License-Identifier: GPL-2.0
/* The report: a table for people, CSV for programs, the medians for plots. */
#include <stdio.h>

#include "options.h"
#include "report.h"

static FILE *csv, *dat;
static const char *place;

void report_open(const char *csv_path, const char *dat_path, const char *where)
{
	csv = options_output(csv_path);
	dat = options_output(dat_path);
	place = where;
	fprintf(csv, "where,axis,place,workload,commit,threads,region,used,pages,ranges,bytes,");
	fprintf(csv, "subject,round,transactions_per_second,cpu_ns,log_bytes,io_bytes\n");
}

static const char *commit_of(const struct workload *workload)
{
	return workload->flush ? "flush" : "no_flush";
}

void report_sample(const struct workload *workload, const struct subject *subject,
		   unsigned int round, const struct sample *sample)
{
	fprintf(csv, "%s,%s,%s,%s,%s,%u,%zu,%u,%u,%u,%u,%s,%u,%.1f,%.1f,%.1f,%.1f\n", place,
		workload_axis(workload), workload_place(workload), workload->kind->name,
		commit_of(workload), workload->threads, workload->region, workload_used(workload),
		workload->pages, workload->ranges, workload->bytes, subject->name, round,
		sample->rate, sample->cpu_ns, sample->log_bytes, sample->io_bytes);
}

void report_title(const struct workload *workload, const char *progress)
{
	printf("\n%s %s: %s %s: %s, %s, ", progress, place, workload_axis(workload),
	       workload_place(workload), workload->kind->name, commit_of(workload));
	if (workload->pages)
		printf("%u page%s x %u range%s x %u bytes, ", workload->pages,
		       workload->pages > 1 ? "s" : "", workload->ranges,
		       workload->ranges > 1 ? "s" : "", workload->bytes);
	printf("region %zu MiB, %u thread%s\n", workload->region >> 20, workload->threads,
	       workload->threads > 1 ? "s" : "");
	printf("  %-18s %12s %7s %12s %11s %10s %10s %10s %7s\n", "", "transact./s", "+-",
	       "by set_range", "ns each", "cpu ns", "log bytes", "disk bytes", "samples");
	fflush(stdout);
}

void report_row(const struct workload *workload, const struct subject *subject, struct row *row)
{
	double rate = series_median(&row->rate), ratio = series_median(&row->ratio);

	printf("  %-18s %12.0f %6.1f%% %12.3f %11.0f %10.0f %10.0f %10.0f %7u\n", subject->name,
	       rate, series_spread(&row->rate), ratio, rate > 0 ? 1e9 / rate : 0,
	       series_median(&row->cpu_ns), series_median(&row->log_bytes),
	       series_median(&row->io_bytes), row->rate.count);
	fflush(stdout);
	fprintf(dat, "%s \"%s\" %s %.1f %.4f %.4f\n", workload_axis(workload),
		workload_place(workload), subject->name, rate, ratio, series_spread(&row->ratio));
}
