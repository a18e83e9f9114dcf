// SPDX-License-Identifier: LGPL-2.1-or-later
/* The public functions: check arguments, call the parts, turn errors into codes. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <rvm/rvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commit.h"
#include "err.h"
#include "log.h"
#include "recover.h"
#include "region.h"
#include "segment.h"
#include "track.h"
#include "truncate.h"
#include "tx.h"

#define TRACKERS	(RVM_TRACK_KMOD | RVM_TRACK_UFFD | RVM_TRACK_SIGSEGV | \
			 RVM_TRACK_NONE)
#define OPTION_FLAGS	(RVM_ALL_OPTIMIZATIONS | RVM_MAP_PRIVATE | TRACKERS | RVM_STRICT | \
			 RVM_CREATE_SEGMENT)

/*
 * The library's one instance.
 *
 * @lock: serializes initialize, terminate, set_options, map and unmap
 * @up: initialized
 * @inherited: this is a forked child of the process that was initialized
 * @log: the open log, or NULL
 * @options: as the program set them
 * @log_dev: the log's path
 */
static struct {
	pthread_mutex_t lock;
	bool up;
	bool inherited;
	struct log *log;
	rvm_options_t options;
	char *log_dev;
	struct regions regions;
	struct txs txs;
	struct truncator truncator;
} rvm = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.txs = TXS_INITIALIZER(&rvm.regions),
};

struct mapping {
	int err;
	rvm_return_t code;
};

/* What an errno means wherever a function does not say otherwise. */
static const struct mapping common[] = {
	{ EIO, RVM_EIO }, { ENOENT, RVM_EIO }, { EUCLEAN, RVM_ELOG_DAMAGED },
	{ EPROTO, RVM_ELOG_VERSION_SKEW }, { ENAMETOOLONG, RVM_ENAME_TOO_LONG },
	{ ENOMEM, RVM_ENO_MEMORY }, { ENXIO, RVM_ENOT_MAPPED }, { EOVERFLOW, RVM_EOFFSET },
	{ EADDRINUSE, RVM_EOVERLAP }, { ERANGE, RVM_ERANGE }, { EFBIG, RVM_ETOO_BIG },
	{ EEXIST, RVM_ELOG }, { EOPNOTSUPP, RVM_ETRACKER }, { EACCES, RVM_EPERM },
	{ EPERM, RVM_EPERM }, { EROFS, RVM_EPERM }, { ENOSPC, RVM_ENO_SPACE },
	{ EDQUOT, RVM_ENO_SPACE }, { EDEADLK, RVM_ECONFLICT }, { EBUSY, RVM_ELOG_LOCKED },
	{ EINVAL, RVM_ELOG }, { ELOOP, RVM_EIO }, { EUSERS, RVM_EUNCOMMIT },
	{ 0, RVM_EINTERNAL }
};

/* What an errno means in rvm_map(). */
static const struct mapping mapping[] = {
	{ EEXIST, RVM_EVM_OVERLAP }, { EBUSY, RVM_EOVERLAP }, { EINVAL, RVM_EREGION },
	{ 0, 0 }
};

/* What an errno means in rvm_abort_transaction(). */
static const struct mapping aborting[] = {
	{ EPERM, RVM_EMODE },
	{ 0, 0 }
};

/* What an errno means in rvm_unmap(). */
static const struct mapping unmapping[] = {
	{ EBUSY, RVM_EUNCOMMIT },
	{ 0, 0 }
};

static rvm_return_t code_in(const struct mapping *m, int err)
{
	while (m->err && m->err != err)
		m++;
	return m->code;
}

static rvm_return_t code_of(int err, const struct mapping *special)
{
	rvm_return_t code = 0;

	if (!err)
		return RVM_SUCCESS;
	if (special)
		code = code_in(special, -err);
	return code ? code : code_in(common, -err);
}

/* Note a text and return a code. */
#define fail(code, ...) (err_set(EINVAL, __VA_ARGS__), (code))

