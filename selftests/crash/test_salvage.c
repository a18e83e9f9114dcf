// SPDX-License-Identifier: GPL-2.0
/*
 * Damaged logs, looked at and salvaged: each defect is told with its place, and what is brought to
 * the segment is a prefix of what was committed, or nothing is changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "err.h"
#include "recover.h"
#include "salvage.h"
#include "specimen_each.h"
#include "told.h"

#include "broken.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FLIPS	2400	/* slow */
#else
#define FLIPS	12000
#endif

static struct disk before;

/* Where a broken image is broken, and the words that say so. */
static void expect_place(struct told *t, const struct specimen *s, const struct broken *b)
{
	static const enum verify_part parts[] = {
		[STATUS] = VERIFY_STATUS, [DICT] = VERIFY_DICT, [RECORD] = VERIFY_RECORD,
		[PADDING] = VERIFY_RECORD, [TRAILER] = VERIFY_RECORD, [LENGTH] = VERIFY_FILE,
		[SEGMENT] = VERIFY_SEGMENT,
	};

	memset(t, 0, sizeof(*t));
	t->part = parts[b->part];
	t->what = b->text;
	switch (b->part) {
	case STATUS:
		t->byte[1] = FORMAT_BLOCK;
		break;
	case DICT:
		t->byte[0] = FORMAT_DICT_OFFSET;
		t->byte[1] = FORMAT_DICT_OFFSET + SMALLLOG_DICT;
		break;
	case LENGTH:
	case SEGMENT:
		t->byte[0] = b->value;
		t->byte[1] = b->value;
		t->what = NULL;
		break;
	default:
		t->byte[0] = specimen_record(s->image, b->part == PADDING ? MIDDLE + 1 : MIDDLE);
		t->byte[1] = t->byte[0];
	}
}

/* How an image is not like the others of the same part. */
enum otherwise {
	OTHER_WORDS = 1,	/* verify says it in other words */
	OTHER_PLACE = 2,	/* and of another place: what is broken is right by itself */
	NO_LOG = 4,		/* verify does not take it for a log that it knows */
	SOUND = 8,		/* it is sound for who only reads */
};

/* struct exception - such an image, and the transactions that salvage brings, or its error */
static const struct exception {
	const char *name;
	int result;
	unsigned int otherwise;
} exceptions[] = {
	{ "status_without_magic", COUNT, OTHER_WORDS },
	{ "status_version_2", -EPROTO, NO_LOG },
	{ "status_version_0", -EPROTO, NO_LOG },
	{ "status_unknown_ro_compat", -EPROTO, SOUND },
	{ "status_unknown_incompat", -EPROTO, NO_LOG },
	{ "status_generation_0", -EUCLEAN, 0 },
	{ "status_area_size_more_than_the_file", -EUCLEAN, OTHER_PLACE },
	{ "status_head_odd", -EUCLEAN, 0 },
	{ "status_head_too_low", -EUCLEAN, 0 },
	{ "status_tail_hint_beyond_the_area", -EUCLEAN, 0 },
	{ "dict_too_many_entries", -EUCLEAN, 0 },
	{ "dict_no_entries_but_bytes", -EUCLEAN, 0 },
	{ "dict_path_too_long", -EUCLEAN, 0 },
	{ "dict_path_empty", -EUCLEAN, 0 },
	{ "dict_path_relative", -EUCLEAN, 0 },
	{ "dict_path_with_a_nul", -EUCLEAN, 0 },
	{ "dict_id_0", -EUCLEAN, 0 },
	{ "dict_id_of_another", TRUNCATED, OTHER_PLACE },
	{ "dict_segment_was_longer", -EUCLEAN, OTHER_PLACE },
	{ "dict_bytes_behind_the_last", -EUCLEAN, 0 },
	{ "range_beyond_its_segment", BEFORE_MIDDLE, OTHER_WORDS },
	{ "file_empty", -EINVAL, NO_LOG },
	{ "file_of_one_status", -EINVAL, NO_LOG },
	{ "file_of_both_statuses", -EUCLEAN, 0 },
	{ "file_without_its_last_byte", BEFORE_END, 0 },
};

