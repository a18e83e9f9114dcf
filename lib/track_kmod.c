// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The tracker in the kernel: linux/rvm_track.h is its protocol.
 *
 * A page that somebody writes between TX_END and the clearing of
 * ctl->exclusive belongs to a transaction that is over.  So collect takes the
 * chains of all transactions, and end ends all that were collected.
 *
 * In a disjoint region several transactions are tracked, each with a chain of its own.  Who is
 * in one stands in the thread table alone, and is looked at by the transaction's thread.
 */
#include <errno.h>
#include <linux/rvm_track.h>
#include <rvm/rvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fault.h"
#include "kmod_area.h"
#include "kmod_chain.h"
#include "kmod_ends.h"
#include "kmod_hot.h"
#include "netlink.h"
#include "thread.h"
#include "track.h"
#include "track_cost.h"
#include "track_map.h"

/**
 * struct kmod - a region of the module
 * @tracker: the head
 * @nl: for commands
 * @area: its parts
 * @threads: who is in which transaction
 * @late: collect saw chains of transactions that are over
 * @seen: their tids by chain, 0 for none
 * @strays: stray pages ended
 * @refusal: the words for a store that a strict region refused
 * @idle: who owns what is written while no transaction is tracked
 * @disjoint: several are tracked
 * @hot: its hot pages
 */
struct kmod {
	struct tracker tracker;
	struct netlink *nl;
	struct kmod_area area;
	struct thread_table threads;
	bool late;
	uint32_t seen[RVM_TRACK_TXS];
	uint64_t strays;
	struct refusal refusal;
	uint32_t idle;
	bool disjoint;
	struct kmod_hot hot;
};

static struct kmod *to_kmod(struct tracker *tracker)
{
	return (struct kmod *)tracker;
}

/* What the module tells of a transaction. */
static const struct rvm_track_tx *tx_of(const struct kmod *kmod, uint32_t tid)
{
	return &kmod->area.ctl->tx[tid % RVM_TRACK_TXS];
}

static int probe(void)
{
	struct netlink *nl;
	int err;

	err = netlink_open(&nl);
	if (!err)
		netlink_close(nl);
	return err;
}

/* As the module decides it; other stores are refused for want of slots, or fail to read a page. */
static bool is_stray(void *owner, uint64_t page)
{
	const struct kmod *kmod = owner;
	uint32_t hold = __atomic_load_n(&kmod->area.words[page].hold, __ATOMIC_SEQ_CST);

	return thread_kind(&kmod->threads, thread_id()) == RVM_TRACK_KIND_NONE &&
	       !RVM_TRACK_HOLD_COUNT(hold);
}

static int explain_refusals(struct kmod *kmod, const struct track_map *map)
{
	int err;

	err = fault_install_bus();
	if (!err)
		err = track_map_refusal(map, kmod->tracker.base, &kmod->refusal);
	if (err)
		return err;
	kmod->refusal.is_stray = is_stray;
	kmod->refusal.owner = kmod;
	refusal_add(&kmod->refusal);
	return 0;
}

static int open_all(struct kmod *kmod, const struct track_map *map)
{
	int err;

	err = netlink_open(&kmod->nl);
	if (err)
		return err;
	err = kmod_area_open(&kmod->area, kmod->nl, map);
	if (err)
		goto err_netlink;
	kmod->tracker.base = kmod->area.base;
	err = thread_table_open(&kmod->threads, (uint64_t *)kmod->area.ctl->thread);
	if (err)
		goto err_area;
	if (map->strict)
		err = explain_refusals(kmod, map);
	if (err)
		goto err_threads;
	return 0;

err_threads:
	thread_table_close(&kmod->threads);
err_area:
	kmod_area_close(&kmod->area);
err_netlink:
	netlink_close(kmod->nl);
	return err;
}

static int open_region(const struct track_map *map, struct tracker **out)
{
	struct kmod *kmod;
	int err;

	err = track_map_check(map);
	if (err)
		return err;
	kmod = calloc(1, sizeof(*kmod));
	if (!kmod)
		return err_set(ENOMEM, "no memory for a tracker");
	kmod->tracker.ops = &track_kmod;
	kmod->tracker.length = map->length;
	kmod->disjoint = map->disjoint;
	err = open_all(kmod, map);
	if (err) {
		free(kmod);
		return err;
	}
	*out = &kmod->tracker;
	return 0;
}

