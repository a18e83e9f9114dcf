/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recoverable virtual memory: transactions on ordinary memory that survive a
 * crash.
 *
 * The interface is source-compatible with CMU RVM 1.3; what is new stands
 * under "Extensions".  See rvm(7) for the ideas and each function's man page
 * for all of its errors.
 *
 * Every function that returns rvm_return_t returns RVM_SUCCESS or the code of
 * what went wrong, and rvm_error() then says what, where and what to do.  All
 * functions may be called from any thread at any time, with three exceptions:
 * one transaction must not be used by two threads at once, and a tracked one
 * only by the thread that began it; a region must not be unmapped while a
 * thread still uses it; and nothing else may run beside rvm_initialize() and
 * rvm_terminate().
 *
 * CAVEATS
 *  - The library orders nothing between transactions that touch the same
 *    bytes: the program must, as in the paper.
 *  - Bytes changed outside any transaction are not recoverable.
 *  - Only the process that mapped a region may use it; a forked child must
 *    exec or stay away from it.
 *  - No direct I/O may be in flight into a region when a transaction ends.
 *  - A device that acknowledges a flush it did not do breaks every promise.
 */
#ifndef RVM_RVM_H
#define RVM_RVM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

typedef unsigned long rvm_length_t;	/* a length or address, in bytes */
typedef int rvm_return_t;		/* one of the codes below */

typedef enum {
	rvm_false = 0,
	rvm_true = 1
} rvm_bool_t;

/* A 128-bit offset or length; today's segments use the low half. */
typedef struct {
	rvm_length_t high;
	rvm_length_t low;
} rvm_offset_t;

/* Return codes. */
#define RVM_SUCCESS		0

#define rvm_first_code		199
#define RVM_EINIT		200	/* rvm_initialize was not called */
#define RVM_EINTERNAL		201	/* a defect in the library */
#define RVM_EIO			202	/* I/O failed; rvm_error() says where */
#define RVM_ELOG		204	/* not a log, or the log exists already */
#define RVM_ELOG_VERSION_SKEW	205	/* a log of another version */
#define RVM_EMODE		206	/* a mode that does not fit the call */
#define RVM_ENAME_TOO_LONG	207	/* a path is too long */
#define RVM_ENO_MEMORY		208	/* out of memory */
#define RVM_ENOT_MAPPED		209	/* no region holds these addresses */
#define RVM_EOFFSET		210	/* an offset beyond the segment, or unaligned */
#define RVM_EOPTIONS		211	/* a bad options record or value */
#define RVM_EOVERLAP		212	/* that part of the segment is mapped */
#define RVM_EPAGER		213	/* an external pager was asked for */
#define RVM_ERANGE		214	/* a range crosses the end of its region */
#define RVM_EREGION		215	/* a bad region record */
#define RVM_EREGION_DEF		216	/* a bad region definition */
#define RVM_ESRC		217	/* a bad source address */
#define RVM_ESTATISTICS		218	/* a bad statistics record */
#define RVM_ESTAT_VERSION_SKEW	219	/* a statistics record of another version */
#define RVM_ETERMINATED		220	/* the error that ended the library's life */
#define RVM_ETHREADS		221	/* threads are not supported */
#define RVM_ETID		222	/* not a transaction that has begun */
#define RVM_ETOO_BIG		223	/* the log can never hold that much */
#define RVM_EUNCOMMIT		224	/* transactions are still open */
#define RVM_EVERSION_SKEW	225	/* compiled for another version of this header */
#define RVM_EVM_OVERLAP		226	/* the addresses are in use */
#define rvm_last_code		227

/* Return codes that are extensions. */
#define RVM_ETRACKER		228	/* the tracker asked for is not to be had */
#define RVM_ELOG_LOCKED		229	/* another process has the log open */
#define RVM_ELOG_DAMAGED	230	/* the log is damaged; nothing was replayed */
#define RVM_EPERM		231	/* no permission for the file or device */
#define RVM_ENO_SPACE		232	/* the disk is full */
#define RVM_ECONFLICT		233	/* two tracked transactions are in each other's way */
#define RVM_ETIMEOUT		234	/* not durable yet, at the end of the time given */
#define RVM_ELSN		235	/* no transaction was committed that has this LSN */
#define RVM_EFORGOTTEN		236	/* bytes were changed that no transaction declared */

