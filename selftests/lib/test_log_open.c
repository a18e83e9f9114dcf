// SPDX-License-Identifier: GPL-2.0
/* A log is opened: what is refused, and why; locks; permissions; damaged copies; on real files. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "reallog.h"
#include "status.h"

TEST_F(log, open_refuses_what_is_no_log)
{
	char other[160];
	static char page[FILE_SIZE];
	int fd;

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(-ENOENT, log_open(other, 0, false, &self->log));
	ASSERT_EQ(-EINVAL, log_open(self->dir, 0, false, &self->log));
	ASSERT_EQ(-EINVAL, log_open(self->dir, 0, true, &self->log));
	ASSERT_EQ(0, mkfifo(other, 0600));
	ASSERT_EQ(-EINVAL, log_open(other, 0, false, &self->log));
	ASSERT_EQ(0, unlink(other));
	ASSERT_EQ(-EINVAL, log_open("/dev/null", 0, false, &self->log));
	fd = open(other, O_CREAT | O_RDWR, 0600);
	ASSERT_EQ(-EINVAL, log_open(other, 0, false, &self->log));
	ASSERT_EQ(100, write(fd, page, 100));
	ASSERT_EQ(-EINVAL, log_open(other, 0, false, &self->log));
	ASSERT_EQ(FILE_SIZE, pwrite(fd, page, FILE_SIZE, 0));
	ASSERT_EQ(-EINVAL, log_open(other, 0, false, &self->log));
	ASSERT_NE(NULL, strstr(err_text(), "not a log"));
	close(fd);
}

TEST_F(log, open_refuses_other_versions_and_unknown_features)
{
	patch_status(self->path, 8, 2);
	ASSERT_EQ(-EPROTO, log_open(self->path, 0, false, &self->log));
	ASSERT_EQ(-EPROTO, log_open(self->path, 0, true, &self->log));
	patch_status(self->path, 8, 1);
	patch_status(self->path, 40, 1);
	ASSERT_EQ(-EPROTO, log_open(self->path, 0, true, &self->log));
	ASSERT_NE(NULL, strstr(err_text(), "incompat 0x1"));
	patch_status(self->path, 40, 0);
	patch_status(self->path, 36, 4);
	ASSERT_EQ(-EPROTO, log_open(self->path, 0, false, &self->log));
	ASSERT_NE(NULL, strstr(err_text(), "ro_compat 0x4"));
	ASSERT_EQ(0, log_open(self->path, 0, true, &self->log));
	ASSERT_EQ(0, log_close(self->log));
	patch_status(self->path, 36, 0);
	patch_status(self->path, 32, 0xffffffff);
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_close(self->log));
}

static uint32_t sector_told;

static int odd_geometry(int fd, struct os_geometry *geometry)
{
	int err = os_real.geometry(fd, geometry);

	geometry->sector = sector_told;
	return err;
}

static int no_geometry(int fd, struct os_geometry *geometry)
{
	return -EIO;
}

static int no_lock(int fd)
{
	return -ENOLCK;
}

static int no_access(int fd)
{
	return -EACCES;
}

TEST_F(log, open_refuses_sectors_that_fit_into_no_block)
{
	static const uint32_t sectors[] = { 520, 3000, 8192 };
	unsigned int i;

	os.geometry = odd_geometry;
	for (i = 0; i < sizeof(sectors) / sizeof(*sectors); i++) {
		sector_told = sectors[i];
		EXPECT_EQ(-EINVAL, log_open(self->path, 0, false, &self->log));
		EXPECT_NE(NULL, strstr(err_text(), "bytes are not supported"));
	}
	sector_told = 4096;
	ASSERT_EQ(0, log_open(self->path, 0, false, &self->log));
	EXPECT_EQ(0, log_close(self->log));
}

TEST_F(log, open_tells_what_it_cannot_learn_or_lock)
{
	os.geometry = no_geometry;
	EXPECT_EQ(-EIO, log_open(self->path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "cannot learn its size"));
	os = os_real;
	os.lock = no_lock;
	EXPECT_EQ(-ENOLCK, log_open(self->path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "cannot lock it"));
	os.lock = no_access;
	EXPECT_EQ(-EBUSY, log_open(self->path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "another process has it open"));
	os = os_real;
	ASSERT_EQ(0, start(self->path, &self->log));
	os.geometry = no_geometry;
	EXPECT_EQ(-EIO, log_take_space(self->log, 2 * AREA, &(uint64_t){ 0 }));
	os = os_real;
	EXPECT_EQ(0, log_error(self->log));
	EXPECT_EQ(0, log_close(self->log));
}

static int log_open_err;

static int no_open(const char *path, int flags, mode_t mode)
{
	return log_open_err;
}

TEST_F(log, open_says_what_is_in_the_way)
{
	static const struct {
		int err;
		int told;
		const char *text;
	} ways[] = {
		{ -EPERM, -EACCES, "not permitted" },
		{ -EROFS, -EACCES, "Read-only" },
		{ -EACCES, -EACCES, "denied" },
		{ -EBUSY, -EBUSY, "perhaps mounted" },
		{ -EISDIR, -EINVAL, "a directory" },
		{ -ELOOP, -ELOOP, "cannot open it" },
	};
	unsigned int i;

	os.open = no_open;
	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		log_open_err = ways[i].err;
		EXPECT_EQ(ways[i].told, log_open(self->path, 0, false, &self->log));
		EXPECT_NE(NULL, strstr(err_text(), ways[i].text)) {
			TH_LOG("%s", err_text());
		}
	}
	os = os_real;
	EXPECT_EQ(-ENOMEM, log_open(self->path, UINT64_MAX, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "out of memory"));
}

/* The file is cut off between two reads. */
static ssize_t read_statuses(int fd, void *buf, size_t length, uint64_t offset)
{
	return offset < FORMAT_DICT_OFFSET ? os_real.pread(fd, buf, length, offset) : 0;
}

