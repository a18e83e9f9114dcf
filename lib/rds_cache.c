// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a thread keeps to itself of the recoverable heap. */
#include <stdlib.h>
#include <string.h>

#include "rds_cache.h"

#define SPARE_MAX	1024	/* entries kept for reuse */

struct rds_cache *rds_cache_own(struct rds_cache *caches)
{
	static unsigned int threads;
	static __thread unsigned int mine;	/* counted from 1 */

	if (!mine)
		mine = __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED) % RDS_CACHES + 1;
	return &caches[mine - 1];
}

void rds_cache_start(struct rds_cache *cache, uint64_t sizes)
{
	rds_cache_clear(cache);
	cache->sizes = sizes < RDS_CACHE_SIZES ? sizes : RDS_CACHE_SIZES;
	cache->used = 0;
	cache->malloc = 0;
	cache->free = 0;
	cache->hits = 0;
}

void rds_cache_clear(struct rds_cache *cache)
{
	memset(cache->counts, 0, sizeof(cache->counts));
}

static void free_watches(struct rds_watch *watch)
{
	struct rds_watch *next;

	for (; watch; watch = next) {
		next = watch->next;
		free(watch);
	}
}

void rds_cache_free(struct rds_cache *cache)
{
	struct rds_entry *entry;

	rds_cache_clear(cache);
	free_watches(cache->watches);
	free_watches(cache->spare_watches);
	cache->watches = NULL;
	cache->spare_watches = NULL;
	while ((entry = cache->spare_entries)) {
		cache->spare_entries = entry->next;
		free(entry);
	}
	cache->n_spare = 0;
}

bool rds_cache_fits(const struct rds_cache *cache, uint64_t chunks)
{
	return chunks <= cache->sizes && cache->counts[chunks - 1] < RDS_CACHE_DEPTH;
}

void rds_cache_add(struct rds_cache *cache, struct rds_extent extent)
{
	size_t at = extent.chunks - 1;

	cache->numbers[at][cache->counts[at]++] = extent.number;
}

static void pop(struct rds_cache *cache, size_t at, struct rds_extent *out)
{
	*out = (struct rds_extent){ cache->numbers[at][--cache->counts[at]], at + 1 };
}

bool rds_cache_take(struct rds_cache *cache, uint64_t chunks, struct rds_extent *out)
{
	if (chunks > cache->sizes || !cache->counts[chunks - 1])
		return false;
	pop(cache, chunks - 1, out);
	return true;
}

bool rds_cache_take_any(struct rds_cache *cache, struct rds_extent *out)
{
	size_t at;

	for (at = 0; at < cache->sizes; at++) {
		if (!cache->counts[at])
			continue;
		pop(cache, at, out);
		return true;
	}
	return false;
}

struct rds_watch *rds_cache_watch(struct rds_cache *cache)
{
	struct rds_watch *watch = cache->spare_watches;

	if (watch)
		cache->spare_watches = watch->next;
	else
		watch = malloc(sizeof(*watch));
	if (!watch)
		return NULL;
	*watch = (struct rds_watch){ .cache = cache, .next = cache->watches };
	if (watch->next)
		watch->next->prev = watch;
	cache->watches = watch;
	return watch;
}

void rds_cache_ended(struct rds_cache *cache, struct rds_watch *watch)
{
	if (watch->next)
		watch->next->prev = watch->prev;
	if (watch->prev)
		watch->prev->next = watch->next;
	else
		cache->watches = watch->next;
	watch->next = cache->spare_watches;
	cache->spare_watches = watch;
}

struct rds_entry *rds_cache_get_entry(struct rds_cache *cache)
{
	struct rds_entry *entry = cache->spare_entries;

	if (!entry)
		return malloc(sizeof(*entry));
	cache->spare_entries = entry->next;
	cache->n_spare--;
	return entry;
}

void rds_cache_put_entry(struct rds_cache *cache, struct rds_entry *entry)
{
	if (cache->n_spare == SPARE_MAX) {
		free(entry);
		return;
	}
	entry->next = cache->spare_entries;
	cache->spare_entries = entry;
	cache->n_spare++;
}
