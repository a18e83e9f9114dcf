// SPDX-License-Identifier: GPL-2.0
/* A survey of a damaged log, and recovery of what it finds, that fail on the way. */
#include "recovery.h"

#include <endian.h>

#include "alike.h"
#include "nomemory.h"
#include "survey.h"

FIXTURE(survey)
{
	struct crashed crashed;
	struct log *log;
	struct format_status status;
	struct survey survey;
};

/* A log whose middle is damaged: two runs of records. */
FIXTURE_SETUP(survey)
{
	uint64_t middle;

	order_excused = true;	/* records are left out */
	ASSERT_EQ(0, crashed_make(&self->crashed));
	middle = (self->crashed.before.head + self->crashed.before.durable) / 2;
	memset(mem_find(LOG)->data + position(middle & -8ULL), 0xa5, 8);
	ASSERT_EQ(0, log_open(LOG, 0, false, &self->log));
	log_status(self->log, &self->status);
}

FIXTURE_TEARDOWN(survey)
{
	survey_free(&self->survey);
	log_close(self->log);
	crashed_free(&self->crashed);
}

static int taken, end_at, end_err;

static int count_record(void *arg, struct reader *reader, const struct format_record *record,
			char *why)
{
	return ++taken == end_at ? end_err : 0;
}

static uint64_t told;

static void note_progress(void *arg, uint64_t done, uint64_t total)
{
	told = done;
}

static int look(FIXTURE_DATA(survey) *self, bool progress)
{
	const struct survey_ops ops = {
		.record = count_record,
		.progress = progress ? note_progress : NULL,
	};

	survey_free(&self->survey);
	taken = 0;
	return survey_log(&self->survey, log_file(self->log), &self->status, &ops);
}

TEST_F(survey, finds_both_runs_and_tells_how_far_it_is)
{
	end_at = 0;
	told = 0;
	ASSERT_EQ(0, look(self, true));
	EXPECT_EQ(2, self->survey.count);
	EXPECT_LT(0, told);
	EXPECT_EQ(&self->survey.runs[0], survey_damaged(&self->survey));
	ASSERT_EQ(0, look(self, false));
	EXPECT_EQ(2, self->survey.count);
}

TEST_F(survey, ends_with_the_error_of_who_looks_on)
{
	end_at = 3;
	end_err = -EIO;
	EXPECT_EQ(-EIO, look(self, false));
	EXPECT_EQ(3, taken);
	EXPECT_EQ(0, self->survey.count);
	end_err = -EUCLEAN;
	ASSERT_EQ(0, look(self, false));
	EXPECT_TRUE(self->survey.runs[0].unusable);
}

TEST_F(survey, a_log_that_fits_into_the_window_is_read_once_or_not_at_all)
{
	end_at = 0;
	mem_fail(1, -EIO, true);
	EXPECT_EQ(-EIO, look(self, false));
	mem_heal();
	EXPECT_EQ(0, look(self, false));
}

static int look_again(void *self)
{
	return look(self, false);
}

TEST_F(survey, without_memory_it_is_told)
{
	end_at = 0;
	EXPECT_LT(2, fail_each_allocation(look_again, self));
}

/* The runs of the survey, for recovery. */
static size_t runs_of(FIXTURE_DATA(survey) *self, struct recover_run *runs)
{
	size_t i;

	for (i = 0; i < self->survey.count; i++)
		runs[i] = (struct recover_run){ self->survey.runs[i].from,
						self->survey.runs[i].to };
	return i;
}

TEST_F(survey, what_it_found_is_recovered_or_an_error)
{
	unsigned int fault, done = 0;
	struct recover_stats stats;
	struct recover_run runs[8];
	size_t n;
	int err;

	end_at = 0;
	ASSERT_EQ(0, look(self, false));
	ASSERT_GE(ARRAY_SIZE(runs), self->survey.count);
	n = runs_of(self, runs);
	log_close(self->log);
	for (fault = 1; done < 2; fault++) {
		bool memory = fault % 2;

		ASSERT_EQ(0, log_open(LOG, 0, false, &self->log));
		mem_fail(memory ? 0 : fault / 2, -EIO, false);
		fail_memory(memory ? fault / 2 + 1 : 0, false);
		err = recover_runs(self->log, runs, n, survey_end(&self->survey), &stats);
		fail_memory(0, false);
		mem_heal();
		ASSERT_TRUE(!err || err == (memory ? -ENOMEM : -EIO)) {
			TH_LOG("fault %u: %d %s", fault, err, err_text());
		}
		done = err ? 0 : done + 1;
		log_close(self->log);
		put_back(&self->crashed);	/* its status may be the next one */
	}
	EXPECT_LT(10, fault);
	ASSERT_EQ(0, log_open(LOG, 0, false, &self->log));
}

