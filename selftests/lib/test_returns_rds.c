// SPDX-License-Identifier: GPL-2.0
/* Each return code of each function of rds.h, provoked. */
#include "returns_heap.h"

/* What functions need. */

/* A heap in a region that no load map is about. */
static int init_heap(void)
{
	return rds_init_heap(a.addr, HEAP_BYTES, a.chunk, 20, w.use_tid, &a.err);
}

static void for_init(void)
{
	for_heap();
	a.addr = w.at;
	w.use_tid = NULL;
}

static void made(void)
{
	for_init();
	need(!init_heap());
}

static void started(void)
{
	made();
	need(!rds_start_heap(a.addr, &a.err));
}

static void with_list(void)
{
	loaded();
	need(!rds_fake_free(a.block, &a.list));
	w.mode = flush;
}

static void tracing(void)
{
	loaded();
	rds_trace_on(w.out);
}

static int allocate(void)
{
	return rds_malloc(a.size, w.use_tid, &a.err) ? SUCCESS : a.err;
}

FUNCTION(rds_zap_heap, for_heap, zap());
FUNCTION(rds_init_heap, for_init, init_heap());
FUNCTION(rds_load_heap, with_heap, load());
FUNCTION(rds_unload_heap, loaded, rds_unload_heap(&a.err));
FUNCTION(rds_start_heap, made, rds_start_heap(a.addr, &a.err));
FUNCTION(rds_stop_heap, started, rds_stop_heap(&a.err));
FUNCTION(rds_prealloc, loaded, rds_prealloc(a.size, 2, w.use_tid, &a.err));
FUNCTION(rds_malloc, loaded, allocate());
FUNCTION(rds_free, loaded, rds_free(a.block, w.use_tid, &a.err));
FUNCTION(rds_fake_free, loaded, rds_fake_free(a.block, a.use_list));
FUNCTION(rds_do_free, with_list, rds_do_free(a.use_list, w.mode));
FUNCTION(rds_get_stats, loaded, rds_get_stats(a.use_stats));
FUNCTION(rds_print_stats, loaded, rds_print_stats());
FUNCTION(rds_clear_stats, loaded, rds_clear_stats(&a.err));
FUNCTION(rds_trace_on, NULL, rds_trace_on(w.out));
FUNCTION(rds_trace_off, NULL, rds_trace_off());
FUNCTION(rds_trace_dump_heap, tracing, rds_trace_dump_heap());

/* Of heaps. */

static void with_huge_chunks(void)
{
	a.chunk = HEAP_BYTES;
}

static void off_a_page(void)
{
	a.addr += 16;
}

static void misaligned(void)
{
	a.addr++;
}

static void beyond_the_segment(void)
{
	a.devlen = 4 * PAGE;
}

static void tid_unbegun(void)
{
	w.use_tid = &w.tid;
}

static void in_no_region(void)
{
	a.addr = HEAP_ADDR;
}

static void beyond_the_region(void)
{
	need(!rvm_unmap(&w.record));
	need(!map_part(&w.record, w.place.seg, 0, 8 * PAGE, RVM_TRACK_SIGSEGV));
	a.addr = w.record.vmaddr;
}

/* Commit bytes over those of the heap's own. */
static void overwrite(char *at)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, restore));
	need(!rvm_modify_bytes(&tid, at, "overwritten", 8));
	need(!rvm_end_transaction(&tid, flush));
}

/* Of the last block: the heap's last bytes, its tail. */
static void tail_overwritten(void)
{
	overwrite(a.addr + HEAP_BYTES - sizeof(uint64_t));
}

static void head_overwritten(void)
{
	overwrite(a.addr + RDS_FIRST);
}

static void header_overwritten(void)
{
	overwrite(a.addr + offsetof(struct disk_heap, chunk));
}

static void no_heap_there(void)
{
	overwrite(a.addr);
}

/* The same of one that is not mapped. */
static void on_disk(void (*damage)(void))
{
	need(!load());
	damage();
	need(!rds_unload_heap(&a.err));
}

