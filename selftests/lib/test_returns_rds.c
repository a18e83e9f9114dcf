// SPDX-License-Identifier: GPL-2.0
/* Each return code of each function of rvm_segment.h and rds.h, provoked. */
#include "returns.h"

#include "rds_format.h"

#define HEAP_ADDR	((char *)0x40000000UL)
#define HEAP_BYTES	(16 * PAGE)
#define MANY		130	/* regions, more than the first page of a load map holds */

/**
 * struct arguments - beside those of the world
 * @dev: path of a segment
 * @devlen: its length
 * @defs: definitions of regions
 * @use_defs: those, or NULL
 * @count: how many
 * @loaded: what was loaded
 * @use_loaded: where to tell that, or NULL
 * @addr: of a heap
 * @chunk: bytes of a chunk
 * @size: bytes of a block
 * @block: a block that is allocated
 * @list: of blocks to be freed
 * @use_list: that, or NULL
 * @stats: of the heap
 * @use_stats: those, or NULL
 * @err: what functions tell beside their value
 */
static struct arguments {
	char *dev;
	unsigned long devlen;
	rvm_region_def_t defs[MANY];
	rvm_region_def_t *use_defs;
	unsigned long count;
	rvm_region_def_t *loaded;
	rvm_region_def_t **use_loaded;
	char *addr;
	unsigned long chunk;
	unsigned long size;
	char *block;
	intentionList_t list;
	intentionList_t *use_list;
	rds_stats_t stats;
	rds_stats_t *use_stats;
	int err;
} a;

static rvm_offset_t devlen(void)
{
	return RVM_LENGTH_TO_OFFSET(a.devlen);
}

/* What functions need. */

/* Two regions, behind the header. */
static void for_segment(void)
{
	int i;

	snprintf(w.path, sizeof(w.path), "%s/segment", w.place.dir);
	a.dev = w.path;
	a.devlen = 20 * PAGE;
	for (i = 0; i < 2; i++)
		RVM_INIT_REGION(a.defs[i], RVM_LENGTH_TO_OFFSET((1 + 2 * i) * PAGE), PAGE,
				HEAP_ADDR + 2 * i * PAGE);
	a.use_defs = a.defs;
	a.count = 2;
	a.use_loaded = &a.loaded;
}

static rvm_return_t create_segment(void)
{
	return rvm_create_segment(a.dev, devlen(), w.use_options, a.count, a.use_defs);
}

static void with_segment(void)
{
	for_segment();
	need(!create_segment());
}

static rvm_return_t load_segment(void)
{
	return rvm_load_segment(a.dev, devlen(), w.use_options, &a.count, a.use_loaded);
}

static void loaded_segment(void)
{
	with_segment();
	need(!load_segment());
	w.at = a.loaded[0].vmaddr;
}

static void for_heap(void)
{
	for_segment();
	a.addr = HEAP_ADDR;
	a.chunk = 32;
	a.size = 100;
	a.use_list = &a.list;
	a.use_stats = &a.stats;
}

static int zap(void)
{
	return rds_zap_heap(a.dev, devlen(), a.addr, PAGE, HEAP_BYTES, 20, a.chunk, &a.err);
}

static void with_heap(void)
{
	for_heap();
	need(!zap());
}

static int load(void)
{
	char *area;

	return rds_load_heap(a.dev, devlen(), &area, &a.err);
}

/* A heap with a block. */
static void loaded(void)
{
	with_heap();
	need(!load());
	a.block = rds_malloc(a.size, NULL, &a.err);
	need(a.block);
	w.use_tid = NULL;
}

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

FUNCTION(rvm_create_segment, for_segment, create_segment());
FUNCTION(rvm_load_segment, with_segment, load_segment());
FUNCTION(rvm_release_segment, loaded_segment, rvm_release_segment(a.count, a.use_loaded));
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

/* Of segments. */

static void no_definitions(void)
{
	a.use_defs = NULL;
	a.use_loaded = NULL;
}

static void over_the_header(void)
{
	RVM_ZERO_OFFSET(a.defs[0].offset);
}

static void sharing_bytes(void)
{
	a.defs[1].offset = a.defs[0].offset;
}

static void sharing_addresses(void)
{
	a.defs[1].vmaddr = a.defs[0].vmaddr;
}

/* Side by side to the end: there is no gap for the rest of the map. */
static void too_many(void)
{
	int i;

	for (i = 0; i < MANY; i++)
		RVM_INIT_REGION(a.defs[i], RVM_LENGTH_TO_OFFSET((1 + i) * PAGE), PAGE, NULL);
	a.count = MANY;
	a.devlen = (1 + MANY) * PAGE;
}

static void no_dev(void)
{
	a.dev = NULL;
}

static void dev_path_too_long(void)
{
	a.dev = long_path;
}

static void no_such_segment(void)
{
	unlink(w.path);
	a.devlen = 0;
}

static void no_space_for_segment(void)
{
	fail_with(ALLOCATING, ENOSPC);
}

