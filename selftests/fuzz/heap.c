// SPDX-License-Identifier: GPL-2.0
/*
 * A segment with a recoverable heap: whatever is in it, rds_load_heap() returns one of the codes
 * that rds(3) names.  A refused segment is left as it is.  A heap that is loaded is one by the
 * rules of Documentation/segment-format.md too; what is allocated in it shares no byte with other
 * blocks, can be filled, outlives a new start and can be freed, and the heap finds itself whole
 * afterwards.
 *
 * An input is the segment, from its load map on.
 */
#include <rvm/rds.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "fuzz.h"
#include "loadmap.h"
#include "memdisk.h"
#include "model.h"
#include "mutate.h"
#include "rds_format.h"
#include "smalllog.h"

#define LOG	"/log"
#define SEG	"/segment"
#define LEAST	(2 * LOADMAP_PAGE)
#define MOST	(16 * LOADMAP_PAGE)
#define BLOCKS	24	/* that are allocated */

static void open_library(void)
{
	rvm_options_t options;
	rvm_return_t code;

	rvm_init_options(&options);
	options.log_dev = LOG;
	options.flags |= RVM_TRACK_NONE;
	code = RVM_INIT(&options);
	judge(!code, "initialize: %s", rvm_error());
}

static void close_library(void)
{
	judge(!rvm_terminate(), "terminate: %s", rvm_error());
}

static int load(void)
{
	int err = 1, code = rds_load_heap(SEG, rvm_mk_offset(0, 0), NULL, &err);

	judge(code == err, "rds_load_heap() returns %d and says %d", code, err);
	return code;
}

static bool is_named(int code)
{
	switch (code) {
	case EBAD_LIST:
	case EBAD_SEGMENT_HDR:
	case EHEAP_VERSION_SKEW:
	case ECORRUPT:
	case EBAD_ARGS:
	case RVM_ESEGMENT_HDR:
	case RVM_EVM_OVERLAP:
	case RVM_EOVERLAP:
	case RVM_EOFFSET:
	case RVM_EREGION:
	case RVM_ENOT_MAPPED:
	case RVM_ENO_MEMORY:
		return true;
	}
	return false;
}

/* struct span - a block as the heap tells of it */
struct span {
	char *addr;
	unsigned long size;
	bool used;
};

/* struct picture - all blocks */
struct picture {
	struct span *blocks;
	size_t count;
};

/* All blocks as the heap tells of them; it must find no damage. */
static void take_picture(struct picture *picture)
{
	char *text = NULL, *line, *rest, state[12];
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);
	struct span span;
	int code;

	memset(picture, 0, sizeof(*picture));
	rds_trace_on(file);
	code = rds_trace_dump_heap();
	rds_trace_off();
	fclose(file);
	judge(!code, "the heap is damaged: %d %s", code, rvm_error());
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "rds: %p %lu %11s", (void **)&span.addr, &span.size, state) != 3)
			continue;
		span.used = !strcmp(state, "used");
		picture->blocks = realloc(picture->blocks, (picture->count + 1) * sizeof(span));
		picture->blocks[picture->count++] = span;
	}
	free(text);
}

/* The blocks by the rules of the format, as far as they have to do with the heap itself. */
static void judge_format(void)
{
	const struct disk_loadmap *map = (const void *)mem_find(SEG)->data;
	const uint8_t *heap = (const uint8_t *)map +
			      model_get((const void *)&map->first[0].offset, 8);
	uint64_t chunk = model_get(heap + 48, 8), chunks = model_get(heap + 64, 8), at, n;
	uint32_t seed = model_crc(0, heap + 24, 16);
	const uint8_t *head;
	uint64_t what[2];

	judge(!memcmp(heap, "RVMRDS\x1a\n", 8), "no heap's magic");
	judge(model_get(heap + 124, 4) == model_crc(0, heap, 124), "its header's checksum");
	judge(model_get(heap + 40, 8) <= model_get((const void *)&map->first[0].length, 8) &&
	      chunk >= 32 && chunk % 16 == 0 &&
	      chunks == (model_get(heap + 40, 8) - 128) / chunk, "its figures");
	for (at = 0; at < chunks; at += n) {
		head = heap + 128 + at * chunk;
		n = model_get(head, 8);
		what[0] = at;
		what[1] = n;
		judge(n && n <= chunks - at &&
		      model_get(head + 8, 4) == model_crc(seed, what, 16) &&
		      (!memcmp(head + 12, "free", 4) || !memcmp(head + 12, "used", 4)),
		      "block %llu is none", (unsigned long long)at);
		judge(model_get(head + n * chunk - 8, 8) ==
		      (0x7c3a915e20d6b84fULL ^ seed ^ (at + n) * 0x9e3779b97f4a7c15ULL),
		      "the tail of block %llu", (unsigned long long)at);
	}
}

