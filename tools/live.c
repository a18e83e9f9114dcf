// SPDX-License-Identifier: LGPL-2.1-or-later
/* The live regions of the kernel module, as one look shows them. */
#include <errno.h>
#include <stdlib.h>

#include "err.h"
#include "live.h"

static void add(void *arg, const struct netlink_stats *stats)
{
	struct live *live = arg;
	struct netlink_stats *more;

	more = realloc(live->region, (live->n + 1) * sizeof(*more));
	if (!more) {
		live->incomplete = true;
		return;
	}
	more[live->n++] = *stats;
	live->region = more;
}

int live_look(struct netlink *nl, struct live *live)
{
	int err;

	*live = (struct live){ 0 };
	err = netlink_each(nl, add, live);
	if (!err && live->incomplete)
		err = err_set(ENOMEM, "out of memory for regions");
	return err;
}

void live_free(struct live *live)
{
	free(live->region);
	*live = (struct live){ 0 };
}
