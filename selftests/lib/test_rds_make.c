// SPDX-License-Identifier: GPL-2.0
/* The recoverable heap: how one is made, and which are refused. */
#include "heap.h"

#include "crc.h"
#include "rds_format.h"

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

TEST_F(bare, a_heap_does_not_reach_into_the_next_region)
{
	rvm_region_def_t defs[2], *loaded = NULL;
	unsigned long count = 0;
	int err = 0, i;

	for (i = 0; i < 2; i++)
		RVM_INIT_REGION(defs[i], rvm_mk_offset(0, (1 + i) * PAGE), PAGE,
				HEAP_ADDR + i * PAGE);
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(self->place.seg, rvm_mk_offset(0, SEG_BYTES),
						   NULL, 2, defs));
	ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(self->place.seg, rvm_mk_offset(0, SEG_BYTES),
						 NULL, &count, &loaded));
	EXPECT_REFUSED(RVM_ENOT_MAPPED, "no region has all",
		       rds_init_heap(HEAP_ADDR, 2 * PAGE, 64, 8, NULL, &err));
	EXPECT_RVM(EHEAP_VERSION_SKEW, rds_start_heap(HEAP_ADDR, &err));
	EXPECT_RVM(SUCCESS, rds_init_heap(HEAP_ADDR, PAGE, 64, 8, NULL, &err));
	EXPECT_RVM(SUCCESS, rds_start_heap(HEAP_ADDR, &err));
	EXPECT_RVM(SUCCESS, rds_stop_heap(&err));
	EXPECT_RVM(RVM_SUCCESS, rvm_release_segment(count, &loaded));
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
