/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * rvm_track - page tracking and ordered writeback for recoverable memory.
 *
 * This header is the protocol between the kernel module rvm_track and a
 * library that keeps a write-ahead log.  The module knows nothing of the log:
 * it pages a *region* in from its *segment*, notices the first write to each
 * page inside a *transaction*, keeps the page's old contents (the pre-image)
 * and lets no page reach the segment before the library has made the page's
 * log record durable.
 *
 * THE REGION FILE
 *
 * RVM_TRACK_CMD_REGION_CREATE takes a file descriptor of the segment, a
 * page-aligned offset and a length, and answers with a file descriptor of the
 * new region.  Everything else names the region by that descriptor.  It is
 * mapped with mmap(2), MAP_SHARED only, at five kinds of offset:
 *
 *	offset			holds				user may
 *	RVM_TRACK_MMAP_DATA	the region's bytes		read, write
 *	RVM_TRACK_MMAP_CTL	struct rvm_track_ctl		read, write
 *	RVM_TRACK_MMAP_WORDS	struct rvm_track_word[]		read, write
 *	RVM_TRACK_MMAP_SLOTS	struct rvm_track_slot[]		read
 *	RVM_TRACK_MMAP_ARENA	pre-images, a page a slot	read, write
 *
 * All but the data are filled on demand: what nobody touches costs nothing.
 * A slot that was never in use has no arena page, and most that are free have
 * none any more; touching such a one is a SIGBUS.
 * The data may be mapped in part but a mapping is never split, moved or
 * inherited: a partial munmap, mprotect, mlock or madvise that would split
 * it and any mremap that moves it fail with EINVAL, one that grows or duplicates
 * it with EFAULT, and a forked child does not have it.  Only the process that
 * created the region may map it or send commands for it (EPERM); REGION_GET is
 * open to every holder of the descriptor.  Other errors of mmap: EPERM
 * PROT_EXEC, EINVAL not MAP_SHARED, EACCES writable slots, ENXIO beyond the
 * area, EBUSY the process has another address space that still maps the data.
 *
 * THE THREAD TABLE
 *
 * ctl->thread[] says which thread is in which transaction.  A thread claims an
 * entry once, at one of the RVM_TRACK_PROBES places that follow
 * rvm_track_thread_hash(thread id), by writing its id; from then on one
 * 64-bit store of RVM_TRACK_THREAD(thread id, tid, kind) begins a transaction
 * and one with RVM_TRACK_KIND_NONE leaves it.  The fault handler looks up
 * the thread id of the writer, as the writer's own pid namespace numbers it.
 *
 * Transaction ids (tid) are chosen by the library, 1 to RVM_TRACK_TID_MAX, such
 * that no two live ones are equal modulo RVM_TRACK_TXS, and none is 0 modulo
 * RVM_TRACK_TXS.
 *
 * THE FIRST WRITE
 *
 * At the first write to a clean or write-protected page the module decides,
 * in this order:
 *
 *  1. The page has an owner already: nothing more to do, but for CONFLICTS.
 *  2. The thread is in a tracked transaction: that one owns the page.
 *  3. The thread is in an explicit transaction, or the page's hold count is
 *     not 0: if ctl->exclusive names a transaction, that one owns the page,
 *     otherwise the page becomes *loose*: writable, without owner and
 *     pre-image, counted in ctl->loose.
 *  4. The region is strict: SIGBUS.
 *  5. ctl->exclusive, or 0 ("nobody"), owns the page.
 *
 * To own a page the module takes a free slot, copies the page into the
 * slot's arena page, fills the slot's descriptor, puts it at the front of the
 * owner's chain (ctl->tx[tid % RVM_TRACK_TXS]), and writes the slot's number
 * to the page's word.  The chain of owner 0 holds the stray writes.
 * When no slot is free the faulting thread gets SIGBUS, and an
 * RVM_TRACK_CMD_EVENT_OVERFLOW is sent.
 *
 * A loose page hides later writes.  A library that begins an exclusive
 * tracked transaction therefore stores ctl->exclusive, then, after a full
 * barrier, reads ctl->loose; if that is not 0 it sends RVM_TRACK_CMD_ARM.
 * The module makes a page loose by raising ctl->loose, a full barrier, and
 * reading ctl->exclusive again; so one of the two sees the other.
 *
 * THE END
 *
 * RVM_TRACK_CMD_TX_END write-protects the pages of a transaction and makes them
 * ownerless; with RVM_TRACK_END_ABORT it first restores them from their slots, otherwise
 * it raises the LSN in their words to RVM_TRACK_A_LSN.  With
 * RVM_TRACK_END_STRAYS it does the same to the pages of owner 0.  The slots and
 * the chain are free when the command returns.
 *
 * HOT PAGES
 *
 * A page that is written in most transactions need not fault in each.  With
 * RVM_TRACK_END_KEEP those pages of the transaction whose words have the mark
 * RVM_TRACK_HOLD_HOT are not ended but become *hot*: they stay writable and
 * keep their slots, and move from the owner's chain to that of the hot pages,
 * ctl->hot.  Their slots are their committed state from then on: the library
 * compares each hot page with its slot at the end of each transaction, and
 * copies what it has logged into the slot.  RVM_TRACK_END_HOT applies the
 * command to the hot pages as well: with KEEP those whose mark the library has
 * taken away are ended, they are *cold* again, and with ABORT all are restored
 * from their slots and ended.  A transaction that wrote only hot pages needs
 * no command at its end.  Who writes to a hot page is not known, and its slot does
 * not say.  A strict region has no hot pages.
 *
 * CONFLICTS
 *
 * In a region with RVM_TRACK_REGION_DISJOINT, which must be strict, several tracked
 * transactions run at once.  The library promises that no two of them, nor
 * one of them and an explicit one, store to the same page; ctl->exclusive is
 * not used.  A page that is writable hides later stores, but a store that faults on a page that
 * another tracked transaction owns is seen:
 *
 *  1. With RVM_TRACK_REGION_WAIT it waits until that one has ended, at most as
 *     long as the module's parameter conflict says, counted from the first store that
 *     met the page.
 *  2. Otherwise, or then, the index of the page plus 1 (at most U32_MAX) is put into
 *     ctl->tx[].conflict of both, and the store is made.
 *  3. Only if the entry of the owner's thread is of kind RVM_TRACK_KIND_ENDING, it waits for
 *     the end instead, until a fatal signal; a store of a system call, which may hold
 *     locks, not longer than in 1, and fails then (SIGBUS, EFAULT).
 *
 * A library that ends such a transaction first stores that kind into the thread's
 * entry and then, after a full barrier, reads the transaction's conflict; if it is not
 * 0 it aborts.  The module writes conflict and then, after a full barrier, reads
 * the entry; so no store of another is in what is committed.  TX_END makes conflict 0.
 *
 * WRITEBACK
 *
 * A page is written to the segment only by RVM_TRACK_CMD_WRITEBACK, or
 * fsync(2) on the region file (and so msync(2)), and only if
 *
 *  1. it has no owner and is not hot, or its word has the mark: then it is its
 *     slot that is written, and
 *  2. its word's hold count is 0, and
 *  3. its word's lsn is not above ctl->durable_lsn.
 *
 * The module write-protects the page, then, after a full barrier, reads its
 * word.  A library that will store to a page without a transaction known to
 * the module raises hold with a sequentially consistent operation before the
 * store, and lowers it after it has stored the lsn of the log record.
 *
 * Of a marked page the module copies the slot and, after a barrier, reads the
 * word again.  A library that changes a marked page in a transaction raises
 * hold before it appends the record, then copies the record's bytes into the
 * slot, stores the lsn, and lowers hold.
 *
 * PRESSURE
 *
 * Pages without owner that were not written back fill memory and cannot be
 * reclaimed.  When the kernel is short of it, RVM_TRACK_CMD_EVENT_PRESSURE is sent
 * for each region that has some, at most ten times a second; a library
 * answers by making their records durable and writing them back.  Whoever
 * reclaims memory waits for that, half a second at most each time.
 *
 * DEATH
 *
 * When the last mapping of the data goes, whether by munmap, exec or death, the
 * pages that have owners and the hot ones are restored from their slots, and if
 * any had changed RVM_TRACK_CMD_EVENT_OWNER_EXIT is sent.  When the last reference
 * to the region file goes, the region is gone, and all that was not written back
 * with it: it is in the library's log.
 *
 * All integers are in the host's byte order.  No structure has holes.
 */
