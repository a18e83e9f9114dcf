// SPDX-License-Identifier: LGPL-2.1-or-later
/* The dirty pages of a region: its page vector and page queue, which belong together. */
#include <errno.h>
#include <sys/mman.h>

#include "dirty.h"
#include "log.h"

int dirty_init(struct dirty *dirty, uint64_t pages)
{
	void *bits;

	pthread_mutex_init(&dirty->lock, NULL);
	pagevec_init(&dirty->vec);
	pagequeue_init(&dirty->queue);
	dirty->bits = NULL;
	dirty->size = (pages / 64 + 1) * sizeof(*dirty->bits);
	bits = mmap(NULL, dirty->size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bits == MAP_FAILED)
		return -ENOMEM;
	dirty->bits = bits;
	return 0;
}

void dirty_free(struct dirty *dirty)
{
	pagevec_free(&dirty->vec);
	pagequeue_free(&dirty->queue);
	if (dirty->bits)
		munmap(dirty->bits, dirty->size);
	dirty->bits = NULL;
	pthread_mutex_destroy(&dirty->lock);
}

/* With the lock. */
static void set_bit(struct dirty *dirty, uint64_t page, bool set)
{
	uint64_t *word = &dirty->bits[page / 64];
	uint64_t bit = 1ULL << page % 64;

	__atomic_store_n(word, set ? *word | bit : *word & ~bit, __ATOMIC_RELAXED);
}

static int note(struct dirty *dirty, uint64_t page, uint64_t lsn)
{
	struct page_state *state = pagevec_make(&dirty->vec, page);

	if (!state)
		return -ENOMEM;
	if (state->dirty)
		return 0;
	if (pagequeue_push(&dirty->queue, page, lsn)) {
		if (!state->reserved)
			pagevec_drop(&dirty->vec, state);
		return -ENOMEM;
	}
	state->dirty = true;
	state->lsn = lsn;
	set_bit(dirty, page, true);
	return 0;
}

/* The LSN is read with the lock, so that the queue is in order. */
int dirty_note(struct dirty *dirty, struct log *log, uint64_t first, uint64_t last)
{
	uint64_t lsn;
	int err = 0;

	pthread_mutex_lock(&dirty->lock);
	lsn = log_durable(log);
	for (; first <= last && !err; first++)
		err = note(dirty, first, lsn);
	pthread_mutex_unlock(&dirty->lock);
	return err;
}

/*
 * Forgets entries that no longer count: a page that was put back in front while it stood in the
 * queue once more.
 */
static const struct queued_page *first_queued(struct dirty *dirty)
{
	const struct queued_page *queued;

	while ((queued = pagequeue_first(&dirty->queue))) {
		const struct page_state *state = pagevec_get(&dirty->vec, queued->page);

		if (state && state->dirty && state->lsn == queued->lsn)
			break;
		pagequeue_drop(&dirty->queue);
	}
	return queued;
}

size_t dirty_take(struct dirty *dirty, struct queued_page *pages, size_t max, uint64_t limit)
{
	const struct queued_page *queued;
	size_t n = 0;

	pthread_mutex_lock(&dirty->lock);
	while (n < max && (queued = first_queued(dirty)) && queued->lsn < limit) {
		struct page_state *state = pagevec_get(&dirty->vec, queued->page);

		if (state->reserved)
			break;
		pages[n++] = pagequeue_take(&dirty->queue);
		state->dirty = false;
		state->reserved = true;
		set_bit(dirty, pages[n - 1].page, false);
	}
	pthread_mutex_unlock(&dirty->lock);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* before it is asked who uses them */
	return n;
}

void dirty_done(struct dirty *dirty, uint64_t page)
{
	struct page_state *state;

	pthread_mutex_lock(&dirty->lock);
	state = pagevec_get(&dirty->vec, page);
	state->reserved = false;
	state->refs = 0;
	pagequeue_done(&dirty->queue);
	if (!state->dirty)
		pagevec_drop(&dirty->vec, state);
	pthread_mutex_unlock(&dirty->lock);
}

void dirty_back(struct dirty *dirty, uint64_t page, uint64_t lsn)
{
	struct page_state *state;

	pthread_mutex_lock(&dirty->lock);
	state = pagevec_get(&dirty->vec, page);
	state->reserved = false;
	state->dirty = true;
	state->lsn = lsn;
	state->refs++;
	set_bit(dirty, page, true);
	pagequeue_back(&dirty->queue, page, lsn);
	pthread_mutex_unlock(&dirty->lock);
}

uint64_t dirty_first(struct dirty *dirty)
{
	const struct queued_page *queued;
	uint64_t lsn;

	pthread_mutex_lock(&dirty->lock);
	queued = first_queued(dirty);
	lsn = queued ? queued->lsn : DIRTY_NONE;
	pthread_mutex_unlock(&dirty->lock);
	return lsn;
}

size_t dirty_count(struct dirty *dirty)
{
	size_t n;

	pthread_mutex_lock(&dirty->lock);
	n = dirty->vec.count;
	pthread_mutex_unlock(&dirty->lock);
	return n;
}
