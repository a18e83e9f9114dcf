// SPDX-License-Identifier: GPL-2.0
/* The library lets several tracked transactions run in one region, each in pages of its own. */
#include "../lib/api.h"

#define HANDS	4
#define ROUNDS	400
#define MOST	254	/* transactions that may share regions at once */

FIXTURE(disjoint) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid[HANDS];
	struct hand hand[HANDS];
};

FIXTURE_VARIANT(disjoint)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(disjoint, refused) { .flag = RVM_DISJOINT };
FIXTURE_VARIANT_ADD(disjoint, waits) { .flag = RVM_DISJOINT_WAIT };

FIXTURE_SETUP(disjoint)
{
	int i;

	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, merge_nothing());
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	for (i = 0; i < HANDS; i++) {
		rvm_init_tid(&self->tid[i]);
		ASSERT_TRUE(hand_start(&self->hand[i]));
	}
}

FIXTURE_TEARDOWN(disjoint)
{
	int i;

	for (i = 0; i < HANDS; i++)
		hand_stop(&self->hand[i]);
	rvm_terminate();
	place_remove(&self->place);
}

static void store(void *arg)
{
	struct hand_task *task = arg;

	put(task->region->vmaddr + task->page * PAGE, task->byte);
	task->code = RVM_SUCCESS;
}

static void end(void *arg)
{
	struct hand_task *task = arg;

	task->code = rvm_end_transaction(task->tid, flush);
	snprintf(task->text, sizeof(task->text), "%s", rvm_error());
}

static void undo(void *arg)
{
	struct hand_task *task = arg;

	task->code = rvm_abort_transaction(task->tid);
}

#define TASK(who, at, what) ((struct hand_task) { \
	.tid = &self->tid[who], .region = &self->region, .page = (at), .byte = (what), .code = -1 })
#define DO(who, what, job) do { \
	struct hand_task *__job = (job); \
	\
	ASSERT_TRUE(hand_do(&self->hand[who], what, __job)); \
	EXPECT_EQ(RVM_SUCCESS, __job->code) { TH_LOG("%s", __job->text); } \
} while (0)

static char at(FIXTURE_DATA(disjoint) *self, size_t page)
{
	return *(volatile char *)(self->region.vmaddr + page * PAGE);
}

TEST_F(disjoint, is_told_by_query_region)
{
	rvm_region_info_t info;

	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_EQ(rvm_true, info.disjoint);
	EXPECT_EQ(rvm_true, info.strict);
	EXPECT_EQ(RVM_TRACK_KMOD, info.tracker);
	EXPECT_EQ(0, info.conflicts);
	EXPECT_EQ(0, info.patience);
}

TEST_F(disjoint, two_transactions_run_at_once_and_each_ends_alone)
{
	struct hand_task a = TASK(0, 1, 'a'), b = TASK(1, 2, 'b');

	DO(0, hand_begin, &a);
	DO(1, hand_begin, &b);
	DO(0, store, &a);
	DO(1, store, &b);
	DO(0, end, &a);
	DO(1, undo, &b);
	EXPECT_EQ('a', at(self, 1));
	EXPECT_EQ(0, at(self, 2));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('a', file_byte(self->place.seg, PAGE));
	EXPECT_EQ(0, file_byte(self->place.seg, 2 * PAGE));
}

TEST_F(disjoint, a_thread_has_one_at_a_time)
{
	struct hand_task a = TASK(0, 1, 'a'), again = TASK(1, 1, 'a');

	DO(0, hand_begin, &a);
	ASSERT_TRUE(hand_do(&self->hand[0], hand_begin, &again));
	EXPECT_EQ(RVM_ECONFLICT, again.code);
	EXPECT_NE(NULL, strstr(again.text, "earlier transaction of this thread"));
	DO(0, store, &a);
	DO(0, end, &a);
	DO(0, hand_begin, &a);
	DO(0, undo, &a);
}

