// SPDX-License-Identifier: GPL-2.0
/*
 * Each store is seen while reclaim takes entries of the page tables away: it does so for many
 * pages, and tells the other processors of all together, when it is done.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	1024	/* so that reclaim takes long */
#define TID	7
#define SECONDS	"3"	/* or RVM_SECONDS */

static atomic_bool stop;

static void *reclaim(void *arg)
{
	struct region *r = arg;
	unsigned long n = 0;

	for (; !stop; n++)
		if (madvise(r->data, PAGES * PAGE, MADV_PAGEOUT))
			abort();
	return (void *)n;
}

/* So that there are entries to take away. */
static void *read_all(void *arg)
{
	struct region *r = arg;
	unsigned int i;

	while (!stop)
		for (i = 0; i < PAGES; i++)
			(void)*(volatile unsigned char *)(r->data + i * PAGE);
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

FIXTURE(beside_reclaim) {
	struct client c;
	struct region r;
	int seg;
};

static unsigned int count_owned(const struct region *r, unsigned int pages)
{
	unsigned int i, n = 0;

	for (i = 0; i < pages; i++)
		n += !!__atomic_load_n(&r->words[i].slot, __ATOMIC_SEQ_CST);
	return n;
}

static unsigned int count_loose(const struct region *r, unsigned int pages)
{
	return __atomic_load_n(&r->ctl->loose, __ATOMIC_SEQ_CST);
}

static int end(struct client *c, struct region *r, unsigned int pages)
{
	return cmd_end(c, r->fd, TID, 0, 0);
}

static int arm(struct client *c, struct region *r, unsigned int pages)
{
	return cmd_arm(c, r->fd);
}

FIXTURE_VARIANT(beside_reclaim) {
	unsigned int kind;
	unsigned int pages;		/* stored to */
	unsigned int (*seen)(const struct region *r, unsigned int pages);
	int (*protect)(struct client *c, struct region *r, unsigned int pages);
};

FIXTURE_VARIANT_ADD(beside_reclaim, end_of_few) {
	.kind = RVM_TRACK_KIND_TRACKED, .pages = 4, .seen = count_owned, .protect = end,
};

/* They are protected together, by another function of the kernel. */
FIXTURE_VARIANT_ADD(beside_reclaim, end_of_many) {
	.kind = RVM_TRACK_KIND_TRACKED, .pages = 8, .seen = count_owned, .protect = end,
};

FIXTURE_VARIANT_ADD(beside_reclaim, arm) {
	.kind = RVM_TRACK_KIND_EXPLICIT, .pages = 4, .seen = count_loose, .protect = arm,
};

FIXTURE_SETUP(beside_reclaim)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
	ASSERT_EQ(0, thread_set(&self->r, TID, variant->kind));
}

FIXTURE_TEARDOWN(beside_reclaim)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

static double last(void)
{
	return now() + atof(getenv("RVM_SECONDS") ?: SECONDS);
}

TEST_F(beside_reclaim, each_store_is_seen)
{
	unsigned long times = 0, missed = 0, i;
	double until = last();
	pthread_t id[2];
	void *reclaims;

	stop = false;
	ASSERT_EQ(0, pthread_create(&id[0], NULL, reclaim, &self->r));
	ASSERT_EQ(0, pthread_create(&id[1], NULL, read_all, &self->r));
	for (; now() < until; times++) {
		for (i = 0; i < variant->pages; i++)
			self->r.data[i * PAGE] = times;
		missed += variant->pages - variant->seen(&self->r, variant->pages);
		ASSERT_EQ(0, variant->protect(&self->c, &self->r, variant->pages));
	}
	stop = true;
	pthread_join(id[0], &reclaims);
	pthread_join(id[1], NULL);
	TH_LOG("%lu times beside %lu of reclaim: %lu stores missed", times,
	       (unsigned long)reclaims, missed);
	EXPECT_EQ(0, missed);
	EXPECT_LT(10, times);
	EXPECT_LT(10, (unsigned long)reclaims);
}

TEST_HARNESS_MAIN
