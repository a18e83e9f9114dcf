// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Find the bytes in which a page differs from its committed state.
 *
 * Most of a page is equal, so it is compared by large blocks first.  Of a block that is not equal
 * each 64 bytes become a word with a bit for each byte that changed, and the runs are those of
 * ones in these words.
 */
#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "diff.h"

#define BLOCK	256U

/*
 * An explicit transaction may store to the pages meanwhile.  Its bytes are left out of what is
 * found here, so it does not matter what is read of them, and ThreadSanitizer need not watch the
 * functions that read the pages.
 */
#define RACY	__attribute__((no_sanitize("thread")))
#define ALWAYS	__attribute__((always_inline))

/* The runs that were found; @end is that of the last one, or too far back to be joined to. */
struct list {
	struct diff_run *runs;
	unsigned int n;
	unsigned int join;
	unsigned int end;
};

static inline ALWAYS RACY void add_run(struct list *list, unsigned int start, unsigned int end)
{
	if (start - list->end >= list->join)
		list->runs[list->n++].start = start;
	list->runs[list->n - 1].end = end;
	list->end = end;
}

/* @changed: a bit for each of the 64 bytes from @at on, the first one's the lowest */
static inline ALWAYS RACY void add_runs(struct list *list, unsigned int at, uint64_t changed)
{
	while (changed) {
		unsigned int first = __builtin_ctzll(changed);
		/* The carry of its first bit clears the run and stops behind it. */
		uint64_t rest = changed + (1ULL << first);
		unsigned int end = rest ? __builtin_ctzll(rest) : 64;

		add_run(list, at + first, at + end);
		changed &= rest;
	}
}

typedef bool equal_fn(const char *a, const char *b);
typedef uint64_t changed_fn(const char *a, const char *b);

/* @equal256: are blocks equal?  @changed64: which of 64 bytes differ?  Both become part of this. */
static inline ALWAYS RACY
unsigned int find_runs(equal_fn *equal256, changed_fn *changed64, const char *a, const char *b,
		       unsigned int join, struct diff_run *runs)
{
	struct list list = { .runs = runs, .join = join, .end = -join };
	unsigned int at, i;

	for (at = 0; at < DIFF_PAGE; at += BLOCK) {
		if (equal256(a + at, b + at))
			continue;
#pragma GCC unroll 4
		for (i = at; i < at + BLOCK; i += 64)
			add_runs(&list, i, changed64(a + i, b + i));
	}
	return list.n;
}

/* The exclusive or of eight bytes, the first one the lowest. */
static inline ALWAYS RACY uint64_t xor8(const char *a, const char *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return le64toh(x ^ y);
}

static inline ALWAYS RACY bool equal256(const char *a, const char *b)
{
	uint64_t all = 0;
	unsigned int i;

	for (i = 0; i < BLOCK; i += 8)
		all |= xor8(a + i, b + i);
	return !all;
}

#define SEVENS	0x7f7f7f7f7f7f7f7fULL

/*
 * A bit for each of eight bytes that is not 0.  The sum raises a byte's highest bit if any of its
 * lower ones is set, and carries into no other byte; the product gathers the bits in its highest
 * byte: the one of byte i goes there by the factor's bit 56 - 7 * i, and no two products meet.
 */
static inline ALWAYS RACY uint64_t nonzero8(uint64_t x)
{
	x = (((x & SEVENS) + SEVENS) | x) & ~SEVENS;
	return (x >> 7) * 0x0102040810204080ULL >> 56;
}

static inline ALWAYS RACY uint64_t changed64(const char *a, const char *b)
{
	uint64_t changed = 0;
	unsigned int i;

	for (i = 0; i < 8; i++)
		changed |= nonzero8(xor8(a + 8 * i, b + 8 * i)) << 8 * i;
	return changed;
}

static RACY unsigned int page_portable(const char *live, const char *committed, unsigned int join,
				       struct diff_run *runs)
{
	return find_runs(equal256, changed64, live, committed, join, runs);
}

