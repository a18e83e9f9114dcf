// SPDX-License-Identifier: GPL-2.0
/* diff.c against a byte-by-byte oracle, in each way that this processor knows. */
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

FIXTURE(diff) {
	const struct diff_way *way;
};

FIXTURE_VARIANT(diff) {
	const char *name;
};

FIXTURE_VARIANT_ADD(diff, portable) { .name = "portable" };
FIXTURE_VARIANT_ADD(diff, avx2) { .name = "avx2" };
FIXTURE_VARIANT_ADD(diff, avx512) { .name = "avx512" };

/* A processor that does not know a way runs the variant in the one that works everywhere. */
FIXTURE_SETUP(diff)
{
	self->way = diff_ways[0];
	for (size_t i = 0; diff_ways[i]; i++)
		if (!strcmp(diff_ways[i]->name, variant->name) && diff_ways[i]->works())
			self->way = diff_ways[i];
	if (strcmp(self->way->name, variant->name))
		TH_LOG("left out: this processor has no %s", variant->name);
}

FIXTURE_TEARDOWN(diff)
{
}

static size_t compare(struct __test_metadata *_metadata, const struct diff_way *way,
		      const char *a, const char *b, size_t length, size_t join)
{
	size_t start = 0, end = 0, want_start = 0, want_end = 0, runs = 0;
	int more, want;

	do {
		more = diff_next_by(way, a, b, length, join, &start, &end);
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

TEST_F(diff, equal_pages_have_no_runs)
{
	static char a[PAGE], b[PAGE];

	EXPECT_EQ(0, compare(_metadata, self->way, a, b, PAGE, 16));
}

TEST_F(diff, every_single_byte_is_found_exactly)
{
	static char a[PAGE], b[PAGE];

	for (size_t i = 0; i < PAGE; i++) {
		a[i] ^= 0x80;
		ASSERT_EQ(1, compare(_metadata, self->way, a, b, PAGE, 16));
		a[i] ^= 0x80;
	}
}

TEST_F(diff, a_page_that_changed_in_every_byte_is_one_run)
{
	static char a[PAGE], b[PAGE];

	memset(a, 1, PAGE);
	EXPECT_EQ(1, compare(_metadata, self->way, a, b, PAGE, 16));
}

TEST_F(diff, runs_are_joined_when_nearer_than_asked_and_no_further)
{
	static char a[PAGE], b[PAGE];

	for (size_t gap = 1; gap < 40; gap++) {
		memset(a, 0, PAGE);
		a[100] = 1;
		a[101 + gap] = 1;
		EXPECT_EQ(gap < 16 ? 1 : 2, compare(_metadata, self->way, a, b, PAGE, 16));
	}
}

TEST_F(diff, random_pages_agree_with_the_oracle)
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
		compare(_metadata, self->way, a, b, length, (size_t)(1 + random() % 32));
	}
}

/* Each start, each length, in the middle and at both ends, so at every alignment. */
TEST_F(diff, a_run_is_found_at_every_alignment_and_of_every_length)
{
	static char a[PAGE + 1], b[PAGE + 1];

	for (size_t start = 0; start < PAGE; start += start >= 300 && start < PAGE - 300 ? 61 : 1) {
		for (size_t n = 1; n <= 300 && start + n <= PAGE; n += n < 140 ? 1 : 13) {
			size_t at = start % 7, end;

			memset(a + start, 1, n);
			ASSERT_EQ(1, diff_next_by(self->way, a, b, PAGE, 16, &at, &end));
			ASSERT_EQ(start, at);
			ASSERT_EQ(start + n, end);
			ASSERT_EQ(0, diff_next_by(self->way, a, b, PAGE, 16, &end, &at));
			memset(a + start, 0, n);
		}
	}
}

/* Two runs whose gap lies at every alignment, and is about as long as what joins them. */
TEST_F(diff, a_gap_is_found_at_every_alignment)
{
	static char a[PAGE], b[PAGE];

	for (size_t start = 100; start < 400; start++) {
		for (size_t gap = 1; gap < 40; gap++) {
			memset(a, 1, PAGE);
			memset(a + start, 0, gap);
			ASSERT_EQ(gap < 16 ? 1 : 2, compare(_metadata, self->way, a, b, PAGE, 16));
		}
	}
}

/* Pages that do not begin at a page's boundary, whose neighbours differ in every byte. */
TEST_F(diff, nothing_beyond_the_length_is_looked_at)
{
	static char a[PAGE + 256], b[PAGE + 256];

	for (size_t shift = 0; shift < 64; shift++) {
		for (size_t length = 0; length < 300; length++) {
			memset(a, 1, sizeof(a));
			memset(a + shift, 0, length);
			ASSERT_EQ(0, compare(_metadata, self->way, a + shift, b, length, 16));
		}
	}
}

TEST(the_best_way_is_taken_and_finds_the_same)
{
	static char a[PAGE], b[PAGE];
	size_t start = 0, end;

	a[77] = 1;
	a[99] = 1;
	ASSERT_EQ(1, diff_next(a, b, PAGE, 16, &start, &end));
	EXPECT_EQ(77, start);
	EXPECT_EQ(78, end);
	start = end;
	ASSERT_EQ(1, diff_next(a, b, PAGE, 16, &start, &end));
	EXPECT_EQ(99, start);
	EXPECT_EQ(100, end);
}

TEST_HARNESS_MAIN
