// SPDX-License-Identifier: GPL-2.0
/* One sample: a subject runs a workload for some time. */
#include <pthread.h>
#include <time.h>

#include "clock.h"
#include "random.h"
#include "sample.h"
#include "scratch.h"
#include "structure.h"

#define THREADS_MAX	64
#define CLOCK_EVERY	16	/* transactions between two looks at the clock, if they are small */
#define LARGE		64	/* pages of such a one */
#define TOUCH_PAGES	16	/* of one transaction that warms up */
#define TOUCH_NS	2000000000UL	/* for warming up, at most */

static uint64_t end_ns;

static void *act(void *arg)
{
	struct actor *actor = arg;
	unsigned int every = actor->workload->pages >= LARGE ? 1 : CLOCK_EVERY;

	do {
		sample_transact(actor);
		actor->done++;
	} while (actor->done % every || clock_ns() < end_ns);
	return NULL;
}

void sample_transact(struct actor *actor)
{
	actor->subject->begin(actor);
	actor->workload->kind->transact(actor);
	actor->subject->end(actor);
}

struct actor sample_actor(struct subject *subject, const struct workload *workload,
			  unsigned int id)
{
	struct actor actor = {
		.subject = subject, .workload = workload, .base = subject->base, .id = id,
		.random = clock_ns() * 2 + id * 0x9e3779b97f4a7c15 + 1,
	};

	actor.next = random_next(&actor.random) % workload_used(workload);
	return actor;
}

static uint64_t log_tail(const struct subject *subject)
{
	rvm_log_info_t info;

	if (!subject->flag)
		return 0;
	check("rvm_query_log", rvm_query_log(&info));
	return info.tail;
}

static uint64_t cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * 1000000000UL + used.tv_nsec;
}

static void empty_log(const struct subject *subject)
{
	if (!subject->flag)
		return;
	check("rvm_flush", rvm_flush());
	check("rvm_truncate", rvm_truncate());
}

static uint64_t run_actors(struct subject *subject, const struct workload *workload)
{
	struct actor actor[THREADS_MAX];
	pthread_t thread[THREADS_MAX];
	uint64_t done = 0;
	unsigned int i;

	for (i = 0; i < workload->threads; i++) {
		actor[i] = sample_actor(subject, workload, i);
		if (pthread_create(&thread[i], NULL, act, &actor[i]))
			die("pthread_create", "no thread");
	}
	for (i = 0; i < workload->threads; i++) {
		pthread_join(thread[i], NULL);
		done += actor[i].done;
	}
	return done;
}

/* One transaction that changes the next few pages; returns the first one behind them. */
static unsigned int touch_some(struct actor *actor, unsigned int page)
{
	unsigned int end = page + TOUCH_PAGES, used = workload_used(actor->workload);

	actor->subject->begin(actor);
	for (; page < end && page < used; page++)
		actor_change(actor, actor->base + workload_page(actor->workload, page),
			     sizeof(uint64_t));
	actor->subject->end(actor);
	return page;
}

static void touch(struct subject *subject, const struct workload *workload)
{
	struct workload lazy = *workload;
	struct actor actor = sample_actor(subject, &lazy, 0);
	uint64_t end = clock_ns() + TOUCH_NS;
	unsigned int page = 0;

	lazy.flush = false;
	while (page < workload_used(workload) && clock_ns() < end)
		page = touch_some(&actor, page);
}

static void touch_plainly(const struct subject *subject, const struct workload *workload)
{
	unsigned int page;

	for (page = 0; page < workload_used(workload); page++)
		*(volatile char *)(subject->base + workload_page(workload, page)) = 0;
}

void sample_warm_up(struct subject *subject, const struct workload *workload)
{
	struct actor actor = sample_actor(subject, workload, 0);

	if (subject->flag)
		touch(subject, workload);
	else
		touch_plainly(subject, workload);
	if (!workload->kind->prepare)
		return;
	workload->kind->prepare(&actor);
	structure_check(&actor);
}

void sample_verify(struct subject *subject, const struct workload *workload)
{
	struct actor actor = sample_actor(subject, workload, 0);

	if (workload->kind->verify)
		workload->kind->verify(&actor);
}

struct sample sample_take(struct subject *subject, const struct workload *workload,
			  unsigned int ms)
{
	uint64_t start, done, tail, io, cpu;
	struct sample sample;
	double seconds;

	empty_log(subject);
	tail = log_tail(subject);
	io = scratch_written();
	cpu = cpu_ns();
	start = clock_ns();
	end_ns = start + ms * 1000000UL;
	done = run_actors(subject, workload);
	if (subject->flag && !workload->flush)
		check("rvm_flush", rvm_flush());
	seconds = (clock_ns() - start) / 1e9;
	sample = (struct sample){
		.rate = done / seconds,
		.cpu_ns = (double)(cpu_ns() - cpu) / done,
		.log_bytes = subject->limit ? subject->record :
			     (double)(log_tail(subject) - tail) / done,
		.io_bytes = (double)(scratch_written() - io) / done,
	};
	empty_log(subject);
	return sample;
}
