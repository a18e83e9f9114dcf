/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Data structures in a region: each written once.  They store by STORE(), which declares the place
 * first if the subject must, and otherwise is a plain store.
 */
#ifndef SELFTESTS_BENCH_STRUCTURE_H
#define SELFTESTS_BENCH_STRUCTURE_H

#include "subject.h"

#define STORE(actor, place, value) \
	do { \
		typeof(place) *store_at = &(place); \
		actor_declare(actor, store_at, sizeof(*store_at)); \
		*store_at = (value); \
	} while (0)

/**
 * structure_build() - make steps in transactions of many
 * @actor: who
 * @step: one of them
 * @count: how many
 */
void structure_build(struct actor *actor, void (*step)(struct actor *actor, uint64_t number),
		     uint64_t count);

/**
 * structure_check() - see that aborted transactions leave no byte changed
 * @actor: of a subject that can abort; nothing happens if it cannot
 *
 * Where ranges are declared this finds one that was forgotten.  Ends the program if there is any.
 */
void structure_check(struct actor *actor);

/** structure_is() - end the program unless @right holds of a structure */
void structure_is(bool right, const char *what);

#endif
