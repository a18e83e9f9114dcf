// SPDX-License-Identifier: GPL-2.0
/* Regions: what may be mapped where, by which tracker, and what is refused. */
#include "api.h"
#include "os.h"

#include <sched.h>
#include <sys/mount.h>

FIXTURE(map) {
	struct place place;
	rvm_region_t region;
};

FIXTURE_VARIANT(map)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(map, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(map, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(map, sigsegv) { .flag = RVM_TRACK_SIGSEGV };
FIXTURE_VARIANT_ADD(map, none) { .flag = RVM_TRACK_NONE };
FIXTURE_VARIANT_ADD(map, huge) { .flag = RVM_HUGE_PAGES };

FIXTURE_SETUP(map)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_TRUE(file_make(self->place.seg, SEG_BYTES, 's'));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
}

FIXTURE_TEARDOWN(map)
{
	rvm_terminate();
	place_remove(&self->place);
}

TEST_F(map, length_0_maps_the_whole_segment_and_shows_its_bytes)
{
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	EXPECT_EQ(SEG_BYTES, self->region.length);
	EXPECT_EQ(SEG_BYTES, RVM_OFFSET_TO_LENGTH(self->region.dev_length));
	ASSERT_NE(NULL, self->region.vmaddr);
	EXPECT_EQ(0, (unsigned long)self->region.vmaddr % PAGE);
	EXPECT_TRUE(holds(self->region.vmaddr, SEG_BYTES, 's'));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, a_part_shows_the_bytes_at_its_offset)
{
	char mark[PAGE];

	memset(mark, 'm', sizeof(mark));
	ASSERT_TRUE(file_write(self->place.seg, 5 * PAGE, mark, PAGE));
	ASSERT_RVM(RVM_SUCCESS, map_part(&self->region, self->place.seg, 5 * PAGE, 2 * PAGE,
					 variant->flag));
	EXPECT_EQ(2 * PAGE, self->region.length);
	EXPECT_TRUE(holds(self->region.vmaddr, PAGE, 'm'));
	EXPECT_TRUE(holds(self->region.vmaddr + PAGE, PAGE, 's'));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, length_0_with_an_offset_maps_the_rest)
{
	ASSERT_RVM(RVM_SUCCESS, map_part(&self->region, self->place.seg, 60 * PAGE, 0,
					 variant->flag));
	EXPECT_EQ(4 * PAGE, self->region.length);
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, a_length_is_rounded_up_to_pages)
{
	ASSERT_RVM(RVM_SUCCESS, map_part(&self->region, self->place.seg, 0, PAGE + 1,
					 variant->flag));
	EXPECT_EQ(2 * PAGE, self->region.length);
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, an_offset_off_a_page_or_beyond_the_segment_is_refused)
{
	rvm_options_t options;

	EXPECT_REFUSED(RVM_EOFFSET, self->place.seg,
		       map_part(&self->region, self->place.seg, 100, PAGE, variant->flag));
	EXPECT_REFUSED(RVM_EOFFSET, self->place.seg,
		       map_part(&self->region, self->place.seg, SEG_BYTES, PAGE,
				variant->flag));
	EXPECT_REFUSED(RVM_EOFFSET, self->place.seg,
		       map_part(&self->region, self->place.seg, 0, SEG_BYTES + 1,
				variant->flag));
	EXPECT_REFUSED(RVM_EOFFSET, self->place.seg,
		       map_part(&self->region, self->place.seg, PAGE, SEG_BYTES,
				variant->flag));
	EXPECT_RVM(RVM_EOFFSET, map_part(&self->region, self->place.seg, PAGE,
					 ~0UL - PAGE / 2, variant->flag));
	rvm_init_options(&options);
	options.flags |= variant->flag;
	rvm_init_region(&self->region);
	self->region.data_dev = self->place.seg;
	self->region.offset = RVM_MK_OFFSET(1, 0);
	EXPECT_RVM(RVM_EOFFSET, rvm_map(&self->region, &options));
	EXPECT_EQ(NULL, self->region.vmaddr);
}

TEST_F(map, a_second_map_of_the_same_part_is_refused)
{
	rvm_region_t second, third;

	ASSERT_RVM(RVM_SUCCESS, map_part(&self->region, self->place.seg, 2 * PAGE, 4 * PAGE,
					 variant->flag));
	EXPECT_REFUSED(RVM_EOVERLAP, self->place.seg,
		       map_part(&second, self->place.seg, 2 * PAGE, 4 * PAGE, variant->flag));
	EXPECT_RVM(RVM_EOVERLAP, map_part(&second, self->place.seg, 5 * PAGE, PAGE,
					  variant->flag));
	EXPECT_RVM(RVM_EOVERLAP, map_part(&second, self->place.seg, 0, 3 * PAGE,
					  variant->flag));
	EXPECT_RVM(RVM_EOVERLAP, map_part(&second, self->place.seg, 0, 0, variant->flag));
	ASSERT_RVM(RVM_SUCCESS, map_part(&second, self->place.seg, 0, 2 * PAGE,
					 variant->flag));
	ASSERT_RVM(RVM_SUCCESS, map_part(&third, self->place.seg, 6 * PAGE, 0,
					 variant->flag));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&third));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&second));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, the_same_segment_by_another_path_is_the_same_segment)
{
	char other[128];
	rvm_region_t second;

	snprintf(other, sizeof(other), "%s/link", self->place.dir);
	ASSERT_EQ(0, symlink(self->place.seg, other));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	EXPECT_RVM(RVM_EOVERLAP, map_part(&second, other, 0, PAGE, variant->flag));
	snprintf(other, sizeof(other), "%s/./seg", self->place.dir);
	EXPECT_RVM(RVM_EOVERLAP, map_part(&second, other, 0, PAGE, variant->flag));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, the_callers_own_address_is_used)
{
	char *want = (char *)0x200000000000;	/* far from all that the kernel chooses */
	rvm_options_t options;

	rvm_init_options(&options);
	options.flags |= variant->flag;
	rvm_init_region(&self->region);
	self->region.data_dev = self->place.seg;
	self->region.vmaddr = want;
	ASSERT_RVM(RVM_SUCCESS, rvm_map(&self->region, &options));
	EXPECT_EQ(want, self->region.vmaddr);
	EXPECT_TRUE(holds(want, SEG_BYTES, 's'));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, addresses_in_use_are_refused_and_untouched)
{
	char *used = mmap(NULL, SEG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	rvm_options_t options;

	ASSERT_NE(MAP_FAILED, used);
	memset(used, 'u', SEG_BYTES);
	rvm_init_options(&options);
	options.flags |= variant->flag;
	rvm_init_region(&self->region);
	self->region.data_dev = self->place.seg;
	self->region.vmaddr = used;
	EXPECT_RVM(RVM_EVM_OVERLAP, rvm_map(&self->region, &options));
	EXPECT_NE(0, strlen(rvm_error()));
	self->region.vmaddr = used + SEG_BYTES - PAGE;
	EXPECT_RVM(RVM_EVM_OVERLAP, rvm_map(&self->region, &options));
	EXPECT_TRUE(holds(used, SEG_BYTES, 'u'));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, an_address_off_a_page_is_refused)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.flags |= variant->flag;
	rvm_init_region(&self->region);
	self->region.data_dev = self->place.seg;
	self->region.vmaddr = (char *)0x700000000010;
	EXPECT_RVM(RVM_EREGION, rvm_map(&self->region, &options));
	EXPECT_NE(0, strlen(rvm_error()));
}