/* Modes of begin_transaction (restore, no_restore) and end_transaction. */
typedef enum {
	rvm_first_mode = 139,
	restore = 140,			/* keep old values, so that abort works */
	no_restore,			/* keep none; the program never aborts */
	flush,				/* return when the commit is durable */
	no_flush = 143,			/* return when the commit is ordered */
	rvm_last_mode = 144,
	rvm_tracked = 145,		/* extension: plain stores, no set_range */
	rvm_checked = 146		/* extension: restore, and nothing else changes */
} rvm_mode_t;

typedef enum {
	rvm_first_id = 39,
	rvm_region_id = 40,
	rvm_options_id,
	rvm_tid_id,
	rvm_statistics_id = 43,
	rvm_last_struct_id = 44
} rvm_struct_id_t;

/**
 * struct rvm_tid_t - a transaction
 * @struct_id: rvm_tid_id
 * @from_heap: made by rvm_malloc_tid or rvm_copy_tid
 * @uname: the transaction's number: no clock is asked
 * @tid: the library's own
 * @reserved: the library's own
 */
typedef struct {
	rvm_struct_id_t struct_id;
	rvm_bool_t from_heap;
	struct timeval uname;
	void *tid;
	rvm_length_t reserved;
} rvm_tid_t;

/**
 * struct rvm_options_t - options of the library
 * @struct_id: rvm_options_id
 * @from_heap: made by rvm_malloc_options or rvm_copy_options
 * @log_dev: path of the log, a file or a block device
 * @truncate: truncate by itself when the log is so full, in percent; 0: never
 * @recovery_buf_len: bytes of memory for recovery and truncation
 * @flush_buf_len: bytes of records that may wait in memory before they are written; four
 *	times as much is allocated, and is the most that a crash can take
 * @max_read_len: the longest single read
 * @log_empty: rvm_query: no record is in the log
 * @pager: must be NULL
 * @n_uncommit: rvm_query: transactions that have begun and not ended
 * @tid_array: rvm_query: their tids, in malloc'ed memory
 * @flags: RVM_* flags below
 * @create_log_file: rvm_initialize creates the log if there is none
 * @create_log_size: the log's record space in bytes, for that
 * @create_log_mode: the log file's permissions, for that
 * @flush_interval: extension: a no_flush transaction is made durable at the latest after so
 *	many milliseconds; 0: only when flush_buf_len bytes wait
 */
typedef struct {
	rvm_struct_id_t struct_id;
	rvm_bool_t from_heap;
	char *log_dev;
	long truncate;
	rvm_length_t recovery_buf_len;
	rvm_length_t flush_buf_len;
	rvm_length_t max_read_len;
	rvm_bool_t log_empty;
	char *pager;
	long n_uncommit;
	rvm_tid_t *tid_array;
	rvm_length_t flags;
	rvm_bool_t create_log_file;
	rvm_offset_t create_log_size;
	long create_log_mode;
	long flush_interval;
} rvm_options_t;

/**
 * struct rvm_region_t - a mapped part of a segment
 * @struct_id: rvm_region_id
 * @from_heap: made by rvm_malloc_region or rvm_copy_region
 * @data_dev: path of the segment, a file or a block device
 * @dev_length: rvm_map tells the segment's length in bytes
 * @offset: where the region starts in the segment, page-aligned
 * @vmaddr: where it is mapped; NULL lets the library choose
 * @length: its length, 0 for all of the segment; rounded up to pages
 * @no_copy: accepted and ignored: nothing is copied when a region is mapped
 */
typedef struct {
	rvm_struct_id_t struct_id;
	rvm_bool_t from_heap;
	char *data_dev;
	rvm_offset_t dev_length;
	rvm_offset_t offset;
	char *vmaddr;
	rvm_length_t length;
	rvm_bool_t no_copy;
} rvm_region_t;

/* Defaults and bounds of the options. */
#define TRUNCATE		50
#define RECOVERY_BUF_LEN	(256 * 1024)
#define MIN_RECOVERY_BUF_LEN	(64 * 1024)
#define FLUSH_BUF_LEN		(256 * 1024)
#define MIN_FLUSH_BUF_LEN	(64 * 1024)
#define MAX_READ_LEN		(512 * 1024)
#define FLUSH_INTERVAL		1000	/* extension */

