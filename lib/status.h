/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a log stores twice at a fixed place: its status and its segment dictionary.  An update
 * writes the older copy, syncs, then the other, syncs; so at any moment one copy is whole, and
 * after it each copy alone tells the truth.
 */
#ifndef RVM_LIB_STATUS_H
#define RVM_LIB_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "logfile.h"

/**
 * struct status_copies - which copies were found whole
 * @valid: of each copy
 * @newest: the one that counts
 */
struct status_copies {
	bool valid[2];
	int newest;
};

/**
 * status_load() - read the status and check that the file is as long as it says
 * @file: a log; its record area's place is set
 * @status: filled in
 * @copies: filled in
 *
 * Return: 0; -EINVAL not a log; -EPROTO a version or feature that is unknown; -EUCLEAN both
 * copies are damaged or the file is too short; -EIO, with a text.
 */
int status_load(struct logfile *file, struct format_status *status,
		struct status_copies *copies);

/**
 * status_store() - write both copies, one after the other
 * @file: the log
 * @status: to be written; its sequence is raised
 * @copies: which one is written first; brought up to date
 *
 * Return: 0 or a negative errno with a text; then the log must be poisoned.
 */
int status_store(struct logfile *file, struct format_status *status,
		 struct status_copies *copies);

/**
 * struct dict_entry - a segment's entry in memory
 * @id: number
 * @uuid: identity
 * @length: bytes
 * @path: canonical path, lives as long as the dictionary
 */
struct dict_entry {
	uint32_t id;
	uint8_t uuid[FORMAT_UUID];
	uint64_t length;
	char *path;
};

/**
 * struct dict - the segment dictionary in memory
 * @entries: in rising order of their ids
 * @count: how many
 * @sequence: of the newest copy
 * @copies: which copies were found whole
 */
struct dict {
	struct dict_entry *entries;
	size_t count;
	uint64_t sequence;
	struct status_copies copies;
};

/**
 * dict_load() - read the dictionary
 * @file: the log
 * @status: its status
 * @dict: filled in
 *
 * Return: 0; -EUCLEAN both copies are damaged; -EIO; -ENOMEM, with a text.
 */
int dict_load(const struct logfile *file, const struct format_status *status, struct dict *dict);

/**
 * dict_decode() - add the entries of a valid copy
 * @dict: the dictionary
 * @buf: the copy
 *
 * Return: 0 or -ENOMEM, without a text.
 */
int dict_decode(struct dict *dict, const void *buf);

/**
 * dict_store() - write both copies, one after the other
 * @file: the log
 * @status: its status
 * @dict: to be written; its sequence is raised
 *
 * Return: 0; -ENOSPC it is full or -ENOMEM, nothing was written; -EIO the log must be poisoned;
 * with a text.
 */
int dict_store(struct logfile *file, const struct format_status *status, struct dict *dict);

/** dict_free() - free its memory */
void dict_free(struct dict *dict);

/**
 * dict_add() - add an entry in memory
 * @dict: the dictionary
 * @path: canonical path
 * @length: bytes
 * @uuid: identity
 *
 * Return: the new entry, with the next free number, or NULL if there is no memory.
 */
struct dict_entry *dict_add(struct dict *dict, const char *path, uint64_t length,
			    const uint8_t uuid[FORMAT_UUID]);

/** dict_drop_last() - undo dict_add() */
void dict_drop_last(struct dict *dict);

/**
 * dict_drop() - drop entries in memory, and number the others from 1 on
 * @dict: of a log without any record
 * @drop: is an entry to be dropped?
 *
 * Return: how many it were.
 */
size_t dict_drop(struct dict *dict, bool (*drop)(const struct dict_entry *entry));

/** dict_by_path() - the entry of a path, or NULL */
struct dict_entry *dict_by_path(const struct dict *dict, const char *path);

/** dict_by_id() - the entry of a number, or NULL */
struct dict_entry *dict_by_id(const struct dict *dict, uint32_t id);

#endif
