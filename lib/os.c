// SPDX-License-Identifier: LGPL-2.1-or-later
/* The operating system as the log and the segments see it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_DIRECT, OFD locks, pwritev2(), statx() */
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os.h"

#define SECTOR 512
#define IOV_COUNT 8
#define TRIES 1000	/* of a transfer that is interrupted each time */

static int real_open(const char *path, int flags, mode_t mode)
{
	int fd;

	do {
		fd = open(path, flags | O_CLOEXEC, mode);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int real_close(int fd)
{
	return close(fd) ? -errno : 0;
}

static ssize_t real_pread(int fd, void *buf, size_t length, uint64_t offset)
{
	ssize_t n = pread(fd, buf, length, offset);

	return n < 0 ? -errno : n;
}

static ssize_t real_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
			    bool sync)
{
	ssize_t n = pwritev2(fd, iov, count, offset, sync ? RWF_DSYNC : 0);

	return n < 0 ? -errno : n;
}

static int real_datasync(int fd)
{
	return fdatasync(fd) ? -errno : 0;
}

static int real_sync(int fd)
{
	return fsync(fd) ? -errno : 0;
}

static int real_resize(int fd, uint64_t length)
{
	return ftruncate(fd, length) ? -errno : 0;
}

static int real_allocate(int fd, uint64_t offset, uint64_t length)
{
	int ret;

	do {
		ret = fallocate(fd, 0, offset, length);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

/* The unit of direct I/O on a file: that of the disk below it (Linux 6.1 on). */
static uint32_t file_sector(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (!syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) &&
	    (stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_offset_align >= SECTOR)
		return stx.stx_dio_offset_align;
#else
	(void)fd;
#endif
	return SECTOR;
}

static int device_geometry(int fd, struct os_geometry *geometry)
{
	unsigned int sector;

	if (ioctl(fd, BLKGETSIZE64, &geometry->size) || ioctl(fd, BLKSSZGET, &sector))
		return -errno;
	geometry->sector = sector;
	return 0;
}

static int real_geometry(int fd, struct os_geometry *geometry)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	geometry->regular = S_ISREG(st.st_mode);
	geometry->device = S_ISBLK(st.st_mode);
	geometry->size = st.st_size;
	geometry->sector = SECTOR;
	if (geometry->device)
		return device_geometry(fd, geometry);
	if (geometry->regular)
		geometry->sector = file_sector(fd);
	return 0;
}

/* The lock of the open file description: no fork, dup or close of another fd loses it. */
static int real_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock) ? -errno : 0;
}

static int real_locked(int fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_GETLK, &lock))
		return -errno;
	return lock.l_type != F_UNLCK;
}

static int real_set_direct(int fd, bool direct)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
	return fcntl(fd, F_SETFL, flags) ? -errno : 0;
}

static void real_forget(int fd)
{
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int real_name(int fd, const char *path)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

static int real_unlink(const char *path)
{
	return unlink(path) ? -errno : 0;
}

static int real_canonical(const char *path, char out[PATH_MAX])
{
	return realpath(path, out) ? 0 : -errno;
}

static int real_random(void *buf, size_t length)
{
	ssize_t n;

	do {
		n = getrandom(buf, length, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -EIO;
}

#define REAL { \
	.open = real_open, \
	.close = real_close, \
	.pread = real_pread, \
	.pwritev = real_pwritev, \
	.datasync = real_datasync, \
	.sync = real_sync, \
	.resize = real_resize, \
	.allocate = real_allocate, \
	.geometry = real_geometry, \
	.lock = real_lock, \
	.locked = real_locked, \
	.set_direct = real_set_direct, \
	.forget = real_forget, \
	.name = real_name, \
	.unlink = real_unlink, \
	.canonical = real_canonical, \
	.random = real_random, \
}

struct os_io os = REAL;
const struct os_io os_real = REAL;

/* A transfer that is interrupted is tried again, but not for ever. */
static bool interrupted(ssize_t n, unsigned int *tries)
{
	return n == -EINTR && ++*tries < TRIES;
}

int os_read(int fd, void *buf, size_t length, uint64_t offset)
{
	unsigned int tries = 0;
	char *p = buf;

	while (length) {
		ssize_t n = os.pread(fd, p, length, offset);

		if (interrupted(n, &tries))
			continue;
		if (n < 0)
			return n;
		if (n == 0)
			return -ENODATA;
		p += n;
		offset += n;
		length -= n;
	}
	return 0;
}

static size_t iov_length(const struct iovec *iov, int count)
{
	size_t sum = 0;

	while (count--)
		sum += iov++->iov_len;
	return sum;
}

/* Takes @n bytes off the front. */
static void iov_advance(struct iovec **iov, int *count, size_t n)
{
	while (*count && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

int os_write(int fd, struct iovec *iov, int count, uint64_t offset, bool sync, size_t align)
{
	unsigned int tries = 0;

	while (iov_length(iov, count)) {
		int now = count < IOV_COUNT ? count : IOV_COUNT;
		ssize_t n = os.pwritev(fd, iov, now, offset, sync);

		if (interrupted(n, &tries))
			continue;
		if (n < 0)
			return n;
		if ((size_t)n < iov_length(iov, now))
			n -= n % align;
		if (n == 0)
			return -EIO;
		iov_advance(&iov, &count, n);
		offset += n;
	}
	return 0;
}

int os_uuid(uint8_t uuid[16])
{
	int err = os.random(uuid, 16);

	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	return err;
}

/* The directory that holds @path. */
static int parent(const char *path, char dir[PATH_MAX])
{
	char *slash;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(dir, path);
	slash = strrchr(dir, '/');
	if (!slash)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	return 0;
}

int os_create(const char *path, mode_t mode, bool *named)
{
	char dir[PATH_MAX];
	int fd = os.open(path, O_RDONLY | O_NONBLOCK, 0);
	int err;

	if (fd >= 0)
		os.close(fd);
	if (fd != -ENOENT)
		return fd < 0 ? fd : -EEXIST;
	err = parent(path, dir);
	if (err)
		return err;
	fd = os.open(dir, O_RDWR | O_TMPFILE, mode);
	*named = fd < 0;
	return *named ? os.open(path, O_RDWR | O_CREAT | O_EXCL, mode) : fd;
}

int os_publish(int fd, const char *path, bool named)
{
	int err = named ? 0 : os.name(fd, path);

	if (err)
		return err;
	err = os_sync_parent(path);
	if (err && !named)
		os.unlink(path);
	return err;
}

int os_sync_parent(const char *path)
{
	char dir[PATH_MAX];
	int fd, err;

	err = parent(path, dir);
	if (err)
		return err;
	fd = os.open(dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	err = os.sync(fd);
	os.close(fd);
	return err;
}

int os_settle_name(const char *path)
{
	char canonical[PATH_MAX];
	int err;

	err = os.canonical(path, canonical);
	if (!err)
		err = os_sync_parent(canonical);
	return err == -EACCES || err == -EINVAL ? 0 : err;
}
