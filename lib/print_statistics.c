// SPDX-License-Identifier: LGPL-2.1-or-later
/* Statistics as text. */
#include <rvm/rvm_statistics.h>
#include <stddef.h>
#include <string.h>

#include "err.h"
#include "instance.h"

/* What stands at a place in the record. */
enum kind {
	HEADING,
	COUNT,
	OFFSET,
	TIME,
	HISTOGRAM
};

/**
 * struct line - one line of the output
 * @kind: what it shows
 * @text: before the value
 * @at: where the value is in the record
 * @bounds: of a histogram
 * @unit: after the value
 */
struct line {
	enum kind kind;
	const char *text;
	size_t at;
	const unsigned int *bounds;
	const char *unit;
};

/* Each ends with 0; that of a bound 0 is the first, and stands for itself. */
static const unsigned int ms[] = { 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 0 };
static const unsigned int bytes[] = { 0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 0 };
static const unsigned int some[] = { 0, 5, 10, 50, 100, 0 };
static const unsigned int seconds[] = { 1, 10, 100, 500, 0 };

#define LINE_OF(kind, text, field, bounds, unit) \
	{ kind, text, offsetof(rvm_statistics_t, field), bounds, unit }
#define HEADING_OF(text)		{ HEADING, text, 0, NULL, "" }
#define COUNT_OF(text, field)		LINE_OF(COUNT, text, field, NULL, "")
#define COUNT_IN(text, field, unit)	LINE_OF(COUNT, text, field, NULL, unit)
#define BYTES_OF(text, field)		LINE_OF(OFFSET, text, field, NULL, " bytes")
#define TIME_OF(text, field)		LINE_OF(TIME, text, field, NULL, " s")
#define HISTOGRAM_OF(text, field, bounds) LINE_OF(HISTOGRAM, text, field, bounds, "")

static const struct line lines[] = {
	HEADING_OF("Now"),
	COUNT_OF("open transactions", n_uncommit),
	COUNT_OF("no_flush commits in memory", n_no_flush),
	BYTES_OF("committed and in memory", no_flush_length),
	COUNT_IN("log in use", log_dev_cur, " %"),
	COUNT_IN("the most so far", log_dev_max, " %"),
	COUNT_IN("last flush", last_flush_time, " ms"),
	COUNT_IN("last truncation", last_truncation_time, " s"),
	COUNT_IN("reading and sorting for it", last_tree_build_time, " s"),
	COUNT_IN("writing for it", last_tree_apply_time, " s"),

	HEADING_OF("Since the last truncation"),
	COUNT_OF("aborts", n_abort),
	COUNT_OF("flush commits", n_flush_commit),
	COUNT_OF("no_flush commits", n_no_flush_commit),
	COUNT_OF("commits that waited for truncation", n_truncation_wait),
	COUNT_OF("flushes of the log", n_flush),
	TIME_OF("spent in them", flush_time),
	COUNT_OF("calls of rvm_flush", n_rvm_flush),
	BYTES_OF("written to the log", log_written),
	COUNT_OF("records that are no transactions", n_special),
	COUNT_OF("times around the log", n_wrap),
	COUNT_OF("records split there", n_split),
	COUNT_OF("ranges joined in a transaction", n_range_elim),
	BYTES_OF("saved by that", range_overlap),
	COUNT_OF("transactions covered by newer ones", n_trans_coalesced),
	COUNT_OF("ranges covered by newer ones", n_trans_elim),
	BYTES_OF("saved by that", trans_overlap),
	HISTOGRAM_OF("ms for a flush", flush_times, ms),
	HISTOGRAM_OF("bytes of a range", range_lengths, bytes),
	HISTOGRAM_OF("ranges joined in a transaction", range_elims, some),
	HISTOGRAM_OF("bytes saved by that", range_overlaps, bytes),
	HISTOGRAM_OF("ranges covered at once", trans_elims, some),
	HISTOGRAM_OF("bytes saved by that", trans_overlaps, bytes),

	HEADING_OF("Since rvm_initialize"),
	COUNT_OF("aborts", tot_abort),
	COUNT_OF("flush commits", tot_flush_commit),
	COUNT_OF("no_flush commits", tot_no_flush_commit),
	COUNT_OF("commits that waited for truncation", tot_truncation_wait),
	COUNT_OF("flushes of the log", tot_flush),
	TIME_OF("spent in them", tot_flush_time),
	COUNT_OF("calls of rvm_flush", tot_rvm_flush),
	BYTES_OF("written to the log", tot_log_written),
	COUNT_OF("records that are no transactions", tot_special),
	COUNT_OF("times around the log", tot_wrap),
	COUNT_OF("records split there", tot_split),
	COUNT_OF("ranges joined in a transaction", tot_range_elim),
	BYTES_OF("saved by that", tot_range_overlap),
	COUNT_OF("transactions covered by newer ones", tot_trans_coalesced),
	COUNT_OF("ranges covered by newer ones", tot_trans_elim),
	BYTES_OF("saved by that", tot_trans_overlap),
	COUNT_OF("calls of rvm_truncate", tot_rvm_truncate),
	COUNT_OF("truncations in the background", tot_async_truncation),
	COUNT_OF("truncations for lack of room", tot_sync_truncation),
	COUNT_OF("epoch truncations that freed space", tot_epoch_truncation),
	COUNT_OF("steps that freed space", tot_step),
	COUNT_OF("pages that steps wrote", tot_step_pages),
	COUNT_OF("pages with uncommitted references", tot_step_blocked),
	COUNT_OF("times that steps were not enough", tot_fallback),
	TIME_OF("spent in truncation", tot_truncation_time),
	COUNT_OF("recoveries", tot_recovery),
	HISTOGRAM_OF("ms for a flush", tot_flush_times, ms),
	HISTOGRAM_OF("bytes of a range", tot_range_lengths, bytes),
	HISTOGRAM_OF("ranges joined in a transaction", tot_range_elims, some),
	HISTOGRAM_OF("bytes saved by that", tot_range_overlaps, bytes),
	HISTOGRAM_OF("transactions covered at once", tot_trans_coalesces, some),
	HISTOGRAM_OF("ranges covered at once", tot_trans_elims, some),
	HISTOGRAM_OF("bytes saved by that", tot_trans_overlaps, bytes),
	HISTOGRAM_OF("s for a truncation", tot_truncation_times, seconds),
	HISTOGRAM_OF("s for reading and sorting", tot_tree_build_times, seconds),
	HISTOGRAM_OF("s for writing", tot_tree_apply_times, seconds),
};

