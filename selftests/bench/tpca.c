// SPDX-License-Identifier: GPL-2.0
/* The TPC-A-like transaction. */
#include "tpca.h"

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void tpca_choose(struct teller *teller, char *at[TPCA_RANGES])
{
	size_t accounts = teller->size / 8 * 7;
	size_t share = teller->size / 8 / teller->threads;
	unsigned int i;

	for (i = 0; i < TPCA_RANGES - 1; i++)
		at[i] = teller->base + next(&teller->random) % (accounts / 128) * 128;
	at[i] = teller->base + accounts + teller->id * share + teller->done % (share / 64) * 64;
}

void tpca_store(struct teller *teller, char *at, size_t length)
{
	uint64_t *word = (uint64_t *)at;
	uint64_t *end = (uint64_t *)(at + length);

	while (word < end)
		*word++ += teller->random | 1;
}