/* The log is the parent's, and so are all locks and threads. */
static void begin_child(void)
{
	rvm.inherited |= rvm.up;
	rvm.up = false;
	pthread_mutex_init(&rvm.lock, NULL);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, begin_child);
}

static rvm_return_t refuse_child(void)
{
	return fail(RVM_EINIT, "a forked child must exec before it can use the library");
}

/* Every function but initialize starts here. */
static rvm_return_t enter(void)
{
	err_clear();
	if (rvm.inherited)
		return refuse_child();
	if (!rvm.up)
		return fail(RVM_EINIT, "the library is not initialized: call rvm_initialize()");
	return RVM_SUCCESS;
}

static rvm_return_t enter_log(void)
{
	rvm_return_t code = enter();

	if (!code && !rvm.log)
		return fail(RVM_ELOG, "no log is open: set log_dev with rvm_set_options()");
	return code;
}

const char *rvm_error(void)
{
	return err_text();
}

/* Options. */

static rvm_return_t check_lengths(const rvm_options_t *options)
{
	if (options->recovery_buf_len > LONG_MAX || options->flush_buf_len > LONG_MAX ||
	    options->max_read_len > LONG_MAX)
		return fail(RVM_EOPTIONS, "a buffer length in the options is absurdly large");
	if (options->create_log_size.high)
		return fail(RVM_EOPTIONS, "create_log_size is above 2^64");
	return RVM_SUCCESS;
}

static rvm_return_t check_options(const rvm_options_t *options)
{
	unsigned long trackers = options->flags & TRACKERS;

	if (options->struct_id != rvm_options_id)
		return fail(RVM_EOPTIONS, "not an options record: call rvm_init_options() on it");
	if (options->pager)
		return fail(RVM_EPAGER, "external pagers are not supported: pager must be NULL");
	if (options->truncate < 0 || options->truncate > 100)
		return fail(RVM_EOPTIONS, "truncate is %ld, but a percentage is 0 to 100",
			    options->truncate);
	if (options->flags & ~OPTION_FLAGS)
		return fail(RVM_EOPTIONS, "the options' flags 0x%lx are unknown to this library",
			    options->flags & ~OPTION_FLAGS);
	if (trackers & (trackers - 1))
		return fail(RVM_EOPTIONS, "the options ask for more than one tracker");
	if (options->log_dev && strlen(options->log_dev) >= PATH_MAX)
		return fail(RVM_ENAME_TOO_LONG, "log_dev is longer than a path may be");
	return check_lengths(options);
}

static void keep_options(const rvm_options_t *options)
{
	rvm.options = *options;
	if (rvm.options.flush_buf_len < MIN_FLUSH_BUF_LEN)
		rvm.options.flush_buf_len = MIN_FLUSH_BUF_LEN;
	if (rvm.options.recovery_buf_len < MIN_RECOVERY_BUF_LEN)
		rvm.options.recovery_buf_len = MIN_RECOVERY_BUF_LEN;
	rvm.options.log_dev = rvm.log_dev;
	rvm.options.tid_array = NULL;
	rvm.options.n_uncommit = 0;
	if (rvm.log)
		truncator_set_percent(&rvm.truncator, options->truncate);
}

/* The log. */

static int create_if_asked(const rvm_options_t *options)
{
	if (!options->create_log_file || !access(options->log_dev, F_OK) || errno != ENOENT)
		return 0;
	return log_create(options->log_dev, options->create_log_size.low,
			  options->create_log_mode, false, NULL, NULL);
}

/* Open and recover the log; the regions are empty. */
static int start_log(struct log *log, const rvm_options_t *options)
{
	int err;

	err = recover_log(log, NULL, NULL, NULL);
	if (err)
		return err;
	err = truncator_start(&rvm.truncator, log, &rvm.regions, options->truncate);
	if (err)
		return err;
	log_watch(log, regions_durable, &rvm.regions);
	return 0;
}

