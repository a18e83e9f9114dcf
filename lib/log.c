// SPDX-License-Identifier: LGPL-2.1-or-later
/* The write-ahead log: its life, its status and its segment dictionary. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "flusher.h"
#include "format.h"
#include "log.h"
#include "logfile.h"
#include "os.h"
#include "space.h"
#include "status.h"
#include "tail.h"

/*
 * States:
 *
 *	log_open() --> opened --log_start()--> started --failed write--> poisoned
 *	                 |                        |                         |
 *	                 +------------------ log_close() -------------------+
 *
 * @lock protects status, dictionary and their copies on the disk, and is held while those are
 * written; it is taken before the lock of @tail.  It protects @keep, too, which is called with it.
 */
struct log {
	struct logfile file;
	pthread_mutex_t lock;
	struct format_status status;
	struct status_copies copies;
	struct dict dict;
	bool started;
	void (*keep)(void *arg, uint64_t lsn);
	void *keep_arg;
	struct tail tail;
	struct flusher flusher;
};

static int load(struct log *log, uint64_t buffer)
{
	uint32_t sector;
	int err;

	err = status_load(&log->file, &log->status, &log->copies);
	if (err)
		return err;
	err = dict_load(&log->file, &log->status, &log->dict);
	if (err)
		return err;
	sector = log->file.sector;
	if (sector < log->status.sector)
		sector = log->status.sector;
	err = tail_init(&log->tail, &log->file, sector, buffer);
	if (err)
		dict_free(&log->dict);
	return err;
}

int log_open(const char *path, uint64_t buffer, bool readonly, struct log **out)
{
	struct log *log = calloc(1, sizeof(*log));
	int err;

	if (!log)
		return err_set(ENOMEM, "log %s: out of memory", path);
	err = logfile_open(path, readonly, &log->file);
	if (err)
		goto free_log;
	err = readonly ? 0 : logfile_settle(&log->file);
	if (!err)
		err = load(log, buffer);
	if (err)
		goto close_file;
	if (!readonly)
		logfile_go_direct(&log->file);
	pthread_mutex_init(&log->lock, NULL);
	*out = log;
	return 0;

close_file:
	logfile_close(&log->file);
free_log:
	free(log);
	return err;
}

/* Called with the lock; a failure poisons. */
static int store_status(struct log *log)
{
	int err = status_store(&log->file, &log->status, &log->copies);

	return err ? tail_poison(&log->tail, err) : 0;
}

/* Called with the lock. */
static int store_dict(struct log *log)
{
	int err = dict_store(&log->file, &log->status, &log->dict);

	return err == -EIO ? tail_poison(&log->tail, err) : err;
}

static int refuse_start(struct log *log, uint64_t head, uint64_t tail)
{
	if (log->file.readonly)
		return err_set(EROFS, "log %s: it was opened for reading only", log->file.path);
	if (log->started || head != tail || tail < log->status.head)
		return err_set(EINVAL, "log %s: it cannot be started at LSN %" PRIu64,
			       log->file.path, tail);
	return tail_error(&log->tail);
}

static int start(struct log *log, uint64_t lsn)
{
	struct format_seed seed;
	int err;

	if (!log->dict.copies.valid[0] || !log->dict.copies.valid[1]) {
		err = store_dict(log);
		if (err)
			return err;
	}
	log->status.generation++;
	if (!log->status.generation)
		log->status.generation = 1;
	log->status.head = lsn;
	log->status.tail_hint = lsn;
	log->status.clean = false;
	err = store_status(log);
	if (err)
		return err;
	format_seed_init(&seed, log->status.uuid, log->status.generation);
	tail_start(&log->tail, &seed, lsn);
	log->started = true;
	return 0;
}

int log_start(struct log *log, uint64_t head, uint64_t tail)
{
	uint32_t sector = log->tail.sector;
	int err;

	pthread_mutex_lock(&log->lock);
	err = refuse_start(log, head, tail);
	if (!err)
		err = start(log, (tail + sector - 1) & ~(uint64_t)(sector - 1));
	pthread_mutex_unlock(&log->lock);
	return err;
}

int log_close(struct log *log)
{
	int err;

	flusher_stop(&log->flusher);
	pthread_mutex_lock(&log->lock);
	err = tail_error(&log->tail);
	if (!err && log->started) {
		log->status.tail_hint = log->tail.durable;
		log->status.clean = true;
		err = store_status(log);
	}
	pthread_mutex_unlock(&log->lock);
	pthread_mutex_destroy(&log->lock);
	tail_free(&log->tail);
	dict_free(&log->dict);
	logfile_close(&log->file);
	free(log);
	return err;
}

