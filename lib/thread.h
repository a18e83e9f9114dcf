/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which thread is in which transaction: the thread table of a region.
 *
 * The table's format is that of struct rvm_track_ctl, whose module reads it in
 * the fault handler; tracker sigsegv reads its own in the signal handler.
 * A thread claims an entry at its first transaction and keeps it until it
 * exits; after that a begin is a look into a thread-local cache and one store.
 */
#ifndef RVM_LIB_THREAD_H
#define RVM_LIB_THREAD_H

#include <stdint.h>

/**
 * struct thread_table - the thread table of one region
 * @entry: RVM_TRACK_THREADS entries as RVM_TRACK_THREAD() makes them
 * @memory: what is to be freed, or NULL
 * @serial: never used for another table
 * @tracked: the entry of the tracked transaction that runs, as it was stored
 * @index: its place
 * @prev: its neighbours in the list of live tables
 * @next: likewise
 */
struct thread_table {
	uint64_t *entry;
	void *memory;
	uint64_t serial;
	uint64_t tracked;
	uint32_t index;
	struct thread_table *prev;
	struct thread_table *next;
};

/**
 * thread_id() - the id of the calling thread, as gettid(2) returns it
 *
 * It costs a system call only once a thread, and is right in a forked child.
 *
 * Return: the id.
 */
uint32_t thread_id(void);

/**
 * thread_table_open() - make a table known, so that exiting threads leave it
 * @table: to fill
 * @entry: memory for the entries, all 0; NULL: the table allocates it
 *
 * Return: 0 or -ENOMEM, with a text.
 */
int thread_table_open(struct thread_table *table, uint64_t *entry);

/**
 * thread_table_close() - forget a table; @entry may be unmapped afterwards
 * @table: an open table
 */
void thread_table_close(struct thread_table *table);

/**
 * thread_begin() - the calling thread begins the tracked transaction @tid
 * @table: the region's
 * @tid: the transaction
 *
 * Return: 0; -EAGAIN all places where this thread could be are taken.
 */
int thread_begin(struct thread_table *table, uint32_t tid);

/**
 * thread_end() - the tracked transaction ends, whichever thread says so
 * @table: the region's
 */
void thread_end(struct thread_table *table);

/**
 * thread_put() - what the calling thread is in, where several transactions share a region
 * @table: the region's
 * @tid: the transaction
 * @kind: enum rvm_track_kind
 *
 * A sequentially consistent store, as with the others.
 *
 * Return: 0; -EAGAIN all places where this thread could be are taken.
 */
int thread_put(struct thread_table *table, uint32_t tid, unsigned int kind);

/**
 * thread_kind() - what kind of transaction is a thread in?
 * @table: the region's
 * @thread: the thread's id
 *
 * May be called in a signal handler.
 *
 * Return: enum rvm_track_kind.
 */
unsigned int thread_kind(const struct thread_table *table, uint32_t thread);

#endif
