// SPDX-License-Identifier: LGPL-2.1-or-later
/* The segment loader: write a load map, and map what it says. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "loader.h"
#include "loadmap.h"
#include "os.h"

#define TRACKERS	(RVM_TRACK_KMOD | RVM_TRACK_UFFD | RVM_TRACK_SIGSEGV | RVM_TRACK_NONE)
#define SHARING		(RVM_STRICT | RVM_DISJOINT | RVM_DISJOINT_WAIT)

#define STEP	64U	/* bytes compared at once when a map is replaced; a page is a multiple */

/* A header is mapped for the time of a call; two calls for one segment must not meet there. */
static pthread_mutex_t header_lock = PTHREAD_MUTEX_INITIALIZER;

/**
 * struct header - the mapped header of a segment
 * @dev: the segment
 * @devlen: its length if it is to be made, or 0
 * @options: of the caller, or NULL
 * @first: the first page
 * @rest: the rest of the load map; vmaddr NULL: there is none
 * @more: where that is
 */
struct header {
	char *dev;
	rvm_length_t devlen;
	rvm_options_t *options;
	rvm_region_t first;
	rvm_region_t rest;
	struct loadmap_more more;
};

static rvm_return_t code_of(int err)
{
	switch (-err) {
	case 0:
		return RVM_SUCCESS;
	case EINVAL:
		return RVM_EREGION_DEF;
	case EOVERFLOW:
		return RVM_EOFFSET;
	case EADDRINUSE:
		return RVM_EOVERLAP;
	case EEXIST:
		return RVM_EVM_OVERLAP;
	case ENOMEM:
		return RVM_ENO_MEMORY;
	case EUCLEAN:
	case EPROTO:
		return RVM_ESEGMENT_HDR;
	case ENOSPC:
	case EDQUOT:
		return RVM_ENO_SPACE;
	default:
		return RVM_EIO;
	}
}

static rvm_return_t fail(rvm_return_t code, const char *what)
{
	err_set(EINVAL, "%s", what);
	return code;
}

/* Each call of the library forgets the text of the one before. */
static void keep_text(char *text, size_t size)
{
	snprintf(text, size, "%s", err_text());
}

void loader_undo(rvm_tid_t *tid)
{
	char text[512];

	keep_text(text, sizeof(text));
	if (tid->tid)
		rvm_abort_transaction(tid);
	err_set(EINVAL, "%s", text);
}

void loader_unmap(rvm_region_t *region)
{
	char text[512];

	keep_text(text, sizeof(text));
	if (region->vmaddr)
		rvm_unmap(region);
	region->vmaddr = NULL;
	err_set(EINVAL, "%s", text);
}

/* The header is written by explicit transactions only, whatever tracks the regions. */
static rvm_return_t map_header(struct header *h, rvm_region_t *region, uint64_t offset,
			       uint64_t length)
{
	rvm_options_t options;
	rvm_return_t code;

	if (h->options)
		options = *h->options;
	else
		rvm_init_options(&options);
	options.flags &= ~(TRACKERS | SHARING);
	options.flags |= RVM_TRACK_NONE | (h->devlen ? RVM_CREATE_SEGMENT : 0);
	rvm_init_region(region);
	region->data_dev = h->dev;
	region->dev_length = rvm_mk_offset(0, h->devlen);
	region->offset = rvm_mk_offset(0, offset);
	region->length = length;
	code = rvm_map(region, &options);
	if (code == RVM_ETRACKER) {
		options.flags &= ~TRACKERS;	/* what cannot be checked is refused */
		code = rvm_map(region, &options);
	}
	if (code)
		region->vmaddr = NULL;
	return code;
}

static rvm_return_t open_header(struct header *h, char *dev, rvm_length_t devlen,
				rvm_options_t *options)
{
	memset(h, 0, sizeof(*h));
	h->dev = dev;
	h->devlen = devlen;
	h->options = options;
	return map_header(h, &h->first, 0, LOADMAP_PAGE);
}

static rvm_return_t open_rest(struct header *h)
{
	return h->more.length ? map_header(h, &h->rest, h->more.offset, h->more.length) :
				RVM_SUCCESS;
}

static void close_header(struct header *h)
{
	loader_unmap(&h->rest);
	loader_unmap(&h->first);
}

