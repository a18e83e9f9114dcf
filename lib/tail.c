// SPDX-License-Identifier: LGPL-2.1-or-later
/* The log's tail: records on their way to the disk. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "err.h"
#include "tail.h"

/* What tail.h promises; called with the lock. */
static void assert_state(const struct tail *t)
{
	if (t->error)
		return;
	assert(t->head <= t->durable && t->durable <= t->written);
	assert(t->written <= t->filled && t->tail <= t->filled);
	assert(t->filled - t->head <= t->file->area_size);
	assert(t->filled - t->written <= t->ring_size);
	assert(t->written % t->sector == 0);
	assert(t->streaming || t->tail == t->filled);
}

int tail_init(struct tail *t, struct logfile *file, uint32_t sector, uint64_t ring_size)
{
	memset(t, 0, sizeof(*t));
	t->file = file;
	t->sector = sector;
	if (ring_size < TAIL_RING_MIN)
		ring_size = TAIL_RING_MIN;
	if (ring_size > SIZE_MAX / 2)
		return err_set(ENOMEM, "log %s: out of memory", file->path);
	t->ring_size = (ring_size + LOGFILE_ALIGN - 1) & ~(uint64_t)(LOGFILE_ALIGN - 1);
	t->ring = aligned_alloc(LOGFILE_ALIGN, t->ring_size);
	if (!t->ring)
		return err_set(ENOMEM, "log %s: out of memory for a buffer of %zu bytes",
			       file->path, t->ring_size);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	return 0;
}

void tail_free(struct tail *t)
{
	free(t->ring);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
}

void tail_start(struct tail *t, const struct format_seed *seed, uint64_t lsn)
{
	pthread_mutex_lock(&t->lock);
	t->seed = *seed;
	t->head = lsn;
	t->tail = lsn;
	t->filled = lsn;
	t->written = lsn;
	t->durable = lsn;
	t->started = true;
	assert_state(t);
	pthread_mutex_unlock(&t->lock);
}

/* Called with the lock. */
static int poisoned(const struct tail *t)
{
	return t->error ? err_set(EIO, "%s", t->text) : 0;
}

/* Called with the lock, and with the text of @err noted. */
static void poison(struct tail *t, int err)
{
	if (!t->error) {
		snprintf(t->text, sizeof(t->text), "%s", err_text());
		t->error = err;
	}
	pthread_cond_broadcast(&t->changed);
}

int tail_poison(struct tail *t, int err)
{
	pthread_mutex_lock(&t->lock);
	poison(t, err);
	err = poisoned(t);
	pthread_mutex_unlock(&t->lock);
	return err;
}

int tail_error(struct tail *t)
{
	int err;

	if (!t->error)
		return 0;
	pthread_mutex_lock(&t->lock);
	err = poisoned(t);
	pthread_mutex_unlock(&t->lock);
	return err;
}

static size_t ring_room(const struct tail *t)
{
	return t->ring_size - (t->filled - t->written);
}

/* The bytes of the ring from @lsn to @end, as one or two buffers. */
static int ring_iov(const struct tail *t, uint64_t lsn, uint64_t end, struct iovec iov[2])
{
	size_t at = lsn % t->ring_size;
	size_t length = end - lsn;
	size_t first = t->ring_size - at;

	if (first > length)
		first = length;
	iov[0].iov_base = t->ring + at;
	iov[0].iov_len = first;
	iov[1].iov_base = t->ring;
	iov[1].iov_len = length - first;
	return length > first ? 2 : 1;
}

/* Copies what is there room for, continues the checksum, returns how much it was. */
static size_t put_some(struct tail *t, const char *bytes, size_t length, uint32_t *crc)
{
	struct iovec iov[2];
	int count, i;

	if (length > ring_room(t))
		length = ring_room(t);
	if (!length)
		return 0;
	count = ring_iov(t, t->filled, t->filled + length, iov);
	for (i = 0; i < count; i++) {
		memcpy(iov[i].iov_base, bytes, iov[i].iov_len);
		*crc = crc32c(*crc, iov[i].iov_base, iov[i].iov_len);
		bytes += iov[i].iov_len;
	}
	t->filled += length;
	return length;
}

static int drain(struct tail *t);

/* Only a streamed record ever meets a full ring, so only then the lock is dropped. */
static int put(struct tail *t, const void *bytes, size_t length, uint32_t *crc)
{
	const char *p = bytes;

	while (length) {
		size_t n = put_some(t, p, length, crc);

		if (!n) {
			int err;

			assert(t->streaming);
			err = drain(t);
			if (err)
				return err;
		}
		p += n;
		length -= n;
	}
	return 0;
}

