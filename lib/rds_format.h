/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The recoverable heap in its region: structures, and pure functions that make and check them.
 * Documentation/segment-format.md describes it byte for byte.
 *
 *	byte 0		header
 *	RDS_FIRST	blocks, one behind the other, each a whole number of chunks
 *
 *	block: head (16 bytes) | the program's bytes | tail (8 bytes)
 *
 * The heap holds no pointers and no lists: which blocks are free is in their heads, and the
 * lists are made in ordinary memory when the heap is started.  So two transactions never change
 * the same bytes, and abort of one undoes nothing of another's.
 *
 * All numbers are little-endian.  A chunk's number is its place from RDS_FIRST on, from 0; a
 * block is known by the number of its first chunk.
 */
#ifndef RVM_LIB_RDS_FORMAT_H
#define RVM_LIB_RDS_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDS_MAGIC	0x0a1a5344524d5652ULL	/* "RVMRDS\x1a\n" */
#define RDS_VERSION	1
#define RDS_FIRST	128U		/* where the blocks start */
#define RDS_CHUNK_MIN	32U		/* chunks are multiples of RDS_ALIGN, at least that */
#define RDS_ALIGN	16U		/* of what rds_malloc() returns */
#define RDS_CHUNK_MAX	0x40000000UL
#define RDS_LISTS_MAX	0x100000UL

#define RDS_FREE	0x65657266U	/* "free" */
#define RDS_USED	0x64657375U	/* "used" */

/* Feature words: bits of any of them that this library knows. */
#define RDS_COMPAT	0U
#define RDS_RO_COMPAT	0U
#define RDS_INCOMPAT	0U

/* struct disk_heap - the header */
struct disk_heap {
	uint64_t magic;			/* 0 */
	uint32_t version;		/* 8 */
	uint32_t compat;		/* 12 */
	uint32_t ro_compat;		/* 16 */
	uint32_t incompat;		/* 20 */
	uint8_t uuid[16];		/* 24 */
	uint64_t length;		/* 40, of the heap in bytes */
	uint64_t chunk;			/* 48, bytes of a chunk */
	uint64_t nlists;		/* 56, blocks of up to so many chunks are small */
	uint64_t chunks;		/* 64, in all */
	uint8_t reserved[52];		/* 72, zero */
	uint32_t crc;			/* 124, of all before, seed 0 */
};

static_assert(offsetof(struct disk_heap, version) == 8, "format");
static_assert(offsetof(struct disk_heap, compat) == 12, "format");
static_assert(offsetof(struct disk_heap, ro_compat) == 16, "format");
static_assert(offsetof(struct disk_heap, incompat) == 20, "format");
static_assert(offsetof(struct disk_heap, uuid) == 24, "format");
static_assert(offsetof(struct disk_heap, length) == 40, "format");
static_assert(offsetof(struct disk_heap, chunk) == 48, "format");
static_assert(offsetof(struct disk_heap, nlists) == 56, "format");
static_assert(offsetof(struct disk_heap, chunks) == 64, "format");
static_assert(offsetof(struct disk_heap, reserved) == 72, "format");
static_assert(offsetof(struct disk_heap, crc) == 124, "format");
static_assert(sizeof(struct disk_heap) == RDS_FIRST, "format");

/* struct disk_block - a block's head */
struct disk_block {
	uint64_t chunks;		/* 0, its length */
	uint32_t check;			/* 8, CRC32C of its number and length, seeded by the uuid */
	uint32_t state;			/* 12, RDS_FREE or RDS_USED */
};

static_assert(offsetof(struct disk_block, check) == 8, "format");
static_assert(offsetof(struct disk_block, state) == 12, "format");
static_assert(sizeof(struct disk_block) == RDS_ALIGN, "format");

#define RDS_TAIL	sizeof(uint64_t)	/* bytes of a tail */
#define RDS_OVERHEAD	(sizeof(struct disk_block) + RDS_TAIL)

/**
 * struct rds_geometry - a heap's header, decoded
 * @base: where it is mapped
 * @length: bytes
 * @chunk: bytes of a chunk
 * @nlists: blocks of up to so many chunks are small
 * @chunks: how many there are
 * @seed: of the checks, from the uuid
 */
struct rds_geometry {
	char *base;
	uint64_t length;
	uint64_t chunk;
	uint64_t nlists;
	uint64_t chunks;
	uint32_t seed;
};

/**
 * rds_format_plan() - what a new heap is like
 * @base: where it is to be, a multiple of RDS_ALIGN
 * @length: its bytes
 * @chunk: wanted bytes of a chunk; rounded up to a multiple of RDS_ALIGN
 * @nlists: small block sizes
 * @uuid: its identity
 * @geometry: filled in
 *
 * Return: 0; -EINVAL an argument is wrong, or the heap too small for one block; with a text.
 */
int rds_format_plan(char *base, uint64_t length, uint64_t chunk, uint64_t nlists,
		    const uint8_t uuid[16], struct rds_geometry *geometry);

/** rds_format_header() - make the header of a planned heap in @out */
void rds_format_header(const struct rds_geometry *geometry, const uint8_t uuid[16],
		       struct disk_heap *out);

/**
 * rds_format_check() - read the header of a heap
 * @base: where the heap is
 * @length: bytes that are mapped there; RDS_FIRST at least
 * @geometry: filled in
 *
 * It is one if and only if 1. the magic is right, the version known and all features; 2. the
 * checksum is right; 3. reserved bytes are zero; 4. it fits where it is mapped, and its figures
 * are what rds_format_plan() makes of them.
 *
 * Return: 0; -EPROTO (1), -EUCLEAN (others), with a text.
 */
int rds_format_check(char *base, uint64_t length, struct rds_geometry *geometry);

/** rds_format_block() - the head of the block with a number */
struct disk_block *rds_format_block(const struct rds_geometry *geometry, uint64_t number);

/** rds_format_tail() - where the tail is of a block that ends before chunk @end */
uint64_t *rds_format_tail(const struct rds_geometry *geometry, uint64_t end);

/** rds_format_extent() - fill in a head, all but the state */
void rds_format_extent(const struct rds_geometry *geometry, uint64_t number, uint64_t chunks,
		       struct disk_block *head);

/** rds_format_tail_value() - what the tail before chunk @end holds, as on disk */
uint64_t rds_format_tail_value(const struct rds_geometry *geometry, uint64_t end);

/**
 * rds_format_check_extent() - is this the head of a block?
 * @geometry: the heap
 * @number: of a chunk
 * @chunks: the block's length
 *
 * The state is not looked at: the block's owner may be changing it.
 *
 * Return: 0; -EUCLEAN the head is no head; -EBADMSG the tail was overwritten; with a text.
 */
int rds_format_check_extent(const struct rds_geometry *geometry, uint64_t number,
			    uint64_t *chunks);

/**
 * rds_format_number() - which block a pointer of the program's is to
 * @geometry: the heap
 * @addr: the pointer
 * @number: filled in
 *
 * Return: could it be one?
 */
bool rds_format_number(const struct rds_geometry *geometry, const char *addr, uint64_t *number);

/** rds_format_chunks() - chunks for @size bytes of the program's; 0: more than there are */
uint64_t rds_format_chunks(const struct rds_geometry *geometry, uint64_t size);

#endif
