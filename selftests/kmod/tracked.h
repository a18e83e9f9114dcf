/* SPDX-License-Identifier: GPL-2.0 */
/* A fixture that is a region, and who owns the pages that were stored to. */
#ifndef _KMOD_TRACKED_H
#define _KMOD_TRACKED_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	64
#define TID	7

FIXTURE(track) {
	struct client c;
	struct region r;
	int seg;
};

FIXTURE_SETUP(track)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, client_subscribe(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
}

FIXTURE_TEARDOWN(track)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

static inline void begin(struct region *r, uint32_t tid, unsigned int kind)
{
	if (thread_set(r, tid, kind))
		abort();
}

/* A page has this owner and pre-image, and everything says so. */
static inline bool owned(struct region *r, uint32_t tid, uint64_t page, unsigned char was)
{
	uint32_t slot = chain_find(r, tid, page);

	return slot && r->ctl->tx[tid % RVM_TRACK_TXS].tid == tid &&
	       r->words[page].slot == slot && r->slots[slot].tid == tid &&
	       page_is(r->arena + slot * PAGE, was);
}

#endif /* _KMOD_TRACKED_H */
