// SPDX-License-Identifier: LGPL-2.1-or-later
/* Groups of records of the log's tail: writing them, several at once, and waiting for them. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "err.h"
#include "statistics.h"
#include "tail.h"

static struct tail_group *group_at(struct tail *t, unsigned int i)
{
	return &t->groups[(t->first_group + i) % TAIL_GROUPS];
}

/* Number of the group that makes @lsn durable; of the next one if none does that is on its way. */
static uint64_t group_of(struct tail *t, uint64_t lsn)
{
	unsigned int i = 0;

	while (i < t->n_groups && group_at(t, i)->durable < lsn)
		i++;
	return t->first_group + i;
}

/* What will be durable when all groups are written that are on their way. */
static uint64_t promised(struct tail *t)
{
	return t->n_groups ? group_at(t, t->n_groups - 1)->durable : t->durable;
}

/*
 * Ends a group: returns the LSN up to which it is written, and in *@durable the end of the last
 * whole record below.  Inside a streamed record there is no place for padding; then, and if the
 * ring is too full for it, whole sectors are written and the rest waits for the next group.  A
 * record that is being streamed has filled the ring whenever the lock is dropped: up to a sector's
 * end, which is not below its start.
 */
static uint64_t close_group(struct tail *t, uint64_t *durable)
{
	uint64_t end;

	if (!t->streaming && tail_put_spool(t) &&
	    tail_room(t) >= format_pad_length(t->tail, t->sector)) {
		tail_put_pad(t);
		*durable = t->filled;
		return t->filled;
	}
	end = t->filled - t->filled % t->sector;
	assert(!t->streaming || end >= t->tail);
	*durable = t->streaming ? t->tail : promised(t);
	return end;
}

/*
 * Moves written and durable over the groups that are done.  One thread at a time, so that the
 * watch is called in order; it also does what others finish meanwhile.
 */
static void publish(struct tail *t)
{
	if (t->publishing)
		return;
	t->publishing = true;
	while (t->n_groups && group_at(t, 0)->done && !t->error) {
		const struct tail_group group = *group_at(t, 0);

		if (t->watch && group.durable > t->durable) {
			pthread_mutex_unlock(&t->lock);
			t->watch(t->watch_arg, group.durable);
			pthread_mutex_lock(&t->lock);
		}
		t->first_group++;
		t->n_groups--;
		t->written = group.end;
		t->durable = group.durable;
		tail_tell(t);
	}
	t->publishing = false;
	if (t->error)
		pthread_cond_broadcast(&t->changed);
}

/* Nothing changes any more after an error: then nobody may wait. */
static int wait(struct tail *t)
{
	assert(!t->error);
	pthread_cond_wait(&t->changed, &t->lock);
	return tail_poisoned(t);
}

/* Whole sectors are written at any time, what remains needs padding. */
static bool has_work(struct tail *t)
{
	if (t->n_groups == TAIL_GROUPS)
		return false;
	if (t->closed < t->filled - t->filled % t->sector)
		return true;
	return !t->streaming && promised(t) < tail_last(t);
}

/* Do enough wait for the next group?  See the head comment. */
static bool are_many(struct tail *t)
{
	return !t->n_groups || t->waiters >= group_at(t, t->n_groups - 1)->waiters;
}

/*
 * Those of a group that is done all go on.  Of those whose group has not begun one goes on to lead
 * it, for which there is a place now.
 *
 * No sleep is endless.  Who sleeps for a group that is on its way is woken when it is done.  Who
 * sleeps for the next one, number n, is woken when n is done, if somebody else leads it, and when
 * the last group on its way is done, if nobody does.  The numbers that are slept for are those on
 * their way, at most TAIL_GROUPS, and n, so no two of them share a condition.  Until those of a
 * number that is done are told, n may share theirs, and one of them take what was to wake a
 * leader; but then they are all told after that, and those of n with them.
 */
static void tell(struct tail *t, uint64_t from, uint64_t to, pthread_cond_t *next)
{
	if (from == to)
		return;
	for (; from < to; from++)
		pthread_cond_broadcast(tail_done(t, from));
	if (next)
		pthread_cond_signal(next);
}

