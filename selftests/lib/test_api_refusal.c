// SPDX-License-Identifier: GPL-2.0
/* Segments that cannot be mapped, and are told by name: files, records, permissions, full disks. */
#include "unmapped.h"

#include <sched.h>
#include <sys/mount.h>

TEST_F(unmapped, a_missing_segment_is_refused_by_name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/none", self->place.dir);
	EXPECT_REFUSED(RVM_EIO, path, map_part(&self->region, path, 0, 0, 0));
	EXPECT_EQ(-1, file_length(path));
}

TEST_F(unmapped, a_missing_segment_is_made_when_asked)
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

TEST_F(unmapped, a_directory_a_fifo_a_tty_and_a_loop_are_no_segments)
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

TEST_F(unmapped, an_empty_segment_is_refused)
{
	ASSERT_EQ(0, truncate(self->place.seg, 0));
	EXPECT_REFUSED(RVM_EOFFSET, self->place.seg, place_map(&self->place, &self->region, 0));
	ASSERT_EQ(0, truncate(self->place.seg, PAGE - 1));
	EXPECT_REFUSED(RVM_EOFFSET, self->place.seg, place_map(&self->place, &self->region, 0));
}

TEST_F(unmapped, a_path_that_is_too_long_is_refused)
{
	char path[8192];

	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	EXPECT_RVM(RVM_ENAME_TOO_LONG, map_part(&self->region, path, 0, 0, 0));
	EXPECT_NE(0, strlen(rvm_error()));
}

TEST_F(unmapped, a_bad_region_record_is_refused)
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

TEST_F(unmapped, bad_options_of_a_map_are_refused)
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

TEST_F(unmapped, files_without_permission_are_refused_by_name)
{
	if (geteuid())
		SKIP(return, "needs root to become somebody else");
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_EQ(0, chmod(self->place.dir, 0777));
	ASSERT_EQ(0, chmod(self->place.seg, 0400));
	ASSERT_EQ(0, chmod(self->place.log, 0400));
	EXPECT_EQ(0, in_child(as_nobody, &self->place));
}

/* A small file system that only this process sees; where it is, in @mnt of 96 bytes */
static void mount_small(const struct place *place, const char *size, char *mnt)
{
	snprintf(mnt, 96, "%s/small", place->dir);
	need(!unshare(CLONE_NEWNS));
	need(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	need(!mkdir(mnt, 0700));
	need(!mount("small", mnt, "tmpfs", 0, size));
}

static void on_full_disk(void *arg)
{
	struct place *place = arg;
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, LOG_BYTES);
	rvm_options_t options;
	rvm_region_t region;
	char mnt[96], path[128], fill[128];

	mount_small(place, "size=512k", mnt);
	snprintf(path, sizeof(path), "%s/file", mnt);
	snprintf(fill, sizeof(fill), "%s/fill", mnt);

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

TEST_F(unmapped, a_full_disk_is_told_and_leaves_no_half_made_file)
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

	mount_small(place, "size=64k", mnt);
	snprintf(path, sizeof(path), "%s/segment", mnt);
	snprintf(fill, sizeof(fill), "%s/fill", mnt);
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

TEST_F(unmapped, pages_that_find_no_room_name_their_segment)
{
	if (geteuid())
		SKIP(return, "needs root to mount a small file system");
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_EQ(0, in_child(on_segment_of_holes, &self->place));
}

TEST_HARNESS_MAIN
