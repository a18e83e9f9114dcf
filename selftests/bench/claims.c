// SPDX-License-Identifier: GPL-2.0
/* What is claimed of tracked transactions, by the medians of one run. */
#include <math.h>
#include <stdio.h>

#include "claims.h"
#include "judge.h"

static struct result *results;
static unsigned int n_results;
static const struct subject *subjects;
static unsigned int n_subjects;

static unsigned int number_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < n_subjects && !subject_is(&subjects[i], name); i++)
		continue;
	return i;
}

/* The samples of a subject at a point, or NULL. */
static struct row *row_of(enum axis axis, const char *place, const char *name)
{
	unsigned int i, number = number_of(name);

	for (i = 0; i < n_results && number < n_subjects; i++) {
		struct result *result = &results[i];

		if (result->workload.axis == axis && result->rows[number].rate.count &&
		    !strcmp(workload_place(&result->workload), place))
			return &result->rows[number];
	}
	return NULL;
}

static double rate_of(enum axis axis, const char *place, const char *name)
{
	struct row *row = row_of(axis, place, name);

	return row ? series_median(&row->rate) : 0;
}

static double ratio_of(enum axis axis, const char *place, const char *name)
{
	struct row *row = row_of(axis, place, name);

	return row ? series_median(&row->ratio) : 0;
}

/* Where the ratio gets to 1 for good, ranges a page between two points by their logarithms. */
static double break_even(unsigned int number)
{
	double even = 0, last_place = 0, last = 0;
	unsigned int i;

	for (i = 0; i < n_results; i++) {
		double place = results[i].workload.ranges;
		double ratio = series_median(&results[i].rows[number].ratio);

		if (results[i].workload.axis != RANGES)
			continue;
		if (ratio < 1)
			even = INFINITY;
		else if (!last)
			even = place;
		else if (last < 1)
			even = last_place * pow(place / last_place, (1 - last) / (ratio - last));
		last_place = place;
		last = ratio;
	}
	return even;
}

/* Those that track: without set_range, but with a region. */
static void tell_break_even(const char *where)
{
	unsigned int i;

	printf("\n%s: ranges a page from which it is faster than set_range\n", where);
	for (i = 0; i < n_subjects; i++) {
		double even = subjects[i].change || !subjects[i].flag ? 0 : break_even(i);

		if (isinf(even))
			printf("  %-18s more than was tried\n", subjects[i].name);
		else if (even > 0)
			printf("  %-18s %.1f\n", subjects[i].name, even);
	}
}

static void judge_rates(const char *text, double rate, double by, double bound)
{
	if (rate > 0 && by > 0)
		judge(text, rate / by, false, bound);
}

/* The lowest ratio of the module along an axis, or 0. */
static double least_ratio(enum axis axis)
{
	unsigned int i, number = number_of("kmod");
	double least = 0;

	for (i = 0; i < n_results && number < n_subjects; i++) {
		double ratio = series_median(&results[i].rows[number].ratio);

		if (results[i].workload.axis == axis && (!least || ratio < least))
			least = ratio;
	}
	return least;
}

static void judge_all(void)
{
	static const char durable[] = "tpca flush 1", spooled[] = "tpca no_flush 1";
	double uffd = rate_of(APPLICATION, spooled, "uffd");
	double sigsegv = rate_of(APPLICATION, spooled, "sigsegv");

	judge_rates("durable TPC-A, kmod by set_range", ratio_of(APPLICATION, durable, "kmod"), 1,
		    0.95);
	judge_rates("no_flush TPC-A, kmod by the best tracker in userspace",
		    rate_of(APPLICATION, spooled, "kmod"), fmax(uffd, sigsegv), 4);
	judge_rates("16 ranges a page, kmod by set_range", ratio_of(RANGES, "16", "kmod"), 1, 1);
	judge_rates("1 to 64 ranges a page, kmod by set_range, at least", least_ratio(RANGES), 1,
		    0.5);
	judge_rates("region of 64 GiB by one of 1 MiB, kmod", rate_of(REGION, "65536", "kmod"),
		    rate_of(REGION, "1", "kmod"), 0.9);
}

void claims_tell(struct result *from, unsigned int count, const struct subject *who,
		 unsigned int n_who, const char *where)
{
	results = from;
	n_results = count;
	subjects = who;
	n_subjects = n_who;
	tell_break_even(where);
	judge_all();
	judge_tell(where);
}
