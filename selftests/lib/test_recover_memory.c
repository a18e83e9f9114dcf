// SPDX-License-Identifier: GPL-2.0
/* Recovery with less memory than the log has pages. */
#include "recovery.h"

#include "apply.h"
#include "nomemory.h"

#ifdef __SANITIZE_THREAD__
#define MANY 30000
#else
#define MANY 150000
#endif

FIXTURE(memory)
{
	uint64_t before;
};

FIXTURE_VARIANT(memory)
{
	uint64_t bytes;
	int ranges;
};

FIXTURE_VARIANT_ADD(memory, for_all_pages)
{
	.bytes = 1 << 28,
	.ranges = MANY,
};

FIXTURE_VARIANT_ADD(memory, for_half_of_the_pages)
{
	.bytes = 512 * 4608,
	.ranges = MANY,
};

FIXTURE_VARIANT_ADD(memory, for_the_fewest_pages)
{
	.bytes = 0,
	.ranges = 5000,
};

FIXTURE_VARIANT_ADD(memory, for_what_the_machine_has)
{
	.bytes = UINT64_MAX,
	.ranges = 100,
};

FIXTURE_SETUP(memory)
{
	order_excused = true;	/* so many ranges take too long */
	self->before = apply_memory;
	apply_memory = variant->bytes;
}

FIXTURE_TEARDOWN(memory)
{
	apply_memory = self->before;
}

#define BIG (4 << 20)

/* Ranges of all lengths up to more than the memory holds, overwriting each other. */
static int append_ranges(struct log *log, uint32_t id, int ranges, unsigned char *model)
{
	unsigned char *bytes = malloc(BIG);
	unsigned int state = 5;
	uint64_t lsn;
	int i, err = 0;

	for (i = 0; i < ranges && !err; i++) {
		struct log_range r = { .segment = id, .data = bytes };

		r.length = i % 20000 == 7 ? BIG / 2 + i : 1 + rand_r(&state) % 64;
		r.offset = rand_r(&state) % (BIG - r.length);
		memset(bytes, i * 13 + 1, r.length);
		err = log_append(log, i, &r, 1, &lsn);
		memcpy(model + r.offset, bytes, r.length);
	}
	free(bytes);
	return err ? err : log_flush(log, lsn);
}

static int make_big(struct log **log, uint32_t *id)
{
	struct segment *segment;
	int err;

	err = make_disk(64 << 20);
	if (!err)
		err = segment_open("/big", BIG, &segment);
	if (err)
		return err;
	segment_close(segment);
	err = log_open(LOG, 1 << 20, false, log);
	if (!err)
		err = recover_log(*log, NULL, NULL, NULL);
	return err ? err : log_name_segment(*log, "/big", BIG, id);
}

TEST_F_TIMEOUT(memory, batches_apply_in_the_order_of_the_log, 300)
{
	unsigned char *model = calloc(1, BIG);
	struct recover_stats stats;
	struct log *log;
	uint32_t id;

	ASSERT_EQ(0, make_big(&log, &id));
	ASSERT_EQ(0, append_ranges(log, id, variant->ranges, model));
	mem_power_loss(0);
	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, NULL, NULL, &stats));
	ASSERT_EQ(0, memcmp(model, mem_find("/big")->data, BIG));
	ASSERT_EQ(variant->ranges, stats.records);
	if (variant->bytes > BIG)
		ASSERT_LE(stats.applied_bytes, BIG);
	ASSERT_EQ(0, log_close(log));
	free(model);
}

TEST_F_TIMEOUT(memory, nothing_of_a_damaged_log_is_applied, 300)
{
	unsigned char *model = calloc(1, BIG);
	unsigned char *none = calloc(1, BIG);
	struct log_state state;
	struct log *log;
	uint64_t lsn;
	uint32_t id;

	ASSERT_EQ(0, make_big(&log, &id));
	ASSERT_EQ(0, append_ranges(log, id, variant->ranges, model));
	log_state(log, &state);
	ASSERT_EQ(0, append_ranges(log, id, 1, model));
	mem_power_loss(0);
	for (lsn = state.tail - 4096; lsn < state.tail - 512; lsn++)
		mem_find(LOG)->data[AREA_OFFSET + lsn % (64 << 20)] ^= 1;
	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(-EUCLEAN, recover_log(log, NULL, NULL, NULL));
	ASSERT_EQ(0, memcmp(none, mem_find("/big")->data, BIG));
	log_close(log);
	free(model);
	free(none);
}

/* What the library does while truncation cannot write some pages from memory. */
static bool odd_page(void *arg, uint32_t segment, uint64_t page)
{
	return page % 2;
}

