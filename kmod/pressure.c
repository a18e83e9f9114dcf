// SPDX-License-Identifier: GPL-2.0
/* Memory pressure: libraries are asked to have pages written back that cannot be reclaimed. */

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "event.h"
#include "pressure.h"
#include "region.h"
#include "request.h"
#include "shortage.h"

unsigned int rvmt_pressure_percent = RVMT_PRESSURE_DEFAULT;

static struct shrinker *shrinker;

static int ask_one(struct rvmt_region *region, void *arg)
{
	u64 count = rvmt_region_writable(region);

	if (count)
		rvmt_event_pressure(region, count);
	return 0;
}

/*
 * Whoever reclaims may hold any lock, so that messages are another thread's work.  It takes the
 * few bytes for them from the reserves: to reclaim it would wait for the answer to what it sends.
 */
static void ask_all(struct work_struct *work)
{
	unsigned int flags = memalloc_noreclaim_save();

	rvmt_region_each(0, ask_one, NULL);
	memalloc_noreclaim_restore(flags);
}

static DECLARE_WORK(ask_work, ask_all);

static unsigned long count_pages(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long n = rvmt_region_all_writable();
	unsigned long file = global_node_page_state(NR_ACTIVE_FILE) +
			     global_node_page_state(NR_INACTIVE_FILE);

	/* As long as other pages of files are many, reclaim does not need these. */
	return n >= file / 100 * READ_ONCE(rvmt_pressure_percent) ? n : 0;
}

/* Not who must not enter a file system, for instance the writeback that is the answer. */
static bool may_wait(const struct shrink_control *sc)
{
	return sc->gfp_mask & __GFP_FS && !current_is_kswapd();
}

/*
 * Nothing is free yet: the pages become clean when the library answers.  A reclaimer that went on
 * at once would have tried as often as the kernel lets it before that, and the next step is the
 * OOM killer.
 */
static unsigned long ask(struct shrinker *shrinker, struct shrink_control *sc)
{
	int seen = rvmt_shortage_times();

	if (rvmt_shortage_noted())
		rvmt_request_run(&ask_work);
	if (may_wait(sc))
		rvmt_shortage_wait(seen);
	return SHRINK_STOP;
}

int __init rvmt_pressure_init(void)
{
	shrinker = rvmt_shrinker_new(count_pages, ask);
	return shrinker ? 0 : -ENOMEM;
}

void rvmt_pressure_exit(void)
{
	rvmt_shrinker_free(shrinker);
	cancel_work_sync(&ask_work);
}
