/* SPDX-License-Identifier: GPL-2.0 */
/* Transactions in few words, for a fixture that has a place and a region. */
#ifndef SELFTESTS_LIB_TRANSACT_H
#define SELFTESTS_LIB_TRANSACT_H

#include "api.h"

#define BEGIN(tid, mode) ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(tid, mode))
#define RANGE(tid, at, n) ASSERT_RVM(RVM_SUCCESS, rvm_set_range(tid, at, n))
#define END(tid, mode) ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(tid, mode))
#define ABORT(tid) ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(tid))

/* Close everything and bring what is durable to the segment. */
#define SETTLE() do { \
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region)); \
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate()); \
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place)); \
} while (0)

/* Where the log ends. */
static inline unsigned long tail(void)
{
	rvm_log_info_t info;

	return rvm_query_log(&info) ? 0 : info.tail;
}

#endif
