// SPDX-License-Identifier: GPL-2.0
/* Logs that are no logs, of another version, or damaged: refused, and nothing is touched. */
#include "api.h"

#include <stddef.h>

#include "crc.h"
#include "format.h"

#define RECORDS	6
#define STEP	600UL

FIXTURE(damage) {
	struct place place;
	unsigned char *before;
	long length;
};

/* Six committed records, record i all bytes 'A' + i, and then a crash. */
static void leave_six_records(void *arg)
{
	struct place *place = arg;
	rvm_region_t region;
	rvm_tid_t tid;
	int i;

	need(place_open(place) == RVM_SUCCESS);
	need(place_map(place, &region, RVM_TRACK_NONE) == RVM_SUCCESS);
	rvm_init_tid(&tid);
	for (i = 0; i < RECORDS; i++) {
		need(rvm_begin_transaction(&tid, no_restore) == RVM_SUCCESS);
		need(rvm_set_range(&tid, region.vmaddr + i * STEP, STEP) == RVM_SUCCESS);
		memset(region.vmaddr + i * STEP, 'A' + i, STEP);
		need(rvm_end_transaction(&tid, flush) == RVM_SUCCESS);
	}
}

FIXTURE_SETUP(damage)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_EQ(0, in_child(leave_six_records, &self->place));
	self->length = file_length(self->place.log);
	self->before = malloc(self->length);
	ASSERT_NE(NULL, self->before);
}

FIXTURE_TEARDOWN(damage)
{
	free(self->before);
	place_remove(&self->place);
}

/* Where in the log the data of record i stand, or -1. */
static long find_record(struct place *place, int i)
{
	long last = file_length(place->log) - (long)STEP, found = -1, at;
	unsigned char *log = malloc(last + STEP);

	if (log && file_read(place->log, 0, log, last + STEP))
		for (at = 0; at <= last && found < 0; at++)
			if (holds(log + at, STEP, 'A' + i))
				found = at;
	free(log);
	return found;
}

static bool flip(const char *path, long at)
{
	int byte = file_byte(path, at);
	char flipped = (char)(byte ^ 0x10);

	return byte >= 0 && file_write(path, at, &flipped, 1);
}

/* The log is refused with this code, by name; neither log nor segment changes. */
#define EXPECT_KEPT(code) do { \
	unsigned char *__after = malloc(self->length); \
	\
	ASSERT_NE(NULL, __after); \
	ASSERT_TRUE(file_read(self->place.log, 0, self->before, self->length)); \
	EXPECT_REFUSED(code, self->place.log, place_open(&self->place)); \
	ASSERT_TRUE(file_read(self->place.log, 0, __after, self->length)); \
	EXPECT_EQ(0, memcmp(self->before, __after, self->length)); \
	EXPECT_TRUE(file_holds(self->place.seg, 0, SEG_BYTES, 0)); \
	EXPECT_RVM(RVM_EINIT, rvm_flush()); \
	free(__after); \
} while (0)

TEST_F(damage, without_damage_all_six_are_recovered)
{
	int i;

	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	for (i = 0; i < RECORDS; i++)
		EXPECT_TRUE(file_holds(self->place.seg, i * STEP, STEP, 'A' + i));
}

TEST_F(damage, a_flipped_bit_in_any_record_but_the_last_is_told_and_nothing_replayed)
{
	int i;

	for (i = 0; i < RECORDS - 1; i++) {
		long at = find_record(&self->place, i);

		ASSERT_LT(0, at);
		ASSERT_TRUE(flip(self->place.log, at + 300));
		EXPECT_KEPT(RVM_ELOG_DAMAGED);
		ASSERT_TRUE(flip(self->place.log, at + 300));
	}
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, STEP, 'A'));
}

TEST_F(damage, a_flipped_bit_in_a_range_header_is_told)
{
	long at = find_record(&self->place, 2);

	ASSERT_LT(0, at);
	ASSERT_TRUE(flip(self->place.log, at - 12));
	EXPECT_KEPT(RVM_ELOG_DAMAGED);
}

TEST_F(damage, a_torn_last_record_is_dropped_and_the_others_recovered)
{
	long at = find_record(&self->place, RECORDS - 1);
	char zero[STEP] = "";
	int i;

	ASSERT_LT(0, at);
	ASSERT_TRUE(file_write(self->place.log, at + 200, zero, STEP - 200));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	for (i = 0; i < RECORDS - 1; i++)
		EXPECT_TRUE(file_holds(self->place.seg, i * STEP, STEP, 'A' + i));
	EXPECT_TRUE(file_holds(self->place.seg, i * STEP, STEP, 0));
}

TEST_F(damage, one_of_the_two_status_copies_is_enough)
{
	char garbage[FORMAT_BLOCK];

	memset(garbage, 0x5a, sizeof(garbage));
	ASSERT_TRUE(file_write(self->place.log, FORMAT_BLOCK, garbage, sizeof(garbage)));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_TRUE(file_holds(self->place.seg, 0, STEP, 'A'));
	ASSERT_TRUE(file_write(self->place.log, 0, garbage, sizeof(garbage)));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
}

TEST_F(damage, without_a_whole_status_copy_the_log_is_damaged)
{
	ASSERT_TRUE(flip(self->place.log, 100));
	ASSERT_TRUE(flip(self->place.log, FORMAT_BLOCK + 100));
	EXPECT_KEPT(RVM_ELOG_DAMAGED);
}

TEST_F(damage, a_log_that_was_cut_short_is_damaged)
{
	ASSERT_EQ(0, truncate(self->place.log, self->length - 1));
	self->length--;
	EXPECT_KEPT(RVM_ELOG_DAMAGED);
}