static void tail_damaged(void)
{
	on_disk(tail_overwritten);
}

static void head_damaged(void)
{
	on_disk(head_overwritten);
}

static void header_damaged(void)
{
	on_disk(header_overwritten);
}

static void not_a_heap(void)
{
	on_disk(no_heap_there);
}

static void three_regions(void)
{
	RVM_INIT_REGION(a.defs[2], RVM_LENGTH_TO_OFFSET(10 * PAGE), PAGE, NULL);
	a.count = 3;
	need(!create_segment());
}

static void already_loaded(void)
{
	need(!load());
}

static void already_started(void)
{
	need(!rds_start_heap(a.addr, &a.err));
}

static void not_loaded(void)
{
	need(!rds_unload_heap(&a.err));
}

static void started_only(void)
{
	need(!rds_unload_heap(&a.err));
	started();
}

static void stopped(void)
{
	need(!rds_stop_heap(&a.err));
}

static void uncommitted(void)
{
	need(!rvm_begin_transaction(&w.tid, restore));
	need(rds_malloc(10, &w.tid, &a.err));
}

static void checked_and_damaged(void)
{
	head_overwritten();
	rds_testsw = 1;
}

static void checked_and_overwritten(void)
{
	tail_overwritten();
	rds_testsw = 1;
}

static void checked_and_closed(void)
{
	closed();
	rds_testsw = 1;
}

static void too_large(void)
{
	a.size = HEAP_BYTES;
}

/* So much that no block of the cache fits and the last is taken. */
static void large_and_overwritten(void)
{
	tail_overwritten();
	a.size = HEAP_BYTES / 2;
}

/* Nothing is left of what earlier calls took. */
static void fresh_and_out_of_memory(void)
{
	need(!rds_unload_heap(&a.err));
	need(!load());
	out_of_memory();
}

static void not_a_block(void)
{
	a.block++;
}

static void free_already(void)
{
	need(!rds_free(a.block, NULL, &a.err));
}

static void block_overwritten(void)
{
	overwrite(a.block - sizeof(struct disk_block));
}

static void no_list(void)
{
	a.use_list = NULL;
}

static void wrong_mode(void)
{
	w.mode = restore;
}

static void no_record(void)
{
	a.use_stats = NULL;
}

static void nowhere(void)
{
	w.out = NULL;
}

static void not_tracing(void)
{
	rds_trace_off();
}

