// SPDX-License-Identifier: GPL-2.0
/* A log that changes its size while threads commit, and the program is killed. */
#include "api.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "os.h"

#define THREADS	4
#define SPARE	4	/* pages of each thread beside the one that always changes */
#define ROUNDS	4

/*
 * struct shared - what the parent sees of its child
 * @acked: number of the last transaction of each thread that was acknowledged as durable
 * @resizes: sizes that the log had
 */
struct shared {
	uint64_t acked[THREADS];
	uint64_t resizes;
};

static struct shared *shared;

FIXTURE(resize) {
	struct place place;
};

FIXTURE_VARIANT(resize)
{
	unsigned long flags;
	bool tracked;
};

FIXTURE_VARIANT_ADD(resize, kmod) { .flags = RVM_TRACK_KMOD, .tracked = true };
FIXTURE_VARIANT_ADD(resize, kmod_incremental) {
	.flags = RVM_TRACK_KMOD | RVM_INCREMENTAL_TRUNCATION,
};

FIXTURE_VARIANT_ADD(resize, uffd) { .flags = RVM_TRACK_UFFD, .tracked = true };
FIXTURE_VARIANT_ADD(resize, sigsegv_incremental) {
	.flags = RVM_TRACK_SIGSEGV | RVM_INCREMENTAL_TRUNCATION,
	.tracked = true,
};

FIXTURE_VARIANT_ADD(resize, none) { .flags = RVM_TRACK_NONE };
FIXTURE_VARIANT_ADD(resize, none_incremental) {
	.flags = RVM_TRACK_NONE | RVM_INCREMENTAL_TRUNCATION,
};

FIXTURE_SETUP(resize)
{
	ASSERT_TRUE(place_make(&self->place));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)shared);
}

FIXTURE_TEARDOWN(resize)
{
	munmap(shared, sizeof(*shared));
	place_remove(&self->place);
}

static rvm_return_t open_place(struct place *place, unsigned long flags)
{
	rvm_options_t options;

	place_options(place, &options);
	options.create_log_size = rvm_mk_offset(0, 65536);
	options.truncate = 50;
	options.flags |= flags & RVM_INCREMENTAL_TRUNCATION;
	return RVM_INIT(&options);
}

static rvm_return_t set_size(struct place *place, rvm_length_t size)
{
	rvm_offset_t length = rvm_mk_offset(0, size);
	rvm_options_t options;

	rvm_init_options(&options);
	options.log_dev = place->log;
	return rvm_resize_log(&options, &length);
}

/* Fills a page with a number. */
static rvm_return_t fill_page(rvm_tid_t *tid, char *base, unsigned long page, uint64_t number,
			      bool tracked)
{
	uint64_t *at = (uint64_t *)(base + page * PAGE);
	rvm_return_t code = RVM_SUCCESS;
	unsigned int i;

	if (!tracked)
		code = rvm_set_range(tid, at, PAGE);
	for (i = 0; i < PAGE / sizeof(*at) && !code; i++)
		at[i] = number;
	return code;
}

/* struct committer - a thread whose transaction n fills its page and a spare one with n */
struct committer {
	pthread_t thread;
	char *base;
	unsigned int id;
	bool tracked;
	uint64_t number;
	bool stop;
};

static unsigned long spare_page(unsigned int id, uint64_t number)
{
	return THREADS + id * SPARE + number % SPARE;
}

static void commit_next(struct committer *c, rvm_mode_t mode)
{
	static __thread rvm_lsn_t last;
	uint64_t number = c->number + 1;
	rvm_tid_t tid;
	rvm_lsn_t lsn;

	rvm_init_tid(&tid);
	need(!rvm_begin_transaction(&tid, c->tracked ? rvm_tracked : restore));
	need(!fill_page(&tid, c->base, c->id, number, c->tracked));
	need(!fill_page(&tid, c->base, spare_page(c->id, number), number, c->tracked));
	need(!rvm_end_transaction_lsn(&tid, mode, &lsn));
	need(lsn >= last);
	last = lsn;
	c->number = number;
}

