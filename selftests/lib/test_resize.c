// SPDX-License-Identifier: GPL-2.0
/* A log of another size, or with fewer segments: nothing is lost, wherever the change ends. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "forget.h"
#include "logtest.h"
#include "resize.h"

#define SMALL	8192U
#define LARGE	32768U
#define START	73728U	/* of the record area */
#define MOST	300	/* bytes of a range */
#define CHOICES	6	/* ways in which unsynced sectors survive */

/* Lengths are set by calls that may be the last one, too. */
static int counted_resize(int fd, uint64_t length)
{
	int err = mem_count();

	return err < 0 ? err : mem_resize(fd, length);
}

/* Commits on until the transaction @last. */
static int commit_to(uint64_t first, uint64_t last)
{
	struct log *log;
	uint64_t number, lsn = 0;
	int err;

	err = open_log(0, &log);
	for (number = first; number <= last && !err; number++) {
		err = append_or_truncate(log, number, MOST, &lsn);
		if (!err)
			err = log_flush(log, lsn);
	}
	if (!log)
		return err;
	/* as after a crash: the records are in the log, and nobody has closed it */
	log_watch(log, NULL, NULL);
	mem.dead = true;
	log_close(log);
	mem_power_loss(1);
	return err;
}

static int counted_allocate(int fd, uint64_t offset, uint64_t length)
{
	int err = mem_count();

	return err < 0 ? err : mem_allocate(fd, offset, length);
}

/* A log of @size whose segment lacks some of ten transactions. */
static int prepare(uint64_t size)
{
	int err = make_disk(size);

	os.resize = counted_resize;
	os.allocate = counted_allocate;
	return err ? err : commit_to(1, 10);
}

static uint64_t area_size(void)
{
	struct log_state state;
	struct log *log;

	if (log_open(LOG, 0, true, &log))
		return 0;
	log_state(log, &state);
	log_close(log);
	return state.size;
}

/* Recovers, and looks whether @number transactions are there and the log works, for a lap. */
static int64_t check(uint64_t number)
{
	struct log *log;
	int64_t found;

	if (open_log(0, &log))
		return -2;
	log_close(log);
	found = prefix(mem_find(SEG)->data, MOST);
	if (found != (int64_t)number)
		return found;
	if (commit_to(number + 1, number + 30) || open_log(0, &log))
		return -3;
	log_close(log);
	return prefix(mem_find(SEG)->data, MOST) == (int64_t)number + 30 ? found : -4;
}

TEST(a_log_grows_and_shrinks)
{
	static const uint32_t sizes[] = { LARGE, SMALL, 4096, 65536, 12288, LARGE };
	uint64_t number = 10;
	unsigned int i;

	ASSERT_EQ(0, prepare(SMALL));
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		ASSERT_EQ(0, log_resize(LOG, sizes[i], NULL, NULL));
		EXPECT_EQ(sizes[i], area_size());
		EXPECT_EQ(START + sizes[i], mem_find(LOG)->size);
		ASSERT_EQ(number, check(number));
		number += 30;
	}
}

TEST(sizes_are_rounded_and_checked)
{
	ASSERT_EQ(0, prepare(SMALL));
	EXPECT_EQ(0, log_resize(LOG, SMALL + 1, NULL, NULL));
	EXPECT_EQ(SMALL + 4096, area_size());
	EXPECT_EQ(-ERANGE, log_resize(LOG, 0, NULL, NULL));
	EXPECT_EQ(-ERANGE, log_resize(LOG, INT64_MAX, NULL, NULL));
	EXPECT_EQ(-ENOENT, log_resize("/none", SMALL, NULL, NULL));
	EXPECT_EQ(-EINVAL, log_resize(SEG, SMALL, NULL, NULL));
	EXPECT_EQ(SMALL + 4096, area_size());
	EXPECT_EQ(10, check(10));
}

TEST(an_open_log_keeps_its_size)
{
	struct log *log;

	ASSERT_EQ(0, prepare(SMALL));
	ASSERT_EQ(0, open_log(0, &log));
	EXPECT_EQ(-EBUSY, log_resize(LOG, LARGE, NULL, NULL));
	EXPECT_EQ(SMALL, area_size());
	EXPECT_EQ(START + SMALL, mem_find(LOG)->size);
	log_close(log);
}