static const struct exception *find_exception(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(exceptions); i++)
		if (!strcmp(exceptions[i].name, name))
			return &exceptions[i];
	return NULL;
}

static int expected(const struct broken *b)
{
	const struct exception *e = find_exception(b->name);

	if (e)
		return e->result;
	switch (b->part) {
	case STATUS:
	case DICT:
		return COUNT;
	case PADDING:
		return BEFORE_MIDDLE + 1;
	case SEGMENT:
		return -b->err;
	default:
		return BEFORE_MIDDLE;
	}
}

static bool told_right(const struct specimen *s, const struct broken *b)
{
	const struct exception *e = find_exception(b->name);
	unsigned int otherwise = e ? e->otherwise : 0;
	struct told told;
	struct verify v;
	int err;

	expect_place(&told, s, b);
	if (otherwise & OTHER_WORDS)
		told.what = NULL;
	err = told_verify(&told, &v);
	if (otherwise & NO_LOG)
		return err == e->result && !told.defects;
	if (otherwise & SOUND)
		return !err && !told.defects;
	return !err && v.refused && told.defects && (told.right || otherwise & OTHER_PLACE);
}

static bool salvaged_right(const struct specimen *s, const struct broken *b, struct disk *disk)
{
	int want = expected(b), got;

	disk_remember(disk);
	disk_forget_copies();
	got = told_salvaged(s);
	if (got != want)
		printf("# %s: %d, not %d: %s\n", b->name, got, want, err_text());
	if (got < 0)
		return got == want && disk_unchanged(disk) && !mem_find(KEPT);
	/* and it is sound now, goes on behind what was durable, and is as it was somewhere */
	return got == want && disk_status_lsn(true) >= disk->durable && disk_log_is(disk, KEPT) &&
	       specimen_recovered(s) == want;
}

TEST_F(specimen, each_named_image_is_told_of_and_salvaged)
{
	const struct specimen *s = &self->specimen;
	unsigned int i, bad = 0;

	if (variant->closed)
		return;
	for (i = 0; i < ARRAY_SIZE(broken); i++) {
		bool told, right;

		specimen_break(s, &broken[i]);
		told = told_right(s, &broken[i]);
		right = salvaged_right(s, &broken[i], &before);
		bad += !told || !right;
		if (!told || !right)
			TH_LOG("%s: %s", broken[i].name, told ? "salvaged wrong" : "told wrong");
	}
	ASSERT_EQ(0, bad);
}

/* struct tally - what came of damaged logs */
struct tally {
	unsigned int whole;
	unsigned int prefixes;
	unsigned int refused;
};

/* Looks, recovers and salvages; what plain recovery takes is taken the same way. */
static bool is_right(const struct specimen *s, struct disk *disk, struct tally *tally)
{
	struct told told = {};
	struct verify v;
	int plain, got, err;
	bool bad;

	disk_remember(disk);
	disk_forget_copies();
	err = told_verify(&told, &v);
	if (!disk_unchanged(disk) || (err && err != -EINVAL && err != -EPROTO))
		return false;
	plain = specimen_recovered(s);
	bad = plain < 0;
	if (bad != (err || v.refused) || (bad && !disk_unchanged(disk)))
		return false;
	mem_put(LOG, disk->log, disk->log_size);
	mem_put(SEG, disk->segment, disk->segment_size);
	got = told_salvaged(s);
	if (got < 0) {
		tally->refused++;
		return got != NO_STATE && plain < 0 && disk_unchanged(disk) && !mem_find(KEPT);
	}
	tally->whole += got == COUNT;
	tally->prefixes += got < COUNT;
	if (disk_status_lsn(true) < disk->durable)
		return false;
	if (plain >= 0)
		return got == plain && !mem_find(KEPT);
	return disk_log_is(disk, KEPT) && told_salvaged(s) == got && specimen_recovered(s) == got;
}

static void flip(unsigned char *image, unsigned int *seed)
{
	unsigned int n = 1 + rand_r(seed) % 3;

	while (n--) {
		unsigned int at = rand_r(seed) % BYTES;

		/* the statuses and dictionaries are small, and both copies of one matter */
		if (rand_r(seed) % 4 == 0)
			at = rand_r(seed) % (2 * FORMAT_BLOCK);
		image[at] ^= 1 << rand_r(seed) % 8;
	}
}

