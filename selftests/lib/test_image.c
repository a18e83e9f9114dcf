// SPDX-License-Identifier: GPL-2.0
/* Images of pages: the newest bytes of each, against a model; their order; what is known. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "image.h"

#define PAGES 40U
#define SEGMENTS 3U
#define BYTES (PAGES * IMAGE_SIZE)
#define FULL 128U	/* a power of two: the hash table has no entry more than it must have */
#define WAY (2 * PIECES_BATCHES * PIECES_SIZE / IMAGE_SIZE)

/* Pages that are far apart too, so that each digit of a page number counts. */
static uint64_t page_number(unsigned int i)
{
	return i % 4 ? i : (uint64_t)i << (i * 2 % 48);
}

/*
 * struct model - what must be known of the pages
 * @bytes: their bytes
 * @known: which are known
 */
struct model {
	unsigned char bytes[SEGMENTS][BYTES];
	bool known[SEGMENTS][BYTES];
};

FIXTURE(image)
{
	struct images images;
	struct model *model;
};

FIXTURE_VARIANT(image)
{
	bool is_beside;
};

FIXTURE_VARIANT_ADD(image, by_one_thread)
{
	.is_beside = false,
};

FIXTURE_VARIANT_ADD(image, by_threads)
{
	.is_beside = true,
};

FIXTURE_SETUP(image)
{
	ASSERT_EQ(0, images_init(&self->images, PAGES * SEGMENTS, variant->is_beside));
	self->model = calloc(1, sizeof(*self->model));
}

FIXTURE_TEARDOWN(image)
{
	images_free(&self->images);
	free(self->model);
}

/* Random ranges within pages, short and long; @state seeds them. */
static int put_ranges(FIXTURE_DATA(image) *self, unsigned int state, int count)
{
	unsigned char bytes[IMAGE_SIZE];
	int i, err = 0;

	for (i = 0; i < count && !err; i++) {
		unsigned int segment = rand_r(&state) % SEGMENTS;
		unsigned int page = rand_r(&state) % PAGES;
		unsigned int n = 1 + rand_r(&state) % (i % 5 ? 300 : IMAGE_SIZE);
		unsigned int at = rand_r(&state) % (IMAGE_SIZE - n + 1);

		memset(bytes, i * 7 + 1, n);
		err = images_put(&self->images, segment + 1,
				 (page_number(page) << IMAGE_SHIFT) + at, bytes, n);
		memcpy(self->model->bytes[segment] + page * IMAGE_SIZE + at, bytes, n);
		memset(self->model->known[segment] + page * IMAGE_SIZE + at, true, n);
	}
	return err;
}

/* Is an image what the model says, as far as @room goes? */
static bool right(FIXTURE_DATA(image) *self, const struct image *image, size_t room)
{
	unsigned char page[IMAGE_SIZE];
	unsigned int i = 0;
	size_t at, known = 0, all = 0;

	while (page_number(i) != image->page)
		i++;
	memset(page, 0xee, sizeof(page));
	for (at = 0; at < IMAGE_SIZE; at++)
		all += self->model->known[image->segment - 1][i * IMAGE_SIZE + at];
	if (image_full(&self->images, image) ? all < IMAGE_SIZE : all == IMAGE_SIZE)
		return false;
	at = image_merge(&self->images, image, (char *)page, room);
	for (all = 0; all < IMAGE_SIZE; all++) {
		size_t byte = i * IMAGE_SIZE + all;
		bool is = all < room && self->model->known[image->segment - 1][byte];

		known += is;
		if (page[all] != (is ? self->model->bytes[image->segment - 1][byte] : 0xee))
			return false;
	}
	return known == at;
}

static bool all_right(FIXTURE_DATA(image) *self)
{
	const struct image *image = self->images.image;
	size_t i;

	images_sort(&self->images);
	image = self->images.image;
	for (i = 0; i < self->images.count; i++) {
		if (i && (image[i].segment < image[i - 1].segment ||
			  (image[i].segment == image[i - 1].segment &&
			   image[i].page <= image[i - 1].page)))
			return false;
		if (!right(self, &image[i], IMAGE_SIZE) || !right(self, &image[i], 1000 + i) ||
		    !right(self, &image[i], 0))
			return false;
	}
	return i;
}

TEST_F_TIMEOUT(image, has_the_newest_bytes_and_a_place_in_the_order, 300)
{
	unsigned int round;

	for (round = 1; round < 60; round++) {
		ASSERT_EQ(0, put_ranges(self, round, round * round));
		ASSERT_TRUE(all_right(self)) {
			TH_LOG("round %u", round);
		}
		images_clear(&self->images);
		memset(self->model, 0, sizeof(*self->model));
	}
}

