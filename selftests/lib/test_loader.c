// SPDX-License-Identifier: GPL-2.0
/* The segment loader: load maps made, read, replaced, damaged, interrupted. */
#include "api.h"

#include <rvm/rvm_segment.h>

#include "crc.h"
#include "loadmap.h"

#define HOME	((char *)0x30000000UL)
#define AWAY	((char *)0x38000000UL)

FIXTURE(loader) {
	struct place place;
	rvm_offset_t length;
	rvm_region_def_t *defs;
	unsigned long count;
};

FIXTURE_SETUP(loader)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	self->length = rvm_mk_offset(0, SEG_BYTES);
}

FIXTURE_TEARDOWN(loader)
{
	if (self->defs)
		rvm_release_segment(self->count, &self->defs);
	rvm_terminate();
	place_remove(&self->place);
}

/* Two regions behind the header, three and five pages, the second first in memory. */
static void two(rvm_region_def_t defs[2])
{
	RVM_INIT_REGION(defs[0], RVM_LENGTH_TO_OFFSET(RVM_SEGMENT_HDR_SIZE), 3 * PAGE, AWAY);
	RVM_INIT_REGION(defs[1], RVM_LENGTH_TO_OFFSET(8 * PAGE), 5 * PAGE, HOME);
}

static rvm_return_t create_two(struct place *place)
{
	rvm_region_def_t defs[2];

	two(defs);
	return rvm_create_segment(place->seg, rvm_mk_offset(0, SEG_BYTES), NULL, 2, defs);
}

static rvm_return_t store(char *at, char value)
{
	rvm_return_t code;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	code = rvm_begin_transaction(&tid, restore);
	if (!code)
		code = rvm_modify_bytes(&tid, at, &value, 1);
	return code ? code : rvm_end_transaction(&tid, flush);
}

TEST_F(loader, regions_come_back_at_their_addresses)
{
	int round;

	ASSERT_RVM(RVM_SUCCESS, create_two(&self->place));
	for (round = 0; round < 3; round++) {
		ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(self->place.seg, self->length, NULL,
							 &self->count, &self->defs));
		ASSERT_EQ(2, self->count);
		EXPECT_EQ(AWAY, self->defs[0].vmaddr);
		EXPECT_EQ(3 * PAGE, self->defs[0].length);
		EXPECT_EQ(PAGE, self->defs[0].offset.low);
		EXPECT_EQ(HOME, self->defs[1].vmaddr);
		EXPECT_EQ(5 * PAGE, self->defs[1].length);
		EXPECT_EQ(8 * PAGE, self->defs[1].offset.low);
		EXPECT_EQ(round ? 'a' + round - 1 : 0, AWAY[3 * PAGE - 1]);
		ASSERT_RVM(RVM_SUCCESS, store(AWAY + 3 * PAGE - 1, 'a' + round));
		ASSERT_RVM(RVM_SUCCESS, store(HOME, 'A' + round));
		ASSERT_RVM(RVM_SUCCESS, rvm_release_segment(self->count, &self->defs));
		EXPECT_EQ(NULL, self->defs);
		EXPECT_RVM(RVM_ENOT_MAPPED, store(HOME, 'x'));
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	EXPECT_EQ('c', file_byte(self->place.seg, 4 * PAGE - 1));
	EXPECT_EQ('C', file_byte(self->place.seg, 8 * PAGE));
}

TEST_F(loader, a_mapping_at_an_address_is_left_alone_and_nothing_else_is_mapped)
{
	char *other;

	ASSERT_RVM(RVM_SUCCESS, create_two(&self->place));
	other = mmap(HOME + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(HOME + 4 * PAGE, other);
	memset(other, 'o', PAGE);
	EXPECT_REFUSED(RVM_EVM_OVERLAP, "", rvm_load_segment(self->place.seg, self->length, NULL,
							     &self->count, &self->defs));
	EXPECT_TRUE(holds(other, PAGE, 'o'));
	EXPECT_RVM(RVM_ENOT_MAPPED, store(AWAY, 'x'));
	munmap(other, PAGE);
	EXPECT_RVM(RVM_SUCCESS, rvm_load_segment(self->place.seg, self->length, NULL,
						 &self->count, &self->defs));
}

TEST_F(loader, a_region_without_an_address_is_mapped_anywhere)
{
	rvm_region_def_t def;

	RVM_INIT_REGION(def, RVM_LENGTH_TO_OFFSET(PAGE), 100, NULL);
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(self->place.seg, self->length, NULL, 1, &def));
	ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(self->place.seg, self->length, NULL,
						 &self->count, &self->defs));
	ASSERT_NE(NULL, self->defs[0].vmaddr);
	EXPECT_EQ(PAGE, self->defs[0].length);
	EXPECT_RVM(RVM_SUCCESS, store(self->defs[0].vmaddr, 'x'));
}

