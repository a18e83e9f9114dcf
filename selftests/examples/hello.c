// SPDX-License-Identifier: GPL-2.0
/* Count how often this program has run, whatever happened to it meanwhile. */
#include <err.h>
#include <stdio.h>

#include <rvm/rvm.h>

static void check(rvm_return_t code)
{
	if (code != RVM_SUCCESS)
		errx(1, "%s: %s", rvm_return(code), rvm_error());
}

int main(void)
{
	rvm_options_t options;
	rvm_region_t region;
	rvm_tid_t tid;
	long *runs;

	rvm_init_options(&options);
	options.log_dev = "hello.log";
	options.create_log_file = rvm_true;
	options.create_log_size = RVM_LENGTH_TO_OFFSET(1024 * 1024);
	options.flags |= RVM_CREATE_SEGMENT;
	check(RVM_INIT(&options));		/* recovers what a crash left */

	rvm_init_region(&region);
	region.data_dev = "hello.segment";
	region.dev_length = RVM_LENGTH_TO_OFFSET(RVM_PAGE_SIZE);
	check(rvm_map(&region, &options));
	runs = (long *)region.vmaddr;

	rvm_init_tid(&tid);
	check(rvm_begin_transaction(&tid, rvm_tracked));
	++*runs;				/* any plain stores */
	check(rvm_end_transaction(&tid, flush));
	printf("run %ld\n", *runs);
	check(rvm_unmap(&region));
	check(rvm_terminate());
	return 0;
}
