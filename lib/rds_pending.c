// SPDX-License-Identifier: LGPL-2.1-or-later
/* Blocks that open transactions allocated or freed, in ordinary memory. */
#include <stdlib.h>
#include <string.h>

#include "rds_pending.h"

#define CHAINS_MIN	256
#define SPARE_MAX	4096	/* entries kept for reuse */

static struct rds_entry **chain(const struct rds_pending *pending, uint64_t number)
{
	uint64_t hash = number * 0x9e3779b97f4a7c15ULL >> 32;

	return &pending->chains[hash & (pending->nchains - 1)];
}

static void free_entries(struct rds_entry *entry)
{
	struct rds_entry *next;

	for (; entry; entry = next) {
		next = entry->next;
		free(entry);
	}
}

void rds_pending_free(struct rds_pending *pending)
{
	struct rds_watch *watch;
	size_t i;

	for (i = 0; i < pending->nchains; i++)
		free_entries(pending->chains[i]);
	free_entries(pending->spare);
	while ((watch = pending->watches)) {
		pending->watches = watch->next;
		free(watch);
	}
	free(pending->chains);
	memset(pending, 0, sizeof(*pending));
}

struct rds_watch *rds_pending_watch(struct rds_pending *pending)
{
	struct rds_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->next = pending->watches;
	if (watch->next)
		watch->next->prev = watch;
	pending->watches = watch;
	return watch;
}

void rds_pending_ended(struct rds_pending *pending, struct rds_watch *watch)
{
	if (watch->next)
		watch->next->prev = watch->prev;
	if (watch->prev)
		watch->prev->next = watch->next;
	else
		pending->watches = watch->next;
	free(watch);
}

struct rds_entry *rds_pending_find(const struct rds_pending *pending, uint64_t number)
{
	struct rds_entry *entry;

	if (!pending->count)
		return NULL;
	for (entry = *chain(pending, number); entry; entry = entry->next)
		if (entry->extent.number == number)
			break;
	return entry;
}

/* Keep chains short; without memory for that they just get longer. */
static bool make_room(struct rds_pending *pending)
{
	size_t n = pending->nchains ? pending->nchains * 2 : CHAINS_MIN, i;
	struct rds_pending new = { .nchains = n };
	struct rds_entry *entry, *next, **at;

	if (pending->count < pending->nchains)
		return true;
	new.chains = calloc(n, sizeof(struct rds_entry *));
	if (!new.chains)
		return pending->nchains;
	for (i = 0; i < pending->nchains; i++) {
		for (entry = pending->chains[i]; entry; entry = next) {
			next = entry->next;
			at = chain(&new, entry->extent.number);
			entry->next = *at;
			*at = entry;
		}
	}
	free(pending->chains);
	pending->chains = new.chains;
	pending->nchains = n;
	return true;
}

static struct rds_entry *new_entry(struct rds_pending *pending)
{
	struct rds_entry *entry = pending->spare;

	if (!entry)
		return malloc(sizeof(*entry));
	pending->spare = entry->next;
	pending->nspare--;
	return entry;
}

struct rds_entry *rds_pending_add(struct rds_pending *pending, struct rds_watch *watch,
				  struct rds_extent extent, bool used)
{
	struct rds_entry *entry, **at;

	if (!make_room(pending))
		return NULL;
	entry = new_entry(pending);
	if (!entry)
		return NULL;
	at = chain(pending, extent.number);
	*entry = (struct rds_entry){
		.next = *at,
		.watch = watch,
		.older = watch->newest,
		.extent = extent,
		.used = used,
	};
	*at = entry;
	if (entry->older)
		entry->older->newer = entry;
	watch->newest = entry;
	pending->count++;
	return entry;
}

void rds_pending_remove(struct rds_pending *pending, struct rds_entry *entry)
{
	struct rds_entry **at = chain(pending, entry->extent.number);

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		entry->watch->newest = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	pending->count--;
	if (pending->nspare == SPARE_MAX) {
		free(entry);
		return;
	}
	entry->next = pending->spare;
	pending->spare = entry;
	pending->nspare++;
}
