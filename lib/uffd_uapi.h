/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the headers of older systems lack of userfaultfd(2) and PAGEMAP_SCAN.
 *
 * The numbers are the kernel's ABI: linux/userfaultfd.h as of Linux 6.7
 * (UFFD_FEATURE_WP_UNPOPULATED of 6.4, UFFD_FEATURE_WP_ASYNC of 6.7) and
 * linux/fs.h as of 6.7 (PAGEMAP_SCAN, an ioctl of /proc/self/pagemap).
 */
#ifndef RVM_LIB_UFFD_UAPI_H
#define RVM_LIB_UFFD_UAPI_H

#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>

#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif

#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC		(1 << 15)
#endif

#ifndef PAGEMAP_SCAN

#define PAGE_IS_WPALLOWED	(1 << 0)
#define PAGE_IS_WRITTEN		(1 << 1)
#define PAGE_IS_FILE		(1 << 2)
#define PAGE_IS_PRESENT		(1 << 3)
#define PAGE_IS_SWAPPED		(1 << 4)

#define PM_SCAN_WP_MATCHING	(1 << 0)
#define PM_SCAN_CHECK_WPASYNC	(1 << 1)

/**
 * struct page_region - consecutive pages of one kind
 * @start: first address
 * @end: address after the last
 * @categories: those of PAGE_IS_* that were asked for and are true
 */
struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

/**
 * struct pm_scan_arg - argument of PAGEMAP_SCAN
 * @size: of this structure
 * @flags: PM_SCAN_*
 * @start: first address
 * @end: address after the last
 * @walk_end: where the walk stopped (out)
 * @vec: address of an array of struct page_region
 * @vec_len: its entries
 * @max_pages: the most pages to report, 0: no bound
 * @category_inverted: categories that are to be absent
 * @category_mask: categories that are all looked at
 * @category_anyof_mask: categories of which one suffices
 * @return_mask: categories to report
 */
struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};

#define PAGEMAP_SCAN	_IOWR('f', 16, struct pm_scan_arg)

#endif

#endif
