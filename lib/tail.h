/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log's tail: records on their way to the disk.
 *
 * The memory is one ring that mirrors the record area: the byte of LSN l waits at l %
 * ring_size.  The LSNs order everything:
 *
 *	head <= durable <= written <= tail <= filled <= head + area_size
 *	                                      filled <= written + ring_size
 *
 *	head	 oldest record, moved by truncation
 *	durable	 end of the last record or padding that is durable as a whole
 *	written	 all bytes below are durable; a multiple of the sector
 *	tail	 LSN of the next record; where the record starts that is being streamed
 *	filled	 end of the bytes in the ring; == tail unless a record is being streamed
 *
 * States, beside the error that ends them all:
 *
 *	          reserve(): it fits                    copied
 *	  idle ------------------------> copying --------------> idle
 *	   |      reserve(): longer than the ring             copied
 *	   +-------------------> streaming (lock dropped) -------> idle
 *
 * and, independently, writing: one thread, the leader, writes [written, end) without the lock.
 * A flush that is not inside a streamed record ends with a padding record that fills up to the
 * next sector, so that no sector is written twice and each flush holds a record that was made
 * when it began: it tells recovery how much was durable by then.
 */
#ifndef RVM_LIB_TAIL_H
#define RVM_LIB_TAIL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "log.h"
#include "logfile.h"

#define TAIL_RING_MIN 16384

/**
 * struct tail - the tail of an open log
 * @file: where it goes; only the leader writes the record area
 * @seed: of the generation
 * @lock: protects all that follows; it is a leaf
 * @changed: an LSN, a state or the error has changed
 * @ring: memory, aligned for direct I/O
 * @ring_size: its bytes, a multiple of LOGFILE_ALIGN
 * @sector: flushes start and end at multiples of it
 * @head: see above
 * @tail: see above
 * @filled: see above
 * @written: see above
 * @durable: see above; also read without the lock
 * @started: records may be appended
 * @writing: there is a leader
 * @streaming: a record longer than the ring is being appended; all others wait
 * @error: 0, or what poisoned the log; also read without the lock
 * @text: why
 * @watch: called by the leader with each new @durable before it is published
 * @watch_arg: for it
 * @bytes_written: since the log was opened
 * @flushes: since the log was opened
 */
struct tail {
	struct logfile *file;
	struct format_seed seed;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *ring;
	size_t ring_size;
	uint32_t sector;
	uint64_t head;
	uint64_t tail;
	uint64_t filled;
	uint64_t written;
	atomic_uint_fast64_t durable;
	bool started;
	bool writing;
	bool streaming;
	atomic_int error;
	char text[512];
	void (*watch)(void *arg, uint64_t durable);
	void *watch_arg;
	uint64_t bytes_written;
	uint64_t flushes;
};

/**
 * tail_init() - prepare a tail that is not started
 * @tail: to be filled in
 * @file: the log's
 * @sector: the log's
 * @ring_size: bytes of memory, rounded up
 *
 * Return: 0 or -ENOMEM with a text.
 */
int tail_init(struct tail *tail, struct logfile *file, uint32_t sector, uint64_t ring_size);

/** tail_free() - free the memory; nobody may use the tail any more */
void tail_free(struct tail *tail);

/** tail_start() - begin with an empty log at @lsn, a multiple of the sector */
void tail_start(struct tail *tail, const struct format_seed *seed, uint64_t lsn);

/** tail_append() - see log_append() */
int tail_append(struct tail *tail, uint64_t tid, const struct log_range *ranges,
		unsigned int count, uint64_t *lsn);

/** tail_flush() - see log_flush() */
int tail_flush(struct tail *tail, uint64_t lsn);

/** tail_watch() - see log_watch() */
void tail_watch(struct tail *tail, void (*fn)(void *arg, uint64_t durable), void *arg);

/** tail_state() - fill in what the tail knows: of a tail that is not started no LSNs */
void tail_state(struct tail *tail, struct log_state *state);

/** tail_set_head() - note that the space below @head is free */
void tail_set_head(struct tail *tail, uint64_t head);

/**
 * tail_poison() - end the log's life: every later call fails with the same text
 * @tail: the tail
 * @err: the negative errno of the failed write, whose text err_text() tells
 *
 * The first error counts.
 *
 * Return: -EIO with the text.
 */
int tail_poison(struct tail *tail, int err);

/** tail_error() - 0, or -EIO with the text of the poison */
int tail_error(struct tail *tail);

#endif
