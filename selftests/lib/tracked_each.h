/* SPDX-License-Identifier: GPL-2.0 */
/* A fixture that is a region with each tracker in turn, for tracked transactions. */
#ifndef SELFTESTS_LIB_TRACKED_EACH_H
#define SELFTESTS_LIB_TRACKED_EACH_H

#include "transact.h"

FIXTURE(tracked) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;
	char *at;
};

FIXTURE_VARIANT(tracked)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(tracked, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(tracked, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(tracked, sigsegv) { .flag = RVM_TRACK_SIGSEGV };

FIXTURE_SETUP(tracked)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	self->at = self->region.vmaddr;
	rvm_init_tid(&self->tid);
}

FIXTURE_TEARDOWN(tracked)
{
	rvm_terminate();
	place_remove(&self->place);
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

#endif
