// SPDX-License-Identifier: LGPL-2.1-or-later
/* Images of pages: the newest bytes that the log has for them. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "image.h"

#define DIGIT	256
#define NEAR	32	/* pieces that wait for memory together */
#define HUGE	(64UL << 20)	/* so much memory is worth large pages in a recovery */

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

/* A pieces_fn. */
static void take_pieces(void *arg, struct piece *first, size_t count);

int images_init(struct images *images, size_t max, bool is_beside)
{
	size_t list = round_up(max * sizeof(struct image));
	size_t known = round_up(max * IMAGE_WORDS * sizeof(uint64_t));
	size_t table = table_entries(max);
	char *at;

	memset(images, 0, sizeof(*images));
	if (pieces_init(&images->pieces, is_beside, take_pieces, images))
		return -ENOMEM;
	images->size = (max << IMAGE_SHIFT) + known + 2 * list +
		       round_up(table * sizeof(*images->table));
	at = mmap(NULL, images->size, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED) {
		pieces_free(&images->pieces);
		images->size = 0;
		return -ENOMEM;
	}
	if (is_beside && images->size >= HUGE)
		madvise(at, images->size, MADV_HUGEPAGE);	/* the pages are met at random */
	images->memory = at;
	images->max = max;
	images->mask = table - 1;
	images->shift = 64 - __builtin_ctzll(table);
	images->bytes = at;
	at += max << IMAGE_SHIFT;
	images->known = (uint64_t *)at;
	at += known;
	images->image = (struct image *)at;
	at += list;
	images->spare = (struct image *)at;
	at += list;
	images->table = (struct image_entry *)at;
	return 0;
}

void images_free(struct images *images)
{
	pieces_free(&images->pieces);
	munmap(images->memory, images->size);	/* nothing, of no bytes */
	images->memory = NULL;
	images->size = 0;
}

void images_clear(struct images *images)
{
	pieces_drain(&images->pieces);
	if (images->count)
		memset(images->table, 0, (images->mask + 1) * sizeof(*images->table));
	images->count = 0;
	images->allowed = 0;
	images->sorted = false;
}

static uint64_t *known_at(const struct images *images, uint32_t at)
{
	return images->known + (size_t)at * IMAGE_WORDS;
}

static char *bytes_at(const struct images *images, uint32_t at)
{
	return images->bytes + ((size_t)at << IMAGE_SHIFT);
}

static size_t hash(const struct images *images, uint32_t segment, uint64_t page)
{
	uint64_t x = (page ^ (uint64_t)segment << 48) * 0x9e3779b97f4a7c15ULL;

	return x >> images->shift;	/* the high bits spread neighbours over the table */
}

/* Makes the image of a page; its entry is free. */
static bool make(struct images *images, struct image_entry *entry, uint32_t segment,
		 uint64_t page)
{
	struct image *image = &images->image[images->count];

	if (images->count == images->max)
		return false;
	image->page = page;
	image->segment = segment;
	image->at = images->count;
	memset(known_at(images, image->at), 0, IMAGE_WORDS * sizeof(uint64_t));
	entry->page = page;
	entry->segment = segment;
	entry->number = image->at + 1;
	__atomic_store_n(&images->count, image->at + 1, __ATOMIC_RELAXED);
	return true;
}

/* Where the image of a page is, or the free entry where it belongs. */
static struct image_entry *find_entry(const struct images *images, uint32_t segment, uint64_t page)
{
	size_t slot = hash(images, segment, page);
	struct image_entry *entry = &images->table[slot];

	while (entry->number && (entry->page != page || entry->segment != segment)) {
		slot = (slot + 1) & images->mask;
		entry = &images->table[slot];
	}
	return entry;
}

/* Tells where the image of a page is, which is made if need be. */
static bool find(struct images *images, uint32_t segment, uint64_t page, uint32_t *at)
{
	struct image_entry *entry = find_entry(images, segment, page);

	if (!entry->number && !make(images, entry, segment, page))
		return false;
	*at = entry->number - 1;
	return true;
}