static rvm_return_t create_one(struct place *place, rvm_length_t offset, rvm_length_t length,
			       char *addr)
{
	rvm_region_def_t def;

	RVM_INIT_REGION(def, rvm_mk_offset(0, offset), length, addr);
	return rvm_create_segment(place->seg, rvm_mk_offset(0, SEG_BYTES), NULL, 1, &def);
}

TEST_F(loader, create_refuses_definitions_that_cannot_be)
{
	struct place *place = &self->place;
	rvm_region_def_t defs[2];

	two(defs);
	EXPECT_REFUSED(RVM_EREGION_DEF, "no regions",
		       rvm_create_segment(place->seg, self->length, NULL, 0, defs));
	EXPECT_REFUSED(RVM_EREGION_DEF, "no regions",
		       rvm_create_segment(place->seg, self->length, NULL, 2, NULL));
	EXPECT_REFUSED(RVM_EREGION_DEF, "region 0", create_one(place, PAGE, 0, HOME));
	EXPECT_REFUSED(RVM_EREGION_DEF, "region 0", create_one(place, PAGE, ~0UL, HOME));
	EXPECT_REFUSED(RVM_EREGION_DEF, "boundary", create_one(place, PAGE + 8, PAGE, HOME));
	EXPECT_REFUSED(RVM_EREGION_DEF, "boundary", create_one(place, PAGE, PAGE, HOME + 16));
	EXPECT_REFUSED(RVM_EREGION_DEF, "impossible",
		       create_one(place, PAGE, 2 * PAGE, (char *)-PAGE));
	EXPECT_REFUSED(RVM_EOFFSET, "header", create_one(place, 0, PAGE, HOME));
	EXPECT_REFUSED(RVM_EOFFSET, "beyond", create_one(place, PAGE, SEG_BYTES, HOME));
	EXPECT_REFUSED(RVM_EOFFSET, "beyond", create_one(place, SEG_BYTES + PAGE, PAGE, HOME));
	defs[0].offset.high = 1;
	EXPECT_REFUSED(RVM_EOFFSET, "2^64",
		       rvm_create_segment(place->seg, self->length, NULL, 2, defs));
	EXPECT_REFUSED(RVM_EOFFSET, "2^64", rvm_create_segment(place->seg, rvm_mk_offset(1, 0),
							       NULL, 2, defs));
	two(defs);
	defs[1].offset.low = 3 * PAGE;
	EXPECT_REFUSED(RVM_EOVERLAP, "segment",
		       rvm_create_segment(place->seg, self->length, NULL, 2, defs));
	two(defs);
	defs[0].vmaddr = HOME + 4 * PAGE;
	EXPECT_REFUSED(RVM_EVM_OVERLAP, "addresses",
		       rvm_create_segment(place->seg, self->length, NULL, 2, defs));
	EXPECT_REFUSED(RVM_EREGION, "", rvm_create_segment(NULL, self->length, NULL, 1, defs));
	EXPECT_TRUE(file_holds(place->seg, 0, SEG_BYTES, 0));
	EXPECT_REFUSED(RVM_ESEGMENT_HDR, "no load map",
		       rvm_load_segment(place->seg, self->length, NULL, &self->count,
					&self->defs));
}

