// SPDX-License-Identifier: LGPL-2.1-or-later
/* Find the bytes in which a page differs from its committed state. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "diff.h"

/*
 * An explicit transaction may store to the pages meanwhile.  Its bytes are left out of what is
 * found here, so it does not matter what is read of them, and ThreadSanitizer need not watch the
 * functions that read the pages.
 */
#define RACY	__attribute__((no_sanitize("thread")))

#define ONES	0x0101010101010101ULL
#define HIGHS	0x8080808080808080ULL

static RACY uint64_t word_xor(const char *a, const char *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

static int has_zero_byte(uint64_t word)
{
	return ((word - ONES) & ~word & HIGHS) != 0;
}

static bool always(void)
{
	return true;
}

static RACY size_t skip_equal(const char *a, const char *b, size_t at, size_t length)
{
	while (at + 8 <= length && !word_xor(a + at, b + at))
		at += 8;
	while (at < length && a[at] == b[at])
		at++;
	return at;
}

static RACY size_t skip_changed(const char *a, const char *b, size_t at, size_t length)
{
	while (at + 8 <= length && !has_zero_byte(word_xor(a + at, b + at)))
		at += 8;
	while (at < length && a[at] != b[at])
		at++;
	return at;
}

static const struct diff_way portable = {
	.name = "portable",
	.works = always,
	.skip_equal = skip_equal,
	.skip_changed = skip_changed,
};

/* sparse knows none of these instructions. */
#if defined(__x86_64__) && !defined(__CHECKER__)

#include <immintrin.h>

#define AVX2	__attribute__((no_sanitize("thread"), target("avx2,bmi")))
#define AVX512	__attribute__((no_sanitize("thread"), target("avx512bw,avx2,bmi")))

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512bw") && has_avx2();
}

static inline AVX2 __m256i load32(const char *at)
{
	return _mm256_loadu_si256((const __m256i_u *)at);
}

/* A bit for each of 32 bytes that is equal. */
static inline AVX2 uint32_t equal32(const char *a, const char *b)
{
	return _mm256_movemask_epi8(_mm256_cmpeq_epi8(load32(a), load32(b)));
}

static inline AVX2 bool all_equal128(const char *a, const char *b)
{
	__m256i x = _mm256_xor_si256(load32(a), load32(b));
	__m256i y = _mm256_xor_si256(load32(a + 32), load32(b + 32));
	__m256i z = _mm256_xor_si256(load32(a + 64), load32(b + 64));
	__m256i w = _mm256_xor_si256(load32(a + 96), load32(b + 96));

	x = _mm256_or_si256(_mm256_or_si256(x, y), _mm256_or_si256(z, w));
	return _mm256_testz_si256(x, x);
}

static AVX2 size_t skip_equal_avx2(const char *a, const char *b, size_t at, size_t length)
{
	uint32_t changed;

	for (; at + 32 <= length; at += 32) {
		changed = ~equal32(a + at, b + at);
		if (changed)
			return at + __builtin_ctz(changed);
		while (at + 160 <= length && all_equal128(a + at + 32, b + at + 32))
			at += 128;
	}
	return skip_equal(a, b, at, length);
}

static AVX2 size_t skip_changed_avx2(const char *a, const char *b, size_t at, size_t length)
{
	uint32_t equal;

	for (; at + 32 <= length; at += 32) {
		equal = equal32(a + at, b + at);
		if (equal)
			return at + __builtin_ctz(equal);
	}
	return skip_changed(a, b, at, length);
}

static const struct diff_way avx2 = {
	.name = "avx2",
	.works = has_avx2,
	.skip_equal = skip_equal_avx2,
	.skip_changed = skip_changed_avx2,
};

static inline AVX512 __m512i load64(const char *at)
{
	return _mm512_loadu_si512(at);
}

static inline AVX512 bool all_equal128_wide(const char *a, const char *b)
{
	__m512i x = _mm512_xor_si512(load64(a), load64(b));
	__m512i y = _mm512_xor_si512(load64(a + 64), load64(b + 64));

	x = _mm512_or_si512(x, y);
	return !_mm512_test_epi8_mask(x, x);
}

/* Short runs are found sooner 32 bytes at a time: masks of 64 come late. */
static AVX512 size_t skip_equal_avx512(const char *a, const char *b, size_t at, size_t length)
{
	uint32_t changed;

	for (; at + 32 <= length; at += 32) {
		changed = ~equal32(a + at, b + at);
		if (changed)
			return at + __builtin_ctz(changed);
		while (at + 160 <= length && all_equal128_wide(a + at + 32, b + at + 32))
			at += 128;
	}
	return skip_equal(a, b, at, length);
}

static const struct diff_way avx512 = {
	.name = "avx512",
	.works = has_avx512,
	.skip_equal = skip_equal_avx512,
	.skip_changed = skip_changed_avx2,
};

const struct diff_way *const diff_ways[] = { &portable, &avx2, &avx512, NULL };

#else

const struct diff_way *const diff_ways[] = { &portable, NULL };

#endif

int diff_next_by(const struct diff_way *way, const char *live, const char *committed,
		 size_t length, size_t join, size_t *start, size_t *end)
{
	size_t next = way->skip_equal(live, committed, *start, length);

	if (next == length)
		return 0;
	*start = next;
	do {
		*end = way->skip_changed(live, committed, next, length);
		next = way->skip_equal(live, committed, *end, length);
	} while (next < length && next - *end < join);
	return 1;
}

static const struct diff_way *choose(void)
{
	size_t best = 0, i;

	for (i = 1; diff_ways[i]; i++)
		if (diff_ways[i]->works())
			best = i;
	return diff_ways[best];
}

int diff_next(const char *live, const char *committed, size_t length, size_t join,
	      size_t *start, size_t *end)
{
	static const struct diff_way *chosen;
	const struct diff_way *way = __atomic_load_n(&chosen, __ATOMIC_RELAXED);

	/* All threads come to the same choice. */
	if (!way) {
		way = choose();
		__atomic_store_n(&chosen, way, __ATOMIC_RELAXED);
	}
	return diff_next_by(way, live, committed, length, join, start, end);
}
