// SPDX-License-Identifier: GPL-2.0
/* The workloads: which bytes the transactions change. */
#include <string.h>

#include "subject.h"
#include "workload.h"

#define ACCOUNT		128UL
#define HISTORY		64UL
#define ACCOUNTS	3

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void transact_ranges(const struct workload *workload, struct actor *actor)
{
	size_t stride = WORKLOAD_PAGE / workload->ranges;
	unsigned int page, range;
	char *base;

	for (page = 0; page < workload->pages; page++) {
		base = actor->base + next(&actor->random) % (workload->region / WORKLOAD_PAGE) *
		       WORKLOAD_PAGE;
		for (range = 0; range < workload->ranges; range++)
			actor_change(actor, base + range * stride, workload->bytes);
	}
}

/* The last eighth of the region is the history, a part of it for each thread. */
static void transact_tpca(const struct workload *workload, struct actor *actor)
{
	size_t accounts = workload->region / 8 * 7;
	size_t share = workload->region / 8 / workload->threads;
	unsigned int i;

	for (i = 0; i < ACCOUNTS; i++)
		actor_change(actor, actor->base + next(&actor->random) % (accounts / ACCOUNT) *
			     ACCOUNT, ACCOUNT);
	actor_change(actor, actor->base + accounts + actor->id * share +
		     actor->done % (share / HISTORY) * HISTORY, HISTORY);
}

void workload_transact(const struct workload *workload, struct actor *actor)
{
	if (workload->pages)
		transact_ranges(workload, actor);
	else
		transact_tpca(workload, actor);
}

size_t workload_payload(const struct workload *workload)
{
	if (workload->pages)
		return (size_t)workload->pages * workload->ranges * workload->bytes;
	return ACCOUNTS * ACCOUNT + HISTORY;
}

unsigned int workload_ranges(const struct workload *workload)
{
	return workload->pages ? workload->pages * workload->ranges : ACCOUNTS + 1;
}
