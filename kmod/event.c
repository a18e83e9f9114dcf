// SPDX-License-Identifier: GPL-2.0
/* What the module tells those who listen to its multicast group. */

#include <linux/rvm_track.h>
#include <linux/slab.h>
#include <net/genetlink.h>

#include "event.h"
#include "region.h"

/* A message with the attributes of all events, or NULL. */
static struct sk_buff *new_event(struct rvmt_region *region, u8 cmd, void **header)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_NOFS);

	if (!skb)
		return NULL;
	*header = genlmsg_put(skb, 0, 0, &rvmt_family, 0, cmd);
	if (*header &&
	    !nla_put_u64_64bit(skb, RVM_TRACK_A_ID, region->id, RVM_TRACK_A_PAD) &&
	    !nla_put_u32(skb, RVM_TRACK_A_PID, region->pid))
		return skb;
	nlmsg_free(skb);
	return NULL;
}

/* Nobody listening is no error, and neither is a listener who is too slow. */
static void send_event(struct rvmt_region *region, struct sk_buff *skb, void *header)
{
	genlmsg_end(skb, header);
	genlmsg_multicast_netns(&rvmt_family, region->net, skb, 0, 0, GFP_NOFS);
}

static void send_count(struct rvmt_region *region, u8 cmd, u64 count)
{
	void *header;
	struct sk_buff *skb = new_event(region, cmd, &header);

	if (!skb)
		return;
	if (nla_put_u64_64bit(skb, RVM_TRACK_A_COUNT, count, RVM_TRACK_A_PAD))
		nlmsg_free(skb);
	else
		send_event(region, skb, header);
}

void rvmt_event_owner_exit(struct rvmt_region *region, u64 count)
{
	send_count(region, RVM_TRACK_CMD_EVENT_OWNER_EXIT, count);
}

void rvmt_event_pressure(struct rvmt_region *region, u64 count)
{
	send_count(region, RVM_TRACK_CMD_EVENT_PRESSURE, count);
}

void rvmt_event_overflow(struct rvmt_region *region)
{
	void *header;
	struct sk_buff *skb = new_event(region, RVM_TRACK_CMD_EVENT_OVERFLOW, &header);

	if (skb)
		send_event(region, skb, header);
}

void rvmt_event_io_error(struct rvmt_region *region, u64 page, int error)
{
	void *header;
	struct sk_buff *skb = new_event(region, RVM_TRACK_CMD_EVENT_IO_ERROR, &header);

	if (!skb)
		return;
	if (nla_put_u64_64bit(skb, RVM_TRACK_A_PAGE, page, RVM_TRACK_A_PAD) ||
	    nla_put_s32(skb, RVM_TRACK_A_ERROR, error))
		nlmsg_free(skb);
	else
		send_event(region, skb, header);
}
