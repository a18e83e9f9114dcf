// SPDX-License-Identifier: GPL-2.0
/* Records, names and offsets: what needs no log. */
#include "api.h"

#include <limits.h>

TEST(tid_records_are_made_initialized_copied_and_freed)
{
	rvm_tid_t *tid = rvm_malloc_tid();
	rvm_tid_t *copy;
	rvm_tid_t stack;

	ASSERT_NE(NULL, tid);
	EXPECT_EQ(rvm_tid_id, tid->struct_id);
	EXPECT_EQ(rvm_true, tid->from_heap);
	EXPECT_EQ(NULL, tid->tid);

	memset(&stack, 0x5a, sizeof(stack));
	rvm_init_tid(&stack);
	EXPECT_EQ(rvm_tid_id, stack.struct_id);
	EXPECT_EQ(rvm_false, stack.from_heap);
	EXPECT_EQ(NULL, stack.tid);
	EXPECT_EQ(0, stack.uname.tv_sec);
	EXPECT_EQ(0, stack.uname.tv_usec);

	stack.uname.tv_sec = 12;
	copy = rvm_copy_tid(&stack);
	ASSERT_NE(NULL, copy);
	EXPECT_EQ(rvm_tid_id, copy->struct_id);
	EXPECT_EQ(rvm_true, copy->from_heap);
	EXPECT_EQ(12, copy->uname.tv_sec);
	rvm_free_tid(copy);
	rvm_free_tid(&stack);
	rvm_free_tid(tid);
}

TEST(region_records_are_made_initialized_copied_and_freed)
{
	rvm_region_t *region = rvm_malloc_region();
	rvm_region_t *copy;
	rvm_region_t stack;
	char path[] = "/some/segment";

	ASSERT_NE(NULL, region);
	EXPECT_EQ(rvm_region_id, region->struct_id);
	EXPECT_EQ(rvm_true, region->from_heap);

	memset(&stack, 0x5a, sizeof(stack));
	rvm_init_region(&stack);
	EXPECT_EQ(rvm_region_id, stack.struct_id);
	EXPECT_EQ(rvm_false, stack.from_heap);
	EXPECT_EQ(NULL, stack.data_dev);
	EXPECT_EQ(NULL, stack.vmaddr);
	EXPECT_EQ(0, stack.length);
	EXPECT_TRUE(RVM_OFFSET_EQL_ZERO(stack.offset));
	EXPECT_TRUE(RVM_OFFSET_EQL_ZERO(stack.dev_length));
	EXPECT_EQ(rvm_false, stack.no_copy);

	stack.data_dev = path;
	stack.offset = RVM_MK_OFFSET(1, 2);
	stack.length = 77;
	copy = rvm_copy_region(&stack);
	ASSERT_NE(NULL, copy);
	EXPECT_EQ(rvm_region_id, copy->struct_id);
	EXPECT_EQ(rvm_true, copy->from_heap);
	EXPECT_EQ(77, copy->length);
	EXPECT_TRUE(RVM_OFFSET_EQL(stack.offset, copy->offset));
	EXPECT_STREQ("/some/segment", copy->data_dev);
	rvm_free_region(copy);
	EXPECT_STREQ("/some/segment", path);
	rvm_free_region(&stack);
	rvm_free_region(region);
}

TEST(options_records_hold_the_defaults)
{
	rvm_options_t stack;

	memset(&stack, 0x5a, sizeof(stack));
	rvm_init_options(&stack);
	EXPECT_EQ(rvm_options_id, stack.struct_id);
	EXPECT_EQ(rvm_false, stack.from_heap);
	EXPECT_EQ(NULL, stack.log_dev);
	EXPECT_EQ(50, stack.truncate);
	EXPECT_EQ(256 * 1024, stack.recovery_buf_len);
	EXPECT_EQ(256 * 1024, stack.flush_buf_len);
	EXPECT_EQ(512 * 1024, stack.max_read_len);
	EXPECT_EQ(NULL, stack.pager);
	EXPECT_EQ(0, stack.n_uncommit);
	EXPECT_EQ(NULL, stack.tid_array);
	EXPECT_EQ(RVM_ALL_OPTIMIZATIONS, stack.flags);
	EXPECT_EQ(rvm_false, stack.create_log_file);
	EXPECT_TRUE(RVM_OFFSET_EQL_ZERO(stack.create_log_size));
}

