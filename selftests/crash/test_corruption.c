// SPDX-License-Identifier: GPL-2.0
/*
 * Logs that were damaged by something else than a crash: no bit of them is believed silently.
 *
 * A log of 64 KiB, all of it: status, dictionary, records.  What is damaged before the last flush
 * is reported, and neither log nor segment changes; of what the last flush wrote all or a part
 * may be missing, as after a torn write, unless the log was closed.
 */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "crc.h"
#include "err.h"
#include "log.h"
#include "memdisk.h"
#include "recover.h"
#include "seen.h"
#include "segment.h"
#include "smalllog.h"

#define LOG		"/log"
#define SEG		"/segment"
#define BYTES		65536U	/* of the log file */
#define AREA		(BYTES - SMALLLOG_AREA)
#define SEG_BYTES	8192U
#define SECTORS		(BYTES / MEM_SECTOR)
#define FIRST		(SMALLLOG_AREA / MEM_SECTOR) /* sector of the record area */
#define COUNT		60	/* transactions */
#define LAST		3	/* of them in the last flush */
#define TRUNCATED	15	/* after so many the log is truncated */
#define OLDER		40	/* after so many an older image is kept */
#define BURSTS		100000
#define NO_STATE	(-ENOMSG)

FIXTURE(corrupt)
{
	bool closed;
	unsigned int last;		/* where the last flush begins in the file */
	unsigned char image[BYTES];
	unsigned char older[BYTES];
	unsigned char segment[SEG_BYTES];
	uint64_t states[COUNT + 1];
};

FIXTURE_VARIANT(corrupt)
{
	bool closed;
};

FIXTURE_VARIANT_ADD(corrupt, open) { .closed = false };
FIXTURE_VARIANT_ADD(corrupt, closed) { .closed = true };

/* The ranges of a transaction: its number, and some of its bytes here and there. */
static void make_ranges(unsigned int n, unsigned char data[1200], struct log_range r[3])
{
	unsigned int length = 1 + n * 97 % 900, i;

	for (i = 0; i < 1200; i++)
		data[i] = n + i / 256;
	memcpy(data, &n, sizeof(n));
	r[0] = (struct log_range){ .segment = 1, .length = 8, .data = data };
	r[1] = (struct log_range){ .segment = 1, .offset = 16 + n * 389 % 6000, .length = length,
				   .data = data + 8 };
	r[2] = (struct log_range){ .segment = 1, .offset = 7000 + n * 41 % 1000, .length = 100,
				   .data = data + 1000 };
}

static int append(struct log *log, unsigned int n, uint64_t *lsn)
{
	unsigned char data[1200];
	struct log_range ranges[3];

	make_ranges(n, data, ranges);
	return log_append(log, n, ranges, 3, lsn);
}

static void make_states(uint64_t states[COUNT + 1])
{
	unsigned char segment[SEG_BYTES] = {}, data[1200];
	struct log_range ranges[3];
	unsigned int n, i;

	states[0] = seen_hash(1, segment, sizeof(segment));
	for (n = 1; n <= COUNT; n++) {
		make_ranges(n, data, ranges);
		for (i = 0; i < 3; i++)
			memcpy(segment + ranges[i].offset, ranges[i].data, ranges[i].length);
		states[n] = seen_hash(1, segment, sizeof(segment));
	}
}

static int open_segment(void *arg, uint32_t id, struct segment **out)
{
	(void)id;
	*out = arg;
	return 0;
}

static int truncate_all(struct log *log)
{
	struct recover_ops ops = { .segment = open_segment };
	struct segment *segment;
	struct log_state state;
	int err;

	log_state(log, &state);
	err = segment_open(SEG, 0, &segment);
	if (err)
		return err;
	ops.arg = segment;
	err = recover_apply(log, state.head, state.durable, &ops, NULL);
	segment_close(segment);
	return err ? err : log_set_head(log, state.durable);
}

