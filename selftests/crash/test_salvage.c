// SPDX-License-Identifier: GPL-2.0
/*
 * Damaged logs, looked at and salvaged: each defect is told with its place, what is brought to the
 * segment is a prefix of what was committed or nothing is changed, and what was there is kept.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "kselftest_harness.h"

#include "err.h"
#include "log.h"
#include "recover.h"
#include "salvage.h"
#include "specimen.h"
#include "verify.h"

#include "broken.h"

#define KEPT	"/log.damaged"
#define ELSEWHERE "/copies/log"	/* a directory that nothing else is in */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FLIPS	2400	/* slow */
#else
#define FLIPS	12000
#endif
#define MIDDLE	4	/* the record that broken.h breaks; the padding behind it is the next one */

/* struct told - what was told of a log */
struct told {
	unsigned int defects;
	unsigned int right;		/* of them where, and with the words that, they should */
	enum verify_part part;
	uint64_t byte[2];
	const char *what;
	unsigned int lost;
	uint64_t lost_tid;
	uint64_t lost_bytes;
};

static void on_defect(void *arg, const struct verify_defect *d)
{
	struct told *t = arg;

	t->defects++;
	if (d->part == t->part && (d->byte == t->byte[0] || d->byte == t->byte[1]) &&
	    (!t->what || strstr(t->what, d->what)) && d->effect[0])
		t->right++;
}

static void on_lost(void *arg, const struct salvage_lost *lost)
{
	struct told *t = arg;

	t->lost++;
	if (!lost->sure && lost->tid)
		t->lost_tid = lost->tid;
	t->lost_bytes += lost->length;
}

static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	if (done > total)
		abort();
}

static int look(struct told *told, struct verify *v)
{
	const struct verify_ops ops = { .defect = on_defect, .progress = on_progress, .arg = told };
	struct logfile file;
	int err;

	err = logfile_open(LOG, true, &file);
	if (err)
		return err;
	err = verify_log(v, &file, &ops);
	verify_free(v);
	logfile_close(&file);
	return err;
}

static int salvage(struct told *told, bool beyond, struct salvage_stats *stats)
{
	const struct salvage_ops ops = {
		.beyond = beyond,
		.defect = on_defect,
		.lost = on_lost,
		.progress = on_progress,
		.arg = told,
	};

	return salvage_log(LOG, &ops, stats);
}

/* How many transactions plain recovery brings, or a negative errno. */
static int recovered(const struct specimen *s)
{
	struct log *log;
	int err;

	err = log_open(LOG, 0, false, &log);
	if (err)
		return err;
	err = recover_log(log, NULL, NULL, NULL);
	log_close(log);
	return err ? err : specimen_state(s);
}

/* How many transactions salvage brings, or a negative errno. */
static int salvaged(const struct specimen *s)
{
	struct salvage_stats stats;
	struct told told = {};
	int err = salvage(&told, false, &stats);

	return err ? err : specimen_state(s);
}

static void forget_copies(void)
{
	char name[sizeof(KEPT) + 8];
	unsigned int i;

	mem_unlink(KEPT);
	for (i = 2; i < 4; i++) {
		snprintf(name, sizeof(name), "%s.%u", KEPT, i);
		mem_unlink(name);
	}
}

/* What a whole status says, or 0: where the log goes on, and all before it was durable. */
static uint64_t status_lsn(bool head)
{
	struct format_status status = {};
	struct status_copies copies;
	struct logfile file;

	if (logfile_open(LOG, true, &file))
		return 0;
	if (status_load(&file, &status, &copies))
		memset(&status, 0, sizeof(status));
	logfile_close(&file);
	return head ? status.head : status.tail_hint;
}

/* struct disk - log and segment as they were before */
struct disk {
	uint64_t log_size;
	uint64_t segment_size;
	uint64_t durable;		/* LSN below which all was, as the log's status says */
	unsigned char log[2 * BYTES];
	unsigned char segment[SEG_BYTES];
};

static void remember(struct disk *d)
{
	struct mem_file *segment = mem_find(SEG);

	d->log_size = mem_find(LOG)->size;
	d->durable = status_lsn(false);
	memcpy(d->log, mem_find(LOG)->data, d->log_size);
	d->segment_size = segment ? segment->size : 0;
	if (segment)
		memcpy(d->segment, segment->data, d->segment_size);
}

static bool log_is(const struct disk *d, const char *name)
{
	const struct mem_file *file = mem_find(name);

	return file && file->size == d->log_size && !memcmp(file->data, d->log, d->log_size);
}

static bool unchanged(const struct disk *d)
{
	const struct mem_file *segment = mem_find(SEG);

	return log_is(d, LOG) && (segment ? segment->size : 0) == d->segment_size &&
	       (!segment || !memcmp(segment->data, d->segment, d->segment_size));
}

