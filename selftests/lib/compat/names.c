// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that the headers of CMU RVM 1.3 declare, by its name, type and value: what does not
 * have its type is refused by the compiler, what does not have its value is printed.
 *
 *	names
 */
#include <stdio.h>

#include <rvm/rds.h>
#include <rvm/rvm.h>
#include <rvm/rvm_segment.h>
#include <rvm/rvm_statistics.h>

static int wrong;

static void value(char *name, long is, long shall)
{
	if (is == shall)
		return;
	printf("%s is %ld, not %ld\n", name, is, shall);
	wrong++;
}

#define V(name, shall) value(#name, (long)(name), (long)(shall))

static void modes(void)
{
	V(rvm_false, 0); V(rvm_true, 1); V(FALSE, 0); V(TRUE, 1);
	V(rvm_first_mode, 139); V(restore, 140); V(no_restore, 141); V(flush, 142);
	V(no_flush, 143); V(rvm_last_mode, 144);
	V(rvm_first_id, 39); V(rvm_region_id, 40); V(rvm_options_id, 41);
	V(rvm_tid_id, 42); V(rvm_statistics_id, 43); V(rvm_last_struct_id, 44);
	V(TRUNCATE, 50); V(RECOVERY_BUF_LEN, 262144); V(MIN_RECOVERY_BUF_LEN, 65536);
	V(FLUSH_BUF_LEN, 262144); V(MIN_FLUSH_BUF_LEN, 65536); V(MAX_READ_LEN, 524288);
	V(RVM_COALESCE_RANGES, 1); V(RVM_COALESCE_TRANS, 2); V(RVM_ALL_OPTIMIZATIONS, 3);
	V(RVM_MAP_PRIVATE, 8); V(RVM_SEGMENT_HDR_SIZE, rvm_page_size());
	V(RVM_PAGE_SIZE - 1, ~rvm_page_mask()); V(STARTSIZE, 128);
}

static void codes(void)
{
	V(RVM_SUCCESS, 0); V(rvm_first_code, 199); V(RVM_EINIT, 200); V(RVM_EINTERNAL, 201);
	V(RVM_EIO, 202); V(RVM_ELOG, 204); V(RVM_ELOG_VERSION_SKEW, 205); V(RVM_EMODE, 206);
	V(RVM_ENAME_TOO_LONG, 207); V(RVM_ENO_MEMORY, 208); V(RVM_ENOT_MAPPED, 209);
	V(RVM_EOFFSET, 210); V(RVM_EOPTIONS, 211); V(RVM_EOVERLAP, 212); V(RVM_EPAGER, 213);
	V(RVM_ERANGE, 214); V(RVM_EREGION, 215); V(RVM_EREGION_DEF, 216); V(RVM_ESRC, 217);
	V(RVM_ESTATISTICS, 218); V(RVM_ESTAT_VERSION_SKEW, 219); V(RVM_ETERMINATED, 220);
	V(RVM_ETHREADS, 221); V(RVM_ETID, 222); V(RVM_ETOO_BIG, 223); V(RVM_EUNCOMMIT, 224);
	V(RVM_EVERSION_SKEW, 225); V(RVM_EVM_OVERLAP, 226); V(rvm_last_code, 227);
	V(RVM_ESEGMENT_HDR, 2000);
	V(SUCCESS, 0); V(ERVM_FAILED, -1); V(EBAD_LIST, -2); V(EBAD_SEGMENT_HDR, -3);
	V(EHEAP_VERSION_SKEW, -4); V(EHEAP_INIT, -5); V(EBAD_ARGS, -6); V(ECORRUPT, -7);
	V(EFREED_TWICE, -8); V(ENO_ROOM, -9);
}

/* The order of a record's fields, and their types. */
#define F(record, field, type) do { \
		type *field_ = &(record).field; \
		V((char *)field_ >= last, 1); \
		last = (char *)field_ + sizeof(*field_); \
	} while (0)

static void records(void)
{
	rvm_options_t o;
	rvm_region_t r;
	rvm_tid_t t;
	rvm_region_def_t d;
	intentionList_t i;
	char *last = (char *)&t;

	F(t, struct_id, rvm_struct_id_t); F(t, from_heap, rvm_bool_t);
	F(t, uname, struct timeval); F(t, tid, void *); F(t, reserved, rvm_length_t);
	last = (char *)&o;
	F(o, struct_id, rvm_struct_id_t); F(o, from_heap, rvm_bool_t); F(o, log_dev, char *);
	F(o, truncate, long); F(o, recovery_buf_len, rvm_length_t);
	F(o, flush_buf_len, rvm_length_t); F(o, max_read_len, rvm_length_t);
	F(o, log_empty, rvm_bool_t); F(o, pager, char *); F(o, n_uncommit, long);
	F(o, tid_array, rvm_tid_t *); F(o, flags, rvm_length_t);
	F(o, create_log_file, rvm_bool_t); F(o, create_log_size, rvm_offset_t);
	F(o, create_log_mode, long);
	last = (char *)&r;
	F(r, struct_id, rvm_struct_id_t); F(r, from_heap, rvm_bool_t); F(r, data_dev, char *);
	F(r, dev_length, rvm_offset_t); F(r, offset, rvm_offset_t); F(r, vmaddr, char *);
	F(r, length, rvm_length_t); F(r, no_copy, rvm_bool_t);
	last = (char *)&d;
	F(d, offset, rvm_offset_t); F(d, length, rvm_length_t); F(d, vmaddr, char *);
	last = (char *)&d.offset;
	F(d.offset, high, rvm_length_t); F(d.offset, low, rvm_length_t);
	last = (char *)&i;
	F(i, size, unsigned long); F(i, count, unsigned long); F(i, table, char **);
}

