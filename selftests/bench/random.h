/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers. */
#ifndef SELFTESTS_BENCH_RANDOM_H
#define SELFTESTS_BENCH_RANDOM_H

#include <stdint.h>

/* The next number; the state is not 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
