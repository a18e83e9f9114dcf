/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of the public interface share: a place for their files, a
 * log and a region in it, crashes, threads that take turns, and a way to leave
 * out the trackers that this machine does not have.
 *
 * A suite includes this header first.
 */
#ifndef SELFTESTS_LIB_API_H
#define SELFTESTS_LIB_API_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rvm/rvm.h>

#include "kselftest_harness.h"

/* The harness gives a test parameters that it need not use. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define PAGE		4096UL
#define LOG_BYTES	(1024 * 1024UL)
#define SEG_PAGES	64UL
#define SEG_BYTES	(SEG_PAGES * PAGE)

/*
 * A check inside a child process that ends without returning to the harness:
 * says what failed and fails the child.
 */
#define need(expr) do { \
	if (!(expr)) { \
		fprintf(stderr, "# %s:%d: need(%s): %s\n", __FILE__, __LINE__, #expr, \
			rvm_error()); \
		_exit(1); \
	} \
} while (0)

/* A check that a call of the library succeeds, with its own words if not. */
#define ASSERT_RVM(expected, call) do { \
	rvm_return_t __got = (call); \
	ASSERT_EQ(expected, __got) { \
		TH_LOG("%s: %s: %s", #call, rvm_return(__got), rvm_error()); \
	} \
} while (0)

#define EXPECT_RVM(expected, call) do { \
	rvm_return_t __got = (call); \
	EXPECT_EQ(expected, __got) { \
		TH_LOG("%s: %s: %s", #call, rvm_return(__got), rvm_error()); \
	} \
} while (0)

/* As EXPECT_RVM for a failing call, whose text must name @word. */
#define EXPECT_REFUSED(expected, word, call) do { \
	const char *__word = (word); \
	\
	EXPECT_RVM(expected, call); \
	EXPECT_NE(0, strlen(rvm_error())); \
	EXPECT_NE(NULL, strstr(rvm_error(), __word)) { \
		TH_LOG("'%s' does not name '%s'", rvm_error(), __word); \
	} \
} while (0)

/**
 * struct place - a directory of its own for a test
 * @dir: the directory
 * @log: path of a log in it; not made yet
 * @seg: path of a segment in it, SEG_BYTES of zeros
 */
struct place {
	char dir[64];
	char log[80];
	char seg[80];
};

/* Make a file of @length bytes, all @fill. */
static inline bool file_make(const char *path, size_t length, int fill)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char page[PAGE];
	size_t done;

	if (fd < 0)
		return false;
	memset(page, fill, sizeof(page));
	for (done = 0; done < length; done += PAGE) {
		size_t n = length - done < PAGE ? length - done : PAGE;

		if (write(fd, page, n) != (ssize_t)n)
			break;
	}
	close(fd);
	return done >= length;
}

/* Read @length bytes of a file; false if there are not so many. */
static inline bool file_read(const char *path, size_t offset, void *buf, size_t length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = pread(fd, buf, length, (off_t)offset);
	close(fd);
	return n == (ssize_t)length;
}

/* Overwrite @length bytes of a file that exists. */
static inline bool file_write(const char *path, size_t offset, const void *buf, size_t length)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = pwrite(fd, buf, length, (off_t)offset);
	close(fd);
	return n == (ssize_t)length;
}

/* A file's length, or -1. */
static inline long file_length(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (long)st.st_size;
}

/* One byte of a file, or -1. */
static inline int file_byte(const char *path, size_t offset)
{
	unsigned char byte;

	return file_read(path, offset, &byte, 1) ? byte : -1;
}

/* Are @length bytes of a file all @value? */
static inline bool file_holds(const char *path, size_t offset, size_t length, int value)
{
	unsigned char *buf = malloc(length);
	bool same = buf && file_read(path, offset, buf, length);
	size_t i;

	for (i = 0; same && i < length; i++)
		same = buf[i] == (unsigned char)value;
	free(buf);
	return same;
}

/* Are @length bytes of memory all @value? */
static inline bool holds(const void *at, size_t length, int value)
{
	const unsigned char *p = at;

	while (length && *p == (unsigned char)value) {
		p++;
		length--;
	}
	return !length;
}