#define N(field) F(s, field, rvm_length_t)
#define O(field) F(s, field, rvm_offset_t)
#define T(field) F(s, field, struct timeval)
#define H(field, n) F(s, field, __typeof__(rvm_length_t[n]))

static void statistics(void)
{
	rvm_statistics_t s;
	char *last = (char *)&s;

	F(s, struct_id, rvm_struct_id_t); F(s, from_heap, rvm_bool_t);
	N(n_abort); N(n_flush_commit); N(n_no_flush_commit); N(n_uncommit); N(n_no_flush);
	N(n_truncation_wait); O(no_flush_length); N(n_split); N(n_flush); N(n_rvm_flush);
	N(n_special); N(n_wrap); N(log_dev_cur); O(log_written); O(range_overlap);
	O(trans_overlap); N(n_range_elim); N(n_trans_elim); N(n_trans_coalesced); T(flush_time);
	N(last_flush_time); N(last_truncation_time); N(last_tree_build_time);
	N(last_tree_apply_time);
	H(flush_times, 10); H(range_lengths, 13); H(range_elims, 6); H(trans_elims, 6);
	H(range_overlaps, 13); H(trans_overlaps, 13);
	N(tot_abort); N(tot_flush_commit); N(tot_no_flush_commit); N(tot_split); N(tot_flush);
	N(tot_rvm_flush); N(tot_special); N(tot_wrap); N(log_dev_max); O(tot_log_written);
	O(tot_range_overlap); O(tot_trans_overlap); N(tot_range_elim); N(tot_trans_elim);
	N(tot_trans_coalesced); N(tot_rvm_truncate); N(tot_async_truncation);
	N(tot_sync_truncation); N(tot_truncation_wait); N(tot_recovery);
	T(tot_flush_time); T(tot_truncation_time);
	H(tot_tree_build_times, 5); H(tot_tree_apply_times, 5); H(tot_truncation_times, 5);
	H(tot_flush_times, 10); H(tot_range_lengths, 13); H(tot_range_elims, 6);
	H(tot_trans_elims, 6); H(tot_range_overlaps, 13); H(tot_trans_overlaps, 13);
	H(tot_trans_coalesces, 6);
}

static void heap_statistics(void)
{
	rds_stats_t s;
	char *last = (char *)&s;

	F(s, malloc, unsigned int); F(s, prealloc, unsigned int); F(s, free, unsigned int);
	F(s, coalesce, unsigned int); F(s, hits, unsigned int); F(s, misses, unsigned int);
	F(s, large_list, unsigned int); F(s, large_hits, unsigned int);
	F(s, large_misses, unsigned int); F(s, merged, unsigned int);
	F(s, unmerged, unsigned int); F(s, freebytes, unsigned int);
	F(s, mallocbytes, unsigned int);
}

/* Types as a program that keeps pointers to them has them. */
rvm_return_t (*initialize)(const char *, rvm_options_t *) = rvm_initialize;
rvm_return_t (*terminate)(void) = rvm_terminate, (*flush_log)(void) = rvm_flush;
rvm_return_t (*truncate_log)(void) = rvm_truncate;
rvm_return_t (*map)(rvm_region_t *, rvm_options_t *) = rvm_map;
rvm_return_t (*unmap)(rvm_region_t *) = rvm_unmap;
rvm_return_t (*set_options)(rvm_options_t *) = rvm_set_options;
rvm_return_t (*query)(rvm_options_t *, rvm_region_t *) = rvm_query;
rvm_return_t (*begin)(rvm_tid_t *, rvm_mode_t) = rvm_begin_transaction;
rvm_return_t (*end)(rvm_tid_t *, rvm_mode_t) = rvm_end_transaction;
rvm_return_t (*abort_tx)(rvm_tid_t *) = rvm_abort_transaction;
rvm_return_t (*set_range)(rvm_tid_t *, void *, rvm_length_t) = rvm_set_range;
rvm_return_t (*modify)(rvm_tid_t *, void *, const void *, rvm_length_t) = rvm_modify_bytes;
rvm_return_t (*create_log)(rvm_options_t *, rvm_offset_t *, long) = rvm_create_log;
char *(*text_of_code)(rvm_return_t) = rvm_return, *(*text_of_mode)(rvm_mode_t) = rvm_mode;
char *(*text_of_type)(rvm_struct_id_t) = rvm_type;
rvm_options_t *(*malloc_o)(void) = rvm_malloc_options, *(*copy_o)(rvm_options_t *) =
	rvm_copy_options;
