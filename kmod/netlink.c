// SPDX-License-Identifier: GPL-2.0
/* The commands of the generic netlink family. */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/rvm_track.h>
#include <linux/sched.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "compat.h"
#include "end.h"
#include "event.h"
#include "inode.h"
#include "netlink.h"
#include "page.h"
#include "region.h"
#include "request.h"
#include "trace.h"
#include "vma.h"

unsigned int rvmt_netlink_slots = RVMT_SLOTS_DEFAULT;

/*
 * A descriptor in a message means a file of whoever sends it.  Somebody else
 * may have opened the socket and left it to a more privileged program to write
 * to: then the message is not that program's wish.
 */
static int check_sender(struct sk_buff *skb, struct genl_info *info)
{
	const struct sock *sk = NETLINK_CB(skb).sk;
	const struct cred *opener, *sender = current_cred();

	if (!sk || !sk->sk_socket || !sk->sk_socket->file)
		return REFUSE(info, -EPERM, "the socket has no file");
	opener = sk->sk_socket->file->f_cred;
	if (opener == sender)
		return 0;
	if (uid_eq(opener->euid, sender->euid) && opener->user_ns == sender->user_ns &&
	    cap_issubset(sender->cap_effective, opener->cap_effective))
		return 0;
	return REFUSE(info, -EPERM, "the socket was opened with other credentials");
}

static int check_region(struct genl_info *info, const struct file *file, bool owner)
{
	const struct rvmt_region *region = rvmt_vma_region(file);

	if (!region)
		return REFUSE(info, -EINVAL, "the file descriptor is not a region");
	if (owner && region->owner != task_tgid(current))
		return REFUSE(info, -EPERM, "the region belongs to another process");
	return 0;
}

/* Before each command: get the file that it is about, a segment or a region. */
static int get_command_file(const rvmt_genl_ops *ops, struct sk_buff *skb, struct genl_info *info)
{
	bool create = ops->cmd == RVM_TRACK_CMD_REGION_CREATE;
	const struct nlattr *fd = info->attrs[create ? RVM_TRACK_A_SEG_FD : RVM_TRACK_A_FD];
	struct file *file;
	int err;

	err = check_sender(skb, info);
	if (err)
		return err;
	if (!fd)
		return REFUSE(info, -EINVAL, "a file descriptor is missing");
	file = fget(nla_get_s32(fd));
	if (!file)
		return REFUSE(info, -EBADF, "no such file descriptor");
	if (!create)
		err = check_region(info, file, ops->cmd != RVM_TRACK_CMD_REGION_GET);
	if (err)
		fput(file);
	else
		info->user_ptr[0] = file;
	return err;
}

/* After each command that had its file. */
static void put_command_file(const rvmt_genl_ops *ops, struct sk_buff *skb, struct genl_info *info)
{
	fput(info->user_ptr[0]);
}

static struct rvmt_region *region_of(const struct genl_info *info)
{
	return rvmt_vma_region(info->user_ptr[0]);
}

static u32 flags_of(const struct genl_info *info)
{
	return info->attrs[RVM_TRACK_A_FLAGS] ? nla_get_u32(info->attrs[RVM_TRACK_A_FLAGS]) : 0;
}

/* May this file be a segment? */
static int check_segment(struct genl_info *info, const struct file *seg)
{
	const struct inode *inode = seg->f_mapping->host;

	if (rvmt_vma_region(seg))
		return REFUSE(info, -ELOOP, "the segment is itself a region");
	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return REFUSE(info, -EINVAL, "the segment is no regular file or block device");
	if (!(seg->f_mode & FMODE_READ) || !(seg->f_mode & FMODE_WRITE))
		return REFUSE(info, -EACCES, "the segment is not open for reading and writing");
	if (seg->f_flags & O_APPEND)
		return REFUSE(info, -EINVAL, "the segment is open with O_APPEND");
	if (!seg->f_op->read_iter || !seg->f_op->write_iter || !seg->f_op->fsync)
		return REFUSE(info, -EINVAL, "the segment cannot be read, written or synced");
	if (IS_SWAPFILE(inode))
		return REFUSE(info, -ETXTBSY, "the segment is a swap file");
	return 0;
}

static int check_range(struct genl_info *info, const struct file *seg, u64 offset, u64 length)
{
	if (!length || !PAGE_ALIGNED(length) || !PAGE_ALIGNED(offset))
		return REFUSE(info, -EINVAL, "offset or length is not a multiple of the page size");
	if (length > RVM_TRACK_LENGTH_MAX || offset > LLONG_MAX || length > LLONG_MAX - offset)
		return REFUSE(info, -EOVERFLOW, "offset plus length is too large");
	if (i_size_read(seg->f_mapping->host) < offset + length)
		return REFUSE(info, -ENXIO, "the segment is too small");
	return 0;
}