TEST_F(loader, other_bad_arguments_are_refused)
{
	rvm_options_t options;
	rvm_region_def_t defs[2];
	rvm_region_t region;

	two(defs);
	rvm_init_options(&options);
	options.struct_id = rvm_tid_id;
	EXPECT_RVM(RVM_EOPTIONS, rvm_create_segment(self->place.seg, self->length, &options, 2,
						    defs));
	ASSERT_RVM(RVM_SUCCESS, create_two(&self->place));
	EXPECT_RVM(RVM_EOPTIONS, rvm_load_segment(self->place.seg, self->length, &options,
						  &self->count, &self->defs));
	EXPECT_RVM(RVM_EREGION_DEF, rvm_load_segment(self->place.seg, self->length, NULL, NULL,
						     &self->defs));
	EXPECT_RVM(RVM_EREGION_DEF, rvm_load_segment(self->place.seg, self->length, NULL,
						     &self->count, NULL));
	EXPECT_RVM(RVM_EREGION, rvm_load_segment(NULL, self->length, NULL, &self->count,
						 &self->defs));
	EXPECT_RVM(RVM_EREGION_DEF, rvm_release_segment(2, NULL));
	EXPECT_RVM(RVM_EREGION_DEF, rvm_release_segment(2, &self->defs));
	ASSERT_RVM(RVM_SUCCESS, map_part(&region, self->place.seg, 0, PAGE, RVM_TRACK_NONE));
	EXPECT_RVM(RVM_EOVERLAP, create_two(&self->place));
	EXPECT_RVM(RVM_EOVERLAP, rvm_load_segment(self->place.seg, self->length, NULL,
						  &self->count, &self->defs));
}

TEST_F(loader, without_a_library_or_a_log_nothing_is_done)
{
	ASSERT_RVM(RVM_SUCCESS, create_two(&self->place));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_RVM(RVM_EINIT, create_two(&self->place));
	EXPECT_RVM(RVM_EINIT, rvm_load_segment(self->place.seg, self->length, NULL, &self->count,
					       &self->defs));
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	EXPECT_RVM(RVM_ELOG, create_two(&self->place));
	EXPECT_RVM(RVM_ELOG, rvm_load_segment(self->place.seg, self->length, NULL, &self->count,
					      &self->defs));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(self->place.seg, self->length, NULL,
						 &self->count, &self->defs));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_RVM(RVM_EINIT, rvm_release_segment(self->count, &self->defs));
	EXPECT_EQ(NULL, self->defs);
}

TEST_F(loader, release_waits_for_the_program_to_end_its_transactions)
{
	rvm_tid_t tid;

	ASSERT_RVM(RVM_SUCCESS, create_two(&self->place));
	ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(self->place.seg, self->length, NULL,
						 &self->count, &self->defs));
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, HOME, 8));
	EXPECT_REFUSED(RVM_EUNCOMMIT, "", rvm_release_segment(self->count, &self->defs));
	ASSERT_NE(NULL, self->defs);
	memcpy(HOME, "8 bytes", 8);
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
	EXPECT_RVM(RVM_SUCCESS, rvm_release_segment(self->count, &self->defs));
	EXPECT_EQ(NULL, self->defs);
}

TEST_F(loader, a_missing_segment_is_made_and_a_short_one_grows)
{
	rvm_region_def_t defs[2];
	char path[80];

	two(defs);
	snprintf(path, sizeof(path), "%s/new", self->place.dir);
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(path, self->length, NULL, 2, defs));
	EXPECT_EQ(SEG_BYTES, file_length(path));
	snprintf(path, sizeof(path), "%s/empty", self->place.dir);
	ASSERT_TRUE(file_make(path, 0, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(path, self->length, NULL, 2, defs));
	EXPECT_EQ(SEG_BYTES, file_length(path));
	ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(path, self->length, NULL, &self->count,
						 &self->defs));
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(self->place.seg, rvm_mk_offset(0, PAGE), NULL,
						   2, defs));
	EXPECT_EQ(SEG_BYTES, file_length(self->place.seg));
	snprintf(path, sizeof(path), "%s/none", self->place.dir);
	EXPECT_REFUSED(RVM_EIO, "no such file",
		       rvm_create_segment(path, rvm_mk_offset(0, 0), NULL, 2, defs));
}

#define MANY 1000UL

/* Regions of one page in every second page, in no order; addresses grow. */
static void many(rvm_region_def_t *defs, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count; i++)
		RVM_INIT_REGION(defs[i],
				rvm_mk_offset(0, (1 + 2 * (i * 7 % count)) * PAGE), PAGE,
				HOME + 2 * i * PAGE);
}

