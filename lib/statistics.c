// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library did, counted. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "statistics.h"

/**
 * struct block - the counts of one thread
 * @counts: only the thread writes them; it ends and they stay
 * @next: the next of all blocks
 * @taken: a thread counts in it
 */
struct block {
	struct statistics_counts counts;
	struct block *next;
	bool taken;
};

/* A block is never freed: whoever finds it free goes on counting in it. */
static struct {
	pthread_mutex_t lock;
	struct block *blocks;
	pthread_key_t key;
	struct statistics_counts origin;
	struct statistics_counts epoch;
	struct statistics_last last;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Threads that find no memory share it; what two of them count at once may be lost. */
static struct block shared;

static __thread struct block *mine;

static const uint64_t flush_ms[] = { 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000 };
static const uint64_t elims[] = { 0, 5, 10, 50, 100 };
static const uint64_t seconds[] = { 1, 10, 100, 500 };

_Static_assert(sizeof(flush_ms) == (STATISTICS_FLUSHES - 1) * sizeof(uint64_t), "flush_ms");
_Static_assert(sizeof(elims) == (STATISTICS_ELIMS - 1) * sizeof(uint64_t), "elims");
_Static_assert(sizeof(seconds) == (STATISTICS_SECONDS - 1) * sizeof(uint64_t), "seconds");

uint64_t statistics_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void leave(void *arg)
{
	struct block *block = arg;

	pthread_mutex_lock(&all.lock);
	block->taken = false;
	pthread_mutex_unlock(&all.lock);
	mine = NULL;
}

static void make_key(void)
{
	if (pthread_key_create(&all.key, leave))
		abort();
}

static struct block *find_block(void)
{
	struct block *block;

