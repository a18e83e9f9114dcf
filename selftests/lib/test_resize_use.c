// SPDX-License-Identifier: GPL-2.0
/*
 * A log that changes its size while it is in use: nothing that was acknowledged is lost, wherever
 * the change ends.  The disk is in memory.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define truncate_log empty_log	/* the helper there, not the library's function */
#include "logtest.h"
#undef truncate_log
#include "region.h"
#include "resize.h"
#include "track.h"
#include "truncate.h"

#define SMALL	8192U
#define LARGE	32768U
#define START	73728U	/* of the record area */
#define MOST	300	/* bytes of a range */
#define CHOICES	6	/* ways in which unsynced sectors survive */

/* A disk that several threads use, and whose lengths are set by calls that may be the last. */
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

#define ON_DISK(call) ({ \
	typeof(call) __ret; \
	\
	pthread_mutex_lock(&disk); \
	__ret = (call); \
	pthread_mutex_unlock(&disk); \
	__ret; \
})

static int counted(int (*call)(int fd, uint64_t offset, uint64_t length), int fd, uint64_t offset,
		   uint64_t length)
{
	int err = mem_count();

	return err < 0 ? err : call(fd, offset, length);
}

static int set_length(int fd, uint64_t offset, uint64_t length)
{
	return mem_resize(fd, length);
}

static ssize_t disk_pread(int fd, void *buf, size_t length, uint64_t offset)
{
	return ON_DISK(mem_pread(fd, buf, length, offset));
}

static ssize_t disk_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	return ON_DISK(mem_pwritev(fd, iov, count, offset, sync));
}

static int disk_datasync(int fd)
{
	return ON_DISK(mem_datasync(fd));
}

static int disk_resize(int fd, uint64_t length)
{
	return ON_DISK(counted(set_length, fd, 0, length));
}

static int disk_allocate(int fd, uint64_t offset, uint64_t length)
{
	return ON_DISK(counted(mem_allocate, fd, offset, length));
}

static void install(void)
{
	os.pread = disk_pread;
	os.pwritev = disk_pwritev;
	os.datasync = disk_datasync;
	os.sync = disk_datasync;
	os.resize = disk_resize;
	os.allocate = disk_allocate;
}

/* A region whose records are always taken from the log. */
static const struct track_ops plain_ops = { .name = "plain" };

/* struct use - a log in use */
struct use {
	struct log *log;
	struct tracker tracker;
	struct region region;
	struct regions regions;
	struct truncator tr;
};

static int begin_use(struct use *use)
{
	int err;

	memset(use, 0, sizeof(*use));
	err = open_log(0, &use->log);
	if (err)
		return err;
	regions_init(&use->regions);
	use->tracker.ops = &plain_ops;
	use->region.tracker = &use->tracker;
	rangeset_init(&use->region.busy);
	err = regions_segment(&use->regions, use->log, SEG, 0, &use->region.segment);
	if (!err)
		err = truncator_start(&use->tr, use->log, &use->regions, 0, NULL, NULL);
	use->regions.first = &use->region;
	return err;
}

static void end_use(struct use *use)
{
	if (!use->log)
		return;
	truncator_stop(&use->tr);
	use->regions.first = NULL;
	regions_free(&use->regions);
	log_close(use->log);
}

/* As commit() of the library: who finds no room waits for truncation. */
static int commit_one(struct use *use, uint64_t number)
{
	uint64_t lsn;
	int err;

	do {
		err = append_tx(use->log, number, MOST, &lsn);
		if (err == -ENOSPC && !truncate_make_room(&use->tr))
			continue;
		break;
	} while (1);
	return err ? err : log_flush(use->log, lsn);
}

static int commit_to(struct use *use, uint64_t first, uint64_t last)
{
	int err = 0;

	for (; first <= last && !err; first++)
		err = commit_one(use, first);
	return err;
}

static uint64_t area_size(void)
{
	struct log_state state;
	struct log *log;

	if (log_open(LOG, 0, true, &log))
		return 0;
	log_state(log, &state);
	log_close(log);
	return state.size;
}

