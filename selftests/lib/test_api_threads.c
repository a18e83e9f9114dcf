// SPDX-License-Identifier: GPL-2.0
/* Transactions of many threads, before and after the first one is tracked. */
#include "api.h"

#include "instance.h"

#define THREADS		3
#define SLOT		64
#define LIVES		(getenv("RVM_VM") ? 5 : 15)
#define ROUNDS		40	/* of tracked transactions in each life */

FIXTURE(txs) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;
	char *at;
};

FIXTURE_VARIANT(txs)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(txs, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(txs, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(txs, sigsegv) { .flag = RVM_TRACK_SIGSEGV };

FIXTURE_SETUP(txs)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	self->at = self->region.vmaddr;
	rvm_init_tid(&self->tid);
}

FIXTURE_TEARDOWN(txs)
{
	rvm_terminate();
	place_remove(&self->place);
}

/**
 * struct worker - a thread that makes explicit transactions
 * @thread: the thread
 * @at: its place in each page
 * @stop: it is to end
 * @rounds: transactions it made
 * @failed: a call failed
 * @last: what it committed last in each page
 */
struct worker {
	pthread_t thread;
	char *at;
	bool stop;
	unsigned int rounds;
	bool failed;
	char last[SEG_PAGES];
};

static void work_once(struct worker *w)
{
	unsigned int page = w->rounds * 7 % SEG_PAGES;
	bool give_up = w->rounds % 3 == 2;
	char *mine = w->at + page * PAGE;
	rvm_tid_t tid;
	bool failed;

	rvm_init_tid(&tid);
	failed = rvm_begin_transaction(&tid, restore) != RVM_SUCCESS ||
		 rvm_set_range(&tid, mine, SLOT / 2) != RVM_SUCCESS ||
		 rvm_set_range(&tid, mine + SLOT / 4, SLOT * 3 / 4) != RVM_SUCCESS;
	memset(mine, give_up ? 0xee : (int)w->rounds, SLOT);
	if (give_up) {
		failed |= rvm_abort_transaction(&tid) != RVM_SUCCESS;
	} else {
		failed |= rvm_end_transaction(&tid, no_flush) != RVM_SUCCESS;
		w->last[page] = (char)w->rounds;
	}
	if (failed)
		__atomic_store_n(&w->failed, true, __ATOMIC_RELAXED);
	__atomic_store_n(&w->rounds, w->rounds + 1, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED) && !w->failed)
		work_once(w);
	return NULL;
}

static bool start_workers(struct worker *w, char *at)
{
	int i;

	for (i = 0; i < THREADS; i++) {
		__atomic_store_n(&w[i].stop, false, __ATOMIC_RELAXED);
		w[i].at = at + i * SLOT;
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			return false;
	}
	return true;
}

static void wait_for_rounds(struct worker *w, unsigned int rounds)
{
	unsigned int from[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		from[i] = __atomic_load_n(&w[i].rounds, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		while (__atomic_load_n(&w[i].rounds, __ATOMIC_RELAXED) - from[i] < rounds &&
		       !__atomic_load_n(&w[i].failed, __ATOMIC_RELAXED))
			sched_yield();
}

static bool stop_workers(struct worker *w)
{
	bool failed = false;
	int i;

	for (i = 0; i < THREADS; i++)
		__atomic_store_n(&w[i].stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		failed |= w[i].failed;
	}
	return !failed;
}

/* Is at each worker's place what it committed last, in memory and in the segment? */
static bool is_right(const struct worker *w, const char *at)
{
	bool right = true;
	int i, page;

	for (i = 0; i < THREADS; i++)
		for (page = 0; page < SEG_PAGES; page++)
			right &= holds(at + i * SLOT + page * PAGE, SLOT, w[i].last[page]);
	return right;
}

TEST_F(txs, explicit_ones_go_on_while_the_first_tracked_one_begins)
{
	struct worker w[THREADS] = { 0 };
	char tracked = 0, file[SEG_BYTES];
	int life, i;

	for (life = 0; life < LIVES; life++) {
		ASSERT_TRUE(start_workers(w, self->at));
		wait_for_rounds(w, 5);
		for (i = 0; i < ROUNDS; i++) {
			char *mine = self->at + i % SEG_PAGES * PAGE + THREADS * SLOT;

			ASSERT_RVM(RVM_SUCCESS, rvm_begin_tracked(&self->tid, &self->region));
			put(mine, i % 2 ? life + 1 : 'x');
			if (i % 2)
				ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, no_flush));
			else
				ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
		}
		tracked = life + 1;
		ASSERT_TRUE(stop_workers(w));
		ASSERT_TRUE(is_right(w, self->at));
		ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
		ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
		ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
		ASSERT_TRUE(file_read(self->place.seg, 0, file, sizeof(file)));
		ASSERT_TRUE(is_right(w, file));
		for (i = 0; i < ROUNDS; i++)
			ASSERT_EQ(i % 2 ? tracked : 0, file[i * PAGE + THREADS * SLOT]);
		ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
		ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
		self->at = self->region.vmaddr;
	}
}