TEST_F(map, the_tracker_asked_for_is_the_one_in_use_and_says_so)
{
	rvm_region_info_t info;

	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_EQ(variant->flag == RVM_HUGE_PAGES ? RVM_TRACK_NONE : variant->flag, info.tracker);
	EXPECT_NE(0, strlen(info.why));
	EXPECT_EQ(rvm_false, info.strict);
	EXPECT_EQ(0, info.first_writes);
	EXPECT_EQ(0, info.written_back);
	switch (variant->flag) {
	case RVM_TRACK_KMOD:
		EXPECT_STREQ("kmod", info.tracker_name);
		break;
	case RVM_TRACK_UFFD:
		EXPECT_STREQ("uffd", info.tracker_name);
		break;
	case RVM_TRACK_SIGSEGV:
		EXPECT_STREQ("sigsegv", info.tracker_name);
		break;
	default:
		EXPECT_STREQ("none", info.tracker_name);
	}
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, unmap_and_map_again_shows_the_committed_bytes)
{
	rvm_tid_t tid;
	int i;

	rvm_init_tid(&tid);
	for (i = 0; i < 5; i++) {
		ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region,
						  variant->flag));
		if (i)
			ASSERT_TRUE(holds(self->region.vmaddr, 3 * PAGE, i - 1));
		EXPECT_TRUE(holds(self->region.vmaddr + 3 * PAGE, PAGE, 's'));
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
		ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, self->region.vmaddr, 3 * PAGE));
		memset(self->region.vmaddr, i, 3 * PAGE);
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, i & 1 ? flush : no_flush));
		ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	}
}

