// SPDX-License-Identifier: GPL-2.0
/* What is measured: points along axes that meet at a base point, and applications. */
#include "axes.h"

#define MIB	(1UL << 20)
#define R	(&kind_ranges)

/*
 * axis, kind, flush, threads, region, used pages, locality, pages a transaction, ranges a page,
 * bytes a range.  The base point is the first one of RANGES.
 */
static const struct workload points[] = {
	{ BYTES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 8 },
	{ BYTES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 16 },
	{ BYTES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 64 },
	{ BYTES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 256 },
	{ BYTES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 1024 },
	{ BYTES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 4096 },

	{ RANGES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 16 },
	{ RANGES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 2, 16 },
	{ RANGES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 4, 16 },
	{ RANGES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 8, 16 },
	{ RANGES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 16, 16 },
	{ RANGES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 32, 16 },
	{ RANGES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 64, 16 },

	{ PAGES, R, false, 1, 16 * MIB, 0, RANDOM, 1, 1, 16 },
	{ PAGES, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 16 },
	{ PAGES, R, false, 1, 16 * MIB, 0, RANDOM, 16, 1, 16 },
	{ PAGES, R, false, 1, 16 * MIB, 0, RANDOM, 100, 1, 16 },
	{ PAGES, R, false, 1, 16 * MIB, 0, RANDOM, 1000, 1, 16 },
	{ PAGES, R, false, 1, 64 * MIB, 0, RANDOM, 10000, 1, 16 },
	{ PAGES, R, false, 1, 512 * MIB, 0, RANDOM, 100000, 1, 16 },

	{ REGION, R, false, 1, 1 * MIB, 256, RANDOM, 4, 1, 16 },
	{ REGION, R, false, 1, 16 * MIB, 256, RANDOM, 4, 1, 16 },
	{ REGION, R, false, 1, 1024 * MIB, 256, RANDOM, 4, 1, 16 },
	{ REGION, R, false, 1, 65536 * MIB, 256, RANDOM, 4, 1, 16 },

	{ LOCALITY, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 16 },
	{ LOCALITY, R, false, 1, 16 * MIB, 0, SEQUENTIAL, 4, 1, 16 },
	{ LOCALITY, R, false, 1, 16 * MIB, 0, ZIPF, 4, 1, 16 },

	{ THREADS, R, false, 1, 16 * MIB, 0, RANDOM, 4, 1, 16 },
	{ THREADS, R, false, 2, 16 * MIB, 0, RANDOM, 4, 1, 16 },
	{ THREADS, R, false, 4, 16 * MIB, 0, RANDOM, 4, 1, 16 },

	{ FLUSH, R, true, 1, 16 * MIB, 0, RANDOM, 4, 1, 16 },
	{ FLUSH, R, true, 1, 16 * MIB, 0, RANDOM, 4, 16, 16 },
	{ FLUSH, R, true, 1, 16 * MIB, 0, RANDOM, 4, 64, 16 },

	{ APPLICATION, &kind_tpca, true, 1, 128 * MIB, 0, RANDOM, 0, 0, 0 },
	{ APPLICATION, &kind_tpca, true, 4, 128 * MIB, 0, RANDOM, 0, 0, 0 },
	{ APPLICATION, &kind_tpca, false, 1, 128 * MIB, 0, RANDOM, 0, 0, 0 },
	{ APPLICATION, &kind_list, false, 1, 16 * MIB, 0, RANDOM, 0, 0, 0 },
	{ APPLICATION, &kind_hash, false, 1, 16 * MIB, 0, RANDOM, 0, 0, 0 },
	{ APPLICATION, &kind_btree, false, 1, 16 * MIB, 0, RANDOM, 0, 0, 0 },
	{ APPLICATION, &kind_list, true, 1, 16 * MIB, 0, RANDOM, 0, 0, 0 },
	{ APPLICATION, &kind_hash, true, 1, 16 * MIB, 0, RANDOM, 0, 0, 0 },
	{ APPLICATION, &kind_btree, true, 1, 16 * MIB, 0, RANDOM, 0, 0, 0 },
};

const struct workload *axes_points(void)
{
	return points;
}

unsigned int axes_count(void)
{
	return sizeof(points) / sizeof(*points);
}
