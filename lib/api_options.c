// SPDX-License-Identifier: LGPL-2.1-or-later
/* Options: what is allowed, and what rvm_query() tells of them. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "log.h"
#include "segment.h"

#define OPTION_FLAGS	(RVM_ALL_OPTIMIZATIONS | RVM_MAP_PRIVATE | TRACKERS | RVM_STRICT | \
			 DISJOINT | RVM_HUGE_PAGES | RVM_CREATE_SEGMENT | \
			 RVM_INCREMENTAL_TRUNCATION)

static rvm_return_t check_lengths(const rvm_options_t *options)
{
	if (options->recovery_buf_len > LONG_MAX || options->flush_buf_len > LONG_MAX ||
	    options->max_read_len > LONG_MAX)
		return fail(RVM_EOPTIONS, "a buffer length in the options is absurdly large");
	if (options->create_log_size.high)
		return fail(RVM_EOPTIONS, "create_log_size is above 2^64");
	return RVM_SUCCESS;
}

rvm_return_t check_options(const rvm_options_t *options)
{
	unsigned long trackers = options->flags & TRACKERS;

	if (options->struct_id != rvm_options_id)
		return fail(RVM_EOPTIONS, "not an options record: call rvm_init_options() on it");
	if (options->pager)
		return fail(RVM_EPAGER, "external pagers are not supported: pager must be NULL");
	if (options->truncate < 0 || options->truncate > 100)
		return fail(RVM_EOPTIONS, "truncate is %ld, but a percentage is 0 to 100",
			    options->truncate);
	if (options->flush_interval < 0 || options->flush_interval > INT_MAX)
		return fail(RVM_EOPTIONS, "flush_interval is %ld, but milliseconds are 0 to %d",
			    options->flush_interval, INT_MAX);
	if (options->flags & ~OPTION_FLAGS)
		return fail(RVM_EOPTIONS, "the options' flags 0x%lx are unknown to this library",
			    options->flags & ~OPTION_FLAGS);
	if (trackers & (trackers - 1))
		return fail(RVM_EOPTIONS, "the options ask for more than one tracker");
	if (options->log_dev && strlen(options->log_dev) >= PATH_MAX)
		return fail(RVM_ENAME_TOO_LONG, "log_dev is longer than a path may be");
	return check_lengths(options);
}

/* struct tids - an array being filled with the handles of open transactions */
struct tids {
	rvm_tid_t *tid;
	size_t n;
	size_t max;
};

static void add_tid(void *arg, struct tx *tx, uint64_t id)
{
	struct tids *tids = arg;

	if (tids->n == tids->max)
		return;
	rvm_init_tid(&tids->tid[tids->n]);
	fill_tid(&tids->tid[tids->n++], tx, id);
}

static rvm_return_t query_txs(rvm_options_t *options)
{
	struct tids tids = { .max = txs_open(&rvm.txs, NULL, NULL) };

	free(options->tid_array);
	options->n_uncommit = 0;
	options->tid_array = NULL;
	if (!tids.max)
		return RVM_SUCCESS;
	tids.tid = malloc(tids.max * sizeof(*tids.tid));
	if (!tids.tid)
		return fail(RVM_ENO_MEMORY, "out of memory for the list of transactions");
	txs_open(&rvm.txs, add_tid, &tids);
	options->n_uncommit = tids.n;
	options->tid_array = tids.tid;
	return RVM_SUCCESS;
}

static rvm_return_t query_region(rvm_region_t *region)
{
	struct region *mapped;
	rvm_return_t code;

	code = find_region(region, &mapped);
	if (code)
		return code;
	region->data_dev = mapped->segment->path;
	region->dev_length = rvm_mk_offset(0, mapped->segment->length);
	region->offset = rvm_mk_offset(0, mapped->offset);
	region->length = mapped->length;
	return RVM_SUCCESS;
}

rvm_return_t rvm_query(rvm_options_t *options, rvm_region_t *region)
{
	rvm_return_t code = enter();
	rvm_options_t asked;

	if (code)
		return code;
	if (!options || options->struct_id != rvm_options_id)
		return fail(RVM_EOPTIONS, "not an options record: call rvm_init_options() on it");
	asked = rvm.options;
	asked.struct_id = rvm_options_id;
	asked.from_heap = options->from_heap;
	asked.tid_array = options->tid_array;
	asked.log_empty = !rvm.log || !log_used(rvm.log) ? rvm_true : rvm_false;
	*options = asked;
	code = query_txs(options);
	if (!code && region)
		code = query_region(region);
	return code;
}
