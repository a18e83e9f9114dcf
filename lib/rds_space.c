// SPDX-License-Identifier: LGPL-2.1-or-later
/* How the heap's space is divided: free blocks are found, split and joined. */
#include <endian.h>
#include <errno.h>

#include "err.h"
#include "loader.h"
#include "rds_heap.h"
#include "rds_space.h"

#define SPLIT_MAX	32U	/* blocks made in one transaction: small logs must hold it */
#define JOIN_MAX	32U	/* joints in one transaction */

/**
 * struct walk - a walk over all blocks that lists the free ones
 * @heap: the heap
 * @join: make neighbours one
 * @run: neighbouring free blocks so far
 * @blocks: how many
 * @used: chunks in allocated blocks so far
 * @tid: the transaction that joins
 * @joints: how many are in it
 */
struct walk {
	struct rds_heap *heap;
	bool join;
	struct rds_extent run;
	uint64_t blocks;
	uint64_t used;
	rvm_tid_t tid;
	unsigned int joints;
};

/* A block's tail, and the head of the next behind it. */
struct joint {
	uint64_t tail;
	struct disk_block head;
};

static_assert(sizeof(struct joint) == RDS_OVERHEAD, "a joint has no holes");

int rds_space_no_room(void)
{
	err_set(ENOSPC, "the heap has no free block that is large enough");
	return ENO_ROOM;
}

bool rds_space_used(const struct rds_heap *heap, uint64_t number)
{
	return le32toh(rds_format_block(&heap->geometry, number)->state) == RDS_USED;
}

int rds_space_check_state(const struct rds_heap *heap, uint64_t number)
{
	const struct disk_block *head = rds_format_block(&heap->geometry, number);
	uint32_t state = le32toh(head->state);

	if (state == RDS_USED || state == RDS_FREE)
		return 0;
	err_set(EUCLEAN, "the head of the block at %p is damaged", (void *)(head + 1));
	return ECORRUPT;
}

int rds_space_look(struct rds_heap *heap, uint64_t number, uint64_t *chunks)
{
	int err = rds_format_check_extent(&heap->geometry, number, chunks);

	if (err)
		return err == -EBADMSG ? ECORRUPT : EBAD_LIST;
	if (!rds_pending_find(&heap->pending, number) && rds_space_check_state(heap, number))
		return EBAD_LIST;
	return 0;
}

void rds_space_hold(struct rds_heap *heap)
{
	unsigned int i;

	for (i = 0; i < RDS_CACHES; i++)
		pthread_mutex_lock(&heap->caches[i].lock);
	rds_pending_lock_all(&heap->pending);
}

void rds_space_release(struct rds_heap *heap)
{
	unsigned int i;

	rds_pending_unlock_all(&heap->pending);
	for (i = 0; i < RDS_CACHES; i++)
		pthread_mutex_unlock(&heap->caches[i].lock);
}

void rds_space_add(struct rds_heap *heap, struct rds_extent extent)
{
	heap->joinable = true;
	rds_lists_add(&heap->lists, extent);
}

/* Transactions of the heap's own. */

static int begin(rvm_tid_t *tid)
{
	rvm_init_tid(tid);
	return rvm_begin_transaction(tid, restore);
}

static int end(rvm_tid_t *tid, int code)
{
	if (!code)
		code = rvm_end_transaction(tid, no_flush);
	if (code)
		loader_undo(tid);
	return code;
}

/* The new length of a free block; its state and tail stay. */
static int put_length(struct rds_heap *heap, rvm_tid_t *tid, struct rds_extent extent)
{
	struct disk_block *head = rds_format_block(&heap->geometry, extent.number);
	struct disk_block new = { .state = htole32(RDS_FREE) };

	rds_format_extent(&heap->geometry, extent.number, extent.chunks, &new);
	return rvm_modify_bytes(tid, head, &new, sizeof(new));
}

/* A free block starts here, and one ends before it. */
static int put_joint(struct rds_heap *heap, rvm_tid_t *tid, struct rds_extent extent)
{
	struct joint new = {
		.tail = rds_format_tail_value(&heap->geometry, extent.number),
		.head.state = htole32(RDS_FREE),
	};

	rds_format_extent(&heap->geometry, extent.number, extent.chunks, &new.head);
	return rvm_modify_bytes(tid, rds_format_tail(&heap->geometry, extent.number), &new,
				sizeof(new));
}

