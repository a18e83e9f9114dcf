// SPDX-License-Identifier: GPL-2.0
/* Comparisons: subjects that do the same, in turns; what came out, and whether it is enough. */
#include <string.h>

#include "compare.h"
#include "judge.h"
#include "series.h"

#define LATENCIES	4

/* struct row - the samples of a subject */
struct row {
	struct series rate;
	struct series core_rate;
	struct series ratio[SUBJECTS];	/* by the limit that is the subject of that number */
	struct series log_bytes;
	struct series disk_bytes;
	struct series latency[LATENCIES];
};

static const struct options *options;
static FILE *csv, *dat;

void compare_open(const struct options *from, const char *dat_path)
{
	options = from;
	csv = options_output(options->csv);
	dat = options_output(dat_path);
	fprintf(csv, "where,comparison,subject,threads,round,per_second,per_core,log_bytes,disk_bytes,");
	fprintf(csv, "p50_ns,p99_ns,p999_ns,max_ns\n");
}

static void note(const struct comparison *c, const struct subject *s, unsigned int round,
		 const struct outcome *o)
{
	fprintf(csv, "%s,%s,%s,%u,%u,%.1f,%.1f,%.1f,%.1f,%.0f,%.0f,%.0f,%.0f\n", options->where,
		c->name, s->name, c->threads, round, o->rate, o->core_rate, o->log_bytes,
		o->disk_bytes, o->latency[0], o->latency[1], o->latency[2], o->latency[3]);
}

static void add(struct row *row, const struct outcome *o)
{
	unsigned int i;

	series_add(&row->rate, o->rate);
	series_add(&row->core_rate, o->core_rate);
	series_add(&row->log_bytes, o->log_bytes);
	series_add(&row->disk_bytes, o->disk_bytes);
	for (i = 0; i < LATENCIES; i++)
		series_add(&row->latency[i], o->latency[i]);
}

static unsigned int count_subjects(const struct comparison *c)
{
	unsigned int n = 0;

	while (n < SUBJECTS && c->subjects[n].name)
		n++;
	return n;
}

/* Each subject by each limit of the same round. */
static void add_ratios(const struct comparison *c, const struct outcome *o, unsigned int n,
		       struct row *rows)
{
	unsigned int i, limit;

	for (limit = 0; limit < n; limit++)
		for (i = 0; i < n && c->subjects[limit].limit && o[limit].rate > 0; i++)
			series_add(&rows[i].ratio[limit], o[i].rate / o[limit].rate);
}

/*
 * By the limit that is the best one, or the bottleneck, in the median.  To take the better of two
 * samples in each round would be to hold a subject against the luck of two.
 */
static double ratio_of(const struct comparison *c, struct row *row)
{
	double ratio = 0;
	unsigned int limit;

	for (limit = 0; limit < SUBJECTS; limit++) {
		double by = series_median(&row->ratio[limit]);

		if (by > 0 && (ratio <= 0 || (c->least ? by > ratio : by < ratio)))
			ratio = by;
	}
	return ratio;
}

/* How many subjects the trial of the first one is for. */
static unsigned int count_outcomes(const struct comparison *c, unsigned int first, unsigned int n)
{
	unsigned int i = first + 1;

	while (i < n && !c->subjects[i].trial)
		i++;
	return i - first;
}

/* Every subject once, beginning with another one each time. */
static void take_round(const struct comparison *c, const struct setting *common,
		       unsigned int round, struct row *rows)
{
	struct outcome outcome[SUBJECTS] = { 0 };
	unsigned int turn, i, n = count_subjects(c);

	for (turn = 0; turn < n; turn++) {
		struct setting setting = *common;

		i = (round + turn) % n;
		if (!c->subjects[i].trial)
			continue;
		setting.flush = c->flush;
		setting.threads = c->threads;
		setting.map = c->map;
		if (c->subjects[i].set)
			c->subjects[i].set(&setting);
		trial_run(c->subjects[i].trial, &setting, &outcome[i],
			  count_outcomes(c, i, n));
	}
	for (i = 0; i < n; i++) {
		note(c, &c->subjects[i], round, &outcome[i]);
		add(&rows[i], &outcome[i]);
	}
	add_ratios(c, outcome, n, rows);
}

static void print_title(const struct comparison *c)
{
	printf("\n%s: %s", options->where, c->name);
	if (c->threads)
		printf(", %u thread%s", c->threads, c->threads > 1 ? "s" : "");
	printf("\n  %-18s %16s %7s %10s %9s %9s %10s  %s\n", "", c->unit, "+-", "a core",
	       "by limit", "log bytes", "disk bytes", "us: p50, p99, p99.9, all");
}

static void print_row(const struct comparison *c, const struct subject *s, struct row *row)
{
	double rate = series_median(&row->rate), ratio = ratio_of(c, row);
	unsigned int i;

	printf("  %-18s %16.0f %6.1f%% %10.0f %9.3f %9.0f %10.0f ", s->name, rate,
	       series_spread(&row->rate), series_median(&row->core_rate),
	       ratio, series_median(&row->log_bytes), series_median(&row->disk_bytes));
	for (i = 0; i < LATENCIES && series_most(&row->latency[i]) > 0; i++)
		printf(" %.1f", series_median(&row->latency[i]) / 1000);
	if (c->map)
		printf(" %.1f us each", 1e6 / rate);
	printf("\n");
	fprintf(dat, "\"%s\" %u \"%s\" %.1f %.4f", c->name, c->threads, s->name, rate, ratio);
	for (i = 0; i < LATENCIES; i++)
		fprintf(dat, " %.0f", series_median(&row->latency[i]));
	fprintf(dat, "\n");
	fflush(stdout);
}

static double figure_of(const struct comparison *c, struct row *row, enum figure figure)
{
	switch (figure) {
	case RATE:
		return series_median(&row->rate);
	case CORE_RATE:
		return series_median(&row->core_rate);
	case BY_LIMIT:
		return ratio_of(c, row);
	case LOG_BYTES:
		return series_median(&row->log_bytes);
	case DISK_BYTES:
		return series_median(&row->disk_bytes);
	case LONGEST:
		return series_most(&row->latency[LATENCIES - 1]);
	}
	return 0;
}

static void judge_row(const struct comparison *c, const struct subject *s, struct row *row,
		      const struct goal *goal)
{
	if (!strcmp(goal->comparison, c->name) && goal->threads == c->threads &&
	    !strcmp(goal->subject, s->name))
		judge(goal->text, figure_of(c, row, goal->figure), goal->at_most, goal->bound);
}

void compare(const struct comparison *c, const struct setting *setting, const struct goal *goals,
	     size_t n_goals)
{
	static struct row rows[SUBJECTS];
	unsigned int round, i;
	size_t g;

	memset(rows, 0, sizeof(rows));
	for (round = 0; round < (c->once ? 1 : options->rounds); round++)
		take_round(c, setting, round, rows);
	print_title(c);
	for (i = 0; i < count_subjects(c); i++) {
		print_row(c, &c->subjects[i], &rows[i]);
		for (g = 0; g < n_goals; g++)
			judge_row(c, &c->subjects[i], &rows[i], &goals[g]);
	}
}
