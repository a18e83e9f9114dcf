/* SPDX-License-Identifier: GPL-2.0 */
/* A fixture that is a log that is open, and a segment that is not mapped yet. */
#ifndef SELFTESTS_LIB_UNMAPPED_H
#define SELFTESTS_LIB_UNMAPPED_H

#include "api.h"

FIXTURE(unmapped) {
	struct place place;
	rvm_region_t region;
};

FIXTURE_SETUP(unmapped)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
}

FIXTURE_TEARDOWN(unmapped)
{
	rvm_terminate();
	place_remove(&self->place);
}

#endif
