// SPDX-License-Identifier: GPL-2.0
/*
 * Recovery of a log that is long enough to be read ahead, and of a segment that is large enough
 * to be written by several threads.
 */
#include "recovery.h"

#include <stdatomic.h>
#include <unistd.h>

#include "apply.h"
#include "readahead.h"
#include "reader.h"
#include "recoverlog.h"

#define LOG_SIZE (12U << 20)

/* One call in so many fails, or loses power. */
#if defined(__SANITIZE_THREAD__)
#define STRIDE	97
#elif defined(__SANITIZE_ADDRESS__)
#define STRIDE	11
#else
#define STRIDE	3
#endif
#define BIG (6U << 20)
#define MANY 3000		/* ranges of a record that is longer than what stays in memory */

static unsigned char *model;
static uint32_t big_id;

static int name_big(struct log *log)
{
	return log_name_segment(log, "/big", BIG, &big_id);
}

static int make_big(struct log **log)
{
	struct segment *segment;
	int err;

	err = make_disk(LOG_SIZE);
	if (!err)
		err = segment_open("/big", BIG, &segment);
	if (err)
		return err;
	segment_close(segment);
	model = calloc(1, BIG);
	err = log_open(LOG, 1 << 20, false, log);
	if (!err)
		err = recover_log(*log, NULL, NULL, NULL);
	return err ? err : name_big(*log);
}

/* One record of @count ranges of up to @most bytes anywhere; its bytes get into the model too. */
static int append_some(struct log *log, unsigned int *state, unsigned int count, unsigned int most)
{
	static unsigned char bytes[BIG];
	static struct log_range ranges[MANY];
	uint64_t lsn;
	unsigned int i, at = 0;
	int err;

	for (i = 0; i < count; i++) {
		struct log_range *r = &ranges[i];

		r->segment = big_id;
		r->length = 1 + rand_r(state) % most;
		r->offset = rand_r(state) % (BIG - r->length);
		r->data = memset(bytes + at, rand_r(state) >> 7, r->length);
		at += r->length;
	}
	err = log_append(log, 1, ranges, count, &lsn);
	for (i = 0; i < count && !err; i++)
		memcpy(model + ranges[i].offset, ranges[i].data, ranges[i].length);
	return err ? err : log_flush(log, lsn);
}

/* Records of all lengths, long ones among them, until @bytes of the log are used. */
static int append_mix(struct log *log, unsigned int state, uint64_t bytes)
{
	struct log_state s;
	unsigned int n;
	int err = 0;

	for (n = 0; !err; n++) {
		log_state(log, &s);
		if (s.tail - s.head >= bytes)
			break;
		if (n % 400 == 399)
			err = append_some(log, &state, MANY, 1600);
		else if (n % 20 == 19)
			err = append_some(log, &state, 2, FORMAT_CHUNK + 20000);
		else
			err = append_some(log, &state, 1 + n % 300, 60);
	}
	return err;
}

static int truncate_big(struct log *log)
{
	struct recover_ops ops = { .segment = only_segment };
	struct segment *segment;
	struct log_state s;
	int err;

	log_state(log, &s);
	err = segment_open("/big", 0, &segment);
	if (err)
		return err;
	ops.arg = segment;
	err = recover_apply(log, s.head, s.durable, &ops, NULL);
	segment_close(segment);
	return err ? err : log_set_head(log, s.durable);
}

FIXTURE(long_log)
{
	struct log_state state;
	unsigned char *image;
	unsigned char *segment;
	uint64_t area_offset;
};

FIXTURE_VARIANT(long_log)
{
	uint64_t before;	/* bytes of log that were truncated */
};

FIXTURE_VARIANT_ADD(long_log, from_its_beginning)
{
	.before = 0,
};

FIXTURE_VARIANT_ADD(long_log, around_its_end)
{
	.before = 9 << 20,
};

FIXTURE_SETUP(long_log)
{
	struct log *log;

	ASSERT_EQ(0, make_big(&log));
	ASSERT_EQ(0, append_mix(log, 3, variant->before));
	ASSERT_EQ(0, truncate_big(log));
	ASSERT_EQ(0, append_mix(log, 4, 10 << 20));
	log_state(log, &self->state);
	self->area_offset = mem_find(LOG)->size - LOG_SIZE;
	mem_power_loss(0);
	self->image = mem_save(LOG);
	self->segment = mem_save("/big");
	ASSERT_GT(self->state.tail - self->state.head, (READAHEAD_SLOTS + 1) * READAHEAD_BLOCK);
}