int log_fits(const struct log *log, uint64_t pieces, uint64_t bytes)
{
	return tail_fits(&log->tail, pieces, bytes);
}

int log_append(struct log *log, uint64_t tid, const struct log_range *ranges,
	       unsigned int count, uint64_t *lsn)
{
	return tail_append(&log->tail, tid, ranges, count, lsn);
}

int log_spool(struct log *log, uint64_t tid, const struct log_range *ranges,
	      unsigned int count, uint64_t *lsn)
{
	return tail_spool(&log->tail, tid, ranges, count, lsn);
}

int log_flush(struct log *log, uint64_t lsn)
{
	return tail_flush(&log->tail, lsn);
}

int log_wait(struct log *log, uint64_t lsn, const struct timespec *deadline)
{
	return tail_wait(&log->tail, lsn, deadline);
}

int log_start_flusher(struct log *log, long interval)
{
	return flusher_start(&log->flusher, &log->tail, interval);
}

void log_set_interval(struct log *log, long interval)
{
	flusher_set_interval(&log->flusher, interval);
}

void log_set_merge(struct log *log, bool merge)
{
	tail_set_merge(&log->tail, merge);
}

int log_event_fd(struct log *log, int *fd)
{
	return tail_event_fd(&log->tail, fd);
}

uint64_t log_durable(struct log *log)
{
	return log->tail.durable;
}

void log_watch(struct log *log, void (*fn)(void *arg, uint64_t durable), void *arg)
{
	tail_watch(&log->tail, fn, arg);
}

/* Once the log is started all that the tail does not know is constant: no lock of the log. */
void log_state(struct log *log, struct log_state *state)
{
	memcpy(state->uuid, log->status.uuid, sizeof(state->uuid));
	state->generation = log->status.generation;
	if (!log->started) {
		state->head = log->status.head;
		state->next = log->status.tail_hint;
		state->tail = log->status.tail_hint;
		state->durable = log->status.tail_hint;
	}
	tail_state(&log->tail, state);
}

const char *log_path(struct log *log)
{
	return log->file.path;
}

int log_error(struct log *log)
{
	return tail_error(&log->tail);
}

uint64_t log_used(struct log *log)
{
	if (!log->started)
		return log->status.tail_hint - log->status.head;
	return atomic_load_explicit(&log->tail.used, memory_order_relaxed);
}

/* Called with the lock. */
static int set_head(struct log *log, uint64_t head)
{
	uint64_t durable = log->tail.durable;
	int err;

	err = tail_error(&log->tail);
	if (err)
		return err;
	if (!log->started || head < log->status.head || head > durable || head % FORMAT_ALIGN)
		return err_set(EINVAL, "log %s: the head cannot be moved to LSN %" PRIu64,
			       log->file.path, head);
	if (head == log->status.head)
		return 0;
	if (log->keep)
		log->keep(log->keep_arg, head);
	log->status.head = head;
	log->status.tail_hint = durable;
	err = store_status(log);
	if (!err)
		tail_set_head(&log->tail, head);
	return err;
}

int log_set_head(struct log *log, uint64_t head)
{
	int err;

	pthread_mutex_lock(&log->lock);
	err = set_head(log, head);
	pthread_mutex_unlock(&log->lock);
	return err;
}

void log_keep(struct log *log, void (*fn)(void *arg, uint64_t lsn), void *arg)
{
	pthread_mutex_lock(&log->lock);
	log->keep = fn;
	log->keep_arg = arg;
	if (fn)
		fn(arg, log->status.head);
	pthread_mutex_unlock(&log->lock);
}

void log_keep_below(struct log *log, uint64_t lsn)
{
	pthread_mutex_lock(&log->lock);
	if (log->keep)
		log->keep(log->keep_arg, lsn);
	pthread_mutex_unlock(&log->lock);
}

void log_freeze(struct log *log)
{
	tail_freeze(&log->tail);
}

void log_thaw(struct log *log)
{
	tail_thaw(&log->tail);
}

/* A sync that fails may have been about records as well, and is not told of twice. */
int log_take_space(struct log *log, uint64_t size, uint64_t *area_size)
{
	struct logfile *file = &log->file;
	uint64_t start = file->area_offset;
	uint64_t old = file->area_size;
	int err = tail_error(&log->tail);

	if (!err)
		err = logfile_measure(file);
	if (!err)
		err = space_area_size(file, start, size, area_size);
	if (err || *area_size <= old)
		return err;
	err = space_take(file, start + old, start + *area_size, NULL, NULL);
	if (err)
		return err;
	err = space_sync(file);
	return err ? tail_poison(&log->tail, err) : 0;
}

