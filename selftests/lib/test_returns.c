// SPDX-License-Identifier: GPL-2.0
/* Each return code of each function of rvm.h and rvm_statistics.h, provoked. */
#include "returns.h"

#include "crc.h"
#include "instance.h"
#include "track.h"

/* What functions need. */

/* One transaction, not yet durable. */
static void committed(void)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, restore));
	need(!rvm_modify_bytes(&tid, w.at, "committed", 9));
	need(!rvm_end_transaction_lsn(&tid, no_flush, &w.lsn));
}

static void unmapped(void)
{
	need(!rvm_unmap(&w.record));
	w.record.vmaddr = NULL;
	w.options.flags |= RVM_TRACK_SIGSEGV;
}

static void for_another_log(void)
{
	snprintf(w.path, sizeof(w.path), "%s/other", w.place.dir);
	w.options.log_dev = w.path;
	w.log_len.low = 64 * 1024;
}

static void for_segment(void)
{
	w.use_path = w.place.seg;
	w.log_len.low = SEG_BYTES + PAGE;
}

static void for_backup(void)
{
	snprintf(w.path, sizeof(w.path), "%s/copy", w.place.dir);
	committed();
}

static void for_restore(void)
{
	w.mode = restore;
}

FUNCTION(rvm_initialize, closed, rvm_initialize(w.version, w.use_options));
FUNCTION(rvm_terminate, NULL, rvm_terminate());
FUNCTION(rvm_set_options, without_log, rvm_set_options(w.use_options));
FUNCTION(rvm_query, NULL, rvm_query(w.use_options, w.use_record));
FUNCTION(rvm_create_log, for_another_log, rvm_create_log(w.use_options, w.use_log_len, 0600));
FUNCTION(rvm_resize_log, NULL, rvm_resize_log(w.use_options, w.use_log_len));
FUNCTION(rvm_map, unmapped, rvm_map(w.use_record, w.use_options));
FUNCTION(rvm_unmap, NULL, rvm_unmap(w.use_record));
FUNCTION(rvm_grow_segment, for_segment, rvm_grow_segment(w.use_path, w.log_len));
FUNCTION(rvm_query_region, NULL, rvm_query_region(w.use_record, &w.info));
FUNCTION(rvm_begin_transaction, for_restore, rvm_begin_transaction(w.use_tid, w.mode));
FUNCTION(rvm_begin_tracked, NULL, rvm_begin_tracked(w.use_tid, w.use_record));
FUNCTION(rvm_set_range, begun, rvm_set_range(w.use_tid, w.at, w.length));
FUNCTION(rvm_modify_bytes, begun, rvm_modify_bytes(w.use_tid, w.at, w.source, w.length));
FUNCTION(rvm_end_transaction, begun, rvm_end_transaction(w.use_tid, w.mode));
FUNCTION(rvm_end_transaction_lsn, begun, rvm_end_transaction_lsn(w.use_tid, w.mode, w.use_lsn));
FUNCTION(rvm_abort_transaction, begun, rvm_abort_transaction(w.use_tid));
FUNCTION(rvm_flush, committed, rvm_flush());
FUNCTION(rvm_truncate, committed, rvm_truncate());
FUNCTION(rvm_query_log, NULL, rvm_query_log(w.use_log_info));
FUNCTION(rvm_wait_durable, committed, rvm_wait_durable(w.lsn, w.timeout));
FUNCTION(rvm_durable_fd, NULL, rvm_durable_fd(w.use_fd));
FUNCTION(rvm_backup, for_backup, rvm_backup(w.use_path, NULL, NULL));
FUNCTION(rvm_statistics, NULL, rvm_statistics(w.statistics_version, w.use_statistics));
FUNCTION(rvm_print_statistics, NULL, rvm_print_statistics(w.use_statistics, w.out));

/* Of arguments. */

static void segment_is_gone(void)
{
	need(!unlink(w.place.seg));
}

static void elsewhere(void)
{
	w.record.vmaddr += PAGE;
}

