// SPDX-License-Identifier: GPL-2.0
/* Reading records: backward, from where none ends, and from a log that cannot be read. */
#include "recovery.h"

#include "reader.h"

FIXTURE(reader)
{
	struct crashed crashed;
	struct log *log;
	struct format_status status;
	struct reader reader;
};

FIXTURE_SETUP(reader)
{
	ASSERT_EQ(0, crashed_make(&self->crashed));
	ASSERT_EQ(0, log_open(LOG, 0, true, &self->log));
	log_status(self->log, &self->status);
	ASSERT_EQ(0, reader_init(&self->reader, log_file(self->log), &self->status));
}

FIXTURE_TEARDOWN(reader)
{
	reader_free(&self->reader);
	mem_heal();
	log_close(self->log);
	crashed_free(&self->crashed);
}

/* The record before an LSN, and nothing of the window that is there already. */
static int before(FIXTURE_DATA(reader) *self, uint64_t lsn, struct format_record *record,
		  const char **why)
{
	self->reader.view.length = 0;
	return reader_before(&self->reader, lsn, self->status.head, record, why);
}

TEST_F(reader, no_record_ends_below_the_head_or_where_none_fits)
{
	uint64_t head = self->status.head;
	struct format_record record;
	const char *why;

	EXPECT_EQ(-EUCLEAN, before(self, head - 8, &record, &why));
	EXPECT_STREQ("no record fits there", why);
	EXPECT_EQ(-EUCLEAN, before(self, head, &record, &why));
	EXPECT_EQ(-EUCLEAN, before(self, head + FORMAT_RECORD_MIN - 8, &record, &why));
	EXPECT_STREQ("no record fits there", why);
}

TEST_F(reader, a_trailer_alone_makes_no_record)
{
	uint64_t first, lsn, lengths[] = { FORMAT_RECORD_MIN - 8, 0, FORMAT_RECORD_MIN + 4, 0 };
	struct format_record record;
	struct disk_trailer trailer;
	const char *why;
	unsigned int i;

	ASSERT_EQ(0, reader_record(&self->reader, self->status.head, self->crashed.after.tail,
				   &record, &why));
	first = record.length;
	lsn = self->status.head + first;
	lengths[1] = first + 8;			/* begins below the head */
	lengths[3] = first - 8;			/* no record begins there */
	ASSERT_EQ(0, before(self, lsn, &record, &why));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		format_trailer_encode(lengths[i], 0, &trailer);
		memcpy(mem_find(LOG)->data + position(lsn - sizeof(trailer)), &trailer,
		       sizeof(trailer));
		EXPECT_EQ(-EUCLEAN, before(self, lsn, &record, &why));
	}
}

/* What looks like a trailer in the next record's bytes tells the length of both. */
TEST_F(reader, a_record_that_ends_earlier_does_not_end_there)
{
	struct format_record first, record;
	uint64_t end = self->status.head;
	struct disk_trailer trailer;
	const char *why;

	ASSERT_EQ(0, reader_record(&self->reader, end, self->crashed.after.tail, &first, &why));
	end += first.length + 2 * FORMAT_RECORD_MIN;
	format_trailer_encode(end - self->status.head, 0, &trailer);
	memcpy(mem_find(LOG)->data + position(end - sizeof(trailer)), &trailer, sizeof(trailer));
	EXPECT_EQ(-EUCLEAN, before(self, end, &record, &why));
	EXPECT_STREQ("no record ends there", why);
}

static int count_ranges(void *arg, const struct format_range *range, const void *data)
{
	++*(unsigned int *)arg;
	return 0;
}

TEST_F(reader, what_cannot_be_read_is_an_error_whoever_asks)
{
	struct format_record record;
	unsigned int n = 0;
	const char *why;

	ASSERT_EQ(0, before(self, self->crashed.after.durable, &record, &why));
	self->reader.view.length = 0;
	mem_fail(1, -EIO, true);
	EXPECT_EQ(-EIO, before(self, self->crashed.after.durable, &record, &why));
	EXPECT_EQ(-EIO, reader_ranges(&self->reader, &record, true, count_ranges, &n));
	EXPECT_EQ(0, n);
	EXPECT_NE(NULL, strstr(err_text(), "reading"));
}

TEST_HARNESS_MAIN
