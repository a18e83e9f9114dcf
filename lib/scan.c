// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Finding the log's tail, and telling a torn tail from damage.
 *
 * The walk starts at the head and ends at the first LSN p where there is no valid record.  The
 * log was closed cleanly: p must be the tail that the status tells.  Otherwise what stands at p
 * is damage, if and only if
 *
 *  1. p is below the status's tail_hint, which was durable when the status was written; or
 *  2. a valid record of the same generation beyond p has a durable LSN above p: when it was
 *     made, all below that LSN was on the disk, the record at p with it.
 *
 * Else p is the tail: nobody was ever told that a record at or beyond p is durable, but for
 * what the very last flush wrote.  Documentation/log-format.md has the proof.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "err.h"
#include "log.h"
#include "reader.h"
#include "scan.h"

/* struct scan - a scan under way */
struct scan {
	struct log *log;
	struct format_status status;
	struct reader reader;
	uint64_t limit;
	const struct scan_ops *ops;
	uint64_t told;		/* LSN that was reported last */
};

static int damage(const struct scan *s, uint64_t lsn, const char *why, const char *proof)
{
	return err_set(EUCLEAN, "log %s: damaged at LSN %" PRIu64 " (byte %" PRIu64 "): %s; %s",
		       s->reader.file->path, lsn, logfile_position(s->reader.file, lsn), why,
		       proof);
}

/* Not for each of a million records. */
static void report(struct scan *s, uint64_t lsn)
{
	if (!s->ops->progress || lsn - s->told < s->status.area_size / SCAN_REPORTS)
		return;
	s->told = lsn;
	s->ops->progress(s->ops->arg, lsn - s->status.head, s->status.area_size);
}

/* Walks from *@lsn to the first LSN at which there is no valid record. */
static int walk(struct scan *s, uint64_t *lsn, const char **why)
{
	struct format_record record;
	int err;

	for (;;) {
		err = reader_record(&s->reader, *lsn, s->limit, &record, why);
		if (err)
			return err == -EUCLEAN ? 0 : err;
		if (s->ops->record)
			err = s->ops->record(s->ops->arg, &s->reader, &record);
		if (err)
			return err;
		*lsn += record.length;
		report(s, *lsn);
	}
}

/* The first LSN in [@lsn, @end) where the bytes look like the start of a record, or @end. */
static uint64_t find_magic(const uint32_t *words, uint64_t lsn, uint64_t end)
{
	while (lsn < end && le32toh(*words) != FORMAT_RECORD_MAGIC) {
		lsn += FORMAT_ALIGN;
		words += FORMAT_ALIGN / sizeof(*words);
	}
	return lsn;
}

/*
 * Looks at every possible start of a record beyond @lsn, not only at those that a walk by
 * lengths would meet: what lies between may be damaged too.
 */
static int search_beyond(struct scan *s, uint64_t lsn, const char *why)
{
	struct format_record record;
	uint64_t at = lsn + FORMAT_ALIGN;

	while (at < s->limit) {
		uint64_t end = s->limit - at < FORMAT_CHUNK ? s->limit : at + FORMAT_CHUNK;
		const char *ignored;
		const void *words;
		int err;

		err = reader_get(&s->reader, at, end - at, &words);
		if (err)
			return err;
		at = find_magic(words, at, end);
		report(s, at);
		if (at == end)
			continue;
		err = reader_record(&s->reader, at, s->limit, &record, &ignored);
		if (err && err != -EUCLEAN)
			return err;
		if (!err && record.durable > lsn)
			return damage(s, lsn, why, "a later record proves that it was durable");
		at += err ? FORMAT_ALIGN : record.length;
	}
	return 0;
}

static int find_tail(struct scan *s, uint64_t *tail)
{
	const struct format_status *status = &s->status;
	uint64_t lsn = status->head;
	const char *why;
	int err;

	s->told = lsn;
	s->limit = status->clean ? status->tail_hint : status->head + status->area_size;
	reader_ahead(&s->reader, lsn, s->limit);
	err = walk(s, &lsn, &why);
	if (err)
		return err;
	*tail = lsn;
	if (lsn < status->tail_hint)
		return damage(s, lsn, why, "its status says that it was durable");
	return status->clean ? 0 : search_beyond(s, lsn, why);
}

int scan_log(struct log *log, const struct scan_ops *ops, uint64_t *tail)
{
	struct scan s = { .log = log, .ops = ops };
	int err;

	log_status(log, &s.status);
	err = reader_init(&s.reader, log_file(log), &s.status);
	if (err)
		return err;
	err = find_tail(&s, tail);
	reader_free(&s.reader);
	return err;
}
