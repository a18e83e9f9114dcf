// SPDX-License-Identifier: GPL-2.0
/* A region: its identity, its shared areas and what it counts. */

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <net/net_namespace.h>

#include "page.h"
#include "region.h"
#include "trace.h"

static_assert(PAGE_SIZE == RVM_TRACK_PAGE_SIZE);
static_assert(PAGE_SIZE % sizeof(struct rvm_track_word) == 0);
static_assert(PAGE_SIZE % sizeof(struct rvm_track_slot) == 0);
static_assert(sizeof(struct rvm_track_ctl) % PAGE_SIZE == 0);

unsigned int rvmt_region_most = RVMT_REGIONS_DEFAULT;

static DEFINE_MUTEX(regions_mutex);	/* protects the two below */
static LIST_HEAD(regions);
static u64 last_id;

static void init_chain(struct rvmt_tx *tx, struct rvm_track_tx *shared)
{
	INIT_LIST_HEAD(&tx->pages);
	tx->shared = shared;
}

static void init_region(struct rvmt_region *region)
{
	unsigned int i;

	INIT_LIST_HEAD(&region->link);
	INIT_LIST_HEAD(&region->loose);
	INIT_LIST_HEAD(&region->idle);
	xa_init_flags(&region->words, XA_FLAGS_ACCOUNT);
	xa_init_flags(&region->descs, XA_FLAGS_ACCOUNT);
	xa_init_flags(&region->arena, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	mutex_init(&region->tx_mutex);
	init_waitqueue_head(&region->ended);
	mutex_init(&region->wb_mutex);
	spin_lock_init(&region->lock);
	init_chain(&region->hot, &region->ctl->hot);
	for (i = 0; i < RVM_TRACK_TXS; i++)
		init_chain(&region->tx[i], &region->ctl->tx[i]);
}

static struct rvm_track_ctl *new_ctl(const struct rvmt_region *region)
{
	struct rvm_track_ctl *ctl;

	ctl = __vmalloc(sizeof(*ctl), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!ctl)
		return NULL;
	ctl->version = RVM_TRACK_GENL_VERSION;
	ctl->flags = region->flags;
	ctl->length = region->length;
	ctl->slots = region->slots;
	return ctl;
}

struct rvmt_region *rvmt_region_new(struct file *seg, loff_t offset, u64 length, u32 slots,
				    u32 flags, struct net *net)
{
	struct rvmt_region *region = kvzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);

	if (!region)
		return NULL;
	region->offset = offset;
	region->length = length;
	region->slots = slots;
	region->flags = flags;
	region->ctl = new_ctl(region);
	if (!region->ctl) {
		kvfree(region);
		return NULL;
	}
	init_region(region);
	region->seg = get_file(seg);
	region->owner = get_pid(task_tgid(current));
	region->pid = task_tgid_vnr(current);
	region->uid = current_uid();
	region->net = get_net(net);
	return region;
}

static bool overlap(const struct rvmt_region *a, const struct rvmt_region *b)
{
	return a->seg->f_mapping == b->seg->f_mapping &&
	       a->offset < b->offset + b->length && b->offset < a->offset + a->length;
}

int rvmt_region_claim(struct rvmt_region *region)
{
	struct rvmt_region *other;
	unsigned int others = 0;
	int err = 0;

	mutex_lock(&regions_mutex);
	list_for_each_entry(other, &regions, link) {
		if (overlap(region, other)) {
			err = -EBUSY;
			goto out;
		}
		others += uid_eq(other->uid, region->uid);
	}
	if (others >= READ_ONCE(rvmt_region_most)) {
		err = -EDQUOT;
		goto out;
	}
	region->id = ++last_id;
	list_add_tail(&region->link, &regions);
out:
	mutex_unlock(&regions_mutex);
	return err;
}

static void free_area(struct xarray *area)
{
	struct page *page;
	unsigned long index;

	xa_for_each(area, index, page)
		put_page(page);
	xa_destroy(area);
}

void rvmt_region_free(struct rvmt_region *region)
{
	mutex_lock(&regions_mutex);
	list_del(&region->link);
	mutex_unlock(&regions_mutex);

	trace_rvm_track_region_destroy(region->id);
	WARN_ON_ONCE(region->vmas || region->nr_owned || region->hot.count || region->nr_loose);
	rvmt_page_free_list(&region->idle);
	free_area(&region->arena);
	free_area(&region->descs);
	free_area(&region->words);
	put_net(region->net);
	put_pid(region->owner);
	fput(region->seg);
	vfree(region->ctl);
	kvfree(region);
}

int rvmt_region_each(u64 after, int (*fn)(struct rvmt_region *region, void *arg), void *arg)
{
	struct rvmt_region *region;
	int ret = 0;

	mutex_lock(&regions_mutex);
	list_for_each_entry(region, &regions, link) {
		/* It is in the list before it has a page cache. */
		if (region->id <= after || !smp_load_acquire(&region->inode))
			continue;
		ret = fn(region, arg);
		if (ret)
			break;
	}
	mutex_unlock(&regions_mutex);
	return ret;
}

u64 rvmt_region_writable(struct rvmt_region *region)
{
	s64 dirty = atomic64_read(&region->stats.dirty) + atomic64_read(&region->kept), owned;

	spin_lock(&region->lock);
	owned = region->nr_owned + region->hot.count;
	spin_unlock(&region->lock);
	return dirty > owned ? dirty - owned : 0;
}

unsigned long rvmt_region_all_writable(void)
{
	struct rvmt_region *region;
	unsigned long n = 0;

	if (!mutex_trylock(&regions_mutex))
		return 0;
	list_for_each_entry(region, &regions, link)
		n += rvmt_region_writable(region);
	mutex_unlock(&regions_mutex);
	return n;
}

u64 rvmt_region_thread(const struct rvmt_region *region, u32 thread)
{
	u32 at = rvm_track_thread_hash(thread), i;
	u64 entry;

	for (i = 0; i < RVM_TRACK_PROBES; i++, at++) {
		entry = READ_ONCE(region->ctl->thread[at % RVM_TRACK_THREADS]);
		if (RVM_TRACK_THREAD_ID(entry) == thread)
			return entry;
	}
	return 0;
}

struct page *rvmt_area_page(struct xarray *area, unsigned long index)
{
	struct page *page = xa_load(area, index), *old;

	if (page)
		return page;
	page = alloc_page(GFP_NOFS | __GFP_ACCOUNT | __GFP_ZERO);
	if (!page)
		return NULL;
	old = xa_cmpxchg(area, index, NULL, page, GFP_NOFS);
	if (!old)
		return page;
	put_page(page);
	return xa_is_err(old) ? NULL : old;
}

/* An entry of an area whose entries fill its pages without a gap. */
static __always_inline void *area_entry(struct xarray *area, unsigned long i, size_t size)
{
	struct page *page = rvmt_area_page(area, i * size / PAGE_SIZE);

	return page ? page_address(page) + i * size % PAGE_SIZE : NULL;
}

struct rvm_track_word *rvmt_region_word(struct rvmt_region *region, pgoff_t index)
{
	return area_entry(&region->words, index, sizeof(struct rvm_track_word));
}

struct rvm_track_slot *rvmt_region_desc(struct rvmt_region *region, u32 slot)
{
	return area_entry(&region->descs, slot, sizeof(struct rvm_track_slot));
}
