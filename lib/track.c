// SPDX-License-Identifier: LGPL-2.1-or-later
/* The choice of a tracker, and the words for why it is this one. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "track.h"
#include "track_cost.h"

static const struct track_ops *const trackers[] = {
	&track_kmod,
	&track_uffd,
	&track_sigsegv,
	&track_none,
};

#define N_TRACKERS	(sizeof(trackers) / sizeof(trackers[0]))

static __attribute__((format(printf, 3, 4)))
void add_why(char *why, size_t size, const char *fmt, ...)
{
	size_t used;
	va_list ap;

	if (!size)
		return;
	used = strnlen(why, size - 1);
	va_start(ap, fmt);
	vsnprintf(why + used, size - used, fmt, ap);
	va_end(ap);
}

/* Does @ops work here, for @map?  A negative errno with a text if not. */
static int usable(const struct track_ops *ops, const struct track_map *map)
{
	if (map->disjoint && !ops->disjoint)
		return err_set(EOPNOTSUPP, "cannot tell which transaction stored to a page");
	if (map->strict && !ops->strict)
		return err_set(EOPNOTSUPP, "cannot refuse stores outside transactions");
	if (map->huge && ops->tracks)
		return err_set(EOPNOTSUPP, "tracks pages of 4 KiB, no huge ones");
	return ops->probe();
}

/* It takes as long as a hundred transactions, so that the first map pays for all. */
static const struct track_cost *cost_of(const struct track_ops *ops)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct track_cost costs[N_TRACKERS];
	static bool measured[N_TRACKERS];
	size_t i = 0;

	while (trackers[i] != ops)
		i++;
	pthread_mutex_lock(&lock);
	if (!measured[i])
		track_cost_measure(ops, &costs[i]);
	measured[i] = true;
	pthread_mutex_unlock(&lock);
	return &costs[i];
}

/**
 * struct choice - a tracker that works here, in userspace
 * @ops: the tracker
 * @cost: what it costs
 * @walk: nanoseconds of that at each end of a transaction at most, for the region's length
 * @all: with those for the pages that are changed
 */
struct choice {
	const struct track_ops *ops;
	const struct track_cost *cost;
	uint64_t walk;
	uint64_t all;
};

static struct choice look_at(const struct track_map *map, const struct track_ops *ops)
{
	struct choice c = { .ops = ops, .cost = cost_of(ops) };

	c.walk = track_cost_walk(c.cost, map->length);
	c.all = c.walk + track_cost_rest(c.cost);
	return c;
}

static void say_cost(const struct choice *c, bool used, char *why, size_t size)
{
	add_why(why, size, "%s: %s%llu us for a transaction of %u pages%s", c->ops->name,
		used ? "used, " : "", (unsigned long long)c->all / 1000, TRACK_COST_PAGES,
		used ? "" : "; ");
}

/*
 * Of two trackers in userspace the first one costs less, but that it walks over the region: what
 * it does at a store, the other does in a signal handler.  So the other one is measured, which
 * installs the handler, only where the walk is what costs most.
 */
static const struct track_ops *cheaper(const struct track_map *map, const struct track_ops *first,
				       const struct track_ops *other, char *why, size_t size)
{
	struct choice a = look_at(map, first), b;
	bool better;

	if (a.walk <= a.all / 2 || usable(other, map)) {
		add_why(why, size, "%s: used", first->name);
		return first;
	}
	b = look_at(map, other);
	better = b.cost->fault && b.all < a.all;
	say_cost(better ? &a : &b, false, why, size);
	say_cost(better ? &b : &a, true, why, size);
	return better ? other : first;
}

static int open_tuned(const struct track_map *map, const struct track_ops *ops,
		      struct tracker **out)
{
	const struct track_cost *cost = ops->tracks ? cost_of(ops) : NULL;
	int err = ops->open(map, out);

	if (err)
		return err;
	(*out)->cost = cost;
	if (ops->tune && cost)
		ops->tune(*out, cost);
	return 0;
}

static int open_asked(const struct track_map *map, const struct track_ops *ops, char *why,
		      size_t size, struct tracker **out)
{
	if (usable(ops, map)) {
		add_why(why, size, "%s: %s", ops->name, err_text());
		return err_add(-EOPNOTSUPP, "tracker %s: ", ops->name);
	}
	add_why(why, size, "%s: asked for", ops->name);
	return open_tuned(map, ops, out);
}

/* Number @i works here, and none that is preferred to it. */
static const struct track_ops *best_from(const struct track_map *map, size_t i, char *why,
					 size_t size)
{
	const struct track_ops *next = i + 1 < N_TRACKERS ? trackers[i + 1] : NULL;
	const struct track_ops *ops = trackers[i];

	if (ops->twin && next && next->twin)
		ops = cheaper(map, ops, next, why, size);
	else
		add_why(why, size, "%s: used", ops->name);
	err_clear();	/* of the trackers that were no use */
	return ops;
}

static int open_best(const struct track_map *map, char *why, size_t size, struct tracker **out)
{
	size_t i;

	for (i = 0; i < N_TRACKERS && trackers[i]->tracks; i++) {
		if (!usable(trackers[i], map))
			return open_tuned(map, best_from(map, i, why, size), out);
		add_why(why, size, "%s: %s; ", trackers[i]->name, err_text());
	}
	return err_set(EOPNOTSUPP, "no tracker works here: %s", why);
}

int track_open(const struct track_map *map, unsigned long flag, char *why, size_t size,
	       struct tracker **out)
{
	size_t i;

	if (size)
		why[0] = '\0';
	if (sysconf(_SC_PAGESIZE) != (long)TRACK_PAGE_SIZE)
		return err_set(EOPNOTSUPP, "this system's pages are not of %lu bytes",
			       TRACK_PAGE_SIZE);
	if (!flag)
		return open_best(map, why, size, out);
	for (i = 0; i < N_TRACKERS; i++)
		if (trackers[i]->flag == flag)
			return open_asked(map, trackers[i], why, size, out);
	return err_set(EINVAL, "0x%lx names no tracker", flag);
}
