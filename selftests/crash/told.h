/* SPDX-License-Identifier: GPL-2.0 */
/* What is told of a damaged log by who looks at it and by who salvages it, counted. */
#ifndef SELFTESTS_CRASH_TOLD_H
#define SELFTESTS_CRASH_TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "specimen.h"
#include "verify.h"

struct salvage_stats;

/**
 * struct told - what was told of a log
 * @defects: how many
 * @right: of them where, and with the words that, they should
 * @part: what they should be of
 * @byte: where they may be
 * @what: words that say so; NULL: any
 * @lost: how many ranges are
 * @lost_tid: number of the transaction of the last one that is not sure
 * @lost_bytes: how many are
 */
struct told {
	unsigned int defects;
	unsigned int right;
	enum verify_part part;
	uint64_t byte[2];
	const char *what;
	unsigned int lost;
	uint64_t lost_tid;
	uint64_t lost_bytes;
};

/** told_verify() - look at the log; @v is freed; Return: as verify_log() */
int told_verify(struct told *told, struct verify *v);

/** told_salvage() - salvage it; Return: as salvage_log() */
int told_salvage(struct told *told, const char *keep, bool beyond, struct salvage_stats *stats);

/** told_salvaged() - how many transactions the segment has after salvage, or a negative errno */
int told_salvaged(const struct specimen *s);

#endif
