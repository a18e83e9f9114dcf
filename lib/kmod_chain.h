/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chains of pages that may have changed: of each transaction, of strays, and of hot pages. */
#ifndef RVM_LIB_KMOD_CHAIN_H
#define RVM_LIB_KMOD_CHAIN_H

#include <linux/rvm_track.h>
#include <stdint.h>

#include "kmod_area.h"
#include "track.h"

/** kmod_chain_first() - the slot at the head of a chain, 0 if it is empty */
static inline uint32_t kmod_chain_first(const struct rvm_track_tx *tx)
{
	return __atomic_load_n(&tx->first, __ATOMIC_ACQUIRE);
}

/** kmod_chain_count() - how many pages a chain has */
static inline uint32_t kmod_chain_count(const struct rvm_track_tx *tx)
{
	return __atomic_load_n(&tx->count, __ATOMIC_RELAXED);
}

/**
 * kmod_chain_visit() - call a function for each page of a chain
 * @area: the region
 * @tx: whose chain
 * @fn: the function
 * @arg: its first argument
 *
 * Return: 0; the first non-zero return of @fn; -EUCLEAN the chain is damaged, with a text.
 */
int kmod_chain_visit(const struct kmod_area *area, const struct rvm_track_tx *tx,
		     int (*fn)(void *arg, const struct track_page *page), void *arg);

#endif
