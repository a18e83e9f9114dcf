// SPDX-License-Identifier: LGPL-2.1-or-later
/* Copies of files, and digests that tell whether a copy is still what was copied. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SEEK_DATA, SEEK_HOLE */
#endif

#include <endian.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "crc.h"
#include "filecopy.h"
#include "os.h"

#define BUFFER 0x100000U
#define BUFFER_ALIGN 4096

/**
 * struct copying - a copy under way
 * @from: read
 * @to: written, or -1
 * @device: @to is a block device: zeros must be written, too
 * @length: bytes in all
 * @buffer: BUFFER bytes
 * @watch: the caller's
 * @digest: of the bytes up to now
 */
struct copying {
	int from;
	int to;
	bool device;
	uint64_t length;
	char *buffer;
	const struct filecopy_watch *watch;
	struct filecopy_digest *digest;
};

static bool all_zero(const char *bytes, size_t length)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, length - 1);
}

static void digest_block(struct filecopy_digest *digest, uint64_t number, const char *bytes,
			 size_t length)
{
	uint64_t disk = htole64(number);

	digest->crc = crc32c(digest->crc, &disk, sizeof(disk));
	digest->crc = crc32c(digest->crc, bytes, length);
	digest->blocks++;
}

static int write_run(struct copying *c, uint64_t offset, char *bytes, size_t length)
{
	struct iovec iov = { .iov_base = bytes, .iov_len = length };

	if (c->to < 0 || !length)
		return 0;
	return os_write(c->to, &iov, 1, offset, false, 1);
}

/* What stands in the buffer: the blocks that are not zero are digested and written. */
static int put_blocks(struct copying *c, uint64_t offset, size_t length)
{
	size_t at, run = 0;
	int err = 0;

	for (at = 0; at < length && !err; at += FILECOPY_BLOCK) {
		size_t n = length - at < FILECOPY_BLOCK ? length - at : FILECOPY_BLOCK;
		bool zero = all_zero(c->buffer + at, n);

		if (!zero)
			digest_block(c->digest, (offset + at) / FILECOPY_BLOCK, c->buffer + at, n);
		if (zero && !c->device) {
			err = write_run(c, offset + run, c->buffer + run, at - run);
			run = at + n;
		}
	}
	return err ? err : write_run(c, offset + run, c->buffer + run, length - run);
}

static int tell(struct copying *c, uint64_t bytes)
{
	return c->watch && bytes ? c->watch->step(c->watch->arg, bytes) : 0;
}

/* Bytes [@start, @end), which begin at a block. */
static int put_data(struct copying *c, uint64_t start, uint64_t end)
{
	int err = 0;

	while (start < end && !err) {
		size_t n = end - start < BUFFER ? end - start : BUFFER;

		err = os_read(c->from, c->buffer, n, start);
		if (!err)
			err = put_blocks(c, start, n);
		if (!err)
			err = tell(c, n);
		start += n;
	}
	return err;
}

/*
 * The next data at or after @at, as whole blocks: [*@start, *@end), empty at the file's end.
 * Whoever cannot tell holes, or has to write zeros, takes all for data.
 */
static void next_data(const struct copying *c, uint64_t at, uint64_t *start, uint64_t *end)
{
	off_t data = c->device && c->to >= 0 ? -1 : lseek(c->from, at, SEEK_DATA);
	off_t hole;

	*start = at;
	*end = c->length;
	if (data < 0) {
		if (errno == ENXIO && !(c->device && c->to >= 0))
			*start = c->length;
		return;
	}
	if ((uint64_t)data >= c->length) {
		*start = c->length;
		return;
	}
	*start = data & ~(uint64_t)(FILECOPY_BLOCK - 1);
	hole = lseek(c->from, data, SEEK_HOLE);
	if (hole >= 0 && (uint64_t)hole < c->length)
		*end = (hole + FILECOPY_BLOCK - 1) & ~(uint64_t)(FILECOPY_BLOCK - 1);
	if (*end > c->length)
		*end = c->length;
}

static int walk(struct copying *c)
{
	uint64_t at = 0, start, end;
	int err = 0;

	memset(c->digest, 0, sizeof(*c->digest));
	c->buffer = aligned_alloc(BUFFER_ALIGN, BUFFER);
	if (!c->buffer)
		return -ENOMEM;
	while (at < c->length && !err) {
		next_data(c, at, &start, &end);
		err = tell(c, start - at);
		if (!err)
			err = put_data(c, start, end);
		at = start < end ? end : start;
	}
	free(c->buffer);
	return err;
}

int filecopy_digest(int fd, uint64_t length, const struct filecopy_watch *watch,
		    struct filecopy_digest *digest)
{
	struct copying c = {
		.from = fd, .to = -1, .length = length, .watch = watch, .digest = digest,
	};

	return walk(&c);
}

int filecopy_make(int from, int to, bool device, uint64_t length,
		  const struct filecopy_watch *watch, struct filecopy_digest *digest)
{
	struct copying c = {
		.from = from, .to = to, .device = device, .length = length, .watch = watch,
		.digest = digest,
	};
	int err = device ? 0 : os.resize(to, 0);

	if (!err && !device && !ioctl(to, FICLONE, from)) {
		c.from = to;	/* what is shared does not change any more */
		c.to = -1;
	}
	if (!err && !device)
		err = os.resize(to, length);
	if (!err)
		err = walk(&c);
	return err ? err : os.sync(to);
}
