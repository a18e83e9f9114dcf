// SPDX-License-Identifier: GPL-2.0
/* The TPC-A-like transaction. */
#include "clock.h"
#include "random.h"
#include "tpca.h"

void tpca_choose(struct teller *teller, char *at[TPCA_RANGES])
{
	size_t accounts = teller->size / 8 * 7;
	size_t share = teller->size / 8 / teller->threads;
	unsigned int i;

	for (i = 0; i < TPCA_RANGES - 1; i++)
		at[i] = teller->base + random_next(&teller->random) % (accounts / 128) * 128;
	at[i] = teller->base + accounts + teller->id * share + teller->done % (share / 64) * 64;
}

void tpca_store(struct teller *teller, char *at, size_t length)
{
	uint64_t *word = (uint64_t *)at;
	uint64_t *end = (uint64_t *)(at + length);

	while (word < end)
		*word++ += teller->random | 1;
}

void tpca_change(struct teller *teller)
{
	char *at[TPCA_RANGES];
	unsigned int i;

	tpca_choose(teller, at);
	for (i = 0; i < TPCA_RANGES; i++)
		tpca_store(teller, at[i], tpca_length(i));
}

void tpca_commit(struct teller *teller, rvm_mode_t begin, rvm_mode_t end)
{
	char *at[TPCA_RANGES];
	unsigned int i;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	check("begin", rvm_begin_transaction(&tid, begin));
	tpca_choose(teller, at);
	for (i = 0; i < TPCA_RANGES; i++) {
		check("set_range", rvm_set_range(&tid, at[i], tpca_length(i)));
		tpca_store(teller, at[i], tpca_length(i));
	}
	check("end", rvm_end_transaction(&tid, end));
}
