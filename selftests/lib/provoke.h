/* SPDX-License-Identifier: GPL-2.0 */
/* What makes several functions return a code, for the suites of return codes. */
#ifndef SELFTESTS_LIB_PROVOKE_H
#define SELFTESTS_LIB_PROVOKE_H

#include "returns.h"

static inline void nothing(void)
{
}

/* The library ends whatever is open. */
static inline void closed(void)
{
	if (w.tid.tid)
		rvm_abort_transaction(&w.tid);
	need(!rvm_terminate());
}

static inline void without_log(void)
{
	closed();
	need(!RVM_INIT(NULL));
}

static inline void out_of_memory(void)
{
	w.no_memory = true;
}

/* A transaction is open and has changed something. */
static inline void begun(void)
{
	need(!rvm_begin_transaction(&w.tid, restore));
	need(!rvm_modify_bytes(&w.tid, w.at, "begun", 5));
	w.mode = flush;
}

/* Files of others: no write permission for whom this process becomes. */
static inline void without_permission(void)
{
	chmod(w.place.log, 0);
	chmod(w.place.seg, 0);
	chmod(w.place.dir, 0500);
	if (!geteuid())
		need(!seteuid(65534));
}

static inline void without_descriptors(void)
{
	struct rlimit limit;

	need(!getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 3;
	need(!setrlimit(RLIMIT_NOFILE, &limit));
}

static inline void bad_options(void)
{
	w.options.struct_id = rvm_tid_id;
}

static inline void with_pager(void)
{
	w.options.pager = "pager";
}

static inline void log_writes_fail(void)
{
	fail_with(WRITING_LOG, EIO);
	fail_with(SYNCING_LOG, EIO);
}

/* One transaction, not yet durable. */
static inline void committed(void)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, restore));
	need(!rvm_modify_bytes(&tid, w.at, "committed", 9));
	need(!rvm_end_transaction_lsn(&tid, no_flush, &w.lsn));
}

static inline void elsewhere(void)
{
	w.record.vmaddr += PAGE;
}

static inline void not_a_record(void)
{
	w.record.struct_id = rvm_tid_id;
}

static inline void full_disk(void)
{
	fail_with(WRITING_LOG, ENOSPC);
	fail_with(ALLOCATING, ENOSPC);
}

static inline void no_path(void)
{
	w.use_path = NULL;
}

/* What the log holds is overwritten on the disk. */
static inline void records_are_damaged(void)
{
	char garbage[PAGE];
	long length = file_length(w.place.log);
	long at;

	memset(garbage, 0x5a, sizeof(garbage));
	for (at = length - 64 * 1024; at < length; at += PAGE)
		need(file_write(w.place.log, at, garbage, sizeof(garbage)));
}

#endif
