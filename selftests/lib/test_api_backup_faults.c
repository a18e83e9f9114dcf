// SPDX-License-Identifier: GPL-2.0
/*
 * Backups that are refused, fail or crash leave nothing that could be taken for one, and the source
 * never notices; a bit that changes in one is found.
 */
#include "backup.h"

#include "archive.h"
#include "instance.h"
#include "log.h"
#include "os.h"

/* A place with one small segment, for what is tried many times. */
struct small {
	struct place place;
	rvm_region_t region;
	char dir[128];
	rvm_tid_t tid;
};

static void small_open(struct small *small)
{
	need(place_open(&small->place) == RVM_SUCCESS);
	need(place_map(&small->place, &small->region, RVM_TRACK_NONE) == RVM_SUCCESS);
	rvm_init_tid(&small->tid);
}

static void small_commit(struct small *small, size_t page, int value)
{
	char *at = small->region.vmaddr + page * PAGE;

	need(rvm_begin_transaction(&small->tid, restore) == RVM_SUCCESS);
	need(rvm_set_range(&small->tid, at, 100) == RVM_SUCCESS);
	memset(at, value, 100);
	need(rvm_end_transaction(&small->tid, flush) == RVM_SUCCESS);
}

FIXTURE(small) {
	struct small small;
};

FIXTURE_SETUP(small)
{
	ASSERT_TRUE(place_make(&self->small.place));
	snprintf(self->small.dir, sizeof(self->small.dir), "%s/backup", self->small.place.dir);
}

FIXTURE_TEARDOWN(small)
{
	os = os_real;
	rvm_terminate();
	remove_tree(self->small.place.dir);
}

