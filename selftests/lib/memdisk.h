/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files in memory under the library's table of I/O calls: counts and fails calls, and loses
 * power at any of them.  What was not synced then survives sector by sector, or does not.
 */
#ifndef MEMDISK_H
#define MEMDISK_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

#define MEM_FILES 8
#define MEM_SECTOR 512

/*
 * struct mem_file - a file
 * @name: its path
 * @data: what a reader sees
 * @stable: what is on the disk for sure; where it differs from @data the loss of power decides
 * @size: bytes of both
 * @locked: some open file holds the lock
 */
struct mem_file {
	char name[64];
	unsigned char *data;
	unsigned char *stable;
	uint64_t size;
	bool locked;
};

/*
 * struct mem - the disk
 * @files: all files; a descriptor is an index + 100
 * @calls: calls so far that read, write or sync
 * @fail_at: the call that fails, from 1; 0: none
 * @fail_err: what it returns, negative; MEM_SHORT: it transfers only a part
 * @fail_on: all calls from there on fail
 * @power_at: the call at which power is lost, from 1; 0: none
 * @dead: power is lost: nothing works any more
 * @sync_writes: writes that sync are to be had
 * @limit: bytes that a file may have
 * @failed: how many calls failed
 */
static struct mem {
	struct mem_file files[MEM_FILES];
	atomic_uint calls;
	unsigned int fail_at;
	int fail_err;
	bool fail_on;
	unsigned int power_at;
	atomic_bool dead;
	bool sync_writes;
	uint64_t limit;
	atomic_uint failed;
} mem;

#define MEM_SHORT 1

static struct mem_file *mem_find(const char *name)
{
	int i;

	for (i = 0; i < MEM_FILES; i++)
		if (!strcmp(mem.files[i].name, name))
			return &mem.files[i];
	return NULL;
}

static struct mem_file *mem_file(int fd)
{
	return &mem.files[fd - 100];
}

/* Returns 0, a negative errno, or MEM_SHORT. */
static int mem_count(void)
{
	unsigned int call;

	if (mem.dead)
		return -EIO;
	call = ++mem.calls;
	if (call == mem.power_at) {
		mem.dead = true;
		return -EIO;
	}
	if (mem.fail_at && (call == mem.fail_at || (mem.fail_on && call > mem.fail_at))) {
		mem.failed++;
		return mem.fail_err;
	}
	return 0;
}

static int mem_grow(struct mem_file *file, uint64_t size)
{
	if (size > mem.limit)
		return -ENOSPC;
	if (size > file->size) {
		file->data = realloc(file->data, size);
		file->stable = realloc(file->stable, size);
		memset(file->data + file->size, 0, size - file->size);
		memset(file->stable + file->size, 0, size - file->size);
	}
	file->size = size;
	return 0;
}

/* A file without a name is called so until it gets one; there is never more than one. */
#define MEM_NAMELESS "(nameless)"

static int mem_open(const char *path, int flags, mode_t mode)
{
	struct mem_file *file;

	if ((flags & O_TMPFILE) == O_TMPFILE) {
		path = MEM_NAMELESS;
		flags = O_CREAT | O_EXCL;
	}
	file = mem_find(path);
	if (flags & O_DIRECTORY)
		return 99;
	if (!file && !(flags & O_CREAT))
		return -ENOENT;
	if (file && (flags & O_EXCL))
		return -EEXIST;
	if (!file) {
		file = mem_find("");
		snprintf(file->name, sizeof(file->name), "%s", path);
	}
	return file - mem.files + 100;
}

static int mem_unlink(const char *path)
{
	struct mem_file *file = mem_find(path);

	if (!file)
		return -ENOENT;
	free(file->data);
	free(file->stable);
	memset(file, 0, sizeof(*file));
	return 0;
}

static int mem_name(int fd, const char *path)
{
	if (mem_find(path))
		return -EEXIST;
	snprintf(mem_file(fd)->name, sizeof(mem_file(fd)->name), "%s", path);
	return 0;
}

static int mem_close(int fd)
{
	if (fd == 99)
		return 0;
	mem_file(fd)->locked = false;
	return strcmp(mem_file(fd)->name, MEM_NAMELESS) ? 0 : mem_unlink(MEM_NAMELESS);
}

static ssize_t mem_pread(int fd, void *buf, size_t length, uint64_t offset)
{
	struct mem_file *file = mem_file(fd);
	int err = mem_count();

	if (err < 0)
		return err;
	if (offset >= file->size)
		return 0;
	if (length > file->size - offset)
		length = file->size - offset;
	if (err == MEM_SHORT)
		length = (length + 1) / 2;
	memcpy(buf, file->data + offset, length);
	return length;
}

static void mem_settle(struct mem_file *file, uint64_t offset, uint64_t length)
{
	memcpy(file->stable + offset, file->data + offset, length);
}

