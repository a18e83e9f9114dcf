// SPDX-License-Identifier: GPL-2.0
/*
 * A program of explicit and tracked transactions, truncations and a second life, in which each
 * call of the operating system and each allocation fails, once and for good: it is told, or
 * nothing is lost; the library can be terminated, and what it left recovers.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rvm/rvm.h>

#include "kselftest_harness.h"

#include "logtest.h"
#include "nomemory.h"

#define MOST	300
#define AREA	12288U
#define COUNT	36	/* transactions */

/**
 * struct run - what became of the program
 * @incremental: it truncates in steps
 * @region: of the segment
 * @tid: the open transaction
 * @open: there is one
 * @tried: the last transaction that it tried to commit
 * @acked: the last one that was acknowledged
 * @code: of the call that failed
 */
struct run {
	bool incremental;
	rvm_region_t region;
	rvm_tid_t tid;
	bool open;
	uint64_t tried;
	uint64_t acked;
	rvm_return_t code;
};

static int put_disk(void)
{
	struct segment *segment;
	int err;

	mem_install();
	mem.mappable = true;
	err = log_create(LOG, AREA, 0600, false, NULL, NULL);
	if (!err)
		err = segment_open(SEG, SEG_SIZE, &segment);
	if (!err)
		segment_close(segment);
	return err;
}

static bool did(struct run *run, rvm_return_t code)
{
	run->code = code;
	return !code;
}

static bool start(struct run *run)
{
	rvm_options_t options;

	rvm_init_options(&options);
	options.log_dev = LOG;
	options.truncate = run->incremental ? 20 : 0;
	options.flush_interval = 0;
	options.flags = RVM_COALESCE_RANGES | RVM_COALESCE_TRANS | RVM_TRACK_SIGSEGV;
	if (run->incremental)
		options.flags |= RVM_INCREMENTAL_TRUNCATION;
	if (!did(run, RVM_INIT(&options)))
		return false;
	rvm_init_region(&run->region);
	run->region.data_dev = SEG;
	return did(run, rvm_map(&run->region, &options));
}

static bool begin(struct run *run, bool tracked)
{
	rvm_init_tid(&run->tid);
	run->open = did(run, rvm_begin_transaction(&run->tid, tracked ? rvm_tracked : restore));
	return run->open;
}

static bool store(struct run *run, uint64_t number, bool tracked)
{
	struct tx tx;
	unsigned int i;

	make_tx(&tx, number, MOST);
	for (i = 0; i < tx.count; i++) {
		char *to = run->region.vmaddr + tx.ranges[i].offset;

		if (!tracked && !did(run, rvm_set_range(&run->tid, to, tx.ranges[i].length)))
			return false;
		memcpy(to, tx.data[i], tx.ranges[i].length);
	}
	return true;
}

static bool commit(struct run *run, uint64_t number)
{
	bool tracked = number % 2;

	if (!begin(run, tracked) || !store(run, number, tracked))
		return false;
	run->tried = number;
	if (!did(run, rvm_end_transaction(&run->tid, number % 3 ? flush : no_flush)))
		return false;
	run->open = false;
	if (number % 3)
		run->acked = number;
	return true;
}

/* Leaves no trace. */
static bool change_mind(struct run *run, bool tracked)
{
	if (!begin(run, tracked) || !store(run, 99, tracked))
		return false;
	if (!did(run, rvm_abort_transaction(&run->tid)))
		return false;
	run->open = false;
	return true;
}

static bool truncate_some(struct run *run, uint64_t number)
{
	if (run->incremental)
		return true;	/* the library's thread does */
	if (!did(run, rvm_truncate()))
		return false;
	run->acked = number;
	return true;
}

static bool use(struct run *run)
{
	uint64_t number;

	for (number = run->tried + 1; number <= COUNT; number++) {
		if (!commit(run, number))
			return false;
		if (number % 5 == 0 && !change_mind(run, number % 2))
			return false;
		if (number % 4 == 0 && !truncate_some(run, number))
			return false;
		if (number == COUNT / 2)
			return true;
	}
	return true;
}

static bool finish(struct run *run)
{
	if (!did(run, rvm_unmap(&run->region)) || !did(run, rvm_terminate()))
		return false;
	run->acked = run->tried;
	return true;
}

/* Two lives. */
static bool live(struct run *run)
{
	return start(run) && use(run) && finish(run) && start(run) && use(run) && finish(run);
}

/* After an error the program may always end, and may begin again. */
static bool leave(struct run *run)
{
	if (run->open)
		rvm_abort_transaction(&run->tid);
	rvm_terminate();
	return rvm_terminate() == RVM_EINIT;
}

/* How many transactions are there after the power was lost, or a negative errno? */
static int64_t recovered(unsigned int choice)
{
	struct log *log;
	int64_t number;
	int err;

	mem_power_loss(choice);
	err = open_log(0, &log);
	if (err)
		return err;
	number = prefix(mem_find(SEG)->data, MOST);
	log_close(log);
	return number;
}

FIXTURE(faults)
{
	struct run run;
};