TEST_F(map, an_unmapped_region_is_gone)
{
	rvm_region_info_t info;
	rvm_tid_t tid;
	char *was;

	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	was = self->region.vmaddr;
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	EXPECT_EQ(-1, msync(was, PAGE, MS_ASYNC));
	EXPECT_EQ(ENOMEM, errno);
	self->region.vmaddr = was;
	self->region.length = SEG_BYTES;
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_unmap(&self->region));
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_query_region(&self->region, &info));
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	EXPECT_RVM(RVM_ENOT_MAPPED, rvm_set_range(&tid, was, 1));
	EXPECT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tid));
}

TEST_F(map, unmap_refuses_while_its_bytes_are_in_a_transaction)
{
	rvm_tid_t tid;

	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, self->region.vmaddr, 1));
	EXPECT_RVM(RVM_EUNCOMMIT, rvm_unmap(&self->region));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tid));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, many_regions_of_one_segment_commit_together)
{
	rvm_region_t regions[16];
	rvm_tid_t tid;
	int i;

	for (i = 0; i < 16; i++)
		ASSERT_RVM(RVM_SUCCESS, map_part(&regions[i], self->place.seg, i * 4 * PAGE,
						 4 * PAGE, variant->flag));
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	for (i = 0; i < 16; i++) {
		ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, regions[i].vmaddr + 100, 50));
		memset(regions[i].vmaddr + 100, 'A' + i, 50);
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
	for (i = 15; i >= 0; i--)
		ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&regions[i]));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	for (i = 0; i < 16; i++) {
		EXPECT_TRUE(file_holds(self->place.seg, i * 4 * PAGE, 100, 's'));
		EXPECT_TRUE(file_holds(self->place.seg, i * 4 * PAGE + 100, 50, 'A' + i));
		EXPECT_TRUE(file_holds(self->place.seg, i * 4 * PAGE + 150, PAGE, 's'));
	}
}

