// SPDX-License-Identifier: GPL-2.0
/* Hold explicit transactions, recovery and mapping against what memory and disk can do at most. */
#include <argp.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "series.h"
#include "trial.h"

#define MIB		(1UL << 20)
#define SUBJECTS	5
#define LATENCIES	4

/* struct subject - who takes part in a comparison; the limits come first */
struct subject {
	const char *name;
	trial_fn *trial;
	bool limit;
	void (*set)(struct setting *setting);
};

/* struct comparison - subjects that do the same, in turns */
struct comparison {
	const char *name;
	const char *unit;
	bool flush;
	unsigned int threads;	/* 0: not about threads */
	size_t map;
	bool least;		/* the limit is the least of the limits, else the best */
	struct subject subjects[SUBJECTS];
};

/* struct row - the samples of a subject */
struct row {
	struct series rate;
	struct series ratio;
	struct series log_bytes;
	struct series disk_bytes;
	struct series latency[LATENCIES];
};

static struct {
	char *dir;
	char *csv;
	char *dat;
	char *where;
	char *only;
	unsigned int rounds;
	struct setting setting;
} args = {
	.csv = "goals.csv", .dat = "goals.dat", .where = "native", .rounds = 5,
	.setting = { .ms = 300, .array = 128 * MIB, .log = 64 * MIB },
};

static FILE *csv, *dat;
static char files[4096];

/* No truncation begins by itself before the trial is over. */
static void set_idle(struct setting *setting)
{
	setting->log *= 4;
}

static void set_truncating(struct setting *setting)
{
	setting->log *= 4;
	setting->truncating = true;
}

#define DURABLE(n) { "durable", "transactions/s", true, n, 0, false, { \
	{ "append+fdatasync", trial_append, true, NULL }, \
	{ "O_DIRECT|O_DSYNC", trial_direct, true, NULL }, \
	{ "rvm", trial_restore, false, NULL } } }

#define SPOOLED(n) { "no_flush", "transactions/s", false, n, 0, false, { \
	{ "undo+redo copies", trial_copies, true, NULL }, \
	{ "stores", trial_stores, false, NULL }, \
	{ "rvm", trial_restore, false, NULL }, \
	{ "rvm no_restore", trial_no_restore, false, NULL } } }

#define LATENCY(is_flush, name) { name, "p99.9 in us", is_flush, 1, 0, false, { \
	{ "idle", trial_latency, true, set_idle }, \
	{ "truncating", trial_latency, false, set_truncating } } }

#define MAP(name, size) { name, "maps/s", false, 0, size, false, { \
	{ "rvm_map", trial_map, false, NULL } } }

static const struct comparison comparisons[] = {
	DURABLE(1), DURABLE(2), DURABLE(4), DURABLE(8),
	SPOOLED(1), SPOOLED(2), SPOOLED(4), SPOOLED(8),
	LATENCY(true, "latency durable"), LATENCY(false, "latency no_flush"),
	{ "recovery", "bytes/s", true, 0, 0, true, {
		{ "sequential read", trial_read, true, set_idle },
		{ "CRC32C", trial_crc, true, set_idle },
		{ "rvm", trial_recover, false, set_idle } } },
	MAP("map 1 MiB", MIB), MAP("map 1 GiB", 1024 * MIB), MAP("map 1 TiB", MIB * MIB),
};

static void note(const struct comparison *c, const struct subject *s, unsigned int round,
		 const struct outcome *o)
{
	fprintf(csv, "%s,%s,%s,%u,%u,%.1f,%.1f,%.1f,%.0f,%.0f,%.0f,%.0f\n", args.where, c->name,
		s->name, c->threads, round, o->rate, o->log_bytes, o->disk_bytes, o->latency[0],
		o->latency[1], o->latency[2], o->latency[3]);
}

static void add(struct row *row, const struct outcome *o)
{
	unsigned int i;

	series_add(&row->rate, o->rate);
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

/* The best of the limits, or the one that is the bottleneck; by the samples of one round. */
static double limit_of(const struct comparison *c, const struct outcome *o, unsigned int n)
{
	double limit = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		double rate = o[i].rate;

		if (c->subjects[i].limit && (!limit || (c->least ? rate < limit : rate > limit)))
			limit = rate;
	}
	return limit;
}

/* Every subject once, beginning with another one each time. */
static void take_round(const struct comparison *c, unsigned int round, struct row *rows)
{
	struct outcome outcome[SUBJECTS] = { 0 };
	unsigned int turn, i, n = count_subjects(c);
	double limit;

	for (turn = 0; turn < n; turn++) {
		struct setting setting = args.setting;

		i = (round + turn) % n;
		setting.flush = c->flush;
		setting.threads = c->threads;
		setting.map = c->map;
		if (c->subjects[i].set)
			c->subjects[i].set(&setting);
		trial_run(c->subjects[i].trial, &setting, &outcome[i]);
		note(c, &c->subjects[i], round, &outcome[i]);
		add(&rows[i], &outcome[i]);
	}
	limit = limit_of(c, outcome, n);
	for (i = 0; i < n && limit; i++)
		series_add(&rows[i].ratio, outcome[i].rate / limit);
}

