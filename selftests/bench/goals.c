// SPDX-License-Identifier: GPL-2.0
/* Hold explicit transactions, recovery and mapping against what memory and disk can do at most. */
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "judge.h"
#include "scratch.h"
#include "tpca.h"

#define MIB		(1UL << 20)
#define LOG_MIN		(8 * MIB)	/* that 95 % of it are full is true to 2 % */
#define LASTING		4000		/* ms: a log of 1 GiB is truncated several times */
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* No truncation begins by itself before the trial is over. */
static void set_idle(struct setting *setting)
{
	setting->log *= 4;
}

static struct {
	struct options common;
	char *dat;
	char *only;
	size_t log;
} args = {
	.common = { .csv = "goals.csv", .where = "native", .rounds = 5, .ms = 300 },
	.dat = "goals.dat",
	.log = 2048 * MIB,
};

/* Large beside the segment. */
static void set_large(struct setting *setting)
{
	setting->log = args.common.quick ? LOG_MIN : args.log;
}

/* So large that truncation does not write each page for each transaction or two; more than once. */
static void set_lasting(struct setting *setting)
{
	setting->log *= 16;
	if (!args.common.quick)
		setting->ms = LASTING;
}

static void set_huge(struct setting *setting)
{
	setting->huge = true;
}

static void set_lasting_huge(struct setting *setting)
{
	set_lasting(setting);
	set_huge(setting);
}

static void set_truncating(struct setting *setting)
{
	setting->log *= 4;
	setting->truncating = true;
}

static void set_one(struct setting *setting)
{
	setting->threads = 1;
}

static void set_two(struct setting *setting)
{
	setting->threads = 2;
}

static void set_four(struct setting *setting)
{
	setting->threads = 4;
}

static void set_eight(struct setting *setting)
{
	setting->threads = 8;
}

static void set_half(struct setting *setting)
{
	setting->threads = 1;
	setting->log = setting->array / 2;
}

static void set_twice(struct setting *setting)
{
	setting->threads = 1;
	setting->log = setting->array * 2;
}

#define DURABLE(n) { "durable", "transactions/s", true, n, 0, false, false, { \
	{ "append+fdatasync", trial_append, true, NULL }, \
	{ "O_DIRECT|O_DSYNC", trial_direct, true, NULL }, \
	{ "rvm", trial_restore, false, NULL }, \
	{ "rvm, huge pages", trial_restore, false, set_huge } } }

#define SPOOLED(n) { "no_flush", "transactions/s", false, n, 0, false, false, { \
	{ "undo+redo copies", trial_copies, true, NULL }, \
	{ "stores", trial_stores, false, NULL }, \
	{ "rvm", trial_restore, false, NULL }, \
	{ "rvm no_restore", trial_no_restore, false, NULL } } }

#define LATENCY(is_flush, name) { name, "p99.9 in us", is_flush, 1, 0, false, false, { \
	{ "idle", trial_latency, true, set_idle }, \
	{ "truncating", trial_latency, false, set_truncating } } }

#define RESIZE "latency, log resized"

/* One thread is what more are held against. */
#define HEAP(is_flush, name) { name, "transactions/s", is_flush, 0, 0, false, false, { \
	{ "1 thread", trial_heap, true, set_one }, \
	{ "2 threads", trial_heap, false, set_two }, \
	{ "4 threads", trial_heap, false, set_four }, \
	{ "8 threads", trial_heap, false, set_eight } } }

#define MAP(name, size) { name, "maps/s", false, 0, size, false, false, { \
	{ "rvm_map", trial_map, false, NULL } } }

static const struct comparison comparisons[] = {
	DURABLE(1), DURABLE(2), DURABLE(4), DURABLE(8),
	{ "threads", "transactions/s", true, 0, 0, false, false, {
		{ "1 thread", trial_restore, true, set_one },
		{ "2 threads", trial_restore, false, set_two },
		{ "8 threads", trial_restore, false, set_eight } } },
	{ "writers", "writes/s", true, 0, 0, false, false, {
		{ "1 writer", trial_beside, true, set_one },
		{ "2 writers", trial_beside, false, set_two },
		{ "8 writers", trial_beside, false, set_eight } } },
	{ "bytes", "transactions/s", true, 0, 0, false, true, {
		{ "log 0.5 x data", trial_bytes, false, set_half },
		{ "log 2 x data", trial_bytes, false, set_twice } } },
	SPOOLED(1), SPOOLED(2), SPOOLED(4), SPOOLED(8),
	{ "lasting", "transactions/s", false, 1, 0, false, false, {
		{ "undo+redo copies", trial_copies, true, NULL },
		{ "stores", trial_stores, false, NULL },
		{ "rvm", trial_restore, false, set_lasting },
		{ "rvm no_restore", trial_no_restore, false, set_lasting },
		{ "rvm, huge pages", trial_restore, false, set_lasting_huge } } },
	LATENCY(true, "latency durable"), LATENCY(false, "latency no_flush"),
	{ RESIZE, "p99.9 in us", true, 4, 0, false, false, {
		{ "rvm", trial_resize, false, NULL } } },
	{ "recovery", "bytes/s", true, 0, 0, true, false, {
		{ "sequential read", trial_recover, true, set_large },
		{ "CRC32C", NULL, true, NULL },
		{ "rvm", NULL, false, NULL },
		{ "rvm, the log", NULL, false, NULL },
		{ "rvm, the segment", NULL, false, NULL } } },
	HEAP(true, "heap durable"), HEAP(false, "heap no_flush"),
	MAP("map 1 MiB", MIB), MAP("map 1 GiB", 1024 * MIB), MAP("map 1 TiB", MIB * MIB),
};

