// SPDX-License-Identifier: GPL-2.0
/* Trials of transactions: with this library, and what memory and disk can do at most. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "tpca.h"
#include "trial.h"

#define TELLERS_MAX	64
#define CLOCK_EVERY	16	/* transactions between two looks at the clock */
#define RING		(1UL << 20)	/* where copies go */
#define APPENDED	(32UL << 20)	/* bytes of the file that is appended to */
#define GROUP_MAX	(TELLERS_MAX * 1024UL)
#define SECTOR		512UL

/* A transaction of one kind. */
typedef void transact_fn(struct teller *teller);

static const struct setting *setting;
static uint64_t end_ns;

/* A log that is nothing but a file: one thread writes for all that wait. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t written;
	int fd;
	bool direct;
	bool leading;
	uint64_t appended;	/* records */
	uint64_t durable;
	size_t place;
	char *buffer;
} file = { .lock = PTHREAD_MUTEX_INITIALIZER, .written = PTHREAD_COND_INITIALIZER };

static void change(struct teller *teller)
{
	char *at[TPCA_RANGES];
	unsigned int i;

	tpca_choose(teller, at);
	for (i = 0; i < TPCA_RANGES; i++)
		tpca_store(teller, at[i], tpca_length(i));
}

/* Old values to one place, new ones to another. */
static void copy_and_change(struct teller *teller)
{
	static __thread char old[TPCA_BYTES], ring[RING];
	static __thread size_t place;
	char *at[TPCA_RANGES];
	unsigned int i;
	size_t used;

	tpca_choose(teller, at);
	for (i = 0, used = 0; i < TPCA_RANGES; used += tpca_length(i), i++)
		memcpy(old + used, at[i], tpca_length(i));
	for (i = 0; i < TPCA_RANGES; i++)
		tpca_store(teller, at[i], tpca_length(i));
	if (place + TPCA_RECORD > RING)
		place = 0;
	for (i = 0, used = 64; i < TPCA_RANGES; used += tpca_length(i) + 16, i++)
		memcpy(ring + place + used, at[i], tpca_length(i));
	place += TPCA_RECORD;
	/* both are read by nobody: the compiler must not find out */
	__asm__ volatile("" : : "r"(old), "r"(ring) : "memory");
}

static void write_group(uint64_t records)
{
	size_t length = records * TPCA_RECORD;

	if (file.direct)
		length = (length + SECTOR - 1) & -SECTOR;
	if (file.place + length > APPENDED)
		file.place = 0;
	if (pwrite(file.fd, file.buffer, length, file.place) != (ssize_t)length ||
	    (!file.direct && fdatasync(file.fd)))
		die("append", strerror(errno));
	file.place += length;
}

static void append(struct teller *teller)
{
	uint64_t mine, group;

	change(teller);
	pthread_mutex_lock(&file.lock);
	mine = ++file.appended;
	while (file.durable < mine) {
		if (file.leading) {
			pthread_cond_wait(&file.written, &file.lock);
			continue;
		}
		file.leading = true;
		group = file.appended;
		pthread_mutex_unlock(&file.lock);
		write_group(group - file.durable);
		pthread_mutex_lock(&file.lock);
		file.durable = group;
		file.leading = false;
		pthread_cond_broadcast(&file.written);
	}
	pthread_mutex_unlock(&file.lock);
}

static void commit(struct teller *teller, rvm_mode_t mode)
{
	char *at[TPCA_RANGES];
	unsigned int i;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	check("begin", rvm_begin_transaction(&tid, mode));
	tpca_choose(teller, at);
	for (i = 0; i < TPCA_RANGES; i++) {
		check("set_range", rvm_set_range(&tid, at[i], tpca_length(i)));
		tpca_store(teller, at[i], tpca_length(i));
	}
	check("end", rvm_end_transaction(&tid, setting->flush ? flush : no_flush));
}

static void commit_restore(struct teller *teller)
{
	commit(teller, restore);
}

static void commit_no_restore(struct teller *teller)
{
	commit(teller, no_restore);
}

static transact_fn *transact;

static void *act(void *arg)
{
	struct teller *teller = arg;

	do {
		transact(teller);
		teller->done++;
	} while (teller->done % CLOCK_EVERY || clock_ns() < end_ns);
	return NULL;
}

/* All tellers for the time that is set; returns the transactions made. */
static uint64_t run_tellers(char *base)
{
	struct teller teller[TELLERS_MAX];
	pthread_t thread[TELLERS_MAX];
	uint64_t done = 0;
	unsigned int i;

	for (i = 0; i < setting->threads; i++) {
		teller[i] = (struct teller){
			.base = base, .size = setting->array, .id = i,
			.threads = setting->threads, .random = clock_ns() * 2 + 1,
		};
		if (pthread_create(&thread[i], NULL, act, &teller[i]))
			die("pthread_create", strerror(errno));
	}
	for (i = 0; i < setting->threads; i++) {
		pthread_join(thread[i], NULL);
		done += teller[i].done;
	}
	return done;
}

static uint64_t measure(transact_fn *fn, char *base, struct outcome *outcome)
{
	uint64_t written, start, done;

	files_settle(setting);
	written = files_written();
	start = clock_ns();
	transact = fn;
	end_ns = start + setting->ms * 1000000UL;
	done = run_tellers(base);
	if (fn == commit_restore || fn == commit_no_restore) {
		check("rvm_flush", rvm_flush());
		outcome->rate = done / ((clock_ns() - start) / 1e9);
		check("rvm_truncate", rvm_truncate());
	} else {
		outcome->rate = done / ((clock_ns() - start) / 1e9);
	}
	outcome->disk_bytes = (double)(files_written() - written) / done;
	return done;
}

static void measure_library(const struct setting *s, transact_fn *fn, struct outcome *outcome)
{
	rvm_log_info_t before, after;
	uint64_t done;
	char *base;

	setting = s;
	base = files_open(s, 50);
	check("rvm_query_log", rvm_query_log(&before));
	done = measure(fn, base, outcome);
	check("rvm_query_log", rvm_query_log(&after));
	outcome->log_bytes = (double)(after.tail - before.tail) / done;
}

void trial_restore(const struct setting *s, struct outcome *outcome)
{
	measure_library(s, commit_restore, outcome);
}

void trial_no_restore(const struct setting *s, struct outcome *outcome)
{
	measure_library(s, commit_no_restore, outcome);
}

static char *plain_memory(void)
{
	char *base = mmap(NULL, setting->array, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (base == MAP_FAILED)
		die("mmap", strerror(errno));
	return base;
}

void trial_stores(const struct setting *s, struct outcome *outcome)
{
	setting = s;
	measure(change, plain_memory(), outcome);
}

void trial_copies(const struct setting *s, struct outcome *outcome)
{
	setting = s;
	measure(copy_and_change, plain_memory(), outcome);
}

static void open_file(int flags)
{
	file.fd = files_create(setting, "limit", APPENDED, flags);
	file.direct = flags;
	file.buffer = aligned_alloc(4096, GROUP_MAX);
	if (!file.buffer)
		die("append", "no memory");
	memset(file.buffer, 0x5a, GROUP_MAX);
}

void trial_append(const struct setting *s, struct outcome *outcome)
{
	setting = s;
	open_file(0);
	measure(append, plain_memory(), outcome);
}

void trial_direct(const struct setting *s, struct outcome *outcome)
{
	setting = s;
	open_file(O_DIRECT | O_DSYNC);
	measure(append, plain_memory(), outcome);
}

#define LATENCIES	(4UL << 20)
#define LOOK_EVERY	256	/* transactions between two looks at the log */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

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

		commit(teller, restore);
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
