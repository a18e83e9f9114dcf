// SPDX-License-Identifier: LGPL-2.1-or-later
/* The recoverable heap's public functions: check arguments, give each a transaction. */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <rvm/rds.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "instance.h"
#include "loader.h"
#include "os.h"
#include "rds_format.h"
#include "rds_heap.h"
#include "rds_trace.h"

rvm_region_def_t *RegionDefs;
unsigned long NRegionDefs;
int rds_testsw;

/* The one heap, and the life of the log in which it was started. */
static struct rds_heap heap = RDS_HEAP_INITIALIZER;
static rvm_log_info_t life;

struct rds_heap *rds_heap(void)
{
	return &heap;
}

static int result(int code, int *err)
{
	if (!code)
		err_clear();	/* of a detour that ended well */
	if (err)
		*err = code;
	return code;
}

static int bad_args(const char *what)
{
	err_set(EINVAL, "%s", what);
	return EBAD_ARGS;
}

/* The transaction of a call: the program's, or one of its own. */

static int begin(rvm_tid_t **tid, rvm_tid_t *own)
{
	if (*tid)
		return 0;
	rvm_init_tid(own);
	*tid = own;
	return rvm_begin_transaction(own, restore);
}

static int end(rvm_tid_t *tid, rvm_tid_t *own, int code)
{
	if (tid != own)
		return code;
	if (!code)
		code = rvm_end_transaction(own, flush);
	if (code)
		loader_undo(own);
	return code;
}

/* A heap lies in one region: no range may reach from one into another. */
static int check_place(const char *base, uint64_t length)
{
	const struct region *region = region_find(&rvm.regions, base);

	if (region && length <= region->length - (uint64_t)(base - region->base))
		return 0;
	err_set(EINVAL, "no region has all of the %llu bytes of a heap at %p",
		(unsigned long long)length, base);
	return RVM_ENOT_MAPPED;
}

static int started(void)
{
	if (heap.up)
		return 0;
	err_set(EINVAL, "no heap is started: call rds_load_heap() or rds_start_heap()");
	return EHEAP_INIT;
}

/* The program may have ended the library under the heap. */
int rds_reach(rvm_tid_t *tid)
{
	int code = started();
	rvm_tid_t own;

	if (!code)
		code = begin(&tid, &own);
	if (!code)
		code = rvm_set_range(tid, heap.geometry.base, 0);
	if (tid == &own)
		loader_undo(&own);
	return code;
}

/* Make a heap. */

static int put_heap(rvm_tid_t *tid, const struct rds_geometry *geometry, const uint8_t uuid[16])
{
	struct {
		struct disk_heap heap;
		struct disk_block first;
	} new;
	uint64_t tail = rds_format_tail_value(geometry, geometry->chunks);
	int code;

	rds_format_header(geometry, uuid, &new.heap);
	rds_format_extent(geometry, 0, geometry->chunks, &new.first);
	new.first.state = htole32(RDS_FREE);
	code = rvm_modify_bytes(tid, geometry->base, &new, sizeof(new));
	if (!code)
		code = rvm_modify_bytes(tid, rds_format_tail(geometry, geometry->chunks), &tail,
					sizeof(tail));
	return code;
}

static int plan(char *base, rvm_length_t length, unsigned long chunksize, unsigned long nlists,
		uint8_t uuid[16], struct rds_geometry *geometry)
{
	if (os_uuid(uuid)) {
		err_set(EIO, "there are no random bytes for the heap's identity");
		return RVM_EIO;
	}
	return rds_format_plan(base, length, chunksize, nlists, uuid, geometry) ? EBAD_ARGS : 0;
}

static int make_heap(char *base, rvm_length_t length, unsigned long chunksize,
		     unsigned long nlists, rvm_tid_t *tid)
{
	struct rds_geometry geometry;
	uint8_t uuid[16];
	rvm_tid_t own;
	int code;

	code = plan(base, length, chunksize, nlists, uuid, &geometry);
	if (code)
		return code;
	code = begin(&tid, &own);
	if (code)
		return code;
	code = check_place(base, length);
	if (!code)
		code = put_heap(tid, &geometry, uuid);
	return end(tid, &own, code);
}

int rds_init_heap(char *base, rvm_length_t length, unsigned long chunksize,
		  unsigned long nlists, rvm_tid_t *tid, int *err)
{
	int code = make_heap(base, length, chunksize, nlists, tid);

	rds_trace("init_heap(%p, %lu, %lu, %lu) = %d", base, length, chunksize, nlists, code);
	return result(code, err);
}

/**
 * struct zap - a heap to be made with its segment
 * @region: where it is mapped meanwhile
 * @mapped: it is
 * @chunksize: of the heap
 * @nlists: likewise
 * @code: why it could not be made
 */
struct zap {
	rvm_region_t region;
	bool mapped;
	unsigned long chunksize;
	unsigned long nlists;
	int code;
};

