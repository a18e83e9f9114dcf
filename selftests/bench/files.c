// SPDX-License-Identifier: GPL-2.0
/* The files of a trial. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"

#define CHUNK	(1UL << 20)
#define PAGE	4096UL

void files_path(const struct setting *setting, const char *name, char path[PATH_MAX])
{
	if (snprintf(path, PATH_MAX, "%s/%s", setting->dir, name) >= PATH_MAX)
		die(setting->dir, "it is too long");
}

void files_forget(int fd)
{
	if (fdatasync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("fdatasync", strerror(errno));
}

int files_create(const struct setting *setting, const char *name, size_t length, int flags)
{
	char path[PATH_MAX];
	char *chunk = aligned_alloc(PAGE, CHUNK);
	size_t done;
	int fd;

	files_path(setting, name, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || !chunk)
		die(path, strerror(errno));
	memset(chunk, 0x5a, CHUNK);
	for (done = 0; done < length; done += CHUNK)
		if (pwrite(fd, chunk, CHUNK, done) != (ssize_t)CHUNK)
			die(path, strerror(errno));
	free(chunk);
	files_forget(fd);
	close(fd);
	fd = open(path, O_RDWR | O_CLOEXEC | flags);
	if (fd < 0)
		die(path, strerror(errno));
	return fd;
}

void files_initialize(const struct setting *setting, long truncate)
{
	rvm_options_t options;
	char path[PATH_MAX];

	files_path(setting, "log", path);
	rvm_init_options(&options);
	options.log_dev = path;
	options.truncate = truncate;
	options.create_log_file = rvm_true;
	options.create_log_size = rvm_mk_offset(0, setting->log);
	options.create_log_mode = 0600;
	check("rvm_initialize", RVM_INIT(&options));
}

/* A page that is touched for the first time costs more than all that is measured. */
char *files_open(const struct setting *setting, long truncate)
{
	rvm_options_t options;
	rvm_region_t region;
	char path[PATH_MAX];
	size_t at;

	files_initialize(setting, truncate);
	files_path(setting, "segment", path);
	rvm_init_options(&options);
	options.flags |= RVM_CREATE_SEGMENT | (setting->huge ? RVM_HUGE_PAGES : RVM_TRACK_NONE);
	rvm_init_region(&region);
	region.data_dev = path;
	region.dev_length = rvm_mk_offset(0, setting->array);
	check("rvm_map", rvm_map(&region, &options));
	for (at = 0; at < setting->array; at += PAGE)
		*(volatile char *)(region.vmaddr + at) = 0;
	return region.vmaddr;
}

void files_settle(const struct setting *setting)
{
	int fd = open(setting->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd))
		die(setting->dir, strerror(errno));
	close(fd);
}