FIXTURE_TEARDOWN(long_log)
{
	free(self->image);
	free(self->segment);
	free(model);
}

static void restore_all(const unsigned char *image, const unsigned char *segment)
{
	mem_restore(LOG, image);
	mem_restore("/big", segment);
	mem_heal();
}

/* Opens, recovers and closes; 0 means that the segment is as it must be. */
static int recovers(void)
{
	int err = recover_closed(LOG);

	if (err)
		return err;
	return memcmp(model, mem_find("/big")->data, BIG) ? -ENOMSG : 0;
}

TEST_F_TIMEOUT(long_log, comes_back, 300)
{
	ASSERT_EQ(0, recovers()) {
		TH_LOG("%s", err_text());
	}
}

TEST_F_TIMEOUT(long_log, comes_back_with_memory_for_few_pages, 300)
{
	uint64_t before = apply_memory;

	apply_memory = 300 * 4608;
	ASSERT_EQ(0, recovers()) {
		TH_LOG("%s", err_text());
	}
	apply_memory = before;
}

TEST_F_TIMEOUT(long_log, a_failing_call_is_an_error_and_nothing_is_lost, 300)
{
	static const int errs[] = { -EIO, MEM_SHORT };
	unsigned int calls, at, i;

	restore_all(self->image, self->segment);
	ASSERT_EQ(0, recovers());
	calls = mem.calls;
	ASSERT_GT(calls, 30);
	/* the last ones are log_close() */
	for (at = 1; at < calls - 2; at += STRIDE * mem_stride(3)) {
		for (i = 0; i < ARRAY_SIZE(errs); i++) {
			int err;

			restore_all(self->image, self->segment);
			mem_fail(at, errs[i], false);
			err = recovers();
			ASSERT_EQ(err && errs[i] == -EIO ? -EIO : 0, err);
			ASSERT_TRUE(!err || strstr(err_text(), "failed"));
			mem_power_loss(0);
			ASSERT_EQ(0, recovers());
		}
	}
}

TEST_F_TIMEOUT(long_log, interrupted_at_any_call_and_run_again_gives_the_same_bytes, 300)
{
	unsigned int calls, at;

	restore_all(self->image, self->segment);
	ASSERT_EQ(0, recovers());
	calls = mem.calls;
	for (at = 1; at <= calls; at += STRIDE * mem_stride(3)) {
		restore_all(self->image, self->segment);
		mem.power_at = at;
		recovers();
		mem_power_loss(at);
		mem.power_at = 1 + at * 7 % calls;
		recovers();
		mem_power_loss(at + 1);
		ASSERT_EQ(0, recovers()) {
			TH_LOG("call %u: %s", at, err_text());
		}
	}
}

/* Bytes of the log file from there on cannot be read; how often that was tried. */
static uint64_t unreadable;
static atomic_uint refused;

static ssize_t read_before(int fd, void *buf, size_t length, uint64_t offset)
{
	if (mem_file(fd) == mem_find(LOG) && offset + length > unreadable) {
		refused++;
		return -EIO;
	}
	return mem_pread(fd, buf, length, offset);
}

/* The walk has to wait for each block, and gets none that is not there yet. */
static ssize_t read_slowly(int fd, void *buf, size_t length, uint64_t offset)
{
	if (length >= READAHEAD_BLOCK)
		usleep(3000 + offset / READAHEAD_BLOCK % 3 * 3000);
	return mem_pread(fd, buf, length, offset);
}

TEST_F_TIMEOUT(long_log, comes_back_from_a_slow_disk, 300)
{
	os.pread = read_slowly;
	ASSERT_EQ(0, recovers()) {
		TH_LOG("%s", err_text());
	}
}

