/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log's tail: records on their way to the disk.
 *
 * The memory is one ring that mirrors the record area: the byte of LSN l waits at l %
 * ring_size.  The LSNs order everything:
 *
 *	head <= durable <= written <= closed <= filled <= head + area_size
 *	                              tail   <= filled <= written + ring_size
 *
 *	head	 oldest record, moved by truncation
 *	durable	 end of the last record or padding that is durable as a whole
 *	written	 all bytes below are durable; a multiple of the sector
 *	closed	 end of the last group whose writing has begun; a multiple of the sector
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
 * Groups: whoever wants something written takes all that is in the ring, [closed, end), as a
 * group and writes it without the lock, while others before and after it are being written.
 * They may be done in any order; durable and written move over them in theirs.  A group that is
 * not inside a streamed record ends with a padding record that fills up to the next sector, so
 * that no sector is written twice and each group holds a record that was made when it began: it
 * tells recovery how much was durable by then.
 *
 * Who waits: somebody whose record no group has leads the next one, if there is a place for it.
 * While another group is on its way it is led only when as many wait for it as waited for that
 * one: those whom the last group let go on come back at once, and whoever begins without them
 * makes groups of one.  A lone thread never waits for others, and nobody waits longer for a group
 * to begin than the one before takes.  The others sleep, each with those of its group, so that
 * each is woken once.
 *
 * For a moment appends may be frozen: then what is committed is written, truncated, and the log
 * goes on at a higher LSN in a record area of another size.
 *
 * Transactions that nobody waits for gather in the spool, which becomes one record at the tail
 * before anything else gets there.  Until then that record has no length, but it is known where
 * it will start and that it is at least FORMAT_RECORD_MIN long: tail + FORMAT_RECORD_MIN is
 * durable when and only when the spool's record is.
 */
#ifndef RVM_LIB_TAIL_H
#define RVM_LIB_TAIL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "format.h"
#include "log.h"
#include "logfile.h"
#include "spool.h"

#define TAIL_RING_MIN	16384
#define SPOOL_MAX	65536	/* bytes of transactions that are merged */

/* Groups that are written at once: more gain nothing, and make the groups smaller. */
#define TAIL_GROUPS	2

/**
 * struct tail_group - records that are written together
 * @end: LSN after their last byte
 * @durable: the durable LSN once this and all groups before are written
 * @waiters: how many waited for it when it began
 * @done: it is written
 */
struct tail_group {
	uint64_t end;
	uint64_t durable;
	unsigned int waiters;
	bool done;
};

/**
 * struct tail - the tail of an open log
 * @file: where it goes; only groups write the record area
 * @seed: of the generation
 * @lock: protects all that follows; it is a leaf
 * @changed: an LSN, a state or the error has changed
 * @done: by group number, modulo their count: that group is done, or shall be led
 * @work: there is something for the flusher
 * @ring: memory, aligned for direct I/O
 * @ring_size: its bytes, a multiple of LOGFILE_ALIGN
 * @sector: groups start and end at multiples of it
 * @head: see above
 * @tail: see above
 * @filled: see above
 * @closed: see above
 * @written: see above
 * @durable: see above; also read without the lock
 * @used: bytes between head and tail, with the spool; also read without the lock
 * @hurry: somebody waits for the flusher, up to this LSN
 * @event_fd: an eventfd that counts the rises of @durable, or -1
 * @spool: committed transactions that have no record yet
 * @groups: those that are being written, a queue in the order of LSNs
 * @first_group: number of the oldest, counted since the log was opened
 * @n_groups: how many
 * @waiters: how many wait for the group that has not begun
 * @told: number of the oldest whose end was not told yet to those who wait for it
 * @publishing: somebody tells @watch of a new @durable
 * @merge: transactions that nobody waits for gather in the spool
 * @started: records may be appended
 * @streaming: a record longer than the ring is being appended; all others wait
 * @frozen: all who append wait
 * @error: 0, or what poisoned the log; also read without the lock
 * @text: why
 * @watch: called with each new @durable before it is published
 * @watch_arg: for it
 * @bytes_written: since the log was opened
 * @flushes: since the log was opened
 */
