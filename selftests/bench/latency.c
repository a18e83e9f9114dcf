// SPDX-License-Identifier: GPL-2.0
/* Trials of the latency of commits. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "files.h"
#include "tpca.h"
#include "trial.h"

#define LATENCIES	(4UL << 20)
#define LOOK_EVERY	256	/* transactions between two looks at the log */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static const struct setting *setting;
static bool quit;

static void *truncate_again(void *arg)
{
	while (!__atomic_load_n(&quit, __ATOMIC_RELAXED))
		check("rvm_truncate", rvm_truncate());
	return arg;
}

/* So full that truncation would begin: without it the trial is over. */
static bool is_full(void)
{
	rvm_log_info_t info;

	check("rvm_query_log", rvm_query_log(&info));
	return info.tail - info.head > info.size / 8 * 7;
}

/* Whole transactions, begin to end; those that wait for room in the log as well. */
static size_t take_latencies(struct teller *teller, uint32_t *ns)
{
	uint64_t start = clock_ns(), end = start + setting->ms * 1000000UL, last = start;
	size_t n = 0;

	while (last < end && n < LATENCIES) {
		uint64_t now;

		tpca_commit(teller, restore, setting->flush ? flush : no_flush);
		teller->done++;
		now = clock_ns();
		ns[n++] = now - last < UINT32_MAX ? now - last : UINT32_MAX;
		last = now;
		if (n % LOOK_EVERY)
			continue;
		if (!setting->truncating && is_full())
			break;
		last = clock_ns();
	}
	return n;
}

void trial_latency(const struct setting *s, struct outcome *outcome)
{
	static const double shares[] = { 0.5, 0.99, 0.999 };
	struct teller teller = { .size = s->array, .threads = 1, .random = clock_ns() | 1 };
	uint32_t *ns = mmap(NULL, LATENCIES * sizeof(*ns), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	pthread_t thread;
	size_t n, i;

	setting = s;
	if (ns == MAP_FAILED)
		die("mmap", strerror(errno));
	teller.base = files_open(s, 0);
	if (s->truncating && pthread_create(&thread, NULL, truncate_again, NULL))
		die("pthread_create", strerror(errno));
	n = take_latencies(&teller, ns);
	if (s->truncating) {
		__atomic_store_n(&quit, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
	}
	qsort(ns, n, sizeof(*ns), compare);
	for (i = 0; i < 3; i++)
		outcome->latency[i] = ns[(size_t)(shares[i] * (n - 1))];
	outcome->rate = outcome->latency[2] / 1000;
	outcome->latency[3] = ns[n - 1];
}
