// SPDX-License-Identifier: GPL-2.0
/* Trials of recovery, of what bounds it, and of mapping. */
#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "tpca.h"
#include "trial.h"

#define CHUNK	(1UL << 20)
#define FULL	95	/* percent of the log */
#define FLUSH	256	/* transactions */

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
		if (teller.done % FLUSH)
			continue;
		check("rvm_flush", rvm_flush());
		check("rvm_query_log", rvm_query_log(&info));
	} while (teller.done % FLUSH || info.tail - info.head < setting->log / 100 * FULL);
	_exit(0);
}

static void fill(const struct setting *setting)
{
	int status = 1;
	pid_t pid;

	/* a segment that is only allocated is neither read nor written as one that is used */
	close(files_create(setting, "segment", setting->array, 0));
	pid = fork();
	if (!pid)
		fill_and_die(setting);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("filling a log", "it failed");
}

/*
 * Past the page cache, as recovery reads it, one chunk after the other; the first pass only makes
 * the disk as warm as all others find it.
 */
static double read_log(const struct setting *setting, char *bytes, size_t length)
{
	uint64_t start = 0;
	char path[PATH_MAX];
	unsigned int pass;
	size_t done;
	int fd;

	files_path(setting, "log", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
	if (fd < 0)
		die(path, strerror(errno));
	files_forget(fd);
	for (pass = 0; pass < 2; pass++) {
		start = clock_ns();
		for (done = 0; done < length; done += CHUNK)
			if (pread(fd, bytes + done, CHUNK, done) != (ssize_t)CHUNK)
				die(path, strerror(errno));
	}
	close(fd);
	return length / ((clock_ns() - start) / 1e9);
}

static double sum_log(const char *bytes, size_t length)
{
	uint64_t start = clock_ns();
	unsigned int crc = 0;
	size_t done;

	for (done = 0; done < length; done += CHUNK)
		crc = crc32_iscsi((unsigned char *)bytes + done, CHUNK, crc);
	__asm__ volatile("" : : "r"(crc));
	return length / ((clock_ns() - start) / 1e9);
}

/* Half of the progress is the walk through the log. */
static void tell(void *arg, uint64_t done, uint64_t total)
{
	uint64_t *walked_ns = arg;

	if (done <= total / 2)
		*walked_ns = clock_ns();
}

void trial_recover(const struct setting *setting, struct outcome *outcome)
{
	size_t length = setting->log / 100 * FULL / CHUNK * CHUNK;
	char *bytes = aligned_alloc(CHUNK, length);
	uint64_t start, walked, end;

	if (!bytes)
		die("recovery", "no memory for the log");
	madvise(bytes, length, MADV_HUGEPAGE);	/* what a disk likes best */
	fill(setting);
	outcome[0].rate = read_log(setting, bytes, length);
	outcome[1].rate = sum_log(bytes, length);
	free(bytes);
	rvm_set_progress(tell, &walked);
	start = clock_ns();
	walked = start;
	files_initialize(setting, 0);
	end = clock_ns();
	outcome[2].rate = length / ((end - start) / 1e9);
	outcome[3].rate = length / ((walked - start) / 1e9);
	outcome[4].rate = length / ((end - walked) / 1e9);
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
