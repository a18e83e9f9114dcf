// SPDX-License-Identifier: LGPL-2.1-or-later
/* Regions: map, unmap, query_region; segments that grow. */
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "instance.h"
#include "log.h"
#include "segment.h"
#include "track.h"
#include "track_cost.h"

/* What an errno means in rvm_map(). */
static const struct code mapping[] = {
	{ EEXIST, RVM_EVM_OVERLAP }, { EBUSY, RVM_EOVERLAP }, { EINVAL, RVM_EREGION },
	{ 0, 0 }
};

/* What an errno means in rvm_unmap(). */
static const struct code unmapping[] = {
	{ EBUSY, RVM_EUNCOMMIT },
	{ 0, 0 }
};

static rvm_return_t check_region(const rvm_region_t *region)
{
	if (!region || region->struct_id != rvm_region_id)
		return fail(RVM_EREGION, "not a region record: call rvm_init_region() on it");
	return RVM_SUCCESS;
}

static rvm_return_t check_map(const rvm_region_t *region, const rvm_options_t *options)
{
	rvm_return_t code = check_region(region);

	if (!code && options)
		code = check_options(options);
	if (code)
		return code;
	if (!region->data_dev || !*region->data_dev)
		return fail(RVM_EREGION, "data_dev names no segment");
	if (strlen(region->data_dev) >= PATH_MAX)
		return fail(RVM_ENAME_TOO_LONG, "data_dev is longer than a path may be");
	if (region->offset.high || region->dev_length.high)
		return fail(RVM_EOFFSET, "a segment ends below 2^64 bytes");
	if ((uintptr_t)region->vmaddr & (TRACK_PAGE_SIZE - 1))
		return fail(RVM_EREGION, "vmaddr %p is not at a page boundary", region->vmaddr);
	return RVM_SUCCESS;
}

/* The log learns of a longer segment before any record names a byte of what is new. */
static int note_length(struct segment *segment)
{
	uint64_t length = 0;
	int err;

	err = segment_refresh(segment, &length);
	if (err || length == segment->length)
		return err;
	err = segment_settle(segment);
	if (!err)
		err = log_name_segment(rvm.log, segment->path, length, &segment->id);
	if (err)
		return err;
	pthread_rwlock_wrlock(&rvm.regions.lock);
	segment->length = length;
	pthread_rwlock_unlock(&rvm.regions.lock);
	return 0;
}

static int grow_segment(const char *path, uint64_t length)
{
	struct segment *segment;
	int err;

	err = regions_segment(&rvm.regions, rvm.log, path, 0, &segment);
	if (!err)
		err = segment_grow(segment, length);
	return err ? err : note_length(segment);
}