/* What is there after recovery, or -2; and the log works, for a lap. */
static int64_t recovered(void)
{
	struct use use;
	int64_t found, more;

	if (begin_use(&use))
		return -2;
	found = prefix(mem_find(SEG)->data, MOST);
	if (found < 0 || commit_to(&use, found + 1, found + 30)) {
		end_use(&use);
		return -3;
	}
	end_use(&use);
	if (begin_use(&use))
		return -4;
	more = prefix(mem_find(SEG)->data, MOST);
	end_use(&use);
	return more == found + 30 ? found : -5;
}

/* A log of @size with ten transactions, of which the segment has some. */
static int prepare(uint64_t size)
{
	struct use use;
	int err;

	err = make_disk(size);
	install();
	if (!err)
		err = begin_use(&use);
	if (!err)
		err = commit_to(&use, 1, 10);
	mem.dead = true;	/* as after a crash: nobody has closed the log */
	end_use(&use);
	mem_power_loss(1);
	return err;
}

TEST(a_log_in_use_grows_and_shrinks)
{
	static const uint32_t sizes[] = { LARGE, SMALL, 4096, 65536, 12288, 12288, 12289, LARGE };
	uint64_t number = 10, last = 0, before = SMALL;
	struct log_state state;
	struct use use;
	unsigned int i;

	ASSERT_EQ(0, prepare(SMALL));
	ASSERT_EQ(0, begin_use(&use));
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		uint64_t size = (sizes[i] + 4095) & ~4095U;

		ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, sizes[i]));
		EXPECT_EQ(size, area_size());
		EXPECT_EQ(START + size, mem_find(LOG)->size);
		log_state(use.log, &state);
		EXPECT_EQ(size, state.size);
		EXPECT_EQ(size, use.tr.size);
		EXPECT_LE(size, state.head);
		if (size != before) {
			EXPECT_LE(last, state.head);
			EXPECT_EQ(number, prefix(mem_find(SEG)->data, MOST));
		}
		before = size;
		ASSERT_EQ(0, commit_to(&use, number + 1, number + 30));
		number += 30;
		log_state(use.log, &state);
		last = state.durable;
	}
	mem.dead = true;
	end_use(&use);
	mem_power_loss(1);
	EXPECT_EQ(number, recovered());
}

static unsigned int statuses;

static ssize_t count_statuses(int fd, const struct iovec *iov, int count, uint64_t offset,
			      bool sync)
{
	statuses += mem_file(fd) == mem_find(LOG) && offset < 2 * FORMAT_BLOCK;
	return disk_pwritev(fd, iov, count, offset, sync);
}

/* Commits wait for each of its two copies. */
TEST(one_status_tells_that_the_log_is_empty_and_has_another_size)
{
	struct log_state state;
	struct use use;

	ASSERT_EQ(0, prepare(SMALL));
	ASSERT_EQ(0, begin_use(&use));
	ASSERT_EQ(0, commit_to(&use, 11, 14));
	os.pwritev = count_statuses;
	ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, LARGE));
	os.pwritev = disk_pwritev;
	EXPECT_EQ(2, statuses);
	log_state(use.log, &state);
	EXPECT_EQ(state.head, state.tail);
	EXPECT_EQ(0, log_used(use.log));
	end_use(&use);
	EXPECT_EQ(14, recovered());
}

/* What is committed and not flushed when the log changes its size is durable then. */
TEST(tickets_hold_over_a_change_of_size)
{
	struct log_state state;
	uint64_t lsn, later;
	struct use use;

	ASSERT_EQ(0, prepare(SMALL));
	ASSERT_EQ(0, begin_use(&use));
	append_by = log_spool;
	ASSERT_EQ(0, append_tx(use.log, 11, MOST, &lsn));
	EXPECT_LT(log_durable(use.log), lsn);
	ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, LARGE));
	EXPECT_LE(lsn, log_durable(use.log));
	ASSERT_EQ(0, append_tx(use.log, 12, MOST, &later));
	EXPECT_LT(log_durable(use.log), later);
	EXPECT_LT(lsn, later);
	append_by = log_append;
	EXPECT_EQ(0, log_flush(use.log, later));
	log_state(use.log, &state);
	EXPECT_EQ(LARGE, state.size);
	EXPECT_EQ(LARGE, use.tr.size);
	mem.dead = true;
	end_use(&use);
	mem_power_loss(1);
	EXPECT_EQ(12, recovered());
}

