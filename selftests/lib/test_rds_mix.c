// SPDX-License-Identifier: GPL-2.0
/*
 * The recoverable heap under many transactions at once, threads and kills, judged by what the
 * program knows of its blocks.
 *
 * The static area is a table of slots. A worker owns every n-th of them; in a transaction it
 * frees blocks of its slots and allocates others, and then commits or aborts. What must hold:
 * exactly the blocks in the table are allocated, no two share a byte, each holds what was put
 * there, and after a kill each slot is between the last acknowledged state and the last tried.
 */
#include "heap.h"

#include "os.h"

#define SLOTS	256
#define OPS	4	/* in one transaction, at most */
#define SIZE	9000	/* of a block, at most */

/* How often to do it: here, or where all is slow: in the VM, or under a sanitizer. */
static int often(int here, int slow)
{
	return getenv("RVM_VM") || getenv("RVM_QUICK") ? slow : here;
}

/* A slot of the table in recoverable memory. */
struct slot {
	unsigned char *block;
	uint64_t size;
	uint64_t seq;
};

/* What survives a killed child: the states that were tried and acknowledged. */
struct tally {
	uint64_t tried[SLOTS];
	uint64_t acked[SLOTS];
	uint32_t commits;
	uint32_t aborts;
	uint32_t full;
};

/* A worker: one transaction after the other on slots of its own. */
struct worker {
	struct slot *table;
	struct tally *tally;
	unsigned int first;
	unsigned int step;
	unsigned int seed;
	rvm_mode_t mode;
	bool always_flush;
	rvm_tid_t tid;
	int ops;
	unsigned int changed[OPS];
	int rounds;
};

static unsigned int rnd(struct worker *w, unsigned int below)
{
	return rand_r(&w->seed) % below;
}

static unsigned char pattern(unsigned int slot, uint64_t seq)
{
	return 1 + (slot * 31 + seq * 7) % 255;
}

static void check_slot(struct slot *slot, unsigned int i)
{
	need(holds(slot->block, slot->size, pattern(i, slot->seq)));
}

static void set_slot(struct worker *w, unsigned int i, void *block, uint64_t size)
{
	struct slot new = { .block = block, .size = size, .seq = w->table[i].seq + 1 };

	need(!rvm_modify_bytes(&w->tid, &w->table[i], &new, sizeof(new)));
	if (block) {
		need(!rvm_set_range(&w->tid, block, size));
		memset(block, pattern(i, new.seq), size);
	}
}

static void empty(struct worker *w, unsigned int i)
{
	int err = 1;

	check_slot(&w->table[i], i);
	need(!rds_free((char *)w->table[i].block, &w->tid, &err) && !err);
	set_slot(w, i, NULL, 0);
}

static bool fill(struct worker *w, unsigned int i)
{
	unsigned int size = rnd(w, 4) ? rnd(w, 200) : rnd(w, SIZE);
	int err = 1;
	char *block = rds_malloc(size, &w->tid, &err);

	if (!block) {
		need(err == ENO_ROOM);
		__atomic_fetch_add(&w->tally->full, 1, __ATOMIC_RELAXED);
		return false;
	}
	set_slot(w, i, block, size);
	return true;
}

static void begin(struct worker *w)
{
	rvm_init_tid(&w->tid);
	need(!rvm_begin_transaction(&w->tid, w->mode));
	w->ops = 0;
}

static void operate(struct worker *w)
{
	unsigned int i = w->first + w->step * rnd(w, SLOTS / w->step);
	bool done = true;

	if (w->table[i].block)
		empty(w, i);
	else
		done = fill(w, i);
	if (done)
		w->changed[w->ops++] = i;
}

static void commit(struct worker *w)
{
	bool durable = w->always_flush || !rnd(w, 8);
	int i;

	for (i = 0; i < w->ops; i++)
		__atomic_store_n(&w->tally->tried[w->changed[i]], w->table[w->changed[i]].seq,
				 __ATOMIC_SEQ_CST);
	need(!rvm_end_transaction(&w->tid, durable ? flush : no_flush));
	for (i = 0; i < w->ops && durable; i++)
		__atomic_store_n(&w->tally->acked[w->changed[i]], w->table[w->changed[i]].seq,
				 __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&w->tally->commits, 1, __ATOMIC_RELAXED);
}

