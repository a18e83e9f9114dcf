// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3: goes through the return codes
 * that its authors relied on, and prints them by name.
 *
 *	codes LOG DATA
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rvm/rvm.h>

static char *dev_name;

static void show(char *what, rvm_return_t ret)
{
	printf("%s %s\n", what, rvm_return(ret));
	if (ret < rvm_first_code + 1 || ret > rvm_last_code - 1) {
		if (ret != RVM_SUCCESS)
			exit(1);
	}
}

static void before_init(void)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	show("flush", rvm_flush());
	show("begin", rvm_begin_transaction(NULL, restore));
	show("end", rvm_end_transaction(&tid, flush));
	show("version", rvm_initialize("RVM Interface Version 0.9", NULL));
}

static void modes_and_tids(void)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	show("mode", rvm_begin_transaction(&tid, flush));
	show("null", rvm_begin_transaction(NULL, restore));
	show("unbegun", rvm_end_transaction(&tid, flush));
	show("begin", rvm_begin_transaction(&tid, restore));
	show("badend", rvm_end_transaction(&tid, restore));
	show("nowhere", rvm_set_range(&tid, &tid, sizeof(tid)));
	show("terminate", rvm_terminate());
	show("abort", rvm_abort_transaction(&tid));
}

static void regions(void)
{
	rvm_region_t one, two;
	rvm_tid_t tid;

	rvm_init_region(&one);
	one.data_dev = dev_name;
	one.length = 2 * RVM_PAGE_SIZE;
	show("map", rvm_map(&one, NULL));
	rvm_init_region(&two);
	two.data_dev = dev_name;
	two.offset = RVM_MK_OFFSET(0, RVM_PAGE_SIZE);
	two.length = RVM_PAGE_SIZE;
	show("overlap", rvm_map(&two, NULL));
	rvm_init_tid(&tid);
	show("begin", rvm_begin_transaction(&tid, restore));
	show("cross", rvm_set_range(&tid, RVM_ADD_LENGTH_TO_ADDR(one.length - 1, one.vmaddr), 2));
	show("range", rvm_set_range(&tid, one.vmaddr, 10));
	show("uncommitted", rvm_unmap(&one));
	show("end", rvm_end_transaction(&tid, no_flush));
	show("again", rvm_end_transaction(&tid, no_flush));
	show("unmap", rvm_unmap(&one));
	show("unmapped", rvm_unmap(&one));
}

static void query(void)
{
	rvm_options_t *options = rvm_malloc_options();
	rvm_tid_t *tid = rvm_malloc_tid();

	show("begin", rvm_begin_transaction(tid, no_restore));
	show("query", rvm_query(options, NULL));
	printf("uncommitted %ld\n", options->n_uncommit);
	printf("tid %s\n", rvm_type(options->tid_array[0].struct_id));
	show("end", rvm_end_transaction(tid, flush));
	show("truncate", rvm_truncate());
	show("query", rvm_query(options, NULL));
	printf("uncommitted %ld empty %d\n", options->n_uncommit, options->log_empty);
	options->truncate = 80;
	options->flags = RVM_COALESCE_RANGES;
	show("options", rvm_set_options(options));
	rvm_free_tid(tid);
	rvm_free_options(options);
}

int main(int argc, char **argv)
{
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, 4096);
	rvm_options_t options;

	if (argc != 3)
		return 2;
	dev_name = argv[2];
	before_init();
	rvm_init_options(&options);
	options.log_dev = argv[1];
	show("init", RVM_INIT(NULL));
	show("create", rvm_create_log(&options, &length, 0600));
	show("exists", rvm_create_log(&options, &length, 0600));
	show("open", rvm_set_options(&options));
	modes_and_tids();
	regions();
	query();
	show("done", rvm_terminate());
	show("twice", rvm_terminate());
	return 0;
}