/* *@last: where the last flush begins in the file. */
static int fill_log(struct log *log, unsigned char older[BYTES], unsigned int *last)
{
	uint64_t lsn = 0;
	unsigned int n;
	uint32_t id;
	int err;

	err = log_name_segment(log, SEG, SEG_BYTES, &id);
	for (n = 1; n <= COUNT && !err; n++) {
		err = append(log, n, &lsn);
		if (!err && (n <= COUNT - LAST || n == COUNT))
			err = log_flush(log, lsn);
		if (!err && n == TRUNCATED)
			err = truncate_all(log);
		if (n == COUNT - LAST)
			*last = SMALLLOG_AREA + log_durable(log) % AREA;
		if (n == OLDER)
			memcpy(older, mem_find(LOG)->data, BYTES);
	}
	return err;
}

FIXTURE_SETUP(corrupt)
{
	static const unsigned char zeros[SEG_BYTES];
	struct log *log;

	mallopt(M_MMAP_THRESHOLD, 1 << 30);	/* the same memory for each recovery */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mem_install();
	smalllog_make(LOG, AREA, MEM_SECTOR);
	mem_put(SEG, zeros, sizeof(zeros));
	make_states(self->states);
	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, NULL, NULL, NULL));
	ASSERT_EQ(0, fill_log(log, self->older, &self->last));
	if (!variant->closed)
		memcpy(self->image, mem_find(LOG)->data, BYTES);
	ASSERT_EQ(0, log_close(log));
	if (variant->closed)
		memcpy(self->image, mem_find(LOG)->data, BYTES);
	memcpy(self->segment, mem_find(SEG)->data, SEG_BYTES);
	self->closed = variant->closed;
}

FIXTURE_TEARDOWN(corrupt)
{
}

typedef struct _test_data_corrupt corrupt;

/* The image, undamaged. */
static unsigned char *put_back(const corrupt *self)
{
	mem_put(LOG, self->image, BYTES);
	mem_put(SEG, self->segment, SEG_BYTES);
	return mem_find(LOG)->data;
}

/* How many transactions the segment has after recovery, or a negative errno. */
static int recovered(const corrupt *self)
{
	struct log *log;
	uint64_t hash;
	int err, n;

	err = log_open(LOG, 0, false, &log);
	if (err)
		return err;
	err = recover_log(log, NULL, NULL, NULL);
	log_close(log);
	if (err)
		return err;
	hash = seen_hash(1, mem_find(SEG)->data, SEG_BYTES);
	for (n = COUNT; n >= 0; n--)
		if (self->states[n] == hash)
			return n;
	return NO_STATE;
}

/* struct tally - what came of damaged logs */
struct tally {
	unsigned long reported;
	unsigned long dropped;
	unsigned long harmless;
};

/* Recovers the log that is there. */
static bool is_right(const corrupt *self, struct tally *tally)
{
	static unsigned char before[BYTES];
	uint64_t size = mem_find(LOG)->size;
	int n;

	memcpy(before, mem_find(LOG)->data, size);
	n = recovered(self);
	if (n == COUNT) {
		tally->harmless++;
		return true;
	}
	if (n >= 0) {
		tally->dropped++;
		return !self->closed && n >= COUNT - LAST;
	}
	tally->reported++;
	return n == -EUCLEAN && !memcmp(before, mem_find(LOG)->data, size) &&
	       !memcmp(self->segment, mem_find(SEG)->data, SEG_BYTES);
}

static bool wrong(const char *what, unsigned long i)
{
	printf("# %s %lu: %s\n", what, i, err_text());
	fflush(stdout);
	return false;
}

/* Runs @fn for the numbers below @count, on all processors; tells what came of it. */
static bool in_parts(const corrupt *self, unsigned long count,
		     bool (*fn)(const corrupt *self, unsigned long i, struct tally *tally))
{
	unsigned long jobs = sysconf(_SC_NPROCESSORS_ONLN), job, i;
	bool good = true;
	int status;

	fflush(stdout);
	for (job = 0; job < jobs; job++) {
		struct tally tally = {};

		if (fork())
			continue;
		for (i = job; i < count && good; i += jobs)
			good = fn(self, i, &tally);
		printf("# %lu reported, %lu dropped with the tail, %lu harmless\n",
		       tally.reported, tally.dropped, tally.harmless);
		fflush(stdout);
		_exit(!good);
	}
	while (wait(&status) > 0)
		good &= !status;
	return good;
}

