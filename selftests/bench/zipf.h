/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers by Zipf's law: the nth most frequent one comes 1/n^0.99 as often as the first. */
#ifndef SELFTESTS_BENCH_ZIPF_H
#define SELFTESTS_BENCH_ZIPF_H

#include <stdint.h>

#define ZIPF_DRAWS	65536	/* how often the rarest comes is true to so much */

/** zipf_open() - prepare numbers below @count, a power of two; frequent ones are not neighbours */
void zipf_open(unsigned int count);

/** zipf_next() - the next number; the state is not 0 */
uint32_t zipf_next(uint64_t *random);

#endif