/* Sets the bits from @first to before @end, of which there is one at least. */
static void mark(uint64_t *known, size_t first, size_t end)
{
	uint64_t *word = known + first / 64;
	uint64_t *last = known + (end - 1) / 64;
	uint64_t bits = ~0ULL << first % 64;

	while (word < last) {
		*word++ |= bits;
		bits = ~0ULL;
	}
	*word |= bits & ~0ULL >> (63 - (end - 1) % 64);
}

static void copy(struct images *images, uint32_t image, size_t at, const char *from, size_t n)
{
	memcpy(bytes_at(images, image) + at, from, n);
	mark(known_at(images, image), at, at + n);
}

static void fetch(const struct images *images, const struct piece *piece)
{
	const char *bytes = bytes_at(images, piece->number) + piece->at;
	size_t i;

	for (i = 0; i < piece->length; i += 64)
		__builtin_prefetch(bytes + i, 1);
	__builtin_prefetch(bytes + piece->length - 1, 1);
	__builtin_prefetch(known_at(images, piece->number) + piece->at / 64, 1);
}

static void fetch_entries(const struct images *images, struct piece *piece, size_t count)
{
	for (; count--; piece = piece_next(piece))
		__builtin_prefetch(&images->table[hash(images, piece->segment, piece->page)]);
}

/* There is room for all images: images_put() saw to it. */
static void find_images(struct images *images, struct piece *piece, size_t count)
{
	for (; count--; piece = piece_next(piece)) {
		find(images, piece->segment, piece->page, &piece->number);
		fetch(images, piece);
	}
}

static struct piece *copy_pieces(struct images *images, struct piece *piece, size_t count)
{
	for (; count--; piece = piece_next(piece))
		copy(images, piece->number, piece->at, piece->bytes, piece->length);
	return piece;
}

/* A pieces_fn; in the thread, if there is one. */
static void take_pieces(void *arg, struct piece *first, size_t count)
{
	struct images *images = arg;
	size_t n;

	for (; count; count -= n) {
		n = count < NEAR ? count : NEAR;
		fetch_entries(images, first, n);
		find_images(images, first, n);
		first = copy_pieces(images, first, n);
	}
}

/* How many more pieces would find room, if each needed an image. */
static size_t room_left(struct images *images)
{
	size_t pending = pieces_pending(&images->pieces);	/* first: it becomes images */
	size_t room = images->max - __atomic_load_n(&images->count, __ATOMIC_RELAXED);

	return room > pending ? room - pending : 0;
}

static bool may_queue(struct images *images)
{
	if (!images->allowed)
		images->allowed = room_left(images);
	if (!images->allowed) {
		pieces_drain(&images->pieces);
		images->allowed = room_left(images);
	}
	if (!images->allowed)
		return false;
	images->allowed--;
	return true;
}

/* Bytes of one page, when there is no room for another and all that were queued are in. */
static int put_now(struct images *images, uint32_t segment, uint64_t offset, const char *from,
		   size_t n)
{
	uint32_t image;

	if (!find(images, segment, offset >> IMAGE_SHIFT, &image))
		return -ENOSPC;
	copy(images, image, offset & (IMAGE_SIZE - 1), from, n);
	return 0;
}

int images_put(struct images *images, uint32_t segment, uint64_t offset, const void *data,
	       uint64_t length)
{
	const char *from = data;
	int err = 0;

	assert(!images->sorted);
	while (length && !err) {
		size_t at = offset & (IMAGE_SIZE - 1);
		size_t n = length < IMAGE_SIZE - at ? length : IMAGE_SIZE - at;

		if (may_queue(images))
			pieces_add(&images->pieces, segment, offset >> IMAGE_SHIFT, at, from, n);
		else
			err = put_now(images, segment, offset, from, n);
		from += n;
		offset += n;
		length -= n;
	}
	return err;
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

	pieces_drain(&images->pieces);
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
	const uint64_t *known = known_at(images, image->at);
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
	const uint64_t *known = known_at(images, image->at);
	const char *bytes = bytes_at(images, image->at);
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
