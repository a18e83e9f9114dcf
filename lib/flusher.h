/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The flusher: a thread that writes what committed transactions left in memory, so that what a
 * crash can take is bounded, in bytes and in time.
 *
 *	         something is committed             the bound is over, or somebody waits
 *	asleep -------------------------> waiting ------------------------------------> flushing
 *	   ^                                 | much waits in memory                        |
 *	   |                                 +---------------------> writing one group     |
 *	   +-------------------------------------------------------------------------------+
 */
#ifndef RVM_LIB_FLUSHER_H
#define RVM_LIB_FLUSHER_H

#include <pthread.h>
#include <stdbool.h>

struct tail;

/**
 * struct flusher - the thread
 * @tail: what it flushes
 * @thread: it
 * @running: it was started
 * @stop: it shall end; protected by the tail's lock, like all that follows
 * @interval: milliseconds after which a transaction is flushed; 0: no such bound
 */
struct flusher {
	struct tail *tail;
	pthread_t thread;
	bool running;
	bool stop;
	long interval;
};

/**
 * flusher_start() - start the thread
 * @flusher: filled in
 * @tail: a started tail; it outlives the flusher
 * @interval: milliseconds, or 0
 *
 * Return: 0 or -ENOMEM with a text.
 */
int flusher_start(struct flusher *flusher, struct tail *tail, long interval);

/** flusher_set_interval() - change the bound, from now on */
void flusher_set_interval(struct flusher *flusher, long interval);

/** flusher_stop() - end the thread, if it was started; it flushes nothing more */
void flusher_stop(struct flusher *flusher);

#endif
