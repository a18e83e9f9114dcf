// SPDX-License-Identifier: LGPL-2.1-or-later
/* The library's life: initialize, terminate, set_options, set_progress. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "committed.h"
#include "instance.h"
#include "log.h"
#include "recover.h"
#include "statistics.h"

#define BUFFERS	4	/* of flush_buf_len: some fill while others are written */

const char *rvm_error(void)
{
	return err_text();
}

static void keep_options(const rvm_options_t *options)
{
	rvm.options = *options;
	if (rvm.options.flush_buf_len < MIN_FLUSH_BUF_LEN)
		rvm.options.flush_buf_len = MIN_FLUSH_BUF_LEN;
	if (rvm.options.recovery_buf_len < MIN_RECOVERY_BUF_LEN)
		rvm.options.recovery_buf_len = MIN_RECOVERY_BUF_LEN;
	rvm.options.log_dev = rvm.log_dev;
	rvm.options.tid_array = NULL;
	rvm.options.n_uncommit = 0;
	if (!rvm.log)
		return;
	truncator_set_percent(&rvm.truncator, options->truncate);
	log_set_interval(rvm.log, options->flush_interval);
	log_set_merge(rvm.log, options->flags & RVM_COALESCE_TRANS);
	truncator_set_incremental(&rvm.truncator, options->flags & RVM_INCREMENTAL_TRUNCATION);
}

static int create_if_asked(const rvm_options_t *options)
{
	if (!options->create_log_file || !access(options->log_dev, F_OK) || errno != ENOENT)
		return 0;
	return log_create(options->log_dev, options->create_log_size.low,
			  options->create_log_mode, false, NULL, NULL);
}

/* Open and recover the log; the regions are empty. */
static int start_log(struct log *log, const rvm_options_t *options)
{
	int err;

	err = recover_log(log, rvm.progress, rvm.progress_arg, NULL);
	if (err)
		return err;
	err = truncator_start(&rvm.truncator, log, &rvm.regions, options->truncate, committed_copy,
			      &rvm.txs);
	if (err)
		return err;
	log_watch(log, regions_durable, &rvm.regions);
	err = log_start_flusher(log, options->flush_interval);
	if (err) {
		log_watch(log, NULL, NULL);
		truncator_stop(&rvm.truncator);
	}
	return err;
}

static int open_log(const rvm_options_t *options)
{
	uint64_t buffer = options->flush_buf_len;
	struct log *log;
	int err;

	if (buffer < MIN_FLUSH_BUF_LEN)
		buffer = MIN_FLUSH_BUF_LEN;
	rvm.log_dev = strdup(options->log_dev);
	if (!rvm.log_dev)
		return err_set(ENOMEM, "out of memory for the log's path");
	err = create_if_asked(options);
	if (!err)
		err = log_open(rvm.log_dev, BUFFERS * buffer, false, &log);
	if (err)
		goto free_path;
	err = start_log(log, options);
	if (err)
		goto close_log;
	rvm.log = log;
	return 0;

close_log:
	log_close(log);
free_path:
	free(rvm.log_dev);
	rvm.log_dev = NULL;
	return err;
}

static rvm_return_t start(rvm_options_t *options)
{
	rvm_options_t defaults;
	rvm_return_t code;
	int err;

	if (!options) {
		rvm_init_options(&defaults);
		options = &defaults;
	}
	code = check_options(options);
	if (!code)
		code = start_checks();
	if (code)
		return code;
	statistics_start();
	regions_init(&rvm.regions);
	err = options->log_dev ? open_log(options) : 0;
	if (err) {
		regions_free(&rvm.regions);
		return code_of(err, NULL);
	}
	keep_options(options);
	txs_start(&rvm.txs);
	rvm.up = true;
	return RVM_SUCCESS;
}

rvm_return_t rvm_initialize(const char *version, rvm_options_t *options)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	rvm_return_t code;

	err_clear();
	if (!version || strcmp(version, RVM_VERSION))
		return fail(RVM_EVERSION_SKEW,
			    "the program was compiled for \"%s\", the library is \"%s\"",
			    version ? version : "NULL", RVM_VERSION);
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&rvm.lock);
	if (rvm.inherited)
		code = refuse_child();
	else if (rvm.up)
		code = fail(RVM_EINIT, "the library is initialized already");
	else
		code = start(options);
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

static void check_regions(void)
{
	check_lock(&rvm.txs);
	for (struct region *r = rvm.regions.first; r; r = r->next)
		check_unmapping(&rvm.txs, r);
	check_unlock(&rvm.txs);
}

static rvm_return_t stop_log(void)
{
	rvm_return_t code = flush_all();
	int err;

	check_regions();
	log_watch(rvm.log, NULL, NULL);
	pressure_stop(&rvm.pressure);
	truncator_stop(&rvm.truncator);
	regions_free(&rvm.regions);
	regions_init(&rvm.regions);
	err = log_close(rvm.log);
	rvm.log = NULL;
	free(rvm.log_dev);
	rvm.log_dev = NULL;
	return code ? code : code_of(err, NULL);
}

static rvm_return_t stop(void)
{
	size_t open = txs_open(&rvm.txs, NULL, NULL);
	rvm_return_t code = RVM_SUCCESS;

	if (open && !log_error(rvm.log))
		return fail(RVM_EUNCOMMIT, "%zu transactions have not ended: end or abort them",
			    open);
	if (rvm.log)
		code = stop_log();
	txs_end(&rvm.txs);
	regions_free(&rvm.regions);
	rvm.up = false;
	return code;
}

rvm_return_t rvm_terminate(void)
{
	rvm_return_t code;

	pthread_mutex_lock(&rvm.lock);
	code = enter();
	if (!code)
		code = stop();
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

static rvm_return_t change_options(rvm_options_t *options)
{
	rvm_return_t code = check_options(options);
	int err = 0;

	if (code)
		return code;
	if (!rvm.log && options->log_dev)
		err = open_log(options);
	else if (rvm.log && options->log_dev && strcmp(options->log_dev, rvm.log_dev))
		return fail(RVM_ELOG, "log %s is open: terminate first to use another",
			    rvm.log_dev);
	if (!err)
		keep_options(options);
	return code_of(err, NULL);
}

rvm_return_t rvm_set_options(rvm_options_t *options)
{
	rvm_return_t code;

	pthread_mutex_lock(&rvm.lock);
	code = enter();
	if (!code)
		code = options ? change_options(options) :
				 fail(RVM_EOPTIONS, "no options given");
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

void rvm_set_progress(rvm_progress_t progress, void *arg)
{
	pthread_mutex_lock(&rvm.lock);
	rvm.progress = progress;
	rvm.progress_arg = arg;
	pthread_mutex_unlock(&rvm.lock);
}