TEST_F(map, a_range_may_not_run_from_one_region_into_the_next)
{
	rvm_options_t options;
	rvm_region_t second;
	rvm_tid_t tid;

	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &second, variant->flag));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&second));
	rvm_init_options(&options);
	options.flags |= variant->flag;
	rvm_init_region(&self->region);
	self->region.data_dev = self->place.seg;
	self->region.length = 4 * PAGE;
	ASSERT_RVM(RVM_SUCCESS, rvm_map(&self->region, &options));
	rvm_init_region(&second);
	second.data_dev = self->place.seg;
	second.offset = RVM_MK_OFFSET(0, 4 * PAGE);
	second.length = 4 * PAGE;
	second.vmaddr = self->region.vmaddr + 4 * PAGE;
	if (rvm_map(&second, &options) != RVM_SUCCESS) {
		second.vmaddr = NULL;
		ASSERT_RVM(RVM_SUCCESS, rvm_map(&second, &options));
	}
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	EXPECT_RVM(RVM_ERANGE, rvm_set_range(&tid, self->region.vmaddr + 4 * PAGE - 8, 9));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_SUCCESS, rvm_set_range(&tid, self->region.vmaddr + 4 * PAGE - 8, 8));
	EXPECT_RVM(RVM_ERANGE, rvm_set_range(&tid, second.vmaddr, 4 * PAGE + 1));
	EXPECT_RVM(RVM_ERANGE, rvm_set_range(&tid, second.vmaddr + 1, ~0UL));
	EXPECT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tid));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&second));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, a_segment_that_ends_inside_a_page_is_mapped_in_whole_pages)
{
	ASSERT_EQ(0, truncate(self->place.seg, 3 * PAGE + 17));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	EXPECT_EQ(3 * PAGE, self->region.length);
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(map, a_terabyte_is_mapped_without_touching_it)
{
	rvm_tid_t tid;
	char *last;

	ASSERT_EQ(0, truncate(self->place.seg, 1L << 40)) {
		TH_LOG("the file system of %s has no sparse files of 1 TiB", self->place.dir);
	}
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	EXPECT_EQ(1UL << 40, self->region.length);
	last = self->region.vmaddr + self->region.length - 8;
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&tid, last, "the end", 8));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('t', file_byte(self->place.seg, (1UL << 40) - 8));
}

FIXTURE(refusal) {
	struct place place;
	rvm_region_t region;
};

FIXTURE_SETUP(refusal)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
}

FIXTURE_TEARDOWN(refusal)
{
	rvm_terminate();
	place_remove(&self->place);
}

TEST_F(refusal, a_missing_segment_is_refused_by_name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/none", self->place.dir);
	EXPECT_REFUSED(RVM_EIO, path, map_part(&self->region, path, 0, 0, 0));
	EXPECT_EQ(-1, file_length(path));
}

TEST_F(refusal, a_missing_segment_is_made_when_asked)
{
	rvm_options_t options;
	char path[128];

	snprintf(path, sizeof(path), "%s/new", self->place.dir);
	rvm_init_options(&options);
	options.flags |= RVM_CREATE_SEGMENT;
	rvm_init_region(&self->region);
	self->region.data_dev = path;
	self->region.dev_length = RVM_MK_OFFSET(0, 8 * PAGE);
	ASSERT_RVM(RVM_SUCCESS, rvm_map(&self->region, &options));
	EXPECT_EQ((long)(8 * PAGE), file_length(path));
	EXPECT_EQ(8 * PAGE, self->region.length);
	EXPECT_TRUE(holds(self->region.vmaddr, 8 * PAGE, 0));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));

	/* It exists now: the flag changes nothing, not even its length. */
	rvm_init_region(&self->region);
	self->region.data_dev = path;
	self->region.dev_length = RVM_MK_OFFSET(0, 16 * PAGE);
	ASSERT_RVM(RVM_SUCCESS, rvm_map(&self->region, &options));
	EXPECT_EQ((long)(8 * PAGE), file_length(path));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(refusal, a_directory_a_fifo_a_tty_and_a_loop_are_no_segments)
{
	char path[128];

	EXPECT_REFUSED(RVM_EREGION, self->place.dir,
		       map_part(&self->region, self->place.dir, 0, PAGE, 0));
	snprintf(path, sizeof(path), "%s/fifo", self->place.dir);
	ASSERT_EQ(0, mkfifo(path, 0600));
	EXPECT_REFUSED(RVM_EREGION, path, map_part(&self->region, path, 0, PAGE, 0));
	EXPECT_REFUSED(RVM_EREGION, "/dev/null",
		       map_part(&self->region, strcpy(path, "/dev/null"), 0, PAGE, 0));
	snprintf(path, sizeof(path), "%s/loop", self->place.dir);
	ASSERT_EQ(0, symlink(path, path));
	EXPECT_NE(RVM_SUCCESS, map_part(&self->region, path, 0, PAGE, 0));
	EXPECT_NE(NULL, strstr(rvm_error(), path));
}

