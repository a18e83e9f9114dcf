// SPDX-License-Identifier: LGPL-2.1-or-later
/* Appending to the log's tail: the copying of records into the ring. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "crc.h"
#include "err.h"
#include "statistics.h"
#include "tail.h"

#define SUM_MOST	16384	/* bytes that are summed up at once: they are in a cache then */

/* struct sum - the checksum of a record so far: of what is in the ring below @end */
struct sum {
	uint32_t crc;
	uint64_t end;
};

/* One call for all pieces that were put since: a record has a few, mostly short. */
static void sum_up(struct tail *t, struct sum *sum)
{
	struct iovec iov[2];
	int count, i;

	count = tail_iov(t, sum->end, t->filled, iov);
	for (i = 0; i < count; i++)
		sum->crc = crc32c(sum->crc, iov[i].iov_base, iov[i].iov_len);
	sum->end = t->filled;
}

/* Copies what is there room for, returns how much it was. */
static size_t put_some(struct tail *t, const char *bytes, size_t length)
{
	struct iovec iov[2];
	int count, i;

	if (length > tail_room(t))
		length = tail_room(t);
	if (!length)
		return 0;
	count = tail_iov(t, t->filled, t->filled + length, iov);
	for (i = 0; i < count; i++) {
		memcpy(iov[i].iov_base, bytes, iov[i].iov_len);
		bytes += iov[i].iov_len;
	}
	t->filled += length;
	return length;
}

/*
 * Only a streamed record ever meets a full ring, so only then the lock is dropped, and what was put
 * may be put over.
 */
static int put(struct tail *t, const void *bytes, size_t length, struct sum *sum)
{
	const char *p = bytes;

	while (length) {
		size_t n = put_some(t, p, length);

		if (!n) {
			int err;

			assert(t->streaming);
			sum_up(t, sum);
			err = tail_drain(t);
			if (err)
				return err;
		}
		p += n;
		length -= n;
	}
	if (t->filled - sum->end >= SUM_MOST)
		sum_up(t, sum);
	return 0;
}

static int put_header(struct tail *t, uint16_t type, uint32_t count, uint64_t length,
		      uint64_t tid, struct sum *sum)
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

	*sum = (struct sum){ .crc = t->seed.crc, .end = t->filled };
	format_record_encode(&record, &t->seed, &disk);
	return put(t, &disk, sizeof(disk), sum);
}

/* What padding is filled up with is the most: less than a sector. */
static int put_zeros(struct tail *t, size_t length, struct sum *sum)
{
	static const char zeros[FORMAT_BLOCK];

	assert(length <= sizeof(zeros));
	return put(t, zeros, length, sum);
}

static int put_trailer(struct tail *t, uint64_t length, struct sum *sum)
{
	struct disk_trailer disk;

	sum_up(t, sum);
	format_trailer_encode(length, sum->crc, &disk);
	return put(t, &disk, sizeof(disk), sum);
}

void tail_put_pad(struct tail *t)
{
	uint64_t length = format_pad_length(t->tail, t->sector);
	struct sum sum;

	statistics_special();
	put_header(t, FORMAT_PAD, 0, length, 0, &sum);
	put_zeros(t, length - FORMAT_RECORD_MIN, &sum);
	put_trailer(t, length, &sum);
	t->tail = t->filled;
}

/* struct plan - the size of a record */
struct plan {
	uint64_t pieces;
	uint64_t bytes;
	uint64_t length;
};

static int too_big(const struct tail *t, uint64_t most)
{
	return err_set(EFBIG, "log %s: a record of more than its %" PRIu64
		       " bytes can never fit; make a larger log", t->file->path, most);
}

/* Does a record fit into an empty log, with the padding that must follow it? */
static bool could_fit(const struct tail *t, uint64_t most, uint64_t pieces, uint64_t bytes)
{
	uint64_t length = format_record_length(pieces, bytes);

	return bytes <= most && pieces <= UINT32_MAX &&
	       length + format_pad_length(length, t->sector) <= most;
}

