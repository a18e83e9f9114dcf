// SPDX-License-Identifier: LGPL-2.1-or-later
/* The recoverable heap at work: which blocks are free and who has them. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "err.h"
#include "rds_heap.h"
#include "rds_space.h"

/* Small blocks are split off several at once: so many, and not more than are in so many bytes. */
#define BATCH_MAX	16U
#define BATCH_BYTES	4096U

static int fail(int code, const char *text)
{
	err_set(EINVAL, "%s", text);
	return code;
}

static int not_started(void)
{
	return fail(EHEAP_INIT, "no heap is started: call rds_load_heap() or rds_start_heap()");
}

static int no_memory(void)
{
	return fail(RVM_ENO_MEMORY, "out of memory for the heap's lists");
}

int rds_heap_start(struct rds_heap *heap, const struct rds_geometry *geometry)
{
	int code;

	pthread_mutex_lock(&heap->lock);
	heap->geometry = *geometry;
	memset(&heap->counters, 0, sizeof(heap->counters));
	code = rds_lists_init(&heap->lists, geometry->nlists) ? RVM_ENO_MEMORY : 0;
	if (!code)
		code = rds_space_scan(heap);
	if (code)
		rds_lists_free(&heap->lists);
	else
		heap->up = true;
	pthread_mutex_unlock(&heap->lock);
	return code;
}

static void drop(struct rds_heap *heap)
{
	rds_lists_free(&heap->lists);
	rds_pending_free(&heap->pending);
	heap->up = false;
}

int rds_heap_stop(struct rds_heap *heap)
{
	int code = 0;

	pthread_mutex_lock(&heap->lock);
	if (!heap->up)
		code = not_started();
	else if (heap->pending.watches)
		code = fail(RVM_EUNCOMMIT,
			    "transactions that have used the heap have not ended: end or abort them");
	else
		drop(heap);
	pthread_mutex_unlock(&heap->lock);
	return code;
}

void rds_heap_drop(struct rds_heap *heap)
{
	pthread_mutex_lock(&heap->lock);
	drop(heap);
	pthread_mutex_unlock(&heap->lock);
}

int rds_heap_check(struct rds_heap *heap)
{
	return rds_heap_each(heap, NULL, NULL);
}

/* The transaction has ended: what it left in the heads is what is. */
static void settle(struct rds_heap *heap, struct rds_entry *entry)
{
	struct rds_extent extent = entry->extent;
	bool used = rds_space_used(heap, extent.number);

	if (used && !entry->used)
		heap->used += extent.chunks;
	if (!used && entry->used)
		heap->used -= extent.chunks;
	rds_pending_remove(&heap->pending, entry);
	if (!used)
		rds_space_add(heap, extent);
}

static void ended(struct tx_watch *tx)
{
	struct rds_watch *watch = (struct rds_watch *)tx;
	struct rds_heap *heap = watch->heap;

	pthread_mutex_lock(&heap->lock);
	while (watch->newest)
		settle(heap, watch->newest);
	rds_pending_ended(&heap->pending, watch);
	pthread_mutex_unlock(&heap->lock);
}

/* The watch of an open transaction, which only this thread uses. */
static struct rds_watch *watch_of(struct rds_heap *heap, rvm_tid_t *tid)
{
	struct tx *tx = tid->tid;
	struct tx_watch *known;
	struct rds_watch *watch;

	for (known = tx->watches; known; known = known->next)
		if (known->ended == ended)
			return (struct rds_watch *)known;
	watch = rds_pending_watch(&heap->pending);
	if (!watch)
		return NULL;
	watch->heap = heap;
	watch->tx.ended = ended;
	watch->tx.next = tx->watches;
	tx->watches = &watch->tx;
	return watch;
}

/* Lock the heap for an operation of a transaction that may change it. */
static int enter(struct rds_heap *heap, rvm_tid_t *tid, struct rds_watch **watch)
{
	int code;

	pthread_mutex_lock(&heap->lock);
	code = heap->up ? 0 : not_started();
	pthread_mutex_unlock(&heap->lock);
	if (!code)
		code = rvm_set_range(tid, heap->geometry.base, 0);
	if (code)
		return code;
	pthread_mutex_lock(&heap->lock);
	*watch = watch_of(heap, tid);
	if (*watch)
		return 0;
	pthread_mutex_unlock(&heap->lock);
	return no_memory();
}

