/* SPDX-License-Identifier: GPL-2.0 */
/* The TPC-A-like transaction: three accounts of 128 bytes change, 64 bytes of history are added. */
#ifndef SELFTESTS_BENCH_TPCA_H
#define SELFTESTS_BENCH_TPCA_H

#include <rvm/rvm.h>
#include <stddef.h>
#include <stdint.h>

#define TPCA_RANGES	4
#define TPCA_BYTES	(3 * 128UL + 64)
#define TPCA_RECORD	(TPCA_BYTES + 64 + 16 * TPCA_RANGES)	/* what a log needs for it */

/**
 * struct teller - a thread that makes transactions
 * @base: the array of accounts; its last eighth is the history
 * @size: bytes of the array
 * @id: from 0
 * @threads: how many tellers there are
 * @random: state of a generator, not 0
 * @done: transactions made
 */
struct teller {
	char *base;
	size_t size;
	unsigned int id;
	unsigned int threads;
	uint64_t random;
	uint64_t done;
} __attribute__((aligned(64)));	/* no two in one cache line */

/**
 * tpca_choose() - which ranges the next transaction changes
 * @teller: who makes it
 * @at: their addresses
 *
 * The last one has 64 bytes, the others 128.
 */
void tpca_choose(struct teller *teller, char *at[TPCA_RANGES]);

/** tpca_length() - bytes of a range */
static inline size_t tpca_length(unsigned int range)
{
	return range < TPCA_RANGES - 1 ? 128 : 64;
}

/** tpca_store() - change all bytes of a range */
void tpca_store(struct teller *teller, char *at, size_t length);

/** tpca_change() - the stores of a transaction, and nothing else */
void tpca_change(struct teller *teller);

/** tpca_commit() - make a transaction of the library, begun and ended in these modes */
void tpca_commit(struct teller *teller, rvm_mode_t begin, rvm_mode_t end);

#endif
