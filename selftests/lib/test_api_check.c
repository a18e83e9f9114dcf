// SPDX-License-Identifier: GPL-2.0
/* Checked transactions: each byte that was changed and not declared is told of, and no other. */
#include "api.h"

#include <sys/syscall.h>

#define TOLD_MAX	8

/* What the handler was told. */
static struct {
	rvm_bool_t pass;
	size_t n;
	size_t bytes;
	rvm_forgotten_t first[TOLD_MAX];
	unsigned char old[TOLD_MAX][PAGE];
	unsigned char new[TOLD_MAX][PAGE];
	char segment[128];
	char symbol[512];
} told;

static rvm_bool_t note(void *arg, const rvm_forgotten_t *forgotten)
{
	if (arg != &told)
		abort();
	told.bytes += forgotten->length;
	if (told.n < TOLD_MAX) {
		told.first[told.n] = *forgotten;
		memcpy(told.old[told.n], forgotten->old_bytes, forgotten->length);
		memcpy(told.new[told.n], forgotten->new_bytes, forgotten->length);
		snprintf(told.segment, sizeof(told.segment), "%s", forgotten->segment);
		snprintf(told.symbol, sizeof(told.symbol), "%s", forgotten->symbol);
	}
	told.n++;
	return told.pass;
}

static void tell_me(rvm_bool_t pass)
{
	memset(&told, 0, sizeof(told));
	told.pass = pass;
	rvm_set_check_handler(note, &told);
}

FIXTURE(check) {
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;
	rvm_tid_t second;
	char *at;
};

FIXTURE_VARIANT(check)
{
	unsigned long flag;
	bool knows;	/* which instruction stored */
};

FIXTURE_VARIANT_ADD(check, kmod) { .flag = RVM_TRACK_KMOD, .knows = true };
FIXTURE_VARIANT_ADD(check, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(check, sigsegv) { .flag = RVM_TRACK_SIGSEGV, .knows = true };

FIXTURE_SETUP(check)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	self->at = self->region.vmaddr;
	rvm_init_tid(&self->tid);
	rvm_init_tid(&self->second);
}

FIXTURE_TEARDOWN(check)
{
	rvm_set_check_handler(NULL, NULL);
	rvm_terminate();
	place_remove(&self->place);
}

#define BEGIN(tid) ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(tid, rvm_checked))
#define RANGE(tid, at, n) ASSERT_RVM(RVM_SUCCESS, rvm_set_range(tid, at, n))
#define END(tid) EXPECT_RVM(RVM_SUCCESS, rvm_end_transaction(tid, flush))
#define ABORT(tid) EXPECT_RVM(RVM_SUCCESS, rvm_abort_transaction(tid))
#define FORGOTTEN(tid, word) \
	EXPECT_REFUSED(RVM_EFORGOTTEN, word, rvm_end_transaction(tid, flush))

/* Lose what is in memory and see what the log has. */
static int after_crash(struct place *place, size_t offset)
{
	rvm_terminate();
	place_recover(place);
	return file_byte(place->seg, offset);
}

TEST_F(check, what_is_declared_is_committed_and_nothing_is_told)
{
	tell_me(rvm_false);
	BEGIN(&self->tid);
	RANGE(&self->tid, self->at + PAGE - 8, 16);
	memset(self->at + PAGE - 8, 'd', 16);
	ASSERT_RVM(RVM_SUCCESS, rvm_modify_bytes(&self->tid, self->at + 100, "modified", 8));
	END(&self->tid);
	BEGIN(&self->tid);
	RANGE(&self->tid, self->at + PAGE, 1);
	put(self->at + PAGE, 'a');
	ABORT(&self->tid);
	EXPECT_EQ('d', self->at[PAGE]);
	BEGIN(&self->tid);
	END(&self->tid);
	EXPECT_EQ(0, told.n);
	EXPECT_EQ('d', after_crash(&self->place, PAGE + 7));
	EXPECT_EQ('m', file_byte(self->place.seg, 100));
}