static const struct goal goals[] = {
	{ "durable", 1, "rvm", BY_LIMIT, false, 0.97, "durable, 1 thread, by the best append" },
	{ "durable", 1, "rvm, huge pages", BY_LIMIT, false, 0.97,
	  "durable, 1 thread, huge pages, by the best append" },
	{ "durable", 8, "rvm", BY_LIMIT, false, 1.1, "durable, 8 threads, by one append for all" },
	{ "threads", 0, "2 threads", BY_LIMIT, false, 1.4, "durable, 2 threads by 1 thread" },
	{ "bytes", 0, "log 2 x data", DISK_BYTES, true, 2500,
	  "bytes on disks a durable transaction, log twice the data" },
	{ "bytes", 0, "log 0.5 x data", DISK_BYTES, true, 2500,
	  "bytes on disks a durable transaction, log half the data" },
	{ "no_flush", 1, "rvm", RATE, false, 1e6, "no_flush, transactions/s" },
	{ "lasting", 1, "rvm", RATE, false, 1e6, "no_flush, log 8 x data, transactions/s" },
	{ "lasting", 1, "rvm", CORE_RATE, false, 1e6,
	  "no_flush, log 8 x data, transactions a second of processor time" },
	{ "lasting", 1, "rvm, huge pages", RATE, false, 1e6,
	  "no_flush, log 8 x data, huge pages, transactions/s" },
	{ "no_flush", 1, "rvm", BY_LIMIT, false, 0.5, "no_flush, by copies in memory" },
	{ "no_flush", 1, "rvm", LOG_BYTES, true, TPCA_RECORD,
	  "log bytes a transaction: payload + 64 + 16 a range" },
	{ "latency durable", 1, "truncating", BY_LIMIT, true, 2,
	  "p99.9 of a durable commit, truncating by idle" },
	{ "latency durable", 1, "truncating", LONGEST, true, 5e6,
	  "longest durable commit while truncating, ns" },
	{ "latency no_flush", 1, "truncating", BY_LIMIT, true, 2,
	  "p99.9 of a no_flush commit, truncating by idle" },
	{ "latency no_flush", 1, "truncating", RATE, true, 100,
	  "p99.9 of a no_flush commit while truncating, us" },
	{ "latency no_flush", 1, "truncating", LONGEST, true, 5e6,
	  "longest no_flush commit while truncating, ns" },
	{ "recovery", 0, "rvm", BY_LIMIT, false, 0.8, "recovery, by reading or CRC32C" },
	{ "map 1 TiB", 0, "rvm_map", RATE, false, 100, "maps of 1 TiB a second" },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &args.common;
		return 0;
	case 'd':
		args.dat = arg;
		return 0;
	case 'l':
		args.log = strtoul(arg, NULL, 0) * MIB;
		if (args.log < LOG_MIN)
			argp_error(state, "that log has 8 MiB at least");
		return 0;
	case 'o':
		args.only = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static bool wanted(const struct comparison *c)
{
	return !args.only || !strncmp(args.only, c->name, strlen(args.only));
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "dat", 'd', "FILE", 0, "Write the medians there, for gnuplot (goals.dat)", 0 },
		{ "log", 'l', "MIB", 0, "Size of the log that is recovered (2048)", 0 },
		{ "only", 'o', "NAME", 0, "Only comparisons that begin so, as durable", 0 },
		{ 0 }
	};
	static const struct argp_child children[] = { { &options_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		options, parse, NULL,
		"Hold the library against the limits of the machine, with files in DIRECTORY.",
		children, NULL, NULL
	};
	struct setting setting = { .array = 128 * MIB, .log = 64 * MIB };
	char files[PATH_MAX];
	size_t i;

	argp_parse(&argp, argc, argv, 0, 0, 0);
	if (args.common.quick) {
		setting.array = MIB;
		setting.log = MIB;
	}
	setting.ms = args.common.ms;
	setting.dir = files;
	scratch_make(args.common.dir, files);
	compare_open(&args.common, args.dat);
	for (i = 0; i < ARRAY_SIZE(comparisons); i++)
		if (wanted(&comparisons[i]))
			compare(&comparisons[i], &setting, goals, ARRAY_SIZE(goals));
	if (!args.common.quick)
		judge_tell(args.common.where);
	scratch_remove(files);
	return 0;
}
