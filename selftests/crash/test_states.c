// SPDX-License-Identifier: GPL-2.0
/*
 * The judge of crash states: what a sync makes durable, and from when on.  A program runs, and what
 * it did to the disk is changed into what several threads could have done.
 */
#include "kselftest_harness.h"

#include "script.h"
#include "seen.h"
#include "states.h"

#define LOG_FILE	0
#define ANOTHER		1000000U	/* number of a sync that the program did not make */

/*
 * FIXTURE(states) - a program that committed once
 * @script: it
 * @run: what it did
 * @sync: the event with which the sync of its record begins
 * @synced: the one with which it returns
 * @ack: the one that acknowledges the commit
 */
FIXTURE(states) {
	struct script script;
	struct script_run run;
	size_t sync;
	size_t synced;
	size_t ack;
};

static struct trace_event *at(FIXTURE_DATA(states) *self, size_t i)
{
	return &self->run.trace.events[i];
}

static bool is_disk(FIXTURE_DATA(states) *self, size_t i, enum mem_what what)
{
	const struct trace_event *event = at(self, i);

	return event->kind == TRACE_DISK && event->disk.what == what &&
	       event->disk.file == LOG_FILE;
}

/* The last event of a kind before another one. */
static size_t last_before(FIXTURE_DATA(states) *self, size_t i, enum mem_what what)
{
	while (i-- && !is_disk(self, i, what))
		continue;
	return i;
}

FIXTURE_SETUP(states)
{
	ASSERT_TRUE(seen_make(1 << 16));
	ASSERT_TRUE(script_parse_disk("512,8192,sync,epochs,each", &self->script.disk));
	ASSERT_TRUE(script_parse("b0 s0@600+100 c0", &self->script));
	ASSERT_TRUE(script_run(&self->script, &self->run)) {
		TH_LOG("%s", self->run.why);
	}
	while (at(self, self->ack)->kind != TRACE_ACK || at(self, self->ack)->n != 1)
		ASSERT_LT(++self->ack, self->run.trace.count);
	self->synced = last_before(self, self->ack, MEM_SYNCED);
	self->sync = last_before(self, self->synced, MEM_SYNC);
	ASSERT_LT(self->sync, self->synced);
	ASSERT_EQ(at(self, self->sync)->disk.number, at(self, self->synced)->disk.number);
}

FIXTURE_TEARDOWN(states)
{
	script_done(&self->run);
}

/* All that is from @i on comes one later; @i becomes another sync. */
static void insert_sync(FIXTURE_DATA(states) *self, size_t i, enum mem_what what)
{
	struct trace *t = &self->run.trace;

	t->events = realloc(t->events, (t->count + 1) * sizeof(*t->events));
	if (!t->events)
		abort();
	memmove(at(self, i + 1), at(self, i), (t->count++ - i) * sizeof(*t->events));
	*at(self, i) = (struct trace_event) {
		.kind = TRACE_DISK,
		.disk = { .what = what, .file = LOG_FILE, .number = ANOTHER },
	};
	self->ack += i <= self->ack;
	self->synced += i <= self->synced;
}

/* The commit is acknowledged, and the sync returns then. */
static void swap_synced_and_ack(FIXTURE_DATA(states) *self)
{
	struct trace_event synced = *at(self, self->synced);

	*at(self, self->synced) = *at(self, self->ack);
	*at(self, self->ack) = synced;
}

static bool passes(FIXTURE_DATA(states) *self, struct states_failure *failure)
{
	struct states_count count = {};

	return states_check(&self->script, &self->run, 0, &count, failure);
}

TEST_F(states, what_the_program_did_passes)
{
	struct states_failure failure;

	EXPECT_TRUE(passes(self, &failure)) {
		TH_LOG("event %zu: %s", failure.event, failure.why);
	}
}

TEST_F(states, an_acknowledgement_before_the_sync_has_returned_is_found)
{
	struct states_failure failure;

	swap_synced_and_ack(self);
	ASSERT_FALSE(passes(self, &failure));
	EXPECT_EQ(self->synced + 1, failure.event);
	EXPECT_STREQ("recovered to another state, not one of the states 1 to 1", failure.why);
}

/* The record is durable when the first of two syncs returns, whichever began first. */
TEST_F(states, a_later_sync_that_lasts_longer_takes_nothing_from_the_first)
{
	struct states_failure failure;

	insert_sync(self, self->sync + 1, MEM_SYNC);
	insert_sync(self, self->ack + 1, MEM_SYNCED);
	EXPECT_TRUE(passes(self, &failure)) {
		TH_LOG("event %zu: %s", failure.event, failure.why);
	}
}

TEST_F(states, a_later_sync_that_returns_first_is_enough)
{
	struct states_failure failure;

	insert_sync(self, self->sync + 1, MEM_SYNC);
	insert_sync(self, self->sync + 2, MEM_SYNCED);
	swap_synced_and_ack(self);
	EXPECT_TRUE(passes(self, &failure)) {
		TH_LOG("event %zu: %s", failure.event, failure.why);
	}
}

TEST_F(states, a_sync_that_began_before_the_write_returned_is_not_about_it)
{
	struct states_failure failure;
	size_t written = last_before(self, self->sync, MEM_WRITTEN);

	insert_sync(self, written, MEM_SYNC);
	self->sync++;
	insert_sync(self, self->sync, MEM_SYNCED);
	swap_synced_and_ack(self);
	EXPECT_FALSE(passes(self, &failure));
}

TEST_HARNESS_MAIN
