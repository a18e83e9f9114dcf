/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pieces of pages on their way to whoever takes them, in the order in which they were added.
 *
 * They are copied into batches.  A batch that is full is taken at once; or, beside who adds, by a
 * thread, which begins with the first full batch: what is short needs none.  A thread is woken
 * once a batch, so batches for it are large.
 */
#ifndef RVM_LIB_PIECES_H
#define RVM_LIB_PIECES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIECES_BATCHES	4U		/* for a thread */
#define PIECES_SIZE	0x40000U	/* of each */
#define PIECES_SHORT	0x4000U		/* of one that is taken at once: it stays in the cache */

/**
 * struct piece - bytes of one page
 * @page: its number in the segment
 * @segment: the segment's number
 * @number: for who takes it
 * @at: the first byte in the page
 * @length: how many
 * @bytes: they
 */
struct piece {
	uint64_t page;
	uint32_t segment;
	uint32_t number;
	uint16_t at;
	uint16_t length;
	char bytes[];
};

/** piece_next() - the piece behind another one in a batch */
static inline struct piece *piece_next(struct piece *piece)
{
	size_t size = offsetof(struct piece, bytes) + piece->length;

	return (struct piece *)((char *)piece + ((size + 7) & ~(size_t)7));
}

/**
 * struct pieces_batch - pieces that are taken together
 * @memory: they
 * @used: bytes of it
 * @count: pieces
 */
struct pieces_batch {
	char *memory;
	size_t used;
	size_t count;
};

/** typedef pieces_fn - takes @count pieces, from @first on */
typedef void pieces_fn(void *arg, struct piece *first, size_t count);

/**
 * struct pieces - some on their way
 * @take: who takes them
 * @arg: its argument
 * @memory: of the batches
 * @batch: they; number n stands in n % PIECES_BATCHES
 * @filling: the one that pieces are added to
 * @size: bytes that may be in it
 * @is_beside: a thread takes them
 * @lock: of what follows; what is in a batch belongs to who fills or takes it
 * @more: a batch is full, or all is to end
 * @less: a batch was taken
 * @filled: batches that were handed to the thread
 * @taken: those of them that it is done with
 * @pending: pieces of the others
 * @stop: the thread shall end
 * @thread: it, if @size is PIECES_SIZE and a batch was full
 * @has_thread: it began
 */
struct pieces {
	pieces_fn *take;
	void *arg;
	char *memory;
	struct pieces_batch batch[PIECES_BATCHES];
	struct pieces_batch *filling;
	size_t size;
	bool is_beside;
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_cond_t less;
	uint64_t filled;
	uint64_t taken;
	size_t pending;
	bool stop;
	pthread_t thread;
	bool has_thread;
};

/**
 * pieces_init() - begin without any
 * @pieces: to be filled in
 * @is_beside: a thread may take them
 * @take: who takes them
 * @arg: its argument
 *
 * Return: 0 or -ENOMEM, without a text.
 */
int pieces_init(struct pieces *pieces, bool is_beside, pieces_fn *take, void *arg);

/** pieces_free() - end the thread, free the memory; what was not taken is lost; zeros are fine */
void pieces_free(struct pieces *pieces);

/**
 * pieces_add() - add a piece
 * @pieces: the others
 * @segment: the segment's number
 * @page: the page's
 * @at: the first byte in it
 * @bytes: the bytes, which are copied
 * @length: how many, at most a page
 */
void pieces_add(struct pieces *pieces, uint32_t segment, uint64_t page, size_t at,
		const void *bytes, size_t length);

/** pieces_pending() - how many were added and are not taken, at most */
size_t pieces_pending(struct pieces *pieces);

/** pieces_drain() - return when all are taken */
void pieces_drain(struct pieces *pieces);

#endif
