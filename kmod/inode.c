// SPDX-License-Identifier: GPL-2.0
/* The pseudo file system whose inodes are the page caches of regions. */

#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/stat.h>

#include "compat.h"
#include "inode.h"
#include "region.h"

#define RVMT_MAGIC	0x52564d54	/* "RVMT" */

/* Mounted while a region exists; every file on it holds a reference too. */
static struct vfsmount *mount;
static int mount_count;

/* Neither size nor mode of a region may be changed through its descriptor. */
static int refuse_setattr(rvmt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	return -EPERM;
}

static void evict_inode(struct inode *inode)
{
	struct rvmt_region *region = inode->i_private;

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (region)
		rvmt_region_free(region);
}

static const struct super_operations super_ops = {
	.evict_inode = evict_inode,
	.statfs = simple_statfs,
};

static const struct inode_operations inode_ops = {
	.setattr = refuse_setattr,
};

static int init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, RVMT_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &super_ops;
	/* Newer kernels do this for all pseudo file systems. */
	fc->s_iflags |= SB_I_NOEXEC | SB_I_NODEV;
	return 0;
}

/*
 * The superblock holds a reference to .owner until the last file's dentry and
 * mount are put, which __fput() does after it has put the owner of the file
 * operations: so evict_inode() cannot run in an unloaded module.
 */
static struct file_system_type fs_type = {
	.name = "rvm_track",
	.owner = THIS_MODULE,
	.init_fs_context = init_fs_context,
	.kill_sb = kill_anon_super,
};

/* The file offsets of the areas lie far beyond the size, which is the data's. */
static struct inode *new_region_inode(struct rvmt_region *region,
				      const struct address_space_operations *aops)
{
	struct inode *inode = new_inode(mount->mnt_sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode->i_mode = S_IFREG | 0600;
	inode->i_uid = current_fsuid();
	inode->i_gid = current_fsgid();
	inode->i_op = &inode_ops;
	inode->i_mapping->a_ops = aops;
	i_size_write(inode, region->length);
	return inode;
}

struct file *rvmt_inode_file(struct rvmt_region *region, const struct file_operations *fops,
			     const struct address_space_operations *aops)
{
	struct file *file = ERR_PTR(-ENOMEM);
	struct inode *inode;
	int err;

	err = simple_pin_fs(&fs_type, &mount, &mount_count);
	if (err)
		return ERR_PTR(err);
	inode = new_region_inode(region, aops);
	if (!inode)
		goto out_release;
	/* alloc_file_pseudo() takes no reference to the owner, fput() drops one. */
	__module_get(fops->owner);
	file = alloc_file_pseudo(inode, mount, "[rvm_track]", O_RDWR | O_CLOEXEC, fops);
	if (IS_ERR(file)) {
		module_put(fops->owner);
		iput(inode);
		goto out_release;
	}
	inode->i_private = region;
	smp_store_release(&region->inode, inode);	/* pairs with rvmt_region_each() */
out_release:
	simple_release_fs(&mount, &mount_count);
	return file;
}
