// SPDX-License-Identifier: LGPL-2.1-or-later
/* The flusher: a thread that writes what committed transactions left in memory. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "flusher.h"
#include "tail.h"

static struct timespec after(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static bool is_called(const struct flusher *f)
{
	return f->stop || f->tail->error || f->tail->hurry > f->tail->durable ||
	       tail_is_urgent(f->tail);
}

/* Sleeps for the interval that was set when it began, or until called. */
static void sleep_for(struct flusher *f)
{
	long interval = f->interval;
	struct timespec end = after(interval);
	int late = 0;

	while (!late && !is_called(f) && interval == f->interval) {
		if (interval)
			late = pthread_cond_timedwait(&f->tail->work, &f->tail->lock, &end);
		else
			pthread_cond_wait(&f->tail->work, &f->tail->lock);
	}
}

/* All that is committed now; what is committed meanwhile has its own interval. */
static void flush(struct tail *t)
{
	uint64_t lsn = tail_last(t);

	while (t->durable < lsn && !t->error)
		tail_drain(t);
}

static void work(struct flusher *f)
{
	struct tail *t = f->tail;

	if (tail_is_idle(t) && t->hurry <= t->durable) {
		pthread_cond_wait(&t->work, &t->lock);
		return;
	}
	sleep_for(f);
	if (f->stop || t->error)
		return;
	if (tail_is_urgent(t))
		tail_drain(t);
	else if (f->interval || t->hurry > t->durable)
		flush(t);
}

static void *run(void *arg)
{
	struct flusher *f = arg;

	pthread_mutex_lock(&f->tail->lock);
	while (!f->stop && !f->tail->error)
		work(f);
	pthread_mutex_unlock(&f->tail->lock);
	return NULL;
}

int flusher_start(struct flusher *f, struct tail *tail, long interval)
{
	int err;

	f->tail = tail;
	f->stop = false;
	f->interval = interval;
	err = pthread_create(&f->thread, NULL, run, f);
	if (err)
		return err_set(ENOMEM, "no thread to flush the log: %s", strerror(err));
	f->running = true;
	return 0;
}

void flusher_set_interval(struct flusher *f, long interval)
{
	if (!f->running)
		return;
	pthread_mutex_lock(&f->tail->lock);
	f->interval = interval;
	pthread_cond_signal(&f->tail->work);
	pthread_mutex_unlock(&f->tail->lock);
}

void flusher_stop(struct flusher *f)
{
	if (!f->running)
		return;
	pthread_mutex_lock(&f->tail->lock);
	f->stop = true;
	pthread_cond_signal(&f->tail->work);
	pthread_mutex_unlock(&f->tail->lock);
	pthread_join(f->thread, NULL);
	f->running = false;
}
