// SPDX-License-Identifier: GPL-2.0
/* The dictionary of a log, and the segments that it names; on real files. */
#include "reallog.h"

static int no_random(void *buf, size_t length)
{
	return -EIO;
}

TEST_F(log, a_segment_without_an_identity_is_not_entered)
{
	uint32_t id;

	ASSERT_EQ(0, start(self->path, &self->log));
	os.random = no_random;
	EXPECT_EQ(-EIO, log_name_segment(self->log, "/some/segment", 4096, &id));
	EXPECT_NE(NULL, strstr(err_text(), "no random bytes"));
	EXPECT_EQ(0, log_segments(self->log));
	os = os_real;
	EXPECT_EQ(0, log_name_segment(self->log, "/some/segment", 4096, &id));
	EXPECT_EQ(1, log_segments(self->log));
	EXPECT_EQ(0, log_close(self->log));
}

static ssize_t no_write(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	return -EIO;
}

/* Recovery makes the second copy of the dictionary good. */
TEST_F(log, a_copy_of_the_dictionary_that_cannot_be_mended_is_an_error)
{
	uint64_t area;

	patch(self->path, FORMAT_DICT_OFFSET, "x", 1);
	os.pwritev = no_write;
	EXPECT_EQ(-EIO, start(self->path, &self->log));
	EXPECT_EQ(-EIO, log_error(self->log));
	EXPECT_EQ(-EIO, log_take_space(self->log, 2 * AREA, &area));
	EXPECT_EQ(-EIO, log_set_size(self->log, AREA, 2 * AREA));
	EXPECT_EQ(-EIO, log_cut(self->log));
	EXPECT_EQ(-EIO, log_close(self->log));
	os = os_real;
	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(0, log_close(self->log));
	/* it was mended: the other one is not needed any more */
	patch(self->path, FORMAT_DICT_OFFSET + FORMAT_DICT_DEFAULT, "x", 1);
	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(0, log_close(self->log));
}

TEST_F(log, the_dictionary_keeps_names_over_reopening)
{
	struct log_segment segment;
	uint32_t a, b, c;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_name_segment(self->log, "/a", 4096, &a));
	ASSERT_EQ(0, log_name_segment(self->log, "/b", 8192, &b));
	ASSERT_EQ(0, log_name_segment(self->log, "/a", 4096, &c));
	ASSERT_EQ(1, a);
	ASSERT_EQ(2, b);
	ASSERT_EQ(a, c);
	ASSERT_EQ(0, log_name_segment(self->log, "/a", 16384, &c));
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(2, log_segments(self->log));
	ASSERT_EQ(0, log_segment(self->log, 1, &segment));
	ASSERT_EQ(1, segment.id);
	ASSERT_STREQ("/a", segment.path);
	ASSERT_EQ(16384, segment.length);
	ASSERT_EQ(0, log_segment(self->log, 2, &segment));
	ASSERT_STREQ("/b", segment.path);
	ASSERT_EQ(-ENOENT, log_segment(self->log, 3, &segment));
	ASSERT_EQ(-ENOENT, log_segment(self->log, 0, &segment));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, the_dictionary_refuses_bad_paths_and_is_full_one_day)
{
	char path[PATH_MAX + 1];
	struct log_segment segment;
	uint32_t id, last = 0;
	int err;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(-EINVAL, log_name_segment(self->log, "a", 1, &id));
	ASSERT_EQ(-EINVAL, log_name_segment(self->log, "", 1, &id));
	ASSERT_EQ(-EINVAL, log_name_segment(self->log, "/", 1, &id));
	memset(path, 'x', PATH_MAX);
	path[0] = '/';
	path[PATH_MAX] = '\0';
	ASSERT_EQ(-ENAMETOOLONG, log_name_segment(self->log, path, 1, &id));
	EXPECT_NE(NULL, strstr(err_text(), "longer than 4095 bytes"));
	path[PATH_MAX - 1] = '\0';
	do {
		snprintf(path + 1, 5, "%04u", last);
		path[5] = 'x';
		err = log_name_segment(self->log, path, 1, &id);
		if (!err)
			last = id;
	} while (!err);
	ASSERT_EQ(-ENOSPC, err);
	ASSERT_EQ(7, last);
	ASSERT_EQ(7, log_segments(self->log));
	/* full is no poison */
	ASSERT_EQ(0, log_error(self->log));
	ASSERT_EQ(0, log_name_segment(self->log, "/short", 1, &id));
	ASSERT_EQ(8, id);
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_segment(self->log, 7, &segment));
	ASSERT_EQ(PATH_MAX - 1, strlen(segment.path));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, segment_open_tells_what_is_wrong)
{
	struct segment *segment;
	char path[PATH_MAX + 10];

	snprintf(path, sizeof(path), "%s/seg", self->dir);
	ASSERT_EQ(-ENOENT, segment_open(path, 0, &segment));
	ASSERT_EQ(0, segment_open(path, 12288, &segment));
	ASSERT_EQ(12288, segment->length);
	ASSERT_STREQ(path, segment->path);
	ASSERT_FALSE(segment->device);
	ASSERT_EQ(-EIO, segment_read(segment, 12288, path, 1));
	segment_close(segment);
	ASSERT_EQ(-EINVAL, segment_open(self->dir, 0, &segment));
	ASSERT_EQ(-EINVAL, segment_open("/dev/null", 0, &segment));
	snprintf(path, sizeof(path), "%s/none/seg", self->dir);
	ASSERT_EQ(-ENOENT, segment_open(path, 4096, &segment));
	snprintf(path, sizeof(path), "%s/huge", self->dir);
	ASSERT_NE(0, segment_open(path, 1ULL << 62, &segment));
	ASSERT_EQ(-1, access(path, F_OK));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ASSERT_EQ(-ENAMETOOLONG, segment_open(path, 0, &segment));
	EXPECT_NE(NULL, strstr(err_text(), "longer than 4095 bytes"));
	segment_close(NULL);
}

TEST_F(log, a_segment_is_known_by_its_canonical_path)
{
	char path[128], link_path[128];
	struct segment *segment;

	snprintf(path, sizeof(path), "%s/seg", self->dir);
	snprintf(link_path, sizeof(link_path), "%s/link", self->dir);
	ASSERT_EQ(0, segment_open(path, 4096, &segment));
	segment_close(segment);
	ASSERT_EQ(0, symlink(path, link_path));
	ASSERT_EQ(0, segment_open(link_path, 0, &segment));
	ASSERT_STREQ(path, segment->path);
	segment_close(segment);
}

TEST_HARNESS_MAIN
