// SPDX-License-Identifier: GPL-2.0
/*
 * Each call of the operating system fails once, and for good: a failed write or sync of the log
 * poisons it, and nothing that was acknowledged is lost.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "logtest.h"
#include "nomemory.h"

#define MOST 700
#define AREA 16384U
#define COUNT 40
#define MORE 80	/* where there are few calls of a kind */

/* struct run - what a run of the workload came to */
struct run {
	uint64_t acked;
	bool poisoned;
	bool false_success;
	char text[512];
};

/* A poisoned log: every call fails, with the same text. */
static bool is_dead(struct log *log, const char *text)
{
	struct log_state state;
	uint64_t lsn;
	uint32_t id;

	log_state(log, &state);
	if (!state.error || log_error(log) != -EIO || strcmp(err_text(), text))
		return false;
	if (append_tx(log, 1, MOST, &lsn) != -EIO || strcmp(err_text(), text))
		return false;
	if (log_flush(log, state.durable) != -EIO || strcmp(err_text(), text))
		return false;
	if (log_set_head(log, state.durable) != -EIO || strcmp(err_text(), text))
		return false;
	if (log_name_segment(log, SEG, SEG_SIZE, &id) != -EIO || strcmp(err_text(), text))
		return false;
	return true;
}

/* Commits, truncates, changes the dictionary; stops at the first error. */
static int work(struct log *log, unsigned int count, struct run *run)
{
	uint64_t n, lsn;
	uint32_t id;
	int err;

	for (n = 1; n <= count; n++) {
		err = append_or_truncate(log, n, MOST, &lsn);
		if (!err)
			err = log_flush(log, lsn);
		if (err)
			return err;
		run->acked = n;
		if (n == count / 2) {
			err = log_name_segment(log, SEG, SEG_SIZE - 4096, &id);
			if (!err)
				err = log_name_segment(log, SEG, SEG_SIZE, &id);
			if (err)
				return err;
		}
	}
	return 0;
}

static int run_workload(unsigned int count, struct run *run)
{
	struct log *log;
	int err;

	memset(run, 0, sizeof(*run));
	err = open_log(0, &log);
	if (err)
		return err;
	err = work(log, count, run);
	if (err && log_error(log)) {
		run->poisoned = true;
		snprintf(run->text, sizeof(run->text), "%s", err_text());
		mem_heal();	/* the disk is well again: the log must not be */
		run->false_success = !is_dead(log, run->text);
	}
	if (log_close(log) && !err)
		err = -EIO;
	return err;
}

/* Is what the disk holds now a prefix that has all that was acknowledged? */
static int64_t recovered(void)
{
	struct log *log;
	int64_t number;
	int err;

	err = open_log(0, &log);
	if (err)
		return err;
	number = prefix(mem_find(SEG)->data, MOST);
	log_close(log);
	return number;
}

FIXTURE(faults)
{
	unsigned int calls;
};

FIXTURE_VARIANT(faults)
{
	bool sync_writes;
	int err;
	bool for_good;
};

FIXTURE_VARIANT_ADD(faults, eio_once)
{
	.sync_writes = true,
	.err = -EIO,
};

FIXTURE_VARIANT_ADD(faults, eio_for_good)
{
	.sync_writes = true,
	.err = -EIO,
	.for_good = true,
};

FIXTURE_VARIANT_ADD(faults, enospc_once)
{
	.sync_writes = true,
	.err = -ENOSPC,
};

FIXTURE_VARIANT_ADD(faults, enospc_for_good)
{
	.sync_writes = true,
	.err = -ENOSPC,
	.for_good = true,
};

FIXTURE_VARIANT_ADD(faults, edquot_once)
{
	.sync_writes = true,
	.err = -EDQUOT,
};

FIXTURE_VARIANT_ADD(faults, edquot_for_good)
{
	.sync_writes = true,
	.err = -EDQUOT,
	.for_good = true,
};

FIXTURE_VARIANT_ADD(faults, interrupted_for_good)
{
	.sync_writes = true,
	.err = -EINTR,
	.for_good = true,
};

FIXTURE_VARIANT_ADD(faults, eio_once_with_separate_syncs)
{
	.sync_writes = false,
	.err = -EIO,
};

FIXTURE_VARIANT_ADD(faults, eio_for_good_with_separate_syncs)
{
	.sync_writes = false,
	.err = -EIO,
	.for_good = true,
};

FIXTURE_SETUP(faults)
{
	struct run run;

	ASSERT_EQ(0, make_disk(AREA));
	mem.sync_writes = variant->sync_writes;
	mem.calls = 0;
	ASSERT_EQ(0, run_workload(COUNT, &run));
	ASSERT_EQ(COUNT, run.acked);
	self->calls = mem.calls;
	ASSERT_GT(self->calls, 60);
}

FIXTURE_TEARDOWN(faults)
{
}

