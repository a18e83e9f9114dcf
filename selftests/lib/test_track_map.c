// SPDX-License-Identifier: GPL-2.0
/* The trackers: what may be mapped, how many mappings that takes, and which tracker is taken. */
#include "track_each.h"

TEST_F(track, many_regions_are_tracked_apart)
{
	struct model model[20];
	uint64_t state = 9;
	int round, i;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, model_open(&model[i], variant->name, 1 + i * 5, false));
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 20; i++) {
			ASSERT_EQ(0, model_begin(&model[i]));
			model_scribble(&model[i], &state, i);
		}
		for (i = 0; i < 20; i++) {
			ASSERT_EQ(0, model_collect(&model[i]));
			ASSERT_EQ(0, model_commit(&model[i], round + 1));
		}
	}
	for (i = 0; i < 20; i += 2)
		model_close(&model[i]);
	for (i = 1; i < 20; i += 2) {
		ASSERT_EQ(0, model_begin(&model[i]));
		model_scribble(&model[i], &state, i);
		ASSERT_EQ(0, model_collect(&model[i]));
		ASSERT_EQ(0, model_commit(&model[i], round + 1));
		EXPECT_TRUE(model_live_ok(&model[i]));
		EXPECT_TRUE(model_segment_untouched(&model[i]));
		model_close(&model[i]);
	}
}

TEST_F(track, a_part_of_the_segment_is_mapped_at_its_offset)
{
	struct model *model = &self->model;
	struct track_map map = { .fd = open_segment(64 * PAGE), .offset = 16 * PAGE };
	struct tracker *tracker;

	ASSERT_EQ(4, pwrite(map.fd, "here", 4, 16 * PAGE + 5));
	map.length = 8 * PAGE;
	ASSERT_EQ(0, model->ops->open(&map, &tracker));
	EXPECT_EQ(0, memcmp(tracker->base + 5, "here", 4));
	model->ops->close(tracker);
	close(map.fd);
}

static int count_page(void *arg, const struct track_page *page)
{
	++*(int *)arg;
	return 0;
}

TEST_F(track, a_tebibyte_costs_what_is_touched)
{
	struct model *model = &self->model;
	struct track_map map = { .length = 1ULL << 40 };
	struct tracker *tracker;
	double start;
	int i, n = 0;

	map.fd = open_segment(map.length);
	ASSERT_LE(0, map.fd);
	start = now();
	ASSERT_EQ(0, model->ops->open(&map, &tracker)) {
		TH_LOG("%s", err_text());
	}
	TH_LOG("%s: mapped 1 TiB in %.3f ms", variant->name, (now() - start) * 1e3);
	EXPECT_GT(1, now() - start);
	if (model->ops->begin)
		ASSERT_EQ(0, model->ops->begin(tracker, 1));
	for (i = 0; i < 8; i++)
		tracker->base[i * (map.length / 8) + i] = 1;
	start = now();
	ASSERT_EQ(0, model->ops->collect(tracker, 1, count_page, &n));
	ASSERT_EQ(0, model->ops->end(tracker, 1, 1));
	TH_LOG("%s: collected 8 pages of it in %.3f ms", variant->name, (now() - start) * 1e3);
	EXPECT_GT(1, now() - start);
	EXPECT_EQ(8, n);
	model->ops->close(tracker);
	close(map.fd);
}

TEST_F(track, the_region_is_where_the_caller_wants_it)
{
	struct model *model = &self->model;
	struct track_map map = { .fd = open_segment(16 * PAGE), .length = 16 * PAGE };
	struct tracker *tracker, *second = NULL;
	unsigned int mappings, descriptors;

	map.addr = mmap(NULL, map.length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(map.addr, map.length);
	ASSERT_EQ(0, model->ops->open(&map, &tracker));
	EXPECT_EQ(map.addr, tracker->base);
	tracker->base[0] = 'k';

	/* What is there already stays, and a failed open leaves nothing behind. */
	mappings = count_mappings();
	descriptors = count_descriptors();
	map.fd = open_segment(16 * PAGE);
	EXPECT_EQ(-EEXIST, model->ops->open(&map, &second));
	EXPECT_NE(NULL, strstr(err_text(), "in use"));
	map.addr = (char *)map.addr - 8 * PAGE;
	EXPECT_EQ(-EEXIST, model->ops->open(&map, &second));
	EXPECT_EQ(NULL, second);
	EXPECT_EQ('k', tracker->base[0]);
	close(map.fd);
	EXPECT_EQ(mappings, count_mappings());
	EXPECT_EQ(descriptors, count_descriptors());
	model->ops->close(tracker);
}

TEST_F(track, what_cannot_be_mapped_is_refused_with_the_exact_error)
{
	struct model *model = &self->model;
	int fd = open_segment(16 * PAGE);
	const struct {
		struct track_map map;
		int err;
	} row[] = {
		{ { .length = 0 }, -EINVAL },
		{ { .length = PAGE - 1 }, -EINVAL },
		{ { .length = PAGE, .offset = 512 }, -EINVAL },
		{ { .length = PAGE, .addr = (void *)0x10000800 }, -EINVAL },
		{ { .length = 17 * PAGE }, -ENXIO },
		{ { .length = 16 * PAGE, .offset = PAGE }, -ENXIO },
		{ { .length = 2 * PAGE, .offset = -PAGE }, -EOVERFLOW },
	};
	unsigned int mappings = count_mappings(), descriptors = count_descriptors();
	struct tracker *tracker = NULL;
	struct track_map map;
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		map = row[i].map;
		map.fd = fd;
		err_clear();
		EXPECT_EQ(row[i].err, model->ops->open(&map, &tracker)) {
			TH_LOG("row %zu", i);
		}
		EXPECT_NE('\0', err_text()[0]);
	}
	map = (struct track_map){ .fd = -1, .length = PAGE };
	EXPECT_EQ(-EBADF, model->ops->open(&map, &tracker));
	EXPECT_EQ(NULL, tracker);
	EXPECT_EQ(mappings, count_mappings());
	EXPECT_EQ(descriptors, count_descriptors());
	close(fd);
}