/* Walks. */

static int put_run(struct walk *w)
{
	int code = 0;

	if (w->joints == JOIN_MAX) {
		code = end(&w->tid, 0);
		w->joints = 0;
	}
	if (!code && !w->joints)
		code = begin(&w->tid);
	if (code)
		return code;
	w->joints++;
	w->heap->counters.merged += w->blocks - 1;
	return put_length(w->heap, &w->tid, w->run);
}

static int end_run(struct walk *w)
{
	int code = 0;

	if (!w->blocks)
		return 0;
	if (w->blocks > 1)
		code = put_run(w);
	if (!code && rds_lists_add(&w->heap->lists, w->run)) {
		err_set(ENOMEM, "out of memory for the heap's lists");
		code = RVM_ENO_MEMORY;
	}
	w->blocks = 0;
	w->run.chunks = 0;
	return code;
}

static int step(struct walk *w, struct rds_extent extent)
{
	const struct rds_entry *entry = rds_pending_find(&w->heap->pending, extent.number);
	bool used = entry ? entry->used : rds_space_used(w->heap, extent.number);
	int code = 0;

	if (used)
		w->used += extent.chunks;
	if (used || entry || !w->join)
		code = end_run(w);
	if (code || used || entry)
		return code;
	if (!w->blocks++)
		w->run.number = extent.number;
	w->run.chunks += extent.chunks;
	return 0;
}

static int walk_blocks(struct walk *w)
{
	uint64_t total = w->heap->geometry.chunks;
	struct rds_extent extent;
	int code = 0;

	for (extent.number = 0; !code && extent.number < total; extent.number += extent.chunks) {
		code = rds_space_look(w->heap, extent.number, &extent.chunks);
		if (!code)
			code = step(w, extent);
	}
	return code ? code : end_run(w);
}

/* What the caches had is on the lists after it, and what they counted in @used. */
static void clear_caches(struct rds_heap *heap)
{
	unsigned int i;

	for (i = 0; i < RDS_CACHES; i++) {
		rds_cache_clear(&heap->caches[i]);
		heap->used += heap->caches[i].used;
		heap->caches[i].used = 0;
	}
}

/* Called with all locks. */
static int list_blocks(struct rds_heap *heap, bool join)
{
	struct walk w = { .heap = heap, .join = join };
	int code;

	clear_caches(heap);
	rds_lists_clear(&heap->lists);
	code = walk_blocks(&w);
	if (w.joints)
		code = end(&w.tid, code);
	if (code) {
		rds_lists_clear(&heap->lists);
		heap->joinable = true;
		return code;
	}
	heap->joinable = !join;
	heap->used = w.used;
	return 0;
}

static int walk(struct rds_heap *heap, bool join)
{
	int code;

	rds_space_hold(heap);
	code = list_blocks(heap, join);
	rds_space_release(heap);
	return code;
}

int rds_space_scan(struct rds_heap *heap)
{
	return walk(heap, false);
}

static int join(struct rds_heap *heap)
{
	int code;

	heap->counters.coalesce++;
	code = walk(heap, true);
	return code == EBAD_LIST ? ECORRUPT : code;
}

/* Take blocks. */

static bool on_lists(struct rds_heap *heap, uint64_t chunks, struct rds_extent *out)
{
	return rds_lists_take_small(&heap->lists, chunks, out) ||
	       rds_lists_take_large(&heap->lists, chunks, out) ||
	       rds_lists_take_above(&heap->lists, chunks, out);
}

static void empty(struct rds_heap *heap, struct rds_cache *cache)
{
	struct rds_extent extent;

	pthread_mutex_lock(&cache->lock);
	while (rds_cache_take_any(cache, &extent))
		rds_space_add(heap, extent);
	pthread_mutex_unlock(&cache->lock);
}

int rds_space_find(struct rds_heap *heap, uint64_t chunks, struct rds_extent *out)
{
	unsigned int i;
	int code;

	if (on_lists(heap, chunks, out))
		return 0;
	for (i = 0; i < RDS_CACHES; i++)
		empty(heap, &heap->caches[i]);
	if (on_lists(heap, chunks, out))
		return 0;
	if (!heap->joinable)
		return rds_space_no_room();
	code = join(heap);
	if (code)
		return code;
	return on_lists(heap, chunks, out) ? 0 : rds_space_no_room();
}

