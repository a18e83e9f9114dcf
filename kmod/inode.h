/* SPDX-License-Identifier: GPL-2.0 */
/* The pseudo file system whose inodes are the page caches of regions. */
#ifndef _RVMT_INODE_H
#define _RVMT_INODE_H

#include <linux/fs.h>
#include <linux/types.h>

struct rvmt_region;

/**
 * rvmt_inode_file() - make the inode of a region and open a file on it
 * @region: what the inode stands for; the inode frees it when it goes
 * @fops: the file's operations; the file holds a reference to their owner
 * @aops: the page cache's operations
 *
 * On an error @region is still the caller's.
 *
 * Return: the file, or an error pointer.
 */
struct file *rvmt_inode_file(struct rvmt_region *region, const struct file_operations *fops,
			     const struct address_space_operations *aops);

#endif /* _RVMT_INODE_H */
