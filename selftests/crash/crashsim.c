// SPDX-License-Identifier: GPL-2.0
/*
 * Programs on a simulated disk that loses power at every moment, in every way.
 *
 * First all short programs: each sequence of up to three operations, after each of some
 * beginnings.  Then long ones made at random, until so many different images of the disk were
 * recovered as were asked for.  What states.h says is checked of each.
 *
 * RVM_STATES is how many images, RVM_SEED the first of the random programs, RVM_RUNS how many of
 * those at least, RVM_DEPTH how many operations the short ones have.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"

#include "blocks.h"
#include "script.h"
#include "seen.h"
#include "states.h"

#define STATES		100000
#define STATES_QUICK	20000	/* in the VM and under sanitizers, which are slow */
#define FAULTS		10000	/* of so many images one is recovered with faults */
#define FAULTS_AGAIN	50	/* the same when a failure is run again: those as well, and more */
#define RANDOM_RUNS	300	/* random programs at least */
#define TRIES		8	/* of a program with threads, to see it fail again */
#define JOBS		64
#define DEPTH		3
#define CHUNK		64	/* random programs that a job takes at once */
#define PAUSE		60	/* seconds between two lines that say how far it is */

static_assert(FAULTS % FAULTS_AGAIN == 0, "what failed is among what is tried again");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW true
#else
#define SLOW false
#endif

/*
 * struct work - what the jobs share
 * @next: number of the next short program
 * @seed: of the next random one
 * @short_runs: short programs that were run
 * @long_runs: random ones
 * @failed: a job found something: all end
 * @count: what was done
 */
struct work {
	_Atomic unsigned int next;
	_Atomic unsigned int seed;
	_Atomic unsigned int short_runs;
	_Atomic unsigned int long_runs;
	atomic_bool failed;
	struct states_count count[JOBS];
};

static struct work *work;
static uint64_t wanted;
static unsigned int deepest;
static unsigned int least_runs;
static char *self;

static const char *const beginnings[] = {
	"",
	"b0 s0@600+100",
	"t0 w0@600+100",
	"b1 s1@5000+300 l1 b1 s1@9000+100 c1 b0 s0@600+1000",
	"M b1 s1@16384+400 c1",
	"W b1 s1@4000+200 l1",
};

static const char *const alphabet[] = {
	"b0", "t0", "s0@0+512", "s0@1001+37", "s0@1000+100 s0@1050+200", "s0@4000+600",
	"w0@4090+300", "c0", "l0", "a0", "F", "T", "I", "M", "U", "W",
};

#define LETTERS (sizeof(alphabet) / sizeof(alphabet[0]))
#define BEGINNINGS (sizeof(beginnings) / sizeof(beginnings[0]))

static const struct script_disk disks[] = {
	{ .sector = 512, .area = 8192, .dsync = true },
	{ .sector = 512, .area = 8192, .incremental = true, .merge = true },
	{ .sector = 4096, .area = 16384, .dsync = true, .incremental = true },
	{ .sector = 512, .area = 12288, .dsync = true, .incremental = true, .merge = true },
	{ .sector = 4096, .area = 12288, .merge = true },
	{ .sector = 512, .area = 4096, .dsync = true, .merge = true },
};

#define DISKS (sizeof(disks) / sizeof(disks[0]))

/* The area of 4096 bytes is for random programs, whose records are short. */
#define SHORT_DISKS (DISKS - 1)

/**
 * struct found - what went wrong
 * @failure: in a crash state
 * @crash: it was there, and not before power was lost
 * @why: what it was
 */
struct found {
	struct states_failure failure;
	bool crash;
	char why[640];
};

/* Runs a program and all its crashes, but for an exact one that has operations that do not fit. */
static bool try(const struct script *script, bool exact, unsigned int faults,
		struct states_count *count, struct script_run *run, struct found *found)
{
	bool ok = script_run(script, run);

	memset(found, 0, sizeof(*found));
	if (!ok) {
		snprintf(found->why, sizeof(found->why), "%s", run->why);
	} else if (!run->skipped || !exact) {
		ok = states_check(script, run, faults, count, &found->failure);
		found->crash = !ok;
		if (!ok)
			snprintf(found->why, sizeof(found->why), "%s", found->failure.why);
	}
	script_done(run);
	return ok;
}

/* With a table of its own: what was seen must be new. */
static bool try_again(const struct script *script, struct found *found)
{
	struct states_count count = {};
	struct script_run run;

	return !seen_make(1 << 18) || try(script, false, FAULTS_AGAIN, &count, &run, found);
}

/* In a child: what fails may crash. */
static bool fails_once(const struct script *script)
{
	struct found found;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		alarm(60);
		_exit(!try_again(script, &found));
	}
	return waitpid(pid, &status, 0) == pid && status;
}

