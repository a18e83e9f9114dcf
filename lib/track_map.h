/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The private mappings of a segment that the trackers without the module use. */
#ifndef RVM_LIB_TRACK_MAP_H
#define RVM_LIB_TRACK_MAP_H

#include "refusal.h"
#include "track.h"

/**
 * track_map_check() - can this part of the segment be mapped?
 * @map: what to map
 *
 * Return: 0; -EINVAL something is not page-aligned or length is 0; -EOVERFLOW
 * offset plus length; -ENXIO the segment is too small; with a text.
 */
int track_map_check(const struct track_map *map);

/**
 * track_map_error() - name the reason of a failed mmap(2)
 * @map: what was to be mapped
 * @err: the errno of mmap(2)
 *
 * Return: -@err with a text.
 */
int track_map_error(const struct track_map *map, int err);

/**
 * track_map_refusal() - the words for a strict region
 * @map: what was mapped
 * @base: where
 * @refusal: filled in but for is_stray and owner; its path is to be freed
 *
 * Return: 0 or -ENOMEM, with a text.
 */
int track_map_refusal(const struct track_map *map, const char *base, struct refusal *refusal);

/**
 * track_map_private() - map the segment so that nothing is written to it
 * @map: what to map
 * @addr: where, NULL for anywhere; nothing there is replaced
 * @base: the mapping, readable and writable, that no child inherits
 *
 * Return: 0; -EEXIST the addresses are in use; -ENOMEM; others; with a text.
 */
int track_map_private(const struct track_map *map, void *addr, char **base);

/**
 * track_map_copied() - copy the segment into memory of huge pages, where the kernel gives them
 * @map: what to map, and where
 * @base: as of track_map_private()
 *
 * Memory that is met at random is met in fewer entries of the processor's page tables.  Holes of
 * the segment cost no memory until they are touched.
 *
 * Return: as track_map_private(), and -EIO the segment cannot be read; with a text.
 */
int track_map_copied(const struct track_map *map, char **base);

#endif
