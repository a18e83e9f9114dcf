// SPDX-License-Identifier: GPL-2.0
/* Files in memory under the library's table of I/O calls. */
#include <sys/mman.h>
#include <unistd.h>

#include "memdisk.h"

#define FIRST_FD 100

/* Directories that are open have descriptors below those of files. */
#define MEM_DIRS 4
static char dirs[MEM_DIRS][64];

/* A file without a name is called so until it gets one; there is never more than one. */
#define NAMELESS "(nameless)"

struct mem mem;

/* Where no judge is linked with it there is none. */
__attribute__((weak)) const struct order_judge *order_judge;
__attribute__((weak)) ssize_t (*order_reader)(int fd, void *buf, size_t length, uint64_t offset);

struct mem_file *mem_find(const char *name)
{
	int i;

	for (i = 0; i < MEM_FILES; i++)
		if (!strcmp(mem.files[i].name, name))
			return &mem.files[i];
	return NULL;
}

struct mem_file *mem_file(int fd)
{
	return &mem.files[fd - FIRST_FD];
}

static int index_of(const struct mem_file *file)
{
	return file - mem.files;
}

static void tell(const struct mem_event *event)
{
	if (mem.tell)
		mem.tell(event);
}

/* What the judge reads is no call. */
static ssize_t peek(int fd, void *buf, size_t length, uint64_t offset)
{
	const struct mem_file *file = mem_file(fd);

	if (offset >= file->size)
		return 0;
	if (length > file->size - offset)
		length = file->size - offset;
	memcpy(buf, file->data + offset, length);
	return length;
}

/* Are the bytes of this file those of a descriptor? */
static bool is_mapped(const struct mem_file *file)
{
	return file->data && mem.mappable;
}

static bool is_dir(int fd)
{
	return fd < FIRST_FD;
}

static int open_dir(const char *path)
{
	int i = 0;

	while (dirs[i][0])
		if (++i == MEM_DIRS)
			abort();
	snprintf(dirs[i], sizeof(dirs[i]), "%s", path);
	return FIRST_FD - 1 - i;
}

/* Is a file in that directory? */
static bool is_in(const struct mem_file *file, int fd)
{
	const char *dir = dirs[FIRST_FD - 1 - fd];
	const char *slash = strrchr(file->name, '/');
	size_t length = strlen(dir);

	if (!slash)
		return false;
	if (slash == file->name)
		return !strcmp(dir, "/");
	return length == (size_t)(slash - file->name) && !memcmp(dir, file->name, length);
}

int mem_count(void)
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
	if (mem.fail_at && call == mem.fail_at + 1 && mem.fail_next) {
		mem.failed++;
		return mem.fail_next;
	}
	return 0;
}

/* What is behind the old end is zero. */
static int extend(struct mem_file *file, uint64_t size)
{
	if (is_mapped(file)) {
		if (size > MEM_MAPPED || ftruncate(FIRST_FD + index_of(file), size))
			return -ENOSPC;
	} else {
		file->data = realloc(file->data, size);
		file->stable = realloc(file->stable, size);
		memset(file->data + file->size, 0, size - file->size);
	}
	memset(file->stable + file->size, 0, size - file->size);
	return 0;
}

int mem_grow(struct mem_file *file, uint64_t size)
{
	struct mem_event event = { .what = MEM_SIZED, .file = index_of(file), .length = size };

	if (size > mem.limit || (size > file->size && extend(file, size)))
		return -ENOSPC;
	if (size == file->size)
		return 0;
	if (size < file->size && is_mapped(file) && ftruncate(FIRST_FD + event.file, size))
		return -EIO;
	file->size = size;
	tell(&event);
	return 0;
}

/* A file that may be mapped has the descriptor that the library is given. */
static void make_mappable(struct mem_file *file)
{
	int fd = memfd_create("memdisk", MFD_CLOEXEC);

	if (fd < 0 || dup2(fd, FIRST_FD + index_of(file)) < 0)
		abort();
	close(fd);
	file->data = mmap(NULL, MEM_MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED,
			  FIRST_FD + index_of(file), 0);
	file->stable = calloc(1, MEM_MAPPED);
	if (file->data == MAP_FAILED || !file->stable)
		abort();
}

static struct mem_file *make_file(const char *name)
{
	struct mem_file *file = mem_find("");

	snprintf(file->name, sizeof(file->name), "%s", name);
	if (mem.mappable)
		make_mappable(file);
	return file;
}

static void tell_name(const struct mem_file *file)
{
	const struct mem_event event = { .what = MEM_NAMED, .file = index_of(file) };

	tell(&event);
}

