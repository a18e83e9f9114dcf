/* SPDX-License-Identifier: GPL-2.0 */
/* A region whose tracker behaves as the kernel module may at its worst, and a truncator. */
#ifndef SELFTESTS_LIB_FAKEMOD_H
#define SELFTESTS_LIB_FAKEMOD_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "err.h"
#include "increment.h"
#include "log.h"
#include "order.h"
#include "os.h"
#include "recover.h"
#include "region.h"
#include "segment.h"
#include "track.h"
#include "truncate.h"

#define PAGES	24
#define LENGTH	(PAGES * TRACK_PAGE_SIZE)

/* A region's page cache: what the module would know of each page. */
struct fake {
	struct tracker base;
	struct segment *segment;
	char memory[LENGTH];
	bool dirty[PAGES];
	bool owned[PAGES];
	int hold[PAGES];
	int calls;
	int fail_call;
	void (*after_first)(struct fake *fake);
	struct log *log;
	int relieved;
	uint64_t durable[2];	/* when it was relieved the last times */
	int relieve_err;
	void (*each)(struct fake *fake);
	bool names_others;
	const bool *frozen;
};

static inline struct fake *to_fake(struct tracker *tracker)
{
	return (struct fake *)tracker;
}

static inline void fake_hold(struct tracker *tracker, uint64_t first, uint64_t last)
{
	for (; first <= last; first++)
		to_fake(tracker)->hold[first]++;
}

static inline void fake_release(struct tracker *tracker, uint64_t first, uint64_t last,
				uint64_t lsn)
{
	for (; first <= last; first++)
		to_fake(tracker)->hold[first]--;
}

static inline void write_page(struct fake *fake, uint64_t page)
{
	segment_write(fake->segment, page * TRACK_PAGE_SIZE,
		      fake->memory + page * TRACK_PAGE_SIZE, TRACK_PAGE_SIZE);
	fake->dirty[page] = false;
}

static inline int fake_writeback(struct tracker *tracker, const uint64_t *pages, size_t n,
				 uint64_t *busy, size_t *n_busy)
{
	struct fake *fake = to_fake(tracker);

	*n_busy = 0;
	if (++fake->calls == fake->fail_call)
		return -EIO;
	for (size_t i = n; i--;) {
		uint64_t page = pages[i];

		if (!fake->dirty[page])
			continue;
		if (fake->owned[page] || fake->hold[page])
			busy[(*n_busy)++] = page;
		else
			write_page(fake, page);
	}
	if (fake->names_others)
		busy[(*n_busy)++] = PAGES;
	if (fake->each)
		fake->each(fake);
	if (fake->calls == 1 && fake->after_first)
		fake->after_first(fake);
	return 0;
}

static inline int fake_relieve(struct tracker *tracker)
{
	struct fake *fake = to_fake(tracker);
	struct log_state state;

	log_state(fake->log, &state);
	fake->durable[fake->relieved++ % 2] = state.durable;
	return fake->relieve_err;
}

static inline void fake_close(struct tracker *tracker)
{
}

static const struct track_ops fake_ops = {
	.name = "fake",
	.tracks = true,
	.close = fake_close,
	.hold = fake_hold,
	.release = fake_release,
	.writeback = fake_writeback,
	.relieve = fake_relieve,
};

FIXTURE(truncate)
{
	char dir[64];
	char log_path[96];
	char seg_path[96];
	struct log *log;
	struct regions regions;
	struct segment *segment;
	struct truncator tr;
	struct region *region;
	struct fake *fake;
};

static inline struct region *fake_region(struct fake *fake, struct log *log)
{
	struct region *region = calloc(1, sizeof(*region));

	region->segment = fake->segment;
	region->log = log;
	region->length = LENGTH;
	region->base = fake->memory;
	region->tracker = &fake->base;
	pthread_mutex_init(&region->lock, NULL);
	pthread_cond_init(&region->idle, NULL);
	dirty_init(&region->dirty, PAGES);
	rangeset_init(&region->busy);
	return region;
}

FIXTURE_SETUP(truncate)
{
	order_excused = true;	/* the fake writes what no record says, to see it again */
	strcpy(self->dir, "/tmp/rvm-truncate-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->log_path, sizeof(self->log_path), "%s/log", self->dir);
	snprintf(self->seg_path, sizeof(self->seg_path), "%s/segment", self->dir);
	ASSERT_EQ(0, log_create(self->log_path, 1 << 20, 0600, false, NULL, NULL));
	ASSERT_EQ(0, log_open(self->log_path, 65536, false, &self->log));
	ASSERT_EQ(0, recover_log(self->log, NULL, NULL, NULL));
	regions_init(&self->regions);
	ASSERT_EQ(0, regions_segment(&self->regions, self->log, self->seg_path, LENGTH,
				     &self->segment));
	self->fake = calloc(1, sizeof(*self->fake));
	self->fake->base.ops = &fake_ops;
	self->fake->segment = self->segment;
	self->fake->log = self->log;
	self->region = fake_region(self->fake, self->log);
	self->regions.first = self->region;
	ASSERT_EQ(0, truncator_start(&self->tr, self->log, &self->regions, 0, NULL, NULL));
}

FIXTURE_TEARDOWN(truncate)
{
	truncator_stop(&self->tr);
	regions_free(&self->regions);
	EXPECT_EQ(0, log_close(self->log));
	free(self->fake);
	unlink(self->log_path);
	unlink(self->seg_path);
	rmdir(self->dir);
}

/* Store @byte to all of a page and commit it. */
static inline int commit_page(struct log *log, struct region *region, struct fake *fake,
			      uint64_t page, char byte)
{
	struct log_range range = {
		.segment = region->segment->id,
		.offset = page * TRACK_PAGE_SIZE,
		.length = TRACK_PAGE_SIZE,
		.data = fake->memory + page * TRACK_PAGE_SIZE,
	};
	uint64_t lsn;

	memset(fake->memory + page * TRACK_PAGE_SIZE, byte, TRACK_PAGE_SIZE);
	fake->dirty[page] = true;
	return region_note_dirty(region, page, page) ?: log_append(log, 1, &range, 1, &lsn);
}

static inline char in_segment(struct segment *segment, uint64_t page)
{
	char byte = '?';

	segment_read(segment, page * TRACK_PAGE_SIZE + 17, &byte, 1);
	return byte;
}

static inline int held(struct fake *fake)
{
	int n = 0;

	for (int i = 0; i < PAGES; i++)
		n += fake->hold[i] != 0;
	return n;
}

static inline uint64_t head_of(struct log *log)
{
	struct log_state state;

	log_state(log, &state);
	return state.head;
}

static inline int flush_all(struct log *log)
{
	struct log_state state;

	log_state(log, &state);
	return log_flush(log, state.tail);
}

#endif
