// SPDX-License-Identifier: GPL-2.0
/* The parts of the trackers: sets of pages and the thread table. */
#include "test_track.h"

#include <linux/rvm_track.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "pageset.h"
#include "thread.h"

FIXTURE(pages)
{
	struct pageset set;
};

FIXTURE_VARIANT(pages)
{
	uint64_t pages;
	uint64_t spread;
};

FIXTURE_VARIANT_ADD(pages, one)
{
	.pages = 1,
	.spread = 1,
};

FIXTURE_VARIANT_ADD(pages, word)
{
	.pages = 64,
	.spread = 1,
};

FIXTURE_VARIANT_ADD(pages, word_and_one)
{
	.pages = 65,
	.spread = 1,
};

FIXTURE_VARIANT_ADD(pages, three_levels)
{
	.pages = 5000,
	.spread = 1,
};

FIXTURE_VARIANT_ADD(pages, tebibyte)
{
	.pages = 1ULL << 28,
	.spread = (1ULL << 28) / 4096,
};

FIXTURE_SETUP(pages)
{
	ASSERT_EQ(0, pageset_init(&self->set, variant->pages));
}

FIXTURE_TEARDOWN(pages)
{
	pageset_destroy(&self->set);
}

#define ORACLE	5000

/* What the set must say of every place from and up to which it can be asked. */
static int compare(const struct pageset *set, const bool *in, uint64_t n, uint64_t spread)
{
	uint64_t i, j, count = 0, wrong = 0;

	for (i = 0; i < n; i++) {
		wrong += pageset_has(set, i * spread) != in[i];
		count += in[i];
		for (j = i; j < n && !in[j]; j++)
			;
		wrong += pageset_next(set, i * spread) != (j < n ? j * spread : PAGESET_NONE);
		for (j = i; j && !in[j]; j--)
			;
		wrong += pageset_prev(set, i * spread) != (in[j] ? j * spread : PAGESET_NONE);
	}
	wrong += set->count != count;
	wrong += pageset_next(set, set->pages) != PAGESET_NONE;
	return wrong;
}

TEST_F(pages, the_set_is_what_was_put_in_and_not_taken_out)
{
	uint64_t n = variant->pages / variant->spread, state = 12, i;
	bool in[ORACLE] = {};
	int round;

	ASSERT_GE(ORACLE, n);
	for (round = 0; round < 60; round++) {
		/* Fuller, then emptier, so that words fill and run out. */
		for (i = 0; i < n / 8 + 1; i++) {
			uint64_t page = next_random(&state) % n;

			if (next_random(&state) % 60 >= round) {
				EXPECT_EQ(!in[page], pageset_add(&self->set,
								 page * variant->spread));
				in[page] = true;
			} else {
				EXPECT_EQ(in[page], pageset_del(&self->set,
								page * variant->spread));
				in[page] = false;
			}
		}
		if (round % 10 == 9)
			ASSERT_EQ(0, compare(&self->set, in, n, variant->spread));
	}
	pageset_clear(&self->set);
	memset(in, 0, sizeof(in));
	EXPECT_EQ(0, compare(&self->set, in, n, variant->spread));
}

TEST_F(pages, a_full_set_is_cleared_at_once)
{
	uint64_t n = variant->pages / variant->spread, i;
	bool in[ORACLE] = {};

	for (i = 0; i < n; i++)
		EXPECT_TRUE(pageset_add(&self->set, i * variant->spread));
	EXPECT_EQ(n, self->set.count);
	pageset_clear(&self->set);
	EXPECT_EQ(0, compare(&self->set, in, n, variant->spread));
	in[n - 1] = true;
	EXPECT_TRUE(pageset_add(&self->set, (n - 1) * variant->spread));
	EXPECT_EQ(0, compare(&self->set, in, n, variant->spread));
}

FIXTURE(threads)
{
	struct thread_table table;
	uint64_t *entry;
};

FIXTURE_SETUP(threads)
{
	self->entry = calloc(RVM_TRACK_THREADS, sizeof(*self->entry));
	ASSERT_EQ(0, thread_table_open(&self->table, self->entry));
}

FIXTURE_TEARDOWN(threads)
{
	thread_table_close(&self->table);
	free(self->entry);
}

