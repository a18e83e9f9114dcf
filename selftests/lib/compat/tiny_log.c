// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3: a log of 4096 bytes, which has
 * to be truncated every few transactions, and no optimizations.
 *
 *	tiny_log LOG DATA	count to 1000 in 32 places, print the sum
 */
#include <stdio.h>
#include <stdlib.h>

#include <rvm/rvm.h>

#define PLACES 32
#define ROUNDS 1000

static void must(rvm_return_t ret, char *what)
{
	if (ret != RVM_SUCCESS) {
		fprintf(stderr, "%s: %s\n", what, rvm_return(ret));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	rvm_options_t options;
	rvm_offset_t log_len;
	rvm_region_t region;
	rvm_tid_t tid;
	long *place, sum;
	int i;

	if (argc != 3)
		return 2;
	rvm_init_options(&options);
	options.log_dev = argv[1];
	options.flags = 0;
	log_len = RVM_MK_OFFSET(0, 4096);
	must(RVM_INIT(NULL), "rvm_initialize");
	must(rvm_create_log(&options, &log_len, 0600), "rvm_create_log");
	must(rvm_set_options(&options), "rvm_set_options");

	/* All of the segment, wherever there is room. */
	rvm_init_region(&region);
	region.data_dev = argv[2];
	region.length = 0;
	must(rvm_map(&region, NULL), "rvm_map");
	printf("length %lu of %lu\n", region.length, RVM_OFFSET_TO_LENGTH(region.dev_length));

	place = (long *)region.vmaddr;
	rvm_init_tid(&tid);
	for (i = 0; i < ROUNDS; i++) {
		must(rvm_begin_transaction(&tid, no_restore), "rvm_begin_transaction");
		must(rvm_set_range(&tid, &place[i % PLACES], sizeof(long)), "rvm_set_range");
		place[i % PLACES]++;
		must(rvm_end_transaction(&tid, i % 7 ? no_flush : flush), "rvm_end_transaction");
	}
	must(rvm_unmap(&region), "rvm_unmap");
	region.vmaddr = NULL;	/* somebody else may be there by now */
	must(rvm_map(&region, NULL), "rvm_map");
	place = (long *)region.vmaddr;
	for (sum = 0, i = 0; i < PLACES; i++)
		sum += place[i];
	printf("sum %ld\n", sum);
	must(rvm_unmap(&region), "rvm_unmap");
	must(rvm_terminate(), "rvm_terminate");
	return 0;
}