/* Flags of rvm_options_t. */
#define RVM_COALESCE_RANGES	1UL	/* join ranges within a transaction */
#define RVM_COALESCE_TRANS	2UL	/* drop records that newer ones cover */
#define RVM_ALL_OPTIMIZATIONS	(RVM_COALESCE_RANGES | RVM_COALESCE_TRANS)
#define RVM_MAP_PRIVATE		8UL	/* accepted: no region is mapped otherwise */

/*
 * Extensions: flags of the options given to rvm_map().  At most one
 * RVM_TRACK_* is set.  None: the best tracker that there is.  One: that
 * tracker or RVM_ETRACKER, never another.
 */
#define RVM_TRACK_KMOD		0x100UL	/* the kernel module */
#define RVM_TRACK_UFFD		0x200UL	/* userfaultfd, Linux 6.7 on */
#define RVM_TRACK_SIGSEGV	0x400UL	/* mprotect and SIGSEGV */
#define RVM_TRACK_NONE		0x800UL	/* explicit transactions only, no copy of what is committed:
					 * bytes that are changed but never declared may reach
					 * the segment with their page
					 */
#define RVM_STRICT		0x1000UL /* a store outside a transaction is SIGBUS */
#define RVM_DISJOINT		0x8000UL /* strict, and several tracked transactions at once, no
					  * two of which store to one page; where that is seen
					  * their ends are RVM_ECONFLICT
					  */
#define RVM_DISJOINT_WAIT	0x10000UL /* the same, and such a store waits before */
#define RVM_HUGE_PAGES		0x40000UL /* the region is read now, into huge pages; explicit
					   * transactions only, as with RVM_TRACK_NONE
					   */
#define RVM_CREATE_SEGMENT	0x2000UL /* make a missing segment, dev_length long */

/*
 * Extension: a flag of the options given to rvm_initialize() or rvm_set_options().  The log is
 * truncated a few pages at a time, in the order of the log, instead of as a whole.
 */
#define RVM_INCREMENTAL_TRUNCATION 0x4000UL

#define RVM_VERSION		"RVM Interface Version 1.3"

/* Records: allocate, initialize in place, copy, free. */
rvm_tid_t *rvm_malloc_tid(void);
void rvm_init_tid(rvm_tid_t *tid);
rvm_tid_t *rvm_copy_tid(rvm_tid_t *tid);
void rvm_free_tid(rvm_tid_t *tid);
rvm_options_t *rvm_malloc_options(void);
void rvm_init_options(rvm_options_t *options);
rvm_options_t *rvm_copy_options(rvm_options_t *options);
void rvm_free_options(rvm_options_t *options);
rvm_region_t *rvm_malloc_region(void);
void rvm_init_region(rvm_region_t *region);
rvm_region_t *rvm_copy_region(rvm_region_t *region);
void rvm_free_region(rvm_region_t *region);

/* Names of codes, modes and record types, as text. */
char *rvm_return(rvm_return_t code);
char *rvm_mode(rvm_mode_t mode);
char *rvm_type(rvm_struct_id_t id);

/* The library's life. */
rvm_return_t rvm_initialize(const char *version, rvm_options_t *options);
#define RVM_INIT(options)	rvm_initialize(RVM_VERSION, options)
rvm_return_t rvm_terminate(void);
rvm_return_t rvm_set_options(rvm_options_t *options);
rvm_return_t rvm_query(rvm_options_t *options, rvm_region_t *region);
rvm_return_t rvm_create_log(rvm_options_t *options, rvm_offset_t *log_len,
			    long mode);

/* Regions. */
rvm_return_t rvm_map(rvm_region_t *region, rvm_options_t *options);
rvm_return_t rvm_unmap(rvm_region_t *region);

/* Transactions. */
rvm_return_t rvm_begin_transaction(rvm_tid_t *tid, rvm_mode_t mode);
rvm_return_t rvm_set_range(rvm_tid_t *tid, void *dest, rvm_length_t length);
rvm_return_t rvm_modify_bytes(rvm_tid_t *tid, void *dest, const void *src,
			      rvm_length_t length);