FIXTURE(salvage)
{
	struct specimen specimen;
	struct disk disk;
};

FIXTURE_VARIANT(salvage)
{
	bool closed;
};

FIXTURE_VARIANT_ADD(salvage, open) { .closed = false };
FIXTURE_VARIANT_ADD(salvage, closed) { .closed = true };

FIXTURE_SETUP(salvage)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 30);	/* the same memory for each recovery */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	ASSERT_EQ(0, specimen_make(&self->specimen, variant->closed));
}

FIXTURE_TEARDOWN(salvage)
{
}

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
	{ "range_beyond_its_segment", TRUNCATED + MIDDLE / 2, OTHER_WORDS },
	{ "file_empty", -EINVAL, NO_LOG },
	{ "file_of_one_status", -EINVAL, NO_LOG },
	{ "file_of_both_statuses", -EUCLEAN, 0 },
	{ "file_without_its_last_byte", 50, 0 },	/* the padding behind it ends there */
};

static const struct exception *find_exception(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(exceptions); i++)
		if (!strcmp(exceptions[i].name, name))
			return &exceptions[i];
	return NULL;
}

static int expected(const struct specimen *s, const struct broken *b)
{
	const struct exception *e = find_exception(b->name);
	int middle = TRUNCATED + MIDDLE / 2;	/* each has a flush, so a padding, of its own */

	if (e)
		return e->result;
	switch (b->part) {
	case STATUS:
	case DICT:
		return COUNT;
	case PADDING:
		return middle + 1;
	case SEGMENT:
		return -b->err;
	default:
		return middle;
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
	err = look(&told, &v);
	if (otherwise & NO_LOG)
		return err == e->result && !told.defects;
	if (otherwise & SOUND)
		return !err && !told.defects;
	return !err && v.refused && told.defects && (told.right || otherwise & OTHER_PLACE);
}

static bool salvaged_right(const struct specimen *s, const struct broken *b, struct disk *disk)
{
	int want = expected(s, b), got;

	remember(disk);
	forget_copies();
	got = salvaged(s);
	if (got != want)
		printf("# %s: %d, not %d: %s\n", b->name, got, want, err_text());
	if (got < 0)
		return got == want && unchanged(disk) && !mem_find(KEPT);
	/* and it is sound now, goes on behind what was durable, and is as it was somewhere */
	return got == want && status_lsn(true) >= disk->durable && log_is(disk, KEPT) &&
	       recovered(s) == want;
}

TEST_F(salvage, tells_and_salvages_each_named_image)
{
	const struct specimen *s = &self->specimen;
	unsigned int i, bad = 0;

	if (variant->closed)
		return;
	for (i = 0; i < ARRAY_SIZE(broken); i++) {
		bool told, right;

		specimen_break(s, &broken[i]);
		told = told_right(s, &broken[i]);
		right = salvaged_right(s, &broken[i], &self->disk);
		bad += !told || !right;
		if (!told || !right)
			TH_LOG("%s: %s", broken[i].name, told ? "salvaged wrong" : "told wrong");
	}
	ASSERT_EQ(0, bad);
}

/* Broken, and that is durable. */
static void put_broken(const struct specimen *s, const struct broken *b)
{
	struct mem_file *log;

	specimen_break(s, b);
	log = mem_find(LOG);
	memcpy(log->stable, log->data, log->size);
	forget_copies();
	mem_heal();
}

static const struct broken *named(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(broken); i++)
		if (!strcmp(broken[i].name, name))
			return &broken[i];
	abort();
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

	remember(disk);
	forget_copies();
	err = look(&told, &v);
	if (!unchanged(disk) || (err && err != -EINVAL && err != -EPROTO))
		return false;
	plain = recovered(s);
	bad = plain < 0;
	if (bad != (err || v.refused) || (bad && !unchanged(disk)))
		return false;
	mem_put(LOG, disk->log, disk->log_size);
	mem_put(SEG, disk->segment, disk->segment_size);
	got = salvaged(s);
	if (got < 0) {
		tally->refused++;
		return got != NO_STATE && plain < 0 && unchanged(disk) && !mem_find(KEPT);
	}
	tally->whole += got == COUNT;
	tally->prefixes += got < COUNT;
	if (status_lsn(true) < disk->durable)
		return false;
	if (plain >= 0)
		return got == plain && !mem_find(KEPT);
	return log_is(disk, KEPT) && salvaged(s) == got && recovered(s) == got;
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

TEST_F_TIMEOUT(salvage, gives_a_prefix_or_changes_nothing_whatever_is_damaged, 600)
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
		ASSERT_TRUE(is_right(&self->specimen, &self->disk, &tally)) {
			TH_LOG("damage %u: %s", i, err_text());
		}
	}
	TH_LOG("%u whole, %u prefixes, %u refused", tally.whole, tally.prefixes, tally.refused);
	ASSERT_LT(FLIPS / 12, tally.whole);
	ASSERT_LT(FLIPS / 12, tally.prefixes);
	ASSERT_LT(FLIPS / 240, tally.refused);
}