TEST_F(track, opening_and_closing_leaves_nothing_behind)
{
	unsigned int mappings = 0, descriptors = 0;
	struct model model;
	uint64_t state = 10;
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, model_open(&model, variant->name, 256, false));
		ASSERT_EQ(0, model_begin(&model));
		model_scribble(&model, &state, 50);
		ASSERT_EQ(0, model_collect(&model));
		model_close(&model);
		if (i == 2) {
			mappings = count_mappings();
			descriptors = count_descriptors();
		}
	}
	EXPECT_EQ(mappings, count_mappings());
	EXPECT_EQ(descriptors, count_descriptors());
}

FIXTURE(choice)
{
	struct track_map map;
	struct tracker *tracker;
	char why[256];
};

FIXTURE_SETUP(choice)
{
	self->map.fd = open_segment(16 * PAGE);
	self->map.length = 16 * PAGE;
	ASSERT_LE(0, self->map.fd);
}

FIXTURE_TEARDOWN(choice)
{
	if (self->tracker)
		self->tracker->ops->close(self->tracker);
	close(self->map.fd);
}

static int choose(FIXTURE_DATA(choice) *self, unsigned long flag)
{
	return track_open(&self->map, flag, self->why, sizeof(self->why), &self->tracker);
}

TEST_F(choice, the_best_is_taken_and_the_reason_told)
{
	const char *best = tracker_expected("kmod") ? "kmod" :
			   tracker_expected("uffd") ? "uffd" : "sigsegv";
	char used[32];

	ASSERT_EQ(0, choose(self, 0));
	EXPECT_EQ(0, strcmp(best, self->tracker->ops->name)) {
		TH_LOG("%s", self->why);
	}
	snprintf(used, sizeof(used), "%s: used", best);
	EXPECT_NE(NULL, strstr(self->why, used));
	if (strcmp(best, "kmod"))
		EXPECT_NE(NULL, strstr(self->why, "kmod: the module rvm_track is not loaded"));
}

TEST_F(choice, what_is_asked_for_is_taken)
{
	ASSERT_EQ(0, choose(self, RVM_TRACK_SIGSEGV));
	EXPECT_EQ(&track_sigsegv, self->tracker->ops);
	EXPECT_EQ(0, strcmp("sigsegv: asked for", self->why));
}

TEST_F(choice, what_is_asked_for_is_never_replaced)
{
	int err = choose(self, RVM_TRACK_KMOD);

	if (tracker_expected("kmod")) {
		EXPECT_EQ(0, err);
		return;
	}
	EXPECT_EQ(-EOPNOTSUPP, err);
	EXPECT_EQ(NULL, self->tracker);
	EXPECT_NE(NULL, strstr(err_text(), "insmod rvm_track.ko"));
	EXPECT_NE(NULL, strstr(self->why, "not loaded"));
}

TEST_F(choice, none_maps_and_tracks_nothing)
{
	ASSERT_EQ(0, choose(self, RVM_TRACK_NONE));
	EXPECT_EQ(&track_none, self->tracker->ops);
	EXPECT_FALSE(self->tracker->ops->tracks);
	EXPECT_FALSE(self->tracker->ops->twin);
	self->tracker->base[0] = 'n';
	EXPECT_EQ('n', self->tracker->base[0]);
	EXPECT_EQ(1, pread(self->map.fd, self->why, 1, 0));
	EXPECT_EQ(0, self->why[0]);
}

TEST_F(choice, a_strict_region_gets_a_tracker_that_can_refuse)
{
	self->map.strict = true;
	ASSERT_EQ(0, choose(self, 0));
	EXPECT_TRUE(self->tracker->ops->strict);
	EXPECT_EQ(NULL, strstr(self->why, "uffd: used"));
}

