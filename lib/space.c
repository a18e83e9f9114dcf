// SPDX-License-Identifier: LGPL-2.1-or-later
/* The space of a log: how much, taken from the file system, written through once, given back. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "format.h"
#include "logfile.h"
#include "os.h"
#include "space.h"
#include "status.h"

#define CHUNK 0x100000U

static uint64_t round_up(uint64_t n)
{
	return (n + FORMAT_BLOCK - 1) & ~(uint64_t)(FORMAT_BLOCK - 1);
}

int space_area_size(const struct logfile *file, uint64_t area_offset, uint64_t size,
		    uint64_t *area_size)
{
	const char *path = file->path;

	if (size > INT64_MAX - area_offset - FORMAT_BLOCK)
		return err_set(ERANGE, "log %s: %" PRIu64 " bytes are too many", path, size);
	if (!size && file->device && file->size > area_offset)
		size = (file->size - area_offset) & ~(uint64_t)(FORMAT_BLOCK - 1);
	if (!size)
		return err_set(ERANGE, "log %s: its size must be at least one byte", path);
	size = round_up(size);
	if (file->device && file->size < area_offset + size)
		return err_set(ENOSPC, "log %s: the device has %" PRIu64 " bytes, the log needs %"
			       PRIu64, path, file->size, area_offset + size);
	*area_size = size;
	return 0;
}

/* No file can be so long: who asked for it is told the same as of a disk that is full. */
static int write_error(const struct logfile *file, uint64_t total, int err)
{
	return err_set(err == -EFBIG ? ENOSPC : -err, "log %s: cannot write all of its %" PRIu64 " bytes: %s",
		       file->path, total, err_name(err));
}

static int take(struct logfile *file, uint64_t to)
{
	int err;

	if (file->device)
		return 0;
	err = os.allocate(file->fd, 0, to);
	return err == -EOPNOTSUPP ? 0 : err;
}

static int write_zeros(struct logfile *file, uint64_t from, uint64_t to, char *zeros,
		       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	size_t align = file->direct ? file->sector : 1;
	uint64_t at = from;
	int err = 0;

	while (at < to && !err) {
		size_t n = to - at < CHUNK ? to - at : CHUNK;
		struct iovec iov = { .iov_base = zeros, .iov_len = n };

		err = os_write(file->fd, &iov, 1, at, false, align);
		at += n;
		if (!err && progress)
			progress(arg, at - from, to - from);
	}
	return err;
}

/* What was taken is given back. */
static int give_back(struct logfile *file, uint64_t to, int err)
{
	if (!file->device)
		os.resize(file->fd, file->size);
	return write_error(file, to, err);
}

static int fill(struct logfile *file, uint64_t from, uint64_t to,
		void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	char *zeros = aligned_alloc(LOGFILE_ALIGN, CHUNK);
	int err;

	if (!zeros)
		return -ENOMEM;
	memset(zeros, 0, CHUNK);
	err = take(file, to);
	if (!err)
		err = write_zeros(file, from, to, zeros, progress, arg);
	free(zeros);
	return err;
}

int space_take(struct logfile *file, uint64_t from, uint64_t to,
	       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	int err = fill(file, from, to, progress, arg);

	if (err)
		return give_back(file, to, err);
	if (file->size < to)
		file->size = to;
	return 0;
}

int space_sync(struct logfile *file)
{
	int err = os.sync(file->fd);

	return err ? write_error(file, file->size, err) : 0;
}

int space_grow(struct logfile *file, uint64_t from, uint64_t to,
	       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	int err = fill(file, from, to, progress, arg);

	if (!err)
		err = os.sync(file->fd);
	if (err)
		return give_back(file, to, err);
	if (file->size < to)
		file->size = to;
	return 0;
}

int space_cut(struct logfile *file, uint64_t total)
{
	int err;

	if (file->device)
		return 0;
	err = os.resize(file->fd, total);
	if (err)
		return err_set(-err, "log %s: cannot cut its file to %" PRIu64 " bytes: %s",
			       file->path, total, err_name(err));
	file->size = total;
	return 0;
}

/* An LSN is at least area_size; a multiple of FORMAT_BLOCK is one of every sector. */
int space_switch(struct logfile *file, struct format_status *status,
		 struct status_copies *copies, uint64_t area_size)
{
	uint64_t lsn = round_up(status->head > area_size ? status->head : area_size);

	assert(status->head == status->tail_hint);
	status->area_size = area_size;
	status->head = lsn;
	status->tail_hint = lsn;
	return status_store(file, status, copies);
}