/* The truncator is not to wait for a fill level that the log cannot reach any more. */
TEST(what_was_tried_in_vain_is_tried_again_at_another_size)
{
	struct use use;

	ASSERT_EQ(0, prepare(LARGE));
	ASSERT_EQ(0, begin_use(&use));
	use.tr.retry = LARGE / 2;
	ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, LARGE));
	EXPECT_EQ(LARGE / 2, use.tr.retry);
	ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, SMALL));
	EXPECT_EQ(0, use.tr.retry);
	end_use(&use);
	EXPECT_EQ(10, recovered());
}

/* A block device, as large as the file in its place. */
static int device_geometry(int fd, struct os_geometry *geometry)
{
	int err = mem_geometry(fd, geometry);

	geometry->regular = false;
	geometry->device = true;
	return err;
}

TEST(a_device_that_has_grown_since_it_was_opened_has_its_new_size)
{
	struct use use;

	ASSERT_EQ(0, prepare(SMALL));
	os.geometry = device_geometry;
	ASSERT_EQ(0, begin_use(&use));
	EXPECT_EQ(-ENOSPC, log_resize_in_use(use.log, &use.tr, LARGE));
	ASSERT_EQ(0, mem_grow(mem_find(LOG), START + LARGE));
	ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, LARGE));
	EXPECT_EQ(LARGE, area_size());
	EXPECT_EQ(0, commit_to(&use, 11, 30));
	end_use(&use);
	EXPECT_EQ(30, recovered());
}

TEST(sizes_are_checked_and_nothing_has_changed)
{
	struct use use;

	ASSERT_EQ(0, prepare(SMALL));
	ASSERT_EQ(0, begin_use(&use));
	EXPECT_EQ(-ERANGE, log_resize_in_use(use.log, &use.tr, 0));
	EXPECT_EQ(-ERANGE, log_resize_in_use(use.log, &use.tr, INT64_MAX));
	EXPECT_EQ(SMALL, area_size());
	EXPECT_EQ(0, commit_to(&use, 11, 30));
	end_use(&use);
	EXPECT_EQ(30, recovered());
}

TEST(a_record_that_fitted_before_is_refused_by_a_smaller_log)
{
	static const char bytes[6000];
	struct log_range r = { .segment = 1, .length = sizeof(bytes), .data = bytes };
	struct use use;
	uint64_t lsn;

	ASSERT_EQ(0, prepare(SMALL));
	ASSERT_EQ(0, begin_use(&use));
	ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, 4096));
	EXPECT_EQ(-EFBIG, log_append(use.log, 1, &r, 1, &lsn));
	ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, SMALL));
	EXPECT_EQ(0, log_append(use.log, 1, &r, 1, &lsn));
	end_use(&use);
}

/* Without fallocate the disk is found full in the middle of the writing. */
static int no_allocate(int fd, uint64_t offset, uint64_t length)
{
	return -EOPNOTSUPP;
}

TEST(a_full_disk_leaves_the_log_as_it_was)
{
	struct use use;
	int late;

	for (late = 0; late < 2; late++) {
		ASSERT_EQ(0, prepare(SMALL));
		ASSERT_EQ(0, begin_use(&use));
		if (late)
			os.allocate = no_allocate;
		mem.limit = START + (3 << 20);
		EXPECT_EQ(-ENOSPC, log_resize_in_use(use.log, &use.tr, 4 << 20));
		EXPECT_NE(NULL, strstr(err_text(), "No space left"));
		EXPECT_EQ(SMALL, area_size());
		EXPECT_EQ(START + SMALL, mem_find(LOG)->size);
		EXPECT_EQ(0, commit_to(&use, 11, 40));
		EXPECT_EQ(0, log_resize_in_use(use.log, &use.tr, LARGE));
		mem.dead = true;
		end_use(&use);
		mem_power_loss(1);
		EXPECT_EQ(40, recovered());
		EXPECT_EQ(LARGE, area_size());
	}
}

static int no_sync(int fd)
{
	return -EIO;
}

