// SPDX-License-Identifier: GPL-2.0
/* Segments that grow, large ones, and many of them, with many regions. */
#include "api.h"

#include <sys/resource.h>

#define GIB		(1UL << 30)
#define SEGMENTS	200
#define REGIONS		1000
#define REGIONS_VM	150	/* where each costs much */

FIXTURE(segments) {
	struct place place;
	rvm_region_t region;
};

FIXTURE_VARIANT(segments)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(segments, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(segments, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(segments, sigsegv) { .flag = RVM_TRACK_SIGSEGV };
FIXTURE_VARIANT_ADD(segments, none) { .flag = RVM_TRACK_NONE };
FIXTURE_VARIANT_ADD(segments, huge) { .flag = RVM_HUGE_PAGES };

FIXTURE_SETUP(segments)
{
	ASSERT_TRUE(place_make(&self->place));
}

FIXTURE_TEARDOWN(segments)
{
	rvm_terminate();
	place_remove(&self->place);
}

/* Commits @value at some places at once. */
static rvm_return_t commit_bytes(char **at, size_t count, char value)
{
	rvm_return_t code;
	rvm_tid_t tid;
	size_t i;

	rvm_init_tid(&tid);
	code = rvm_begin_transaction(&tid, restore);
	for (i = 0; i < count && !code; i++)
		code = rvm_modify_bytes(&tid, at[i], &value, 1);
	if (!code)
		return rvm_end_transaction(&tid, flush);
	rvm_abort_transaction(&tid);
	return code;
}

static rvm_return_t commit_byte(char *at, char value)
{
	return commit_bytes(&at, 1, value);
}

static rvm_return_t grow(char *path, unsigned long length)
{
	return rvm_grow_segment(path, rvm_mk_offset(0, length));
}

TEST_F(segments, grow_while_they_are_mapped)
{
	rvm_region_t more;

	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	EXPECT_REFUSED(RVM_EOFFSET, "beyond", map_part(&more, self->place.seg, SEG_BYTES, PAGE,
						       variant->flag));
	ASSERT_RVM(RVM_SUCCESS, commit_byte(self->region.vmaddr, 'a'));
	ASSERT_RVM(RVM_SUCCESS, grow(self->place.seg, 2 * SEG_BYTES));
	EXPECT_EQ(2 * SEG_BYTES, file_length(self->place.seg));
	ASSERT_RVM(RVM_SUCCESS, map_part(&more, self->place.seg, SEG_BYTES, 0, variant->flag));
	EXPECT_EQ(SEG_BYTES, more.length);
	EXPECT_EQ(2 * SEG_BYTES, RVM_OFFSET_TO_LENGTH(more.dev_length));
	EXPECT_TRUE(holds(more.vmaddr, SEG_BYTES, 0));
	ASSERT_RVM(RVM_SUCCESS, commit_byte(more.vmaddr + SEG_BYTES - 1, 'b'));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ('a', file_byte(self->place.seg, 0));
	EXPECT_EQ('b', file_byte(self->place.seg, 2 * SEG_BYTES - 1));
	EXPECT_RVM(RVM_SUCCESS, grow(self->place.seg, 2 * SEG_BYTES));
}

struct growth {
	struct place *place;
	unsigned long flag;
};

static void grow_and_die(void *arg)
{
	struct growth *g = arg;
	rvm_region_t region;

	need(!place_open(g->place));
	need(!grow(g->place->seg, 2 * SEG_BYTES));
	need(!map_part(&region, g->place->seg, SEG_BYTES, 0, g->flag));
	need(!commit_byte(region.vmaddr, 'c'));
}

TEST_F(segments, that_grew_are_recovered_beyond_their_old_end)
{
	struct growth g = { &self->place, variant->flag };

	ASSERT_EQ(0, in_child(grow_and_die, &g));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('c', file_byte(self->place.seg, SEG_BYTES));
}

TEST_F(segments, never_shrink)
{
	struct growth g = { &self->place, variant->flag };

	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	EXPECT_REFUSED(RVM_EOFFSET, "cannot shrink", grow(self->place.seg, SEG_BYTES - 1));
	EXPECT_REFUSED(RVM_EOFFSET, "cannot shrink", grow(self->place.seg, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_EQ(0, truncate(self->place.seg, SEG_BYTES - PAGE));
	EXPECT_REFUSED(RVM_EOFFSET, "cut off", place_map(&self->place, &self->region,
							 variant->flag));
	EXPECT_REFUSED(RVM_EOFFSET, "cut off", grow(self->place.seg, 2 * SEG_BYTES));
	ASSERT_EQ(0, truncate(self->place.seg, SEG_BYTES));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());

	/* the log names bytes beyond: recovery would lose them */
	ASSERT_EQ(0, in_child(grow_and_die, &g));
	ASSERT_EQ(0, truncate(self->place.seg, SEG_BYTES));
	EXPECT_REFUSED(RVM_ELOG_DAMAGED, "cut off", place_open(&self->place));
	ASSERT_EQ(0, truncate(self->place.seg, 2 * SEG_BYTES));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('c', file_byte(self->place.seg, SEG_BYTES));
	/* it names none: whoever shortens the file may do so */
	ASSERT_EQ(0, truncate(self->place.seg, SEG_BYTES));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	EXPECT_EQ(SEG_BYTES, self->region.length);
}

TEST_F(segments, that_others_made_longer_are_noticed)
{
	rvm_region_t more;

	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	ASSERT_EQ(0, truncate(self->place.seg, SEG_BYTES + PAGE));
	ASSERT_RVM(RVM_SUCCESS, map_part(&more, self->place.seg, SEG_BYTES, 0, variant->flag));
	EXPECT_EQ(PAGE, more.length);
	ASSERT_RVM(RVM_SUCCESS, commit_byte(more.vmaddr, 'd'));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ('d', file_byte(self->place.seg, SEG_BYTES));
}

TEST_F(segments, that_cannot_grow_say_why)
{
	struct rlimit limit, old;
	char none[100];

	EXPECT_REFUSED(RVM_EINIT, "not initialized", grow(self->place.seg, 2 * SEG_BYTES));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	snprintf(none, sizeof(none), "%s/none", self->place.dir);
	EXPECT_REFUSED(RVM_EIO, "no such file", grow(none, PAGE));
	EXPECT_REFUSED(RVM_EREGION, "neither", grow("/dev/null", PAGE));
	EXPECT_REFUSED(RVM_EREGION, "names no segment", grow("", PAGE));
	EXPECT_REFUSED(RVM_EREGION, "names no segment", grow(NULL, PAGE));
	EXPECT_REFUSED(RVM_EOFFSET, "2^64",
		       rvm_grow_segment(self->place.seg, rvm_mk_offset(1, 0)));
	EXPECT_REFUSED(RVM_ETOO_BIG, "cannot grow", grow(self->place.seg, 1UL << 63));

	/* as a full disk, or a quota */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 4 * SEG_BYTES;
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_REFUSED(RVM_ETOO_BIG, "too large", grow(self->place.seg, 8 * SEG_BYTES));
	setrlimit(RLIMIT_FSIZE, &old);
	EXPECT_EQ(SEG_BYTES, file_length(self->place.seg));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	EXPECT_EQ(SEG_BYTES, self->region.length);
}

/* Offsets that do not fit in 32 bits, nor in 31, nor in pages of 31. */
static const unsigned long offsets[] = {
	2 * GIB - PAGE, 4 * GIB - PAGE, 4 * GIB, 4 * GIB + PAGE, 1024 * GIB, 8192 * GIB - 2 * PAGE,
};

#define OFFSETS	(sizeof(offsets) / sizeof(*offsets))

static bool map_offsets(struct place *place, unsigned long flag, char *at[OFFSETS])
{
	rvm_region_t region;
	size_t i;

	for (i = 0; i < OFFSETS; i++) {
		if (map_part(&region, place->seg, offsets[i], PAGE, flag))
			return false;
		at[i] = region.vmaddr + 7;
	}
	return true;
}

static void commit_far_and_die(void *arg)
{
	struct growth *g = arg;
	char *at[OFFSETS];
	size_t i;

	need(!place_open(g->place));
	need(map_offsets(g->place, g->flag, at));
	need(!commit_bytes(at, OFFSETS, 'e'));
	need(!rvm_truncate());
	for (i = 0; i < OFFSETS; i++)
		need(file_byte(g->place->seg, offsets[i] + 7) == 'e');
	need(!commit_bytes(at, OFFSETS, 'f'));
}

TEST_F(segments, have_bytes_far_beyond_4_gib)
{
	struct growth g = { &self->place, variant->flag };
	struct stat st;
	size_t i;

	ASSERT_EQ(0, truncate(self->place.seg, 8192 * GIB - PAGE));
	ASSERT_EQ(0, in_child(commit_far_and_die, &g));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	for (i = 0; i < OFFSETS; i++) {
		EXPECT_EQ('f', file_byte(self->place.seg, offsets[i] + 7));
		EXPECT_EQ(0, file_byte(self->place.seg, offsets[i] + 6));
	}
	ASSERT_EQ(0, stat(self->place.seg, &st));
	EXPECT_GT(100, st.st_blocks * 512 / PAGE) {
		TH_LOG("%ld blocks of a sparse file are taken", (long)st.st_blocks);
	}
}

TEST_F(segments, can_be_many)
{
	static char paths[SEGMENTS][100], *at[SEGMENTS];
	rvm_region_t region;
	int round, i;

	for (i = 0; i < SEGMENTS; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%d", self->place.dir, i);
		ASSERT_TRUE(file_make(paths[i], PAGE, 0));
	}
	for (round = 'g'; round <= 'h'; round++) {
		ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
		for (i = 0; i < SEGMENTS; i++) {
			ASSERT_RVM(RVM_SUCCESS,
				   map_part(&region, paths[i], 0, 0, variant->flag));
			at[i] = region.vmaddr + i;
		}
		ASSERT_RVM(RVM_SUCCESS, commit_bytes(at, SEGMENTS, round));
		ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
		for (i = 0; i < SEGMENTS; i++)
			EXPECT_EQ(round, file_byte(paths[i], i));
		ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	}
}

TEST_F(segments, can_have_many_regions)
{
	static char *at[REGIONS];
	struct rlimit limit;
	rvm_region_t region;
	int n = getenv("RVM_VM") || getenv("RVM_QUICK") ? REGIONS_VM : REGIONS, i;

	/* with the module each region is an open file */
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(0, truncate(self->place.seg, 2 * n * PAGE));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	/* every second page, the last one first */
	for (i = n - 1; i >= 0; i--) {
		ASSERT_RVM(RVM_SUCCESS, map_part(&region, self->place.seg, 2 * i * PAGE, PAGE,
						 variant->flag));
		at[i] = region.vmaddr + i;
	}
	EXPECT_REFUSED(RVM_EOVERLAP, "mapped already",
		       map_part(&region, self->place.seg, PAGE, 2 * PAGE, variant->flag));
	ASSERT_RVM(RVM_SUCCESS, commit_bytes(at, n, 'i'));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	for (i = 0; i < n; i++)
		EXPECT_EQ('i', file_byte(self->place.seg, 2 * i * PAGE + i));
	for (i = 0; i < n; i++) {
		rvm_init_region(&region);
		region.vmaddr = at[i] - i;
		ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&region));
	}
}

TEST_F(segments, say_when_there_are_no_descriptors)
{
	struct rlimit limit, old;

	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	limit = old;
	limit.rlim_cur = 3;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_REFUSED(RVM_ENO_MEMORY, "Too many open files",
		       place_map(&self->place, &self->region, variant->flag));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
}

/* Bytes of this process's own memory, not those of a file. */
static size_t anonymous(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[128];
	size_t kib = 0;

	while (status && !kib && fgets(line, sizeof(line), status))
		if (sscanf(line, "RssAnon: %zu", &kib) != 1)
			kib = 0;
	need(status && kib);
	fclose(status);
	return kib << 10;
}

/* Most kernels have one page of zeros for what is only read, some virtual machines do not. */
static bool has_zero_page(void)
{
	size_t length = GIB / 64, before = anonymous();
	volatile char *at = mmap(NULL, length, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool costs;

	need(at != MAP_FAILED);
	for (size_t i = 0; i < length; i += PAGE)
		(void)at[i];
	costs = anonymous() > before + length / 2;
	munmap((void *)at, length);
	return !costs;
}

/*
 * A range of 5 GiB, without old values: nothing of that size is ever in memory, but that to be
 * refused each page is read.
 */
TEST_F(segments, refuse_a_range_that_the_log_can_never_hold)
{
	/* the VM is slow */
	size_t length = getenv("RVM_VM") ? GIB / 16 : 5 * GIB;
	struct place *place = &self->place;
	size_t before, read;	/* bytes of memory, and those that reading takes */
	rvm_tid_t tid;

	ASSERT_EQ(0, truncate(place->seg, 6 * GIB));
	ASSERT_RVM(RVM_SUCCESS, place_open(place));
	ASSERT_RVM(RVM_SUCCESS, map_part(&self->region, place->seg, 0, 0, variant->flag));
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, no_restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, self->region.vmaddr + PAGE, length));
	put(self->region.vmaddr + PAGE, 'j');
	before = anonymous();
	EXPECT_REFUSED(RVM_ETOO_BIG, "larger log", rvm_end_transaction(&tid, flush));
	EXPECT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tid));
	EXPECT_EQ(0, self->region.vmaddr[PAGE]);
	read = variant->flag == RVM_HUGE_PAGES && !has_zero_page() ? length : 0;
	EXPECT_GT(before + read + length / 2, anonymous());
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, commit_byte(self->region.vmaddr, 'k'));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ('k', file_byte(place->seg, 0));
}