TEST_F(refusal, an_empty_segment_is_refused)
{
	ASSERT_EQ(0, truncate(self->place.seg, 0));
	EXPECT_REFUSED(RVM_EOFFSET, self->place.seg, place_map(&self->place, &self->region, 0));
	ASSERT_EQ(0, truncate(self->place.seg, PAGE - 1));
	EXPECT_REFUSED(RVM_EOFFSET, self->place.seg, place_map(&self->place, &self->region, 0));
}

TEST_F(refusal, a_path_that_is_too_long_is_refused)
{
	char path[8192];

	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	EXPECT_RVM(RVM_ENAME_TOO_LONG, map_part(&self->region, path, 0, 0, 0));
	EXPECT_NE(0, strlen(rvm_error()));
}

TEST_F(refusal, a_bad_region_record_is_refused)
{
	EXPECT_RVM(RVM_EREGION, rvm_map(NULL, NULL));
	EXPECT_NE(0, strlen(rvm_error()));
	rvm_init_region(&self->region);
	EXPECT_RVM(RVM_EREGION, rvm_map(&self->region, NULL));
	self->region.data_dev = self->place.seg;
	self->region.struct_id = rvm_tid_id;
	EXPECT_RVM(RVM_EREGION, rvm_map(&self->region, NULL));
	EXPECT_RVM(RVM_EREGION, rvm_unmap(&self->region));
	EXPECT_RVM(RVM_EREGION, rvm_unmap(NULL));
	EXPECT_RVM(RVM_EREGION, rvm_query_region(NULL, NULL));
}

TEST_F(refusal, bad_options_of_a_map_are_refused)
{
	rvm_options_t options;

	rvm_init_region(&self->region);
	self->region.data_dev = self->place.seg;
	rvm_init_options(&options);
	options.struct_id = rvm_region_id;
	EXPECT_RVM(RVM_EOPTIONS, rvm_map(&self->region, &options));
	rvm_init_options(&options);
	options.flags = RVM_TRACK_SIGSEGV | RVM_TRACK_NONE;
	EXPECT_RVM(RVM_EOPTIONS, rvm_map(&self->region, &options));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_SUCCESS, rvm_map(&self->region, NULL));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(refusal, a_tracker_that_is_not_here_is_refused_and_never_replaced)
{
	rvm_return_t ret;

	if (!tracker_expected("uffd")) {
		EXPECT_REFUSED(RVM_ETRACKER, "userfaultfd",
			       place_map(&self->place, &self->region, RVM_TRACK_UFFD));
	}
	if (!tracker_expected("kmod") && access("/sys/module/rvm_track", F_OK)) {
		EXPECT_REFUSED(RVM_ETRACKER, "rvm_track",
			       place_map(&self->place, &self->region, RVM_TRACK_KMOD));
	}
	ret = place_map(&self->place, &self->region, RVM_TRACK_NONE | RVM_STRICT);
	EXPECT_RVM(RVM_ETRACKER, ret);
	EXPECT_NE(NULL, strstr(rvm_error(), "outside"));
}

/* Only the module knows whose a page is: to share is refused elsewhere, and said why. */
TEST_F(refusal, transactions_share_no_region_without_the_module)
{
	static const unsigned long trackers[] = {
		RVM_TRACK_UFFD, RVM_TRACK_SIGSEGV, RVM_TRACK_NONE,
	};
	size_t i;

	for (i = 0; i < sizeof(trackers) / sizeof(trackers[0]); i++) {
		EXPECT_REFUSED(RVM_ETRACKER, "which transaction stored",
			       place_map(&self->place, &self->region, trackers[i] | RVM_DISJOINT));
		EXPECT_REFUSED(RVM_ETRACKER, "which transaction stored",
			       place_map(&self->place, &self->region,
					 trackers[i] | RVM_DISJOINT_WAIT));
	}
	if (!tracker_expected("kmod") && access("/sys/module/rvm_track", F_OK))
		EXPECT_REFUSED(RVM_ETRACKER, "no tracker works here",
			       place_map(&self->place, &self->region, RVM_DISJOINT));
}