/* An LSN beyond those that a log can have would wrap. */
TEST_F(survey, statuses_that_say_the_same_impossible_thing_are_not_believed)
{
	struct disk_status disk[2];
	struct format_status status = self->status;
	unsigned int i;

	for (i = 0; i < 2; i++)
		format_status_encode(&status, &disk[i]);
	EXPECT_TRUE(alike_status(log_file(self->log), disk, &status));
	EXPECT_EQ(self->status.head, status.head);
	for (i = 0; i < 2; i++) {
		disk[i].head = htole64(UINT64_MAX - 7);
		disk[i].tail_hint = disk[i].head;
	}
	EXPECT_FALSE(alike_status(log_file(self->log), disk, &status));
}

/* Records that no window holds with those beside them, and so many reads. */
#define WIDE_AREA	(2U << 20)
#define WIDE_RANGE	60000U

FIXTURE(wide)
{
	struct log_state state;
	unsigned char *bytes;
};

/* The ranges of its records; the end of the second and the padding behind it are damaged. */
FIXTURE_VARIANT(wide)
{
	unsigned int ranges[5];
};

/* No window holds all of the damaged record, or of the next one. */
FIXTURE_VARIANT_ADD(wide, across_windows)
{
	.ranges = { 3, 15, 12, 1 },
};

/* What is searched behind the damage ends beyond the window. */
FIXTURE_VARIANT_ADD(wide, before_a_short_one)
{
	.ranges = { 1, 16, 1, 14, 1 },
};

static int append_wide(struct log *log, unsigned int ranges)
{
	static const char bytes[WIDE_RANGE];
	struct log_range r[16];
	unsigned int i;
	uint64_t lsn;
	int err;

	for (i = 0; i < ranges; i++)
		r[i] = (struct log_range){ .segment = 1, .length = WIDE_RANGE - i, .data = bytes };
	err = log_append(log, ranges, r, ranges, &lsn);
	return err ? err : log_flush(log, lsn);
}

FIXTURE_SETUP(wide)
{
	const unsigned int *ranges = variant->ranges;
	struct log *log;
	unsigned int i;

	order_excused = true;	/* the same bytes again in one record */
	ASSERT_EQ(0, make_disk(WIDE_AREA));
	ASSERT_EQ(0, open_log(0, &log));
	for (i = 0; i < ARRAY_SIZE(variant->ranges) && ranges[i]; i++) {
		ASSERT_EQ(0, append_wide(log, ranges[i])) {
			TH_LOG("%s", err_text());
		}
		if (i == 1)
			log_state(log, &self->state);
	}
	for (i = 1; i < 20; i++)
		ASSERT_EQ(0, commit_tx(log, i, MOST));
	mem_power_loss(0);
	self->bytes = mem_save(LOG);
	memset(self->bytes + AREA_OFFSET + (self->state.tail - 2048) % WIDE_AREA, 0xa5, 2048);
	mem_restore(LOG, self->bytes);
}

FIXTURE_TEARDOWN(wide)
{
	free(self->bytes);
}

static struct survey wide;

static int survey_wide(unsigned int at, void *log)
{
	const struct survey_ops ops = { .record = count_record, .progress = note_progress };
	struct format_status status;

	log_status(log, &status);
	mem_fail(at, -EIO, false);
	return survey_log(&wide, log_file(log), &status, &ops);
}

TEST_F(wide, a_survey_tells_of_each_read_that_fails)
{
	unsigned int calls;
	struct log *log;

	end_at = 0;
	ASSERT_EQ(0, log_open(LOG, 0, true, &log));
	ASSERT_EQ(0, fail_each_call(survey_wide, log, &calls));
	EXPECT_LT(3, calls);
	EXPECT_EQ(2, wide.count);
	EXPECT_TRUE(wide.runs[0].damage);
	survey_free(&wide);
	log_close(log);
}

TEST_F(wide, recovery_tells_of_each_read_that_fails_before_it_calls_a_log_damaged)
{
	unsigned int calls;

	EXPECT_EQ(-EUCLEAN, fail_each_call(recover_failing, NULL, &calls));
	EXPECT_LT(3, calls);
}

TEST_HARNESS_MAIN