/* What lies behind the tail of a log that was closed is of no interest. */
TEST(a_log_that_was_closed_is_not_read_beyond_its_tail)
{
	struct log_state s;
	struct log *log;

	ASSERT_EQ(0, make_big(&log));
	ASSERT_EQ(0, append_mix(log, 5, 4 << 20));
	log_state(log, &s);
	ASSERT_EQ(0, log_close(log));
	unreadable = mem_find(LOG)->size - LOG_SIZE +
		     (s.tail + LOGFILE_ALIGN - 1) / LOGFILE_ALIGN * LOGFILE_ALIGN % LOG_SIZE;
	os.pread = read_before;
	ASSERT_EQ(0, recovers()) {
		TH_LOG("%s", err_text());
	}
	ASSERT_EQ(0, atomic_load(&refused));
	free(model);
}

/* What cannot be read is an error wherever it is, not the end of the log. */
TEST_F_TIMEOUT(long_log, an_unreadable_block_is_an_error_and_nothing_is_written, 300)
{
	uint64_t at;

	for (at = 0; at < LOG_SIZE; at += READAHEAD_BLOCK / 2) {
		restore_all(self->image, self->segment);
		unreadable = self->area_offset + at;
		os.pread = read_before;
		ASSERT_EQ(-EIO, recovers());
		ASSERT_NE(NULL, strstr(err_text(), "log " LOG ": reading")) {
			TH_LOG("%s", err_text());
		}
		ASSERT_EQ(0, memcmp(self->segment, mem_find("/big")->data, BIG));
		os.pread = mem_pread;
	}
}

TEST_F_TIMEOUT(long_log, a_block_that_is_damaged_is_reported_and_nothing_is_written, 300)
{
	uint64_t lsn;

	for (lsn = self->state.head + 1000; lsn + 300000 < self->state.tail; lsn += 700001) {
		restore_all(self->image, self->segment);
		mem_find(LOG)->data[self->area_offset + lsn % LOG_SIZE] ^= 4;
		ASSERT_EQ(-EUCLEAN, recovers());
		ASSERT_EQ(0, memcmp(self->segment, mem_find("/big")->data, BIG));
	}
}

/* Opened blocks stay while others are read, errors stay with their blocks. */
TEST_F_TIMEOUT(long_log, blocks_that_were_opened_stay_for_a_while, 300)
{
	struct format_status status;
	struct reader reader;
	const void *bytes;
	struct log *log;
	uint64_t lsn;
	unsigned int n;

	ASSERT_EQ(0, log_open(LOG, 0, true, &log));
	log_status(log, &status);
	ASSERT_EQ(0, reader_init(&reader, log_file(log), &status));
	reader_ahead(&reader, status.head, status.head + LOG_SIZE);
	ASSERT_TRUE(reader.is_ahead);
	for (n = 0; n < LOG_SIZE / READAHEAD_BLOCK - 1; n++) {
		lsn = (status.head & ~(uint64_t)(LOGFILE_ALIGN - 1)) + n * READAHEAD_BLOCK;
		ASSERT_EQ(0, reader_get(&reader, lsn + 5000, 8, &bytes));
		usleep(2000);	/* all slots that are free are filled */
		lsn -= n ? READAHEAD_BLOCK - 5000 : 0;
		ASSERT_EQ(0, reader_get(&reader, lsn, FORMAT_CHUNK, &bytes));
		if (lsn % LOG_SIZE + FORMAT_CHUNK > LOG_SIZE)
			continue;	/* it is in two pieces in the file */
		ASSERT_EQ(0, memcmp(bytes, self->image + self->area_offset + lsn % LOG_SIZE,
				    FORMAT_CHUNK));
	}
	reader_free(&reader);
	log_close(log);
}

TEST_F_TIMEOUT(long_log, an_error_is_told_again, 300)
{
	struct format_status status;
	uint64_t lsn = self->state.head + 2 * READAHEAD_BLOCK;
	struct reader reader;
	const void *bytes;
	struct log *log;

	ASSERT_EQ(0, log_open(LOG, 0, true, &log));
	log_status(log, &status);
	ASSERT_EQ(0, reader_init(&reader, log_file(log), &status));
	unreadable = 0;
	os.pread = read_before;
	reader_ahead(&reader, lsn, lsn + 4 * READAHEAD_BLOCK);
	ASSERT_EQ(-EIO, reader_get(&reader, lsn, 8, &bytes));
	ASSERT_EQ(-EIO, reader_get(&reader, lsn, 8, &bytes));
	ASSERT_EQ(-EIO, reader_get(&reader, lsn + 100, 8, &bytes));
	reader_free(&reader);
	log_close(log);
}

