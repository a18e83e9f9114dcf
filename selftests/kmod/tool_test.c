// SPDX-License-Identifier: GPL-2.0
/* The commands regions and top of the tool rvm, of a region whose counts are known. */

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	256
#define TID	7

FIXTURE(tool) {
	struct client c;
	struct region r;
	char output[65536], rvm[300];
	int seg;
};

FIXTURE_SETUP(tool)
{
	char self_path[256] = "";
	unsigned char sum = 0;
	int i;

	ASSERT_LT(0, readlink("/proc/self/exe", self_path, sizeof(self_path) - 1));
	snprintf(self->rvm, sizeof(self->rvm), "%s/../../bin/rvm", dirname(self_path));
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 77,
				 RVM_TRACK_REGION_STRICT));
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED));
	/* 9 pages in memory, 5 of them dirty, 2 of those owned; 3 were rolled back. */
	for (i = 0; i < 4; i++)
		sum += self->r.data[(100 + i) * PAGE];
	for (i = 0; i < 3; i++)
		self->r.data[i * PAGE] = sum;
	ASSERT_EQ(0, cmd_end(&self->c, self->r.fd, TID, 0, RVM_TRACK_END_ABORT));
	for (i = 3; i < 5; i++)
		self->r.data[i * PAGE] = sum;
}

FIXTURE_TEARDOWN(tool)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

/* What a command prints, and its exit status. */
static int run(FIXTURE_DATA(tool) *self, const char *before, const char *arguments)
{
	char command[512];
	FILE *pipe;
	size_t n;

	snprintf(command, sizeof(command), "%s %s %s 2>&1", before, self->rvm, arguments);
	pipe = popen(command, "r");
	n = fread(self->output, 1, sizeof(self->output) - 1, pipe);
	self->output[n] = 0;
	return WEXITSTATUS(pclose(pipe));
}

static bool says(FIXTURE_DATA(tool) *self, const char *text)
{
	return strstr(self->output, text);
}

TEST_F(tool, regions_tells_all_counts)
{
	char text[128];

	ASSERT_EQ(0, run(self, "", "regions"));
	snprintf(text, sizeof(text), "region %llu of process %d: %lu bytes at 0, strict\n",
		 (unsigned long long)self->r.id, getpid(), PAGES * PAGE);
	EXPECT_TRUE(says(self, text)) TH_LOG("%s", self->output);
	EXPECT_TRUE(says(self, "dirty 5, owned 2, stray 0; slots 77\n"));
	EXPECT_TRUE(says(self, "first writes 5, written back 0, busy 0, read 9, rolled back 3, "));
	EXPECT_TRUE(says(self, ", conflicts 0\n"));
}

TEST_F(tool, regions_tells_them_as_json)
{
	char text[64];

	ASSERT_EQ(0, run(self, "", "regions --json"));
	snprintf(text, sizeof(text), "\"id\": %llu,", (unsigned long long)self->r.id);
	EXPECT_TRUE(says(self, text)) TH_LOG("%s", self->output);
	EXPECT_TRUE(says(self, "\"strict\": true,"));
	EXPECT_TRUE(says(self, "\"disjoint\": false,"));
	EXPECT_TRUE(says(self, "\"dirty\": 5,"));
	EXPECT_TRUE(says(self, "\"rolled_back\": 3\n"));
	region_close(&self->r);
	ASSERT_EQ(0, run(self, "", "regions --json"));
	EXPECT_STREQ("[]\n", self->output);
}

TEST_F(tool, regions_shows_a_user_its_own_only)
{
	ASSERT_EQ(0, run(self, "setpriv --reuid 1000 --clear-groups", "regions"));
	EXPECT_STREQ("", self->output);
}

TEST_F(tool, top_draws_so_many_tables)
{
	const char *at;
	int n = 0;

	ASSERT_EQ(0, run(self, "", "top --delay 0.1 --number 3"));
	for (at = self->output; (at = strstr(at, "REGION     PID")); at++)
		n++;
	EXPECT_EQ(3, n);
	EXPECT_FALSE(says(self, "\033"));
	EXPECT_EQ(2, run(self, "", "top --delay 0"));
	EXPECT_EQ(2, run(self, "", "top --number x"));
	EXPECT_EQ(2, run(self, "", "regions x"));
}

TEST_HARNESS_MAIN