static int put_header(struct tail *t, uint16_t type, uint32_t count, uint64_t length,
		      uint64_t tid, uint32_t *crc)
{
	struct format_record record = {
		.type = type,
		.count = count,
		.length = length,
		.lsn = t->tail,
		.durable = t->durable,
		.tid = tid,
	};
	struct disk_record disk;

	*crc = t->seed.crc;
	format_record_encode(&record, &t->seed, &disk);
	return put(t, &disk, sizeof(disk), crc);
}

/* A page of zeros is more than any record is filled up with, but for padding. */
static int put_zeros(struct tail *t, size_t length, uint32_t *crc)
{
	static const char zeros[FORMAT_BLOCK];
	int err = 0;

	while (length && !err) {
		size_t n = length < sizeof(zeros) ? length : sizeof(zeros);

		err = put(t, zeros, n, crc);
		length -= n;
	}
	return err;
}

static int put_trailer(struct tail *t, uint64_t length, uint32_t *crc)
{
	struct disk_trailer disk;

	format_trailer_encode(length, *crc, &disk);
	return put(t, &disk, sizeof(disk), crc);
}

/* Fills up to the next sector; the caller has seen that there is room. */
static void put_pad(struct tail *t)
{
	uint64_t length = format_pad_length(t->tail, t->sector);
	uint32_t crc;

	put_header(t, FORMAT_PAD, 0, length, 0, &crc);
	put_zeros(t, length - FORMAT_RECORD_MIN, &crc);
	put_trailer(t, length, &crc);
	t->tail = t->filled;
}

/*
 * Ends a group: returns the LSN up to which it is written, and in *@durable the end of the last
 * whole record below.  Inside a streamed record there is no place for padding; then, and if the
 * ring is too full for it, whole sectors are written and the rest waits for the next flush.
 */
static uint64_t close_group(struct tail *t, uint64_t *durable)
{
	uint64_t end;

	if (!t->streaming && ring_room(t) >= format_pad_length(t->tail, t->sector)) {
		put_pad(t);
		*durable = t->filled;
		return t->filled;
	}
	end = t->filled - t->filled % t->sector;
	*durable = t->streaming && end >= t->tail ? t->tail : t->durable;
	return end;
}

/* Writes one group, without the lock.  Called with the lock, when nobody is writing. */
static int lead(struct tail *t)
{
	uint64_t start = t->written;
	uint64_t durable, end;
	struct iovec iov[2];
	int err, count;

	end = close_group(t, &durable);
	if (end == start)
		return 0;
	count = ring_iov(t, start, end, iov);
	t->writing = true;
	pthread_mutex_unlock(&t->lock);
	err = logfile_write_lsn(t->file, start, iov, count);
	if (!err && t->watch && durable > t->durable)
		t->watch(t->watch_arg, durable);
	pthread_mutex_lock(&t->lock);
	t->writing = false;
	if (err) {
		poison(t, err);
	} else {
		t->written = end;
		t->durable = durable;
		t->bytes_written += end - start;
		t->flushes++;
		pthread_cond_broadcast(&t->changed);
	}
	assert_state(t);
	return poisoned(t);
}

/*
 * Makes or waits for some progress of the writing.  Whole sectors are written at any time; what
 * remains needs padding, also where the last record ends exactly at a sector.
 */
static int drain(struct tail *t)
{
	if (t->error)
		return poisoned(t);
	if (!t->writing && t->written < t->filled - t->filled % t->sector)
		return lead(t);
	if (!t->writing && !t->streaming && t->durable < t->tail)
		return lead(t);
	pthread_cond_wait(&t->changed, &t->lock);
	return poisoned(t);
}

int tail_flush(struct tail *t, uint64_t lsn)
{
	int err = 0;

	if (t->durable >= lsn && !t->error && t->started)
		return 0;
	pthread_mutex_lock(&t->lock);
	if (!t->started || lsn > t->tail)
		err = err_set(EINVAL, "log %s: nothing was appended up to LSN %" PRIu64,
			      t->file->path, lsn);
	while (!err && t->durable < lsn)
		err = drain(t);
	if (!err)
		err = poisoned(t);
	pthread_mutex_unlock(&t->lock);
	return err;
}

/* struct plan - the size of a record */
struct plan {
	uint64_t pieces;
	uint64_t bytes;
	uint64_t length;
};

static int make_plan(const struct tail *t, const struct log_range *ranges, unsigned int count,
		     struct plan *plan)
{
	uint64_t most = t->file->area_size;
	unsigned int i;

