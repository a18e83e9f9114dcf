/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of return codes share: a world in which each public function succeeds, with the
 * arguments of all of them, and a table of what makes which function return which code.
 *
 * A row's test builds the world, prepares the function, provokes the code, calls.  Each function
 * has a row RVM_SUCCESS, so that it is the provocation that makes a call fail.
 * selftests/checks/returns holds the rows against the manual: it reads the lines ROW(function,
 * code, provocation).
 *
 * A suite includes this header first.
 */
#ifndef SELFTESTS_LIB_RETURNS_H
#define SELFTESTS_LIB_RETURNS_H

#include "api.h"

#include <limits.h>
#include <rvm/rds.h>
#include <rvm/rvm_segment.h>
#include <rvm/rvm_statistics.h>
#include <sys/resource.h>

#include "format.h"
#include "os.h"

/**
 * struct function - a public function
 * @prepare: what it needs beside the world, or NULL
 * @call: call it with the arguments in the world
 */
struct function {
	void (*prepare)(void);
	int (*call)(void);
};

/* FUNCTION() - define the struct function of a call */
#define FUNCTION(called, before, expression)				\
	static int call_##called(void)					\
	{								\
		return expression;					\
	}								\
	static const struct function of_##called = {			\
		.prepare = before, .call = call_##called }

/* A row. */
FIXTURE_VARIANT(returns) {
	const char *name;		/* of the test */
	const struct function *function;
	int code;			/* what it returns */
	void (*provoke)(void);		/* what makes it return that */
};

/* In the order in which the check reads them. */
#define ROW(called, returned, provocation)				\
	{ .name = #called "." #returned "." #provocation,		\
	  .function = &of_##called, .code = returned, .provoke = provocation }

#define LONG_PATH	(PATH_MAX + 10)

/**
 * struct world - the arguments of all functions, good ones as long as nothing is provoked
 * @place: a directory with a log, which is open, and a segment
 * @version: of the header
 * @options: with the log's path
 * @use_options: those, or NULL
 * @log_len: for a log
 * @use_log_len: that, or NULL
 * @record: of the region that is mapped
 * @use_record: that, or NULL
 * @info: of a region
 * @log_info: of the log
 * @use_log_info: that, or NULL
 * @tid: a transaction that has not begun
 * @use_tid: that, or NULL
 * @mode: of the call
 * @at: address in the region
 * @source: bytes, or NULL
 * @length: how many
 * @lsn: a ticket
 * @use_lsn: that, or NULL
 * @timeout: for it
 * @fd: an answer
 * @use_fd: that, or NULL
 * @path: of what a function makes or uses
 * @use_path: that, or NULL
 * @statistics_version: of the header
 * @statistics: a record
 * @use_statistics: that, or NULL
 * @out: where they are printed
 * @no_memory: have the call find none
 */
struct world {
	struct place place;
	const char *version;
	rvm_options_t options;
	rvm_options_t *use_options;
	rvm_offset_t log_len;
	rvm_offset_t *use_log_len;
	rvm_region_t record;
	rvm_region_t *use_record;
	rvm_region_info_t info;
	rvm_log_info_t log_info;
	rvm_log_info_t *use_log_info;
	rvm_tid_t tid;
	rvm_tid_t *use_tid;
	rvm_mode_t mode;
	char *at;
	const void *source;
	unsigned long length;
	rvm_lsn_t lsn;
	rvm_lsn_t *use_lsn;
	long timeout;
	int fd;
	int *use_fd;
	char path[100];
	char *use_path;
	const char *statistics_version;
	rvm_statistics_t statistics;
	rvm_statistics_t *use_statistics;
	FILE *out;
	bool no_memory;
};

static struct world w;

static char long_path[LONG_PATH];
static const char bytes[PAGE];

/*
 * The system fails where and how a row says.  The calls stand in the table before the library
 * starts and stay there: only these words change, which its threads may read at any time.
 */
enum fault {
	OPENING, READING_LOG, READING_SEGMENT, WRITING_LOG, WRITING_SEGMENT, WRITING_COPY,
	SYNCING_LOG, SYNCING_SEGMENT, SYNCING_NAME, RESIZING, ALLOCATING, MEASURING, RANDOM,
	FAULTS
};

static int faults[FAULTS];

static void fail_with(enum fault fault, int err)
{
	__atomic_store_n(&faults[fault], err, __ATOMIC_SEQ_CST);
}

static int fault_at(enum fault fault)
{
	return -__atomic_load_n(&faults[fault], __ATOMIC_SEQ_CST);
}

/* What an open file is: the log, a segment, or something of a backup. */
static char kind_of(int fd)
{
	char link[64], path[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return '?';
	path[n] = '\0';
	if (strstr(path, "/copy/"))
		return 'c';
	name = strrchr(path, '/');
	return name && !strncmp(name, "/seg", 4) ? 's' : 'l';
}

/*
 * The judges of the order of writes, behind the real calls, do find memory; see below for who does
 * not.
 */
static __thread bool no_memory;

#define SYSTEM(type, fault, expression) ({		\
	bool __none = no_memory;			\
	type __ret = fault_at(fault);			\
							\
	no_memory = false;				\
	if (!__ret)					\
		__ret = os_real.expression;		\
	no_memory = __none;				\
	__ret;						\
})

static int faulty_open(const char *path, int flags, mode_t mode)
{
	return SYSTEM(int, OPENING, open(path, flags, mode));
}