TEST_F(txs, an_open_explicit_one_keeps_its_bytes_when_the_first_tracked_one_begins)
{
	rvm_tid_t other;

	rvm_init_tid(&other);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&other, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&other, self->at, 8));
	memset(self->at, 'e', 8);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_tracked(&self->tid, &self->region));
	memset(self->at + 8, 't', 8);
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_tracked(&self->tid, &self->region));
	memset(self->at + 8, 'u', 8);
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid));
	EXPECT_TRUE(holds(self->at, 8, 'e'));
	EXPECT_TRUE(holds(self->at + 8, 8, 't'));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&other));
	EXPECT_TRUE(holds(self->at, 8, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_holds(self->place.seg, 0, 8, 0));
	EXPECT_TRUE(file_holds(self->place.seg, 8, 8, 't'));
}

TEST_F(txs, a_region_is_not_unmapped_under_an_open_one_before_or_after_tracking)
{
	int round;

	for (round = 0; round < 2; round++) {
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
		ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&self->tid, self->at, 8));
		EXPECT_REFUSED(RVM_EUNCOMMIT, "not ended", rvm_unmap(&self->region));
		memset(self->at, 'o' + round, 8);
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, no_flush));
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_tracked(&self->tid, &self->region));
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, no_flush));
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
}

/* An address that nobody else takes once it is free, not even a sanitizer. */
#define LONELY	((char *)0x7e9000000000UL)

TEST_F(txs, another_region_at_the_same_address_is_another_region)
{
	rvm_options_t options;
	rvm_region_t other;
	char path[128];

	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	rvm_init_options(&options);
	options.flags |= variant->flag;
	self->region.vmaddr = LONELY;
	ASSERT_RVM(RVM_SUCCESS, rvm_map(&self->region, &options));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&self->tid, LONELY, "one", 3));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));

	snprintf(path, sizeof(path), "%s/other", self->place.dir);
	options.flags |= RVM_CREATE_SEGMENT;
	rvm_init_region(&other);
	other.data_dev = path;
	other.dev_length = RVM_MK_OFFSET(0, SEG_BYTES);
	other.vmaddr = LONELY;
	ASSERT_RVM(RVM_SUCCESS, rvm_map(&other, &options));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&self->tid, LONELY, "two", 3));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&other));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_EQ('o', file_byte(self->place.seg, 0));
	EXPECT_EQ('t', file_byte(path, 0));
}

TEST_F(txs, regions_come_and_go_beside_transactions_on_another)
{
	struct worker w[THREADS] = { 0 };
	rvm_region_t other;
	char path[128];
	int i;

	snprintf(path, sizeof(path), "%s/other", self->place.dir);
	ASSERT_TRUE(file_make(path, SEG_BYTES, 0));
	ASSERT_TRUE(start_workers(w, self->at));
	for (i = 0; i < 30; i++) {
		ASSERT_RVM(RVM_SUCCESS, map_part(&other, path, 0, 0, variant->flag));
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, restore));
		ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&self->tid, other.vmaddr, 1));
		EXPECT_RVM(RVM_EUNCOMMIT, rvm_unmap(&other));
		put(other.vmaddr, i);
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, no_flush));
		ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&other));
		wait_for_rounds(w, 1);
	}
	ASSERT_TRUE(stop_workers(w));
	EXPECT_TRUE(is_right(w, self->at));
	ASSERT_RVM(RVM_SUCCESS, map_part(&other, path, 0, 0, variant->flag));
	EXPECT_EQ(29, *other.vmaddr);
}

static void *make_one(void *arg)
{
	struct worker w = { .at = arg };

	work_once(&w);
	return w.failed ? arg : NULL;
}

static size_t all_txs(void)
{
	size_t n = 0;

	for (struct tx *tx = rvm.txs.all; tx; tx = tx->next_of_all)
		n++;
	return n;
}

TEST_F(txs, threads_that_end_leave_their_transactions_to_others)
{
	pthread_t thread;
	void *failed;
	int i;

	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, make_one, self->at));
		ASSERT_EQ(0, pthread_join(thread, &failed));
		ASSERT_EQ(NULL, failed);
	}
	EXPECT_EQ(1, all_txs());
}

static void end_it(void *tid)
{
	need(!rvm_end_transaction(tid, no_flush));
}

TEST_F(txs, what_one_thread_began_another_may_end_and_no_number_is_given_twice)
{
	rvm_tid_t tid[4 * 64];
	struct hand hand;
	size_t i, j;

	ASSERT_TRUE(hand_start(&hand));
	for (i = 0; i < 4 * 64; i++) {
		rvm_init_tid(&tid[i]);
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid[i], restore));
		for (j = 0; j < i; j++)
			ASSERT_NE(tid[j].uname.tv_sec, tid[i].uname.tv_sec);
	}
	for (i = 0; i < 4 * 64; i++)
		ASSERT_TRUE(hand_do(&hand, end_it, &tid[i]));
	hand_stop(&hand);
	EXPECT_EQ(4 * 64, all_txs());
	for (i = 0; i < 4 * 64; i++)
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid[i], restore));
	EXPECT_EQ(4 * 64, all_txs());
	for (i = 0; i < 4 * 64; i++)
		ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tid[i]));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
