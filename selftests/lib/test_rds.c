// SPDX-License-Identifier: GPL-2.0
/* The recoverable heap: its functions and their errors, aborts, and several transactions. */
#include "heap.h"

#include "crc.h"
#include "rds_format.h"

static struct picture before, after;

FIXTURE(heap) {
	struct place place;
	char *area;
	rvm_tid_t tid;
	rvm_mode_t mode;
};

FIXTURE_VARIANT(heap)
{
	unsigned long flag;
	rvm_mode_t mode;
};

FIXTURE_VARIANT_ADD(heap, kmod) { .flag = RVM_TRACK_KMOD, .mode = restore };
FIXTURE_VARIANT_ADD(heap, kmod_tracked) { .flag = RVM_TRACK_KMOD, .mode = rvm_tracked };
FIXTURE_VARIANT_ADD(heap, uffd) { .flag = RVM_TRACK_UFFD, .mode = restore };
FIXTURE_VARIANT_ADD(heap, uffd_tracked) { .flag = RVM_TRACK_UFFD, .mode = rvm_tracked };
FIXTURE_VARIANT_ADD(heap, sigsegv) { .flag = RVM_TRACK_SIGSEGV, .mode = restore };
FIXTURE_VARIANT_ADD(heap, sigsegv_tracked) { .flag = RVM_TRACK_SIGSEGV, .mode = rvm_tracked };
FIXTURE_VARIANT_ADD(heap, none) { .flag = RVM_TRACK_NONE, .mode = restore };

FIXTURE_SETUP(heap)
{
	int err = 1;

	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, heap_init(&self->place, variant->flag, 0));
	ASSERT_RVM(SUCCESS, heap_zap(&self->place, &err));
	ASSERT_EQ(SUCCESS, err);
	ASSERT_RVM(SUCCESS, heap_load(&self->place, &self->area));
	rvm_init_tid(&self->tid);
	self->mode = variant->mode;
}

FIXTURE_TEARDOWN(heap)
{
	if (self->tid.tid)
		rvm_abort_transaction(&self->tid);
	rds_unload_heap(NULL);
	rvm_terminate();
	place_remove(&self->place);
}

#define BEGIN()	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->tid, self->mode))
#define END()	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&self->tid, flush))
#define ABORT()	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&self->tid))

/* As rds_malloc, and both ways of telling must agree. */
static char *get(unsigned long size, rvm_tid_t *tid)
{
	int err = 1;
	char *block = rds_malloc(size, tid, &err);

	need(!block == !!err);
	return block;
}

static int put_back(char *block, rvm_tid_t *tid)
{
	int err = 1;
	int ret = rds_free(block, tid, &err);

	need(ret == err);
	return ret;
}

TEST_F(heap, what_was_allocated_is_there_after_a_restart)
{
	char *block;

	EXPECT_EQ(2, NRegionDefs);
	EXPECT_EQ(HEAP_ADDR, RegionDefs[0].vmaddr);
	EXPECT_EQ(HEAP_BYTES, RegionDefs[0].length);
	EXPECT_EQ(self->area, RegionDefs[1].vmaddr);
	EXPECT_EQ(HEAP_ADDR + HEAP_BYTES, self->area);
	EXPECT_TRUE(holds(self->area, STATIC_BYTES, 0));

	BEGIN();
	block = get(100, &self->tid);
	ASSERT_NE(NULL, block);
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&self->tid, block, 100));
	memset(block, 'b', 100);
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&self->tid, self->area, &block, sizeof(block)));
	END();

	ASSERT_RVM(SUCCESS, rds_unload_heap(NULL));
	EXPECT_EQ(NULL, RegionDefs);
	EXPECT_EQ(0, NRegionDefs);
	ASSERT_RVM(SUCCESS, heap_load(&self->place, &self->area));
	EXPECT_EQ(block, *(char **)self->area);
	EXPECT_TRUE(holds(block, 100, 'b'));
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_EQ(1, after.used);
	EXPECT_TRUE(picture_state(&after, block, "used"));
	EXPECT_EQ(SUCCESS, put_back(block, NULL));
}