TEST_F(loader, there_may_be_any_number_of_regions)
{
	rvm_offset_t length = rvm_mk_offset(0, (2 * MANY + 16) * PAGE);
	rvm_region_def_t defs[MANY];
	unsigned long i;
	char path[80];

	snprintf(path, sizeof(path), "%s/many", self->place.dir);
	many(defs, MANY);
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(path, length, NULL, MANY, defs));
	ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(path, length, NULL, &self->count, &self->defs));
	ASSERT_EQ(MANY, self->count);
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(defs[i].vmaddr, self->defs[i].vmaddr);
		ASSERT_EQ(defs[i].offset.low, self->defs[i].offset.low);
	}
	ASSERT_RVM(RVM_SUCCESS, store(HOME + 2 * (MANY - 1) * PAGE, 'z'));
	ASSERT_RVM(RVM_SUCCESS, rvm_release_segment(self->count, &self->defs));
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(path, length, NULL, 2, defs));
	ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(path, length, NULL, &self->count, &self->defs));
	EXPECT_EQ(2, self->count);
}

TEST_F(loader, the_first_page_holds_125_and_more_need_free_pages)
{
	rvm_region_def_t defs[126];
	rvm_offset_t length = rvm_mk_offset(0, 253 * PAGE);
	unsigned long i;
	char path[80];

	snprintf(path, sizeof(path), "%s/full", self->place.dir);
	for (i = 0; i < 126; i++)
		RVM_INIT_REGION(defs[i], rvm_mk_offset(0, (1 + 2 * i) * PAGE), 2 * PAGE,
				HOME + 2 * i * PAGE);
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(path, length, NULL, 125, defs));
	EXPECT_REFUSED(RVM_ESEGMENT_HDR, "leave them free",
		       rvm_create_segment(path, length, NULL, 126, defs));
	defs[60].length = PAGE;
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(path, length, NULL, 126, defs));
	ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(path, length, NULL, &self->count, &self->defs));
	EXPECT_EQ(126, self->count);
}

/* Change a byte of a load map in the file, and repair the checksum of the first page if asked. */
static void damage(struct place *place, size_t at, unsigned char change, bool repair)
{
	struct disk_loadmap map;

	need(file_read(place->seg, 0, &map, sizeof(map)));
	((unsigned char *)&map)[at] ^= change;
	if (repair)
		map.crc = crc32c(0, &map, offsetof(struct disk_loadmap, crc));
	need(file_write(place->seg, 0, &map, sizeof(map)));
}

static rvm_return_t reload(struct place *place)
{
	rvm_region_def_t *defs = NULL;
	unsigned long count = 0;
	rvm_return_t code;

	code = rvm_load_segment(place->seg, rvm_mk_offset(0, SEG_BYTES), NULL, &count, &defs);
	if (!code)
		rvm_release_segment(count, &defs);
	else
		need(!defs && !count);
	return code;
}

TEST_F(loader, every_damaged_byte_of_the_map_is_found)
{
	size_t at;

	ASSERT_RVM(RVM_SUCCESS, create_two(&self->place));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	for (at = 0; at < sizeof(struct disk_loadmap); at += at < 192 ? 1 : 61) {
		damage(&self->place, at, 0x10, false);
		ASSERT_EQ(RVM_ESEGMENT_HDR, reload(&self->place)) {
			TH_LOG("byte %zu", at);
		}
		damage(&self->place, at, 0x10, false);
	}
	EXPECT_RVM(RVM_SUCCESS, reload(&self->place));
}

