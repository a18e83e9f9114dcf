// SPDX-License-Identifier: GPL-2.0
/* A region of four times the machine's memory: who commits there never runs out of it. */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include <rvm/rvm.h>

#include "kselftest_harness.h"

#define PAGE		4096UL
#define LEFT		(128UL << 20)	/* memory that is not taken away */
#define CHANGED		(LEFT / PAGE * 3 / 2)	/* pages that are changed */
#define PER_COMMIT	64		/* pages of a transaction */
#define PARTS		8		/* of the run, whose rates are told */
#define STALL		12		/* a part takes at most so many times the median */

FIXTURE(memory) {
	char dir[256];
	char log[300], segment[300];
	rvm_region_t region;
	uint64_t pages;
	void *ballast;
	size_t ballast_size;
};

static uint64_t available(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * 1024;
}

/* Memory that nobody can reclaim, so that the rest is soon full. */
static void take_memory(FIXTURE_DATA(memory) *self)
{
	uint64_t there = available();

	if (there <= LEFT)
		return;
	self->ballast_size = (there - LEFT) & -PAGE;
	self->ballast = mmap(NULL, self->ballast_size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (self->ballast == MAP_FAILED || mlock(self->ballast, self->ballast_size))
		abort();
}

FIXTURE_SETUP(memory)
{
	struct sysinfo info;
	rvm_options_t options;
	int fd;

	ASSERT_EQ(0, sysinfo(&info));
	ASSERT_EQ(0, info.totalswap);
	self->pages = 4 * (info.totalram * (uint64_t)info.mem_unit / PAGE);
	snprintf(self->dir, sizeof(self->dir), "%s/memory-XXXXXX", getenv("TMPDIR") ?: "/var/tmp");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->log, sizeof(self->log), "%s/log", self->dir);
	snprintf(self->segment, sizeof(self->segment), "%s/segment", self->dir);
	rvm_init_options(&options);
	options.log_dev = self->log;
	options.create_log_file = rvm_true;
	/* Truncation of the log alone would come much too late. */
	options.create_log_size = RVM_LENGTH_TO_OFFSET(64UL << 20);
	options.flags |= RVM_TRACK_KMOD;
	ASSERT_EQ(RVM_SUCCESS, RVM_INIT(&options)) TH_LOG("%s", rvm_error());
	rvm_init_region(&self->region);
	self->region.data_dev = self->segment;
	/* With holes: a whole one may be larger than the disk. */
	fd = open(self->segment, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, self->pages * PAGE));
	close(fd);
	ASSERT_EQ(RVM_SUCCESS, rvm_map(&self->region, &options)) TH_LOG("%s", rvm_error());
	take_memory(self);
}

FIXTURE_TEARDOWN(memory)
{
	if (self->ballast)
		munmap(self->ballast, self->ballast_size);
	EXPECT_EQ(RVM_SUCCESS, rvm_unmap(&self->region));
	EXPECT_EQ(RVM_SUCCESS, rvm_terminate());
	unlink(self->log);
	unlink(self->segment);
	rmdir(self->dir);
}

/* The n-th page to be changed; a bijection, so that each is another one. */
static uint64_t page_of(uint64_t n, uint64_t pages)
{
	return n * 2654435761UL % pages;
}

static uint64_t *word(FIXTURE_DATA(memory) *self, uint64_t n)
{
	return (uint64_t *)(self->region.vmaddr + page_of(n, self->pages) * PAGE);
}

/* One in eight is undone: such a page is dirty, and no record says so. */
static bool is_aborted(uint64_t first)
{
	return first / PER_COMMIT % 8 == 7;
}

static void transact(struct __test_metadata *_metadata, FIXTURE_DATA(memory) *self, uint64_t first)
{
	rvm_return_t code;
	rvm_tid_t tid;
	uint64_t i;

	rvm_init_tid(&tid);
	ASSERT_EQ(RVM_SUCCESS, rvm_begin_transaction(&tid, rvm_tracked));
	for (i = first; i < first + PER_COMMIT; i++)
		*word(self, i) = i + 1;
	code = is_aborted(first) ? rvm_abort_transaction(&tid) :
				   rvm_end_transaction(&tid, no_flush);
	ASSERT_EQ(RVM_SUCCESS, code) TH_LOG("%s", rvm_error());
	rvm_free_tid(&tid);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000UL + now.tv_nsec / 1000000;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

TEST_F_TIMEOUT(memory, a_region_of_four_times_the_memory_is_used_at_a_steady_rate, 600)
{
	const char *more = getenv("RVM_PAGES");
	uint64_t count = more ? strtoull(more, NULL, 10) : CHANGED;
	uint64_t part = count / PARTS / PER_COMMIT * PER_COMMIT, ms[PARTS], start, n = 0, end;
	rvm_region_info_t info;
	unsigned int i;

	for (i = 0; i < PARTS; i++) {
		start = now_ms();
		for (end = n + part; n < end; n += PER_COMMIT)
			transact(_metadata, self, n);
		ms[i] = now_ms() - start;
		TH_LOG("%llu pages in %llu ms, %llu MiB are available", (unsigned long long)part,
		       (unsigned long long)ms[i], (unsigned long long)available() >> 20);
	}
	qsort(ms, PARTS, sizeof(*ms), compare);
	EXPECT_LE(ms[PARTS - 1], STALL * ms[PARTS / 2]);
	ASSERT_EQ(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	/* The log has room for all records, so that nobody wrote pages for its sake. */
	EXPECT_LT(0, info.written_back);
	for (n = 0; n < part * PARTS; n++)
		ASSERT_EQ(is_aborted(n / PER_COMMIT * PER_COMMIT) ? 0 : n + 1, *word(self, n)) {
			TH_LOG("store %llu", (unsigned long long)n);
		}
}

TEST_HARNESS_MAIN
