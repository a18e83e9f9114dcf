// SPDX-License-Identifier: GPL-2.0
/* diff.c against a byte-by-byte oracle, in each way that this processor knows. */
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "diff.h"

#define PAGE DIFF_PAGE

/* The runs that @join makes of the bytes that differ, found one byte at a time. */
static unsigned int oracle(const char *a, const char *b, unsigned int join, struct diff_run *runs)
{
	unsigned int i, n = 0;

	for (i = 0; i < PAGE; i++) {
		if (a[i] == b[i])
			continue;
		if (n && i - runs[n - 1].end < join)
			runs[n - 1].end = i + 1;
		else
			runs[n++] = (struct diff_run) { i, i + 1 };
	}
	return n;
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

static unsigned int compare(struct __test_metadata *_metadata, const struct diff_way *way,
			    const char *a, const char *b, unsigned int join)
{
	struct diff_run runs[DIFF_RUNS(1) + 1], want[DIFF_RUNS(1)];
	unsigned int most = DIFF_RUNS(join);
	unsigned int n, i;

	runs[most] = (struct diff_run) { 47, 11 };
	n = way->page(a, b, join, runs);
	ASSERT_EQ(oracle(a, b, join, want), n);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(want[i].start, runs[i].start);
		ASSERT_EQ(want[i].end, runs[i].end);
	}
	EXPECT_EQ(47, runs[most].start);
	EXPECT_EQ(11, runs[most].end);
	return n;
}

TEST_F(diff, equal_pages_have_no_runs)
{
	static char a[PAGE], b[PAGE];

	EXPECT_EQ(0, compare(_metadata, self->way, a, b, 16));
}

TEST_F(diff, every_single_byte_is_found_exactly)
{
	static char a[PAGE], b[PAGE];

	for (size_t i = 0; i < PAGE; i++) {
		a[i] ^= 0x80;
		ASSERT_EQ(1, compare(_metadata, self->way, a, b, 16));
		a[i] ^= 0x80;
	}
}

TEST_F(diff, a_page_that_changed_in_every_byte_is_one_run)
{
	static char a[PAGE], b[PAGE];

	memset(a, 1, PAGE);
	EXPECT_EQ(1, compare(_metadata, self->way, a, b, 16));
}

TEST_F(diff, runs_are_joined_when_nearer_than_asked_and_no_further)
{
	static char a[PAGE], b[PAGE];

	for (size_t gap = 1; gap < 40; gap++) {
		memset(a, 0, PAGE);
		a[100] = 1;
		a[101 + gap] = 1;
		EXPECT_EQ(gap < 16 ? 1 : 2, compare(_metadata, self->way, a, b, 16));
	}
}

TEST_F(diff, there_are_as_many_runs_as_there_can_be)
{
	static char a[PAGE], b[PAGE];

	for (size_t first = 0; first < 2; first++) {
		memset(a, 0, PAGE);
		for (size_t i = first; i < PAGE; i += 2)
			a[i] = 1;
		EXPECT_EQ(DIFF_RUNS(1), compare(_metadata, self->way, a, b, 1));
		EXPECT_EQ(1, compare(_metadata, self->way, a, b, 2));
	}
	memset(a, 0, PAGE);
	for (size_t i = 0; i < PAGE; i += 17)
		a[i] = 1;
	EXPECT_EQ(DIFF_RUNS(16), compare(_metadata, self->way, a, b, 16));
}

TEST_F(diff, random_pages_agree_with_the_oracle)
{
	static char a[PAGE], b[PAGE];

	srandom(7);
	for (int round = 0; round < 3000; round++) {
		int density = 1 + random() % 400;

		for (size_t i = 0; i < PAGE; i++) {
			b[i] = random();
			a[i] = random() % density ? b[i] : (char)random();
		}
		compare(_metadata, self->way, a, b, 1 + random() % 32);
	}
}

/* Bytes that differ in one bit only, each bit. */
TEST_F(diff, every_bit_counts)
{
	static char a[PAGE], b[PAGE];

	for (size_t i = 0; i < PAGE; i++)
		a[i] = b[i] ^ 1 << (i / 2 * 5 % 8) * (i % 2);
	for (size_t i = 0; i < 8; i++) {
		b[i] = 0x55;
		a[i] = b[i] ^ 1 << i;
	}
	compare(_metadata, self->way, a, b, 1);
	compare(_metadata, self->way, b, a, 1);
}

/* Each start, each length, in the middle and at both ends, so at every alignment. */
TEST_F(diff, a_run_is_found_at_every_alignment_and_of_every_length)
{
	static char a[PAGE], b[PAGE];
	struct diff_run runs[DIFF_RUNS(16)];

	for (size_t start = 0; start < PAGE; start += start >= 300 && start < PAGE - 300 ? 61 : 1) {
		for (size_t n = 1; n <= 300 && start + n <= PAGE; n += n < 140 ? 1 : 13) {
			memset(a + start, 1, n);
			ASSERT_EQ(1, self->way->page(a, b, 16, runs));
			ASSERT_EQ(start, runs[0].start);
			ASSERT_EQ(start + n, runs[0].end);
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
			ASSERT_EQ(gap < 16 ? 1 : 2, compare(_metadata, self->way, a, b, 16));
		}
	}
}

/* Pages that do not begin at a page's boundary, whose neighbours differ in every byte. */
TEST_F(diff, nothing_beyond_the_page_is_looked_at)
{
	static char a[PAGE + 128], b[PAGE + 128];

	for (size_t shift = 0; shift < 128; shift++) {
		memset(a, 1, sizeof(a));
		memset(a + shift, 0, PAGE);
		ASSERT_EQ(0, compare(_metadata, self->way, a + shift, b + shift, 16));
	}
}

TEST(the_best_way_is_taken_and_finds_the_same)
{
	static char a[PAGE], b[PAGE];
	struct diff_run runs[DIFF_RUNS(16)];

	a[77] = 1;
	a[99] = 1;
	ASSERT_EQ(2, diff_page(a, b, 16, runs));
	EXPECT_EQ(77, runs[0].start);
	EXPECT_EQ(78, runs[0].end);
	EXPECT_EQ(99, runs[1].start);
	EXPECT_EQ(100, runs[1].end);
}

TEST_HARNESS_MAIN