/* Write a block's new state; it is this transaction's. */
static int change(struct rds_heap *heap, rvm_tid_t *tid, uint64_t number, uint32_t state)
{
	struct disk_block *head = rds_format_block(&heap->geometry, number);
	int code = rvm_set_range(tid, &head->state, sizeof(head->state));

	if (!code)
		head->state = htole32(state);
	return code;
}

/* A block that this transaction freed itself: the last one if it is as long as wanted. */
static struct rds_entry *own_last(struct rds_watch *watch, uint64_t chunks)
{
	struct rds_entry *entry = watch->newest;

	return entry && !entry->used && entry->extent.chunks == chunks ? entry : NULL;
}

/* The smallest of them that is long enough. */
static struct rds_entry *own_best(struct rds_watch *watch, uint64_t chunks)
{
	struct rds_entry *entry, *found = NULL;

	for (entry = watch->newest; entry; entry = entry->older)
		if (!entry->used && entry->extent.chunks >= chunks &&
		    (!found || entry->extent.chunks < found->extent.chunks))
			found = entry;
	return found;
}

static uint64_t batch(const struct rds_heap *heap, uint64_t chunks)
{
	uint64_t n = BATCH_BYTES / (chunks * heap->geometry.chunk);

	if (!n || chunks > heap->geometry.nlists)
		return 1;
	return n < BATCH_MAX ? n : BATCH_MAX;
}

/* Take a block off the lists for a transaction. */
static int take(struct rds_heap *heap, struct rds_watch *watch, uint64_t chunks,
		struct rds_entry **out)
{
	struct rds_extent extent;
	int code;

	*out = own_last(watch, chunks);
	if (*out)
		return 0;
	code = rds_space_take(heap, chunks, batch(heap, chunks), &extent);
	if (code == ENO_ROOM)
		*out = own_best(watch, chunks);
	if (*out)
		return 0;
	if (code)
		return code;
	*out = rds_pending_add(&heap->pending, watch, extent, false);
	if (*out)
		return 0;
	rds_space_add(heap, extent);
	return no_memory();
}

/* The state could not be changed: the block is what it was. */
static void give_back(struct rds_heap *heap, struct rds_entry *entry, bool used)
{
	pthread_mutex_lock(&heap->lock);
	if (entry->used && !used)
		heap->used -= entry->extent.chunks;
	if (!entry->used && used)
		heap->used += entry->extent.chunks;
	entry->used = used;
	pthread_mutex_unlock(&heap->lock);
}

int rds_heap_malloc(struct rds_heap *heap, rvm_tid_t *tid, uint64_t size, char **out)
{
	struct rds_entry *entry = NULL;
	struct rds_watch *watch;
	struct rds_extent extent;
	uint64_t chunks;
	int code;

	code = enter(heap, tid, &watch);
	if (code)
		return code;
	chunks = rds_format_chunks(&heap->geometry, size);
	code = chunks ? take(heap, watch, chunks, &entry) : rds_space_no_room();
	if (!code) {
		extent = entry->extent;
		entry->used = true;
		heap->used += extent.chunks;
		heap->counters.malloc++;
	}
	pthread_mutex_unlock(&heap->lock);
	if (code)
		return code;
	code = change(heap, tid, extent.number, RDS_USED);
	if (code)
		give_back(heap, entry, false);
	else
		*out = (char *)(rds_format_block(&heap->geometry, extent.number) + 1);
	return code;
}

/* The allocated block at an address; its entry if it is pending. */
static int find_used(struct rds_heap *heap, const char *addr, struct rds_extent *extent,
		     struct rds_entry **entry)
{
	bool used;
	int err;

