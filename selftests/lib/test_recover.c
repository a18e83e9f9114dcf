// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery: what was committed comes back, whatever shape its record has, and recovery may be
 * interrupted anywhere.
 */
#include "recovery.h"

FIXTURE(recover)
{
	struct crashed crashed;
};

FIXTURE_SETUP(recover)
{
	ASSERT_EQ(0, crashed_make(&self->crashed));
}

FIXTURE_TEARDOWN(recover)
{
	crashed_free(&self->crashed);
}

TEST_F(recover, brings_back_all_that_was_committed)
{
	ASSERT_EQ(20, recovered(MOST));
}

TEST_F(recover, of_a_recovered_log_does_nothing_more)
{
	struct recover_stats stats;
	struct log *log;

	ASSERT_EQ(20, recovered(MOST));
	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, NULL, NULL, &stats));
	ASSERT_EQ(0, stats.records);
	ASSERT_EQ(0, stats.applied_bytes);
	ASSERT_EQ(0, log_close(log));
}

TEST_F(recover, tells_what_it_did)
{
	struct recover_stats stats;
	struct log *log;

	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, NULL, NULL, &stats));
	ASSERT_EQ(20, stats.records);
	ASSERT_EQ(self->crashed.after.tail - self->crashed.after.head, stats.log_bytes);
	ASSERT_GT(stats.applied_bytes, 0);
	ASSERT_EQ(0, log_close(log));
}

TEST_F(recover, reports_a_missing_segment_and_frees_nothing)
{
	mem_unlink(SEG);
	ASSERT_EQ(-ENOENT, recovered(MOST));
	ASSERT_NE(NULL, strstr(err_text(), SEG));
	ASSERT_EQ(0, memcmp(mem_find(LOG)->data, self->crashed.image, mem_find(LOG)->size));
}

TEST_F(recover, reports_a_segment_that_was_cut_off_and_frees_nothing)
{
	mem_find(SEG)->size = SEG_SIZE / 2;
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
	ASSERT_EQ(0, memcmp(mem_find(LOG)->data, self->crashed.image, mem_find(LOG)->size));
	mem_find(SEG)->size = SEG_SIZE;
	ASSERT_EQ(20, recovered(MOST));
}

TEST_F_TIMEOUT(recover, interrupted_at_any_call_and_run_again_gives_the_same_bytes, 300)
{
	unsigned int calls, at, choice, again;

	put_back(&self->crashed);
	ASSERT_EQ(20, recovered(MOST));
	calls = mem.calls;
	for (at = 1; at <= calls; at++) {
		for (choice = 0; choice < 6; choice++) {
			put_back(&self->crashed);
			mem.power_at = at;
			recovered(MOST);
			mem_power_loss(choice);
			/* a second crash, somewhere in the second recovery */
			again = 1 + (at * 7 + choice) % calls;
			mem.power_at = again;
			recovered(MOST);
			mem_power_loss(choice + 1);
			ASSERT_EQ(20, recovered(MOST)) {
				TH_LOG("calls %u and %u, choice %u: %s", at, again, choice,
				       err_text());
			}
		}
	}
	ASSERT_GT(calls, 10);
}

TEST_F(recover, a_failing_call_is_an_error_and_nothing_is_lost)
{
	unsigned int calls, at;

	put_back(&self->crashed);
	ASSERT_EQ(20, recovered(MOST));
	calls = mem.calls;
	for (at = 1; at < calls - 2; at++) {	/* the last ones are log_close() */
		int64_t number;

		put_back(&self->crashed);
		mem_fail(at, -EIO, false);
		number = recovered(MOST);
		if (number >= 0) {
			ASSERT_EQ(0, atomic_load(&mem.failed));
		} else {
			ASSERT_EQ(-EIO, number) {
				TH_LOG("call %u: %s", at, err_text());
			}
		}
		mem_power_loss(0);
		ASSERT_EQ(20, recovered(MOST));
	}
}

/* struct steps - how a progress callback was called */
struct steps {
	unsigned int calls;
	uint64_t last;
	uint64_t total;
	bool back;
};

static void note_step(void *arg, uint64_t done, uint64_t total)
{
	struct steps *steps = arg;

	steps->back |= done < steps->last || done > total;
	steps->last = done;
	steps->total = total;
	steps->calls++;
}

TEST_F(recover, progress_rises_to_the_end)
{
	struct steps steps = {};
	struct log *log;

	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, note_step, &steps, NULL));
	ASSERT_GT(steps.calls, 20);
	ASSERT_FALSE(steps.back);
	ASSERT_EQ(steps.total, steps.last);
	ASSERT_EQ(0, log_close(log));
}

TEST_F(recover, a_log_opened_for_looking_is_neither_recovered_nor_changed)
{
	struct log *log;
	uint64_t tail;

	ASSERT_EQ(0, log_open(LOG, 0, true, &log));
	ASSERT_EQ(0, recover_scan(log, &tail));
	ASSERT_EQ(self->crashed.after.tail, tail);
	ASSERT_EQ(-EROFS, recover_log(log, NULL, NULL, NULL));
	ASSERT_EQ(-EROFS, log_start(log, tail, tail));
	ASSERT_EQ(0, log_close(log));
	ASSERT_EQ(0, memcmp(mem_find(LOG)->data, self->crashed.image, mem_find(LOG)->size));
	ASSERT_EQ(0, memcmp(segment_bytes(), self->crashed.segment, SEG_SIZE));
}