/* In the transaction that writes the load map: after a crash all is old or all is new. */
static rvm_return_t zap_region(rvm_tid_t *tid, void *arg)
{
	struct zap *z = arg;

	z->code = rvm_map(&z->region, NULL);
	if (z->code)
		return z->code;
	z->mapped = true;
	z->code = make_heap(z->region.vmaddr, z->region.length, z->chunksize, z->nlists, tid);
	return z->code ? RVM_EREGION_DEF : RVM_SUCCESS;
}

static int zap(char *dev, rvm_offset_t devlen, const rvm_region_def_t *defs, size_t count,
	       struct zap *z)
{
	int code;

	rvm_init_region(&z->region);
	z->region.data_dev = dev;
	z->region.offset = defs[0].offset;
	z->region.length = defs[0].length;
	z->region.vmaddr = defs[0].vmaddr;
	code = loader_create(dev, devlen, NULL, count, defs, zap_region, z);
	if (z->mapped)
		loader_unmap(&z->region);
	return code && z->code ? z->code : code;
}

int rds_zap_heap(char *dev, rvm_offset_t devlen, char *startaddr, rvm_length_t staticlen,
		 rvm_length_t heaplen, unsigned long nlists, unsigned long chunksize, int *err)
{
	struct zap z = { .chunksize = chunksize, .nlists = nlists };
	rvm_offset_t offset = rvm_mk_offset(0, RVM_SEGMENT_HDR_SIZE);
	struct rds_geometry geometry;
	rvm_region_def_t defs[2];
	uint8_t uuid[16];
	int code;

	err_clear();
	heaplen = RVM_ROUND_LENGTH_UP_TO_PAGE_SIZE(heaplen);
	RVM_INIT_REGION(defs[0], offset, heaplen, startaddr);
	offset = RVM_ADD_LENGTH_TO_OFFSET(offset, heaplen);
	RVM_INIT_REGION(defs[1], offset, staticlen, RVM_ADD_LENGTH_TO_ADDR(heaplen, startaddr));
	code = plan(startaddr, heaplen, chunksize, nlists, uuid, &geometry);
	if (!code)
		code = zap(dev, devlen, defs, staticlen ? 2 : 1, &z);
	rds_trace("zap_heap(%s, %lu, %p, %lu, %lu, %lu, %lu) = %d", dev ? dev : "NULL",
		  devlen.low, startaddr, staticlen, heaplen, nlists, chunksize, code);
	return result(code, err);
}

/* Start and stop it. */

/* Only recoverable memory can be in a range: the header must be, and then all of the heap. */
static int read_header(rvm_tid_t *tid, char *addr, struct rds_geometry *geometry)
{
	int code = rvm_set_range(tid, addr, sizeof(struct disk_heap));

	if (code)
		return code;
	switch (rds_format_check(addr, UINT64_MAX, geometry)) {
	case 0:
		return check_place(addr, geometry->length);
	case -EPROTO:
		return EHEAP_VERSION_SKEW;
	default:
		return ECORRUPT;
	}
}

static int find_heap(char *addr, struct rds_geometry *geometry)
{
	rvm_tid_t tid;
	int code;

	if (!addr || (uintptr_t)addr % RDS_ALIGN)
		return bad_args("no heap can be at that address");
	rvm_init_tid(&tid);
	code = rvm_begin_transaction(&tid, restore);
	if (code)
		return code;
	code = read_header(&tid, addr, geometry);
	loader_undo(&tid);
	return code;
}

/* A heap whose log was closed under it has gone with its regions. */
static void forget_stale(void)
{
	rvm_log_info_t now;

	if (!heap.up || rvm_query_log(&now))
		return;
	if (!memcmp(now.uuid, life.uuid, sizeof(now.uuid)) && now.generation == life.generation)
		return;
	rds_heap_drop(&heap);
	free(RegionDefs);
	RegionDefs = NULL;
	NRegionDefs = 0;
}

static int check_stopped(void)
{
	forget_stale();
	if (!heap.up)
		return 0;
	err_set(EBUSY, "a heap is started already: stop or unload it first");
	return EHEAP_INIT;
}

static int start_heap(char *addr)
{
	struct rds_geometry geometry;
	int code;

	code = check_stopped();
	if (!code)
		code = find_heap(addr, &geometry);
	if (!code)
		code = rvm_query_log(&life);
	return code ? code : rds_heap_start(&heap, &geometry);
}

int rds_start_heap(char *addr, int *err)
{
	int code = start_heap(addr);

	rds_trace("start_heap(%p) = %d", addr, code);
	return result(code, err);
}

static int stop_heap(void)
{
	int code = rds_testsw && !rds_reach(NULL) ? rds_heap_check(&heap) : 0;

	return code ? code : rds_heap_stop(&heap);
}

int rds_stop_heap(int *err)
{
	int code;

	err_clear();
	code = stop_heap();
	rds_trace("stop_heap() = %d", code);
	return result(code, err);
}

