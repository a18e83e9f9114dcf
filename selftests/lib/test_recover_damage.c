// SPDX-License-Identifier: GPL-2.0
/* Recovery: a torn tail is dropped, damage is reported, and no changed bit is ever replayed. */
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

/* How a sector of the last flush may look after the power failed. */
static void tear(unsigned char *sector, int how, unsigned int seed)
{
	int i;

	switch (how) {
	case 0:
		memset(sector, 0, MEM_SECTOR);
		break;
	case 1:
		for (i = 0; i < MEM_SECTOR; i++)
			sector[i] = rand_r(&seed);
		break;
	case 2:
		memset(sector, 0xff, MEM_SECTOR);
		break;
	default:
		memset(sector + MEM_SECTOR / 2, 0, MEM_SECTOR / 2);
	}
}

TEST_F(recover, drops_a_torn_tail_whatever_sector_of_the_last_flush_is_torn)
{
	uint64_t lsn;
	int how;

	ASSERT_GT(self->crashed.after.tail - self->crashed.before.tail, 4 * MEM_SECTOR);
	for (lsn = self->crashed.before.tail; lsn < self->crashed.after.tail; lsn += MEM_SECTOR) {
		for (how = 0; how < 4; how++) {
			int64_t number;

			put_back(&self->crashed);
			tear(mem_find(LOG)->data + position(lsn), how, lsn);
			number = recovered(MOST);
			ASSERT_GE(number, 12) {
				TH_LOG("sector at LSN %llu, how %d: %s", (unsigned long long)lsn,
				       how, err_text());
			}
			ASSERT_LE(number, 20);
		}
	}
}

TEST_F(recover, drops_a_tail_cut_off_at_any_sector)
{
	uint64_t lsn, at;
	int64_t last = 12;

	for (lsn = self->crashed.before.tail; lsn <= self->crashed.after.tail; lsn += MEM_SECTOR) {
		int64_t number;

		put_back(&self->crashed);
		for (at = lsn; at < self->crashed.after.tail; at++)
			mem_find(LOG)->data[position(at)] = 0;
		number = recovered(MOST);
		ASSERT_GE(number, last);
		last = number;
	}
	ASSERT_EQ(20, last);
}

TEST_F(recover, reports_damage_in_each_sector_before_the_last_flush)
{
	uint64_t lsn;
	int how;

	for (lsn = self->crashed.before.head; lsn < self->crashed.before.tail; lsn += MEM_SECTOR) {
		for (how = 0; how < 4; how++) {
			unsigned char *sector = mem_find(LOG)->data + position(lsn);

			put_back(&self->crashed);
			sector = mem_find(LOG)->data + position(lsn);
			tear(sector, how, lsn);
			if (!memcmp(sector, self->crashed.image + position(lsn), MEM_SECTOR))
				continue;	/* its second half was zero already */
			ASSERT_EQ(-EUCLEAN, recovered(MOST)) {
				TH_LOG("sector at LSN %llu, how %d", (unsigned long long)lsn, how);
			}
			ASSERT_NE(NULL, strstr(err_text(), "damaged at LSN"));
			ASSERT_EQ(0, memcmp(segment_bytes(), self->crashed.segment, SEG_SIZE));
		}
	}
}

TEST_F_TIMEOUT(recover, never_replays_a_flipped_bit, 300)
{
	uint64_t bit, reported = 0, dropped = 0, stride = mem_stride(7);
	uint64_t first = 8 * (self->crashed.before.tail - self->crashed.before.head);
	uint64_t last = 8 * (self->crashed.after.tail - self->crashed.before.head);

	for (bit = 0; bit < last; bit += 3 * stride) {
		uint64_t at = position(self->crashed.before.head + bit / 8);
		int64_t number;

		put_back(&self->crashed);
		mem_find(LOG)->data[at] ^= 1 << bit % 8;
		number = recovered(MOST);
		if (bit < first) {
			ASSERT_EQ(-EUCLEAN, number);
			reported++;
		} else {
			ASSERT_GE(number, 12);
			ASSERT_LE(number, 20);
			dropped += number < 20;
		}
	}
	ASSERT_GT(reported, 10000 / stride);
	ASSERT_GT(dropped, 5000 / stride);
	TH_LOG("%llu flips reported, %llu dropped with the tail", (unsigned long long)reported,
	       (unsigned long long)dropped);
}