/* No two blocks share a byte, and all are in the heap. */
static void judge_spans(const struct picture *p)
{
	const char *end = RegionDefs[0].vmaddr + RegionDefs[0].length;
	size_t i;

	for (i = 0; i < p->count; i++) {
		const char *next = i + 1 < p->count ? p->blocks[i + 1].addr : end;

		judge(p->blocks[i].addr > RegionDefs[0].vmaddr &&
		      p->blocks[i].size <= (size_t)(next - p->blocks[i].addr),
		      "block %zu reaches into another", i);
	}
}

static const struct span *find(const struct picture *p, const char *addr)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		if (p->blocks[i].addr == addr)
			return &p->blocks[i];
	return NULL;
}

static void fill(char *block, unsigned long size, int byte)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	judge(!rvm_begin_transaction(&tid, restore) && !rvm_set_range(&tid, block, size),
	      "a block cannot be changed: %s", rvm_error());
	memset(block, byte, size);
	judge(!rvm_end_transaction(&tid, no_flush), "nor committed: %s", rvm_error());
}

/* Allocates what there is room for; none of it was used before. */
static unsigned int allocate(const struct picture *before, char *blocks[BLOCKS])
{
	static const unsigned long sizes[] = { 1, 8, 40, 100, 700, 3000 };
	struct picture after;
	unsigned int i, n = 0;
	const struct span *old;
	int err;

	for (i = 0; i < BLOCKS; i++) {
		unsigned long size = sizes[i % (sizeof(sizes) / sizeof(*sizes))];

		blocks[n] = rds_malloc(size, NULL, &err);
		judge(blocks[n] ? !err : err == ENO_ROOM, "malloc: %d %s", err, rvm_error());
		if (!blocks[n])
			continue;
		old = find(before, blocks[n]);
		judge(!old || !old->used, "a used block was allocated");
		fill(blocks[n++], size, i);
	}
	take_picture(&after);
	judge_spans(&after);
	for (i = 0; i < n; i++) {
		old = find(&after, blocks[i]);
		judge(old && old->used, "an allocated block is not used");
	}
	for (i = 0; i < before->count; i++) {
		old = find(&after, before->blocks[i].addr);
		judge(!before->blocks[i].used || (old && old->used), "a used block has gone");
	}
	free(after.blocks);
	return n;
}

static void free_blocks(char **blocks, unsigned int count)
{
	int err;

	while (count--) {
		judge(!rds_free(blocks[count], NULL, &err), "free: %d %s", err, rvm_error());
		judge(rds_free(blocks[count], NULL, &err) == EFREED_TWICE, "freed twice: %d", err);
	}
}

static void use_heap(void)
{
	struct picture before;
	char *blocks[BLOCKS];
	unsigned int count;
	int err;

	take_picture(&before);
	judge_spans(&before);
	count = allocate(&before, blocks);
	free(before.blocks);
	judge(!rds_unload_heap(&err), "unload: %d %s", err, rvm_error());
	close_library();
	open_library();
	judge(!load(), "it cannot be loaded again: %s", rvm_error());
	take_picture(&before);
	free_blocks(blocks, count);
	free(before.blocks);
	judge(!rds_unload_heap(&err), "unload: %d %s", err, rvm_error());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int code;

	if (size < LEAST || size > MOST)
		return -1;
	mem_install();
	mem.mappable = true;
	smalllog_make(LOG, 65536, MEM_SECTOR);
	mem_put(SEG, data, size);
	rds_testsw = 1;
	open_library();
	code = load();
	if (code) {
		judge(is_named(code), "rds_load_heap() returns %d: %s", code, rvm_error());
		judge(!RegionDefs, "a refused heap has regions");
	} else {
		judge_format();
		use_heap();
	}
	close_library();
	judge(!code || (mem_find(SEG)->size == size && !memcmp(mem_find(SEG)->data, data, size)),
	      "a refused segment was changed");
	return 0;
}