static int apply_odd_pages(unsigned int at, void *arg)
{
	struct log *log = arg;
	struct recover_ops ops = { .segment = only_segment, .page_mask = odd_page };
	struct segment *segment;
	struct log_state state;
	int err;

	mem_fail(at, -EIO, false);
	log_state(log, &state);
	err = segment_open("/big", 0, &segment);
	if (err)
		return err;
	ops.arg = segment;
	err = recover_apply(log, state.head, state.durable, &ops, NULL);
	segment_close(segment);
	return err;
}

TEST(of_some_pages_the_newest_bytes_are_applied_with_little_memory_or_an_error)
{
	unsigned char *model = calloc(1, BIG), *bytes;
	unsigned int calls, page;
	struct log *log;
	uint32_t id;

	order_excused = true;	/* pages are left out */
	apply_memory = 0;
	ASSERT_EQ(0, make_big(&log, &id));
	ASSERT_EQ(0, append_ranges(log, id, 100, model));
	ASSERT_EQ(0, fail_each_call(apply_odd_pages, log, &calls));
	EXPECT_LT(20, calls);
	bytes = mem_find("/big")->data;
	for (page = 0; page < BIG / IMAGE_SIZE; page++) {
		if (page % 2 == 0)
			memset(model + page * IMAGE_SIZE, 0, IMAGE_SIZE);
		ASSERT_EQ(0, memcmp(model + page * IMAGE_SIZE, bytes + page * IMAGE_SIZE,
				    IMAGE_SIZE));
	}
	/* what was written well once may be damaged now */
	mem_find(LOG)->data[AREA_OFFSET + 5000] ^= 1;
	EXPECT_EQ(-EUCLEAN, apply_odd_pages(0, log));
	EXPECT_NE(NULL, strstr(err_text(), "damaged at LSN"));
	ASSERT_EQ(0, log_close(log));
	free(model);
}

/* The log is read a second time for what found no memory the first time. */
TEST(a_log_of_more_pages_than_memory_is_recovered_or_an_error)
{
	unsigned char *model = calloc(1, BIG), *image;
	bool failed = true;
	struct log *log;
	unsigned int at;
	uint32_t id;
	int err;

	order_excused = true;
	apply_memory = 0;
	ASSERT_EQ(0, make_big(&log, &id));
	ASSERT_EQ(0, append_ranges(log, id, 300, model));
	mem_power_loss(0);
	image = mem_save(LOG);
	for (at = 1; failed; at++) {
		mem_restore(LOG, image);
		memset(mem_find("/big")->data, 0, BIG);
		fail_memory(at, false);
		err = log_open(LOG, 0, false, &log);
		if (!err) {
			err = recover_log(log, NULL, NULL, NULL);
			log_close(log);
		}
		failed = allocations >= at;
		fail_memory(0, false);
		ASSERT_TRUE(!err || (failed && err == -ENOMEM)) {
			TH_LOG("allocation %u: %s", at, err_text());
		}
		if (!err)
			ASSERT_EQ(0, memcmp(model, mem_find("/big")->data, BIG));
	}
	EXPECT_LT(15, at);
	free(image);
	free(model);
}

static int append_to_two(struct log *log)
{
	struct log_range r[2] = {
		{ .length = 5, .data = "first" },
		{ .length = 6, .data = "second" },
	};
	static const char *const names[] = { "/first", "/second" };
	struct segment *segment;
	uint64_t lsn;
	int i, err = 0;

	for (i = 0; i < 2 && !err; i++) {
		err = segment_open(names[i], IMAGE_SIZE, &segment);
		if (err)
			return err;
		segment_close(segment);
		err = log_name_segment(log, names[i], IMAGE_SIZE, &r[i].segment);
	}
	if (!err)
		err = log_append(log, 1, r, 2, &lsn);
	return err ? err : log_flush(log, lsn);
}

static int restore_and_recover(unsigned int at, void *image)
{
	mem_restore(LOG, image);
	return recover_failing(at, NULL);
}

/* One is not synced after the other failed, and both are recovered by who comes next. */
TEST(of_two_segments_each_call_may_fail)
{
	unsigned char *image;
	struct log *log;
	unsigned int calls;

	ASSERT_EQ(0, make_disk(AREA));
	ASSERT_EQ(0, open_log(0, &log));
	ASSERT_EQ(0, append_to_two(log));
	mem_power_loss(0);
	image = mem_save(LOG);
	ASSERT_EQ(0, fail_each_call(restore_and_recover, image, &calls));
	EXPECT_LT(7, calls);
	EXPECT_EQ(0, memcmp("first", mem_find("/first")->stable, 5));
	EXPECT_EQ(0, memcmp("second", mem_find("/second")->stable, 6));
	free(image);
}

TEST_HARNESS_MAIN
