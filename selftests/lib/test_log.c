// SPDX-License-Identifier: GPL-2.0
/* The records of a log: which are refused, what they cost, where the head goes; on real files. */
#include <fcntl.h>
#include <sys/resource.h>

#include "reallog.h"

TEST_F(log, what_is_too_large_for_the_log_is_refused_without_flush_as_well)
{
	static const char bytes[2 * AREA];
	struct log_range range = { .segment = 1, .length = sizeof(bytes), .data = bytes };
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(-EFBIG, log_spool(self->log, 1, &range, 1, &lsn));
	EXPECT_NE(NULL, strstr(err_text(), "can never fit"));
	EXPECT_EQ(0, log_used(self->log));
	EXPECT_EQ(0, log_close(self->log));
}

TEST_F(log, what_no_log_can_hold_is_refused_before_it_is_gathered)
{
	static const char bytes[AREA];
	struct log_range all = { .segment = 1, .length = AREA, .data = bytes };
	const struct log_range ranges[] = { all, all, all };
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(0, log_fits(self->log, 1, AREA / 2));
	EXPECT_EQ(-EFBIG, log_fits(self->log, 1, AREA));
	EXPECT_EQ(-EFBIG, log_fits(self->log, 1, AREA + 1));
	EXPECT_EQ(-EFBIG, log_fits(self->log, UINT32_MAX + 1ULL, 1));
	EXPECT_EQ(-EFBIG, log_append(self->log, 1, ranges, 3, &lsn));
	EXPECT_EQ(0, log_used(self->log));
	log_keep_below(self->log, AREA);	/* nobody wants to know */
	EXPECT_EQ(0, log_set_head(self->log, AREA));	/* where it is */
	EXPECT_EQ(0, log_close(self->log));
}

/* A record of so many bytes in all, alone in the log. */
static int fill_with(struct log *log, uint64_t length)
{
	static const char bytes[AREA];
	struct log_range range = { .segment = 1, .length = length - 64 - 16, .data = bytes };
	uint64_t lsn;
	int err = log_append(log, 1, &range, 1, &lsn);

	if (!err)
		err = log_flush(log, lsn);
	return err ? err : log_set_head(log, log_durable(log));
}

TEST_F(log, a_record_that_ends_with_the_area_is_in_one_piece)
{
	statistics_start();
	order_excused = true;	/* the head moves, and nothing is written */
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, fill_with(self->log, AREA / 2 - 512));
	ASSERT_EQ(0, fill_with(self->log, AREA / 2));
	EXPECT_EQ(0, statistic_of(STATISTICS_SPLIT));
	ASSERT_EQ(0, fill_with(self->log, AREA / 2));
	EXPECT_EQ(0, statistic_of(STATISTICS_SPLIT));
	ASSERT_EQ(0, fill_with(self->log, AREA / 2));
	EXPECT_EQ(1, statistic_of(STATISTICS_SPLIT));
	EXPECT_EQ(0, log_close(self->log));
}

TEST_F(log, an_event_without_a_descriptor_for_it_is_an_error)
{
	struct rlimit before, none;
	int fd;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	none = before;
	none.rlim_cur = 3;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, log_event_fd(self->log, &fd));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	EXPECT_EQ(0, log_event_fd(self->log, &fd));
	EXPECT_EQ(0, log_close(self->log));
	EXPECT_EQ(-1, fcntl(fd, F_GETFD));
}

