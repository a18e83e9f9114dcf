// SPDX-License-Identifier: GPL-2.0
/* The library's life: initialize, options, logs made and opened, query, terminate. */
#include "api.h"

FIXTURE(life) {
	struct place place;
	rvm_options_t options;
};

FIXTURE_SETUP(life)
{
	ASSERT_TRUE(place_make(&self->place));
	place_options(&self->place, &self->options);
}

FIXTURE_TEARDOWN(life)
{
	place_remove(&self->place);
}

TEST_F(life, initialize_makes_a_missing_log_when_asked)
{
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	EXPECT_GE(file_length(self->place.log), (long)LOG_BYTES);
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, initialize_does_not_make_a_log_unasked)
{
	self->options.create_log_file = rvm_false;
	EXPECT_REFUSED(RVM_EIO, self->place.log, RVM_INIT(&self->options));
	EXPECT_EQ(-1, file_length(self->place.log));
	EXPECT_RVM(RVM_EINIT, rvm_flush());
}

TEST_F(life, a_made_log_has_the_mode_that_was_asked_for)
{
	struct stat st;

	umask(0);
	self->options.create_log_mode = 0640;
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_EQ(0, stat(self->place.log, &st));
	EXPECT_EQ(0640, st.st_mode & 0777);
}

TEST_F(life, a_program_compiled_for_another_version_is_refused)
{
	EXPECT_REFUSED(RVM_EVERSION_SKEW, "RVM Interface Version 1.2",
		       rvm_initialize("RVM Interface Version 1.2", &self->options));
	EXPECT_NE(NULL, strstr(rvm_error(), RVM_VERSION));
	EXPECT_RVM(RVM_EVERSION_SKEW, rvm_initialize(NULL, &self->options));
	EXPECT_RVM(RVM_EVERSION_SKEW, rvm_initialize("", NULL));
	EXPECT_EQ(-1, file_length(self->place.log));
	EXPECT_RVM(RVM_EINIT, rvm_flush());
}

TEST_F(life, a_record_that_is_no_options_record_is_refused)
{
	self->options.struct_id = rvm_tid_id;
	EXPECT_RVM(RVM_EOPTIONS, RVM_INIT(&self->options));
	EXPECT_NE(0, strlen(rvm_error()));
	memset(&self->options, 0, sizeof(self->options));
	EXPECT_RVM(RVM_EOPTIONS, RVM_INIT(&self->options));
	EXPECT_RVM(RVM_EINIT, rvm_flush());
}

TEST_F(life, a_truncation_limit_outside_0_to_100_percent_is_refused)
{
	self->options.truncate = 101;
	EXPECT_REFUSED(RVM_EOPTIONS, "101", RVM_INIT(&self->options));
	self->options.truncate = -1;
	EXPECT_REFUSED(RVM_EOPTIONS, "-1", RVM_INIT(&self->options));
	self->options.truncate = 100;
	EXPECT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, an_external_pager_is_refused)
{
	char pager[] = "pager";

	self->options.pager = pager;
	EXPECT_RVM(RVM_EPAGER, RVM_INIT(&self->options));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_EQ(-1, file_length(self->place.log));
}

TEST_F(life, a_log_path_that_is_too_long_is_refused)
{
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, LOG_BYTES);
	char path[8192];

	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	self->options.log_dev = path;
	EXPECT_RVM(RVM_ENAME_TOO_LONG, RVM_INIT(&self->options));
	EXPECT_NE(0, strlen(rvm_error()));
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	EXPECT_RVM(RVM_ENAME_TOO_LONG, rvm_create_log(&self->options, &length, 0600));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, a_second_initialize_is_refused_and_the_first_goes_on)
{
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	EXPECT_REFUSED(RVM_EINIT, "initialized already", RVM_INIT(&self->options));
	EXPECT_RVM(RVM_SUCCESS, rvm_flush());
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, terminate_ends_it_and_initialize_begins_anew)
{
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
		ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
		ASSERT_RVM(RVM_EINIT, rvm_terminate());
		ASSERT_RVM(RVM_EINIT, rvm_flush());
	}
}

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