TEST(options_records_are_made_copied_and_freed)
{
	rvm_options_t *options = rvm_malloc_options();
	rvm_options_t *copy;
	char path[] = "/some/log";

	ASSERT_NE(NULL, options);
	EXPECT_EQ(rvm_options_id, options->struct_id);
	EXPECT_EQ(rvm_true, options->from_heap);
	options->log_dev = path;
	options->truncate = 33;
	options->flags = RVM_COALESCE_RANGES;
	copy = rvm_copy_options(options);
	ASSERT_NE(NULL, copy);
	EXPECT_EQ(rvm_true, copy->from_heap);
	EXPECT_STREQ("/some/log", copy->log_dev);
	EXPECT_EQ(33, copy->truncate);
	EXPECT_EQ(RVM_COALESCE_RANGES, copy->flags);
	rvm_free_options(copy);
	EXPECT_STREQ("/some/log", path);
	rvm_free_options(options);
}

TEST(records_of_another_type_and_null_are_not_copied_and_harm_nothing)
{
	rvm_options_t options;
	rvm_region_t region;
	rvm_tid_t tid;

	EXPECT_EQ(NULL, rvm_copy_tid(NULL));
	EXPECT_EQ(NULL, rvm_copy_region(NULL));
	EXPECT_EQ(NULL, rvm_copy_options(NULL));
	rvm_init_tid(NULL);
	rvm_init_region(NULL);
	rvm_init_options(NULL);
	rvm_free_tid(NULL);
	rvm_free_region(NULL);
	rvm_free_options(NULL);

	rvm_init_tid(&tid);
	rvm_init_region(&region);
	rvm_init_options(&options);
	tid.struct_id = rvm_region_id;
	region.struct_id = rvm_options_id;
	options.struct_id = rvm_tid_id;
	EXPECT_EQ(NULL, rvm_copy_tid(&tid));
	EXPECT_EQ(NULL, rvm_copy_region(&region));
	EXPECT_EQ(NULL, rvm_copy_options(&options));
}

#define NAME(code) { code, #code }

static const struct {
	rvm_return_t code;
	const char *name;
} codes[] = {
	NAME(RVM_SUCCESS), NAME(RVM_EINIT), NAME(RVM_EINTERNAL), NAME(RVM_EIO), NAME(RVM_ELOG),
	NAME(RVM_ELOG_VERSION_SKEW), NAME(RVM_EMODE), NAME(RVM_ENAME_TOO_LONG),
	NAME(RVM_ENO_MEMORY), NAME(RVM_ENOT_MAPPED), NAME(RVM_EOFFSET), NAME(RVM_EOPTIONS),
	NAME(RVM_EOVERLAP), NAME(RVM_EPAGER), NAME(RVM_ERANGE), NAME(RVM_EREGION),
	NAME(RVM_EREGION_DEF), NAME(RVM_ESRC), NAME(RVM_ESTATISTICS),
	NAME(RVM_ESTAT_VERSION_SKEW), NAME(RVM_ETERMINATED), NAME(RVM_ETHREADS),
	NAME(RVM_ETID), NAME(RVM_ETOO_BIG), NAME(RVM_EUNCOMMIT), NAME(RVM_EVERSION_SKEW),
	NAME(RVM_EVM_OVERLAP), NAME(RVM_ETRACKER), NAME(RVM_ELOG_LOCKED),
	NAME(RVM_ELOG_DAMAGED), NAME(RVM_EPERM), NAME(RVM_ENO_SPACE), NAME(RVM_ECONFLICT),
	NAME(RVM_ETIMEOUT), NAME(RVM_ELSN), NAME(RVM_EFORGOTTEN),
};

TEST(every_return_code_has_its_own_name)
{
	static const rvm_return_t not_codes[] = {
		-1, 1, rvm_first_code, 203, rvm_last_code, 237, INT_MAX, INT_MIN,
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(codes); i++)
		EXPECT_STREQ(codes[i].name, rvm_return(codes[i].code));
	for (i = 0; i < ARRAY_SIZE(not_codes); i++) {
		ASSERT_NE(NULL, rvm_return(not_codes[i]));
		EXPECT_NE(0, strlen(rvm_return(not_codes[i])));
		for (j = 0; j < ARRAY_SIZE(codes); j++)
			EXPECT_STRNE(codes[j].name, rvm_return(not_codes[i]));
	}
}

