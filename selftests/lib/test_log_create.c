// SPDX-License-Identifier: GPL-2.0
/* A log is made, or made longer: sizes, what is in the way, full disks; on real files. */
#include <sys/stat.h>

#include "reallog.h"

TEST_F(log, a_new_log_is_empty_and_written_through)
{
	struct log_state state;
	struct stat st;

	ASSERT_EQ(0, stat(self->path, &st));
	ASSERT_EQ(FILE_SIZE, st.st_size);
	ASSERT_GE(st.st_blocks * 512, FILE_SIZE);
	ASSERT_EQ(0640, st.st_mode & 0777);
	ASSERT_EQ(0, log_open(self->path, 0, true, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(AREA, state.size);
	ASSERT_EQ(AREA, state.head);
	ASSERT_EQ(AREA, state.tail);
	ASSERT_EQ(1, state.generation);
	ASSERT_EQ(0, state.error);
	ASSERT_EQ(0, log_used(self->log));
	ASSERT_STREQ(self->path, log_path(self->log));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, create_refuses_what_stands_there)
{
	char other[160];

	ASSERT_EQ(-EEXIST, log_create(self->path, AREA, 0600, false, NULL, NULL));
	ASSERT_EQ(0, log_create(self->path, 2 * AREA, 0600, true, NULL, NULL));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(-EBUSY, log_create(self->path, AREA, 0600, true, NULL, NULL));
	ASSERT_EQ(0, log_close(self->log));
	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(3, write(open(other, O_CREAT | O_RDWR, 0600), "abc", 3));
	ASSERT_EQ(-EEXIST, log_create(other, AREA, 0600, true, NULL, NULL));
	ASSERT_NE(NULL, strstr(err_text(), "no log"));
	ASSERT_EQ(-EINVAL, log_create(self->dir, AREA, 0600, true, NULL, NULL));
}

TEST_F(log, create_refuses_impossible_sizes_and_paths)
{
	char path[PATH_MAX + 10];
	char other[160];

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(-EINVAL, log_create(other, 0, 0600, false, NULL, NULL));
	ASSERT_EQ(-EINVAL, log_create(other, UINT64_MAX, 0600, false, NULL, NULL));
	ASSERT_NE(0, log_create(other, 1ULL << 60, 0600, false, NULL, NULL));
	ASSERT_EQ(-1, access(other, F_OK));
	snprintf(other, sizeof(other), "%s/none/log", self->dir);
	ASSERT_EQ(-ENOENT, log_create(other, AREA, 0600, false, NULL, NULL));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	ASSERT_EQ(-ENAMETOOLONG, log_create(path, AREA, 0600, false, NULL, NULL));
	ASSERT_EQ(-ENAMETOOLONG, log_open(path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "longer than 4095 bytes"));
}

TEST_F(log, create_rounds_the_size_up)
{
	char other[160];
	struct log_state state;

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(0, log_create(other, 1, 0600, false, NULL, NULL));
	ASSERT_EQ(0, log_open(other, 0, true, &self->log));
	log_state(self->log, &state);
	ASSERT_EQ(4096, state.size);
	ASSERT_EQ(0, log_close(self->log));
}

static void count_bytes(void *arg, uint64_t done, uint64_t total)
{
	uint64_t *last = arg;

	if (done <= *last || done > total)
		abort();
	*last = done;
}

TEST_F(log, create_tells_its_progress)
{
	char other[160];
	uint64_t last = 0;

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(0, log_create(other, 4 << 20, 0600, false, count_bytes, &last));
	ASSERT_EQ(73728 + (4 << 20), last);
}

TEST_F(log, create_on_a_full_disk_leaves_nothing_behind)
{
	mem_install();
	mem.limit = 100000;
	ASSERT_EQ(-ENOSPC, log_create(LOG, AREA, 0600, false, NULL, NULL));
	ASSERT_EQ(NULL, mem_find(LOG));
	mem.limit = FILE_SIZE;
	ASSERT_EQ(0, log_create(LOG, AREA, 0600, false, NULL, NULL));
	os = os_real;
}

static uint64_t device_size;

static int device_geometry(int fd, struct os_geometry *geometry)
{
	*geometry = (struct os_geometry) { .device = true, .size = device_size, .sector = 512 };
	return 0;
}

TEST_F(log, a_device_that_grew_while_it_was_open_has_room_for_a_longer_log)
{
	uint64_t area = 0;

	device_size = FILE_SIZE;
	os.geometry = device_geometry;
	ASSERT_EQ(0, start(self->path, &self->log));
	EXPECT_EQ(-ENOSPC, log_take_space(self->log, 2 * AREA, &area));
	EXPECT_NE(NULL, strstr(err_text(), "the device has"));
	device_size = FILE_SIZE + AREA;
	EXPECT_EQ(0, log_take_space(self->log, 2 * AREA, &area));
	EXPECT_EQ(2 * AREA, area);
	EXPECT_EQ(0, log_error(self->log));
	EXPECT_EQ(0, log_close(self->log));
	os = os_real;
}

static int no_space(int fd, uint64_t offset, uint64_t length)
{
	return -ENOSPC;
}

TEST_F(log, a_longer_log_that_finds_no_space_changes_nothing)
{
	uint64_t area = 0;
	struct stat st;

	ASSERT_EQ(0, start(self->path, &self->log));
	os.allocate = no_space;
	EXPECT_EQ(-ENOSPC, log_take_space(self->log, 2 * AREA, &area));
	EXPECT_EQ(0, log_error(self->log));
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(FILE_SIZE, st.st_size);
	os = os_real;
	EXPECT_EQ(0, log_close(self->log));
}

TEST_HARNESS_MAIN