#ifndef _UAPI_LINUX_RVM_TRACK_H
#define _UAPI_LINUX_RVM_TRACK_H

#include <linux/types.h>

#define RVM_TRACK_GENL_NAME		"rvm_track"
#define RVM_TRACK_GENL_VERSION		1
#define RVM_TRACK_GENL_MCGRP_EVENTS	"events"

#define RVM_TRACK_PAGE_SHIFT		12
#define RVM_TRACK_PAGE_SIZE		(1UL << RVM_TRACK_PAGE_SHIFT)

/* Offsets for mmap(2) of a region file, in bytes. */
#define RVM_TRACK_MMAP_DATA		0x0000000000000000ULL
#define RVM_TRACK_MMAP_CTL		0x1000000000000000ULL
#define RVM_TRACK_MMAP_WORDS		0x2000000000000000ULL
#define RVM_TRACK_MMAP_SLOTS		0x3000000000000000ULL
#define RVM_TRACK_MMAP_ARENA		0x4000000000000000ULL

/* The longest region, in bytes. */
#define RVM_TRACK_LENGTH_MAX		RVM_TRACK_MMAP_CTL

/* Bounds of the tables in the control block. */
#define RVM_TRACK_TXS			256
#define RVM_TRACK_THREADS		4096
#define RVM_TRACK_PROBES		32
#define RVM_TRACK_TID_MAX		((1U << 30) - 1)