TEST_F(corrupt, undamaged_it_has_all_transactions)
{
	put_back(self);
	ASSERT_EQ(COUNT, recovered(self));
}

static bool flip_bit(const corrupt *self, unsigned long bit, struct tally *tally)
{
	put_back(self)[bit / 8] ^= 1 << bit % 8;
	return is_right(self, tally) || wrong("bit", bit);
}

TEST_F_TIMEOUT(corrupt, each_of_the_524288_bits_may_be_flipped, 600)
{
	ASSERT_TRUE(in_parts(self, 8UL * BYTES, flip_bit));
}

static bool put_burst(const corrupt *self, unsigned long i, struct tally *tally)
{
	unsigned char *image = put_back(self);
	unsigned int seed = i, at, n;

	at = rand_r(&seed) % BYTES;
	n = 1 + rand_r(&seed) % (i % 4 ? 16 : 2048);
	/* what damages the last flush and groups before leaves no proof of those: log-format.md */
	if (at < self->last && at + n > self->last)
		n = self->last - at;
	for (; n-- && at < BYTES; at++)
		image[at] = i % 3 ? rand_r(&seed) : i % 2 ? 0xff : 0;
	return is_right(self, tally) || wrong("burst", i);
}

TEST_F_TIMEOUT(corrupt, bursts_of_bytes_may_be_overwritten, 600)
{
	ASSERT_TRUE(in_parts(self, BURSTS, put_burst));
}

static bool swap_sectors(const corrupt *self, unsigned long i, struct tally *tally)
{
	unsigned int x = FIRST + i / SECTORS, y = i % SECTORS;
	unsigned char *image;

	if (y >= x || x >= SECTORS || y < FIRST)
		return true;
	image = put_back(self);
	memcpy(image + x * MEM_SECTOR, self->image + y * MEM_SECTOR, MEM_SECTOR);
	memcpy(image + y * MEM_SECTOR, self->image + x * MEM_SECTOR, MEM_SECTOR);
	return is_right(self, tally) || wrong("swap", i);
}

TEST_F_TIMEOUT(corrupt, any_two_sectors_of_records_may_be_swapped, 600)
{
	ASSERT_TRUE(in_parts(self, (unsigned long)SECTORS * SECTORS, swap_sectors));
}

static bool put_older(const corrupt *self, unsigned long i, struct tally *tally)
{
	unsigned int n = i < SECTORS ? MEM_SECTOR : FORMAT_BLOCK;
	unsigned int at = i < SECTORS ? i * n : (i - SECTORS) * n;

	memcpy(put_back(self) + at, self->older + at, n);
	return is_right(self, tally) || wrong("older", i);
}

TEST_F_TIMEOUT(corrupt, any_sector_and_any_block_may_be_an_older_one, 600)
{
	ASSERT_TRUE(in_parts(self, SECTORS + BYTES / FORMAT_BLOCK, put_older));
}

static bool cut_off(const corrupt *self, unsigned long i, struct tally *tally)
{
	int n;

	(void)tally;
	put_back(self);
	mem_put(LOG, self->image, i * MEM_SECTOR + i % 3);
	n = recovered(self);
	return (n == (i < 16 ? -EINVAL : -EUCLEAN) &&
		!memcmp(self->segment, mem_find(SEG)->data, SEG_BYTES)) || wrong("cut", i);
}

TEST_F_TIMEOUT(corrupt, a_file_that_was_cut_off_anywhere_is_refused, 600)
{
	unsigned long i;
	struct tally tally;

	for (i = 0; i < SECTORS; i++)
		ASSERT_TRUE(cut_off(self, i, &tally));
}

#include "broken.h"

/* Where the record number @n of the image is, from 0. */
static unsigned int find_record(const unsigned char *image, unsigned int n)
{
	const struct disk_status *status = (const void *)image;
	uint64_t lsn = le64toh(status->head);
	const struct disk_record *record;

	for (;;) {
		record = (const void *)(image + SMALLLOG_AREA + lsn % AREA);
		if (!n--)
			return SMALLLOG_AREA + lsn % AREA;
		lsn += le64toh(record->length);
	}
}

static void put_field(unsigned char *at, unsigned int width, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, width);
}

