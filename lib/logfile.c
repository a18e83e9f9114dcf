// SPDX-License-Identifier: LGPL-2.1-or-later
/* The file or device of a log: its lock, its transfers by position and by LSN. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "logfile.h"
#include "os.h"

/* Direct I/O cannot transfer more at once on any file system (INT_MAX rounded down). */
#define TRANSFER_MAX 0x40000000U

static int open_text(const char *path, int err)
{
	switch (-err) {
	case ENOENT:
		return err_set(ENOENT, "log %s: there is no such file; create the log first", path);
	case EPERM:
	case EROFS:
	case EACCES:
		return err_set(EACCES, "log %s: %s", path, err_name(err));
	case EBUSY:
		return err_set(EBUSY, "log %s: the device is in use, perhaps mounted", path);
	case EISDIR:
		return err_set(EINVAL, "log %s: it is a directory", path);
	default:
		return err_set(-err, "log %s: cannot open it: %s", path, err_name(err));
	}
}

static int measure(const struct logfile *file, struct os_geometry *geometry)
{
	int err = os.geometry(file->fd, geometry);

	return err ? err_set(-err, "log %s: cannot learn its size: %s", file->path,
			     err_name(err)) : 0;
}

int logfile_measure(struct logfile *file)
{
	struct os_geometry geometry;
	int err = measure(file, &geometry);

	if (!err)
		file->size = geometry.size;
	return err;
}

static int check_kind(struct logfile *file)
{
	struct os_geometry geometry;
	int err = measure(file, &geometry);

	if (err)
		return err;
	if (!geometry.regular && !geometry.device)
		return err_set(EINVAL, "log %s: neither a regular file nor a block device",
			       file->path);
	if (geometry.sector > LOGFILE_ALIGN || LOGFILE_ALIGN % geometry.sector)
		return err_set(EINVAL, "log %s: sectors of %" PRIu32 " bytes are not supported",
			       file->path, geometry.sector);
	file->device = geometry.device;
	file->size = geometry.size;
	file->sector = geometry.sector;
	return 0;
}

static int lock_file(struct logfile *file)
{
	int err = os.lock(file->fd);

	if (err == -EAGAIN || err == -EACCES)
		return err_set(EBUSY, "log %s: another process has it open; it must end first",
			       file->path);
	if (err)
		return err_set(-err, "log %s: cannot lock it: %s", file->path, err_name(err));
	return 0;
}

int logfile_adopt(const char *path, int fd, bool readonly, struct logfile *file)
{
	int err;

	memset(file, 0, sizeof(*file));
	file->fd = fd;
	file->readonly = readonly;
	file->dsync = true;
	file->path = strdup(path);
	if (!file->path) {
		os.close(fd);
		return err_set(ENOMEM, "log %s: out of memory", path);
	}
	err = check_kind(file);
	if (!err && !readonly)
		err = lock_file(file);
	if (err)
		logfile_close(file);
	return err;
}

int logfile_open(const char *path, bool readonly, struct logfile *file)
{
	int fd;

	if (strlen(path) >= PATH_MAX)
		return err_set(ENAMETOOLONG, "log: its path is longer than %d bytes", PATH_MAX - 1);
	/* O_NONBLOCK: a FIFO must be refused, not waited for */
	fd = os.open(path, (readonly ? O_RDONLY : O_RDWR) | O_NONBLOCK, 0);
	if (fd < 0)
		return open_text(path, fd);
	return logfile_adopt(path, fd, readonly, file);
}

void logfile_close(struct logfile *file)
{
	os.close(file->fd);	/* unlocks; nothing is buffered that could fail now */
	free(file->path);
	file->path = NULL;
	file->fd = -1;
}

int logfile_settle(const struct logfile *file)
{
	int err = os.datasync(file->fd);

	if (!err && !file->device)
		err = os_settle_name(file->path);
	return err ? err_set(-err, "log %s: a sync failed: %s; see to the disk, then open the log again",
			     file->path, err_name(err)) : 0;
}

/* Each direct write would have to throw away what it meets in the page cache. */
void logfile_go_direct(struct logfile *file)
{
	file->direct = !os.set_direct(file->fd, true);
	if (file->direct)
		os.forget(file->fd);
}

