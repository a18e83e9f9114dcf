// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3 with the segment loader: two
 * regions at fixed addresses, the second with a pointer into the first.
 *
 *	segments LOG DATA create	make the segment
 *	segments LOG DATA		load it, count one up through the pointer
 */
#include <stdio.h>
#include <stdlib.h>

#include <rvm/rvm.h>
#include <rvm/rvm_segment.h>

#define FIRST	((char *)0x21000000)
#define SECOND	((char *)0x22000000)

static void must(rvm_return_t ret, char *what)
{
	if (ret != RVM_SUCCESS) {
		fprintf(stderr, "%s: %s\n", what, rvm_return(ret));
		exit(1);
	}
}

static void create(char *data, rvm_offset_t length, rvm_options_t *options)
{
	rvm_region_def_t def[2];

	RVM_INIT_REGION(def[0], RVM_MK_OFFSET(0, RVM_SEGMENT_HDR_SIZE), RVM_PAGE_SIZE, FIRST);
	RVM_INIT_REGION(def[1], RVM_ADD_LENGTH_TO_OFFSET(def[0].offset, def[0].length),
			2 * RVM_PAGE_SIZE, SECOND);
	must(rvm_create_segment(data, length, options, 2, def), "rvm_create_segment");
}

static void count(void)
{
	long **pointer = (long **)SECOND;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	must(rvm_begin_transaction(&tid, restore), "rvm_begin_transaction");
	if (!*pointer) {
		must(rvm_set_range(&tid, pointer, sizeof(*pointer)), "rvm_set_range");
		*pointer = (long *)(FIRST + 64);
	}
	must(rvm_set_range(&tid, *pointer, sizeof(long)), "rvm_set_range");
	++**pointer;
	must(rvm_end_transaction(&tid, flush), "rvm_end_transaction");
	printf("count %ld\n", **pointer);
}

int main(int argc, char **argv)
{
	rvm_region_def_t *defs = NULL;
	unsigned long n = 0, i;
	rvm_options_t options;
	rvm_offset_t length;

	if (argc != 3 && argc != 4)
		return 2;
	rvm_init_options(&options);
	options.log_dev = argv[1];
	options.flags = 0;
	options.create_log_file = rvm_true;
	options.create_log_size = RVM_LENGTH_TO_OFFSET(64 * 1024);
	must(RVM_INIT(&options), "rvm_initialize");
	length = RVM_LENGTH_TO_OFFSET(16 * RVM_PAGE_SIZE);
	if (argc == 4)
		create(argv[2], length, &options);
	must(rvm_load_segment(argv[2], length, &options, &n, &defs), "rvm_load_segment");
	for (i = 0; i < n; i++)
		printf("region %lu: %lu bytes at %p\n", i, defs[i].length, (void *)defs[i].vmaddr);
	count();
	must(rvm_release_segment(n, &defs), "rvm_release_segment");
	must(rvm_terminate(), "rvm_terminate");
	return 0;
}