/* Called with the lock. */
static int set_size(struct log *log, uint64_t tail, uint64_t area_size)
{
	int err = tail_error(&log->tail);

	if (err)
		return err;
	assert(!log->keep && tail == log->tail.durable);
	log->status.head = tail;
	log->status.tail_hint = tail;
	err = space_switch(&log->file, &log->status, &log->copies, area_size);
	if (err)
		return tail_poison(&log->tail, err);
	tail_restart(&log->tail, area_size, log->status.head);
	return 0;
}

int log_set_size(struct log *log, uint64_t tail, uint64_t area_size)
{
	int err;

	pthread_mutex_lock(&log->lock);
	err = set_size(log, tail, area_size);
	pthread_mutex_unlock(&log->lock);
	return err;
}

/* With a poison nobody knows what size the status tells on the disk. */
int log_cut(struct log *log)
{
	int err = tail_error(&log->tail);

	return err ? err : space_cut(&log->file, log->file.area_offset + log->file.area_size);
}

static int enter_segment(struct log *log, const char *path, uint64_t length, uint32_t *id)
{
	uint8_t uuid[FORMAT_UUID];
	struct dict_entry *entry;
	int err;

	err = os_uuid(uuid);
	if (err)
		return err_set(EIO, "log %s: no random bytes: %s", log->file.path, err_name(err));
	entry = dict_add(&log->dict, path, length, uuid);
	if (!entry)
		return err_set(ENOMEM, "log %s: out of memory", log->file.path);
	*id = entry->id;
	err = store_dict(log);
	if (err)
		dict_drop_last(&log->dict);
	return err;
}

static int change_segment(struct log *log, struct dict_entry *entry, uint64_t length)
{
	uint64_t old = entry->length;
	int err;

	entry->length = length;
	err = store_dict(log);
	if (err)
		entry->length = old;
	return err;
}

/* Called with the lock. */
static int name_segment(struct log *log, const char *path, uint64_t length, uint32_t *id)
{
	struct dict_entry *entry = dict_by_path(&log->dict, path);
	int err = tail_error(&log->tail);

	if (err)
		return err;
	if (!log->started)
		return err_set(EINVAL, "log %s: it is not started", log->file.path);
	if (!entry)
		return enter_segment(log, path, length, id);
	*id = entry->id;
	return entry->length == length ? 0 : change_segment(log, entry, length);
}

int log_name_segment(struct log *log, const char *path, uint64_t length, uint32_t *id)
{
	int err;

	if (strlen(path) >= PATH_MAX)
		return err_set(ENAMETOOLONG, "segment: its path is longer than %d bytes",
			       PATH_MAX - 1);
	if (path[0] != '/' || !path[1])
		return err_set(EINVAL, "segment %s: its path is not absolute", path);
	pthread_mutex_lock(&log->lock);
	err = name_segment(log, path, length, id);
	pthread_mutex_unlock(&log->lock);
	return err;
}

int log_segment(struct log *log, uint32_t id, struct log_segment *segment)
{
	struct dict_entry *entry;

	pthread_mutex_lock(&log->lock);
	entry = dict_by_id(&log->dict, id);
	if (entry) {
		segment->id = id;
		memcpy(segment->uuid, entry->uuid, sizeof(segment->uuid));
		segment->length = entry->length;
		segment->path = entry->path;
	}
	pthread_mutex_unlock(&log->lock);
	return entry ? 0 : err_set(ENOENT, "log %s: it names no segment %" PRIu32,
				   log->file.path, id);
}

uint32_t log_segments(struct log *log)
{
	uint32_t count;

	pthread_mutex_lock(&log->lock);
	count = log->dict.count;
	pthread_mutex_unlock(&log->lock);
	return count;
}

const struct logfile *log_file(struct log *log)
{
	return &log->file;
}

void log_status(struct log *log, struct format_status *status)
{
	pthread_mutex_lock(&log->lock);
	*status = log->status;
	pthread_mutex_unlock(&log->lock);
}

void log_copies(struct log *log, struct status_copies *status, struct status_copies *dict)
{
	pthread_mutex_lock(&log->lock);
	*status = log->copies;
	*dict = log->dict.copies;
	pthread_mutex_unlock(&log->lock);
}
