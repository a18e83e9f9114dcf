// SPDX-License-Identifier: GPL-2.0
/* Merging transactions that nobody waits for, against a map of single bytes. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "kselftest_harness.h"
#include "spool.h"

#define SEGMENTS	3
#define BYTES		20000	/* of each segment: five pages */
#define ROOM		16384

/* struct model - what the spool must hold */
struct model {
	unsigned char value[SEGMENTS][BYTES];
	uint64_t owner[SEGMENTS][BYTES];	/* the newest transaction that changed it, or 0 */
	uint64_t newest;
	uint64_t overwritten;
};

FIXTURE(spool)
{
	struct spool spool;
	struct model *model;
};

FIXTURE_SETUP(spool)
{
	self->model = calloc(1, sizeof(*self->model));
	ASSERT_EQ(0, spool_init(&self->spool, ROOM));
}

FIXTURE_TEARDOWN(spool)
{
	spool_free(&self->spool);
	free(self->model);
}

static void note(struct model *model, const struct log_range *r)
{
	const unsigned char *data = r->data;
	uint64_t i;

	for (i = 0; i < r->length; i++) {
		uint64_t *owner = &model->owner[r->segment - 1][r->offset + i];

		model->overwritten += *owner && *owner != model->newest;
		*owner = model->newest;
		model->value[r->segment - 1][r->offset + i] = data[i];
	}
}

/* Adds a transaction to both, or tells that there is no room. */
static bool add(struct spool *spool, struct model *model, const struct log_range *ranges,
		unsigned int count)
{
	unsigned int i;

	if (!spool_bound(spool, ranges, count))
		return false;
	spool_add(spool, ++model->newest, ranges, count);
	for (i = 0; i < count; i++)
		note(model, &ranges[i]);
	return true;
}

/* The spool has each byte that was changed once, with its newest value, and no other. */
static bool same(struct spool *spool, struct model *model)
{
	static unsigned char seen[SEGMENTS][BYTES];
	unsigned int count = spool_take(spool), i;
	uint64_t at;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < count; i++) {
		const struct log_range *r = &spool->out[i];
		unsigned int s = r->segment - 1;

		for (at = r->offset; at < r->offset + r->length; at++)
			if (seen[s][at]++ || !model->owner[s][at] ||
			    model->value[s][at] != ((unsigned char *)r->data)[at - r->offset])
				return false;
	}
	for (i = 0; i < SEGMENTS; i++)
		for (at = 0; at < BYTES; at++)
			if (!seen[i][at] != !model->owner[i][at])
				return false;
	return true;
}

/* A transaction's ranges are disjoint; here each is of a segment or half of its own. */
static unsigned int random_ranges(unsigned int *seed, unsigned char *data, unsigned int longest,
				  struct log_range *ranges)
{
	unsigned int count = 1 + rand_r(seed) % SEGMENTS, i;

	for (i = 0; i < longest; i++)
		data[i] = rand_r(seed) >> 8;
	for (i = 0; i < count; i++) {
		ranges[i].segment = 1 + i;
		ranges[i].length = 1 + rand_r(seed) % longest;
		ranges[i].offset = rand_r(seed) % (BYTES - ranges[i].length);
		ranges[i].data = data;
	}
	return count;
}

static void forget(struct spool *spool, struct model *model)
{
	spool_clear(spool);
	memset(model->owner, 0, sizeof(model->owner));
	model->overwritten = 0;
}

TEST_F(spool, random_transactions_match_a_byte_map)
{
	unsigned int longest[] = { 3, 40, 700, 6000 };
	unsigned char data[6000];
	struct log_range ranges[SEGMENTS];
	unsigned int seed = 1, round, i;
	uint64_t overwritten = 0;

	for (round = 0; round < 4; round++)
		for (i = 0; i < 600; i++) {
			unsigned int n = random_ranges(&seed, data, longest[round], ranges);

			if (!add(&self->spool, self->model, ranges, n)) {
				ASSERT_TRUE(same(&self->spool, self->model));
				ASSERT_EQ(self->model->overwritten, self->spool.stats.bytes);
				overwritten += self->model->overwritten;
				forget(&self->spool, self->model);
				ASSERT_TRUE(add(&self->spool, self->model, ranges, n));
			}
			if (i % 16 == 0)
				ASSERT_TRUE(same(&self->spool, self->model));
		}
	EXPECT_LT(1000, overwritten);
}

TEST_F(spool, its_record_is_never_longer_than_the_bound)
{
	struct log_range ranges[SEGMENTS];
	unsigned char data[100];
	unsigned int seed = 2, i;

	for (i = 0; i < 500; i++) {
		unsigned int n = random_ranges(&seed, data, 100, ranges);
		uint64_t bound = spool_bound(&self->spool, ranges, n);

		if (!bound) {
			spool_clear(&self->spool);
			bound = spool_bound(&self->spool, ranges, n);
		}
		ASSERT_TRUE(add(&self->spool, self->model, ranges, n));
		ASSERT_GE(bound, spool_length(&self->spool));
	}
}

/* One range, or a transaction of one. */
static struct log_range range(uint64_t offset, uint64_t length)
{
	static const unsigned char data[BYTES];

	return (struct log_range) {
		.segment = 1, .offset = offset, .length = length, .data = data,
	};
}

static void add_one(struct spool *spool, struct model *model, uint64_t offset, uint64_t length)
{
	struct log_range r = range(offset, length);

	add(spool, model, &r, 1);
}

TEST_F(spool, a_transaction_that_newer_ones_cover_takes_no_room)
{
	struct spool *spool = &self->spool;
	struct log_range two[2] = { range(0, 100), range(8000, 100) };
	uint64_t length;
	int i;

	ASSERT_TRUE(add(spool, self->model, two, 2));
	length = spool_length(spool);
	EXPECT_EQ(0, spool->stats.eliminated);
	/* half of it is covered now */
	add_one(spool, self->model, 0, 100);
	EXPECT_EQ(0, spool->stats.eliminated);
	/* and now the rest */
	add_one(spool, self->model, 8000, 100);
	EXPECT_EQ(1, spool->stats.eliminated);
	EXPECT_EQ(2, spool->stats.ranges);
	EXPECT_EQ(200, spool->stats.bytes);
	EXPECT_EQ(length, spool_length(spool));
	/* each is covered by the next but the last */
	for (i = 0; i < 50; i++)
		add_one(spool, self->model, 0, 100);
	EXPECT_EQ(1 + 50, spool->stats.eliminated);
	EXPECT_EQ(length, spool_length(spool));
	EXPECT_TRUE(same(spool, self->model));
}

TEST_F(spool, a_range_across_pages_is_one_again_in_the_record)
{
	add_one(&self->spool, self->model, 100, 15000);
	EXPECT_EQ(1, spool_take(&self->spool));
	EXPECT_TRUE(same(&self->spool, self->model));
}

TEST_F(spool, what_is_too_much_is_refused)
{
	struct log_range r = range(0, ROOM + 1);
	int i;

	EXPECT_EQ(0, spool_bound(&self->spool, &r, 1));
	r.length = ROOM;
	EXPECT_LT(ROOM, spool_bound(&self->spool, &r, 1));
	add_one(&self->spool, self->model, 0, ROOM);
	r.length = 1;
	EXPECT_EQ(0, spool_bound(&self->spool, &r, 1));
	spool_clear(&self->spool);
	/* as many transactions as it can count, of one byte */
	for (i = 0; spool_bound(&self->spool, &r, 1); i++)
		spool_add(&self->spool, i, &r, 1);
	EXPECT_LT(100, i);
}

TEST_HARNESS_MAIN