/* What a flush acknowledges is durable, and all before it. */
static void *commit_on(void *arg)
{
	struct committer *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		rvm_mode_t mode = c->number % 3 == 2 ? flush : no_flush;

		commit_next(c, mode);
		if (mode == flush)
			__atomic_store_n(&shared->acked[c->id], c->number, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The number in each word of a page; or UINT64_MAX. */
static uint64_t in_page(const uint64_t *words)
{
	unsigned int i;

	for (i = 1; i < PAGE / sizeof(*words); i++)
		if (words[i] != words[0])
			return UINT64_MAX;
	return words[0];
}

/* Are the pages of a thread what its first transactions made of them?  Return: how many. */
static uint64_t transactions(const char *base, unsigned int id)
{
	uint64_t number = in_page((const uint64_t *)(base + id * PAGE)), n;

	for (n = number; n != UINT64_MAX && n + SPARE > number && n; n--)
		if (in_page((const uint64_t *)(base + spare_page(id, n) * PAGE)) != n)
			return UINT64_MAX;
	return number;
}

static void start(struct committer *committers, char *base, bool tracked)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		committers[i] = (struct committer){ .base = base, .id = i, .tracked = tracked };
		committers[i].number = transactions(base, i);
		need(committers[i].number != UINT64_MAX);
		need(committers[i].number >= shared->acked[i]);
		need(!pthread_create(&committers[i].thread, NULL, commit_on, &committers[i]));
	}
}

static void live(struct place *place, unsigned long flags, bool tracked)
{
	static const rvm_length_t sizes[] = { 262144, 65536, 1048576, 131072 };
	struct committer committers[THREADS];
	rvm_region_t region;
	unsigned int i;

	need(!open_place(place, flags));
	need(!place_map(place, &region, flags & ~RVM_INCREMENTAL_TRUNCATION));
	start(committers, region.vmaddr, tracked);
	for (i = 0;; i++) {
		need(!set_size(place, sizes[i % ARRAY_SIZE(sizes)]));
		__atomic_add_fetch(&shared->resizes, 1, __ATOMIC_RELAXED);
	}
}

static bool got_on(uint64_t resizes, uint64_t acked)
{
	return __atomic_load_n(&shared->resizes, __ATOMIC_RELAXED) >= resizes &&
	       __atomic_load_n(&shared->acked[0], __ATOMIC_RELAXED) > acked;
}

/* Killed at any moment after some sizes and a commit more; was it alive until then? */
static bool live_and_die(struct place *place, unsigned long flags, bool tracked, unsigned int us)
{
	uint64_t resizes = shared->resizes + 3, acked = shared->acked[0];
	int status, tries;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		live(place, flags, tracked);
		_exit(1);
	}
	for (tries = 0; tries < 20000; tries++) {
		if (got_on(resizes, acked) || waitpid(pid, &status, WNOHANG))
			break;
		usleep(1000);
	}
	usleep(us);
	kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGKILL && tries < 20000;
}

TEST_F(resize, nothing_that_was_acknowledged_is_lost_by_a_kill)
{
	static uint64_t pages[SEG_BYTES / sizeof(uint64_t)];
	unsigned int rounds = getenv("RVM_VM") ? 1 : ROUNDS, round, seed = 7, i;
	uint64_t before = 0;

	for (round = 0; round < rounds; round++) {
		ASSERT_TRUE(live_and_die(&self->place, variant->flags, variant->tracked,
					 rand_r(&seed) % 50000));
		ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
		ASSERT_TRUE(file_read(self->place.seg, 0, pages, SEG_BYTES));
		for (i = 0; i < THREADS; i++) {
			uint64_t number = transactions((char *)pages, i);

			EXPECT_NE(UINT64_MAX, number);
			EXPECT_LE(shared->acked[i], number);
		}
		ASSERT_LT(before, shared->acked[0]);
		before = shared->acked[0];
	}
}

static void stop(struct committer *committers)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		__atomic_store_n(&committers[i].stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		pthread_join(committers[i].thread, NULL);
}

