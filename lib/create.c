// SPDX-License-Identifier: LGPL-2.1-or-later
/* Making a new log. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "format.h"
#include "log.h"
#include "logfile.h"
#include "os.h"
#include "space.h"
#include "status.h"

/* A device whose first bytes are not zero holds something: all file systems start below. */
#define PROBE 0x20000U

/* struct creation - a log being made */
struct creation {
	struct logfile file;
	bool new_file;
	bool named;
	bool force;
	uint64_t area_size;
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

static uint64_t area_offset(void)
{
	return FORMAT_DICT_OFFSET + 2 * FORMAT_DICT_DEFAULT;
}

static bool all_zero(const char *p, size_t length)
{
	return !length || (!p[0] && !memcmp(p, p + 1, length - 1));
}

/* Does an old log or anything else stand there, that must not be lost by mistake? */
static int probe(const struct creation *c)
{
	size_t length = c->file.size < PROBE ? c->file.size : PROBE;
	struct format_status status;
	const char *why;
	char *buf;
	int err;

	if (!length)
		return 0;
	buf = aligned_alloc(LOGFILE_ALIGN, PROBE);
	if (!buf)
		return err_set(ENOMEM, "log %s: out of memory", c->file.path);
	memset(buf, 0, PROBE);
	err = logfile_read(&c->file, 0, buf, length);
	if (err)
		goto free_buf;
	if (format_status_decode((void *)buf, &status, &why) != -EINVAL ||
	    format_status_decode((void *)(buf + FORMAT_BLOCK), &status, &why) != -EINVAL) {
		if (!c->force)
			err = err_set(EEXIST, "log %s: it holds a log already", c->file.path);
	} else if (!c->file.device) {
		err = err_set(EEXIST, "log %s: a file that is no log stands there", c->file.path);
	} else if (!all_zero(buf, length) && !c->force) {
		err = err_set(EEXIST, "log %s: the device holds data already", c->file.path);
	}
free_buf:
	free(buf);
	return err;
}

static int open_existing(const char *path, struct creation *c)
{
	int err, fd;

	/* O_EXCL without O_CREAT: a device that is mounted or otherwise claimed is busy */
	err = logfile_open(path, false, &c->file);
	if (err)
		return err;
	if (c->file.device) {
		fd = os.open(path, O_RDWR | O_EXCL, 0);
		if (fd < 0)
			err = err_set(-fd, "log %s: cannot open it: %s", path, err_name(fd));
		else
			os.close(fd);
	} else if (!c->force) {
		err = err_set(EEXIST, "log %s: the file exists already", path);
	}
	if (!err)
		err = probe(c);
	if (err)
		logfile_close(&c->file);
	return err;
}

static int open_target(const char *path, mode_t mode, struct creation *c)
{
	int fd = os_create(path, mode, &c->named);
	int err;

	if (fd == -EEXIST)
		return open_existing(path, c);
	if (fd == -EPERM || fd == -EROFS)
		fd = -EACCES;
	if (fd < 0)
		return err_set(-fd, "log %s: cannot create it: %s", path, err_name(fd));
	err = logfile_adopt(path, fd, false, &c->file);
	if (err && c->named)
		os.unlink(path);
	c->new_file = true;
	return err;
}

static int choose_size(struct creation *c, uint64_t size)
{
	int err = space_area_size(&c->file, area_offset(), size, &c->area_size);

	return err == -ERANGE ? -EINVAL : err;
}

/*
 * Writes zeros over all of it, the old status first, so that there is no moment at which an
 * old log looks whole; then the file's length and blocks are there for good.
 */
static int write_zeros(struct creation *c)
{
	int err = c->file.device ? 0 : os.resize(c->file.fd, 0);

	if (err)
		return err_set(-err, "log %s: cannot empty the file: %s", c->file.path,
			       err_name(err));
	c->file.size = c->file.device ? c->file.size : 0;
	return space_grow(&c->file, 0, area_offset() + c->area_size, c->progress, c->arg);
}

static int write_status(struct creation *c)
{
	struct format_status status = {
		.sector = c->file.sector,
		.generation = 1,
		.dict_size = FORMAT_DICT_DEFAULT,
		.area_offset = area_offset(),
		.area_size = c->area_size,
		.head = c->area_size,
		.tail_hint = c->area_size,
		.clean = true,
	};
	struct status_copies copies = { .newest = 1 };
	struct dict dict = { .copies.newest = 1 };
	int err;

	err = os_uuid(status.uuid);
	if (err)
		return err_set(-err, "log %s: no random bytes: %s", c->file.path, err_name(err));
	err = dict_store(&c->file, &status, &dict);
	if (!err)
		err = status_store(&c->file, &status, &copies);
	return err;
}

static int publish(struct creation *c)
{
	int err = os_publish(c->file.fd, c->file.path, c->named);

	if (err == -EEXIST)
		return err_set(EEXIST, "log %s: another was made there meanwhile", c->file.path);
	return err ? err_set(-err, "log %s: cannot enter it into its directory: %s",
			     c->file.path, err_name(err)) : 0;
}

static int fill(struct creation *c, uint64_t size)
{
	int err;

	err = choose_size(c, size);
	if (!err)
		err = write_zeros(c);
	if (!err)
		err = write_status(c);
	return err || !c->new_file ? err : publish(c);
}

int log_create(const char *path, uint64_t size, mode_t mode, bool force,
	       void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	struct creation c = { .force = force, .progress = progress, .arg = arg };
	int err;

	if (strlen(path) >= PATH_MAX)
		return err_set(ENAMETOOLONG, "log: its path is longer than %d bytes", PATH_MAX - 1);
	err = open_target(path, mode, &c);
	if (err)
		return err;
	err = fill(&c, size);
	if (err && c.named)
		os.unlink(path);
	logfile_close(&c.file);
	return err;
}
