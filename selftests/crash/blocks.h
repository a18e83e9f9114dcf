/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The recoverable heap of a simulated program: the blocks that it has, and those of an image.
 *
 * How free space is split and joined is the heap's own business, and changes by transactions of
 * its own.  What counts is which blocks are used, where, and what is in them.
 *
 *	       take            commit           drop           commit
 *	EMPTY -----> TAKEN ------------> USED ------> DROPPED ---------> EMPTY
 *	  ^ abort      |                   ^ abort       |
 *	  +------------+                   +-------------+
 */
#ifndef SELFTESTS_CRASH_BLOCKS_H
#define SELFTESTS_CRASH_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rvm/rvm.h>

#define BLOCKS_SLOTS	8
#define BLOCKS_FILE	"/heap"
#define BLOCKS_MOST	160	/* bytes of a block that are asked for: all slots fit */

/* enum block_state - see above */
enum block_state {
	BLOCK_EMPTY,
	BLOCK_TAKEN,
	BLOCK_USED,
	BLOCK_DROPPED,
};

/**
 * struct block - a block of the program's
 * @state: see above
 * @tx: whose it is while taken or dropped
 * @addr: its bytes
 * @number: of its first chunk
 * @chunks: its length
 * @size: its bytes, all that it has
 * @value: of each of them
 */
struct block {
	enum block_state state;
	unsigned int tx;
	unsigned char *addr;
	uint64_t number;
	uint64_t chunks;
	size_t size;
	unsigned char value;
};

/**
 * struct blocks - what the program knows of its heap
 * @made: there is one
 * @loaded: it is mapped
 * @slots: its blocks
 */
struct blocks {
	bool made;
	bool loaded;
	struct block slots[BLOCKS_SLOTS];
};

/** blocks_make() - make the heap's segment; a code of rds.h */
int blocks_make(void);

/** blocks_load() - map it and start it; a code of rds.h */
int blocks_load(struct blocks *blocks);

/** blocks_unload() - stop and unmap it, if it is loaded; a code of rds.h */
int blocks_unload(struct blocks *blocks);

/**
 * blocks_take() - allocate a block for an empty slot, and fill it
 * @blocks: the program's
 * @slot: which
 * @tx: number of the transaction
 * @tid: its handle
 * @size: bytes
 * @value: of each
 *
 * Return: a code of rds.h.
 */
int blocks_take(struct blocks *blocks, unsigned int slot, unsigned int tx, rvm_tid_t *tid,
		size_t size, unsigned char value);

/** blocks_drop() - free the block of a used slot; a code of rds.h */
int blocks_drop(struct blocks *blocks, unsigned int slot, unsigned int tx, rvm_tid_t *tid);

/** blocks_end() - a transaction commits, or aborts */
void blocks_end(struct blocks *blocks, unsigned int tx, bool commits);

/** blocks_hold() - do all blocks hold what they should? */
bool blocks_hold(const struct blocks *blocks);

/** blocks_hash() - the hash of what is committed; 0: there is no heap */
uint64_t blocks_hash(const struct blocks *blocks);

/** blocks_hash_image() - the same of the bytes of a segment; 1: they are no heap */
uint64_t blocks_hash_image(const unsigned char *bytes, size_t length);

#endif