TEST(records_wrap_around_the_end_at_every_alignment)
{
	unsigned int length;
	uint64_t lsn;

	for (length = 8; length <= 1500; length += 8) {
		unsigned char bytes[1500];
		struct log_range r = { .segment = 1, .length = length, .data = bytes };
		struct log *log;
		int i;

		ASSERT_EQ(0, make_disk(4096));
		ASSERT_EQ(0, open_log(0, &log));
		for (i = 0; i < 40; i++) {
			int err;

			memset(bytes, i, length);
			r.offset = i;
			err = log_append(log, i, &r, 1, &lsn);
			if (err == -ENOSPC) {
				ASSERT_EQ(0, truncate_log(log));
				err = log_append(log, i, &r, 1, &lsn);
			}
			ASSERT_EQ(0, err);
			if (i % 3 == 0)
				ASSERT_EQ(0, log_flush(log, lsn));
		}
		ASSERT_EQ(0, log_flush(log, lsn));
		mem_power_loss(0);
		ASSERT_EQ(0, open_log(0, &log));
		for (i = 0; i < 39 + length; i++)
			ASSERT_EQ(i < 39 ? i : 39, segment_bytes()[i]);
		ASSERT_EQ(0, log_close(log));
	}
}

TEST(a_record_longer_than_the_buffer_and_one_that_fills_the_log)
{
	static const uint64_t area = 1 << 20;
	/* header, trailer, one range; the shortest padding that may follow is 64 bytes */
	uint64_t most = area - 64 - 16 - 64;
	struct log_range r = { .segment = 1 };
	unsigned char *bytes = malloc(area);
	struct segment *segment;
	struct log *log;
	uint64_t lsn, length, i;
	uint32_t id;

	ASSERT_EQ(0, make_disk(area));
	ASSERT_EQ(0, segment_open("/big", area, &segment));
	segment_close(segment);
	for (length = 1000; length <= most; length = length * 3 < most || length == most ?
	     length * 3 : most) {
		ASSERT_EQ(0, log_open(LOG, 0, false, &log));
		ASSERT_EQ(0, recover_log(log, NULL, NULL, NULL));
		ASSERT_EQ(0, log_name_segment(log, "/big", area, &id));
		for (i = 0; i < length; i++)
			bytes[i] = i * 31 + length;
		r.length = length;
		r.data = bytes;
		ASSERT_EQ(0, log_append(log, 1, &r, 1, &lsn)) {
			TH_LOG("%llu: %s", (unsigned long long)length, err_text());
		}
		ASSERT_EQ(0, log_flush(log, lsn));
		mem_power_loss(0);
		ASSERT_EQ(0, log_open(LOG, 0, false, &log));
		ASSERT_EQ(0, recover_log(log, NULL, NULL, NULL));
		ASSERT_EQ(0, memcmp(mem_find("/big")->data, bytes, length));
		ASSERT_EQ(0, log_close(log));
	}
	ASSERT_EQ(0, open_log(0, &log));
	r.length = most + 1;
	ASSERT_EQ(-EFBIG, log_append(log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_close(log));
	free(bytes);
}

static bool odd_pages(void *arg, uint32_t id, uint64_t page)
{
	return page % 2;
}

TEST(pages_that_the_mask_refuses_are_not_written)
{
	static unsigned char bytes[SEG_SIZE - 100];
	struct log_range r = { .segment = 1, .offset = 50, .length = sizeof(bytes),
			       .data = bytes };
	struct recover_ops ops = { .segment = only_segment, .page_mask = odd_pages };
	struct recover_stats stats = {};
	struct segment *segment;
	struct log_state state;
	struct log *log;
	uint64_t lsn, i;

	ASSERT_EQ(0, make_disk(1 << 20));
	ASSERT_EQ(0, open_log(0, &log));
	memset(bytes, 7, sizeof(bytes));
	ASSERT_EQ(0, log_append(log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_flush(log, lsn));
	log_state(log, &state);
	ASSERT_EQ(0, segment_open(SEG, 0, &segment));
	ops.arg = segment;
	ASSERT_EQ(0, recover_apply(log, state.head, state.durable, &ops, &stats));
	segment_close(segment);
	for (i = 0; i < SEG_SIZE; i++)
		ASSERT_EQ(i / 4096 % 2 && i < SEG_SIZE - 50 ? 7 : 0, segment_bytes()[i]);
	ASSERT_EQ(SEG_SIZE / 2 - 50, stats.applied_bytes);
	ASSERT_EQ(0, log_close(log));
}

static int no_segment(void *arg, uint32_t id, struct segment **out)
{
	*out = NULL;
	return 0;
}

TEST(a_segment_that_the_caller_skips_is_not_written)
{
	struct recover_ops ops = { .segment = no_segment };
	struct recover_stats stats = {};
	struct log_state state;
	struct log *log;

	ASSERT_EQ(0, make_disk(AREA));
	ASSERT_EQ(0, open_log(0, &log));
	ASSERT_EQ(0, commit_tx(log, 1, MOST));
	log_state(log, &state);
	ASSERT_EQ(0, recover_apply(log, state.head, state.durable, &ops, &stats));
	ASSERT_EQ(0, stats.applied_bytes);
	ASSERT_EQ(1, stats.records);
	ASSERT_EQ(0, log_close(log));
}

TEST_HARNESS_MAIN