TEST(modes_and_types_have_names)
{
	EXPECT_STREQ("restore", rvm_mode(restore));
	EXPECT_STREQ("no_restore", rvm_mode(no_restore));
	EXPECT_STREQ("flush", rvm_mode(flush));
	EXPECT_STREQ("no_flush", rvm_mode(no_flush));
	EXPECT_STREQ("rvm_tracked", rvm_mode(rvm_tracked));
	EXPECT_STREQ("rvm_region_id", rvm_type(rvm_region_id));
	EXPECT_STREQ("rvm_options_id", rvm_type(rvm_options_id));
	EXPECT_STREQ("rvm_tid_id", rvm_type(rvm_tid_id));
	EXPECT_STREQ("rvm_statistics_id", rvm_type(rvm_statistics_id));
	EXPECT_NE(NULL, rvm_mode(rvm_last_mode));
	EXPECT_NE(NULL, rvm_type(rvm_last_struct_id));
	EXPECT_STRNE("no_flush", rvm_mode(rvm_last_mode));
	EXPECT_STRNE("rvm_statistics_id", rvm_type(rvm_last_struct_id));
}

TEST(codes_modes_ids_and_flags_have_the_values_that_programs_were_built_with)
{
	size_t i;

	EXPECT_EQ(199, rvm_first_code);
	EXPECT_EQ(227, rvm_last_code);
	EXPECT_EQ(0, codes[0].code);
	EXPECT_EQ(200, codes[1].code);
	EXPECT_EQ(201, codes[2].code);
	EXPECT_EQ(202, codes[3].code);
	for (i = 4; i < ARRAY_SIZE(codes); i++)
		EXPECT_EQ((rvm_return_t)i + (codes[i].code < rvm_last_code ? 200 : 201),
			  codes[i].code);
	EXPECT_EQ(139, (int)rvm_first_mode);
	EXPECT_EQ(140, (int)restore);
	EXPECT_EQ(141, (int)no_restore);
	EXPECT_EQ(142, (int)flush);
	EXPECT_EQ(143, (int)no_flush);
	EXPECT_EQ(144, (int)rvm_last_mode);
	EXPECT_EQ(39, (int)rvm_first_id);
	EXPECT_EQ(40, (int)rvm_region_id);
	EXPECT_EQ(41, (int)rvm_options_id);
	EXPECT_EQ(42, (int)rvm_tid_id);
	EXPECT_EQ(43, (int)rvm_statistics_id);
	EXPECT_EQ(44, (int)rvm_last_struct_id);
	EXPECT_EQ(1, RVM_COALESCE_RANGES);
	EXPECT_EQ(2, RVM_COALESCE_TRANS);
	EXPECT_EQ(3, RVM_ALL_OPTIMIZATIONS);
	EXPECT_EQ(8, RVM_MAP_PRIVATE);
	EXPECT_EQ(65536, MIN_RECOVERY_BUF_LEN);
	EXPECT_EQ(65536, MIN_FLUSH_BUF_LEN);
	EXPECT_EQ(0, rvm_false);
	EXPECT_EQ(1, rvm_true);
}

static bool is(rvm_offset_t x, rvm_length_t high, rvm_length_t low)
{
	return x.high == high && x.low == low;
}

TEST(offsets_add_with_carry)
{
	rvm_offset_t x = RVM_OFFSET_INITIALIZER(1, ULONG_MAX);
	rvm_offset_t y = RVM_OFFSET_INITIALIZER(2, 1);
	rvm_offset_t zero = RVM_OFFSET_INITIALIZER(0, 0);

	EXPECT_TRUE(is(RVM_ADD_OFFSETS(x, y), 4, 0));
	EXPECT_TRUE(is(RVM_ADD_OFFSETS(x, zero), 1, ULONG_MAX));
	EXPECT_TRUE(is(RVM_ADD_OFFSETS(x, x), 3, ULONG_MAX - 1));
	EXPECT_TRUE(is(RVM_ADD_LENGTH_TO_OFFSET(x, 0), 1, ULONG_MAX));
	EXPECT_TRUE(is(RVM_ADD_LENGTH_TO_OFFSET(x, 1), 2, 0));
	EXPECT_TRUE(is(RVM_ADD_LENGTH_TO_OFFSET(x, ULONG_MAX), 2, ULONG_MAX - 1));
	EXPECT_TRUE(is(RVM_ADD_LENGTH_TO_OFFSET(y, 7), 2, 8));
	EXPECT_TRUE(is(x, 1, ULONG_MAX));
}

