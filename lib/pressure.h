/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory pressure: the module tells when the kernel is short of memory that dirty pages fill.
 *
 * Pages of its regions are no one's to reclaim until their records are durable and they are in
 * the segment.  A thread waits for the module's word and has them written, so that regions may be
 * larger than memory, however large the log is.
 */
#ifndef RVM_LIB_PRESSURE_H
#define RVM_LIB_PRESSURE_H

#include <pthread.h>
#include <stdbool.h>

struct netlink;
struct truncator;

/**
 * struct pressure - who waits for the module's word; all zero is nobody
 * @running: there is a thread
 * @nl: where it listens
 * @stop: readable when it is to end
 * @truncator: who has pages written
 * @thread: the thread
 */
struct pressure {
	bool running;
	struct netlink *nl;
	int stop;
	struct truncator *truncator;
	pthread_t thread;
};

/**
 * pressure_start() - begin to wait, unless somebody does already
 * @pressure: who
 * @truncator: a started one
 *
 * Return: 0 or a negative errno, with a text.
 */
int pressure_start(struct pressure *pressure, struct truncator *truncator);

/** pressure_stop() - end that, if it was begun; nothing is being written for it afterwards */
void pressure_stop(struct pressure *pressure);

#endif
