// SPDX-License-Identifier: LGPL-2.1-or-later
/* A set of page indices: a bitmap with summaries of its words above it. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "err.h"
#include "pageset.h"

/* Above this many members it is cheaper to drop the memory than to walk it. */
#define CLEAR_WALK_MAX	4096

static uint64_t words_of(uint64_t bits)
{
	return bits / 64 + !!(bits % 64);
}

static uint64_t bit_of(uint64_t index)
{
	return 1ULL << (index % 64);
}

/* The words of all levels, and how many levels it takes to come down to one. */
static uint64_t count_words(uint64_t pages, unsigned int *levels)
{
	uint64_t bits = pages, total = 0;

	*levels = 0;
	do {
		bits = words_of(bits);
		total += bits;
		++*levels;
	} while (bits > 1);
	return total;
}

int pageset_init(struct pageset *set, uint64_t pages)
{
	uint64_t *at, bits = pages;
	unsigned int i;
	void *memory;
	size_t size;

	size = count_words(pages, &set->levels) * sizeof(uint64_t);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return err_set(ENOMEM, "no address space for a set of %llu pages",
			       (unsigned long long)pages);
	at = memory;
	for (i = 0; i < set->levels; i++) {
		set->level[i] = at;
		bits = words_of(bits);
		at += bits;
	}
	set->pages = pages;
	set->count = 0;
	set->memory = memory;
	set->size = size;
	return 0;
}

void pageset_destroy(struct pageset *set)
{
	if (set->memory)
		munmap(set->memory, set->size);
	set->memory = NULL;
}

bool pageset_has(const struct pageset *set, uint64_t page)
{
	return set->level[0][page / 64] & bit_of(page);
}

bool pageset_add(struct pageset *set, uint64_t page)
{
	uint64_t index = page, before;
	unsigned int i;

	if (pageset_has(set, page))
		return false;
	for (i = 0; i < set->levels; i++) {
		before = set->level[i][index / 64];
		set->level[i][index / 64] = before | bit_of(index);
		if (before)
			break;
		index /= 64;
	}
	set->count++;
	return true;
}

bool pageset_del(struct pageset *set, uint64_t page)
{
	uint64_t index = page;
	unsigned int i;

	if (!pageset_has(set, page))
		return false;
	for (i = 0; i < set->levels; i++) {
		set->level[i][index / 64] &= ~bit_of(index);
		if (set->level[i][index / 64])
			break;
		index /= 64;
	}
	set->count--;
	return true;
}

uint64_t pageset_next(const struct pageset *set, uint64_t from)
{
	uint64_t index = from, bits = set->pages, word;
	unsigned int i;

	for (i = 0; i < set->levels && index < bits; i++) {
		word = set->level[i][index / 64] & (~0ULL << (index % 64));
		if (word) {
			index = index / 64 * 64 + __builtin_ctzll(word);
			while (i--)
				index = index * 64 + __builtin_ctzll(set->level[i][index]);
			return index;
		}
		index = index / 64 + 1;
		bits = words_of(bits);
	}
	return PAGESET_NONE;
}

uint64_t pageset_prev(const struct pageset *set, uint64_t from)
{
	uint64_t index = from, word;
	unsigned int i;

	for (i = 0; i < set->levels; i++) {
		word = set->level[i][index / 64] & (~0ULL >> (63 - index % 64));
		if (word) {
			index = index / 64 * 64 + 63 - __builtin_clzll(word);
			while (i--)
				index = index * 64 + 63 - __builtin_clzll(set->level[i][index]);
			return index;
		}
		index /= 64;
		if (!index--)
			break;
	}
	return PAGESET_NONE;
}

void pageset_clear(struct pageset *set)
{
	uint64_t page;

	if (set->count > CLEAR_WALK_MAX && !madvise(set->memory, set->size, MADV_DONTNEED)) {
		set->count = 0;
		return;
	}
	for (page = pageset_next(set, 0); page != PAGESET_NONE; page = pageset_next(set, page))
		pageset_del(set, page);
}
