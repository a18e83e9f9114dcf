// SPDX-License-Identifier: GPL-2.0
/*
 * What was wrong in CMU RVM 1.29, reproduced on it, and must not be wrong here.
 *
 *	a no_flush commit logs what is in memory later
 *		test_api_crash: a_late_flush_logs_the_bytes_of_the_commit_...
 *	an empty flush commit does not flush those before it
 *		test_api_crash: an_empty_commit_in_flush_mode_makes_those_before_it_durable
 *	unmap and map again shows stale bytes
 *		test_api_map: unmap_and_map_again_shows_the_committed_bytes
 *	an empty data file ends the process
 *		test_api_refusal: an_empty_segment_is_refused
 *	range headers have no checksum
 *		test_api_damage: a_flipped_bit_in_a_range_header_is_told
 *	there is one status block
 *		test_api_damage: one_of_the_two_status_copies_is_enough
 *	a second process recovers a log in use
 *		test_api_life: a_log_that_another_process_has_open_is_locked
 *	set_range forgotten goes unseen
 *		test_api_strict, and tracked transactions, which need none
 *	a map copies all of the segment
 *		here, and test_api_map: a_terabyte_is_mapped_without_touching_it
 *	a clock that is set loses flushed commits; a crash just after a forced truncation
 *	ruins the log; a nearly full log ends the process, and merged commits are lost count of
 *		here
 */
#include "api.h"

#include <sys/syscall.h>
#include <time.h>

#include "os.h"

#define YEAR	(365 * 86400L)

/* Added to what every clock of the calendar tells this program, the library included. */
static long shift;
static long clock_calls;

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = (int)syscall(SYS_clock_gettime, id, ts);

	__atomic_add_fetch(&clock_calls, 1, __ATOMIC_RELAXED);
	if (!ret && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += shift;
	return ret;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}

/* One life: the clock it begins with, the clock before its last commit, what it writes. */
struct life {
	struct place *place;
	long begin;
	long later;
	char first;
	char second;
};

static void commit_byte(rvm_region_t *region, size_t at, char value, rvm_mode_t mode)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(rvm_begin_transaction(&tid, restore) == RVM_SUCCESS);
	need(rvm_set_range(&tid, region->vmaddr + at, 1) == RVM_SUCCESS);
	region->vmaddr[at] = value;
	need(rvm_end_transaction(&tid, mode) == RVM_SUCCESS);
}

static void live(void *arg)
{
	struct life *life = arg;
	rvm_region_t region;

	shift = life->begin;
	need(place_open(life->place) == RVM_SUCCESS);
	need(place_map(life->place, &region, RVM_TRACK_NONE) == RVM_SUCCESS);
	commit_byte(&region, 0, life->first, flush);
	commit_byte(&region, 1, life->first, flush);
	shift = life->later;
	commit_byte(&region, 1, life->second, no_flush);
	commit_byte(&region, 2, life->second, flush);
}

FIXTURE(defects) {
	struct place place;
};

FIXTURE_SETUP(defects)
{
	ASSERT_TRUE(place_make(&self->place));
}

FIXTURE_TEARDOWN(defects)
{
	shift = 0;
	os = os_real;
	rvm_terminate();
	place_remove(&self->place);
}

FIXTURE_VARIANT(defects)
{
	long between;
};

FIXTURE_VARIANT_ADD(defects, a_minute_back) { .between = -60 };
FIXTURE_VARIANT_ADD(defects, a_year_ahead) { .between = YEAR };

TEST_F(defects, a_clock_set_between_commit_and_restart_loses_nothing)
{
	struct life life = { &self->place, 0, 0, 'a', 'b' };
	long before = clock_calls;
	time_t now = time(NULL);

	ASSERT_EQ(0, in_child(live, &life));
	shift = variant->between;
	EXPECT_LE(labs(now + shift - time(NULL)), 60);
	EXPECT_LT(before, clock_calls);
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('a', file_byte(self->place.seg, 0));
	EXPECT_EQ('b', file_byte(self->place.seg, 1));
	EXPECT_EQ('b', file_byte(self->place.seg, 2));
}

TEST_F(defects, a_clock_set_between_commits_keeps_their_order)
{
	struct life life = { &self->place, 0, variant->between, 'a', 'b' };

	ASSERT_EQ(0, in_child(live, &life));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('a', file_byte(self->place.seg, 0));
	EXPECT_EQ('b', file_byte(self->place.seg, 1));
	EXPECT_EQ('b', file_byte(self->place.seg, 2));
}

TEST_F(defects, lives_whose_clocks_go_back_and_forth_build_on_each_other)
{
	struct life life = { &self->place, 0, 0, 'A', 'a' };
	int i;

	for (i = 0; i < 6; i++) {
		life.begin = i % 2 ? variant->between : 0;
		life.later = -life.begin;
		life.first = 'A' + i;
		life.second = 'a' + i;
		ASSERT_EQ(0, in_child(live, &life));
	}
	shift = -variant->between;
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('F', file_byte(self->place.seg, 0));
	EXPECT_EQ('f', file_byte(self->place.seg, 1));
	EXPECT_EQ('f', file_byte(self->place.seg, 2));
}

