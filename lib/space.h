/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The space of a log: how much, taken from the file system, written through once, given back.
 *
 * A log changes its size when all its records are in the segments, also where it is in use, in
 * steps that a crash may part anywhere:
 *
 *  1. To grow, a file is made longer, and the new space is written through and synced.  The status
 *     says nothing of it yet.
 *  2. The status is written with the new area_size, and with head and tail at an LSN that is not
 *     below it: the log is empty, so no record changes its place.  Before that the segments have
 *     what the records say.
 *  3. After it has shrunk, a file is cut off.  A file that is longer than its log is no damage,
 *     so nobody waits for the disk to know.
 */
#ifndef RVM_LIB_SPACE_H
#define RVM_LIB_SPACE_H

#include <stdint.h>

struct format_status;
struct logfile;
struct status_copies;

/**
 * space_area_size() - the size of a record area
 * @file: the log's file or device
 * @area_offset: where the area starts in it
 * @size: bytes asked for; 0 on a device: all of it
 * @area_size: bytes, a multiple of FORMAT_BLOCK
 *
 * Return: 0; -ERANGE no size, or more than a file can have; -ENOSPC more than the device has;
 * with a text.
 */
int space_area_size(const struct logfile *file, uint64_t area_offset, uint64_t size,
		    uint64_t *area_size);

/**
 * space_take() - take space and write it through; space_sync() makes it durable
 * @file: the log's file or device
 * @from: first byte that is written; it is a multiple of FORMAT_BLOCK
 * @to: length of the log in bytes
 * @progress: bytes done and in all, or NULL
 * @arg: its first argument
 *
 * Return: as space_grow().
 */
int space_take(struct logfile *file, uint64_t from, uint64_t to,
	       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg);

/** space_sync() - make all that was written durable; Return: 0, or an errno with a text */
int space_sync(struct logfile *file);

/**
 * space_grow() - take space and write it through, durably
 * @file: the log's file or device
 * @from: first byte that is written; it is a multiple of FORMAT_BLOCK
 * @to: length of the log in bytes
 * @progress: bytes done and in all, or NULL
 * @arg: its first argument
 *
 * A full disk is known before anything is written, where the file system can tell.  If it fails a
 * file is cut back to the length that it had.
 *
 * Return: 0; -ENOSPC, -EFBIG, -EIO, -ENOMEM, others, with a text.
 */
int space_grow(struct logfile *file, uint64_t from, uint64_t to,
	       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg);

/**
 * space_cut() - cut a file off where its log ends
 * @file: the log's file; a device stays as it is
 * @total: length of the log in bytes
 *
 * Return: 0, or -EIO and others with a text.
 */
int space_cut(struct logfile *file, uint64_t total);

/**
 * space_switch() - give an empty log another size
 * @file: the log; its area_size is the caller's
 * @status: of a log whose head is its tail; changed
 * @copies: of the status
 * @area_size: the new size, all of it taken and written
 *
 * Return: 0, or a negative errno with a text; then the log must be poisoned.
 */
int space_switch(struct logfile *file, struct format_status *status,
		 struct status_copies *copies, uint64_t area_size);

#endif
