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
	unsigned int i;
	int code;

	pthread_mutex_lock(&heap->lock);
	heap->geometry = *geometry;
	heap->used = 0;
	memset(&heap->counters, 0, sizeof(heap->counters));
	for (i = 0; i < RDS_CACHES; i++)
		rds_cache_start(&heap->caches[i], geometry->nlists);
	code = rds_lists_init(&heap->lists, geometry->nlists) ? no_memory() : 0;
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
	unsigned int i;

	rds_lists_free(&heap->lists);
	rds_pending_free(&heap->pending);
	for (i = 0; i < RDS_CACHES; i++)
		rds_cache_free(&heap->caches[i]);
	heap->up = false;
}

static bool has_watches(struct rds_heap *heap)
{
	bool has = false;
	unsigned int i;

	for (i = 0; i < RDS_CACHES && !has; i++) {
		pthread_mutex_lock(&heap->caches[i].lock);
		has = heap->caches[i].watches;
		pthread_mutex_unlock(&heap->caches[i].lock);
	}
	return has;
}

int rds_heap_stop(struct rds_heap *heap)
{
	int code = 0;

	pthread_mutex_lock(&heap->lock);
	if (!heap->up)
		code = not_started();
	else if (has_watches(heap))
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

/* A free block goes to the cache; if that is full half of its size goes to the lists. */
static void add_free(struct rds_heap *heap, struct rds_cache *cache, struct rds_extent extent)
{
	struct rds_extent other;
	unsigned int i;

	if (rds_cache_fits(cache, extent.chunks)) {
		rds_cache_add(cache, extent);
		return;
	}
	for (i = 0; i < RDS_CACHE_DEPTH / 2 && rds_cache_take(cache, extent.chunks, &other); i++)
		rds_space_add(heap, other);
	rds_space_add(heap, extent);
}

/*
 * The transaction has ended: what it left in the heads is what is.  Returns false if that takes the
 * heap's lock, @locked, and the caller has not got it.
 */
static bool settle(struct rds_heap *heap, struct rds_entry *entry, bool locked)
{
	struct rds_cache *cache = entry->watch->cache;
	struct rds_extent extent = entry->extent;
	bool used = rds_space_used(heap, extent.number);

	if (!used && !locked && !rds_cache_fits(cache, extent.chunks))
		return false;
	if (used && !entry->used)
		cache->used += extent.chunks;
	if (!used && entry->used)
		cache->used -= extent.chunks;
	rds_pending_lock(&heap->pending, extent.number);
	rds_pending_remove(&heap->pending, entry);
	rds_pending_unlock(&heap->pending, extent.number);
	rds_cache_put_entry(cache, entry);
	if (!used)
		add_free(heap, cache, extent);
	return true;
}

static bool settle_all(struct rds_watch *watch, bool locked)
{
	struct rds_cache *cache = watch->cache;
	bool done = true;

	pthread_mutex_lock(&cache->lock);
	while (watch->newest && done)
		done = settle(watch->heap, watch->newest, locked);
	if (done)
		rds_cache_ended(cache, watch);
	pthread_mutex_unlock(&cache->lock);
	return done;
}

static void ended(struct tx_watch *tx)
{
	struct rds_watch *watch = (struct rds_watch *)tx;
	struct rds_heap *heap = watch->heap;

	if (settle_all(watch, false))
		return;
	pthread_mutex_lock(&heap->lock);
	settle_all(watch, true);
	pthread_mutex_unlock(&heap->lock);
}

/* The watch of an open transaction, which only this thread uses. */
static struct rds_watch *watch_of(struct rds_heap *heap, rvm_tid_t *tid)
{
	struct rds_cache *cache = rds_cache_own(heap->caches);
	struct tx *tx = tid->tid;
	struct tx_watch *known;
	struct rds_watch *watch;

	for (known = tx->watches; known; known = known->next)
		if (known->ended == ended)
			return (struct rds_watch *)known;
	pthread_mutex_lock(&cache->lock);
	watch = rds_cache_watch(cache);
	pthread_mutex_unlock(&cache->lock);
	if (!watch)
		return NULL;
	watch->heap = heap;
	watch->tx.ended = ended;
	watch->tx.next = tx->watches;
	tx->watches = &watch->tx;
	return watch;
}

/* Prepare an operation of a transaction that may change the heap. */
static int enter(struct rds_heap *heap, rvm_tid_t *tid, struct rds_watch **watch)
{
	int code = heap->up ? 0 : not_started();

	if (!code)
		code = rvm_set_range(tid, heap->geometry.base, 0);
	if (code)
		return code;
	*watch = watch_of(heap, tid);
	return *watch ? 0 : no_memory();
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

/* The block of an entry is allocated now, or it is free; with the locks of cache and stripe. */
static void mark(struct rds_entry *entry, bool used)
{
	struct rds_cache *cache = entry->watch->cache;

	if (entry->used && !used)
		cache->used -= entry->extent.chunks;
	if (!entry->used && used)
		cache->used += entry->extent.chunks;
	entry->used = used;
}

/* The same without locks. */
static void lock_and_mark(struct rds_heap *heap, struct rds_entry *entry, bool used)
{
	struct rds_cache *cache = entry->watch->cache;

	pthread_mutex_lock(&cache->lock);
	rds_pending_lock(&heap->pending, entry->extent.number);
	mark(entry, used);
	rds_pending_unlock(&heap->pending, entry->extent.number);
	pthread_mutex_unlock(&cache->lock);
}

/* A block is pending; called with the locks of cache and stripe.  NULL: no memory. */
static struct rds_entry *add_entry(struct rds_heap *heap, struct rds_watch *watch,
				   struct rds_extent extent, bool used)
{
	struct rds_entry *entry = rds_cache_get_entry(watch->cache);

	if (!entry)
		return NULL;
	entry->watch = watch;
	entry->extent = extent;
	entry->used = used;
	if (rds_pending_add(&heap->pending, entry))
		return entry;
	rds_cache_put_entry(watch->cache, entry);
	return NULL;
}

/* A free block that was taken becomes allocated; called with the cache's lock. */
static int claim(struct rds_heap *heap, struct rds_watch *watch, struct rds_extent extent,
		 struct rds_entry **out)
{
	rds_pending_lock(&heap->pending, extent.number);
	*out = add_entry(heap, watch, extent, false);
	if (*out)
		mark(*out, true);
	rds_pending_unlock(&heap->pending, extent.number);
	return *out ? 0 : no_memory();
}

/* Claim a block of the cache; 0 and no block: it has none. */
static int claim_cached(struct rds_heap *heap, struct rds_watch *watch, uint64_t chunks,
			struct rds_entry **out)
{
	struct rds_cache *cache = watch->cache;
	struct rds_extent extent;
	int code = 0;

	pthread_mutex_lock(&cache->lock);
	if (rds_cache_take(cache, chunks, &extent)) {
		code = rds_space_check_free(heap, extent);
		if (!code)
			code = claim(heap, watch, extent, out);
		if (code)
			rds_cache_add(cache, extent);
		else
			cache->hits++;
	}
	pthread_mutex_unlock(&cache->lock);
	return code;
}

/* More blocks of a size, so that the next call finds them in the cache. */
static void fill(struct rds_heap *heap, struct rds_cache *cache, uint64_t chunks)
{
	uint64_t n = batch(heap, chunks);
	struct rds_extent extent;

	while (--n && rds_cache_fits(cache, chunks) &&
	       rds_lists_take_small(&heap->lists, chunks, &extent))
		rds_cache_add(cache, extent);
}

/* Claim a block of the lists; called with the heap's lock. */
static int claim_listed(struct rds_heap *heap, struct rds_watch *watch, uint64_t chunks,
			struct rds_entry **out)
{
	struct rds_cache *cache = watch->cache;
	struct rds_extent extent;
	int code;

	code = rds_space_take(heap, chunks, batch(heap, chunks), &extent);
	if (code)
		return code;
	pthread_mutex_lock(&cache->lock);
	code = claim(heap, watch, extent, out);
	if (code)
		rds_space_add(heap, extent);
	else
		fill(heap, cache, chunks);
	pthread_mutex_unlock(&cache->lock);
	return code;
}

/* Claim a block for a transaction. */
static int take(struct rds_heap *heap, struct rds_watch *watch, uint64_t chunks,
		struct rds_entry **out)
{
	int code;

	*out = own_last(watch, chunks);
	if (!*out) {
		code = claim_cached(heap, watch, chunks, out);
		if (code || *out)
			return code;
		pthread_mutex_lock(&heap->lock);
		code = claim_listed(heap, watch, chunks, out);
		pthread_mutex_unlock(&heap->lock);
		if (code != ENO_ROOM)
			return code;
		*out = own_best(watch, chunks);
		if (!*out)
			return code;
	}
	lock_and_mark(heap, *out, true);
	return 0;
}

static void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

int rds_heap_malloc(struct rds_heap *heap, rvm_tid_t *tid, uint64_t size, char **out)
{
	struct rds_entry *entry = NULL;
	struct rds_watch *watch;
	uint64_t chunks;
	int code;

	code = enter(heap, tid, &watch);
	if (code)
		return code;
	chunks = rds_format_chunks(&heap->geometry, size);
	code = chunks ? take(heap, watch, chunks, &entry) : rds_space_no_room();
	if (code)
		return code;
	count(&watch->cache->malloc);
	code = change(heap, tid, entry->extent.number, RDS_USED);
	if (code)
		lock_and_mark(heap, entry, false);
	else
		*out = (char *)(rds_format_block(&heap->geometry, entry->extent.number) + 1);
	return code;
}

/* The block that an address may be of. */
static int find_block(const struct rds_heap *heap, const char *addr, uint64_t *number)
{
	if (rds_format_number(&heap->geometry, addr, number))
		return 0;
	err_set(EINVAL, "%p is no address that rds_malloc() returned", addr);
	return EBAD_ARGS;
}

/*
 * Is it an allocated block?  Its entry if it is pending; called with the stripe's lock.  If the
 * program is wrong somebody may be splitting or joining the block meanwhile: then it is refused as
 * no block or as free, since its state is free all the time.
 */
static int find_used(struct rds_heap *heap, const char *addr, struct rds_extent *extent,
		     struct rds_entry **entry)
{
	bool used;
	int err;

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

/* Called with the locks of cache and stripe. */
static int take_back(struct rds_heap *heap, struct rds_watch *watch, const char *addr,
		     uint64_t number, struct rds_entry **entry)
{
	struct rds_extent extent = { .number = number };
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
		*entry = add_entry(heap, watch, extent, true);
	if (!*entry)
		return no_memory();
	mark(*entry, false);
	return 0;
}

int rds_heap_free(struct rds_heap *heap, rvm_tid_t *tid, char *addr)
{
	struct rds_entry *entry = NULL;
	struct rds_watch *watch;
	uint64_t number = 0;
	int code;

	code = enter(heap, tid, &watch);
	if (!code)
		code = find_block(heap, addr, &number);
	if (code)
		return code;
	pthread_mutex_lock(&watch->cache->lock);
	rds_pending_lock(&heap->pending, number);
	code = take_back(heap, watch, addr, number, &entry);
	rds_pending_unlock(&heap->pending, number);
	pthread_mutex_unlock(&watch->cache->lock);
	if (code)
		return code;
	count(&watch->cache->free);
	code = change(heap, tid, number, RDS_FREE);
	if (code)
		lock_and_mark(heap, entry, true);
	return code;
}

int rds_heap_used(struct rds_heap *heap, const char *addr)
{
	struct rds_extent extent;
	struct rds_entry *entry;
	int code = heap->up ? find_block(heap, addr, &extent.number) : not_started();

	if (code)
		return code;
	rds_pending_lock(&heap->pending, extent.number);
	code = find_used(heap, addr, &extent, &entry);
	rds_pending_unlock(&heap->pending, extent.number);
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

/* Called with the heap's lock. */
static void add_counters(struct rds_cache *cache, struct rds_counters *counters, uint64_t *used)
{
	pthread_mutex_lock(&cache->lock);
	counters->malloc += __atomic_load_n(&cache->malloc, __ATOMIC_RELAXED);
	counters->free += __atomic_load_n(&cache->free, __ATOMIC_RELAXED);
	counters->hits += cache->hits;
	*used += cache->used;
	pthread_mutex_unlock(&cache->lock);
}

int rds_heap_counters(struct rds_heap *heap, struct rds_counters *counters, uint64_t *used,
		      uint64_t *large)
{
	unsigned int i;
	int code;

	pthread_mutex_lock(&heap->lock);
	code = heap->up ? 0 : not_started();
	*counters = heap->counters;
	*used = heap->used;
	*large = heap->lists.count_large;
	for (i = 0; i < RDS_CACHES; i++)
		add_counters(&heap->caches[i], counters, used);
	pthread_mutex_unlock(&heap->lock);
	return code;
}

int rds_heap_clear_counters(struct rds_heap *heap)
{
	struct rds_cache *cache;
	int code;

	pthread_mutex_lock(&heap->lock);
	code = heap->up ? 0 : not_started();
	memset(&heap->counters, 0, sizeof(heap->counters));
	for (cache = heap->caches; cache < heap->caches + RDS_CACHES; cache++) {
		pthread_mutex_lock(&cache->lock);
		__atomic_store_n(&cache->malloc, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&cache->free, 0, __ATOMIC_RELAXED);
		cache->hits = 0;
		pthread_mutex_unlock(&cache->lock);
	}
	pthread_mutex_unlock(&heap->lock);
	return code;
}

static const char *state_of(const struct rds_heap *heap, uint64_t number)
{
	const struct rds_entry *entry = rds_pending_find(&heap->pending, number);

	if (entry)
		return entry->used ? "allocated" : "freed";
	return rds_space_used(heap, number) ? "used" : "free";
}

/* Called with all locks. */
static int each_block(struct rds_heap *heap,
		      void (*fn)(void *arg, const char *addr, uint64_t size, const char *state),
		      void *arg)
{
	uint64_t number = 0, chunks;
	int code = 0;

	while (!code && number < heap->geometry.chunks) {
		code = rds_space_look(heap, number, &chunks);
		if (!code && fn)
			fn(arg, (char *)(rds_format_block(&heap->geometry, number) + 1),
			   chunks * heap->geometry.chunk - RDS_OVERHEAD, state_of(heap, number));
		if (!code)
			number += chunks;
	}
	return code;
}

int rds_heap_each(struct rds_heap *heap,
		  void (*fn)(void *arg, const char *addr, uint64_t size, const char *state),
		  void *arg)
{
	int code;

	pthread_mutex_lock(&heap->lock);
	code = heap->up ? 0 : not_started();
	if (!code) {
		rds_space_hold(heap);
		code = each_block(heap, fn, arg);
		rds_space_release(heap);
	}
	pthread_mutex_unlock(&heap->lock);
	return code;
}
