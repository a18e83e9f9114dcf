/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hot pages of a region of the module: those that stay writable between transactions.
 *
 * A page that changed in two transactions with less than "patience" others between
 * them becomes hot, and one that has not changed for so long is cold again.
 */
#ifndef RVM_LIB_KMOD_HOT_H
#define RVM_LIB_KMOD_HOT_H

#include <stdbool.h>
#include <stdint.h>

#include "kmod_area.h"

/**
 * struct kmod_hot - which pages are hot; all 0: none ever is
 * @changed: by page: the end of a transaction that changed it last, 0 for none
 * @ends: transactions that ended
 * @patience: see track_cost_patience(); 0: there are no hot pages
 * @pages: with the mark
 */
struct kmod_hot {
	uint32_t *changed;
	uint32_t ends;
	uint32_t patience;
	uint32_t pages;
};

/**
 * kmod_hot_open() - from now on pages become hot, if there is memory for that
 * @hot: all 0
 * @area: the region
 * @patience: as above
 */
void kmod_hot_open(struct kmod_hot *hot, const struct kmod_area *area, uint32_t patience);

/** kmod_hot_close() - free its memory, if it has any */
void kmod_hot_close(struct kmod_hot *hot, const struct kmod_area *area);

/**
 * kmod_hot_keep() - a transaction that ends has changed a page
 * @hot: the hot pages
 * @area: the region
 * @page: which page
 * @watched: who stores to pages that become hot would not be known
 *
 * Return: whether the page is hot now.
 */
bool kmod_hot_keep(struct kmod_hot *hot, const struct kmod_area *area, uint64_t page,
		   bool watched);

/**
 * kmod_hot_cool() - a transaction ends, of which all pages are kept
 * @hot: the hot pages
 * @area: the region
 * @watched: as with kmod_hot_keep()
 *
 * Return: whether the module is to protect any whose mark is gone.
 */
bool kmod_hot_cool(struct kmod_hot *hot, const struct kmod_area *area, bool watched);

/**
 * kmod_hot_cool_all() - take all marks
 * @hot: the hot pages
 * @area: the region
 *
 * Return: as kmod_chain_visit().
 */
int kmod_hot_cool_all(struct kmod_hot *hot, const struct kmod_area *area);

#endif