/**
 * enum rvm_track_kind - what kind of transaction a thread is in
 * @RVM_TRACK_KIND_NONE: none
 * @RVM_TRACK_KIND_EXPLICIT: one that declares its bytes; no pre-images
 * @RVM_TRACK_KIND_TRACKED: one that owns the pages it writes
 * @RVM_TRACK_KIND_ENDING: a tracked one that writes no more; what its thread does counts as in none
 */
enum rvm_track_kind {
	RVM_TRACK_KIND_NONE,
	RVM_TRACK_KIND_EXPLICIT,
	RVM_TRACK_KIND_TRACKED,
	RVM_TRACK_KIND_ENDING,
};

/* An entry of the thread table: bits 0-31 thread, 32-61 tid, 62-63 kind. */
#define RVM_TRACK_THREAD(thread, tid, kind) \
	((__u64)(__u32)(thread) | ((__u64)(tid) << 32) | ((__u64)(kind) << 62))
#define RVM_TRACK_THREAD_ID(entry)	((__u32)(entry))
#define RVM_TRACK_THREAD_TID(entry)	((__u32)((entry) >> 32) & RVM_TRACK_TID_MAX)
#define RVM_TRACK_THREAD_KIND(entry)	((__u32)((entry) >> 62))

/**
 * rvm_track_thread_hash() - the first place of a thread in the thread table
 * @thread: the thread's id, as gettid(2) returns it
 *
 * Return: an index below RVM_TRACK_THREADS; the places that follow wrap round.
 */
static inline __u32 rvm_track_thread_hash(__u32 thread)
{
	return (thread * 0x9e3779b1U) >> 20;
}

/**
 * struct rvm_track_tx - the pages of one transaction
 * @tid: the transaction, 0 for the stray writes in entry 0 (kernel writes)
 * @first: the slot of the page it owns since most recently, 0 for none
 * @count: how many pages it owns
 * @conflict: not 0: another transaction stored to a page of this one, or this
 *	one to a page of another; the page's index plus 1
 */
struct rvm_track_tx {
	__u32 tid;
	__u32 first;
	__u32 count;
	__u32 conflict;
};

