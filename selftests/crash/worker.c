// SPDX-License-Identifier: GPL-2.0
/* The worker: recovers what its predecessor left, judges it, and works until it is killed. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

/**
 * struct hand - one thread of the worker
 * @worker: what it was told
 * @id: from 0
 * @tracked: it runs tracked transactions
 * @area: what it changes
 * @mine: its data as the committed transactions make them
 * @random: for what need not be repeatable
 */
struct hand {
	struct worker *worker;
	unsigned int id;
	bool tracked;
	struct work_area *area;
	char mine[WORK_BYTES];
	uint64_t random;
};

/* The order of commits, where they have one. */
static struct {
	pthread_mutex_t lock;
	uint64_t last;
	uint64_t durable;
} order = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void __attribute__((noreturn, format(printf, 2, 3)))
fault(struct worker *worker, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (!worker->state->why[0])
		vsnprintf(worker->state->why, sizeof(worker->state->why), fmt, args);
	va_end(args);
	_exit(2);
}

static void check(struct worker *worker, const char *what, rvm_return_t ret)
{
	if (ret)
		fault(worker, "%s: %s: %s", what, rvm_return(ret), rvm_error());
}

static struct work_area *open_region(struct worker *worker, rvm_region_t *region)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.log_dev = worker->log;
	options.create_log_file = rvm_true;
	options.create_log_size = rvm_mk_offset(0, worker->log_bytes);
	options.create_log_mode = 0600;
	options.flags |= RVM_CREATE_SEGMENT | worker->tracker;
	if (worker->truncation == WORKER_STEPS)
		options.flags |= RVM_INCREMENTAL_TRUNCATION;
	if (worker->truncation == WORKER_NONE)
		options.truncate = 0;
	check(worker, "rvm_initialize", RVM_INIT(&options));
	rvm_init_region(region);
	region->data_dev = worker->segment;
	region->dev_length = rvm_mk_offset(0, WORK_SEGMENT);
	region->length = WORK_SEGMENT;
	check(worker, "rvm_map", rvm_map(region, &options));
	return (struct work_area *)region->vmaddr;
}

static void judge(struct worker *worker, const struct work_area *area)
{
	struct verdict verdict = { worker->mode == flush, worker->ordered };
	char why[sizeof(worker->state->why)];
	unsigned int i;

	if (!oracle_judge(worker->oracle, area, &verdict, why, sizeof(why)))
		fault(worker, "%s", why);
	for (i = 0; i < WORK_THREADS; i++)
		oracle_note(worker->oracle, offsetof(struct acknowledged, number[i]),
			    area[i].head.number);
	for (i = 0; i < WORK_THREADS; i++)
		if (area[i].head.order[area[i].head.number % WORK_ROUNDS] > order.last)
			order.last = area[i].head.order[area[i].head.number % WORK_ROUNDS];
}

static void begin(struct hand *hand, rvm_tid_t *tid, bool may_abort)
{
	rvm_mode_t mode = hand->tracked ? rvm_tracked :
			  may_abort || work_random(&hand->random) % 2 ? restore : no_restore;

	rvm_init_tid(tid);
	check(hand->worker, "rvm_begin_transaction", rvm_begin_transaction(tid, mode));
}

/* Declare bytes, where they must be declared. */
static void declare(struct hand *hand, rvm_tid_t *tid, void *bytes, size_t length)
{
	if (!hand->tracked)
		check(hand->worker, "rvm_set_range", rvm_set_range(tid, bytes, length));
}

static void make_write(struct hand *hand, rvm_tid_t *tid, const struct work_write *write)
{
	char *to = hand->area->data + write->offset, bytes[16384];

	if (hand->tracked || work_random(&hand->random) % 2) {
		declare(hand, tid, to, write->length);
		work_fill(write, to);
		return;
	}
	work_fill(write, bytes);
	check(hand->worker, "rvm_modify_bytes", rvm_modify_bytes(tid, to, bytes, write->length));
}

/* Now and then ask the kernel to write pages of the open transaction: it must not. */
static void press(struct hand *hand)
{
	if (work_random(&hand->random) % 8)
		return;
	if (msync(hand->area, sizeof(*hand->area), MS_SYNC))
		fault(hand->worker, "msync: %s", strerror(errno));
}

/* A transaction that is aborted must leave no byte behind. */
static void abort_one(struct hand *hand)
{
	struct work_head *head = &hand->area->head;
	uint64_t number = head->number;
	struct work work;
	rvm_tid_t tid;
	unsigned int i;

	work_plan(&work, WORK_THREADS + hand->id, work_random(&hand->random));
	begin(hand, &tid, true);
	for (i = 0; i < work.count; i++)
		make_write(hand, &tid, &work.write[i]);
	declare(hand, &tid, &head->number, sizeof(head->number));
	head->number = ~0UL;
	press(hand);
	check(hand->worker, "rvm_abort_transaction", rvm_abort_transaction(&tid));
	for (i = 0; i < work.count; i++)
		if (memcmp(hand->area->data + work.write[i].offset,
			   hand->mine + work.write[i].offset, work.write[i].length))
			fault(hand->worker, "thread %u: bytes changed by an aborted transaction",
			      hand->id);
	if (head->number != number)
		fault(hand->worker, "thread %u: a number changed by an aborted transaction",
		      hand->id);
}