uint64_t logfile_position(const struct logfile *file, uint64_t lsn)
{
	return file->area_offset + lsn % file->area_size;
}

/* Bytes of [@position, +@length) that are to be read from the file. */
static size_t there(const struct logfile *file, uint64_t position, size_t length)
{
	if (!file->padded || position + length <= file->size)
		return length;
	return position < file->size ? file->size - position : 0;
}

int logfile_read(const struct logfile *file, uint64_t position, void *buf, size_t length)
{
	size_t n = there(file, position, length);
	int err = os_read(file->fd, buf, n, position);

	memset((char *)buf + n, 0, length - n);
	if (err == -ENODATA)
		return err_set(EUCLEAN, "log %s: it ends before byte %" PRIu64
			       "; it was cut off", file->path, position + length);
	if (err)
		return err_set(-err, "log %s: reading %zu bytes at byte %" PRIu64 " failed: %s",
			       file->path, length, position, err_name(err));
	return 0;
}

/* One call, or a call and a sync. */
static int write_through(struct logfile *file, uint64_t position, struct iovec *iov, int count)
{
	size_t align = file->direct ? file->sector : 1;
	int err;

	err = os_write(file->fd, iov, count, position, file->dsync, align);
	if (!err && !file->dsync)
		err = os.datasync(file->fd);
	return err;
}

/* Is @err no failure but an answer: this file system cannot do it that way? */
static bool step_down(struct logfile *file, int err)
{
	if (file->proven)
		return false;
	if (err == -EOPNOTSUPP && file->dsync) {
		file->dsync = false;
		return true;
	}
	if (err == -EINVAL && file->direct) {
		file->direct = os.set_direct(file->fd, false) != 0;
		return !file->direct;
	}
	return false;
}

static int write_iov(struct logfile *file, uint64_t position, const struct iovec *iov, int count)
{
	struct iovec copy[2];
	int err;

	assert(count <= 2 && !file->readonly);
	do {
		memcpy(copy, iov, count * sizeof(*iov));
		err = write_through(file, position, copy, count);
	} while (err && step_down(file, err));
	if (err)
		return err_set(-err, "log %s: a write at byte %" PRIu64
			       " failed: %s; see to the disk, then open the log again",
			       file->path, position, err_name(err));
	if (!file->proven)	/* only the first write changes it, before there are threads */
		file->proven = true;
	return 0;
}

int logfile_write(struct logfile *file, uint64_t position, const void *buf, size_t length)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = length };

	return write_iov(file, position, &iov, 1);
}

/* Bytes from @lsn to the end of the record area, at most @length. */
static size_t until_wrap(const struct logfile *file, uint64_t lsn, size_t length)
{
	uint64_t room = file->area_size - lsn % file->area_size;

	if (room > TRANSFER_MAX)
		room = TRANSFER_MAX;
	return length < room ? length : room;
}

int logfile_read_lsn(const struct logfile *file, uint64_t lsn, void *buf, size_t length)
{
	char *p = buf;
	int err = 0;

	while (length && !err) {
		size_t n = until_wrap(file, lsn, length);

		err = logfile_read(file, logfile_position(file, lsn), p, n);
		p += n;
		lsn += n;
		length -= n;
	}
	return err;
}

/* Cuts [@from, @from + @n) out of two buffers that are as long. */
static int cut(const struct iovec *iov, size_t from, size_t n, struct iovec out[2])
{
	int used = 0;

	for (; n; iov++) {
		size_t have = iov->iov_len;

		if (from >= have) {
			from -= have;
			continue;
		}
		out[used].iov_base = (char *)iov->iov_base + from;
		out[used].iov_len = have - from < n ? have - from : n;
		n -= out[used++].iov_len;
		from = 0;
	}
	return used;
}

int logfile_write_lsn(struct logfile *file, uint64_t lsn, const struct iovec *iov, int count)
{
	size_t length = iov[0].iov_len + (count > 1 ? iov[1].iov_len : 0);
	size_t done = 0;
	struct iovec part[2];
	int err = 0;

	while (done < length && !err) {
		size_t n = until_wrap(file, lsn + done, length - done);
		int parts = cut(iov, done, n, part);

		err = write_iov(file, logfile_position(file, lsn + done), part, parts);
		done += n;
	}
	return err;
}
