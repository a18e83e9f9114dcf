// SPDX-License-Identifier: GPL-2.0
/* The workloads: which bytes the transactions change. */
#include <stdio.h>

#include "random.h"
#include "subject.h"
#include "tpca.h"
#include "workload.h"
#include "zipf.h"

static const char *const localities[] = { "random", "sequential", "zipf" };

/* Pages of a transaction are all different: they begin anywhere and keep an odd distance. */
static void transact_ranges(struct actor *actor)
{
	const struct workload *w = actor->workload;
	size_t within = WORKLOAD_PAGE / w->ranges;
	unsigned int page, range, used = workload_used(w);
	uint64_t at = actor->next, step = 1;

	if (w->locality == RANDOM) {
		at = random_next(&actor->random) % used;
		step = (random_next(&actor->random) % used) | 1;
	}
	for (page = 0; page < w->pages; page++, at += step) {
		unsigned int n = w->locality == ZIPF ? zipf_next(&actor->random) : at % used;
		char *base = actor->base + workload_page(w, n);

		for (range = 0; range < w->ranges; range++)
			actor_change(actor, base + range * within, w->bytes);
	}
	actor->next = at;
}

static void transact_tpca(struct actor *actor)
{
	struct teller teller = {
		.base = actor->base, .size = actor->workload->region, .id = actor->id,
		.threads = actor->workload->threads, .random = actor->random, .done = actor->done,
	};
	char *at[TPCA_RANGES];
	unsigned int i;

	tpca_choose(&teller, at);
	actor->random = teller.random;
	for (i = 0; i < TPCA_RANGES; i++)
		actor_change(actor, at[i], tpca_length(i));
}

const struct kind kind_ranges = { "ranges", NULL, transact_ranges, NULL };
const struct kind kind_tpca = { "tpca", NULL, transact_tpca, NULL };

const char *workload_axis(const struct workload *workload)
{
	static const char *const names[] = {
		[BYTES] = "bytes", [RANGES] = "ranges", [PAGES] = "pages", [REGION] = "region",
		[LOCALITY] = "locality", [THREADS] = "threads", [FLUSH] = "flush",
		[APPLICATION] = "application",
	};

	return names[workload->axis];
}

const char *workload_place(const struct workload *workload)
{
	static char place[64];

	switch (workload->axis) {
	case BYTES:
		snprintf(place, sizeof(place), "%u", workload->bytes);
		break;
	case RANGES:
	case FLUSH:
		snprintf(place, sizeof(place), "%u", workload->ranges);
		break;
	case PAGES:
		snprintf(place, sizeof(place), "%u", workload->pages);
		break;
	case REGION:
		snprintf(place, sizeof(place), "%zu", workload->region >> 20);
		break;
	case LOCALITY:
		return localities[workload->locality];
	case THREADS:
		snprintf(place, sizeof(place), "%u", workload->threads);
		break;
	case APPLICATION:
		snprintf(place, sizeof(place), "%s %s %u", workload->kind->name,
			 workload->flush ? "flush" : "no_flush", workload->threads);
		break;
	}
	return place;
}

size_t workload_payload(const struct workload *workload)
{
	if (workload->kind == &kind_tpca)
		return TPCA_BYTES;
	return (size_t)workload->pages * workload->ranges * workload->bytes;
}

unsigned int workload_ranges(const struct workload *workload)
{
	if (workload->kind == &kind_tpca)
		return TPCA_RANGES;
	return workload->pages * workload->ranges;
}
