// SPDX-License-Identifier: GPL-2.0
/* Statistics of transactions: each count against what the program did; and their records. */
#include "counting.h"

#define THREADS	4
#define COMMITS	500	/* of each thread */

TEST_F(statistics, commits_aborts_and_ranges_are_those_of_the_program)
{
	rvm_statistics_t *now = &self->now;
	struct model *m = &self->model;

	ASSERT_TRUE(work(self->region.vmaddr, m));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(now));
	EXPECT_EQ(m->aborts, now->n_abort);
	EXPECT_EQ(m->aborts, now->tot_abort);
	EXPECT_EQ(m->flush_commits, now->n_flush_commit);
	EXPECT_EQ(m->flush_commits, now->tot_flush_commit);
	EXPECT_EQ(m->no_flush_commits, now->n_no_flush_commit);
	EXPECT_EQ(m->no_flush_commits, now->tot_no_flush_commit);
	EXPECT_EQ(m->range_elim, now->n_range_elim);
	EXPECT_EQ(m->range_elim, now->tot_range_elim);
	EXPECT_EQ(0, now->range_overlap.high);
	EXPECT_EQ(m->range_overlap, now->range_overlap.low);
	EXPECT_EQ(m->range_overlap, now->tot_range_overlap.low);
	EXPECT_TRUE(same(m->lengths, now->range_lengths, 13));
	EXPECT_TRUE(same(m->lengths, now->tot_range_lengths, 13));
	EXPECT_TRUE(same(m->elims, now->range_elims, 6));
	EXPECT_TRUE(same(m->elims, now->tot_range_elims, 6));
	EXPECT_TRUE(same(m->overlaps, now->range_overlaps, 13));
	EXPECT_TRUE(same(m->overlaps, now->tot_range_overlaps, 13));
}

TEST_F(statistics, open_transactions_are_counted_now)
{
	rvm_tid_t tids[3];
	int i;

	for (i = 0; i < 3; i++) {
		rvm_init_tid(&tids[i]);
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tids[i], restore));
	}
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(3, self->now.n_uncommit);
	for (i = 0; i < 3; i++)
		ASSERT_RVM(RVM_SUCCESS, rvm_abort_transaction(&tids[i]));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(0, self->now.n_uncommit);
	EXPECT_EQ(3, self->now.n_abort);
}

TEST_F(statistics, what_fails_is_not_counted)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, no_restore));
	ASSERT_RVM(RVM_ENOT_MAPPED, rvm_set_range(&tid, &tid, 8));
	ASSERT_RVM(RVM_EMODE, rvm_abort_transaction(&tid));
	ASSERT_RVM(RVM_EMODE, rvm_end_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(0, self->now.n_abort + self->now.n_flush_commit + self->now.n_no_flush_commit);
	EXPECT_EQ(0, self->now.n_range_elim);
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
}

static void crash_with_work(void *arg)
{
	struct place *place = arg;
	struct model m = {};
	rvm_region_t region;

	need(place_open(place) == RVM_SUCCESS);
	need(place_map(place, &region, RVM_TRACK_NONE) == RVM_SUCCESS);
	need(work(region.vmaddr, &m));
	need(rvm_flush() == RVM_SUCCESS);
}

