/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of the recoverable heap share: a heap in a place, and what is in it as
 * the heap itself tells.
 *
 * A suite includes this header first.
 */
#ifndef SELFTESTS_LIB_HEAP_H
#define SELFTESTS_LIB_HEAP_H

#include "api.h"

#include <rvm/rds.h>

#define HEAP_ADDR	((char *)0x40000000UL)
#define HEAP_PAGES	48UL
#define HEAP_BYTES	(HEAP_PAGES * PAGE)
#define STATIC_BYTES	(8 * PAGE)
#define HEAP_SEG	((1 + HEAP_PAGES + 8) * PAGE)
#define CHUNK		32UL
#define NLISTS		20UL
#define BLOCK_MAX	(HEAP_BYTES / CHUNK)

/**
 * struct seen - a block as the heap tells
 * @addr: its bytes
 * @size: how many
 * @state: "free", "used", "allocated" or "freed"
 */
struct seen {
	char *addr;
	unsigned long size;
	char state[12];
};

/**
 * struct picture - all blocks of a heap
 * @blocks: in their order
 * @count: how many
 * @used: how many are used or allocated
 */
struct picture {
	struct seen blocks[BLOCK_MAX];
	unsigned long count;
	unsigned long used;
};

/* Initialize the library on the place's log, with flags for all maps. */
static inline rvm_return_t heap_init(struct place *place, unsigned long flags,
				     unsigned long log_bytes)
{
	rvm_options_t options;

	place_options(place, &options);
	options.flags |= flags;
	options.truncate = 50;
	if (log_bytes)
		options.create_log_size = rvm_mk_offset(0, log_bytes);
	return RVM_INIT(&options);
}

static inline int heap_zap(struct place *place, int *err)
{
	return rds_zap_heap(place->seg, rvm_mk_offset(0, HEAP_SEG), HEAP_ADDR, STATIC_BYTES,
			    HEAP_BYTES, NLISTS, CHUNK, err);
}

static inline int heap_load(struct place *place, char **area)
{
	int err = 1;
	int ret = rds_load_heap(place->seg, rvm_mk_offset(0, HEAP_SEG), area, &err);

	return ret == err ? ret : -1000;
}

/* Have the heap tell what is in it; false if it finds damage. */
static inline bool heap_picture(struct picture *picture)
{
	char *text = NULL, *line, *rest;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);
	int ret;

	if (!file)
		return false;
	rds_trace_on(file);
	ret = rds_trace_dump_heap();
	rds_trace_off();
	fclose(file);
	picture->count = 0;
	picture->used = 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct seen *seen = &picture->blocks[picture->count];

		if (picture->count == BLOCK_MAX ||
		    sscanf(line, "rds: %p %lu %11s", (void **)&seen->addr, &seen->size,
			   seen->state) != 3)
			continue;
		picture->count++;
		picture->used += !strcmp(seen->state, "used") || !strcmp(seen->state, "allocated");
	}
	free(text);
	return ret == SUCCESS;
}

/* The block at an address, or NULL. */
static inline struct seen *picture_find(struct picture *picture, const char *addr)
{
	unsigned long i;

	for (i = 0; i < picture->count; i++)
		if (picture->blocks[i].addr == addr)
			return &picture->blocks[i];
	return NULL;
}

static inline bool picture_state(struct picture *picture, const char *addr, const char *state)
{
	struct seen *seen = picture_find(picture, addr);

	return seen && !strcmp(seen->state, state);
}

/* Are the same blocks allocated in both? */
static inline bool picture_same_used(struct picture *a, struct picture *b)
{
	unsigned long i, j = 0;

	if (a->used != b->used)
		return false;
	for (i = 0; i < a->count; i++) {
		if (strcmp(a->blocks[i].state, "used"))
			continue;
		while (j < b->count && strcmp(b->blocks[j].state, "used"))
			j++;
		if (j == b->count || a->blocks[i].addr != b->blocks[j].addr ||
		    a->blocks[i].size != b->blocks[j].size)
			return false;
		j++;
	}
	return true;
}

#endif
