// SPDX-License-Identifier: GPL-2.0
/* Each return code of the functions of the library, its log and its statistics, provoked. */
#include "provoke.h"

#include "crc.h"
#include "instance.h"

/* What functions need. */

static void for_another_log(void)
{
	snprintf(w.path, sizeof(w.path), "%s/other", w.place.dir);
	w.options.log_dev = w.path;
	w.log_len.low = 64 * 1024;
}

static void for_backup(void)
{
	snprintf(w.path, sizeof(w.path), "%s/copy", w.place.dir);
	committed();
}

FUNCTION(rvm_initialize, closed, rvm_initialize(w.version, w.use_options));
FUNCTION(rvm_terminate, NULL, rvm_terminate());
FUNCTION(rvm_set_options, without_log, rvm_set_options(w.use_options));
FUNCTION(rvm_query, NULL, rvm_query(w.use_options, w.use_record));
FUNCTION(rvm_create_log, for_another_log, rvm_create_log(w.use_options, w.use_log_len, 0600));
FUNCTION(rvm_resize_log, NULL, rvm_resize_log(w.use_options, w.use_log_len));
FUNCTION(rvm_flush, committed, rvm_flush());
FUNCTION(rvm_truncate, committed, rvm_truncate());
FUNCTION(rvm_query_log, NULL, rvm_query_log(w.use_log_info));
FUNCTION(rvm_wait_durable, committed, rvm_wait_durable(w.lsn, w.timeout));
FUNCTION(rvm_durable_fd, NULL, rvm_durable_fd(w.use_fd));
FUNCTION(rvm_backup, for_backup, rvm_backup(w.use_path, NULL, NULL));
FUNCTION(rvm_statistics, NULL, rvm_statistics(w.statistics_version, w.use_statistics));
FUNCTION(rvm_print_statistics, NULL, rvm_print_statistics(w.use_statistics, w.out));

/* Of arguments. */

static void log_path_too_long(void)
{
	w.options.log_dev = long_path;
}

static void no_options(void)
{
	w.use_options = NULL;
}

/* Of the log's file, while it is closed. */

static void another_version(void)
{
	w.version = "RVM Interface Version 1.2";
}

static void already(void)
{
	need(!RVM_INIT(NULL));
}

/* As another process's library does it: by a file of its own. */
static void locked(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open(w.options.log_dev, O_RDWR | O_CREAT, 0600);

	need(fd >= 0 && !fcntl(fd, F_OFD_SETLK, &lock));
}

static void no_log_at_all(void)
{
	w.options.log_dev = w.place.seg;
}

static void of_a_later_version(void)
{
	struct disk_status status;
	struct format_status decoded;
	const char *why;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		need(file_read(w.place.log, copy * FORMAT_BLOCK, &status, sizeof(status)));
		if (format_status_decode(&status, &decoded, &why))
			continue;
		status.version = FORMAT_VERSION + 1;
		status.crc = crc32c(0, &status, offsetof(struct disk_status, crc));
		need(file_write(w.place.log, copy * FORMAT_BLOCK, &status, sizeof(status)));
	}
}

static void damaged(void)
{
	int copy;

	for (copy = 0; copy < 2; copy++)
		need(file_write(w.place.log, copy * FORMAT_BLOCK + 100, "damage", 6));
}

static void log_is_gone(void)
{
	need(!unlink(w.place.log));
	w.options.create_log_file = rvm_false;
}

static void log_on_a_full_disk(void)
{
	need(!unlink(w.place.log));
	fail_with(WRITING_LOG, ENOSPC);
	fail_with(ALLOCATING, ENOSPC);
}

static void log_that_no_file_can_hold(void)
{
	need(!unlink(w.place.log));
	fail_with(WRITING_LOG, EFBIG);
}

/* Of the library at work. */

static void with_failing_log(void)
{
	committed();
	log_writes_fail();
}

static void open_and_out_of_memory(void)
{
	begun();
	out_of_memory();
}

static void no_length(void)
{
	w.use_log_len = NULL;
}

static void length_of_nothing(void)
{
	w.log_len.low = 0;
}

static void log_that_exists(void)
{
	w.options.log_dev = w.place.seg;
}

static void copy_on_a_full_disk(void)
{
	fail_with(WRITING_COPY, ENOSPC);
}

static void file_too_large(void)
{
	fail_with(WRITING_LOG, EFBIG);
	fail_with(ALLOCATING, EFBIG);
}

/* Another log, closed, so that a change of its size recovers it. */
static void closed_log(void)
{
	for_another_log();
	need(!rvm_create_log(&w.options, &w.log_len, 0600));
	snprintf(w.place.log, sizeof(w.place.log), "%s/other", w.place.dir);
	w.log_len.low = LOG_BYTES;
}

static void closed_log_locked(void)
{
	closed_log();
	locked();
}

static void closed_log_later(void)
{
	closed_log();
	of_a_later_version();
}

static void closed_log_damaged(void)
{
	closed_log();
	damaged();
}

static void closed_log_forbidden(void)
{
	closed_log();
	without_permission();
}

/* Of the log and its tickets. */

