/* SPDX-License-Identifier: GPL-2.0 */
/* A program whose transactions are counted by itself, for statistics to be held against. */
#ifndef SELFTESTS_LIB_COUNTING_H
#define SELFTESTS_LIB_COUNTING_H

#include "api.h"

#include <rvm/rvm_statistics.h>

#include "os.h"

/* What the workload did, counted without the library's help. */
struct model {
	rvm_length_t aborts;
	rvm_length_t flush_commits;
	rvm_length_t no_flush_commits;
	rvm_length_t range_elim;
	rvm_length_t range_overlap;
	rvm_length_t lengths[13];
	rvm_length_t elims[6];
	rvm_length_t overlaps[13];
};

static const unsigned int lengths[] = { 0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096 };
static const unsigned int some[] = { 0, 5, 10, 50, 100 };

static inline void count(rvm_length_t *histogram, const unsigned int *bounds, size_t n,
			 rvm_length_t value)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (value <= bounds[i])
			break;
	histogram[i]++;
}

static inline bool same(const rvm_length_t *a, const rvm_length_t *b, size_t n)
{
	return !memcmp(a, b, n * sizeof(*a));
}

static inline rvm_length_t sum(const rvm_length_t *histogram, size_t n)
{
	rvm_length_t total = 0;

	while (n--)
		total += *histogram++;
	return total;
}

FIXTURE(statistics) {
	struct place place;
	rvm_region_t region;
	rvm_statistics_t now;
	struct model model;
};

FIXTURE_SETUP(statistics)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, RVM_TRACK_NONE));
	rvm_init_statistics(&self->now);
}

FIXTURE_TEARDOWN(statistics)
{
	rvm_terminate();
	os = os_real;
	place_remove(&self->place);
}

/*
 * A transaction that declares bytes in as many ranges as @pieces has, each
 * twice: what is logged is one range for each run of them.
 */
static inline bool declare_twice(rvm_tid_t *tid, char *at, const rvm_length_t *pieces, size_t n,
				 struct model *m)
{
	rvm_length_t declared = 0, bytes = 0;
	size_t i, ranges = 0;

	for (i = 0; i < n; i++) {
		if (rvm_set_range(tid, at, pieces[i]) || rvm_set_range(tid, at, pieces[i]))
			return false;
		memset(at, (int)i + 1, pieces[i]);
		if (pieces[i])
			declared += 2;
		if (pieces[i]) {
			count(m->lengths, lengths, ARRAY_SIZE(lengths), pieces[i]);
			ranges++;
		}
		bytes += pieces[i];
		at += pieces[i] + 1;
	}
	m->range_elim += declared - ranges;
	m->range_overlap += bytes;
	count(m->elims, some, ARRAY_SIZE(some), declared - ranges);
	count(m->overlaps, lengths, ARRAY_SIZE(lengths), bytes);
	return true;
}

static inline bool commit_pieces(char *at, const rvm_length_t *pieces, size_t n, rvm_mode_t mode,
				 struct model *m)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	if (rvm_begin_transaction(&tid, restore) || !declare_twice(&tid, at, pieces, n, m) ||
	    rvm_end_transaction(&tid, mode))
		return false;
	if (mode == flush)
		m->flush_commits++;
	else
		m->no_flush_commits++;
	return true;
}

static inline bool abort_one(char *at, struct model *m)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	m->aborts++;
	return !rvm_begin_transaction(&tid, restore) && !rvm_set_range(&tid, at, 100) &&
	       !rvm_abort_transaction(&tid);
}

/* Ranges of each bucket's bounds, one beside them, none, and many. */
static inline bool work(char *at, struct model *m)
{
	static const rvm_length_t bounds[] = { 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096 };
	static const rvm_length_t above[] = { 5, 9, 17, 33, 65, 129, 257, 513, 1025, 2049, 4097 };
	rvm_length_t small[120];
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(small); i++)
		small[i] = 1;
	for (i = 0; i < 3; i++)
		if (!commit_pieces(at, bounds, ARRAY_SIZE(bounds), flush, m) ||
		    !commit_pieces(at, above, ARRAY_SIZE(above), no_flush, m) ||
		    !abort_one(at, m))
			return false;
	for (n = 0; n <= ARRAY_SIZE(small); n += 5)
		if (!commit_pieces(at, small, n, n % 2 ? flush : no_flush, m))
			return false;
	return abort_one(at, m);
}

#endif