static void not_a_record(void)
{
	w.record.struct_id = rvm_tid_id;
}

static void log_path_too_long(void)
{
	w.options.log_dev = long_path;
}

static void no_options(void)
{
	w.use_options = NULL;
}

/* Of the log's file, while it is closed. */

static void another_version(void)
{
	w.version = "RVM Interface Version 1.2";
}

static void already(void)
{
	need(!RVM_INIT(NULL));
}

/* As another process's library does it: by a file of its own. */
static void locked(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open(w.options.log_dev, O_RDWR | O_CREAT, 0600);

	need(fd >= 0 && !fcntl(fd, F_OFD_SETLK, &lock));
}

static void no_log_at_all(void)
{
	w.options.log_dev = w.place.seg;
}

static void of_a_later_version(void)
{
	struct disk_status status;
	struct format_status decoded;
	const char *why;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		need(file_read(w.place.log, copy * FORMAT_BLOCK, &status, sizeof(status)));
		if (format_status_decode(&status, &decoded, &why))
			continue;
		status.version = FORMAT_VERSION + 1;
		status.crc = crc32c(0, &status, offsetof(struct disk_status, crc));
		need(file_write(w.place.log, copy * FORMAT_BLOCK, &status, sizeof(status)));
	}
}

static void damaged(void)
{
	int copy;

	for (copy = 0; copy < 2; copy++)
		need(file_write(w.place.log, copy * FORMAT_BLOCK + 100, "damage", 6));
}

static void log_is_gone(void)
{
	need(!unlink(w.place.log));
	w.options.create_log_file = rvm_false;
}

static void log_on_a_full_disk(void)
{
	need(!unlink(w.place.log));
	fail_with(WRITING_LOG, ENOSPC);
	fail_with(ALLOCATING, ENOSPC);
}

static void log_that_no_file_can_hold(void)
{
	need(!unlink(w.place.log));
	fail_with(WRITING_LOG, EFBIG);
}

/* Of the library at work. */

static void with_failing_log(void)
{
	committed();
	log_writes_fail();
}

static void no_region(void)
{
	w.use_record = NULL;
}

static void open_and_out_of_memory(void)
{
	begun();
	out_of_memory();
}

static void no_length(void)
{
	w.use_log_len = NULL;
}

static void length_of_nothing(void)
{
	w.log_len.low = 0;
}

static void log_that_exists(void)
{
	w.options.log_dev = w.place.seg;
}

static void full_disk(void)
{
	fail_with(WRITING_LOG, ENOSPC);
	fail_with(ALLOCATING, ENOSPC);
}

static void copy_on_a_full_disk(void)
{
	fail_with(WRITING_COPY, ENOSPC);
}

static void file_too_large(void)
{
	fail_with(WRITING_LOG, EFBIG);
	fail_with(ALLOCATING, EFBIG);
}

/* Another log, closed, so that a change of its size recovers it. */
static void closed_log(void)
{
	for_another_log();
	need(!rvm_create_log(&w.options, &w.log_len, 0600));
	snprintf(w.place.log, sizeof(w.place.log), "%s/other", w.place.dir);
	w.log_len.low = LOG_BYTES;
}

static void closed_log_locked(void)
{
	closed_log();
	locked();
}

static void closed_log_later(void)
{
	closed_log();
	of_a_later_version();
}

static void closed_log_damaged(void)
{
	closed_log();
	damaged();
}

static void closed_log_forbidden(void)
{
	closed_log();
	without_permission();
}

/* Of regions and segments. */

static void off_a_page(void)
{
	w.record.offset.low = 1;
}

static void overlapping(void)
{
	rvm_region_t region;

	need(!map_part(&region, w.place.seg, 8 * PAGE, PAGE, RVM_TRACK_SIGSEGV));
}