TEST_F(heap, abort_restores_the_heap)
{
	char *kept[40], *block;
	int i;

	for (i = 0; i < 40; i++) {
		kept[i] = get(10 + 37 * i, NULL);
		ASSERT_NE(NULL, kept[i]);
	}
	ASSERT_TRUE(heap_picture(&before));
	EXPECT_EQ(40, before.used);

	BEGIN();
	for (i = 0; i < 40; i += 2)
		ASSERT_RVM(SUCCESS, put_back(kept[i], &self->tid));
	for (i = 0; i < 60; i++) {
		block = get(5 + 29 * i, &self->tid);
		ASSERT_NE(NULL, block);
		if (i % 3)
			continue;
		ASSERT_RVM(SUCCESS, put_back(block, &self->tid));
	}
	ABORT();

	ASSERT_TRUE(heap_picture(&after));
	EXPECT_TRUE(picture_same_used(&before, &after));
	for (i = 0; i < 40; i++)
		EXPECT_RVM(SUCCESS, put_back(kept[i], NULL));
	EXPECT_TRUE(rds_maxblock(HEAP_BYTES - RDS_FIRST - CHUNK));
}

TEST_F(heap, a_freed_block_is_nobody_elses_before_the_commit)
{
	char *block = get(200, NULL), *other;
	rvm_tid_t second;
	int n = 0;

	ASSERT_NE(NULL, block);
	BEGIN();
	ASSERT_RVM(SUCCESS, put_back(block, &self->tid));
	rvm_init_tid(&second);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&second, restore));
	while ((other = get(200, &second))) {
		EXPECT_NE(block, other);
		n++;
	}
	EXPECT_LT(700, n);
	ABORT();
	EXPECT_EQ(NULL, get(200, &second));
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_TRUE(picture_state(&after, block, "used"));

	BEGIN();
	ASSERT_RVM(SUCCESS, put_back(block, &self->tid));
	END();
	EXPECT_EQ(block, get(200, &second));
	EXPECT_EQ(NULL, get(200, &second));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&second));
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_EQ(0, after.used);
}

TEST_F(heap, an_allocated_block_is_nobody_elses_before_the_commit)
{
	rvm_tid_t second;
	char *block;

	BEGIN();
	block = get(200, &self->tid);
	ASSERT_NE(NULL, block);
	rvm_init_tid(&second);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&second, restore));
	EXPECT_NE(block, get(200, &second));
	EXPECT_REFUSED(EBAD_ARGS, "not ended", put_back(block, &second));
	EXPECT_REFUSED(EBAD_ARGS, "not ended", put_back(block, NULL));
	END();
	EXPECT_RVM(SUCCESS, put_back(block, &second));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&second));
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_EQ(1, after.used);
	EXPECT_TRUE(picture_state(&after, block, "used"));
}

TEST_F(heap, a_transaction_may_use_again_what_it_freed)
{
	char *block = get(1000, NULL), *again;
	int i;

	ASSERT_NE(NULL, block);
	BEGIN();
	for (i = 0; i < 5000; i++) {
		ASSERT_RVM(SUCCESS, put_back(block, &self->tid));
		again = get(1000, &self->tid);
		ASSERT_EQ(block, again);
	}
	/* Also where nothing else is left, and it is not the last one. */
	while (get(1000, &self->tid))
		;
	while (get(8, &self->tid))
		;
	ASSERT_RVM(SUCCESS, put_back(block, &self->tid));
	EXPECT_EQ(block, get(500, &self->tid));
	EXPECT_EQ(NULL, get(500, &self->tid));
	ABORT();
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_EQ(1, after.used);
	EXPECT_TRUE(picture_state(&after, block, "used"));
}

TEST_F(heap, a_block_is_freed_once)
{
	char *block = get(200, NULL);

	EXPECT_RVM(SUCCESS, put_back(block, NULL));
	EXPECT_REFUSED(EFREED_TWICE, "is free", put_back(block, NULL));
	BEGIN();
	EXPECT_REFUSED(EFREED_TWICE, "is free", put_back(block, &self->tid));
	block = get(200, &self->tid);
	EXPECT_RVM(SUCCESS, put_back(block, &self->tid));
	EXPECT_RVM(EFREED_TWICE, put_back(block, &self->tid));
	EXPECT_RVM(EFREED_TWICE, put_back(block, NULL));
	END();
	EXPECT_RVM(EFREED_TWICE, put_back(block, NULL));
}

TEST_F(heap, an_address_that_malloc_did_not_return_is_refused)
{
	char *block = get(1000, NULL);

	EXPECT_REFUSED(EBAD_ARGS, "rds_malloc", put_back(NULL, NULL));
	EXPECT_RVM(EBAD_ARGS, put_back((char *)&block, NULL));
	EXPECT_RVM(EBAD_ARGS, put_back(HEAP_ADDR, NULL));
	EXPECT_RVM(EBAD_ARGS, put_back(HEAP_ADDR + HEAP_BYTES, NULL));
	EXPECT_RVM(EBAD_ARGS, put_back(self->area, NULL));
	EXPECT_RVM(EBAD_ARGS, put_back(block + 1, NULL));
	EXPECT_REFUSED(ECORRUPT, "no block", put_back(block + CHUNK, NULL));
	EXPECT_RVM(SUCCESS, put_back(block, NULL));
}

