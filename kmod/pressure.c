// SPDX-License-Identifier: GPL-2.0
/* Memory pressure: libraries are asked to have pages written back that cannot be reclaimed. */

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "event.h"
#include "pressure.h"
#include "region.h"
#include "request.h"

unsigned int rvmt_pressure_percent = RVMT_PRESSURE_DEFAULT;

static struct shrinker *shrinker;
static unsigned long next_time;		/* in jiffies; a race asks twice */

static int ask_one(struct rvmt_region *region, void *arg)
{
	u64 count = rvmt_region_writable(region);

	if (count)
		rvmt_event_pressure(region, count);
	return 0;
}

/* Whoever reclaims may hold any lock, so that messages are another thread's work. */
static void ask_all(struct work_struct *work)
{
	rvmt_region_each(0, ask_one, NULL);
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

/* Nothing is free yet: the pages become clean when the library answers. */
static unsigned long ask(struct shrinker *shrinker, struct shrink_control *sc)
{
	if (time_before(jiffies, READ_ONCE(next_time)))
		return 0;
	WRITE_ONCE(next_time, jiffies + RVMT_PRESSURE_JIFFIES);
	rvmt_request_run(&ask_work);
	return 0;
}

int __init rvmt_pressure_init(void)
{
	next_time = jiffies;
	shrinker = rvmt_shrinker_new(count_pages, ask);
	return shrinker ? 0 : -ENOMEM;
}

void rvmt_pressure_exit(void)
{
	rvmt_shrinker_free(shrinker);
	cancel_work_sync(&ask_work);
}
