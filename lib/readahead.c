// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading a log's record area ahead of who walks it. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "iobuf.h"
#include "readahead.h"

/* Of a slot, with the room in front. */
#define STRIDE	(FORMAT_CHUNK + READAHEAD_BLOCK)

static uint64_t block_start(const struct readahead *ra, uint64_t block)
{
	return ra->base + block * READAHEAD_BLOCK;
}

static size_t block_length(const struct readahead *ra, uint64_t block)
{
	uint64_t left = ra->end - block_start(ra, block);

	return left < READAHEAD_BLOCK ? left : READAHEAD_BLOCK;
}

static struct readahead_slot *slot_of(struct readahead *ra, uint64_t block)
{
	return &ra->slots[block % READAHEAD_SLOTS];
}

/* Does the next block exist, and is what stands in its slot not needed any more? */
static bool may_read(const struct readahead *ra)
{
	return block_start(ra, ra->next) < ra->end &&
	       ra->next + READAHEAD_BEHIND < ra->opened + READAHEAD_SLOTS;
}

/* Reads the next block; the lock is free meanwhile, and the slot belongs to this thread. */
static void read_next(struct readahead *ra)
{
	uint64_t block = ra->next++;
	uint64_t start = block_start(ra, block);
	size_t length = block_length(ra, block);
	struct readahead_slot *slot = slot_of(ra, block);

	ra->busy++;
	pthread_mutex_unlock(&ra->lock);
	slot->err = logfile_read_lsn(ra->file, start, slot->bytes, length);
	if (slot->err)
		snprintf(slot->text, sizeof(slot->text), "%s", err_text());
	pthread_mutex_lock(&ra->lock);
	slot->ready = block + 1;
	ra->busy--;
	pthread_cond_signal(&ra->filled);
}

static void *run(void *arg)
{
	struct readahead *ra = arg;

	pthread_mutex_lock(&ra->lock);
	while (!ra->stop) {
		if (may_read(ra))
			read_next(ra);
		else
			pthread_cond_wait(&ra->room, &ra->lock);
	}
	pthread_mutex_unlock(&ra->lock);
	return NULL;
}

static void begin_at(struct readahead *ra, uint64_t lsn)
{
	ra->base = lsn & ~(uint64_t)(LOGFILE_ALIGN - 1);
	ra->next = 0;
	ra->opened = 0;
}

/* One thread is enough to go on; the more there are, the more reads are in flight. */
static int start_threads(struct readahead *ra)
{
	while (ra->thread_count < READAHEAD_THREADS &&
	       !pthread_create(&ra->threads[ra->thread_count], NULL, run, ra))
		ra->thread_count++;
	return ra->thread_count ? 0 : -ENOMEM;
}

int readahead_start(struct readahead *ra, const struct logfile *file, uint64_t from, uint64_t end)
{
	unsigned int i;
	int err;

	memset(ra, 0, sizeof(*ra));
	ra->file = file;
	ra->end = (end + LOGFILE_ALIGN - 1) & ~(uint64_t)(LOGFILE_ALIGN - 1);
	begin_at(ra, from);
	ra->memory = iobuf_alloc((size_t)READAHEAD_SLOTS * STRIDE);
	if (!ra->memory)
		return -ENOMEM;
	for (i = 0; i < READAHEAD_SLOTS; i++)
		ra->slots[i].bytes = ra->memory + (size_t)i * STRIDE + FORMAT_CHUNK;
	pthread_mutex_init(&ra->lock, NULL);
	pthread_cond_init(&ra->room, NULL);
	pthread_cond_init(&ra->filled, NULL);
	err = start_threads(ra);
	if (err)
		readahead_stop(ra);
	return err;
}

void readahead_stop(struct readahead *ra)
{
	pthread_mutex_lock(&ra->lock);
	ra->stop = true;
	pthread_cond_broadcast(&ra->room);
	pthread_mutex_unlock(&ra->lock);
	while (ra->thread_count)
		pthread_join(ra->threads[--ra->thread_count], NULL);
	pthread_cond_destroy(&ra->filled);
	pthread_cond_destroy(&ra->room);
	pthread_mutex_destroy(&ra->lock);
	free(ra->memory);
}

/* Forgets all blocks; the reads under way end first, because they write into slots. */
static void begin_anew(struct readahead *ra, uint64_t lsn)
{
	unsigned int i;

	ra->next = (ra->end - ra->base) / READAHEAD_BLOCK + 1;
	while (ra->busy)
		pthread_cond_wait(&ra->filled, &ra->lock);
	for (i = 0; i < READAHEAD_SLOTS; i++)
		ra->slots[i].ready = 0;
	begin_at(ra, lsn);
	pthread_cond_broadcast(&ra->room);
}

/* Puts the end of the block before, which has stayed, in front of a block; or its error. */
static void join(struct readahead_slot *slot, const struct readahead_slot *before)
{
	memcpy(slot->bytes - FORMAT_CHUNK, before->bytes + READAHEAD_BLOCK - FORMAT_CHUNK,
	       FORMAT_CHUNK);
	if (!before->err)
		return;
	slot->err = before->err;
	memcpy(slot->text, before->text, sizeof(slot->text));
}

static void open_next(struct readahead *ra)
{
	struct readahead_slot *slot = slot_of(ra, ra->opened);

	while (slot->ready != ra->opened + 1)
		pthread_cond_wait(&ra->filled, &ra->lock);
	if (ra->opened)
		join(slot, slot_of(ra, ra->opened - 1));
	ra->opened++;
	pthread_cond_signal(&ra->room);
}

/* The block that the last byte is in: the others, if any, are in the room in front of it. */
static uint64_t block_of(const struct readahead *ra, uint64_t lsn, size_t length)
{
	return (lsn + length - 1 - ra->base) / READAHEAD_BLOCK;
}

/* Is it in a block that stayed, or in the next one? */
static bool is_near(const struct readahead *ra, uint64_t lsn, size_t length)
{
	uint64_t block = block_of(ra, lsn, length);

	return lsn >= ra->base && block <= ra->opened && block + READAHEAD_BEHIND >= ra->opened;
}

const char *readahead_get(struct readahead *ra, uint64_t lsn, size_t length, uint64_t *start,
			  size_t *size, int *err)
{
	struct readahead_slot *slot;
	uint64_t block;
	size_t before;

	assert(length && length <= FORMAT_CHUNK && lsn + length <= ra->end);
	pthread_mutex_lock(&ra->lock);
	if (!is_near(ra, lsn, length))
		begin_anew(ra, lsn);
	block = block_of(ra, lsn, length);
	while (ra->opened <= block)
		open_next(ra);
	pthread_mutex_unlock(&ra->lock);
	slot = slot_of(ra, block);
	*err = slot->err;
	before = block ? FORMAT_CHUNK : 0;
	*start = block_start(ra, block) - before;
	*size = before + block_length(ra, block);
	if (!slot->err)
		return slot->bytes - before;
	err_set(-slot->err, "%s", slot->text);
	return NULL;
}