TEST(offsets_subtract_with_borrow)
{
	rvm_offset_t x = RVM_OFFSET_INITIALIZER(3, 0);
	rvm_offset_t y = RVM_OFFSET_INITIALIZER(1, 1);

	EXPECT_TRUE(is(RVM_SUB_OFFSETS(x, y), 1, ULONG_MAX));
	EXPECT_TRUE(is(RVM_SUB_OFFSETS(x, x), 0, 0));
	EXPECT_TRUE(is(RVM_SUB_LENGTH_FROM_OFFSET(x, 0), 3, 0));
	EXPECT_TRUE(is(RVM_SUB_LENGTH_FROM_OFFSET(x, 1), 2, ULONG_MAX));
	EXPECT_TRUE(is(RVM_SUB_LENGTH_FROM_OFFSET(y, 1), 1, 0));
	EXPECT_TRUE(is(x, 3, 0));
}

TEST(offsets_compare_by_high_then_low)
{
	rvm_offset_t small = RVM_OFFSET_INITIALIZER(0, ULONG_MAX);
	rvm_offset_t big = RVM_OFFSET_INITIALIZER(1, 0);
	rvm_offset_t big2 = RVM_OFFSET_INITIALIZER(1, 1);
	rvm_offset_t zero;

	EXPECT_TRUE(RVM_OFFSET_LSS(small, big));
	EXPECT_FALSE(RVM_OFFSET_LSS(big, small));
	EXPECT_FALSE(RVM_OFFSET_LSS(big, big));
	EXPECT_TRUE(RVM_OFFSET_LSS(big, big2));
	EXPECT_TRUE(RVM_OFFSET_GTR(big, small));
	EXPECT_TRUE(RVM_OFFSET_GTR(big2, big));
	EXPECT_FALSE(RVM_OFFSET_GTR(big, big));
	EXPECT_TRUE(RVM_OFFSET_LEQ(small, big));
	EXPECT_TRUE(RVM_OFFSET_LEQ(big, big));
	EXPECT_FALSE(RVM_OFFSET_LEQ(big2, big));
	EXPECT_TRUE(RVM_OFFSET_GEQ(big, small));
	EXPECT_TRUE(RVM_OFFSET_GEQ(big, big));
	EXPECT_FALSE(RVM_OFFSET_GEQ(small, big));
	EXPECT_TRUE(RVM_OFFSET_EQL(big, big));
	EXPECT_FALSE(RVM_OFFSET_EQL(big, big2));
	EXPECT_FALSE(RVM_OFFSET_EQL(big, small));
	RVM_ZERO_OFFSET(zero);
	EXPECT_TRUE(RVM_OFFSET_EQL_ZERO(zero));
	EXPECT_FALSE(RVM_OFFSET_EQL_ZERO(big));
	EXPECT_FALSE(RVM_OFFSET_EQL_ZERO(small));
}

TEST(offsets_convert_to_and_from_lengths)
{
	rvm_offset_t x = RVM_MK_OFFSET(5, 9);

	EXPECT_EQ(9, RVM_OFFSET_TO_LENGTH(x));
	EXPECT_EQ(5, RVM_OFFSET_HIGH_BITS_TO_LENGTH(x));
	EXPECT_TRUE(is(RVM_LENGTH_TO_OFFSET(17), 0, 17));
}