TEST_F(disjoint, a_region_is_not_unmapped_while_one_is_open)
{
	struct hand_task a = TASK(0, 1, 'a'), b = TASK(1, 2, 'b');

	DO(0, hand_begin, &a);
	DO(1, hand_begin, &b);
	DO(0, end, &a);
	EXPECT_RVM(RVM_EUNCOMMIT, rvm_unmap(&self->region));
	DO(1, end, &b);
	EXPECT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

/* So that the next store to any page faults. */
static bool forget_mappings(FIXTURE_DATA(disjoint) *self)
{
	return !madvise(self->region.vmaddr, SEG_BYTES, MADV_DONTNEED);
}

TEST_F(disjoint, stores_of_two_to_one_page_are_waited_for_or_undone)
{
	struct hand_task a = TASK(0, 1, 'a'), b = TASK(1, 1, 'b'), own = TASK(1, 2, 'o');
	bool waits = variant->flag & RVM_DISJOINT_WAIT;
	rvm_return_t code = waits ? RVM_SUCCESS : RVM_ECONFLICT;
	rvm_region_info_t info;

	DO(0, hand_begin, &a);
	DO(1, hand_begin, &b);
	DO(0, store, &a);
	DO(1, store, &own);
	ASSERT_TRUE(forget_mappings(self));
	hand_tell(&self->hand[1], store, &b);
	EXPECT_EQ(!waits, hand_idle(&self->hand[1], 200));
	ASSERT_TRUE(hand_do(&self->hand[0], end, &a));
	EXPECT_EQ(code, a.code);
	ASSERT_TRUE(hand_idle(&self->hand[1], 5000));
	ASSERT_TRUE(hand_do(&self->hand[1], end, &b));
	EXPECT_EQ(code, b.code);
	EXPECT_EQ(waits ? 'b' : 0, at(self, 1));
	EXPECT_EQ(waits ? 'o' : 0, at(self, 2));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_EQ(!waits, info.conflicts);
	if (!waits) {
		EXPECT_NE(NULL, strstr(a.text, self->place.seg)) { TH_LOG("%s", a.text); }
		EXPECT_NE(NULL, strstr(b.text, "rolled back"));
	}
	/* And that was all. */
	DO(0, hand_begin, &a);
	DO(0, store, &a);
	DO(0, end, &a);
	DO(1, hand_begin, &b);
	DO(1, store, &b);
	DO(1, end, &b);
	EXPECT_EQ('b', at(self, 1));
}

static void begin_all(void *arg)
{
	struct hand_task *task = arg;

	task->code = rvm_begin_transaction(task->tid, rvm_tracked);
	snprintf(task->text, sizeof(task->text), "%s", rvm_error());
}

/* A transaction of several regions is undone in all of them, also where it met nobody. */
TEST_F(disjoint, a_conflict_undoes_other_regions_too)
{
	struct hand_task a = TASK(0, 1, 'a'), b = TASK(1, 1, 'b'), other = TASK(1, 5, 'x');
	rvm_region_t more;
	char path[100];

	if (variant->flag & RVM_DISJOINT_WAIT)
		return;
	snprintf(path, sizeof(path), "%s2", self->place.seg);
	ASSERT_TRUE(file_make(path, SEG_BYTES, 0));
	ASSERT_RVM(RVM_SUCCESS, map_part(&more, path, 0, 0, RVM_TRACK_KMOD));
	other.region = &more;
	DO(0, hand_begin, &a);
	DO(1, begin_all, &b);
	DO(0, store, &a);
	DO(1, store, &other);
	ASSERT_TRUE(forget_mappings(self));
	DO(1, store, &b);
	ASSERT_TRUE(hand_do(&self->hand[1], end, &b));
	EXPECT_EQ(RVM_ECONFLICT, b.code);
	EXPECT_EQ(0, *more.vmaddr);
	EXPECT_EQ(0, more.vmaddr[5 * PAGE]);
	ASSERT_TRUE(hand_do(&self->hand[0], end, &a));
	EXPECT_EQ(RVM_ECONFLICT, a.code);
	EXPECT_EQ(0, at(self, 1));
	/* The other region's next transaction does not wait for it. */
	DO(1, begin_all, &b);
	DO(1, store, &other);
	DO(1, end, &b);
	EXPECT_EQ('x', more.vmaddr[5 * PAGE]);
}

static void end_explicit(struct __test_metadata *_metadata, FIXTURE_DATA(disjoint) *self,
			 size_t page, char byte)
{
	char *to = self->region.vmaddr + page * PAGE;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, to, 1));
	put(to, byte);
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
}

