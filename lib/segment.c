// SPDX-License-Identifier: LGPL-2.1-or-later
/* A segment: external data in a file or a block device. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "os.h"
#include "segment.h"

/* The kernel transfers at most 2 GiB less a page at once. */
#define TRANSFER_MAX 0x40000000U

static int open_text(const char *path, int err)
{
	switch (-err) {
	case ENOENT:
		return err_set(ENOENT, "segment %s: there is no such file; create it first", path);
	case EPERM:
	case EROFS:
	case EACCES:
		return err_set(EACCES, "segment %s: %s", path, err_name(err));
	case EISDIR:
		return err_set(EINVAL, "segment %s: it is a directory", path);
	default:
		return err_set(-err, "segment %s: cannot open it: %s", path, err_name(err));
	}
}

/* Takes the space, so that the disk cannot be full when the segment is written later. */
static int make_file(const char *path, int fd, bool named, uint64_t length)
{
	int err;

	if (length > INT64_MAX)
		return err_set(EINVAL, "segment %s: %" PRIu64 " bytes are too many", path, length);
	err = os.allocate(fd, 0, length);
	if (err == -EOPNOTSUPP)
		err = os.resize(fd, length);
	if (!err)
		err = os.sync(fd);
	if (!err)
		err = os_publish(fd, path, named);
	return err ? err_set(-err, "segment %s: cannot create its %" PRIu64 " bytes: %s", path,
			     length, err_name(err)) : 0;
}

/* Only its owner may read what a program keeps in it, as with the log. */
static int create_fd(const char *path, uint64_t length)
{
	bool named;
	int fd = os_create(path, 0600, &named);
	int err;

	if (fd < 0)
		return err_set(-fd, "segment %s: cannot create it: %s", path, err_name(fd));
	err = make_file(path, fd, named, length);
	if (!err)
		return fd;
	os.close(fd);
	if (named)
		os.unlink(path);
	return err;
}

static int open_fd(const char *path, uint64_t create_length)
{
	int fd = os.open(path, O_RDWR | O_NONBLOCK, 0);

	if (fd == -ENOENT && create_length)
		return create_fd(path, create_length);
	return fd < 0 ? open_text(path, fd) : fd;
}

static int identify(const char *path, struct segment *segment)
{
	struct os_geometry geometry;
	char canonical[PATH_MAX];
	int err;

	err = os.geometry(segment->fd, &geometry);
	if (err)
		return err_set(-err, "segment %s: cannot learn its size: %s", path, err_name(err));
	if (!geometry.regular && !geometry.device)
		return err_set(EINVAL, "segment %s: neither a regular file nor a block device",
			       path);
	err = os.canonical(path, canonical);
	if (err)
		return err_set(-err, "segment %s: cannot resolve its path: %s", path,
			       err_name(err));
	segment->path = strdup(canonical);
	if (!segment->path)
		return err_set(ENOMEM, "segment %s: out of memory", path);
	segment->length = geometry.size;
	segment->device = geometry.device;
	return 0;
}

int segment_open(const char *path, uint64_t create_length, struct segment **out)
{
	struct segment *segment;
	int err;

	if (strlen(path) >= PATH_MAX)
		return err_set(ENAMETOOLONG, "segment: its path is longer than %d bytes",
			       PATH_MAX - 1);
	segment = calloc(1, sizeof(*segment));
	if (!segment)
		return err_set(ENOMEM, "segment %s: out of memory", path);
	segment->fd = open_fd(path, create_length);
	if (segment->fd < 0) {
		err = segment->fd;
		free(segment);
		return err;
	}
	err = identify(path, segment);
	if (err) {
		segment_close(segment);
		return err;
	}
	*out = segment;
	return 0;
}

int segment_settle(const struct segment *segment)
{
	int err = segment->device ? 0 : os.sync(segment->fd);

	if (!err && !segment->device)
		err = os_settle_name(segment->path);
	return err ? err_set(EIO, "segment %s: a sync of it or its directory failed: %s",
			     segment->path, err_name(err)) : 0;
}

void segment_close(struct segment *segment)
{
	if (!segment)
		return;
	os.close(segment->fd);	/* what matters was synced before */
	free(segment->path);
	free(segment);
}

int segment_refresh(const struct segment *segment, uint64_t *length)
{
	struct os_geometry geometry;
	int err = os.geometry(segment->fd, &geometry);

	if (err)
		return err_set(EIO, "segment %s: cannot learn its size: %s", segment->path,
			       err_name(err));
	if (geometry.size < segment->length)
		return err_set(EOVERFLOW, "segment %s: it has %" PRIu64 " bytes and had %" PRIu64
			       "; it was cut off while it was open", segment->path, geometry.size,
			       segment->length);
	*length = geometry.size;
	return 0;
}

/* Takes the space; where that cannot be, the new bytes are a hole. */
static int extend(const struct segment *segment, uint64_t from, uint64_t to)
{
	int err;

	if (to > INT64_MAX)
		return -EFBIG;
	err = os.allocate(segment->fd, from, to - from);
	if (err == -EOPNOTSUPP)
		err = os.resize(segment->fd, to);
	if (!err)
		return os.sync(segment->fd);
	os.resize(segment->fd, from);
	return err;
}

int segment_grow(const struct segment *segment, uint64_t length)
{
	uint64_t now = 0;
	int err = segment_refresh(segment, &now);

	if (err)
		return err;
	if (length < now)
		return err_set(EOVERFLOW, "segment %s: it has %" PRIu64
			       " bytes and cannot shrink to %" PRIu64, segment->path, now, length);
	if (length == now)
		return 0;
	if (segment->device)
		return err_set(ENOSPC, "segment %s: the device has %" PRIu64 " bytes, not %" PRIu64,
			       segment->path, now, length);
	err = extend(segment, now, length);
	return err ? err_set(-err, "segment %s: cannot grow it to %" PRIu64 " bytes: %s",
			     segment->path, length, err_name(err)) : 0;
}

int segment_read(struct segment *segment, uint64_t offset, void *buf, uint64_t length)
{
	char *p = buf;

	while (length) {
		size_t n = length < TRANSFER_MAX ? length : TRANSFER_MAX;
		int err = os_read(segment->fd, p, n, offset);

		if (err == -ENODATA)
			return err_set(EIO, "segment %s: it ends before byte %" PRIu64,
				       segment->path, offset + n);
		if (err)
			return err_set(EIO, "segment %s: reading %zu bytes at byte %" PRIu64
				       " failed: %s", segment->path, n, offset, err_name(err));
		p += n;
		offset += n;
		length -= n;
	}
	return 0;
}

int segment_write(struct segment *segment, uint64_t offset, const void *buf, uint64_t length)
{
	const char *p = buf;

	while (length) {
		size_t n = length < TRANSFER_MAX ? length : TRANSFER_MAX;
		struct iovec iov = { .iov_base = (void *)p, .iov_len = n };
		int err = os_write(segment->fd, &iov, 1, offset, false, 1);

		if (err)
			return err_set(err == -ENOSPC ? ENOSPC : EIO,
				       "segment %s: writing %zu bytes at byte %" PRIu64
				       " failed: %s", segment->path, n, offset, err_name(err));
		p += n;
		offset += n;
		length -= n;
	}
	return 0;
}

int segment_sync(struct segment *segment)
{
	int err = os.datasync(segment->fd);

	if (err)
		return err_set(EIO, "segment %s: a sync failed, writes may be lost: %s",
			       segment->path, err_name(err));
	return 0;
}
