// SPDX-License-Identifier: GPL-2.0
/*
 * An explicit transaction beside a tracked one on the same page: in every
 * order of beginning and ending, each commits or aborts its own bytes only.
 */
#include "api.h"

#define T_AT	0UL		/* the tracked one stores here */
#define E_AT	200UL		/* the explicit one here */
#define E2_AT	400UL		/* and here once the other has ended */
#define N	100UL

/**
 * struct order - one way for the two to run beside each other
 * @explicit_first: the explicit one begins and stores first
 * @explicit_ends_first: it ends first
 * @tracked_commits: the tracked one commits, else it aborts
 * @explicit_commits: likewise
 * @crash: the program dies when the first of them has ended
 */
struct order {
	bool explicit_first;
	bool explicit_ends_first;
	bool tracked_commits;
	bool explicit_commits;
	bool crash;
};

struct scene {
	struct place place;
	struct order order;
	unsigned long flag;
	rvm_region_t region;
	rvm_tid_t explicit;
	rvm_tid_t tracked;
	struct hand hand;
	char *page;
};

static void explicit_begins(void *arg)
{
	struct scene *s = arg;

	need(rvm_begin_transaction(&s->explicit, restore) == RVM_SUCCESS);
	need(rvm_set_range(&s->explicit, s->page + E_AT, N) == RVM_SUCCESS);
	memset(s->page + E_AT, 'e', N);
}

static void explicit_stores_more(void *arg)
{
	struct scene *s = arg;

	need(rvm_set_range(&s->explicit, s->page + E2_AT, N) == RVM_SUCCESS);
	memset(s->page + E2_AT, 'E', N);
}

static void explicit_ends(void *arg)
{
	struct scene *s = arg;

	if (s->order.explicit_commits)
		need(rvm_end_transaction(&s->explicit, flush) == RVM_SUCCESS);
	else
		need(rvm_abort_transaction(&s->explicit) == RVM_SUCCESS);
}

static void tracked_begins(struct scene *s)
{
	need(rvm_begin_transaction(&s->tracked, rvm_tracked) == RVM_SUCCESS);
	memset(s->page + T_AT, 't', N);
}

static void tracked_ends(struct scene *s)
{
	if (s->order.tracked_commits)
		need(rvm_end_transaction(&s->tracked, flush) == RVM_SUCCESS);
	else
		need(rvm_abort_transaction(&s->tracked) == RVM_SUCCESS);
}

static void open_scene(struct scene *s)
{
	need(place_open(&s->place) == RVM_SUCCESS);
	need(place_map(&s->place, &s->region, s->flag) == RVM_SUCCESS);
	s->page = s->region.vmaddr + 3 * PAGE;
	rvm_init_tid(&s->explicit);
	rvm_init_tid(&s->tracked);
	need(rvm_begin_transaction(&s->explicit, no_restore) == RVM_SUCCESS);
	need(rvm_set_range(&s->explicit, s->page, PAGE) == RVM_SUCCESS);
	memset(s->page, 'i', PAGE);
	need(rvm_end_transaction(&s->explicit, flush) == RVM_SUCCESS);
	need(hand_start(&s->hand));
}

static void begin_both(struct scene *s)
{
	if (s->order.explicit_first) {
		need(hand_do(&s->hand, explicit_begins, s));
		tracked_begins(s);
	} else {
		tracked_begins(s);
		need(hand_do(&s->hand, explicit_begins, s));
	}
	need(holds(s->page + T_AT, N, 't'));
	need(holds(s->page + E_AT, N, 'e'));
}

/* Runs in a child: it ends by a crash, when both or only the first have ended. */
static void play(void *arg)
{
	struct scene *s = arg;

	open_scene(s);
	begin_both(s);
	if (s->order.explicit_ends_first)
		need(hand_do(&s->hand, explicit_ends, s));
	else
		tracked_ends(s);
	if (s->order.crash)
		return;
	if (s->order.explicit_ends_first) {
		need(holds(s->page + E_AT, N, s->order.explicit_commits ? 'e' : 'i'));
		need(holds(s->page + T_AT, N, 't'));
		memset(s->page + T_AT + 10, 'T', 10);
		tracked_ends(s);
	} else {
		need(holds(s->page + T_AT, N, s->order.tracked_commits ? 't' : 'i'));
		need(holds(s->page + E_AT, N, 'e'));
		need(hand_do(&s->hand, explicit_stores_more, s));
		need(hand_do(&s->hand, explicit_ends, s));
	}
	need(s->page[T_AT] == (s->order.tracked_commits ? 't' : 'i'));
	need(holds(s->page + E_AT, N, s->order.explicit_commits ? 'e' : 'i'));
}