TEST_F(log, refuses_to_append_before_it_is_started)
{
	struct log_range r = { .segment = 1, .length = 1, .data = "x" };
	struct log_state state;
	uint32_t id;
	uint64_t lsn;

	ASSERT_EQ(0, log_open(self->path, 0, false, &self->log));
	ASSERT_EQ(-EINVAL, log_append(self->log, 1, &r, 1, &lsn));
	ASSERT_EQ(-EINVAL, log_flush(self->log, 0));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, AREA));
	ASSERT_EQ(-EINVAL, log_name_segment(self->log, "/x", 1, &id));
	log_state(self->log, &state);
	ASSERT_EQ(-EINVAL, log_start(self->log, state.head, state.head + 8));
	ASSERT_EQ(-EINVAL, log_start(self->log, 0, 0));
	ASSERT_EQ(0, log_start(self->log, state.tail, state.tail));
	ASSERT_EQ(-EINVAL, log_start(self->log, state.tail, state.tail));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, refuses_impossible_ranges)
{
	struct log_range r = { .segment = 1, .length = 1, .data = "x" };
	struct log_state before, after;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &before);
	r.segment = 0;
	ASSERT_EQ(-EINVAL, log_append(self->log, 1, &r, 1, &lsn));
	r.segment = 1;
	r.length = 0;
	ASSERT_EQ(-EINVAL, log_append(self->log, 1, &r, 1, &lsn));
	r.length = 2;
	r.offset = UINT64_MAX - 1;
	ASSERT_EQ(-EINVAL, log_append(self->log, 1, &r, 1, &lsn));
	r.offset = 0;
	r.length = UINT64_MAX;
	ASSERT_EQ(-EFBIG, log_append(self->log, 1, &r, 1, &lsn));
	log_state(self->log, &after);
	ASSERT_EQ(before.tail, after.tail);
	ASSERT_EQ(-EINVAL, log_flush(self->log, after.tail + 8));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, a_record_without_ranges_is_none)
{
	struct log_state state;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_append(self->log, 1, NULL, 0, &lsn));
	ASSERT_EQ(state.tail, lsn);
	ASSERT_EQ(0, log_flush(self->log, lsn));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, a_record_costs_64_bytes_and_16_a_range)
{
	struct log_range r[3] = { { 1, 0, 8, "01234567" }, { 1, 100, 8, "01234567" },
				  { 2, 0, 8, "01234567" } };
	struct log_state state;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_append(self->log, 1, r, 3, &lsn));
	ASSERT_EQ(state.tail + 64 + 3 * 16 + 3 * 8, lsn);
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, full_is_full_to_the_byte_and_the_head_frees_it)
{
	static char bytes[AREA];
	/* what fills the log exactly: header, trailer, range, and the shortest padding */
	struct log_range r = { .segment = 1, .length = AREA - 64 - 16 - 64, .data = bytes };
	struct log_range one = { .segment = 1, .length = 1, .data = bytes };
	uint64_t lsn;
	int i;

	ASSERT_EQ(0, start(self->path, &self->log));
	r.length++;
	ASSERT_EQ(-EFBIG, log_append(self->log, 1, &r, 1, &lsn));
	r.length--;
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
		ASSERT_EQ(-ENOSPC, log_append(self->log, 2, &one, 1, &lsn));
		ASSERT_EQ(-ENOSPC, log_append(self->log, 2, &one, 1, &lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
		ASSERT_EQ(AREA, log_used(self->log));
		ASSERT_EQ(-ENOSPC, log_append(self->log, 2, &one, 1, &lsn));
		ASSERT_EQ(0, log_set_head(self->log, log_durable(self->log)));
		ASSERT_EQ(0, log_used(self->log));
	}
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, the_head_moves_only_forward_and_not_beyond_what_is_durable)
{
	struct log_range r = { .segment = 1, .length = 100, .data = self->path };
	struct log_state state;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, lsn));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, state.head - 8));
	ASSERT_EQ(0, log_flush(self->log, lsn));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, lsn + 1));
	ASSERT_TRUE(both_tell(self->path, state.head, state.head));
	ASSERT_EQ(0, log_set_head(self->log, lsn));
	ASSERT_TRUE(both_tell(self->path, lsn, log_durable(self->log)));
	ASSERT_EQ(0, log_set_head(self->log, lsn));
	ASSERT_EQ(-EINVAL, log_set_head(self->log, lsn - 8));
	ASSERT_EQ(0, log_close(self->log));
	/* a head inside a sector is where recovery begins */
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, what_was_not_flushed_is_gone_after_close_and_no_error)
{
	struct log_range r = { .segment = 1, .length = 8, .data = "notthere" };
	struct log_state state;
	struct recover_stats stats;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, log_open(self->path, 0, false, &self->log));
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, &stats));
	ASSERT_EQ(0, stats.records);
	log_state(self->log, &state);
	ASSERT_EQ(3, state.generation);
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, flushes_share_no_sector)
{
	struct log_range r = { .segment = 1, .data = self->path };
	struct log_state state;
	uint64_t lsn;

	ASSERT_EQ(0, start(self->path, &self->log));
	for (r.length = 1; r.length < 64; r.length++) {
		ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
		log_state(self->log, &state);
		ASSERT_EQ(0, state.tail % 512);
		ASSERT_EQ(state.tail, state.durable);
	}
	ASSERT_EQ(63, state.flushes);
	ASSERT_EQ(state.tail - state.head, state.bytes_written);
	ASSERT_EQ(0, log_close(self->log));
}

struct watched {
	struct log *log;
	uint64_t last;
	unsigned int calls;
	bool early;
};

static void watch(void *arg, uint64_t durable)
{
	struct watched *w = arg;

	w->early |= durable <= w->last || log_durable(w->log) >= durable;
	w->last = durable;
	w->calls++;
}

TEST_F(log, the_watcher_hears_of_each_rise_before_anybody_else)
{
	struct log_range r = { .segment = 1, .length = 5, .data = "12345" };
	struct watched w = {};
	uint64_t lsn;
	int i;

	ASSERT_EQ(0, start(self->path, &self->log));
	w.log = self->log;
	log_watch(self->log, watch, &w);
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
	}
	ASSERT_EQ(10, w.calls);
	ASSERT_FALSE(w.early);
	ASSERT_EQ(log_durable(self->log), w.last);
	log_watch(self->log, NULL, NULL);
	ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_flush(self->log, lsn));
	ASSERT_EQ(10, w.calls);
	ASSERT_EQ(0, log_close(self->log));
}

TEST_HARNESS_MAIN
