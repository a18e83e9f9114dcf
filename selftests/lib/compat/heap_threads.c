// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3 with RDS: many threads allocate
 * and free on one heap, each in transactions of its own.
 *
 *	heap_threads LOG DATA THREADS ROUNDS
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rvm/rds.h>
#include <rvm/rvm.h>
#include <rvm/rvm_segment.h>

#define HELD 8

static long rounds;

static void must(int ret, char *what)
{
	if (ret != SUCCESS) {
		fprintf(stderr, "%s: %d %s\n", what, ret, ret > 0 ? rvm_return(ret) : "");
		exit(1);
	}
}

/* The block's bytes must be those that this thread wrote. */
static void check(char *block, int fill, unsigned long size)
{
	unsigned long i;

	for (i = 0; i < size; i++) {
		if (block[i] != (char)fill) {
			fprintf(stderr, "a block was given away twice\n");
			exit(1);
		}
	}
}

static void exchange(char **held, unsigned long size, int fill)
{
	rvm_tid_t *tid = rvm_malloc_tid();
	char *block;
	int err;

	must(rvm_begin_transaction(tid, restore), "rvm_begin_transaction");
	if (*held) {
		check(*held, fill, size);
		rds_free(*held, tid, &err);
		must(err, "rds_free");
	}
	block = rds_malloc(size, tid, &err);
	must(err, "rds_malloc");
	must(rvm_set_range(tid, block, size), "rvm_set_range");
	memset(block, fill, size);
	must(rvm_end_transaction(tid, no_flush), "rvm_end_transaction");
	*held = block;
	rvm_free_tid(tid);
}

static void *work(void *arg)
{
	char *held[HELD];
	int fill = (int)(size_t)arg, i, err;
	long round;

	memset(held, 0, sizeof(held));
	for (round = 0; round < rounds; round++)
		for (i = 0; i < HELD; i++)
			exchange(&held[i], 24UL << i, fill + i);
	for (i = 0; i < HELD; i++) {
		check(held[i], fill + i, 24UL << i);
		rds_free(held[i], NULL, &err);
		must(err, "rds_free");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	rvm_options_t options;
	pthread_t threads[64];
	rvm_offset_t length;
	rds_stats_t stats;
	char *area;
	int err, i, n;

	if (argc != 5)
		return 2;
	n = atoi(argv[3]);
	rounds = atol(argv[4]);
	if (n < 1 || n > 64)
		return 2;
	rvm_init_options(&options);
	options.log_dev = argv[1];
	options.flags = 0;
	options.create_log_file = rvm_true;
	options.create_log_size = RVM_LENGTH_TO_OFFSET(1024 * 1024);
	must(RVM_INIT(&options), "rvm_initialize");
	length = RVM_LENGTH_TO_OFFSET(1024 * 1024);
	rds_zap_heap(argv[2], length, (char *)0x23000000, RVM_PAGE_SIZE, 128 * RVM_PAGE_SIZE,
		     100, 32, &err);
	must(err, "rds_zap_heap");
	rds_load_heap(argv[2], length, &area, &err);
	must(err, "rds_load_heap");
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(size_t)(i * HELD)))
			return 1;
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	must(rds_get_stats(&stats), "rds_get_stats");
	printf("mallocs %u frees %u\n", stats.malloc, stats.free);
	rds_testsw = 1;
	rds_unload_heap(&err);
	must(err, "rds_unload_heap");
	must(rvm_terminate(), "rvm_terminate");
	return 0;
}
