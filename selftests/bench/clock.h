/* SPDX-License-Identifier: GPL-2.0 */
/* What the measurements share: the time, and an end for errors. */
#ifndef SELFTESTS_BENCH_CLOCK_H
#define SELFTESTS_BENCH_CLOCK_H

#include <rvm/rvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The monotonic clock in nanoseconds. */
static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000UL + now.tv_nsec;
}

/* End the program after an error. */
/* Processor time of the process. */
static inline uint64_t clock_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * 1000000000UL + used.tv_nsec;
}

static inline void die(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

/* End the program unless a call of the library succeeded. */
static inline void check(const char *what, rvm_return_t ret)
{
	if (ret)
		die(what, rvm_error());
}

#endif