/* The entry as the module would find it, 0 if it would not. */
static uint64_t entry_of(const uint64_t *entry, uint32_t thread)
{
	uint32_t i, at = rvm_track_thread_hash(thread);

	for (i = 0; i < RVM_TRACK_PROBES; i++, at++)
		if (RVM_TRACK_THREAD_ID(entry[at % RVM_TRACK_THREADS]) == thread)
			return entry[at % RVM_TRACK_THREADS];
	return 0;
}

static unsigned int used(const uint64_t *entry)
{
	unsigned int i, n = 0;

	for (i = 0; i < RVM_TRACK_THREADS; i++)
		n += !!entry[i];
	return n;
}

TEST_F(threads, the_table_says_what_the_module_is_to_read)
{
	uint32_t me = syscall(SYS_gettid);

	EXPECT_EQ(me, thread_id());
	EXPECT_EQ(0, entry_of(self->entry, me));
	EXPECT_EQ(RVM_TRACK_KIND_NONE, thread_kind(&self->table, me));
	ASSERT_EQ(0, thread_begin(&self->table, 77));
	EXPECT_EQ(RVM_TRACK_THREAD(me, 77, RVM_TRACK_KIND_TRACKED), entry_of(self->entry, me));
	EXPECT_EQ(RVM_TRACK_KIND_TRACKED, thread_kind(&self->table, me));
	thread_end(&self->table);
	EXPECT_EQ(RVM_TRACK_THREAD(me, 0, RVM_TRACK_KIND_NONE), entry_of(self->entry, me));
	ASSERT_EQ(0, thread_begin(&self->table, RVM_TRACK_TID_MAX));
	EXPECT_EQ(RVM_TRACK_THREAD(me, RVM_TRACK_TID_MAX, RVM_TRACK_KIND_TRACKED),
		  entry_of(self->entry, me));
	thread_end(&self->table);
	EXPECT_EQ(RVM_TRACK_KIND_NONE, thread_kind(&self->table, me));
	EXPECT_EQ(1, used(self->entry));
}

/* In seccomp's strict mode any system call but these few is death. */
static void begin_without_system_calls(struct thread_table *table)
{
	int i;

	must(!thread_begin(table, 1));
	thread_end(table);
	must(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	for (i = 0; i < 1000; i++) {
		thread_begin(table, 1);
		thread_end(table);
	}
	syscall(SYS_exit, 0);
}

TEST_F(threads, a_begin_after_the_first_takes_no_system_call)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		struct thread_table table;

		must(!thread_table_open(&table, NULL));
		begin_without_system_calls(&table);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

static void *begin_and_exit(void *arg)
{
	int err = thread_begin(arg, 1);

	thread_end(arg);
	return (void *)(intptr_t)err;
}

TEST_F(threads, an_exiting_thread_leaves_all_tables)
{
	struct thread_table second;
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, thread_table_open(&second, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, begin_and_exit, &self->table));
	pthread_join(thread, &ret);
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(0, used(self->entry));
	ASSERT_EQ(0, pthread_create(&thread, NULL, begin_and_exit, &second));
	pthread_join(thread, &ret);
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(0, used(second.entry));
	thread_table_close(&second);
}

TEST_F(threads, a_stale_entry_with_the_own_id_is_used_again)
{
	uint32_t me = syscall(SYS_gettid), at = rvm_track_thread_hash(me);

	self->entry[(at + 5) % RVM_TRACK_THREADS] = RVM_TRACK_THREAD(me, 0, RVM_TRACK_KIND_NONE);
	ASSERT_EQ(0, thread_begin(&self->table, 9));
	EXPECT_EQ(1, used(self->entry));
	EXPECT_EQ(RVM_TRACK_THREAD(me, 9, RVM_TRACK_KIND_TRACKED), entry_of(self->entry, me));
	thread_end(&self->table);
}

/* All places where the calling thread could be hold the entry of @thread. */
static void fill(uint64_t *entry, uint32_t thread)
{
	uint32_t i, at = rvm_track_thread_hash(syscall(SYS_gettid));

	for (i = 0; i < RVM_TRACK_PROBES; i++, at++)
		entry[at % RVM_TRACK_THREADS] =
			RVM_TRACK_THREAD(thread, 0, RVM_TRACK_KIND_NONE);
}

