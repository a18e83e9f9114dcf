// SPDX-License-Identifier: LGPL-2.1-or-later
/* Ends of transactions in regions of the module, which travel together. */
#include <errno.h>
#include <linux/rvm_track.h>
#include <stdint.h>

#include "err.h"
#include "kmod_area.h"
#include "kmod_ends.h"
#include "netlink.h"

void kmod_ends_init(struct kmod_ends *ends, struct netlink *nl)
{
	ends->nl = nl;
	ends->n = 0;
	ends->err = 0;
}

int kmod_ends_send(struct kmod_ends *ends)
{
	int err = ends->n ? netlink_end(ends->nl, ends->end, ends->n) : 0;

	if (err && !ends->err)
		ends->err = err_add(-EIO, "the end of a tracked transaction: ");
	ends->n = 0;
	return ends->err;
}

void kmod_ends_add(struct kmod_ends *ends, const struct kmod_area *area, uint32_t tid,
		   uint64_t lsn, uint32_t flags)
{
	if (ends->n == NETLINK_ENDS_MAX)
		kmod_ends_send(ends);
	ends->end[ends->n++] = (struct netlink_end) {
		.fd = area->fd,
		.tid = tid,
		.lsn = lsn,
		.flags = flags,
		.first = &area->ctl->tx[tid % RVM_TRACK_TXS].first,
	};
}
