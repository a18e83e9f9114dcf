// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3: several transactions at once,
 * which it finds again by rvm_query.
 *
 *	transactions LOG DATA
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rvm/rvm.h>

#define TIDS 5

static void must(rvm_return_t ret)
{
	if (ret != RVM_SUCCESS) {
		fprintf(stderr, "failed: %s\n", rvm_return(ret));
		exit(1);
	}
}

/* Is the transaction one of those that the query found? */
static rvm_bool_t found(rvm_options_t *query, rvm_tid_t *tid)
{
	long i;

	for (i = 0; i < query->n_uncommit; i++)
		if (!memcmp(&query->tid_array[i].uname, &tid->uname, sizeof(tid->uname)) &&
		    query->tid_array[i].tid == tid->tid)
			return rvm_true;
	return rvm_false;
}

static void show(rvm_tid_t **tids)
{
	rvm_options_t *query = rvm_malloc_options();
	int i;

	must(rvm_query(query, NULL));
	printf("%ld open:", query->n_uncommit);
	for (i = 0; i < TIDS; i++)
		printf(" %s", found(query, tids[i]) == rvm_true ? "yes" : "no");
	printf("\n");
	rvm_free_options(query);
}

int main(int argc, char **argv)
{
	rvm_options_t *options;
	rvm_region_t *region;
	rvm_tid_t *tids[TIDS];
	char *data;
	int i;

	if (argc != 3)
		return 2;
	options = rvm_malloc_options();
	options->log_dev = argv[1];
	options->flags = 0;
	options->create_log_file = rvm_true;
	RVM_ZERO_OFFSET(options->create_log_size);
	options->create_log_size.low = 64 * 1024;
	options->create_log_mode = 0644;
	must(RVM_INIT(options));
	region = rvm_malloc_region();
	region->data_dev = argv[2];
	region->length = RVM_PAGE_SIZE;
	must(rvm_map(region, NULL));
	data = region->vmaddr;

	for (i = 0; i < TIDS; i++) {
		tids[i] = rvm_malloc_tid();
		must(rvm_begin_transaction(tids[i], restore));
		must(rvm_set_range(tids[i], data + 16 * i, 16));
		sprintf(data + 16 * i, "entry %d", i);
	}
	show(tids);
	must(rvm_end_transaction(tids[1], no_flush));
	must(rvm_abort_transaction(tids[3]));
	show(tids);
	must(rvm_modify_bytes(tids[0], data, "changed", 8));
	must(rvm_end_transaction(tids[4], flush));
	must(rvm_end_transaction(tids[0], no_flush));
	must(rvm_end_transaction(tids[2], no_flush));
	must(rvm_flush());
	show(tids);
	for (i = 0; i < TIDS; i++) {
		printf("%d '%s'\n", i, data + 16 * i);
		rvm_free_tid(tids[i]);
	}
	must(rvm_unmap(region));
	rvm_free_region(region);
	rvm_free_options(options);
	must(rvm_terminate());
	return 0;
}
