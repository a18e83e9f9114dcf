/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The segment loader: a load map in a segment's first page tells which parts of
 * it are regions and at which addresses they belong, so that pointers between
 * and within regions hold from run to run.
 *
 * Source-compatible with CMU RVM 1.3; rvm_segment(3) has all of the errors.
 */
#ifndef RVM_RVM_SEGMENT_H
#define RVM_RVM_SEGMENT_H

#include <rvm/rvm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The space before the first region: the load map is in it. */
#define RVM_SEGMENT_HDR_SIZE	RVM_PAGE_SIZE

/* There is no load map, it is damaged, or there is no room for it. */
#define RVM_ESEGMENT_HDR	2000

/**
 * struct rvm_region_def_t - a region of a load map
 * @offset: where it starts in the segment, page-aligned, behind the header
 * @length: its bytes; rounded up to pages
 * @vmaddr: its address, page-aligned; NULL: any, chosen by each load
 */
typedef struct {
	rvm_offset_t offset;
	rvm_length_t length;
	char *vmaddr;
} rvm_region_def_t;

#define RVM_INIT_REGION(region, off, len, addr) \
	((region).offset = (off), (region).length = (len), (region).vmaddr = (addr))

/**
 * rvm_create_segment() - write a load map into a segment
 * @dev: path of the segment, a file or a block device
 * @devlen: its length; a missing file is made so long, a shorter one grows
 * @options: NULL, or options whose flags are valid
 * @nregions: how many regions, at least one
 * @defs: the regions, in any order
 *
 * What the regions hold is not touched.  A crash leaves the old or the new map.
 *
 * Return: RVM_SUCCESS; RVM_EREGION_DEF a definition is wrong; RVM_EOFFSET a region
 * overlaps the header or leaves the segment; RVM_EOVERLAP two regions share bytes of
 * the segment, or the header is mapped; RVM_EVM_OVERLAP two share addresses;
 * RVM_ESEGMENT_HDR no room for so many; or a code of rvm_map() and
 * rvm_end_transaction().
 */
rvm_return_t rvm_create_segment(char *dev, rvm_offset_t devlen, rvm_options_t *options,
				rvm_length_t nregions, rvm_region_def_t *defs);

/**
 * rvm_load_segment() - map all regions of a segment at their addresses
 * @dev: path of the segment
 * @devlen: not needed: the segment's own length counts
 * @options: NULL, or options for rvm_map()
 * @nregions: how many there are
 * @defs: the regions, for rvm_release_segment()
 *
 * Either all regions are mapped or none.
 *
 * Return: RVM_SUCCESS; RVM_ESEGMENT_HDR no load map, or a damaged one;
 * RVM_EVM_OVERLAP something is mapped at an address, it is left alone; RVM_EREGION_DEF
 * @nregions or @defs is NULL; or a code of rvm_map().
 */
rvm_return_t rvm_load_segment(char *dev, rvm_offset_t devlen, rvm_options_t *options,
			      unsigned long *nregions, rvm_region_def_t **defs);

/**
 * rvm_release_segment() - unmap the regions of a segment
 * @nregions: from rvm_load_segment()
 * @defs: from rvm_load_segment(); freed and set to NULL
 *
 * Return: RVM_SUCCESS; RVM_EUNCOMMIT a transaction is open on a region: that one
 * stays mapped and the call may be repeated; RVM_EREGION_DEF there are no
 * definitions; RVM_EINIT, RVM_ELOG or RVM_ENOT_MAPPED the regions had gone already.
 */
rvm_return_t rvm_release_segment(unsigned long nregions, rvm_region_def_t **defs);

#ifdef __cplusplus
}
#endif

#endif /* RVM_RVM_SEGMENT_H */
