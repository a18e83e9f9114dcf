// SPDX-License-Identifier: GPL-2.0
/* Strict regions: a store outside any transaction is SIGBUS, all others go through. */
#include "api.h"

#include <setjmp.h>

FIXTURE(strict) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;
	char *at;
};

FIXTURE_VARIANT(strict)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(strict, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(strict, sigsegv) { .flag = RVM_TRACK_SIGSEGV };

FIXTURE_SETUP(strict)
{
	rvm_region_info_t info;

	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region,
					  variant->flag | RVM_STRICT));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	ASSERT_EQ(rvm_true, info.strict);
	self->at = self->region.vmaddr;
	rvm_init_tid(&self->tid);
}

FIXTURE_TEARDOWN(strict)
{
	rvm_terminate();
	place_remove(&self->place);
}

static sigjmp_buf out;

static void catch(int sig)
{
	siglongjmp(out, sig);
}

/* The signal that a store raises, 0 for none. */
static int store_raises(char *at, char value)
{
	struct sigaction action = { .sa_handler = catch };
	struct sigaction was;
	int sig;

	sigaction(SIGBUS, &action, &was);
	sig = sigsetjmp(out, 1);
	if (!sig)
		put(at, value);
	sigaction(SIGBUS, &was, NULL);
	return sig;
}

#define BEGIN(tid, mode) ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(tid, mode))
#define RANGE(tid, at, n) ASSERT_RVM(RVM_SUCCESS, rvm_set_range(tid, at, n))
#define END(tid) ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(tid, flush))

TEST_F(strict, a_store_outside_any_transaction_is_sigbus_and_changes_nothing)
{
	EXPECT_EQ(SIGBUS, store_raises(self->at, 'x'));
	EXPECT_EQ(0, self->at[0]);
	BEGIN(&self->tid, rvm_tracked);
	EXPECT_EQ(0, store_raises(self->at, 't'));
	END(&self->tid);
	EXPECT_EQ(SIGBUS, store_raises(self->at, 'x'));
	EXPECT_EQ('t', self->at[0]);
}

TEST_F(strict, declared_stores_go_through_and_later_ones_do_not)
{
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at + PAGE, 1);
	EXPECT_EQ(0, store_raises(self->at + PAGE, 'e'));
	END(&self->tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ(SIGBUS, store_raises(self->at + 2 * PAGE, 'x'));
	EXPECT_EQ('e', file_byte(self->place.seg, PAGE));
	EXPECT_EQ(0, file_byte(self->place.seg, 2 * PAGE));
}

TEST_F(strict, a_page_that_an_explicit_transaction_wrote_is_refused_again_after_its_end)
{
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 1);
	EXPECT_EQ(0, store_raises(self->at, 'e'));
	END(&self->tid);
	EXPECT_EQ(SIGBUS, store_raises(self->at + 1, 'x'));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 1);
	EXPECT_EQ(0, store_raises(self->at, 'a'));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	EXPECT_EQ(SIGBUS, store_raises(self->at + 1, 'x'));
	EXPECT_EQ('e', self->at[0]);
	EXPECT_EQ(0, self->at[1]);
}

TEST_F(strict, a_transaction_that_is_older_than_the_region_may_store_there)
{
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	BEGIN(&self->tid, restore);
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region,
					  variant->flag | RVM_STRICT));
	self->at = self->region.vmaddr;
	RANGE(&self->tid, self->at, 1);
	EXPECT_EQ(0, store_raises(self->at, 'e'));
	END(&self->tid);
	EXPECT_EQ(SIGBUS, store_raises(self->at + PAGE, 'x'));
}

struct turn {
	rvm_tid_t *tid;
	char *at;
	int raised;
};

static void store_in_other(void *arg)
{
	struct turn *turn = arg;

	turn->raised = store_raises(turn->at, 'o');
}