TEST(offsets_round_to_pages_with_carry)
{
	rvm_offset_t x = RVM_OFFSET_INITIALIZER(0, 1);
	rvm_offset_t even = RVM_OFFSET_INITIALIZER(7, 8192);
	rvm_offset_t last = RVM_OFFSET_INITIALIZER(0, ULONG_MAX);

	EXPECT_TRUE(is(RVM_ROUND_OFFSET_UP_TO_PAGE_SIZE(x), 0, 4096));
	EXPECT_TRUE(is(RVM_ROUND_OFFSET_DOWN_TO_PAGE_SIZE(x), 0, 0));
	EXPECT_TRUE(is(RVM_ROUND_OFFSET_UP_TO_PAGE_SIZE(even), 7, 8192));
	EXPECT_TRUE(is(RVM_ROUND_OFFSET_DOWN_TO_PAGE_SIZE(even), 7, 8192));
	EXPECT_TRUE(is(RVM_ROUND_OFFSET_UP_TO_PAGE_SIZE(last), 1, 0));
	EXPECT_TRUE(is(RVM_ROUND_OFFSET_DOWN_TO_PAGE_SIZE(last), 0, ULONG_MAX - 4095));
}

TEST(lengths_and_addresses_round_to_pages)
{
	char *at = (char *)0x12345;

	EXPECT_EQ((rvm_length_t)sysconf(_SC_PAGESIZE), RVM_PAGE_SIZE);
	EXPECT_EQ(~(RVM_PAGE_SIZE - 1), rvm_page_mask());
	EXPECT_EQ(0, RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(0));
	EXPECT_EQ(4096, RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(1));
	EXPECT_EQ(4096, RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(4096));
	EXPECT_EQ(8192, RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(4097));
	EXPECT_EQ(0, RVM_ROUND_LENGTH_DOWN_TO_PAGE_SIZE(4095));
	EXPECT_EQ(4096, RVM_ROUND_LENGTH_DOWN_TO_PAGE_SIZE(8191));
	EXPECT_EQ((char *)0x13000, RVM_ROUND_ADDR_UP_TO_PAGE_SIZE(at));
	EXPECT_EQ((char *)0x12000, RVM_ROUND_ADDR_DOWN_TO_PAGE_SIZE(at));
	EXPECT_EQ((char *)0x12346, RVM_ADD_LENGTH_TO_ADDR(1, at));
	EXPECT_EQ((char *)0x12344, RVM_SUB_LENGTH_FROM_ADDR(at, 1));
}

TEST(calls_before_initialize_say_so_whatever_their_arguments)
{
	rvm_region_info_t region_info;
	rvm_log_info_t log_info;
	rvm_options_t options;
	rvm_region_t region;
	rvm_tid_t tid;
	char byte = 0;

	rvm_init_tid(&tid);
	rvm_init_region(&region);
	rvm_init_options(&options);
	EXPECT_STREQ("", rvm_error());
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_map(&region, NULL));
	EXPECT_RVM(RVM_EINIT, rvm_map(NULL, NULL));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_unmap(&region));
	EXPECT_RVM(RVM_EINIT, rvm_unmap(NULL));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_set_options(&options));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_query(&options, NULL));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_begin_transaction(&tid, restore));
	EXPECT_RVM(RVM_EINIT, rvm_begin_transaction(NULL, flush));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_begin_tracked(&tid, &region));
	EXPECT_RVM(RVM_EINIT, rvm_begin_tracked(NULL, NULL));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_set_range(&tid, &byte, 1));
	EXPECT_RVM(RVM_EINIT, rvm_set_range(NULL, NULL, 0));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_modify_bytes(&tid, &byte, &byte, 1));
	EXPECT_RVM(RVM_EINIT, rvm_modify_bytes(NULL, NULL, NULL, 0));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_end_transaction(&tid, flush));
	EXPECT_RVM(RVM_EINIT, rvm_end_transaction(NULL, restore));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_abort_transaction(&tid));
	EXPECT_RVM(RVM_EINIT, rvm_abort_transaction(NULL));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_flush());
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_truncate());
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_terminate());
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_query_region(&region, &region_info));
	EXPECT_REFUSED(RVM_EINIT, "rvm_initialize", rvm_query_log(&log_info));
}

TEST(the_text_of_an_error_belongs_to_its_thread)
{
	struct hand hand;
	char here[256];

	EXPECT_RVM(RVM_EINIT, rvm_flush());
	snprintf(here, sizeof(here), "%s", rvm_error());
	ASSERT_TRUE(hand_start(&hand));
	hand_stop(&hand);
	EXPECT_NE(0, strlen(here));
	EXPECT_STREQ(here, rvm_error());
}

TEST_HARNESS_MAIN