static int load_heap(char *dev, rvm_offset_t devlen, char **staticaddr)
{
	rvm_region_def_t *defs = NULL;
	unsigned long count = 0;
	char text[512];
	int code;

	code = check_stopped();
	if (!code)
		code = rvm_load_segment(dev, devlen, NULL, &count, &defs);
	if (code)
		return code;
	if (count > 2) {
		err_set(EINVAL, "segment %s: it has %lu regions, a heap's has one or two", dev,
			count);
		code = EBAD_SEGMENT_HDR;
	}
	if (!code)
		code = start_heap(defs[0].vmaddr);
	if (code) {
		strcpy(text, "");
		strncat(text, err_text(), sizeof(text) - 1);
		rvm_release_segment(count, &defs);
		err_set(EINVAL, "%s", text);
		return code;
	}
	RegionDefs = defs;
	NRegionDefs = count;
	if (staticaddr)
		*staticaddr = count == 2 ? defs[1].vmaddr : NULL;
	return 0;
}

int rds_load_heap(char *dev, rvm_offset_t devlen, char **staticaddr, int *err)
{
	int code;

	err_clear();
	code = load_heap(dev, devlen, staticaddr);
	rds_trace("load_heap(%s) = %d", dev ? dev : "NULL", code);
	return result(code, err);
}

/* A call that stopped the heap and could not unmap it may be repeated. */
static int unload_heap(void)
{
	int code;

	if (heap.up && !RegionDefs)
		return bad_args("the heap was not loaded but started: stop it with rds_stop_heap()");
	code = heap.up || !RegionDefs ? stop_heap() : 0;
	if (code)
		return code;
	code = rvm_release_segment(NRegionDefs, &RegionDefs);
	if (!RegionDefs)
		NRegionDefs = 0;
	return code;
}

int rds_unload_heap(int *err)
{
	int code;

	err_clear();
	code = unload_heap();
	rds_trace("unload_heap() = %d", code);
	return result(code, err);
}

/* Allocate and free. */

int rds_prealloc(unsigned long size, unsigned long nblocks, rvm_tid_t *tid, int *err)
{
	int code;

	err_clear();
	code = rds_reach(tid);
	if (!code)
		code = rds_heap_prealloc(&heap, size, nblocks);
	if (!code && !tid)
		code = rvm_flush();
	rds_trace("prealloc(%lu, %lu) = %d", size, nblocks, code);
	return result(code, err);
}

char *rds_malloc(unsigned long size, rvm_tid_t *tid, int *err)
{
	char *addr = NULL;
	rvm_tid_t own;
	int code;

	err_clear();
	code = started();
	if (!code)
		code = begin(&tid, &own);
	if (!code)
		code = end(tid, &own, rds_heap_malloc(&heap, tid, size, &addr));
	rds_trace("malloc(%lu) = %p, %d", size, code ? NULL : addr, code);
	result(code, err);
	return code ? NULL : addr;
}

int rds_free(char *addr, rvm_tid_t *tid, int *err)
{
	rvm_tid_t own;
	int code;

	err_clear();
	code = started();
	if (!code)
		code = begin(&tid, &own);
	if (!code)
		code = end(tid, &own, rds_heap_free(&heap, tid, addr));
	rds_trace("free(%p) = %d", addr, code);
	return result(code, err);
}

int rds_maxblock(unsigned long size)
{
	err_clear();
	return !rds_reach(NULL) && rds_heap_fits(&heap, size) ? TRUE : FALSE;
}

/* Free later. */

static int make_room(intentionList_t *list)
{
	unsigned long size = list->table ? list->size * 2 : STARTSIZE;
	char **table;

	if (!list->table)
		list->count = 0;
	else if (list->count < list->size)
		return 0;
	table = realloc(list->table, size * sizeof(*table));
	if (!table) {
		err_set(ENOMEM, "out of memory for a list of %lu blocks", size);
		return RVM_ENO_MEMORY;
	}
	list->table = table;
	list->size = size;
	return 0;
}

int rds_fake_free(char *addr, intentionList_t *list)
{
	int code;

	err_clear();
	code = list ? rds_reach(NULL) : bad_args("there is no list of blocks");
	if (!code)
		code = rds_heap_used(&heap, addr);
	if (!code)
		code = make_room(list);
	if (!code)
		list->table[list->count++] = addr;
	rds_trace("fake_free(%p) = %d", addr, code);
	return code;
}

static int free_all(intentionList_t *list, rvm_mode_t mode)
{
	unsigned long i;
	rvm_tid_t tid;
	int code;

	rvm_init_tid(&tid);
	code = rvm_begin_transaction(&tid, restore);
	for (i = 0; i < list->count && !code; i++)
		code = rds_heap_free(&heap, &tid, list->table[i]);
	if (!code)
		code = rvm_end_transaction(&tid, mode);
	if (code)
		loader_undo(&tid);
	return code;
}

static int do_free(intentionList_t *list, rvm_mode_t mode)
{
	int code = started();

	if (code || !list->table)
		return code;
	code = free_all(list, mode);
	if (code)
		return code;
	free(list->table);
	*list = (intentionList_t){ 0 };
	return 0;
}

int rds_do_free(intentionList_t *list, rvm_mode_t mode)
{
	unsigned long count = list && list->table ? list->count : 0;
	int code;

	err_clear();
	code = list ? do_free(list, mode) : bad_args("there is no list of blocks");
	rds_trace("do_free(%lu blocks) = %d", count, code);
	return code;
}