static void end_in_other(void *arg)
{
	struct turn *turn = arg;

	turn->raised = rvm_end_transaction(turn->tid, flush);
}

TEST_F(strict, another_thread_may_store_declared_bytes)
{
	struct turn turn = { .tid = &self->tid, .at = self->at };
	struct hand hand;

	ASSERT_TRUE(hand_start(&hand));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 1);
	ASSERT_TRUE(hand_do(&hand, store_in_other, &turn));
	EXPECT_EQ(0, turn.raised);
	END(&self->tid);
	turn.at = self->at + PAGE;
	ASSERT_TRUE(hand_do(&hand, store_in_other, &turn));
	EXPECT_EQ(SIGBUS, turn.raised);
	hand_stop(&hand);
}

TEST_F(strict, a_transaction_ended_by_another_thread_is_over_for_the_first)
{
	struct turn turn = { .tid = &self->tid, .at = self->at };
	struct hand hand;

	ASSERT_TRUE(hand_start(&hand));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at, 1);
	EXPECT_EQ(0, store_raises(self->at, 'e'));
	ASSERT_TRUE(hand_do(&hand, end_in_other, &turn));
	EXPECT_EQ(RVM_SUCCESS, turn.raised);
	hand_stop(&hand);
	EXPECT_EQ(SIGBUS, store_raises(self->at + PAGE, 'x'));
	BEGIN(&self->tid, restore);
	RANGE(&self->tid, self->at + PAGE, 1);
	EXPECT_EQ(0, store_raises(self->at + PAGE, 'e'));
	END(&self->tid);
	EXPECT_EQ(SIGBUS, store_raises(self->at + 2 * PAGE, 'x'));
}

TEST_F(strict, two_transactions_of_one_thread_end_one_by_one)
{
	rvm_tid_t second;

	rvm_init_tid(&second);
	BEGIN(&self->tid, restore);
	BEGIN(&second, restore);
	RANGE(&self->tid, self->at, 1);
	END(&self->tid);
	RANGE(&second, self->at + PAGE, 1);
	EXPECT_EQ(0, store_raises(self->at + PAGE, 'e'));
	END(&second);
	EXPECT_EQ(SIGBUS, store_raises(self->at + 2 * PAGE, 'x'));
}

/* Nothing is mapped before the program that is tried maps it. */
FIXTURE(wild) {
	struct place place;
};

FIXTURE_VARIANT(wild)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(wild, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(wild, sigsegv) { .flag = RVM_TRACK_SIGSEGV };

FIXTURE_SETUP(wild)
{
	signal(SIGBUS, SIG_DFL);	/* sanitizers have a handler */
	ASSERT_TRUE(place_make(&self->place));
}

FIXTURE_TEARDOWN(wild)
{
	place_remove(&self->place);
}

/* What a program does that has a strict region from the segment's second page on. */
struct wild {
	struct place *place;
	unsigned long flag;
	int fd;
	void (*act)(struct wild *wild, char *at);
};

static void run_wild(void *arg)
{
	struct wild *wild = arg;
	rvm_region_t region;

	need(dup2(wild->fd, STDERR_FILENO) == STDERR_FILENO);
	need(!place_open(wild->place));
	need(!map_part(&region, wild->place->seg, PAGE, 0, wild->flag | RVM_STRICT));
	wild->act(wild, region.vmaddr);
}

/* What it ends with, and what it prints. */
static int run_with_text(struct wild *wild, char *text, size_t size)
{
	int ends[2], status;
	ssize_t n;

	if (pipe(ends))
		return -1;
	wild->fd = ends[1];
	status = in_child(run_wild, wild);
	close(ends[1]);
	n = read(ends[0], text, size - 1);
	text[n < 0 ? 0 : n] = 0;
	close(ends[0]);
	return status;
}

static void store_wildly(struct wild *wild, char *at)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, restore));
	need(!rvm_modify_bytes(&tid, at, "declared", 8));
	need(!rvm_end_transaction(&tid, flush));
	put(at + 2 * PAGE + 0x123, 'w');
	_exit(7);
}

