// SPDX-License-Identifier: GPL-2.0
/* Compare tracked transactions with set_range, and both with what the machine can do at most. */
#include <stdlib.h>
#include <string.h>

#include "axes.h"
#include "claims.h"
#include "clock.h"
#include "options.h"
#include "report.h"
#include "worker.h"
#include "zipf.h"

#define MIB	(1UL << 20)
#define QUICK_LOG (4 * MIB)
#define APART	(128 * MIB)	/* if more changes, subjects have memory one after another */

static struct {
	struct options common;
	char *dat;
	char *axis;
	char *subject;
	size_t region_max;
	unsigned int budget;
} args = {
	.common = { .csv = "bench.csv", .where = "native", .rounds = 5, .ms = 100 },
	.dat = "bench.dat",
	.region_max = 65536 * MIB,
	.budget = 10,
};

static bool is_apart(const struct workload *workload)
{
	return workload_used(workload) * WORKLOAD_PAGE > APART;
}

static bool is_wanted(const struct subject *subject)
{
	return !args.subject || subject_is(subject, args.subject) ||
	       subject_is(subject, "set_range");
}

static void start(struct worker *worker, const struct workload *workload, bool tell)
{
	if (is_wanted(worker->subject))
		worker_start(worker, workload, args.common.dir,
			     args.common.quick ? QUICK_LOG : SUBJECTS_LOG, tell);
}

static void stop(struct worker *worker)
{
	if (worker->pid)
		worker_stop(worker);
	*worker = (struct worker){ .subject = worker->subject };
}

static struct sample take(struct worker *worker, const struct workload *workload)
{
	struct sample sample = { 0 };

	if (is_apart(workload))
		start(worker, workload, false);
	if (worker->here)
		sample = worker_sample(worker, args.common.ms);
	if (is_apart(workload))
		stop(worker);
	return sample;
}

static void note(const struct workload *workload, struct subject *subject, unsigned int round,
		 const struct sample *sample, double by, struct row *row)
{
	report_sample(workload, subject, round, sample);
	series_add(&row->rate, sample->rate);
	series_add(&row->cpu_ns, sample->cpu_ns);
	series_add(&row->log_bytes, sample->log_bytes);
	series_add(&row->io_bytes, sample->io_bytes);
	series_add(&row->ratio, sample->rate / by);
}

/* Every subject runs once, beginning with another one each time. */
static void take_round(const struct workload *workload, struct worker *workers, unsigned int count,
		       unsigned int round, struct row *rows)
{
	struct sample sample[SUBJECTS_MAX];
	unsigned int turn, i;
	double by = 0;

	for (turn = 0; turn < count; turn++) {
		i = (round + turn) % count;
		sample[i] = take(&workers[i], workload);
		if (subject_is(workers[i].subject, "set_range"))
			by = sample[i].rate;
	}
	for (i = 0; i < count; i++)
		if (sample[i].rate > 0)
			note(workload, workers[i].subject, round, &sample[i], by, &rows[i]);
}

static void run(struct result *result, const char *progress, bool tell)
{
	struct worker workers[SUBJECTS_MAX] = { 0 };
	const struct workload *workload = &result->workload;
	struct subject *subjects;
	unsigned int count, round, i;
	uint64_t end;

	if (workload->locality == ZIPF)
		zipf_open(workload_used(workload));
	report_title(workload, progress);
	subjects = subjects_all(&count);
	for (i = 0; i < count; i++) {
		workers[i].subject = &subjects[i];
		if (!is_apart(workload))
			start(&workers[i], workload, tell);
	}
	end = clock_ns() + args.budget * 1000000000UL;
	for (round = 0; round < args.common.rounds && (!round || clock_ns() < end); round++)
		take_round(workload, workers, count, round, result->rows);
	for (i = 0; i < count; i++) {
		stop(&workers[i]);
		if (result->rows[i].rate.count)
			report_row(workload, &subjects[i], &result->rows[i]);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args.common;
		return 0;
	case 'a':
		args.axis = arg;
		return 0;
	case 'b':
		args.budget = strtoul(arg, NULL, 0);
		return 0;
	case 'd':
		args.dat = arg;
		return 0;
	case 'R':
		args.region_max = strtoul(arg, NULL, 0) * MIB;
		if (!args.region_max)
			argp_error(state, "a region has 1 MiB at least");
		return 0;
	case 's':
		args.subject = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* The point as it is here, no larger than asked for. */
static struct workload fit(struct workload workload)
{
	if (workload.region > args.region_max)
		workload.region = args.region_max;
	if (workload.pages > workload_used(&workload))
		workload.pages = workload_used(&workload);
	return workload;
}

static void run_all(struct result *results)
{
	const struct workload *points = axes_points();
	uint64_t began = clock_ns();
	char progress[64];
	unsigned int i;
	bool tell = true;

	for (i = 0; i < axes_count(); i++) {
		results[i].workload = fit(points[i]);
		if (args.axis && strcmp(args.axis, workload_axis(&points[i])))
			continue;
		snprintf(progress, sizeof(progress), "[%u of %u, %.0f s]", i + 1, axes_count(),
			 (clock_ns() - began) / 1e9);
		run(&results[i], progress, tell);
		tell = false;
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "axis", 'a', "NAME", 0,
		  "Only bytes, ranges, pages, region, locality, threads, flush or application", 0 },
		{ "budget", 'b', "S", 0, "No new round of a point after so many seconds (10)", 0 },
		{ "dat", 'd', "FILE", 0, "Write the medians there, for gnuplot (bench.dat)", 0 },
		{ "region", 'R', "MIB", 0, "No region larger than this (65536)", 0 },
		{ "subject", 's', "NAME", 0, "Only this one, and set_range", 0 },
		{ 0 }
	};
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		options, parse, NULL,
		"Compare tracked transactions with set_range, with files in DIRECTORY.",
		children, NULL, NULL
	};
	struct subject *subjects;
	struct result *results;
	unsigned int count;

	argp_parse(&argp, argc, argv, 0, 0, 0);
	if (args.common.quick)
		args.region_max = MIB;
	report_open(args.common.csv, args.dat, args.common.where);
	results = calloc(axes_count(), sizeof(*results));
	if (!results)
		die("calloc", "no memory");
	subjects = subjects_all(&count);
	run_all(results);
	if (!args.common.quick)
		claims_tell(results, axes_count(), subjects, count, args.common.where);
	return 0;
}