static const FIXTURE_VARIANT(returns) rows[] = {
	ROW(rds_zap_heap, SUCCESS, nothing),
	ROW(rds_zap_heap, EBAD_ARGS, with_huge_chunks),
	ROW(rds_zap_heap, RVM_EINIT, closed),
	ROW(rds_zap_heap, RVM_ELOG, without_log),
	ROW(rds_zap_heap, RVM_EREGION, no_dev),
	ROW(rds_zap_heap, RVM_EREGION_DEF, off_a_page),
	ROW(rds_zap_heap, RVM_EOFFSET, beyond_the_segment),
	ROW(rds_zap_heap, RVM_EOVERLAP, header_is_mapped),
	ROW(rds_zap_heap, RVM_EVM_OVERLAP, address_in_use),
	ROW(rds_zap_heap, RVM_ENAME_TOO_LONG, dev_path_too_long),
	ROW(rds_zap_heap, RVM_EIO, log_writes_fail),
	ROW(rds_zap_heap, RVM_EPERM, without_permission),
	ROW(rds_zap_heap, RVM_ENO_SPACE, no_space_for_segment),
	ROW(rds_zap_heap, RVM_ENO_MEMORY, out_of_memory),

	ROW(rds_init_heap, SUCCESS, nothing),
	ROW(rds_init_heap, EBAD_ARGS, with_huge_chunks),
	ROW(rds_init_heap, RVM_EINIT, closed),
	ROW(rds_init_heap, RVM_ELOG, without_log),
	ROW(rds_init_heap, RVM_ETID, tid_unbegun),
	ROW(rds_init_heap, RVM_ENOT_MAPPED, in_no_region),
	ROW(rds_init_heap, RVM_EIO, log_writes_fail),
	ROW(rds_init_heap, RVM_ENO_MEMORY, out_of_memory),

	ROW(rds_load_heap, SUCCESS, nothing),
	ROW(rds_load_heap, EHEAP_INIT, already_loaded),
	ROW(rds_load_heap, EBAD_SEGMENT_HDR, three_regions),
	ROW(rds_load_heap, EHEAP_VERSION_SKEW, not_a_heap),
	ROW(rds_load_heap, ECORRUPT, header_damaged),
	ROW(rds_load_heap, ECORRUPT, tail_damaged),
	ROW(rds_load_heap, EBAD_LIST, head_damaged),
	ROW(rds_load_heap, RVM_EINIT, closed),
	ROW(rds_load_heap, RVM_ELOG, without_log),
	ROW(rds_load_heap, RVM_ESEGMENT_HDR, without_map),
	ROW(rds_load_heap, RVM_EVM_OVERLAP, address_in_use),
	ROW(rds_load_heap, RVM_EOVERLAP, loaded_already),
	ROW(rds_load_heap, RVM_EREGION, no_dev),
	ROW(rds_load_heap, RVM_ENAME_TOO_LONG, dev_path_too_long),
	ROW(rds_load_heap, RVM_EIO, no_such_segment),
	ROW(rds_load_heap, RVM_EPERM, without_permission),
	ROW(rds_load_heap, RVM_ENO_MEMORY, out_of_memory),

	ROW(rds_unload_heap, SUCCESS, nothing),
	ROW(rds_unload_heap, EHEAP_INIT, not_loaded),
	ROW(rds_unload_heap, EBAD_ARGS, started_only),
	ROW(rds_unload_heap, EBAD_LIST, checked_and_damaged),
	ROW(rds_unload_heap, ECORRUPT, checked_and_overwritten),
	ROW(rds_unload_heap, RVM_EUNCOMMIT, uncommitted),
	ROW(rds_unload_heap, RVM_EINIT, closed),
	ROW(rds_unload_heap, RVM_ELOG, without_log),

	ROW(rds_start_heap, SUCCESS, nothing),
	ROW(rds_start_heap, EHEAP_INIT, already_started),
	ROW(rds_start_heap, EBAD_ARGS, misaligned),
	ROW(rds_start_heap, EHEAP_VERSION_SKEW, no_heap_there),
	ROW(rds_start_heap, ECORRUPT, header_overwritten),
	ROW(rds_start_heap, EBAD_LIST, head_overwritten),
	ROW(rds_start_heap, RVM_EINIT, closed),
	ROW(rds_start_heap, RVM_ELOG, without_log),
	ROW(rds_start_heap, RVM_ENOT_MAPPED, beyond_the_region),
	ROW(rds_start_heap, RVM_ENO_MEMORY, out_of_memory),

	ROW(rds_stop_heap, SUCCESS, nothing),
	ROW(rds_stop_heap, EHEAP_INIT, stopped),
	ROW(rds_stop_heap, EBAD_LIST, checked_and_damaged),
	ROW(rds_stop_heap, ECORRUPT, checked_and_overwritten),
	ROW(rds_stop_heap, RVM_EUNCOMMIT, uncommitted),
	ROW(rds_stop_heap, SUCCESS, checked_and_closed),

	ROW(rds_prealloc, SUCCESS, nothing),
	ROW(rds_prealloc, EHEAP_INIT, not_loaded),
	ROW(rds_prealloc, ENO_ROOM, too_large),
	ROW(rds_prealloc, ECORRUPT, large_and_overwritten),
	ROW(rds_prealloc, RVM_ETID, tid_unbegun),
	ROW(rds_prealloc, RVM_EINIT, closed),
	ROW(rds_prealloc, RVM_ELOG, without_log),
	ROW(rds_prealloc, RVM_EIO, log_writes_fail),
	ROW(rds_prealloc, RVM_ENO_MEMORY, fresh_and_out_of_memory),

	ROW(rds_malloc, SUCCESS, nothing),
	ROW(rds_malloc, EHEAP_INIT, not_loaded),
	ROW(rds_malloc, ENO_ROOM, too_large),
	ROW(rds_malloc, ECORRUPT, large_and_overwritten),
	ROW(rds_malloc, RVM_ETID, tid_unbegun),
	ROW(rds_malloc, RVM_EINIT, closed),
	ROW(rds_malloc, RVM_ELOG, without_log),
	ROW(rds_malloc, RVM_EIO, log_writes_fail),
	ROW(rds_malloc, RVM_ENO_MEMORY, out_of_memory),

	ROW(rds_free, SUCCESS, nothing),
	ROW(rds_free, EHEAP_INIT, not_loaded),
	ROW(rds_free, EBAD_ARGS, not_a_block),
	ROW(rds_free, ECORRUPT, block_overwritten),
	ROW(rds_free, EFREED_TWICE, free_already),
	ROW(rds_free, RVM_ETID, tid_unbegun),
	ROW(rds_free, RVM_EINIT, closed),
	ROW(rds_free, RVM_ELOG, without_log),
	ROW(rds_free, RVM_EIO, log_writes_fail),
	ROW(rds_free, RVM_ENO_MEMORY, fresh_and_out_of_memory),

	ROW(rds_fake_free, SUCCESS, nothing),
	ROW(rds_fake_free, EHEAP_INIT, not_loaded),
	ROW(rds_fake_free, EBAD_ARGS, no_list),
	ROW(rds_fake_free, EBAD_ARGS, not_a_block),
	ROW(rds_fake_free, ECORRUPT, block_overwritten),
	ROW(rds_fake_free, EFREED_TWICE, free_already),
	ROW(rds_fake_free, RVM_EINIT, closed),
	ROW(rds_fake_free, RVM_ELOG, without_log),
	ROW(rds_fake_free, RVM_ENO_MEMORY, out_of_memory),

	ROW(rds_do_free, SUCCESS, nothing),
	ROW(rds_do_free, EHEAP_INIT, not_loaded),
	ROW(rds_do_free, EBAD_ARGS, no_list),
	ROW(rds_do_free, ECORRUPT, block_overwritten),
	ROW(rds_do_free, EFREED_TWICE, free_already),
	ROW(rds_do_free, RVM_EMODE, wrong_mode),
	ROW(rds_do_free, RVM_EINIT, closed),
	ROW(rds_do_free, RVM_ELOG, without_log),
	ROW(rds_do_free, RVM_EIO, log_writes_fail),
	ROW(rds_do_free, RVM_ENO_MEMORY, fresh_and_out_of_memory),

	ROW(rds_get_stats, SUCCESS, nothing),
	ROW(rds_get_stats, EHEAP_INIT, not_loaded),
	ROW(rds_get_stats, EBAD_ARGS, no_record),

	ROW(rds_print_stats, SUCCESS, nothing),
	ROW(rds_print_stats, EHEAP_INIT, not_loaded),

	ROW(rds_clear_stats, SUCCESS, nothing),
	ROW(rds_clear_stats, EHEAP_INIT, not_loaded),

	ROW(rds_trace_on, SUCCESS, nothing),
	ROW(rds_trace_on, EBAD_ARGS, nowhere),

	ROW(rds_trace_off, SUCCESS, nothing),

	ROW(rds_trace_dump_heap, SUCCESS, nothing),
	ROW(rds_trace_dump_heap, EHEAP_INIT, not_loaded),
	ROW(rds_trace_dump_heap, EBAD_ARGS, not_tracing),
	ROW(rds_trace_dump_heap, EBAD_LIST, head_overwritten),
	ROW(rds_trace_dump_heap, ECORRUPT, tail_overwritten),
	ROW(rds_trace_dump_heap, RVM_EINIT, closed),
	ROW(rds_trace_dump_heap, RVM_ELOG, without_log),
};

REGISTER(rows)

TEST_HARNESS_MAIN