static ssize_t mem_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	struct mem_file *file = mem_file(fd);
	uint64_t at = offset;
	int err, i;

	if (sync && !mem.sync_writes)
		return -EOPNOTSUPP;
	if (mem.dead)
		return -EIO;
	err = mem_count();
	if (err < 0 && !mem.dead)
		return err;
	for (i = 0; i < count; i++) {
		uint64_t n = iov[i].iov_len;

		if (err == MEM_SHORT && n > MEM_SECTOR)
			n = (n / 2 / MEM_SECTOR + 1) * MEM_SECTOR;
		if (at + n > file->size && mem_grow(file, at + n))
			return -ENOSPC;
		memcpy(file->data + at, iov[i].iov_base, n);
		at += n;
		if (n < iov[i].iov_len)
			break;
	}
	if (mem.dead)
		return -EIO;
	if (sync)
		mem_settle(file, offset, at - offset);
	return at - offset;
}

static int mem_datasync(int fd)
{
	int err = mem_count();

	if (err < 0)
		return err;
	if (fd != 99)
		mem_settle(mem_file(fd), 0, mem_file(fd)->size);
	return 0;
}

static int mem_resize(int fd, uint64_t length)
{
	return mem_grow(mem_file(fd), length);
}

static int mem_allocate(int fd, uint64_t offset, uint64_t length)
{
	struct mem_file *file = mem_file(fd);

	return offset + length > file->size ? mem_grow(file, offset + length) : 0;
}

static int mem_geometry(int fd, struct os_geometry *geometry)
{
	memset(geometry, 0, sizeof(*geometry));
	geometry->regular = true;
	geometry->size = mem_file(fd)->size;
	geometry->sector = MEM_SECTOR;
	return 0;
}

static int mem_lock(int fd)
{
	if (mem_file(fd)->locked)
		return -EAGAIN;
	mem_file(fd)->locked = true;
	return 0;
}

static int mem_locked(int fd)
{
	return mem_file(fd)->locked;
}

static int mem_set_direct(int fd, bool direct)
{
	return 0;
}

static int mem_canonical(const char *path, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s", path);
	return 0;
}

static int mem_random(void *buf, size_t length)
{
	memset(buf, 0x5a, length);
	return 0;
}

static const struct os_io mem_io = {
	.open = mem_open,
	.close = mem_close,
	.pread = mem_pread,
	.pwritev = mem_pwritev,
	.datasync = mem_datasync,
	.sync = mem_datasync,
	.resize = mem_resize,
	.allocate = mem_allocate,
	.geometry = mem_geometry,
	.lock = mem_lock,
	.locked = mem_locked,
	.set_direct = mem_set_direct,
	.name = mem_name,
	.unlink = mem_unlink,
	.canonical = mem_canonical,
	.random = mem_random,
};

/* No call fails and power stays from here on. */
static inline void mem_heal(void)
{
	mem.calls = 0;
	mem.fail_at = 0;
	mem.fail_on = false;
	mem.power_at = 0;
	mem.dead = false;
	mem.failed = 0;
}

static inline void mem_install(void)
{
	int i;

	for (i = 0; i < MEM_FILES; i++)
		if (mem.files[i].name[0])
			mem_unlink(mem.files[i].name);
	memset(&mem, 0, sizeof(mem));
	mem.sync_writes = true;
	mem.limit = UINT64_MAX;
	os = mem_io;
}

/*
 * Power is lost: of each file's sectors that were not synced the new bytes survive or the old
 * ones.  @choice: 0 none survives, 1 all, else it seeds a random choice.
 */
static inline void mem_power_loss(unsigned int choice)
{
	unsigned int state = choice;
	int i;

	for (i = 0; i < MEM_FILES; i++) {
		struct mem_file *file = &mem.files[i];
		uint64_t at;

		for (at = 0; at < file->size; at += MEM_SECTOR) {
			uint64_t n = file->size - at < MEM_SECTOR ? file->size - at : MEM_SECTOR;

			if (!memcmp(file->data + at, file->stable + at, n))
				continue;
			if (choice == 1 || (choice && rand_r(&state) % 2))
				memcpy(file->stable + at, file->data + at, n);
			else
				memcpy(file->data + at, file->stable + at, n);
		}
		file->locked = false;
	}
	mem_heal();
}

/* A copy of a file, to put back with mem_restore(). */
static inline unsigned char *mem_save(const char *name)
{
	struct mem_file *file = mem_find(name);

	return memcpy(malloc(file->size), file->data, file->size);
}

static inline void mem_restore(const char *name, const unsigned char *copy)
{
	struct mem_file *file = mem_find(name);

	memcpy(file->data, copy, file->size);
	memcpy(file->stable, copy, file->size);
	file->locked = false;
}

#endif
