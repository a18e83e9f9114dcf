/* SPDX-License-Identifier: GPL-2.0 */
/* A fixture that is a loaded heap with each tracker and each kind of transaction in turn. */
#ifndef SELFTESTS_LIB_HEAP_EACH_H
#define SELFTESTS_LIB_HEAP_EACH_H

#include "heap.h"

#include "rds_format.h"

FIXTURE(heap) {
	struct place place;
	char *area;
	rvm_tid_t tid;
	rvm_mode_t mode;
};

FIXTURE_VARIANT(heap)
{
	unsigned long flag;
	rvm_mode_t mode;
};

FIXTURE_VARIANT_ADD(heap, kmod) { .flag = RVM_TRACK_KMOD, .mode = restore };
FIXTURE_VARIANT_ADD(heap, kmod_tracked) { .flag = RVM_TRACK_KMOD, .mode = rvm_tracked };
FIXTURE_VARIANT_ADD(heap, uffd) { .flag = RVM_TRACK_UFFD, .mode = restore };
FIXTURE_VARIANT_ADD(heap, uffd_tracked) { .flag = RVM_TRACK_UFFD, .mode = rvm_tracked };
FIXTURE_VARIANT_ADD(heap, sigsegv) { .flag = RVM_TRACK_SIGSEGV, .mode = restore };
FIXTURE_VARIANT_ADD(heap, sigsegv_tracked) { .flag = RVM_TRACK_SIGSEGV, .mode = rvm_tracked };
FIXTURE_VARIANT_ADD(heap, none) { .flag = RVM_TRACK_NONE, .mode = restore };

FIXTURE_SETUP(heap)
{
	int err = 1;

	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, heap_init(&self->place, variant->flag, 0));
	ASSERT_RVM(SUCCESS, heap_zap(&self->place, &err));
	ASSERT_EQ(SUCCESS, err);
	ASSERT_RVM(SUCCESS, heap_load(&self->place, &self->area));
	rvm_init_tid(&self->tid);
	self->mode = variant->mode;
}

FIXTURE_TEARDOWN(heap)
{
	if (self->tid.tid)
		rvm_abort_transaction(&self->tid);
	rds_unload_heap(NULL);
	rvm_terminate();
	place_remove(&self->place);
}

#define BEGIN()	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, self->mode))
#define END()	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush))
#define ABORT()	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid))

/* As rds_malloc, and both ways of telling must agree. */
static inline char *get(unsigned long size, rvm_tid_t *tid)
{
	int err = 1;
	char *block = rds_malloc(size, tid, &err);

	need(!block == !!err);
	return block;
}

static inline int put_back(char *block, rvm_tid_t *tid)
{
	int err = 1;
	int ret = rds_free(block, tid, &err);

	need(ret == err);
	return ret;
}

#endif
