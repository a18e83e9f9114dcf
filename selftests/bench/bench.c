// SPDX-License-Identifier: GPL-2.0
/* Compare tracked transactions with set_range, and both with what the machine can do at most. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "report.h"
#include "sample.h"
#include "scratch.h"

#define MIB	(1UL << 20)
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static struct {
	struct options common;
	char *workload;
	char *subject;
	size_t region_max;
} args = {
	.common = { .csv = "bench.csv", .where = "native", .rounds = 5, .ms = 200 },
	.region_max = 128 * MIB,
};

/* name, flush, threads, region, pages a transaction, ranges a page, bytes a range */
static const struct workload workloads[] = {
	{ "ranges", false, 1, 16 * MIB, 4, 1, 16 },
	{ "ranges", false, 1, 16 * MIB, 4, 4, 16 },
	{ "ranges", false, 1, 16 * MIB, 4, 16, 16 },
	{ "ranges", false, 1, 16 * MIB, 4, 64, 16 },
	{ "ranges", false, 1, 16 * MIB, 4, 1, 256 },
	{ "ranges", false, 1, 16 * MIB, 4, 1, 4096 },
	{ "ranges", false, 1, 16 * MIB, 1, 1, 16 },
	{ "ranges", false, 1, 16 * MIB, 64, 1, 16 },
	{ "ranges", false, 1, 1 * MIB, 4, 1, 16 },
	{ "ranges", false, 1, 128 * MIB, 4, 1, 16 },
	{ "ranges", true, 1, 16 * MIB, 4, 1, 16 },
	{ "ranges", true, 1, 16 * MIB, 4, 16, 16 },
	{ "tpca", true, 1, 128 * MIB, 0, 0, 0 },
	{ "tpca", true, 8, 128 * MIB, 0, 0, 0 },
	{ "tpca", false, 1, 128 * MIB, 0, 0, 0 },
};

/* Each round lets every subject run once, and begins with another one. */
static void take_rounds(const struct workload *workload, struct subject *subjects,
			unsigned int count, struct row *rows)
{
	struct sample sample[SUBJECTS_MAX];
	unsigned int round, turn, i;

	for (round = 0; round < args.common.rounds; round++) {
		for (turn = 0; turn < count; turn++) {
			i = (round + turn) % count;
			if (!subjects[i].here)
				continue;
			sample[i] = sample_take(&subjects[i], workload, args.common.ms);
			report_sample(workload, &subjects[i], round, &sample[i]);
			series_add(&rows[i].rate, sample[i].rate);
			series_add(&rows[i].cpu_ns, sample[i].cpu_ns);
			series_add(&rows[i].log_bytes, sample[i].log_bytes);
			series_add(&rows[i].io_bytes, sample[i].io_bytes);
		}
		for (turn = 0; strcmp(subjects[turn].name, "set_range"); turn++)
			continue;
		for (i = 0; i < count; i++)
			if (subjects[i].here)
				series_add(&rows[i].ratio, sample[i].rate / sample[turn].rate);
	}
}

static void warm_up(const struct workload *workload, struct subject *subjects,
		    unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (subjects[i].here)
			sample_warm_up(&subjects[i], workload);
}

static void run(const struct workload *workload, const char *dir, bool tell)
{
	static struct row rows[SUBJECTS_MAX];
	struct subject *subjects;
	unsigned int count, i;

	subjects = subjects_open(dir, workload, args.subject, tell, &count);
	warm_up(workload, subjects, count);
	take_rounds(workload, subjects, count, rows);
	report_title(workload);
	for (i = 0; i < count; i++)
		if (subjects[i].here)
			report_row(&subjects[i], &rows[i]);
	subjects_close();
}

/* Each workload has a process and files of its own. */
static int run_apart(const struct workload *workload, bool tell)
{
	char path[PATH_MAX];
	int status = 1;
	pid_t pid;

	scratch_make(args.common.dir, path);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		run(workload, path, tell);
		exit(0);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	scratch_remove(path);
	return status;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args.common;
		return 0;
	case 'R':
		args.region_max = strtoul(arg, NULL, 0) * MIB;
		return 0;
	case 's':
		args.subject = arg;
		return 0;
	case 'W':
		args.workload = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "region", 'R', "MIB", 0, "No region larger than this (128)", 0 },
		{ "subject", 's', "NAME", 0, "Only this one, and set_range", 0 },
		{ "workload", 'W', "NAME", 0, "Only ranges or tpca", 0 },
		{ 0 }
	};
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		options, parse, NULL, "Benchmark transactions with files in DIRECTORY.",
		children, NULL, NULL
	};
	struct workload workload;
	bool tell = true;
	unsigned int i;

	argp_parse(&argp, argc, argv, 0, 0, 0);
	if (args.common.quick)
		args.region_max = MIB;
	report_open(args.common.csv, args.common.where);
	for (i = 0; i < ARRAY_SIZE(workloads); i++) {
		workload = workloads[i];
		if (args.workload && strcmp(args.workload, workload.name))
			continue;
		if (workload.region > args.region_max)
			workload.region = args.region_max;
		if (run_apart(&workload, tell))
			return 1;
		tell = false;
	}
	return 0;
}
