// SPDX-License-Identifier: GPL-2.0
/* Sets of byte ranges against a map of single bytes. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "range.h"

#define BYTES 256

FIXTURE(range)
{
	struct rangeset set;
	unsigned char map[BYTES];
};

FIXTURE_SETUP(range)
{
	rangeset_init(&self->set);
	memset(self->map, 0, BYTES);
}

FIXTURE_TEARDOWN(range)
{
	rangeset_free(&self->set);
}

/* Marks what was not marked; a byte reported twice is an error. */
static int mark(void *arg, uint64_t start, uint64_t end)
{
	unsigned char *map = arg;

	for (; start < end; start++) {
		if (map[start])
			return -EEXIST;
		map[start] = 1;
	}
	return 0;
}

static bool same(const struct rangeset *set, const unsigned char *map)
{
	const struct range *r = rangeset_first(set);
	size_t count = 0;
	uint64_t bytes = 0;
	int at = 0;

	while (at < BYTES) {
		int end = at;

		while (end < BYTES && map[end] == map[at])
			end++;
		if (map[at]) {
			if (!r || r->start != at || r->end != end)
				return false;
			r = rangeset_next(r);
			count++;
			bytes += end - at;
		}
		at = end;
	}
	return !r && set->count == count && set->bytes == bytes;
}

TEST_F(range, add_and_remove_match_a_byte_map)
{
	unsigned char before[BYTES];
	unsigned int state = 1;
	int i;

	for (i = 0; i < 300000; i++) {
		uint64_t start = rand_r(&state) % 200;
		uint64_t end = start + rand_r(&state) % 40;

		if (i % 512 == 0) {
			rangeset_clear(&self->set);
			memset(self->map, 0, BYTES);
		}
		if (rand_r(&state) % 2) {
			memcpy(before, self->map, BYTES);
			ASSERT_EQ(0, rangeset_add(&self->set, start, end, mark, self->map));
			memset(before + start, 1, end - start);
			ASSERT_EQ(0, memcmp(before, self->map, BYTES));
		} else {
			ASSERT_EQ(0, rangeset_remove(&self->set, start, end));
			memset(self->map + start, 0, end - start);
		}
		ASSERT_TRUE(same(&self->set, self->map));
	}
}

TEST_F(range, questions_match_a_byte_map)
{
	unsigned int state = 2;
	int i;

	for (i = 0; i < 200000; i++) {
		uint64_t start = rand_r(&state) % 200;
		uint64_t end = start + rand_r(&state) % 20;

		if (i % 64 == 0) {
			rangeset_clear(&self->set);
			memset(self->map, 0, BYTES);
		}
		if (i % 4 == 0) {
			ASSERT_EQ(0, rangeset_add(&self->set, start, end, mark, self->map));
			continue;
		}
		ASSERT_EQ(!!memchr(self->map + start, 1, end - start),
			  rangeset_overlaps(&self->set, start, end));
		ASSERT_EQ(!memchr(self->map + start, 0, end - start),
			  rangeset_covers(&self->set, start, end));
	}
}

TEST_F(range, adjacent_ranges_become_one)
{
	ASSERT_EQ(0, rangeset_add(&self->set, 10, 20, NULL, NULL));
	ASSERT_EQ(0, rangeset_add(&self->set, 30, 40, NULL, NULL));
	ASSERT_EQ(2, self->set.count);
	ASSERT_EQ(0, rangeset_add(&self->set, 20, 30, NULL, NULL));
	ASSERT_EQ(1, self->set.count);
	ASSERT_EQ(10, rangeset_first(&self->set)->start);
	ASSERT_EQ(40, rangeset_last(&self->set)->end);
}

TEST_F(range, the_ends_of_the_number_line)
{
	ASSERT_EQ(0, rangeset_add(&self->set, UINT64_MAX - 1, UINT64_MAX, NULL, NULL));
	ASSERT_EQ(0, rangeset_add(&self->set, 0, 1, NULL, NULL));
	ASSERT_EQ(2, self->set.count);
	ASSERT_EQ(0, rangeset_add(&self->set, 0, UINT64_MAX, NULL, NULL));
	ASSERT_EQ(1, self->set.count);
	ASSERT_EQ(UINT64_MAX, self->set.bytes);
	ASSERT_EQ(0, rangeset_remove(&self->set, 1, UINT64_MAX));
	ASSERT_EQ(1, self->set.bytes);
}

TEST_F(range, wrong_and_empty_ranges)
{
	ASSERT_EQ(-EINVAL, rangeset_add(&self->set, 2, 1, NULL, NULL));
	ASSERT_EQ(-EINVAL, rangeset_remove(&self->set, 2, 1));
	ASSERT_EQ(0, rangeset_add(&self->set, 5, 5, mark, self->map));
	ASSERT_EQ(0, self->set.count);
	ASSERT_EQ(NULL, rangeset_first(&self->set));
	ASSERT_EQ(NULL, rangeset_last(&self->set));
	ASSERT_FALSE(rangeset_overlaps(&self->set, 0, UINT64_MAX));
	ASSERT_TRUE(rangeset_covers(&self->set, 3, 3));
}

