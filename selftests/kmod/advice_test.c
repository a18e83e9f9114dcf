// SPDX-License-Identifier: GPL-2.0
/* Each madvise(2) of a region has one errno, and none hides a store, widens one or loses a byte. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	64
#define SIZE	(PAGES * PAGE)
#define TID	7

/* The page of an open transaction, one that is committed, one that was only read. */
enum { OWNED = 3, DIRTY = 9, CLEAN = 20 };

FIXTURE(advice) {
	struct client c;
	struct region r;
	int seg;
};

/* A new region with one page of each kind. */
static int prepare(FIXTURE_DATA(advice) *self)
{
	struct region *r = &self->r;
	int err;

	region_close(r);
	err = region_open(&self->c, r, self->seg, PAGES, 0, 0) ?:
	      thread_set(r, TID, RVM_TRACK_KIND_TRACKED);
	if (err)
		return err;
	r->data[DIRTY * PAGE] = 210;
	err = cmd_end(&self->c, r->fd, TID, 0, 0);
	if (err)
		return err;
	if (r->data[CLEAN * PAGE] != segment_byte(CLEAN))
		return -EIO;
	r->data[OWNED * PAGE] = 200;
	return chain_length(r, TID) == 1 ? 0 : -EIO;
}

FIXTURE_SETUP(advice)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, prepare(self));
}

FIXTURE_TEARDOWN(advice)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

/* Everything is where it was, the owner too, and the next first stores are seen, each alone. */
static bool unharmed(FIXTURE_DATA(advice) *self)
{
	struct region *r = &self->r;
	uint32_t before = chain_length(r, TID);

	if (r->data[OWNED * PAGE] != 200 || r->data[DIRTY * PAGE] != 210 ||
	    !page_is(r->data + CLEAN * PAGE, segment_byte(CLEAN)) ||
	    !page_is(r->arena + chain_find(r, TID, OWNED) * PAGE, segment_byte(OWNED)))
		return false;
	r->data[DIRTY * PAGE + 1] = 211;
	r->data[CLEAN * PAGE + 1] = 211;
	return chain_length(r, TID) == before + 2 &&
	       r->arena[chain_find(r, TID, DIRTY) * PAGE] == 210;
}

static int advise(FIXTURE_DATA(advice) *self, int advice)
{
	return madvise(self->r.data, SIZE, advice) ? errno : 0;
}

/* Was the kernel built with them? The realtime flavour is not, and knows no advice about them. */
static bool has_huge_pages(void)
{
	return !access("/sys/kernel/mm/transparent_hugepage", F_OK);
}

TEST_F(advice, has_one_errno_each_and_harms_nothing)
{
	const int huge = has_huge_pages() ? 0 : EINVAL;
	const struct {
		int advice, err;
	} all[] = {
		{ MADV_NORMAL, 0 },
		{ MADV_RANDOM, 0 },
		{ MADV_SEQUENTIAL, 0 },
		{ MADV_WILLNEED, 0 },
		{ MADV_DONTNEED, 0 },
		{ 24 /* MADV_DONTNEED_LOCKED */, 0 },
		{ MADV_COLD, 0 },
		{ MADV_PAGEOUT, 0 },
		{ MADV_POPULATE_READ, 0 },
		{ MADV_DONTFORK, 0 },
		{ MADV_DOFORK, kernel_before(7, 2) ? 0 : EINVAL },
		{ MADV_KEEPONFORK, 0 },
		{ MADV_DONTDUMP, 0 },
		{ MADV_MERGEABLE, 0 },
		{ MADV_UNMERGEABLE, 0 },
		{ MADV_HUGEPAGE, huge },
		{ MADV_NOHUGEPAGE, huge },
		/* For anonymous memory only. */
		{ MADV_FREE, EINVAL },
		{ MADV_WIPEONFORK, EINVAL },
		/* Not for mappings that may not grow. */
		{ MADV_DODUMP, EINVAL },
		{ 25 /* MADV_COLLAPSE */, EINVAL },
		{ 102 /* MADV_GUARD_INSTALL */, EINVAL },
		/* A region has no holes to punch. */
		{ MADV_REMOVE, EOPNOTSUPP },
		/* There is none. */
		{ 99, EINVAL },
	};
	unsigned int i;

	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		TH_LOG("advice %d", all[i].advice);
		ASSERT_EQ(0, prepare(self));
		EXPECT_EQ(all[i].err, advise(self, all[i].advice));
		EXPECT_TRUE(unharmed(self));
	}
}

TEST_F(advice, populate_write_owns_every_page)
{
	struct region *r = &self->r;
	unsigned int i;

	EXPECT_EQ(0, advise(self, 23));
	EXPECT_EQ(PAGES, chain_length(r, TID));
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(i == DIRTY ? 210 : segment_byte(i),
			  r->arena[chain_find(r, TID, i) * PAGE]);
}

/* Two pages of equal bytes stay two pages. */
TEST_F(advice, same_page_merging_merges_nothing)
{
	static const char run[] = "/sys/kernel/mm/ksm/run";
	struct region *r = &self->r;

	memset(r->data + 30 * PAGE, 99, 2 * PAGE);
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	EXPECT_EQ(0, advise(self, MADV_MERGEABLE));
	ASSERT_TRUE(write_line("/sys/kernel/mm/ksm/sleep_millisecs", "1"));
	ASSERT_TRUE(write_line(run, "1"));
	usleep(300000);
	ASSERT_TRUE(write_line(run, "0"));
	r->data[30 * PAGE] = 100;
	EXPECT_EQ(1, chain_length(r, TID));
	EXPECT_EQ(99, r->data[31 * PAGE]);
	EXPECT_TRUE(page_is(r->arena + chain_find(r, TID, 30) * PAGE, 99));
}

/* The flag is accepted and the pages are not pinned: mlock(2) of such mappings has no effect. */
TEST_F(advice, mlock_locks_nothing)
{
	EXPECT_EQ(0, mlock(self->r.data, SIZE));
	EXPECT_EQ(0, mlock2(self->r.data + PAGE, PAGE, 1));
	EXPECT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	EXPECT_EQ(0, munlockall());
	EXPECT_EQ(0, munlock(self->r.data, SIZE));
	EXPECT_TRUE(unharmed(self));
}

TEST_HARNESS_MAIN
