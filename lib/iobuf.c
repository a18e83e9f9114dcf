// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory for large transfers past the page cache. */
#include <stdlib.h>
#include <sys/mman.h>

#include "iobuf.h"

#define PAGE	4096UL
#define LARGE	(2UL << 20)	/* a large page of x86-64, and of others with pages of 4 KiB */

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

void *iobuf_alloc(size_t size)
{
	void *memory;

	if (size < LARGE)
		return aligned_alloc(PAGE, round_up(size, PAGE));
	size = round_up(size, LARGE);
	memory = aligned_alloc(LARGE, size);
	if (memory)
		madvise(memory, size, MADV_HUGEPAGE);	/* no more than a wish */
	return memory;
}
