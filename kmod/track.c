// SPDX-License-Identifier: GPL-2.0
/* Who owns which page: the first write and the end of a transaction. */

#include <linux/list_sort.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/sort.h>
#include <asm/syscall.h>

#include "compat.h"
#include "event.h"
#include "page.h"
#include "region.h"
#include "trace.h"
#include "track.h"

unsigned int rvmt_track_retain = RVMT_RETAIN_DEFAULT;

/**
 * struct writer - who writes to a page
 * @ip: the user instruction, 0 if it is no store of a program
 * @thread: its number in its own pid namespace
 * @tid: the transaction
 * @kind: enum rvm_track_kind of the transaction
 */
struct writer {
	u64 ip;
	u32 thread;
	u32 tid;
	u32 kind;
};

bool rvmt_track_tid_ok(u32 tid)
{
	return tid && tid <= RVM_TRACK_TID_MAX && tid % RVM_TRACK_TXS;
}

/* The thread table is the library's: read each entry once, believe nothing. */
static void find_thread(const struct rvm_track_ctl *ctl, struct writer *writer)
{
	u32 at = rvm_track_thread_hash(writer->thread), i;
	u64 entry;

	for (i = 0; i < RVM_TRACK_PROBES; i++, at++) {
		entry = READ_ONCE(ctl->thread[at % RVM_TRACK_THREADS]);
		if (RVM_TRACK_THREAD_ID(entry) != writer->thread)
			continue;
		writer->tid = RVM_TRACK_THREAD_TID(entry);
		writer->kind = RVM_TRACK_THREAD_KIND(entry);
		return;
	}
}

/*
 * Only a thread of the mapping's own address space stands in its table.  A
 * stranger who writes through process_vm_writev(2) or /proc/PID/mem may have
 * the same number in another pid namespace.
 */
static struct writer find_writer(const struct rvmt_region *region, const struct vm_fault *vmf)
{
	struct writer writer = { .thread = task_pid_vnr(current) };

	if (current->mm != vmf->vma->vm_mm || current->flags & PF_KTHREAD)
		return writer;
	/* page_mkwrite() is not told FAULT_FLAG_USER, but a system call shows. */
	if (syscall_get_nr(current, task_pt_regs(current)) == -1)
		writer.ip = instruction_pointer(task_pt_regs(current));
	find_thread(region->ctl, &writer);
	return writer;
}

static void count_refused(struct rvmt_region *region)
{
	spin_lock(&region->lock);
	WRITE_ONCE(region->ctl->refused, ++region->refused);
	spin_unlock(&region->lock);
}

static struct rvmt_page *take_slot(struct rvmt_region *region)
{
	struct rvmt_page *page;

	spin_lock(&region->lock);
	page = list_first_entry_or_null(&region->idle, struct rvmt_page, link);
	if (page) {
		list_del(&page->link);
		region->nr_idle--;
	}
	spin_unlock(&region->lock);
	return page ?: rvmt_page_new_slot(region);
}

static void return_slot(struct rvmt_region *region, struct rvmt_page *page)
{
	spin_lock(&region->lock);
	list_add(&page->link, &region->idle);
	region->nr_idle++;
	spin_unlock(&region->lock);
}

/*
 * As soon as the chain leads to it the user may read the descriptor, and a
 * TX_END may take the page and wait for the folio lock, which is held here.
 */
static void fill_slot(struct rvmt_page *page, struct folio *folio, const struct writer *writer)
{
	page->folio = folio;
	memcpy(page_address(page->preimage), folio_address(folio), PAGE_SIZE);
	page->desc->page = folio->index;
	page->desc->ip = writer->ip;
	page->desc->tid = page->tid;
	page->desc->thread = writer->thread;
	page->desc->reserved = 0;
}

/* Put a page at the front of its owner's chain, unless the entry is taken. */
static bool chain(struct rvmt_region *region, struct rvmt_page *page)
{
	struct rvm_track_tx *shared = &region->ctl->tx[page->tid % RVM_TRACK_TXS];
	struct rvmt_tx *tx = &region->tx[page->tid % RVM_TRACK_TXS];
	bool ok = false;

	spin_lock(&region->lock);
	if (tx->count && tx->tid != page->tid)
		goto out;
	page->desc->next = 0;
	if (tx->count)
		page->desc->next = list_first_entry(&tx->pages, struct rvmt_page, link)->slot;
	tx->tid = page->tid;
	list_add(&page->link, &tx->pages);
	region->nr_owned++;
	WRITE_ONCE(shared->tid, tx->tid);
	WRITE_ONCE(shared->count, ++tx->count);
	smp_store_release(&shared->first, page->slot);	/* pairs with the library's walk */
	WRITE_ONCE(page->word->slot, page->slot);
	ok = true;
out:
	spin_unlock(&region->lock);
	return ok;
}