static rvm_mode_t end_mode(struct hand *hand)
{
	if (hand->worker->mode)
		return hand->worker->mode;
	return work_random(&hand->random) % 8 ? no_flush : flush;
}

/* End the transaction; in an ordered worker it takes the next place in the order. */
static void commit(struct hand *hand, rvm_tid_t *tid, rvm_mode_t mode)
{
	struct work_head *head = &hand->area->head;
	uint64_t *place = &head->order[head->number % WORK_ROUNDS];

	if (!hand->worker->ordered) {
		check(hand->worker, "rvm_end_transaction", rvm_end_transaction(tid, mode));
		return;
	}
	declare(hand, tid, place, sizeof(*place));
	pthread_mutex_lock(&order.lock);
	*place = order.last + 1;
	check(hand->worker, "rvm_end_transaction", rvm_end_transaction(tid, mode));
	order.last++;
	pthread_mutex_unlock(&order.lock);
}

static void note_order(struct hand *hand, uint64_t place)
{
	pthread_mutex_lock(&order.lock);
	if (place > order.durable) {
		order.durable = place;
		oracle_note(hand->worker->oracle, offsetof(struct acknowledged, order), place);
	}
	pthread_mutex_unlock(&order.lock);
}

static uint64_t last_place(void)
{
	uint64_t place;

	pthread_mutex_lock(&order.lock);
	place = order.last;
	pthread_mutex_unlock(&order.lock);
	return place;
}

/* After a flush commit, or now and then an rvm_flush, everything before is durable. */
static void acknowledge(struct hand *hand, rvm_mode_t mode, uint64_t number)
{
	uint64_t place = last_place();

	if (mode != flush) {
		if (work_random(&hand->random) % 16)
			return;
		check(hand->worker, "rvm_flush", rvm_flush());
		note_order(hand, place);
	}
	oracle_note(hand->worker->oracle, offsetof(struct acknowledged, number[hand->id]), number);
}

static void commit_one(struct hand *hand)
{
	struct work_head *head = &hand->area->head;
	rvm_mode_t mode = end_mode(hand);
	struct work work;
	rvm_tid_t tid;
	unsigned int i;

	begin(hand, &tid, false);
	declare(hand, &tid, &head->number, sizeof(head->number));
	work_plan(&work, hand->id, ++head->number);
	for (i = 0; i < work.count; i++)
		make_write(hand, &tid, &work.write[i]);
	press(hand);
	commit(hand, &tid, mode);
	for (i = 0; i < work.count; i++)
		work_fill(&work.write[i], hand->mine + work.write[i].offset);
	acknowledge(hand, mode, head->number);
}

static void *labour(void *arg)
{
	struct hand *hand = arg;
	struct worker_state *state = hand->worker->state;

	for (;;) {
		if (work_random(&hand->random) % 8 == 0) {
			abort_one(hand);
			state->aborts++;
		}
		commit_one(hand);
	}
	return NULL;
}

/* Truncations at moments of their own, between those that the library starts. */
static void *truncate_often(void *arg)
{
	struct worker *worker = arg;
	uint64_t state = getpid(), ns;
	struct timespec pause;

	for (;;) {
		ns = work_random(&state) % (worker->truncate_us * 1000);
		pause = (struct timespec){ ns / 1000000000, ns % 1000000000 };
		nanosleep(&pause, NULL);
		check(worker, "rvm_truncate", rvm_truncate());
		worker->state->truncations++;
	}
	return NULL;
}

static void start_hands(struct worker *worker, struct work_area *area)
{
	static struct hand hand[WORK_THREADS];
	pthread_t thread;
	unsigned int i;

	for (i = 0; i < WORK_THREADS; i++) {
		hand[i].worker = worker;
		hand[i].id = i;
		hand[i].tracked = worker->kind == WORKER_TRACKED ||
				  (worker->kind == WORKER_MIXED && i % 2);
		hand[i].area = &area[i];
		memcpy(hand[i].mine, area[i].data, WORK_BYTES);
		if (getrandom(&hand[i].random, sizeof(hand[i].random), 0) < 0 ||
		    pthread_create(&thread, NULL, labour, &hand[i]))
			fault(worker, "cannot start a thread");
	}
	if (worker->truncation == WORKER_EPOCHS &&
	    pthread_create(&thread, NULL, truncate_often, worker))
		fault(worker, "cannot start a thread");
}

void worker_run(struct worker *worker)
{
	struct work_area *area;
	rvm_region_t region;

	area = open_region(worker, &region);
	judge(worker, area);
	if (worker->idle) {
		check(worker, "rvm_unmap", rvm_unmap(&region));
		check(worker, "rvm_terminate", rvm_terminate());
		_exit(0);
	}
	start_hands(worker, area);
	worker->state->working = 1;
	for (;;)
		pause();
}