TEST_F_TIMEOUT(salvage, of_a_log_that_was_cut_off_gives_a_prefix, 600)
{
	const struct specimen *s = &self->specimen;
	int n, last = -1, prefixes = 0;
	unsigned int at;

	for (at = FIRST; at < SECTORS; at++) {
		specimen_put(s);
		mem_put(LOG, s->image, at * MEM_SECTOR + at % 3);
		remember(&self->disk);
		forget_copies();
		n = salvaged(s);
		ASSERT_NE(NO_STATE, n);
		if (n < 0) {
			ASSERT_TRUE(unchanged(&self->disk));
			continue;
		}
		prefixes++;
		ASSERT_LE(last, n);
		last = n;
		ASSERT_EQ(BYTES, mem_find(LOG)->size);
		ASSERT_TRUE(log_is(&self->disk, KEPT));
		ASSERT_EQ(n, recovered(s));
	}
	ASSERT_LT(10, prefixes);
}

/* Those whose salvage does each of the things that it can do. */
static const char *const images[] = {
	"record_without_magic", "status_checksum", "dict_checksum", "file_without_its_last_byte",
};

TEST_F_TIMEOUT(salvage, may_be_interrupted_at_each_call_and_run_again, 600)
{
	const struct specimen *s = &self->specimen;
	unsigned int i, at, choice, calls;

	if (variant->closed)
		return;
	for (i = 0; i < ARRAY_SIZE(images); i++) {
		const struct broken *b = named(images[i]);

		calls = 1;
		for (at = 1; at <= calls; at++) {
			for (choice = 0; choice < 3; choice++) {
				put_broken(s, b);
				mem.power_at = at;
				salvaged(s);
				calls = mem.dead ? at + 1 : at;
				mem_power_loss(choice);
				ASSERT_EQ(expected(s, b), salvaged(s)) {
					TH_LOG("%s, call %u: %s", b->name, at, err_text());
				}
				ASSERT_EQ(expected(s, b), recovered(s));
			}
		}
		ASSERT_LT(12, calls);
	}
}

TEST_F_TIMEOUT(salvage, changes_nothing_before_the_copy_is_made, 600)
{
	const struct specimen *s = &self->specimen;
	unsigned int i, at;
	bool failed = true;

	if (variant->closed)
		return;
	for (i = 0; i < ARRAY_SIZE(images); i++) {
		const struct broken *b = named(images[i]);

		for (at = 1, failed = true; failed; at++) {
			bool same;
			int n;

			put_broken(s, b);
			remember(&self->disk);
			mem_fail(at, -EIO, false);
			n = salvaged(s);
			failed = mem.failed;
			mem_heal();
			ASSERT_TRUE(n == expected(s, b) || n < 0);
			same = unchanged(&self->disk);
			ASSERT_TRUE(n >= 0 || same || log_is(&self->disk, KEPT));
			ASSERT_TRUE(!mem_find(KEPT) || log_is(&self->disk, KEPT));
			ASSERT_EQ(expected(s, b), salvaged(s));
			/* a copy of what is there still is taken again */
			ASSERT_TRUE(!same || !mem_find(KEPT ".2"));
		}
	}
}

/* A copy that stands there already and was never synced, as an interrupted salvage leaves it. */
static void put_copy(const struct specimen *s, const struct broken *b, struct disk *disk)
{
	struct mem_file *kept;

	put_broken(s, b);
	remember(disk);
	mem_put(ELSEWHERE, disk->log, disk->log_size);
	kept = mem_find(ELSEWHERE);
	memset(kept->stable, 0, kept->size);
	kept->entered = false;
	mem_heal();
}

TEST_F_TIMEOUT(salvage, is_not_begun_before_a_copy_that_was_there_is_durable, 600)
{
	const struct broken *b = named("record_without_magic");
	struct told told = {};
	const struct salvage_ops ops = {
		.keep = ELSEWHERE, .defect = on_defect, .lost = on_lost, .arg = &told,
	};
	unsigned int at, choice, calls = 1;
	struct salvage_stats stats;

	for (at = 1; at <= calls; at++) {
		for (choice = 0; choice < 3; choice++) {
			put_copy(&self->specimen, b, &self->disk);
			mem.power_at = at;
			salvage_log(LOG, &ops, &stats);
			calls = mem.dead ? at + 1 : at;
			mem_power_loss(choice);
			ASSERT_TRUE(unchanged(&self->disk) || log_is(&self->disk, ELSEWHERE)) {
				TH_LOG("call %u", at);
			}
		}
	}
	ASSERT_LT(12, calls);
}

