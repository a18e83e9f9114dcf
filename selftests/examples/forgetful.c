// SPDX-License-Identifier: GPL-2.0
/*
 * A queue of jobs with a bug: one transaction in a thousand stores to bytes it has not declared.
 *
 *	forgetful LOG SEGMENT TRANSACTIONS
 *
 * pushes and pops jobs in turn, and dies without a word.  The next run finds its queue whole,
 * almost always.  RVM_CHECK=1 finds the bug in each run that gets there.
 */
#include <err.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <rvm/rvm.h>

#define JOBS	512	/* places in the queue */

static struct queue {
	uint64_t pushed;
	uint64_t popped;
	uint64_t job[JOBS];
	alignas(4096) uint64_t laps;	/* how often all places were filled */
} *queue;

static void check(rvm_return_t code)
{
	if (code != RVM_SUCCESS)
		errx(1, "%s: %s", rvm_return(code), rvm_error());
}

static void declare(rvm_tid_t *tid, void *at, size_t length)
{
	check(rvm_set_range(tid, at, length));
}

void push(rvm_tid_t *tid)
{
	uint64_t *job = &queue->job[queue->pushed % JOBS];

	declare(tid, &queue->pushed, sizeof(queue->pushed));
	declare(tid, job, sizeof(*job));
	*job = queue->pushed++;
	if (queue->pushed % JOBS == 0)
		queue->laps++;		/* the bug */
}

/* It declares all counts, also one that it leaves as it is: so that is in the log after all. */
void pop(rvm_tid_t *tid)
{
	declare(tid, &queue->popped, sizeof(queue->popped));
	declare(tid, &queue->laps, sizeof(queue->laps));
	queue->popped++;
}

static void open_queue(char *log, char *segment)
{
	rvm_options_t options;
	rvm_region_t region;

	rvm_init_options(&options);
	options.log_dev = log;
	options.create_log_file = rvm_true;
	options.create_log_size = RVM_LENGTH_TO_OFFSET(1024 * 1024);
	options.flags |= RVM_CREATE_SEGMENT | RVM_TRACK_SIGSEGV;
	check(RVM_INIT(&options));
	rvm_init_region(&region);
	region.data_dev = segment;
	region.dev_length = RVM_LENGTH_TO_OFFSET(sizeof(*queue));
	check(rvm_map(&region, &options));
	queue = (struct queue *)region.vmaddr;
}

int main(int argc, char **argv)
{
	long i, n = argc == 4 ? atol(argv[3]) : -1;
	rvm_tid_t tid;

	if (n < 0)
		errx(2, "usage: forgetful LOG SEGMENT TRANSACTIONS");
	open_queue(argv[1], argv[2]);
	if (queue->laps != queue->pushed / JOBS)
		errx(1, "%lu jobs were pushed, but the laps are %lu", queue->pushed, queue->laps);
	rvm_init_tid(&tid);
	for (i = 0; i < n; i++) {
		check(rvm_begin_transaction(&tid, restore));
		if (i % 2)
			pop(&tid);
		else
			push(&tid);
		check(rvm_end_transaction(&tid, no_flush));
	}
	check(rvm_flush());
	_exit(0);
}
