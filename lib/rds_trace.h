/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics and tracing of the recoverable heap. */
#ifndef RVM_LIB_RDS_TRACE_H
#define RVM_LIB_RDS_TRACE_H

#include <rvm/rvm.h>

struct rds_heap;

/** rds_heap() - the one heap */
struct rds_heap *rds_heap(void);

/**
 * rds_reach() - is the heap started, and its memory still mapped?
 * @tid: a transaction that is to use it, or NULL
 *
 * Return: 0, EHEAP_INIT or a code of rvm_begin_transaction() or rvm_set_range(), with a text.
 */
int rds_reach(rvm_tid_t *tid);

/** rds_trace() - write a line to the file of the trace if tracing is on; printf format */
void rds_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