FIXTURE_VARIANT(faults)
{
	bool incremental;
	bool for_good;
	int err;
};

FIXTURE_VARIANT_ADD(faults, eio_once) { .err = -EIO };
FIXTURE_VARIANT_ADD(faults, eio_once_in_steps) { .err = -EIO, .incremental = true };
FIXTURE_VARIANT_ADD(faults, eio_for_good) { .err = -EIO, .for_good = true };

FIXTURE_VARIANT_ADD(faults, eio_for_good_in_steps)
{
	.err = -EIO,
	.for_good = true,
	.incremental = true,
};

FIXTURE_VARIANT_ADD(faults, enospc_once) { .err = -ENOSPC };
FIXTURE_VARIANT_ADD(faults, edquot_for_good) { .err = -EDQUOT, .for_good = true };
FIXTURE_VARIANT_ADD(faults, interrupted_for_good) { .err = -EINTR, .for_good = true };

FIXTURE_SETUP(faults)
{
}

FIXTURE_TEARDOWN(faults)
{
}

static void check_outcome(struct __test_metadata *_metadata, struct run *run, unsigned int at,
			  bool ok)
{
	uint64_t tried = run->tried, acked = run->acked;
	rvm_return_t code = run->code;
	char text[256];
	int64_t number;

	snprintf(text, sizeof(text), "%s", rvm_error());
	ASSERT_TRUE(ok || code) {
		TH_LOG("fault %u: failed without a code", at);
	}
	mem_heal();
	ASSERT_TRUE(ok || leave(run)) {
		TH_LOG("fault %u: the library cannot be terminated after %s: %s", at,
		       rvm_return(code), text);
	}
	number = recovered(at % 3);
	ASSERT_TRUE(number >= (int64_t)acked && number <= (int64_t)tried) {
		TH_LOG("fault %u: %lld of %llu to %llu; %s: %s", at, (long long)number,
		       (unsigned long long)acked, (unsigned long long)tried, rvm_return(code),
		       text);
	}
}

TEST_F_TIMEOUT(faults, of_each_call, 300)
{
	struct run *run = &self->run;
	unsigned int at, told = 0;
	bool ok, failed = true;

	for (at = 1; failed; at++) {
		memset(run, 0, sizeof(*run));
		run->incremental = variant->incremental;
		ASSERT_EQ(0, put_disk());
		mem_fail(at, variant->err, variant->for_good);
		ok = live(run);
		failed = mem.failed;
		told += !ok;
		check_outcome(_metadata, run, at, ok);
	}
	ASSERT_GT(at, 40);
	ASSERT_GT(told, at / 4);
}

/* It can neither be ended nor aborted: the library ends without it. */
TEST(a_transaction_that_was_open_when_the_log_failed_is_none_in_the_next_life)
{
	struct run run = { 0 };
	rvm_options_t got;
	rvm_tid_t open;

	ASSERT_EQ(0, put_disk());
	ASSERT_TRUE(start(&run));
	rvm_init_tid(&open);
	ASSERT_EQ(RVM_SUCCESS, rvm_begin_transaction(&open, restore));
	mem_fail(1, -EIO, true);
	ASSERT_FALSE(commit(&run, 1));
	mem_heal();
	EXPECT_EQ(RVM_EIO, rvm_terminate());
	EXPECT_EQ(RVM_EINIT, rvm_terminate());
	ASSERT_TRUE(start(&run));
	rvm_init_options(&got);
	ASSERT_EQ(RVM_SUCCESS, rvm_query(&got, NULL));
	EXPECT_EQ(0, got.n_uncommit);
	EXPECT_EQ(RVM_ETID, rvm_end_transaction(&open, flush));
	EXPECT_EQ(RVM_ETID, rvm_abort_transaction(&open));
	ASSERT_TRUE(commit(&run, 1));
	ASSERT_TRUE(finish(&run));
}

FIXTURE(memory)
{
	struct run run;
};

FIXTURE_VARIANT(memory)
{
	bool incremental;
	bool for_good;
};

FIXTURE_VARIANT_ADD(memory, once) { .incremental = false };
FIXTURE_VARIANT_ADD(memory, once_in_steps) { .incremental = true };
FIXTURE_VARIANT_ADD(memory, for_good) { .for_good = true };

FIXTURE_SETUP(memory)
{
}

FIXTURE_TEARDOWN(memory)
{
}

TEST_F_TIMEOUT(memory, of_each_allocation, 300)
{
	struct run *run = &self->run;
	unsigned int at, told = 0;
	bool ok, failed = true;

	for (at = 1; failed; at++) {
		memset(run, 0, sizeof(*run));
		run->incremental = variant->incremental;
		ASSERT_EQ(0, put_disk());
		fail_memory(at, variant->for_good);
		ok = live(run);
		failed = allocations >= at;
		fail_memory(0, false);
		told += !ok;
		check_outcome(_metadata, run, at, ok);
	}
	ASSERT_GT(at, 40);
	ASSERT_GT(told, at / 4);
}

TEST_HARNESS_MAIN
