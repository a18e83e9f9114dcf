// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory pressure: the module tells when the kernel is short of memory that dirty pages fill. */
#include <errno.h>
#include <linux/rvm_track.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "err.h"
#include "netlink.h"
#include "pressure.h"
#include "truncate.h"

/*
 * What fails here fails again in the next truncation, which tells.  Others wait for this thread
 * when there is no memory, so that its own page faults should not wait for it; where that is not
 * allowed, they do so with a bound.
 */
static void *run(void *arg)
{
	struct pressure *pressure = arg;

	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	while (netlink_wait(pressure->nl, RVM_TRACK_CMD_EVENT_PRESSURE, pressure->stop))
		truncate_relieve(pressure->truncator);
	return NULL;
}

static int start_thread(struct pressure *pressure)
{
	int err;

	pressure->stop = eventfd(0, EFD_CLOEXEC);
	if (pressure->stop < 0)
		return err_set(errno, "eventfd: %s", strerror(errno));
	err = pthread_create(&pressure->thread, NULL, run, pressure);
	if (!err)
		return 0;
	close(pressure->stop);
	return err_set(ENOMEM, "no thread for memory pressure: %s", strerror(err));
}

int pressure_start(struct pressure *pressure, struct truncator *truncator)
{
	int err;

	if (pressure->running)
		return 0;
	pressure->truncator = truncator;
	err = netlink_open(&pressure->nl);
	if (err)
		return err;
	err = netlink_listen(pressure->nl);
	if (!err)
		err = start_thread(pressure);
	if (err)
		netlink_close(pressure->nl);
	else
		pressure->running = true;
	return err;
}

void pressure_stop(struct pressure *pressure)
{
	if (!pressure->running)
		return;
	eventfd_write(pressure->stop, 1);
	pthread_join(pressure->thread, NULL);
	close(pressure->stop);
	netlink_close(pressure->nl);
	pressure->running = false;
}