TEST_F(resize, the_log_has_the_size_and_its_lsns_grow)
{
	static const rvm_length_t sizes[] = { 131072, 20480, 65536, 24576, 24577, 524288, 65536 };
	struct committer committers[THREADS];
	rvm_log_info_t info, before;
	rvm_region_t region;
	unsigned int i;

	ASSERT_RVM(RVM_SUCCESS, open_place(&self->place, variant->flags));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region,
					  variant->flags & ~RVM_INCREMENTAL_TRUNCATION));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&before));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		rvm_length_t size = (sizes[i] + PAGE - 1) & ~(PAGE - 1);

		start(committers, region.vmaddr, variant->tracked);
		ASSERT_RVM(RVM_SUCCESS, set_size(&self->place, sizes[i]));
		stop(committers);
		ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&info));
		EXPECT_EQ(size, info.size);
		EXPECT_EQ(73728 + (long)size, file_length(self->place.log));
		EXPECT_LE(before.tail, info.head);
		EXPECT_LE(info.tail - info.head, info.size);
		EXPECT_EQ(before.generation, info.generation);
		EXPECT_EQ(rvm_true, rvm_durable(before.tail));
		before = info;
	}
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_RVM(RVM_SUCCESS, place_recover(&self->place));
	EXPECT_TRUE(file_read(self->place.seg, 0, region.vmaddr = malloc(SEG_BYTES), SEG_BYTES));
	for (i = 0; i < THREADS; i++)
		EXPECT_EQ(committers[i].number, transactions(region.vmaddr, i));
	free(region.vmaddr);
}

/* A transaction that is larger than the log is open still, and can be committed once it fits. */
TEST_F(resize, a_transaction_too_big_for_the_log_fits_when_it_has_grown)
{
	rvm_region_t region;
	rvm_tid_t tid;

	ASSERT_RVM(RVM_SUCCESS, open_place(&self->place, variant->flags));
	ASSERT_RVM(RVM_SUCCESS, place_map(&self->place, &region,
					  variant->flags & ~RVM_INCREMENTAL_TRUNCATION));
	rvm_init_tid(&tid);
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, variant->tracked ? rvm_tracked :
								no_restore));
	if (!variant->tracked)
		ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, region.vmaddr, SEG_BYTES));
	memset(region.vmaddr, 'b', SEG_BYTES);
	EXPECT_RVM(RVM_ETOO_BIG, rvm_end_transaction(&tid, flush));
	ASSERT_RVM(RVM_SUCCESS, set_size(&self->place, 2 * SEG_BYTES));
	EXPECT_TRUE(file_holds(self->place.seg, 0, SEG_BYTES, 0));
	EXPECT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	ASSERT_RVM(RVM_SUCCESS, set_size(&self->place, 4096));
	EXPECT_TRUE(file_holds(self->place.seg, 0, SEG_BYTES, 'b'));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
}

static void hold_log(void *arg)
{
	struct place *place = arg;
	char byte;

	need(!place_open(place));
	need(write(3, "o", 1) == 1);
	need(read(4, &byte, 1) == 0);
	need(!rvm_terminate());
}

/* What reaches the segment between two syncs of it. */
static struct {
	ino_t inode;
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync);
	int (*datasync)(int fd);
	size_t bytes;
	size_t most;
	size_t sum;
} seen;

static bool is_segment(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == seen.inode;
}

static ssize_t seeing_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset,
			      bool sync)
{
	ssize_t n = seen.pwritev(fd, iov, count, offset, sync);

	if (n > 0 && is_segment(fd)) {
		seen.bytes += n;
		seen.sum += n;
		if (seen.bytes > seen.most)
			seen.most = seen.bytes;
	}
	return n;
}

static int seeing_datasync(int fd)
{
	if (is_segment(fd))
		seen.bytes = 0;
	return seen.datasync(fd);
}

static bool see(const char *segment)
{
	struct stat st;

	if (stat(segment, &st))
		return false;
	memset(&seen, 0, sizeof(seen));
	seen.inode = st.st_ino;
	seen.pwritev = os.pwritev;
	seen.datasync = os.datasync;
	os.pwritev = seeing_pwritev;
	os.datasync = seeing_datasync;
	return true;
}