TEST_F(check, what_was_forgotten_is_refused_until_it_is_declared)
{
	BEGIN(&self->tid);
	RANGE(&self->tid, self->at, 8);
	memset(self->at, 'd', 8);
	put(self->at + 2 * PAGE + 77, 'f');
	FORGOTTEN(&self->tid, self->place.seg);
	FORGOTTEN(&self->tid, "1 bytes at offset 8269 ");
	FORGOTTEN(&self->tid, "old 00, new 66;");
	FORGOTTEN(&self->tid, "declare them and end again, or abort");
	RANGE(&self->tid, self->at + 2 * PAGE + 77, 1);
	END(&self->tid);
	EXPECT_EQ('f', after_crash(&self->place, 2 * PAGE + 77));
	EXPECT_EQ('d', file_byte(self->place.seg, 7));
}

TEST_F(check, an_abort_puts_back_what_was_forgotten)
{
	BEGIN(&self->tid);
	RANGE(&self->tid, self->at, 1);
	put(self->at, 'd');
	put(self->at + 1, 'f');
	put(self->at + 3 * PAGE, 'f');
	FORGOTTEN(&self->tid, "declared by no open transaction");
	ABORT(&self->tid);
	EXPECT_STREQ("", rvm_error());
	EXPECT_TRUE(holds(self->at, SEG_BYTES, 0));
	BEGIN(&self->tid);
	END(&self->tid);
}

TEST_F(check, bytes_declared_after_the_store_are_put_back_as_well)
{
	BEGIN(&self->tid);
	put(self->at + PAGE - 1, 'f');
	put(self->at + PAGE, 'g');
	FORGOTTEN(&self->tid, "declared by no open transaction");
	RANGE(&self->tid, self->at + PAGE - 2, 4);
	ABORT(&self->tid);
	EXPECT_TRUE(holds(self->at, SEG_BYTES, 0));
}

/* The store is in here, however it is compiled. */
static void __attribute__((noinline)) forget_here(char *at)
{
	*(volatile char *)at = 'f';
}

TEST_F(check, the_handler_is_told_all_that_is_known)
{
	const rvm_forgotten_t *f = &told.first[0];
	uintptr_t start = (uintptr_t)forget_here;

	BEGIN(&self->tid);
	forget_here(self->at + 5 * PAGE + 9);
	tell_me(rvm_false);
	EXPECT_RVM(RVM_EFORGOTTEN, rvm_end_transaction(&self->tid, flush));
	EXPECT_EQ(1, told.n);
	EXPECT_STREQ(self->place.seg, told.segment);
	EXPECT_EQ(5 * PAGE + 9, f->segment_offset);
	EXPECT_EQ(5 * PAGE + 9, f->region_offset);
	EXPECT_EQ(self->at + 5 * PAGE + 9, f->address);
	EXPECT_EQ(1, f->length);
	EXPECT_EQ(0, told.old[0][0]);
	EXPECT_EQ('f', told.new[0][0]);
	EXPECT_EQ(self->tid.uname.tv_sec, f->transaction);
	EXPECT_EQ(0, f->others);
	EXPECT_EQ(rvm_false, f->stray);
	EXPECT_EQ(variant->knows ? syscall(SYS_gettid) : 0, f->thread);
	EXPECT_EQ(variant->knows, f->exact);
	if (variant->knows) {
		EXPECT_LE(start, (uintptr_t)f->instruction);
		EXPECT_GT(start + 64, (uintptr_t)f->instruction);
		EXPECT_NE(NULL, strstr(told.symbol, "test_api_check+0x"));
	} else {
		EXPECT_EQ(NULL, f->instruction);
		EXPECT_STREQ("", told.symbol);
	}
	ABORT(&self->tid);
}

TEST_F(check, the_first_store_to_the_page_is_told_apart_from_the_forgotten_one)
{
	BEGIN(&self->tid);
	RANGE(&self->tid, self->at, 1);
	put(self->at, 'd');
	put(self->at + 64, 'f');
	tell_me(rvm_true);
	END(&self->tid);
	EXPECT_EQ(1, told.n);
	EXPECT_EQ(rvm_false, told.first[0].exact);
	EXPECT_EQ(variant->knows ? syscall(SYS_gettid) : 0, told.first[0].thread);
}

TEST_F(check, what_is_let_pass_is_told_once_and_not_logged)
{
	tell_me(rvm_true);
	BEGIN(&self->tid);
	RANGE(&self->tid, self->at, 1);
	put(self->at, 'd');
	put(self->at + 8, 'f');
	END(&self->tid);
	EXPECT_EQ(1, told.n);
	BEGIN(&self->tid);
	RANGE(&self->tid, self->at, 1);
	put(self->at, 'e');
	END(&self->tid);
	EXPECT_EQ(1, told.n);
	BEGIN(&self->tid);
	put(self->at + 8, 'g');
	END(&self->tid);
	EXPECT_EQ(2, told.n);
	EXPECT_EQ('f', told.old[1][0]);
	EXPECT_EQ('g', told.new[1][0]);
	EXPECT_EQ('e', after_crash(&self->place, 0));
}

