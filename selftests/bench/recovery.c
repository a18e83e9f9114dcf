// SPDX-License-Identifier: GPL-2.0
/* Trials of recovery, of what bounds it, and of mapping. */
#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "tpca.h"
#include "trial.h"

#define CHUNK	(1UL << 20)
#define FULL	80	/* percent of the log */

static void commit(struct teller *teller)
{
	char *at[TPCA_RANGES];
	unsigned int i;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	check("begin", rvm_begin_transaction(&tid, no_restore));
	tpca_choose(teller, at);
	for (i = 0; i < TPCA_RANGES; i++) {
		check("set_range", rvm_set_range(&tid, at[i], tpca_length(i)));
		tpca_store(teller, at[i], tpca_length(i));
	}
	check("end", rvm_end_transaction(&tid, no_flush));
	teller->done++;
}

/* Dies with a log that is nearly full; each record is on the disk. */
static void fill_and_die(const struct setting *setting)
{
	struct teller teller = { .size = setting->array, .threads = 1, .random = clock_ns() | 1 };
	rvm_log_info_t info;

	teller.base = files_open(setting, 0);
	do {
		commit(&teller);
		if (teller.done % 64)
			continue;
		check("rvm_flush", rvm_flush());
		check("rvm_query_log", rvm_query_log(&info));
	} while (teller.done % 64 || info.tail - info.head < setting->log / 100 * FULL);
	_exit(0);
}

static size_t fill(const struct setting *setting)
{
	pid_t pid;
	char path[PATH_MAX];
	struct stat st;
	int status, fd;

	/* a segment that is only allocated is neither read nor written as one that is used */
	close(files_create(setting, "segment", setting->array, 0));
	pid = fork();
	if (!pid)
		fill_and_die(setting);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("filling a log", "it failed");
	files_path(setting, "log", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die(path, strerror(errno));
	files_forget(fd);
	close(fd);
	return setting->log / 100 * FULL;
}

void trial_recover(const struct setting *setting, struct outcome *outcome)
{
	size_t bytes = fill(setting);
	uint64_t start = clock_ns();

	files_initialize(setting, 0);
	outcome->rate = bytes / ((clock_ns() - start) / 1e9);
}

void trial_read(const struct setting *setting, struct outcome *outcome)
{
	char *buffer = aligned_alloc(4096, CHUNK);
	size_t done = 0, bytes = fill(setting) / CHUNK * CHUNK;
	char path[PATH_MAX];
	uint64_t start;
	int fd;

	files_path(setting, "log", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
	if (fd < 0 || !buffer)
		die(path, strerror(errno));
	for (start = clock_ns(); done < bytes; done += CHUNK)
		if (pread(fd, buffer, CHUNK, done) != (ssize_t)CHUNK)
			die(path, strerror(errno));
	outcome->rate = done / ((clock_ns() - start) / 1e9);
}

void trial_crc(const struct setting *setting, struct outcome *outcome)
{
	unsigned char *buffer = malloc(setting->log);
	unsigned int crc = 0;
	size_t done = 0;
	uint64_t start;

	if (!buffer)
		die("crc", "no memory");
	memset(buffer, 0x5a, setting->log);
	for (start = clock_ns(); done < setting->log; done += 1 << 16)
		crc = crc32_iscsi(buffer + done, 1 << 16, crc);
	__asm__ volatile("" : : "r"(crc));
	outcome->rate = done / ((clock_ns() - start) / 1e9);
}

/* Of a sparse segment, none of which is touched. */
void trial_map(const struct setting *setting, struct outcome *outcome)
{
	rvm_options_t options;
	rvm_region_t region;
	char path[PATH_MAX];
	uint64_t start;
	int fd;

	files_path(setting, "sparse", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, setting->map))
		die(path, strerror(errno));
	close(fd);
	files_initialize(setting, 0);
	rvm_init_options(&options);
	options.flags |= RVM_TRACK_NONE;
	rvm_init_region(&region);
	region.data_dev = path;
	start = clock_ns();
	check("rvm_map", rvm_map(&region, &options));
	outcome->rate = 1e9 / (clock_ns() - start);
	check("rvm_unmap", rvm_unmap(&region));
	check("rvm_terminate", rvm_terminate());
}