static void *sleep_until_told(void *arg)
{
	int *told = arg;

	told[1] = syscall(SYS_gettid);
	__atomic_store_n(&told[0], 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&told[0], __ATOMIC_ACQUIRE) == 1)
		usleep(1000);
	return NULL;
}

TEST_F(threads, a_full_table_is_an_error_and_the_dead_make_room)
{
	int told[2] = {};
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, sleep_until_told, told));
	while (!__atomic_load_n(&told[0], __ATOMIC_ACQUIRE))
		usleep(1000);
	fill(self->entry, told[1]);
	EXPECT_EQ(-EAGAIN, thread_begin(&self->table, 1));
	EXPECT_NE(NULL, strstr(err_text(), "thread table is full"));
	__atomic_store_n(&told[0], 2, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	/* The kernel takes a moment longer to be done with it. */
	while (!syscall(SYS_tgkill, getpid(), told[1], 0))
		usleep(1000);
	/* It never used the table, so its entries are still there; but it is dead. */
	EXPECT_EQ(RVM_TRACK_PROBES, used(self->entry));
	EXPECT_EQ(0, thread_begin(&self->table, 2));
	EXPECT_EQ(RVM_TRACK_KIND_TRACKED, thread_kind(&self->table, thread_id()));
	thread_end(&self->table);
}

TEST_F(threads, a_child_knows_its_own_id)
{
	uint32_t me = thread_id();
	int status;
	pid_t pid;

	ASSERT_EQ(0, thread_begin(&self->table, 3));
	pid = fork();
	if (pid == 0) {
		struct thread_table own;

		must(thread_id() == (uint32_t)getpid());
		must(thread_id() != me);
		must(!thread_table_open(&own, NULL));
		must(!thread_begin(&own, 5));
		must(entry_of(own.entry, getpid()) ==
		     RVM_TRACK_THREAD(getpid(), 5, RVM_TRACK_KIND_TRACKED));
		thread_end(&own);
		thread_table_close(&own);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	EXPECT_EQ(RVM_TRACK_KIND_TRACKED, thread_kind(&self->table, me));
	thread_end(&self->table);
}

#define TABLES	100	/* more than the cache holds */

/* In every third table somebody else has the calling thread's first place. */
static void take_first_places(struct thread_table *table, uint32_t thread)
{
	int i;

	for (i = 0; i < TABLES; i += 3)
		table[i].entry[rvm_track_thread_hash(thread_id())] = thread;
}

static void *use_many_tables(void *arg)
{
	struct thread_table *table = arg;
	intptr_t wrong = 0;
	int round, i;

	take_first_places(table, getpid());
	for (round = 0; round < 20; round++) {
		for (i = 0; i < TABLES; i++)
			wrong += !!thread_begin(&table[i], 1);
		for (i = 0; i < TABLES; i++)
			wrong += thread_kind(&table[i], thread_id()) != RVM_TRACK_KIND_TRACKED;
		for (i = 0; i < TABLES; i++)
			thread_end(&table[i]);
		for (i = 0; i < TABLES; i++)
			wrong += thread_kind(&table[i], thread_id()) != RVM_TRACK_KIND_NONE;
	}
	for (i = 0; i < TABLES; i += 3)
		wrong += table[i].entry[rvm_track_thread_hash(thread_id())] != getpid();
	take_first_places(table, 0);
	return (void *)wrong;
}

/* A table has one tracked transaction at a time, so each thread has tables of its own. */
TEST_F(threads, many_threads_use_many_tables)
{
	static struct thread_table table[8 * TABLES];
	pthread_t thread[8];
	void *wrong;
	int i, j;

	for (i = 0; i < 8 * TABLES; i++)
		ASSERT_EQ(0, thread_table_open(&table[i], NULL));
	for (j = 0; j < 3; j++) {
		for (i = 0; i < 8; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, use_many_tables,
						    table + i * TABLES));
		for (i = 0; i < 8; i++) {
			pthread_join(thread[i], &wrong);
			EXPECT_EQ(NULL, wrong);
		}
	}
	for (i = 0; i < 8 * TABLES; i++) {
		EXPECT_EQ(0, used(table[i].entry));
		thread_table_close(&table[i]);
	}
}

TEST_HARNESS_MAIN