static void finish(struct worker *w)
{
	if (rnd(w, 4)) {
		commit(w);
		return;
	}
	need(!rvm_abort_transaction(&w->tid));
	__atomic_fetch_add(&w->tally->aborts, 1, __ATOMIC_RELAXED);
}

/* One step of a worker that takes turns with others. */
static void turn(struct worker *w)
{
	if (!w->tid.tid)
		begin(w);
	else if (w->ops == OPS || !rnd(w, 4))
		finish(w);
	else
		operate(w);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int n;

	for (; w->rounds; w->rounds--) {
		begin(w);
		for (n = 1 + rnd(w, OPS); n; n--)
			operate(w);
		finish(w);
	}
	return NULL;
}

#define say(fmt, ...) fprintf(stderr, "# " fmt "\n", ##__VA_ARGS__)

/* What must hold whenever no transaction is open. */
static bool judge(struct slot *table, struct tally *tally)
{
	static struct picture picture;
	unsigned long used = 0, i;

	if (!heap_picture(&picture))
		return false;
	for (i = 0; i < SLOTS; i++) {
		struct seen *seen;

		if (tally && (table[i].seq < tally->acked[i] || table[i].seq > tally->tried[i])) {
			say("slot %lu: state %lu, acknowledged %lu, tried %lu", i, table[i].seq,
			    tally->acked[i], tally->tried[i]);
			return false;
		}
		if (!table[i].block)
			continue;
		used++;
		check_slot(&table[i], i);
		seen = picture_find(&picture, (char *)table[i].block);
		if (!seen || strcmp(seen->state, "used") || seen->size < table[i].size) {
			say("slot %lu: its block at %p is not allocated", i, table[i].block);
			return false;
		}
	}
	if (used != picture.used)
		say("%lu blocks are allocated, %lu in the table", picture.used, used);
	return used == picture.used;
}

FIXTURE(mix) {
	struct place place;
	struct tally *tally;
	struct slot *table;
};

FIXTURE_VARIANT(mix)
{
	unsigned long flag;
	rvm_mode_t mode;
};

FIXTURE_VARIANT_ADD(mix, kmod) { .flag = RVM_TRACK_KMOD, .mode = restore };
FIXTURE_VARIANT_ADD(mix, kmod_tracked) { .flag = RVM_TRACK_KMOD, .mode = rvm_tracked };
FIXTURE_VARIANT_ADD(mix, uffd) { .flag = RVM_TRACK_UFFD, .mode = restore };
FIXTURE_VARIANT_ADD(mix, uffd_tracked) { .flag = RVM_TRACK_UFFD, .mode = rvm_tracked };
FIXTURE_VARIANT_ADD(mix, sigsegv_tracked) { .flag = RVM_TRACK_SIGSEGV, .mode = rvm_tracked };
FIXTURE_VARIANT_ADD(mix, none) { .flag = RVM_TRACK_NONE, .mode = restore };

FIXTURE_SETUP(mix)
{
	int err;

	ASSERT_TRUE(place_make(&self->place));
	self->tally = mmap(NULL, sizeof(*self->tally), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->tally);
	ASSERT_RVM(RVM_SUCCESS, heap_init(&self->place, variant->flag, 0));
	ASSERT_RVM(SUCCESS, heap_zap(&self->place, &err));
	ASSERT_RVM(SUCCESS, heap_load(&self->place, (char **)&self->table));
}

FIXTURE_TEARDOWN(mix)
{
	rds_unload_heap(NULL);
	rvm_terminate();
	munmap(self->tally, sizeof(*self->tally));
	place_remove(&self->place);
}

static void prepare(struct worker *w, unsigned int i, unsigned int n, struct slot *table,
		    struct tally *tally, rvm_mode_t mode)
{
	*w = (struct worker){
		.table = table,
		.tally = tally,
		.first = i,
		.step = n,
		.seed = i * 7919 + 1,
		.mode = mode,
		.rounds = often(400, 100),
	};
	rvm_init_tid(&w->tid);
}