TEST_F(image, is_forgotten_even_if_it_was_not_sorted)
{
	ASSERT_EQ(0, put_ranges(self, 1, 37));
	images_clear(&self->images);
	memset(self->model, 0, sizeof(*self->model));
	ASSERT_EQ(0, put_ranges(self, 2, 5));
	ASSERT_TRUE(all_right(self));
	ASSERT_GE(5, self->images.count);
}

TEST_F(image, needs_room)
{
	char byte = 1;
	unsigned int i;

	for (i = 0; i < PAGES * SEGMENTS; i++)
		ASSERT_EQ(0, images_put(&self->images, 1, (uint64_t)i << IMAGE_SHIFT, &byte, 1));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(-ENOSPC, images_put(&self->images, 2, 0, &byte, 1));
	ASSERT_EQ(0, images_put(&self->images, 1, 5 << IMAGE_SHIFT, &byte, 1));
	images_sort(&self->images);
	ASSERT_EQ(PAGES * SEGMENTS, self->images.count);
}

/* The next page that @probe, which has room for as many as others, puts in its first part. */
static uint64_t next_of_first_part(struct images *probe, uint64_t page)
{
	size_t before = pieces_pending(&probe->pieces[0]);

	do {
		images_put(probe, 1, ++page << IMAGE_SHIFT, "", 1);
	} while (pieces_pending(&probe->pieces[0]) == before);
	images_clear(probe);
	return page;
}

TEST_F(image, need_no_more_room_if_all_are_of_one_part)
{
	struct images images, probe;
	uint64_t page = 0;
	unsigned int i;

	ASSERT_EQ(0, images_init(&images, FULL, variant->is_beside));
	ASSERT_EQ(0, images_init(&probe, FULL, variant->is_beside));
	ASSERT_EQ(variant->is_beside ? IMAGE_PARTS : 1, images.parts);
	for (i = 0; i < FULL; i++) {
		page = next_of_first_part(&probe, page);
		ASSERT_EQ(0, images_put(&images, 1, page << IMAGE_SHIFT, "x", 1));
	}
	ASSERT_EQ(0, images_put(&images, 1, page << IMAGE_SHIFT, "y", 1));
	page = next_of_first_part(&probe, page);
	ASSERT_EQ(-ENOSPC, images_put(&images, 1, page << IMAGE_SHIFT, "z", 1));
	images_sort(&images);
	ASSERT_EQ(FULL, images.count);
	images_free(&probe);
	images_free(&images);
}

/* More batches than there are, each with pages that have no image yet. */
TEST_F(image, needs_room_for_pages_on_their_way_too)
{
	static unsigned char page[IMAGE_SIZE], bytes[IMAGE_SIZE];
	struct images images;
	unsigned int i;

	ASSERT_EQ(0, images_init(&images, WAY, variant->is_beside));
	for (i = 0; i < 2 * WAY; i++) {
		memset(page, i * 7 + 1, IMAGE_SIZE);
		ASSERT_EQ(i < WAY ? 0 : -ENOSPC,
			  images_put(&images, 1, (uint64_t)i << IMAGE_SHIFT, page, IMAGE_SIZE));
	}
	images_sort(&images);
	ASSERT_EQ(WAY, images.count);
	for (i = 0; i < WAY; i++) {
		memset(page, i * 7 + 1, IMAGE_SIZE);
		ASSERT_TRUE(image_full(&images, &images.image[i]));
		ASSERT_EQ(IMAGE_SIZE, image_merge(&images, &images.image[i], (char *)bytes,
						  IMAGE_SIZE));
		ASSERT_EQ(0, memcmp(page, bytes, IMAGE_SIZE));
	}
	images_free(&images);
}

/* The hash has no room for these numbers: both pages belong to one place of the table. */
TEST(the_same_page_of_two_segments_is_two_images)
{
	static const uint32_t segments[] = { 1, 0x10001 };
	char page[IMAGE_SIZE] = {};
	struct images images;
	unsigned int i;

	ASSERT_EQ(0, images_init(&images, FULL, false));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, images_put(&images, segments[i], 7 << IMAGE_SHIFT, &"ab"[i], 1));
	images_sort(&images);
	ASSERT_EQ(2, images.count);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(segments[i], images.image[i].segment);
		EXPECT_EQ(1, image_merge(&images, &images.image[i], page, IMAGE_SIZE));
		EXPECT_EQ("ab"[i], page[0]);
	}
	images_free(&images);
}

TEST_HARNESS_MAIN