TEST_F_TIMEOUT(recover, reports_any_flipped_bit_of_a_log_that_was_closed, 300)
{
	uint64_t bit, last;
	struct log_state state;
	struct log *log;

	/* close it with its records in it */
	mem_restore(LOG, self->crashed.image);
	ASSERT_EQ(20, recovered(MOST));
	ASSERT_EQ(0, open_log(0, &log));
	ASSERT_EQ(0, commit_tx(log, 21, MOST));
	ASSERT_EQ(0, commit_tx(log, 22, MOST));
	log_state(log, &state);
	ASSERT_EQ(0, log_close(log));
	free(self->crashed.image);
	free(self->crashed.segment);
	self->crashed.image = mem_save(LOG);
	self->crashed.segment = mem_save(SEG);
	last = 8 * (state.tail - state.head);
	for (bit = 0; bit < last; bit += 5 * mem_stride(7)) {
		put_back(&self->crashed);
		mem_find(LOG)->data[position(state.head + bit / 8)] ^= 1 << bit % 8;
		ASSERT_EQ(-EUCLEAN, recovered(MOST));
	}
	put_back(&self->crashed);
	ASSERT_EQ(22, recovered(MOST));
}

TEST_F(recover, survives_damage_of_one_copy_of_status_and_dictionary)
{
	static const uint64_t copies[][2] = { { 0, 4096 }, { 4096, 8192 }, { 8192, 40960 },
					      { 40960, 73728 } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(copies); i++) {
		put_back(&self->crashed);
		memset(mem_find(LOG)->data + copies[i][0], 0xa5, copies[i][1] - copies[i][0]);
		ASSERT_EQ(20, recovered(MOST));
		/* and the copy is repaired: now the other one may go */
		memset(mem_find(LOG)->data + copies[i ^ 1][0], 0xa5,
		       copies[i ^ 1][1] - copies[i ^ 1][0]);
		ASSERT_EQ(20, recovered(MOST));
	}
}

TEST_F(recover, reports_damage_of_both_copies)
{
	put_back(&self->crashed);
	mem_find(LOG)->data[100] ^= 1;
	mem_find(LOG)->data[4096 + 100] ^= 1;
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
	put_back(&self->crashed);
	mem_find(LOG)->data[8192 + 30] ^= 1;
	mem_find(LOG)->data[40960 + 30] ^= 1;
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
}

/*
 * Appends a record of 60000 bytes, which the buffer does not hold, and a short one behind it,
 * and flushes both.
 */
static int append_streamed(struct log *log, int value)
{
	static unsigned char bytes[60000];
	struct log_range r = { .segment = 1, .offset = 8, .data = bytes, .length = sizeof(bytes) };
	struct log_range after = { .segment = 1, .length = 8, .data = bytes };
	uint64_t lsn;
	int err;

	memset(bytes, value, sizeof(bytes));
	err = log_append(log, value, &r, 1, &lsn);
	if (!err)
		err = log_append(log, value, &after, 1, &lsn);
	return err ? err : log_flush(log, lsn);
}

TEST(a_streamed_record_that_is_torn_is_dropped)
{
	unsigned int at, choice;

	for (at = 1; at < 12; at++) {
		for (choice = 0; choice < 40; choice++) {
			unsigned char *bytes;
			struct log *log;
			int err;

			ASSERT_EQ(0, make_disk(1 << 18));
			ASSERT_EQ(0, open_log(0, &log));
			ASSERT_EQ(0, append_streamed(log, 1));
			mem.calls = 0;
			mem.power_at = at;
			err = append_streamed(log, 2);
			log_close(log);
			mem_power_loss(choice);
			ASSERT_EQ(0, open_log(0, &log)) {
				TH_LOG("call %u, choice %u: %s", at, choice, err_text());
			}
			bytes = segment_bytes();
			ASSERT_NE(0, bytes[8]);
			ASSERT_TRUE(err || (bytes[0] == 2 && bytes[8] == 2));
			ASSERT_LE(bytes[0], bytes[8]);
			ASSERT_EQ(0, memcmp(bytes + 8, bytes + 9, 60000 - 1));
			ASSERT_EQ(0, log_close(log));
		}
	}
}

/* A log that was not closed, with one record of one range. */
static int make_crashed(const struct log_range *range)
{
	struct log *log;
	uint64_t lsn;
	int err;

	err = make_disk(AREA);
	if (!err)
		err = open_log(0, &log);
	if (!err)
		err = log_append(log, 1, range, 1, &lsn);
	if (!err)
		err = log_flush(log, lsn);
	mem_power_loss(0);
	return err;
}

TEST(an_unknown_segment_number_is_damage)
{
	struct log_range r = { .segment = 9, .length = 3, .data = "abc" };

	ASSERT_EQ(0, make_crashed(&r));
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
	ASSERT_NE(NULL, strstr(err_text(), "segment 9"));
}

TEST(a_record_beyond_the_end_of_its_segment_is_reported)
{
	struct log_range r = { .segment = 1, .offset = SEG_SIZE - 1, .length = 2, .data = "ab" };

	ASSERT_EQ(0, make_crashed(&r));
	ASSERT_EQ(-EUCLEAN, recovered(MOST));
	ASSERT_STREQ("segment " SEG ": it has 65536 bytes, but the log changes byte 65536",
		     err_text());
	ASSERT_EQ(SEG_SIZE, mem_find(SEG)->size);
}

TEST_HARNESS_MAIN
