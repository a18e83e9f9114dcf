// SPDX-License-Identifier: LGPL-2.1-or-later
/* The page queue of a region: its dirty pages, by the first record that references each. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pagequeue.h"

#define SIZE_MIN	64

void pagequeue_init(struct pagequeue *queue)
{
	memset(queue, 0, sizeof(*queue));
}

void pagequeue_free(struct pagequeue *queue)
{
	free(queue->ring);
	pagequeue_init(queue);
}

static struct queued_page *at(const struct pagequeue *queue, size_t i)
{
	return &queue->ring[(queue->first + i) & (queue->size - 1)];
}

static int grow(struct pagequeue *queue)
{
	size_t size = queue->size ? 2 * queue->size : SIZE_MIN;
	struct queued_page *ring = malloc(size * sizeof(*ring));
	size_t i;

	if (!ring)
		return -ENOMEM;
	for (i = 0; i < queue->count; i++)
		ring[i] = *at(queue, i);
	free(queue->ring);
	queue->ring = ring;
	queue->size = size;
	queue->first = 0;
	return 0;
}

int pagequeue_push(struct pagequeue *queue, uint64_t page, uint64_t lsn)
{
	if (queue->count + queue->out == queue->size && grow(queue))
		return -ENOMEM;
	*at(queue, queue->count++) = (struct queued_page) { .page = page, .lsn = lsn };
	return 0;
}

const struct queued_page *pagequeue_first(const struct pagequeue *queue)
{
	return queue->count ? at(queue, 0) : NULL;
}

void pagequeue_drop(struct pagequeue *queue)
{
	assert(queue->count);
	queue->first = (queue->first + 1) & (queue->size - 1);
	queue->count--;
}

struct queued_page pagequeue_take(struct pagequeue *queue)
{
	struct queued_page page = *at(queue, 0);

	pagequeue_drop(queue);
	queue->out++;
	return page;
}

void pagequeue_back(struct pagequeue *queue, uint64_t page, uint64_t lsn)
{
	assert(queue->out);
	queue->out--;
	queue->first = (queue->first - 1) & (queue->size - 1);
	queue->count++;
	*at(queue, 0) = (struct queued_page) { .page = page, .lsn = lsn };
}

void pagequeue_done(struct pagequeue *queue)
{
	assert(queue->out);
	queue->out--;
}
