/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a simulated program does: a list of operations, which is also a text, so that a failure
 * can be made shorter and run again.
 *
 *	bN		begin explicit transaction N
 *	tN		begin tracked transaction N
 *	sN@AT+LEN	declare a range in it and store there
 *	wN@AT+LEN	store there, in a tracked transaction
 *	cN lN aN	commit and flush; commit later; abort
 *	P		commit all explicit transactions and flush, each in a thread of its own
 *	mN@S+LEN	allocate a block for slot S in the heap, and fill it
 *	fN@S+0		free the block of slot S
 *	H		load the heap, made at the first time; start it anew
 *	F T I		flush; truncate; a step of incremental truncation
 *	M U		map the second segment, made at the first time; unmap it
 *	G		grow the second segment by a page
 *	W		commit until the log has wrapped around its end
 *	R		terminate, and initialize again
 *
 * AT counts the bytes of the first segment and then those of the second.
 */
#ifndef SELFTESTS_CRASH_SCRIPT_H
#define SELFTESTS_CRASH_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace.h"

#define SCRIPT_PAGE	4096U
#define SCRIPT_FIRST	(4 * SCRIPT_PAGE)	/* bytes of the first segment */
#define SCRIPT_SECOND	(2 * SCRIPT_PAGE)	/* of the second */
#define SCRIPT_GROWN	(4 * SCRIPT_PAGE)	/* of the second, at most */
#define SCRIPT_BYTES	(SCRIPT_FIRST + SCRIPT_GROWN)
#define SCRIPT_TXS	3	/* transactions that a script may have open */
#define SCRIPT_OPS	100
#define SCRIPT_STATES	512
#define SCRIPT_TEXT	(16 * SCRIPT_OPS)

#define SCRIPT_LOG	"/log"
#define SCRIPT_A	"/a"
#define SCRIPT_B	"/b"

/**
 * struct script_op - an operation
 * @what: its letter
 * @tx: of which transaction
 * @at: first byte
 * @length: bytes
 */
struct script_op {
	char what;
	unsigned char tx;
	unsigned short at;
	unsigned short length;
};

/**
 * struct script_disk - the disk and the options of a script
 * @sector: bytes that are written as one
 * @area: record space of the log
 * @dsync: there are writes that sync
 * @incremental: pages are noted for incremental truncation
 * @merge: transactions are merged
 */
struct script_disk {
	unsigned int sector;
	unsigned int area;
	bool dsync;
	bool incremental;
	bool merge;
};

/**
 * struct script - what a program does, on what disk
 * @disk: the disk
 * @ops: the operations
 * @count: how many
 */
struct script {
	struct script_disk disk;
	struct script_op ops[SCRIPT_OPS];
	unsigned int count;
};

/**
 * struct script_run - what a script did
 * @trace: to the disk
 * @states: hashes of the committed states; the first is before the first commit
 * @count: how many
 * @skipped: operations that did not fit
 * @why: a text, if the library did not do what it should
 */
struct script_run {
	struct trace trace;
	uint64_t states[SCRIPT_STATES];
	unsigned int count;
	unsigned int skipped;
	char why[512];
};

/**
 * script_run() - run a script on the library, on a disk in memory
 * @script: the script
 * @run: filled in; to be freed by script_done()
 *
 * Return: false if a call failed or memory was not what it should be; @run->why tells.
 */
bool script_run(const struct script *script, struct script_run *run);

/** script_done() - free what a run has */
void script_done(struct script_run *run);

/** script_print() - the text of the operations */
void script_print(const struct script *script, char text[SCRIPT_TEXT]);

/** script_print_disk() - the text of the disk */
void script_print_disk(const struct script_disk *disk, char text[80]);

/** script_parse() - operations from their text; false if it is none */
bool script_parse(const char *text, struct script *script);

/** script_parse_disk() - a disk from its text; false if it is none */
bool script_parse_disk(const char *text, struct script_disk *disk);

/**
 * script_hash() - the hash of a state
 * @first: the bytes of the first segment
 * @second: those of the second one, zeros behind its end
 * @length: how many that has
 * @heap: blocks_hash()
 */
uint64_t script_hash(const unsigned char *first, const unsigned char *second, size_t length,
		     uint64_t heap);

#endif
