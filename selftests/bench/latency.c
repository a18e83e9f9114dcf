// SPDX-License-Identifier: GPL-2.0
/* Trials of the latency of commits, alone and beside truncation or changes of the log's size. */
#include <pthread.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "latencies.h"
#include "tellers.h"

#define LOOK_EVERY	256	/* transactions between two looks at the log */

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
static void take_latencies(struct teller *teller)
{
	uint64_t start = clock_ns(), end = start + setting->ms * 1000000UL, last = start;

	while (last < end) {
		uint64_t now;

		tpca_commit(teller, restore, setting->flush ? flush : no_flush);
		teller->done++;
		now = clock_ns();
		if (!latencies_add(now - last))
			break;
		last = now;
		if (teller->done % LOOK_EVERY)
			continue;
		if (!setting->truncating && is_full())
			break;
		last = clock_ns();
	}
}

void trial_latency(const struct setting *s, struct outcome *outcome)
{
	struct teller teller = { .size = s->array, .threads = 1, .random = clock_ns() | 1 };
	pthread_t thread;

	setting = s;
	latencies_open();
	teller.base = files_open(s, 0);
	if (s->truncating && pthread_create(&thread, NULL, truncate_again, NULL))
		die("pthread_create", "no thread");
	take_latencies(&teller);
	if (s->truncating) {
		__atomic_store_n(&quit, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
	}
	latencies_tell(outcome);
}

static void commit(struct teller *teller)
{
	uint64_t start = clock_ns();

	tpca_commit(teller, restore, setting->flush ? flush : no_flush);
	latencies_add(clock_ns() - start);
}

/* The log has some time to fill before. */
static void resize(size_t size)
{
	rvm_offset_t length = rvm_mk_offset(0, size);
	rvm_options_t options;
	char path[PATH_MAX];

	usleep(setting->ms * 250);
	files_path(setting, "log", path);
	rvm_init_options(&options);
	options.log_dev = path;
	check("rvm_resize_log", rvm_resize_log(&options, &length));
}

/* The log grows and shrinks by an eighth, at least once, while threads commit. */
void trial_resize(const struct setting *s, struct outcome *outcome)
{
	uint64_t end = clock_ns() + s->ms * 1000000UL;

	setting = s;
	latencies_open();
	tellers_start(s, files_open(s, 50), commit);
	do {
		resize(s->log / 8 * 9);
		resize(s->log);
	} while (clock_ns() < end);
	tellers_end(0);
	latencies_tell(outcome);
}
