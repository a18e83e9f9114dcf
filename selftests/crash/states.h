/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The crash states of a run: what the disk may hold if power is lost at any of its events.
 *
 * What was written and not synced is pending, sector by sector, beside the sizes and names of
 * files.  After each event power is lost, and of what is pending then
 *
 *  - each subset is on the disk, if at most STATES_FEW are pending,
 *  - else: none, all, all but one, one alone, what was written first, what was written last,
 *    and random subsets, STATES_SEEDS in all or more;
 *  - beside none and all of the others one sector is torn: its first half is new, or its
 *    second; and one of the log, which is never built on before it is whole, is garbage, or zero.
 *
 * Each image is recovered by the library; what the segments hold then must be one of the states
 * that were committed between the last one acknowledged and the last one begun.
 */
#ifndef SELFTESTS_CRASH_STATES_H
#define SELFTESTS_CRASH_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "script.h"

#define STATES_FEW	10
#define STATES_SEEDS	200

/**
 * struct states_failure - a crash state that was recovered wrongly
 * @event: after how many events
 * @how: what of the pending writes was on the disk
 * @why: what is wrong
 */
struct states_failure {
	size_t event;
	char how[160];
	char why[640];
};

/**
 * struct states_count - what was done
 * @points: events after which power was lost
 * @images: images that were recovered
 * @checks: results that were held against the states
 * @faults: recoveries that were interrupted, or met an error
 */
struct states_count {
	uint64_t points;
	uint64_t images;
	uint64_t checks;
	uint64_t faults;
};

/**
 * states_check() - recover all crash states of a run
 * @script: what was run
 * @run: what it did
 * @faults: of so many new images one is also recovered with crashes and errors on the way; 0: none
 * @count: added to
 * @failure: filled in
 *
 * Return: false if one was recovered wrongly.
 */
bool states_check(const struct script *script, const struct script_run *run, unsigned int faults,
		  struct states_count *count, struct states_failure *failure);

#endif
