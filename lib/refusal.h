/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict regions, and the words for a store that one of them refused. */
#ifndef RVM_LIB_REFUSAL_H
#define RVM_LIB_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct refusal - a strict region
 * @base: where it is mapped
 * @length: bytes
 * @offset: its first byte in the segment
 * @path: the segment, or NULL
 * @is_stray: was this store to one of its pages outside any transaction?  Called in a signal
 *	handler; NULL: whoever asks knows that it was
 * @owner: for @is_stray
 * @next: in the list of them
 */
struct refusal {
	const char *base;
	uint64_t length;
	uint64_t offset;
	char *path;
	bool (*is_stray)(void *owner, uint64_t page);
	void *owner;
	struct refusal *next;
};

/** refusal_add() - the region is mapped now; it is the caller's until refusal_del() */
void refusal_add(struct refusal *refusal);

/** refusal_del() - it is going to be unmapped; no harm if it was never added */
void refusal_del(struct refusal *refusal);

/**
 * refusal_print() - tell of a store that was refused
 * @addr: where
 * @ip: the instruction
 *
 * Prints one line to the standard error, in a signal handler that runs with all signals blocked.
 *
 * Return: false if it was not refused by a strict region; then nothing is printed.
 */
bool refusal_print(const void *addr, uint64_t ip);

#endif
