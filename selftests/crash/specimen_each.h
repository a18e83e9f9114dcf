/* SPDX-License-Identifier: GPL-2.0 */
/* A fixture that is a specimen, once as a crash leaves it and once closed. */
#ifndef SELFTESTS_CRASH_SPECIMEN_EACH_H
#define SELFTESTS_CRASH_SPECIMEN_EACH_H

#include "kselftest_harness.h"

#include "specimen.h"

FIXTURE(specimen)
{
	struct specimen specimen;
};

FIXTURE_VARIANT(specimen)
{
	bool closed;
};

FIXTURE_VARIANT_ADD(specimen, open) { .closed = false };
FIXTURE_VARIANT_ADD(specimen, closed) { .closed = true };

FIXTURE_SETUP(specimen)
{
	ASSERT_EQ(0, specimen_make(&self->specimen, variant->closed));
}

FIXTURE_TEARDOWN(specimen)
{
}

#endif
