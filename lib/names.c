// SPDX-License-Identifier: LGPL-2.1-or-later
/* The symbols of codes, modes and record types as text. */
#include <rvm/rvm_segment.h>
#include <stddef.h>

struct name {
	int value;
	char *text;
};

#define NAME(symbol) { symbol, #symbol }

static const struct name codes[] = {
	NAME(RVM_SUCCESS), NAME(RVM_EINIT), NAME(RVM_EINTERNAL), NAME(RVM_EIO),
	NAME(RVM_ELOG), NAME(RVM_ELOG_VERSION_SKEW), NAME(RVM_EMODE),
	NAME(RVM_ENAME_TOO_LONG), NAME(RVM_ENO_MEMORY), NAME(RVM_ENOT_MAPPED),
	NAME(RVM_EOFFSET), NAME(RVM_EOPTIONS), NAME(RVM_EOVERLAP), NAME(RVM_EPAGER),
	NAME(RVM_ERANGE), NAME(RVM_EREGION), NAME(RVM_EREGION_DEF), NAME(RVM_ESRC),
	NAME(RVM_ESTATISTICS), NAME(RVM_ESTAT_VERSION_SKEW), NAME(RVM_ETERMINATED),
	NAME(RVM_ETHREADS), NAME(RVM_ETID), NAME(RVM_ETOO_BIG), NAME(RVM_EUNCOMMIT),
	NAME(RVM_EVERSION_SKEW), NAME(RVM_EVM_OVERLAP), NAME(RVM_ETRACKER),
	NAME(RVM_ELOG_LOCKED), NAME(RVM_ELOG_DAMAGED), NAME(RVM_EPERM), NAME(RVM_ENO_SPACE),
	NAME(RVM_ECONFLICT), NAME(RVM_ESEGMENT_HDR),
	NAME(RVM_ETIMEOUT), NAME(RVM_ESEGMENT_HDR),
	NAME(RVM_ELSN), NAME(RVM_ESEGMENT_HDR), NAME(RVM_EFORGOTTEN),
	{ 0, NULL }
};

static const struct name modes[] = {
	NAME(restore), NAME(no_restore), NAME(flush), NAME(no_flush), NAME(rvm_tracked),
	NAME(rvm_checked),
	{ 0, NULL }
};

static const struct name types[] = {
	NAME(rvm_region_id), NAME(rvm_options_id), NAME(rvm_tid_id), NAME(rvm_statistics_id),
	{ 0, NULL }
};

static char *find(const struct name *name, int value, char *unknown)
{
	for (; name->text; name++)
		if (name->value == value)
			return name->text;
	return unknown;
}

char *rvm_return(rvm_return_t code)
{
	return find(codes, code, "unknown return code");
}

char *rvm_mode(rvm_mode_t mode)
{
	return find(modes, mode, "unknown mode");
}

char *rvm_type(rvm_struct_id_t id)
{
	return find(types, id, "unknown record type");
}
