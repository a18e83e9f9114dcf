/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a log's record area ahead of who walks it.
 *
 * Threads read blocks in order into slots of a fixed memory while the walker looks at those that
 * are there.  Block n covers the LSNs from base + n * READAHEAD_BLOCK on and stands in slot
 * n % READAHEAD_SLOTS.  In front of each slot there is room for the end of the block before, which
 * is copied there when the walker opens the block: so whatever it asks for lies in one piece.
 *
 * An error belongs to its block, and only who walks into that block is told.
 */
#ifndef RVM_LIB_READAHEAD_H
#define RVM_LIB_READAHEAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "logfile.h"

#define READAHEAD_BLOCK		0x100000U
#define READAHEAD_SLOTS		8U
#define READAHEAD_BEHIND	2U	/* opened blocks that stay, for the walker to go back */
#define READAHEAD_THREADS	3U
#define READAHEAD_TEXT		256

/**
 * struct readahead_slot - a place for a block
 * @bytes: where the block starts; in front of it are FORMAT_CHUNK bytes of room
 * @ready: 0, or the number + 1 of the block that stands there
 * @err: 0, or the errno of reading it
 * @text: what that error had to say
 */
struct readahead_slot {
	char *bytes;
	uint64_t ready;
	int err;
	char text[READAHEAD_TEXT];
};

/**
 * struct readahead - a walk that is read ahead of
 * @file: the log's
 * @lock: of all below but the contents of slots that are ready
 * @room: a block may be read, or all is to end
 * @filled: a block is ready, or no read is under way
 * @base: LSN of block 0, a multiple of LOGFILE_ALIGN
 * @end: LSN behind the last byte that is to be read, likewise
 * @next: the block that is read next
 * @opened: how many blocks the walker has opened, from block 0 on
 * @busy: reads under way
 * @stop: the threads shall end
 * @slots: the blocks
 * @memory: of the slots
 * @threads: who reads
 * @thread_count: how many
 */
struct readahead {
	const struct logfile *file;
	pthread_mutex_t lock;
	pthread_cond_t room;
	pthread_cond_t filled;
	uint64_t base;
	uint64_t end;
	uint64_t next;
	uint64_t opened;
	unsigned int busy;
	bool stop;
	struct readahead_slot slots[READAHEAD_SLOTS];
	char *memory;
	pthread_t threads[READAHEAD_THREADS];
	unsigned int thread_count;
};

/**
 * readahead_start() - begin to read
 * @ra: to be filled in
 * @file: the log's
 * @from: LSN where the walk begins
 * @end: LSN that it does not pass
 *
 * Return: 0, or -ENOMEM (no memory or no thread), without a text.
 */
int readahead_start(struct readahead *ra, const struct logfile *file, uint64_t from, uint64_t end);

/** readahead_stop() - wait for the reads under way, free all */
void readahead_stop(struct readahead *ra);

/**
 * readahead_get() - wait for bytes
 * @ra: the walk
 * @lsn: of the first byte
 * @length: at most FORMAT_CHUNK; they end at or before the end
 * @start: LSN of the first byte of the piece of memory that they are in
 * @size: bytes of that piece
 * @err: 0, or the errno of reading it, with a text
 *
 * Whoever goes further back than to the blocks that stayed, or leaps ahead, begins anew there.
 *
 * Return: where the piece is until the next call, or NULL after an error.
 */
const char *readahead_get(struct readahead *ra, uint64_t lsn, size_t length, uint64_t *start,
			  size_t *size, int *err);

#endif
