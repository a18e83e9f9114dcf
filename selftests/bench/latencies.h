/* SPDX-License-Identifier: GPL-2.0 */
/* How long transactions took. */
#ifndef SELFTESTS_BENCH_LATENCIES_H
#define SELFTESTS_BENCH_LATENCIES_H

#include <stdbool.h>
#include <stdint.h>

#include "trial.h"

/** latencies_open() - make room; ends the program if there is none */
void latencies_open(void);

/** latencies_add() - by any thread; Return: false if there was no room left */
bool latencies_add(uint64_t ns);

/** latencies_tell() - those that were added, once nobody adds any more; the rate is p99.9 in us */
void latencies_tell(struct outcome *outcome);

#endif
