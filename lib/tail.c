// SPDX-License-Identifier: LGPL-2.1-or-later
/* The log's tail: its life, its state and its error. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "err.h"
#include "tail.h"

void tail_check(const struct tail *t)
{
	if (t->error)
		return;
	assert(t->head <= t->durable && t->durable <= t->written && t->written <= t->closed);
	assert(t->closed <= t->filled && t->tail <= t->filled);
	assert(t->filled - t->head <= t->file->area_size);
	assert(t->filled - t->written <= t->ring_size);
	assert(t->written % t->sector == 0 && t->closed % t->sector == 0);
	assert(t->streaming || t->tail == t->filled);
	assert(t->n_groups || t->written == t->closed);
}

/* A spool has half of its memory in the ring, so that one can be written while it fills. */
static uint32_t spool_size(size_t ring_size)
{
	size_t quarter = ring_size / 4;

	return quarter < SPOOL_MAX ? quarter : SPOOL_MAX;
}

static int make_memory(struct tail *t)
{
	t->ring = aligned_alloc(LOGFILE_ALIGN, t->ring_size);
	if (!t->ring)
		return err_set(ENOMEM, "log %s: out of memory for a buffer of %zu bytes",
			       t->file->path, t->ring_size);
	return spool_init(&t->spool, spool_size(t->ring_size));
}

int tail_init(struct tail *t, struct logfile *file, uint32_t sector, uint64_t ring_size)
{
	pthread_condattr_t attr;
	unsigned int i;
	int err;

	memset(t, 0, sizeof(*t));
	t->file = file;
	t->event_fd = -1;
	t->merge = true;
	t->sector = sector;
	if (ring_size < TAIL_RING_MIN)
		ring_size = TAIL_RING_MIN;
	if (ring_size > SIZE_MAX / 2)
		return err_set(ENOMEM, "log %s: out of memory", file->path);
	t->ring_size = (ring_size + LOGFILE_ALIGN - 1) & ~(uint64_t)(LOGFILE_ALIGN - 1);
	err = make_memory(t);
	if (err) {
		free(t->ring);
		spool_free(&t->spool);
		return err;
	}
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	for (i = 0; i < TAIL_GROUPS + 1; i++)
		pthread_cond_init(&t->done[i], &attr);
	pthread_cond_init(&t->work, &attr);
	pthread_condattr_destroy(&attr);
	return 0;
}

void tail_free(struct tail *t)
{
	unsigned int i;

	if (t->event_fd >= 0)
		close(t->event_fd);
	free(t->ring);
	spool_free(&t->spool);
	pthread_cond_destroy(&t->work);
	for (i = 0; i < TAIL_GROUPS + 1; i++)
		pthread_cond_destroy(&t->done[i]);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
}

/* Called with the lock. */
static void begin_at(struct tail *t, uint64_t lsn)
{
	t->head = lsn;
	t->tail = lsn;
	t->filled = lsn;
	t->closed = lsn;
	t->written = lsn;
	t->durable = lsn;
	tail_note_used(t);
	tail_check(t);
}

void tail_start(struct tail *t, const struct format_seed *seed, uint64_t lsn)
{
	pthread_mutex_lock(&t->lock);
	t->seed = *seed;
	t->started = true;
	begin_at(t, lsn);
	pthread_mutex_unlock(&t->lock);
}

/* A record that is being streamed has its place in the log: it ends without anybody's help. */
void tail_freeze(struct tail *t)
{
	pthread_mutex_lock(&t->lock);
	t->frozen = true;
	while (t->streaming)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

void tail_thaw(struct tail *t)
{
	pthread_mutex_lock(&t->lock);
	t->frozen = false;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

void tail_restart(struct tail *t, uint64_t area_size, uint64_t lsn)
{
	pthread_mutex_lock(&t->lock);
	assert(t->frozen && !t->n_groups && spool_empty(&t->spool));
	assert(t->durable == t->filled && t->closed == t->filled);
	assert(lsn >= t->filled && !(lsn % t->sector));
	__atomic_store_n(&t->file->area_size, area_size, __ATOMIC_RELAXED);
	begin_at(t, lsn);
	pthread_mutex_unlock(&t->lock);
}

int tail_poisoned(const struct tail *t)
{
	return t->error ? err_set(EIO, "%s", t->text) : 0;
}

void tail_tell(struct tail *t)
{
	pthread_cond_broadcast(&t->changed);
	if (t->event_fd >= 0)
		eventfd_write(t->event_fd, 1);
}

void tail_go_on(struct tail *t)
{
	pthread_cond_broadcast(&t->changed);
	pthread_cond_signal(tail_done(t, t->first_group + t->n_groups));
}

void tail_fail(struct tail *t, int err)
{
	unsigned int i;

	if (!t->error) {
		snprintf(t->text, sizeof(t->text), "%s", err_text());
		t->error = err;
	}
	tail_tell(t);
	for (i = 0; i < TAIL_GROUPS + 1; i++)
		pthread_cond_broadcast(&t->done[i]);
}

int tail_poison(struct tail *t, int err)
{
	pthread_mutex_lock(&t->lock);
	tail_fail(t, err);
	err = tail_poisoned(t);
	pthread_mutex_unlock(&t->lock);
	return err;
}

int tail_error(struct tail *t)
{
	int err;

	if (!t->error)
		return 0;
	pthread_mutex_lock(&t->lock);
	err = tail_poisoned(t);
	pthread_mutex_unlock(&t->lock);
	return err;
}

int tail_iov(const struct tail *t, uint64_t lsn, uint64_t end, struct iovec iov[2])
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

void tail_note_used(struct tail *t)
{
	uint64_t spooled = spool_empty(&t->spool) ? 0 : spool_length(&t->spool);

	atomic_store_explicit(&t->used, t->tail + spooled - t->head, memory_order_relaxed);
}

void tail_watch(struct tail *t, void (*fn)(void *arg, uint64_t durable), void *arg)
{
	pthread_mutex_lock(&t->lock);
	while (t->publishing)
		pthread_cond_wait(&t->changed, &t->lock);
	t->watch = fn;
	t->watch_arg = arg;
	pthread_mutex_unlock(&t->lock);
}

int tail_event_fd(struct tail *t, int *fd)
{
	int err = 0;

	pthread_mutex_lock(&t->lock);
	if (t->event_fd < 0)
		t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*fd = t->event_fd;
	if (*fd < 0)
		err = err_set(errno, "no eventfd: %s", err_name(-errno));
	pthread_mutex_unlock(&t->lock);
	return err;
}

void tail_set_merge(struct tail *t, bool merge)
{
	pthread_mutex_lock(&t->lock);
	t->merge = merge;
	pthread_mutex_unlock(&t->lock);
}

void tail_state(struct tail *t, struct log_state *state)
{
	pthread_mutex_lock(&t->lock);
	if (t->started) {
		state->head = t->head;
		state->next = t->tail;
		state->tail = tail_last(t);
		state->durable = t->durable;
	}
	state->size = t->file->area_size;
	state->error = t->error;
	state->bytes_written = t->bytes_written;
	state->flushes = t->flushes;
	state->spooled = t->spool.n_live;
	pthread_mutex_unlock(&t->lock);
}

void tail_set_head(struct tail *t, uint64_t head)
{
	pthread_mutex_lock(&t->lock);
	t->head = head;
	tail_note_used(t);
	tail_check(t);
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->lock);
}
