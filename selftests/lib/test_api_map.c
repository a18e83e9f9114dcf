// SPDX-License-Identifier: GPL-2.0
/* Regions: what may be mapped where, with each tracker. */
#include "api.h"

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

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