int tail_fits(const struct tail *t, uint64_t pieces, uint64_t bytes)
{
	uint64_t most = __atomic_load_n(&t->file->area_size, __ATOMIC_RELAXED);

	return could_fit(t, most, pieces, bytes) ? 0 : too_big(t, most);
}

/* Without the lock: where the log shrinks meanwhile the record finds no room, and a new plan. */
static int make_plan(const struct tail *t, const struct log_range *ranges, unsigned int count,
		     struct plan *plan)
{
	uint64_t most = __atomic_load_n(&t->file->area_size, __ATOMIC_RELAXED);
	unsigned int i;

	memset(plan, 0, sizeof(*plan));
	for (i = 0; i < count; i++) {
		const struct log_range *r = &ranges[i];

		if (!r->segment || !r->length || r->offset > UINT64_MAX - r->length)
			return err_set(EINVAL, "log %s: range %u of a record is impossible",
				       t->file->path, i);
		if (r->length > most || plan->bytes > most)
			return too_big(t, most);
		plan->bytes += r->length;
		plan->pieces += (r->length - 1) / FORMAT_RANGE_MAX + 1;
	}
	plan->length = format_record_length(plan->pieces, plan->bytes);
	return could_fit(t, most, plan->pieces, plan->bytes) ? 0 : too_big(t, most);
}

/* Does a record fit between tail and head, with the padding that must follow it? */
static bool has_space(const struct tail *t, uint64_t length)
{
	uint64_t end = t->tail + length;

	return end + format_pad_length(end, t->sector) - t->head <= t->file->area_size;
}

/* Descriptors on their way into the ring: small copies and checksums cost the most. */
struct descriptors {
	struct disk_range disk[64];
	unsigned int count;
};

static int put_descriptors(struct tail *t, struct descriptors *d, struct sum *sum)
{
	unsigned int count = d->count;

	d->count = 0;
	return put(t, d->disk, count * sizeof(d->disk[0]), sum);
}

/* One for each piece that a descriptor can tell of. */
static int put_range(struct tail *t, const struct log_range *r, struct descriptors *d,
		     struct sum *sum)
{
	uint64_t done, n;
	int err;

	for (done = 0; done < r->length; done += n) {
		n = r->length - done;
		if (n > FORMAT_RANGE_MAX)
			n = FORMAT_RANGE_MAX;
		format_range_encode(r->offset + done, n, r->segment, &d->disk[d->count++]);
		if (d->count < sizeof(d->disk) / sizeof(d->disk[0]))
			continue;
		err = put_descriptors(t, d, sum);
		if (err)
			return err;
	}
	return 0;
}

static int put_ranges(struct tail *t, const struct log_range *ranges, unsigned int count,
		      struct sum *sum)
{
	struct descriptors d;
	unsigned int i;
	int err = 0;

	d.count = 0;
	for (i = 0; i < count && !err; i++)
		err = put_range(t, &ranges[i], &d, sum);
	return err ? err : put_descriptors(t, &d, sum);
}

/* What follows each other in memory is put at once. */
static int put_data(struct tail *t, const struct log_range *ranges, unsigned int count,
		    struct sum *sum)
{
	unsigned int i = 0;
	int err = 0;

	while (i < count && !err) {
		const char *start = ranges[i].data;
		const char *end = start + ranges[i].length;

		for (i++; i < count && ranges[i].data == end; i++)
			end += ranges[i].length;
		err = put(t, start, end - start, sum);
	}
	return err;
}

static int put_record(struct tail *t, uint64_t tid, const struct log_range *ranges,
		      unsigned int count, const struct plan *plan)
{
	uint64_t size = t->file->area_size;
	struct sum sum;
	int err;

	if (t->tail / size != (t->tail + plan->length - 1) / size)
		statistics_split();
	err = put_header(t, FORMAT_TX, plan->pieces, plan->length, tid, &sum);
	if (!err)
		err = put_ranges(t, ranges, count, &sum);
	if (!err)
		err = put_data(t, ranges, count, &sum);
	if (!err)
		err = put_zeros(t, -plan->bytes % FORMAT_ALIGN, &sum);
	if (!err)
		err = put_trailer(t, plan->length, &sum);
	return err;
}