#define SEGMENTS 3U
#define ODD 100U	/* bytes of a segment's last page */

/* Appends ranges that are anywhere in some segments; models get them too. */
static int append_to_all(struct log *log, const uint32_t *ids, unsigned char models[][BIG + ODD])
{
	unsigned int i, state = 9;
	unsigned char bytes[200];
	uint64_t lsn = 0;
	int err = 0;

	for (i = 0; i < 20000 && !err; i++) {
		unsigned int k = rand_r(&state) % SEGMENTS;
		struct log_range r = { .segment = ids[k], .data = bytes };

		r.length = 1 + rand_r(&state) % sizeof(bytes);
		r.offset = i % 50 ? rand_r(&state) % (BIG / 8) : BIG + ODD - r.length;
		memset(bytes, i + 1, r.length);
		err = log_append(log, i, &r, 1, &lsn);
		memcpy(models[k] + r.offset, bytes, r.length);
	}
	return err ? err : log_flush(log, lsn);
}

/* The same pages of some segments, the last ones short, with memory for many and for few. */
TEST(segments_that_have_the_same_pages_and_end_within_one)
{
	static unsigned char models[SEGMENTS][BIG + ODD];
	static const uint64_t memory[] = { 1 << 28, 0 };
	char names[SEGMENTS][8];
	struct segment *segment;
	uint32_t ids[SEGMENTS];
	struct log *log;
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(memory); i++) {
		apply_memory = memory[i];
		memset(models, 0, sizeof(models));
		ASSERT_EQ(0, make_disk(LOG_SIZE));
		ASSERT_EQ(0, log_open(LOG, 1 << 20, false, &log));
		ASSERT_EQ(0, recover_log(log, NULL, NULL, NULL));
		for (k = 0; k < SEGMENTS; k++) {
			snprintf(names[k], sizeof(names[k]), "/odd%u", k);
			ASSERT_EQ(0, segment_open(names[k], BIG + ODD, &segment));
			segment_close(segment);
			ASSERT_EQ(0, log_name_segment(log, names[k], BIG + ODD, &ids[k]));
		}
		ASSERT_EQ(0, append_to_all(log, ids, models));
		mem_power_loss(0);
		ASSERT_EQ(0, log_open(LOG, 0, false, &log));
		ASSERT_EQ(0, recover_log(log, NULL, NULL, NULL)) {
			TH_LOG("%s", err_text());
		}
		for (k = 0; k < SEGMENTS; k++) {
			ASSERT_EQ(BIG + ODD, mem_find(names[k])->size);
			ASSERT_EQ(0, memcmp(models[k], mem_find(names[k])->data, BIG + ODD));
		}
		log_close(log);
	}
}

/* Both ways through the log meet the same records. */
TEST_F_TIMEOUT(long_log, is_read_backward_and_forward, 300)
{
	struct format_status status;
	struct format_record record;
	uint64_t lsn, starts[4096];
	struct reader reader;
	const char *why;
	struct log *log;
	unsigned int n = 0;

	ASSERT_EQ(0, log_open(LOG, 0, true, &log));
	log_status(log, &status);
	ASSERT_EQ(0, reader_init(&reader, log_file(log), &status));
	reader_ahead(&reader, status.head, self->state.tail);
	for (lsn = status.head; lsn < self->state.tail; lsn += record.length) {
		ASSERT_EQ(0, reader_record(&reader, lsn, self->state.tail, &record, &why));
		ASSERT_GT(ARRAY_SIZE(starts), n);
		starts[n++] = lsn;
	}
	ASSERT_GT(n, 500);
	while (n--) {
		ASSERT_EQ(0, reader_before(&reader, lsn, status.head, &record, &why)) {
			TH_LOG("%s", why);
		}
		lsn = record.lsn;
		ASSERT_EQ(starts[n], lsn);
	}
	reader_free(&reader);
	log_close(log);
}

TEST_HARNESS_MAIN
