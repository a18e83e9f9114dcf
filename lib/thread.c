// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which thread is in which transaction: the thread table of a region. */
#include <errno.h>
#include <linux/rvm_track.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "thread.h"

#define CACHE_SIZE	64

struct cached {
	uint64_t serial;
	uint32_t index;
};

/* Serials are never reused, so a line of the cache is right or does not match. */
static __thread struct cached cache[CACHE_SIZE];
static __thread uint32_t cached_id;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;

/* Guards the list of live tables and the last serial given out. */
static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread_table *tables;
static uint64_t last_serial;

static uint64_t load(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_SEQ_CST);
}

static bool swap(uint64_t *entry, uint64_t old, uint64_t new)
{
	return __atomic_compare_exchange_n(entry, &old, new, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static uint32_t place(uint32_t thread, uint32_t probe)
{
	return (rvm_track_thread_hash(thread) + probe) % RVM_TRACK_THREADS;
}

/* The place of @thread, or RVM_TRACK_THREADS if it has none. */
static uint32_t find(const struct thread_table *table, uint32_t thread)
{
	uint32_t i, index;

	for (i = 0; i < RVM_TRACK_PROBES; i++) {
		index = place(thread, i);
		if (RVM_TRACK_THREAD_ID(load(&table->entry[index])) == thread)
			return index;
	}
	return RVM_TRACK_THREADS;
}

/* The thread of an entry is gone, and could not free it: it did not exit by pthreads. */
static bool is_dead(uint64_t entry)
{
	return syscall(SYS_tgkill, getpid(), RVM_TRACK_THREAD_ID(entry), 0) && errno == ESRCH;
}

static uint32_t claim(struct thread_table *table, uint32_t thread, bool dead)
{
	uint64_t entry, mine = RVM_TRACK_THREAD(thread, 0, RVM_TRACK_KIND_NONE);
	uint32_t i, index;

	for (i = 0; i < RVM_TRACK_PROBES; i++) {
		index = place(thread, i);
		entry = load(&table->entry[index]);
		if (entry && !(dead && is_dead(entry)))
			continue;
		if (swap(&table->entry[index], entry, mine))
			return index;
	}
	return RVM_TRACK_THREADS;
}

static void leave_table(struct thread_table *table, uint32_t thread)
{
	uint32_t index = find(table, thread);

	if (index < RVM_TRACK_THREADS)
		__atomic_store_n(&table->entry[index], 0, __ATOMIC_SEQ_CST);
}

static void exit_thread(void *id)
{
	struct thread_table *table;

	memset(cache, 0, sizeof(cache));	/* a later destructor may come back */
	pthread_mutex_lock(&tables_lock);
	for (table = tables; table; table = table->next)
		leave_table(table, (uintptr_t)id);
	pthread_mutex_unlock(&tables_lock);
}

static void lock_tables(void)
{
	pthread_mutex_lock(&tables_lock);
}

static void unlock_tables(void)
{
	pthread_mutex_unlock(&tables_lock);
}

/* A child has another id, none of the parent's regions, and so none of its tables. */
static void begin_child(void)
{
	tables = NULL;
	cached_id = 0;
	pthread_setspecific(exit_key, NULL);
	pthread_mutex_unlock(&tables_lock);
}

static void init_once(void)
{
	pthread_key_create(&exit_key, exit_thread);
	pthread_atfork(lock_tables, unlock_tables, begin_child);
}

uint32_t thread_id(void)
{
	if (!cached_id) {
		pthread_once(&once, init_once);
		cached_id = syscall(SYS_gettid);
	}
	return cached_id;
}

/* The place of the calling thread; it gets one if it has none. */
static uint32_t own_place(struct thread_table *table)
{
	struct cached *line = &cache[table->serial % CACHE_SIZE];
	uint32_t thread, index;

	if (line->serial == table->serial)
		return line->index;
	thread = thread_id();
	if (!pthread_getspecific(exit_key))
		pthread_setspecific(exit_key, (void *)(uintptr_t)thread);
	index = find(table, thread);
	if (index == RVM_TRACK_THREADS)
		index = claim(table, thread, false);
	if (index == RVM_TRACK_THREADS)
		index = claim(table, thread, true);
	if (index < RVM_TRACK_THREADS)
		*line = (struct cached){ .serial = table->serial, .index = index };
	return index;
}

static int no_place(void)
{
	return err_set(EAGAIN, "the region's thread table is full: it holds at most %u threads",
		       RVM_TRACK_THREADS);
}

int thread_table_open(struct thread_table *table, uint64_t *entry)
{
	pthread_once(&once, init_once);
	table->memory = entry ? NULL : calloc(RVM_TRACK_THREADS, sizeof(*entry));
	table->entry = entry ? entry : table->memory;
	if (!table->entry)
		return err_set(ENOMEM, "no memory for a thread table");
	table->tracked = 0;
	table->prev = NULL;
	lock_tables();
	table->serial = ++last_serial;
	table->next = tables;
	if (tables)
		tables->prev = table;
	tables = table;
	unlock_tables();
	return 0;
}

void thread_table_close(struct thread_table *table)
{
	lock_tables();
	if (table->prev)
		table->prev->next = table->next;
	else if (tables == table)
		tables = table->next;
	if (table->next)
		table->next->prev = table->prev;
	unlock_tables();
	free(table->memory);
}

int thread_begin(struct thread_table *table, uint32_t tid)
{
	uint32_t index = own_place(table);

	if (index == RVM_TRACK_THREADS)
		return no_place();
	table->index = index;
	table->tracked = RVM_TRACK_THREAD(thread_id(), tid, RVM_TRACK_KIND_TRACKED);
	__atomic_store_n(&table->entry[index], table->tracked, __ATOMIC_SEQ_CST);
	return 0;
}

int thread_put(struct thread_table *table, uint32_t tid, unsigned int kind)
{
	uint32_t index = own_place(table);

	if (index == RVM_TRACK_THREADS)
		return no_place();
	__atomic_store_n(&table->entry[index], RVM_TRACK_THREAD(thread_id(), tid, kind),
			 __ATOMIC_SEQ_CST);
	return 0;
}

/* The thread that began may be gone, and its place another's. */
void thread_end(struct thread_table *table)
{
	uint32_t thread = RVM_TRACK_THREAD_ID(table->tracked);

	if (!table->tracked)
		return;
	swap(&table->entry[table->index], table->tracked,
	     RVM_TRACK_THREAD(thread, 0, RVM_TRACK_KIND_NONE));
	table->tracked = 0;
}

unsigned int thread_kind(const struct thread_table *table, uint32_t thread)
{
	uint32_t index = find(table, thread);

	if (index == RVM_TRACK_THREADS)
		return RVM_TRACK_KIND_NONE;
	return RVM_TRACK_THREAD_KIND(load(&table->entry[index]));
}