static void close_region(struct tracker *tracker)
{
	struct kmod *kmod = to_kmod(tracker);

	refusal_del(&kmod->refusal);
	free(kmod->refusal.path);
	thread_table_close(&kmod->threads);
	kmod_hot_close(&kmod->hot, &kmod->area);
	kmod_area_close(&kmod->area);
	netlink_close(kmod->nl);
	free(kmod);
}

/* The module raises ctl->loose and then looks at ctl->exclusive again. */
static int arm_loose(struct kmod *kmod, uint32_t tid)
{
	__atomic_store_n(&kmod->area.ctl->exclusive, tid, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&kmod->area.ctl->loose, __ATOMIC_SEQ_CST))
		return 0;
	return netlink_arm(kmod->nl, kmod->area.fd);
}

static void forget(struct kmod *kmod)
{
	if (kmod->disjoint) {
		thread_put(&kmod->threads, 0, RVM_TRACK_KIND_NONE);
		return;
	}
	thread_end(&kmod->threads);
	__atomic_store_n(&kmod->area.ctl->exclusive, kmod->idle, __ATOMIC_SEQ_CST);
}

/* As while a transaction is tracked, but no thread is in it. */
static int watch(struct tracker *tracker, bool on, bool idle)
{
	struct kmod *kmod = to_kmod(tracker);

	kmod->idle = on ? TRACK_WATCH_TID : 0;
	if (idle && on)
		return arm_loose(kmod, TRACK_WATCH_TID);
	if (idle)
		__atomic_store_n(&kmod->area.ctl->exclusive, 0, __ATOMIC_SEQ_CST);
	return 0;
}

/* Loose pages are of explicit transactions that are open: no tracked one stores there. */
static int begin_beside(struct kmod *kmod, uint32_t tid)
{
	if (thread_kind(&kmod->threads, thread_id()) != RVM_TRACK_KIND_NONE)
		return err_set(EDEADLK,
			       "the region at %p is tracked for an earlier transaction of this thread: end it first",
			       kmod->tracker.base);
	return thread_put(&kmod->threads, tid, RVM_TRACK_KIND_TRACKED);
}

static int begin(struct tracker *tracker, uint32_t tid)
{
	struct kmod *kmod = to_kmod(tracker);
	int err;

	if (kmod->disjoint)
		return begin_beside(kmod, tid);
	err = thread_begin(&kmod->threads, tid);
	if (err)
		return err;
	err = arm_loose(kmod, tid);
	if (err)
		forget(kmod);
	return err;
}

/* A strict region has no hot pages. */
static void tune(struct tracker *tracker, const struct track_cost *cost)
{
	struct kmod *kmod = to_kmod(tracker);

	if (!(kmod->area.ctl->flags & RVM_TRACK_REGION_STRICT))
		kmod_hot_open(&kmod->hot, &kmod->area, track_cost_patience(cost));
}

/* The module stores conflict and then looks at the kind of this thread. */
static bool seal(struct tracker *tracker, uint32_t tid, uint64_t *page)
{
	struct kmod *kmod = to_kmod(tracker);
	const struct rvm_track_tx *tx = tx_of(kmod, tid);
	uint32_t conflict;

	if (!kmod->disjoint)
		return false;
	thread_put(&kmod->threads, tid, RVM_TRACK_KIND_ENDING);
	if (__atomic_load_n(&tx->tid, __ATOMIC_SEQ_CST) != tid)
		return false;
	conflict = __atomic_load_n(&tx->conflict, __ATOMIC_SEQ_CST);
	*page = conflict - 1ULL;
	return conflict;
}

static void unseal(struct tracker *tracker, uint32_t tid)
{
	struct kmod *kmod = to_kmod(tracker);

	if (kmod->disjoint)
		thread_put(&kmod->threads, tid, RVM_TRACK_KIND_TRACKED);
}

static uint64_t owned(const struct kmod *kmod)
{
	return __atomic_load_n(&kmod->area.ctl->owned, __ATOMIC_ACQUIRE);
}

/* Do all pages that have an owner belong to @tid, or are strays? */
static bool owned_by_one(const struct kmod *kmod, uint32_t tid)
{
	return owned(kmod) == (uint64_t)kmod_chain_count(tx_of(kmod, tid)) +
			      kmod_chain_count(tx_of(kmod, 0));
}