/* Its page is protected again when it ends, so that the tracked one's store to it is seen. */
TEST_F(disjoint, an_explicit_transaction_leaves_its_page_to_a_tracked_one)
{
	struct hand_task a = TASK(0, 1, 'a'), after = TASK(0, 5, 't');

	DO(0, hand_begin, &a);
	DO(0, store, &a);
	end_explicit(_metadata, self, 5, 'e');
	DO(0, store, &after);
	end_explicit(_metadata, self, 6, 'f');
	DO(0, end, &a);
	DO(1, hand_begin, &a);
	DO(1, store, &after);
	DO(1, undo, &a);
	EXPECT_EQ('t', at(self, 5));
	EXPECT_EQ('f', at(self, 6));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('a', file_byte(self->place.seg, PAGE));
	EXPECT_EQ('t', file_byte(self->place.seg, 5 * PAGE));
	EXPECT_EQ('f', file_byte(self->place.seg, 6 * PAGE));
}

TEST_F(disjoint, checked_transactions_are_refused)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	EXPECT_REFUSED(RVM_ETRACKER, "share", rvm_begin_transaction(&tid, rvm_checked));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, rvm_checked));
	EXPECT_REFUSED(RVM_ETRACKER, "share",
		       place_map(&self->place, &self->region, variant->flag));
	EXPECT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, no_flush));
}

/**
 * struct crowd - many threads that each begin a transaction and wait for the others
 * @region: where
 * @gate: all have begun, or were refused
 * @begun: how many have
 * @refused: how many were for lack of room
 */
struct crowd {
	rvm_region_t *region;
	pthread_barrier_t gate;
	int begun;
	int refused;
};

static void *join_crowd(void *arg)
{
	struct crowd *crowd = arg;
	rvm_return_t code;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	code = rvm_begin_tracked(&tid, crowd->region);
	__atomic_fetch_add(&crowd->begun, !code, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&crowd->refused, code == RVM_ENO_MEMORY, __ATOMIC_SEQ_CST);
	pthread_barrier_wait(&crowd->gate);
	if (!code)
		rvm_end_transaction(&tid, no_flush);
	return NULL;
}

TEST_F(disjoint, so_many_and_no_more_run_at_once)
{
	struct crowd crowd = { .region = &self->region };
	pthread_t thread[MOST + 1];
	struct hand_task a = TASK(0, 1, 'a');
	int i;

	pthread_barrier_init(&crowd.gate, NULL, MOST + 1);
	for (i = 0; i < MOST + 1; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, join_crowd, &crowd));
	for (i = 0; i < MOST + 1; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(MOST, crowd.begun);
	EXPECT_EQ(1, crowd.refused);
	DO(0, hand_begin, &a);
	DO(0, store, &a);
	DO(0, end, &a);
}

/**
 * struct player - a thread that changes pages of its own, and knows what they are to be
 * @thread: the thread
 * @region: where
 * @first: its first page; its pages are HANDS apart
 * @seed: what it does
 * @want: the first word of each of its pages, as committed
 * @wrong: times that a page was not what it must be
 */
struct player {
	pthread_t thread;
	rvm_region_t *region;
	size_t first;
	unsigned int seed;
	uint64_t want[SEG_PAGES / HANDS];
	unsigned int wrong;
};

static uint64_t *word_of(const struct player *p, size_t i)
{
	return (uint64_t *)(p->region->vmaddr + (p->first + i * HANDS) * PAGE);
}

static void check_player(struct player *p)
{
	size_t i;

	for (i = 0; i < SEG_PAGES / HANDS; i++)
		p->wrong += *(volatile uint64_t *)word_of(p, i) != p->want[i];
}

