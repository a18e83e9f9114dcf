// SPDX-License-Identifier: GPL-2.0
/* How long transactions took. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "latencies.h"

#define MOST	(4UL << 20)

static uint32_t *latencies;
static size_t taken;

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void latencies_open(void)
{
	latencies = mmap(NULL, MOST * sizeof(*latencies), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (latencies == MAP_FAILED)
		die("mmap", strerror(errno));
}

bool latencies_add(uint64_t ns)
{
	size_t i = __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);

	if (i >= MOST)
		return false;
	latencies[i] = ns < UINT32_MAX ? ns : UINT32_MAX;
	return true;
}

void latencies_tell(struct outcome *outcome)
{
	static const double shares[] = { 0.5, 0.99, 0.999, 1 };
	size_t n = taken < MOST ? taken : MOST, i;

	qsort(latencies, n, sizeof(*latencies), compare);
	for (i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		outcome->latency[i] = latencies[(size_t)(shares[i] * (n - 1))];
	outcome->rate = outcome->latency[2] / 1000;
}