static void log_too_small(void)
{
	rvm_offset_t length = rvm_mk_offset(0, PAGE);

	closed();
	snprintf(w.place.log, sizeof(w.place.log), "%s/small", w.place.dir);
	need(!RVM_INIT(NULL));
	need(!rvm_create_log(&w.options, &length, 0600));
	need(!rvm_set_options(&w.options));
	too_many();
	a.devlen += 2 * PAGE;
}

static void another_tracker(void)
{
	w.options.flags |= RVM_TRACK_NONE | RVM_STRICT;
}

static void without_map(void)
{
	static char other[100];

	snprintf(other, sizeof(other), "%s/zeros", w.place.dir);
	need(file_make(other, 4 * PAGE, 0));
	a.dev = other;
}

static void address_in_use(void)
{
	need(mmap(HEAP_ADDR, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	     HEAP_ADDR);
}

static void loaded_already(void)
{
	rvm_region_t region;

	need(!map_part(&region, a.dev, PAGE, PAGE, RVM_TRACK_SIGSEGV));
}

static void header_is_mapped(void)
{
	rvm_region_t region;

	need(file_make(w.path, a.devlen, 0));
	need(!map_part(&region, a.dev, 0, PAGE, RVM_TRACK_SIGSEGV));
}

static void unmapped_already(void)
{
	rvm_region_t region;

	rvm_init_region(&region);
	region.vmaddr = a.loaded[0].vmaddr;
	need(!rvm_unmap(&region));
}

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
	ROW(rvm_create_segment, RVM_SUCCESS, nothing),
	ROW(rvm_create_segment, RVM_EINIT, closed),
	ROW(rvm_create_segment, RVM_ELOG, without_log),
	ROW(rvm_create_segment, RVM_EREGION_DEF, no_definitions),
	ROW(rvm_create_segment, RVM_EOFFSET, over_the_header),
	ROW(rvm_create_segment, RVM_EOVERLAP, sharing_bytes),
	ROW(rvm_create_segment, RVM_EOVERLAP, header_is_mapped),
	ROW(rvm_create_segment, RVM_EVM_OVERLAP, sharing_addresses),
	ROW(rvm_create_segment, RVM_ESEGMENT_HDR, too_many),
	ROW(rvm_create_segment, RVM_EREGION, no_dev),
	ROW(rvm_create_segment, RVM_ENAME_TOO_LONG, dev_path_too_long),
	ROW(rvm_create_segment, RVM_EOPTIONS, bad_options),
	ROW(rvm_create_segment, RVM_EPAGER, with_pager),
	ROW(rvm_create_segment, RVM_EIO, no_such_segment),
	ROW(rvm_create_segment, RVM_EIO, log_writes_fail),
	ROW(rvm_create_segment, RVM_EPERM, without_permission),
	ROW(rvm_create_segment, RVM_ENO_SPACE, no_space_for_segment),
	ROW(rvm_create_segment, RVM_ETOO_BIG, log_too_small),
	ROW(rvm_create_segment, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_create_segment, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_load_segment, RVM_SUCCESS, nothing),
	ROW(rvm_load_segment, RVM_EINIT, closed),
	ROW(rvm_load_segment, RVM_ELOG, without_log),
	ROW(rvm_load_segment, RVM_EREGION_DEF, no_definitions),
	ROW(rvm_load_segment, RVM_ESEGMENT_HDR, without_map),
	ROW(rvm_load_segment, RVM_EVM_OVERLAP, address_in_use),
	ROW(rvm_load_segment, RVM_EOVERLAP, loaded_already),
	ROW(rvm_load_segment, RVM_ETRACKER, another_tracker),
	ROW(rvm_load_segment, RVM_EREGION, no_dev),
	ROW(rvm_load_segment, RVM_ENAME_TOO_LONG, dev_path_too_long),
	ROW(rvm_load_segment, RVM_EOPTIONS, bad_options),
	ROW(rvm_load_segment, RVM_EPAGER, with_pager),
	ROW(rvm_load_segment, RVM_EIO, no_such_segment),
	ROW(rvm_load_segment, RVM_EPERM, without_permission),
	ROW(rvm_load_segment, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_load_segment, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_release_segment, RVM_SUCCESS, nothing),
	ROW(rvm_release_segment, RVM_EUNCOMMIT, begun),
	ROW(rvm_release_segment, RVM_EREGION_DEF, no_definitions),
	ROW(rvm_release_segment, RVM_EINIT, closed),
	ROW(rvm_release_segment, RVM_ELOG, without_log),
	ROW(rvm_release_segment, RVM_ENOT_MAPPED, unmapped_already),

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

#define ROWS	(sizeof(rows) / sizeof(rows[0]))

static void __attribute__((constructor)) register_rows(void)
{
	static struct __fixture_variant_metadata variants[ROWS];

	register_variants(rows, variants, ROWS);
}

TEST_HARNESS_MAIN
