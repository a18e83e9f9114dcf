/* SPDX-License-Identifier: GPL-2.0 */
/* A new log on real files, and what the tests change in it behind the library's back. */
#ifndef SELFTESTS_LIB_REALLOG_H
#define SELFTESTS_LIB_REALLOG_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "crc.h"
#include "logtest.h"

#define AREA 65536U
#define FILE_SIZE (73728U + AREA)

FIXTURE(log)
{
	char dir[64];
	char path[128];
	struct log *log;
};

FIXTURE_SETUP(log)
{
	snprintf(self->dir, sizeof(self->dir), "/tmp/rvm-test-log-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/log", self->dir);
	os = os_real;
	ASSERT_EQ(0, log_create(self->path, AREA, 0640, false, NULL, NULL)) {
		TH_LOG("%s", err_text());
	}
}

FIXTURE_TEARDOWN(log)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	ASSERT_EQ(0, system(command));
}

static inline int start(const char *path, struct log **log)
{
	int err = log_open(path, 0, false, log);

	return err ? err : recover_log(*log, NULL, NULL, NULL);
}

static inline void patch(const char *path, uint64_t at, const void *bytes, size_t length)
{
	int fd = open(path, O_RDWR);

	if (pwrite(fd, bytes, length, at) != (ssize_t)length)
		abort();
	close(fd);
}

static inline void read_file(const char *path, uint64_t at, void *bytes, size_t length)
{
	int fd = open(path, O_RDONLY);

	if (pread(fd, bytes, length, at) != (ssize_t)length)
		abort();
	close(fd);
}

/* Does each copy of the status in the file tell of this head, and of this durable LSN? */
static inline bool both_tell(const char *path, uint64_t head, uint64_t durable)
{
	struct format_status status;
	struct disk_status disk;
	const char *why;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		read_file(path, copy * FORMAT_BLOCK, &disk, sizeof(disk));
		if (format_status_decode(&disk, &status, &why) || status.head != head ||
		    status.tail_hint != durable || status.clean)
			return false;
	}
	return true;
}

/* Changes a 32-bit field of both status copies under a right checksum. */
static inline void patch_status(const char *path, size_t at, uint32_t value)
{
	struct disk_status disk;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		read_file(path, copy * FORMAT_BLOCK, &disk, sizeof(disk));
		memcpy((char *)&disk + at, &value, sizeof(value));
		disk.crc = crc32c(0, &disk, offsetof(struct disk_status, crc));
		patch(path, copy * FORMAT_BLOCK, &disk, sizeof(disk));
	}
}

#endif
