// SPDX-License-Identifier: GPL-2.0
/* The worked example of Documentation/log-format.md is what the library writes, byte by byte. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "logtest.h"

/* The document's example. */
static const char *const example[] = {
	"00000 52564d4c 4f471a0a 01000000 00020000",
	"00010 5a5a5a5a 5a5a4a5a 9a5a5a5a 5a5a5a5a",
	"00020 00000000 00000000 00000000 02000000",
	"00030 03000000 00000000 00200000 00000000",
	"00040 00800000 00000000 00200100 00000000",
	"00050 00100000 00000000 00100000 00000000",
	"00060 00100000 00000000 00000000 00000000",
	"00ff0 00000000 00000000 00000000 ba8cc32f",
	"01000 52564d4c 4f471a0a 01000000 00020000",
	"01010 5a5a5a5a 5a5a4a5a 9a5a5a5a 5a5a5a5a",
	"01020 00000000 00000000 00000000 02000000",
	"01030 04000000 00000000 00200000 00000000",
	"01040 00800000 00000000 00200100 00000000",
	"01050 00100000 00000000 00100000 00000000",
	"01060 00100000 00000000 00000000 00000000",
	"01ff0 00000000 00000000 00000000 7b3cded1",
	"02000 52564d44 43541a0a 03000000 00000000",
	"02010 01000000 00000000 01000000 08000000",
	"02020 00000100 00000000 5a5a5a5a 5a5a4a5a",
	"02030 9a5a5a5a 5a5a5a5a 2f736567 6d656e74",
	"09ff0 00000000 00000000 00000000 1ad70eb5",
	"0a000 52564d44 43541a0a 04000000 00000000",
	"0a010 01000000 00000000 01000000 08000000",
	"0a020 00000100 00000000 5a5a5a5a 5a5a4a5a",
	"0a030 9a5a5a5a 5a5a5a5a 2f736567 6d656e74",
	"11ff0 00000000 00000000 00000000 976a4de5",
	"12000 52564d52 02000000 01000000 02000000",
	"12010 68000000 00000000 00100000 00000000",
	"12020 00100000 00000000 07000000 00000000",
	"12030 10000000 00000000 05000000 01000000",
	"12040 00100000 00000000 03000000 01000000",
	"12050 68656c6c 6f52564d 68000000 00000000",
	"12060 ea61e094 52564d54 52564d52 02000000",
	"12070 02000000 00000000 98010000 00000000",
	"12080 68100000 00000000 00100000 00000000",
	"121f0 98010000 00000000 b987e28d 52564d54",
};

/* The bytes [at, end) of the log, 16 in a line, those that are all zero left out. */
static unsigned int dump(char lines[][64], unsigned int count, uint64_t at, uint64_t end)
{
	static const unsigned char zeros[16];
	const unsigned char *data = mem_find(LOG)->data;
	unsigned int i;

	for (; at < end; at += 16) {
		int used;

		if (!memcmp(data + at, zeros, 16))
			continue;
		used = snprintf(lines[count], 64, "%05llx", (unsigned long long)at);
		for (i = 0; i < 16; i++)
			used += snprintf(lines[count] + used, 64 - used, "%s%02x",
					 i % 4 ? "" : " ", data[at + i]);
		count++;
	}
	return count;
}

TEST(the_document_shows_what_the_library_writes)
{
	struct log_range ranges[] = {
		{ .segment = 1, .offset = 16, .length = 5, .data = "hello" },
		{ .segment = 1, .offset = 4096, .length = 3, .data = "RVM" },
	};
	char lines[64][64];
	unsigned int count, i;
	struct log *log;
	uint64_t lsn;

	ASSERT_EQ(0, make_disk(4096));
	ASSERT_EQ(0, open_log(0, &log));
	ASSERT_EQ(0, log_append(log, 7, ranges, 2, &lsn));
	ASSERT_EQ(0, log_flush(log, lsn));
	count = dump(lines, 0, 0, mem_find(LOG)->size);
	for (i = 0; i < count; i++) {
		ASSERT_LT(i, ARRAY_SIZE(example)) {
			TH_LOG("%s", lines[i]);
		}
		ASSERT_STREQ(example[i], lines[i]);
	}
	ASSERT_EQ(ARRAY_SIZE(example), count);
	ASSERT_EQ(0, log_close(log));
}

TEST_HARNESS_MAIN