static void seal_status(unsigned char *copy)
{
	put_field(copy + offsetof(struct disk_status, crc), 4,
		  crc32c(0, copy, offsetof(struct disk_status, crc)));
}

static void seal_dict(unsigned char *copy)
{
	unsigned char uuid[FORMAT_UUID];

	memset(uuid, 0x5a, sizeof(uuid));
	put_field(copy + SMALLLOG_DICT - 4, 4,
		  crc32c(crc32c(0, uuid, sizeof(uuid)), copy, SMALLLOG_DICT - 4));
}

static void seal_record(const unsigned char *image, unsigned char *record, uint64_t length)
{
	const struct disk_status *status = (const void *)image;
	struct format_seed seed;

	format_seed_init(&seed, status->uuid, le32toh(status->generation));
	put_field(record + length - 8, 4, crc32c(seed.crc, record, length - 8));
}

static bool says(const char *text)
{
	const char *both = NULL;
	char twice[512];

	if (*text == 'S')
		both = "log /log: both statuses are damaged (byte 0: %s; byte 4096: %s)";
	if (*text == 'D')
		both = "log /log: both segment dictionaries are damaged (%s; %s)";
	if (both)
		snprintf(twice, sizeof(twice), both, text + 1, text + 1);
	return !strcmp(err_text(), both ? twice : text);
}

/* Breaks the image in memory as the table says, and repairs the checksums. */
static void break_image(const corrupt *self, const struct broken *b)
{
	unsigned char *image = put_back(self);
	unsigned int copy, at;
	uint64_t length;

	switch (b->part) {
	case STATUS:
		for (copy = 0; copy < 2; copy++) {
			put_field(image + copy * FORMAT_BLOCK + b->offset, b->width, b->value);
			if (b->offset != offsetof(struct disk_status, crc))
				seal_status(image + copy * FORMAT_BLOCK);
		}
		break;
	case DICT:
		for (copy = 0; copy < 2; copy++) {
			at = FORMAT_DICT_OFFSET + copy * SMALLLOG_DICT;
			put_field(image + at + b->offset, b->width, b->value);
			if (b->offset != SMALLLOG_DICT - 4)
				seal_dict(image + at);
		}
		break;
	case RECORD:
	case PADDING:
		at = find_record(image, b->part == RECORD ? 4 : 5);
		length = le64toh(((struct disk_record *)(image + at))->length);
		put_field(image + at + b->offset, b->width, b->value);
		seal_record(image, image + at, length);
		break;
	case TRAILER:
		at = find_record(image, 4);
		length = le64toh(((struct disk_record *)(image + at))->length);
		put_field(image + at + length - 16 + b->offset, b->width, b->value);
		if (b->offset < 8)
			seal_record(image, image + at, length);
		break;
	case LENGTH:
		mem_put(LOG, self->image, b->value);
		break;
	case SEGMENT:
		if (b->value)
			mem_put(SEG, self->segment, b->value);
		else
			mem_unlink(SEG);
		break;
	}
}

TEST(each_named_image_is_refused_with_its_own_words)
{
	corrupt *self = calloc(1, sizeof(*self));
	unsigned int i, bad = 0;
	struct log *log;

	mem_install();
	smalllog_make(LOG, AREA, MEM_SECTOR);
	mem_put(SEG, self->segment, SEG_BYTES);
	ASSERT_EQ(0, log_open(LOG, 0, false, &log));
	ASSERT_EQ(0, recover_log(log, NULL, NULL, NULL));
	ASSERT_EQ(0, fill_log(log, self->older, &self->last));
	memcpy(self->image, mem_find(LOG)->data, BYTES);
	memcpy(self->segment, mem_find(SEG)->data, SEG_BYTES);
	log_close(log);
	for (i = 0; i < ARRAY_SIZE(broken); i++) {
		int err;

		break_image(self, &broken[i]);
		err = recovered(self);
		if (err == -broken[i].err && says(broken[i].text))
			continue;
		bad++;
		TH_LOG("%s: %d \"%s\"", broken[i].name, err, err_text());
	}
	ASSERT_GE(ARRAY_SIZE(broken), 40);
	ASSERT_EQ(0, bad);
	free(self);
}

TEST_HARNESS_MAIN