/* "<=4 7  <=8 2  more 1", without the buckets that are empty. */
static void print_histogram(const rvm_length_t *n, const unsigned int *bound, FILE *out)
{
	const char *space = "";

	do {
		if (*n) {
			fprintf(out, "%s<=%u %lu", space, *bound, *n);
			space = "  ";
		}
		n++;
		bound++;
	} while (*bound);
	if (*n)
		fprintf(out, "%smore %lu", space, *n);
	else if (!*space)
		fputs("none", out);
}

static void print_offset(const rvm_offset_t *offset, FILE *out)
{
	if (offset->high)
		fprintf(out, "%lu * 2^64 + ", offset->high);
	fprintf(out, "%lu", offset->low);
}

static void print_value(const struct line *line, const void *at, FILE *out)
{
	const struct timeval *time = at;

	if (line->kind == COUNT)
		fprintf(out, "%lu", *(const rvm_length_t *)at);
	else if (line->kind == OFFSET)
		print_offset(at, out);
	else if (line->kind == TIME)
		fprintf(out, "%ld.%06ld", (long)time->tv_sec, (long)time->tv_usec);
	else
		print_histogram(at, line->bounds, out);
}

static void print_line(const struct line *line, const rvm_statistics_t *statistics, FILE *out)
{
	if (line->kind == HEADING) {
		fprintf(out, "%s:\n", line->text);
		return;
	}
	fprintf(out, "  %-36s", line->text);
	print_value(line, (const char *)statistics + line->at, out);
	fprintf(out, "%s\n", line->unit);
}

rvm_return_t rvm_print_statistics(rvm_statistics_t *statistics, FILE *out)
{
	size_t i;

	err_clear();
	if (!statistics || statistics->struct_id != rvm_statistics_id)
		return fail(RVM_ESTATISTICS,
			    "not a statistics record: call rvm_init_statistics() on it");
	if (!out)
		return fail(RVM_EIO, "no stream to print the statistics to");
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		print_line(&lines[i], statistics, out);
	if (ferror(out))
		return fail(RVM_EIO, "the statistics could not be printed: %s", strerror(errno));
	return RVM_SUCCESS;
}