/* A regular file that is shorter than its segment shall be grows; others are left alone. */
static int grow(const char *dev, uint64_t length)
{
	struct os_geometry geometry;
	int fd, err;

	fd = os.open(dev, O_RDWR | O_NONBLOCK, 0);
	if (fd < 0)
		return 0;	/* rvm_map() makes it, or says what is wrong */
	err = os.geometry(fd, &geometry);
	if (!err && geometry.regular && geometry.size < length) {
		err = length > INT64_MAX ? -EFBIG :
		      os.allocate(fd, geometry.size, length - geometry.size);
		if (err == -EOPNOTSUPP)
			err = os.resize(fd, length);
		if (!err)
			err = os.sync(fd);
		if (err)
			err_set(-err, "segment %s: cannot grow it to %llu bytes: %s", dev,
				(unsigned long long)length, err_name(err));
	}
	os.close(fd);
	return err;
}

/* Definitions with lengths of whole pages, as rvm_map() rounds them. */
static rvm_return_t copy_defs(const rvm_region_def_t *defs, size_t count, rvm_region_def_t **out)
{
	rvm_region_def_t *copy;
	size_t i;

	if (!defs || !count)
		return fail(RVM_EREGION_DEF, "no regions are defined");
	copy = calloc(count, sizeof(*copy));
	if (!copy)
		return fail(RVM_ENO_MEMORY, "out of memory for the regions' definitions");
	for (i = 0; i < count; i++) {
		copy[i] = defs[i];
		copy[i].length = RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(defs[i].length);
	}
	*out = copy;
	return RVM_SUCCESS;
}

/* Only what differs goes to the log: a small log must hold it. */
static rvm_return_t put_bytes(rvm_tid_t *tid, char *to, const char *from, size_t length)
{
	rvm_return_t code = RVM_SUCCESS;
	size_t at, end;

	for (at = 0; at < length && !code; at = end + STEP) {
		for (end = at; end < length && memcmp(to + end, from + end, STEP); end += STEP)
			;
		if (end > at)
			code = rvm_modify_bytes(tid, to + at, from + at, end - at);
	}
	return code;
}

static rvm_return_t put_map(rvm_tid_t *tid, struct header *h, const rvm_region_def_t *defs,
			    size_t count)
{
	char *image = malloc(LOADMAP_PAGE + h->more.length);
	rvm_return_t code;

	if (!image)
		return fail(RVM_ENO_MEMORY, "out of memory for a load map");
	loadmap_encode(defs, count, &h->more, (struct disk_loadmap *)image, image + LOADMAP_PAGE);
	code = put_bytes(tid, h->first.vmaddr, image, LOADMAP_PAGE);
	if (!code)
		code = put_bytes(tid, h->rest.vmaddr, image + LOADMAP_PAGE, h->more.length);
	free(image);
	return code;
}

static rvm_return_t write_map(struct header *h, const rvm_region_def_t *defs, size_t count,
			      loader_fn *also, void *arg)
{
	rvm_return_t code;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	code = rvm_begin_transaction(&tid, restore);
	if (!code)
		code = put_map(&tid, h, defs, count);
	if (!code && also)
		code = also(&tid, arg);
	if (!code)
		code = rvm_end_transaction(&tid, flush);
	if (code)
		loader_undo(&tid);
	return code;
}

static rvm_return_t create_in(struct header *h, const rvm_region_def_t *defs, size_t count,
			      loader_fn *also, void *arg)
{
	uint64_t length = h->first.dev_length.low;
	rvm_return_t code;

	code = code_of(loadmap_check_defs(defs, count, length));
	if (code)
		return code;
	if (loadmap_place(defs, count, length, &h->more))
		return RVM_ESEGMENT_HDR;
	code = open_rest(h);
	return code ? code : write_map(h, defs, count, also, arg);
}

rvm_return_t loader_create(char *dev, rvm_offset_t devlen, rvm_options_t *options,
			   rvm_length_t nregions, const rvm_region_def_t *defs, loader_fn *also,
			   void *arg)
{
	rvm_region_def_t *copy;
	struct header header;
	rvm_log_info_t info;
	rvm_return_t code;

	code = rvm_query_log(&info);
	if (!code)
		code = devlen.high ? fail(RVM_EOFFSET, "a segment ends below 2^64 bytes") :
				     copy_defs(defs, nregions, &copy);
	if (code)
		return code;
	pthread_mutex_lock(&header_lock);
	code = dev ? code_of(grow(dev, devlen.low)) : RVM_SUCCESS;
	if (!code)
		code = open_header(&header, dev, devlen.low, options);
	if (!code) {
		code = create_in(&header, copy, nregions, also, arg);
		close_header(&header);
	}
	pthread_mutex_unlock(&header_lock);
	free(copy);
	return code;
}

