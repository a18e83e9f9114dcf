/* SPDX-License-Identifier: GPL-2.0 */
/* How many transactions a second threads make. */
#ifndef SELFTESTS_BENCH_RATE_H
#define SELFTESTS_BENCH_RATE_H

#include "tellers.h"

/**
 * rate_measure() - have threads make transactions for the time that is set
 * @setting: the time and the threads
 * @fn: the transaction
 * @base: the array of accounts
 * @finish: brings the last of them to where they belong, or NULL
 * @outcome: its rate and bytes on disks are filled in
 *
 * The rate counts the time until all is flushed, the bytes those of the truncation, too.
 *
 * Return: the transactions.
 */
uint64_t rate_measure(const struct setting *setting, transact_fn *fn, char *base,
		      void (*finish)(void), struct outcome *outcome);

/** rate_memory() - an array of accounts that belongs to no segment */
char *rate_memory(const struct setting *setting);

#endif