TEST_F(heap, blocks_are_aligned_apart_and_as_long_as_asked_for)
{
	unsigned long size, i, n = 0;
	char *blocks[64];

	for (size = 0; n < 64; size += 1 + size / 7) {
		blocks[n] = get(size, NULL);
		ASSERT_NE(NULL, blocks[n]);
		ASSERT_EQ(0, (uintptr_t)blocks[n] % 16);
		ASSERT_TRUE(heap_picture(&after));
		ASSERT_LE(size, picture_find(&after, blocks[n])->size);
		n++;
		if (size > HEAP_BYTES / 16)
			break;
	}
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_EQ(n, after.used);
	for (i = 1; i < after.count; i++)
		EXPECT_LE(after.blocks[i - 1].addr + after.blocks[i - 1].size,
			  after.blocks[i].addr);
}

TEST_F(heap, free_neighbours_are_joined_when_a_large_block_is_wanted)
{
	unsigned long all = HEAP_BYTES - RDS_FIRST - RDS_OVERHEAD, n = 0, i;
	static char *blocks[BLOCK_MAX];
	rds_stats_t stats;

	all -= all % CHUNK;
	BEGIN();
	while ((blocks[n] = get(40, &self->tid)))
		n++;
	EXPECT_LT(HEAP_BYTES / 64 - 10, n);
	EXPECT_FALSE(rds_maxblock(40));
	END();
	EXPECT_RVM(ENO_ROOM, (get(40, NULL), rds_malloc(40, NULL, NULL) ? 0 : ENO_ROOM));
	BEGIN();
	for (i = 0; i < n; i++)
		ASSERT_RVM(SUCCESS, put_back(blocks[i], &self->tid));
	EXPECT_FALSE(rds_maxblock(41 + CHUNK));
	END();
	EXPECT_TRUE(rds_maxblock(all));
	EXPECT_FALSE(rds_maxblock(all + CHUNK));
	EXPECT_FALSE(rds_maxblock(-1UL));
	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	EXPECT_LT(0, stats.coalesce);
	EXPECT_LT(n / 2, stats.merged);
	EXPECT_EQ(1, stats.large_list);
	EXPECT_NE(NULL, get(all, NULL));
	EXPECT_EQ(NULL, get(1, NULL));
}

TEST_F(heap, malloc_without_room_says_so)
{
	int err = 1;

	EXPECT_EQ(NULL, rds_malloc(HEAP_BYTES, NULL, &err));
	EXPECT_EQ(ENO_ROOM, err);
	EXPECT_NE(0, strlen(rvm_error()));
	EXPECT_EQ(NULL, rds_malloc(-1UL, NULL, &err));
	EXPECT_EQ(ENO_ROOM, err);
	EXPECT_NE(NULL, rds_malloc(0, NULL, &err));
	EXPECT_EQ(SUCCESS, err);
	EXPECT_EQ(0, strlen(rvm_error()));
}

TEST_F(heap, a_write_beyond_a_block_is_found)
{
	char *block, *next;
	unsigned long size;

	BEGIN();
	block = get(72, &self->tid);
	next = get(72, &self->tid);
	END();
	ASSERT_TRUE(heap_picture(&after));
	size = picture_find(&after, block)->size;
	EXPECT_EQ(72, size);

	put(block + size, block[size] ^ 1);
	EXPECT_REFUSED(ECORRUPT, "beyond", put_back(block, NULL));
	EXPECT_EQ(ECORRUPT, rds_trace_on(stderr) ? 0 : rds_trace_dump_heap());
	rds_trace_off();
	rds_testsw = 1;
	EXPECT_RVM(ECORRUPT, rds_stop_heap(NULL));
	rds_testsw = 0;
	put(block + size, block[size] ^ 1);
	put(next - 3, next[-3] ^ 1);
	EXPECT_REFUSED(ECORRUPT, "damaged", put_back(next, NULL));
	put(next - 3, next[-3] ^ 1);
	put(next - 12, next[-12] ^ 1);
	EXPECT_REFUSED(ECORRUPT, "damaged", put_back(next, NULL));
	put(next - 12, next[-12] ^ 1);
	rds_testsw = 1;
	EXPECT_RVM(SUCCESS, rds_stop_heap(NULL));
	rds_testsw = 0;
	EXPECT_RVM(SUCCESS, rds_start_heap(HEAP_ADDR, NULL));
	EXPECT_RVM(SUCCESS, put_back(block, NULL));
	EXPECT_RVM(SUCCESS, put_back(next, NULL));
}