TEST_F(statistics, a_new_life_counts_from_zero_and_recoveries_that_had_something_to_do)
{
	ASSERT_TRUE(work(self->region.vmaddr, &self->model));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(0, self->now.tot_recovery + self->now.tot_flush_commit + self->now.tot_abort);
	EXPECT_EQ(0, self->now.n_flush_commit + self->now.tot_rvm_truncate);
	EXPECT_EQ(0, sum(self->now.tot_range_lengths, 13));
	EXPECT_EQ(0, self->now.log_dev_max);
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());

	ASSERT_EQ(0, in_child(crash_with_work, &self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(1, self->now.tot_recovery);
	EXPECT_EQ(0, self->now.tot_flush_commit);
}

TEST_F(statistics, calls_of_rvm_flush_are_counted)
{
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(4, self->now.n_rvm_flush);
	EXPECT_EQ(4, self->now.tot_rvm_flush);
}

/* Nothing but time and size ends a spool: either nothing was written, or it was counted. */
TEST_F(statistics, what_waits_for_a_flush_is_told)
{
	static const rvm_length_t piece[] = { 64 };
	rvm_length_t flushes;
	int i;

	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	flushes = self->now.n_flush;
	for (i = 0; i < 5; i++)
		ASSERT_TRUE(commit_pieces(self->region.vmaddr + i * PAGE, piece, 1, no_flush,
					  &self->model));
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	if (self->now.n_flush == flushes) {
		EXPECT_EQ(5, self->now.n_no_flush);
		EXPECT_LE(5 * 64, self->now.no_flush_length.low);
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_LT(flushes, self->now.n_flush);
	EXPECT_EQ(0, self->now.n_no_flush);
	EXPECT_EQ(0, self->now.no_flush_length.low);
}

TEST_F(statistics, what_newer_transactions_cover_is_counted)
{
	static const rvm_length_t piece[] = { 64 };
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_TRUE(commit_pieces(self->region.vmaddr, piece, 1, no_flush, &self->model));
	ASSERT_RVM(RVM_SUCCESS, rvm_flush());
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	/* The last of each spool is covered by none after it. */
	EXPECT_EQ(64 * self->now.n_trans_coalesced, self->now.trans_overlap.low);
	EXPECT_GE(9, self->now.n_trans_coalesced);
	EXPECT_TRUE(self->now.n_flush > 1 || self->now.n_trans_coalesced == 9);
}

/* @n transactions that each change the same @pieces pieces, as one record. */
static bool merge(char *at, int n, size_t pieces, struct model *m)
{
	static const rvm_length_t lengths_of_pieces[] = { 16, 16, 16, 16, 16, 16, 16 };

	while (n--)
		if (!commit_pieces(at, lengths_of_pieces, pieces, no_flush, m))
			return false;
	return !rvm_flush();
}

TEST_F(statistics, ranges_that_newer_transactions_cover_are_counted_for_each_record)
{
	rvm_length_t elims[6] = {}, overlaps[13] = {}, coalesces[6] = {};
	rvm_statistics_t *now = &self->now;
	rvm_options_t options;

	place_options(&self->place, &options);
	options.flush_interval = 0;	/* a spool ends when it is flushed, and not before */
	ASSERT_RVM(RVM_SUCCESS, rvm_set_options(&options));
	ASSERT_TRUE(merge(self->region.vmaddr, 10, 7, &self->model));
	ASSERT_TRUE(merge(self->region.vmaddr, 3, 2, &self->model));
	ASSERT_TRUE(merge(self->region.vmaddr, 1, 7, &self->model));
	count(elims, some, ARRAY_SIZE(some), 9 * 7);
	count(elims, some, ARRAY_SIZE(some), 2 * 2);
	count(overlaps, lengths, ARRAY_SIZE(lengths), 9 * 7 * 16);
	count(overlaps, lengths, ARRAY_SIZE(lengths), 2 * 2 * 16);
	count(coalesces, some, ARRAY_SIZE(some), 9);
	count(coalesces, some, ARRAY_SIZE(some), 2);
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(now));
	EXPECT_EQ(9 * 7 + 2 * 2, now->n_trans_elim);
	EXPECT_EQ(9 * 7 + 2 * 2, now->tot_trans_elim);
	EXPECT_EQ(9 + 2, now->n_trans_coalesced);
	EXPECT_EQ((9 * 7 + 2 * 2) * 16, now->trans_overlap.low);
	EXPECT_TRUE(same(elims, now->trans_elims, 6));
	EXPECT_TRUE(same(elims, now->tot_trans_elims, 6));
	EXPECT_TRUE(same(overlaps, now->trans_overlaps, 13));
	EXPECT_TRUE(same(overlaps, now->tot_trans_overlaps, 13));
	EXPECT_TRUE(same(coalesces, now->tot_trans_coalesces, 6));
}

/* One thread's share of the work, on a page of its own. */
struct worker {
	pthread_t thread;
	char *at;
	struct model model;
	bool done;
};

static void *work_alone(void *arg)
{
	static const rvm_length_t pieces[] = { 8, 100 };
	struct worker *w = arg;
	int i;

	for (i = 0; i < COMMITS; i++)
		if (!commit_pieces(w->at, pieces, 2, i % 50 ? no_flush : flush, &w->model) ||
		    !abort_one(w->at, &w->model))
			return NULL;
	w->done = true;
	return NULL;
}

TEST_F(statistics, nothing_is_lost_between_threads_nor_when_they_end)
{
	struct worker workers[2 * THREADS] = {};
	rvm_length_t aborts = 0, commits = 0, elims = 0;
	struct worker *w;
	int i, round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < THREADS; i++) {
			w = &workers[round * THREADS + i];
			w->at = self->region.vmaddr + i * PAGE;
			ASSERT_EQ(0, pthread_create(&w->thread, NULL, work_alone, w));
		}
		for (i = 0; i < THREADS; i++)
			pthread_join(workers[round * THREADS + i].thread, NULL);
	}
	for (i = 0; i < 2 * THREADS; i++) {
		w = &workers[i];
		ASSERT_TRUE(w->done);
		aborts += w->model.aborts;
		commits += w->model.flush_commits + w->model.no_flush_commits;
		elims += w->model.range_elim;
	}
	ASSERT_RVM(RVM_SUCCESS, RVM_STATISTICS(&self->now));
	EXPECT_EQ(aborts, self->now.tot_abort);
	EXPECT_EQ(commits, self->now.tot_flush_commit + self->now.tot_no_flush_commit);
	EXPECT_EQ(elims, self->now.tot_range_elim);
}