TEST_F(refusal, what_tracks_has_no_huge_pages)
{
	static const unsigned long flags[] = {
		RVM_TRACK_SIGSEGV, RVM_TRACK_UFFD, RVM_TRACK_KMOD,
	};
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		EXPECT_REFUSED(RVM_ETRACKER, "no huge ones",
			       place_map(&self->place, &self->region, flags[i] | RVM_HUGE_PAGES));
	EXPECT_REFUSED(RVM_ETRACKER, "outside",
		       place_map(&self->place, &self->region, RVM_HUGE_PAGES | RVM_STRICT));
	EXPECT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region,
					  RVM_HUGE_PAGES | RVM_TRACK_NONE));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

static ssize_t no_read(int fd, void *buf, size_t length, uint64_t offset)
{
	(void)fd, (void)buf, (void)length, (void)offset;
	return -EIO;
}

TEST_F(refusal, a_segment_that_cannot_be_read_is_not_mapped_into_huge_pages)
{
	char byte = 'd';

	ASSERT_TRUE(file_write(self->place.seg, 5, &byte, 1));
	os.pread = no_read;
	EXPECT_REFUSED(RVM_EIO, "reading the segment at byte 0",
		       place_map(&self->place, &self->region, RVM_HUGE_PAGES));
	os = os_real;
	EXPECT_EQ(NULL, self->region.vmaddr);
	EXPECT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, RVM_HUGE_PAGES));
	EXPECT_EQ('d', self->region.vmaddr[5]);
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

/* What the kernel tells of a mapping, as "Rss:", in @line of 512 bytes; empty: nothing */
static void smaps(const char *at, const char *what, char *line)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool inside = false;

	while (file && fgets(line, 512, file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (uintptr_t)at && (uintptr_t)at < end;
		else if (inside && !strncmp(line, what, strlen(what)))
			break;
		line[0] = '\0';
	}
	if (file)
		fclose(file);
}

/* May this process have huge pages where it asks for them? */
static bool has_huge_pages(void)
{
	char line[64] = "";
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");

	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	return strstr(line, "[madvise]") || strstr(line, "[always]");
}

/* What is a hole of the segment costs no memory, what is data is in huge pages. */
TEST_F(refusal, huge_pages_are_taken_for_data_alone)
{
	const unsigned long huge = 2UL << 20;
	char byte = 'd', line[512] = "", *at;
	long kib;

	ASSERT_EQ(0, truncate(self->place.seg, 0));
	ASSERT_EQ(0, truncate(self->place.seg, 64 * huge));
	ASSERT_TRUE(file_write(self->place.seg, 3 * huge + 5, &byte, 1));
	ASSERT_TRUE(file_write(self->place.seg, 64 * huge - 1, &byte, 1));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, RVM_HUGE_PAGES));
	at = self->region.vmaddr;
	EXPECT_EQ(0, (uintptr_t)at % huge);
	EXPECT_EQ('d', at[3 * huge + 5]);
	EXPECT_EQ('d', at[64 * huge - 1]);
	smaps(at, "Rss:", line);
	kib = strtol(line + strlen("Rss:"), NULL, 10);
	EXPECT_LT(0, kib);
	EXPECT_GE(2 * (long)huge / 1024, kib);
	smaps(at, "VmFlags:", line);
	EXPECT_TRUE(!has_huge_pages() || strstr(line, " hg"));
	EXPECT_TRUE(holds(at, 3 * huge, 0));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