static ssize_t faulty_pread(int fd, void *buf, size_t length, uint64_t offset)
{
	enum fault fault = kind_of(fd) == 's' ? READING_SEGMENT : READING_LOG;

	return SYSTEM(ssize_t, fault, pread(fd, buf, length, offset));
}

static ssize_t faulty_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
			      bool sync)
{
	char kind = kind_of(fd);
	enum fault fault = kind == 's' ? WRITING_SEGMENT : kind == 'c' ? WRITING_COPY : WRITING_LOG;

	return SYSTEM(ssize_t, fault, pwritev(fd, iov, count, offset, sync));
}

static int faulty_datasync(int fd)
{
	enum fault fault = kind_of(fd) == 's' ? SYNCING_SEGMENT : SYNCING_LOG;

	return SYSTEM(int, fault, datasync(fd));
}

static int faulty_sync(int fd)
{
	return SYSTEM(int, SYNCING_NAME, sync(fd));
}

static int faulty_resize(int fd, uint64_t length)
{
	return SYSTEM(int, RESIZING, resize(fd, length));
}

static int faulty_allocate(int fd, uint64_t offset, uint64_t length)
{
	return SYSTEM(int, ALLOCATING, allocate(fd, offset, length));
}

static int faulty_geometry(int fd, struct os_geometry *geometry)
{
	return SYSTEM(int, MEASURING, geometry(fd, geometry));
}

static int faulty_random(void *buf, size_t length)
{
	return SYSTEM(int, RANDOM, random(buf, length));
}

/* The disk of the log is slow: nobody else's write ends. */
static int stalled;

static ssize_t stalling_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
				bool sync)
{
	while (__atomic_load_n(&stalled, __ATOMIC_SEQ_CST))
		usleep(1000);
	return faulty_pwritev(fd, iov, count, offset, sync);
}

static void stand_in(void)
{
	os.open = faulty_open;
	os.pread = faulty_pread;
	os.pwritev = stalling_pwritev;
	os.datasync = faulty_datasync;
	os.sync = faulty_sync;
	os.resize = faulty_resize;
	os.allocate = faulty_allocate;
	os.geometry = faulty_geometry;
	os.random = faulty_random;
}

/*
 * No memory: the suites are linked so that the library's calls come here.  It is this thread that
 * finds none, the library's own have what they need.
 */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return no_memory ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return no_memory ? NULL : __real_aligned_alloc(align, size);
}

char *__wrap_strdup(const char *text)
{
	return no_memory ? NULL : __real_strdup(text);
}

/* The world. */

static void make_arguments(void)
{
	w.version = RVM_VERSION;
	place_options(&w.place, &w.options);
	w.options.flush_interval = 0;	/* nobody flushes but whom a row tells to */
	w.use_options = &w.options;
	w.log_len = rvm_mk_offset(0, LOG_BYTES);
	w.use_log_len = &w.log_len;
	w.use_record = &w.record;
	w.use_log_info = &w.log_info;
	rvm_init_tid(&w.tid);
	w.use_tid = &w.tid;
	w.source = bytes;
	w.length = 100;
	w.use_lsn = &w.lsn;
	w.timeout = -1;
	w.use_fd = &w.fd;
	w.use_path = w.path;
	w.statistics_version = RVM_STATISTICS_VERSION;
	rvm_init_statistics(&w.statistics);
	w.use_statistics = &w.statistics;
	w.out = fopen("/dev/null", "w");
	memset(long_path, 'x', LONG_PATH - 1);
}

/* The library with a log and a region; a small log is soon made. */
static void world_make(void)
{
	stand_in();
	need(place_make(&w.place));
	make_arguments();
	w.options.create_log_size = rvm_mk_offset(0, 64 * 1024);
	need(!RVM_INIT(&w.options));
	need(!map_part(&w.record, w.place.seg, 0, 16 * PAGE, RVM_TRACK_SIGSEGV));
	w.at = w.record.vmaddr;
}

FIXTURE(returns)
{
	int code;
};

FIXTURE_SETUP(returns)
{
}

FIXTURE_TEARDOWN(returns)
{
	if (!geteuid() || !seteuid(0))
		chmod(w.place.dir, 0700);
	place_remove(&w.place);
}

TEST_F_TIMEOUT(returns, as_documented, 120)
{
	world_make();
	if (variant->function->prepare)
		variant->function->prepare();
	variant->provoke();
	no_memory = w.no_memory;
	self->code = variant->function->call();
	no_memory = false;
	EXPECT_EQ(variant->code, self->code) {
		TH_LOG("%s: %s: %s", variant->name, rvm_return(self->code), rvm_error());
	}
	EXPECT_EQ(!variant->code, !*rvm_error());
}

static void register_variants(const FIXTURE_VARIANT(returns) *rows,
			      struct __fixture_variant_metadata *variants, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		variants[i].name = rows[i].name;
		variants[i].data = &rows[i];
		__register_fixture_variant(&_returns_fixture_object, &variants[i]);
	}
}

/* REGISTER() - make each row of an array a variant, before the tests begin */
#define REGISTER(rows)								\
	static void __attribute__((constructor)) register_rows(void)		\
	{									\
		static struct __fixture_variant_metadata			\
			variants[sizeof(rows) / sizeof((rows)[0])];		\
										\
		register_variants(rows, variants, sizeof(rows) / sizeof((rows)[0])); \
	}

#endif
