// SPDX-License-Identifier: GPL-2.0
/* The region file and its mappings. */

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "conflict.h"
#include "end.h"
#include "page.h"
#include "region.h"
#include "track.h"
#include "vma.h"
#include "writeback.h"

/* The kinds of mappings are 2^60 bytes of file offset apart. */
#define KIND_SHIFT	(60 - PAGE_SHIFT)
#define KIND_MASK	((1UL << KIND_SHIFT) - 1)

enum kind {
	KIND_DATA = RVM_TRACK_MMAP_DATA >> 60,
	KIND_CTL = RVM_TRACK_MMAP_CTL >> 60,
	KIND_WORDS = RVM_TRACK_MMAP_WORDS >> 60,
	KIND_SLOTS = RVM_TRACK_MMAP_SLOTS >> 60,
	KIND_ARENA = RVM_TRACK_MMAP_ARENA >> 60,
};

static struct rvmt_region *region_of(const struct vm_area_struct *vma)
{
	return file_inode(vma->vm_file)->i_private;
}

/* How many pages an area has, 0 for no area. */
static unsigned long area_pages(const struct rvmt_region *region, unsigned long kind)
{
	switch (kind) {
	case KIND_DATA:
		return rvmt_region_pages(region);
	case KIND_CTL:
		return sizeof(struct rvm_track_ctl) >> PAGE_SHIFT;
	case KIND_WORDS:
		return DIV_ROUND_UP(rvmt_region_pages(region) * sizeof(struct rvm_track_word),
				    PAGE_SIZE);
	case KIND_SLOTS:
		return DIV_ROUND_UP((region->slots + 1UL) * sizeof(struct rvm_track_slot),
				    PAGE_SIZE);
	case KIND_ARENA:
		return region->slots + 1UL;
	}
	return 0;
}

/*
 * madvise(MADV_DOFORK) brings a mapping into a child in spite of VM_DONTCOPY.
 * It must not work there: the child's writes are nobody's and would outlive
 * the parent, which the rollback waits for.
 */
static bool foreign(const struct vm_area_struct *vma)
{
	return vma->vm_mm != READ_ONCE(region_of(vma)->mm);
}

static vm_fault_t data_fault(struct vm_fault *vmf)
{
	return foreign(vmf->vma) ? VM_FAULT_SIGBUS : filemap_fault(vmf);
}

static vm_fault_t data_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return foreign(vmf->vma) ? 0 : filemap_map_pages(vmf, start, end);
}

static vm_fault_t data_page_mkwrite(struct vm_fault *vmf)
{
	struct rvmt_region *region = region_of(vmf->vma);
	struct folio *folio = page_folio(vmf->page);
	vm_fault_t ret;
	u32 ends;

	if (foreign(vmf->vma))
		return VM_FAULT_SIGBUS;
	folio_lock(folio);
	if (folio->mapping != vmf->vma->vm_file->f_mapping) {
		folio_unlock(folio);
		return VM_FAULT_NOPAGE;
	}
	ret = rvmt_track_write(region, folio, vmf);
	if (ret) {
		ends = READ_ONCE(region->ends);
		folio_unlock(folio);
		return ret == VM_FAULT_NOPAGE ? rvmt_conflict_wait(region, ends) : ret;
	}
	/* Before the page becomes writable: see protect_dense(). */
	folio_mark_dirty(folio);
	return VM_FAULT_LOCKED;
}

static void data_open(struct vm_area_struct *vma)
{
	struct rvmt_region *region = region_of(vma);

	spin_lock(&region->lock);
	if (region->mm == vma->vm_mm)
		region->vmas++;
	spin_unlock(&region->lock);
}

/* The page tables are empty already, so nobody writes while it rolls back. */
static void data_close(struct vm_area_struct *vma)
{
	struct rvmt_region *region = region_of(vma);
	bool last;

	spin_lock(&region->lock);
	last = region->mm == vma->vm_mm && --region->vmas == 0;
	if (last)
		WRITE_ONCE(region->mm, NULL);
	spin_unlock(&region->lock);
	if (last)
		rvmt_end_all(region);
}

static int data_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int refuse_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/* No .name: it would put every region into core dumps. */
static const struct vm_operations_struct data_vm_ops = {
	.open = data_open,
	.close = data_close,
	.may_split = data_may_split,
	.mremap = refuse_mremap,
	.fault = data_fault,
	.map_pages = data_map_pages,
	.page_mkwrite = data_page_mkwrite,
};