TEST_F(refusal, without_a_choice_the_best_tracker_is_taken_and_says_why)
{
	const char *best = "kmod";
	rvm_region_info_t info;

	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	if (!tracker_expected("kmod"))
		best = tracker_expected("uffd") ? "uffd" : "sigsegv";
	if (tracker_expected("kmod") || access("/sys/module/rvm_track", F_OK))
		EXPECT_STREQ(best, info.tracker_name);
	EXPECT_NE(RVM_TRACK_NONE, info.tracker);
	EXPECT_NE(0, strlen(info.why));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

/* What is said of the costs: those of the tracker in use first or last, in microseconds. */
static bool costs_of(const char *why, const char *used, unsigned long *mine, unsigned long *other)
{
	const char *at = strstr(why, " us for a transaction");
	const char *second = at ? strstr(at + 1, " us for a transaction") : NULL;
	char words[32];

	if (!second)
		return false;
	snprintf(words, sizeof(words), "%s: used, ", used);
	at = strstr(why, words);
	if (!at || sscanf(at + strlen(words), "%lu us", mine) != 1)
		return false;
	at = strstr(why, strcmp(used, "uffd") ? "uffd: " : "sigsegv: ");
	return at && sscanf(strchr(at, ' '), "%lu us", other) == 1;
}

/* In a long region uffd's walk decides; both are measured, and the better one is taken. */
TEST_F(refusal, without_a_choice_a_long_region_has_the_cheaper_tracker)
{
	unsigned long mine = 1, other = 0;
	rvm_region_info_t info;

	if (tracker_expected("kmod") || !access("/sys/module/rvm_track", F_OK) ||
	    !tracker_expected("uffd"))
		return;
	ASSERT_EQ(0, truncate(self->place.seg, 2L << 30));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_TRUE(costs_of(info.why, info.tracker_name, &mine, &other)) {
		TH_LOG("%s", info.why);
	}
	EXPECT_LE(mine, other);
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

static int ignored;

static void ignore(int sig)
{
	ignored++;
}

TEST_F(refusal, a_handler_of_sigsegv_that_came_later_is_told_and_one_that_came_before_is_kept)
{
	struct sigaction action = { .sa_handler = ignore };

	ASSERT_EQ(0, sigaction(SIGSEGV, &action, NULL));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, RVM_TRACK_SIGSEGV));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	raise(SIGSEGV);
	EXPECT_EQ(1, ignored);
	ASSERT_EQ(0, sigaction(SIGSEGV, &action, NULL));
	EXPECT_REFUSED(RVM_ETRACKER, "SIGSEGV",
		       place_map(&self->place, &self->region, RVM_TRACK_SIGSEGV));
}

static void as_nobody(void *arg)
{
	struct place *place = arg;
	rvm_region_t region;
	char path[128];
	rvm_options_t options;
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, LOG_BYTES);

	need(!setgid(65534) && !setuid(65534));
	place_options(place, &options);
	need(RVM_INIT(&options) == RVM_EPERM);
	need(strstr(rvm_error(), place->log));
	snprintf(path, sizeof(path), "%s/nobodys-log", place->dir);
	options.log_dev = path;
	need(RVM_INIT(NULL) == RVM_SUCCESS);
	need(rvm_create_log(&options, &length, 0600) == RVM_SUCCESS);
	need(rvm_set_options(&options) == RVM_SUCCESS);
	need(place_map(place, &region, RVM_TRACK_SIGSEGV) == RVM_EPERM);
	need(strstr(rvm_error(), place->seg));
	need(rvm_terminate() == RVM_SUCCESS);
}

TEST_F(refusal, files_without_permission_are_refused_by_name)
{
	if (geteuid())
		SKIP(return, "needs root to become somebody else");
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_EQ(0, chmod(self->place.dir, 0777));
	ASSERT_EQ(0, chmod(self->place.seg, 0400));
	ASSERT_EQ(0, chmod(self->place.log, 0400));
	EXPECT_EQ(0, in_child(as_nobody, &self->place));
}