static int check_region_flags(struct genl_info *info, u32 flags)
{
	if (flags & ~(RVM_TRACK_REGION_STRICT | RVM_TRACK_REGION_DISJOINT | RVM_TRACK_REGION_WAIT))
		return REFUSE(info, -EINVAL, "unknown flag");
	if (flags & RVM_TRACK_REGION_DISJOINT && !(flags & RVM_TRACK_REGION_STRICT))
		return REFUSE(info, -EINVAL, "transactions can share a strict region only");
	if (flags & RVM_TRACK_REGION_WAIT && !(flags & RVM_TRACK_REGION_DISJOINT))
		return REFUSE(info, -EINVAL, "nothing waits where transactions share no region");
	return 0;
}

/* Check all that is asked for, and make the region; it is not yet reachable. */
static struct rvmt_region *new_region(struct genl_info *info)
{
	struct file *seg = info->user_ptr[0];
	u64 offset = nla_get_u64(info->attrs[RVM_TRACK_A_OFFSET]);
	u64 length = nla_get_u64(info->attrs[RVM_TRACK_A_LENGTH]);
	u32 slots = READ_ONCE(rvmt_netlink_slots), flags = flags_of(info);
	struct rvmt_region *region;
	int err;

	if (info->attrs[RVM_TRACK_A_SLOTS])
		slots = nla_get_u32(info->attrs[RVM_TRACK_A_SLOTS]);
	if (!slots || slots > RVMT_SLOTS_MAX)
		return ERR_PTR(REFUSE(info, -EINVAL, "no or too many slots"));
	err = check_region_flags(info, flags) ?: check_segment(info, seg) ?:
	      check_range(info, seg, offset, length);
	if (err)
		return ERR_PTR(err);
	region = rvmt_region_new(seg, offset, length, slots, flags, genl_info_net(info));
	if (!region)
		return ERR_PTR(REFUSE(info, -ENOMEM, "no memory for the region"));
	err = rvmt_region_claim(region);
	if (!err)
		return region;
	rvmt_region_free(region);
	if (err == -EDQUOT)
		return ERR_PTR(REFUSE(info, err, "the user has too many regions"));
	return ERR_PTR(REFUSE(info, err, "another live region overlaps"));
}

static struct file *new_region_file(struct genl_info *info)
{
	struct rvmt_region *region = new_region(info);
	struct file *file;

	if (IS_ERR(region))
		return ERR_CAST(region);
	file = rvmt_inode_file(region, &rvmt_vma_fops, &rvmt_page_aops);
	if (!IS_ERR(file)) {
		trace_rvm_track_region_create(region->id, region->offset, region->length,
					      region->slots, region->flags);
		return file;
	}
	rvmt_region_free(region);
	return ERR_PTR(REFUSE(info, PTR_ERR(file), "no file for the region"));
}

static int put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, RVM_TRACK_A_PAD);
}

static int reply_created(struct genl_info *info, int fd, u64 id)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *header;

	if (!skb)
		return -ENOMEM;
	header = genlmsg_put_reply(skb, info, &rvmt_family, 0, RVM_TRACK_CMD_REGION_CREATE);
	if (!header || nla_put_s32(skb, RVM_TRACK_A_FD, fd) || put_u64(skb, RVM_TRACK_A_ID, id)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return genlmsg_reply(skb, info);
}

static int install_region(struct genl_info *info, struct file *file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC), err;

	if (fd < 0)
		return REFUSE(info, fd, "no file descriptor is free");
	err = reply_created(info, fd, rvmt_vma_region(file)->id);
	if (err) {
		put_unused_fd(fd);
		return REFUSE(info, err, "the answer could not be sent");
	}
	fd_install(fd, file);
	return 0;
}

static int region_create(struct sk_buff *skb, struct genl_info *info)
{
	struct file *file;
	int err;

	if (!info->attrs[RVM_TRACK_A_OFFSET] || !info->attrs[RVM_TRACK_A_LENGTH])
		return REFUSE(info, -EINVAL, "offset or length is missing");
	file = new_region_file(info);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = install_region(info, file);
	if (err)
		fput(file);
	return err;
}

