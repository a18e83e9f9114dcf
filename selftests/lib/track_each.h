/* SPDX-License-Identifier: GPL-2.0 */
/* A fixture that is each tracker in turn, with a region and its model. */
#ifndef SELFTESTS_LIB_TRACK_EACH_H
#define SELFTESTS_LIB_TRACK_EACH_H

#include "test_track.h"

#define REGION_PAGES	512

FIXTURE(track)
{
	struct model model;
};

FIXTURE_VARIANT(track)
{
	const char *name;
	bool syscalls;
	bool settled;
};

FIXTURE_VARIANT_ADD(track, kmod)
{
	.name = "kmod",
	.syscalls = true,
};

FIXTURE_VARIANT_ADD(track, uffd)
{
	.name = "uffd",
	.syscalls = true,
};

FIXTURE_VARIANT_ADD(track, uffd_settled)
{
	.name = "uffd",
	.syscalls = true,
	.settled = true,
};

FIXTURE_VARIANT_ADD(track, sigsegv)
{
	.name = "sigsegv",
};

FIXTURE_SETUP(track)
{
	ASSERT_EQ(0, model_open(&self->model, variant->name, REGION_PAGES, false)) {
		TH_LOG("%s", err_text());
	}
	if (variant->settled)
		ASSERT_EQ(0, self->model.ops->settle(self->model.tracker));
}

FIXTURE_TEARDOWN(track)
{
	model_close(&self->model);
}

#endif