rvm_return_t rvm_end_transaction(rvm_tid_t *tid, rvm_mode_t mode);
rvm_return_t rvm_abort_transaction(rvm_tid_t *tid);

/* The log. */
rvm_return_t rvm_flush(void);
rvm_return_t rvm_truncate(void);

/* Extensions. */

/*
 * A durable ticket.
 *
 * The place of a committed transaction in the log.  Tickets grow in the order of commits.  A
 * ticket is good until rvm_terminate(), in the process that got it.  Transactions that were
 * merged into one record share a ticket.
 */
typedef uint64_t rvm_lsn_t;

/**
 * struct rvm_region_info_t - what rvm_query_region() tells
 * @tracker: RVM_TRACK_KMOD, RVM_TRACK_UFFD, RVM_TRACK_SIGSEGV or RVM_TRACK_NONE
 * @tracker_name: "kmod", "uffd", "sigsegv" or "none"
 * @why: why this tracker and no better one, as text
 * @strict: a store outside any transaction is refused
 * @disjoint: several tracked transactions run at once, in pages of their own
 * @first_writes: pages that tracked transactions wrote, since the map
 * @strays: pages written outside any transaction, since the map
 * @written_back: pages written to the segment, since the map
 * @hot: pages that stay writable between tracked transactions and are compared at the end of each
 * @patience: transactions to whose ends a hot page stays hot if it changed in the first of them
 *	and in no other; 0: this region has no hot pages
 * @fault_ns: nanoseconds of the first store to a page, as the library measured them at the first
 *	map with this tracker; this one and those below are 0 if they could not be measured
 * @end_ns: of the end of a transaction, beside what each page costs
 * @rearm_ns: to see the next first store to a page
 * @diff_ns: to compare a page
 * @conflicts: stores to a page of another tracked transaction, since the map, where @disjoint
 */
typedef struct {
	rvm_length_t tracker;
	const char *tracker_name;
	char why[256];
	rvm_bool_t strict;
	rvm_bool_t disjoint;
	uint64_t first_writes;
	uint64_t strays;
	uint64_t written_back;
	uint64_t hot;
	uint32_t patience;
	uint32_t fault_ns;
	uint32_t end_ns;
	uint32_t rearm_ns;
	uint32_t diff_ns;
	uint32_t conflicts;
} rvm_region_info_t;

/**
 * struct rvm_forgotten_t - bytes that were changed and that no open transaction declared
 * @segment: path of the segment
 * @segment_offset: where in the segment
 * @region_offset: where in the region
 * @address: where in memory
 * @length: how many; at most a page
 * @old_bytes: what they were, @length of them
 * @new_bytes: what they are
 * @instruction: the store, as far as the tracker knows it, or NULL
 * @symbol: its function and file, as far as dladdr(3) knows them; never NULL
 * @thread: the thread that stored, or 0
 * @exact: rvm_true: @instruction stored these bytes; rvm_false: it is the first store to their page
 * @stray: no transaction was open when they were changed
 * @transaction: the number of the transaction that was ending or, of strays, beginning; 0 if the
 *	region was being unmapped
 * @others: how many transactions were open beside it: they may be that one's
 */
typedef struct {
	const char *segment;
	uint64_t segment_offset;
	uint64_t region_offset;
	void *address;
	rvm_length_t length;
	const unsigned char *old_bytes;
	const unsigned char *new_bytes;
	void *instruction;
	const char *symbol;
	unsigned long thread;
	rvm_bool_t exact;
	rvm_bool_t stray;
	uint64_t transaction;
	unsigned long others;
} rvm_forgotten_t;

/**
 * typedef rvm_check_handler_t - a program's function that is told of forgotten bytes
 * @arg: the program's
 * @forgotten: the bytes; good until it returns
 *
 * It is called by the thread that ends or begins the transaction, and must not call the library.
 *
 * Return: rvm_true to let them pass: the transaction goes on without them; rvm_false to refuse.
 */
typedef rvm_bool_t (*rvm_check_handler_t)(void *arg, const rvm_forgotten_t *forgotten);

/**
 * struct rvm_log_info_t - what rvm_query_log() tells
 * @uuid: the log's identity
 * @generation: raised by each recovery
 * @size: record space in bytes
 * @head: LSN of the oldest record
 * @tail: the ticket of what was committed last
 * @durable: all records below this LSN are durable
 * @error: 0, or the errno of the write or sync that poisoned the log
 */
