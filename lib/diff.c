// SPDX-License-Identifier: LGPL-2.1-or-later
/* Find the bytes in which a page differs from its committed state. */
#include <stdint.h>
#include <string.h>

#include "diff.h"

/*
 * An explicit transaction may store to the pages meanwhile.  Its bytes are left out of what is
 * found here, so it does not matter what is read of them, and ThreadSanitizer need not watch the
 * three functions that read the pages.
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

/* The first byte from @at on that differs, or @length. */
static RACY size_t skip_equal(const char *a, const char *b, size_t at, size_t length)
{
	while (at + 8 <= length && !word_xor(a + at, b + at))
		at += 8;
	while (at < length && a[at] == b[at])
		at++;
	return at;
}

/* The first byte from @at on that is equal, or @length. */
static RACY size_t skip_changed(const char *a, const char *b, size_t at, size_t length)
{
	while (at + 8 <= length && !has_zero_byte(word_xor(a + at, b + at)))
		at += 8;
	while (at < length && a[at] != b[at])
		at++;
	return at;
}

int diff_next(const char *live, const char *committed, size_t length, size_t join,
	      size_t *start, size_t *end)
{
	size_t next = skip_equal(live, committed, *start, length);

	if (next == length)
		return 0;
	*start = next;
	do {
		*end = skip_changed(live, committed, next, length);
		next = skip_equal(live, committed, *end, length);
	} while (next < length && next - *end < join);
	return 1;
}
