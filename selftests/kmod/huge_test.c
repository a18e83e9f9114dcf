// SPDX-License-Identifier: GPL-2.0
/* Where all memory is to be in huge pages, those of a region stay small; a segment may have any. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define HUGE	512UL			/* pages of a huge one */
#define PAGES	(3 * HUGE)
#define TID	7

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define KHUGEPAGED	THP "khugepaged/"

/* Bits of /proc/kpageflags. */
#define COMPOUND_HEAD	15
#define COMPOUND_TAIL	16

/* What is set, and to what; before[] has what it was. */
static const struct {
	const char *path, *value;
} settings[] = {
	{ THP "enabled", "always" },
	{ THP "defrag", "always" },
	{ THP "shmem_enabled", "force" },
	{ KHUGEPAGED "scan_sleep_millisecs", "0" },
	{ KHUGEPAGED "alloc_sleep_millisecs", "0" },
	{ KHUGEPAGED "pages_to_scan", "100000" },
};

#define SETTINGS	(sizeof(settings) / sizeof(*settings))

FIXTURE(huge) {
	struct client c;
	struct region r;
	char before[SETTINGS][64];
	char dir[256];
	int seg;
	unsigned char *at;
};

FIXTURE_VARIANT(huge) {
	const char *type;	/* of the segment's file system, NULL for the one that is there */
	const char *options;
};

FIXTURE_VARIANT_ADD(huge, usual) { .type = NULL };
FIXTURE_VARIANT_ADD(huge, tmpfs) { .type = "tmpfs", .options = "size=32M,huge=always" };

/* The value of a setting; of several words the one that holds. */
static bool read_setting(const char *path, char *value, size_t size)
{
	FILE *file = fopen(path, "r");
	char line[256] = "", *open, *close;
	bool ok = file && fgets(line, sizeof(line), file);

	if (file)
		fclose(file);
	open = strchr(line, '[');
	close = strchr(line, ']');
	if (open && close)
		*close = 0;
	snprintf(value, size, "%s", open && close ? open + 1 : line);
	return ok;
}

/* A mapping of the data where a huge page could be put at each multiple of its size. */
static unsigned char *map_aligned(int fd)
{
	unsigned char *room = mmap(NULL, (PAGES + HUGE) * PAGE, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *at = (void *)(((uintptr_t)room + HUGE * PAGE - 1) & -(HUGE * PAGE));

	at = mmap(at, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		  RVM_TRACK_MMAP_DATA);
	return at == MAP_FAILED ? NULL : at;
}

FIXTURE_SETUP(huge)
{
	unsigned int i;

	for (i = 0; i < SETTINGS; i++) {
		ASSERT_TRUE(read_setting(settings[i].path, self->before[i],
					 sizeof(self->before[i])));
		ASSERT_TRUE(write_line(settings[i].path, settings[i].value));
	}
	snprintf(self->dir, sizeof(self->dir), "%s/huge-XXXXXX", getenv("TMPDIR") ?: "/var/tmp");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	if (variant->type)
		ASSERT_EQ(0, mount(variant->type, self->dir, variant->type, 0, variant->options));
	setenv("TMPDIR", self->dir, 1);
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	self->at = map_aligned(self->r.fd);
	ASSERT_NE(NULL, self->at);
	ASSERT_EQ(0, madvise(self->at, PAGES * PAGE, MADV_HUGEPAGE));
	ASSERT_EQ(0, thread_set(&self->r, TID, RVM_TRACK_KIND_TRACKED));
}

FIXTURE_TEARDOWN(huge)
{
	unsigned int i;

	if (self->at)
		munmap(self->at, PAGES * PAGE);
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
	if (variant->type)
		EXPECT_EQ(0, umount(self->dir));
	EXPECT_EQ(0, rmdir(self->dir));
	for (i = 0; i < SETTINGS; i++)
		EXPECT_TRUE(write_line(settings[i].path, self->before[i]));
}

/* The 8 bytes that a file of /proc has for a page. */
static uint64_t word_of(const char *path, uint64_t index)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t word;

	if (fd < 0 || pread(fd, &word, sizeof(word), index * sizeof(word)) != sizeof(word))
		abort();
	close(fd);
	return word;
}

/* Is what is mapped there a page of its own, no part of a larger one? */
static bool is_small(const unsigned char *at)
{
	uint64_t entry = word_of("/proc/self/pagemap", (uintptr_t)at / PAGE), flags;

	if (!(entry >> 63))
		abort();
	flags = word_of("/proc/kpageflags", entry & ((1ULL << 55) - 1));
	return !(flags >> COMPOUND_HEAD & 1) && !(flags >> COMPOUND_TAIL & 1);
}

/* What tells nothing if there are no huge pages on this machine. */
TEST_F_TIMEOUT(huge, anonymous_memory_is_in_huge_pages_here, 60)
{
	unsigned char *room = mmap(NULL, 2 * HUGE * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, room);
	memset(room, 1, 2 * HUGE * PAGE);
	EXPECT_FALSE(is_small((void *)(((uintptr_t)room + HUGE * PAGE - 1) & -(HUGE * PAGE))));
	munmap(room, 2 * HUGE * PAGE);
}

/* Each page by itself: what is read, who is told of a store, and what is written back. */
TEST_F_TIMEOUT(huge, a_store_owns_one_small_page, 60)
{
	struct region *r = &self->r;
	uint64_t written;
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		ASSERT_TRUE(page_is(self->at + i * PAGE, segment_byte(i)));
	for (i = 0; i < PAGES; i += 5)
		self->at[i * PAGE + i] = 200;
	EXPECT_EQ((PAGES + 4) / 5, chain_length(r, TID));
	for (i = 0; i < PAGES; i++)
		ASSERT_TRUE(is_small(self->at + i * PAGE));
	EXPECT_EQ(PAGES, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_RESIDENT));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	ASSERT_EQ(0, cmd_writeback(&self->c, r->fd, 0, PAGES, &written, NULL));
	EXPECT_EQ((PAGES + 4) / 5, written);
	for (i = 0; i < PAGES; i++) {
		unsigned char byte;

		ASSERT_EQ(1, pread(self->seg, &byte, 1, i * PAGE + i % PAGE));
		EXPECT_EQ(i % 5 ? segment_byte(i) : 200, byte);
	}
}

/* Nor does the kernel put small ones together, asked to or by itself. */
TEST_F_TIMEOUT(huge, small_pages_are_never_collapsed, 60)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		ASSERT_TRUE(page_is(self->at + i * PAGE, segment_byte(i)));
	EXPECT_EQ(-1, madvise(self->at, HUGE * PAGE, 25 /* MADV_COLLAPSE */));
	usleep(300000);
	self->at[HUGE * PAGE] = 200;
	EXPECT_EQ(1, chain_length(&self->r, TID));
	for (i = 0; i < PAGES; i++) {
		(void)*(volatile unsigned char *)(self->at + i * PAGE);
		ASSERT_TRUE(is_small(self->at + i * PAGE));
	}
}

TEST_HARNESS_MAIN
