// SPDX-License-Identifier: GPL-2.0
/* What the module tells those who listen to its multicast group. */

#include <linux/rvm_track.h>
#include <linux/slab.h>
#include <net/genetlink.h>

#include "event.h"
#include "region.h"

/* Nobody listening is no error, and neither is a listener who is too slow. */
static void send_event(struct rvmt_region *region, u8 cmd, int attr, u64 value, int error)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_NOFS);
	void *header;

	if (!skb)
		return;
	header = genlmsg_put(skb, 0, 0, &rvmt_family, 0, cmd);
	if (!header ||
	    nla_put_u64_64bit(skb, RVM_TRACK_A_ID, region->id, RVM_TRACK_A_PAD) ||
	    nla_put_u32(skb, RVM_TRACK_A_PID, region->pid) ||
	    (attr && nla_put_u64_64bit(skb, attr, value, RVM_TRACK_A_PAD)) ||
	    (error && nla_put_s32(skb, RVM_TRACK_A_ERROR, error))) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast_netns(&rvmt_family, region->net, skb, 0, 0, GFP_NOFS);
}

void rvmt_event_owner_exit(struct rvmt_region *region, u64 count)
{
	send_event(region, RVM_TRACK_CMD_EVENT_OWNER_EXIT, RVM_TRACK_A_COUNT, count, 0);
}

void rvmt_event_pressure(struct rvmt_region *region, u64 count)
{
	send_event(region, RVM_TRACK_CMD_EVENT_PRESSURE, RVM_TRACK_A_COUNT, count, 0);
}

void rvmt_event_overflow(struct rvmt_region *region)
{
	send_event(region, RVM_TRACK_CMD_EVENT_OVERFLOW, 0, 0, 0);
}

void rvmt_event_io_error(struct rvmt_region *region, u64 page, int error)
{
	send_event(region, RVM_TRACK_CMD_EVENT_IO_ERROR, RVM_TRACK_A_PAGE, page, error);
}