static void where_something_is(void)
{
	w.record.vmaddr = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void strict_without_tracker(void)
{
	w.options.flags &= ~RVM_TRACK_SIGSEGV;
	w.options.flags |= RVM_TRACK_NONE | RVM_STRICT;
}

static void segment_path_too_long(void)
{
	w.record.data_dev = long_path;
	w.use_path = long_path;
}

static void segment_on_a_full_disk(void)
{
	segment_is_gone();
	w.options.flags |= RVM_CREATE_SEGMENT;
	w.record.dev_length.low = SEG_BYTES;
	fail_with(ALLOCATING, ENOSPC);
}

static void no_path(void)
{
	w.use_path = NULL;
}

static void shorter(void)
{
	w.log_len.low = PAGE;
}

static void longer_than_any_file(void)
{
	w.log_len.low = 1UL << 63;
}

static void segment_cannot_be_measured(void)
{
	fail_with(MEASURING, EIO);
}

/* The log has what a region that was unmapped changed, and cannot bring it to the segment. */
static void orphans(void)
{
	rvm_region_t region;

	need(!map_part(&region, w.place.seg, 0, 16 * PAGE, RVM_TRACK_SIGSEGV));
	w.at = region.vmaddr;
	committed();
	need(!rvm_flush());
	need(!rvm_unmap(&region));
}

/* What the log holds is overwritten on the disk. */
static void records_are_damaged(void)
{
	char garbage[PAGE];
	long length = file_length(w.place.log);
	long at;

	memset(garbage, 0x5a, sizeof(garbage));
	for (at = length - 64 * 1024; at < length; at += PAGE)
		need(file_write(w.place.log, at, garbage, sizeof(garbage)));
}

static void orphans_damaged(void)
{
	orphans();
	records_are_damaged();
}

static void orphans_on_a_full_disk(void)
{
	orphans();
	fail_with(WRITING_SEGMENT, ENOSPC);
}

/* Of transactions. */

static void no_tid(void)
{
	w.use_tid = NULL;
}

static void begun_already(void)
{
	need(!rvm_begin_transaction(&w.tid, restore));
}

static void ended(void)
{
	need(!rvm_end_transaction(&w.tid, no_flush));
}

static void wrong_mode(void)
{
	w.mode = rvm_last_mode;
}

static void tracked_already(void)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, rvm_tracked));
	w.mode = rvm_tracked;
}

static void no_tracker(void)
{
	need(!rvm_unmap(&w.record));
	need(!map_part(&w.record, w.place.seg, 0, 16 * PAGE, RVM_TRACK_NONE));
	w.mode = rvm_tracked;
}

static void strays(void)
{
	w.mode = rvm_checked;
	put(w.at, 's');
}

/* As one that has begun in mode rvm_checked. */
static void forgotten(void)
{
	need(!rvm_abort_transaction(&w.tid));
	need(!rvm_begin_transaction(&w.tid, rvm_checked));
	put(w.at, 'f');
}

static bool always_met(struct tracker *tracker, uint32_t tid, uint64_t *page)
{
	*page = 0;
	return true;
}

/* As where the module has seen another transaction store to a page of this one. */
static void met_another(void)
{
	struct tracker *tracker = rvm.regions.first->tracker;
	static struct track_ops ops;

	need(!rvm_abort_transaction(&w.tid));
	need(!rvm_begin_transaction(&w.tid, rvm_tracked));
	ops = *tracker->ops;
	ops.seal = always_met;
	tracker->ops = &ops;
}

static void in_no_region(void)
{
	w.at = w.place.dir;
}

static void beyond_the_region(void)
{
	w.length = 17 * PAGE;
}

static void no_source(void)
{
	w.source = NULL;
}

static void too_big(void)
{
	need(!rvm_set_range(&w.tid, w.at, 16 * PAGE));
}

/* Two transactions that the log cannot hold both; the first is in it. */
static void no_room(void)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, restore));
	need(!rvm_set_range(&tid, w.at, 10 * PAGE));
	need(!rvm_end_transaction(&tid, flush));
	need(!rvm_set_range(&w.tid, w.at, 10 * PAGE));
}

