// SPDX-License-Identifier: GPL-2.0
/* Each return code of each function of rvm_segment.h, provoked. */
#include "returns_heap.h"

/* What functions need. */

static void with_segment(void)
{
	for_segment();
	need(!create_segment());
}

static rvm_return_t load_segment(void)
{
	return rvm_load_segment(a.dev, devlen(), w.use_options, &a.count, a.use_loaded);
}

static void loaded_segment(void)
{
	with_segment();
	need(!load_segment());
	w.at = a.loaded[0].vmaddr;
}

FUNCTION(rvm_create_segment, for_segment, create_segment());
FUNCTION(rvm_load_segment, with_segment, load_segment());
FUNCTION(rvm_release_segment, loaded_segment, rvm_release_segment(a.count, a.use_loaded));

/* Of segments. */

static void no_definitions(void)
{
	a.use_defs = NULL;
	a.use_loaded = NULL;
}

static void over_the_header(void)
{
	RVM_ZERO_OFFSET(a.defs[0].offset);
}

static void sharing_bytes(void)
{
	a.defs[1].offset = a.defs[0].offset;
}

static void sharing_addresses(void)
{
	a.defs[1].vmaddr = a.defs[0].vmaddr;
}

/* Side by side to the end: there is no gap for the rest of the map. */
static void too_many(void)
{
	int i;

	for (i = 0; i < MANY; i++)
		RVM_INIT_REGION(a.defs[i], RVM_LENGTH_TO_OFFSET((1 + i) * PAGE), PAGE, NULL);
	a.count = MANY;
	a.devlen = (1 + MANY) * PAGE;
}

static void log_too_small(void)
{
	rvm_offset_t length = rvm_mk_offset(0, PAGE);

	closed();
	snprintf(w.place.log, sizeof(w.place.log), "%s/small", w.place.dir);
	need(!RVM_INIT(NULL));
	need(!rvm_create_log(&w.options, &length, 0600));
	need(!rvm_set_options(&w.options));
	too_many();
	a.devlen += 2 * PAGE;
}

static void another_tracker(void)
{
	w.options.flags |= RVM_TRACK_NONE | RVM_STRICT;
}

static void unmapped_already(void)
{
	rvm_region_t region;

	rvm_init_region(&region);
	region.vmaddr = a.loaded[0].vmaddr;
	need(!rvm_unmap(&region));
}

static const FIXTURE_VARIANT(returns) rows[] = {
	ROW(rvm_create_segment, RVM_SUCCESS, nothing),
	ROW(rvm_create_segment, RVM_EINIT, closed),
	ROW(rvm_create_segment, RVM_ELOG, without_log),
	ROW(rvm_create_segment, RVM_EREGION_DEF, no_definitions),
	ROW(rvm_create_segment, RVM_EOFFSET, over_the_header),
	ROW(rvm_create_segment, RVM_EOVERLAP, sharing_bytes),
	ROW(rvm_create_segment, RVM_EOVERLAP, header_is_mapped),
	ROW(rvm_create_segment, RVM_EVM_OVERLAP, sharing_addresses),
	ROW(rvm_create_segment, RVM_ESEGMENT_HDR, too_many),
	ROW(rvm_create_segment, RVM_EREGION, no_dev),
	ROW(rvm_create_segment, RVM_ENAME_TOO_LONG, dev_path_too_long),
	ROW(rvm_create_segment, RVM_EOPTIONS, bad_options),
	ROW(rvm_create_segment, RVM_EPAGER, with_pager),
	ROW(rvm_create_segment, RVM_EIO, no_such_segment),
	ROW(rvm_create_segment, RVM_EIO, log_writes_fail),
	ROW(rvm_create_segment, RVM_EPERM, without_permission),
	ROW(rvm_create_segment, RVM_ENO_SPACE, no_space_for_segment),
	ROW(rvm_create_segment, RVM_ETOO_BIG, log_too_small),
	ROW(rvm_create_segment, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_create_segment, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_load_segment, RVM_SUCCESS, nothing),
	ROW(rvm_load_segment, RVM_EINIT, closed),
	ROW(rvm_load_segment, RVM_ELOG, without_log),
	ROW(rvm_load_segment, RVM_EREGION_DEF, no_definitions),
	ROW(rvm_load_segment, RVM_ESEGMENT_HDR, without_map),
	ROW(rvm_load_segment, RVM_EVM_OVERLAP, address_in_use),
	ROW(rvm_load_segment, RVM_EOVERLAP, loaded_already),
	ROW(rvm_load_segment, RVM_ETRACKER, another_tracker),
	ROW(rvm_load_segment, RVM_EREGION, no_dev),
	ROW(rvm_load_segment, RVM_ENAME_TOO_LONG, dev_path_too_long),
	ROW(rvm_load_segment, RVM_EOPTIONS, bad_options),
	ROW(rvm_load_segment, RVM_EPAGER, with_pager),
	ROW(rvm_load_segment, RVM_EIO, no_such_segment),
	ROW(rvm_load_segment, RVM_EPERM, without_permission),
	ROW(rvm_load_segment, RVM_ENO_MEMORY, out_of_memory),
	ROW(rvm_load_segment, RVM_ENO_MEMORY, without_descriptors),

	ROW(rvm_release_segment, RVM_SUCCESS, nothing),
	ROW(rvm_release_segment, RVM_EUNCOMMIT, begun),
	ROW(rvm_release_segment, RVM_EREGION_DEF, no_definitions),
	ROW(rvm_release_segment, RVM_EINIT, closed),
	ROW(rvm_release_segment, RVM_ELOG, without_log),
	ROW(rvm_release_segment, RVM_ENOT_MAPPED, unmapped_already),
};

REGISTER(rows)

TEST_HARNESS_MAIN