TEST_F(heap, a_write_to_a_free_blocks_head_is_found)
{
	char *block = get(72, NULL);
	int err = 0;

	ASSERT_RVM(SUCCESS, put_back(block, NULL));
	put(block - 16, block[-16] ^ 1);
	EXPECT_EQ(NULL, rds_malloc(72, NULL, &err));
	EXPECT_EQ(ECORRUPT, err);
	EXPECT_EQ(NULL, rds_malloc(72, NULL, &err));
	EXPECT_EQ(ECORRUPT, err);
	put(block - 16, block[-16] ^ 1);
	EXPECT_EQ(block, rds_malloc(72, NULL, &err));
}

TEST_F(heap, blocks_made_ahead_are_found)
{
	rds_stats_t stats;
	int err = 1, i;

	EXPECT_RVM(SUCCESS, rds_prealloc(100, 70, NULL, &err));
	EXPECT_EQ(SUCCESS, err);
	BEGIN();
	EXPECT_RVM(SUCCESS, rds_prealloc(2000, 5, &self->tid, &err));
	EXPECT_RVM(SUCCESS, rds_prealloc(2000, 0, &self->tid, &err));
	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	EXPECT_EQ(75, stats.prealloc);
	EXPECT_EQ(0, stats.mallocbytes);
	for (i = 0; i < 70; i++)
		ASSERT_NE(NULL, get(100, &self->tid));
	for (i = 0; i < 5; i++)
		ASSERT_NE(NULL, get(2000, &self->tid));
	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	EXPECT_EQ(75, stats.hits);
	EXPECT_EQ(0, stats.misses);
	EXPECT_EQ(5, stats.large_hits);
	EXPECT_EQ(0, stats.large_misses);
	EXPECT_RVM(ENO_ROOM, rds_prealloc(100, HEAP_BYTES / 100, &self->tid, &err));
	EXPECT_RVM(ENO_ROOM, rds_prealloc(HEAP_BYTES, 1, NULL, &err));
	EXPECT_EQ(ENO_ROOM, err);
	END();
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_EQ(75, after.used);
}

TEST_F(heap, statistics_count)
{
	rds_stats_t stats;
	unsigned long all;
	char *a, *b;
	int err = 1;

	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	all = stats.freebytes;
	EXPECT_EQ(HEAP_BYTES - RDS_FIRST, all);
	EXPECT_EQ(0, stats.mallocbytes);
	EXPECT_EQ(1, stats.large_list);
	BEGIN();
	a = get(CHUNK, &self->tid);	/* two chunks */
	b = get(30 * CHUNK, &self->tid);	/* large */
	EXPECT_RVM(SUCCESS, put_back(a, &self->tid));
	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	EXPECT_EQ(2, stats.malloc);
	EXPECT_EQ(1, stats.free);
	EXPECT_EQ(2, stats.misses);
	EXPECT_EQ(1, stats.large_hits);
	EXPECT_EQ(31 * CHUNK, stats.mallocbytes);
	EXPECT_EQ(all - 31 * CHUNK, stats.freebytes);
	ABORT();
	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	EXPECT_EQ(0, stats.mallocbytes);
	EXPECT_EQ(all, stats.freebytes);
	EXPECT_EQ(2, stats.malloc);
	EXPECT_RVM(SUCCESS, rds_clear_stats(&err));
	EXPECT_EQ(SUCCESS, err);
	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	EXPECT_EQ(0, stats.malloc);
	EXPECT_EQ(0, stats.unmerged);
	EXPECT_EQ(all, stats.freebytes);
	EXPECT_RVM(EBAD_ARGS, rds_get_stats(NULL));
	EXPECT_RVM(SUCCESS, rds_print_stats());
	EXPECT_NE(a, b);
}