TEST_F(small, bad_calls_are_refused)
{
	EXPECT_RVM(RVM_EINIT, rvm_backup(self->small.dir, NULL, NULL));
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	EXPECT_REFUSED(RVM_ELOG, "log_dev", rvm_backup(self->small.dir, NULL, NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	small_open(&self->small);
	EXPECT_REFUSED(RVM_EOPTIONS, "directory", rvm_backup(NULL, NULL, NULL));
	EXPECT_REFUSED(RVM_EOPTIONS, "directory", rvm_backup("", NULL, NULL));
}

TEST_F(small, a_target_that_is_there_is_left_alone)
{
	char path[PATH_MAX];

	small_open(&self->small);
	ASSERT_EQ(0, mkdir(self->small.dir, 0700));
	ASSERT_TRUE(file_make(join(path, self->small.dir, "mine"), 100, 'm'));
	EXPECT_REFUSED(RVM_EOPTIONS, "exists", rvm_backup(self->small.dir, NULL, NULL));
	EXPECT_TRUE(file_holds(path, 0, 100, 'm'));
	EXPECT_REFUSED(RVM_EOPTIONS, "exists", rvm_backup(path, NULL, NULL));
	EXPECT_TRUE(file_holds(path, 0, 100, 'm'));
	EXPECT_REFUSED(RVM_EIO, "mine/x", rvm_backup(join(path, self->small.dir, "mine/x"), NULL,
						     NULL));
	EXPECT_REFUSED(RVM_EIO, "no/dir", rvm_backup(join(path, self->small.dir, "no/dir"), NULL,
						     NULL));
}

TEST_F(small, without_permission_it_is_refused)
{
	char path[PATH_MAX];

	small_open(&self->small);
	ASSERT_EQ(0, mkdir(self->small.dir, 0500));
	if (!geteuid())
		ASSERT_EQ(0, seteuid(65534));
	EXPECT_REFUSED(RVM_EPERM, "Permission",
		       rvm_backup(join(path, self->small.dir, "x"), NULL, NULL));
	if (!getuid())
		ASSERT_EQ(0, seteuid(0));
}

TEST_F(small, a_segment_that_is_gone_is_missed)
{
	char other[128];
	rvm_region_t region;

	snprintf(other, sizeof(other), "%s/other", self->small.place.dir);
	ASSERT_TRUE(file_make(other, PAGE, 0));
	small_open(&self->small);
	ASSERT_RVM(RVM_SUCCESS, map_part(&region, other, 0, 0, RVM_TRACK_NONE));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	small_open(&self->small);
	ASSERT_EQ(0, unlink(other));
	EXPECT_REFUSED(RVM_EIO, other, rvm_backup(self->small.dir, NULL, NULL));
	EXPECT_NE(NULL, strstr(rvm_error(), "rvm forget"));
	EXPECT_EQ(-1, access(self->small.dir, F_OK));
}

TEST_F(small, a_segment_that_was_renamed_while_it_is_open_is_found)
{
	char away[PATH_MAX], to[PATH_MAX];

	small_open(&self->small);
	small_commit(&self->small, 3, 'r');
	join(away, self->small.place.dir, "away");
	ASSERT_EQ(0, rename(self->small.place.seg, away));
	ASSERT_TRUE(file_make(self->small.place.seg, SEG_BYTES, 'x'));
	ASSERT_RVM(RVM_SUCCESS, rvm_backup(self->small.dir, NULL, NULL));
	join(to, self->small.place.dir, "to");
	ASSERT_EQ(0, mkdir(to, 0700));
	ASSERT_EQ(0, tool("restore -t '%s' '%s' > '%s/out'", to, self->small.dir, to));
	join(away, to, "seg");
	EXPECT_TRUE(file_holds(away, 3 * PAGE, 100, 'r'));
	EXPECT_TRUE(file_holds(away, 4 * PAGE, PAGE, 0));
}

struct late {
	struct small *small;
	char path[PATH_MAX];
	rvm_region_t region;
	bool done;
};

static void commit_to(rvm_region_t *region, size_t offset, int value)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(rvm_begin_transaction(&tid, restore) == RVM_SUCCESS);
	need(rvm_set_range(&tid, region->vmaddr + offset, 100) == RVM_SUCCESS);
	memset(region->vmaddr + offset, value, 100);
	need(rvm_end_transaction(&tid, no_flush) == RVM_SUCCESS);
}

/* Beside the copy of the first segment: a second one is made, and the first one grows. */
static void map_and_grow(void *arg, uint64_t done, uint64_t total)
{
	struct late *late = arg;
	struct small *small = late->small;
	static const char grown[] = "grown", new[] = "new";
	struct log_range range = {
		.offset = SEG_BYTES + PAGE, .length = sizeof(new), .data = new,
	};
	uint64_t lsn;

	if (late->done)
		return;
	late->done = true;
	need(file_make(late->path, 3 * PAGE, 'o'));
	need(map_part(&late->region, late->path, 0, 0, RVM_TRACK_NONE) == RVM_SUCCESS);
	commit_to(&late->region, PAGE, 'n');
	need(truncate(small->place.seg, SEG_BYTES + 2 * PAGE) == 0);
	need(file_write(small->place.seg, SEG_BYTES, grown, sizeof(grown)));
	need(!log_name_segment(rvm.log, small->place.seg, SEG_BYTES + 2 * PAGE, &range.segment));
	need(!log_append(rvm.log, 77, &range, 1, &lsn));
}

TEST_F(small, a_segment_that_comes_or_grows_meanwhile_is_in_it)
{
	struct late late = { .small = &self->small };
	char to[PATH_MAX], path[PATH_MAX], got[16];

	small_open(&self->small);
	small_commit(&self->small, 0, 'a');
	join(late.path, self->small.place.dir, "late");
	ASSERT_RVM(RVM_SUCCESS, rvm_backup(self->small.dir, map_and_grow, &late));
	ASSERT_TRUE(late.done);
	join(to, self->small.place.dir, "to");
	ASSERT_EQ(0, mkdir(to, 0700));
	ASSERT_EQ(0, tool("restore -t '%s' '%s' > '%s/out'", to, self->small.dir, to));
	join(path, to, "late");
	EXPECT_TRUE(file_holds(path, 0, PAGE, 'o'));
	EXPECT_TRUE(file_holds(path, PAGE, 100, 'n'));
	EXPECT_TRUE(file_holds(path, PAGE + 100, 2 * PAGE - 100, 'o'));
	join(path, to, "seg");
	EXPECT_EQ(SEG_BYTES + 2 * PAGE, file_length(path));
	EXPECT_TRUE(file_holds(path, 0, 100, 'a'));
	ASSERT_TRUE(file_read(path, SEG_BYTES, got, sizeof(got)));
	EXPECT_STREQ("grown", got);
	ASSERT_TRUE(file_read(path, SEG_BYTES + PAGE, got, sizeof(got)));
	EXPECT_STREQ("new", got);
}

/* Failing calls: the one that is due, of those on files of the backup. */
static int due;
static int calls;
static bool die;
static const char *in_dir;

static bool is_due(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = 0;
	if (strncmp(path, in_dir, strlen(in_dir)) || ++calls != due)
		return false;
	if (die)
		_exit(77);
	return true;
}

static ssize_t failing_pwritev(int fd, const struct iovec *iov, int n, uint64_t offset, bool sync)
{
	return is_due(fd) ? -ENOSPC : os_real.pwritev(fd, iov, n, offset, sync);
}

static int failing_sync(int fd)
{
	return is_due(fd) ? -ENOSPC : os_real.sync(fd);
}

static int failing_resize(int fd, uint64_t length)
{
	return is_due(fd) ? -ENOSPC : os_real.resize(fd, length);
}

static void fail_at(struct small *small, int n)
{
	in_dir = small->dir;
	due = n;
	calls = 0;
	os.pwritev = failing_pwritev;
	os.sync = failing_sync;
	os.resize = failing_resize;
}

static void truncate_now(void *arg, uint64_t done, uint64_t total)
{
	need(rvm_truncate() == RVM_SUCCESS);
}

TEST_F(small, on_a_full_disk_nothing_stays_and_nothing_else_fails)
{
	struct small *small = &self->small;
	rvm_return_t code;
	int n = 0;

	small_open(small);
	do {
		small_commit(small, n % SEG_PAGES, n);
		fail_at(small, ++n);
		code = rvm_backup(small->dir, truncate_now, NULL);
		os = os_real;
		if (!code)
			break;
		ASSERT_EQ(RVM_ENO_SPACE, code) {
			TH_LOG("call %d: %s: %s", n, rvm_return(code), rvm_error());
		}
		EXPECT_NE(NULL, strstr(rvm_error(), small->dir));
		ASSERT_EQ(-1, access(small->dir, F_OK));
	} while (n < 100);
	EXPECT_LT(8, n);
	EXPECT_GT(100, n);
	EXPECT_EQ(0, tool("verify '%s' > '%s/out'", small->dir, small->place.dir));
	small_commit(small, 0, 'e');
}

static void die_in_backup(void *arg)
{
	struct small *small = arg;

	small_open(small);
	small_commit(small, due % SEG_PAGES, due);
	fail_at(small, due);
	die = true;
	need(rvm_backup(small->dir, truncate_now, NULL) == RVM_SUCCESS);
}

TEST_F(small, a_crash_leaves_the_source_whole_and_no_backup_that_seems_so)
{
	struct small *small = &self->small;
	int n, status;

	for (n = 1; n < 100; n++) {
		due = n;
		status = in_child(die_in_backup, small);
		if (!status)
			break;
		ASSERT_EQ(77, status);
		status = tool("verify '%s' > '%s/out' 2>&1", small->dir, small->place.dir);
		EXPECT_TRUE(status == 3 || (status == 0 && n > 8)) {
			TH_LOG("call %d: verify says %d", n, status);
		}
		remove_tree(small->dir);
		ASSERT_RVM(RVM_SUCCESS, place_recover(&small->place));
		EXPECT_TRUE(file_holds(small->place.seg, n * PAGE, 100, n));
	}
	EXPECT_LT(8, n);
	EXPECT_GT(SEG_PAGES, n);
	EXPECT_EQ(0, tool("verify '%s' > '%s/out'", small->dir, small->place.dir));
}

static void ignore(void *arg, uint64_t done, uint64_t total)
{
}

static int verify(const char *dir)
{
	struct archive archive;
	int err = archive_open(dir, &archive);

	if (err)
		return err;
	err = archive_check(&archive, ignore, NULL);
	archive_close(&archive);
	return err;
}

/* Flip one bit, see what is found, and flip it back. */
static int flip_and_verify(const char *dir, const char *path, size_t at, int bit)
{
	unsigned char byte;
	int err;

	need(file_read(path, at, &byte, 1));
	byte ^= 1 << bit;
	need(file_write(path, at, &byte, 1));
	err = verify(dir);
	byte ^= 1 << bit;
	need(file_write(path, at, &byte, 1));
	return err;
}

/* The manifest and the records bit by bit, the segment here and there; fewer in the slow VM. */
TEST_F(small, verify_finds_every_flipped_bit)
{
	static const struct {
		const char *name;
		size_t step;
	} files[] = { { "MANIFEST", 1 }, { "records", 1 }, { "segment.1", 40009 } };
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC), told = dup(2);
	struct small *small = &self->small;
	size_t i, bit, length, missed = 0, rarer = getenv("RVM_VM") ? 211 : 1;
	char path[PATH_MAX];

	small_open(small);
	small_commit(small, 1, 1);
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	small_commit(small, 2, 2);
	ASSERT_RVM(RVM_SUCCESS, rvm_backup(small->dir, NULL, NULL));
	ASSERT_EQ(0, verify(small->dir));
	dup2(quiet, 2);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		join(path, small->dir, files[i].name);
		length = file_length(path);
		need(length > 100);
		for (bit = 0; bit < 8 * length; bit += files[i].step * rarer)
			missed += flip_and_verify(small->dir, path, bit / 8, bit % 8) != -EUCLEAN;
	}
	dup2(told, 2);
	EXPECT_EQ(0, missed);
	EXPECT_EQ(0, verify(small->dir));
}

TEST_HARNESS_MAIN