static int refuse(void *arg, uint64_t start, uint64_t end)
{
	return start >= *(uint64_t *)arg ? -ECANCELED : 0;
}

TEST_F(range, a_callback_that_fails_leaves_the_set_alone)
{
	uint64_t from = 30;

	ASSERT_EQ(0, rangeset_add(&self->set, 10, 20, NULL, NULL));
	ASSERT_EQ(-ECANCELED, rangeset_add(&self->set, 0, 40, refuse, &(uint64_t){ 20 }));
	ASSERT_EQ(1, self->set.count);
	ASSERT_EQ(10, self->set.bytes);
	ASSERT_EQ(0, rangeset_add(&self->set, 0, 25, refuse, &from));
	ASSERT_EQ(25, self->set.bytes);
}

static unsigned int mallocs;
static unsigned int fail_malloc;

/* Takes the place of the C library's, to count and to fail. */
void *malloc(size_t size)
{
	static void *(*real)(size_t size);

	if (!real)
		real = dlsym(RTLD_NEXT, "malloc");
	mallocs++;
	if (fail_malloc && !--fail_malloc)
		return NULL;
	return real(size);
}

TEST_F(range, nodes_are_reused_so_the_steady_state_allocates_nothing)
{
	unsigned int round, i, before = 0;

	for (round = 0; round < 100; round++) {
		if (round == 1)
			before = mallocs;
		for (i = 0; i < 1000; i++)
			rangeset_add(&self->set, 2 * i, 2 * i + 1, NULL, NULL);
		rangeset_clear(&self->set);
	}
	ASSERT_GE(before, 1000);
	ASSERT_EQ(before, mallocs);
}

static bool is_refused_by(struct rangeset *set, unsigned int malloc_number)
{
	static unsigned char map[BYTES];
	size_t count = set->count;
	uint64_t bytes = set->bytes;

	fail_malloc = malloc_number;
	return rangeset_add(set, 200, 210, mark, map) == -ENOMEM && !memchr(map, 1, BYTES) &&
	       set->count == count && set->bytes == bytes;
}

/* Each try that fails at its second node keeps the first, so the next one gets a node further. */
TEST_F(range, without_memory_the_set_stays_as_it_was)
{
	unsigned int i;

	for (i = 0; i < RANGESET_FEW; i++)
		ASSERT_EQ(0, rangeset_add(&self->set, 10 * i, 10 * i + 5, NULL, NULL));
	ASSERT_TRUE(is_refused_by(&self->set, 1));
	for (i = 0; i < RANGESET_FEW; i++)
		ASSERT_TRUE(is_refused_by(&self->set, 2));
	ASSERT_TRUE(is_refused_by(&self->set, 1));
	ASSERT_EQ(0, rangeset_add(&self->set, 200, 210, mark, self->map));
	fail_malloc = 1;
	ASSERT_EQ(-ENOMEM, rangeset_remove(&self->set, 12, 13));
	ASSERT_EQ(5 * RANGESET_FEW + 10, self->set.bytes);
	ASSERT_EQ(RANGESET_FEW + 1, self->set.count);
}

TEST_F(range, a_set_that_is_full_to_the_last_place_splits_into_a_tree)
{
	unsigned int i;

	for (i = 0; i < RANGESET_FEW; i++)
		ASSERT_EQ(0, rangeset_add(&self->set, 10 * i, 10 * i + 5, NULL, NULL));
	fail_malloc = 1;
	ASSERT_EQ(-ENOMEM, rangeset_remove(&self->set, 12, 13));
	ASSERT_EQ(RANGESET_FEW, self->set.count);
	ASSERT_EQ(0, rangeset_remove(&self->set, 12, 13));
	ASSERT_EQ(RANGESET_FEW + 1, self->set.count);
	ASSERT_EQ(5 * RANGESET_FEW - 1, self->set.bytes);
	memset(self->map, 0, BYTES);
	for (i = 0; i < RANGESET_FEW; i++)
		memset(self->map + 10 * i, 1, 5);
	self->map[12] = 0;
	ASSERT_TRUE(same(&self->set, self->map));
}

TEST_F(range, a_few_ranges_allocate_nothing)
{
	unsigned int i, before = mallocs;

	for (i = 0; i < RANGESET_FEW; i++)
		ASSERT_EQ(0, rangeset_add(&self->set, 10 * i, 10 * i + 5, NULL, NULL));
	ASSERT_EQ(before, mallocs);
	ASSERT_EQ(0, rangeset_add(&self->set, 10 * i, 10 * i + 5, NULL, NULL));
	ASSERT_LT(before, mallocs);
}

TEST_F(range, a_million_ranges)
{
	unsigned int i, n = 1000000;

	for (i = 0; i < n; i++) {
		uint64_t at = (uint64_t)i * 7919 % n;

		ASSERT_EQ(0, rangeset_add(&self->set, 2 * at, 2 * at + 1, NULL, NULL));
	}
	ASSERT_EQ(n, self->set.count);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, rangeset_add(&self->set, 2 * i + 1, 2 * i + 2, NULL, NULL));
	ASSERT_EQ(1, self->set.count);
	ASSERT_EQ(2 * n, self->set.bytes);
}

TEST_HARNESS_MAIN