	memset(plan, 0, sizeof(*plan));
	for (i = 0; i < count; i++) {
		const struct log_range *r = &ranges[i];

		if (!r->segment || !r->length || r->offset > UINT64_MAX - r->length)
			return err_set(EINVAL, "log %s: range %u of a record is impossible",
				       t->file->path, i);
		if (r->length > most || plan->bytes > most)
			goto too_big;
		plan->bytes += r->length;
		plan->pieces += (r->length - 1) / FORMAT_RANGE_MAX + 1;
	}
	plan->length = format_record_length(plan->pieces, plan->bytes);
	if (plan->length + format_pad_length(plan->length, t->sector) <= most &&
	    plan->pieces <= UINT32_MAX)
		return 0;
too_big:
	return err_set(EFBIG, "log %s: a record of more than its %" PRIu64
		       " bytes can never fit; make a larger log", t->file->path, most);
}

/* Does a record fit between tail and head, with the padding that must follow it? */
static bool has_space(const struct tail *t, uint64_t length)
{
	uint64_t end = t->tail + length;

	return end + format_pad_length(end, t->sector) - t->head <= t->file->area_size;
}

/*
 * Waits until a record of @length bytes may be copied at the tail.  Where it returns 0 without
 * t->streaming, the ring has room for all of it.
 */
static int reserve(struct tail *t, uint64_t length)
{
	uint64_t need = length + 2 * t->sector;
	int err = 0;

	while (!err) {
		if (t->error)
			return poisoned(t);
		if (!t->started)
			return err_set(EINVAL, "log %s: it is not started", t->file->path);
		if (t->streaming) {
			pthread_cond_wait(&t->changed, &t->lock);
			continue;
		}
		if (!has_space(t, length))
			return err_set(ENOSPC, "log %s: it is full; truncate it", t->file->path);
		if (need <= ring_room(t))
			return 0;
		if (need > t->ring_size) {
			t->streaming = true;
			return 0;
		}
		err = drain(t);
	}
	return err;
}

static int put_ranges(struct tail *t, const struct log_range *r, unsigned int count,
		      uint32_t *crc)
{
	int err = 0;

	for (; count; r++, count--) {
		uint64_t done, n;

		for (done = 0; done < r->length && !err; done += n) {
			struct disk_range disk;

			n = r->length - done;
			if (n > FORMAT_RANGE_MAX)
				n = FORMAT_RANGE_MAX;
			format_range_encode(r->offset + done, n, r->segment, &disk);
			err = put(t, &disk, sizeof(disk), crc);
		}
	}
	return err;
}

static int put_record(struct tail *t, uint64_t tid, const struct log_range *ranges,
		      unsigned int count, const struct plan *plan)
{
	uint32_t crc;
	unsigned int i;
	int err;

	err = put_header(t, FORMAT_TX, plan->pieces, plan->length, tid, &crc);
	if (!err)
		err = put_ranges(t, ranges, count, &crc);
	for (i = 0; i < count && !err; i++)
		err = put(t, ranges[i].data, ranges[i].length, &crc);
	if (!err)
		err = put_zeros(t, -plan->bytes % FORMAT_ALIGN, &crc);
	if (!err)
		err = put_trailer(t, plan->length, &crc);
	return err;
}

/* Called with the lock.  A record that fails half-way leaves a poisoned log behind. */
static int append(struct tail *t, uint64_t tid, const struct log_range *ranges,
		  unsigned int count, const struct plan *plan)
{
	int err = reserve(t, plan->length);

	if (err)
		return err;
	err = put_record(t, tid, ranges, count, plan);
	if (!err)
		t->tail = t->filled;
	if (t->streaming) {
		t->streaming = false;
		pthread_cond_broadcast(&t->changed);
	}
	assert_state(t);
	return err;
}

int tail_append(struct tail *t, uint64_t tid, const struct log_range *ranges,
		unsigned int count, uint64_t *lsn)
{
	struct plan plan;
	int err;

	err = make_plan(t, ranges, count, &plan);
	if (err)
		return err;
	pthread_mutex_lock(&t->lock);
	err = count ? append(t, tid, ranges, count, &plan) : poisoned(t);
	if (!err)
		*lsn = t->tail;
	pthread_mutex_unlock(&t->lock);
	return err;
}

void tail_watch(struct tail *t, void (*fn)(void *arg, uint64_t durable), void *arg)
{
	pthread_mutex_lock(&t->lock);
	while (t->writing)
		pthread_cond_wait(&t->changed, &t->lock);
	t->watch = fn;
	t->watch_arg = arg;
	pthread_mutex_unlock(&t->lock);
}

void tail_state(struct tail *t, struct log_state *state)
{
	pthread_mutex_lock(&t->lock);
	if (t->started) {
		state->head = t->head;
		state->tail = t->tail;
		state->durable = t->durable;
	}
	state->error = t->error;
	state->bytes_written = t->bytes_written;
	state->flushes = t->flushes;
	pthread_mutex_unlock(&t->lock);
}

void tail_set_head(struct tail *t, uint64_t head)
{
	pthread_mutex_lock(&t->lock);
	t->head = head;
	assert_state(t);
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}
