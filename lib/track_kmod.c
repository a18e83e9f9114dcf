// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The tracker in the kernel: linux/rvm_track.h is its protocol.
 *
 * What is mapped of a region file is written by the module, which belongs to
 * the system, and, except for the slots, by any stray store of this program.  So
 * every number that is read there is checked before it leads anywhere.
 *
 * A page that somebody writes between TX_END and the clearing of
 * ctl->exclusive belongs to a transaction that is over.  So collect takes the
 * chains of all transactions, and end ends all that were collected.
 *
 * In a disjoint region several transactions are tracked, each with a chain of its own.  Who is
 * in one stands in the thread table alone, and is looked at by the transaction's thread.
 *
 * A page that changed in two transactions with less than "patience" others between
 * them becomes hot, and one that has not changed for so long is cold again.
 */
#include <errno.h>
#include <linux/rvm_track.h>
#include <pthread.h>
#include <rvm/rvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "fault.h"
#include "netlink.h"
#include "thread.h"
#include "track.h"
#include "track_cost.h"
#include "track_map.h"

#define HOT_MAX		16384	/* hot pages: their slots are memory that nothing can take back */
#define CREATE_TRIES	100
#define CREATE_PAUSE	10000	/* microseconds */

/**
 * struct ends - transactions that end in regions, on their way to the module
 * @nl: the client
 * @end: which
 * @n: how many
 * @err: what failed first
 */
struct ends {
	struct netlink *nl;
	struct netlink_end end[NETLINK_ENDS_MAX];
	size_t n;
	int err;
};

/**
 * struct kmod - a region of the module
 * @tracker: the head
 * @nl: for commands
 * @fd: the region file
 * @pages: in the region
 * @slots: the highest slot number
 * @ctl: the control block
 * @words: a word a page
 * @slot: descriptors by slot
 * @arena: pre-images by slot
 * @threads: who is in which transaction
 * @late: collect saw chains of transactions that are over
 * @seen: their tids by chain, 0 for none
 * @strays: stray pages ended
 * @refusal: the words for a store that a strict region refused
 * @idle: who owns what is written while no transaction is tracked
 * @disjoint: several are tracked
 * @changed: by page: the end of a transaction that changed it last, 0 for none
 * @ends: transactions that ended
 * @patience: see track_cost_patience(); 0: there are no hot pages
 * @hot: pages with the mark
 */
struct kmod {
	struct tracker tracker;
	struct netlink *nl;
	int fd;
	uint64_t pages;
	uint32_t slots;
	struct rvm_track_ctl *ctl;
	struct rvm_track_word *words;
	const struct rvm_track_slot *slot;
	char *arena;
	struct thread_table threads;
	bool late;
	uint32_t seen[RVM_TRACK_TXS];
	uint64_t strays;
	struct refusal refusal;
	uint32_t idle;
	bool disjoint;
	uint32_t *changed;
	uint32_t ends;
	uint32_t patience;
	uint32_t hot;
};