/* A log that crashed is made larger, then smaller; what it held is in the segment. */
TEST_F(segments, keep_what_a_log_of_another_size_held)
{
	struct growth g = { &self->place, variant->flag };
	rvm_offset_t large = rvm_mk_offset(0, 3 * LOG_BYTES), small = rvm_mk_offset(0, PAGE);
	rvm_offset_t none = rvm_mk_offset(0, 0), high = rvm_mk_offset(1, 0);
	rvm_options_t options;

	place_options(&self->place, &options);
	ASSERT_EQ(0, in_child(grow_and_die, &g));
	EXPECT_REFUSED(RVM_EINIT, "not initialized", rvm_resize_log(&options, &large));
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	EXPECT_REFUSED(RVM_EOPTIONS, "no options", rvm_resize_log(NULL, &large));
	EXPECT_REFUSED(RVM_EOFFSET, "missing", rvm_resize_log(&options, NULL));
	EXPECT_REFUSED(RVM_EOFFSET, "2^64", rvm_resize_log(&options, &high));
	EXPECT_REFUSED(RVM_EOFFSET, "at least one byte", rvm_resize_log(&options, &none));
	ASSERT_RVM(RVM_SUCCESS, rvm_resize_log(&options, &large));
	EXPECT_EQ('c', file_byte(self->place.seg, SEG_BYTES));
	EXPECT_EQ(3 * LOG_BYTES + 73728, file_length(self->place.log));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_options(&options));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	ASSERT_RVM(RVM_SUCCESS, commit_byte(self->region.vmaddr, 'l'));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_resize_log(&options, &small));
	EXPECT_EQ('l', file_byte(self->place.seg, 0));
	EXPECT_EQ(PAGE + 73728, file_length(self->place.log));
	options.log_dev = self->place.seg;
	EXPECT_REFUSED(RVM_ELOG, "not a log", rvm_resize_log(&options, &small));
}

static void __attribute__((constructor)) variants(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
