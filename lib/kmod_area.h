/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A region of the module as this process has it mapped: linux/rvm_track.h is the protocol.
 *
 * What is mapped of a region file is written by the module, which belongs to
 * the system, and, except for the slots, by any stray store of this program.  So
 * every number that is read there is checked before it leads anywhere.
 */
#ifndef RVM_LIB_KMOD_AREA_H
#define RVM_LIB_KMOD_AREA_H

#include <linux/rvm_track.h>
#include <stdint.h>

#include "netlink.h"
#include "track.h"

/**
 * struct kmod_area - the parts of a region file, mapped
 * @fd: the region file
 * @base: the data
 * @pages: in the region
 * @slots: the highest slot number
 * @ctl: the control block
 * @words: a word a page
 * @slot: descriptors by slot
 * @arena: pre-images by slot
 */
struct kmod_area {
	int fd;
	char *base;
	uint64_t pages;
	uint32_t slots;
	struct rvm_track_ctl *ctl;
	struct rvm_track_word *words;
	const struct rvm_track_slot *slot;
	char *arena;
};

/**
 * kmod_area_open() - have the module make a region, and map it
 * @area: to fill
 * @nl: for the command
 * @map: what to map
 *
 * Return: 0; -EBUSY another process has that part of the segment; -EEXIST the addresses are in
 * use; -EPROTO the module is of another version; others; with a text.
 */
int kmod_area_open(struct kmod_area *area, struct netlink *nl, const struct track_map *map);

/**
 * kmod_area_close() - unmap it and close the region file
 * @area: an open one
 */
void kmod_area_close(struct kmod_area *area);

/**
 * kmod_area_preimage() - the committed state of a page
 * @area: the region
 * @slot: the page's slot, as it was read
 *
 * Return: its pre-image, or NULL if the page has no owner.
 */
static inline char *kmod_area_preimage(const struct kmod_area *area, uint32_t slot)
{
	if (!slot || slot > area->slots)
		return NULL;
	return area->arena + ((uint64_t)slot << TRACK_PAGE_SHIFT);
}

#endif