TEST_F(heap, blocks_are_freed_later_by_a_list)
{
	intentionList_t list = { .table = NULL };
	char *blocks[3 * STARTSIZE];
	int i;

	BEGIN();
	for (i = 0; i < 3 * STARTSIZE; i++)
		blocks[i] = get(100, &self->tid);
	for (i = 0; i < 3 * STARTSIZE - 1; i++)
		ASSERT_RVM(SUCCESS, rds_fake_free(blocks[i], &list));
	EXPECT_EQ(3 * STARTSIZE - 1, list.count);
	END();
	ASSERT_TRUE(heap_picture(&before));
	EXPECT_EQ(3 * STARTSIZE, before.used);

	/* All or nothing: a block that stands there twice. */
	ASSERT_RVM(SUCCESS, rds_fake_free(blocks[0], &list));
	EXPECT_RVM(EFREED_TWICE, rds_do_free(&list, flush));
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_TRUE(picture_same_used(&before, &after));
	list.count--;
	EXPECT_RVM(RVM_EMODE, rds_do_free(&list, restore));
	EXPECT_RVM(SUCCESS, rds_do_free(&list, no_flush));
	EXPECT_EQ(NULL, list.table);
	EXPECT_EQ(0, list.count);
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_EQ(1, after.used);
	EXPECT_TRUE(picture_state(&after, blocks[3 * STARTSIZE - 1], "used"));

	EXPECT_RVM(SUCCESS, rds_do_free(&list, flush));
	EXPECT_RVM(EFREED_TWICE, rds_fake_free(blocks[0], &list));
	EXPECT_RVM(EBAD_ARGS, rds_fake_free(NULL, &list));
	EXPECT_RVM(EBAD_ARGS, rds_fake_free(blocks[0], NULL));
	EXPECT_RVM(EBAD_ARGS, rds_do_free(NULL, flush));
	EXPECT_EQ(NULL, list.table);
}

TEST_F(heap, calls_are_traced)
{
	char *text = NULL, *block;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	EXPECT_RVM(EBAD_ARGS, rds_trace_on(NULL));
	EXPECT_RVM(EBAD_ARGS, rds_trace_dump_heap());
	EXPECT_EQ(0, rds_tracing);
	EXPECT_RVM(SUCCESS, rds_trace_on(file));
	EXPECT_NE(0, rds_tracing);
	EXPECT_EQ(file, rds_tracing_file);
	block = get(123, NULL);
	EXPECT_RVM(SUCCESS, rds_trace_dump_heap());
	put_back(block, NULL);
	EXPECT_RVM(SUCCESS, rds_trace_off());
	EXPECT_EQ(0, rds_tracing);
	put_back(block, NULL);
	fclose(file);
	EXPECT_NE(NULL, strstr(text, "malloc(123) = 0x"));
	EXPECT_NE(NULL, strstr(text, "used"));
	EXPECT_NE(NULL, strstr(text, ") = 0\nrds: tracing off\n"));
	EXPECT_EQ(NULL, strstr(text, "-8"));
	free(text);
}

TEST_F(heap, a_bad_transaction_changes_nothing)
{
	char *block = get(100, NULL);
	int err = 0;

	EXPECT_EQ(NULL, rds_malloc(100, &self->tid, &err));
	EXPECT_EQ(RVM_ETID, err);
	EXPECT_RVM(RVM_ETID, rds_free(block, &self->tid, &err));
	EXPECT_EQ(RVM_ETID, err);
	EXPECT_RVM(RVM_ETID, rds_prealloc(100, 1, &self->tid, &err));
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_EQ(1, after.used);
}

TEST_F(heap, stop_wants_all_transactions_ended)
{
	int err = 0;

	BEGIN();
	ASSERT_NE(NULL, get(100, &self->tid));
	EXPECT_REFUSED(RVM_EUNCOMMIT, "not ended", rds_stop_heap(&err));
	EXPECT_EQ(RVM_EUNCOMMIT, err);
	EXPECT_RVM(RVM_EUNCOMMIT, rds_unload_heap(&err));
	ABORT();
	EXPECT_RVM(SUCCESS, rds_stop_heap(&err));
	EXPECT_RVM(SUCCESS, rds_start_heap(HEAP_ADDR, &err));
	EXPECT_RVM(SUCCESS, rds_unload_heap(&err));
	EXPECT_EQ(SUCCESS, err);
}

TEST_F(heap, a_heap_that_is_started_is_not_started_again)
{
	int err = 0;

	EXPECT_REFUSED(EHEAP_INIT, "already", rds_start_heap(HEAP_ADDR, &err));
	EXPECT_EQ(EHEAP_INIT, err);
	EXPECT_REFUSED(EHEAP_INIT, "already", heap_load(&self->place, NULL));
	EXPECT_REFUSED(RVM_EOVERLAP, "", heap_zap(&self->place, &err));
	EXPECT_EQ(2, NRegionDefs);
	EXPECT_NE(NULL, get(100, NULL));
}