/* A thread that was joined is listed until the kernel has buried it. */
static int threads(void)
{
	int i;

	for (i = 0; i < 1000 && count_threads() > 1; i++)
		usleep(1000);
	return count_threads();
}

TEST_F(life, twenty_lives_leave_no_descriptor_and_no_thread)
{
	rvm_region_t region;
	int i, before, after;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	before = open("/dev/null", O_RDONLY);
	ASSERT_LE(0, before);
	close(before);
	for (i = 0; i < 20; i++) {
		ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
		ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, 0));
		ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&region));
		ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	}
	after = open("/dev/null", O_RDONLY);
	EXPECT_EQ(before, after);
	close(after);
	EXPECT_EQ(1, threads());
}

TEST_F(life, without_a_log_initialize_succeeds_and_set_options_opens_it)
{
	rvm_log_info_t info;
	rvm_region_t region;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	EXPECT_RVM(RVM_ELOG, rvm_query_log(&info));
	EXPECT_RVM(RVM_ELOG, place_map(&self->place, &region, 0));
	EXPECT_NE(0, strlen(rvm_error()));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_options(&self->options));
	EXPECT_RVM(RVM_SUCCESS, rvm_query_log(&info));
	EXPECT_RVM(RVM_SUCCESS, place_map(&self->place, &region, 0));
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&region));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, set_options_changes_what_query_tells)
{
	rvm_options_t got;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	self->options.truncate = 77;
	self->options.flags = 0;
	EXPECT_RVM(RVM_SUCCESS, rvm_set_options(&self->options));
	rvm_init_options(&got);
	ASSERT_RVM(RVM_SUCCESS, rvm_query(&got, NULL));
	EXPECT_EQ(77, got.truncate);
	EXPECT_EQ(0, got.flags & RVM_ALL_OPTIMIZATIONS);
	EXPECT_STREQ(self->place.log, got.log_dev);
	EXPECT_EQ(0, got.n_uncommit);
	EXPECT_EQ(rvm_true, got.log_empty);
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, set_options_refuses_what_initialize_refuses_and_changes_nothing)
{
	rvm_options_t got;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	EXPECT_RVM(RVM_EOPTIONS, rvm_set_options(NULL));
	self->options.truncate = 101;
	EXPECT_RVM(RVM_EOPTIONS, rvm_set_options(&self->options));
	self->options.truncate = 10;
	self->options.struct_id = rvm_tid_id;
	EXPECT_RVM(RVM_EOPTIONS, rvm_set_options(&self->options));
	rvm_init_options(&got);
	ASSERT_RVM(RVM_SUCCESS, rvm_query(&got, NULL));
	EXPECT_EQ(0, got.truncate);
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, set_options_refuses_another_log_and_goes_on_with_the_first)
{
	char other[96];
	rvm_options_t got;

	snprintf(other, sizeof(other), "%s.other", self->place.log);
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	self->options.log_dev = other;
	self->options.truncate = 77;
	EXPECT_REFUSED(RVM_ELOG, "terminate first", rvm_set_options(&self->options));
	rvm_init_options(&got);
	ASSERT_RVM(RVM_SUCCESS, rvm_query(&got, NULL));
	EXPECT_STREQ(self->place.log, got.log_dev);
	EXPECT_EQ(0, got.truncate);
	EXPECT_EQ(-1, file_length(other));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, query_tells_the_buffers_that_there_are)
{
	rvm_options_t got;

	self->options.flush_buf_len = 1;
	self->options.recovery_buf_len = 1;
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	rvm_init_options(&got);
	ASSERT_RVM(RVM_SUCCESS, rvm_query(&got, NULL));
	EXPECT_EQ(MIN_FLUSH_BUF_LEN, got.flush_buf_len);
	EXPECT_EQ(MIN_RECOVERY_BUF_LEN, got.recovery_buf_len);
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, query_refuses_bad_records)
{
	rvm_region_t region;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	EXPECT_RVM(RVM_EOPTIONS, rvm_query(NULL, NULL));
	self->options.struct_id = rvm_region_id;
	EXPECT_RVM(RVM_EOPTIONS, rvm_query(&self->options, NULL));
	rvm_init_options(&self->options);
	rvm_init_region(&region);
	region.struct_id = rvm_tid_id;
	EXPECT_RVM(RVM_EREGION, rvm_query(&self->options, &region));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, query_lists_the_transactions_that_are_open)
{
	rvm_tid_t tids[3];
	rvm_options_t got;
	int i;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	for (i = 0; i < 3; i++) {
		rvm_init_tid(&tids[i]);
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tids[i], restore));
	}
	rvm_init_options(&got);
	ASSERT_RVM(RVM_SUCCESS, rvm_query(&got, NULL));
	EXPECT_EQ(3, got.n_uncommit);
	ASSERT_NE(NULL, got.tid_array);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(rvm_tid_id, got.tid_array[i].struct_id);
		EXPECT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tids[i]));
	}
	EXPECT_NE(0, memcmp(&got.tid_array[0].uname, &got.tid_array[1].uname,
			    sizeof(struct timeval)));
	free(got.tid_array);
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, terminate_refuses_while_a_transaction_is_open)
{
	rvm_tid_t tid;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	EXPECT_RVM(RVM_EUNCOMMIT, rvm_terminate());
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tid));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, a_transaction_of_an_earlier_life_is_none_in_the_next)
{
	rvm_tid_t old, tid;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
		rvm_init_tid(&tid);
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
		if (i) {
			EXPECT_RVM(RVM_ETID, rvm_abort_transaction(&old));
			EXPECT_RVM(RVM_ETID, rvm_end_transaction(&old, flush));
		}
		old = tid;
		ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tid));
		ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	}
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&old, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&old));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, create_log_makes_a_log_that_initialize_opens)
{
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, 65536);
	rvm_log_info_t info;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_create_log(&self->options, &length, 0600));
	EXPECT_LE(65536, file_length(self->place.log));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	self->options.create_log_file = rvm_false;
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&info));
	EXPECT_EQ(65536, info.size);
	EXPECT_EQ(info.head, info.tail);
	EXPECT_EQ(0, info.error);
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, a_log_of_4096_bytes_is_legal_and_holds_transactions)
{
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, 4096);
	rvm_region_t region;
	rvm_tid_t tid;
	int i;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_create_log(&self->options, &length, 0600));
	self->options.truncate = 50;
	ASSERT_RVM(RVM_SUCCESS, rvm_set_options(&self->options));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, 0));
	rvm_init_tid(&tid);
	for (i = 0; i < 50; i++) {
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
		ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, region.vmaddr, 1000));
		memset(region.vmaddr, i, 1000);
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	self->options.create_log_file = rvm_false;
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, 1000, 49));
	EXPECT_TRUE(file_holds(self->place.seg, 1000, 1000, 0));
}

