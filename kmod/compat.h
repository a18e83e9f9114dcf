/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between the kernels the module is built for, and nothing else. */
#ifndef _RVMT_COMPAT_H
#define _RVMT_COMPAT_H

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kconfig.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shrinker.h>

#ifndef CONFIG_64BIT
#error "rvm_track needs a 64-bit kernel: the areas of a region use 63 bits of file offset"
#endif

/* Linux 6.3 made vm_flags private; Kbuild looks for its accessors. */
#ifndef RVMT_HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* Linux 6.3 gave the operations of inodes another first argument. */
#ifdef RVMT_HAVE_MNT_IDMAP
typedef struct mnt_idmap rvmt_idmap;
#else
typedef struct user_namespace rvmt_idmap;
#endif

/* Linux 6.2 gave what runs before and after a command of generic netlink another one. */
#ifdef RVMT_HAVE_GENL_SPLIT_OPS
typedef struct genl_split_ops rvmt_genl_ops;
#else
typedef struct genl_ops rvmt_genl_ops;
#endif

/**
 * rvmt_find_folio() - look a page up in the page cache
 * @mapping: where
 * @index: which page
 *
 * Linux 6.3 turned the NULL of filemap_get_folio() into an error pointer.
 *
 * Return: the folio with a reference, or NULL.
 */
static inline struct folio *rvmt_find_folio(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(mapping, index);

	return IS_ERR_OR_NULL(folio) || xa_is_value(folio) ? NULL : folio;
}

/**
 * rvmt_shrinker_new() - make and register a shrinker
 * @count: how much there is
 * @scan: make it less
 *
 * Linux 6.7 began to allocate shrinkers.  The module has one.
 *
 * Return: the shrinker, or NULL for lack of memory.
 */
static inline struct shrinker *
rvmt_shrinker_new(unsigned long (*count)(struct shrinker *shrinker, struct shrink_control *sc),
		  unsigned long (*scan)(struct shrinker *shrinker, struct shrink_control *sc))
{
#ifdef RVMT_HAVE_SHRINKER_ALLOC
	struct shrinker *shrinker = shrinker_alloc(0, "rvm_track");

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
	return shrinker;
#else
	static struct shrinker shrinker;

	shrinker = (struct shrinker){
		.count_objects = count,
		.scan_objects = scan,
		.seeks = DEFAULT_SEEKS,
	};
	return register_shrinker(&shrinker, "rvm_track") ? NULL : &shrinker;
#endif
}

/**
 * rvmt_shrinker_free() - undo rvmt_shrinker_new(); nobody is in it afterwards
 * @shrinker: the shrinker
 */
static inline void rvmt_shrinker_free(struct shrinker *shrinker)
{
#ifdef RVMT_HAVE_SHRINKER_ALLOC
	shrinker_free(shrinker);
#else
	unregister_shrinker(shrinker);
#endif
}

/*
 * The walkers of shared mappings are there, and declared, only where a driver selects
 * them.  Elsewhere a call that IS_ENABLED() keeps from being compiled needs a prototype.
 */
unsigned long wp_shared_mapping_range(struct address_space *mapping, pgoff_t first, pgoff_t nr);
unsigned long clean_record_shared_mapping_range(struct address_space *mapping, pgoff_t first,
						pgoff_t nr, pgoff_t bitmap_first,
						unsigned long *bitmap, pgoff_t *start,
						pgoff_t *end);

#endif /* _RVMT_COMPAT_H */