static int mem_open(const char *path, int flags, mode_t mode)
{
	struct mem_file *file;

	(void)mode;
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		path = NAMELESS;
		flags = O_CREAT | O_EXCL;
	}
	file = mem_find(path);
	if (flags & O_DIRECTORY)
		return open_dir(path);
	if (!file && !(flags & O_CREAT))
		return -ENOENT;
	if (!file && mem.dead)
		return -EIO;
	if (file && (flags & O_EXCL))
		return -EEXIST;
	if (!file) {
		file = make_file(path);
		if (strcmp(path, NAMELESS))
			tell_name(file);
	}
	if (order_judge)
		order_judge->opened(FIRST_FD + index_of(file), path,
				    (flags & O_ACCMODE) == O_RDWR);
	return FIRST_FD + index_of(file);
}

static void drop(struct mem_file *file)
{
	if (is_mapped(file)) {
		munmap(file->data, MEM_MAPPED);
		close(FIRST_FD + index_of(file));
	} else {
		free(file->data);
	}
	free(file->stable);
	memset(file, 0, sizeof(*file));
}

/* It is durable at once: nothing relies on a name that is gone. */
int mem_unlink(const char *path)
{
	struct mem_file *file = mem_find(path);

	if (!file)
		return -ENOENT;
	if (mem.dead)
		return -EIO;
	drop(file);
	return 0;
}

static int mem_name(int fd, const char *path)
{
	struct mem_file *file = mem_file(fd);

	if (mem.dead)
		return -EIO;
	if (mem_find(path))
		return -EEXIST;
	snprintf(file->name, sizeof(file->name), "%s", path);
	tell_name(file);
	if (order_judge) {
		order_judge->closed(fd);
		order_judge->opened(fd, path, true);
	}
	return 0;
}

static int mem_close(int fd)
{
	if (is_dir(fd)) {
		dirs[FIRST_FD - 1 - fd][0] = '\0';
		return 0;
	}
	if (order_judge)
		order_judge->closed(fd);
	mem_file(fd)->locked = false;
	if (!strcmp(mem_file(fd)->name, NAMELESS))
		drop(mem_file(fd));
	return 0;
}

ssize_t mem_pread(int fd, void *buf, size_t length, uint64_t offset)
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
	if (order_judge)
		order_judge->read(fd, buf, length, offset);
	return length;
}

static void settle(struct mem_file *file, uint64_t offset, uint64_t length)
{
	memcpy(file->stable + offset, file->data + offset, length);
}

static void settle_file(struct mem_file *file)
{
	settle(file, 0, file->size);
	file->stable_size = file->size;
}

static void settle_names(int fd)
{
	int i;

	for (i = 0; i < MEM_FILES; i++)
		if (is_in(&mem.files[i], fd))
			mem.files[i].entered = true;
}

/* Bytes that were put into a file: tells of them, and makes them durable if asked to. */
static void finish_write(struct mem_file *file, uint64_t offset, uint64_t length, bool sync)
{
	struct mem_event event = {
		.what = MEM_WRITE,
		.file = index_of(file),
		.number = ++mem.number,
		.offset = offset,
		.length = length,
		.bytes = file->data + offset,
		.durable = sync,
	};

	tell(&event);
	if (mem.dead)
		return;
	if (sync) {
		settle(file, offset, length);
		if (file->stable_size < offset + length)
			file->stable_size = offset + length;
	}
	event.what = MEM_WRITTEN;
	tell(&event);
}

/* Whole sectors of what is written at once, about a half. */
static uint64_t part_of(uint64_t length)
{
	uint64_t half = length / 2 - length / 2 % mem.sector;

	if (length <= mem.sector)
		return length;
	return half ? half : mem.sector;
}

ssize_t mem_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
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
	if (order_judge)
		order_judge->writing(fd, iov, count, offset);
	for (i = 0; i < count; i++) {
		uint64_t n = iov[i].iov_len;

		if (err == MEM_SHORT)
			n = part_of(n);
		if (at + n > file->size && mem_grow(file, at + n))
			return -ENOSPC;
		memcpy(file->data + at, iov[i].iov_base, n);
		at += n;
		if (n < iov[i].iov_len)
			break;
	}
	finish_write(file, offset, at - offset, sync);
	if (order_judge && !mem.dead)
		order_judge->written(fd, iov, count, offset, at - offset, sync);
	return mem.dead ? -EIO : (ssize_t)(at - offset);
}

int mem_datasync(int fd)
{
	struct mem_event event = {
		.what = MEM_SYNC,
		.file = is_dir(fd) ? MEM_DIR : fd - FIRST_FD,
	};
	int err = mem_count();

	if (err < 0)
		return err;
	event.number = ++mem.number;
	if (order_judge)
		order_judge->syncing(fd);
	tell(&event);
	if (is_dir(fd))
		settle_names(fd);
	else
		settle_file(mem_file(fd));
	if (order_judge)
		order_judge->synced(fd);
	event.what = MEM_SYNCED;
	tell(&event);
	return 0;
}