static void play_once(struct player *p)
{
	uint64_t next[SEG_PAGES / HANDS];
	rvm_tid_t tid;
	size_t i, n;

	rvm_init_tid(&tid);
	memcpy(next, p->want, sizeof(next));
	p->wrong += rvm_begin_tracked(&tid, p->region) != RVM_SUCCESS;
	for (n = rand_r(&p->seed) % 8; n--;) {
		i = rand_r(&p->seed) % (SEG_PAGES / HANDS);
		next[i] = next[i] * 3 + p->first + 1;
		*(volatile uint64_t *)word_of(p, i) = next[i];
	}
	if (rand_r(&p->seed) % 4 == 0) {
		p->wrong += rvm_abort_transaction(&tid) != RVM_SUCCESS;
	} else {
		p->wrong += rvm_end_transaction(&tid, rand_r(&p->seed) % 8 ? no_flush : flush) !=
			    RVM_SUCCESS;
		memcpy(p->want, next, sizeof(next));
	}
	check_player(p);
}

static void *play(void *arg)
{
	struct player *p = arg;
	int i;

	for (i = 0; i < ROUNDS; i++)
		play_once(p);
	return NULL;
}

/* Pages of different threads are neighbours, so that each end protects others' pages too. */
static unsigned int play_all(struct player *player, rvm_region_t *region)
{
	unsigned int wrong = 0;
	int i;

	for (i = 0; i < HANDS; i++) {
		player[i].region = region;
		player[i].first = i;
		player[i].seed = i + 1;
		if (pthread_create(&player[i].thread, NULL, play, &player[i]))
			abort();
	}
	for (i = 0; i < HANDS; i++) {
		pthread_join(player[i].thread, NULL);
		wrong += player[i].wrong;
	}
	return wrong;
}

TEST_F_TIMEOUT(disjoint, threads_that_keep_the_promise_get_what_they_stored, 300)
{
	struct player player[HANDS] = {};
	rvm_region_info_t info;
	int i;

	EXPECT_EQ(0, play_all(player, &self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_region(&self->region, &info));
	EXPECT_EQ(0, info.conflicts);
	EXPECT_EQ(0, info.strays);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	for (i = 0; i < HANDS; i++) {
		check_player(&player[i]);
		EXPECT_EQ(0, player[i].wrong);
	}
}

/**
 * struct crash - what a child does before it is gone, and what the parent finds
 * @place: of its own
 * @player: what each thread had committed; shared
 */
struct crash {
	struct place place;
	struct player *player;
};

static void play_and_die(void *arg)
{
	struct crash *crash = arg;
	rvm_region_t region;
	rvm_tid_t tid;
	int i;

	need(!place_open(&crash->place));
	need(!place_map(&crash->place, &region, RVM_DISJOINT));
	need(!play_all(crash->player, &region));
	need(!rvm_flush());
	/* And transactions that never end: of this thread's pages nothing may be found. */
	rvm_init_tid(&tid);
	need(!rvm_begin_tracked(&tid, &region));
	for (i = 0; i < SEG_PAGES; i++)
		memset(region.vmaddr + i * PAGE, 0xee, 16);
	need(!msync(region.vmaddr, SEG_BYTES, MS_SYNC));
}

static bool found_after_the_crash(struct crash *crash, const struct player *p)
{
	uint64_t word;
	size_t i;

	for (i = 0; i < SEG_PAGES / HANDS; i++)
		if (!file_read(crash->place.seg, (p->first + i * HANDS) * PAGE, &word,
			       sizeof(word)) || word != p->want[i])
			return false;
	return true;
}

TEST(a_crash_leaves_what_was_committed)
{
	struct crash crash;
	int i;

	ASSERT_TRUE(place_make(&crash.place));
	crash.player = mmap(NULL, HANDS * sizeof(struct player), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, crash.player);
	ASSERT_EQ(0, in_child(play_and_die, &crash));
	ASSERT_RVM(RVM_SUCCESS, place_recover(&crash.place));
	for (i = 0; i < HANDS; i++)
		EXPECT_TRUE(found_after_the_crash(&crash, &crash.player[i]));
	place_remove(&crash.place);
}

TEST_HARNESS_MAIN
