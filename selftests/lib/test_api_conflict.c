// SPDX-License-Identifier: GPL-2.0
/* Threads that track regions: who waits, who is told that it would wait for itself. */
#include "api.h"

#define REGIONS	3

FIXTURE(conflict) {
	struct place place;
	rvm_region_t region[REGIONS];
	struct hand hand[REGIONS];
	rvm_tid_t tid[REGIONS];
	rvm_tid_t more[REGIONS];
};

FIXTURE_VARIANT(conflict)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(conflict, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(conflict, uffd) { .flag = RVM_TRACK_UFFD };
FIXTURE_VARIANT_ADD(conflict, sigsegv) { .flag = RVM_TRACK_SIGSEGV };

FIXTURE_SETUP(conflict)
{
	size_t i;

	ASSERT_TRUE(place_make(&self->place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&self->place));
	for (i = 0; i < REGIONS; i++) {
		ASSERT_RVM(RVM_SUCCESS, map_part(&self->region[i], self->place.seg, i * 4 * PAGE,
						 4 * PAGE, variant->flag));
		ASSERT_TRUE(hand_start(&self->hand[i]));
		rvm_init_tid(&self->tid[i]);
		rvm_init_tid(&self->more[i]);
	}
}

FIXTURE_TEARDOWN(conflict)
{
	size_t i;

	for (i = 0; i < REGIONS; i++)
		hand_stop(&self->hand[i]);
	rvm_terminate();
	place_remove(&self->place);
}

static void end(void *arg)
{
	struct hand_task *task = arg;

	put(task->region->vmaddr, 'e');
	task->code = rvm_end_transaction(task->tid, no_flush);
}

#define TASK(handle, of) \
	((struct hand_task) { .tid = (handle), .region = &self->region[of], .code = -1 })
#define DO(who, what, job) do { \
	struct hand_task *__task = (job); \
	\
	ASSERT_TRUE(hand_do(&self->hand[who], what, __task)); \
	EXPECT_EQ(RVM_SUCCESS, __task->code); \
} while (0)
/* It does it only when others have ended. */
#define WAITS(who, what, task) do { \
	struct hand *__hand = &self->hand[who]; \
	\
	hand_tell(__hand, what, task); \
	EXPECT_FALSE(hand_idle(__hand, 50)); \
} while (0)
#define GOES_ON(who, task) do { \
	ASSERT_TRUE(hand_idle(&self->hand[who], 20000)); \
	EXPECT_EQ(RVM_SUCCESS, (task)->code); \
} while (0)

/* Each of @n hands tracks a region, and then the next one's: the last is told. */
static void circle(struct __test_metadata *_metadata, FIXTURE_DATA(conflict) *self, int n)
{
	struct hand_task first[REGIONS], second[REGIONS];
	int i;

	for (i = 0; i < n; i++) {
		first[i] = TASK(&self->tid[i], i);
		second[i] = TASK(&self->more[i], (i + 1) % n);
		DO(i, hand_begin, &first[i]);
	}
	for (i = 0; i < n - 1; i++)
		WAITS(i, hand_begin, &second[i]);
	ASSERT_TRUE(hand_do(&self->hand[n - 1], hand_begin, &second[n - 1]));
	EXPECT_EQ(RVM_ECONFLICT, second[n - 1].code);
	EXPECT_NE(NULL, strstr(second[n - 1].text, "waits for one of this thread's"));
	for (i = n - 1; i >= 0; i--) {
		DO(i, end, &first[i]);
		if (i)
			GOES_ON(i - 1, &second[i - 1]);
		if (i < n - 1)
			DO(i, end, &second[i]);
	}
}

TEST_F(conflict, of_two_threads_that_wait_for_each_other_the_second_is_told)
{
	circle(_metadata, self, 2);
}

TEST_F(conflict, of_three_the_third_is_told)
{
	circle(_metadata, self, 3);
}

TEST_F(conflict, who_is_waited_for_may_begin_elsewhere)
{
	struct hand_task a = TASK(&self->tid[0], 0), b = TASK(&self->tid[1], 0);
	struct hand_task c = TASK(&self->tid[2], 2);
	struct hand_task more = TASK(&self->more[0], 1), last = TASK(&self->more[1], 2);

	DO(0, hand_begin, &a);
	WAITS(1, hand_begin, &b);
	DO(0, hand_begin, &more);
	DO(2, hand_begin, &c);
	DO(0, end, &a);
	GOES_ON(1, &b);
	WAITS(1, hand_begin, &last);
	DO(0, end, &more);
	DO(2, end, &c);
	GOES_ON(1, &last);
	DO(1, end, &last);
	DO(1, end, &b);
}

/* Another process, by a program of its own: nothing is inherited but the names. */
struct stranger {
	struct place place;
	unsigned long flag;
};

static void map_as_stranger(struct stranger *stranger)
{
	rvm_region_t region;

	need(place_open(&stranger->place) == RVM_ELOG_LOCKED);
	if (stranger->flag != RVM_TRACK_KMOD)
		return;
	strcat(stranger->place.log, "2");
	need(!place_open(&stranger->place));
	need(map_part(&region, stranger->place.seg, PAGE, PAGE, stranger->flag) == RVM_EOVERLAP);
	need(strstr(rvm_error(), "overlaps"));
	need(!map_part(&region, stranger->place.seg, REGIONS * 4 * PAGE, PAGE, stranger->flag));
}

static void wait_for_word(int fd)
{
	char byte;

	need(read(fd, &byte, 1) == 1);
}

FIXTURE(processes) {
	struct stranger stranger;
	int go[2];
	pid_t pid;
};

FIXTURE_VARIANT(processes)
{
	unsigned long flag;
};

FIXTURE_VARIANT_ADD(processes, kmod) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(processes, sigsegv) { .flag = RVM_TRACK_SIGSEGV };

/* The stranger is there before the library is initialized: it is no child of a user of it. */
FIXTURE_SETUP(processes)
{
	ASSERT_TRUE(place_make(&self->stranger.place));
	self->stranger.flag = variant->flag;
	ASSERT_EQ(0, pipe(self->go));
	fflush(NULL);
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid) {
		wait_for_word(self->go[0]);
		map_as_stranger(&self->stranger);
		_exit(0);
	}
}

FIXTURE_TEARDOWN(processes)
{
	rvm_terminate();
	place_remove(&self->stranger.place);
}

TEST_F(processes, another_one_is_refused_the_log_and_by_the_module_the_bytes)
{
	rvm_region_t region;
	int status;

	ASSERT_RVM(RVM_SUCCESS, place_open(&self->stranger.place));
	ASSERT_RVM(RVM_SUCCESS, map_part(&region, self->stranger.place.seg, 0, 4 * PAGE,
					 variant->flag));
	ASSERT_EQ(1, write(self->go[1], "g", 1));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	EXPECT_EQ(0, status);
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
