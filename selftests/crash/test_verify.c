// SPDX-License-Identifier: GPL-2.0
/*
 * What is told of a damaged log, word for word: by verify of each defect, by salvage of each range
 * that is lost; and that neither tells of what was never acknowledged.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "err.h"
#include "log.h"
#include "salvage.h"
#include "specimen_each.h"
#include "verify.h"

#include "broken.h"

#define TRANSACTIONS	(COUNT - TRUNCATED)	/* that the log has */
#define MOST_LOST	(SPECIMEN_RANGES * TRANSACTIONS + 8)

/* struct defect - one that was told */
struct defect {
	uint64_t byte, lsn, end, tid;
	bool refused;
	enum verify_part part;
	char what[200], effect[300];
};

/* struct told - what was told of the log */
static struct told {
	struct defect defects[8];
	unsigned int defect_count;
	struct salvage_lost lost[MOST_LOST];
	unsigned int lost_count;
	struct salvage_stats stats;
} told;

static void on_defect(void *arg, const struct verify_defect *d)
{
	struct defect *copy = &told.defects[told.defect_count++];

	if (told.defect_count > ARRAY_SIZE(told.defects))
		abort();
	*copy = (struct defect){ .byte = d->byte, .lsn = d->lsn, .end = d->end, .tid = d->tid,
				 .refused = d->refused, .part = d->part };
	snprintf(copy->what, sizeof(copy->what), "%s", d->what);
	snprintf(copy->effect, sizeof(copy->effect), "%s", d->effect);
}

/* Paths do not stay. */
static void on_lost(void *arg, const struct salvage_lost *lost)
{
	if (told.lost_count == MOST_LOST)
		abort();
	told.lost[told.lost_count] = *lost;
	if (lost->path)
		told.lost[told.lost_count].path = strcmp(lost->path, SEG) ? "?" : SEG;
	told.lost_count++;
}

static int look(void)
{
	const struct verify_ops ops = { .defect = on_defect };
	struct verify v;

	told.defect_count = 0;
	return specimen_verify(&v, &ops);
}

static int salvage(bool beyond)
{
	const struct salvage_ops ops = {
		.beyond = beyond, .defect = on_defect, .lost = on_lost
	};

	told.defect_count = 0;
	told.lost_count = 0;
	mem_unlink("/log.damaged");
	return salvage_log(LOG, &ops, &told.stats);
}

/* The record of a transaction: those before the last flush have their own, with its padding. */
static unsigned int record_of(unsigned int tid)
{
	unsigned int n = tid - TRUNCATED - 1;

	return tid <= COUNT - LAST ? 2 * n : 2 * (TRANSACTIONS - LAST) + tid - (COUNT - LAST + 1);
}

static struct disk_record *header_at(unsigned char *image, unsigned int n)
{
	return (void *)(image + specimen_record(image, n));
}

static uint64_t lsn_of(const struct specimen *s, unsigned int n)
{
	return le64toh(header_at((unsigned char *)s->image, n)->lsn);
}

static uint64_t end_of(const struct specimen *s, unsigned int n)
{
	return lsn_of(s, n) + le64toh(header_at((unsigned char *)s->image, n)->length);
}

/* LSN after the last record. */
static uint64_t end_of_all(const struct specimen *s)
{
	return end_of(s, record_of(COUNT) + 1);
}

/* A record of the transaction is broken in its data, so that its header is as it was. */
static void break_data(unsigned char *image, unsigned int tid)
{
	unsigned int n = record_of(tid);

	image[specimen_record(image, n) + le64toh(header_at(image, n)->length) / 2] ^= 0x10;
}

TEST_F(specimen, verify_tells_of_each_record_where_it_is_and_how_many_are_beside_it)
{
	const struct specimen *s = &self->specimen;
	unsigned int tid;

	for (tid = TRUNCATED + 1; tid <= COUNT - LAST; tid++) {
		const struct defect *d = &told.defects[0];
		unsigned int n = record_of(tid);
		char effect[200];

		break_data(specimen_put(s), tid);
		ASSERT_EQ(0, look());
		ASSERT_EQ(1, told.defect_count);
		EXPECT_EQ(VERIFY_RECORD, d->part);
		EXPECT_EQ(specimen_record(s->image, n), d->byte);
		EXPECT_EQ(lsn_of(s, n), d->lsn);
		EXPECT_EQ(lsn_of(s, n + 1), d->end);
		EXPECT_EQ(tid, d->tid);
		EXPECT_TRUE(d->refused);
		EXPECT_STREQ("the record's checksum is wrong", d->what);
		snprintf(effect, sizeof(effect), "recovery is refused; %u whole transactions stand before it, and %u beyond it, up to LSN %"
			 PRIu64, tid - TRUNCATED - 1, COUNT - tid, end_of_all(s));
		EXPECT_STREQ(effect, d->effect);
	}
}