static int check_end_flags(struct genl_info *info, const struct rvmt_region *region, u32 flags)
{
	if (flags & ~(RVM_TRACK_END_ABORT | RVM_TRACK_END_STRAYS | RVM_TRACK_END_KEEP |
		      RVM_TRACK_END_HOT))
		return REFUSE(info, -EINVAL, "unknown flag");
	if (!(flags & RVM_TRACK_END_KEEP))
		return 0;
	if (flags & RVM_TRACK_END_ABORT)
		return REFUSE(info, -EINVAL, "an abort keeps no page writable");
	if (region->flags & RVM_TRACK_REGION_STRICT)
		return REFUSE(info, -EINVAL, "a strict region keeps no page writable");
	return 0;
}

/* Strays and hot pages may be ended without a transaction, which is tid 0. */
static int check_end(struct genl_info *info, const struct rvmt_region *region, u32 flags)
{
	u32 tid;
	int err;

	err = check_end_flags(info, region, flags);
	if (err)
		return err;
	if (!info->attrs[RVM_TRACK_A_TID])
		return REFUSE(info, -EINVAL, "the transaction is missing");
	tid = nla_get_u32(info->attrs[RVM_TRACK_A_TID]);
	if (!rvmt_region_tid_ok(tid) &&
	    (tid || !(flags & (RVM_TRACK_END_STRAYS | RVM_TRACK_END_HOT))))
		return REFUSE(info, -EINVAL, "no transaction can have this id");
	return 0;
}

static int tx_end(struct sk_buff *skb, struct genl_info *info)
{
	struct rvmt_region *region = region_of(info);
	u32 flags = flags_of(info);
	u64 lsn = 0;
	int err;

	err = check_end(info, region, flags);
	if (err)
		return err;
	if (info->attrs[RVM_TRACK_A_LSN])
		lsn = nla_get_u64(info->attrs[RVM_TRACK_A_LSN]);
	rvmt_end_tx(region, nla_get_u32(info->attrs[RVM_TRACK_A_TID]), lsn, flags);
	return 0;
}

static int arm(struct sk_buff *skb, struct genl_info *info)
{
	rvmt_end_loose(region_of(info));
	return 0;
}

static int writeback(struct sk_buff *skb, struct genl_info *info)
{
	return rvmt_request_queue(info, info->user_ptr[0]);
}

static int fill_stats(struct sk_buff *skb, struct rvmt_region *region)
{
	const struct rvmt_stats *stats = &region->stats;
	u64 owned, stray, hot;

	spin_lock(&region->lock);
	owned = region->nr_owned;
	stray = region->tx[0].count;
	hot = region->hot.count;
	spin_unlock(&region->lock);
	/* The page cache counts its pages under its own lock; the newest number is of no use. */
	if (put_u64(skb, RVM_TRACK_A_STAT_RESIDENT, data_race(region->inode->i_mapping->nrpages)) ||
	    put_u64(skb, RVM_TRACK_A_STAT_OWNED, owned) ||
	    put_u64(skb, RVM_TRACK_A_STAT_STRAY, stray) ||
	    put_u64(skb, RVM_TRACK_A_STAT_FIRST_WRITES, atomic64_read(&stats->first_writes)) ||
	    put_u64(skb, RVM_TRACK_A_STAT_WRITTEN, atomic64_read(&stats->written)) ||
	    put_u64(skb, RVM_TRACK_A_STAT_BUSY, atomic64_read(&stats->busy)) ||
	    put_u64(skb, RVM_TRACK_A_STAT_READ, atomic64_read(&stats->read)) ||
	    put_u64(skb, RVM_TRACK_A_STAT_ROLLED_BACK, atomic64_read(&stats->rolled_back)) ||
	    put_u64(skb, RVM_TRACK_A_STAT_HOT, hot) ||
	    put_u64(skb, RVM_TRACK_A_STAT_DIRTY, atomic64_read(&stats->dirty)) ||
	    put_u64(skb, RVM_TRACK_A_STAT_CONFLICTS, atomic64_read(&stats->conflicts)))
		return -EMSGSIZE;
	return 0;
}

static int fill_region(struct sk_buff *skb, struct rvmt_region *region, void *header)
{
	if (!header ||
	    put_u64(skb, RVM_TRACK_A_ID, region->id) ||
	    put_u64(skb, RVM_TRACK_A_OFFSET, region->offset) ||
	    put_u64(skb, RVM_TRACK_A_LENGTH, region->length) ||
	    nla_put_u32(skb, RVM_TRACK_A_SLOTS, region->slots) ||
	    nla_put_u32(skb, RVM_TRACK_A_FLAGS, region->flags) ||
	    nla_put_u32(skb, RVM_TRACK_A_PID, region->pid) ||
	    fill_stats(skb, region)) {
		genlmsg_cancel(skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, header);
	return 0;
}

static int region_get(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *header;
	int err;

	if (!reply)
		return REFUSE(info, -ENOMEM, "the answer could not be sent");
	header = genlmsg_put_reply(reply, info, &rvmt_family, 0, RVM_TRACK_CMD_REGION_GET);
	err = fill_region(reply, region_of(info), header);
	if (err)
		nlmsg_free(reply);
	else
		err = genlmsg_reply(reply, info);
	return err ? REFUSE(info, err, "the answer could not be sent") : 0;
}

/**
 * struct dump - a dump of the regions
 * @skb: where to
 * @cb: args[0] is the id of the last region in it
 */
struct dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
};

