// SPDX-License-Identifier: LGPL-2.1-or-later
/* Images of pages: the newest bytes that the log has for them. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "image.h"

#define DIGIT	256
#define NEAR	32	/* pieces that wait for memory together, twice */
#define HUGE	(64UL << 20)	/* so much memory is worth large pages in a recovery */

static size_t round_up(size_t n)
{
	return (n + IMAGE_SIZE - 1) & ~(size_t)(IMAGE_SIZE - 1);
}

/* Chains are short, and each part has an entry that stays free, if it has all images. */
static size_t table_entries(size_t max)
{
	size_t n = 64;

	while (n <= IMAGE_PARTS * max)
		n *= 2;
	return n;
}

/* A pieces_fn. */
static void take_pieces(void *arg, struct piece *first, size_t count);

static int init_pieces(struct images *images, bool is_beside)
{
	unsigned int parts = is_beside ? IMAGE_PARTS : 1;

	while (images->parts < parts &&
	       !pieces_init(&images->pieces[images->parts], is_beside, take_pieces, images))
		images->parts++;
	return images->parts == parts ? 0 : -ENOMEM;
}

int images_init(struct images *images, size_t max, bool is_beside)
{
	size_t list = round_up(max * sizeof(struct image));
	size_t known = round_up(max * IMAGE_WORDS * sizeof(uint64_t));
	size_t table = table_entries(max);
	size_t size = (max << IMAGE_SHIFT) + known + 2 * list +
		      round_up(table * sizeof(*images->table));
	char *at = MAP_FAILED;

	memset(images, 0, sizeof(*images));
	if (!init_pieces(images, is_beside))
		at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED) {
		images_free(images);
		return -ENOMEM;
	}
	if (is_beside && size >= HUGE)
		madvise(at, size, MADV_HUGEPAGE);	/* the pages are met at random */
	images->memory = at;
	images->size = size;
	images->max = max;
	images->mask = table / images->parts - 1;
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
	while (images->parts)
		pieces_free(&images->pieces[--images->parts]);
	munmap(images->memory, images->size);	/* nothing, of no bytes */
	images->memory = NULL;
	images->size = 0;
}

static void drain(struct images *images)
{
	unsigned int i;

	for (i = 0; i < images->parts; i++)
		pieces_drain(&images->pieces[i]);
}