static const struct field map_fields[] = {
	{ 0, 8 }, { 8, 4 }, { 12, 4 }, { 16, 4 }, { 20, 4 }, { 24, 8 }, { 32, 8 }, { 40, 8 },
	{ 48, 4 }, { 52, 4 }, { 56, 8 }, { 64, 8 }, { 72, 8 }, { 80, 8 }, { 88, 8 }, { 96, 8 },
	{ 104, 8 }, { 112, 8 }, { 4064, 8 },
};

static const struct field heap_fields[] = {
	{ 0, 8 }, { 8, 4 }, { 12, 4 }, { 16, 4 }, { 20, 4 }, { 24, 8 }, { 40, 8 }, { 48, 8 },
	{ 56, 8 }, { 64, 8 }, { 72, 8 }, { 120, 1 },
};

/* The heap that the load map tells of, or the first page behind it. */
static uint8_t *heap_of(uint8_t *data, size_t size)
{
	uint64_t offset = mutate_get(data + 64, 8);

	return data + (offset && offset % LOADMAP_PAGE == 0 && offset <= size - LOADMAP_PAGE ?
		       offset : LOADMAP_PAGE);
}

static void geometry_of(uint8_t *heap, struct rds_geometry *g)
{
	g->base = (char *)heap;
	g->chunk = mutate_get(heap + 48, 8);
	g->chunks = mutate_get(heap + 64, 8);
	g->seed = crc32c(0, heap + 24, 16);
}

/* The chunk where block @n of the chain is as its lengths tell, as far as there are bytes. */
static uint64_t find_block(const uint8_t *heap, const uint8_t *end, uint64_t chunk, unsigned int n)
{
	uint64_t at = 0, length, room = end - heap - RDS_FIRST;

	while (n-- && chunk && chunk < room) {
		length = mutate_get(heap + RDS_FIRST + at * chunk, 8);
		if (!length || length > room / chunk || (at + length + 1) * chunk > room)
			break;
		at += length;
	}
	return at;
}

static void change_block(uint8_t *heap, uint8_t *end)
{
	static const struct field fields[] = { { 0, 8 }, { 8, 4 }, { 12, 4 } };
	struct rds_geometry g;
	struct disk_block *head;
	uint64_t at, length;

	geometry_of(heap, &g);
	if (g.chunk < RDS_CHUNK_MIN || g.chunk % RDS_ALIGN || g.chunk > LOADMAP_PAGE)
		return;
	at = find_block(heap, end, g.chunk, mutate_below(64));
	head = rds_format_block(&g, at);
	mutate_one((uint8_t *)head, fields, mutate_below(4) ? 1 : 3);
	length = mutate_get((uint8_t *)head, 8);
	if (!mutate_below(8))
		return;
	rds_format_extent(&g, at, length, head);
	if (length && length <= (uint64_t)(end - heap - RDS_FIRST) / g.chunk - at)
		*rds_format_tail(&g, at + length) = rds_format_tail_value(&g, at + length);
}

static void repair(uint8_t *data, size_t size)
{
	uint8_t *heap = heap_of(data, size);
	uint64_t offset = mutate_get(data + 32, 8), length = mutate_get(data + 40, 8);

	if (offset <= size && length && length <= size - offset)
		mutate_put(data + 48, 4, crc32c(0, data + offset, length));
	mutate_put(data + 4092, 4, crc32c(0, data, 4092));
	mutate_put(heap + 124, 4, crc32c(0, heap, 124));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	uint8_t *heap;

	mutate_seed(seed);
	if (size < LEAST || size > MOST || max < size)
		return size;
	do {
		heap = heap_of(data, size);
		switch (mutate_below(6)) {
		case 0:
			mutate_one(data, map_fields, sizeof(map_fields) / sizeof(*map_fields));
			break;
		case 1:
			mutate_one(heap, heap_fields, sizeof(heap_fields) / sizeof(*heap_fields));
			break;
		case 2:
			mutate_bytes(data, size);
			break;
		case 3:
			mutate_bytes(heap, data + size - heap);
			break;
		default:
			change_block(heap, data + size);
		}
	} while (mutate_below(2));
	if (mutate_below(16))
		repair(data, size);
	if (!mutate_below(32))
		size = LEAST + mutate_below(size - LEAST + 1);
	return size;
}