TEST_F(log, a_log_that_is_cut_off_while_it_is_read_is_told)
{
	os.pread = read_statuses;
	EXPECT_EQ(-EUCLEAN, log_open(self->path, 0, false, &self->log));
	EXPECT_NE(NULL, strstr(err_text(), "cut off"));
	os = os_real;
}

TEST_F(log, generations_go_on_after_the_last_number)
{
	struct log_state state;

	patch_status(self->path, offsetof(struct disk_status, generation), UINT32_MAX);
	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	EXPECT_EQ(1, state.generation);
	EXPECT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, start(self->path, &self->log));
	log_state(self->log, &state);
	EXPECT_EQ(2, state.generation);
	EXPECT_EQ(0, log_close(self->log));
}

TEST_F(log, open_refuses_a_log_that_was_cut_off)
{
	ASSERT_EQ(0, truncate(self->path, FILE_SIZE - 1));
	ASSERT_EQ(-EUCLEAN, log_open(self->path, 0, false, &self->log));
	ASSERT_NE(NULL, strstr(err_text(), "cut off"));
}

TEST_F(log, is_locked_against_this_and_other_processes_but_may_be_looked_at)
{
	struct log *second;
	int status;
	pid_t pid;

	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(-EBUSY, log_open(self->path, 0, false, &second));
	pid = fork();
	if (!pid) {
		int err = log_open(self->path, 0, false, &second);

		if (err != -EBUSY || !strstr(err_text(), "another process"))
			_exit(1);
		if (log_open(self->path, 0, true, &second))
			_exit(2);
		_exit(os.locked(log_file(second)->fd) == 1 ? 0 : 3);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, log_close(self->log));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, is_unlocked_by_the_death_of_its_process)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (start(self->path, &self->log))
			_exit(1);
		raise(SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(0, start(self->path, &self->log));
	ASSERT_EQ(0, log_close(self->log));
}

TEST_F(log, without_permission_is_refused_by_name)
{
	struct segment *segment;
	char other[160];
	int status;
	pid_t pid;

	snprintf(other, sizeof(other), "%s/other", self->dir);
	ASSERT_EQ(0, segment_open(other, 4096, &segment));
	segment_close(segment);
	ASSERT_EQ(0, chmod(self->dir, 0755));
	ASSERT_EQ(0, chmod(self->path, 0444));
	ASSERT_EQ(0, chmod(other, 0444));
	pid = fork();
	if (!pid) {
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(1);
		if (log_open(self->path, 0, false, &self->log) != -EACCES)
			_exit(2);
		if (!strstr(err_text(), self->path))
			_exit(3);
		if (log_open(self->path, 0, true, &self->log))
			_exit(4);
		if (segment_open(other, 0, &segment) != -EACCES || !strstr(err_text(), other))
			_exit(5);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

TEST_F(log, each_status_copy_alone_tells_the_truth)
{
	struct log_range r = { .segment = 1, .length = 5, .data = "12345" };
	char junk[FORMAT_BLOCK];
	uint64_t lsn, head;
	int copy;

	memset(junk, 0x3c, sizeof(junk));
	for (copy = 0; copy < 2; copy++) {
		struct status_copies status, dict;
		struct log_state state;

		ASSERT_EQ(0, start(self->path, &self->log));
		ASSERT_EQ(0, log_append(self->log, 1, &r, 1, &lsn));
		ASSERT_EQ(0, log_flush(self->log, lsn));
		head = log_durable(self->log);
		ASSERT_EQ(0, log_set_head(self->log, head));
		ASSERT_TRUE(both_tell(self->path, head, head));
		ASSERT_EQ(0, log_close(self->log));
		patch(self->path, copy * FORMAT_BLOCK, junk, sizeof(junk));
		ASSERT_EQ(0, log_open(self->path, 0, true, &self->log));
		log_state(self->log, &state);
		ASSERT_EQ(head, state.head);
		ASSERT_EQ(head, state.tail);
		log_copies(self->log, &status, &dict);
		ASSERT_FALSE(status.valid[copy]);
		ASSERT_TRUE(status.valid[!copy]);
		ASSERT_TRUE(dict.valid[0] && dict.valid[1]);
		ASSERT_EQ(0, log_close(self->log));
	}
}

TEST_F(log, an_open_log_leaks_no_descriptor)
{
	int before = dup(0), after, i;

	close(before);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, start(self->path, &self->log));
		ASSERT_EQ(0, log_close(self->log));
		ASSERT_EQ(-EINVAL, log_open(self->dir, 0, true, &self->log));
		ASSERT_EQ(-EEXIST, log_create(self->path, 1, 0600, false, NULL, NULL));
	}
	after = dup(0);
	close(after);
	ASSERT_EQ(before, after);
}

TEST_HARNESS_MAIN