static vm_fault_t fault_of(int err)
{
	return err == -EBUSY ? VM_FAULT_SIGBUS : VM_FAULT_OOM;
}

/* Make a transaction, or nobody, the owner of a page that has none. */
static vm_fault_t own(struct rvmt_region *region, struct folio *folio,
		      struct rvm_track_word *word, u32 tid, const struct writer *writer)
{
	struct rvmt_page *page;

	if (tid && !rvmt_track_tid_ok(tid)) {
		count_refused(region);
		return VM_FAULT_SIGBUS;
	}
	page = take_slot(region);
	if (IS_ERR(page)) {
		if (PTR_ERR(page) == -EBUSY) {
			count_refused(region);
			rvmt_event_overflow(region);
		}
		return fault_of(PTR_ERR(page));
	}
	page->word = word;
	page->tid = tid;
	fill_slot(page, folio, writer);
	if (!chain(region, page)) {
		return_slot(region, page);
		count_refused(region);
		return VM_FAULT_SIGBUS;
	}
	rvmt_track_unloose(region, folio);
	rvmt_page_attach(page, folio);
	atomic64_inc(&region->stats.first_writes);
	trace_rvm_track_first_write(region->id, folio->index, tid, writer->thread, writer->ip,
				    page->slot);
	return 0;
}

/* Make a page loose; it stays so if it is already. */
static vm_fault_t make_loose(struct rvmt_region *region, struct folio *folio,
			     struct rvm_track_word *word)
{
	struct rvmt_page *page;

	if (rvmt_page_get(folio))
		return 0;
	page = rvmt_page_new_loose();
	if (!page)
		return VM_FAULT_OOM;
	page->word = word;
	rvmt_page_attach(page, folio);
	spin_lock(&region->lock);
	list_add_tail(&page->link, &region->loose);	/* ARM takes the oldest first */
	WRITE_ONCE(region->ctl->loose, ++region->nr_loose);
	spin_unlock(&region->lock);
	return 0;
}

/*
 * The fifth of the rules: neither the thread nor the page says that an explicit
 * transaction is at work.
 */
static vm_fault_t write_stray(struct rvmt_region *region, struct folio *folio,
			      struct rvm_track_word *word, const struct writer *writer)
{
	if (region->flags & RVM_TRACK_REGION_STRICT) {
		count_refused(region);
		return VM_FAULT_SIGBUS;
	}
	return own(region, folio, word, READ_ONCE(region->ctl->exclusive), writer);
}

/*
 * The third of the rules.  A library that begins an exclusive transaction
 * stores ctl->exclusive and then, after a full barrier, reads ctl->loose; here
 * it is the other way round, so one of the two sees the other.
 */
static vm_fault_t write_explicit(struct rvmt_region *region, struct folio *folio,
				 struct rvm_track_word *word, const struct writer *writer)
{
	u32 exclusive = READ_ONCE(region->ctl->exclusive);
	vm_fault_t ret;

	if (exclusive)
		return own(region, folio, word, exclusive, writer);
	ret = make_loose(region, folio, word);
	if (ret)
		return ret;
	smp_mb();	/* pairs with the library's */
	exclusive = READ_ONCE(region->ctl->exclusive);
	return exclusive ? own(region, folio, word, exclusive, writer) : 0;
}

vm_fault_t rvmt_track_write(struct rvmt_region *region, struct folio *folio,
			    const struct vm_fault *vmf)
{
	struct rvmt_page *page = rvmt_page_get(folio);
	struct rvm_track_word *word;
	struct writer writer;

	if (page && page->slot)
		return 0;
	word = rvmt_region_word(region, folio->index);
	if (!word)
		return VM_FAULT_OOM;
	writer = find_writer(region, vmf);
	if (writer.kind == RVM_TRACK_KIND_TRACKED)
		return own(region, folio, word, writer.tid, &writer);
	if (writer.kind == RVM_TRACK_KIND_EXPLICIT || READ_ONCE(word->hold))
		return write_explicit(region, folio, word, &writer);
	return write_stray(region, folio, word, &writer);
}

