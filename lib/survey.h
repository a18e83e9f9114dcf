/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A survey of the record area: all valid records, also those beyond damage, as runs of records
 * that stand one behind the other, and why each run ends.
 */
#ifndef RVM_LIB_SURVEY_H
#define RVM_LIB_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

struct logfile;
struct reader;

#define SURVEY_WHY 160

/**
 * struct survey_run - valid records, one behind the other
 * @from: LSN of the first one
 * @to: LSN after the last one, where no valid record stands
 * @transactions: how many of them are transactions
 * @durable: the highest durable LSN that they tell
 * @resume: LSN from which the next run was looked for
 * @unusable: a valid record stands at @to, but recovery cannot use it
 * @damage: what stands at @to was durable once; else it was never acknowledged
 * @has_header: what stands at @to has the header of a record that belongs there
 * @header: it, not to be trusted
 * @why: why no valid record stands at @to
 */
struct survey_run {
	uint64_t from;
	uint64_t to;
	uint64_t transactions;
	uint64_t durable;
	uint64_t resume;
	bool unusable;
	bool damage;
	bool has_header;
	struct format_record header;
	char why[SURVEY_WHY];
};

/**
 * struct survey_ops - who looks on
 * @record: called for each valid record; -EUCLEAN: recovery cannot use it, and @why, of SURVEY_WHY
 *	bytes, tells why; another error ends the survey
 * @progress: called with bytes read and the most there are to read, or NULL
 * @arg: their first argument
 */
struct survey_ops {
	int (*record)(void *arg, struct reader *reader, const struct format_record *record,
		      char *why);
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/**
 * struct survey - what was found
 * @runs: the first one starts at the head and may be empty; the others are beyond damage, or
 *	beyond a torn write
 * @count: how many
 * @limit: LSN at which the survey ended
 */
struct survey {
	struct survey_run *runs;
	size_t count;
	uint64_t limit;
};

/**
 * survey_log() - read all of the record area
 * @survey: filled in
 * @file: the log's
 * @status: the log's, or what is taken for it
 * @ops: who looks on
 *
 * Return: 0; -EIO, -ENOMEM, or what @ops returned, with a text.
 */
int survey_log(struct survey *survey, const struct logfile *file,
	       const struct format_status *status, const struct survey_ops *ops);

/** survey_free() - free its memory; all zero bytes are fine too */
void survey_free(struct survey *survey);

/** survey_damaged() - the first run that ends in damage, or NULL */
const struct survey_run *survey_damaged(const struct survey *survey);

/** survey_end() - LSN after the last valid record */
uint64_t survey_end(const struct survey *survey);

#endif
