// SPDX-License-Identifier: GPL-2.0
/* Whole images of logs as inputs. */
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "crc.h"
#include "format.h"
#include "fuzz.h"
#include "logimage.h"
#include "memdisk.h"
#include "model.h"
#include "mutate.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

const char *image_segment(unsigned int i)
{
	return i ? "/two" : "/one";
}

void image_put(const uint8_t *data, size_t size)
{
	uint8_t bytes[IMAGE_BYTES];
	unsigned int i, at;

	if (!mem_find(IMAGE_LOG))
		mem_install();
	mem_heal();
	mem_put(IMAGE_LOG, data, size);
	for (i = 0; i < IMAGE_SEGMENTS; i++) {
		for (at = 0; at < IMAGE_BYTES; at++)
			bytes[at] = at / 16 + 101 * i;
		mem_put(image_segment(i), bytes, IMAGE_BYTES);
	}
}

static const struct field status[] = {
	{ 8, 4 }, { 12, 4 }, { 16, 8 }, { 32, 4 }, { 36, 4 }, { 40, 4 }, { 44, 4 }, { 48, 8 },
	{ 56, 8 }, { 64, 8 }, { 72, 8 }, { 80, 8 }, { 88, 8 }, { 96, 8 }, { 104, 4 }, { 104, 1 },
};

static const struct field dict[] = {
	{ 0, 8 }, { 8, 8 }, { 16, 4 }, { 20, 4 }, { 24, 4 }, { 28, 4 }, { 32, 8 }, { 40, 8 },
	{ 56, 1 }, { 57, 1 }, { 60, 1 }, { 64, 4 }, { 68, 4 }, { 72, 8 }, { 96, 1 },
};

static const struct field record[] = {
	{ 0, 4 }, { 4, 4 }, { 8, 2 }, { 10, 2 }, { 12, 4 }, { 16, 8 }, { 24, 8 }, { 32, 8 },
	{ 40, 8 },
	{ 48, 8 }, { 56, 4 }, { 60, 4 }, { 64, 8 }, { 72, 4 }, { 76, 4 },
};

/* struct layout - where things are in an image; without a status that fits there are none */
struct layout {
	uint8_t *data;
	size_t size;
	uint64_t dict_size;
	uint64_t area_offset;
	uint64_t area_size;
	uint64_t head;
	uint32_t generation;
	const uint8_t *uuid;
	uint64_t at[512];	/* records, by their place in the area */
	uint64_t length[512];	/* theirs */
	unsigned int records;
};

/* What looks like a record and lies in one piece may be repaired. */
static void find_records(struct layout *l)
{
	uint64_t at, length;

	for (at = 0; at + FORMAT_RECORD_MIN <= l->area_size && l->records < 512; at += 8) {
		const uint8_t *p = l->data + l->area_offset + at;

		if (mutate_get(p, 4) != FORMAT_RECORD_MAGIC)
			continue;
		length = mutate_get(p + 16, 8);
		if (length < FORMAT_RECORD_MIN || length % 8 || length > l->area_size - at)
			continue;
		l->at[l->records] = at;
		l->length[l->records++] = length;
	}
}

static bool read_layout(struct layout *l, uint8_t *data, size_t size)
{
	struct model_status s;

	memset(l, 0, sizeof(*l));
	l->data = data;
	l->size = size;
	if (model_status(data, size, &s))
		return false;
	l->dict_size = s.dict_size;
	l->area_offset = s.area_offset;
	l->area_size = s.area_size;
	l->head = s.head;
	l->generation = s.generation;
	l->uuid = data + s.copy * FORMAT_BLOCK + 16;
	find_records(l);
	return true;
}

static void repair_dict(struct layout *l, uint8_t *copy)
{
	mutate_put(copy + l->dict_size - 4, 4,
		   crc32c(crc32c(0, l->uuid, FORMAT_UUID), copy, l->dict_size - 4));
}

static void repair(uint8_t *data, size_t size)
{
	struct layout l;
	unsigned int i;

	for (i = 0; i < 2; i++)
		repair_status(data + i * FORMAT_BLOCK);
	if (!read_layout(&l, data, size))
		return;
	for (i = 0; i < 2; i++)
		repair_dict(&l, data + FORMAT_DICT_OFFSET + i * l.dict_size);
	for (i = 0; i < l.records; i++)
		if (mutate_below(32))
			repair_record(data + l.area_offset + l.at[i], l.length[i], l.uuid,
				      l.generation);
}

/* A number of a record is another place's: of the log, or of another record. */
static void borrow(struct layout *l, uint8_t *p)
{
	static const struct field lsns[] = { { 16, 8 }, { 24, 8 }, { 32, 8 }, { 48, 8 } };
	const struct field *to = &lsns[mutate_below(COUNT(lsns))];
	const uint8_t *other = l->data + l->area_offset + l->at[mutate_below(l->records)];
	uint64_t value = l->head + 8 * mutate_below(l->area_size / 8);

	if (mutate_below(2))
		value = mutate_get(other + 16 + 8 * mutate_below(3), 8);
	mutate_put(p + to->offset, 8, value);
}

static void change_record(struct layout *l)
{
	const struct field *field = &record[mutate_below(COUNT(record))];
	unsigned int i;
	uint8_t *p;

	if (!l->records)
		return;
	i = mutate_below(l->records);
	p = l->data + l->area_offset + l->at[i];
	switch (mutate_below(4)) {
	case 0:
		borrow(l, p);
		break;
	case 1:
		mutate_bytes(p, l->length[i]);
		break;
	case 2:
		mutate_field(p + l->length[i] - 16 + 4 * mutate_below(4), 4);
		break;
	default:
		if (field->offset + field->width <= l->length[i])
			mutate_field(p + field->offset, field->width);
	}
}

/* A sector is lost, or another's. */
static void move_sector(uint8_t *data, size_t size)
{
	size_t n = 512U << mutate_below(4), count = size / n;
	uint8_t *to;

	if (!count)
		return;
	to = data + mutate_below(count) * n;
	if (mutate_below(2))
		memset(to, 0, n);
	else
		memmove(to, data + mutate_below(count) * n, n);
}

static size_t change(uint8_t *data, size_t size, size_t max)
{
	unsigned int copy = mutate_below(2);
	struct layout l;

	switch (mutate_below(8)) {
	case 0:
		mutate_one(data + copy * FORMAT_BLOCK, status, COUNT(status));
		if (mutate_below(2))
			memcpy(data + !copy * FORMAT_BLOCK, data + copy * FORMAT_BLOCK,
			       FORMAT_BLOCK);
		return size;
	case 1:
		if (read_layout(&l, data, size))
			mutate_one(data + FORMAT_DICT_OFFSET + copy * l.dict_size, dict,
				   COUNT(dict));
		return size;
	case 2:
		move_sector(data, size);
		return size;
	case 3:
		mutate_bytes(data, size);
		return size;
	case 4:
		if (mutate_below(16))
			return size;
		if (size > max)
			size = max;
		return 2 * FORMAT_BLOCK + mutate_below(size - 2 * FORMAT_BLOCK + 1);
	default:
		if (read_layout(&l, data, size))
			change_record(&l);
		return size;
	}
}

size_t image_mutate(uint8_t *data, size_t size, size_t max)
{
	if (max > IMAGE_MOST)
		max = IMAGE_MOST;
	if (size > max || size < 2 * FORMAT_BLOCK)
		return size;
	do
		size = change(data, size, max);
	while (mutate_below(2));
	if (mutate_below(16))
		repair(data, size);
	return size;
}