#define TURNS	8
#define THREADS	8

TEST_F(mix, transactions_of_one_thread_take_turns)
{
	struct worker workers[TURNS];
	unsigned int seed = 1, i;
	int n;

	for (i = 0; i < TURNS; i++) {
		prepare(&workers[i], i, TURNS, self->table, self->tally, restore);
		/* Only one transaction of a thread can be tracked. */
		if (!i)
			workers[i].mode = variant->mode;
	}
	for (n = 0; n < often(20000, 5000); n++)
		turn(&workers[rand_r(&seed) % TURNS]);
	for (i = 0; i < TURNS; i++)
		if (workers[i].tid.tid)
			finish(&workers[i]);
	EXPECT_TRUE(judge(self->table, NULL));
	EXPECT_LT(often(1000, 250), self->tally->commits);
	EXPECT_LT(often(300, 75), self->tally->aborts);
	EXPECT_LT(often(10, 2), self->tally->full);

	ASSERT_RVM(SUCCESS, rds_unload_heap(NULL));
	ASSERT_RVM(SUCCESS, heap_load(&self->place, (char **)&self->table));
	EXPECT_TRUE(judge(self->table, NULL));
}

TEST_F(mix, transactions_of_many_threads)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		prepare(&workers[i], i, THREADS, self->table, self->tally, variant->mode);
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, work, &workers[i]));
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(often(400, 100) * THREADS, self->tally->commits + self->tally->aborts);
	EXPECT_TRUE(judge(self->table, NULL));
}

struct victim {
	struct place *place;
	struct tally *tally;
	unsigned long flag;
	rvm_mode_t mode;
	unsigned int seed;
};

/* Until the child has done something that can be interrupted, or has ended of itself. */
static void wait_for_commit(struct tally *tally, uint32_t before, pid_t child)
{
	siginfo_t info = { .si_pid = 0 };

	while (__atomic_load_n(&tally->commits, __ATOMIC_RELAXED) == before && !info.si_pid) {
		usleep(200);
		waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT);
	}
}

/* Works until it is killed. */
static void run_victim(struct victim *v)
{
	struct worker workers[4];
	struct slot *table;
	pthread_t thread;
	unsigned int i;

	need(!heap_init(v->place, v->flag, 0));
	need(!heap_load(v->place, (char **)&table));
	for (i = 0; i < 4; i++) {
		prepare(&workers[i], i, 4, table, v->tally, v->mode);
		workers[i].seed += v->seed;
		workers[i].rounds = -1;
		workers[i].always_flush = true;
		need(!pthread_create(&thread, NULL, work, &workers[i]));
	}
	for (;;)
		pause();
}

