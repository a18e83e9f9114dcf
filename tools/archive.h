/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A backup as it stands on the disk: its manifest, its files, its records. */
#ifndef RVM_TOOLS_ARCHIVE_H
#define RVM_TOOLS_ARCHIVE_H

#include <limits.h>
#include <stdint.h>

#include "format.h"
#include "manifest.h"

/**
 * struct archive - an opened backup
 * @dir: where it is
 * @manifest: what it says of itself
 * @records: its file of records, open
 */
struct archive {
	const char *dir;
	struct manifest manifest;
	int records;
};

/**
 * archive_open() - read and check the manifest of a backup
 * @dir: the backup
 * @archive: filled in
 *
 * Return: 0; -EUCLEAN it is incomplete or damaged; -EPROTO of another version; -ENOENT; -EACCES;
 * -EIO; -ENOMEM; with a text.
 */
int archive_open(const char *dir, struct archive *archive);

/** archive_close() - close it and free its memory */
void archive_close(struct archive *archive);

/**
 * archive_segment() - open the copy of a segment
 * @archive: the backup
 * @segment: one of its manifest
 *
 * Return: a descriptor, or a negative errno with a text.
 */
int archive_segment(const struct archive *archive, const struct manifest_segment *segment);

/**
 * archive_check() - hold every byte of every file against the manifest
 * @archive: the backup
 * @progress: called with bytes done and in all
 * @arg: its first argument
 *
 * Each file that is not what it was is told on stderr.
 *
 * Return: 0; -EUCLEAN something is damaged; -EIO; -ENOMEM; with a text.
 */
int archive_check(const struct archive *archive,
		  void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg);

/**
 * struct archive_walk - who gets the new values of all records, in the order of their commits
 * @bytes: called for each piece of them; anything but 0 ends the walk with that error
 * @arg: its first argument
 */
struct archive_walk {
	int (*bytes)(void *arg, const struct format_range *range, const void *data);
	void *arg;
};

/**
 * archive_records() - check and walk the records
 * @archive: the backup
 * @walk: who gets them
 * @transactions: how many there were
 *
 * Return: 0; -EUCLEAN a record is damaged, or about bytes that no segment has; what @walk
 * returned; -EIO; -ENOMEM; with a text.
 */
int archive_records(const struct archive *archive, const struct archive_walk *walk,
		    uint64_t *transactions);

#endif
