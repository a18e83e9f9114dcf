// SPDX-License-Identifier: GPL-2.0
/* One sample: a subject runs a workload for some time. */
#include <pthread.h>
#include <time.h>

#include "clock.h"
#include "sample.h"
#include "scratch.h"

#define THREADS_MAX	64
#define CLOCK_EVERY	16	/* transactions between two looks at the clock */
#define TOUCH_PAGES	16	/* of one transaction that warms up */
#define TOUCH_NS	2000000000UL	/* for warming up, at most */

static uint64_t end_ns;

static void *act(void *arg)
{
	struct actor *actor = arg;

	do {
		actor->subject->begin(actor);
		workload_transact(actor->workload, actor);
		actor->subject->end(actor);
		actor->done++;
	} while (actor->done % CLOCK_EVERY || clock_ns() < end_ns);
	return NULL;
}

static uint64_t log_tail(void)
{
	rvm_log_info_t info;

	check("rvm_query_log", rvm_query_log(&info));
	return info.tail;
}

static uint64_t cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * 1000000000UL + used.tv_nsec;
}

static void empty_log(void)
{
	check("rvm_flush", rvm_flush());
	check("rvm_truncate", rvm_truncate());
}

static uint64_t run_actors(struct subject *subject, const struct workload *workload)
{
	struct actor actor[THREADS_MAX] = { 0 };
	pthread_t thread[THREADS_MAX];
	uint64_t done = 0;
	unsigned int i;

	for (i = 0; i < workload->threads; i++) {
		actor[i].subject = subject;
		actor[i].workload = workload;
		actor[i].base = subject->base;
		actor[i].id = i;
		actor[i].random = clock_ns() * 2 + i * 0x9e3779b97f4a7c15 + 1;
		if (pthread_create(&thread[i], NULL, act, &actor[i]))
			die("pthread_create", "no thread");
	}
	for (i = 0; i < workload->threads; i++) {
		pthread_join(thread[i], NULL);
		done += actor[i].done;
	}
	return done;
}

/* One transaction that changes the next few pages; returns the first byte behind them. */
static size_t touch_some(struct actor *actor, size_t at)
{
	size_t end = at + TOUCH_PAGES * WORKLOAD_PAGE;

	if (end > actor->workload->region)
		end = actor->workload->region;
	actor->subject->begin(actor);
	for (; at < end; at += WORKLOAD_PAGE)
		actor_change(actor, actor->base + at, sizeof(uint64_t));
	actor->subject->end(actor);
	return end;
}

void sample_warm_up(struct subject *subject, const struct workload *workload)
{
	struct workload lazy = *workload;
	struct actor actor = {
		.subject = subject, .workload = &lazy, .base = subject->base, .random = clock_ns(),
	};
	uint64_t end = clock_ns() + TOUCH_NS;
	size_t at = 0;

	if (subject->limit)
		return;
	lazy.flush = false;
	while (at < workload->region && clock_ns() < end)
		at = touch_some(&actor, at);
}

struct sample sample_take(struct subject *subject, const struct workload *workload,
			  unsigned int ms)
{
	uint64_t start, done, tail, io, cpu;
	double seconds;

	empty_log();
	tail = log_tail();
	io = scratch_written();
	cpu = cpu_ns();
	start = clock_ns();
	end_ns = start + ms * 1000000UL;
	done = run_actors(subject, workload);
	if (subject->flag && !workload->flush)
		check("rvm_flush", rvm_flush());
	seconds = (clock_ns() - start) / 1e9;
	return (struct sample){
		.rate = done / seconds,
		.cpu_ns = (double)(cpu_ns() - cpu) / done,
		.log_bytes = subject->limit ? subject->record : (double)(log_tail() - tail) / done,
		.io_bytes = (double)(scratch_written() - io) / done,
	};
}