/* The chains of transactions that are over, which mostly are none. */
static int visit_late(struct kmod *kmod, uint32_t tid,
		      int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	const struct rvm_track_tx *tx = kmod->area.ctl->tx;
	uint32_t i, own = tid % RVM_TRACK_TXS;
	int err = 0;

	kmod->late = !owned_by_one(kmod, tid);
	for (i = 1; kmod->late && i < RVM_TRACK_TXS && !err; i++) {
		if (i == own || !kmod_chain_first(&tx[i]))
			continue;
		kmod->seen[i] = __atomic_load_n(&tx[i].tid, __ATOMIC_RELAXED);
		err = kmod_chain_visit(&kmod->area, &tx[i], fn, arg);
	}
	return err;
}

static int collect(struct tracker *tracker, uint32_t tid,
		   int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	struct kmod *kmod = to_kmod(tracker);
	int err;

	err = kmod_chain_visit(&kmod->area, &kmod->area.ctl->hot, fn, arg);
	if (!err)
		err = kmod_chain_visit(&kmod->area, tx_of(kmod, tid), fn, arg);
	if (err || kmod->disjoint)
		return err;
	err = kmod_chain_visit(&kmod->area, tx_of(kmod, 0), fn, arg);
	return err ? err : visit_late(kmod, tid, fn, arg);
}

/* End all transactions that collect saw, and the one that runs. */
static void add_all(struct kmod_ends *ends, struct kmod *kmod, uint32_t tid, uint64_t lsn,
		    uint32_t flags)
{
	uint32_t i;

	kmod->strays += kmod_chain_count(tx_of(kmod, 0));
	kmod_ends_add(ends, &kmod->area, tid, lsn, flags | RVM_TRACK_END_STRAYS);
	flags &= ~RVM_TRACK_END_HOT;
	for (i = 1; kmod->late && i < RVM_TRACK_TXS; i++) {
		if (kmod->seen[i])
			kmod_ends_add(ends, &kmod->area, kmod->seen[i], lsn, flags);
		kmod->seen[i] = 0;
	}
	kmod->late = false;
}

/*
 * Whose stores all went to hot pages needs no command.  In a disjoint region others' chains are
 * none of its business, and there are no hot pages and no strays.
 */
static void add_end(struct kmod_ends *ends, struct kmod *kmod, uint32_t tid, uint64_t lsn)
{
	uint32_t flags = kmod->hot.patience ? RVM_TRACK_END_KEEP : 0;

	if (kmod->disjoint) {
		if (kmod_chain_first(tx_of(kmod, tid)))
			kmod_ends_add(ends, &kmod->area, tid, lsn, 0);
		return;
	}
	if (kmod_hot_cool(&kmod->hot, &kmod->area, kmod->idle))
		flags |= RVM_TRACK_END_HOT;
	if (owned(kmod) || flags & RVM_TRACK_END_HOT)
		add_all(ends, kmod, tid, lsn, flags);
}

static int end_several(struct tracker *const *trackers, size_t n, uint32_t tid, uint64_t lsn)
{
	struct kmod_ends ends;
	size_t i;
	int err;

	kmod_ends_init(&ends, to_kmod(trackers[0])->nl);
	for (i = 0; i < n; i++)
		add_end(&ends, to_kmod(trackers[i]), tid, lsn);
	err = kmod_ends_send(&ends);
	for (i = 0; i < n; i++)
		forget(to_kmod(trackers[i]));
	return err;
}

static int end(struct tracker *tracker, uint32_t tid, uint64_t lsn)
{
	return end_several(&tracker, 1, tid, lsn);
}

/* The module restores the hot pages as well, and they are cold then. */
static int roll_back(struct tracker *tracker, uint32_t tid)
{
	struct kmod *kmod = to_kmod(tracker);
	struct kmod_ends ends;
	int err;

	kmod_ends_init(&ends, kmod->nl);
	err = kmod_hot_cool_all(&kmod->hot, &kmod->area);
	if (err)
		return err;
	if (kmod->disjoint)
		kmod_ends_add(&ends, &kmod->area, tid, 0, RVM_TRACK_END_ABORT);
	else
		add_all(&ends, kmod, tid, 0, RVM_TRACK_END_ABORT | RVM_TRACK_END_HOT);
	err = kmod_ends_send(&ends);
	forget(kmod);
	return err;
}

