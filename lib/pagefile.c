// SPDX-License-Identifier: LGPL-2.1-or-later
/* Whole pages of a segment, read and written past the page cache where the file system can. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "err.h"
#include "os.h"
#include "pagefile.h"
#include "segment.h"

/* What remains of a short write starts at a multiple of it. */
#define SECTOR 512

/* The path may name another file by now. */
static bool same_file(int x, int y)
{
	struct stat a, b;

	if (fstat(x, &a) || fstat(y, &b))
		return true;	/* a disk of a test, where files keep their names */
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_rdev == b.st_rdev;
}

void pagefile_use_cache(struct pagefile *file, struct segment *segment)
{
	file->segment = segment;
	file->refused = false;
	file->fd = -1;
}

void pagefile_open(struct pagefile *file, struct segment *segment)
{
	int fd = os.open(segment->path, O_RDWR | O_NONBLOCK, 0);

	pagefile_use_cache(file, segment);
	if (fd < 0)
		return;
	if (same_file(fd, segment->fd) && !os.set_direct(fd, true))
		file->fd = fd;
	else
		os.close(fd);
}

void pagefile_close(struct pagefile *file)
{
	if (file->fd >= 0)
		os.close(file->fd);
	file->fd = -1;
}

static bool is_direct(const struct pagefile *file)
{
	return file->fd >= 0 && !__atomic_load_n(&file->refused, __ATOMIC_RELAXED);
}

/* Some file systems take the flag and refuse the transfer. */
static bool refused(struct pagefile *file, int err)
{
	if (err != -EINVAL)
		return false;
	__atomic_store_n(&file->refused, true, __ATOMIC_RELAXED);
	return true;
}

int pagefile_read(struct pagefile *file, uint64_t offset, char *buf, uint64_t length)
{
	uint64_t whole = length & ~(uint64_t)(PAGEFILE_ALIGN - 1);
	int err = 0;

	if (!is_direct(file) || !whole)
		return segment_read(file->segment, offset, buf, length);
	err = os_read(file->fd, buf, whole, offset);
	if (refused(file, err))
		return segment_read(file->segment, offset, buf, length);
	if (err)
		return err_set(EIO, "segment %s: reading %" PRIu64 " bytes at byte %" PRIu64
			       " failed: %s", file->segment->path, whole, offset, err_name(err));
	return segment_read(file->segment, offset + whole, buf + whole, length - whole);
}

int pagefile_write(struct pagefile *file, uint64_t offset, char *buf, uint64_t length)
{
	uint64_t whole = length & ~(uint64_t)(PAGEFILE_ALIGN - 1);
	struct iovec iov = { .iov_base = buf, .iov_len = whole };
	int err = 0;

	if (!is_direct(file) || !whole)
		return segment_write(file->segment, offset, buf, length);
	err = os_write(file->fd, &iov, 1, offset, false, SECTOR);
	if (refused(file, err))
		return segment_write(file->segment, offset, buf, length);
	if (err)
		return err_set(err == -ENOSPC ? ENOSPC : EIO,
			       "segment %s: writing %" PRIu64 " bytes at byte %" PRIu64
			       " failed: %s", file->segment->path, whole, offset, err_name(err));
	return segment_write(file->segment, offset + whole, buf + whole, length - whole);
}