TEST_F(loader, a_map_with_a_right_checksum_is_not_believed)
{
	static const struct {
		size_t at;
		unsigned char change;
		const char *word;
	} cases[] = {
		{ offsetof(struct disk_loadmap, version), 2, "version" },
		{ offsetof(struct disk_loadmap, ro_compat), 1, "version" },
		{ offsetof(struct disk_loadmap, incompat), 1, "version" },
		{ offsetof(struct disk_loadmap, count), 3, "fit together" },
		{ offsetof(struct disk_loadmap, count), 2, "fit together" },
		{ offsetof(struct disk_loadmap, count) + 7, 0x80, "fit together" },
		{ offsetof(struct disk_loadmap, more_offset) + 1, 0x10, "fit together" },
		{ offsetof(struct disk_loadmap, more_length) + 1, 0x10, "fit together" },
		{ offsetof(struct disk_loadmap, reserved_a), 1, "fit together" },
		{ offsetof(struct disk_loadmap, reserved_b), 1, "fit together" },
		{ offsetof(struct disk_loadmap, reserved_c), 1, "fit together" },
		{ offsetof(struct disk_loadmap, first[0].reserved), 1, "fit together" },
		{ offsetof(struct disk_loadmap, first[2].vmaddr), 1, "fit together" },
		{ offsetof(struct disk_loadmap, first[0].offset), 1, "boundary" },
		{ offsetof(struct disk_loadmap, first[0].offset) + 1, 0x10, "header" },
		{ offsetof(struct disk_loadmap, first[0].offset) + 5, 1, "beyond" },
		{ offsetof(struct disk_loadmap, first[0].length) + 1, 0xb0, "share" },
		{ offsetof(struct disk_loadmap, first[0].vmaddr) + 3, 8, "share" },
	};
	size_t i;

	ASSERT_RVM(RVM_SUCCESS, create_two(&self->place));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		damage(&self->place, cases[i].at, cases[i].change, true);
		EXPECT_REFUSED(RVM_ESEGMENT_HDR, cases[i].word, reload(&self->place));
		damage(&self->place, cases[i].at, cases[i].change, true);
	}
	damage(&self->place, offsetof(struct disk_loadmap, compat), 1, true);
	EXPECT_RVM(RVM_SUCCESS, reload(&self->place));
}

TEST_F(loader, a_damaged_rest_of_the_map_is_found)
{
	rvm_offset_t length = rvm_mk_offset(0, (2 * 200 + 8) * PAGE);
	rvm_region_def_t defs[200];
	struct disk_loadmap map;
	char *path = self->place.seg;
	uint64_t at;

	many(defs, 200);
	ASSERT_RVM(RVM_SUCCESS, rvm_create_segment(path, length, NULL, 200, defs));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	ASSERT_TRUE(file_read(path, 0, &map, sizeof(map)));
	at = map.more_offset;
	ASSERT_NE(0, at);
	ASSERT_TRUE(file_write(path, at + 100, "x", 1));
	EXPECT_REFUSED(RVM_ESEGMENT_HDR, "rest", reload(&self->place));
	ASSERT_EQ(0, truncate(path, 300 * PAGE));
	EXPECT_REFUSED(RVM_EOFFSET, "cut off", reload(&self->place));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	EXPECT_RVM(RVM_ESEGMENT_HDR, reload(&self->place));
}

/* A crash while a map is replaced by a longer one. */
static void replace_until_killed(void *arg)
{
	rvm_offset_t length = rvm_mk_offset(0, (2 * 200 + 8) * PAGE);
	struct place *place = arg;
	rvm_region_def_t defs[200];

	need(place_open(place) == RVM_SUCCESS);
	many(defs, 200);
	for (;;) {
		need(rvm_create_segment(place->seg, length, NULL, 200, defs) == RVM_SUCCESS);
		need(rvm_create_segment(place->seg, length, NULL, 2, defs) == RVM_SUCCESS);
	}
}

TEST_F(loader, a_crash_leaves_the_old_map_or_the_new_one)
{
	unsigned long n[2] = { 0, 0 };
	int round, status;
	pid_t child;

	ASSERT_RVM(RVM_SUCCESS, create_two(&self->place));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	for (round = 0; round < 40; round++) {
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			replace_until_killed(&self->place);
		usleep(2000 + 997 * round % 20000);
		kill(child, SIGKILL);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
		ASSERT_RVM(RVM_SUCCESS, rvm_load_segment(self->place.seg, self->length, NULL,
							 &self->count, &self->defs));
		ASSERT_TRUE(self->count == 2 || self->count == 200);
		n[self->count == 200]++;
		ASSERT_RVM(RVM_SUCCESS, rvm_release_segment(self->count, &self->defs));
		ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	}
	TH_LOG("%lu times the short map, %lu times the long one", n[0], n[1]);
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
}

TEST_HARNESS_MAIN
