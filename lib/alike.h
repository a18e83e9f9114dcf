/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What two damaged copies of a thing say alike.
 *
 * A status and a dictionary are written twice with the same contents, one copy after the other.
 * If the checksums of both copies are wrong, each byte may be; but damage seldom puts the same
 * wrong bytes into both, so what both say, and what can be, is taken for true: by salvage only,
 * which says so and needs a checksum of something else that agrees with it.
 */
#ifndef RVM_LIB_ALIKE_H
#define RVM_LIB_ALIKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

struct logfile;

/**
 * alike_status() - the status that two damaged copies tell
 * @file: the log
 * @disk: the copies
 * @status: filled in
 *
 * Identity, generation and head must be the same in both. Where the areas begin and how large they
 * are may follow from each other and from the file. A sector size or tail that cannot be is
 * replaced by one that does no harm.
 *
 * Return: do they tell one?
 */
bool alike_status(const struct logfile *file, const struct disk_status disk[2],
		  struct format_status *status);

/**
 * alike_dict() - the dictionary that two damaged copies tell
 * @copy: the copies; the first is made a valid one
 * @size: bytes of each
 * @uuid: of the log
 *
 * Return: do they tell one?
 */
bool alike_dict(void *const copy[2], size_t size, const uint8_t uuid[FORMAT_UUID]);

#endif
