// SPDX-License-Identifier: LGPL-2.1-or-later
/* The log: create_log, resize_log, flush, truncate, query_log. */
#include <string.h>
#include <sys/stat.h>

#include "instance.h"
#include "log.h"
#include "logfile.h"
#include "resize.h"
#include "statistics.h"

/* A log by its path, and a length for it. */
static rvm_return_t check_log(const rvm_options_t *options, const rvm_offset_t *log_len)
{
	rvm_return_t code = enter();

	if (code)
		return code;
	if (!options)
		return fail(RVM_EOPTIONS, "no options given");
	code = check_options(options);
	if (code)
		return code;
	if (!options->log_dev)
		return fail(RVM_EOPTIONS, "log_dev names no log");
	if (!log_len || log_len->high)
		return fail(RVM_EOFFSET, "the log's length is missing or above 2^64");
	return RVM_SUCCESS;
}

rvm_return_t rvm_create_log(rvm_options_t *options, rvm_offset_t *log_len, long mode)
{
	rvm_return_t code = check_log(options, log_len);

	if (code)
		return code;
	return code_of(log_create(options->log_dev, log_len->low, mode, false, NULL, NULL), NULL);
}

/* Is it the log in use, by whatever name? */
static bool is_open_here(const char *path)
{
	struct stat a, b;

	if (!rvm.log || fstat(log_file(rvm.log)->fd, &a) || stat(path, &b))
		return false;
	if (S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode))
		return a.st_rdev == b.st_rdev;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* What an errno means in rvm_resize_log(). */
static const struct code resizing[] = {
	{ ERANGE, RVM_EOFFSET },
	{ 0, 0 }
};

rvm_return_t rvm_resize_log(rvm_options_t *options, rvm_offset_t *log_len)
{
	rvm_return_t code = check_log(options, log_len);

	if (code)
		return code;
	if (!is_open_here(options->log_dev))
		return code_of(log_resize(options->log_dev, log_len->low, NULL, NULL), resizing);
	pthread_mutex_lock(&rvm.layout);
	code = code_of(log_resize_in_use(rvm.log, &rvm.truncator, log_len->low), resizing);
	pthread_mutex_unlock(&rvm.layout);
	return code;
}

rvm_return_t flush_all(void)
{
	struct log_state state;

	log_state(rvm.log, &state);
	return code_of(log_flush(rvm.log, state.tail), NULL);
}

rvm_return_t rvm_flush(void)
{
	rvm_return_t code = enter_log();

	if (code)
		return code;
	statistics_rvm_flush();
	return flush_all();
}

rvm_return_t rvm_truncate(void)
{
	rvm_return_t code = enter_log();

	if (code)
		return code;
	statistics_truncation(STATISTICS_BY_PROGRAM);
	return code_of(truncate_log(&rvm.truncator), NULL);
}

rvm_return_t rvm_query_log(rvm_log_info_t *info)
{
	rvm_return_t code = enter_log();
	struct log_state state;

	if (code)
		return code;
	if (!info)
		return fail(RVM_EOPTIONS, "no room for the answer: info is NULL");
	log_state(rvm.log, &state);
	memcpy(info->uuid, state.uuid, sizeof(info->uuid));
	info->generation = state.generation;
	info->size = state.size;
	info->head = state.head;
	info->tail = state.tail;
	info->durable = state.durable;
	info->error = -state.error;
	return RVM_SUCCESS;
}
