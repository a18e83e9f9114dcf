// SPDX-License-Identifier: GPL-2.0
/* Trials of the recoverable heap: threads that allocate and free, each call a transaction. */
#include <errno.h>
#include <pthread.h>
#include <rvm/rds.h>
#include <string.h>

#include "clock.h"
#include "files.h"
#include "random.h"
#include "scratch.h"
#include "trial.h"

#define THREADS_MAX	64
#define CLOCK_EVERY	16	/* transactions between two looks at the clock */
#define HEAP_ADDR	((char *)0x100000000UL)
#define HEAP_BYTES	(64UL << 20)
#define CHUNK		32UL
#define NLISTS		64UL
#define BLOCKS		1024U	/* that a thread has at most */
#define LONGEST		256U	/* bytes of a block */

/* struct user - a thread and its blocks */
struct user {
	char *blocks[BLOCKS];
	uint64_t random;
	uint64_t done;
};

static const struct setting *setting;
static uint64_t end_ns;

static void check_heap(const char *what, int err)
{
	if (err)
		die(what, rvm_error());
}

/* One block comes or goes. */
static void change(struct user *user, rvm_tid_t *tid)
{
	uint64_t n = random_next(&user->random);
	char **at = &user->blocks[n % BLOCKS];
	int err = 0;

	if (*at) {
		rds_free(*at, tid, &err);
		*at = NULL;
	} else {
		*at = rds_malloc(1 + (n >> 32) % LONGEST, tid, &err);
	}
	check_heap("the heap", err);
}

static void *use(void *arg)
{
	struct user *user = arg;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	do {
		check("begin", rvm_begin_transaction(&tid, restore));
		change(user, &tid);
		check("end", rvm_end_transaction(&tid, setting->flush ? flush : no_flush));
		user->done++;
	} while (user->done % CLOCK_EVERY || clock_ns() < end_ns);
	return NULL;
}

static uint64_t run_users(void)
{
	static struct user users[THREADS_MAX];
	pthread_t thread[THREADS_MAX];
	uint64_t done = 0;
	unsigned int i;

	for (i = 0; i < setting->threads; i++) {
		users[i].random = clock_ns() * 2 + 1;
		if (pthread_create(&thread[i], NULL, use, &users[i]))
			die("pthread_create", strerror(errno));
	}
	for (i = 0; i < setting->threads; i++) {
		pthread_join(thread[i], NULL);
		done += users[i].done;
	}
	return done;
}

/* Without a tracker, as all trials of explicit transactions. */
static void make_heap(void)
{
	rvm_offset_t length = rvm_mk_offset(0, RVM_SEGMENT_HDR_SIZE + HEAP_BYTES);
	rvm_options_t options;
	char path[PATH_MAX], log[PATH_MAX];
	size_t at;
	int err;

	files_path(setting, "log", log);
	files_path(setting, "heap", path);
	rvm_init_options(&options);
	options.log_dev = log;
	options.truncate = 50;
	options.create_log_file = rvm_true;
	options.create_log_size = rvm_mk_offset(0, setting->log);
	options.create_log_mode = 0600;
	options.flags |= RVM_TRACK_NONE;
	check("rvm_initialize", RVM_INIT(&options));
	rds_zap_heap(path, length, HEAP_ADDR, 0, HEAP_BYTES, NLISTS, CHUNK, &err);
	check_heap("rds_zap_heap", err);
	rds_load_heap(path, length, NULL, &err);
	check_heap("rds_load_heap", err);
	for (at = 0; at < HEAP_BYTES; at += 4096)
		*(volatile char *)(HEAP_ADDR + at) = HEAP_ADDR[at];
}

void trial_heap(const struct setting *s, struct outcome *outcome)
{
	rvm_log_info_t before, after;
	uint64_t start, done, written;

	setting = s;
	make_heap();
	files_settle(s);
	check("rvm_query_log", rvm_query_log(&before));
	written = scratch_written();
	start = clock_ns();
	end_ns = start + s->ms * 1000000UL;
	done = run_users();
	check("rvm_flush", rvm_flush());
	outcome->rate = done / ((clock_ns() - start) / 1e9);
	check("rvm_query_log", rvm_query_log(&after));
	check("rvm_truncate", rvm_truncate());
	outcome->log_bytes = (double)(after.tail - before.tail) / done;
	outcome->disk_bytes = (double)(scratch_written() - written) / done;
}