/**
 * struct rvm_track_ctl - the control block of a region
 * @version: RVM_TRACK_GENL_VERSION (kernel writes)
 * @flags: enum rvm_track_region_flags (kernel writes)
 * @length: the region's length in bytes (kernel writes)
 * @slots: the highest slot number that may come into use (kernel writes)
 * @loose: pages that are writable and have no owner (kernel writes)
 * @durable_lsn: the log is durable up to this LSN (library writes)
 * @exclusive: the one tracked transaction that runs, or 0 (library writes)
 * @refused: writes answered by SIGBUS, strict or out of slots (kernel writes)
 * @hot: the chain of hot pages; its tid is 0 (kernel writes)
 * @owned: pages in all of @tx (kernel writes)
 * @reserved: 0
 * @tx: chains of pages by tid % RVM_TRACK_TXS (kernel writes)
 * @thread: which thread is in which transaction (library writes)
 */
struct rvm_track_ctl {
	__u32 version;
	__u32 flags;
	__u64 length;
	__u32 slots;
	__u32 loose;
	__u64 durable_lsn;
	__u32 exclusive;
	__u32 refused;
	struct rvm_track_tx hot;
	__u64 owned;
	__u64 reserved[504];
	struct rvm_track_tx tx[RVM_TRACK_TXS];
	__u64 thread[RVM_TRACK_THREADS];
};

/* The mark in a word's hold: the page shall be hot, its slot is committed. */
#define RVM_TRACK_HOLD_HOT		(1U << 31)
#define RVM_TRACK_HOLD_COUNT(hold)	((hold) & ~RVM_TRACK_HOLD_HOT)

/**
 * struct rvm_track_word - what library and module say of one page
 * @hold: the count in the low 31 bits: above 0 the page may not be written
 *	back; and the mark RVM_TRACK_HOLD_HOT (library writes)
 * @slot: the slot with its pre-image, 0 while it is neither owned nor hot
 *	(kernel writes)
 * @lsn: end of the newest log record about the page (both write, only upward)
 */
struct rvm_track_word {
	__u32 hold;
	__u32 slot;
	__u64 lsn;
};

/**
 * struct rvm_track_slot - the descriptor of a pre-image
 * @page: the page's index in the region
 * @ip: the user instruction that wrote first, 0 if it was not a user store
 * @tid: the owner, 0 for a stray write
 * @thread: the thread that wrote first
 * @next: the next slot of the same owner, 0 at the end
 * @at: where in the page that write began, 0 if it was not a user store
 *
 * Slots are numbered from 1.  The pre-image of slot s is the page at
 * RVM_TRACK_MMAP_ARENA + s * RVM_TRACK_PAGE_SIZE.  The library may write
 * to it, to make bytes committed that an explicit transaction declared.
 */
struct rvm_track_slot {
	__u64 page;
	__u64 ip;
	__u32 tid;
	__u32 thread;
	__u32 next;
	__u32 at;
};

/**
 * enum rvm_track_region_flags - RVM_TRACK_A_FLAGS of REGION_CREATE
 * @RVM_TRACK_REGION_STRICT: a write outside any transaction is a SIGBUS
 * @RVM_TRACK_REGION_DISJOINT: several tracked transactions write pages of their own
 * @RVM_TRACK_REGION_WAIT: a store to another's page waits for it
 */
enum rvm_track_region_flags {
	RVM_TRACK_REGION_STRICT = 1 << 0,
	RVM_TRACK_REGION_DISJOINT = 1 << 1,
	RVM_TRACK_REGION_WAIT = 1 << 2,
};

/**
 * enum rvm_track_end_flags - RVM_TRACK_A_FLAGS of TX_END
 * @RVM_TRACK_END_ABORT: restore the pages from their slots
 * @RVM_TRACK_END_STRAYS: end the pages of owner 0 as well
 * @RVM_TRACK_END_KEEP: marked pages are not ended, but hot
 * @RVM_TRACK_END_HOT: do to the hot pages what is done to the transaction's
 */
enum rvm_track_end_flags {
	RVM_TRACK_END_ABORT = 1 << 0,
	RVM_TRACK_END_STRAYS = 1 << 1,
	RVM_TRACK_END_KEEP = 1 << 2,
	RVM_TRACK_END_HOT = 1 << 3,
};