static char *committed(struct tracker *tracker, uint64_t page)
{
	struct kmod *kmod = to_kmod(tracker);
	uint32_t slot = __atomic_load_n(&kmod->area.words[page].slot, __ATOMIC_ACQUIRE);

	return kmod_area_preimage(&kmod->area, slot);
}

static char *keep(struct tracker *tracker, uint64_t page)
{
	struct kmod *kmod = to_kmod(tracker);

	if (!kmod_hot_keep(&kmod->hot, &kmod->area, page, kmod->idle))
		return NULL;
	return committed(tracker, page);
}

/* Before the store to the page that it is for: see WRITEBACK in the protocol. */
static void hold(struct tracker *tracker, uint64_t first, uint64_t last)
{
	struct kmod *kmod = to_kmod(tracker);
	uint64_t page;

	for (page = first; page <= last; page++)
		__atomic_fetch_add(&kmod->area.words[page].hold, 1, __ATOMIC_SEQ_CST);
}

static void raise_u64(__u64 *at, uint64_t value)
{
	__u64 old = __atomic_load_n(at, __ATOMIC_RELAXED);

	while (old < value &&
	       !__atomic_compare_exchange_n(at, &old, value, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
}

static void release(struct tracker *tracker, uint64_t first, uint64_t last, uint64_t lsn)
{
	struct kmod *kmod = to_kmod(tracker);
	uint64_t page;

	for (page = first; page <= last; page++) {
		raise_u64(&kmod->area.words[page].lsn, lsn);
		__atomic_fetch_sub(&kmod->area.words[page].hold, 1, __ATOMIC_SEQ_CST);
	}
}

/* A loose page stays writable after its last hold; whoever holds one faults once more. */
static void arm(struct tracker *tracker)
{
	struct kmod *kmod = to_kmod(tracker);

	if (__atomic_load_n(&kmod->area.ctl->loose, __ATOMIC_SEQ_CST))
		netlink_arm(kmod->nl, kmod->area.fd);
}

static void durable(struct tracker *tracker, uint64_t lsn)
{
	raise_u64(&to_kmod(tracker)->area.ctl->durable_lsn, lsn);
}

static int writeback(struct tracker *tracker, const uint64_t *pages, size_t n, uint64_t *busy,
		     size_t *n_busy)
{
	struct kmod *kmod = to_kmod(tracker);
	size_t done, part, part_busy;
	int err;

	*n_busy = 0;
	for (done = 0; done < n; done += part) {
		part = n - done < RVM_TRACK_PAGES_MAX ? n - done : RVM_TRACK_PAGES_MAX;
		err = netlink_writeback(kmod->nl, kmod->area.fd, pages + done, part,
					busy + *n_busy, &part_busy);
		if (err)
			return err;
		*n_busy += part_busy;
	}
	return 0;
}

/* Also pages that no commit noted, because nothing changed there or it was undone. */
static int relieve(struct tracker *tracker)
{
	if (fsync(to_kmod(tracker)->area.fd))
		return err_set(errno, "writing pages back: %s", strerror(errno));
	return 0;
}

static void stats(struct tracker *tracker, struct track_stats *stats)
{
	struct kmod *kmod = to_kmod(tracker);
	struct netlink_stats now;

	memset(stats, 0, sizeof(*stats));
	if (netlink_stats(kmod->nl, kmod->area.fd, &now))
		return;
	stats->first_writes = now.first_writes;
	stats->strays = __atomic_load_n(&kmod->strays, __ATOMIC_RELAXED) + now.stray;
	stats->written_back = now.written;
	stats->hot = now.hot;
	stats->conflicts = now.conflicts;
	stats->patience = kmod->hot.patience;
}

const struct track_ops track_kmod = {
	.name = "kmod",
	.flag = RVM_TRACK_KMOD,
	.tracks = true,
	.strict = true,
	.disjoint = true,
	.probe = probe,
	.open = open_region,
	.close = close_region,
	.begin = begin,
	.seal = seal,
	.unseal = unseal,
	.collect = collect,
	.end = end,
	.end_several = end_several,
	.restore = roll_back,
	.watch = watch,
	.committed = committed,
	.keep = keep,
	.hold = hold,
	.release = release,
	.arm = arm,
	.durable = durable,
	.writeback = writeback,
	.relieve = relieve,
	.stats = stats,
	.tune = tune,
};
