/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The segment loader: what the recoverable heap shares with rvm_segment.h. */
#ifndef RVM_LIB_LOADER_H
#define RVM_LIB_LOADER_H

#include <rvm/rvm_segment.h>

/**
 * typedef loader_fn - changes that belong to a new load map
 * @tid: the transaction that writes the map
 * @arg: as given to loader_create()
 *
 * Return: RVM_SUCCESS, or a code: then the map is not written either.
 */
typedef rvm_return_t loader_fn(rvm_tid_t *tid, void *arg);

/**
 * loader_create() - rvm_create_segment() with more in the same transaction
 * @dev: as there
 * @devlen: as there
 * @options: as there
 * @nregions: as there
 * @defs: as there
 * @also: called when the map is written and before it is committed, or NULL
 * @arg: for @also
 *
 * Return: as rvm_create_segment(), or what @also returned.
 */
rvm_return_t loader_create(char *dev, rvm_offset_t devlen, rvm_options_t *options,
			   rvm_length_t nregions, const rvm_region_def_t *defs, loader_fn *also,
			   void *arg);

/**
 * loader_undo() - abort a transaction and keep what was said of the error before it
 * @tid: the transaction; nothing is done if it has ended
 */
void loader_undo(rvm_tid_t *tid);

/** loader_unmap() - unmap a region and keep what was said of the error before it */
void loader_unmap(rvm_region_t *region);

#endif