/**
 * enum rvm_track_cmd - commands of the family, and its events
 * @RVM_TRACK_CMD_UNSPEC: not a command
 * @RVM_TRACK_CMD_REGION_CREATE: SEG_FD, OFFSET, LENGTH, [SLOTS], [FLAGS]; answers FD and ID
 *	EBADF no such descriptor; EACCES not open for reading and writing;
 *	EINVAL neither a regular file nor a block device, or open with
 *	O_APPEND, or an unaligned offset or length, or zero length, or too many
 *	slots, or an unknown flag, or DISJOINT without STRICT, or WAIT without DISJOINT;
 *	ELOOP the segment is itself a region; EOVERFLOW offset plus length;
 *	ENXIO the segment is too small; EBUSY another live region overlaps;
 *	ETXTBSY a swap file; EDQUOT the user has too many regions; ENOMEM;
 *	EMFILE, ENFILE; EPERM the socket was opened with other credentials
 * @RVM_TRACK_CMD_TX_END: FD, TID, [LSN], [FLAGS]
 *	EBADF; EINVAL not a region, or a bad tid or flag, or KEEP with ABORT
 *	or in a strict region; EPERM another process's region.  A transaction
 *	that wrote nothing is no error.  TID is 0 to end the strays or the hot
 *	pages alone.
 * @RVM_TRACK_CMD_ARM: FD; write-protects the loose pages
 * @RVM_TRACK_CMD_WRITEBACK: FD and either FIRST and COUNT, or PAGES; answers,
 *	when done, WRITTEN, BUSY (absent if none) and ERROR.  Pages
 *	that are clean are neither written nor busy.  Once it answers with
 *	ERROR 0, the pages written are durable in the segment.  An
 *	acknowledgment only says that the command was understood.
 *	ERANGE a page outside the region; EAGAIN too many of them are under way
 *	for the region
 * @RVM_TRACK_CMD_REGION_GET: FD, or a dump of the regions in the caller's
 *	user id (all for CAP_SYS_ADMIN); answers all RVM_TRACK_A_STAT_* and
 *	ID, LENGTH, OFFSET, SLOTS, FLAGS, PID
 * @RVM_TRACK_CMD_EVENT_OWNER_EXIT: event; ID, PID, COUNT of pages rolled back
 * @RVM_TRACK_CMD_EVENT_OVERFLOW: event; ID, PID: no slot was free
 * @RVM_TRACK_CMD_EVENT_IO_ERROR: event; ID, PID, PAGE, ERROR
 * @RVM_TRACK_CMD_EVENT_PRESSURE: event; ID, PID, COUNT of dirty pages without
 *	owner and of those being written: the kernel wants memory that WRITEBACK
 *	would make free
 * @__RVM_TRACK_CMD_MAX: one above the last
 */
enum rvm_track_cmd {
	RVM_TRACK_CMD_UNSPEC,
	RVM_TRACK_CMD_REGION_CREATE,
	RVM_TRACK_CMD_TX_END,
	RVM_TRACK_CMD_ARM,
	RVM_TRACK_CMD_WRITEBACK,
	RVM_TRACK_CMD_REGION_GET,
	RVM_TRACK_CMD_EVENT_OWNER_EXIT,
	RVM_TRACK_CMD_EVENT_OVERFLOW,
	RVM_TRACK_CMD_EVENT_IO_ERROR,
	RVM_TRACK_CMD_EVENT_PRESSURE,
	__RVM_TRACK_CMD_MAX,
};

#define RVM_TRACK_CMD_MAX (__RVM_TRACK_CMD_MAX - 1)

