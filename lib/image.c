// SPDX-License-Identifier: LGPL-2.1-or-later
/* Images of pages: the newest bytes that the log has for them. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "image.h"

#define DIGIT	256
#define HUGE	(64UL << 20)	/* so much memory is worth large pages */

static size_t round_up(size_t n)
{
	return (n + IMAGE_SIZE - 1) & ~(size_t)(IMAGE_SIZE - 1);
}

/* Twice as many entries as images, so that chains are short. */
static size_t table_entries(size_t max)
{
	size_t n = 64;

	while (n < 2 * max)
		n *= 2;
	return n;
}

int images_init(struct images *images, size_t max)
{
	size_t list = round_up(max * sizeof(struct image));
	size_t known = round_up(max * IMAGE_WORDS * sizeof(uint64_t));
	size_t table = table_entries(max);
	char *at;

	memset(images, 0, sizeof(*images));
	images->size = (max << IMAGE_SHIFT) + known + 2 * list +
		       round_up(table * sizeof(*images->table));
	at = mmap(NULL, images->size, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return -ENOMEM;
	if (images->size >= HUGE)
		madvise(at, images->size, MADV_HUGEPAGE);	/* the pages are met at random */
	images->memory = at;
	images->max = max;
	images->mask = table - 1;
	images->bytes = at;
	at += max << IMAGE_SHIFT;
	images->known = (uint64_t *)at;
	at += known;
	images->image = (struct image *)at;
	at += list;
	images->spare = (struct image *)at;
	at += list;
	images->table = (uint32_t *)at;
	return 0;
}

void images_free(struct images *images)
{
	if (images->memory)
		munmap(images->memory, images->size);
	images->memory = NULL;
}

void images_clear(struct images *images)
{
	if (images->count)
		memset(images->table, 0, (images->mask + 1) * sizeof(*images->table));
	images->count = 0;
	images->sorted = false;
}

static uint64_t *known_of(const struct images *images, const struct image *image)
{
	return images->known + (size_t)image->at * IMAGE_WORDS;
}

static char *bytes_of(const struct images *images, const struct image *image)
{
	return images->bytes + ((size_t)image->at << IMAGE_SHIFT);
}

static size_t hash(const struct images *images, uint32_t segment, uint64_t page)
{
	uint64_t x = (page ^ (uint64_t)segment << 48) * 0x9e3779b97f4a7c15ULL;

	return (x ^ x >> 32) & images->mask;
}

static struct image *make(struct images *images, size_t slot, uint32_t segment, uint64_t page)
{
	struct image *image;

	if (images->count == images->max)
		return NULL;
	image = &images->image[images->count];
	image->page = page;
	image->segment = segment;
	image->at = images->count;
	memset(known_of(images, image), 0, IMAGE_WORDS * sizeof(uint64_t));
	images->table[slot] = ++images->count;
	return image;
}

/* The slot of a page's image, or the free one where it belongs. */
static size_t find_slot(const struct images *images, uint32_t segment, uint64_t page)
{
	size_t slot = hash(images, segment, page);

	for (; images->table[slot]; slot = (slot + 1) & images->mask) {
		const struct image *image = &images->image[images->table[slot] - 1];

		if (image->page == page && image->segment == segment)
			break;
	}
	return slot;
}

static struct image *find(struct images *images, uint32_t segment, uint64_t page)
{
	size_t slot = find_slot(images, segment, page);

	if (images->table[slot])
		return &images->image[images->table[slot] - 1];
	return make(images, slot, segment, page);
}

void images_expect(const struct images *images, uint32_t segment, uint64_t offset)
{
	size_t slot = find_slot(images, segment, offset >> IMAGE_SHIFT);
	size_t at = offset & (IMAGE_SIZE - 1);
	const struct image *image;

	if (!images->table[slot])
		return;
	image = &images->image[images->table[slot] - 1];
	__builtin_prefetch(bytes_of(images, image) + at, 1);
	__builtin_prefetch(bytes_of(images, image) + (at | 64), 1);
	__builtin_prefetch(known_of(images, image) + at / 64, 1);
}

/* The bits of @word from @first to before @end, both counted in the page. */
static uint64_t bits_of(size_t word, size_t first, size_t end)
{
	uint64_t bits = ~0ULL;

	if (first > word * 64)
		bits <<= first - word * 64;
	if (end < (word + 1) * 64)
		bits &= ~0ULL >> ((word + 1) * 64 - end);
	return bits;
}

static void mark(uint64_t *known, size_t first, size_t end)
{
	size_t word;

	for (word = first / 64; word * 64 < end; word++)
		known[word] |= bits_of(word, first, end);
}

int images_put(struct images *images, uint32_t segment, uint64_t offset, const void *data,
	       uint64_t length)
{
	const char *from = data;

	assert(!images->sorted);
	while (length) {
		struct image *image = find(images, segment, offset >> IMAGE_SHIFT);
		size_t at = offset & (IMAGE_SIZE - 1);
		size_t n = IMAGE_SIZE - at;

		if (!image)
			return -ENOSPC;
		if (n > length)
			n = length;
		memcpy(bytes_of(images, image) + at, from, n);
		mark(known_of(images, image), at, at + n);
		from += n;
		offset += n;
		length -= n;
	}
	return 0;
}

/* The digits of an image, lowest first: 8 of its page, then 4 of its segment. */
static unsigned int digit(const struct image *image, unsigned int i)
{
	return (i < 8 ? image->page >> 8 * i : image->segment >> 8 * (i - 8)) % DIGIT;
}

static void sort_by(struct images *images, unsigned int i, const size_t *counts)
{
	struct image *sorted = images->spare;
	size_t start[DIGIT];
	size_t n, sum = 0;

	for (n = 0; n < DIGIT; n++) {
		start[n] = sum;
		sum += counts[n];
	}
	for (n = 0; n < images->count; n++)
		sorted[start[digit(&images->image[n], i)]++] = images->image[n];
	images->spare = images->image;
	images->image = sorted;
}

void images_sort(struct images *images)
{
	unsigned int i;

	images->sorted = true;
	for (i = 0; i < 12 && images->count; i++) {
		size_t counts[DIGIT] = {};
		size_t n;

		for (n = 0; n < images->count; n++)
			counts[digit(&images->image[n], i)]++;
		if (counts[digit(&images->image[0], i)] < images->count)
			sort_by(images, i, counts);
	}
}

bool image_full(const struct images *images, const struct image *image)
{
	const uint64_t *known = known_of(images, image);
	size_t i;

	for (i = 0; i < IMAGE_WORDS; i++)
		if (~known[i])
			return false;
	return true;
}

/* The first bit from @at on that is @set, or IMAGE_SIZE. */
static size_t next_bit(const uint64_t *known, size_t at, bool set)
{
	size_t word = at / 64;
	uint64_t bits;

	if (at == IMAGE_SIZE)
		return at;
	bits = (set ? known[word] : ~known[word]) & ~0ULL << at % 64;
	while (!bits) {
		if (++word == IMAGE_WORDS)
			return IMAGE_SIZE;
		bits = set ? known[word] : ~known[word];
	}
	return word * 64 + __builtin_ctzll(bits);
}

size_t image_merge(const struct images *images, const struct image *image, char *page,
		   size_t room)
{
	const uint64_t *known = known_of(images, image);
	const char *bytes = bytes_of(images, image);
	size_t start = next_bit(known, 0, true);
	size_t copied = 0;

	while (start < room) {
		size_t end = next_bit(known, start, false);

		if (end > room)
			end = room;
		memcpy(page + start, bytes + start, end - start);
		copied += end - start;
		start = next_bit(known, end, true);
	}
	return copied;
}
