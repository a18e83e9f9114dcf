// SPDX-License-Identifier: GPL-2.0
/* Who owns which page: what happens at the first write. */

#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/syscall.h>

#include "conflict.h"
#include "event.h"
#include "page.h"
#include "region.h"
#include "trace.h"
#include "track.h"

/**
 * struct writer - who writes to a page
 * @ip: the user instruction, 0 if it is no store of a program
 * @thread: its number in its own pid namespace
 * @tid: the transaction
 * @kind: enum rvm_track_kind of the transaction
 * @at: where in the page it writes, 0 if it is no store of a program
 */
struct writer {
	u64 ip;
	u32 thread;
	u32 tid;
	u32 kind;
	u32 at;
};

/*
 * Only a thread of the mapping's own address space stands in its table.  A
 * stranger who writes through process_vm_writev(2) or /proc/PID/mem may have
 * the same number in another pid namespace.
 */
static struct writer find_writer(const struct rvmt_region *region, const struct vm_fault *vmf)
{
	struct writer writer = { .thread = task_pid_vnr(current) };
	u64 entry;

	if (current->mm != vmf->vma->vm_mm || current->flags & PF_KTHREAD)
		return writer;
	/* page_mkwrite() is not told FAULT_FLAG_USER, but a system call shows. */
	if (syscall_get_nr(current, task_pt_regs(current)) == -1) {
		writer.ip = instruction_pointer(task_pt_regs(current));
		writer.at = offset_in_page(vmf->real_address);
	}
	entry = rvmt_region_thread(region, writer.thread);
	writer.tid = RVM_TRACK_THREAD_TID(entry);
	writer.kind = RVM_TRACK_THREAD_KIND(entry);
	return writer;
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
	page->met = 0;
	memcpy(page_address(page->preimage), folio_address(folio), PAGE_SIZE);
	page->desc->page = folio->index;
	page->desc->ip = writer->ip;
	page->desc->tid = page->tid;
	page->desc->thread = writer->thread;
	page->desc->at = writer->at;
}

/* Put a page at the front of its owner's chain, unless the entry is taken. */
static bool chain(struct rvmt_region *region, struct rvmt_page *page)
{
	struct rvmt_tx *tx = rvmt_region_tx(region, page->tid);
	bool ok;

	spin_lock(&region->lock);
	ok = !tx->count || tx->tid == page->tid;
	if (ok) {
		rvmt_page_name_chain(tx, page->tid);
		WRITE_ONCE(region->ctl->owned, ++region->nr_owned);
		rvmt_page_chain(tx, page);
		WRITE_ONCE(page->word->slot, page->slot);
	}
	spin_unlock(&region->lock);
	return ok;
}

/* Make a transaction, or nobody, the owner of a page that has none. */
static vm_fault_t own(struct rvmt_region *region, struct folio *folio,
		      struct rvm_track_word *word, u32 tid, const struct writer *writer)
{
	struct rvmt_page *page;

	if (tid && !rvmt_region_tid_ok(tid))
		return VM_FAULT_SIGBUS;
	page = take_slot(region);
	if (page == ERR_PTR(-EBUSY)) {
		rvmt_event_overflow(region);
		return VM_FAULT_SIGBUS;
	}
	if (IS_ERR(page))
		return VM_FAULT_OOM;
	page->word = word;
	page->tid = tid;
	fill_slot(page, folio, writer);
	if (!chain(region, page)) {
		return_slot(region, page);
		return VM_FAULT_SIGBUS;
	}
	rvmt_page_unloose(region, folio);
	folio_attach_private(folio, page);
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
	page->folio = folio;
	folio_attach_private(folio, page);
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
	if (region->flags & RVM_TRACK_REGION_STRICT)
		return VM_FAULT_SIGBUS;
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

/*
 * The first of the rules.  Who stores in no tracked transaction meets nobody: what an
 * explicit one declared is cut out of what the owner logs.
 */
static vm_fault_t write_owned(struct rvmt_region *region, struct rvmt_page *page,
			      const struct vm_fault *vmf)
{
	struct writer writer;

	if (!(region->flags & RVM_TRACK_REGION_DISJOINT))
		return 0;
	writer = find_writer(region, vmf);
	if (writer.kind != RVM_TRACK_KIND_TRACKED || writer.tid == page->tid)
		return 0;
	return rvmt_conflict_meet(region, page, writer.tid, writer.ip);
}

static vm_fault_t decide(struct rvmt_region *region, struct folio *folio,
			 const struct vm_fault *vmf)
{
	struct rvmt_page *page = rvmt_page_get(folio);
	struct rvm_track_word *word;
	struct writer writer;

	if (page && page->slot)
		return write_owned(region, page, vmf);
	word = rvmt_region_word(region, folio->index);
	if (!word)
		return VM_FAULT_OOM;
	writer = find_writer(region, vmf);
	if (writer.kind == RVM_TRACK_KIND_TRACKED)
		return own(region, folio, word, writer.tid, &writer);
	if (writer.kind == RVM_TRACK_KIND_EXPLICIT || RVM_TRACK_HOLD_COUNT(READ_ONCE(word->hold)))
		return write_explicit(region, folio, word, &writer);
	return write_stray(region, folio, word, &writer);
}

vm_fault_t rvmt_track_write(struct rvmt_region *region, struct folio *folio,
			    const struct vm_fault *vmf)
{
	vm_fault_t ret = decide(region, folio, vmf);

	if (ret & VM_FAULT_SIGBUS) {
		spin_lock(&region->lock);
		WRITE_ONCE(region->ctl->refused, ++region->refused);
		spin_unlock(&region->lock);
	}
	return ret;
}
