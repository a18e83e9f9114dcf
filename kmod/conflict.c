// SPDX-License-Identifier: GPL-2.0
/* A conflict: a store to a page that another transaction owns. */

#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "conflict.h"
#include "page.h"
#include "region.h"

unsigned int rvmt_conflict_wait_ms = RVMT_CONFLICT_DEFAULT;

/* The time counts from the first store that met the page: no page is waited for longer. */
static bool has_time(struct rvmt_page *page)
{
	if (!page->met)
		page->met = jiffies ?: 1;
	return time_before(jiffies,
			   page->met + msecs_to_jiffies(READ_ONCE(rvmt_conflict_wait_ms)));
}

/* Tell a transaction; one that has no place in the table cannot be told. */
static bool mark(struct rvmt_region *region, u32 tid, pgoff_t index)
{
	struct rvmt_tx *tx = rvmt_region_tx(region, tid);
	bool ok;

	spin_lock(&region->lock);
	if (!tx->count)
		rvmt_page_name_chain(tx, tid);
	ok = tx->tid == tid;
	if (ok)
		WRITE_ONCE(tx->shared->conflict, min_t(u64, index + 1ULL, U32_MAX));
	spin_unlock(&region->lock);
	return ok;
}

/* The descriptor is not writable for the user; the thread table decides of its own process only. */
static bool is_ending(const struct rvmt_region *region, const struct rvmt_page *page)
{
	u64 entry = rvmt_region_thread(region, page->desc->thread);

	return RVM_TRACK_THREAD_KIND(entry) == RVM_TRACK_KIND_ENDING &&
	       RVM_TRACK_THREAD_TID(entry) == page->tid;
}

vm_fault_t rvmt_conflict_meet(struct rvmt_region *region, struct rvmt_page *page, u32 tid,
			      bool user)
{
	pgoff_t index = page->folio->index;
	bool early = has_time(page);

	if (!rvmt_region_tid_ok(tid))
		return VM_FAULT_SIGBUS;
	if (early && region->flags & RVM_TRACK_REGION_WAIT)
		return VM_FAULT_NOPAGE;
	mark(region, page->tid, index);
	smp_mb();	/* pairs with the library's, between kind and conflict */
	if (is_ending(region, page))
		return early || user ? VM_FAULT_NOPAGE : VM_FAULT_SIGBUS;
	if (!mark(region, tid, index))
		return VM_FAULT_SIGBUS;
	atomic64_inc(&region->stats.conflicts);
	return 0;
}

vm_fault_t rvmt_conflict_wait(struct rvmt_region *region, u32 ends)
{
	wait_event_killable_timeout(region->ended, READ_ONCE(region->ends) != ends,
				    RVMT_CONFLICT_NAP);
	return fatal_signal_pending(current) ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

void rvmt_conflict_wake(struct rvmt_region *region)
{
	lockdep_assert_held(&region->tx_mutex);
	if (!(region->flags & RVM_TRACK_REGION_DISJOINT))
		return;
	WRITE_ONCE(region->ends, region->ends + 1);
	wake_up_all(&region->ended);
}
