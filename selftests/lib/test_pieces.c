// SPDX-License-Identifier: GPL-2.0
/* Pieces of pages on their way: all are taken, in their order, and when the drain returns. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "pieces.h"

#define PAGE	4096U
#define COUNT	1500U

/*
 * struct taken - what was taken
 * @count: how many
 * @wrong: one that is not the next, or has other bytes
 */
struct taken {
	unsigned int count;
	bool wrong;
};

static size_t length_of(unsigned int n)
{
	return n % 3 ? 1 + n * 37 % PAGE : 1 + n % 70;
}

/* Slower than who adds. */
static void take(void *arg, struct piece *piece, size_t count)
{
	struct taken *taken = arg;
	char bytes[PAGE];

	usleep(count ? 2000 : 0);
	for (; count--; piece = piece_next(piece)) {
		unsigned int n = taken->count++;

		memset(bytes, n, sizeof(bytes));
		taken->wrong |= piece->page != n * 3ULL << 20 || piece->segment != n + 1 ||
				piece->at != n % 11 || piece->length != length_of(n) ||
				memcmp(piece->bytes, bytes, piece->length);
	}
}

FIXTURE(pieces)
{
	struct pieces pieces;
	struct taken taken;
};

FIXTURE_VARIANT(pieces)
{
	bool is_beside;
};

FIXTURE_VARIANT_ADD(pieces, by_who_adds)
{
	.is_beside = false,
};

FIXTURE_VARIANT_ADD(pieces, by_a_thread)
{
	.is_beside = true,
};

FIXTURE_SETUP(pieces)
{
	ASSERT_EQ(0, pieces_init(&self->pieces, variant->is_beside, take, &self->taken));
}

FIXTURE_TEARDOWN(pieces)
{
	pieces_free(&self->pieces);
}

static void add(struct pieces *pieces, unsigned int n)
{
	char bytes[PAGE];

	memset(bytes, n, sizeof(bytes));
	pieces_add(pieces, n + 1, n * 3ULL << 20, n % 11, bytes, length_of(n));
}

TEST_F_TIMEOUT(pieces, are_taken_in_their_order_before_the_drain_returns, 300)
{
	unsigned int n;

	for (n = 0; n < COUNT; n++) {
		add(&self->pieces, n);
		if (n != 3 && n != 700 && n != COUNT - 1)
			continue;
		pieces_drain(&self->pieces);
		ASSERT_EQ(n + 1, self->taken.count);
		ASSERT_EQ(0, pieces_pending(&self->pieces));
	}
	ASSERT_FALSE(self->taken.wrong);
	ASSERT_EQ(variant->is_beside, self->pieces.has_thread);
}

TEST_F(pieces, count_as_pending_until_they_are_taken)
{
	unsigned int n;

	for (n = 0; n < 5; n++) {
		add(&self->pieces, n);
		ASSERT_EQ(n + 1, pieces_pending(&self->pieces));
	}
	ASSERT_EQ(0, self->taken.count);
	pieces_drain(&self->pieces);
	ASSERT_EQ(5, self->taken.count);
	ASSERT_FALSE(self->pieces.has_thread);
}

TEST_F(pieces, may_be_given_up_on_their_way)
{
	unsigned int n;

	for (n = 0; n < COUNT / 2; n++)
		add(&self->pieces, n);
	pieces_free(&self->pieces);
	ASSERT_GE(COUNT / 2, self->taken.count);
	ASSERT_FALSE(self->taken.wrong);
}

TEST_HARNESS_MAIN