static void count_saved(const struct spool_stats *stats)
{
	if (!stats->bytes)
		return;
	statistics_coalesced(stats->eliminated, stats->bytes);
	statistics_ranges_coalesced(stats->ranges);
}

/* Its place in the log was reserved when the transactions were added. */
bool tail_put_spool(struct tail *t)
{
	struct plan plan = { .bytes = t->spool.n_bytes };
	unsigned int count;

	if (spool_empty(&t->spool))
		return true;
	if (tail_room(t) < spool_length(&t->spool) + 2 * t->sector)
		return false;
	count = spool_take(&t->spool);
	plan.pieces = count;
	plan.length = format_record_length(count, plan.bytes);
	put_record(t, t->spool.tid, t->spool.out, count, &plan);
	count_saved(&t->spool.stats);
	t->tail = t->filled;
	spool_clear(&t->spool);
	return true;
}

static int refuse(const struct tail *t)
{
	if (t->error)
		return tail_poisoned(t);
	if (!t->started)
		return err_set(EINVAL, "log %s: it is not started", t->file->path);
	return 0;
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
		err = refuse(t);
		if (err)
			return err;
		if (tail_is_shut(t)) {
			pthread_cond_wait(&t->changed, &t->lock);
			continue;
		}
		if (!tail_put_spool(t)) {
			err = tail_drain(t);
			continue;
		}
		if (!has_space(t, length))
			return err_set(ENOSPC, "log %s: it is full; truncate it", t->file->path);
		if (need <= tail_room(t))
			return 0;
		if (need > t->ring_size) {
			t->streaming = true;
			return 0;
		}
		err = tail_drain(t);
	}
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
		tail_go_on(t);
	}
	return err;
}

/* What every call that adds something ends with. */
static void added(struct tail *t, uint64_t *lsn)
{
	*lsn = tail_last(t);
	tail_note_used(t);
	tail_check(t);
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
	err = count ? append(t, tid, ranges, count, &plan) : tail_poisoned(t);
	added(t, lsn);
	pthread_mutex_unlock(&t->lock);
	return err;
}

/* Puts a transaction into the spool, or by itself into the ring if it is too large for that. */
static int spool(struct tail *t, uint64_t tid, const struct log_range *ranges,
		 unsigned int count, const struct plan *plan)
{
	int err = 0;

	while (!err) {
		uint64_t bound = t->merge ? spool_bound(&t->spool, ranges, count) : 0;

		err = refuse(t);
		if (err)
			return err;
		if (tail_is_shut(t)) {
			pthread_cond_wait(&t->changed, &t->lock);
		} else if (bound && has_space(t, bound)) {
			spool_add(&t->spool, tid, ranges, count);
			return 0;
		} else if (spool_empty(&t->spool)) {
			return append(t, tid, ranges, count, plan);
		} else if (!tail_put_spool(t)) {
			err = tail_drain(t);
		}
	}
	return err;
}

/* The flusher had nothing to do before, or much waits now. */
static void call_flusher(struct tail *t, bool idle)
{
	if (idle || tail_is_urgent(t))
		pthread_cond_signal(&t->work);
}

int tail_spool(struct tail *t, uint64_t tid, const struct log_range *ranges,
	       unsigned int count, uint64_t *lsn)
{
	struct plan plan;
	bool idle;
	int err;

	err = make_plan(t, ranges, count, &plan);
	if (err)
		return err;
	pthread_mutex_lock(&t->lock);
	idle = tail_is_idle(t);
	err = count ? spool(t, tid, ranges, count, &plan) : tail_poisoned(t);
	added(t, lsn);
	call_flusher(t, idle);
	pthread_mutex_unlock(&t->lock);
	return err;
}
