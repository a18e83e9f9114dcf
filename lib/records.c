// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The records of the interface: allocate, initialize, copy, free.
 *
 * A copy holds its strings in the same block of memory as the record, so that
 * freeing it never frees a string of the program's.
 */
#include <rvm/rvm.h>
#include <stdlib.h>
#include <string.h>


static size_t string_size(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static char *put_string(char *at, const char *s)
{
	return s ? strcpy(at, s) : NULL;
}

void rvm_init_tid(rvm_tid_t *tid)
{
	if (!tid)
		return;
	memset(tid, 0, sizeof(*tid));
	tid->struct_id = rvm_tid_id;
}

rvm_tid_t *rvm_malloc_tid(void)
{
	rvm_tid_t *tid = malloc(sizeof(*tid));

	if (!tid)
		return NULL;
	rvm_init_tid(tid);
	tid->from_heap = rvm_true;
	return tid;
}

rvm_tid_t *rvm_copy_tid(rvm_tid_t *tid)
{
	rvm_tid_t *copy;

	if (!tid || tid->struct_id != rvm_tid_id)
		return NULL;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return NULL;
	*copy = *tid;
	copy->from_heap = rvm_true;
	return copy;
}

void rvm_free_tid(rvm_tid_t *tid)
{
	if (tid && tid->struct_id == rvm_tid_id && tid->from_heap)
		free(tid);
}

void rvm_init_options(rvm_options_t *options)
{
	if (!options)
		return;
	memset(options, 0, sizeof(*options));
	options->struct_id = rvm_options_id;
	options->truncate = TRUNCATE;
	options->recovery_buf_len = RECOVERY_BUF_LEN;
	options->flush_buf_len = FLUSH_BUF_LEN;
	options->max_read_len = MAX_READ_LEN;
	options->flags = RVM_ALL_OPTIMIZATIONS;
	options->create_log_mode = 0600;
	options->flush_interval = FLUSH_INTERVAL;
}

rvm_options_t *rvm_malloc_options(void)
{
	rvm_options_t *options = malloc(sizeof(*options));

	if (!options)
		return NULL;
	rvm_init_options(options);
	options->from_heap = rvm_true;
	return options;
}

static rvm_tid_t *copy_tids(const rvm_options_t *options)
{
	size_t size = options->n_uncommit * sizeof(rvm_tid_t);
	rvm_tid_t *tids = malloc(size);

	return tids ? memcpy(tids, options->tid_array, size) : NULL;
}

rvm_options_t *rvm_copy_options(rvm_options_t *options)
{
	rvm_options_t *copy;
	char *strings;

	if (!options || options->struct_id != rvm_options_id)
		return NULL;
	copy = malloc(sizeof(*copy) + string_size(options->log_dev) +
		      string_size(options->pager));
	if (!copy)
		return NULL;
	strings = (char *)(copy + 1);
	*copy = *options;
	copy->from_heap = rvm_true;
	copy->log_dev = put_string(strings, options->log_dev);
	copy->pager = put_string(strings + string_size(options->log_dev), options->pager);
	if (options->tid_array) {
		copy->tid_array = copy_tids(options);
		if (!copy->tid_array) {
			free(copy);
			return NULL;
		}
	}
	return copy;
}

void rvm_free_options(rvm_options_t *options)
{
	if (!options || options->struct_id != rvm_options_id)
		return;
	free(options->tid_array);
	options->tid_array = NULL;
	if (options->from_heap)
		free(options);
}

void rvm_init_region(rvm_region_t *region)
{
	if (!region)
		return;
	memset(region, 0, sizeof(*region));
	region->struct_id = rvm_region_id;
}

rvm_region_t *rvm_malloc_region(void)
{
	rvm_region_t *region = malloc(sizeof(*region));

	if (!region)
		return NULL;
	rvm_init_region(region);
	region->from_heap = rvm_true;
	return region;
}

rvm_region_t *rvm_copy_region(rvm_region_t *region)
{
	rvm_region_t *copy;

	if (!region || region->struct_id != rvm_region_id)
		return NULL;
	copy = malloc(sizeof(*copy) + string_size(region->data_dev));
	if (!copy)
		return NULL;
	*copy = *region;
	copy->from_heap = rvm_true;
	copy->data_dev = put_string((char *)(copy + 1), region->data_dev);
	return copy;
}

void rvm_free_region(rvm_region_t *region)
{
	if (region && region->struct_id == rvm_region_id && region->from_heap)
		free(region);
}