int mem_resize(int fd, uint64_t length)
{
	return mem.dead ? -EIO : mem_grow(mem_file(fd), length);
}

int mem_allocate(int fd, uint64_t offset, uint64_t length)
{
	struct mem_file *file = mem_file(fd);

	if (mem.dead)
		return -EIO;
	return offset + length > file->size ? mem_grow(file, offset + length) : 0;
}

int mem_geometry(int fd, struct os_geometry *geometry)
{
	memset(geometry, 0, sizeof(*geometry));
	geometry->regular = true;
	geometry->size = mem_file(fd)->size;
	geometry->sector = mem.sector;
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
	(void)fd;
	(void)direct;
	return 0;
}

static void mem_forget(int fd)
{
	(void)fd;
}

int mem_canonical(const char *path, char out[PATH_MAX])
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
	.forget = mem_forget,
	.name = mem_name,
	.unlink = mem_unlink,
	.canonical = mem_canonical,
	.random = mem_random,
};

void mem_heal(void)
{
	mem.calls = 0;
	mem.fail_at = 0;
	mem.fail_on = false;
	mem.fail_next = 0;
	mem.power_at = 0;
	mem.dead = false;
	mem.failed = 0;
}

void mem_fail(unsigned int at, int err, bool on)
{
	mem.calls = 0;
	mem.fail_at = at;
	mem.fail_err = err;
	mem.fail_on = on;
}

void mem_install(void)
{
	int i;

	for (i = 0; i < MEM_FILES; i++)
		if (mem.files[i].name[0])
			drop(&mem.files[i]);
	memset(&mem, 0, sizeof(mem));
	mem.sync_writes = true;
	mem.limit = UINT64_MAX;
	mem.sector = MEM_SECTOR;
	os = mem_io;
	order_reader = peek;
	if (order_judge)
		order_judge->lost();
}

/* Does something that was not synced survive? */
static bool survives(unsigned int choice, unsigned int *state)
{
	return choice == 1 || (choice && rand_r(state) % 2);
}

/* Name and length of a file after power was lost. */
static void lose_entry(struct mem_file *file, unsigned int choice, unsigned int *state)
{
	if (!strcmp(file->name, NAMELESS) || (!file->entered && !survives(choice, state))) {
		drop(file);
		return;
	}
	if (file->size != file->stable_size && !survives(choice, state) &&
	    mem_grow(file, file->stable_size))
		abort();
	file->stable_size = file->size;
	file->entered = true;
}

void mem_power_loss(unsigned int choice)
{
	unsigned int state = choice;
	int i;

	for (i = 0; i < MEM_FILES; i++) {
		struct mem_file *file = &mem.files[i];
		uint64_t at;

		if (file->name[0])
			lose_entry(file, choice, &state);
		for (at = 0; at < file->size; at += MEM_SECTOR) {
			uint64_t n = file->size - at < MEM_SECTOR ? file->size - at : MEM_SECTOR;

			if (!memcmp(file->data + at, file->stable + at, n))
				continue;
			if (survives(choice, &state))
				memcpy(file->stable + at, file->data + at, n);
			else
				memcpy(file->data + at, file->stable + at, n);
		}
		file->locked = false;
	}
	if (order_judge)
		order_judge->lost();
	mem_heal();
}

void mem_kill(void)
{
	int i;

	for (i = 0; i < MEM_FILES; i++) {
		if (!strcmp(mem.files[i].name, NAMELESS))
			drop(&mem.files[i]);
		mem.files[i].locked = false;
	}
	if (order_judge)
		order_judge->lost();
	mem_heal();
}

unsigned char *mem_save(const char *name)
{
	struct mem_file *file = mem_find(name);

	return memcpy(malloc(file->size), file->data, file->size);
}

void mem_restore(const char *name, const unsigned char *copy)
{
	struct mem_file *file = mem_find(name);

	memcpy(file->data, copy, file->size);
	memcpy(file->stable, copy, file->size);
	file->stable_size = file->size;
	file->entered = true;
	file->locked = false;
}

void mem_put(const char *name, const void *bytes, uint64_t size)
{
	struct mem_file *file = mem_find(name);

	if (!file)
		file = make_file(name);
	if (file->size != size && mem_grow(file, size))
		abort();
	memcpy(file->data, bytes, size);
	memcpy(file->stable, bytes, size);
	file->stable_size = size;
	file->entered = true;
	file->locked = false;
}