static void segment_fails(void)
{
	fail_with(WRITING_SEGMENT, EIO);
}

static void segment_disk_is_full(void)
{
	fail_with(WRITING_SEGMENT, ENOSPC);
}

/* A page that an open transaction changes is not written from memory: its records are read. */
static void read_and_damaged(void)
{
	need(!rvm_flush());
	begun();
	records_are_damaged();
}

static void no_answer(void)
{
	w.use_log_info = NULL;
	w.use_fd = NULL;
}

/* The library's thread is to write; until it has, the time is over. */
static void on_a_slow_disk(void)
{
	__atomic_store_n(&stalled, 1, __ATOMIC_SEQ_CST);
	w.timeout = 0;
}

static void no_ticket(void)
{
	w.lsn = 1UL << 62;
}

static void directory_exists(void)
{
	need(!mkdir(w.path, 0700));
}

static void directory_without_parent(void)
{
	snprintf(w.path, sizeof(w.path), "%s/none/copy", w.place.dir);
}

static void path_too_long(void)
{
	w.use_path = long_path;
}

static void segment_is_cut_off(void)
{
	need(!truncate(w.place.seg, PAGE));
}

/* Of statistics. */

static void statistics_of_another_version(void)
{
	w.statistics_version = "RVM Statistics Interface Version 1.2";
}

static void not_statistics(void)
{
	w.statistics.struct_id = rvm_tid_id;
}

static void nowhere_to_print(void)
{
	w.out = NULL;
}