rvm_return_t rvm_create_segment(char *dev, rvm_offset_t devlen, rvm_options_t *options,
				rvm_length_t nregions, rvm_region_def_t *defs)
{
	return loader_create(dev, devlen, options, nregions, defs, NULL, NULL);
}

static rvm_return_t decode(struct header *h, size_t count, rvm_region_def_t **out)
{
	rvm_region_def_t *defs = calloc(count, sizeof(*defs));
	rvm_return_t code;

	if (!defs)
		return fail(RVM_ENO_MEMORY, "out of memory for the regions' definitions");
	code = code_of(loadmap_decode((struct disk_loadmap *)h->first.vmaddr, h->rest.vmaddr,
				      h->first.dev_length.low, defs));
	if (code)
		free(defs);
	else
		*out = defs;
	return code;
}

static rvm_return_t read_map(char *dev, rvm_options_t *options, size_t *count,
			     rvm_region_def_t **defs)
{
	struct header header;
	rvm_return_t code;

	code = open_header(&header, dev, 0, options);
	if (code)
		return code;
	code = code_of(loadmap_check((struct disk_loadmap *)header.first.vmaddr, count,
				     &header.more));
	if (!code)
		code = open_rest(&header);
	if (code == RVM_EOFFSET)
		code = RVM_ESEGMENT_HDR;
	if (!code)
		code = decode(&header, *count, defs);
	if (code)
		err_add(0, "segment %s: ", dev);
	close_header(&header);
	return code;
}

static rvm_return_t map_def(char *dev, rvm_options_t *options, rvm_region_def_t *def)
{
	rvm_region_t region;
	rvm_return_t code;

	rvm_init_region(&region);
	region.data_dev = dev;
	region.offset = def->offset;
	region.length = def->length;
	region.vmaddr = def->vmaddr;
	code = rvm_map(&region, options);
	if (!code)
		def->vmaddr = region.vmaddr;
	return code;
}

static void unmap_defs(rvm_region_def_t *defs, size_t count)
{
	rvm_region_t region;

	while (count--) {
		rvm_init_region(&region);
		region.vmaddr = defs[count].vmaddr;
		loader_unmap(&region);
	}
}

static rvm_return_t map_defs(char *dev, rvm_options_t *options, rvm_region_def_t *defs,
			     size_t count)
{
	rvm_return_t code = RVM_SUCCESS;
	size_t i;

	for (i = 0; i < count && !code; i++)
		code = map_def(dev, options, &defs[i]);
	if (code)
		unmap_defs(defs, i - 1);
	return code;
}

rvm_return_t rvm_load_segment(char *dev, rvm_offset_t devlen, rvm_options_t *options,
			      unsigned long *nregions, rvm_region_def_t **defs)
{
	rvm_region_def_t *list = NULL;
	rvm_log_info_t info;
	rvm_return_t code;
	size_t count = 0;

	(void)devlen;
	code = rvm_query_log(&info);
	if (code)
		return code;
	if (!nregions || !defs)
		return fail(RVM_EREGION_DEF, "no room for the regions' definitions");
	pthread_mutex_lock(&header_lock);
	code = read_map(dev, options, &count, &list);
	if (!code)
		code = map_defs(dev, options, list, count);
	pthread_mutex_unlock(&header_lock);
	if (code) {
		free(list);
		return code;
	}
	*nregions = count;
	*defs = list;
	return RVM_SUCCESS;
}

/* Length 0 marks those that an earlier call unmapped. */
static rvm_return_t release_def(rvm_region_def_t *def)
{
	rvm_region_t region;
	rvm_return_t code;

	if (!def->length)
		return RVM_SUCCESS;
	rvm_init_region(&region);
	region.vmaddr = def->vmaddr;
	code = rvm_unmap(&region);
	if (!code)
		def->length = 0;
	return code;
}

rvm_return_t rvm_release_segment(unsigned long nregions, rvm_region_def_t **defs)
{
	rvm_return_t code = RVM_SUCCESS, late;
	rvm_bool_t keep = rvm_false;
	char text[512] = "";
	unsigned long i;

	if (!defs || !*defs)
		return fail(RVM_EREGION_DEF, "there are no definitions of regions");
	for (i = 0; i < nregions; i++) {
		late = release_def(&(*defs)[i]);
		if (late && late != RVM_EINIT && late != RVM_ELOG && late != RVM_ENOT_MAPPED)
			keep = rvm_true;
		if (late && !code) {
			code = late;
			keep_text(text, sizeof(text));
		}
	}
	if (!keep) {
		free(*defs);
		*defs = NULL;
	}
	err_set(EINVAL, "%s", text);
	return code;
}
