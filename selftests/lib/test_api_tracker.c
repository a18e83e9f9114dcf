// SPDX-License-Identifier: GPL-2.0
/* Which tracker a region gets, and which are refused; huge pages, which have none. */
#include "unmapped.h"

#include "os.h"

TEST_F(unmapped, a_tracker_that_is_not_here_is_refused_and_never_replaced)
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
TEST_F(unmapped, transactions_share_no_region_without_the_module)
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

TEST_F(unmapped, what_tracks_has_no_huge_pages)
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

TEST_F(unmapped, a_segment_that_cannot_be_read_is_not_mapped_into_huge_pages)
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
TEST_F(unmapped, huge_pages_are_taken_for_data_alone)
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

TEST_F(unmapped, without_a_choice_the_best_tracker_is_taken_and_says_why)
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
TEST_F(unmapped, without_a_choice_a_long_region_has_the_cheaper_tracker)
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

TEST_F(unmapped, a_handler_of_sigsegv_that_came_later_is_told_and_one_that_came_before_is_kept)
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

TEST_HARNESS_MAIN
