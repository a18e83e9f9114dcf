// SPDX-License-Identifier: GPL-2.0
/* Each return code of the functions of rvm.h about regions and segments, provoked. */
#include "provoke.h"

/* What functions need. */

static void unmapped(void)
{
	need(!rvm_unmap(&w.record));
	w.record.vmaddr = NULL;
	w.options.flags |= RVM_TRACK_SIGSEGV;
}

static void for_segment(void)
{
	w.use_path = w.place.seg;
	w.log_len.low = SEG_BYTES + PAGE;
}

FUNCTION(rvm_map, unmapped, rvm_map(w.use_record, w.use_options));
FUNCTION(rvm_unmap, NULL, rvm_unmap(w.use_record));
FUNCTION(rvm_grow_segment, for_segment, rvm_grow_segment(w.use_path, w.log_len));
FUNCTION(rvm_query_region, NULL, rvm_query_region(w.use_record, &w.info));

/* Of arguments. */

static void segment_is_gone(void)
{
	need(!unlink(w.place.seg));
}

/* Of the library at work. */

static void no_region(void)
{
	w.use_record = NULL;
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

static const FIXTURE_VARIANT(returns) rows[] = {
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
};

REGISTER(rows)

TEST_HARNESS_MAIN