TEST_F(check, any_number_of_forgotten_bytes_is_told)
{
	size_t i;

	BEGIN(&self->tid);
	for (i = 0; i < SEG_BYTES; i += 256)
		put(self->at + i, 'f');
	tell_me(rvm_true);
	END(&self->tid);
	EXPECT_EQ(SEG_BYTES / 256, told.n);
	EXPECT_EQ(SEG_BYTES / 256, told.bytes);
	BEGIN(&self->tid);
	memset(self->at + 10 * PAGE, 'p', 3 * PAGE);
	tell_me(rvm_true);
	END(&self->tid);
	EXPECT_EQ(3, told.n);
	EXPECT_EQ(3 * PAGE, told.bytes);
}

TEST_F(check, a_store_before_the_first_transaction_is_a_stray)
{
	tell_me(rvm_true);
	put(self->at + 9, 's');
	BEGIN(&self->tid);
	EXPECT_EQ(1, told.n);
	EXPECT_EQ(9, told.first[0].segment_offset);
	EXPECT_EQ(rvm_true, told.first[0].stray);
	END(&self->tid);
	put(self->at + 10, 's');
	EXPECT_EQ(1, told.n);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	EXPECT_EQ(2, told.n);
	EXPECT_EQ(rvm_true, told.first[1].stray);
	EXPECT_EQ(0, told.first[1].transaction);
}

TEST_F(check, a_stray_to_a_page_that_was_committed_is_told_when_the_library_ends)
{
	tell_me(rvm_true);
	BEGIN(&self->tid);
	RANGE(&self->tid, self->at, 1);
	put(self->at, 'd');
	END(&self->tid);
	put(self->at + 1, 's');
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	EXPECT_EQ(1, told.n);
	EXPECT_EQ(rvm_true, told.first[0].stray);
}

TEST_F(check, without_a_handler_a_begin_tells_of_strays_once)
{
	put(self->at + 9, 's');
	EXPECT_REFUSED(RVM_EFORGOTTEN, "outside any transaction",
		       rvm_begin_transaction(&self->tid, rvm_checked));
	BEGIN(&self->tid);
	END(&self->tid);
}

TEST_F(check, two_transactions_of_one_thread_are_judged_together)
{
	tell_me(rvm_true);
	BEGIN(&self->tid);
	BEGIN(&self->second);
	RANGE(&self->tid, self->at, 1);
	RANGE(&self->second, self->at + 2, 1);
	put(self->at, '1');
	put(self->at + 2, '2');
	END(&self->second);
	EXPECT_EQ(0, told.n);
	put(self->at + 2, 'x');
	END(&self->tid);
	EXPECT_EQ(1, told.n);
	EXPECT_EQ(2, told.first[0].segment_offset);
	EXPECT_EQ('2', told.old[0][0]);
	EXPECT_EQ('x', told.new[0][0]);
}

TEST_F(check, others_that_are_open_are_counted)
{
	tell_me(rvm_true);
	BEGIN(&self->tid);
	BEGIN(&self->second);
	put(self->at, 'f');
	END(&self->second);
	EXPECT_EQ(1, told.n);
	EXPECT_EQ(1, told.first[0].others);
	END(&self->tid);
	EXPECT_EQ(1, told.n);
}

TEST_F(check, a_page_may_be_changed_by_an_open_transaction_and_aborted_later)
{
	BEGIN(&self->tid);
	BEGIN(&self->second);
	RANGE(&self->tid, self->at, 1);
	RANGE(&self->second, self->at + 1, 1);
	put(self->at, '1');
	put(self->at + 1, '2');
	END(&self->tid);
	ABORT(&self->second);
	EXPECT_EQ('1', self->at[0]);
	EXPECT_EQ(0, self->at[1]);
	BEGIN(&self->tid);
	END(&self->tid);
	EXPECT_EQ('1', after_crash(&self->place, 0));
	EXPECT_EQ(0, file_byte(self->place.seg, 1));
}

