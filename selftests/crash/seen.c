// SPDX-License-Identifier: GPL-2.0
/* The images of disks that were recovered, by hash, and what came of each. */
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "seen.h"

/* struct slot - an image, found by its hash; a value of 0: not yet */
struct slot {
	_Atomic uint64_t image;
	_Atomic uint64_t value;
};

/* struct table - all of them, and how many; open addressing, at most half full */
static struct table {
	_Atomic uint64_t count;
	uint64_t mask;
	struct slot slots[];
} *table;

bool seen_make(uint64_t images)
{
	uint64_t size = 1024;
	size_t bytes;

	while (size < 2 * images)
		size *= 2;
	bytes = sizeof(*table) + size * sizeof(struct slot);
	table = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED)
		return false;
	table->mask = size - 1;
	return true;
}

bool seen_find(uint64_t image, uint64_t *value)
{
	uint64_t i, found;

	for (i = image & table->mask; (found = table->slots[i].image); i = (i + 1) & table->mask) {
		if (found != image)
			continue;
		*value = table->slots[i].value;
		return *value;
	}
	return false;
}

void seen_add(uint64_t image, uint64_t value)
{
	uint64_t i = image & table->mask;

	for (;;) {
		uint64_t found = 0;

		if (atomic_compare_exchange_strong(&table->slots[i].image, &found, image)) {
			table->count++;
			break;
		}
		if (found == image)
			break;
		i = (i + 1) & table->mask;
	}
	table->slots[i].value = value;
}

uint64_t seen_count(void)
{
	return table->count;
}

uint64_t seen_hash(uint64_t seed, const void *bytes, size_t length)
{
	uint64_t h = seed ^ 0x9e3779b97f4a7c15ULL, word;
	size_t i;

	for (i = 0; i < length; i += sizeof(word)) {
		memcpy(&word, (const char *)bytes + i, sizeof(word));
		h = (h ^ word) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	h *= 0xc4ceb9fe1a85ec53ULL;
	h ^= h >> 29;
	return h ? h : 1;
}
