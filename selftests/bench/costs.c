// SPDX-License-Identifier: GPL-2.0
/*
 * Tell what a page and a transaction cost, by mechanism: nanoseconds, or instructions where the
 * clock counts them, as in QEMU with -icount.
 */
#include <stdlib.h>

#include "clock.h"
#include "judge.h"
#include "mechanism.h"
#include "options.h"
#include "sample.h"
#include "scratch.h"
#include "series.h"

#define MIB		(1UL << 20)
#define BATCH		32	/* transactions that are timed together, with what runs beside */
#define FEW		1	/* pages */
#define MANY		65
#define NAME_LENGTH	64
#define FIGURES_MAX	128
#define TOGETHER	4	/* regions of one transaction */

static struct options args = {
	.csv = "costs.csv", .where = "native", .rounds = 9,
};

/* All figures; their names are those of the tables. */
static struct figure {
	char name[NAME_LENGTH];
	double value;
} figures[FIGURES_MAX];
static unsigned int n_figures;
static FILE *csv;

/* struct phases - how long a transaction takes, and its stores alone */
struct phases {
	struct series all;
	struct series stores;
};

static const struct workload base = {
	PAGES, &kind_ranges, false, 1, 16 * MIB, 0, SEQUENTIAL, FEW, 1, 16
};

static void tell(const char *who, const char *what, double value, double spread)
{
	struct figure *figure = &figures[n_figures];

	if (n_figures == FIGURES_MAX)
		die("figures", "too many");
	n_figures++;
	snprintf(figure->name, sizeof(figure->name), "%s%s%s", who, *who ? ": " : "", what);
	figure->value = value;
	printf("  %-50s %12.1f %6.1f%%\n", figure->name, value, spread);
	fprintf(csv, "%s,%s,%.1f,%.2f\n", args.where, figure->name, value, spread);
	fflush(stdout);
}

static double figure_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < n_figures; i++)
		if (!strcmp(figures[i].name, name))
			return figures[i].value;
	return 0;
}

static void measure_mechanism(const struct mechanism *mechanism, const char *dir)
{
	struct series series = { 0 };
	unsigned int i;

	if (mechanism->open && !mechanism->open(dir)) {
		fprintf(stderr, "bench: left out: %s\n", mechanism->name);
		return;
	}
	for (i = 0; i < args.rounds; i++) {
		uint64_t start;

		if (mechanism->arm)
			mechanism->arm();
		start = clock_ns();
		mechanism->act();
		series_add(&series, (double)(clock_ns() - start) / MECHANISM_PAGES);
	}
	if (mechanism->close)
		mechanism->close();
	tell("", mechanism->name, series_median(&series), series_spread(&series));
}

/* One batch; each transaction goes on where the last one ended. */
static void take_batch(struct actor *actor, struct phases *phases)
{
	uint64_t start = clock_ns(), stores = 0;
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		uint64_t before;

		actor->subject->begin(actor);
		before = clock_ns();
		actor->workload->kind->transact(actor);
		stores += clock_ns() - before;
		actor->subject->end(actor);
	}
	series_add(&phases->all, (double)(clock_ns() - start) / BATCH);
	series_add(&phases->stores, (double)stores / BATCH);
}

/* @hot: of that many pages each transaction changes all, otherwise the next ones. */
static void measure(struct subject *subject, unsigned int pages, unsigned int ranges, bool hot,
		    struct phases *phases)
{
	struct workload workload = base;
	struct actor actor;
	unsigned int i;

	workload.pages = pages;
	workload.ranges = ranges;
	workload.used = hot ? pages : 0;
	actor = sample_actor(subject, &workload, 0);
	actor.next = 0;
	memset(phases, 0, sizeof(*phases));
	check("rvm_flush", rvm_flush());
	check("rvm_truncate", rvm_truncate());
	for (i = 0; i < (hot ? BATCH : 1); i++)
		sample_transact(&actor);
	for (i = 0; i < args.rounds; i++)
		take_batch(&actor, phases);
}

static double slope(struct series *many, struct series *few)
{
	return (series_median(many) - series_median(few)) / (MANY - FEW);
}

