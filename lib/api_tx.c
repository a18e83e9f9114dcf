// SPDX-License-Identifier: LGPL-2.1-or-later
/* Transactions: begin, set_range, modify_bytes, end, abort. */
#include <string.h>

#include "check.h"
#include "commit.h"
#include "instance.h"
#include "thread.h"

/* What an errno means in rvm_abort_transaction(). */
static const struct code aborting[] = {
	{ EPERM, RVM_EMODE },
	{ 0, 0 }
};

void fill_tid(rvm_tid_t *tid, struct tx *tx, uint64_t id)
{
	tid->tid = tx;
	tid->reserved = id;
	tid->uname.tv_sec = id;
	tid->uname.tv_usec = 0;
}

/* Memory of a transaction is never freed, and its number never used again. */
static struct tx *live_tx(const rvm_tid_t *tid)
{
	struct tx *tx = tid->tid;

	if (!tx || !tid->reserved || __atomic_load_n(&tx->id, __ATOMIC_RELAXED) != tid->reserved)
		return NULL;
	return tx;
}

static inline rvm_return_t check_tid(const rvm_tid_t *tid)
{
	if (!tid || tid->struct_id != rvm_tid_id)
		return fail(RVM_ETID, "not a transaction record: call rvm_init_tid() on it");
	return RVM_SUCCESS;
}

static rvm_return_t check_new(const rvm_tid_t *tid)
{
	rvm_return_t code = check_tid(tid);

	if (!code && live_tx(tid))
		return fail(RVM_ETID, "the transaction has begun already");
	return code;
}

/* Enters the library: a transaction that has begun, and that this thread may use. */
static inline rvm_return_t enter_tx(const rvm_tid_t *tid, struct tx **out)
{
	rvm_return_t code = enter_log();

	if (!code)
		code = check_tid(tid);
	if (code)
		return code;
	*out = live_tx(tid);
	if (!*out)
		return fail(RVM_ETID, "the transaction has not begun, or has ended");
	if ((*out)->n_tracked && (uint32_t)(*out)->thread != thread_id())
		return fail(RVM_ETID, "a tracked transaction belongs to the thread that began it");
	return RVM_SUCCESS;
}

static rvm_return_t begin_tracked(rvm_tid_t *tid, struct region *region)
{
	struct tx *tx;
	int err;

	err = tx_begin_tracked(&rvm.txs, region, &tx);
	if (!err)
		fill_tid(tid, tx, tx->id);
	return code_of(err, NULL);
}

rvm_return_t rvm_begin_tracked(rvm_tid_t *tid, rvm_region_t *region)
{
	rvm_return_t code = enter_log();
	struct region *mapped;

	if (!code)
		code = check_new(tid);
	if (!code)
		code = find_region(region, &mapped);
	return code ? code : begin_tracked(tid, mapped);
}

static rvm_return_t begin_explicit(rvm_tid_t *tid, bool keep, bool checked)
{
	struct tx *tx;
	int err;

	err = tx_begin(&rvm.txs, keep, &tx);
	if (!err && checked) {
		err = check_begin(&rvm.txs, tx);
		if (err)
			tx_finish(&rvm.txs, tx, 0);
	}
	if (!err)
		fill_tid(tid, tx, tx->id);
	return code_of(err, NULL);
}

rvm_return_t rvm_begin_transaction(rvm_tid_t *tid, rvm_mode_t mode)
{
	rvm_return_t code = enter_log();

	if (!code)
		code = check_new(tid);
	if (code)
		return code;
	if (mode == rvm_tracked)
		return begin_tracked(tid, NULL);
	if (mode != restore && mode != no_restore && mode != rvm_checked)
		return fail(RVM_EMODE, "begin with restore, no_restore, rvm_tracked or rvm_checked");
	return begin_explicit(tid, mode != no_restore, mode == rvm_checked || rvm.txs.checks.all);
}

rvm_return_t rvm_set_range(rvm_tid_t *tid, void *dest, rvm_length_t length)
{
	struct tx *tx;
	rvm_return_t code = enter_tx(tid, &tx);

	return code ? code : code_of(tx_set_range(&rvm.txs, tx, dest, length), NULL);
}

rvm_return_t rvm_modify_bytes(rvm_tid_t *tid, void *dest, const void *src, rvm_length_t length)
{
	struct tx *tx;
	rvm_return_t code = enter_tx(tid, &tx);

	if (code)
		return code;
	if (!src)
		return fail(RVM_ESRC, "the source of the bytes is NULL");
	code = code_of(tx_set_range(&rvm.txs, tx, dest, length), NULL);
	if (!code)
		memmove(dest, src, length);
	return code;
}

/* The record becomes stale, whatever copies of it there are. */
static void clear_tid(rvm_tid_t *tid)
{
	if (live_tx(tid))
		return;
	tid->tid = NULL;
	tid->reserved = 0;
}

rvm_return_t rvm_end_transaction_lsn(rvm_tid_t *tid, rvm_mode_t mode, rvm_lsn_t *lsn)
{
	struct tx *tx;
	rvm_return_t code = enter_tx(tid, &tx);

	if (code)
		return code;
	if (mode != flush && mode != no_flush)
		return fail(RVM_EMODE, "end with flush or no_flush");
	if (!lsn)
		return fail(RVM_ELSN, "no room for the ticket: lsn is NULL");
	code = code_of(commit(&rvm.txs, &rvm.truncator, tx, mode == flush, lsn), NULL);
	clear_tid(tid);
	return code;
}

rvm_return_t rvm_end_transaction(rvm_tid_t *tid, rvm_mode_t mode)
{
	rvm_lsn_t ignored;

	return rvm_end_transaction_lsn(tid, mode, &ignored);
}

rvm_return_t rvm_abort_transaction(rvm_tid_t *tid)
{
	struct tx *tx;
	rvm_return_t code = enter_tx(tid, &tx);

	if (code)
		return code;
	code = code_of(abort_tx(&rvm.txs, &rvm.truncator, tx), aborting);
	clear_tid(tid);
	return code;
}