void images_clear(struct images *images)
{
	drain(images);
	if (images->count)
		memset(images->table, 0,
		       (images->mask + 1) * images->parts * sizeof(*images->table));
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

/* The part that a page belongs to, by the half of the table where its entry is. */
static struct pieces *part_of(struct images *images, uint32_t segment, uint64_t page)
{
	return &images->pieces[hash(images, segment, page) > images->mask];
}

/* Makes the image of a page; its entry is free. */
static bool make(struct images *images, struct image_entry *entry, uint32_t segment,
		 uint64_t page)
{
	struct image *image;
	size_t at;

	if (__atomic_load_n(&images->count, __ATOMIC_RELAXED) == images->max)
		return false;
	at = __atomic_fetch_add(&images->count, 1, __ATOMIC_RELAXED);
	image = &images->image[at];
	image->page = page;
	image->segment = segment;
	image->at = at;
	memset(known_at(images, at), 0, IMAGE_WORDS * sizeof(uint64_t));
	entry->page = page;
	entry->gaps = IMAGE_WORDS;
	entry->segment = segment;
	entry->number = at + 1;
	return true;
}

/* Where the image of a page is, or the free entry where it belongs; within the page's part. */
static struct image_entry *find_entry(const struct images *images, uint32_t segment, uint64_t page)
{
	size_t slot = hash(images, segment, page);
	struct image_entry *entry = &images->table[slot];

	while (entry->number && (entry->page != page || entry->segment != segment)) {
		slot = (slot & ~images->mask) | ((slot + 1) & images->mask);
		entry = &images->table[slot];
	}
	return entry;
}

/* Tells the entry of a page, whose image is made if need be, or NULL. */
static struct image_entry *find(struct images *images, uint32_t segment, uint64_t page)
{
	struct image_entry *entry = find_entry(images, segment, page);

	if (!entry->number && !make(images, entry, segment, page))
		return NULL;
	return entry;
}

/* Sets bits of a word; tells whether it is the last that it lacked. */
static bool set(uint64_t *word, uint64_t bits)
{
	uint64_t before = *word;

	*word |= bits;
	return ~before && !~*word;
}

/* Notes the bytes from @first to before @end, of which there is one at least. */
static void mark(struct images *images, struct image_entry *entry, size_t first, size_t end)
{
	uint64_t *known = known_at(images, entry->number - 1);
	uint64_t *word = known + first / 64;
	uint64_t *last = known + (end - 1) / 64;
	uint64_t bits = ~0ULL << first % 64;

	for (; word < last; word++) {
		entry->gaps -= set(word, bits);
		bits = ~0ULL;
	}
	entry->gaps -= set(word, bits & ~0ULL >> (63 - (end - 1) % 64));
}

/* Of a page that is full the bitmap is not looked at any more: that is a wait for memory less. */
static void copy(struct images *images, struct image_entry *entry, size_t at, const char *from,
		 size_t n)
{
	memcpy(bytes_at(images, entry->number - 1) + at, from, n);
	if (entry->gaps)
		mark(images, entry, at, at + n);
}

static void fetch_entry(const struct images *images, const struct piece *piece)
{
	__builtin_prefetch(&images->table[hash(images, piece->segment, piece->page)]);
}

static void fetch_image(struct images *images, struct piece *piece)
{
	const struct image_entry *entry = find(images, piece->segment, piece->page);
	const char *bytes = bytes_at(images, entry->number - 1) + piece->at;
	size_t i;

	piece->number = entry - images->table;
	for (i = 0; i < piece->length; i += 64)
		__builtin_prefetch(bytes + i, 1);
	__builtin_prefetch(bytes + piece->length - 1, 1);
	if (entry->gaps)
		__builtin_prefetch(known_at(images, entry->number - 1) + piece->at / 64, 1);
}

static void copy_piece(struct images *images, const struct piece *piece)
{
	copy(images, &images->table[piece->number], piece->at, piece->bytes, piece->length);
}

/*
 * A pieces_fn; in a part's thread, if there is one.  What a piece needs is asked for while NEAR
 * others are on their way: first its entry, then its image.  There is room for all images:
 * images_put() saw to it.
 */
static void take_pieces(void *arg, struct piece *first, size_t count)
{
	struct piece *met = first, *found = first, *copied = first;
	struct images *images = arg;
	size_t i;

	for (i = 0; i < count + 2 * NEAR; i++) {
		if (i < count) {
			fetch_entry(images, met);
			met = piece_next(met);
		}
		if (i >= NEAR && i < count + NEAR) {
			fetch_image(images, found);
			found = piece_next(found);
		}
		if (i >= 2 * NEAR) {
			copy_piece(images, copied);
			copied = piece_next(copied);
		}
	}
}

/* How many more pieces would find room, if each needed an image. */
static size_t room_left(struct images *images)
{
	size_t room, pending = 0;
	unsigned int i;

	for (i = 0; i < images->parts; i++)	/* first: it becomes images */
		pending += pieces_pending(&images->pieces[i]);
	room = images->max - __atomic_load_n(&images->count, __ATOMIC_RELAXED);
	return room > pending ? room - pending : 0;
}

static bool may_queue(struct images *images)
{
	if (!images->allowed)
		images->allowed = room_left(images);
	if (!images->allowed) {
		drain(images);
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
	struct image_entry *entry = find(images, segment, offset >> IMAGE_SHIFT);

	if (!entry)
		return -ENOSPC;
	copy(images, entry, offset & (IMAGE_SIZE - 1), from, n);
	return 0;
}

int images_put(struct images *images, uint32_t segment, uint64_t offset, const void *data,
	       uint64_t length)
{
	const char *from = data;
	int err = 0;

	assert(!images->sorted);
	while (length && !err) {
		uint64_t page = offset >> IMAGE_SHIFT;
		size_t at = offset & (IMAGE_SIZE - 1);
		size_t n = length < IMAGE_SIZE - at ? length : IMAGE_SIZE - at;

		if (may_queue(images))
			pieces_add(part_of(images, segment, page), segment, page, at, from, n);
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

	drain(images);
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
	return !find_entry(images, image->segment, image->page)->gaps;
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