TEST_F(statistics, bad_records_and_versions_are_refused)
{
	rvm_statistics_t wrong = {};
	FILE *full = fopen("/dev/full", "w");

	EXPECT_REFUSED(RVM_ESTAT_VERSION_SKEW, "NULL", rvm_statistics(NULL, &self->now));
	EXPECT_REFUSED(RVM_ESTAT_VERSION_SKEW, "1.0", rvm_statistics("1.0", &self->now));
	EXPECT_REFUSED(RVM_ESTATISTICS, "rvm_init_statistics", RVM_STATISTICS(&wrong));
	EXPECT_RVM(RVM_ESTATISTICS, RVM_STATISTICS((rvm_statistics_t *)NULL));
	EXPECT_RVM(RVM_ESTATISTICS, rvm_print_statistics(&wrong, stderr));
	EXPECT_RVM(RVM_ESTATISTICS, rvm_print_statistics(NULL, stderr));
	EXPECT_REFUSED(RVM_EIO, "stream", rvm_print_statistics(&self->now, NULL));
	ASSERT_NE(NULL, full);
	setvbuf(full, NULL, _IONBF, 0);
	EXPECT_REFUSED(RVM_EIO, "printed", rvm_print_statistics(&self->now, full));
	fclose(full);
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_RVM(RVM_EINIT, RVM_STATISTICS(&self->now));
	EXPECT_EQ(NULL, rvm_copy_statistics(&wrong));
	EXPECT_EQ(NULL, rvm_copy_statistics(NULL));
	rvm_free_statistics(NULL);
	rvm_free_statistics(&self->now);
	rvm_init_statistics(NULL);
}

TEST(a_copy_is_a_record_of_its_own)
{
	rvm_statistics_t *one = rvm_malloc_statistics(), *two;

	ASSERT_NE(NULL, one);
	EXPECT_EQ(rvm_statistics_id, one->struct_id);
	EXPECT_EQ(rvm_true, one->from_heap);
	one->tot_wrap = 7;
	two = rvm_copy_statistics(one);
	rvm_free_statistics(one);
	ASSERT_NE(NULL, two);
	EXPECT_EQ(7, two->tot_wrap);
	EXPECT_EQ(rvm_true, two->from_heap);
	rvm_free_statistics(two);
}

/* Each field has a number of its own, and each must be in the text: nothing is left out. */
TEST(everything_in_a_record_is_printed)
{
	rvm_length_t *word;
	rvm_statistics_t record;
	char text[16384], want[32];
	size_t i, n;
	FILE *out;

	rvm_init_statistics(&record);
	word = &record.n_abort;
	n = (sizeof(record) - offsetof(rvm_statistics_t, n_abort)) / sizeof(*word);
	for (i = 0; i < n; i++)
		word[i] = 100001 + i;
	memset(text, 0, sizeof(text));
	out = fmemopen(text, sizeof(text) - 1, "w");
	ASSERT_NE(NULL, out);
	ASSERT_RVM(RVM_SUCCESS, rvm_print_statistics(&record, out));
	fclose(out);
	for (i = 0; i < n; i++) {
		snprintf(want, sizeof(want), "%lu", word[i]);
		EXPECT_NE(NULL, strstr(text, want)) {
			TH_LOG("word %zu is not printed", i);
		}
	}
}

TEST_HARNESS_MAIN