	for (block = all.blocks; block; block = block->next)
		if (!block->taken)
			return block;
	block = calloc(1, sizeof(*block));
	if (block) {
		block->next = all.blocks;
		all.blocks = block;
	}
	return block;
}

static struct block *join(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct block *block;

	pthread_once(&once, make_key);
	pthread_mutex_lock(&all.lock);
	block = find_block();
	if (block && !pthread_setspecific(all.key, block))
		block->taken = true;
	else
		block = NULL;
	pthread_mutex_unlock(&all.lock);
	mine = block;
	return block ? block : &shared;
}

static uint64_t *counts(void)
{
	struct block *block = mine;

	if (!block)
		block = join();
	return block->counts.n;
}

static void add(uint64_t *count, uint64_t n)
{
	__atomic_store_n(count, __atomic_load_n(count, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

/* Bucket i is for values up to bound i, the last one for those above. */
static void enter(uint64_t *histogram, uint64_t value, const uint64_t *bounds, size_t buckets)
{
	size_t i = 0;

	while (i < buckets - 1 && value > bounds[i])
		i++;
	add(&histogram[i], 1);
}

/* The bounds are powers of two. */
static void enter_length(uint64_t *histogram, uint64_t length)
{
	size_t i = 0;

	if (length > 4096)
		i = STATISTICS_LENGTHS - 1;
	else if (length > 4)
		i = 64 - __builtin_clzll(length - 1) - 1;
	else if (length)
		i = 1;
	add(&histogram[i], 1);
}

static void enter_elims(uint64_t *histogram, uint64_t n)
{
	enter(histogram, n, elims, STATISTICS_ELIMS);
}

static void enter_seconds(uint64_t *histogram, uint64_t ns)
{
	enter(histogram, ns / 1000000000, seconds, STATISTICS_SECONDS);
}

/* How much was saved: a tracked transaction logs what it never declared. */
static uint64_t saved(uint64_t before, uint64_t after)
{
	return before > after ? before - after : 0;
}

void statistics_commit(bool flush, uint64_t declared, uint64_t declared_bytes,
		       const struct log_range *ranges, size_t n_ranges)
{
	uint64_t *n = counts();
	uint64_t bytes = 0;
	size_t i;

	add(&n[flush ? STATISTICS_FLUSH_COMMIT : STATISTICS_NO_FLUSH_COMMIT], 1);
	for (i = 0; i < n_ranges; i++) {
		bytes += ranges[i].length;
		enter_length(&n[STATISTICS_RANGE_LENGTHS], ranges[i].length);
	}
	add(&n[STATISTICS_RANGE_ELIM], saved(declared, n_ranges));
	add(&n[STATISTICS_RANGE_OVERLAP], saved(declared_bytes, bytes));
	enter_elims(&n[STATISTICS_RANGE_ELIMS], saved(declared, n_ranges));
	enter_length(&n[STATISTICS_RANGE_OVERLAPS], saved(declared_bytes, bytes));
}

void statistics_abort(void)
{
	add(&counts()[STATISTICS_ABORT], 1);
}

void statistics_wait(void)
{
	add(&counts()[STATISTICS_TRUNCATION_WAIT], 1);
}

void statistics_flush(uint64_t ns, uint64_t bytes)
{
	uint64_t *n = counts();

	add(&n[STATISTICS_FLUSH], 1);
	add(&n[STATISTICS_FLUSH_NS], ns);
	add(&n[STATISTICS_LOG_WRITTEN], bytes);
	enter(&n[STATISTICS_FLUSH_TIMES], ns / 1000000, flush_ms, STATISTICS_FLUSHES);
	__atomic_store_n(&all.last.flush_ns, ns, __ATOMIC_RELAXED);
}

void statistics_wrap(void)
{
	add(&counts()[STATISTICS_WRAP], 1);
}

void statistics_split(void)
{
	add(&counts()[STATISTICS_SPLIT], 1);
}

void statistics_special(void)
{
	add(&counts()[STATISTICS_SPECIAL], 1);
}

void statistics_coalesced(uint64_t n_tx, uint64_t bytes)
{
	uint64_t *n = counts();

	add(&n[STATISTICS_TRANS_COALESCED], n_tx);
	add(&n[STATISTICS_TRANS_OVERLAP], bytes);
	enter_elims(&n[STATISTICS_TRANS_COALESCES], n_tx);
	enter_length(&n[STATISTICS_TRANS_OVERLAPS], bytes);
}

void statistics_ranges_coalesced(uint64_t n_ranges)
{
	uint64_t *n = counts();

	add(&n[STATISTICS_TRANS_ELIM], n_ranges);
	enter_elims(&n[STATISTICS_TRANS_ELIMS], n_ranges);
}

void statistics_rvm_flush(void)
{
	add(&counts()[STATISTICS_RVM_FLUSH], 1);
}

void statistics_truncation(enum statistics_truncation why)
{
	static const enum statistics_count place[] = {
		[STATISTICS_BY_PROGRAM] = STATISTICS_RVM_TRUNCATE,
		[STATISTICS_BY_THREAD] = STATISTICS_ASYNC_TRUNCATION,
		[STATISTICS_BY_COMMIT] = STATISTICS_SYNC_TRUNCATION,
	};

	add(&counts()[place[why]], 1);
}

void statistics_fallback(void)
{
	add(&counts()[STATISTICS_FALLBACK], 1);
}

void statistics_step(void)
{
	add(&counts()[STATISTICS_STEP], 1);
}

void statistics_step_pages(uint64_t written, uint64_t blocked)
{
	uint64_t *n = counts();

	add(&n[STATISTICS_STEP_PAGES], written);
	add(&n[STATISTICS_STEP_BLOCKED], blocked);
}

void statistics_log_used(uint64_t used, uint64_t size)
{
	uint64_t percent = (double)used / size * 100;

	pthread_mutex_lock(&all.lock);
	if (percent > all.last.log_used_max)
		all.last.log_used_max = percent;
	pthread_mutex_unlock(&all.lock);
}

void statistics_tree(uint64_t build_ns, uint64_t apply_ns)
{
	uint64_t *n = counts();

	enter_seconds(&n[STATISTICS_TREE_BUILD_TIMES], build_ns);
	enter_seconds(&n[STATISTICS_TREE_APPLY_TIMES], apply_ns);
	__atomic_store_n(&all.last.tree_build_ns, build_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&all.last.tree_apply_ns, apply_ns, __ATOMIC_RELAXED);
}

void statistics_recovery(void)
{
	add(&counts()[STATISTICS_RECOVERY], 1);
}

static void add_block(struct statistics_counts *sum, const struct block *block)
{
	for (size_t i = 0; i < STATISTICS_COUNTS; i++)
		sum->n[i] += __atomic_load_n(&block->counts.n[i], __ATOMIC_RELAXED);
}

/* Called with the lock. */
static void sum_up(struct statistics_counts *sum)
{
	memset(sum, 0, sizeof(*sum));
	add_block(sum, &shared);
	for (struct block *block = all.blocks; block; block = block->next)
		add_block(sum, block);
}

void statistics_truncated(uint64_t ns)
{
	uint64_t *n = counts();

	add(&n[STATISTICS_EPOCH], 1);
	add(&n[STATISTICS_TRUNCATION_NS], ns);
	enter_seconds(&n[STATISTICS_TRUNCATION_TIMES], ns);
	__atomic_store_n(&all.last.truncation_ns, ns, __ATOMIC_RELAXED);
	pthread_mutex_lock(&all.lock);
	sum_up(&all.epoch);
	pthread_mutex_unlock(&all.lock);
}

void statistics_start(void)
{
	pthread_mutex_lock(&all.lock);
	sum_up(&all.origin);
	all.epoch = all.origin;
	memset(&all.last, 0, sizeof(all.last));
	pthread_mutex_unlock(&all.lock);
}

static void subtract(struct statistics_counts *from, const struct statistics_counts *what)
{
	for (size_t i = 0; i < STATISTICS_COUNTS; i++)
		from->n[i] -= what->n[i];
}

void statistics_read(struct statistics_counts *total, struct statistics_counts *epoch,
		     struct statistics_last *last)
{
	pthread_mutex_lock(&all.lock);
	sum_up(total);
	*epoch = *total;
	subtract(total, &all.origin);
	subtract(epoch, &all.epoch);
	last->flush_ns = __atomic_load_n(&all.last.flush_ns, __ATOMIC_RELAXED);
	last->truncation_ns = __atomic_load_n(&all.last.truncation_ns, __ATOMIC_RELAXED);
	last->tree_build_ns = __atomic_load_n(&all.last.tree_build_ns, __ATOMIC_RELAXED);
	last->tree_apply_ns = __atomic_load_n(&all.last.tree_apply_ns, __ATOMIC_RELAXED);
	last->log_used_max = all.last.log_used_max;
	pthread_mutex_unlock(&all.lock);
}