TEST_F(check, an_unchecked_transaction_beside_it_declares_as_well)
{
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->second, no_restore));
	RANGE(&self->second, self->at, 1);
	put(self->at, 'u');
	BEGIN(&self->tid);
	put(self->at, 'v');
	END(&self->tid);
	END(&self->second);
	BEGIN(&self->tid);
	END(&self->tid);
	EXPECT_EQ('v', after_crash(&self->place, 0));
}

static void track_and_store(void *arg)
{
	char *at = arg;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, rvm_tracked));
	put(at, 't');
	need(!rvm_end_transaction(&tid, flush));
}

TEST_F(check, what_a_tracked_transaction_stores_is_its_own)
{
	struct hand hand;

	ASSERT_TRUE(hand_start(&hand));
	BEGIN(&self->tid);
	RANGE(&self->tid, self->at, 1);
	put(self->at, 'd');
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&self->second, rvm_tracked));
	put(self->at + 1, 't');
	END(&self->tid);
	END(&self->second);
	BEGIN(&self->tid);
	ASSERT_TRUE(hand_do(&hand, track_and_store, self->at + 2));
	put(self->at + 3, 'f');
	FORGOTTEN(&self->tid, "1 bytes at offset 3 ");
	ABORT(&self->tid);
	hand_stop(&hand);
	EXPECT_EQ('d', after_crash(&self->place, 0));
	EXPECT_EQ('t', file_byte(self->place.seg, 1));
	EXPECT_EQ('t', file_byte(self->place.seg, 2));
	EXPECT_EQ(0, file_byte(self->place.seg, 3));
}

TEST_F(check, a_region_mapped_meanwhile_is_watched)
{
	BEGIN(&self->tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_unmap(&self->region));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region, variant->flag));
	self->at = self->region.vmaddr;
	RANGE(&self->tid, self->at, 1);
	put(self->at, 'd');
	put(self->at + 1, 'f');
	FORGOTTEN(&self->tid, "offset 1 ");
	ABORT(&self->tid);
	EXPECT_TRUE(holds(self->at, SEG_BYTES, 0));
}

/* A thread that changes records of its own, each declared. */
struct worker {
	pthread_t thread;
	char *at;
	unsigned int seed;
};

#define WORKERS		4
#define RECORD		24UL
#define ROUNDS		150

static void *work(void *arg)
{
	struct worker *w = arg;
	rvm_tid_t tid;
	int i, j;

	rvm_init_tid(&tid);
	for (i = 0; i < ROUNDS; i++) {
		need(!rvm_begin_transaction(&tid, rvm_checked));
		for (j = 0; j < 3; j++) {
			char *at = w->at + rand_r(&w->seed) % (SEG_BYTES / (WORKERS * RECORD) - 1) *
					   (WORKERS * RECORD);

			need(!rvm_set_range(&tid, at, RECORD));
			memset(at, rand_r(&w->seed), RECORD);
		}
		if (rand_r(&w->seed) % 4)
			need(!rvm_end_transaction(&tid, no_flush));
		else
			need(!rvm_abort_transaction(&tid));
	}
	return NULL;
}

TEST_F(check, threads_that_declare_everything_are_told_nothing)
{
	struct worker w[WORKERS];
	int i;

	tell_me(rvm_false);
	for (i = 0; i < WORKERS; i++) {
		w[i] = (struct worker) { .at = self->at + i * RECORD, .seed = i };
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, work, &w[i]));
	}
	for (i = 0; i < WORKERS; i++)
		pthread_join(w[i].thread, NULL);
	EXPECT_EQ(0, told.n);
}

/* In a child: a program that knows nothing of checks, and forgets one range. */
struct unaware {
	struct place *place;
	unsigned long flag;
	const char *check;
	int fd;
};

static void run_unaware(void *arg)
{
	struct unaware *u = arg;
	rvm_region_t region;
	rvm_tid_t tid;

	need(!setenv("RVM_CHECK", u->check, 1));
	need(dup2(u->fd, STDERR_FILENO) == STDERR_FILENO);
	need(!place_open(u->place));
	need(!place_map(u->place, &region, u->flag));
	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, no_restore));
	need(!rvm_set_range(&tid, region.vmaddr, 1));
	put(region.vmaddr, 'd');
	put(region.vmaddr + PAGE + 3, 'f');
	if (rvm_end_transaction(&tid, flush) == RVM_EFORGOTTEN)
		_exit(3);
}

