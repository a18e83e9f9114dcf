// SPDX-License-Identifier: LGPL-2.1-or-later
/* Blocks that open transactions allocated or freed, in ordinary memory. */
#include <stdlib.h>

#include "rds_pending.h"

#define CHAINS_MIN	16

static uint64_t hash(uint64_t number)
{
	return number * 0x9e3779b97f4a7c15ULL >> 32;
}

static struct rds_stripe *stripe_of(struct rds_pending *pending, uint64_t number)
{
	return &pending->stripes[hash(number) % RDS_STRIPES];
}

static struct rds_entry **chain(const struct rds_stripe *stripe, uint64_t number)
{
	return &stripe->chains[hash(number) / RDS_STRIPES & (stripe->nchains - 1)];
}

static void free_stripe(struct rds_stripe *stripe)
{
	struct rds_entry *entry, *next;
	size_t i;

	for (i = 0; i < stripe->nchains; i++) {
		for (entry = stripe->chains[i]; entry; entry = next) {
			next = entry->next;
			free(entry);
		}
	}
	free(stripe->chains);
	stripe->chains = NULL;
	stripe->nchains = 0;
	stripe->count = 0;
}

void rds_pending_free(struct rds_pending *pending)
{
	unsigned int i;

	for (i = 0; i < RDS_STRIPES; i++)
		free_stripe(&pending->stripes[i]);
}

void rds_pending_lock(struct rds_pending *pending, uint64_t number)
{
	pthread_mutex_lock(&stripe_of(pending, number)->lock);
}

void rds_pending_unlock(struct rds_pending *pending, uint64_t number)
{
	pthread_mutex_unlock(&stripe_of(pending, number)->lock);
}

void rds_pending_lock_all(struct rds_pending *pending)
{
	unsigned int i;

	for (i = 0; i < RDS_STRIPES; i++)
		pthread_mutex_lock(&pending->stripes[i].lock);
}

void rds_pending_unlock_all(struct rds_pending *pending)
{
	unsigned int i;

	for (i = 0; i < RDS_STRIPES; i++)
		pthread_mutex_unlock(&pending->stripes[i].lock);
}

struct rds_entry *rds_pending_find(const struct rds_pending *pending, uint64_t number)
{
	const struct rds_stripe *stripe = &pending->stripes[hash(number) % RDS_STRIPES];
	struct rds_entry *entry;

	if (!stripe->count)
		return NULL;
	for (entry = *chain(stripe, number); entry; entry = entry->next)
		if (entry->extent.number == number)
			break;
	return entry;
}

/* Keep chains short; without memory for that they just get longer. */
static bool make_room(struct rds_stripe *stripe)
{
	size_t n = stripe->nchains ? stripe->nchains * 2 : CHAINS_MIN, i;
	struct rds_stripe new = { .nchains = n };
	struct rds_entry *entry, *next, **at;

	if (stripe->count < stripe->nchains)
		return true;
	new.chains = calloc(n, sizeof(struct rds_entry *));
	if (!new.chains)
		return stripe->nchains;
	for (i = 0; i < stripe->nchains; i++) {
		for (entry = stripe->chains[i]; entry; entry = next) {
			next = entry->next;
			at = chain(&new, entry->extent.number);
			entry->next = *at;
			*at = entry;
		}
	}
	free(stripe->chains);
	stripe->chains = new.chains;
	stripe->nchains = n;
	return true;
}

bool rds_pending_add(struct rds_pending *pending, struct rds_entry *entry)
{
	struct rds_stripe *stripe = stripe_of(pending, entry->extent.number);
	struct rds_watch *watch = entry->watch;
	struct rds_entry **at;

	if (!make_room(stripe))
		return false;
	at = chain(stripe, entry->extent.number);
	entry->next = *at;
	*at = entry;
	stripe->count++;
	entry->newer = NULL;
	entry->older = watch->newest;
	if (entry->older)
		entry->older->newer = entry;
	watch->newest = entry;
	return true;
}

void rds_pending_remove(struct rds_pending *pending, struct rds_entry *entry)
{
	struct rds_stripe *stripe = stripe_of(pending, entry->extent.number);
	struct rds_entry **at = chain(stripe, entry->extent.number);

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	stripe->count--;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		entry->watch->newest = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
}