TEST_F_TIMEOUT(faults, every_call, 300)
{
	unsigned int at, choice, poisoned = 0;

	for (at = 1; at <= self->calls; at++) {
		for (choice = 0; choice < 3; choice++) {
			struct run run;
			int64_t number;
			int err;

			ASSERT_EQ(0, make_disk(AREA));
			mem.sync_writes = variant->sync_writes;
			mem_fail(at, variant->err, variant->for_good);
			err = run_workload(COUNT, &run);
			ASSERT_NE(0, err) {
				TH_LOG("call %u failed and nobody heard of it", at);
			}
			ASSERT_FALSE(run.false_success) {
				TH_LOG("call %u: success after %s", at, run.text);
			}
			poisoned += run.poisoned;
			mem_power_loss(choice);
			mem.sync_writes = variant->sync_writes;
			number = recovered();
			ASSERT_GE(number, (int64_t)run.acked) {
				TH_LOG("call %u, choice %u: %s", at, choice, err_text());
			}
		}
	}
	ASSERT_GT(poisoned, self->calls);
}

TEST(short_and_interrupted_transfers_are_continued)
{
	static const struct {
		int err;
		bool on;
	} how[] = { { MEM_SHORT, false }, { MEM_SHORT, true }, { -EINTR, false } };
	unsigned int i, at, calls;
	struct run run;

	ASSERT_EQ(0, make_disk(AREA));
	mem.calls = 0;
	ASSERT_EQ(0, run_workload(COUNT, &run));
	calls = mem.calls;
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		for (at = 1; at <= calls; at++) {
			int err;

			ASSERT_EQ(0, make_disk(AREA));
			mem_fail(at, how[i].err, how[i].on);
			err = run_workload(COUNT, &run);
			/* an interrupted sync is a failed one: it is not tried again */
			if (err && how[i].err == -EINTR) {
				ASSERT_NE(NULL, strstr(err_text(), "sync failed"));
				continue;
			}
			ASSERT_EQ(0, err) {
				TH_LOG("call %u: %s", at, err_text());
			}
			ASSERT_EQ(COUNT, run.acked);
			mem_power_loss(0);
			ASSERT_EQ(COUNT, recovered());
		}
	}
}

/* Whatever allocation fails, once or for good: an error, and all that was acknowledged. */
static bool survives_without(unsigned int at, bool on)
{
	struct run run;
	int64_t number;
	int err;

	if (make_disk(AREA))
		return false;
	fail_memory(at, on);
	err = run_workload(MORE, &run);
	fail_memory(0, false);
	if ((err && err != -ENOMEM) || run.poisoned)
		return false;
	mem_power_loss(0);
	number = recovered();
	return number >= (int64_t)run.acked;
}

TEST(without_memory_nothing_is_lost_and_nothing_crashes)
{
	unsigned int at, count;
	struct run run;

	ASSERT_EQ(0, make_disk(AREA));
	fail_memory(0, false);
	ASSERT_EQ(0, run_workload(MORE, &run));
	count = allocations;
	ASSERT_GT(count, 20);
	for (at = 1; at <= count; at++) {
		ASSERT_TRUE(survives_without(at, false)) {
			TH_LOG("allocation %u: %s", at, err_text());
		}
		ASSERT_TRUE(survives_without(at, true)) {
			TH_LOG("allocation %u and all after it: %s", at, err_text());
		}
	}
}

/* A log that was not closed, with records from before a truncation and after it. */
static int leave_behind(struct run *run)
{
	struct log *log;
	int err = make_disk(AREA);

	memset(run, 0, sizeof(*run));
	if (!err)
		err = open_log(0, &log);
	if (!err)
		err = work(log, COUNT, run);
	if (!err)
		mem_power_loss(0);
	return err;
}

TEST(recovery_without_memory_changes_no_outcome)
{
	unsigned char *log, *segment;
	unsigned int at, count;
	struct run run;

	ASSERT_EQ(0, leave_behind(&run));
	log = mem_save(LOG);
	segment = mem_save(SEG);
	fail_memory(0, false);
	ASSERT_EQ(COUNT, recovered());
	count = allocations;
	ASSERT_GT(count, 15);
	for (at = 1; at <= 2 * count; at++) {
		int64_t number;

		mem_restore(LOG, log);
		mem_restore(SEG, segment);
		fail_memory((at + 1) / 2, at % 2);
		number = recovered();
		fail_memory(0, false);
		ASSERT_TRUE(number == COUNT || number == -ENOMEM) {
			TH_LOG("allocation %u: %lld %s", (at + 1) / 2, (long long)number,
			       err_text());
		}
		mem_power_loss(0);
		ASSERT_EQ(COUNT, recovered());
	}
}

TEST(create_with_any_failing_call_leaves_no_log_behind)
{
	unsigned int at;

	for (at = 1;; at++) {
		int err;

		mem_install();
		mem_fail(at, -EIO, false);
		err = log_create(LOG, AREA, 0600, false, NULL, NULL);
		if (!mem.failed) {
			ASSERT_EQ(0, err);
			break;
		}
		ASSERT_EQ(-EIO, err);
		ASSERT_EQ(NULL, mem_find(LOG));
	}
	ASSERT_GT(at, 6);
}

TEST_HARNESS_MAIN
