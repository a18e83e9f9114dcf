// SPDX-License-Identifier: GPL-2.0
/* The recoverable heap: blocks made ahead or freed later, counts, traces, start and stop. */
#include "heap_each.h"

static struct picture before, after;

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

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
