/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: a region's life, first writes, ends and writebacks. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM rvm_track

#if !defined(_RVMT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _RVMT_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

TRACE_EVENT(rvm_track_region_create,
	TP_PROTO(u64 id, u64 offset, u64 length, u32 slots, u32 flags),
	TP_ARGS(id, offset, length, slots, flags),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, offset)
		__field(u64, length)
		__field(u32, slots)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->offset = offset;
		__entry->length = length;
		__entry->slots = slots;
		__entry->flags = flags;
	),
	TP_printk("region=%llu offset=%llu length=%llu slots=%u flags=%#x",
		  __entry->id, __entry->offset, __entry->length, __entry->slots, __entry->flags)
);

TRACE_EVENT(rvm_track_region_destroy,
	TP_PROTO(u64 id),
	TP_ARGS(id),
	TP_STRUCT__entry(
		__field(u64, id)
	),
	TP_fast_assign(
		__entry->id = id;
	),
	TP_printk("region=%llu", __entry->id)
);

TRACE_EVENT(rvm_track_first_write,
	TP_PROTO(u64 id, u64 page, u32 tid, u32 thread, u64 ip, u32 slot),
	TP_ARGS(id, page, tid, thread, ip, slot),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, page)
		__field(u64, ip)
		__field(u32, tid)
		__field(u32, thread)
		__field(u32, slot)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->page = page;
		__entry->ip = ip;
		__entry->tid = tid;
		__entry->thread = thread;
		__entry->slot = slot;
	),
	TP_printk("region=%llu page=%llu tid=%u thread=%u ip=%#llx slot=%u",
		  __entry->id, __entry->page, __entry->tid, __entry->thread, __entry->ip,
		  __entry->slot)
);

TRACE_EVENT(rvm_track_end,
	TP_PROTO(u64 id, u32 tid, u64 lsn, u32 flags, u64 pages),
	TP_ARGS(id, tid, lsn, flags, pages),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, lsn)
		__field(u64, pages)
		__field(u32, tid)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->lsn = lsn;
		__entry->pages = pages;
		__entry->tid = tid;
		__entry->flags = flags;
	),
	TP_printk("region=%llu tid=%u lsn=%llu flags=%#x pages=%llu",
		  __entry->id, __entry->tid, __entry->lsn, __entry->flags, __entry->pages)
);

TRACE_EVENT(rvm_track_writeback,
	TP_PROTO(u64 id, u64 written, u64 busy, int error),
	TP_ARGS(id, written, busy, error),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, written)
		__field(u64, busy)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->written = written;
		__entry->busy = busy;
		__entry->error = error;
	),
	TP_printk("region=%llu written=%llu busy=%llu error=%d",
		  __entry->id, __entry->written, __entry->busy, __entry->error)
);

#endif /* _RVMT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