/* After recovery the page holds what was committed, and nothing else. */
static bool page_is_right(struct scene *s)
{
	const struct order *o = &s->order;
	unsigned char want[PAGE], got[PAGE];
	bool t = o->tracked_commits && !(o->crash && o->explicit_ends_first);
	bool e = o->explicit_commits && !(o->crash && !o->explicit_ends_first);

	memset(want, 'i', PAGE);
	if (t)
		memset(want + T_AT, 't', N);
	if (t && o->explicit_ends_first)
		memset(want + T_AT + 10, 'T', 10);
	if (e)
		memset(want + E_AT, 'e', N);
	if (e && !o->explicit_ends_first)
		memset(want + E2_AT, 'E', N);
	return file_read(s->place.seg, 3 * PAGE, got, PAGE) && !memcmp(got, want, PAGE) &&
	       file_holds(s->place.seg, 0, 3 * PAGE, 0) &&
	       file_holds(s->place.seg, 4 * PAGE, SEG_BYTES - 4 * PAGE, 0);
}

FIXTURE(beside) {
	struct scene scene;
};

FIXTURE_VARIANT(beside)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(beside, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(beside, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(beside, sigsegv) { .flag = RVM_TRACK_SIGSEGV };

FIXTURE_SETUP(beside)
{
	self->scene.flag = variant->flag;
}

FIXTURE_TEARDOWN(beside)
{
	place_remove(&self->scene.place);
}

/* All four orders of beginning and ending, with these outcomes. */
static int wrong_orders(struct scene *s, bool tracked_commits, bool explicit_commits, bool crash)
{
	int i, wrong = 0;

	for (i = 0; i < 4; i++) {
		s->order = (struct order){
			.explicit_first = i & 1,
			.explicit_ends_first = i & 2,
			.tracked_commits = tracked_commits,
			.explicit_commits = explicit_commits,
			.crash = crash,
		};
		if (!place_make(&s->place))
			return -1;
		if (in_child(play, s) || place_recover(&s->place) || !page_is_right(s)) {
			fprintf(stderr, "# wrong: %s begins first, %s ends first\n",
				i & 1 ? "explicit" : "tracked", i & 2 ? "explicit" : "tracked");
			wrong++;
		}
		place_remove(&s->place);
	}
	return wrong;
}

TEST_F(beside, when_both_commit_both_are_durable)
{
	EXPECT_EQ(0, wrong_orders(&self->scene, true, true, false));
}

TEST_F(beside, when_the_tracked_one_aborts_the_explicit_one_is_durable_alone)
{
	EXPECT_EQ(0, wrong_orders(&self->scene, false, true, false));
}

TEST_F(beside, when_the_explicit_one_aborts_the_tracked_one_is_durable_alone)
{
	EXPECT_EQ(0, wrong_orders(&self->scene, true, false, false));
}

TEST_F(beside, when_both_abort_nothing_is_left)
{
	EXPECT_EQ(0, wrong_orders(&self->scene, false, false, false));
}

TEST_F(beside, a_crash_after_the_first_commit_leaves_that_one_alone)
{
	EXPECT_EQ(0, wrong_orders(&self->scene, true, true, true));
}

TEST_F(beside, a_crash_after_the_first_abort_leaves_nothing)
{
	EXPECT_EQ(0, wrong_orders(&self->scene, false, false, true));
}

/* Truncation with both open must move the committed bytes only. */
static void truncate_between(void *arg)
{
	struct scene *s = arg;

	open_scene(s);
	begin_both(s);
	need(rvm_truncate() == RVM_SUCCESS);
	need(file_holds(s->place.seg, 3 * PAGE, PAGE, 'i'));
	need(hand_do(&s->hand, explicit_ends, s));
	need(rvm_truncate() == RVM_SUCCESS);
	need(file_holds(s->place.seg, 3 * PAGE + T_AT, N, 'i'));
	need(file_holds(s->place.seg, 3 * PAGE + E_AT, N, 'e'));
	tracked_ends(s);
	need(rvm_truncate() == RVM_SUCCESS);
	need(file_holds(s->place.seg, 3 * PAGE + T_AT, N, 't'));
	need(file_holds(s->place.seg, 3 * PAGE + E_AT, N, 'e'));
}

TEST_F(beside, truncation_with_both_open_writes_committed_bytes_only)
{
	struct scene *s = &self->scene;
	int i;

	for (i = 0; i < 2; i++) {
		s->order = (struct order){
			.explicit_first = i,
			.tracked_commits = true,
			.explicit_commits = true,
		};
		ASSERT_TRUE(place_make(&s->place));
		EXPECT_EQ(0, in_child(truncate_between, s));
		place_remove(&s->place);
	}
}

/* The same thread may do both; the tracked one then sees the declared stores too. */
static void one_thread(void *arg)
{
	struct scene *s = arg;

	open_scene(s);
	s->order.explicit_commits = true;
	tracked_begins(s);
	explicit_begins(s);
	explicit_ends(s);
	need(rvm_abort_transaction(&s->tracked) == RVM_SUCCESS);
	need(holds(s->page + T_AT, N, 'i'));
	need(holds(s->page + E_AT, N, 'e'));
}

TEST_F(beside, one_thread_may_commit_an_explicit_one_inside_a_tracked_one)
{
	struct scene *s = &self->scene;

	ASSERT_TRUE(place_make(&s->place));
	EXPECT_EQ(0, in_child(one_thread, s));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&s->place));
	EXPECT_TRUE(file_holds(s->place.seg, 3 * PAGE + T_AT, N, 'i'));
	EXPECT_TRUE(file_holds(s->place.seg, 3 * PAGE + E_AT, N, 'e'));
}