static bool always(void)
{
	return true;
}

static const struct diff_way portable = {
	.name = "portable",
	.works = always,
	.page = page_portable,
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

static inline ALWAYS AVX2 __m256i xor32(const char *a, const char *b)
{
	return _mm256_xor_si256(_mm256_loadu_si256((const __m256i_u *)a),
				_mm256_loadu_si256((const __m256i_u *)b));
}

static inline ALWAYS AVX2 __m256i xor128(const char *a, const char *b)
{
	return _mm256_or_si256(_mm256_or_si256(xor32(a, b), xor32(a + 32, b + 32)),
			       _mm256_or_si256(xor32(a + 64, b + 64), xor32(a + 96, b + 96)));
}

static inline ALWAYS AVX2 bool equal256_avx2(const char *a, const char *b)
{
	__m256i x = _mm256_or_si256(xor128(a, b), xor128(a + 128, b + 128));

	return _mm256_testz_si256(x, x);
}

/* A bit for each of 32 bytes that is equal. */
static inline ALWAYS AVX2 uint32_t equal32(const char *a, const char *b)
{
	return _mm256_movemask_epi8(_mm256_cmpeq_epi8(xor32(a, b), _mm256_setzero_si256()));
}

static inline ALWAYS AVX2 uint64_t changed64_avx2(const char *a, const char *b)
{
	return ~(equal32(a, b) | (uint64_t)equal32(a + 32, b + 32) << 32);
}

static AVX2 unsigned int page_avx2(const char *live, const char *committed, unsigned int join,
				   struct diff_run *runs)
{
	return find_runs(equal256_avx2, changed64_avx2, live, committed, join, runs);
}

static const struct diff_way avx2 = {
	.name = "avx2",
	.works = has_avx2,
	.page = page_avx2,
};

static inline ALWAYS AVX512 __m512i xor64(const char *a, const char *b)
{
	return _mm512_xor_si512(_mm512_loadu_si512(a), _mm512_loadu_si512(b));
}

static inline ALWAYS AVX512 bool equal256_avx512(const char *a, const char *b)
{
	__m512i x = _mm512_or_si512(xor64(a, b), xor64(a + 64, b + 64));
	__m512i y = _mm512_or_si512(xor64(a + 128, b + 128), xor64(a + 192, b + 192));

	x = _mm512_or_si512(x, y);
	return !_mm512_test_epi8_mask(x, x);
}

static inline ALWAYS AVX512 uint64_t changed64_avx512(const char *a, const char *b)
{
	return _mm512_cmpneq_epi8_mask(_mm512_loadu_si512(a), _mm512_loadu_si512(b));
}

static AVX512 unsigned int page_avx512(const char *live, const char *committed, unsigned int join,
				       struct diff_run *runs)
{
	return find_runs(equal256_avx512, changed64_avx512, live, committed, join, runs);
}

static const struct diff_way avx512 = {
	.name = "avx512",
	.works = has_avx512,
	.page = page_avx512,
};

const struct diff_way *const diff_ways[] = { &portable, &avx2, &avx512, NULL };

#else

const struct diff_way *const diff_ways[] = { &portable, NULL };

#endif

static const struct diff_way *choose(void)
{
	size_t best = 0, i;

	for (i = 1; diff_ways[i]; i++)
		if (diff_ways[i]->works())
			best = i;
	return diff_ways[best];
}

unsigned int diff_page(const char *live, const char *committed, unsigned int join,
		       struct diff_run *runs)
{
	static const struct diff_way *chosen;
	const struct diff_way *way = __atomic_load_n(&chosen, __ATOMIC_RELAXED);

	/* All threads come to the same choice. */
	if (!way) {
		way = choose();
		__atomic_store_n(&chosen, way, __ATOMIC_RELAXED);
	}
	return way->page(live, committed, join, runs);
}
