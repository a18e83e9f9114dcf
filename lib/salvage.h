/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Getting out of a damaged log what can be got.
 *
 * Recovery refuses a log that is damaged.  Salvage keeps a copy of it, brings to the segments what
 * stands before the damage, and leaves an empty log that is sound.  What was lost is told.
 */
#ifndef RVM_LIB_SALVAGE_H
#define RVM_LIB_SALVAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "recover.h"
#include "verify.h"

/**
 * struct salvage_lost - something that is not brought to the segments
 * @lsn: where it stands in the log
 * @end: LSN after it; 0: nobody knows
 * @tid: number of the transaction; 0: nobody knows
 * @sure: a valid record says so; else what is left of a damaged one
 * @path: the segment it is about, or NULL
 * @offset: first byte in the segment
 * @length: how many; 0: nobody knows
 */
struct salvage_lost {
	uint64_t lsn;
	uint64_t end;
	uint64_t tid;
	bool sure;
	const char *path;
	uint64_t offset;
	uint32_t length;
};

/**
 * struct salvage_ops - what is asked for, and who looks on
 * @keep: where the damaged log is kept; NULL: beside it, with .damaged behind its name
 * @beyond: take whole transactions beyond the damage, too: the segments then hold no state that
 *	there ever was
 * @defect: called for each defect
 * @lost: called for each range of a lost transaction, and once for each stretch of the log
 *	in which no record is
 * @progress: called with bytes of log read and the most there are to read
 * @arg: their first argument
 */
struct salvage_ops {
	const char *keep;
	bool beyond;
	void (*defect)(void *arg, const struct verify_defect *defect);
	void (*lost)(void *arg, const struct salvage_lost *lost);
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/**
 * struct salvage_stats - what was done
 * @sound: nothing was: the log is one that recovery takes, and was recovered as usual
 * @recovered: see struct recover_stats
 * @lost: whole transactions that were not brought to the segments
 * @holes: stretches of the log in which no record is
 * @damage: LSN of the first damage; 0: no record is damaged
 * @end: LSN after the last record that was found
 * @kept: where the damaged log is
 */
struct salvage_stats {
	bool sound;
	struct recover_stats recovered;
	uint64_t lost;
	uint64_t holes;
	uint64_t damage;
	uint64_t end;
	char kept[PATH_MAX];
};

/**
 * salvage_log() - get out of a log what can be got
 * @path: the log, which nobody has open
 * @ops: what is asked for
 * @stats: filled in
 *
 * Neither log nor segments are changed before the copy is durable.  May be interrupted anywhere
 * and called again.
 *
 * Return: 0; -EUCLEAN nothing could be got, nothing was changed; -EEXIST something else stands
 * where the damaged log was to be kept; -ENOSPC; what log_open() and recover_log() return; with a
 * text.
 */
int salvage_log(const char *path, const struct salvage_ops *ops, struct salvage_stats *stats);

#endif