static void no_room_and_a_full_disk(void)
{
	no_room();
	fail_with(WRITING_SEGMENT, ENOSPC);
}

static void no_room_and_damage(void)
{
	no_room();
	records_are_damaged();
}

static void no_lsn(void)
{
	w.use_lsn = NULL;
}

static void no_old_values(void)
{
	need(!rvm_end_transaction(&w.tid, no_flush));
	need(!rvm_begin_transaction(&w.tid, no_restore));
	need(!rvm_set_range(&w.tid, w.at, PAGE));
}

/* Without old values, and too big to be committed: they come from the segment. */
static void old_values_in_the_segment(void)
{
	no_old_values();
	too_big();
}

static void old_values_unreadable(void)
{
	old_values_in_the_segment();
	fail_with(READING_SEGMENT, EIO);
}

static void old_values_on_a_full_disk(void)
{
	old_values_in_the_segment();
	fail_with(WRITING_SEGMENT, ENOSPC);
}

static void old_values_damaged(void)
{
	need(!rvm_flush());
	old_values_in_the_segment();
	need(!rvm_flush());
	records_are_damaged();
}

static void old_values_without_memory(void)
{
	old_values_in_the_segment();
	out_of_memory();
}

/* Of the log and its tickets. */

static void segment_fails(void)
{
	fail_with(WRITING_SEGMENT, EIO);
}

static void segment_disk_is_full(void)
{
	fail_with(WRITING_SEGMENT, ENOSPC);
}

/* A page that an open transaction changes is not written from memory: its records are read. */
static void read_and_damaged(void)
{
	need(!rvm_flush());
	begun();
	records_are_damaged();
}

static void no_answer(void)
{
	w.use_log_info = NULL;
	w.use_fd = NULL;
}

/* The library's thread is to write; until it has, the time is over. */
static void on_a_slow_disk(void)
{
	__atomic_store_n(&stalled, 1, __ATOMIC_SEQ_CST);
	w.timeout = 0;
}

static void no_ticket(void)
{
	w.lsn = 1UL << 62;
}

static void directory_exists(void)
{
	need(!mkdir(w.path, 0700));
}

static void directory_without_parent(void)
{
	snprintf(w.path, sizeof(w.path), "%s/none/copy", w.place.dir);
}

static void path_too_long(void)
{
	w.use_path = long_path;
}

static void segment_is_cut_off(void)
{
	need(!truncate(w.place.seg, PAGE));
}

/* Of statistics. */

static void statistics_of_another_version(void)
{
	w.statistics_version = "RVM Statistics Interface Version 1.2";
}

static void not_statistics(void)
{
	w.statistics.struct_id = rvm_tid_id;
}

static void nowhere_to_print(void)
{
	w.out = NULL;
}

