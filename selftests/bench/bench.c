// SPDX-License-Identifier: GPL-2.0
/* Compare tracked transactions with set_range, and both with what the machine can do at most. */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "sample.h"

#define MIB	(1UL << 20)
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static struct {
	char *dir;
	char *csv;
	char *where;
	char *workload;
	char *subject;
	unsigned int rounds;
	unsigned int ms;
	size_t region_max;
} args = {
	.csv = "bench.csv", .where = "native", .rounds = 5, .ms = 200, .region_max = 128 * MIB,
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

	for (round = 0; round < args.rounds; round++) {
		for (turn = 0; turn < count; turn++) {
			i = (round + turn) % count;
			if (!subjects[i].here)
				continue;
			sample[i] = sample_take(&subjects[i], workload, args.ms);
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

static void run(const struct workload *workload, bool tell)
{
	static struct row rows[SUBJECTS_MAX];
	struct subject *subjects;
	unsigned int count, i;

	subjects = subjects_open(args.dir, workload, args.subject, tell, &count);
	warm_up(workload, subjects, count);
	take_rounds(workload, subjects, count, rows);
	report_title(workload);
	for (i = 0; i < count; i++)
		if (subjects[i].here)
			report_row(&subjects[i], &rows[i]);
	subjects_close();
}

static void remove_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

/* Each workload has a process and files of its own. */
static int run_apart(const struct workload *workload, bool tell)
{
	char path[4096], *top = args.dir;
	int status = 1;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/bench.XXXXXX", top);
	args.dir = mkdtemp(path);
	if (!args.dir) {
		fprintf(stderr, "bench: %s: %s\n", top, strerror(errno));
		return 1;
	}
	fflush(NULL);
	pid = fork();
	if (!pid) {
		run(workload, tell);
		exit(0);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	remove_directory(path);
	args.dir = top;
	return status;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'c':
		args.csv = arg;
		return 0;
	case 'm':
		args.ms = strtoul(arg, NULL, 0);
		return 0;
	case 'q':
		args.ms = 2;
		args.rounds = 1;
		args.region_max = MIB;
		return 0;
	case 'r':
		args.rounds = strtoul(arg, NULL, 0);
		if (args.rounds < 1 || args.rounds > SERIES_MAX)
			argp_error(state, "rounds are 1 to %d", SERIES_MAX);
		return 0;
	case 'R':
		args.region_max = strtoul(arg, NULL, 0) * MIB;
		return 0;
	case 's':
		args.subject = arg;
		return 0;
	case 'w':
		args.where = arg;
		return 0;
	case 'W':
		args.workload = arg;
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

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "csv", 'c', "FILE", 0, "Write all samples there (bench.csv)", 0 },
		{ "ms", 'm', "N", 0, "Milliseconds of a sample (200)", 0 },
		{ "quick", 'q', 0, 0, "Only show that it runs: the figures mean nothing", 0 },
		{ "rounds", 'r', "N", 0, "Samples of each subject (5)", 0 },
		{ "region", 'R', "MIB", 0, "No region larger than this (128)", 0 },
		{ "subject", 's', "NAME", 0, "Only this one, and set_range", 0 },
		{ "where", 'w', "TEXT", 0, "Name of this machine (native)", 0 },
		{ "workload", 'W', "NAME", 0, "Only ranges or tpca", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		options, parse, "DIRECTORY", "Benchmark transactions with files in DIRECTORY.",
		0, 0, 0
	};
	struct workload workload;
	bool tell = true;
	unsigned int i;
	int ret;

	argp_parse(&argp, argc, argv, 0, 0, 0);
	ret = report_open(args.csv, args.where);
	if (ret) {
		fprintf(stderr, "bench: %s: %s\n", args.csv, strerror(-ret));
		return 1;
	}
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