/* It may have been about records, and the system tells of it only once. */
TEST(a_sync_that_fails_poisons_the_log)
{
	struct use use;

	ASSERT_EQ(0, prepare(SMALL));
	ASSERT_EQ(0, begin_use(&use));
	os.sync = no_sync;
	EXPECT_EQ(-EIO, log_resize_in_use(use.log, &use.tr, LARGE));
	EXPECT_EQ(-EIO, log_error(use.log));
	EXPECT_EQ(-EIO, commit_one(&use, 11));
	end_use(&use);
	os.sync = disk_datasync;
	mem_power_loss(0);
	EXPECT_EQ(10, recovered());
}

FIXTURE(change)
{
	unsigned char *log, *segment;
	uint64_t log_size;
};

FIXTURE_VARIANT(change)
{
	uint32_t from, to;
};

FIXTURE_VARIANT_ADD(change, grow)
{
	.from = SMALL, .to = LARGE,
};

FIXTURE_VARIANT_ADD(change, shrink)
{
	.from = LARGE, .to = SMALL,
};

/* The head is far above the size, so no LSN is skipped. */
FIXTURE_VARIANT_ADD(change, a_little)
{
	.from = SMALL, .to = SMALL + 4096,
};

FIXTURE_SETUP(change)
{
	ASSERT_EQ(0, prepare(variant->from));
	self->log = mem_save(LOG);
	self->segment = mem_save(SEG);
	self->log_size = mem_find(LOG)->size;
}

FIXTURE_TEARDOWN(change)
{
	free(self->log);
	free(self->segment);
}

/* A log with the transactions 11 to 14 in it, which no segment has. */
static int put_back(FIXTURE_DATA(change) *self, struct use *use)
{
	int err;

	mem_heal();
	mem_grow(mem_find(LOG), self->log_size);
	mem_restore(LOG, self->log);
	mem_restore(SEG, self->segment);
	err = begin_use(use);
	if (!err)
		err = commit_to(use, 11, 14);
	mem.calls = 0;
	return err;
}

TEST_F(change, may_lose_power_at_every_call)
{
	unsigned int calls, at, choice, n[2] = { 0 };
	struct use use;

	ASSERT_EQ(0, put_back(self, &use));
	ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, variant->to));
	calls = mem.calls;
	end_use(&use);
	ASSERT_LT(10, calls);
	for (at = 1; at <= calls; at++) {
		for (choice = 0; choice < CHOICES; choice++) {
			uint64_t size;

			ASSERT_EQ(0, put_back(self, &use));
			mem.power_at = at;
			ASSERT_NE(0, log_resize_in_use(use.log, &use.tr, variant->to));
			mem.dead = true;
			end_use(&use);
			mem_power_loss(choice);
			size = area_size();
			ASSERT_TRUE(size == variant->from || size == variant->to);
			n[size == variant->to]++;
			ASSERT_EQ(14, recovered()) {
				TH_LOG("power lost at call %u of %u: %s", at, calls, err_text());
			}
		}
	}
	EXPECT_NE(0, n[0]);
	EXPECT_NE(0, n[1]);
}

/* The file has the bytes of the log and no others, unless it is this that failed. */
static bool is_cut_off(struct use *use, int err)
{
	struct log_state state;

	if (err && strstr(err_text(), "cannot cut"))
		return true;
	log_state(use->log, &state);
	return mem_find(LOG)->size == START + state.size;
}