static const FIXTURE_VARIANT(returns) rows[] = {
	ROW(rvm_initialize, RVM_SUCCESS, nothing),
	ROW(rvm_initialize, RVM_EVERSION_SKEW, another_version),
	ROW(rvm_initialize, RVM_EINIT, already),
	ROW(rvm_initialize, RVM_EOPTIONS, bad_options),
	ROW(rvm_initialize, RVM_EPAGER, with_pager),
	ROW(rvm_initialize, RVM_ENAME_TOO_LONG, log_path_too_long),
	ROW(rvm_initialize, RVM_ELOG, no_log_at_all),
	ROW(rvm_initialize, RVM_ELOG_LOCKED, locked),
	ROW(rvm_initialize, RVM_ELOG_VERSION_SKEW, of_a_later_version),
	ROW(rvm_initialize, RVM_ELOG_DAMAGED, damaged),
	ROW(rvm_initialize, RVM_EPERM, without_permission),
	ROW(rvm_initialize, RVM_EIO, log_is_gone),
	ROW(rvm_initialize, RVM_ENO_SPACE, log_on_a_full_disk),
	ROW(rvm_initialize, RVM_ENO_SPACE, log_that_no_file_can_hold),
	ROW(rvm_initialize, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_initialize, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_terminate, RVM_SUCCESS, nothing),
	ROW(rvm_terminate, RVM_EINIT, closed),
	ROW(rvm_terminate, RVM_EUNCOMMIT, begun),
	ROW(rvm_terminate, RVM_EIO, with_failing_log),

	ROW(rvm_set_options, RVM_SUCCESS, nothing),
	ROW(rvm_set_options, RVM_EINIT, closed),
	ROW(rvm_set_options, RVM_EOPTIONS, bad_options),
	ROW(rvm_set_options, RVM_EOPTIONS, no_options),
	ROW(rvm_set_options, RVM_EPAGER, with_pager),
	ROW(rvm_set_options, RVM_ENAME_TOO_LONG, log_path_too_long),
	ROW(rvm_set_options, RVM_ELOG, no_log_at_all),
	ROW(rvm_set_options, RVM_ELOG_LOCKED, locked),
	ROW(rvm_set_options, RVM_ELOG_VERSION_SKEW, of_a_later_version),
	ROW(rvm_set_options, RVM_ELOG_DAMAGED, damaged),
	ROW(rvm_set_options, RVM_EPERM, without_permission),
	ROW(rvm_set_options, RVM_EIO, log_is_gone),
	ROW(rvm_set_options, RVM_ENO_SPACE, log_on_a_full_disk),
	ROW(rvm_set_options, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_query, RVM_SUCCESS, nothing),
	ROW(rvm_query, RVM_EINIT, closed),
	ROW(rvm_query, RVM_EOPTIONS, no_options),
	ROW(rvm_query, RVM_EREGION, not_a_record),
	ROW(rvm_query, RVM_ENOT_MAPPED, elsewhere),
	ROW(rvm_query, RVM_ENO_MEMORY, open_and_out_of_memory),

	ROW(rvm_create_log, RVM_SUCCESS, nothing),
	ROW(rvm_create_log, RVM_EINIT, closed),
	ROW(rvm_create_log, RVM_EOPTIONS, no_options),
	ROW(rvm_create_log, RVM_EPAGER, with_pager),
	ROW(rvm_create_log, RVM_ENAME_TOO_LONG, log_path_too_long),
	ROW(rvm_create_log, RVM_EOFFSET, no_length),
	ROW(rvm_create_log, RVM_ELOG, length_of_nothing),
	ROW(rvm_create_log, RVM_ELOG, log_that_exists),
	ROW(rvm_create_log, RVM_ELOG_LOCKED, locked),
	ROW(rvm_create_log, RVM_EPERM, without_permission),
	ROW(rvm_create_log, RVM_EIO, log_writes_fail),
	ROW(rvm_create_log, RVM_ENO_SPACE, full_disk),
	ROW(rvm_create_log, RVM_ENO_SPACE, file_too_large),
	ROW(rvm_create_log, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_create_log, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_resize_log, RVM_SUCCESS, nothing),
	ROW(rvm_resize_log, RVM_SUCCESS, closed_log),
	ROW(rvm_resize_log, RVM_EINIT, closed),
	ROW(rvm_resize_log, RVM_EOPTIONS, no_options),
	ROW(rvm_resize_log, RVM_EPAGER, with_pager),
	ROW(rvm_resize_log, RVM_ENAME_TOO_LONG, log_path_too_long),
	ROW(rvm_resize_log, RVM_EOFFSET, no_length),
	ROW(rvm_resize_log, RVM_EOFFSET, length_of_nothing),
	ROW(rvm_resize_log, RVM_ELOG, no_log_at_all),
	ROW(rvm_resize_log, RVM_ELOG_LOCKED, closed_log_locked),
	ROW(rvm_resize_log, RVM_ELOG_VERSION_SKEW, closed_log_later),
	ROW(rvm_resize_log, RVM_ELOG_DAMAGED, closed_log_damaged),
	ROW(rvm_resize_log, RVM_EPERM, closed_log_forbidden),
	ROW(rvm_resize_log, RVM_EIO, log_writes_fail),
	ROW(rvm_resize_log, RVM_ENO_SPACE, full_disk),
	ROW(rvm_resize_log, RVM_ENO_SPACE, file_too_large),
	ROW(rvm_resize_log, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_map, RVM_SUCCESS, nothing),
	ROW(rvm_map, RVM_EINIT, closed),
	ROW(rvm_map, RVM_ELOG, without_log),
	ROW(rvm_map, RVM_EREGION, not_a_record),
	ROW(rvm_map, RVM_EOPTIONS, bad_options),
	ROW(rvm_map, RVM_EPAGER, with_pager),
	ROW(rvm_map, RVM_ENAME_TOO_LONG, segment_path_too_long),
	ROW(rvm_map, RVM_EOFFSET, off_a_page),
	ROW(rvm_map, RVM_EOVERLAP, overlapping),
	ROW(rvm_map, RVM_EVM_OVERLAP, where_something_is),
	ROW(rvm_map, RVM_ETRACKER, strict_without_tracker),
	ROW(rvm_map, RVM_EIO, segment_is_gone),
	ROW(rvm_map, RVM_EPERM, without_permission),
	ROW(rvm_map, RVM_ENO_SPACE, segment_on_a_full_disk),
	ROW(rvm_map, RVM_ENO_SPACE, orphans_on_a_full_disk),
	ROW(rvm_map, RVM_ELOG_DAMAGED, orphans_damaged),
	ROW(rvm_map, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_map, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_unmap, RVM_SUCCESS, nothing),
	ROW(rvm_unmap, RVM_EINIT, closed),
	ROW(rvm_unmap, RVM_ELOG, without_log),
	ROW(rvm_unmap, RVM_EREGION, no_region),
	ROW(rvm_unmap, RVM_ENOT_MAPPED, elsewhere),
	ROW(rvm_unmap, RVM_EUNCOMMIT, begun),

	ROW(rvm_grow_segment, RVM_SUCCESS, nothing),
	ROW(rvm_grow_segment, RVM_EINIT, closed),
	ROW(rvm_grow_segment, RVM_ELOG, without_log),
	ROW(rvm_grow_segment, RVM_EREGION, no_path),
	ROW(rvm_grow_segment, RVM_ENAME_TOO_LONG, segment_path_too_long),
	ROW(rvm_grow_segment, RVM_EOFFSET, shorter),
	ROW(rvm_grow_segment, RVM_ENO_SPACE, full_disk),
	ROW(rvm_grow_segment, RVM_ETOO_BIG, longer_than_any_file),
	ROW(rvm_grow_segment, RVM_EPERM, without_permission),
	ROW(rvm_grow_segment, RVM_EIO, segment_cannot_be_measured),
	ROW(rvm_grow_segment, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_grow_segment, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_query_region, RVM_SUCCESS, nothing),
	ROW(rvm_query_region, RVM_EINIT, closed),
	ROW(rvm_query_region, RVM_EREGION, not_a_record),
	ROW(rvm_query_region, RVM_ENOT_MAPPED, elsewhere),

	ROW(rvm_begin_transaction, RVM_SUCCESS, nothing),
	ROW(rvm_begin_transaction, RVM_EINIT, closed),
	ROW(rvm_begin_transaction, RVM_ELOG, without_log),
	ROW(rvm_begin_transaction, RVM_ETID, no_tid),
	ROW(rvm_begin_transaction, RVM_ETID, begun_already),
	ROW(rvm_begin_transaction, RVM_EMODE, wrong_mode),
	ROW(rvm_begin_transaction, RVM_ECONFLICT, tracked_already),
	ROW(rvm_begin_transaction, RVM_ETRACKER, no_tracker),
	ROW(rvm_begin_transaction, RVM_EFORGOTTEN, strays),
	ROW(rvm_begin_transaction, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_begin_tracked, RVM_SUCCESS, nothing),
	ROW(rvm_begin_tracked, RVM_EINIT, closed),
	ROW(rvm_begin_tracked, RVM_ELOG, without_log),
	ROW(rvm_begin_tracked, RVM_ETID, no_tid),
	ROW(rvm_begin_tracked, RVM_EREGION, not_a_record),
	ROW(rvm_begin_tracked, RVM_ENOT_MAPPED, elsewhere),
	ROW(rvm_begin_tracked, RVM_ECONFLICT, tracked_already),
	ROW(rvm_begin_tracked, RVM_ETRACKER, no_tracker),
	ROW(rvm_begin_tracked, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_set_range, RVM_SUCCESS, nothing),
	ROW(rvm_set_range, RVM_EINIT, closed),
	ROW(rvm_set_range, RVM_ELOG, without_log),
	ROW(rvm_set_range, RVM_ETID, ended),
	ROW(rvm_set_range, RVM_ENOT_MAPPED, in_no_region),
	ROW(rvm_set_range, RVM_ERANGE, beyond_the_region),
	ROW(rvm_set_range, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_modify_bytes, RVM_SUCCESS, nothing),
	ROW(rvm_modify_bytes, RVM_EINIT, closed),
	ROW(rvm_modify_bytes, RVM_ELOG, without_log),
	ROW(rvm_modify_bytes, RVM_ETID, ended),
	ROW(rvm_modify_bytes, RVM_ENOT_MAPPED, in_no_region),
	ROW(rvm_modify_bytes, RVM_ERANGE, beyond_the_region),
	ROW(rvm_modify_bytes, RVM_ESRC, no_source),
	ROW(rvm_modify_bytes, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_end_transaction, RVM_SUCCESS, nothing),
	ROW(rvm_end_transaction, RVM_EINIT, closed),
	ROW(rvm_end_transaction, RVM_ELOG, without_log),
	ROW(rvm_end_transaction, RVM_ETID, ended),
	ROW(rvm_end_transaction, RVM_EMODE, wrong_mode),
	ROW(rvm_end_transaction, RVM_ECONFLICT, met_another),
	ROW(rvm_end_transaction, RVM_EFORGOTTEN, forgotten),
	ROW(rvm_end_transaction, RVM_ETOO_BIG, too_big),
	ROW(rvm_end_transaction, RVM_EIO, log_writes_fail),
	ROW(rvm_end_transaction, RVM_ENO_SPACE, no_room_and_a_full_disk),
	ROW(rvm_end_transaction, RVM_ELOG_DAMAGED, no_room_and_damage),
	ROW(rvm_end_transaction, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_end_transaction_lsn, RVM_SUCCESS, nothing),
	ROW(rvm_end_transaction_lsn, RVM_EINIT, closed),
	ROW(rvm_end_transaction_lsn, RVM_ELOG, without_log),
	ROW(rvm_end_transaction_lsn, RVM_ETID, ended),
	ROW(rvm_end_transaction_lsn, RVM_EMODE, wrong_mode),
	ROW(rvm_end_transaction_lsn, RVM_ELSN, no_lsn),
	ROW(rvm_end_transaction_lsn, RVM_ECONFLICT, met_another),
	ROW(rvm_end_transaction_lsn, RVM_EFORGOTTEN, forgotten),
	ROW(rvm_end_transaction_lsn, RVM_ETOO_BIG, too_big),
	ROW(rvm_end_transaction_lsn, RVM_EIO, log_writes_fail),
	ROW(rvm_end_transaction_lsn, RVM_ENO_SPACE, no_room_and_a_full_disk),
	ROW(rvm_end_transaction_lsn, RVM_ELOG_DAMAGED, no_room_and_damage),
	ROW(rvm_end_transaction_lsn, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_abort_transaction, RVM_SUCCESS, nothing),
	ROW(rvm_abort_transaction, RVM_SUCCESS, old_values_in_the_segment),
	ROW(rvm_abort_transaction, RVM_EINIT, closed),
	ROW(rvm_abort_transaction, RVM_ELOG, without_log),
	ROW(rvm_abort_transaction, RVM_ETID, ended),
	ROW(rvm_abort_transaction, RVM_EMODE, no_old_values),
	ROW(rvm_abort_transaction, RVM_EIO, old_values_unreadable),
	ROW(rvm_abort_transaction, RVM_ENO_SPACE, old_values_on_a_full_disk),
	ROW(rvm_abort_transaction, RVM_ELOG_DAMAGED, old_values_damaged),
	ROW(rvm_abort_transaction, RVM_ENO_MEMORY, old_values_without_memory),

	ROW(rvm_flush, RVM_SUCCESS, nothing),
	ROW(rvm_flush, RVM_EINIT, closed),
	ROW(rvm_flush, RVM_ELOG, without_log),
	ROW(rvm_flush, RVM_EIO, log_writes_fail),

	ROW(rvm_truncate, RVM_SUCCESS, nothing),
	ROW(rvm_truncate, RVM_EINIT, closed),
	ROW(rvm_truncate, RVM_ELOG, without_log),
	ROW(rvm_truncate, RVM_EIO, segment_fails),
	ROW(rvm_truncate, RVM_ENO_SPACE, segment_disk_is_full),
	ROW(rvm_truncate, RVM_ELOG_DAMAGED, read_and_damaged),
	ROW(rvm_truncate, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_query_log, RVM_SUCCESS, nothing),
	ROW(rvm_query_log, RVM_EINIT, closed),
	ROW(rvm_query_log, RVM_ELOG, without_log),
	ROW(rvm_query_log, RVM_EOPTIONS, no_answer),

	ROW(rvm_wait_durable, RVM_SUCCESS, nothing),
	ROW(rvm_wait_durable, RVM_EINIT, closed),
	ROW(rvm_wait_durable, RVM_ELOG, without_log),
	ROW(rvm_wait_durable, RVM_ETIMEOUT, on_a_slow_disk),
	ROW(rvm_wait_durable, RVM_ELSN, no_ticket),
	ROW(rvm_wait_durable, RVM_EIO, log_writes_fail),

	ROW(rvm_durable_fd, RVM_SUCCESS, nothing),
	ROW(rvm_durable_fd, RVM_EINIT, closed),
	ROW(rvm_durable_fd, RVM_ELOG, without_log),
	ROW(rvm_durable_fd, RVM_EOPTIONS, no_answer),
	ROW(rvm_durable_fd, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_backup, RVM_SUCCESS, nothing),
	ROW(rvm_backup, RVM_EINIT, closed),
	ROW(rvm_backup, RVM_ELOG, without_log),
	ROW(rvm_backup, RVM_EOPTIONS, no_path),
	ROW(rvm_backup, RVM_EOPTIONS, directory_exists),
	ROW(rvm_backup, RVM_EPERM, without_permission),
	ROW(rvm_backup, RVM_ENO_SPACE, copy_on_a_full_disk),
	ROW(rvm_backup, RVM_EIO, directory_without_parent),
	ROW(rvm_backup, RVM_ELOG_DAMAGED, segment_is_cut_off),
	ROW(rvm_backup, RVM_ENAME_TOO_LONG, path_too_long),
	ROW(rvm_backup, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_backup, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_statistics, RVM_SUCCESS, nothing),
	ROW(rvm_statistics, RVM_EINIT, closed),
	ROW(rvm_statistics, RVM_ESTAT_VERSION_SKEW, statistics_of_another_version),
	ROW(rvm_statistics, RVM_ESTATISTICS, not_statistics),

	ROW(rvm_print_statistics, RVM_SUCCESS, nothing),
	ROW(rvm_print_statistics, RVM_ESTATISTICS, not_statistics),
	ROW(rvm_print_statistics, RVM_EIO, nowhere_to_print),
};

#define ROWS	(sizeof(rows) / sizeof(rows[0]))

static void __attribute__((constructor)) register_rows(void)
{
	static struct __fixture_variant_metadata variants[ROWS];

	register_variants(rows, variants, ROWS);
}

TEST_HARNESS_MAIN