TEST(a_full_disk_leaves_the_log_as_it_was)
{
	ASSERT_EQ(0, prepare(SMALL));
	mem.limit = START + LARGE - 1;
	EXPECT_EQ(-ENOSPC, log_resize(LOG, LARGE, NULL, NULL));
	EXPECT_NE(NULL, strstr(err_text(), "No space left"));
	EXPECT_EQ(SMALL, area_size());
	EXPECT_EQ(START + SMALL, mem_find(LOG)->size);
	mem.limit = UINT64_MAX;
	EXPECT_EQ(10, check(10));
}

/* Without fallocate the disk is found full in the middle of the writing. */
static int no_allocate(int fd, uint64_t offset, uint64_t length)
{
	return -EOPNOTSUPP;
}

TEST(a_disk_found_full_late_gives_back_what_was_taken)
{
	ASSERT_EQ(0, prepare(SMALL));
	os.allocate = no_allocate;
	mem.limit = START + (3 << 20);
	EXPECT_EQ(-ENOSPC, log_resize(LOG, 4 << 20, NULL, NULL));
	EXPECT_EQ(SMALL, area_size());
	EXPECT_EQ(START + SMALL, mem_find(LOG)->size);
	EXPECT_EQ(10, check(10));
}

/* A file that a crash left longer than its log is no damage, and the next change cuts it. */
TEST(a_file_that_was_not_cut_yet_is_cut_later)
{
	ASSERT_EQ(0, prepare(SMALL));
	ASSERT_EQ(0, mem_grow(mem_find(LOG), START + LARGE));
	memset(mem_find(LOG)->data + START + SMALL, 0xff, LARGE - SMALL);
	memset(mem_find(LOG)->stable + START + SMALL, 0xff, LARGE - SMALL);
	EXPECT_EQ(0, log_resize(LOG, SMALL, NULL, NULL));
	EXPECT_EQ(START + SMALL, mem_find(LOG)->size);
	EXPECT_EQ(10, check(10));
}

FIXTURE(change)
{
	unsigned char *log, *segment;
	uint64_t log_size;
};

FIXTURE_VARIANT(change)
{
	uint32_t from, to;
};

FIXTURE_VARIANT_ADD(change, grow)
{
	.from = SMALL, .to = LARGE,
};

FIXTURE_VARIANT_ADD(change, shrink)
{
	.from = LARGE, .to = SMALL,
};

/* The first head of a log that is made so small is far above the size. */
FIXTURE_VARIANT_ADD(change, a_little)
{
	.from = SMALL, .to = SMALL + 4096,
};

FIXTURE_SETUP(change)
{
	ASSERT_EQ(0, prepare(variant->from));
	self->log = mem_save(LOG);
	self->segment = mem_save(SEG);
	self->log_size = mem_find(LOG)->size;
}

FIXTURE_TEARDOWN(change)
{
	free(self->log);
	free(self->segment);
}

static void put_back(FIXTURE_DATA(change) *self)
{
	mem_heal();
	mem_grow(mem_find(LOG), self->log_size);
	mem_restore(LOG, self->log);
	mem_restore(SEG, self->segment);
}

TEST_F(change, may_lose_power_at_every_call)
{
	unsigned int calls, at, choice, old = 0, new = 0;

	ASSERT_EQ(0, log_resize(LOG, variant->to, NULL, NULL));
	calls = mem.calls;
	ASSERT_LT(10, calls);
	for (at = 1; at <= calls; at++) {
		for (choice = 0; choice < CHOICES; choice++) {
			uint64_t size;

			put_back(self);
			mem.power_at = at;
			ASSERT_NE(0, log_resize(LOG, variant->to, NULL, NULL));
			mem_power_loss(choice);
			size = area_size();
			ASSERT_TRUE(size == variant->from || size == variant->to);
			if (size == variant->to)
				new++;
			else
				old++;
			ASSERT_EQ(10, check(10)) {
				TH_LOG("power lost at call %u of %u: %s", at, calls, err_text());
			}
		}
	}
	EXPECT_NE(0, old);
	EXPECT_NE(0, new);
}