/* A store that the compiler neither drops nor moves. */
static inline void put(char *at, char value)
{
	__atomic_store_n(at, value, __ATOMIC_SEQ_CST);
}

/* Make a place; false says that the machine, not the library, is at fault. */
static inline bool place_make(struct place *place)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || strlen(tmp) > 32)
		tmp = "/tmp";
	snprintf(place->dir, sizeof(place->dir), "%s/rvm-api-XXXXXX", tmp);
	if (!mkdtemp(place->dir))
		return false;
	snprintf(place->log, sizeof(place->log), "%s/log", place->dir);
	snprintf(place->seg, sizeof(place->seg), "%s/seg", place->dir);
	return file_make(place->seg, SEG_BYTES, 0);
}

/* Remove a place with its files; there are no directories below it but empty ones. */
static inline void place_remove(struct place *place)
{
	DIR *dir = opendir(place->dir);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (unlinkat(dirfd(dir), entry->d_name, 0) && errno == EISDIR)
			unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
	rmdir(place->dir);
}

/* Options that open the place's log and make it if it is missing. */
static inline void place_options(struct place *place, rvm_options_t *options)
{
	rvm_init_options(options);
	options->log_dev = place->log;
	options->truncate = 0;
	options->create_log_file = rvm_true;
	options->create_log_size = rvm_mk_offset(0, LOG_BYTES);
	options->create_log_mode = 0600;
}

/* Initialize the library on the place's log. */
static inline rvm_return_t place_open(struct place *place)
{
	rvm_options_t options;

	place_options(place, &options);
	return RVM_INIT(&options);
}

/* From now on each transaction has a record of its own. */
static inline rvm_return_t merge_nothing(void)
{
	rvm_options_t options;
	rvm_return_t code;

	rvm_init_options(&options);
	code = rvm_query(&options, NULL);
	options.flags &= ~RVM_COALESCE_TRANS;
	return code ? code : rvm_set_options(&options);
}

/* Map @length bytes of a segment from @offset on, with flags. */
static inline rvm_return_t map_part(rvm_region_t *region, char *path, size_t offset,
				    size_t length, unsigned long flags)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.flags |= flags;
	rvm_init_region(region);
	region->data_dev = path;
	region->offset = rvm_mk_offset(0, offset);
	region->length = length;
	return rvm_map(region, &options);
}

/* Make a segment of @length bytes, and map all of it. */
static inline rvm_return_t map_new(rvm_region_t *region, char *path, size_t length,
				   unsigned long flags)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.flags |= flags | RVM_CREATE_SEGMENT;
	rvm_init_region(region);
	region->data_dev = path;
	region->dev_length = rvm_mk_offset(0, length);
	return rvm_map(region, &options);
}

/* Map all of the place's segment. */
static inline rvm_return_t place_map(struct place *place, rvm_region_t *region,
				     unsigned long flags)
{
	return map_part(region, place->seg, 0, 0, flags);
}

/* Recover the place's log and leave it; what is durable is then in the segment. */
static inline rvm_return_t place_recover(struct place *place)
{
	rvm_return_t ret = place_open(place);

	return ret ? ret : rvm_terminate();
}

/*
 * Run @fn in a child that ends with _exit, so that nothing of the library's
 * state outlives it: a crash of the program.  Return: the child's exit status,
 * or 128 and the number of the signal that killed it.
 */
static inline int in_child(void (*fn)(void *arg), void *arg)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		fn(arg);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/**
 * struct hand - a second thread that does one thing at a time when told
 * @thread: the thread
 * @lock: protects what follows
 * @cond: signalled at each change
 * @fn: what it is to do; NULL when it has done it
 * @arg: for @fn
 * @quit: it is to end
 */
struct hand {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	void (*fn)(void *arg);
	void *arg;
	bool quit;
};

static inline void *hand_loop(void *arg)
{
	struct hand *hand = arg;

	pthread_mutex_lock(&hand->lock);
	while (!hand->quit) {
		if (hand->fn) {
			pthread_mutex_unlock(&hand->lock);
			hand->fn(hand->arg);
			pthread_mutex_lock(&hand->lock);
			hand->fn = NULL;
			pthread_cond_broadcast(&hand->cond);
		} else {
			pthread_cond_wait(&hand->cond, &hand->lock);
		}
	}
	pthread_mutex_unlock(&hand->lock);
	return NULL;
}

