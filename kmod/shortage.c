// SPDX-License-Identifier: GPL-2.0
/* A shortage of memory: since when there is one, and who waits for pages to become clean. */

#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "limits.h"
#include "shortage.h"

static DECLARE_WAIT_QUEUE_HEAD(waiting);
static atomic_t eased = ATOMIC_INIT(0);		/* times that pages have become clean */
static unsigned long noted = INITIAL_JIFFIES - RVMT_SHORTAGE_LASTS;	/* a race asks twice */

bool rvmt_shortage_noted(void)
{
	if (time_before(jiffies, READ_ONCE(noted) + RVMT_SHORTAGE_PAUSE))
		return false;
	WRITE_ONCE(noted, jiffies);
	return true;
}

bool rvmt_shortage_lasts(void)
{
	return time_before(jiffies, READ_ONCE(noted) + RVMT_SHORTAGE_LASTS);
}

int rvmt_shortage_times(void)
{
	return atomic_read(&eased);
}

void rvmt_shortage_wait(int seen)
{
	wait_event_killable_timeout(waiting, atomic_read(&eased) != seen, RVMT_SHORTAGE_WAIT);
}

void rvmt_shortage_eased(void)
{
	atomic_inc(&eased);
	wake_up_all(&waiting);
}