/* A log of 64 KiB is filled by commits of a page; the process dies at one of its calls. */
#define SMALL	(64 * 1024UL)
#define FILL	40

struct forced {
	struct place *place;
	int calls_left;
	int acknowledged[2];
};

static struct forced *dying;

static void die_in_time(void)
{
	if (dying && !dying->calls_left--)
		_exit(7);
}

static ssize_t dying_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	die_in_time();
	return os_real.pwritev(fd, iov, count, offset, sync);
}

static int dying_datasync(int fd)
{
	die_in_time();
	return os_real.datasync(fd);
}

static void small_log(struct place *place, rvm_options_t *options)
{
	place_options(place, options);
	options->create_log_size.low = SMALL;
}

/* Commits until the log has been truncated twice for lack of room, and tells how far it came. */
static void force_truncations(void *arg)
{
	struct forced *f = arg;
	rvm_options_t options;
	rvm_region_t region;
	rvm_tid_t tid;
	int i, told;

	small_log(f->place, &options);
	need(RVM_INIT(&options) == RVM_SUCCESS);
	need(place_map(f->place, &region, RVM_TRACK_NONE) == RVM_SUCCESS);
	os.pwritev = dying_pwritev;
	os.datasync = dying_datasync;
	dying = f;
	rvm_init_tid(&tid);
	for (i = 1; i <= FILL; i++) {
		need(rvm_begin_transaction(&tid, restore) == RVM_SUCCESS);
		need(rvm_set_range(&tid, region.vmaddr, PAGE) == RVM_SUCCESS);
		memset(region.vmaddr, i, PAGE);
		need(rvm_end_transaction(&tid, flush) == RVM_SUCCESS);
		told = i;
		need(write(f->acknowledged[1], &told, sizeof(told)) == sizeof(told));
	}
}

static int last_told(struct forced *f)
{
	int told = 0, n;

	close(f->acknowledged[1]);
	while (read(f->acknowledged[0], &n, sizeof(n)) == sizeof(n))
		told = n;
	close(f->acknowledged[0]);
	return told;
}

TEST(a_crash_at_any_call_of_a_forced_truncation_leaves_a_log_that_recovers)
{
	int i, status = 7, told, byte;
	rvm_options_t options;
	struct forced f = {};
	struct place place;

	for (i = 0; status == 7; i++) {
		ASSERT_TRUE(place_make(&place));
		f.place = &place;
		f.calls_left = i;
		ASSERT_EQ(0, pipe(f.acknowledged));
		status = in_child(force_truncations, &f);
		ASSERT_TRUE(status == 7 || !status);
		told = last_told(&f);
		small_log(&place, &options);
		ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&options));
		ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
		byte = file_byte(place.seg, 0);
		ASSERT_TRUE(byte == told || byte == told + 1) {
			TH_LOG("call %d: %d was acknowledged, %d is there", i, told, byte);
		}
		ASSERT_TRUE(file_holds(place.seg, 0, PAGE, byte));
		place_remove(&place);
	}
	EXPECT_EQ(FILL, told);
	/* Both truncations were met: more calls than commits have, and each was died at. */
	EXPECT_LT(FILL + 4, i);
}

TEST(a_log_that_is_nearly_full_takes_merged_commits_of_every_size)
{
	rvm_options_t options;
	rvm_region_t region;
	struct place place;
	size_t size, at;
	rvm_tid_t tid;
	int i;

	ASSERT_TRUE(place_make(&place));
	small_log(&place, &options);
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&options));
	ASSERT_RVM(RVM_SUCCESS, place_map(&place, &region, RVM_TRACK_NONE));
	rvm_init_tid(&tid);
	for (i = 0; i < 3000; i++) {
		size = 1 + i * 37 % 3000;
		at = i % 16 * PAGE;
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, no_restore));
		ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, region.vmaddr + at, size));
		memset(region.vmaddr + at, i, size);
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, i % 50 ? no_flush : flush));
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, no_restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_query(&options, NULL));
	EXPECT_EQ(1, options.n_uncommit);
	rvm_free_options(&options);
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, no_flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&place));
	for (i = 3000 - 16; i < 3000; i++)
		EXPECT_TRUE(file_holds(place.seg, i % 16 * PAGE, 1 + i * 37 % 3000, i & 0xff));
	place_remove(&place);
}

/* KiB of the mapping at @at that are in memory, or -1. */
static long resident(const char *at)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	char line[256];
	long kib = -1;
	bool here = false;

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (unsigned long)at && (unsigned long)at < end;
		if (here && sscanf(line, "Rss: %ld kB", &kib) == 1)
			break;
	}
	if (smaps)
		fclose(smaps);
	return kib;
}

TEST(a_map_copies_nothing)
{
	rvm_region_t region;
	struct place place;

	ASSERT_TRUE(place_make(&place));
	ASSERT_EQ(0, truncate(place.seg, 256L << 20));
	ASSERT_RVM(RVM_SUCCESS, place_open(&place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&place, &region, 0));
	EXPECT_LE(0, resident(region.vmaddr));
	EXPECT_GT(1024, resident(region.vmaddr));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	place_remove(&place);
}

TEST_HARNESS_MAIN