static int open_log(const rvm_options_t *options)
{
	uint64_t buffer = options->flush_buf_len;
	struct log *log;
	int err;

	if (buffer < MIN_FLUSH_BUF_LEN)
		buffer = MIN_FLUSH_BUF_LEN;
	rvm.log_dev = strdup(options->log_dev);
	if (!rvm.log_dev)
		return err_set(ENOMEM, "out of memory for the log's path");
	err = create_if_asked(options);
	if (!err)
		err = log_open(rvm.log_dev, buffer, false, &log);
	if (err)
		goto free_path;
	err = start_log(log, options);
	if (err)
		goto close_log;
	rvm.log = log;
	return 0;

close_log:
	log_close(log);
free_path:
	free(rvm.log_dev);
	rvm.log_dev = NULL;
	return err;
}

rvm_return_t rvm_create_log(rvm_options_t *options, rvm_offset_t *log_len, long mode)
{
	rvm_return_t code = enter();

	if (code)
		return code;
	if (!options)
		return fail(RVM_EOPTIONS, "no options given");
	code = check_options(options);
	if (code)
		return code;
	if (!options->log_dev)
		return fail(RVM_EOPTIONS, "log_dev names no log to create");
	if (!log_len || log_len->high)
		return fail(RVM_EOFFSET, "the log's length is missing or above 2^64");
	return code_of(log_create(options->log_dev, log_len->low, mode, false, NULL, NULL), NULL);
}

static rvm_return_t flush_all(void)
{
	struct log_state state;

	log_state(rvm.log, &state);
	return code_of(log_flush(rvm.log, state.tail), NULL);
}

rvm_return_t rvm_flush(void)
{
	rvm_return_t code = enter_log();

	return code ? code : flush_all();
}

rvm_return_t rvm_truncate(void)
{
	rvm_return_t code = enter_log();

	return code ? code : code_of(truncate_log(&rvm.truncator), NULL);
}

rvm_return_t rvm_query_log(rvm_log_info_t *info)
{
	rvm_return_t code = enter_log();
	struct log_state state;

	if (code)
		return code;
	if (!info)
		return fail(RVM_EOPTIONS, "no room for the answer: info is NULL");
	log_state(rvm.log, &state);
	memcpy(info->uuid, state.uuid, sizeof(info->uuid));
	info->generation = state.generation;
	info->size = state.size;
	info->head = state.head;
	info->tail = state.tail;
	info->durable = state.durable;
	info->error = -state.error;
	return RVM_SUCCESS;
}

/* The library's life. */

static rvm_return_t start(rvm_options_t *options)
{
	rvm_options_t defaults;
	rvm_return_t code;
	int err;

	if (!options) {
		rvm_init_options(&defaults);
		options = &defaults;
	}
	code = check_options(options);
	if (code)
		return code;
	regions_init(&rvm.regions);
	err = options->log_dev ? open_log(options) : 0;
	if (err) {
		regions_free(&rvm.regions);
		return code_of(err, NULL);
	}
	keep_options(options);
	rvm.up = true;
	return RVM_SUCCESS;
}

rvm_return_t rvm_initialize(const char *version, rvm_options_t *options)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	rvm_return_t code;

	err_clear();
	if (!version || strcmp(version, RVM_VERSION))
		return fail(RVM_EVERSION_SKEW,
			    "the program was compiled for \"%s\", the library is \"%s\"",
			    version ? version : "NULL", RVM_VERSION);
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&rvm.lock);
	if (rvm.inherited)
		code = refuse_child();
	else if (rvm.up)
		code = fail(RVM_EINIT, "the library is initialized already");
	else
		code = start(options);
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

static rvm_return_t stop_log(void)
{
	rvm_return_t code = flush_all();
	int err;

	log_watch(rvm.log, NULL, NULL);
	truncator_stop(&rvm.truncator);
	regions_free(&rvm.regions);
	regions_init(&rvm.regions);
	err = log_close(rvm.log);
	rvm.log = NULL;
	free(rvm.log_dev);
	rvm.log_dev = NULL;
	return code ? code : code_of(err, NULL);
}