TEST_F(life, create_log_refuses_bad_arguments)
{
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, LOG_BYTES);
	rvm_offset_t huge = RVM_OFFSET_INITIALIZER(1, 0);
	rvm_offset_t none = RVM_OFFSET_INITIALIZER(0, 0);
	rvm_options_t bad;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	EXPECT_RVM(RVM_EOPTIONS, rvm_create_log(NULL, &length, 0600));
	rvm_init_options(&bad);
	EXPECT_RVM(RVM_EOPTIONS, rvm_create_log(&bad, &length, 0600));
	bad.struct_id = rvm_tid_id;
	bad.log_dev = self->place.log;
	EXPECT_RVM(RVM_EOPTIONS, rvm_create_log(&bad, &length, 0600));
	EXPECT_NE(RVM_SUCCESS, rvm_create_log(&self->options, NULL, 0600));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_NE(RVM_SUCCESS, rvm_create_log(&self->options, &huge, 0600));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_NE(RVM_SUCCESS, rvm_create_log(&self->options, &none, 0600));
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_EQ(-1, file_length(self->place.log));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, create_log_leaves_an_existing_file_alone)
{
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, LOG_BYTES);

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_create_log(&self->options, &length, 0600));
	EXPECT_REFUSED(RVM_ELOG, self->place.log,
		       rvm_create_log(&self->options, &length, 0600));
	ASSERT_TRUE(file_make(self->place.seg, 5000, 'x'));
	self->options.log_dev = self->place.seg;
	EXPECT_REFUSED(RVM_ELOG, self->place.seg,
		       rvm_create_log(&self->options, &length, 0600));
	EXPECT_TRUE(file_holds(self->place.seg, 0, 5000, 'x'));
	EXPECT_EQ(5000, file_length(self->place.seg));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, create_log_in_a_missing_directory_names_the_path)
{
	rvm_offset_t length = RVM_OFFSET_INITIALIZER(0, LOG_BYTES);
	char path[128];

	snprintf(path, sizeof(path), "%s/no/log", self->place.dir);
	self->options.log_dev = path;
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	EXPECT_REFUSED(RVM_EIO, path, rvm_create_log(&self->options, &length, 0600));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

static void use_in_child(void *arg)
{
	rvm_tid_t *tid = arg, own;

	need(rvm_flush() == RVM_EINIT);
	need(strlen(rvm_error()));
	need(rvm_end_transaction(tid, flush) == RVM_EINIT);
	rvm_init_tid(&own);
	need(rvm_begin_transaction(&own, restore) == RVM_EINIT);
	need(rvm_truncate() == RVM_EINIT);
	need(rvm_terminate() == RVM_EINIT);
	need(RVM_INIT(NULL) == RVM_EINIT);
}

TEST_F(life, a_forked_child_has_no_library)
{
	rvm_region_t region;
	rvm_tid_t tid;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, 0));
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&tid, region.vmaddr, "parent", 6));
	EXPECT_EQ(0, in_child(use_in_child, &tid));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('p', file_byte(self->place.seg, 0));
}