/* After an error the log goes on, or is poisoned and says so; then it is opened again. */
TEST_F(change, may_fail_at_every_call)
{
	static const int errors[] = { -EIO, -ENOSPC, -EINTR, MEM_SHORT };
	unsigned int calls, at, i, alive = 0, poisoned = 0;
	struct use use;

	ASSERT_EQ(0, put_back(self, &use));
	ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, variant->to));
	calls = mem.calls;
	end_use(&use);
	for (at = 1; at <= calls; at++) {
		for (i = 0; i < 2 * sizeof(errors) / sizeof(*errors); i++) {
			int64_t number = 14;
			uint64_t size;
			int err;

			if (errors[i / 2] == -EINTR && i % 2)
				continue;	/* interrupted for ever is no end */
			ASSERT_EQ(0, put_back(self, &use));
			mem_fail(at, errors[i / 2], i % 2);
			err = log_resize_in_use(use.log, &use.tr, variant->to);
			mem_heal();
			ASSERT_TRUE(i % 2 || log_error(use.log) || is_cut_off(&use, err)) {
				TH_LOG("call %u: %d, %s", at, err, err_text());
			}
			if (!log_error(use.log)) {
				ASSERT_EQ(0, commit_to(&use, 15, 60));
				number = 60;
				alive++;
			} else {
				ASSERT_NE(0, err);
				ASSERT_NE(0, commit_one(&use, 15));
				poisoned++;
			}
			mem.dead = true;
			end_use(&use);
			mem_power_loss(1);
			size = area_size();
			ASSERT_TRUE(size == variant->to || (err && size == variant->from)) {
				TH_LOG("call %u: %d, %s", at, err, err_text());
			}
			ASSERT_EQ(number, recovered()) {
				TH_LOG("failed at call %u of %u: %s", at, calls, err_text());
			}
		}
	}
	EXPECT_NE(0, alive);
	EXPECT_NE(0, poisoned);
}

/* struct committer - a thread that commits one transaction after the other */
struct committer {
	pthread_t thread;
	struct use *use;
	uint64_t acked;
	int err;
	bool stop;
};

static void *commit_on(void *arg)
{
	struct committer *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		c->err = commit_one(c->use, c->acked + 1);
		if (c->err)
			break;
		__atomic_store_n(&c->acked, c->acked + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Power is lost at some call of either, and what was acknowledged is there. */
TEST(power_may_be_lost_while_a_thread_commits)
{
	unsigned int rounds = getenv("RVM_VM") ? 20 : 150, round, seed = 5, resized = 0;

	for (round = 0; round < rounds; round++) {
		struct committer c = { .acked = 10 };
		struct use use;
		int64_t found;
		int i, err = 0;

		ASSERT_EQ(0, prepare(SMALL));
		ASSERT_EQ(0, begin_use(&use));
		c.use = &use;
		mem.power_at = 1 + rand_r(&seed) % 500;
		mem.calls = 0;
		ASSERT_EQ(0, pthread_create(&c.thread, NULL, commit_on, &c));
		for (i = 0; !err; i++) {
			err = log_resize_in_use(use.log, &use.tr, i % 2 ? SMALL : LARGE);
			resized += !err;
		}
		mem.dead = true;
		pthread_join(c.thread, NULL);
		end_use(&use);
		mem_power_loss(round % CHOICES);
		found = recovered();
		ASSERT_TRUE(found == (int64_t)c.acked || found == (int64_t)c.acked + 1) {
			TH_LOG("%ld are there, %lu were acknowledged: %s", (long)found,
			       (unsigned long)c.acked, err_text());
		}
	}
	EXPECT_LT(rounds, resized);
}

/* Who commits while the log changes its size waits, and is never told of an error. */
TEST(commits_go_on_while_the_size_changes)
{
	unsigned int rounds = getenv("RVM_VM") ? 30 : 300, i;
	struct committer c = { .acked = 10 };
	struct use use;

	ASSERT_EQ(0, prepare(SMALL));
	ASSERT_EQ(0, begin_use(&use));
	c.use = &use;
	ASSERT_EQ(0, pthread_create(&c.thread, NULL, commit_on, &c));
	for (i = 0; i < rounds; i++) {
		uint64_t before = __atomic_load_n(&c.acked, __ATOMIC_RELAXED);
		int tries;

		ASSERT_EQ(0, log_resize_in_use(use.log, &use.tr, 8192 + i % 7 * 12288));
		for (tries = 0; tries < 20000; tries++) {
			if (__atomic_load_n(&c.acked, __ATOMIC_RELAXED) != before)
				break;
			usleep(500);
		}
		ASSERT_LT(before, __atomic_load_n(&c.acked, __ATOMIC_RELAXED));
	}
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(c.thread, NULL);
	EXPECT_EQ(0, c.err);
	mem.dead = true;
	end_use(&use);
	mem_power_loss(0);
	EXPECT_EQ(c.acked, recovered());
}

TEST_HARNESS_MAIN
