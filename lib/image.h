/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images of pages: the newest bytes that the log has for them.
 *
 * Bytes are put in as the log has them in order, so later ones overwrite earlier ones, and a bitmap
 * tells which bytes of a page are known.  A range costs a look into a hash table and a copy,
 * whatever was put in before; the pages are sorted once, by their digits, when they go out.
 *
 * The pages are met at random, so each look and each copy would wait for memory.  Bytes are
 * therefore queued in pieces, and what some of them need is fetched for all of these; they go on in
 * the order of the log, all before the pages are sorted, and, if there is much, in other threads:
 * each has a part of the pages, and of the hash table.
 */
#ifndef RVM_LIB_IMAGE_H
#define RVM_LIB_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pieces.h"

#define IMAGE_SHIFT	12
#define IMAGE_SIZE	(1U << IMAGE_SHIFT)
#define IMAGE_WORDS	(IMAGE_SIZE / 64)
#define IMAGE_PARTS	2U	/* as many as halves of the hash table */

/**
 * struct image - a page of which the log has bytes
 * @page: its number in the segment
 * @segment: the segment's number in the dictionary
 * @at: where its bytes and its bitmap are
 */
struct image {
	uint64_t page;
	uint32_t segment;
	uint32_t at;
};

/**
 * struct image_entry - what a hash table has for a page, all in one place
 * @page: its number in the segment
 * @gaps: words of its bitmap that lack a bit
 * @segment: the segment's number
 * @number: 0: nothing; else @at of its image + 1
 */
struct image_entry {
	uint64_t page : 52;
	uint64_t gaps : 12;
	uint32_t segment;
	uint32_t number;
};

/**
 * struct images - a set of them
 * @max: how many there may be
 * @count: how many there are; atomic, changed by who takes the pieces
 * @image: they, in the order of their making until images_sort()
 * @spare: room for sorting
 * @bytes: a page each
 * @known: a bitmap each: which of its bytes are known
 * @table: hash table of those that were made
 * @mask: entries of a part of the table less one
 * @shift: 64 less the bits of a number of an entry
 * @sorted: nothing may be put in until images_clear()
 * @parts: how many, 1 or IMAGE_PARTS
 * @pieces: what was put in and is not copied yet, for each part; there is room for their images
 * @allowed: how many more may be queued before the room is looked at again
 * @memory: the mapping that holds all that
 * @size: its bytes; only what is used takes memory
 */
struct images {
	size_t max;
	size_t count;
	struct image *image;
	struct image *spare;
	char *bytes;
	uint64_t *known;
	struct image_entry *table;
	size_t mask;
	unsigned int shift;
	bool sorted;
	unsigned int parts;
	struct pieces pieces[IMAGE_PARTS];
	size_t allowed;
	void *memory;
	size_t size;
};

/**
 * images_init() - make an empty set
 * @images: to be filled in
 * @max: how many pages it may hold
 * @is_beside: it is for recovery: threads may copy what is put in, and large pages are worth the
 *	time that it takes to clear them
 *
 * Return: 0 or -ENOMEM, without a text.
 */
int images_init(struct images *images, size_t max, bool is_beside);

/** images_free() - free the memory; all zero bytes are fine too */
void images_free(struct images *images);

/** images_clear() - empty the set and keep its memory */
void images_clear(struct images *images);

/**
 * images_put() - put bytes in
 * @images: the set, not sorted
 * @segment: the segment's number
 * @offset: the first byte in it
 * @data: the bytes
 * @length: how many
 *
 * Return: 0; -ENOSPC there is no room for another page; some of the bytes may be in then.
 */
int images_put(struct images *images, uint32_t segment, uint64_t offset, const void *data,
	       uint64_t length);

/** images_sort() - put the images in the order of segments and pages */
void images_sort(struct images *images);

/** image_full() - are all bytes of an image known? */
bool image_full(const struct images *images, const struct image *image);

/**
 * image_merge() - copy the known bytes of an image
 * @images: the set
 * @image: the image
 * @page: where to
 * @room: bytes there, at most IMAGE_SIZE
 *
 * Return: how many bytes were copied.
 */
size_t image_merge(const struct images *images, const struct image *image, char *page,
		   size_t room);

#endif
