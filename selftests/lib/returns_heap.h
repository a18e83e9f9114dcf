/* SPDX-License-Identifier: GPL-2.0 */
/* What suites of return codes of rvm_segment.h and rds.h share: a load map, and a heap. */
#ifndef SELFTESTS_LIB_RETURNS_HEAP_H
#define SELFTESTS_LIB_RETURNS_HEAP_H

#include "provoke.h"
#include "rds_format.h"

#define HEAP_ADDR	((char *)0x40000000UL)
#define HEAP_BYTES	(16 * PAGE)
#define MANY		130	/* regions, more than the first page of a load map holds */

/**
 * struct arguments - beside those of the world
 * @dev: path of a segment
 * @devlen: its length
 * @defs: definitions of regions
 * @use_defs: those, or NULL
 * @count: how many
 * @loaded: what was loaded
 * @use_loaded: where to tell that, or NULL
 * @addr: of a heap
 * @chunk: bytes of a chunk
 * @size: bytes of a block
 * @block: a block that is allocated
 * @list: of blocks to be freed
 * @use_list: that, or NULL
 * @stats: of the heap
 * @use_stats: those, or NULL
 * @err: what functions tell beside their value
 */
static struct arguments {
	char *dev;
	unsigned long devlen;
	rvm_region_def_t defs[MANY];
	rvm_region_def_t *use_defs;
	unsigned long count;
	rvm_region_def_t *loaded;
	rvm_region_def_t **use_loaded;
	char *addr;
	unsigned long chunk;
	unsigned long size;
	char *block;
	intentionList_t list;
	intentionList_t *use_list;
	rds_stats_t stats;
	rds_stats_t *use_stats;
	int err;
} a;

static inline rvm_offset_t devlen(void)
{
	return RVM_LENGTH_TO_OFFSET(a.devlen);
}

/* Two regions, behind the header. */
static inline void for_segment(void)
{
	int i;

	snprintf(w.path, sizeof(w.path), "%s/segment", w.place.dir);
	a.dev = w.path;
	a.devlen = 20 * PAGE;
	for (i = 0; i < 2; i++)
		RVM_INIT_REGION(a.defs[i], RVM_LENGTH_TO_OFFSET((1 + 2 * i) * PAGE), PAGE,
				HEAP_ADDR + 2 * i * PAGE);
	a.use_defs = a.defs;
	a.count = 2;
	a.use_loaded = &a.loaded;
}

static inline rvm_return_t create_segment(void)
{
	return rvm_create_segment(a.dev, devlen(), w.use_options, a.count, a.use_defs);
}

static inline void for_heap(void)
{
	for_segment();
	a.addr = HEAP_ADDR;
	a.chunk = 32;
	a.size = 100;
	a.use_list = &a.list;
	a.use_stats = &a.stats;
}

static inline int zap(void)
{
	return rds_zap_heap(a.dev, devlen(), a.addr, PAGE, HEAP_BYTES, 20, a.chunk, &a.err);
}

static inline void with_heap(void)
{
	for_heap();
	need(!zap());
}

static inline int load(void)
{
	char *area;

	return rds_load_heap(a.dev, devlen(), &area, &a.err);
}

/* A heap with a block. */
static inline void loaded(void)
{
	with_heap();
	need(!load());
	a.block = rds_malloc(a.size, NULL, &a.err);
	need(a.block);
	w.use_tid = NULL;
}

static inline void no_dev(void)
{
	a.dev = NULL;
}

static inline void dev_path_too_long(void)
{
	a.dev = long_path;
}

static inline void no_such_segment(void)
{
	unlink(w.path);
	a.devlen = 0;
}

static inline void no_space_for_segment(void)
{
	fail_with(ALLOCATING, ENOSPC);
}

static inline void without_map(void)
{
	static char other[100];

	snprintf(other, sizeof(other), "%s/zeros", w.place.dir);
	need(file_make(other, 4 * PAGE, 0));
	a.dev = other;
}

static inline void address_in_use(void)
{
	need(mmap(HEAP_ADDR, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	     HEAP_ADDR);
}

static inline void loaded_already(void)
{
	rvm_region_t region;

	need(!map_part(&region, a.dev, PAGE, PAGE, RVM_TRACK_SIGSEGV));
}

static inline void header_is_mapped(void)
{
	rvm_region_t region;

	need(file_make(w.path, a.devlen, 0));
	need(!map_part(&region, a.dev, 0, PAGE, RVM_TRACK_SIGSEGV));
}

#endif