static void print_title(const struct comparison *c)
{
	printf("\n%s: %s", args.where, c->name);
	if (c->threads)
		printf(", %u thread%s", c->threads, c->threads > 1 ? "s" : "");
	printf("\n  %-18s %16s %7s %9s %9s %10s  %s\n", "", c->unit, "+-", "by limit", "log bytes",
	       "disk bytes", "us: p50, p99, p99.9, all");
}

static void print_row(const struct comparison *c, const struct subject *s, struct row *row)
{
	double rate = series_median(&row->rate);
	unsigned int i;

	printf("  %-18s %16.0f %6.1f%% %9.3f %9.0f %10.0f ", s->name, rate,
	       series_spread(&row->rate), series_median(&row->ratio),
	       series_median(&row->log_bytes), series_median(&row->disk_bytes));
	for (i = 0; i < LATENCIES && s->trial == trial_latency; i++)
		printf(" %.1f", series_median(&row->latency[i]) / 1000);
	if (c->map)
		printf(" %.1f us each", 1e6 / rate);
	printf("\n");
	fprintf(dat, "\"%s\" %u \"%s\" %.1f %.4f", c->name, c->threads, s->name, rate,
		series_median(&row->ratio));
	for (i = 0; i < LATENCIES; i++)
		fprintf(dat, " %.0f", series_median(&row->latency[i]));
	fprintf(dat, "\n");
	fflush(stdout);
}

static void compare(const struct comparison *c)
{
	static struct row rows[SUBJECTS];
	unsigned int round, i;

	memset(rows, 0, sizeof(rows));
	for (round = 0; round < args.rounds; round++)
		take_round(c, round, rows);
	print_title(c);
	for (i = 0; i < count_subjects(c); i++)
		print_row(c, &c->subjects[i], &rows[i]);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'c':
		args.csv = arg;
		return 0;
	case 'd':
		args.dat = arg;
		return 0;
	case 'm':
		args.setting.ms = strtoul(arg, NULL, 0);
		return 0;
	case 'o':
		args.only = arg;
		return 0;
	case 'q':
		args.setting.ms = 2;
		args.setting.array = MIB;
		args.setting.log = MIB;
		args.rounds = 1;
		return 0;
	case 'r':
		args.rounds = strtoul(arg, NULL, 0);
		if (args.rounds < 1 || args.rounds > SERIES_MAX)
			argp_error(state, "rounds are 1 to %d", SERIES_MAX);
		return 0;
	case 'w':
		args.where = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (args.dir)
			argp_usage(state);
		args.dir = arg;
		return 0;
	case ARGP_KEY_END:
		if (!args.dir)
			argp_usage(state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static FILE *open_output(const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		die(path, strerror(errno));
	setvbuf(out, NULL, _IOLBF, 0);
	return out;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "csv", 'c', "FILE", 0, "Write all samples there (goals.csv)", 0 },
		{ "dat", 'd', "FILE", 0, "Write the medians there, for gnuplot (goals.dat)", 0 },
		{ "ms", 'm', "N", 0, "Milliseconds of a sample (300)", 0 },
		{ "only", 'o', "NAME", 0, "Only comparisons that begin so, as durable", 0 },
		{ "quick", 'q', 0, 0, "Only show that it runs: the figures mean nothing", 0 },
		{ "rounds", 'r', "N", 0, "Samples of each subject (5)", 0 },
		{ "where", 'w', "TEXT", 0, "Name of this machine (native)", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		options, parse, "DIRECTORY",
		"Hold the library against the limits of the machine, with files in DIRECTORY.",
		0, 0, 0
	};
	size_t i;

	argp_parse(&argp, argc, argv, 0, 0, 0);
	snprintf(files, sizeof(files), "%s/goals.XXXXXX", args.dir);
	if (!mkdtemp(files))
		die(args.dir, strerror(errno));
	args.setting.dir = files;
	csv = open_output(args.csv);
	dat = open_output(args.dat);
	fprintf(csv, "where,comparison,subject,threads,round,per_second,log_bytes,disk_bytes,");
	fprintf(csv, "p50_ns,p99_ns,p999_ns,max_ns\n");
	for (i = 0; i < sizeof(comparisons) / sizeof(*comparisons); i++)
		if (!args.only || !strncmp(args.only, comparisons[i].name, strlen(args.only)))
			compare(&comparisons[i]);
	rmdir(files);
	return 0;
}