static inline bool hand_start(struct hand *hand)
{
	*hand = (struct hand){ .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_cond_init(&hand->cond, NULL);
	return !pthread_create(&hand->thread, NULL, hand_loop, hand);
}

/* Tell the hand what to do; it does it now, beside the caller. */
static inline void hand_tell(struct hand *hand, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&hand->lock);
	hand->fn = fn;
	hand->arg = arg;
	pthread_cond_broadcast(&hand->cond);
	pthread_mutex_unlock(&hand->lock);
}

/* Wait up to @ms milliseconds until the hand is idle: was it? */
static inline bool hand_idle(struct hand *hand, long ms)
{
	struct timespec until;
	bool idle;
	int ret = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&hand->lock);
	while (hand->fn && !ret)
		ret = pthread_cond_timedwait(&hand->cond, &hand->lock, &until);
	idle = !hand->fn;
	pthread_mutex_unlock(&hand->lock);
	return idle;
}

/* Have the hand do something and wait for it; false after 20 seconds. */
static inline bool hand_do(struct hand *hand, void (*fn)(void *arg), void *arg)
{
	hand_tell(hand, fn, arg);
	return hand_idle(hand, 20000);
}

static inline void hand_stop(struct hand *hand)
{
	pthread_mutex_lock(&hand->lock);
	hand->quit = true;
	pthread_cond_broadcast(&hand->cond);
	pthread_mutex_unlock(&hand->lock);
	pthread_join(hand->thread, NULL);
}

/* struct hand_task - what a hand is told to do with a tracked transaction, and what came of it */
struct hand_task {
	rvm_tid_t *tid;
	rvm_region_t *region;
	size_t page;
	char byte;
	rvm_return_t code;
	char text[256];
};

static inline void hand_begin(void *arg)
{
	struct hand_task *task = arg;

	task->code = rvm_begin_tracked(task->tid, task->region);
	snprintf(task->text, sizeof(task->text), "%s", rvm_error());
}

/*
 * Must the tracker work here that a variant is named after, as "kmod" or
 * "kmod_explicit"?  kmod in the VM and where RVM_TEST_KMOD is set, uffd from
 * Linux 6.7 on, the others everywhere: there its tests run, and fail if it does not work.
 */
static inline bool tracker_expected(const char *name)
{
	struct utsname uts;
	int major = 0, minor = 0;

	if (!strncmp(name, "kmod", 4))
		return getenv("RVM_VM") || getenv("RVM_TEST_KMOD");
	if (strncmp(name, "uffd", 4))
		return true;
	if (uname(&uts) || sscanf(uts.release, "%d.%d", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && minor >= 7);
}

/* Is the tracker one of those of RVM_LEAVE_OUT, as "sigsegv none"? */
static inline bool tracker_left_out(const char *name)
{
	const char *list = getenv("RVM_LEAVE_OUT");
	size_t n;

	for (; list && *list; list += n + strspn(list + n, " ")) {
		n = strcspn(list, " ");
		if (n && !strncmp(name, list, n))
			return true;
	}
	return false;
}

/* Would one variant at least stay? */
static inline bool may_leave_out(const struct __fixture_metadata *fixture)
{
	struct __fixture_variant_metadata *variant;

	for (variant = fixture->variant; variant; variant = variant->next)
		if (tracker_expected(variant->name) && !tracker_left_out(variant->name))
			return true;
	return false;
}

/*
 * Take the variants out whose trackers are not expected here, or left out.  A suite with
 * variants calls it in its last constructor.
 */
static inline void drop_variants(void)
{
	struct __fixture_metadata *fixture;
	struct __fixture_variant_metadata **link;

	for (fixture = __fixture_list; fixture; fixture = fixture->next) {
		bool may = may_leave_out(fixture);

		for (link = &fixture->variant; *link;) {
			const char *name = (*link)->name;

			if (tracker_expected(name) && !(may && tracker_left_out(name))) {
				link = &(*link)->next;
				continue;
			}
			printf("# %s.%s: left out here\n", fixture->name, name);
			*link = (*link)->next;
		}
	}
}

#endif