typedef struct {
	unsigned char uuid[16];
	uint32_t generation;
	uint64_t size;
	uint64_t head;
	uint64_t tail;
	uint64_t durable;
	int error;
} rvm_log_info_t;

/**
 * rvm_error() - what the last failing call of this thread had to say
 *
 * Return: a text of one line, "" if no call failed; it lives until the
 * thread's next call of the library.
 */
const char *rvm_error(void);

/**
 * rvm_begin_tracked() - begin a transaction tracked on one region only
 * @tid: an initialized tid
 * @region: a mapped region, found by its vmaddr
 *
 * rvm_begin_transaction(tid, rvm_tracked) does it for all regions that have a
 * tracker.  From here to the end of the transaction no other transaction is
 * tracked there: another thread's begin waits.  Where the region was mapped with
 * RVM_DISJOINT up to 254 run at once, at most one a thread, and no two may store to
 * the same page.
 *
 * Return: RVM_SUCCESS; RVM_EINIT; RVM_ELOG no log is open; RVM_ETID tid is NULL or
 * in use; RVM_EREGION not a region record; RVM_ENOT_MAPPED; RVM_ETRACKER the region
 * has no tracker; RVM_ECONFLICT this thread tracks the region already, or the one that does waits
 * for this one; RVM_ENO_MEMORY, also if 254 share regions already.
 */
rvm_return_t rvm_begin_tracked(rvm_tid_t *tid, rvm_region_t *region);

/**
 * rvm_query_region() - what the library knows of a mapped region
 * @region: a mapped region, found by its vmaddr
 * @info: filled in
 *
 * Return: RVM_SUCCESS; RVM_EINIT; RVM_EREGION; RVM_ENOT_MAPPED.
 */
rvm_return_t rvm_query_region(rvm_region_t *region, rvm_region_info_t *info);

/**
 * rvm_resize_log() - give a log more or less record space
 * @options: log_dev names it
 * @log_len: bytes of record space; 0 on a device: all of it
 *
 * The log in use changes its size while transactions run; near the end of it who commits waits
 * for a moment.  A backup and a change of size wait for each other.  A log that no process has
 * open is recovered first.  A crash leaves the size before or after, and nothing is lost.
 *
 * Return: RVM_SUCCESS; RVM_EINIT; RVM_EOPTIONS; RVM_EOFFSET no length for a log; RVM_ELOG not a
 * log; RVM_ELOG_LOCKED another process has it open; RVM_ENO_SPACE it has its old size; and as
 * rvm_initialize(), or of the log in use as rvm_truncate().
 */
rvm_return_t rvm_resize_log(rvm_options_t *options, rvm_offset_t *log_len);

/**
 * rvm_grow_segment() - make a segment longer while it is in use
 * @data_dev: its path, a file or a block device
 * @length: bytes that it shall have; a device is taken as long as it is
 *
 * When it returns the longer segment is durable, and regions beyond its old end may be mapped.
 * The new bytes of a file are zero.
 *
 * Return: RVM_SUCCESS; RVM_EINIT; RVM_ELOG no log is open; RVM_EREGION no segment;
 * RVM_ENAME_TOO_LONG; RVM_EOFFSET it would become shorter, or was cut off by others;
 * RVM_ENO_SPACE; RVM_ETOO_BIG no file can be so long; RVM_EPERM; RVM_ENO_MEMORY; RVM_EIO.
 */
rvm_return_t rvm_grow_segment(const char *data_dev, rvm_offset_t length);

/**
 * rvm_query_log() - where the log stands
 * @info: filled in
 *
 * Return: RVM_SUCCESS; RVM_EINIT; RVM_ELOG no log is open; RVM_EOPTIONS @info is NULL.
 */
rvm_return_t rvm_query_log(rvm_log_info_t *info);

/**
 * rvm_end_transaction_lsn() - rvm_end_transaction() that tells the transaction's ticket
 * @tid: the transaction
 * @mode: flush or no_flush
 * @lsn: set to the ticket if the transaction is committed
 *
 * Return: as rvm_end_transaction(); RVM_ELSN if @lsn is NULL, the transaction is open then.
 */
