/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's one instance, and what all public functions begin and end with. */
#ifndef RVM_LIB_INSTANCE_H
#define RVM_LIB_INSTANCE_H

#include <errno.h>
#include <pthread.h>
#include <rvm/rvm.h>
#include <stdbool.h>

#include "err.h"
#include "pressure.h"
#include "region.h"
#include "truncate.h"
#include "tx.h"

struct log;

#define TRACKERS	(RVM_TRACK_KMOD | RVM_TRACK_UFFD | RVM_TRACK_SIGSEGV | \
			 RVM_TRACK_NONE)
#define DISJOINT	(RVM_DISJOINT | RVM_DISJOINT_WAIT)

/**
 * struct instance - the library's one instance
 * @lock: serializes initialize, terminate, set_options, set_progress, map and unmap
 * @layout: held by what needs the log to keep its size, and by what changes it; before all others
 * @up: initialized
 * @inherited: this is a forked child of the process that was initialized
 * @log: the open log, or NULL
 * @options: as the program set them
 * @log_dev: the log's path
 * @regions: what is mapped
 * @txs: who writes there
 * @truncator: who makes room in the log
 * @pressure: who makes room in memory, from the first region on whose tracker can
 * @progress: who is told how far a recovery is, or NULL
 * @progress_arg: its first argument
 */
struct instance {
	pthread_mutex_t lock;
	pthread_mutex_t layout;
	bool up;
	bool inherited;
	struct log *log;
	rvm_options_t options;
	char *log_dev;
	struct regions regions;
	struct txs txs;
	struct truncator truncator;
	struct pressure pressure;
	rvm_progress_t progress;
	void *progress_arg;
};

extern struct instance rvm;

/**
 * struct code - what an errno means
 * @err: the errno, positive; 0 ends a table
 * @code: the code
 */
struct code {
	int err;
	rvm_return_t code;
};

/* Note a text and return a code. */
#define fail(code, ...) (err_set(EINVAL, __VA_ARGS__), (code))

/**
 * code_of() - the code for an internal error
 * @err: 0 or a negative errno
 * @special: what some mean in the function at hand, or NULL
 *
 * Return: a code.
 */
rvm_return_t code_of(int err, const struct code *special);

/** watch_forks() - have a child know that the instance is its parent's; called once */
void watch_forks(void);

/** refuse_child() - RVM_EINIT, with a text for a forked child */
rvm_return_t refuse_child(void);

/** enter() - clear the error text; RVM_SUCCESS, or RVM_EINIT with a text */
rvm_return_t enter(void);

/** refuse_entry() - why enter_log() refuses */
rvm_return_t refuse_entry(void);

/** enter_log() - the same for what needs a log: also RVM_ELOG */
static inline rvm_return_t enter_log(void)
{
	err_clear();
	return rvm.up && rvm.log ? RVM_SUCCESS : refuse_entry();
}

/** check_options() - RVM_SUCCESS, RVM_EOPTIONS, RVM_EPAGER or RVM_ENAME_TOO_LONG with a text */
rvm_return_t check_options(const rvm_options_t *options);

/** start_checks() - do what RVM_CHECK in the environment says; RVM_SUCCESS or RVM_EOPTIONS */
rvm_return_t start_checks(void);

/** flush_all() - wait until all that is committed is durable; RVM_SUCCESS or RVM_EIO */
rvm_return_t flush_all(void);

/** find_region() - the mapped region that a record stands for; else RVM_EREGION, RVM_ENOT_MAPPED */
rvm_return_t find_region(const rvm_region_t *record, struct region **out);

/** fill_tid() - make a record the handle of the transaction that has this number */
void fill_tid(rvm_tid_t *tid, struct tx *tx, uint64_t id);

#endif