TEST_F(damage, one_of_the_two_dictionaries_is_enough_and_none_is_damage)
{
	ASSERT_TRUE(flip(self->place.log, FORMAT_DICT_OFFSET + 30));
	ASSERT_TRUE(flip(self->place.log, FORMAT_DICT_OFFSET + FORMAT_DICT_DEFAULT + 30));
	EXPECT_KEPT(RVM_ELOG_DAMAGED);
	ASSERT_TRUE(flip(self->place.log, FORMAT_DICT_OFFSET + 30));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, STEP, 'A'));
}

/* Change a word of both status copies, with checksums that are right. */
static bool set_word(struct place *place, size_t offset, uint32_t value)
{
	unsigned char status[FORMAT_BLOCK];
	uint32_t crc;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		if (!file_read(place->log, copy * FORMAT_BLOCK, status, sizeof(status)))
			return false;
		memcpy(status + offset, &value, sizeof(value));
		crc = crc32c(0, status, offsetof(struct disk_status, crc));
		memcpy(status + offsetof(struct disk_status, crc), &crc, sizeof(crc));
		if (!file_write(place->log, copy * FORMAT_BLOCK, status, sizeof(status)))
			return false;
	}
	return true;
}

TEST_F(damage, a_log_of_another_version_is_refused)
{
	ASSERT_TRUE(set_word(&self->place, offsetof(struct disk_status, version), 2));
	EXPECT_KEPT(RVM_ELOG_VERSION_SKEW);
	EXPECT_REFUSED(RVM_ELOG_VERSION_SKEW, "version 2", place_open(&self->place));
	ASSERT_TRUE(set_word(&self->place, offsetof(struct disk_status, version), 1));
	EXPECT_RVM(RVM_SUCCESS, place_recover(&self->place));
}

TEST_F(damage, a_log_with_an_unknown_feature_is_refused_unless_it_is_a_compatible_one)
{
	ASSERT_TRUE(set_word(&self->place, offsetof(struct disk_status, incompat), 1));
	EXPECT_KEPT(RVM_ELOG_VERSION_SKEW);
	ASSERT_TRUE(set_word(&self->place, offsetof(struct disk_status, incompat), 0));
	ASSERT_TRUE(set_word(&self->place, offsetof(struct disk_status, ro_compat), 1));
	EXPECT_KEPT(RVM_ELOG_VERSION_SKEW);
	ASSERT_TRUE(set_word(&self->place, offsetof(struct disk_status, ro_compat), 0));
	ASSERT_TRUE(set_word(&self->place, offsetof(struct disk_status, compat), 1));
	EXPECT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, STEP, 'A'));
}

TEST_F(damage, a_segment_that_shrank_is_told_and_the_log_kept)
{
	ASSERT_EQ(0, truncate(self->place.seg, STEP));
	EXPECT_NE(RVM_SUCCESS, place_open(&self->place));
	EXPECT_NE(NULL, strstr(rvm_error(), self->place.seg));
	ASSERT_EQ(0, truncate(self->place.seg, SEG_BYTES));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, STEP, 'A'));
	EXPECT_TRUE(file_holds(self->place.seg, 5 * STEP, STEP, 'F'));
}

TEST_F(damage, files_that_are_no_logs_are_refused_and_untouched)
{
	static const size_t lengths[] = { 0, 1, 100, 8191, 8192, 100000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		ASSERT_TRUE(file_make(self->place.log, lengths[i], 'x'));
		EXPECT_REFUSED(RVM_ELOG, self->place.log, place_open(&self->place));
		EXPECT_EQ((long)lengths[i], file_length(self->place.log));
		EXPECT_TRUE(!lengths[i] || file_holds(self->place.log, 0, lengths[i], 'x'));
		ASSERT_TRUE(file_make(self->place.log, lengths[i], 0));
		EXPECT_REFUSED(RVM_ELOG, self->place.log, place_open(&self->place));
	}
}

TEST_F(damage, a_directory_a_fifo_a_device_and_a_loop_are_no_logs)
{
	rvm_options_t options;
	char path[128];

	place_options(&self->place, &options);
	options.log_dev = self->place.dir;
	EXPECT_REFUSED(RVM_ELOG, self->place.dir, RVM_INIT(&options));
	options.log_dev = path;
	snprintf(path, sizeof(path), "%s/fifo", self->place.dir);
	ASSERT_EQ(0, mkfifo(path, 0600));
	EXPECT_REFUSED(RVM_ELOG, path, RVM_INIT(&options));
	snprintf(path, sizeof(path), "/dev/zero");
	EXPECT_REFUSED(RVM_ELOG, path, RVM_INIT(&options));
	snprintf(path, sizeof(path), "%s/loop", self->place.dir);
	ASSERT_EQ(0, symlink(path, path));
	EXPECT_NE(RVM_SUCCESS, RVM_INIT(&options));
	EXPECT_NE(NULL, strstr(rvm_error(), path));
}

static void open_as_nobody(void *arg)
{
	struct place *place = arg;

	need(!setgid(65534) && !setuid(65534));
	need(place_open(place) == RVM_EPERM);
	need(strstr(rvm_error(), place->log));
}

TEST_F(damage, a_log_that_may_only_be_read_is_refused)
{
	if (geteuid())
		SKIP(return, "needs root to become somebody else");
	ASSERT_EQ(0, chmod(self->place.dir, 0755));
	ASSERT_EQ(0, chmod(self->place.log, 0444));
	EXPECT_EQ(0, in_child(open_as_nobody, &self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, SEG_BYTES, 0));
}

TEST_HARNESS_MAIN