void rvmt_track_unloose(struct rvmt_region *region, struct folio *folio)
{
	struct rvmt_page *page = rvmt_page_get(folio);

	if (!page)
		return;
	spin_lock(&region->lock);
	list_del(&page->link);
	WRITE_ONCE(region->ctl->loose, --region->nr_loose);
	spin_unlock(&region->lock);
	rvmt_page_detach(page);
	rvmt_page_free(page);
}

/*
 * Lock the first folio and those after it that are near.  With the folios
 * locked nobody can make their pages writable: a fault waits in page_mkwrite()
 * and a migration, which would put a writable entry back, waits as well.
 */
static unsigned int lock_run(struct folio **folio, unsigned int n)
{
	unsigned int i;

	folio_lock(folio[0]);
	for (i = 1; i < n; i++) {
		if (folio[i]->index - folio[i - 1]->index > RVMT_DENSE_GAP ||
		    !folio_trylock(folio[i]))
			break;
	}
	return i;
}

/*
 * Write-protect a run of locked folios in one walk of the page tables.  Entries
 * between them become read-only too, which costs their owners a fault and loses
 * nothing: a page is marked dirty before it becomes writable.  The dirty bits
 * must go as well, because mprotect(2) and NUMA hinting make a dirty entry of a
 * shared mapping writable without asking page_mkwrite().
 */
static void protect_dense(struct rvmt_region *region, struct folio **folio, unsigned int n)
{
	struct address_space *mapping = region->inode->i_mapping;
	pgoff_t first = folio[0]->index, nr = folio[n - 1]->index - first + 1;
	pgoff_t start = nr, end = 0;

	wp_shared_mapping_range(mapping, first, nr);
	clean_record_shared_mapping_range(mapping, first, nr, first, region->batch.bitmap,
					  &start, &end);
}

static void protect_run(struct rvmt_region *region, struct folio **folio, unsigned int n)
{
	unsigned int i;

	if (RVMT_HAVE_DIRTY_HELPERS && n >= RVMT_DENSE_MIN) {
		protect_dense(region, folio, n);
		return;
	}
	for (i = 0; i < n; i++)
		folio_mkclean(folio[i]);
}

/* Raise a word's LSN; the library may raise it at the same time. */
static void raise_lsn(struct rvm_track_word *word, u64 lsn)
{
	unsigned int tries;
	u64 old = READ_ONCE(word->lsn), seen;

	for (tries = 0; old < lsn && tries < RVMT_LSN_TRIES; tries++) {
		seen = cmpxchg64(&word->lsn, old, lsn);
		if (seen == old)
			return;
		old = seen;
	}
	if (old < lsn)
		WRITE_ONCE(word->lsn, lsn);
}

/* Take a write-protected page from its owner. */
static void disown(struct rvmt_region *region, struct rvmt_page *page, u64 lsn, u32 flags)
{
	if (flags & RVM_TRACK_END_ABORT) {
		memcpy(folio_address(page->folio), page_address(page->preimage), PAGE_SIZE);
		atomic64_inc(&region->stats.rolled_back);
	} else {
		raise_lsn(page->word, lsn);
	}
	WRITE_ONCE(page->word->slot, 0);
	rvmt_page_detach(page);
}

static int by_index(void *priv, const struct list_head *a, const struct list_head *b)
{
	pgoff_t x = list_entry(a, struct rvmt_page, link)->folio->index;
	pgoff_t y = list_entry(b, struct rvmt_page, link)->folio->index;

	return x < y ? -1 : x > y;
}

/* Move the pages of a transaction to a list, and free its chain. */
static void take_pages(struct rvmt_region *region, u32 tid, struct list_head *pages)
{
	struct rvm_track_tx *shared = &region->ctl->tx[tid % RVM_TRACK_TXS];
	struct rvmt_tx *tx = &region->tx[tid % RVM_TRACK_TXS];

	spin_lock(&region->lock);
	if (tx->count && tx->tid == tid) {
		list_splice_tail_init(&tx->pages, pages);
		region->nr_owned -= tx->count;
		tx->count = 0;
		WRITE_ONCE(shared->first, 0);
		WRITE_ONCE(shared->count, 0);
		WRITE_ONCE(shared->tid, 0);
	}
	spin_unlock(&region->lock);
}

/* End the first pages of a sorted list, as many as are locked together. */
static unsigned int end_run(struct rvmt_region *region, struct list_head *pages,
			    struct list_head *done, u64 lsn, u32 flags)
{
	struct folio **folio = region->batch.folio;
	struct rvmt_page *page;
	unsigned int n = 0, i;

