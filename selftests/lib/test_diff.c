// SPDX-License-Identifier: GPL-2.0
/* diff.c against a byte-by-byte oracle. */
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "diff.h"

#define PAGE 4096

/* The runs that @join makes of the bytes that differ, found one byte at a time. */
static int oracle_next(const char *a, const char *b, size_t length, size_t join, size_t *start,
		       size_t *end)
{
	size_t i, equal = 0;

	while (*start < length && a[*start] == b[*start])
		++*start;
	if (*start == length)
		return 0;
	*end = *start + 1;
	for (i = *end; i < length && equal < join; i++) {
		if (a[i] == b[i]) {
			equal++;
			continue;
		}
		equal = 0;
		*end = i + 1;
	}
	return 1;
}

static size_t compare(struct __test_metadata *_metadata, const char *a, const char *b,
		      size_t length, size_t join)
{
	size_t start = 0, end = 0, want_start = 0, want_end = 0, runs = 0;
	int more, want;

	do {
		more = diff_next(a, b, length, join, &start, &end);
		want = oracle_next(a, b, length, join, &want_start, &want_end);
		ASSERT_EQ(want, more);
		if (!more)
			break;
		ASSERT_EQ(want_start, start);
		ASSERT_EQ(want_end, end);
		start = end;
		want_start = want_end;
	} while (++runs <= length);
	return runs;
}

TEST(equal_pages_have_no_runs)
{
	static char a[PAGE], b[PAGE];

	EXPECT_EQ(0, compare(_metadata, a, b, PAGE, 16));
}

TEST(every_single_byte_is_found_exactly)
{
	static char a[PAGE], b[PAGE];

	for (size_t i = 0; i < PAGE; i++) {
		a[i] ^= 0x80;
		ASSERT_EQ(1, compare(_metadata, a, b, PAGE, 16));
		a[i] ^= 0x80;
	}
}

TEST(a_page_that_changed_in_every_byte_is_one_run)
{
	static char a[PAGE], b[PAGE];

	memset(a, 1, PAGE);
	EXPECT_EQ(1, compare(_metadata, a, b, PAGE, 16));
}

TEST(runs_are_joined_when_nearer_than_asked_and_no_further)
{
	static char a[PAGE], b[PAGE];

	for (size_t gap = 1; gap < 40; gap++) {
		memset(a, 0, PAGE);
		a[100] = 1;
		a[101 + gap] = 1;
		EXPECT_EQ(gap < 16 ? 1 : 2, compare(_metadata, a, b, PAGE, 16));
	}
}

TEST(random_pages_agree_with_the_oracle)
{
	static char a[PAGE], b[PAGE];

	srandom(7);
	for (int round = 0; round < 3000; round++) {
		size_t length = random() % 4 ? PAGE : (size_t)random() % PAGE;
		int density = 1 + random() % 400;

		for (size_t i = 0; i < PAGE; i++) {
			b[i] = random();
			a[i] = random() % density ? b[i] : (char)random();
		}
		compare(_metadata, a, b, length, (size_t)(1 + random() % 32));
	}
}

TEST_HARNESS_MAIN
