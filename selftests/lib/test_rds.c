// SPDX-License-Identifier: GPL-2.0
/* The recoverable heap: what is allocated and freed, aborts, and several transactions. */
#include "heap_each.h"

static struct picture before, after;

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

/* Allocates blocks of a size until there is no room; Return: how many. */
static unsigned long use_up(unsigned long size, rvm_tid_t *tid, char **blocks)
{
	unsigned long n = 0;

	while ((blocks[n] = get(size, tid)))
		n++;
	return n;
}

TEST_F(heap, free_neighbours_are_joined_when_a_large_block_is_wanted)
{
	unsigned long all = HEAP_BYTES - RDS_FIRST - RDS_OVERHEAD, n, i;
	static char *blocks[BLOCK_MAX];
	rds_stats_t stats;

	all -= all % CHUNK;
	BEGIN();
	n = use_up(40, &self->tid, blocks);
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

static void *free_block(void *block)
{
	return put_back(block, NULL) ? NULL : block;
}

/* It is on no list, and there is nothing that could be joined. */
TEST_F(heap, a_block_that_another_thread_keeps_is_found)
{
	static char *blocks[BLOCK_MAX];
	pthread_t thread;
	unsigned long n;
	void *freed;

	BEGIN();
	n = use_up(200, &self->tid, blocks);
	END();
	ASSERT_LT(1, n);
	ASSERT_EQ(0, pthread_create(&thread, NULL, free_block, blocks[n / 2]));
	ASSERT_EQ(0, pthread_join(thread, &freed));
	ASSERT_EQ(blocks[n / 2], freed);
	EXPECT_EQ(freed, get(200, NULL));
	EXPECT_EQ(NULL, get(200, NULL));
}

TEST_F(heap, blocks_that_a_thread_frees_are_found_without_joining)
{
	static char *blocks[BLOCK_MAX];
	rds_stats_t stats;
	unsigned long n, i, joined;

	BEGIN();
	n = use_up(200, &self->tid, blocks);
	END();
	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	joined = stats.coalesce;
	/* more than a thread keeps */
	BEGIN();
	for (i = 0; i < n; i += 2)
		ASSERT_RVM(SUCCESS, put_back(blocks[i], &self->tid));
	END();
	BEGIN();
	for (i = 0; i < n; i += 2)
		ASSERT_NE(NULL, get(200, &self->tid));
	END();
	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	EXPECT_EQ(joined, stats.coalesce);
	EXPECT_EQ(NULL, get(200, NULL));
}

/* Blocks are made ahead by joining their free neighbours, which the thread keeps to itself. */
TEST_F(heap, a_block_that_was_joined_is_kept_by_no_thread)
{
	static char *blocks[BLOCK_MAX];
	rds_stats_t stats;
	unsigned long n, i;
	int err = 1;

	BEGIN();
	n = use_up(40, &self->tid, blocks);
	END();
	BEGIN();
	for (i = 0; i < n; i++)
		ASSERT_RVM(SUCCESS, put_back(blocks[i], &self->tid));
	END();
	ASSERT_RVM(SUCCESS, rds_prealloc(1000, 1, NULL, &err));
	ASSERT_EQ(SUCCESS, rds_get_stats(&stats));
	ASSERT_LT(n / 2, stats.merged);
	for (i = 0; i < 64; i++)
		ASSERT_NE(NULL, (blocks[i] = get(40, NULL)));
	ASSERT_TRUE(heap_picture(&after));
	EXPECT_EQ(64, after.used);
	for (i = 0; i < 64; i++)
		EXPECT_TRUE(picture_state(&after, blocks[i], "used"));
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

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