	if (!rds_format_number(&heap->geometry, addr, &extent->number)) {
		err_set(EINVAL, "%p is no address that rds_malloc() returned", addr);
		return EBAD_ARGS;
	}
	err = rds_format_check_extent(&heap->geometry, extent->number, &extent->chunks);
	if (err)
		return ECORRUPT;
	*entry = rds_pending_find(&heap->pending, extent->number);
	if (!*entry && rds_space_check_state(heap, extent->number))
		return ECORRUPT;
	used = *entry ? (*entry)->used : rds_space_used(heap, extent->number);
	if (used)
		return 0;
	err_set(EINVAL, "the block at %p is free", addr);
	return EFREED_TWICE;
}

static int take_back(struct rds_heap *heap, struct rds_watch *watch, const char *addr,
		     struct rds_entry **entry)
{
	struct rds_extent extent;
	int code;

	code = find_used(heap, addr, &extent, entry);
	if (code)
		return code;
	if (*entry && (*entry)->watch != watch) {
		err_set(EINVAL, "the block at %p was allocated by a transaction that has not ended",
			addr);
		return EBAD_ARGS;
	}
	if (!*entry)
		*entry = rds_pending_add(&heap->pending, watch, extent, true);
	if (!*entry)
		return no_memory();
	(*entry)->used = false;
	heap->used -= extent.chunks;
	heap->counters.free++;
	return 0;
}

int rds_heap_free(struct rds_heap *heap, rvm_tid_t *tid, char *addr)
{
	struct rds_entry *entry = NULL;
	struct rds_watch *watch;
	uint64_t number = 0;
	int code;

	code = enter(heap, tid, &watch);
	if (code)
		return code;
	code = take_back(heap, watch, addr, &entry);
	if (!code)
		number = entry->extent.number;
	pthread_mutex_unlock(&heap->lock);
	if (code)
		return code;
	code = change(heap, tid, number, RDS_FREE);
	if (code)
		give_back(heap, entry, true);
	return code;
}

int rds_heap_used(struct rds_heap *heap, const char *addr)
{
	struct rds_extent extent;
	struct rds_entry *entry;
	int code;

	pthread_mutex_lock(&heap->lock);
	code = heap->up ? find_used(heap, addr, &extent, &entry) : not_started();
	pthread_mutex_unlock(&heap->lock);
	return code;
}

int rds_heap_prealloc(struct rds_heap *heap, uint64_t size, uint64_t count)
{
	uint64_t chunks;
	int code;

	pthread_mutex_lock(&heap->lock);
	code = heap->up ? 0 : not_started();
	if (!code) {
		chunks = rds_format_chunks(&heap->geometry, size);
		code = chunks ? rds_space_ahead(heap, chunks, count) : rds_space_no_room();
	}
	pthread_mutex_unlock(&heap->lock);
	return code;
}

bool rds_heap_fits(struct rds_heap *heap, uint64_t size)
{
	struct rds_extent extent;
	uint64_t chunks;
	bool fits = false;

	pthread_mutex_lock(&heap->lock);
	chunks = heap->up ? rds_format_chunks(&heap->geometry, size) : 0;
	if (chunks && !rds_space_find(heap, chunks, &extent)) {
		fits = true;
		rds_space_add(heap, extent);
	}
	pthread_mutex_unlock(&heap->lock);
	return fits;
}

static const char *state_of(const struct rds_heap *heap, uint64_t number)
{
	const struct rds_entry *entry = rds_pending_find(&heap->pending, number);

	if (entry)
		return entry->used ? "allocated" : "freed";
	return rds_space_used(heap, number) ? "used" : "free";
}

int rds_heap_each(struct rds_heap *heap,
		  void (*fn)(void *arg, const char *addr, uint64_t size, const char *state),
		  void *arg)
{
	uint64_t number = 0, chunks;
	int code;

	pthread_mutex_lock(&heap->lock);
	code = heap->up ? 0 : not_started();
	while (!code && number < heap->geometry.chunks) {
		code = rds_space_look(heap, number, &chunks);
		if (!code && fn)
			fn(arg, (char *)(rds_format_block(&heap->geometry, number) + 1),
			   chunks * heap->geometry.chunk - RDS_OVERHEAD, state_of(heap, number));
		if (!code)
			number += chunks;
	}
	pthread_mutex_unlock(&heap->lock);
	return code;
}