static rvm_return_t stop(void)
{
	rvm_return_t code = RVM_SUCCESS;

	if (rvm.txs.count && !log_error(rvm.log))
		return fail(RVM_EUNCOMMIT, "%zu transactions have not ended: end or abort them",
			    rvm.txs.count);
	if (rvm.log)
		code = stop_log();
	txs_end(&rvm.txs);
	regions_free(&rvm.regions);
	rvm.up = false;
	return code;
}

rvm_return_t rvm_terminate(void)
{
	rvm_return_t code;

	pthread_mutex_lock(&rvm.lock);
	code = enter();
	if (!code)
		code = stop();
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

static rvm_return_t change_options(rvm_options_t *options)
{
	rvm_return_t code = check_options(options);
	int err = 0;

	if (code)
		return code;
	if (!rvm.log && options->log_dev)
		err = open_log(options);
	else if (rvm.log && options->log_dev && strcmp(options->log_dev, rvm.log_dev))
		return fail(RVM_ELOG, "log %s is open: terminate first to use another",
			    rvm.log_dev);
	if (!err)
		keep_options(options);
	return code_of(err, NULL);
}

rvm_return_t rvm_set_options(rvm_options_t *options)
{
	rvm_return_t code;

	pthread_mutex_lock(&rvm.lock);
	code = enter();
	if (!code)
		code = options ? change_options(options) :
				 fail(RVM_EOPTIONS, "no options given");
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

/* Regions. */

static rvm_return_t check_region(const rvm_region_t *region)
{
	if (!region || region->struct_id != rvm_region_id)
		return fail(RVM_EREGION, "not a region record: call rvm_init_region() on it");
	return RVM_SUCCESS;
}

static rvm_return_t check_map(const rvm_region_t *region, const rvm_options_t *options)
{
	rvm_return_t code = check_region(region);

	if (!code && options)
		code = check_options(options);
	if (code)
		return code;
	if (!region->data_dev || !*region->data_dev)
		return fail(RVM_EREGION, "data_dev names no segment");
	if (strlen(region->data_dev) >= PATH_MAX)
		return fail(RVM_ENAME_TOO_LONG, "data_dev is longer than a path may be");
	if (region->offset.high || region->dev_length.high)
		return fail(RVM_EOFFSET, "a segment ends below 2^64 bytes");
	if ((uintptr_t)region->vmaddr & (TRACK_PAGE_SIZE - 1))
		return fail(RVM_EREGION, "vmaddr %p is not at a page boundary", region->vmaddr);
	return RVM_SUCCESS;
}

static int map_region(rvm_region_t *region, unsigned long flags)
{
	struct region_spec spec = {
		.path = region->data_dev,
		.offset = region->offset.low,
		.length = region->length,
		.addr = region->vmaddr,
		.tracker = flags & TRACKERS,
		.strict = flags & RVM_STRICT,
		.create_length = flags & RVM_CREATE_SEGMENT ? region->dev_length.low : 0,
	};
	struct segment *segment;
	struct region *mapped;
	int err;

	err = regions_segment(&rvm.regions, rvm.log, spec.path, spec.create_length, &segment);
	if (!err)
		err = truncate_orphans(&rvm.truncator);
	if (!err)
		err = region_map(&rvm.regions, rvm.log, segment, &spec, &mapped);
	if (err)
		return err;
	region->vmaddr = mapped->base;
	region->length = mapped->length;
	region->dev_length = rvm_mk_offset(0, segment->length);
	return 0;
}

rvm_return_t rvm_map(rvm_region_t *region, rvm_options_t *options)
{
	rvm_return_t code = enter_log();

	if (!code)
		code = check_map(region, options);
	if (code)
		return code;
	pthread_mutex_lock(&rvm.lock);
	code = code_of(map_region(region, options ? options->flags : rvm.options.flags), mapping);
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

/* The mapped region that a record stands for. */
static rvm_return_t find_region(const rvm_region_t *record, struct region **out)
{
	rvm_return_t code = check_region(record);

	if (code)
		return code;
	*out = region_find(&rvm.regions, record->vmaddr);
	if (!*out || (*out)->base != record->vmaddr)
		return fail(RVM_ENOT_MAPPED, "no region is mapped at %p", record->vmaddr);
	return RVM_SUCCESS;
}

rvm_return_t rvm_unmap(rvm_region_t *region)
{
	rvm_return_t code = enter_log();
	struct region *mapped;

	if (code)
		return code;
	pthread_mutex_lock(&rvm.lock);
	code = find_region(region, &mapped);
	if (!code)
		code = code_of(truncate_unmap(&rvm.truncator, mapped), unmapping);
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

rvm_return_t rvm_query_region(rvm_region_t *region, rvm_region_info_t *info)
{
	struct track_stats stats = { 0 };
	rvm_return_t code = enter();
	struct region *mapped;

	if (!code)
		code = find_region(region, &mapped);
	if (code)
		return code;
	if (!info)
		return fail(RVM_EREGION, "no room for the answer: info is NULL");
	if (mapped->tracker->ops->stats)
		mapped->tracker->ops->stats(mapped->tracker, &stats);
	info->tracker = mapped->tracker->ops->flag;
	info->tracker_name = mapped->tracker->ops->name;
	memcpy(info->why, mapped->why, sizeof(info->why));
	info->strict = mapped->strict ? rvm_true : rvm_false;
	info->first_writes = stats.first_writes;
	info->strays = stats.strays;
	info->written_back = stats.written_back;
	return RVM_SUCCESS;
}

/* Transactions. */

static void fill_tid(rvm_tid_t *tid, struct tx *tx)
{
	tid->tid = tx;
	tid->reserved = tx->id;
	tid->uname.tv_sec = tx->id;
	tid->uname.tv_usec = 0;
}

/* Memory of a transaction is never freed, and its number never used again. */
static struct tx *live_tx(const rvm_tid_t *tid)
{
	struct tx *tx = tid->tid;

	if (!tx || !tid->reserved || __atomic_load_n(&tx->id, __ATOMIC_RELAXED) != tid->reserved)
		return NULL;
	return tx;
}

static rvm_return_t check_tid(const rvm_tid_t *tid)
{
	if (!tid || tid->struct_id != rvm_tid_id)
		return fail(RVM_ETID, "not a transaction record: call rvm_init_tid() on it");
	return RVM_SUCCESS;
}

static rvm_return_t check_new(const rvm_tid_t *tid)
{
	rvm_return_t code = check_tid(tid);

	if (!code && live_tx(tid))
		return fail(RVM_ETID, "the transaction has begun already");
	return code;
}

/* A transaction that has begun, and that this thread may use. */
static rvm_return_t find_tx(const rvm_tid_t *tid, struct tx **out)
{
	rvm_return_t code = check_tid(tid);

	if (code)
		return code;
	*out = live_tx(tid);
	if (!*out)
		return fail(RVM_ETID, "the transaction has not begun, or has ended");
	if ((*out)->n_tracked && (*out)->thread != gettid())
		return fail(RVM_ETID, "a tracked transaction belongs to the thread that began it");
	return RVM_SUCCESS;
}

static rvm_return_t begin_tracked(rvm_tid_t *tid, struct region *region)
{
	struct tx *tx;
	int err;

	err = tx_begin_tracked(&rvm.txs, region, &tx);
	if (!err)
		fill_tid(tid, tx);
	return code_of(err, NULL);
}

rvm_return_t rvm_begin_tracked(rvm_tid_t *tid, rvm_region_t *region)
{
	rvm_return_t code = enter_log();
	struct region *mapped;

	if (!code)
		code = check_new(tid);
	if (!code)
		code = find_region(region, &mapped);
	return code ? code : begin_tracked(tid, mapped);
}

rvm_return_t rvm_begin_transaction(rvm_tid_t *tid, rvm_mode_t mode)
{
	rvm_return_t code = enter_log();
	struct tx *tx;
	int err;

	if (!code)
		code = check_new(tid);
	if (code)
		return code;
	if (mode == rvm_tracked)
		return begin_tracked(tid, NULL);
	if (mode != restore && mode != no_restore)
		return fail(RVM_EMODE, "begin with restore, no_restore or rvm_tracked");
	err = tx_begin(&rvm.txs, mode == restore, &tx);
	if (!err)
		fill_tid(tid, tx);
	return code_of(err, NULL);
}

rvm_return_t rvm_set_range(rvm_tid_t *tid, void *dest, rvm_length_t length)
{
	rvm_return_t code = enter_log();
	struct tx *tx;

	if (!code)
		code = find_tx(tid, &tx);
	return code ? code : code_of(tx_set_range(&rvm.txs, tx, dest, length), NULL);
}

rvm_return_t rvm_modify_bytes(rvm_tid_t *tid, void *dest, const void *src, rvm_length_t length)
{
	rvm_return_t code = enter_log();
	struct tx *tx;

	if (!code)
		code = find_tx(tid, &tx);
	if (code)
		return code;
	if (!src)
		return fail(RVM_ESRC, "the source of the bytes is NULL");
	code = code_of(tx_set_range(&rvm.txs, tx, dest, length), NULL);
	if (!code)
		memmove(dest, src, length);
	return code;
}

/* The record becomes stale, whatever copies of it there are. */
static void clear_tid(rvm_tid_t *tid)
{
	if (live_tx(tid))
		return;
	tid->tid = NULL;
	tid->reserved = 0;
}

rvm_return_t rvm_end_transaction(rvm_tid_t *tid, rvm_mode_t mode)
{
	rvm_return_t code = enter_log();
	struct tx *tx;

	if (!code)
		code = find_tx(tid, &tx);
	if (code)
		return code;
	if (mode != flush && mode != no_flush)
		return fail(RVM_EMODE, "end with flush or no_flush");
	code = code_of(commit(&rvm.txs, &rvm.truncator, tx, mode == flush), NULL);
	clear_tid(tid);
	return code;
}

rvm_return_t rvm_abort_transaction(rvm_tid_t *tid)
{
	rvm_return_t code = enter_log();
	struct tx *tx;

	if (!code)
		code = find_tx(tid, &tx);
	if (code)
		return code;
	code = code_of(abort_tx(&rvm.txs, tx), aborting);
	clear_tid(tid);
	return code;
}

/* Query. */

static rvm_return_t query_txs(rvm_options_t *options)
{
	struct tx *tx;
	long n = 0;

	pthread_mutex_lock(&rvm.txs.lock);
	free(options->tid_array);
	options->n_uncommit = rvm.txs.count;
	options->tid_array = rvm.txs.count ? malloc(rvm.txs.count * sizeof(rvm_tid_t)) : NULL;
	for (tx = rvm.txs.open; tx && options->tid_array; tx = tx->next) {
		rvm_init_tid(&options->tid_array[n]);
		fill_tid(&options->tid_array[n++], tx);
	}
	pthread_mutex_unlock(&rvm.txs.lock);
	if (n == options->n_uncommit)
		return RVM_SUCCESS;
	return fail(RVM_ENO_MEMORY, "out of memory for the list of transactions");
}

static rvm_return_t query_region(rvm_region_t *region)
{
	struct region *mapped;
	rvm_return_t code;

	code = find_region(region, &mapped);
	if (code)
		return code;
	region->data_dev = mapped->segment->path;
	region->dev_length = rvm_mk_offset(0, mapped->segment->length);
	region->offset = rvm_mk_offset(0, mapped->offset);
	region->length = mapped->length;
	return RVM_SUCCESS;
}

rvm_return_t rvm_query(rvm_options_t *options, rvm_region_t *region)
{
	rvm_return_t code = enter();
	rvm_options_t asked;

	if (code)
		return code;
	if (!options || options->struct_id != rvm_options_id)
		return fail(RVM_EOPTIONS, "not an options record: call rvm_init_options() on it");
	asked = rvm.options;
	asked.struct_id = rvm_options_id;
	asked.from_heap = options->from_heap;
	asked.tid_array = options->tid_array;
	asked.log_empty = !rvm.log || !log_used(rvm.log) ? rvm_true : rvm_false;
	*options = asked;
	code = query_txs(options);
	if (!code && region)
		code = query_region(region);
	return code;
}