static void measure_subject(struct subject *subject)
{
	struct phases few, many, dense;

	measure(subject, FEW, 1, false, &few);
	measure(subject, MANY, 1, false, &many);
	measure(subject, 4, 16, false, &dense);
	tell(subject->name, "transaction of a page", series_median(&few.all),
	     series_spread(&few.all));
	tell(subject->name, "transaction of 4 pages of 16 ranges", series_median(&dense.all),
	     series_spread(&dense.all));
	tell(subject->name, "page", slope(&many.all, &few.all), series_spread(&many.all));
	tell(subject->name, "stores of a page", slope(&many.stores, &few.stores),
	     series_spread(&many.stores));
	measure(subject, FEW, 1, true, &few);
	measure(subject, MANY, 1, true, &many);
	tell(subject->name, "hot page", slope(&many.all, &few.all), series_spread(&many.all));
}

static void measure_subjects(const char *dir)
{
	struct subject *subjects;
	unsigned int count, i;

	subjects = subjects_all(&count);
	subjects_open(dir, SUBJECTS_LOG);
	for (i = 0; i < count; i++) {
		if (subjects[i].limit)
			continue;
		subject_open(&subjects[i], dir, &base, true);
		if (!subjects[i].here)
			continue;
		sample_warm_up(&subjects[i], &base);
		measure_subject(&subjects[i]);
		subject_close(&subjects[i], &base);
	}
	subjects_close();
}

static void transact_together(struct subject *part, size_t page)
{
	rvm_tid_t tid;
	unsigned int i;

	rvm_init_tid(&tid);
	check("begin", rvm_begin_transaction(&tid, rvm_tracked));
	for (i = 0; i < TOGETHER; i++)
		++*(volatile char *)(part[i].base + page * WORKLOAD_PAGE);
	check("end", rvm_end_transaction(&tid, no_flush));
}

/* No page is touched twice: each is read first, and none becomes hot. */
static void time_together(struct subject *part, struct series *series)
{
	size_t page = 0;
	unsigned int i, j;

	for (i = 0; i <= args.rounds; i++) {
		uint64_t start = clock_ns();

		for (j = 0; j < BATCH; j++)
			transact_together(part, page++);
		if (i)
			series_add(series, (double)(clock_ns() - start) / BATCH);
	}
}

/* A transaction that stores to a page of each of some regions. */
static void measure_together(const char *dir)
{
	static struct subject part[TOGETHER] = {
		{ .name = "part0", .flag = RVM_TRACK_KMOD },
		{ .name = "part1", .flag = RVM_TRACK_KMOD },
		{ .name = "part2", .flag = RVM_TRACK_KMOD },
		{ .name = "part3", .flag = RVM_TRACK_KMOD },
	};
	struct series series = { 0 };
	unsigned int i;

	subjects_open(dir, SUBJECTS_LOG);
	for (i = 0; i < TOGETHER; i++)
		subject_open(&part[i], dir, &base, false);
	if (part[0].here) {
		time_together(part, &series);
		tell("kmod", "transaction of a new page in each of 4 regions",
		     series_median(&series), series_spread(&series));
	}
	for (i = 0; i < TOGETHER; i++)
		subject_close(&part[i], &base);
	subjects_close();
}

static void judge_costs(void)
{
	double fault = figure_of("write fault of ramfs"), page = figure_of("kmod: page");
	double set_range = figure_of("set_range: transaction of 4 pages of 16 ranges");

	if (!page)
		return;
	if (fault)
		judge("stores to a page of the module by write fault and copy",
		      figure_of("kmod: stores of a page") / (fault + figure_of("page copy")), true,
		      1.3);
	judge("hot page by a faulting one, kmod", figure_of("kmod: hot page") / page, true, 0.3);
	judge("16 ranges a page, kmod by set_range",
	      figure_of("kmod: transaction of 4 pages of 16 ranges") / set_range, true, 1);
}

int main(int argc, char **argv)
{
	const struct mechanism *mechanism;
	char files[PATH_MAX];

	argp_parse(&options_argp, argc, argv, 0, 0, &args);
	csv = options_output(args.csv);
	fprintf(csv, "where,figure,median,spread_percent\n");
	scratch_make(args.dir, files);
	printf("\n%s: costs, ns or instructions\n", args.where);
	for (mechanism = mechanisms; mechanism->name; mechanism++)
		measure_mechanism(mechanism, files);
	measure_subjects(files);
	measure_together(files);
	if (!args.quick) {
		judge_costs();
		judge_tell(args.where);
	}
	scratch_remove(files);
	return 0;
}