/* Threads meet one way or another. */
static unsigned int tries_of(const struct script *script)
{
	char text[SCRIPT_TEXT];

	script_print(script, text);
	return strchr(text, 'P') ? TRIES : 1;
}

static bool fails(const struct script *script)
{
	unsigned int tries;

	for (tries = tries_of(script); tries; tries--)
		if (fails_once(script))
			return true;
	return false;
}

static void drop(struct script *script, unsigned int at, unsigned int n)
{
	memmove(&script->ops[at], &script->ops[at + n],
		(script->count - at - n) * sizeof(script->ops[0]));
	script->count -= n;
}

/* Drops operations, many at first, as long as what remains fails. */
static void shrink(struct script *script)
{
	unsigned int n, at;

	for (n = script->count / 2; n; n /= 2) {
		for (at = 0; at + n <= script->count;) {
			struct script shorter = *script;

			drop(&shorter, at, n);
			if (fails(&shorter))
				*script = shorter;
			else
				at++;
		}
	}
}

static void report(struct script *script, const struct found *found)
{
	char text[SCRIPT_TEXT], where[80];
	struct found again;

	script_print(script, text);
	printf("# failed: %s: %s\n", text, found->why);
	shrink(script);
	script_print(script, text);
	script_print_disk(&script->disk, where);
	printf("# the shortest that fails: %s\n", text);
	if (!try_again(script, &again)) {
		printf("# because: %s\n", again.why);
		if (again.crash)
			printf("# power was lost after event %zu; on the disk %s\n",
			       again.failure.event, again.failure.how);
	}
	printf("# again: %s -d %s -o '%s'\n", self, where, text);
	fflush(stdout);
}

/* The first job that finds something tells it. */
static bool run_one(struct script *script, unsigned int job, bool exact, unsigned int faults)
{
	struct script_run run;
	struct found found;

	if (try(script, exact, faults, &work->count[job], &run, &found))
		return true;
	if (!atomic_exchange(&work->failed, true))
		report(script, &found);
	return false;
}

/* The short program of that number; false if there are no more. */
static bool make_short(unsigned int number, struct script *script)
{
	unsigned int total = 1, depth, i, n = number / BEGINNINGS;
	char text[SCRIPT_TEXT];
	size_t at;

	for (depth = 0; depth <= deepest && n >= total; depth++) {
		n -= total;
		total *= LETTERS;
	}
	if (depth > deepest)
		return false;
	at = sprintf(text, "%s", beginnings[number % BEGINNINGS]);
	for (i = 0; i < depth; i++, n /= LETTERS)
		at += sprintf(text + at, " %s", alphabet[n % LETTERS]);
	script->disk = disks[(number + number / 7) % SHORT_DISKS];
	return script_parse(text, script);
}

static bool run_short(unsigned int job)
{
	struct script script;

	while (!work->failed && make_short(work->next++, &script)) {
		work->short_runs++;
		if (!run_one(&script, job, true, FAULTS))
			return false;
	}
	return true;
}

static unsigned int pick(unsigned int *state, unsigned int below)
{
	*state = *state * 1664525 + 1013904223;
	return (uint64_t)(*state >> 4) * below >> 28;
}

static struct script_op random_op(unsigned int *state, unsigned int area)
{
	static const char letters[] = "bbbbttssssswwwwccclllaaFTTIIIMMUGWRHHmmmmmffPPP";
	struct script_op op = { .what = letters[pick(state, sizeof(letters) - 1)] };
	unsigned int most = pick(state, 4) ? 80 : area / 8;

	op.tx = strchr("btswclamf", op.what) ? pick(state, SCRIPT_TXS) : 0;
	if (strchr("mf", op.what)) {
		op.at = pick(state, BLOCKS_SLOTS);
		op.length = op.what == 'm' ? pick(state, BLOCKS_MOST) : 0;
	}
	if (!strchr("sw", op.what))
		return op;
	op.length = 1 + pick(state, most);
	op.at = pick(state, 4) ? pick(state, SCRIPT_FIRST - SCRIPT_PAGE - op.length) :
		SCRIPT_FIRST + pick(state, SCRIPT_SECOND - op.length);
	return op;
}

static void make_random(unsigned int seed, struct script *script)
{
	unsigned int state = seed * 2654435761U + 1, i;

	script->disk = disks[pick(&state, DISKS)];
	script->count = 20 + pick(&state, SCRIPT_OPS - 20);
	for (i = 0; i < script->count; i++)
		script->ops[i] = random_op(&state, script->disk.area);
}

