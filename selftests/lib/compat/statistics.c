// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3: looks at the statistics after
 * each phase of its work, keeps a copy, prints all.
 *
 *	statistics LOG DATA
 */
#include <stdio.h>
#include <stdlib.h>

#include <rvm/rvm.h>
#include <rvm/rvm_statistics.h>

static void must(rvm_return_t ret, char *what)
{
	if (ret != RVM_SUCCESS) {
		fprintf(stderr, "%s: %s\n", what, rvm_return(ret));
		exit(1);
	}
}

static void commits(char *data, int count, rvm_mode_t mode)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	while (count--) {
		must(rvm_begin_transaction(&tid, restore), "rvm_begin_transaction");
		must(rvm_set_range(&tid, data, 32), "rvm_set_range");
		must(rvm_set_range(&tid, data, 32), "rvm_set_range");
		data[count]++;
		must(rvm_end_transaction(&tid, mode), "rvm_end_transaction");
	}
}

int main(int argc, char **argv)
{
	rvm_statistics_t *now, *before, local;
	rvm_options_t options;
	rvm_region_t region;
	rvm_tid_t tid;

	if (argc != 3)
		return 2;
	rvm_init_options(&options);
	options.log_dev = argv[1];
	options.truncate = 0;
	options.create_log_file = rvm_true;
	options.create_log_size = RVM_LENGTH_TO_OFFSET(64 * 1024);
	must(RVM_INIT(&options), "rvm_initialize");
	rvm_init_region(&region);
	region.data_dev = argv[2];
	region.length = 0;
	must(rvm_map(&region, NULL), "rvm_map");

	now = rvm_malloc_statistics();
	commits(region.vmaddr, 3, flush);
	commits(region.vmaddr, 5, no_flush);
	rvm_init_tid(&tid);
	must(rvm_begin_transaction(&tid, restore), "rvm_begin_transaction");
	must(RVM_STATISTICS(now), "rvm_statistics");
	printf("%s: flush %lu no_flush %lu abort %lu open %lu\n", rvm_type(now->struct_id),
	       now->n_flush_commit, now->n_no_flush_commit, now->n_abort, now->n_uncommit);
	printf("saved: %lu ranges, %lu bytes\n", now->n_range_elim,
	       RVM_OFFSET_TO_LENGTH(now->range_overlap));
	must(rvm_abort_transaction(&tid), "rvm_abort_transaction");
	before = rvm_copy_statistics(now);
	must(rvm_truncate(), "rvm_truncate");
	rvm_init_statistics(&local);
	must(rvm_statistics(RVM_STATISTICS_VERSION, &local), "rvm_statistics");
	printf("then: flush %lu of %lu, abort %lu of %lu, truncations %lu\n",
	       local.n_flush_commit, local.tot_flush_commit, local.n_abort, local.tot_abort,
	       local.tot_rvm_truncate);
	printf("copy: flush %lu\n", before->n_flush_commit);
	printf("%s\n", rvm_return(rvm_statistics("another version", &local)));
	printf("%s\n", rvm_return(RVM_STATISTICS((rvm_statistics_t *)NULL)));
	must(rvm_print_statistics(&local, stdout), "rvm_print_statistics");
	rvm_free_statistics(before);
	rvm_free_statistics(now);
	must(rvm_unmap(&region), "rvm_unmap");
	must(rvm_terminate(), "rvm_terminate");
	return 0;
}