/* struct doubt - may the number of a record that is broken so be believed? */
static const struct doubt {
	const char *name;
	bool believed;
} doubts[] = {
	{ "record_without_magic", false },
	{ "record_of_another_generation", false },
	{ "record_of_another_place", false },
	{ "record_durable_before_it_was_made", false },
	{ "record_with_flags", true },
	{ "record_too_short", true },
	{ "trailer_checksum", true },
};

TEST_F(specimen, the_number_of_a_broken_record_is_told_if_its_header_can_be_right)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(doubts); i++) {
		specimen_break(&self->specimen, broken_named(doubts[i].name));
		ASSERT_EQ(0, look());
		ASSERT_EQ(1, told.defect_count);
		EXPECT_EQ(doubts[i].believed ? TRUNCATED + 3 : 0, told.defects[0].tid) {
			TH_LOG("%s", doubts[i].name);
		}
	}
}

/* The ranges of a transaction are told next, from the number @i on. */
static bool is_lost(const struct specimen *s, unsigned int i, unsigned int tid, bool sure,
		    uint64_t end)
{
	uint64_t lsn = lsn_of(s, record_of(tid));
	unsigned char data[SPECIMEN_DATA];
	struct log_range r[SPECIMEN_RANGES];
	unsigned int k;

	specimen_ranges(tid, data, r);
	for (k = 0; k < SPECIMEN_RANGES; k++) {
		const struct salvage_lost *lost = &told.lost[i + k];

		if (i + k >= told.lost_count || lost->lsn != lsn || lost->end != end ||
		    lost->tid != tid || lost->sure != sure || !lost->path ||
		    strcmp(lost->path, SEG) || lost->offset != r[k].offset ||
		    lost->length != r[k].length)
			return false;
	}
	return true;
}

/* First the stretch without a record by itself, of which no segment is known. */
static bool is_hole(const struct specimen *s, unsigned int i, unsigned int tid, bool sure,
		    uint64_t end)
{
	const struct salvage_lost *lost = &told.lost[i];

	return lost->lsn == lsn_of(s, record_of(tid)) && lost->end == end &&
	       lost->tid == tid && lost->sure == sure && !lost->path && !lost->length &&
	       is_lost(s, i + 1, tid, sure, end);
}

TEST_F(specimen, salvage_tells_of_each_range_that_it_does_not_bring)
{
	const struct specimen *s = &self->specimen;
	unsigned int tid, i;

	for (tid = TRUNCATED + 1; tid <= COUNT - LAST; tid += 5) {
		unsigned int n = record_of(tid), at = 1 + SPECIMEN_RANGES;

		break_data(specimen_put(s), tid);
		ASSERT_EQ(0, salvage(false));
		EXPECT_EQ(lsn_of(s, n), told.stats.damage);
		EXPECT_EQ(end_of_all(s), told.stats.end);
		EXPECT_EQ(1, told.stats.holes);
		EXPECT_EQ(COUNT - tid, told.stats.lost);
		ASSERT_EQ(at + SPECIMEN_RANGES * (COUNT - tid), told.lost_count);
		EXPECT_TRUE(is_hole(s, 0, tid, false, lsn_of(s, n + 1)));
		for (i = tid + 1; i <= COUNT; i++, at += SPECIMEN_RANGES)
			EXPECT_TRUE(is_lost(s, at, i, true, end_of(s, record_of(i))));
	}
}

/* A record that nothing stands behind, whole, but of a segment that there is not. */
static void make_unusable(unsigned char *image, unsigned int tid)
{
	unsigned int at = specimen_record(image, record_of(tid));
	struct disk_record *record = (void *)(image + at);
	struct disk_range *last = (void *)(record + 1);

	last[SPECIMEN_RANGES - 1].segment = htole32(7);
	specimen_seal(image, at, le64toh(record->length));
}