TEST_F(heap, a_heap_that_went_with_its_log_may_be_loaded_again)
{
	char *block = get(100, NULL);
	int err = 0;

	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_EQ(NULL, rds_malloc(100, NULL, &err));
	EXPECT_EQ(RVM_EINIT, err);
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	EXPECT_EQ(NULL, rds_malloc(100, NULL, &err));
	EXPECT_EQ(RVM_ENOT_MAPPED, err);
	ASSERT_RVM(SUCCESS, heap_load(&self->place, &self->area));
	EXPECT_RVM(SUCCESS, put_back(block, NULL));
}

/* Without a heap. */

FIXTURE(bare) {
	struct place place;
};

FIXTURE_SETUP(bare)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
}

FIXTURE_TEARDOWN(bare)
{
	rds_unload_heap(NULL);
	rvm_terminate();
	place_remove(&self->place);
}

TEST_F(bare, nothing_works_before_the_heap_is_started)
{
	intentionList_t list = { .table = NULL };
	rds_stats_t stats;
	int err = 0;

	EXPECT_EQ(NULL, rds_malloc(100, NULL, &err));
	EXPECT_EQ(EHEAP_INIT, err);
	EXPECT_REFUSED(EHEAP_INIT, "rds_load_heap", rds_free(HEAP_ADDR, NULL, &err));
	EXPECT_RVM(EHEAP_INIT, rds_prealloc(100, 1, NULL, &err));
	EXPECT_RVM(EHEAP_INIT, rds_stop_heap(&err));
	EXPECT_RVM(EHEAP_INIT, rds_unload_heap(&err));
	EXPECT_RVM(EHEAP_INIT, rds_fake_free(HEAP_ADDR, &list));
	EXPECT_RVM(EHEAP_INIT, rds_do_free(&list, flush));
	EXPECT_RVM(EHEAP_INIT, rds_get_stats(&stats));
	EXPECT_RVM(EHEAP_INIT, rds_clear_stats(&err));
	EXPECT_EQ(EHEAP_INIT, err);
	EXPECT_RVM(EHEAP_INIT, rds_print_stats());
	EXPECT_FALSE(rds_maxblock(1));
	ASSERT_EQ(SUCCESS, rds_trace_on(stderr));
	EXPECT_RVM(EHEAP_INIT, rds_trace_dump_heap());
	rds_trace_off();
}

