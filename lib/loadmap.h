/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The load map of a segment on disk: structures, and pure functions that encode, check and
 * decode it in memory.  Documentation/segment-format.md describes it byte for byte.
 *
 *	byte 0		first page: up to LOADMAP_FIRST regions, where the rest of the map is
 *	more_offset	the rest, in pages that no region uses; only if there are more
 *
 * All numbers are little-endian.
 */
#ifndef RVM_LIB_LOADMAP_H
#define RVM_LIB_LOADMAP_H

#include <assert.h>
#include <rvm/rvm_segment.h>
#include <stddef.h>
#include <stdint.h>

#define LOADMAP_MAGIC		0x0a1a4745534d5652ULL	/* "RVMSEG\x1a\n" */
#define LOADMAP_VERSION		1
#define LOADMAP_PAGE		4096U
#define LOADMAP_FIRST		125U	/* regions in the first page */

/* Feature words: bits of any of them that this library knows. */
#define LOADMAP_COMPAT		0U	/* an unknown bit is no obstacle */
#define LOADMAP_RO_COMPAT	0U	/* an unknown bit forbids writing, so any mapping */
#define LOADMAP_INCOMPAT	0U	/* an unknown bit forbids any use */

/* struct disk_region - a region */
struct disk_region {
	uint64_t offset;		/* 0 */
	uint64_t length;		/* 8 */
	uint64_t vmaddr;		/* 16, 0: anywhere */
	uint64_t reserved;		/* 24, zero */
};

static_assert(offsetof(struct disk_region, length) == 8, "format");
static_assert(offsetof(struct disk_region, vmaddr) == 16, "format");
static_assert(offsetof(struct disk_region, reserved) == 24, "format");
static_assert(sizeof(struct disk_region) == 32, "format");

/* struct disk_loadmap - the first page */
struct disk_loadmap {
	uint64_t magic;			/* 0 */
	uint32_t version;		/* 8 */
	uint32_t compat;		/* 12 */
	uint32_t ro_compat;		/* 16 */
	uint32_t incompat;		/* 20 */
	uint64_t count;			/* 24, regions in all */
	uint64_t more_offset;		/* 32, 0: this page has all */
	uint64_t more_length;		/* 40, whole pages; behind the regions zeros */
	uint32_t more_crc;		/* 48, of more_length bytes, seed 0 */
	uint32_t reserved_a;		/* 52, zero */
	uint64_t reserved_b;		/* 56, zero */
	struct disk_region first[LOADMAP_FIRST]; /* 64, unused ones zero */
	uint8_t reserved_c[28];		/* 4064, zero */
	uint32_t crc;			/* 4092, of all before, seed 0 */
};

static_assert(offsetof(struct disk_loadmap, version) == 8, "format");
static_assert(offsetof(struct disk_loadmap, compat) == 12, "format");
static_assert(offsetof(struct disk_loadmap, ro_compat) == 16, "format");
static_assert(offsetof(struct disk_loadmap, incompat) == 20, "format");
static_assert(offsetof(struct disk_loadmap, count) == 24, "format");
static_assert(offsetof(struct disk_loadmap, more_offset) == 32, "format");
static_assert(offsetof(struct disk_loadmap, more_length) == 40, "format");
static_assert(offsetof(struct disk_loadmap, more_crc) == 48, "format");
static_assert(offsetof(struct disk_loadmap, reserved_a) == 52, "format");
static_assert(offsetof(struct disk_loadmap, reserved_b) == 56, "format");
static_assert(offsetof(struct disk_loadmap, first) == 64, "format");
static_assert(offsetof(struct disk_loadmap, reserved_c) == 4064, "format");
static_assert(offsetof(struct disk_loadmap, crc) == 4092, "format");
static_assert(sizeof(struct disk_loadmap) == LOADMAP_PAGE, "format");

/**
 * struct loadmap_more - where the rest of a load map is
 * @offset: first byte in the segment; 0: there is none
 * @length: bytes, whole pages
 */
struct loadmap_more {
	uint64_t offset;
	uint64_t length;
};

/**
 * loadmap_check_defs() - can these regions be the regions of a segment?
 * @defs: definitions whose lengths are whole pages
 * @count: how many
 * @length: bytes of the segment
 *
 * If and only if 1. there is at least one; 2. offsets, lengths and addresses are
 * page-aligned, no length is 0 and no addresses wrap; 3. each lies behind the first page and
 * in the segment; 4. no two share bytes of the segment; 5. no two share addresses.
 *
 * Return: 0; -EINVAL (1, 2), -EOVERFLOW (3), -EADDRINUSE (4), -EEXIST (5), -ENOMEM, with
 * a text.
 */
int loadmap_check_defs(const rvm_region_def_t *defs, size_t count, uint64_t length);

/**
 * loadmap_place() - find pages for what the first page does not hold
 * @defs: checked definitions
 * @count: how many
 * @length: bytes of the segment
 * @more: filled in
 *
 * The first gap that no region uses and that is large enough.
 *
 * Return: 0; -ENOSPC there is none; -ENOMEM; with a text.
 */
int loadmap_place(const rvm_region_def_t *defs, size_t count, uint64_t length,
		  struct loadmap_more *more);

/**
 * loadmap_encode() - make a load map
 * @defs: checked definitions
 * @count: how many
 * @more: from loadmap_place()
 * @map: the first page
 * @rest: @more->length bytes for the rest
 */
void loadmap_encode(const rvm_region_def_t *defs, size_t count, const struct loadmap_more *more,
		    struct disk_loadmap *map, void *rest);

/**
 * loadmap_check() - is this the first page of a load map?
 * @map: the page
 * @count: how many regions it tells of
 * @more: where the rest of them is
 *
 * If and only if 1. the magic is right; 2. the checksum is; 3. the version is known and so are all
 * features; 4. reserved bytes are zero; 5. there is a rest exactly if not all regions fit, and
 * it is as long as they need.
 *
 * Return: 0; -EPROTO (3), -EUCLEAN (others), with a text.
 */
int loadmap_check(const struct disk_loadmap *map, size_t *count, struct loadmap_more *more);

/**
 * loadmap_decode() - read the regions of a checked load map
 * @map: the first page
 * @rest: the rest, or NULL if there is none
 * @length: bytes of the segment
 * @defs: room for all
 *
 * Return: 0; -EUCLEAN the rest's checksum is wrong or a region cannot be; -ENOMEM; with a text.
 */
int loadmap_decode(const struct disk_loadmap *map, const void *rest, uint64_t length,
		   rvm_region_def_t *defs);

#endif
