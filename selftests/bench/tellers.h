/* SPDX-License-Identifier: GPL-2.0 */
/* Threads that make transactions for some time. */
#ifndef SELFTESTS_BENCH_TELLERS_H
#define SELFTESTS_BENCH_TELLERS_H

#include <stdint.h>

#include "tpca.h"
#include "trial.h"

#define TELLERS_MAX	64

/** typedef transact_fn - one transaction */
typedef void transact_fn(struct teller *teller);

/**
 * tellers_start() - let threads make transactions until they are told to end
 * @setting: how many threads, and the size of the array
 * @base: the array of accounts
 * @fn: the transaction
 */
void tellers_start(const struct setting *setting, char *base, transact_fn *fn);

/** tellers_done() - the transactions that were made so far */
uint64_t tellers_done(void);

/** tellers_end() - have them end at that time; Return: the transactions that were made */
uint64_t tellers_end(uint64_t end_ns);

#endif
