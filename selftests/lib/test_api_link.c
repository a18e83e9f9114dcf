// SPDX-License-Identifier: GPL-2.0
/* Every function of the header is exported by the shared library, and nothing else is. */
#include "api.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#define SYMBOL(name) { #name, (void (*)(void))name }

/* Taking their addresses makes the linker find each of them. */
static const struct {
	const char *name;
	void (*fn)(void);
} symbols[] = {
	SYMBOL(rvm_abort_transaction), SYMBOL(rvm_add_length_to_offset),
	SYMBOL(rvm_add_offsets), SYMBOL(rvm_begin_tracked), SYMBOL(rvm_begin_transaction),
	SYMBOL(rvm_copy_options), SYMBOL(rvm_copy_region), SYMBOL(rvm_copy_tid),
	SYMBOL(rvm_create_log), SYMBOL(rvm_end_transaction), SYMBOL(rvm_error),
	SYMBOL(rvm_flush), SYMBOL(rvm_free_options), SYMBOL(rvm_free_region),
	SYMBOL(rvm_free_tid), SYMBOL(rvm_init_options), SYMBOL(rvm_init_region),
	SYMBOL(rvm_init_tid), SYMBOL(rvm_initialize), SYMBOL(rvm_malloc_options),
	SYMBOL(rvm_malloc_region), SYMBOL(rvm_malloc_tid), SYMBOL(rvm_map),
	SYMBOL(rvm_mk_offset), SYMBOL(rvm_mode), SYMBOL(rvm_modify_bytes),
	SYMBOL(rvm_page_mask), SYMBOL(rvm_page_size), SYMBOL(rvm_query),
	SYMBOL(rvm_query_log), SYMBOL(rvm_query_region), SYMBOL(rvm_return),
	SYMBOL(rvm_rnd_offset_dn_to_page), SYMBOL(rvm_rnd_offset_up_to_page),
	SYMBOL(rvm_set_options), SYMBOL(rvm_set_range), SYMBOL(rvm_sub_length_from_offset),
	SYMBOL(rvm_sub_offsets), SYMBOL(rvm_terminate), SYMBOL(rvm_truncate),
	SYMBOL(rvm_type), SYMBOL(rvm_unmap),
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

TEST(every_function_of_the_header_links)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(symbols); i++)
		EXPECT_TRUE(symbols[i].fn != NULL);
}

TEST(the_shared_library_exports_every_function_in_version_1_0)
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

/* The dynamic symbols that a file defines, counted; those not in the header printed. */
static int count_exports(const char *image, int *unknown)
{
	const ElfW(Ehdr) *head = (const void *)image;
	const ElfW(Shdr) *section = (const void *)(image + head->e_shoff);
	int i, n = 0;
	size_t j;

	for (i = 0; i < head->e_shnum; i++) {
		const ElfW(Sym) *sym = (const void *)(image + section[i].sh_offset);
		const char *names;

		if (section[i].sh_type != SHT_DYNSYM)
			continue;
		names = image + section[section[i].sh_link].sh_offset;
		for (j = 0; j < section[i].sh_size / sizeof(*sym); j++) {
			const char *name = names + sym[j].st_name;

			if (sym[j].st_shndx == SHN_UNDEF || !strcmp(name, "RVM_1.0"))
				continue;
			n++;
			if (!in_header(name)) {
				printf("# exported and not in the header: %s\n", name);
				(*unknown)++;
			}
		}
	}
	return n;
}

TEST(the_shared_library_exports_nothing_else)
{
	int fd = open(shared_library(), O_RDONLY | O_CLOEXEC);
	long length = file_length(shared_library());
	int n, unknown = 0;
	char *image;

	ASSERT_LE(0, fd);
	image = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, image);
	ASSERT_EQ(0, memcmp(image, ELFMAG, SELFMAG));
	n = count_exports(image, &unknown);
	EXPECT_EQ(ARRAY_SIZE(symbols), (size_t)n);
	EXPECT_EQ(0, unknown);
}

TEST_HARNESS_MAIN