/* What it ends with, and what it prints. */
static int try_unaware(struct place *place, unsigned long flag, const char *check, char *text,
		       size_t size)
{
	struct unaware u = { .place = place, .flag = flag, .check = check };
	int ends[2], status;
	ssize_t n;

	if (pipe(ends))
		return -1;
	u.fd = ends[1];
	status = in_child(run_unaware, &u);
	close(ends[1]);
	n = read(ends[0], text, size - 1);
	text[n < 0 ? 0 : n] = 0;
	close(ends[0]);
	return status;
}

TEST_F(check, the_environment_has_an_unaware_program_checked)
{
	static const char *const words[] = {
		"rvm: forgotten rvm_set_range(): 1 bytes of ", " at offset 4099\n",
		", offset 4099 in the region\n", "rvm:   old 00\n", "rvm:   new 66\n",
		" ended, with 0 others open\n",
	};
	char text[4096];
	size_t i;

	rvm_terminate();
	EXPECT_EQ(0, try_unaware(&self->place, variant->flag, "1", text, sizeof(text)));
	for (i = 0; i < ARRAY_SIZE(words); i++)
		EXPECT_TRUE(!!strstr(text, words[i])) {
			TH_LOG("word %zu is not in: %s", i, text);
		}
	EXPECT_EQ(variant->knows, !!strstr(text, "stored by thread"));
	EXPECT_EQ(0, try_unaware(&self->place, variant->flag, "report", text, sizeof(text)));
	EXPECT_EQ(128 + SIGABRT,
		  try_unaware(&self->place, variant->flag, "abort", text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "forgotten rvm_set_range()"));
	EXPECT_EQ(3, try_unaware(&self->place, variant->flag, "refuse", text, sizeof(text)));
	EXPECT_STREQ("", text);
	EXPECT_EQ(0, try_unaware(&self->place, variant->flag, "0", text, sizeof(text)));
	EXPECT_STREQ("", text);
}

FIXTURE(checked_strict) {
	struct place place;
	rvm_region_t region;
};

FIXTURE_VARIANT(checked_strict)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(checked_strict, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(checked_strict, sigsegv) { .flag = RVM_TRACK_SIGSEGV };

FIXTURE_SETUP(checked_strict)
{
	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &self->region,
					  variant->flag | RVM_STRICT));
}

FIXTURE_TEARDOWN(checked_strict)
{
	rvm_terminate();
	place_remove(&self->place);
}

TEST_F(checked_strict, what_a_strict_region_cannot_refuse_is_found_at_the_end)
{
	char *at = self->region.vmaddr;
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	BEGIN(&tid);
	RANGE(&tid, at, 1);
	put(at, 'd');
	put(at + 1, 'f');
	FORGOTTEN(&tid, "offset 1 ");
	ABORT(&tid);
	EXPECT_EQ(0, at[0]);
	EXPECT_EQ(0, at[1]);
}

TEST(a_region_without_a_tracker_is_refused)
{
	struct place place;
	rvm_region_t region;
	rvm_tid_t tid;

	ASSERT_TRUE(place_make(&place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&place, &region, RVM_TRACK_NONE));
	rvm_init_tid(&tid);
	EXPECT_REFUSED(RVM_ETRACKER, "without a tracker", rvm_begin_transaction(&tid, rvm_checked));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_EQ(0, setenv("RVM_CHECK", "1", 1));
	ASSERT_RVM(RVM_SUCCESS, place_open(&place));
	EXPECT_REFUSED(RVM_ETRACKER, "RVM_CHECK", place_map(&place, &region, RVM_TRACK_NONE));
	EXPECT_RVM(RVM_SUCCESS, place_map(&place, &region, 0));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	place_remove(&place);
}

TEST(an_unknown_word_in_the_environment_is_refused)
{
	struct place place;

	ASSERT_TRUE(place_make(&place));
	ASSERT_EQ(0, setenv("RVM_CHECK", "yes", 1));
	EXPECT_REFUSED(RVM_EOPTIONS, "RVM_CHECK is \"yes\"", place_open(&place));
	ASSERT_EQ(0, setenv("RVM_CHECK", "", 1));
	EXPECT_RVM(RVM_SUCCESS, place_open(&place));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	place_remove(&place);
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