	list_for_each_entry(page, pages, link) {
		folio[n++] = page->folio;
		if (n == RVMT_BATCH)
			break;
	}
	n = lock_run(folio, n);
	protect_run(region, folio, n);
	for (i = 0; i < n; i++) {
		page = rvmt_page_get(folio[i]);
		folio_get(folio[i]);
		disown(region, page, lsn, flags);
		list_move(&page->link, done);
		folio_unlock(folio[i]);
		folio_put(folio[i]);
	}
	return n;
}

/* Keep some slots with their arena pages at hand and free the others. */
static void put_slots(struct rvmt_region *region, struct list_head *done, u32 n)
{
	struct rvmt_page *page;
	LIST_HEAD(drop);

	spin_lock(&region->lock);
	list_splice(done, &region->idle);
	region->nr_idle += n;
	while (region->nr_idle > READ_ONCE(rvmt_track_retain)) {
		page = list_last_entry(&region->idle, struct rvmt_page, link);
		list_move(&page->link, &drop);
		region->nr_idle--;
	}
	spin_unlock(&region->lock);
	rvmt_page_drop_slots(region, &drop);
}

static u64 end_pages(struct rvmt_region *region, struct list_head *pages, u64 lsn, u32 flags)
{
	LIST_HEAD(done);
	u64 n = 0;

	lockdep_assert_held(&region->tx_mutex);
	list_sort(NULL, pages, by_index);
	while (!list_empty(pages)) {
		n += end_run(region, pages, &done, lsn, flags);
		cond_resched();
	}
	put_slots(region, &done, n);
	return n;
}

u64 rvmt_track_end(struct rvmt_region *region, u32 tid, u64 lsn, u32 flags)
{
	LIST_HEAD(pages);
	u64 n;

	mutex_lock(&region->tx_mutex);
	if (tid)
		take_pages(region, tid, &pages);
	if (flags & RVM_TRACK_END_STRAYS)
		take_pages(region, 0, &pages);
	n = end_pages(region, &pages, lsn, flags);
	mutex_unlock(&region->tx_mutex);
	trace_rvm_track_end(region->id, tid, lsn, flags, n);
	return n;
}

static int compare_folio(const void *a, const void *b)
{
	const struct folio *x = *(const struct folio **)a, *y = *(const struct folio **)b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/* Get references to some loose pages, in order. */
static unsigned int get_loose(struct rvmt_region *region, struct folio **folio)
{
	struct rvmt_page *page;
	unsigned int n = 0;

	spin_lock(&region->lock);
	list_for_each_entry(page, &region->loose, link) {
		folio_get(page->folio);
		folio[n++] = page->folio;
		if (n == RVMT_BATCH)
			break;
	}
	spin_unlock(&region->lock);
	sort(folio, n, sizeof(*folio), compare_folio, NULL);
	return n;
}

static void arm_run(struct rvmt_region *region, struct folio **folio, unsigned int n)
{
	struct rvmt_page *page;
	unsigned int i;

	protect_run(region, folio, n);
	for (i = 0; i < n; i++) {
		page = rvmt_page_get(folio[i]);
		if (page && !page->slot)
			rvmt_track_unloose(region, folio[i]);
		folio_unlock(folio[i]);
		folio_put(folio[i]);
	}
}

static void arm_all(struct rvmt_region *region)
{
	struct folio **folio = region->batch.folio;
	unsigned int n, i, run;
	long left = READ_ONCE(region->nr_loose);

	lockdep_assert_held(&region->tx_mutex);
	/* Pages that become loose meanwhile are no business of this command. */
	for (; left > 0; left -= n) {
		n = get_loose(region, folio);
		if (!n)
			break;
		for (i = 0; i < n; i += run) {
			run = lock_run(folio + i, n - i);
			arm_run(region, folio + i, run);
		}
		cond_resched();
	}
}

void rvmt_track_arm(struct rvmt_region *region)
{
	mutex_lock(&region->tx_mutex);
	arm_all(region);
	mutex_unlock(&region->tx_mutex);
}

void rvmt_track_rollback(struct rvmt_region *region)
{
	LIST_HEAD(pages);
	u32 i;
	u64 n;

	mutex_lock(&region->tx_mutex);
	for (i = 0; i < RVM_TRACK_TXS; i++)
		take_pages(region, region->tx[i].tid, &pages);
	n = end_pages(region, &pages, 0, RVM_TRACK_END_ABORT);
	arm_all(region);
	mutex_unlock(&region->tx_mutex);
	if (n)
		rvmt_event_owner_exit(region, n);
	trace_rvm_track_end(region->id, 0, 0, RVM_TRACK_END_ABORT | RVM_TRACK_END_STRAYS, n);
}