TEST_F(choice, who_cannot_refuse_is_not_given_a_strict_region)
{
	self->map.strict = true;
	EXPECT_EQ(-EOPNOTSUPP, choose(self, RVM_TRACK_UFFD));
	EXPECT_EQ(-EOPNOTSUPP, choose(self, RVM_TRACK_NONE));
	EXPECT_NE(NULL, strstr(err_text(), "cannot refuse"));
}

TEST_F(choice, an_unknown_flag_is_refused)
{
	EXPECT_EQ(-EINVAL, choose(self, 0x10000));
	EXPECT_EQ(-EINVAL, choose(self, RVM_TRACK_UFFD | RVM_TRACK_NONE));
}

TEST_F(choice, a_short_text_is_cut)
{
	char why[8];

	memset(why, 'x', sizeof(why));
	ASSERT_EQ(0, track_open(&self->map, RVM_TRACK_SIGSEGV, why, sizeof(why),
				&self->tracker));
	EXPECT_EQ(0, strcmp("sigsegv", why));
}

#define SCATTERED_PAGES	300000UL
#define SCATTERED_VM	8192	/* in the VM, which is slow and where we may set that number */
#define MAX_MAPPINGS	"/proc/sys/vm/max_map_count"

static unsigned int max_mappings(void)
{
	unsigned int n = 0;
	FILE *file = fopen(MAX_MAPPINGS, "r");

	must(file && fscanf(file, "%u", &n) == 1 && !fclose(file));
	return n;
}

static void allow_mappings(unsigned int n)
{
	FILE *file = fopen(MAX_MAPPINGS, "w");

	must(file && fprintf(file, "%u", n) > 0 && !fclose(file));
}

/* Stores to scattered pages, more than the process may have mappings. */

FIXTURE(scarce)
{
	struct track_map map;
	struct tracker *tracker;
	bool *written;
	bool *seen;
	uint64_t n;
	unsigned int allowed;
	unsigned int stores;
};

FIXTURE_SETUP(scarce)
{
	self->allowed = max_mappings();
	if (getenv("RVM_VM"))
		allow_mappings(SCATTERED_VM);
	self->stores = max_mappings() / 2 * 3;
	ASSERT_GT(SCATTERED_PAGES, 2 * self->stores);
	self->map.length = SCATTERED_PAGES * PAGE;
	self->map.fd = open_segment(self->map.length);
	self->written = calloc(SCATTERED_PAGES, sizeof(bool));
	self->seen = calloc(SCATTERED_PAGES, sizeof(bool));
	ASSERT_EQ(0, track_sigsegv.open(&self->map, &self->tracker));
}

FIXTURE_TEARDOWN(scarce)
{
	track_sigsegv.close(self->tracker);
	close(self->map.fd);
	if (getenv("RVM_VM"))
		allow_mappings(self->allowed);
	free(self->written);
	free(self->seen);
}

static int see_scattered(void *arg, const struct track_page *page)
{
	FIXTURE_DATA(scarce) *self = arg;

	self->seen[page->page] = true;
	self->n++;
	return 0;
}

static uint64_t missing(FIXTURE_DATA(scarce) *self)
{
	uint64_t page, n = 0;

	for (page = 0; page < SCATTERED_PAGES; page++)
		n += self->written[page] && !self->seen[page];
	return n;
}

static void store_scattered(FIXTURE_DATA(scarce) *self, uint64_t page)
{
	self->tracker->base[page * PAGE] = 1;
	self->written[page] = true;
}

static int collect_scattered(FIXTURE_DATA(scarce) *self)
{
	int err = track_sigsegv.collect(self->tracker, 1, see_scattered, self);

	return err ? err : track_sigsegv.end(self->tracker, 1, 1);
}

TEST_F_TIMEOUT(scarce, pages_at_random_are_all_found, 300)
{
	unsigned int mappings = count_mappings();
	uint64_t state = 11;
	unsigned int i;

	for (i = 0; i < self->stores; i++)
		store_scattered(self, next_random(&state) % SCATTERED_PAGES);
	/* It leaves the program half of what it may have. */
	EXPECT_GT(max_mappings() / 5 * 3, count_mappings());
	ASSERT_EQ(0, collect_scattered(self));
	EXPECT_EQ(0, missing(self));
	TH_LOG("%u stores, %llu pages collected", self->stores, (unsigned long long)self->n);
	EXPECT_EQ(mappings, count_mappings());
	/* And all is as before. */
	self->n = 0;
	store_scattered(self, 12345);
	ASSERT_EQ(0, collect_scattered(self));
	EXPECT_EQ(1, self->n);
}

TEST_F_TIMEOUT(scarce, every_other_page_costs_no_more_than_its_neighbour, 300)
{
	uint64_t page;

	for (page = 0; page < 2 * self->stores; page += 2)
		store_scattered(self, page);
	ASSERT_EQ(0, collect_scattered(self));
	EXPECT_EQ(0, missing(self));
	EXPECT_GE(2 * self->stores, self->n);
}

static void __attribute__((constructor)) register_last(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
