// SPDX-License-Identifier: GPL-2.0
/*
 * The copy of a damaged log that salvage keeps: it is durable before anything changes, whatever
 * call fails or is the last one, and salvage may be run again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "err.h"
#include "memdisk.h"
#include "salvage.h"
#include "specimen_each.h"
#include "told.h"

#include "broken.h"

#define ELSEWHERE "/copies/log"	/* a directory that nothing else is in */

static struct disk before;

/* Broken, and that is durable. */
static void put_broken(const struct specimen *s, const struct broken *b)
{
	struct mem_file *log;

	specimen_break(s, b);
	log = mem_find(LOG);
	memcpy(log->stable, log->data, log->size);
	disk_forget_copies();
	mem_heal();
}

/*
 * struct image - a broken log, and how many transactions salvage brings of it; the salvage of these
 * does each of the things that it can do
 */
static const struct image {
	const char *name;
	int brings;
} images[] = {
	{ "record_without_magic", BEFORE_MIDDLE },
	{ "status_checksum", COUNT },
	{ "dict_checksum", COUNT },
	{ "file_without_its_last_byte", BEFORE_END },
};

TEST_F_TIMEOUT(specimen, salvage_may_be_interrupted_at_each_call_and_run_again, 600)
{
	const struct specimen *s = &self->specimen;
	unsigned int i, at, choice, calls;

	if (variant->closed)
		return;
	for (i = 0; i < ARRAY_SIZE(images); i++) {
		const struct broken *b = broken_named(images[i].name);

		calls = 1;
		for (at = 1; at <= calls; at++) {
			for (choice = 0; choice < 3; choice++) {
				put_broken(s, b);
				mem.power_at = at;
				told_salvaged(s);
				calls = mem.dead ? at + 1 : at;
				mem_power_loss(choice);
				ASSERT_EQ(images[i].brings, told_salvaged(s)) {
					TH_LOG("%s, call %u: %s", b->name, at, err_text());
				}
				ASSERT_EQ(images[i].brings, specimen_recovered(s));
			}
		}
		ASSERT_LT(12, calls);
	}
}

TEST_F_TIMEOUT(specimen, salvage_changes_nothing_before_the_copy_is_made, 600)
{
	const struct specimen *s = &self->specimen;
	unsigned int i, at;
	bool failed = true;

	if (variant->closed)
		return;
	for (i = 0; i < ARRAY_SIZE(images); i++) {
		const struct broken *b = broken_named(images[i].name);

		for (at = 1, failed = true; failed; at++) {
			bool same;
			int n;

			put_broken(s, b);
			disk_remember(&before);
			mem_fail(at, -EIO, false);
			n = told_salvaged(s);
			failed = mem.failed;
			mem_heal();
			ASSERT_TRUE(n == images[i].brings || n < 0);
			same = disk_unchanged(&before);
			ASSERT_TRUE(n >= 0 || same || disk_log_is(&before, KEPT));
			ASSERT_TRUE(!mem_find(KEPT) || disk_log_is(&before, KEPT));
			ASSERT_EQ(images[i].brings, told_salvaged(s));
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
	disk_remember(disk);
	mem_put(ELSEWHERE, disk->log, disk->log_size);
	kept = mem_find(ELSEWHERE);
	memset(kept->stable, 0, kept->size);
	kept->entered = false;
	mem_heal();
}

TEST_F_TIMEOUT(specimen, salvage_is_not_begun_before_a_copy_that_was_there_is_durable, 600)
{
	const struct broken *b = broken_named("record_without_magic");
	unsigned int at, choice, calls = 1;
	struct salvage_stats stats;
	struct told told = {};

	for (at = 1; at <= calls; at++) {
		for (choice = 0; choice < 3; choice++) {
			put_copy(&self->specimen, b, &before);
			mem.power_at = at;
			told_salvage(&told, ELSEWHERE, false, &stats);
			calls = mem.dead ? at + 1 : at;
			mem_power_loss(choice);
			ASSERT_TRUE(disk_unchanged(&before) ||
				    disk_log_is(&before, ELSEWHERE)) {
				TH_LOG("call %u", at);
			}
		}
	}
	ASSERT_LT(12, calls);
}

TEST_F(specimen, salvage_takes_no_other_file_for_its_copy)
{
	const struct broken *b = broken_named("record_without_magic");
	unsigned int at;

	for (at = 0; at < BYTES; at += BYTES - 1) {
		put_broken(&self->specimen, b);
		disk_remember(&before);
		mem_put(KEPT, before.log, BYTES);
		mem_find(KEPT)->data[at] ^= 1;
		ASSERT_EQ(BEFORE_MIDDLE, told_salvaged(&self->specimen));
		ASSERT_FALSE(disk_log_is(&before, KEPT));
		ASSERT_TRUE(disk_log_is(&before, KEPT ".2"));
	}
}

/* Behind its area a log has none of its own bytes, if it was made smaller and not cut off yet. */
TEST_F(specimen, salvage_keeps_the_bytes_of_the_log_and_no_others)
{
	const struct broken *b = broken_named("record_without_magic");
	unsigned char longer[BYTES + 4096];

	put_broken(&self->specimen, b);
	disk_remember(&before);
	memset(longer, 0x77, sizeof(longer));
	memcpy(longer, before.log, BYTES);
	mem_put(LOG, longer, sizeof(longer));
	ASSERT_EQ(BEFORE_MIDDLE, told_salvaged(&self->specimen));
	ASSERT_TRUE(disk_log_is(&before, KEPT));
}

TEST_F(specimen, salvage_without_room_for_a_copy_changes_nothing)
{
	const struct specimen *s = &self->specimen;

	specimen_break(s, broken_named("record_without_magic"));
	disk_remember(&before);
	mem.limit = BYTES / 2;
	ASSERT_EQ(-ENOSPC, told_salvaged(s));
	ASSERT_NE(NULL, strstr(err_text(), "nothing was changed"));
	ASSERT_TRUE(disk_unchanged(&before));
	ASSERT_EQ(NULL, mem_find(KEPT));
}

TEST_F(specimen, salvage_keeps_the_log_under_a_name_that_is_free)
{
	const struct specimen *s = &self->specimen;
	struct salvage_stats stats;
	struct told told = {};

	specimen_break(s, broken_named("record_without_magic"));
	disk_remember(&before);
	mem_put(KEPT, "precious", 8);
	mem_put("/other", "precious", 8);
	ASSERT_EQ(-EEXIST, told_salvage(&told, "/other", false, &stats));
	ASSERT_NE(NULL, strstr(err_text(), "/other"));
	ASSERT_TRUE(disk_unchanged(&before));
	ASSERT_EQ(0, told_salvage(&told, NULL, false, &stats));
	ASSERT_EQ(0, strcmp(KEPT ".2", stats.kept));
	ASSERT_TRUE(disk_log_is(&before, KEPT ".2"));
	ASSERT_EQ(0, memcmp("precious", mem_find(KEPT)->data, 8));
	ASSERT_EQ(0, memcmp("precious", mem_find("/other")->data, 8));
}

TEST_HARNESS_MAIN
