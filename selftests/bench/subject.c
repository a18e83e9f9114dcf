// SPDX-License-Identifier: GPL-2.0
/* The subjects: the ways to make a transaction that are compared. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "subject.h"

#define LIMIT_BYTES	(32UL << 20)
#define SECTOR		512UL

static void begin(struct actor *actor)
{
	rvm_init_tid(&actor->tid);
	check("begin", rvm_begin_transaction(&actor->tid, actor->subject->mode));
}

static void declare(struct actor *actor, void *bytes, size_t length)
{
	check("set_range", rvm_set_range(&actor->tid, bytes, length));
}

static void begin_tracked(struct actor *actor)
{
	rvm_init_tid(&actor->tid);
	check("begin", rvm_begin_tracked(&actor->tid, &actor->subject->region));
}

static void commit(struct actor *actor)
{
	check("end", rvm_end_transaction(&actor->tid, actor->workload->flush ? flush : no_flush));
}

static void nothing(struct actor *actor)
{
	(void)actor;
}

/* What any log must do at least: write the bytes after the last ones. */
static void append(struct actor *actor)
{
	struct subject *subject = actor->subject;

	if (subject->place + subject->record > LIMIT_BYTES)
		subject->place = 0;
	if (pwrite(subject->fd, subject->buffer, subject->record, subject->place) < 0)
		die(subject->name, strerror(errno));
	subject->place += subject->record;
}

static void append_and_sync(struct actor *actor)
{
	append(actor);
	if (fdatasync(actor->subject->fd))
		die(actor->subject->name, strerror(errno));
}

static struct subject subjects[] = {
	{ .name = "none", .begin = nothing, .end = nothing },
	{ .name = "limit:append", .limit = true, .begin = nothing, .end = append_and_sync },
	{ .name = "limit:direct", .limit = true, .begin = nothing, .end = append },
#define DECLARED(name, flag, mode) \
	{ name, flag, mode, .begin = begin, .change = declare, .end = commit }
#define TRACKED(name, flag) { name, flag, .begin = begin_tracked, .end = commit }
	DECLARED("set_range", RVM_TRACK_NONE, no_restore),
	DECLARED("set_range+restore", RVM_TRACK_NONE, restore),
	TRACKED("kmod", RVM_TRACK_KMOD),
	DECLARED("checked", RVM_TRACK_KMOD, rvm_checked),
	TRACKED("uffd", RVM_TRACK_UFFD),
	TRACKED("sigsegv", RVM_TRACK_SIGSEGV),
};

/* Sparse: the library would allocate all of a segment that it makes. */
static void make_segment(const char *path, size_t length)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, length))
		die(path, strerror(errno));
	close(fd);
}

/* A tracker that is not to be had is left out, any other error ends the program. */
static bool map_region(struct subject *subject, const char *dir, size_t length, bool tell)
{
	char path[4096];
	rvm_options_t options;
	rvm_return_t ret;

	snprintf(path, sizeof(path), "%s/segment.%s", dir, subject->name);
	rvm_init_options(&options);
	make_segment(path, length);
	options.flags |= subject->flag;
	rvm_init_region(&subject->region);
	subject->region.data_dev = path;
	subject->region.dev_length = rvm_mk_offset(0, length);
	ret = rvm_map(&subject->region, &options);
	if (ret == RVM_ETRACKER) {
		if (tell)
			fprintf(stderr, "bench: left out: %s\n", rvm_error());
		return false;
	}
	check(subject->name, ret);
	subject->base = subject->region.vmaddr;
	subject->region.data_dev = NULL;
	return true;
}

/* Memory that belongs to no segment, and is there when it is touched. */
static char *plain_memory(size_t length)
{
	char *base = mmap(NULL, length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		die("mmap", strerror(errno));
	return base;
}

/*
 * Write a file once, so that no later write allocates, and let the page cache forget it: it holds
 * what it was given in large pieces, and would write a whole piece for each small change.
 */
static void write_once(struct subject *subject)
{
	size_t done;

	for (done = 0; done < LIMIT_BYTES; done += 1 << 20)
		if (pwrite(subject->fd, subject->buffer, 1 << 20, done) != 1 << 20)
			die(subject->name, strerror(errno));
	if (fdatasync(subject->fd) || posix_fadvise(subject->fd, 0, 0, POSIX_FADV_DONTNEED))
		die(subject->name, strerror(errno));
}

static bool open_limit(struct subject *subject, const char *dir, const struct workload *workload)
{
	bool direct = subject_is(subject, "limit:direct");
	char path[4096];

	if (!workload->flush || workload->threads > 1 || !workload_ranges(workload))
		return false;
	snprintf(path, sizeof(path), "%s/%s", dir, subject->name);
	subject->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (direct ? O_DIRECT | O_DSYNC : 0),
			   0600);
	if (subject->fd < 0)
		return false;
	subject->record = workload_payload(workload) + 64 + 16UL * workload_ranges(workload);
	if (direct)
		subject->record = (subject->record + SECTOR - 1) & -SECTOR;
	subject->buffer = aligned_alloc(WORKLOAD_PAGE, 1 << 20);
	if (!subject->buffer || subject->record > 1 << 20)
		die(subject->name, "no memory");
	memset(subject->buffer, 0x5a, 1 << 20);
	write_once(subject);
	subject->base = plain_memory(workload->region);
	return true;
}

struct subject *subjects_all(unsigned int *count)
{
	*count = sizeof(subjects) / sizeof(*subjects);
	return subjects;
}

void subjects_open(const char *dir, size_t log)
{
	char path[4096];
	rvm_options_t options;

	snprintf(path, sizeof(path), "%s/log", dir);
	rvm_init_options(&options);
	options.log_dev = path;
	options.create_log_file = rvm_true;
	options.create_log_size = rvm_mk_offset(0, log);
	options.create_log_mode = 0600;
	check("rvm_initialize", RVM_INIT(&options));
}

void subjects_close(void)
{
	check("rvm_terminate", rvm_terminate());
}

void subject_open(struct subject *subject, const char *dir, const struct workload *workload,
		  bool tell)
{
	if (subject->flag) {
		subject->here = map_region(subject, dir, workload->region, tell);
	} else if (subject->limit) {
		subject->here = open_limit(subject, dir, workload);
	} else {
		subject->base = plain_memory(workload->region);
		subject->here = true;
	}
}

static void close_limit(struct subject *subject)
{
	close(subject->fd);
	free(subject->buffer);
}

void subject_close(struct subject *subject, const struct workload *workload)
{
	if (!subject->here)
		return;
	if (subject->flag)
		check("rvm_unmap", rvm_unmap(&subject->region));
	else
		munmap(subject->base, workload->region);
	if (subject->limit)
		close_limit(subject);
	subject->here = false;
}