rvm_return_t rvm_grow_segment(const char *data_dev, rvm_offset_t length)
{
	rvm_return_t code = enter_log();

	if (code)
		return code;
	if (!data_dev || !*data_dev)
		return fail(RVM_EREGION, "data_dev names no segment");
	if (strlen(data_dev) >= PATH_MAX)
		return fail(RVM_ENAME_TOO_LONG, "data_dev is longer than a path may be");
	if (length.high)
		return fail(RVM_EOFFSET, "a segment ends below 2^64 bytes");
	pthread_mutex_lock(&rvm.lock);
	code = code_of(grow_segment(data_dev, length.low), mapping);
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

/* A region that cannot be checked where that is asked for does not stay. */
static int map_checked(struct segment *segment, const struct region_spec *spec,
		       struct region **out)
{
	int err;

	check_lock(&rvm.txs);
	err = region_map(&rvm.regions, rvm.log, segment, spec, out);
	if (!err) {
		err = check_mapped(&rvm.txs, *out);
		if (err)
			region_unmap(&rvm.regions, *out);
	}
	check_unlock(&rvm.txs);
	return err;
}

/* Nothing tracks a store to a huge page. */
static unsigned long trackers_of(unsigned long flags)
{
	unsigned long trackers = flags & TRACKERS;

	return trackers || !(flags & RVM_HUGE_PAGES) ? trackers : RVM_TRACK_NONE;
}

static int map_region(rvm_region_t *region, unsigned long flags)
{
	struct region_spec spec = {
		.path = region->data_dev,
		.offset = region->offset.low,
		.length = region->length,
		.addr = region->vmaddr,
		.tracker = trackers_of(flags),
		.strict = flags & (RVM_STRICT | DISJOINT),
		.disjoint = flags & DISJOINT,
		.wait = flags & RVM_DISJOINT_WAIT,
		.huge = flags & RVM_HUGE_PAGES,
		.create_length = flags & RVM_CREATE_SEGMENT ? region->dev_length.low : 0,
	};
	struct segment *segment;
	struct region *mapped;
	int err;

	err = regions_segment(&rvm.regions, rvm.log, spec.path, spec.create_length, &segment);
	if (!err)
		err = note_length(segment);
	if (!err)
		err = truncate_orphans(&rvm.truncator, rvm.progress, rvm.progress_arg);
	if (!err)
		err = map_checked(segment, &spec, &mapped);
	if (err)
		return err;
	if (mapped->tracker->ops->relieve)
		err = pressure_start(&rvm.pressure, &rvm.truncator);
	if (err) {
		region_unmap(&rvm.regions, mapped);
		return err;
	}
	region->vmaddr = mapped->base;
	region->length = mapped->length;
	region->dev_length = rvm_mk_offset(0, segment->length);
	return 0;
}

rvm_return_t rvm_map(rvm_region_t *region, rvm_options_t *options)
{
	rvm_return_t code = enter_log();

	if (!code)
		code = check_map(region, options);
	if (code)
		return code;
	pthread_mutex_lock(&rvm.lock);
	code = code_of(map_region(region, options ? options->flags : rvm.options.flags), mapping);
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

/* The mapped region that a record stands for. */
rvm_return_t find_region(const rvm_region_t *record, struct region **out)
{
	rvm_return_t code = check_region(record);

	if (code)
		return code;
	*out = region_find(&rvm.regions, record->vmaddr);
	if (!*out || (*out)->base != record->vmaddr)
		return fail(RVM_ENOT_MAPPED, "no region is mapped at %p", record->vmaddr);
	return RVM_SUCCESS;
}

static int unmap_checked(struct region *region)
{
	int err;

	check_lock(&rvm.txs);
	check_unmapping(&rvm.txs, region);
	err = truncate_unmap(&rvm.truncator, region);
	check_unlock(&rvm.txs);
	return err;
}

static rvm_return_t unmap_region(struct region *region)
{
	if (txs_forget(&rvm.txs, region))
		return fail(RVM_EUNCOMMIT,
			    "%s: the region at %p has transactions that have not ended",
			    region->segment->path, region->base);
	return code_of(unmap_checked(region), unmapping);
}

rvm_return_t rvm_unmap(rvm_region_t *region)
{
	rvm_return_t code = enter_log();
	struct region *mapped;

	if (code)
		return code;
	pthread_mutex_lock(&rvm.lock);
	code = find_region(region, &mapped);
	if (!code)
		code = unmap_region(mapped);
	pthread_mutex_unlock(&rvm.lock);
	return code;
}

static void tell_cost(const struct track_cost *cost, rvm_region_info_t *info)
{
	info->fault_ns = cost ? cost->fault : 0;
	info->end_ns = cost ? cost->end : 0;
	info->rearm_ns = cost ? cost->rearm : 0;
	info->diff_ns = cost ? cost->diff : 0;
}

rvm_return_t rvm_query_region(rvm_region_t *region, rvm_region_info_t *info)
{
	struct track_stats stats = { 0 };
	rvm_return_t code = enter();
	struct region *mapped;

	if (!code)
		code = find_region(region, &mapped);
	if (code)
		return code;
	if (!info)
		return fail(RVM_EREGION, "no room for the answer: info is NULL");
	if (mapped->tracker->ops->stats)
		mapped->tracker->ops->stats(mapped->tracker, &stats);
	info->tracker = mapped->tracker->ops->flag;
	info->tracker_name = mapped->tracker->ops->name;
	memcpy(info->why, mapped->why, sizeof(info->why));
	info->strict = mapped->strict ? rvm_true : rvm_false;
	info->disjoint = mapped->disjoint ? rvm_true : rvm_false;
	info->first_writes = stats.first_writes;
	info->strays = stats.strays;
	info->written_back = stats.written_back;
	info->hot = stats.hot;
	info->patience = stats.patience;
	info->conflicts = stats.conflicts;
	tell_cost(mapped->tracker->cost, info);
	return RVM_SUCCESS;
}
