// SPDX-License-Identifier: GPL-2.0
/* The recoverable heap of a simulated program, and what an image of a disk holds of it. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <rvm/rds.h>

#include "blocks.h"
#include "loadmap.h"
#include "rds_format.h"
#include "seen.h"

#define ADDRESS	((char *)0x40000000UL)
#define PAGES	2	/* of the heap, behind the page of its load map */
#define CHUNK	32
#define NO_HEAP	1	/* a hash */

int blocks_make(void)
{
	int err;

	return rds_zap_heap(BLOCKS_FILE, rvm_mk_offset(0, LOADMAP_PAGE * (1 + PAGES)), ADDRESS, 0,
			    LOADMAP_PAGE * PAGES, 4, CHUNK, &err);
}

int blocks_load(struct blocks *blocks)
{
	int err;

	blocks->loaded = !rds_load_heap(BLOCKS_FILE, rvm_mk_offset(0, 0), NULL, &err);
	return err;
}

int blocks_unload(struct blocks *blocks)
{
	int err;

	if (!blocks->loaded)
		return 0;
	blocks->loaded = false;
	return rds_unload_heap(&err);
}

static int fill(struct block *b, rvm_tid_t *tid, unsigned char *addr)
{
	struct rds_geometry g;
	int err = ECORRUPT;

	if (rds_format_check(ADDRESS, LOADMAP_PAGE * PAGES, &g) ||
	    !rds_format_number(&g, (char *)addr, &b->number) ||
	    rds_format_check_extent(&g, b->number, &b->chunks))
		return err;
	b->addr = addr;
	b->size = b->chunks * g.chunk - RDS_OVERHEAD;
	if (rvm_set_range(tid, (char *)addr, b->size))
		return ERVM_FAILED;
	memset(addr, b->value, b->size);
	return 0;
}

int blocks_take(struct blocks *blocks, unsigned int slot, unsigned int tx, rvm_tid_t *tid,
		size_t size, unsigned char value)
{
	struct block *b = &blocks->slots[slot];
	char *addr;
	int err;

	addr = rds_malloc(size, tid, &err);
	if (!addr)
		return err;
	*b = (struct block){ .state = BLOCK_TAKEN, .tx = tx, .value = value };
	return fill(b, tid, (unsigned char *)addr);
}

int blocks_drop(struct blocks *blocks, unsigned int slot, unsigned int tx, rvm_tid_t *tid)
{
	struct block *b = &blocks->slots[slot];
	int err;

	b->state = BLOCK_DROPPED;
	b->tx = tx;
	return rds_free((char *)b->addr, tid, &err);
}

void blocks_end(struct blocks *blocks, unsigned int tx, bool commits)
{
	unsigned int i;

	for (i = 0; i < BLOCKS_SLOTS; i++) {
		struct block *b = &blocks->slots[i];

		if (b->tx != tx || (b->state != BLOCK_TAKEN && b->state != BLOCK_DROPPED))
			continue;
		b->state = (b->state == BLOCK_TAKEN) == commits ? BLOCK_USED : BLOCK_EMPTY;
	}
}

bool blocks_hold(const struct blocks *blocks)
{
	unsigned int i;
	size_t at;

	for (i = 0; i < BLOCKS_SLOTS; i++) {
		const struct block *b = &blocks->slots[i];

		if (b->state != BLOCK_TAKEN && b->state != BLOCK_USED)
			continue;
		for (at = 0; at < b->size; at++)
			if (b->addr[at] != b->value)
				return false;
	}
	return true;
}

static uint64_t add(uint64_t hash, uint64_t number, uint64_t chunks, const void *bytes,
		    size_t size)
{
	const uint64_t place[2] = { number, chunks };

	return seen_hash(seen_hash(hash, place, sizeof(place)), bytes, size);
}

static int by_number(const void *a, const void *b)
{
	const struct block *const *left = a, *const *right = b;

	return (*left)->number < (*right)->number ? -1 : 1;
}

uint64_t blocks_hash(const struct blocks *blocks)
{
	unsigned char bytes[LOADMAP_PAGE * PAGES];
	const struct block *used[BLOCKS_SLOTS];
	uint64_t hash = 2;
	unsigned int i, n = 0;

	if (!blocks->made)
		return 0;
	for (i = 0; i < BLOCKS_SLOTS; i++) {
		const struct block *b = &blocks->slots[i];

		if (b->state == BLOCK_USED || b->state == BLOCK_DROPPED)
			used[n++] = b;
	}
	qsort(used, n, sizeof(*used), by_number);
	for (i = 0; i < n; i++) {
		memset(bytes, used[i]->value, used[i]->size);
		hash = add(hash, used[i]->number, used[i]->chunks, bytes, used[i]->size);
	}
	return hash;
}

/* Nothing was ever committed to it. */
static bool untouched(const unsigned char *bytes, size_t length)
{
	while (length && !*bytes) {
		bytes++;
		length--;
	}
	return !length;
}

/* All blocks must be whole, also those that are free. */
static uint64_t hash_heap(const struct rds_geometry *g)
{
	uint64_t hash = 2, number, chunks;

	for (number = 0; number < g->chunks; number += chunks) {
		const struct disk_block *head = rds_format_block(g, number);

		if (rds_format_check_extent(g, number, &chunks))
			return NO_HEAP;
		if (le32toh(head->state) == RDS_USED)
			hash = add(hash, number, chunks, head + 1,
				   chunks * g->chunk - RDS_OVERHEAD);
		else if (le32toh(head->state) != RDS_FREE)
			return NO_HEAP;
	}
	return hash;
}

uint64_t blocks_hash_image(const unsigned char *bytes, size_t length)
{
	struct loadmap_more more;
	struct rds_geometry g;
	size_t count;

	if (untouched(bytes, length))
		return 0;
	if (length < LOADMAP_PAGE * (1 + PAGES) ||
	    loadmap_check((const struct disk_loadmap *)bytes, &count, &more) || count != 1 ||
	    rds_format_check((char *)bytes + LOADMAP_PAGE, LOADMAP_PAGE * PAGES, &g))
		return NO_HEAP;
	return hash_heap(&g);
}
