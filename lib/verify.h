/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is wrong with a log, and where: status, segment dictionary, all records, segments.
 * Nothing is changed.
 */
#ifndef RVM_LIB_VERIFY_H
#define RVM_LIB_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "logfile.h"
#include "status.h"
#include "survey.h"

/**
 * enum verify_part - where a defect is
 * @VERIFY_FILE: the log's file as a whole
 * @VERIFY_STATUS: a copy of the status
 * @VERIFY_DICT: a copy of the segment dictionary
 * @VERIFY_RECORD: a record
 * @VERIFY_SEGMENT: the file of a segment
 */
enum verify_part {
	VERIFY_FILE,
	VERIFY_STATUS,
	VERIFY_DICT,
	VERIFY_RECORD,
	VERIFY_SEGMENT,
};

/**
 * struct verify_defect - something that is not as it should be
 * @part: see there
 * @path: of the file
 * @byte: in the file
 * @lsn: of a VERIFY_RECORD
 * @end: LSN up to which no valid record is; 0: there is none behind it
 * @tid: number of the transaction there, from a header that may be wrong; 0: unknown
 * @refused: recovery is refused because of it
 * @what: what is wrong
 * @effect: what that means for recovery
 */
struct verify_defect {
	enum verify_part part;
	const char *path;
	uint64_t byte;
	uint64_t lsn;
	uint64_t end;
	uint64_t tid;
	bool refused;
	const char *what;
	const char *effect;
};

/**
 * struct verify_ops - who looks on
 * @defect: called for each defect, or NULL
 * @progress: called with bytes of log read and the most there are to read, or NULL
 * @arg: their first argument
 */
struct verify_ops {
	void (*defect)(void *arg, const struct verify_defect *defect);
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/**
 * enum verify_trust - what is known of something that stands twice
 * @VERIFY_WHOLE: a copy is valid
 * @VERIFY_ALIKE: none is, but both say the same, and it can be
 * @VERIFY_LOST: neither
 */
enum verify_trust {
	VERIFY_WHOLE,
	VERIFY_ALIKE,
	VERIFY_LOST,
};

/**
 * struct verify_segment - a segment that the log knows
 * @id: number in the dictionary
 * @length: bytes when it was mapped last
 * @path: where it is
 * @bytes: bytes that it has, as far as it could be looked at, else @length
 * @ranges: how many of records are about it
 * @err: 0, or why recovery could not use it
 */
struct verify_segment {
	uint32_t id;
	uint64_t length;
	char *path;
	uint64_t bytes;
	uint64_t ranges;
	int err;
};

/**
 * struct verify - a log as it was found
 * @file: its file
 * @ops: who looks on
 * @status: its status, or what is taken for it
 * @status_trust: how far that goes
 * @copies: of the status
 * @dict: its dictionary
 * @dict_trust: how far that goes
 * @segments: those that the dictionary has
 * @segment_count: how many
 * @survey: its records; none if nothing is known of the status
 * @cut: its file is shorter than its status says
 * @defects: how many were told
 * @refused: how many of them recovery is refused for
 */
struct verify {
	struct logfile *file;
	const struct verify_ops *ops;
	struct format_status status;
	enum verify_trust status_trust;
	struct status_copies copies;
	struct dict dict;
	enum verify_trust dict_trust;
	struct verify_segment *segments;
	size_t segment_count;
	struct survey survey;
	bool cut;
	uint64_t defects;
	uint64_t refused;
};

/**
 * verify_log() - look at all of a log
 * @v: filled in; to be freed also if this fails
 * @file: the log's; where its record area is gets set
 * @ops: who looks on
 *
 * Return: 0 all was looked at; -EINVAL no log; -EPROTO a version or feature that is unknown;
 * -EIO; -ENOMEM; with a text.
 */
int verify_log(struct verify *v, struct logfile *file, const struct verify_ops *ops);

/** verify_free() - free its memory; the file stays open */
void verify_free(struct verify *v);

#endif
