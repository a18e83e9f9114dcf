// SPDX-License-Identifier: GPL-2.0
/* Requests to write pages back, which are answered when that is done. */

#include <linux/file.h>
#include <linux/init.h>
#include <linux/rvm_track.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>

#include "event.h"
#include "region.h"
#include "request.h"
#include "vma.h"
#include "writeback.h"

unsigned int rvmt_request_most = RVMT_REQUESTS_DEFAULT;

static struct workqueue_struct *queue;

/**
 * struct request - a WRITEBACK on its way
 * @work: runs it: I/O in the command would hold all of generic netlink up
 * @file: the region; its reference keeps the module as well
 * @net: where the asker is
 * @portid: who asked
 * @seq: of the question
 * @reply: room for the answer, taken before there is anything to tell
 * @wb: what is asked for
 * @list: pages, if they are not a range
 */
struct request {
	struct work_struct work;
	struct file *file;
	struct net *net;
	u32 portid;
	u32 seq;
	struct sk_buff *reply;
	struct rvmt_wb wb;
	u64 list[];
};

static int fill_written(struct sk_buff *skb, const struct rvmt_wb *wb)
{
	if (nla_put_u64_64bit(skb, RVM_TRACK_A_WRITTEN, wb->written, RVM_TRACK_A_PAD) ||
	    nla_put_s32(skb, RVM_TRACK_A_ERROR, wb->error))
		return -EMSGSIZE;
	if (!wb->busy_count)
		return 0;
	if (nla_put_u64_64bit(skb, RVM_TRACK_A_BUSY_COUNT, wb->busy_count, RVM_TRACK_A_PAD))
		return -EMSGSIZE;
	return nla_put(skb, RVM_TRACK_A_BUSY, wb->nr_busy * sizeof(*wb->busy), wb->busy);
}

/* Whoever asked may be gone by now. */
static void reply_written(struct request *request)
{
	struct sk_buff *skb = request->reply;
	void *header;

	header = genlmsg_put(skb, request->portid, request->seq, &rvmt_family, 0,
			     RVM_TRACK_CMD_WRITEBACK);
	if (WARN_ON_ONCE(!header || fill_written(skb, &request->wb)))
		return;
	genlmsg_end(skb, header);
	request->reply = NULL;
	genlmsg_unicast(request->net, skb, request->portid);
}

static void free_request(struct request *request)
{
	if (request->net)
		put_net(request->net);
	if (request->file)
		fput(request->file);
	nlmsg_free(request->reply);
	kvfree(request->wb.busy);
	kvfree(request);
}

static void run_request(struct work_struct *work)
{
	struct request *request = container_of(work, struct request, work);
	struct rvmt_region *region = rvmt_vma_region(request->file);

	rvmt_writeback(region, &request->wb);
	atomic_dec(&region->requests);
	reply_written(request);
	free_request(request);
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static int parse_list(struct genl_info *info, struct request *request, u64 pages)
{
	const struct nlattr *attr = info->attrs[RVM_TRACK_A_PAGES];
	struct rvmt_wb *wb = &request->wb;

	wb->count = nla_len(attr) / sizeof(u64);
	if (!wb->count || nla_len(attr) % sizeof(u64))
		return REFUSE(info, -EINVAL, "the list of pages is empty or torn");
	nla_memcpy(request->list, attr, nla_len(attr));
	sort(request->list, wb->count, sizeof(u64), compare_u64, NULL);
	if (request->list[wb->count - 1] >= pages)
		return REFUSE(info, -ERANGE, "a page lies outside the region");
	wb->list = request->list;
	wb->max_busy = wb->count;
	return 0;
}

static int parse_pages(struct genl_info *info, struct request *request, u64 pages)
{
	struct nlattr *first = info->attrs[RVM_TRACK_A_FIRST];
	struct nlattr *count = info->attrs[RVM_TRACK_A_COUNT];
	struct rvmt_wb *wb = &request->wb;

	if (!first == !info->attrs[RVM_TRACK_A_PAGES] || !first != !count)
		return REFUSE(info, -EINVAL, "give either first and count, or a list of pages");
	if (!first)
		return parse_list(info, request, pages);
	if (!nla_get_u64(count))
		return REFUSE(info, -EINVAL, "the count of pages is 0");
	if (nla_get_u64(first) >= pages || nla_get_u64(count) > pages - nla_get_u64(first))
		return REFUSE(info, -ERANGE, "a page lies outside the region");
	wb->first = nla_get_u64(first);
	wb->last = wb->first + nla_get_u64(count) - 1;
	wb->max_busy = min_t(u64, nla_get_u64(count), RVM_TRACK_PAGES_MAX);
	return 0;
}

static struct request *new_request(struct genl_info *info, struct file *file)
{
	const struct nlattr *list = info->attrs[RVM_TRACK_A_PAGES];
	struct request *request;
	int err;

	request = kvzalloc(sizeof(*request) + (list ? nla_len(list) : 0), GFP_KERNEL_ACCOUNT);
	if (!request)
		return ERR_PTR(REFUSE(info, -ENOMEM, "no memory for the request"));
	err = parse_pages(info, request, rvmt_region_pages(rvmt_vma_region(file)));
	if (err)
		goto err_free;
	request->wb.busy = kvmalloc_array(request->wb.max_busy, sizeof(u64), GFP_KERNEL_ACCOUNT);
	request->reply = genlmsg_new(NLMSG_DEFAULT_SIZE + request->wb.max_busy * sizeof(u64),
				     GFP_KERNEL);
	if (!request->wb.busy || !request->reply) {
		err = REFUSE(info, -ENOMEM, "no memory for the request");
		goto err_free;
	}
	return request;

err_free:
	free_request(request);
	return ERR_PTR(err);
}

/* What is under way fills memory that the asker's group is not charged for. */
static int count_request(struct genl_info *info, struct rvmt_region *region)
{
	if ((unsigned int)atomic_inc_return(&region->requests) <= READ_ONCE(rvmt_request_most))
		return 0;
	atomic_dec(&region->requests);
	return REFUSE(info, -EAGAIN, "too many writebacks of the region are under way");
}

int rvmt_request_queue(struct genl_info *info, struct file *file)
{
	struct request *request = new_request(info, file);
	int err;

	if (IS_ERR(request))
		return PTR_ERR(request);
	err = count_request(info, rvmt_vma_region(file));
	if (err) {
		free_request(request);
		return err;
	}
	INIT_WORK(&request->work, run_request);
	request->file = get_file(file);
	request->net = get_net(genl_info_net(info));
	request->portid = info->snd_portid;
	request->seq = info->snd_seq;
	queue_work(queue, &request->work);
	return 0;
}

void rvmt_request_run(struct work_struct *work)
{
	queue_work(queue, work);
}

int __init rvmt_request_init(void)
{
	queue = alloc_workqueue("rvm_track", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return queue ? 0 : -ENOMEM;
}

void rvmt_request_exit(void)
{
	destroy_workqueue(queue);
}