static void burst(unsigned char *image, unsigned int *seed)
{
	unsigned int at = rand_r(seed) % BYTES, n = 1 + rand_r(seed) % 9000;

	for (; n-- && at < BYTES; at++)
		image[at] = *seed % 2 ? rand_r(seed) : 0;
}

TEST_F_TIMEOUT(specimen, salvage_gives_a_prefix_or_changes_nothing_whatever_is_damaged, 600)
{
	struct tally tally = {};
	unsigned int i;

	for (i = 0; i < FLIPS; i++) {
		unsigned int seed = i * 2654435761U + 7;
		unsigned char *image = specimen_put(&self->specimen);

		if (i % 3)
			flip(image, &seed);
		else
			burst(image, &seed);
		ASSERT_TRUE(is_right(&self->specimen, &before, &tally)) {
			TH_LOG("damage %u: %s", i, err_text());
		}
	}
	TH_LOG("%u whole, %u prefixes, %u refused", tally.whole, tally.prefixes, tally.refused);
	ASSERT_LT(FLIPS / 12, tally.whole);
	ASSERT_LT(FLIPS / 12, tally.prefixes);
	ASSERT_LT(FLIPS / 240, tally.refused);
}

TEST_F_TIMEOUT(specimen, salvage_of_a_log_that_was_cut_off_gives_a_prefix, 600)
{
	const struct specimen *s = &self->specimen;
	int n, last = -1, prefixes = 0;
	unsigned int at;

	for (at = FIRST; at < SECTORS; at++) {
		specimen_put(s);
		mem_put(LOG, s->image, at * MEM_SECTOR + at % 3);
		disk_remember(&before);
		disk_forget_copies();
		n = told_salvaged(s);
		ASSERT_NE(NO_STATE, n);
		if (n < 0) {
			ASSERT_TRUE(disk_unchanged(&before));
			continue;
		}
		prefixes++;
		ASSERT_LE(last, n);
		last = n;
		ASSERT_EQ(BYTES, mem_find(LOG)->size);
		ASSERT_TRUE(disk_log_is(&before, KEPT));
		ASSERT_EQ(n, specimen_recovered(s));
	}
	ASSERT_LT(10, prefixes);
}

/* Breaks the record @n, and those behind it, too, if @all. */
static void break_records(const struct specimen *s, unsigned int n, unsigned int count, bool all)
{
	unsigned char *image = specimen_put(s);
	unsigned int i;

	for (i = n; i < (all ? count : n + 1); i++)
		image[specimen_record(s->image, i)] ^= 1;
}

/* What a program was told to be durable at some LSN must not come to mean another record. */
TEST_F(specimen, salvage_lets_no_lsn_come_again)
{
	const struct specimen *s = &self->specimen;
	bool closed = variant->closed;
	/* each flush ends with a padding, the last one of a log that was not closed may be torn */
	unsigned int count = 2 * (COUNT - TRUNCATED - LAST) + (closed ? LAST + 1 : 0), n;
	struct salvage_stats stats;
	struct told told = {};
	unsigned int above = 0, below = 0;

	for (n = 0; n < count; n++) {
		break_records(s, n, count, closed);
		disk_remember(&before);
		disk_forget_copies();
		ASSERT_EQ(0, told_salvage(&told, NULL, false, &stats));
		ASSERT_FALSE(stats.sound);
		ASSERT_LE(stats.end, disk_status_lsn(true));
		ASSERT_LE(before.durable, disk_status_lsn(true));
		above += stats.end > before.durable;
		below += stats.end < before.durable;
	}
	ASSERT_EQ(closed ? 0 : count, above);
	ASSERT_EQ(closed ? count : 0, below);
}