struct tail {
	struct logfile *file;
	struct format_seed seed;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_cond_t done[TAIL_GROUPS + 1];
	pthread_cond_t work;
	char *ring;
	size_t ring_size;
	uint32_t sector;
	uint64_t head;
	uint64_t tail;
	uint64_t filled;
	uint64_t closed;
	uint64_t written;
	atomic_uint_fast64_t durable;
	atomic_uint_fast64_t used;
	uint64_t hurry;
	int event_fd;
	struct spool spool;
	struct tail_group groups[TAIL_GROUPS];
	uint64_t first_group;
	unsigned int n_groups;
	unsigned int waiters;
	uint64_t told;
	bool publishing;
	bool merge;
	bool started;
	bool streaming;
	bool frozen;
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

/** tail_freeze() - see log_freeze() */
void tail_freeze(struct tail *tail);

/** tail_thaw() - see log_thaw() */
void tail_thaw(struct tail *tail);

/**
 * tail_restart() - go on in an empty record area of another size
 * @tail: frozen, and all of it is durable
 * @area_size: bytes of the area; the status says so, durably
 * @lsn: where to go on, not below the tail; a multiple of the sector
 */
void tail_restart(struct tail *tail, uint64_t area_size, uint64_t lsn);

/** tail_fits() - see log_fits() */
int tail_fits(const struct tail *tail, uint64_t pieces, uint64_t bytes);

/** tail_append() - see log_append() */
int tail_append(struct tail *tail, uint64_t tid, const struct log_range *ranges,
		unsigned int count, uint64_t *lsn);

/** tail_spool() - see log_spool() */
int tail_spool(struct tail *tail, uint64_t tid, const struct log_range *ranges,
	       unsigned int count, uint64_t *lsn);

/** tail_flush() - see log_flush() */
int tail_flush(struct tail *tail, uint64_t lsn);

/** tail_wait() - see log_wait() */
int tail_wait(struct tail *tail, uint64_t lsn, const struct timespec *deadline);

/** tail_event_fd() - see log_event_fd() */
int tail_event_fd(struct tail *tail, int *fd);

/** tail_set_merge() - see log_set_merge() */
void tail_set_merge(struct tail *tail, bool merge);

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

/*
 * What follows is between the parts of the tail, and called with the lock.
 */

/** tail_check() - assert what the head comment promises */
void tail_check(const struct tail *tail);

/** tail_poisoned() - 0, or -EIO with the text of the poison */
int tail_poisoned(const struct tail *tail);

/** tail_fail() - note the error @err, whose text err_text() tells; the first one counts */
void tail_fail(struct tail *tail, int err);

/** tail_is_shut() - must who wants to append wait? */
static inline bool tail_is_shut(const struct tail *tail)
{
	return tail->streaming || tail->frozen;
}

/** tail_room() - free bytes of the ring */
static inline size_t tail_room(const struct tail *tail)
{
	return tail->ring_size - (tail->filled - tail->written);
}

/** tail_last() - the LSN of tail_flush() that makes all durable that is committed now */
static inline uint64_t tail_last(const struct tail *tail)
{
	return tail->tail + (spool_empty(&tail->spool) ? 0 : FORMAT_RECORD_MIN);
}

/** tail_is_idle() - is all that is committed in a group, or durable? */
static inline bool tail_is_idle(const struct tail *tail)
{
	return spool_empty(&tail->spool) && tail->closed == tail->filled;
}

/** tail_is_urgent() - does so much wait that it should be written now? */
static inline bool tail_is_urgent(const struct tail *tail)
{
	return tail->filled - tail->closed >= tail->ring_size / 4;
}

/**
 * tail_iov() - bytes of the ring as buffers
 * @tail: the tail
 * @lsn: of the first byte
 * @end: LSN after the last byte
 * @iov: filled in
 *
 * Return: how many buffers, 1 or 2.
 */
int tail_iov(const struct tail *tail, uint64_t lsn, uint64_t end, struct iovec iov[2]);

/** tail_note_used() - bring @used up to date after a change of head, tail or spool */
void tail_note_used(struct tail *tail);

/** tail_put_pad() - fill up to the next sector; there is room, and the spool is empty */
void tail_put_pad(struct tail *tail);

/** tail_put_spool() - the spool becomes a record; Return: false if the ring has no room yet */
bool tail_put_spool(struct tail *tail);

/**
 * tail_drain() - make or wait for some progress of the writing; drops the lock meanwhile
 * @tail: the tail, which is not poisoned
 *
 * Return: 0 or the poison.
 */
int tail_drain(struct tail *tail);

/** tail_done() - what tells that the group of a number is done, or that somebody shall lead it */
static inline pthread_cond_t *tail_done(struct tail *tail, uint64_t number)
{
	return &tail->done[number % (TAIL_GROUPS + 1)];
}

/** tail_go_on() - let whoever waits try again what could not be done before */
void tail_go_on(struct tail *tail);

/** tail_tell() - let whoever waits for the event know of a change of @durable or @error */
void tail_tell(struct tail *tail);

#endif