/* It was written as it is, so it is damage also where nothing proves that it was acknowledged. */
TEST_F(specimen, a_whole_record_that_cannot_be_used_is_damage_at_the_end_of_the_log_too)
{
	const struct specimen *s = &self->specimen;
	const struct salvage_lost *lost = told.lost;

	make_unusable(specimen_put(s), COUNT);
	ASSERT_EQ(0, look());
	ASSERT_EQ(1, told.defect_count);
	EXPECT_STREQ("a record names segment 7, its dictionary does not", told.defects[0].what);
	ASSERT_EQ(0, salvage(false));
	EXPECT_FALSE(told.stats.sound);
	EXPECT_EQ(COUNT - 1, specimen_state(s));
	/* the hole, and the ranges before the one that is not known */
	ASSERT_EQ(SPECIMEN_RANGES, told.lost_count);
	EXPECT_TRUE(lost[0].sure && lost[1].sure && lost[2].sure);
	EXPECT_EQ(COUNT, lost[2].tid);
	EXPECT_EQ(lsn_of(s, record_of(COUNT)), lost[2].lsn);
}

/* Damage in the middle, and a torn write at the end, whose flush lacks its first record. */
TEST_F(specimen, what_stands_behind_a_torn_write_is_neither_lost_nor_taken)
{
	const struct specimen *s = &self->specimen;
	unsigned int beyond, tid = COUNT - LAST - 2;

	if (variant->closed)	/* its status says that all of it was durable */
		return;
	for (beyond = 0; beyond < 2; beyond++) {
		unsigned char *image = specimen_put(s);

		break_data(image, tid);
		break_data(image, COUNT - LAST + 1);
		ASSERT_EQ(0, look());
		ASSERT_EQ(1, told.defect_count);
		ASSERT_EQ(0, salvage(beyond));
		EXPECT_EQ(1, told.stats.holes);
		EXPECT_EQ(beyond ? 0 : 2, told.stats.lost);
		ASSERT_EQ(1 + SPECIMEN_RANGES * (beyond ? 1 : 3), told.lost_count);
		EXPECT_TRUE(is_hole(s, 0, tid, false, lsn_of(s, record_of(tid) + 1)));
		EXPECT_EQ((beyond ? COUNT - LAST - 1 : tid - 1) - TRUNCATED,
			  told.stats.recovered.records);
	}
}

/* Both copies of the status say that the log was closed behind a transaction. */
static void close_after(unsigned char *image, unsigned int tid)
{
	uint64_t end = le64toh(header_at(image, record_of(tid) + 2)->lsn);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct disk_status *status = (void *)(image + i * FORMAT_BLOCK);

		status->tail_hint = htole64(end);
		specimen_seal_status((void *)status);
	}
}

TEST_F(specimen, behind_the_end_of_a_closed_log_nothing_is_looked_for)
{
	const struct specimen *s = &self->specimen;
	unsigned char *image = specimen_put(s);
	unsigned int last = COUNT - 10;
	char effect[200];

	if (!variant->closed)
		return;
	close_after(image, last);
	break_data(image, last - 4);
	ASSERT_EQ(0, look());
	ASSERT_EQ(1, told.defect_count);
	snprintf(effect, sizeof(effect), "and 4 beyond it, up to LSN %" PRIu64,
		 lsn_of(s, record_of(last + 1)));
	EXPECT_NE(NULL, strstr(told.defects[0].effect, effect));
	ASSERT_EQ(0, salvage(false));
	EXPECT_EQ(4, told.stats.lost);
	EXPECT_EQ(lsn_of(s, record_of(last + 1)), told.stats.end);
}

/* Wrong checksums of what stands twice, so that only both alike can be believed. */
static void break_both(unsigned char *image, unsigned int first, unsigned int distance)
{
	image[first] ^= 1;
	image[first + distance] ^= 1;
}

/* What two broken copies say alike may be any bytes, unless something with a checksum agrees. */
TEST_F(specimen, broken_statuses_are_not_believed_if_nothing_else_is_whole)
{
	const struct specimen *s = &self->specimen;
	unsigned char *image = specimen_put(s);

	break_both(image, FORMAT_BLOCK - 4, FORMAT_BLOCK);
	image[specimen_record(s->image, 0)] ^= 1;	/* a record is found behind it */
	ASSERT_EQ(0, salvage(false));

	image = specimen_put(s);
	break_both(image, FORMAT_BLOCK - 4, FORMAT_BLOCK);
	memset(image + SMALLLOG_AREA, 0, AREA);
	ASSERT_EQ(0, look());
	EXPECT_NE(NULL, strstr(told.defects[0].what, "checksum"));
	break_both(image, FORMAT_DICT_OFFSET + SMALLLOG_DICT - 4, SMALLLOG_DICT);
	ASSERT_EQ(-EUCLEAN, salvage(false));
	EXPECT_NE(NULL, strstr(err_text(), "both statuses are damaged"));
	EXPECT_EQ(NULL, mem_find("/log.damaged"));
}

TEST_HARNESS_MAIN