TEST_F(salvage, takes_no_other_file_for_its_copy)
{
	const struct broken *b = named("record_without_magic");
	unsigned int at;

	for (at = 0; at < BYTES; at += BYTES - 1) {
		put_broken(&self->specimen, b);
		remember(&self->disk);
		mem_put(KEPT, self->disk.log, BYTES);
		mem_find(KEPT)->data[at] ^= 1;
		ASSERT_EQ(expected(&self->specimen, b), salvaged(&self->specimen));
		ASSERT_FALSE(log_is(&self->disk, KEPT));
		ASSERT_TRUE(log_is(&self->disk, KEPT ".2"));
	}
}

/* Behind its area a log has none of its own bytes, if it was made smaller and not cut off yet. */
TEST_F(salvage, keeps_the_bytes_of_the_log_and_no_others)
{
	const struct broken *b = named("record_without_magic");
	unsigned char longer[BYTES + 4096];

	put_broken(&self->specimen, b);
	remember(&self->disk);
	memset(longer, 0x77, sizeof(longer));
	memcpy(longer, self->disk.log, BYTES);
	mem_put(LOG, longer, sizeof(longer));
	ASSERT_EQ(expected(&self->specimen, b), salvaged(&self->specimen));
	ASSERT_TRUE(log_is(&self->disk, KEPT));
}

TEST_F(salvage, without_room_for_a_copy_changes_nothing)
{
	const struct specimen *s = &self->specimen;

	specimen_break(s, named("record_without_magic"));
	remember(&self->disk);
	mem.limit = BYTES / 2;
	ASSERT_EQ(-ENOSPC, salvaged(s));
	ASSERT_NE(NULL, strstr(err_text(), "nothing was changed"));
	ASSERT_TRUE(unchanged(&self->disk));
	ASSERT_EQ(NULL, mem_find(KEPT));
}

TEST_F(salvage, keeps_the_log_under_a_name_that_is_free)
{
	struct salvage_ops ops = { .keep = "/other", .defect = on_defect, .lost = on_lost };
	const struct specimen *s = &self->specimen;
	struct salvage_stats stats;
	struct told told = {};

	ops.arg = &told;
	specimen_break(s, named("record_without_magic"));
	remember(&self->disk);
	mem_put(KEPT, "precious", 8);
	mem_put("/other", "precious", 8);
	ASSERT_EQ(-EEXIST, salvage_log(LOG, &ops, &stats));
	ASSERT_NE(NULL, strstr(err_text(), "/other"));
	ASSERT_TRUE(unchanged(&self->disk));
	ASSERT_EQ(0, salvage(&told, false, &stats));
	ASSERT_EQ(0, strcmp(KEPT ".2", stats.kept));
	ASSERT_TRUE(log_is(&self->disk, KEPT ".2"));
	ASSERT_EQ(0, memcmp("precious", mem_find(KEPT)->data, 8));
	ASSERT_EQ(0, memcmp("precious", mem_find("/other")->data, 8));
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
TEST_F(salvage, lets_no_lsn_come_again)
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
		remember(&self->disk);
		forget_copies();
		ASSERT_EQ(0, salvage(&told, false, &stats));
		ASSERT_FALSE(stats.sound);
		ASSERT_LE(stats.end, status_lsn(true));
		ASSERT_LE(self->disk.durable, status_lsn(true));
		above += stats.end > self->disk.durable;
		below += stats.end < self->disk.durable;
	}
	ASSERT_EQ(closed ? 0 : count, above);
	ASSERT_EQ(closed ? count : 0, below);
}

TEST_F(salvage, tells_what_was_lost)
{
	const struct specimen *s = &self->specimen;
	const struct broken *b = named("trailer_checksum");
	struct salvage_stats stats;
	struct told told = {};
	int middle = expected(s, b);

	specimen_break(s, b);
	ASSERT_EQ(0, salvage(&told, false, &stats));
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

TEST_F(salvage, beyond_the_damage_takes_all_others)
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
	remember(&self->disk);
	forget_copies();
	ASSERT_EQ(0, salvage(&told, true, &stats));
	ASSERT_EQ(0, memcmp(right, mem_find(SEG)->data, SEG_BYTES));
	EXPECT_EQ(0, stats.lost);
	EXPECT_EQ(1, stats.holes);
	ASSERT_TRUE(log_is(&self->disk, KEPT));
	ASSERT_EQ(NO_STATE, recovered(s));	/* as before: the log is empty */
	ASSERT_EQ(0, memcmp(right, mem_find(SEG)->data, SEG_BYTES));
}

TEST_HARNESS_MAIN