static bool run_random(unsigned int job)
{
	struct script script;

	while (!work->failed && (seen_count() < wanted || work->long_runs < least_runs)) {
		make_random(work->seed++, &script);
		work->long_runs++;
		if (!run_one(&script, job, false, FAULTS))
			return false;
	}
	return true;
}

static void interrupt(int signal)
{
	(void)signal;
}

/* How many failed; a long run says now and then how far it is. */
static int wait_for_jobs(void)
{
	struct sigaction action = { .sa_handler = interrupt };
	unsigned int failed = 0;
	int status;

	sigaction(SIGALRM, &action, NULL);	/* wait() does not go on after it */
	alarm(PAUSE);
	for (;;) {
		if (wait(&status) > 0) {
			failed += status != 0;
		} else if (errno == EINTR) {
			printf("# %llu images so far, of %llu at least\n",
			       (unsigned long long)seen_count(), (unsigned long long)wanted);
			fflush(stdout);
			alarm(PAUSE);
		} else {
			alarm(0);
			return failed;
		}
	}
}

static int start_jobs(unsigned int jobs)
{
	unsigned int i;

	fflush(stdout);
	for (i = 0; i < jobs; i++)
		if (!fork())
			_exit(!(run_short(i) && run_random(i)));
	return wait_for_jobs();
}

static void tell(unsigned int jobs, unsigned int seed, double seconds)
{
	struct states_count sum = {};
	unsigned int i;

	for (i = 0; i < jobs; i++) {
		sum.points += work->count[i].points;
		sum.images += work->count[i].images;
		sum.checks += work->count[i].checks;
		sum.faults += work->count[i].faults;
	}
	printf("# %llu different images of the disk recovered, %.0f a second, by %u jobs\n",
	       (unsigned long long)seen_count(), seen_count() / seconds, jobs);
	printf("# %llu crashes, %llu results checked, %llu recoveries with faults\n",
	       (unsigned long long)sum.points, (unsigned long long)sum.checks,
	       (unsigned long long)sum.faults);
	printf("# %u short programs, %u random ones, seeds %u to %u\n", work->short_runs,
	       work->long_runs, seed, work->seed);
}

static int run_all(unsigned int jobs, unsigned int seed)
{
	struct timespec start, end;
	int failed;

	clock_gettime(CLOCK_MONOTONIC, &start);
	work->seed = seed;
	failed = start_jobs(jobs);
	clock_gettime(CLOCK_MONOTONIC, &end);
	tell(jobs, seed, end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9);
	ksft_test_result(!failed, "all crash states recover to a committed state\n");
	ksft_test_result(seen_count() >= wanted, "%llu different images\n",
			 (unsigned long long)wanted);
	return failed;
}

/* One program alone, again, with the faults with which its failure was made shorter. */
static int run_again(const char *disk, const char *ops)
{
	struct script script;
	unsigned int tries;

	if (!script_parse_disk(disk, &script.disk) || !script_parse(ops, &script)) {
		fprintf(stderr, "crashsim: no program: -d %s -o '%s'\n", disk, ops);
		return 2;
	}
	for (tries = tries_of(&script); tries && run_one(&script, 0, false, FAULTS_AGAIN); tries--)
		continue;
	if (!work->failed)
		printf("# nothing fails; %llu images, %llu recoveries with faults\n",
		       (unsigned long long)seen_count(),
		       (unsigned long long)work->count[0].faults);
	return work->failed;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
	unsigned int jobs = sysconf(_SC_NPROCESSORS_ONLN);
	char *disk = "512,8192,dsync,epochs,each", *ops = NULL;
	int option;

	self = argv[0];
	while ((option = getopt(argc, argv, "j:d:o:")) != -1) {
		if (option == 'j')
			jobs = atoi(optarg);
		else if (option == 'd')
			disk = optarg;
		else if (option == 'o')
			ops = optarg;
		else
			return 2;
	}
	mallopt(M_MMAP_THRESHOLD, 1 << 30);	/* the same memory for each recovery */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	jobs = jobs < 1 ? 1 : jobs > JOBS ? JOBS : jobs;
	wanted = number_from("RVM_STATES", SLOW || getenv("RVM_VM") ? STATES_QUICK : STATES);
	deepest = number_from("RVM_DEPTH", DEPTH);
	least_runs = number_from("RVM_RUNS", RANDOM_RUNS);
	work = mmap(NULL, sizeof(*work), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	if (work == MAP_FAILED || !seen_make(wanted + wanted / 4 + 1000000))
		return 1;
	if (ops)
		return run_again(disk, ops);
	ksft_print_header();
	ksft_set_plan(2);
	run_all(jobs, number_from("RVM_SEED", 1));
	ksft_finished();
}
