/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations, maps and threads that fail, for one program: it is linked with --wrap for each
 * of the calls.
 */
#ifndef SELFTESTS_LIB_NOMEMORY_H
#define SELFTESTS_LIB_NOMEMORY_H

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The calls for memory come here, to be counted and to fail. */
static atomic_uint allocations;
static unsigned int no_memory_at;	/* the call that fails; 0: none */
static bool no_memory_on;		/* so do all after it */
static bool memory_moves;		/* what grows never stays where it is */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__real_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *arg),
			  void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
void *__wrap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *arg),
			  void *arg);

static inline bool no_memory(void)
{
	unsigned int call = ++allocations;

	return no_memory_at && (call == no_memory_at || (no_memory_on && call > no_memory_at));
}

void *__wrap_malloc(size_t size)
{
	return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory() ? NULL : __real_calloc(n, size);
}

/* Whoever still uses the old place finds nothing there. */
static inline void *move_memory(void *old, size_t size)
{
	size_t had = old ? malloc_usable_size(old) : 0;
	void *new = __real_malloc(size);

	if (!new)
		return NULL;
	memcpy(new, old, had < size ? had : size);
	memset(old, 0xdd, had);
	free(old);
	return new;
}

void *__wrap_realloc(void *old, size_t size)
{
	if (no_memory())
		return NULL;
	return memory_moves && old ? move_memory(old, size) : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return no_memory() ? NULL : __real_aligned_alloc(align, size);
}

char *__wrap_strdup(const char *text)
{
	return no_memory() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return no_memory() ? NULL : __real_strndup(text, size);
}

void *__wrap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (!no_memory())
		return __real_mmap(addr, length, prot, flags, fd, offset);
	errno = ENOMEM;
	return MAP_FAILED;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *arg),
			  void *arg)
{
	return no_memory() ? EAGAIN : __real_pthread_create(thread, attr, fn, arg);
}

/* From now on the allocation of that number fails, and maybe all after it. */
static inline void fail_memory(unsigned int at, bool on)
{
	allocations = 0;
	no_memory_at = at;
	no_memory_on = on;
}

/*
 * Each allocation of @fn fails in turn, until none does; it must tell so, with -ENOMEM.  How many
 * failed, or another error of @fn.
 */
static inline int fail_each_allocation(int (*fn)(void *arg), void *arg)
{
	int at, err;

	for (at = 0;; at++) {
		fail_memory(at + 1, false);
		err = fn(arg);
		fail_memory(0, false);
		if (err != -ENOMEM)
			return err ? err : at;
	}
}

#endif