static void hold_log(void *arg)
{
	struct place *place = arg;
	int ready;

	need(place_open(place) == RVM_SUCCESS);
	ready = open(place->seg, O_WRONLY | O_CLOEXEC);
	need(write(ready, "!", 1) == 1);
	pause();
}

TEST_F(life, a_log_that_another_process_has_open_is_locked)
{
	pid_t pid = fork();
	int i;

	ASSERT_LE(0, pid);
	if (!pid)
		hold_log(&self->place);
	for (i = 0; i < 2000 && file_byte(self->place.seg, 0) != '!'; i++)
		usleep(5000);
	ASSERT_EQ('!', file_byte(self->place.seg, 0));
	EXPECT_REFUSED(RVM_ELOG_LOCKED, self->place.log, RVM_INIT(&self->options));
	EXPECT_RVM(RVM_EINIT, rvm_flush());
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_F(life, query_log_tells_identity_and_place)
{
	rvm_log_info_t first, second;

	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&first));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&second));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_EQ(0, memcmp(first.uuid, second.uuid, sizeof(first.uuid)));
	EXPECT_FALSE(holds(first.uuid, sizeof(first.uuid), 0));
	EXPECT_EQ(LOG_BYTES, first.size);
	EXPECT_LT(first.generation, second.generation);
	EXPECT_LE(first.tail, second.tail);
	EXPECT_EQ(first.tail, first.durable);
}

static void commit_a_byte(rvm_region_t *region, rvm_mode_t mode)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, restore));
	need(!rvm_set_range(&tid, region->vmaddr, 1));
	region->vmaddr[0]++;
	need(!rvm_end_transaction(&tid, mode));
}

TEST_F(life, query_log_tells_what_is_in_the_log_and_what_of_it_is_durable)
{
	rvm_log_info_t before, now;
	rvm_region_t region;

	self->options.flush_interval = 0;
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&self->options));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&before));
	EXPECT_EQ(before.head, before.tail);
	commit_a_byte(&region, flush);
	commit_a_byte(&region, no_flush);
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&now));
	EXPECT_EQ(before.head, now.head);
	EXPECT_LT(before.tail, now.durable);
	EXPECT_LT(now.durable, now.tail);
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&now));
	EXPECT_EQ(now.durable, now.tail);
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&now));
	EXPECT_EQ(now.head, now.tail);
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&region));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

TEST_HARNESS_MAIN
