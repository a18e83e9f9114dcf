// SPDX-License-Identifier: GPL-2.0
/*
 * A program as it was written for CMU RVM 1.3: records are made, copied and
 * freed; names of modes, types and codes are printed.
 *
 *	records
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rvm/rvm.h>
#include <rvm/rvm_statistics.h>

static void options(void)
{
	rvm_options_t *one = rvm_malloc_options(), *two;

	printf("%s truncate %ld buffers %lu %lu read %lu flags %lu\n", rvm_type(one->struct_id),
	       one->truncate, one->recovery_buf_len, one->flush_buf_len, one->max_read_len,
	       one->flags);
	one->log_dev = "/a/log";
	two = rvm_copy_options(one);
	rvm_free_options(one);
	printf("copy %s %d\n", two->log_dev, two->from_heap);
	rvm_free_options(two);
}

static void regions(void)
{
	rvm_region_t one, *two;

	rvm_init_region(&one);
	one.data_dev = "/a/segment";
	one.offset = RVM_MK_OFFSET(1, 2);
	one.length = 3;
	two = rvm_copy_region(&one);
	printf("%s %d, copy %s %d %lu %lu %lu\n", rvm_type(one.struct_id), one.from_heap,
	       two->data_dev, two->from_heap, two->offset.high, two->offset.low, two->length);
	rvm_free_region(two);
	rvm_free_region(&one);
}

static void tids(void)
{
	rvm_tid_t *one = rvm_malloc_tid(), *two = rvm_copy_tid(one);

	printf("%s %d %s %d\n", rvm_type(one->struct_id), one->from_heap,
	       rvm_type(two->struct_id), two->from_heap);
	rvm_free_tid(one);
	rvm_free_tid(two);
}

int main(void)
{
	rvm_mode_t mode;
	int id;

	options();
	regions();
	tids();
	for (mode = restore; mode < rvm_last_mode; mode = (rvm_mode_t)(mode + 1))
		printf("%s ", rvm_mode(mode));
	for (id = rvm_first_id + 1; id < rvm_last_struct_id; id++)
		printf("%s ", rvm_type((rvm_struct_id_t)id));
	printf("%s %s\n", rvm_return(rvm_first_code + 1), rvm_return(rvm_last_code - 1));
	return TRUE + FALSE - 1;
}