TEST_F(bare, zap_checks_its_arguments)
{
	rvm_offset_t length = rvm_mk_offset(0, HEAP_SEG);
	char *seg = self->place.seg;
	int err = 0;

	EXPECT_RVM(EBAD_ARGS, rds_zap_heap(seg, length, NULL, PAGE, PAGE, 8, 32, &err));
	EXPECT_EQ(EBAD_ARGS, err);
	EXPECT_RVM(EBAD_ARGS, rds_zap_heap(seg, length, HEAP_ADDR, PAGE, PAGE, 0, 32, &err));
	EXPECT_RVM(EBAD_ARGS, rds_zap_heap(seg, length, HEAP_ADDR, PAGE, PAGE, 8, 0, &err));
	EXPECT_RVM(EBAD_ARGS, rds_zap_heap(seg, length, HEAP_ADDR, PAGE, PAGE, 8, PAGE, &err));
	EXPECT_RVM(EBAD_ARGS, rds_zap_heap(seg, length, HEAP_ADDR, PAGE, 0, 8, 32, &err));
	EXPECT_RVM(EBAD_ARGS, rds_zap_heap(seg, length, HEAP_ADDR, PAGE, PAGE, 2UL << 20, 32,
					   &err));
	EXPECT_RVM(RVM_EREGION_DEF,
		   rds_zap_heap(seg, length, HEAP_ADDR + 16, PAGE, PAGE, 8, 32, &err));
	EXPECT_RVM(RVM_EOFFSET,
		   rds_zap_heap(seg, length, HEAP_ADDR, PAGE, 2 * HEAP_SEG, 8, 32, &err));
	EXPECT_EQ(RVM_EOFFSET, err);
	EXPECT_RVM(RVM_EREGION, rds_zap_heap(NULL, length, HEAP_ADDR, PAGE, PAGE, 8, 32, &err));
	EXPECT_TRUE(file_holds(seg, 0, SEG_BYTES, 0));
	EXPECT_RVM(RVM_ESEGMENT_HDR, heap_load(&self->place, NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_RVM(RVM_EINIT, heap_zap(&self->place, &err));
	EXPECT_RVM(RVM_EINIT, heap_load(&self->place, NULL));
}

TEST_F(bare, zap_refuses_addresses_in_use_and_changes_nothing)
{
	char *other = mmap(HEAP_ADDR, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
			   MAP_FIXED_NOREPLACE, -1, 0);
	int err = 0;

	ASSERT_EQ(HEAP_ADDR, other);
	EXPECT_RVM(RVM_EVM_OVERLAP, heap_zap(&self->place, &err));
	EXPECT_EQ(RVM_EVM_OVERLAP, err);
	munmap(other, PAGE);
	EXPECT_RVM(RVM_ESEGMENT_HDR, heap_load(&self->place, NULL));
}

TEST_F(bare, a_heap_needs_no_static_area_and_takes_any_chunk_size)
{
	static const unsigned long chunks[] = { 1, 16, 32, 33, 100, 4000 };
	char *area, *block;
	int err = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		ASSERT_RVM(SUCCESS, rds_zap_heap(self->place.seg, rvm_mk_offset(0, HEAP_SEG),
						 HEAP_ADDR, 0, 3 * PAGE - 5, 1, chunks[i], &err));
		ASSERT_RVM(SUCCESS, heap_load(&self->place, &area));
		EXPECT_EQ(NULL, area);
		EXPECT_EQ(1, NRegionDefs);
		block = rds_malloc(200, NULL, &err);
		ASSERT_NE(NULL, block);
		EXPECT_EQ(0, (uintptr_t)block % 16);
		EXPECT_RVM(SUCCESS, rds_free(block, NULL, &err));
		ASSERT_RVM(SUCCESS, rds_unload_heap(&err));
	}
}

TEST_F(bare, a_heap_may_be_made_in_any_region)
{
	rvm_region_t region;
	rvm_tid_t tid;
	char *base;
	int err = 0;

	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region, 0));
	base = region.vmaddr + PAGE + 48;
	rvm_init_tid(&tid);
	EXPECT_RVM(RVM_ETID, rds_init_heap(base, 3 * PAGE, 64, 8, &tid, &err));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	EXPECT_RVM(EBAD_ARGS, rds_init_heap(NULL, 3 * PAGE, 64, 8, &tid, &err));
	EXPECT_RVM(EBAD_ARGS, rds_init_heap(base + 1, 3 * PAGE, 64, 8, &tid, &err));
	EXPECT_RVM(EBAD_ARGS, rds_init_heap(base, 128, 64, 8, &tid, &err));
	EXPECT_EQ(EBAD_ARGS, err);
	EXPECT_RVM(RVM_ENOT_MAPPED, rds_init_heap(base, 2 * SEG_BYTES, 64, 8, &tid, &err));
	EXPECT_RVM(SUCCESS, rds_init_heap(base, 3 * PAGE, 64, 8, &tid, &err));
	ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tid));
	EXPECT_RVM(EHEAP_VERSION_SKEW, rds_start_heap(base, &err));
	EXPECT_EQ(EHEAP_VERSION_SKEW, err);
	EXPECT_RVM(SUCCESS, rds_init_heap(base, 3 * PAGE, 64, 8, NULL, &err));
	EXPECT_RVM(EBAD_ARGS, rds_start_heap(NULL, &err));
	EXPECT_RVM(EBAD_ARGS, rds_start_heap(base + 1, &err));
	EXPECT_RVM(RVM_ENOT_MAPPED, rds_start_heap((char *)0x10000, &err));
	EXPECT_RVM(SUCCESS, rds_start_heap(base, &err));
	EXPECT_NE(NULL, rds_malloc(500, NULL, &err));
	EXPECT_RVM(EBAD_ARGS, rds_unload_heap(&err));
	EXPECT_RVM(SUCCESS, rds_stop_heap(&err));
	EXPECT_RVM(EHEAP_INIT, rds_stop_heap(&err));
}

TEST_F(bare, a_segment_of_other_regions_is_no_heap)
{
	rvm_region_def_t defs[3];
	int i;

	for (i = 0; i < 3; i++)
		RVM_INIT_REGION(defs[i], rvm_mk_offset(0, (1 + i) * PAGE), PAGE,
				HEAP_ADDR + i * PAGE);
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(self->place.seg, rvm_mk_offset(0, SEG_BYTES),
						   NULL, 3, defs));
	EXPECT_REFUSED(EBAD_SEGMENT_HDR, "regions", heap_load(&self->place, NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(self->place.seg, rvm_mk_offset(0, SEG_BYTES),
						   NULL, 2, defs));
	EXPECT_REFUSED(EHEAP_VERSION_SKEW, "no heap", heap_load(&self->place, NULL));
	EXPECT_EQ(NULL, RegionDefs);
	EXPECT_EQ(0, NRegionDefs);
}

static void flip(struct place *place, size_t at, unsigned char change)
{
	unsigned char byte;

	need(file_read(place->seg, at, &byte, 1));
	byte ^= change;
	need(file_write(place->seg, at, &byte, 1));
}