static struct kmod *to_kmod(struct tracker *tracker)
{
	return (struct kmod *)tracker;
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

static size_t words_size(const struct kmod *kmod)
{
	return (kmod->pages * sizeof(*kmod->words) + TRACK_PAGE_SIZE - 1) & -TRACK_PAGE_SIZE;
}

static size_t slots_size(const struct kmod *kmod)
{
	return ((kmod->slots + 1ULL) * sizeof(*kmod->slot) + TRACK_PAGE_SIZE - 1) &
	       -TRACK_PAGE_SIZE;
}

static size_t arena_size(const struct kmod *kmod)
{
	return (kmod->slots + 1ULL) << TRACK_PAGE_SHIFT;
}

static int map_area(struct kmod *kmod, uint64_t offset, size_t size, int prot, void **out)
{
	void *at = mmap(NULL, size, prot, MAP_SHARED | MAP_NORESERVE, kmod->fd, offset);

	if (at == MAP_FAILED)
		return err_set(errno, "mmap of %zu bytes of the region file at 0x%llx: %s", size,
			       (unsigned long long)offset, strerror(errno));
	*out = at;
	return 0;
}

static int map_data(struct kmod *kmod, const struct track_map *map)
{
	int flags = MAP_SHARED | MAP_NORESERVE | (map->addr ? MAP_FIXED_NOREPLACE : 0);
	void *at;

	at = mmap(map->addr, map->length, PROT_READ | PROT_WRITE, flags, kmod->fd,
		  RVM_TRACK_MMAP_DATA);
	if (at == MAP_FAILED)
		return track_map_error(map, errno);
	if (map->addr && at != map->addr) {
		munmap(at, map->length);
		return track_map_error(map, EEXIST);
	}
	kmod->tracker.base = at;
	return 0;
}

static void unmap(void *at, size_t size)
{
	if (at)
		munmap(at, size);
}

static void unmap_areas(struct kmod *kmod)
{
	unmap(kmod->changed, kmod->pages * sizeof(*kmod->changed));
	unmap(kmod->arena, arena_size(kmod));
	unmap((void *)kmod->slot, slots_size(kmod));
	unmap(kmod->words, words_size(kmod));
	unmap(kmod->ctl, sizeof(*kmod->ctl));
}

/* Of the control block's numbers all that matter are read once, here. */
static int map_areas(struct kmod *kmod)
{
	void *at;
	int err;

	err = map_area(kmod, RVM_TRACK_MMAP_CTL, sizeof(*kmod->ctl), PROT_READ | PROT_WRITE, &at);
	if (err)
		return err;
	kmod->ctl = at;
	if (kmod->ctl->version != RVM_TRACK_GENL_VERSION)
		return err_set(EPROTO, "rvm_track has version %u, this library is for %u",
			       kmod->ctl->version, RVM_TRACK_GENL_VERSION);
	kmod->slots = kmod->ctl->slots;
	err = map_area(kmod, RVM_TRACK_MMAP_WORDS, words_size(kmod), PROT_READ | PROT_WRITE, &at);
	if (err)
		return err;
	kmod->words = at;
	err = map_area(kmod, RVM_TRACK_MMAP_SLOTS, slots_size(kmod), PROT_READ, &at);
	if (err)
		return err;
	kmod->slot = at;
	err = map_area(kmod, RVM_TRACK_MMAP_ARENA, arena_size(kmod), PROT_READ | PROT_WRITE, &at);
	if (err)
		return err;
	kmod->arena = at;
	return 0;
}

/*
 * A process that was killed during writeback keeps its region until that is done,
 * so a restarted program waits a little for its predecessor.
 */
static uint32_t region_flags(const struct track_map *map)
{
	return (map->strict ? RVM_TRACK_REGION_STRICT : 0) |
	       (map->disjoint ? RVM_TRACK_REGION_DISJOINT : 0) |
	       (map->wait ? RVM_TRACK_REGION_WAIT : 0);
}

static int create(struct kmod *kmod, const struct track_map *map)
{
	struct netlink_region region = {
		.seg_fd = map->fd,
		.offset = map->offset,
		.length = map->length,
		.flags = region_flags(map),
	};
	unsigned int tries;

	for (tries = 0; tries < CREATE_TRIES; tries++) {
		kmod->fd = netlink_create(kmod->nl, &region);
		if (kmod->fd != -EBUSY)
			break;
		usleep(CREATE_PAUSE);
	}
	return kmod->fd < 0 ? kmod->fd : 0;
}

/* The data first, or another area might get the addresses that were asked for. */
static int open_maps(struct kmod *kmod, const struct track_map *map)
{
	int err;

	err = map_data(kmod, map);
	if (err)
		return err;
	err = map_areas(kmod);
	if (err)
		goto err_areas;
	err = thread_table_open(&kmod->threads, (uint64_t *)kmod->ctl->thread);
	if (err)
		goto err_areas;
	return 0;

err_areas:
	unmap_areas(kmod);
	munmap(kmod->tracker.base, map->length);
	return err;
}

/* As the module decides it; other stores are refused for want of slots, or fail to read a page. */
static bool is_stray(void *owner, uint64_t page)
{
	const struct kmod *kmod = owner;

	return thread_kind(&kmod->threads, thread_id()) == RVM_TRACK_KIND_NONE &&
	       !RVM_TRACK_HOLD_COUNT(__atomic_load_n(&kmod->words[page].hold, __ATOMIC_SEQ_CST));
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

static void close_maps(struct kmod *kmod)
{
	thread_table_close(&kmod->threads);
	unmap_areas(kmod);
	munmap(kmod->tracker.base, kmod->tracker.length);
}

static int open_all(struct kmod *kmod, const struct track_map *map)
{
	int err;

	err = netlink_open(&kmod->nl);
	if (err)
		return err;
	err = create(kmod, map);
	if (err)
		goto err_netlink;
	err = open_maps(kmod, map);
	if (err)
		goto err_region;
	if (map->strict)
		err = explain_refusals(kmod, map);
	if (err)
		goto err_maps;
	return 0;

err_maps:
	close_maps(kmod);
err_region:
	close(kmod->fd);
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
	kmod->pages = map->length >> TRACK_PAGE_SHIFT;
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
	close_maps(kmod);
	close(kmod->fd);
	netlink_close(kmod->nl);
	free(kmod);
}

/* The module raises ctl->loose and then looks at ctl->exclusive again. */
static int arm_loose(struct kmod *kmod, uint32_t tid)
{
	__atomic_store_n(&kmod->ctl->exclusive, tid, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&kmod->ctl->loose, __ATOMIC_SEQ_CST))
		return 0;
	return netlink_arm(kmod->nl, kmod->fd);
}

static void forget(struct kmod *kmod)
{
	if (kmod->disjoint) {
		thread_put(&kmod->threads, 0, RVM_TRACK_KIND_NONE);
		return;
	}
	thread_end(&kmod->threads);
	__atomic_store_n(&kmod->ctl->exclusive, kmod->idle, __ATOMIC_SEQ_CST);
}

/* As while a transaction is tracked, but no thread is in it. */
static int watch(struct tracker *tracker, bool on, bool idle)
{
	struct kmod *kmod = to_kmod(tracker);

	kmod->idle = on ? TRACK_WATCH_TID : 0;
	if (idle && on)
		return arm_loose(kmod, TRACK_WATCH_TID);
	if (idle)
		__atomic_store_n(&kmod->ctl->exclusive, 0, __ATOMIC_SEQ_CST);
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

/* What is never touched of it takes no memory.  A strict region has no hot pages. */
static void tune(struct tracker *tracker, const struct track_cost *cost)
{
	struct kmod *kmod = to_kmod(tracker);
	void *at;

	if (kmod->ctl->flags & RVM_TRACK_REGION_STRICT)
		return;
	at = mmap(NULL, kmod->pages * sizeof(*kmod->changed), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return;
	kmod->changed = at;
	kmod->patience = track_cost_patience(cost);
}

/* A page's pre-image, or NULL if the page has no owner. */
static char *preimage(const struct kmod *kmod, uint32_t slot)
{
	if (!slot || slot > kmod->slots)
		return NULL;
	return kmod->arena + ((uint64_t)slot << TRACK_PAGE_SHIFT);
}

static struct track_store first_store(const struct rvm_track_slot *slot)
{
	return (struct track_store) { .ip = slot->ip, .thread = slot->thread, .at = slot->at };
}

static int bad_chain(uint32_t slot)
{
	return err_set(EUCLEAN, "the region's table of written pages is damaged at slot %u", slot);
}

static int visit(struct kmod *kmod, uint32_t first,
		 int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	uint32_t slot = first, left;
	struct track_page page;
	int err;

	for (left = kmod->slots; slot; left--) {
		if (slot > kmod->slots || !left)
			return bad_chain(slot);
		page.page = kmod->slot[slot].page;
		if (page.page >= kmod->pages)
			return bad_chain(slot);
		page.live = kmod->tracker.base + (page.page << TRACK_PAGE_SHIFT);
		page.committed = preimage(kmod, slot);
		page.store = first_store(&kmod->slot[slot]);
		err = fn(arg, &page);
		if (err)
			return err;
		slot = kmod->slot[slot].next;
	}
	return 0;
}

static uint32_t first_of(const struct rvm_track_tx *tx)
{
	return __atomic_load_n(&tx->first, __ATOMIC_ACQUIRE);
}

static uint32_t count_of(const struct rvm_track_tx *tx)
{
	return __atomic_load_n(&tx->count, __ATOMIC_RELAXED);
}

/* The module stores conflict and then looks at the kind of this thread. */
static bool seal(struct tracker *tracker, uint32_t tid, uint64_t *page)
{
	struct kmod *kmod = to_kmod(tracker);
	const struct rvm_track_tx *tx = &kmod->ctl->tx[tid % RVM_TRACK_TXS];
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
	return __atomic_load_n(&kmod->ctl->owned, __ATOMIC_ACQUIRE);
}

/* The chains of transactions that are over, which mostly are none. */
static int visit_late(struct kmod *kmod, uint32_t tid,
		      int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	uint32_t i, first, own = tid % RVM_TRACK_TXS;
	const struct rvm_track_tx *tx = kmod->ctl->tx;
	int err = 0;

	kmod->late = owned(kmod) != (uint64_t)count_of(&tx[own]) + count_of(&tx[0]);
	for (i = 1; kmod->late && i < RVM_TRACK_TXS && !err; i++) {
		first = first_of(&tx[i]);
		if (!first || i == own)
			continue;
		kmod->seen[i] = __atomic_load_n(&tx[i].tid, __ATOMIC_RELAXED);
		err = visit(kmod, first, fn, arg);
	}
	return err;
}

static int collect(struct tracker *tracker, uint32_t tid,
		   int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	struct kmod *kmod = to_kmod(tracker);
	const struct rvm_track_ctl *ctl = kmod->ctl;
	int err;

	err = visit(kmod, first_of(&ctl->hot), fn, arg);
	if (!err)
		err = visit(kmod, first_of(&ctl->tx[tid % RVM_TRACK_TXS]), fn, arg);
	if (err || kmod->disjoint)
		return err;
	err = visit(kmod, first_of(&ctl->tx[0]), fn, arg);
	return err ? err : visit_late(kmod, tid, fn, arg);
}

/* Between two transactions the mark changes by nobody else. */
static void take_mark(struct kmod *kmod, uint64_t page)
{
	uint32_t old = __atomic_fetch_and(&kmod->words[page].hold, ~RVM_TRACK_HOLD_HOT,
					  __ATOMIC_SEQ_CST);

	if (old & RVM_TRACK_HOLD_HOT)
		kmod->hot--;
}

static int cool_page(void *arg, const struct track_page *page)
{
	struct kmod *kmod = arg;

	if (kmod->ends - kmod->changed[page->page] > kmod->patience)
		take_mark(kmod, page->page);
	return 0;
}

static int cool_any_page(void *arg, const struct track_page *page)
{
	take_mark(arg, page->page);
	return 0;
}

/*
 * Now and then, so that a command cools several pages.  Who watches for stores wants to know who
 * made them, which nobody knows of hot pages.  Return: whether any is to be cold.
 */
static bool cool(struct kmod *kmod)
{
	uint32_t before = kmod->hot;

	kmod->ends++;
	if (before && kmod->idle)
		return visit(kmod, first_of(&kmod->ctl->hot), cool_any_page, kmod) || true;
	if (!before || kmod->ends % (kmod->patience / 2 + 1))
		return false;
	return visit(kmod, first_of(&kmod->ctl->hot), cool_page, kmod) || kmod->hot != before;
}

static void init_ends(struct ends *ends, struct tracker *tracker)
{
	ends->nl = to_kmod(tracker)->nl;
	ends->n = 0;
	ends->err = 0;
}

static int send_ends(struct ends *ends)
{
	int err = ends->n ? netlink_end(ends->nl, ends->end, ends->n) : 0;

	if (err && !ends->err)
		ends->err = err_add(-EIO, "the end of a tracked transaction: ");
	ends->n = 0;
	return ends->err;
}

static void add_chain(struct ends *ends, const struct kmod *kmod, uint32_t tid, uint64_t lsn,
		      uint32_t flags)
{
	if (ends->n == NETLINK_ENDS_MAX)
		send_ends(ends);
	ends->end[ends->n++] = (struct netlink_end) {
		.fd = kmod->fd,
		.tid = tid,
		.lsn = lsn,
		.flags = flags,
		.first = &kmod->ctl->tx[tid % RVM_TRACK_TXS].first,
	};
}

/* End all transactions that collect saw, and the one that runs. */
static void add_all(struct ends *ends, struct kmod *kmod, uint32_t tid, uint64_t lsn,
		    uint32_t flags)
{
	uint32_t i;

	kmod->strays += count_of(&kmod->ctl->tx[0]);
	add_chain(ends, kmod, tid, lsn, flags | RVM_TRACK_END_STRAYS);
	flags &= ~RVM_TRACK_END_HOT;
	for (i = 1; kmod->late && i < RVM_TRACK_TXS; i++) {
		if (kmod->seen[i])
			add_chain(ends, kmod, kmod->seen[i], lsn, flags);
		kmod->seen[i] = 0;
	}
	kmod->late = false;
}

/*
 * Whose stores all went to hot pages needs no command.  In a disjoint region others' chains are
 * none of its business, and there are no hot pages and no strays.
 */
static void add_end(struct ends *ends, struct kmod *kmod, uint32_t tid, uint64_t lsn)
{
	uint32_t flags = kmod->patience ? RVM_TRACK_END_KEEP : 0;

	if (kmod->disjoint) {
		if (first_of(&kmod->ctl->tx[tid % RVM_TRACK_TXS]))
			add_chain(ends, kmod, tid, lsn, 0);
		return;
	}
	if (cool(kmod))
		flags |= RVM_TRACK_END_HOT;
	if (owned(kmod) || flags & RVM_TRACK_END_HOT)
		add_all(ends, kmod, tid, lsn, flags);
}

/* A command names its region, so that any client may send it. */
static int end_several(struct tracker *const *trackers, size_t n, uint32_t tid, uint64_t lsn)
{
	struct ends ends;
	size_t i;
	int err;

	init_ends(&ends, trackers[0]);
	for (i = 0; i < n; i++)
		add_end(&ends, to_kmod(trackers[i]), tid, lsn);
	err = send_ends(&ends);
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
	struct ends ends;
	int err;

	init_ends(&ends, tracker);
	err = visit(kmod, first_of(&kmod->ctl->hot), cool_any_page, kmod);
	if (err)
		return err;
	if (kmod->disjoint)
		add_chain(&ends, kmod, tid, 0, RVM_TRACK_END_ABORT);
	else
		add_all(&ends, kmod, tid, 0, RVM_TRACK_END_ABORT | RVM_TRACK_END_HOT);
	err = send_ends(&ends);
	forget(kmod);
	return err;
}

static bool stays_hot(struct kmod *kmod, uint64_t page)
{
	uint32_t now = kmod->ends + 1, last = kmod->changed[page];

	kmod->changed[page] = now;
	if (__atomic_load_n(&kmod->words[page].hold, __ATOMIC_RELAXED) & RVM_TRACK_HOLD_HOT)
		return true;
	if (!last || now - last > kmod->patience || kmod->hot == HOT_MAX || kmod->idle)
		return false;
	__atomic_fetch_or(&kmod->words[page].hold, RVM_TRACK_HOLD_HOT, __ATOMIC_SEQ_CST);
	kmod->hot++;
	return true;
}

static char *committed(struct tracker *tracker, uint64_t page)
{
	struct kmod *kmod = to_kmod(tracker);

	return preimage(kmod, __atomic_load_n(&kmod->words[page].slot, __ATOMIC_ACQUIRE));
}

static char *keep(struct tracker *tracker, uint64_t page)
{
	struct kmod *kmod = to_kmod(tracker);

	if (!kmod->patience || !stays_hot(kmod, page))
		return NULL;
	return committed(tracker, page);
}

/* Before the store to the page that it is for: see WRITEBACK in the protocol. */
static void hold(struct tracker *tracker, uint64_t first, uint64_t last)
{
	struct kmod *kmod = to_kmod(tracker);
	uint64_t page;

	for (page = first; page <= last; page++)
		__atomic_fetch_add(&kmod->words[page].hold, 1, __ATOMIC_SEQ_CST);
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
		raise_u64(&kmod->words[page].lsn, lsn);
		__atomic_fetch_sub(&kmod->words[page].hold, 1, __ATOMIC_SEQ_CST);
	}
}

/* A loose page stays writable after its last hold; whoever holds one faults once more. */
static void arm(struct tracker *tracker)
{
	struct kmod *kmod = to_kmod(tracker);

	if (__atomic_load_n(&kmod->ctl->loose, __ATOMIC_SEQ_CST))
		netlink_arm(kmod->nl, kmod->fd);
}

static void durable(struct tracker *tracker, uint64_t lsn)
{
	raise_u64(&to_kmod(tracker)->ctl->durable_lsn, lsn);
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
		err = netlink_writeback(kmod->nl, kmod->fd, pages + done, part, busy + *n_busy,
					&part_busy);
		if (err)
			return err;
		*n_busy += part_busy;
	}
	return 0;
}

/* Also pages that no commit noted, because nothing changed there or it was undone. */
static int relieve(struct tracker *tracker)
{
	if (fsync(to_kmod(tracker)->fd))
		return err_set(errno, "writing pages back: %s", strerror(errno));
	return 0;
}

static void stats(struct tracker *tracker, struct track_stats *stats)
{
	struct kmod *kmod = to_kmod(tracker);
	struct netlink_stats now;

	memset(stats, 0, sizeof(*stats));
	if (netlink_stats(kmod->nl, kmod->fd, &now))
		return;
	stats->first_writes = now.first_writes;
	stats->strays = __atomic_load_n(&kmod->strays, __ATOMIC_RELAXED) + now.stray;
	stats->written_back = now.written;
	stats->hot = now.hot;
	stats->conflicts = now.conflicts;
	stats->patience = kmod->patience;
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