rvm_return_t rvm_end_transaction_lsn(rvm_tid_t *tid, rvm_mode_t mode, rvm_lsn_t *lsn);

/**
 * rvm_durable() - would this transaction survive a crash now?
 * @lsn: its ticket
 *
 * Thread-safe, never blocks.
 *
 * Return: rvm_true; rvm_false not yet, or no log is open.
 */
rvm_bool_t rvm_durable(rvm_lsn_t lsn);

/**
 * rvm_wait_durable() - wait until a transaction is durable
 * @lsn: its ticket
 * @timeout: milliseconds; 0: do not wait, but have it written; negative: as long as it takes
 *
 * All that was committed before is durable then, too.  Thread-safe.
 *
 * Return: RVM_SUCCESS; RVM_EINIT; RVM_ELOG no log is open; RVM_ETIMEOUT; RVM_ELSN nothing that
 * was committed has this ticket; RVM_EIO the log failed.
 */
rvm_return_t rvm_wait_durable(rvm_lsn_t lsn, long timeout);

/**
 * rvm_durable_fd() - a file descriptor that tells an event loop
 * @fd: set to an eventfd (see eventfd(2)), the same one at each call
 *
 * It becomes readable when more transactions have become durable, or when the log has failed:
 * read its eight bytes, then ask rvm_durable() of each ticket.  It belongs to the library and
 * is closed by rvm_terminate().
 *
 * Return: RVM_SUCCESS; RVM_EINIT; RVM_ELOG no log is open; RVM_ENO_MEMORY no descriptor is to
 * be had; RVM_EOPTIONS @fd is NULL.
 */
rvm_return_t rvm_durable_fd(int *fd);

/**
 * typedef rvm_progress_t - a program's function that is told how far something is
 * @arg: the program's
 * @done: bytes done
 * @total: bytes in all, as far as is known
 *
 * It is called by the thread whose call it is about.
 */
typedef void (*rvm_progress_t)(void *arg, uint64_t done, uint64_t total);

/**
 * rvm_backup() - copy all segments and the log while transactions run
 * @dir: a directory that does not exist; it is made
 * @progress: called now and then, or NULL
 * @arg: for @progress
 *
 * The copy is the state after some commit, one that no commit made before the
 * call is missing from.  rvm(1) verifies and restores it.  @progress may use
 * the library, but not make a backup, change the log's size or terminate.
 *
 * Return: RVM_SUCCESS; RVM_EINIT; RVM_ELOG no log is open; RVM_EOPTIONS @dir
 * is NULL, empty, or exists; RVM_EPERM; RVM_ENO_SPACE; RVM_EIO; RVM_ELOG_DAMAGED a
 * segment is shorter than when it was mapped; RVM_ENAME_TOO_LONG; RVM_ENO_MEMORY.
 */
rvm_return_t rvm_backup(const char *dir, rvm_progress_t progress, void *arg);

/**
 * rvm_set_progress() - be told how far a recovery is
 * @progress: the function to call, or NULL, as at first: nobody is told
 * @arg: for @progress
 *
 * It is called while rvm_initialize() or rvm_set_options() recovers the log that it opens, and
 * while rvm_map() brings to the segments what the log has of regions that were unmapped.  What is
 * done never falls and is the total at last, unless the call fails.  @progress must not call the
 * library.
 *
 * May be called before rvm_initialize(), and by any thread; it waits while one of those calls is
 * under way, and holds until it is called again.
 */
void rvm_set_progress(rvm_progress_t progress, void *arg);

/**
 * rvm_set_check_handler() - be told of bytes that a transaction forgot to declare
 * @handler: the function to call, or NULL, as at first: the end of the transaction is
 *	RVM_EFORGOTTEN, and it stays open
 * @arg: for @handler
 *
 * May be called before rvm_initialize(), and holds until it is called again, or until
 * rvm_initialize() finds another one in RVM_CHECK.
 */
void rvm_set_check_handler(rvm_check_handler_t handler, void *arg);

/**
 * rvm_check_report() - a handler that prints what was forgotten and lets it pass
 * @arg: FILE *, or NULL for stderr
 * @forgotten: the bytes
 *
 * Return: rvm_true.
 */
rvm_bool_t rvm_check_report(void *arg, const rvm_forgotten_t *forgotten);