/* With truncation the segment is up to date, and nothing is in the log. */
static void one_block(struct place *place)
{
	int err;

	need(heap_zap(place, &err) == SUCCESS);
	need(heap_load(place, NULL) == SUCCESS);
	need(rds_malloc(72, NULL, &err));
	need(rds_unload_heap(&err) == SUCCESS);
	need(rvm_truncate() == RVM_SUCCESS);
}

/* What load says of a changed byte; the block is 96 bytes long. */
static int verdict(size_t at)
{
	size_t block = PAGE + RDS_FIRST, tail = block + 96 - RDS_TAIL;

	if (at < PAGE + 8)
		return EHEAP_VERSION_SKEW;
	if (at < block || (at >= tail && at < block + 96))
		return ECORRUPT;
	return at < block + 16 || at >= block + 96 ? EBAD_LIST : SUCCESS;
}

TEST_F(bare, load_finds_every_damaged_byte_of_the_heaps_own)
{
	size_t at;
	int code;

	one_block(&self->place);
	for (at = PAGE; at < PAGE + RDS_FIRST + 96 + 16; at++) {
		flip(&self->place, at, 0x40);
		code = heap_load(&self->place, NULL);
		ASSERT_EQ(verdict(at), code) {
			TH_LOG("byte %zu: %s", at, rvm_error());
		}
		EXPECT_EQ(!code, !strlen(rvm_error()));
		if (!code)
			rds_unload_heap(NULL);
		flip(&self->place, at, 0x40);
	}
	EXPECT_RVM(SUCCESS, heap_load(&self->place, NULL));
}

TEST_F(bare, load_believes_no_header_because_its_checksum_is_right)
{
	static const struct {
		size_t at;
		unsigned char change;
		int code;
	} cases[] = {
		{ offsetof(struct disk_heap, version), 2, EHEAP_VERSION_SKEW },
		{ offsetof(struct disk_heap, ro_compat), 1, EHEAP_VERSION_SKEW },
		{ offsetof(struct disk_heap, incompat), 1, EHEAP_VERSION_SKEW },
		{ offsetof(struct disk_heap, length) + 3, 1, ECORRUPT },
		{ offsetof(struct disk_heap, length) + 7, 0x80, ECORRUPT },
		{ offsetof(struct disk_heap, chunk), 1, ECORRUPT },
		{ offsetof(struct disk_heap, chunk), 32, ECORRUPT },
		{ offsetof(struct disk_heap, nlists) + 4, 1, ECORRUPT },
		{ offsetof(struct disk_heap, chunks), 1, ECORRUPT },
		{ offsetof(struct disk_heap, chunks) + 7, 1, ECORRUPT },
		{ offsetof(struct disk_heap, reserved) + 51, 1, ECORRUPT },
		{ offsetof(struct disk_heap, uuid), 1, EBAD_LIST },
		{ offsetof(struct disk_heap, compat), 1, SUCCESS },
	};
	struct disk_heap good, bad;
	size_t i;
	int code;

	one_block(&self->place);
	ASSERT_TRUE(file_read(self->place.seg, PAGE, &good, sizeof(good)));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bad = good;
		((unsigned char *)&bad)[cases[i].at] ^= cases[i].change;
		bad.crc = crc32c(0, &bad, offsetof(struct disk_heap, crc));
		ASSERT_TRUE(file_write(self->place.seg, PAGE, &bad, sizeof(bad)));
		code = heap_load(&self->place, NULL);
		EXPECT_EQ(cases[i].code, code) {
			TH_LOG("case %zu: %s", i, rvm_error());
		}
		if (!code)
			rds_unload_heap(NULL);
	}
}

TEST_F(bare, the_smallest_log_is_enough_for_small_transactions)
{
	char *blocks[100];
	int err, i, round;
	char path[80];

	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	snprintf(path, sizeof(path), "%s/small", self->place.dir);
	strcpy(self->place.log, path);
	ASSERT_RVM(RVM_SUCCESS, heap_init(&self->place, 0, 4096));
	ASSERT_RVM(SUCCESS, heap_zap(&self->place, &err));
	ASSERT_RVM(SUCCESS, heap_load(&self->place, NULL));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 100; i++) {
			blocks[i] = rds_malloc(8, NULL, &err);
			ASSERT_NE(NULL, blocks[i]);
		}
		for (i = 0; i < 100; i++)
			ASSERT_RVM(SUCCESS, rds_free(blocks[i], NULL, &err));
		ASSERT_TRUE(rds_maxblock(HEAP_BYTES - RDS_FIRST - CHUNK));
	}
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
