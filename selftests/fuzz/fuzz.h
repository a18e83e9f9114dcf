/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each fuzzer is: a judge of one input, and a mutator that knows the input's fields and
 * repairs its checksums.  libFuzzer calls them, or replay.c where there is none.
 */
#ifndef SELFTESTS_FUZZ_FUZZ_H
#define SELFTESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** LLVMFuzzerTestOneInput() - judge one input; aborts with a text if something is wrong */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** LLVMFuzzerCustomMutator() - change an input, its checksums right again; its new size */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/** LLVMFuzzerMutate() - libFuzzer's, or replay.c's: change bytes, of which it knows nothing */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/** judge_fail() - say what is wrong, and abort */
void judge_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));

/* Unless the condition holds the input is a finding. */
#define judge(condition, ...) \
	do { \
		if (!(condition)) \
			judge_fail(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

#endif