/**
 * rvm_check_abort() - a handler that prints what was forgotten and calls abort(3)
 * @arg: FILE *, or NULL for stderr
 * @forgotten: the bytes
 *
 * Return: it does not.
 */
rvm_bool_t rvm_check_abort(void *arg, const rvm_forgotten_t *forgotten);

/* Offsets. */
rvm_offset_t rvm_mk_offset(rvm_length_t high, rvm_length_t low);
rvm_offset_t rvm_add_offsets(rvm_offset_t *x, rvm_offset_t *y);
rvm_offset_t rvm_add_length_to_offset(rvm_offset_t *offset, rvm_length_t length);
rvm_offset_t rvm_sub_offsets(rvm_offset_t *x, rvm_offset_t *y);
rvm_offset_t rvm_sub_length_from_offset(rvm_offset_t *offset, rvm_length_t length);
rvm_offset_t rvm_rnd_offset_up_to_page(rvm_offset_t *offset);
rvm_offset_t rvm_rnd_offset_dn_to_page(rvm_offset_t *offset);
rvm_length_t rvm_page_size(void);
rvm_length_t rvm_page_mask(void);

#define RVM_MK_OFFSET(high, low)	rvm_mk_offset((high), (low))
#define RVM_OFFSET_INITIALIZER(high, low) { (high), (low) }
#define RVM_ZERO_OFFSET(x)		((x).high = 0, (x).low = 0)
#define RVM_OFFSET_TO_LENGTH(x)		((x).low)
#define RVM_OFFSET_HIGH_BITS_TO_LENGTH(x) ((x).high)
#define RVM_LENGTH_TO_OFFSET(length)	rvm_mk_offset(0, (length))
#define RVM_ADD_OFFSETS(x, y)		rvm_add_offsets(&(x), &(y))
#define RVM_ADD_LENGTH_TO_OFFSET(x, length) \
	rvm_add_length_to_offset(&(x), (length))
#define RVM_ADD_LENGTH_TO_ADDR(length, vmaddr) \
	((char *)((rvm_length_t)(length) + (rvm_length_t)(vmaddr)))
#define RVM_SUB_OFFSETS(x, y)		rvm_sub_offsets(&(x), &(y))
#define RVM_SUB_LENGTH_FROM_OFFSET(x, length) \
	rvm_sub_length_from_offset(&(x), (length))
#define RVM_SUB_LENGTH_FROM_ADDR(vmaddr, length) \
	((char *)((rvm_length_t)(vmaddr) - (rvm_length_t)(length)))

#define RVM_OFFSET_LSS(x, y) \
	((x).high < (y).high || ((x).high == (y).high && (x).low < (y).low))
#define RVM_OFFSET_GTR(x, y)		RVM_OFFSET_LSS(y, x)
#define RVM_OFFSET_LEQ(x, y)		(!RVM_OFFSET_GTR(x, y))
#define RVM_OFFSET_GEQ(x, y)		(!RVM_OFFSET_LSS(x, y))
#define RVM_OFFSET_EQL(x, y)		((x).high == (y).high && (x).low == (y).low)
#define RVM_OFFSET_EQL_ZERO(x)		((x).high == 0 && (x).low == 0)

#define RVM_PAGE_SIZE			rvm_page_size()
#define RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(length) \
	(((rvm_length_t)(length) + rvm_page_size() - 1) & rvm_page_mask())
#define RVM_ROUND_LENGTH_DOWN_TO_PAGE_SIZE(length) \
	((rvm_length_t)(length) & rvm_page_mask())
#define RVM_ROUND_ADDR_UP_TO_PAGE_SIZE(addr) \
	((char *)RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(addr))
#define RVM_ROUND_ADDR_DOWN_TO_PAGE_SIZE(addr) \
	((char *)RVM_ROUND_LENGTH_DOWN_TO_PAGE_SIZE(addr))
#define RVM_ROUND_OFFSET_UP_TO_PAGE_SIZE(x)	rvm_rnd_offset_up_to_page(&(x))
#define RVM_ROUND_OFFSET_DOWN_TO_PAGE_SIZE(x)	rvm_rnd_offset_dn_to_page(&(x))

#ifdef __cplusplus
}
#endif

#endif /* RVM_RVM_H */