/* Hammer: explicit commits and aborts of one thread beside tracked ones of another. */
#define ROUNDS	300

static void explicit_hammer(void *arg)
{
	struct scene *s = arg;
	rvm_tid_t tid;
	int i;

	rvm_init_tid(&tid);
	for (i = 1; i <= ROUNDS; i++) {
		char *mine = s->region.vmaddr + (i % 8) * PAGE + 2048;

		need(rvm_begin_transaction(&tid, restore) == RVM_SUCCESS);
		need(rvm_set_range(&tid, mine, 16) == RVM_SUCCESS);
		memset(mine, i, 16);
		if (i % 3)
			need(rvm_end_transaction(&tid, no_flush) == RVM_SUCCESS);
		else
			need(rvm_abort_transaction(&tid) == RVM_SUCCESS);
	}
}

static void hammer(void *arg)
{
	struct scene *s = arg;
	int i, j;

	open_scene(s);
	hand_tell(&s->hand, explicit_hammer, s);
	for (i = 1; i <= ROUNDS; i++) {
		need(rvm_begin_transaction(&s->tracked, rvm_tracked) == RVM_SUCCESS);
		for (j = 0; j < 8; j++)
			memset(s->region.vmaddr + j * PAGE, i, 16);
		if (i % 4)
			need(rvm_end_transaction(&s->tracked, no_flush) == RVM_SUCCESS);
		else
			need(rvm_abort_transaction(&s->tracked) == RVM_SUCCESS);
	}
	need(hand_idle(&s->hand, 25000));
	need(rvm_flush() == RVM_SUCCESS);
}

static int last_not(int period, int slot)
{
	int i, last = 0;

	for (i = 1; i <= ROUNDS; i++)
		if (i % period && (slot < 0 || i % 8 == slot))
			last = i;
	return last & 0xff;
}

TEST_F(beside, three_hundred_of_each_on_the_same_eight_pages_lose_and_leak_nothing)
{
	struct scene *s = &self->scene;
	int j;

	ASSERT_TRUE(place_make(&s->place));
	EXPECT_EQ(0, in_child(hammer, s));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&s->place));
	for (j = 0; j < 8; j++) {
		EXPECT_TRUE(file_holds(s->place.seg, j * PAGE, 16, last_not(4, -1)));
		EXPECT_TRUE(file_holds(s->place.seg, j * PAGE + 2048, 16, last_not(3, j)));
		EXPECT_TRUE(file_holds(s->place.seg, j * PAGE + 16, 100, j == 3 ? 'i' : 0));
	}
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