/* A page of an area other than the arena, with a reference. */
static struct page *get_area_page(struct rvmt_region *region, unsigned long kind,
				  unsigned long index)
{
	struct page *page = NULL;

	if (kind == KIND_CTL)
		page = vmalloc_to_page((void *)region->ctl + (index << PAGE_SHIFT));
	else if (kind == KIND_WORDS)
		page = rvmt_area_page(&region->words, index);
	else if (kind == KIND_SLOTS)
		page = rvmt_area_page(&region->descs, index);
	if (page)
		get_page(page);
	return page;
}

static vm_fault_t area_fault(struct vm_fault *vmf)
{
	struct rvmt_region *region = region_of(vmf->vma);
	unsigned long kind = vmf->pgoff >> KIND_SHIFT, index = vmf->pgoff & KIND_MASK;

	if (index >= area_pages(region, kind))
		return VM_FAULT_SIGBUS;
	vmf->page = get_area_page(region, kind, index);
	return vmf->page ? 0 : VM_FAULT_OOM;
}

static const struct vm_operations_struct area_vm_ops = {
	.mremap = refuse_mremap,
	.fault = area_fault,
};

/* Arena pages go away: take a reference only while the page is in the arena. */
static struct page *get_arena_page(struct rvmt_region *region, unsigned long slot)
{
	struct page *page;

	xa_lock(&region->arena);
	page = xa_load(&region->arena, slot);
	if (page)
		get_page(page);
	xa_unlock(&region->arena);
	return page;
}

/* The page stays locked until it is mapped: see rvmt_page_drop_slots(). */
static vm_fault_t arena_fault(struct vm_fault *vmf)
{
	struct rvmt_region *region = region_of(vmf->vma);
	unsigned long slot = vmf->pgoff & KIND_MASK;
	struct page *page = get_arena_page(region, slot);

	if (!page)
		return VM_FAULT_SIGBUS;
	lock_page(page);
	if (xa_load(&region->arena, slot) != page) {
		unlock_page(page);
		put_page(page);
		return VM_FAULT_SIGBUS;
	}
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

static const struct vm_operations_struct arena_vm_ops = {
	.mremap = refuse_mremap,
	.fault = arena_fault,
};

/* Only one address space maps the data at a time. */
static int claim_data(struct rvmt_region *region, struct vm_area_struct *vma)
{
	int err = 0;

	spin_lock(&region->lock);
	if (!region->mm)
		WRITE_ONCE(region->mm, vma->vm_mm);
	if (region->mm == vma->vm_mm)
		region->vmas++;
	else
		err = -EBUSY;
	spin_unlock(&region->lock);
	return err;
}

static int check_mmap(const struct rvmt_region *region, struct vm_area_struct *vma)
{
	unsigned long kind = vma->vm_pgoff >> KIND_SHIFT, index = vma->vm_pgoff & KIND_MASK;
	unsigned long pages = area_pages(region, kind);

	if (region->owner != task_tgid(current))
		return -EPERM;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (kind == KIND_SLOTS && vma->vm_flags & VM_WRITE)
		return -EACCES;
	if (index > pages || vma_pages(vma) > pages - index)
		return -ENXIO;
	return 0;
}

static int region_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct rvmt_region *region = rvmt_vma_region(file);
	unsigned long kind = vma->vm_pgoff >> KIND_SHIFT;
	int err;

	err = check_mmap(region, vma);
	if (err)
		return err;
	if (kind == KIND_DATA) {
		err = claim_data(region, vma);
		if (err)
			return err;
		vma->vm_ops = &data_vm_ops;
	} else {
		vma->vm_ops = kind == KIND_ARENA ? &arena_vm_ops : &area_vm_ops;
		/* A core dump would fill all of what is there on demand. */
		vm_flags_set(vma, VM_DONTDUMP);
	}
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND);
	if (kind == KIND_SLOTS)
		vm_flags_clear(vma, VM_MAYWRITE);
	return 0;
}

static int region_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct rvmt_region *region = rvmt_vma_region(file);
	struct rvmt_wb wb = {
		.first = start >> PAGE_SHIFT,
		.last = end >> PAGE_SHIFT,
	};

	if (start >= region->length)
		return 0;
	rvmt_writeback(region, &wb);
	return wb.error;
}

const struct file_operations rvmt_vma_fops = {
	.owner = THIS_MODULE,
	.mmap = region_mmap,
	.fsync = region_fsync,
};
