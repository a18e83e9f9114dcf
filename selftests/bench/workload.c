// SPDX-License-Identifier: GPL-2.0
/* The workloads: which bytes the transactions change. */
#include "random.h"
#include "subject.h"
#include "tpca.h"
#include "workload.h"

static void transact_ranges(const struct workload *workload, struct actor *actor)
{
	size_t stride = WORKLOAD_PAGE / workload->ranges;
	size_t pages = workload->region / WORKLOAD_PAGE;
	unsigned int page, range;
	char *base;

	for (page = 0; page < workload->pages; page++) {
		base = actor->base + random_next(&actor->random) % pages * WORKLOAD_PAGE;
		for (range = 0; range < workload->ranges; range++)
			actor_change(actor, base + range * stride, workload->bytes);
	}
}

static void transact_tpca(const struct workload *workload, struct actor *actor)
{
	struct teller teller = {
		.base = actor->base, .size = workload->region, .id = actor->id,
		.threads = workload->threads, .random = actor->random, .done = actor->done,
	};
	char *at[TPCA_RANGES];
	unsigned int i;

	tpca_choose(&teller, at);
	actor->random = teller.random;
	for (i = 0; i < TPCA_RANGES; i++)
		actor_change(actor, at[i], tpca_length(i));
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
	return TPCA_BYTES;
}

unsigned int workload_ranges(const struct workload *workload)
{
	return workload->pages ? workload->pages * workload->ranges : TPCA_RANGES;
}
