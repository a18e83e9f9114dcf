// SPDX-License-Identifier: GPL-2.0
/* Everything in the headers is exported by the shared library, and nothing else is. */
#include "api.h"

#include <dlfcn.h>
#include <rvm/rds.h>
#include <rvm/rvm_segment.h>
#include <rvm/rvm_statistics.h>

#define SYMBOL(name) { #name, (const void *)&(name) }

/* Taking their addresses makes the linker find each of them. */
static const struct {
	const char *name;
	const void *at;
} symbols[] = {
	SYMBOL(NRegionDefs), SYMBOL(RegionDefs), SYMBOL(rds_clear_stats), SYMBOL(rds_do_free),
	SYMBOL(rds_fake_free), SYMBOL(rds_free), SYMBOL(rds_get_stats), SYMBOL(rds_init_heap),
	SYMBOL(rds_load_heap), SYMBOL(rds_malloc), SYMBOL(rds_maxblock), SYMBOL(rds_prealloc),
	SYMBOL(rds_print_stats), SYMBOL(rds_start_heap), SYMBOL(rds_stop_heap),
	SYMBOL(rds_testsw), SYMBOL(rds_trace_dump_heap), SYMBOL(rds_trace_off),
	SYMBOL(rds_trace_on), SYMBOL(rds_tracing), SYMBOL(rds_tracing_file),
	SYMBOL(rds_unload_heap), SYMBOL(rds_zap_heap), SYMBOL(rvm_create_segment),
	SYMBOL(rvm_load_segment), SYMBOL(rvm_release_segment),
	SYMBOL(rvm_abort_transaction), SYMBOL(rvm_add_length_to_offset),
	SYMBOL(rvm_add_offsets), SYMBOL(rvm_begin_tracked), SYMBOL(rvm_begin_transaction),
	SYMBOL(rvm_copy_options), SYMBOL(rvm_copy_region), SYMBOL(rvm_copy_tid),
	SYMBOL(rvm_create_log), SYMBOL(rvm_durable), SYMBOL(rvm_durable_fd),
	SYMBOL(rvm_end_transaction), SYMBOL(rvm_end_transaction_lsn), SYMBOL(rvm_error),
	SYMBOL(rvm_flush), SYMBOL(rvm_free_options), SYMBOL(rvm_free_region),
	SYMBOL(rvm_free_tid), SYMBOL(rvm_grow_segment), SYMBOL(rvm_resize_log),
	SYMBOL(rvm_init_options), SYMBOL(rvm_init_region),
	SYMBOL(rvm_init_tid), SYMBOL(rvm_initialize), SYMBOL(rvm_malloc_options),
	SYMBOL(rvm_malloc_region), SYMBOL(rvm_malloc_tid), SYMBOL(rvm_map),
	SYMBOL(rvm_mk_offset), SYMBOL(rvm_mode), SYMBOL(rvm_modify_bytes),
	SYMBOL(rvm_page_mask), SYMBOL(rvm_page_size), SYMBOL(rvm_query),
	SYMBOL(rvm_query_log), SYMBOL(rvm_query_region), SYMBOL(rvm_return),
	SYMBOL(rvm_rnd_offset_dn_to_page), SYMBOL(rvm_rnd_offset_up_to_page),
	SYMBOL(rvm_set_options), SYMBOL(rvm_set_range), SYMBOL(rvm_sub_length_from_offset),
	SYMBOL(rvm_sub_offsets), SYMBOL(rvm_terminate), SYMBOL(rvm_truncate),
	SYMBOL(rvm_type), SYMBOL(rvm_unmap), SYMBOL(rvm_backup), SYMBOL(rvm_wait_durable),
	SYMBOL(rvm_malloc_statistics), SYMBOL(rvm_init_statistics),
	SYMBOL(rvm_copy_statistics), SYMBOL(rvm_free_statistics), SYMBOL(rvm_statistics),
	SYMBOL(rvm_print_statistics), SYMBOL(rvm_set_progress),
	SYMBOL(rvm_set_check_handler), SYMBOL(rvm_check_report), SYMBOL(rvm_check_abort),
};

/* librvm.so of the build that this program is of. */
static const char *shared_library(void)
{
	static char path[4200];
	ssize_t n = readlink("/proc/self/exe", path, 4096);
	int up;

	if (n < 0)
		return "";
	path[n] = 0;
	for (up = 0; up < 3 && strrchr(path, '/'); up++)
		*strrchr(path, '/') = 0;
	return strcat(path, "/lib/librvm.so");
}

TEST(everything_in_the_headers_links)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(symbols); i++)
		EXPECT_TRUE(!!symbols[i].at);
}

TEST(the_shared_library_exports_everything_in_version_1_0)
{
	void *library = dlopen(shared_library(), RTLD_NOW | RTLD_LOCAL);
	size_t i;

	ASSERT_NE(NULL, library) {
		TH_LOG("%s", dlerror());
	}
	for (i = 0; i < ARRAY_SIZE(symbols); i++) {
		EXPECT_NE(NULL, dlvsym(library, symbols[i].name, "RVM_1.0")) {
			TH_LOG("%s", symbols[i].name);
		}
	}
}

static bool in_header(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(symbols); i++)
		if (!strcmp(symbols[i].name, name))
			return true;
	return false;
}

TEST(the_shared_library_exports_nothing_else)
{
	char command[4200], name[256];
	size_t n = 0;
	FILE *nm;

	snprintf(command, sizeof(command), "nm -D --defined-only '%s'", shared_library());
	nm = popen(command, "r");
	ASSERT_NE(NULL, nm);
	while (fscanf(nm, "%*s %*s %255s", name) == 1) {
		char *version = strchr(name, '@');

		if (!strcmp(name, "RVM_1.0"))
			continue;
		if (version)
			*version = 0;
		EXPECT_TRUE(in_header(name)) {
			TH_LOG("%s", name);
		}
		n++;
	}
	EXPECT_EQ(0, pclose(nm));
	EXPECT_EQ(ARRAY_SIZE(symbols), n);
}

TEST_HARNESS_MAIN