static int dump_one(struct rvmt_region *region, void *arg)
{
	struct dump *dump = arg;
	void *header;
	int err;

	if (!uid_eq(region->uid, current_uid()) && !capable(CAP_SYS_ADMIN))
		return 0;
	header = genlmsg_put(dump->skb, NETLINK_CB(dump->cb->skb).portid,
			     dump->cb->nlh->nlmsg_seq, &rvmt_family, NLM_F_MULTI,
			     RVM_TRACK_CMD_REGION_GET);
	err = fill_region(dump->skb, region, header);
	if (!err)
		dump->cb->args[0] = region->id;
	return err;
}

static int region_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump dump = { .skb = skb, .cb = cb };
	int err = rvmt_region_each(cb->args[0], dump_one, &dump);

	return err && !skb->len ? err : skb->len;
}

static const struct nla_policy create_policy[RVM_TRACK_A_MAX + 1] = {
	[RVM_TRACK_A_SEG_FD] = { .type = NLA_S32 },
	[RVM_TRACK_A_OFFSET] = { .type = NLA_U64 },
	[RVM_TRACK_A_LENGTH] = { .type = NLA_U64 },
	[RVM_TRACK_A_SLOTS] = { .type = NLA_U32 },
	[RVM_TRACK_A_FLAGS] = { .type = NLA_U32 },
};

static const struct nla_policy end_policy[RVM_TRACK_A_MAX + 1] = {
	[RVM_TRACK_A_FD] = { .type = NLA_S32 },
	[RVM_TRACK_A_TID] = { .type = NLA_U32 },
	[RVM_TRACK_A_LSN] = { .type = NLA_U64 },
	[RVM_TRACK_A_FLAGS] = { .type = NLA_U32 },
};

static const struct nla_policy fd_policy[RVM_TRACK_A_MAX + 1] = {
	[RVM_TRACK_A_FD] = { .type = NLA_S32 },
};

static const struct nla_policy writeback_policy[RVM_TRACK_A_MAX + 1] = {
	[RVM_TRACK_A_FD] = { .type = NLA_S32 },
	[RVM_TRACK_A_FIRST] = { .type = NLA_U64 },
	[RVM_TRACK_A_COUNT] = { .type = NLA_U64 },
	[RVM_TRACK_A_PAGES] = {
		.type = NLA_BINARY,
		.len = RVM_TRACK_PAGES_MAX * sizeof(u64),
	},
};

static const struct genl_ops ops[] = {
	{
		.cmd = RVM_TRACK_CMD_REGION_CREATE,
		.doit = region_create,
		.policy = create_policy,
	}, {
		.cmd = RVM_TRACK_CMD_TX_END,
		.doit = tx_end,
		.policy = end_policy,
	}, {
		.cmd = RVM_TRACK_CMD_ARM,
		.doit = arm,
		.policy = fd_policy,
	}, {
		.cmd = RVM_TRACK_CMD_WRITEBACK,
		.doit = writeback,
		.policy = writeback_policy,
	}, {
		.cmd = RVM_TRACK_CMD_REGION_GET,
		.doit = region_get,
		.dumpit = region_dump,
		.policy = fd_policy,
	},
};

static const struct genl_multicast_group groups[] = {
	{ .name = RVM_TRACK_GENL_MCGRP_EVENTS },
};

struct genl_family rvmt_family __ro_after_init = {
	.name = RVM_TRACK_GENL_NAME,
	.version = RVM_TRACK_GENL_VERSION,
	.maxattr = RVM_TRACK_A_MAX,
	.module = THIS_MODULE,
	.netnsok = true,
	.parallel_ops = true,
	.pre_doit = get_command_file,
	.post_doit = put_command_file,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

int __init rvmt_netlink_init(void)
{
	return genl_register_family(&rvmt_family);
}

void rvmt_netlink_exit(void)
{
	genl_unregister_family(&rvmt_family);
}