static pthread_cond_t *next_leader(struct tail *t)
{
	return are_many(t) ? tail_done(t, t->first_group + t->n_groups) : NULL;
}

static void tell_locked(struct tail *t)
{
	tell(t, t->told, t->first_group, next_leader(t));
	t->told = t->first_group;
}

/* So nobody who is told runs into the lock. */
static void unlock_and_tell(struct tail *t)
{
	uint64_t from = t->told, to = t->first_group;
	pthread_cond_t *next = next_leader(t);

	t->told = to;
	pthread_mutex_unlock(&t->lock);
	tell(t, from, to, next);
}

/* Sleeps until the group of @lsn is done, or shall be led. */
static int wait_for(struct tail *t, uint64_t lsn)
{
	tell_locked(t);
	if (!t->error)
		pthread_cond_wait(tail_done(t, group_of(t, lsn)), &t->lock);
	return tail_poisoned(t);
}

static void count_group(const struct tail *t, uint64_t start, uint64_t end, uint64_t ns)
{
	uint64_t size = t->file->area_size;

	statistics_flush(ns, end - start);
	if (start / size != end / size)
		statistics_wrap();
}

/*
 * Writes one group, without the lock.  There is a place for it.  If the ring is so full that there
 * is nothing to write, the groups that fill it are on their way.
 */
static int lead(struct tail *t)
{
	uint64_t start = t->closed;
	struct tail_group *group;
	uint64_t durable, end;
	struct iovec iov[2];
	uint64_t began;
	int err, count;

	tell_locked(t);
	end = close_group(t, &durable);
	tail_note_used(t);
	if (end == start)
		return wait(t);
	group = group_at(t, t->n_groups++);
	*group = (struct tail_group) { .end = end, .durable = durable, .waiters = t->waiters };
	t->waiters = 0;
	t->closed = end;
	count = tail_iov(t, start, end, iov);
	pthread_mutex_unlock(&t->lock);
	began = statistics_clock();
	err = logfile_write_lsn(t->file, start, iov, count);
	if (!err)
		count_group(t, start, end, statistics_clock() - began);
	pthread_mutex_lock(&t->lock);
	if (err) {
		tail_fail(t, err);
	} else {
		group->done = true;
		t->bytes_written += end - start;
		t->flushes++;
		publish(t);
	}
	tail_check(t);
	return tail_poisoned(t);
}

int tail_drain(struct tail *t)
{
	int err = has_work(t) ? lead(t) : wait(t);

	tell_locked(t);
	return err;
}

static int check_lsn(const struct tail *t, uint64_t lsn)
{
	if (t->started && lsn <= tail_last(t))
		return 0;
	return err_set(EINVAL, "log %s: nothing was appended up to LSN %" PRIu64, t->file->path,
		       lsn);
}

int tail_flush(struct tail *t, uint64_t lsn)
{
	int err;

	if (t->durable >= lsn && !t->error && t->started)
		return 0;
	pthread_mutex_lock(&t->lock);
	err = check_lsn(t, lsn);
	if (!err && promised(t) < lsn)
		t->waiters++;
	while (!err && t->durable < lsn) {
		if (!t->error && promised(t) < lsn && has_work(t) && are_many(t))
			err = lead(t);
		else
			err = wait_for(t, lsn);
	}
	if (!err)
		err = tail_poisoned(t);
	unlock_and_tell(t);
	return err;
}

/* The flusher writes: a write of one's own could last beyond the deadline. */
int tail_wait(struct tail *t, uint64_t lsn, const struct timespec *deadline)
{
	int err, late = 0;

	pthread_mutex_lock(&t->lock);
	err = check_lsn(t, lsn);
	if (!err && t->hurry < lsn) {
		t->hurry = lsn;
		pthread_cond_signal(&t->work);
	}
	while (!err && !late && t->durable < lsn && !t->error)
		late = pthread_cond_timedwait(&t->changed, &t->lock, deadline);
	if (!err)
		err = tail_poisoned(t);
	if (!err && t->durable < lsn)
		err = err_set(ETIMEDOUT, "log %s: LSN %" PRIu64 " is not durable yet",
			      t->file->path, lsn);
	pthread_mutex_unlock(&t->lock);
	return err;
}
