/* SPDX-License-Identifier: GPL-2.0 */
/* The region file and its mappings. */
#ifndef _RVMT_VMA_H
#define _RVMT_VMA_H

#include <linux/fs.h>

struct rvmt_region;

extern const struct file_operations rvmt_vma_fops;

/**
 * rvmt_vma_region() - the region of a file
 * @file: any file
 *
 * Return: the region, or NULL if the file is none.
 */
static inline struct rvmt_region *rvmt_vma_region(const struct file *file)
{
	return file->f_op == &rvmt_vma_fops ? file_inode(file)->i_private : NULL;
}

#endif /* _RVMT_VMA_H */