rvm_region_t *(*malloc_r)(void) = rvm_malloc_region, *(*copy_r)(rvm_region_t *) =
	rvm_copy_region;
rvm_tid_t *(*malloc_t)(void) = rvm_malloc_tid, *(*copy_t)(rvm_tid_t *) = rvm_copy_tid;
rvm_statistics_t *(*malloc_s)(void) = rvm_malloc_statistics;
rvm_statistics_t *(*copy_s)(rvm_statistics_t *) = rvm_copy_statistics;
void (*init_o)(rvm_options_t *) = rvm_init_options, (*free_o)(rvm_options_t *) = rvm_free_options;
void (*init_r)(rvm_region_t *) = rvm_init_region, (*free_r)(rvm_region_t *) = rvm_free_region;
void (*init_t)(rvm_tid_t *) = rvm_init_tid, (*free_t)(rvm_tid_t *) = rvm_free_tid;
void (*init_s)(rvm_statistics_t *) = rvm_init_statistics;
void (*free_s)(rvm_statistics_t *) = rvm_free_statistics;
rvm_return_t (*get_s)(const char *, rvm_statistics_t *) = rvm_statistics;
rvm_return_t (*print_s)(rvm_statistics_t *, FILE *) = rvm_print_statistics;
rvm_offset_t (*mk)(rvm_length_t, rvm_length_t) = rvm_mk_offset;
rvm_offset_t (*add)(rvm_offset_t *, rvm_offset_t *) = rvm_add_offsets;
rvm_offset_t (*sub)(rvm_offset_t *, rvm_offset_t *) = rvm_sub_offsets;
rvm_offset_t (*add_l)(rvm_offset_t *, rvm_length_t) = rvm_add_length_to_offset;
rvm_offset_t (*sub_l)(rvm_offset_t *, rvm_length_t) = rvm_sub_length_from_offset;
rvm_offset_t (*up)(rvm_offset_t *) = rvm_rnd_offset_up_to_page;
rvm_offset_t (*down)(rvm_offset_t *) = rvm_rnd_offset_dn_to_page;
rvm_length_t (*page)(void) = rvm_page_size, (*mask)(void) = rvm_page_mask;
rvm_return_t (*create_seg)(char *, rvm_offset_t, rvm_options_t *, rvm_length_t,
			   rvm_region_def_t *) = rvm_create_segment;
rvm_return_t (*load_seg)(char *, rvm_offset_t, rvm_options_t *, unsigned long *,
			 rvm_region_def_t **) = rvm_load_segment;
rvm_return_t (*release_seg)(unsigned long, rvm_region_def_t **) = rvm_release_segment;
int (*zap)(char *, rvm_offset_t, char *, rvm_length_t, rvm_length_t, unsigned long,
	   unsigned long, int *) = rds_zap_heap;
int (*init_heap)(char *, rvm_length_t, unsigned long, unsigned long, rvm_tid_t *, int *) =
	rds_init_heap;
int (*load)(char *, rvm_offset_t, char **, int *) = rds_load_heap;
int (*unload)(int *) = rds_unload_heap, (*stop)(int *) = rds_stop_heap;
int (*start)(char *, int *) = rds_start_heap, (*clear)(int *) = rds_clear_stats;
int (*prealloc)(unsigned long, unsigned long, rvm_tid_t *, int *) = rds_prealloc;
char *(*malloc_b)(unsigned long, rvm_tid_t *, int *) = rds_malloc;
int (*free_b)(char *, rvm_tid_t *, int *) = rds_free, (*maxblock)(unsigned long) = rds_maxblock;
int (*fake)(char *, intentionList_t *) = rds_fake_free;
int (*do_free)(intentionList_t *, rvm_mode_t) = rds_do_free;
int (*print)(void) = rds_print_stats, (*get)(rds_stats_t *) = rds_get_stats;
int (*on)(FILE *) = rds_trace_on, (*off)(void) = rds_trace_off, (*dump)(void) =
	rds_trace_dump_heap;
rvm_region_def_t **region_defs = &RegionDefs;
unsigned long *n_region_defs = &NRegionDefs;
int *testsw = &rds_testsw, *tracing = &rds_tracing;
FILE **tracing_file = &rds_tracing_file;

int main(void)
{
	rvm_offset_t x = RVM_OFFSET_INITIALIZER(1, 2);
	char *versions[2];

	versions[0] = RVM_VERSION;
	versions[1] = RVM_STATISTICS_VERSION;
	V(versions[0] && versions[1], 1);
	V(x.high, 1);
	V(x.low, 2);
	modes();
	codes();
	records();
	statistics();
	heap_statistics();
	printf("%d wrong\n", wrong);
	return wrong != 0;
}