static void on_full_disk(void *arg)
{
	struct place *place = arg;
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, LOG_BYTES);
	rvm_options_t options;
	rvm_region_t region;
	char mnt[96], path[128], fill[128];

	snprintf(mnt, sizeof(mnt), "%s/small", place->dir);
	snprintf(path, sizeof(path), "%s/file", mnt);
	snprintf(fill, sizeof(fill), "%s/fill", mnt);
	need(!unshare(CLONE_NEWNS));
	need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	need(!mkdir(mnt, 0700));
	need(!mount("small", mnt, "tmpfs", 0, "size=512k"));

	place_options(place, &options);
	options.log_dev = path;
	need(RVM_INIT(NULL) == RVM_SUCCESS);
	need(rvm_create_log(&options, &length, 0600) == RVM_ENO_SPACE);
	need(strstr(rvm_error(), path));
	need(access(path, F_OK));

	options.log_dev = place->log;
	need(rvm_set_options(&options) == RVM_SUCCESS);
	need(!file_make(fill, LOG_BYTES, 'f'));
	rvm_init_region(&region);
	region.data_dev = path;
	region.dev_length = RVM_MK_OFFSET(0, SEG_BYTES);
	options.flags |= RVM_CREATE_SEGMENT;
	need(rvm_map(&region, &options) == RVM_ENO_SPACE);
	need(strstr(rvm_error(), path));
	need(access(path, F_OK));
	need(rvm_terminate() == RVM_SUCCESS);
}

TEST_F(refusal, a_full_disk_is_told_and_leaves_no_half_made_file)
{
	if (geteuid())
		SKIP(return, "needs root to mount a small file system");
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_EQ(0, in_child(on_full_disk, &self->place));
}

/* A segment of holes on a disk that has become full: what is committed stays in the log. */
static void on_segment_of_holes(void *arg)
{
	struct place *place = arg;
	rvm_options_t options;
	rvm_region_t region;
	rvm_return_t code;
	rvm_tid_t tid;
	char mnt[96], path[128], fill[128];

	snprintf(mnt, sizeof(mnt), "%s/small", place->dir);
	snprintf(path, sizeof(path), "%s/segment", mnt);
	snprintf(fill, sizeof(fill), "%s/fill", mnt);
	need(!unshare(CLONE_NEWNS));
	need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	need(!mkdir(mnt, 0700));
	need(!mount("small", mnt, "tmpfs", 0, "size=64k"));
	need(file_make(path, 0, 0));
	need(!truncate(path, SEG_BYTES));

	place_options(place, &options);
	need(RVM_INIT(&options) == RVM_SUCCESS);
	rvm_init_region(&region);
	region.data_dev = path;
	need(rvm_map(&region, NULL) == RVM_SUCCESS);
	rvm_init_tid(&tid);
	need(rvm_begin_transaction(&tid, restore) == RVM_SUCCESS);
	need(rvm_set_range(&tid, region.vmaddr, 1) == RVM_SUCCESS);
	*region.vmaddr = 'x';
	need(rvm_end_transaction(&tid, flush) == RVM_SUCCESS);
	file_make(fill, 1 << 20, 'f');
	code = rvm_truncate();
	/* A private mapping takes the room when it is read, so that only the module finds none. */
	if (getenv("RVM_VM"))
		need(code == RVM_ENO_SPACE || code == RVM_EIO);
	need(code == RVM_SUCCESS || strstr(rvm_error(), path));
	need(!unlink(fill));
	need(rvm_truncate() == RVM_SUCCESS);
	need(rvm_terminate() == RVM_SUCCESS);
}

TEST_F(refusal, pages_that_find_no_room_name_their_segment)
{
	if (geteuid())
		SKIP(return, "needs root to mount a small file system");
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_EQ(0, in_child(on_segment_of_holes, &self->place));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
