// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pieces of pages on their way to whoever takes them, in the order in which they were added. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pieces.h"

static void begin_batch(struct pieces_batch *batch)
{
	batch->used = 0;
	batch->count = 0;
}

int pieces_init(struct pieces *p, bool is_beside, pieces_fn *take, void *arg)
{
	unsigned int i, count = is_beside ? PIECES_BATCHES : 1;

	memset(p, 0, sizeof(*p));
	p->take = take;
	p->arg = arg;
	p->is_beside = is_beside;
	p->size = is_beside ? PIECES_SIZE : PIECES_SHORT;
	p->memory = malloc(count * p->size);
	if (!p->memory)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		p->batch[i].memory = p->memory + i * p->size;
	p->filling = p->batch;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	pthread_cond_init(&p->less, NULL);
	return 0;
}

static void take(const struct pieces *p, struct pieces_batch *batch)
{
	p->take(p->arg, (struct piece *)batch->memory, batch->count);
}

static struct pieces_batch *batch_of(struct pieces *p, uint64_t number)
{
	return &p->batch[number % PIECES_BATCHES];
}

static void take_next(struct pieces *p)
{
	struct pieces_batch *batch = batch_of(p, p->taken);

	pthread_mutex_unlock(&p->lock);
	take(p, batch);
	pthread_mutex_lock(&p->lock);
	p->pending -= batch->count;
	p->taken++;
	pthread_cond_signal(&p->less);
}

static void *run(void *arg)
{
	struct pieces *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if (p->taken < p->filled)
			take_next(p);
		else
			pthread_cond_wait(&p->more, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static bool start_thread(struct pieces *p)
{
	if (!p->has_thread)
		p->has_thread = p->is_beside && !pthread_create(&p->thread, NULL, run, p);
	return p->has_thread;
}

void pieces_free(struct pieces *p)
{
	if (!p->memory)
		return;
	if (p->has_thread) {
		pthread_mutex_lock(&p->lock);
		p->stop = true;
		pthread_cond_signal(&p->more);
		pthread_mutex_unlock(&p->lock);
		pthread_join(p->thread, NULL);
	}
	pthread_cond_destroy(&p->less);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p->memory);
	p->memory = NULL;
}

/* Gives the batch that is full to the thread, and waits for one that is taken. */
static void hand_over(struct pieces *p)
{
	pthread_mutex_lock(&p->lock);
	p->pending += p->filling->count;
	p->filled++;
	pthread_cond_signal(&p->more);
	while (p->filled - p->taken == PIECES_BATCHES)
		pthread_cond_wait(&p->less, &p->lock);
	p->filling = batch_of(p, p->filled);
	pthread_mutex_unlock(&p->lock);
}

static void end_batch(struct pieces *p)
{
	if (start_thread(p))
		hand_over(p);
	else
		take(p, p->filling);
	begin_batch(p->filling);
}

void pieces_add(struct pieces *p, uint32_t segment, uint64_t page, size_t at, const void *bytes,
		size_t length)
{
	struct piece *piece;

	if (p->size - p->filling->used < sizeof(*piece) + length)
		end_batch(p);
	piece = (struct piece *)(p->filling->memory + p->filling->used);
	piece->page = page;
	piece->segment = segment;
	piece->at = at;
	piece->length = length;
	memcpy(piece->bytes, bytes, length);
	p->filling->used = (char *)piece_next(piece) - p->filling->memory;
	p->filling->count++;
}

size_t pieces_pending(struct pieces *p)
{
	size_t pending;

	pthread_mutex_lock(&p->lock);
	pending = p->pending;
	pthread_mutex_unlock(&p->lock);
	return pending + p->filling->count;
}

/* The last batch is taken here: to wake the thread for it would take longer, if it is short. */
void pieces_drain(struct pieces *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->taken < p->filled)
		pthread_cond_wait(&p->less, &p->lock);
	pthread_mutex_unlock(&p->lock);
	take(p, p->filling);
	begin_batch(p->filling);
}
