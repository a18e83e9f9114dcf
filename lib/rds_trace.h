/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Statistics and tracing of the recoverable heap. */
#ifndef RVM_LIB_RDS_TRACE_H
#define RVM_LIB_RDS_TRACE_H

struct rds_heap;

/** rds_heap() - the one heap */
struct rds_heap *rds_heap(void);

/** rds_trace() - write a line to the file of the trace if tracing is on; printf format */
void rds_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
