/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ends of transactions in regions of the module, which travel together. */
#ifndef RVM_LIB_KMOD_ENDS_H
#define RVM_LIB_KMOD_ENDS_H

#include <stddef.h>
#include <stdint.h>

#include "kmod_area.h"
#include "netlink.h"

/**
 * struct kmod_ends - transactions that end in regions, on their way to the module
 * @nl: the client; a command names its region, so that any client may send it
 * @end: which
 * @n: how many
 * @err: what failed first
 */
struct kmod_ends {
	struct netlink *nl;
	struct netlink_end end[NETLINK_ENDS_MAX];
	size_t n;
	int err;
};

/** kmod_ends_init() - none yet, for a client to send */
void kmod_ends_init(struct kmod_ends *ends, struct netlink *nl);

/**
 * kmod_ends_add() - a transaction ends in a region; those before may be sent for want of room
 * @ends: to add to
 * @area: the region
 * @tid: the transaction
 * @lsn: end of its log record
 * @flags: enum rvm_track_end_flags
 */
void kmod_ends_add(struct kmod_ends *ends, const struct kmod_area *area, uint32_t tid,
		   uint64_t lsn, uint32_t flags);

/**
 * kmod_ends_send() - send those that were not sent yet
 * @ends: none is left there afterwards
 *
 * Return: 0, or -EIO if one of all that were added failed, with a text.
 */
int kmod_ends_send(struct kmod_ends *ends);

#endif