TEST_F(mix, a_kill_at_any_moment_leaves_a_whole_heap)
{
	struct victim victim = {
		.place = &self->place, .tally = self->tally, .flag = variant->flag,
		.mode = variant->mode,
	};
	uint32_t commits;
	int round, status;
	pid_t child;

	ASSERT_RVM(SUCCESS, rds_unload_heap(NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	for (round = 0; round < often(50, 12); round++) {
		commits = self->tally->commits;
		victim.seed = round * 104729;
		fflush(NULL);
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			run_victim(&victim);
		wait_for_commit(self->tally, commits, child);
		usleep(round * 331 % 7000);
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		ASSERT_RVM(RVM_SUCCESS, heap_init(&self->place, variant->flag, 0));
		ASSERT_RVM(SUCCESS, heap_load(&self->place, (char **)&self->table));
		ASSERT_TRUE(judge(self->table, self->tally)) {
			TH_LOG("after kill %d", round);
		}
		for (int i = 0; i < SLOTS; i++)
			self->tally->acked[i] = self->table[i].seq;
		ASSERT_RVM(SUCCESS, rds_unload_heap(NULL));
		ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	}
	TH_LOG("%u commits, %u aborts, %u times full", self->tally->commits,
	       self->tally->aborts, self->tally->full);
	ASSERT_RVM(RVM_SUCCESS, heap_init(&self->place, variant->flag, 0));
}

/*
 * Another heap than heap_zap() makes: a shorter static area, and chunks of a size that leaves
 * another number of bytes free.
 */
static int zap_other(struct place *place)
{
	int err = 1;

	rds_zap_heap(place->seg, rvm_mk_offset(0, HEAP_SEG), HEAP_ADDR, PAGE, HEAP_BYTES, 4, 48,
		     &err);
	return err;
}

/* Is the heap in the segment the other one?  -1: it is neither, parts of both. */
static int is_other(struct place *place, unsigned long flag)
{
	unsigned long chunk;
	rds_stats_t stats;
	int other;

	need(!heap_init(place, flag, 0));
	need(!heap_load(place, NULL));
	need(!rds_get_stats(&stats));
	other = RegionDefs[1].length == PAGE;
	chunk = other ? 48 : CHUNK;
	if (stats.freebytes != (HEAP_BYTES - 128) / chunk * chunk)
		other = -1;
	need(!rds_unload_heap(NULL));
	need(!rvm_terminate());
	return other;
}

static int writes_left;

/* The process dies before its n-th write. */
static ssize_t dying_write(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	if (__atomic_fetch_sub(&writes_left, 1, __ATOMIC_SEQ_CST) <= 0)
		_exit(9);
	return os_real.pwritev(fd, iov, count, offset, sync);
}

static void zap_and_die(void *arg)
{
	struct victim *v = arg;
	int n = writes_left;

	os.pwritev = dying_write;
	writes_left = 1 << 30;
	need(!heap_init(v->place, v->flag, 0));
	__atomic_store_n(&writes_left, n, __ATOMIC_SEQ_CST);
	need(!zap_other(v->place));
}

TEST_F(mix, a_crash_before_any_write_leaves_the_old_heap_or_the_new_one)
{
	struct victim victim = { .place = &self->place, .flag = variant->flag };
	int n, died = 9, other = 0, err;

	ASSERT_RVM(SUCCESS, rds_unload_heap(NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	for (n = 0; died; n++) {
		ASSERT_GT(100, n);
		writes_left = n;
		died = in_child(zap_and_die, &victim);
		ASSERT_TRUE(!died || died == 9);
		other = is_other(&self->place, variant->flag);
		ASSERT_LE(0, other) {
			TH_LOG("before write %d", n);
		}
		ASSERT_RVM(RVM_SUCCESS, heap_init(&self->place, variant->flag, 0));
		ASSERT_RVM(SUCCESS, heap_zap(&self->place, &err));
		ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	}
	EXPECT_LT(1, n);
	EXPECT_EQ(1, other);
	ASSERT_RVM(RVM_SUCCESS, heap_init(&self->place, variant->flag, 0));
}

/* Formats a heap over and over, with one chunk size or another, until it is killed. */
static void zap_for_ever(struct victim *v)
{
	int err;

	need(!heap_init(v->place, v->flag, 0));
	for (;;) {
		need(!zap_other(v->place));
		need(!heap_zap(v->place, &err));
		__atomic_fetch_add(&v->tally->commits, 1, __ATOMIC_RELAXED);
	}
}

TEST_F(mix, a_kill_while_a_heap_is_made_leaves_the_old_one_or_the_new_one)
{
	struct victim victim = {
		.place = &self->place, .tally = self->tally, .flag = variant->flag,
	};
	int round, status, other, n[2] = { 0, 0 };
	uint32_t commits;
	pid_t child;

	ASSERT_RVM(SUCCESS, rds_unload_heap(NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	for (round = 0; round < 20; round++) {
		commits = self->tally->commits;
		fflush(NULL);
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			zap_for_ever(&victim);
		wait_for_commit(self->tally, commits, child);
		usleep(round * 997 % 9000);
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		other = is_other(&self->place, variant->flag);
		ASSERT_LE(0, other);
		n[other]++;
	}
	TH_LOG("%d times one, %d times the other", n[0], n[1]);
	ASSERT_RVM(RVM_SUCCESS, heap_init(&self->place, variant->flag, 0));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