static int find_counted(struct rds_heap *heap, uint64_t chunks, struct rds_extent *out)
{
	struct rds_counters *c = &heap->counters;
	uint64_t joins = c->coalesce;
	int code = rds_space_find(heap, chunks, out);

	if (chunks > heap->geometry.nlists) {
		if (code || c->coalesce != joins)
			c->large_misses++;
		else
			c->large_hits++;
	}
	if (!code && out->chunks == chunks)
		c->hits++;
	else
		c->misses++;
	return code;
}

int rds_space_check_free(const struct rds_heap *heap, struct rds_extent extent)
{
	uint64_t chunks;

	if (rds_format_check_extent(&heap->geometry, extent.number, &chunks) ||
	    rds_space_check_state(heap, extent.number))
		return ECORRUPT;
	if (chunks == extent.chunks && !rds_space_used(heap, extent.number))
		return 0;
	err_set(EUCLEAN, "the head of a free block of %llu chunks is damaged",
		(unsigned long long)extent.chunks);
	return ECORRUPT;
}

/* Where a block of some chunks ends that is one of several, or the rest. */
static struct rds_extent piece(struct rds_extent extent, uint64_t chunks, uint64_t count,
			       uint64_t i)
{
	struct rds_extent out = { extent.number + i * chunks, chunks };

	if (i == count)
		out.chunks = extent.number + extent.chunks - out.number;
	return out;
}

/* Make @count pieces and a rest, if there is one, of a free block. */
static int split(struct rds_heap *heap, struct rds_extent extent, uint64_t chunks, uint64_t count)
{
	uint64_t pieces = count + (count * chunks < extent.chunks), i;
	rvm_tid_t tid;
	int code;

	code = begin(&tid);
	if (code)
		return code;
	code = put_length(heap, &tid, piece(extent, chunks, count, 0));
	for (i = 1; i < pieces && !code; i++)
		code = put_joint(heap, &tid, piece(extent, chunks, count, i));
	code = end(&tid, code);
	if (code)
		return code;
	heap->counters.unmerged += pieces - 1;
	for (i = pieces; --i;)
		rds_space_add(heap, piece(extent, chunks, count, i));
	return 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int rds_space_take(struct rds_heap *heap, uint64_t chunks, uint64_t count, struct rds_extent *out)
{
	int code;

	code = find_counted(heap, chunks, out);
	if (code)
		return code;
	code = rds_space_check_free(heap, *out);
	if (!code && out->chunks > chunks)
		code = split(heap, *out, chunks,
			     least(least(count, SPLIT_MAX), out->chunks / chunks));
	if (code)
		rds_space_add(heap, *out);
	out->chunks = chunks;
	return code;
}

/* A free block to split: longer than those that are wanted. */
static bool take_longer(struct rds_heap *heap, uint64_t chunks, struct rds_extent *out)
{
	return rds_lists_take_large(&heap->lists, chunks + 1, out) ||
	       rds_lists_take_above(&heap->lists, chunks, out);
}

/* Split up to @most blocks off one block; @made tells how many. */
static int split_ahead(struct rds_heap *heap, uint64_t chunks, uint64_t most, uint64_t *made)
{
	struct rds_extent extent;
	int code;

	if (!take_longer(heap, chunks, &extent))
		return rds_space_no_room();
	*made = least(least(most, SPLIT_MAX), extent.chunks / chunks);
	code = rds_space_check_free(heap, extent);
	if (!code)
		code = split(heap, extent, chunks, *made);
	if (!code) {
		extent.chunks = chunks;
		heap->counters.prealloc += *made;
	}
	rds_space_add(heap, extent);
	return code;
}

int rds_space_ahead(struct rds_heap *heap, uint64_t chunks, uint64_t count)
{
	uint64_t left, made;
	bool joined = false;
	int code = 0;

	for (left = count; left && !code; left -= made) {
		made = 0;
		code = split_ahead(heap, chunks, left, &made);
		if (code == ENO_ROOM && heap->joinable && !joined) {
			code = join(heap);
			joined = true;
			left = count;	/* those of before are joined again */
		}
	}
	return code;
}