TEST_F(wild, a_wild_store_dies_there_with_its_place_and_reaches_nothing)
{
	struct wild wild = {
		.place = &self->place, .flag = variant->flag, .act = store_wildly,
	};
	char text[2048], want[256];

	EXPECT_EQ(128 + SIGBUS, run_with_text(&wild, text, sizeof(text)));
	snprintf(want, sizeof(want),
		 "rvm: store outside any transaction at region offset 0x2123, offset 0x3123 of %s, by the instruction at 0x",
		 self->place.seg);
	EXPECT_EQ(0, strncmp(text, want, strlen(want))) {
		TH_LOG("'%s' does not begin with '%s'", text, want);
	}
	EXPECT_EQ(text + strlen(text) - 1, strchr(text, '\n'));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('d', file_byte(self->place.seg, PAGE));
	EXPECT_TRUE(file_holds(self->place.seg, 2 * PAGE, SEG_BYTES - 2 * PAGE, 0));
}

static void end_with_3(int sig)
{
	_exit(sig == SIGBUS ? 3 : 4);
}

static void handle_and_store(struct wild *wild, char *at)
{
	struct sigaction action = { .sa_handler = end_with_3 };

	need(!sigaction(SIGBUS, &action, NULL));
	put(at, 'w');
}

static void have_handled(struct wild *wild, char *at)
{
	rvm_region_t other;

	need(!map_part(&other, wild->place->seg, 0, PAGE, wild->flag | RVM_STRICT));
	put(other.vmaddr, 'w');
}

TEST_F(wild, a_program_with_a_handler_of_its_own_is_told_and_nothing_is_printed)
{
	struct wild wild = {
		.place = &self->place, .flag = variant->flag, .act = handle_and_store,
	};
	struct sigaction action = { .sa_handler = end_with_3 }, was;
	char text[2048];

	EXPECT_EQ(3, run_with_text(&wild, text, sizeof(text)));
	EXPECT_STREQ("", text);
	wild.act = have_handled;
	sigaction(SIGBUS, &action, &was);
	EXPECT_EQ(3, run_with_text(&wild, text, sizeof(text)));
	sigaction(SIGBUS, &was, NULL);
	EXPECT_STREQ("", text);
}

static void store_beyond_a_file(struct wild *wild, char *at)
{
	int fd = memfd_create("short", 0);
	char *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	need(other != MAP_FAILED);
	put(other, 'w');
}

TEST_F(wild, a_sigbus_of_another_cause_is_not_explained)
{
	struct wild wild = {
		.place = &self->place, .flag = variant->flag, .act = store_beyond_a_file,
	};
	char text[2048];

	EXPECT_EQ(128 + SIGBUS, run_with_text(&wild, text, sizeof(text)));
	EXPECT_STREQ("", text);
}

FIXTURE(lenient) {
	struct place place;
	rvm_region_t region;
};

FIXTURE_VARIANT(lenient)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(lenient, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(lenient, none) { .flag = RVM_TRACK_NONE };

FIXTURE_SETUP(lenient)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
}

FIXTURE_TEARDOWN(lenient)
{
	rvm_terminate();
	place_remove(&self->place);
}

TEST_F(lenient, a_tracker_that_cannot_be_strict_says_so)
{
	EXPECT_REFUSED(RVM_ETRACKER, "outside",
		       place_map(&self->place, &self->region, variant->flag | RVM_STRICT));
	EXPECT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
}

TEST_F(lenient, without_a_choice_one_that_can_be_strict_is_taken)
{
	rvm_region_info_t info;

	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, RVM_STRICT));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_EQ(rvm_true, info.strict);
	EXPECT_EQ(0, info.tracker & (RVM_TRACK_UFFD | RVM_TRACK_NONE));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