/* Once, or for good; a failure that is told, and one that could be mended, lose nothing. */
TEST_F(change, may_fail_at_every_call)
{
	static const int errors[] = { -EIO, -ENOSPC, -EINTR, MEM_SHORT };
	unsigned int calls, at, i;

	ASSERT_EQ(0, log_resize(LOG, variant->to, NULL, NULL));
	calls = mem.calls;
	for (at = 1; at <= calls; at++) {
		for (i = 0; i < 2 * sizeof(errors) / sizeof(*errors); i++) {
			uint64_t size;
			int err;

			if (errors[i / 2] == -EINTR && i % 2)
				continue;	/* interrupted for ever is no end */
			put_back(self);
			mem_fail(at, errors[i / 2], i % 2);
			err = log_resize(LOG, variant->to, NULL, NULL);
			mem_heal();
			size = area_size();
			ASSERT_TRUE(size == variant->to || (err && size == variant->from)) {
				TH_LOG("call %u: %d, %s", at, err, err_text());
			}
			ASSERT_EQ(10, check(10)) {
				TH_LOG("failed at call %u of %u: %s", at, calls, err_text());
			}
		}
	}
}

static const char *gone;

/* One file is gone; what is merely unreachable is not. */
static int canonical(const char *path, char out[PATH_MAX])
{
	if (!strcmp(path, gone))
		return -ENOENT;
	return strcmp(path, "/unreachable") ? mem_canonical(path, out) : -EACCES;
}

/* A log that knows /gone, SEG and /unreachable, in this order, and a record about SEG. */
static int prepare_three(void)
{
	struct log_range r = { .segment = 2, .length = 5, .data = "12345" };
	struct log *log;
	uint64_t lsn;
	uint32_t id;
	int err;

	err = make_disk(SMALL);
	if (!err)
		err = log_open(LOG, 0, false, &log);
	if (err)
		return err;
	err = recover_log(log, NULL, NULL, NULL);
	if (!err)
		err = log_name_segment(log, "/gone", 4096, &id);
	if (!err)
		err = log_name_segment(log, SEG, SEG_SIZE, &id);
	if (!err)
		err = log_name_segment(log, "/unreachable", 4096, &id);
	if (!err)
		err = log_append(log, 1, &r, 1, &lsn);
	if (!err)
		err = log_flush(log, lsn);
	mem.dead = true;
	log_close(log);
	mem_power_loss(1);
	gone = "/gone";
	os.canonical = canonical;
	return err;
}

/* How many segments the log knows; -1 if it is not the ones that it should. */
static int known(void)
{
	static const char * const names[2][3] = {
		{ SEG, "/unreachable" }, { "/gone", SEG, "/unreachable" }
	};
	struct log_segment entry;
	struct log *log;
	int n, i;

	if (log_open(LOG, 0, false, &log))
		return -1;
	if (recover_log(log, NULL, NULL, NULL)) {
		log_close(log);
		return -1;
	}
	n = log_segments(log);
	for (i = 0; n >= 2 && n <= 3 && i < n; i++)
		if (log_segment(log, i + 1, &entry) || strcmp(entry.path, names[n - 2][i]))
			n = -1;
	log_close(log);
	return n;
}

TEST(segments_that_are_gone_are_forgotten)
{
	size_t n = 0;

	ASSERT_EQ(0, prepare_three());
	EXPECT_EQ(0, log_forget(LOG, false, &n));
	EXPECT_EQ(1, n);
	EXPECT_EQ(2, known());
	EXPECT_EQ(0, memcmp(mem_find(SEG)->data, "12345", 5));
	EXPECT_EQ(0, log_forget(LOG, true, &n));
	EXPECT_EQ(2, n);
	EXPECT_EQ(0, known());
	EXPECT_EQ(0, log_forget(LOG, true, &n));
	EXPECT_EQ(0, n);
}

TEST(forgetting_may_lose_power_at_every_call)
{
	unsigned int calls, at, choice, n[4] = { 0 };
	size_t forgotten;

	ASSERT_EQ(0, prepare_three());
	ASSERT_EQ(0, log_forget(LOG, false, &forgotten));
	EXPECT_EQ(1, forgotten);
	calls = mem.calls;
	for (at = 1; at <= calls; at++) {
		for (choice = 0; choice < CHOICES; choice++) {
			int found;

			ASSERT_EQ(0, prepare_three());
			mem.power_at = at;
			ASSERT_NE(0, log_forget(LOG, false, &forgotten));
			mem_power_loss(choice);
			found = known();
			ASSERT_TRUE(found == 2 || found == 3) {
				TH_LOG("power lost at call %u of %u: %s", at, calls, err_text());
			}
			n[found]++;
			ASSERT_EQ(0, memcmp(mem_find(SEG)->data, "12345", 5));
		}
	}
	EXPECT_NE(0, n[2]);
	EXPECT_NE(0, n[3]);
}

TEST_HARNESS_MAIN