static void see_no_more(void)
{
	os.pwritev = seen.pwritev;
	os.datasync = seen.datasync;
}

/* A byte of every other page, so that no two are written at once. */
static rvm_return_t change_pages(char *base, unsigned long pages)
{
	rvm_return_t code = RVM_SUCCESS;
	unsigned long page;
	rvm_tid_t tid;

	for (page = 0; page < pages && !code; page += 2) {
		rvm_init_tid(&tid);
		code = rvm_begin_transaction(&tid, no_restore);
		if (!code)
			code = rvm_set_range(&tid, base + page * PAGE, 1);
		base[page * PAGE] = 'c';
		if (!code)
			code = rvm_end_transaction(&tid, no_flush);
	}
	return code;
}

/* Little log, and yet many pages: who commits meanwhile does not wait for all of them at once. */
TEST(a_log_is_emptied_a_few_pages_at_a_time)
{
	const unsigned long pages = 512;
	struct place place;
	rvm_region_t region;

	ASSERT_TRUE(place_make(&place));
	ASSERT_EQ(0, truncate(place.seg, pages * PAGE));
	ASSERT_RVM(RVM_SUCCESS, place_open(&place));
	ASSERT_RVM(RVM_SUCCESS, place_map(&place, &region, RVM_TRACK_NONE));
	ASSERT_LE(pages * PAGE, region.length);
	ASSERT_RVM(RVM_SUCCESS, change_pages(region.vmaddr, pages));
	ASSERT_TRUE(see(place.seg));
	EXPECT_RVM(RVM_SUCCESS, set_size(&place, 2 * LOG_BYTES));
	see_no_more();
	EXPECT_EQ(pages / 2 * PAGE, seen.sum);
	EXPECT_GE(64 * PAGE, seen.most);
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	place_remove(&place);
}

TEST(a_log_that_another_process_has_open_keeps_its_size)
{
	int told[2], wait[2], status;
	struct place place;
	char byte;
	pid_t pid;

	ASSERT_TRUE(place_make(&place));
	ASSERT_EQ(0, pipe(told) | pipe(wait));
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(told[1], 103);
		dup2(wait[0], 104);
		close_range(3, 102, 0);
		dup2(103, 3);
		dup2(104, 4);
		close_range(5, ~0U, 0);
		hold_log(&place);
		_exit(0);
	}
	ASSERT_EQ(1, read(told[0], &byte, 1));
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	EXPECT_REFUSED(RVM_ELOG_LOCKED, "another process", set_size(&place, 65536));
	EXPECT_EQ(73728 + (long)LOG_BYTES, file_length(place.log));
	close(wait[1]);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_RVM(RVM_SUCCESS, set_size(&place, 65536));
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	place_remove(&place);
}

/* By any name, and what cannot be is refused without a loss. */
TEST(sizes_and_names_of_a_log_in_use)
{
	struct place place;
	rvm_log_info_t info;
	char link[100];

	ASSERT_TRUE(place_make(&place));
	ASSERT_RVM(RVM_SUCCESS, place_open(&place));
	EXPECT_REFUSED(RVM_EOFFSET, "at least one byte", set_size(&place, 0));
	EXPECT_REFUSED(RVM_EOFFSET, "too many", set_size(&place, INT64_MAX));
	EXPECT_REFUSED(RVM_ENO_SPACE, "cannot write all", set_size(&place, 1UL << 52));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&info));
	EXPECT_EQ(LOG_BYTES, info.size);
	EXPECT_EQ(73728 + (long)LOG_BYTES, file_length(place.log));
	snprintf(link, sizeof(link), "%s/link", place.dir);
	ASSERT_EQ(0, symlink(place.log, link));
	strcpy(place.log, link);
	EXPECT_RVM(RVM_SUCCESS, set_size(&place, 65536));
	ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&info));
	EXPECT_EQ(65536, info.size);
	EXPECT_RVM(RVM_SUCCESS, rvm_terminate());
	place_remove(&place);
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
