// SPDX-License-Identifier: GPL-2.0
/* Each return code of the functions of rvm.h about transactions, provoked. */
#include "provoke.h"

#include "instance.h"
#include "track.h"

/* What functions need. */

static void for_restore(void)
{
	w.mode = restore;
}

FUNCTION(rvm_begin_transaction, for_restore, rvm_begin_transaction(w.use_tid, w.mode));
FUNCTION(rvm_begin_tracked, NULL, rvm_begin_tracked(w.use_tid, w.use_record));
FUNCTION(rvm_set_range, begun, rvm_set_range(w.use_tid, w.at, w.length));
FUNCTION(rvm_modify_bytes, begun, rvm_modify_bytes(w.use_tid, w.at, w.source, w.length));
FUNCTION(rvm_end_transaction, begun, rvm_end_transaction(w.use_tid, w.mode));
FUNCTION(rvm_end_transaction_lsn, begun, rvm_end_transaction_lsn(w.use_tid, w.mode, w.use_lsn));
FUNCTION(rvm_abort_transaction, begun, rvm_abort_transaction(w.use_tid));

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

static const FIXTURE_VARIANT(returns) rows[] = {
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
};

REGISTER(rows)

TEST_HARNESS_MAIN