/**
 * enum rvm_track_attr - attributes of all commands
 * @RVM_TRACK_A_UNSPEC: not an attribute
 * @RVM_TRACK_A_PAD: padding for 64-bit alignment
 * @RVM_TRACK_A_FD: s32, a region's file descriptor
 * @RVM_TRACK_A_SEG_FD: s32, a segment's file descriptor
 * @RVM_TRACK_A_ID: u64, a number for people to tell regions apart, never a name
 * @RVM_TRACK_A_OFFSET: u64, bytes from the segment's start
 * @RVM_TRACK_A_LENGTH: u64, bytes
 * @RVM_TRACK_A_SLOTS: u32, how many pages may have owners at once
 * @RVM_TRACK_A_FLAGS: u32, flags of the command
 * @RVM_TRACK_A_TID: u32, a transaction
 * @RVM_TRACK_A_LSN: u64, end of the transaction's log record
 * @RVM_TRACK_A_FIRST: u64, first page
 * @RVM_TRACK_A_COUNT: u64, pages; of REGION_GET and events too
 * @RVM_TRACK_A_PAGES: binary, an array of u64 page indices, at most
 *	RVM_TRACK_PAGES_MAX
 * @RVM_TRACK_A_WRITTEN: u64, pages written and synced
 * @RVM_TRACK_A_BUSY: binary, an array of u64 page indices that were dirty and
 *	could not be written, at most RVM_TRACK_PAGES_MAX of them
 * @RVM_TRACK_A_BUSY_COUNT: u64, how many were busy in all
 * @RVM_TRACK_A_ERROR: s32, 0 or a negative errno
 * @RVM_TRACK_A_PID: u32, the process that created the region
 * @RVM_TRACK_A_PAGE: u64, a page index
 * @RVM_TRACK_A_STAT_RESIDENT: u64, pages in memory
 * @RVM_TRACK_A_STAT_OWNED: u64, pages that have an owner
 * @RVM_TRACK_A_STAT_STRAY: u64, pages whose owner is nobody
 * @RVM_TRACK_A_STAT_FIRST_WRITES: u64, first writes seen since creation
 * @RVM_TRACK_A_STAT_WRITTEN: u64, pages written back since creation
 * @RVM_TRACK_A_STAT_BUSY: u64, refusals to write a page back since creation
 * @RVM_TRACK_A_STAT_READ: u64, pages read from the segment since creation
 * @RVM_TRACK_A_STAT_ROLLED_BACK: u64, pages restored since creation, of those
 *	that had changed
 * @RVM_TRACK_A_STAT_HOT: u64, hot pages
 * @RVM_TRACK_A_STAT_DIRTY: u64, pages in memory that the segment does not have
 * @RVM_TRACK_A_STAT_CONFLICTS: u64, stores since creation that were made to a page
 *	that another transaction owned
 * @__RVM_TRACK_A_MAX: one above the last
 */
enum rvm_track_attr {
	RVM_TRACK_A_UNSPEC,
	RVM_TRACK_A_PAD,
	RVM_TRACK_A_FD,
	RVM_TRACK_A_SEG_FD,
	RVM_TRACK_A_ID,
	RVM_TRACK_A_OFFSET,
	RVM_TRACK_A_LENGTH,
	RVM_TRACK_A_SLOTS,
	RVM_TRACK_A_FLAGS,
	RVM_TRACK_A_TID,
	RVM_TRACK_A_LSN,
	RVM_TRACK_A_FIRST,
	RVM_TRACK_A_COUNT,
	RVM_TRACK_A_PAGES,
	RVM_TRACK_A_WRITTEN,
	RVM_TRACK_A_BUSY,
	RVM_TRACK_A_BUSY_COUNT,
	RVM_TRACK_A_ERROR,
	RVM_TRACK_A_PID,
	RVM_TRACK_A_PAGE,
	RVM_TRACK_A_STAT_RESIDENT,
	RVM_TRACK_A_STAT_OWNED,
	RVM_TRACK_A_STAT_STRAY,
	RVM_TRACK_A_STAT_FIRST_WRITES,
	RVM_TRACK_A_STAT_WRITTEN,
	RVM_TRACK_A_STAT_BUSY,
	RVM_TRACK_A_STAT_READ,
	RVM_TRACK_A_STAT_ROLLED_BACK,
	RVM_TRACK_A_STAT_HOT,
	RVM_TRACK_A_STAT_DIRTY,
	RVM_TRACK_A_STAT_CONFLICTS,
	__RVM_TRACK_A_MAX,
};

#define RVM_TRACK_A_MAX (__RVM_TRACK_A_MAX - 1)

/* The most page indices that one message carries. */
#define RVM_TRACK_PAGES_MAX		4096

#endif /* _UAPI_LINUX_RVM_TRACK_H */