static const FIXTURE_VARIANT(returns) rows[] = {
	ROW(rvm_initialize, RVM_SUCCESS, nothing),
	ROW(rvm_initialize, RVM_EVERSION_SKEW, another_version),
	ROW(rvm_initialize, RVM_EINIT, already),
	ROW(rvm_initialize, RVM_EOPTIONS, bad_options),
	ROW(rvm_initialize, RVM_EPAGER, with_pager),
	ROW(rvm_initialize, RVM_ENAME_TOO_LONG, log_path_too_long),
	ROW(rvm_initialize, RVM_ELOG, no_log_at_all),
	ROW(rvm_initialize, RVM_ELOG_LOCKED, locked),
	ROW(rvm_initialize, RVM_ELOG_VERSION_SKEW, of_a_later_version),
	ROW(rvm_initialize, RVM_ELOG_DAMAGED, damaged),
	ROW(rvm_initialize, RVM_EPERM, without_permission),
	ROW(rvm_initialize, RVM_EIO, log_is_gone),
	ROW(rvm_initialize, RVM_ENO_SPACE, log_on_a_full_disk),
	ROW(rvm_initialize, RVM_ENO_SPACE, log_that_no_file_can_hold),
	ROW(rvm_initialize, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_initialize, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_terminate, RVM_SUCCESS, nothing),
	ROW(rvm_terminate, RVM_EINIT, closed),
	ROW(rvm_terminate, RVM_EUNCOMMIT, begun),
	ROW(rvm_terminate, RVM_EIO, with_failing_log),

	ROW(rvm_set_options, RVM_SUCCESS, nothing),
	ROW(rvm_set_options, RVM_EINIT, closed),
	ROW(rvm_set_options, RVM_EOPTIONS, bad_options),
	ROW(rvm_set_options, RVM_EOPTIONS, no_options),
	ROW(rvm_set_options, RVM_EPAGER, with_pager),
	ROW(rvm_set_options, RVM_ENAME_TOO_LONG, log_path_too_long),
	ROW(rvm_set_options, RVM_ELOG, no_log_at_all),
	ROW(rvm_set_options, RVM_ELOG_LOCKED, locked),
	ROW(rvm_set_options, RVM_ELOG_VERSION_SKEW, of_a_later_version),
	ROW(rvm_set_options, RVM_ELOG_DAMAGED, damaged),
	ROW(rvm_set_options, RVM_EPERM, without_permission),
	ROW(rvm_set_options, RVM_EIO, log_is_gone),
	ROW(rvm_set_options, RVM_ENO_SPACE, log_on_a_full_disk),
	ROW(rvm_set_options, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_query, RVM_SUCCESS, nothing),
	ROW(rvm_query, RVM_EINIT, closed),
	ROW(rvm_query, RVM_EOPTIONS, no_options),
	ROW(rvm_query, RVM_EREGION, not_a_record),
	ROW(rvm_query, RVM_ENOT_MAPPED, elsewhere),
	ROW(rvm_query, RVM_ENO_MEMORY, open_and_out_of_memory),

	ROW(rvm_create_log, RVM_SUCCESS, nothing),
	ROW(rvm_create_log, RVM_EINIT, closed),
	ROW(rvm_create_log, RVM_EOPTIONS, no_options),
	ROW(rvm_create_log, RVM_EPAGER, with_pager),
	ROW(rvm_create_log, RVM_ENAME_TOO_LONG, log_path_too_long),
	ROW(rvm_create_log, RVM_EOFFSET, no_length),
	ROW(rvm_create_log, RVM_ELOG, length_of_nothing),
	ROW(rvm_create_log, RVM_ELOG, log_that_exists),
	ROW(rvm_create_log, RVM_ELOG_LOCKED, locked),
	ROW(rvm_create_log, RVM_EPERM, without_permission),
	ROW(rvm_create_log, RVM_EIO, log_writes_fail),
	ROW(rvm_create_log, RVM_ENO_SPACE, full_disk),
	ROW(rvm_create_log, RVM_ENO_SPACE, file_too_large),
	ROW(rvm_create_log, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_create_log, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_resize_log, RVM_SUCCESS, nothing),
	ROW(rvm_resize_log, RVM_SUCCESS, closed_log),
	ROW(rvm_resize_log, RVM_EINIT, closed),
	ROW(rvm_resize_log, RVM_EOPTIONS, no_options),
	ROW(rvm_resize_log, RVM_EPAGER, with_pager),
	ROW(rvm_resize_log, RVM_ENAME_TOO_LONG, log_path_too_long),
	ROW(rvm_resize_log, RVM_EOFFSET, no_length),
	ROW(rvm_resize_log, RVM_EOFFSET, length_of_nothing),
	ROW(rvm_resize_log, RVM_ELOG, no_log_at_all),
	ROW(rvm_resize_log, RVM_ELOG_LOCKED, closed_log_locked),
	ROW(rvm_resize_log, RVM_ELOG_VERSION_SKEW, closed_log_later),
	ROW(rvm_resize_log, RVM_ELOG_DAMAGED, closed_log_damaged),
	ROW(rvm_resize_log, RVM_EPERM, closed_log_forbidden),
	ROW(rvm_resize_log, RVM_EIO, log_writes_fail),
	ROW(rvm_resize_log, RVM_ENO_SPACE, full_disk),
	ROW(rvm_resize_log, RVM_ENO_SPACE, file_too_large),
	ROW(rvm_resize_log, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_flush, RVM_SUCCESS, nothing),
	ROW(rvm_flush, RVM_EINIT, closed),
	ROW(rvm_flush, RVM_ELOG, without_log),
	ROW(rvm_flush, RVM_EIO, log_writes_fail),

	ROW(rvm_truncate, RVM_SUCCESS, nothing),
	ROW(rvm_truncate, RVM_EINIT, closed),
	ROW(rvm_truncate, RVM_ELOG, without_log),
	ROW(rvm_truncate, RVM_EIO, segment_fails),
	ROW(rvm_truncate, RVM_ENO_SPACE, segment_disk_is_full),
	ROW(rvm_truncate, RVM_ELOG_DAMAGED, read_and_damaged),
	ROW(rvm_truncate, RVM_ENO_MEMORY, out_of_memory),

	ROW(rvm_query_log, RVM_SUCCESS, nothing),
	ROW(rvm_query_log, RVM_EINIT, closed),
	ROW(rvm_query_log, RVM_ELOG, without_log),
	ROW(rvm_query_log, RVM_EOPTIONS, no_answer),

	ROW(rvm_wait_durable, RVM_SUCCESS, nothing),
	ROW(rvm_wait_durable, RVM_EINIT, closed),
	ROW(rvm_wait_durable, RVM_ELOG, without_log),
	ROW(rvm_wait_durable, RVM_ETIMEOUT, on_a_slow_disk),
	ROW(rvm_wait_durable, RVM_ELSN, no_ticket),
	ROW(rvm_wait_durable, RVM_EIO, log_writes_fail),

	ROW(rvm_durable_fd, RVM_SUCCESS, nothing),
	ROW(rvm_durable_fd, RVM_EINIT, closed),
	ROW(rvm_durable_fd, RVM_ELOG, without_log),
	ROW(rvm_durable_fd, RVM_EOPTIONS, no_answer),
	ROW(rvm_durable_fd, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_backup, RVM_SUCCESS, nothing),
	ROW(rvm_backup, RVM_EINIT, closed),
	ROW(rvm_backup, RVM_ELOG, without_log),
	ROW(rvm_backup, RVM_EOPTIONS, no_path),
	ROW(rvm_backup, RVM_EOPTIONS, directory_exists),
	ROW(rvm_backup, RVM_EPERM, without_permission),
	ROW(rvm_backup, RVM_ENO_SPACE, copy_on_a_full_disk),
	ROW(rvm_backup, RVM_EIO, directory_without_parent),
	ROW(rvm_backup, RVM_ELOG_DAMAGED, segment_is_cut_off),
	ROW(rvm_backup, RVM_ENAME_TOO_LONG, path_too_long),
	ROW(rvm_backup, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_backup, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_statistics, RVM_SUCCESS, nothing),
	ROW(rvm_statistics, RVM_EINIT, closed),
	ROW(rvm_statistics, RVM_ESTAT_VERSION_SKEW, statistics_of_another_version),
	ROW(rvm_statistics, RVM_ESTATISTICS, not_statistics),

	ROW(rvm_print_statistics, RVM_SUCCESS, nothing),
	ROW(rvm_print_statistics, RVM_ESTATISTICS, not_statistics),
	ROW(rvm_print_statistics, RVM_EIO, nowhere_to_print),
};

REGISTER(rows)

TEST_HARNESS_MAIN