TEST_F(specimen, salvage_tells_what_was_lost)
{
	const struct specimen *s = &self->specimen;
	const struct broken *b = broken_named("trailer_checksum");
	struct salvage_stats stats;
	struct told told = {};
	int middle = expected(b);

	specimen_break(s, b);
	ASSERT_EQ(0, told_salvage(&told, NULL, false, &stats));
	ASSERT_EQ(middle, specimen_state(s));
	EXPECT_FALSE(stats.sound);
	EXPECT_EQ(middle - TRUNCATED, stats.recovered.records);
	EXPECT_EQ(COUNT - middle - 1, stats.lost);
	EXPECT_EQ(1, stats.holes);
	EXPECT_EQ(middle + 1, told.lost_tid);	/* by its header */
	/* each has three ranges; the hole is told once by itself */
	EXPECT_EQ(3 * (COUNT - middle) + 1, told.lost);
	EXPECT_LT(108 * (COUNT - middle), told.lost_bytes);
}

/* Names a segment that nobody has, and commits some transactions about the other one. */
static int commit_beside(const char *name, unsigned int count)
{
	unsigned char data[SPECIMEN_DATA];
	struct log_range ranges[SPECIMEN_RANGES];
	struct log *log;
	unsigned int n;
	uint64_t lsn;
	uint32_t id;
	int err;

	err = log_open(LOG, 0, false, &log);
	if (err)
		return err;
	err = recover_log(log, NULL, NULL, NULL);
	if (!err)
		err = log_name_segment(log, name, SEG_BYTES, &id);
	for (n = 1; n <= count && !err; n++) {
		specimen_ranges(n, data, ranges);
		err = log_append(log, n, ranges, SPECIMEN_RANGES, &lsn);
		if (!err)
			err = log_flush(log, lsn);
	}
	disk_remember(&before);
	log_close(log);
	mem_put(LOG, before.log, before.log_size);
	return err;
}

TEST_F(specimen, salvage_needs_no_segment_that_no_record_is_about)
{
	const struct specimen *s = &self->specimen;
	unsigned char right[SEG_BYTES];
	struct salvage_stats stats;
	struct told told = {};

	specimen_put(s);
	ASSERT_EQ(0, commit_beside("/gone", 3));
	memcpy(right, before.segment, SEG_BYTES);
	specimen_replay(right, 1);
	before.log[specimen_record(before.log, 2)] ^= 1;	/* behind the first is a padding */
	mem_put(LOG, before.log, before.log_size);
	mem_put(SEG, before.segment, SEG_BYTES);
	ASSERT_EQ(-EUCLEAN, specimen_recovered(s));
	disk_forget_copies();
	ASSERT_EQ(0, told_salvage(&told, NULL, false, &stats)) {
		TH_LOG("%s", err_text());
	}
	EXPECT_FALSE(stats.sound);
	EXPECT_EQ(1, stats.recovered.records);
	EXPECT_EQ(0, memcmp(right, mem_find(SEG)->data, SEG_BYTES));
}

/* A segment in which one transaction is missing; is that another state than all of them make? */
static bool without(const struct specimen *s, int missing, unsigned char segment[SEG_BYTES])
{
	int n;

	memset(segment, 0, SEG_BYTES);
	for (n = 1; n <= COUNT; n++)
		if (n != missing)
			specimen_replay(segment, n);
	mem_put(SEG, segment, SEG_BYTES);
	return specimen_state(s) == NO_STATE;
}

TEST_F(specimen, salvage_beyond_the_damage_takes_all_others)
{
	const struct specimen *s = &self->specimen;
	struct salvage_stats stats;
	struct told told = {};
	unsigned char right[SEG_BYTES];
	int n = COUNT - LAST;

	while (!without(s, n, right))
		ASSERT_LT(TRUNCATED + 1, n--);
	/* each has a padding behind it */
	specimen_put(s)[specimen_record(s->image, 2 * (n - TRUNCATED - 1))] ^= 1;
	disk_remember(&before);
	disk_forget_copies();
	ASSERT_EQ(0, told_salvage(&told, NULL, true, &stats));
	ASSERT_EQ(0, memcmp(right, mem_find(SEG)->data, SEG_BYTES));
	EXPECT_EQ(0, stats.lost);
	EXPECT_EQ(1, stats.holes);
	ASSERT_TRUE(disk_log_is(&before, KEPT));
	ASSERT_EQ(NO_STATE, specimen_recovered(s));	/* as before: the log is empty */
	ASSERT_EQ(0, memcmp(right, mem_find(SEG)->data, SEG_BYTES));
}

TEST_HARNESS_MAIN
