// SPDX-License-Identifier: GPL-2.0
/*
 * Backups while transactions run: each is the state after some commit.
 *
 * Every transaction counts itself in one segment and writes pieces into both; the program notes
 * the order of the commits.  So the counter in a copy tells which bytes all the others must have.
 */
#include "backup.h"

#define BIG_BYTES	(4UL << 20)
#define SMALL_LOG	(128 * 1024UL)
#define WORKERS		3
#define PIECES		4
#define PIECE		120UL
#define COMMITS_MAX	200000
#define PER_STEP	60	/* commits beside each mebibyte of a backup */

struct load {
	struct place place;
	char other[96];
	rvm_region_t region[2];
	char *at[2];
	bool tracked;
	bool stop;
	pthread_mutex_t lock;
	pthread_cond_t counted;
	uint64_t count;
	unsigned char order[COMMITS_MAX];
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* Where a worker's @n-th commit puts its piece: in its own part of the segment. */
static size_t piece_at(int worker, uint64_t n, int piece)
{
	size_t part = (BIG_BYTES - PAGE) / WORKERS / PIECE;

	return PAGE + (worker * part + mix(n * 64 + worker * 8 + piece) % part) * PIECE;
}

static void fill_piece(char *at, int worker, uint64_t n, int piece)
{
	uint64_t value = mix(n * 64 + worker * 8 + piece + 4);
	size_t i;

	for (i = 0; i < PIECE; i += sizeof(value))
		memcpy(at + i, &value, sizeof(value));
}

static void change(struct load *load, rvm_tid_t *tid, int segment, size_t offset, size_t length)
{
	if (!load->tracked)
		need(rvm_set_range(tid, load->at[segment] + offset, length) == RVM_SUCCESS);
}

/* The commit takes its place in the order, and in the log, under one lock. */
static bool commit(struct load *load, rvm_tid_t *tid, int worker)
{
	uint64_t *counter = (uint64_t *)load->at[1];
	bool more;

	pthread_mutex_lock(&load->lock);
	change(load, tid, 1, 0, sizeof(*counter));
	*counter = load->count + 1;
	load->order[load->count] = worker;
	need(rvm_end_transaction(tid, no_flush) == RVM_SUCCESS);
	load->count++;
	more = !load->stop && load->count < COMMITS_MAX;
	pthread_cond_broadcast(&load->counted);
	pthread_mutex_unlock(&load->lock);
	return more;
}

struct worker {
	struct load *load;
	pthread_t thread;
	int id;
	uint64_t commits;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct load *load = worker->load;
	rvm_tid_t tid;
	int piece;

	rvm_init_tid(&tid);
	do {
		need(rvm_begin_transaction(&tid, load->tracked ? rvm_tracked : restore) ==
		     RVM_SUCCESS);
		for (piece = 0; piece < PIECES; piece++) {
			size_t at = piece_at(worker->id, worker->commits, piece);

			change(load, &tid, piece & 1, at, PIECE);
			fill_piece(load->at[piece & 1] + at, worker->id, worker->commits, piece);
		}
		worker->commits++;
	} while (commit(load, &tid, worker->id));
	return NULL;
}

/* Hold the backup up until the workers have committed some more. */
static void wait_for_commits(void *arg, uint64_t done, uint64_t total)
{
	struct load *load = arg;
	uint64_t until;

	pthread_mutex_lock(&load->lock);
	until = load->count + PER_STEP;
	while (load->count < until && load->count < COMMITS_MAX)
		pthread_cond_wait(&load->counted, &load->lock);
	pthread_mutex_unlock(&load->lock);
}

static uint64_t count(struct load *load)
{
	uint64_t n;

	pthread_mutex_lock(&load->lock);
	n = load->count;
	pthread_mutex_unlock(&load->lock);
	return n;
}

/* Both segments after so many commits. */
static void model(const struct load *load, uint64_t commits, char *seg[2])
{
	uint64_t n, done[WORKERS] = { 0 };
	int piece;

	memset(seg[0], 0, BIG_BYTES);
	memset(seg[1], 0, BIG_BYTES);
	for (n = 0; n < commits; n++) {
		int id = load->order[n];

		for (piece = 0; piece < PIECES; piece++)
			fill_piece(seg[piece & 1] + piece_at(id, done[id], piece), id, done[id],
				   piece);
		done[id]++;
	}
	memcpy(seg[1], &commits, sizeof(commits));
}

static bool same_file(const char *path, const char *bytes, size_t length)
{
	char *got = malloc(length);
	bool same = got && file_read(path, 0, got, length) && !memcmp(got, bytes, length);

	free(got);
	return same;
}

FIXTURE(backup) {
	struct load *load;
	char dir[128];
};

FIXTURE_VARIANT(backup)
{
	unsigned long flag;
	bool tracked;
};

FIXTURE_VARIANT_ADD(backup, kmod) { .flag = RVM_TRACK_KMOD, .tracked = true };
FIXTURE_VARIANT_ADD(backup, uffd) { .flag = RVM_TRACK_UFFD, .tracked = true };
FIXTURE_VARIANT_ADD(backup, sigsegv) { .flag = RVM_TRACK_SIGSEGV, .tracked = true };
FIXTURE_VARIANT_ADD(backup, kmod_explicit) { .flag = RVM_TRACK_KMOD };
FIXTURE_VARIANT_ADD(backup, none) { .flag = RVM_TRACK_NONE };

FIXTURE_SETUP(backup)
{
	struct load *load = calloc(1, sizeof(*load));
	rvm_options_t options;
	int i;

	ASSERT_NE(NULL, load);
	self->load = load;
	ASSERT_TRUE(place_make(&load->place));
	snprintf(load->other, sizeof(load->other), "%s/other", load->place.dir);
	snprintf(self->dir, sizeof(self->dir), "%s/backup", load->place.dir);
	pthread_mutex_init(&load->lock, NULL);
	pthread_cond_init(&load->counted, NULL);
	load->tracked = variant->tracked;
	place_options(&load->place, &options);
	options.create_log_size = rvm_mk_offset(0, SMALL_LOG);
	options.truncate = 50;
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&options));
	ASSERT_TRUE(file_make(load->place.seg, BIG_BYTES, 0));
	ASSERT_TRUE(file_make(load->other, BIG_BYTES, 0));
	for (i = 0; i < 2; i++) {
		ASSERT_RVM(RVM_SUCCESS, map_part(&load->region[i],
						 i ? load->other : load->place.seg, 0, 0,
						 variant->flag));
		load->at[i] = load->region[i].vmaddr;
	}
}

FIXTURE_TEARDOWN(backup)
{
	rvm_terminate();
	remove_tree(self->load->place.dir);
	free(self->load);
}

/* Does the restored copy hold the state after exactly so many commits as it says? */
static uint64_t check_copy(const struct load *load, const char *dir)
{
	char path[PATH_MAX], *seg[2] = { malloc(BIG_BYTES), malloc(BIG_BYTES) };
	uint64_t commits = 0;

	need(seg[0] && seg[1]);
	need(file_read(join(path, dir, "other"), 0, &commits, sizeof(commits)));
	need(commits <= load->count);
	model(load, commits, seg);
	need(same_file(join(path, dir, "seg"), seg[0], BIG_BYTES));
	need(same_file(join(path, dir, "other"), seg[1], BIG_BYTES));
	free(seg[0]);
	free(seg[1]);
	return commits;
}

#define BACKUPS	2	/* one in the VM, which is slow */

TEST_F(backup, beside_threads_is_the_state_after_some_commit)
{
	struct load *load = self->load;
	struct worker workers[WORKERS] = { 0 };
	uint64_t before[BACKUPS], after[BACKUPS];
	char name[PATH_MAX], to[PATH_MAX];
	rvm_log_info_t first, last;
	int i, backups = getenv("RVM_VM") ? 1 : BACKUPS;

	for (i = 0; i < WORKERS; i++) {
		workers[i].load = load;
		workers[i].id = i;
		ASSERT_EQ(0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	}
	for (i = 0; i < backups; i++) {
		snprintf(name, sizeof(name), "%s.%d", self->dir, i);
		ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&first));
		before[i] = count(load);
		ASSERT_RVM(RVM_SUCCESS, rvm_backup(name, wait_for_commits, load));
		after[i] = count(load);
		ASSERT_RVM(RVM_SUCCESS, rvm_query_log(&last));
		EXPECT_LE(before[i] + PER_STEP, after[i]);
		/* the log was freed several times over meanwhile */
		EXPECT_LT(first.head + SMALL_LOG, last.head);
	}
	pthread_mutex_lock(&load->lock);
	load->stop = true;
	pthread_mutex_unlock(&load->lock);
	for (i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	ASSERT_GT(COMMITS_MAX, load->count);
	for (i = 0; i < backups; i++) {
		uint64_t commits;

		snprintf(name, sizeof(name), "%s.%d", self->dir, i);
		snprintf(to, sizeof(to), "%s.%d.to", self->dir, i);
		ASSERT_EQ(0, mkdir(to, 0700));
		ASSERT_EQ(0, tool("verify '%s' > '%s/out'", name, to));
		ASSERT_EQ(0, tool("restore --to '%s' '%s' > '%s/out'", to, name, to));
		commits = check_copy(load, to);
		EXPECT_LE(before[i], commits);
		EXPECT_GE(after[i], commits);
	}
}

/* struct resizer - a thread that changes the size of the log again and again */
struct resizer {
	struct load *load;
	pthread_t thread;
	uint64_t times;
	bool stop;
};

static void *resize(void *arg)
{
	struct resizer *r = arg;
	rvm_offset_t length;
	rvm_options_t options;

	place_options(&r->load->place, &options);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		length = rvm_mk_offset(0, SMALL_LOG << r->times % 3);
		need(rvm_resize_log(&options, &length) == RVM_SUCCESS);
		__atomic_add_fetch(&r->times, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static bool resized(struct resizer *r, uint64_t times)
{
	int tries;

	for (tries = 0; tries < 20000; tries++) {
		if (__atomic_load_n(&r->times, __ATOMIC_RELAXED) >= times)
			return true;
		usleep(1000);
	}
	return false;
}

/* The LSNs of the records in a backup have no gap: it and changes of size wait for each other. */
TEST_F(backup, beside_threads_and_changes_of_the_logs_size)
{
	struct load *load = self->load;
	struct worker worker = { .load = load };
	struct resizer resizer = { .load = load };
	uint64_t before, after, commits;
	char to[PATH_MAX];

	ASSERT_EQ(0, pthread_create(&worker.thread, NULL, work, &worker));
	ASSERT_EQ(0, pthread_create(&resizer.thread, NULL, resize, &resizer));
	ASSERT_TRUE(resized(&resizer, 2));
	before = count(load);
	ASSERT_RVM(RVM_SUCCESS, rvm_backup(self->dir, wait_for_commits, load));
	after = count(load);
	ASSERT_TRUE(resized(&resizer, resizer.times + 2));
	__atomic_store_n(&resizer.stop, true, __ATOMIC_RELAXED);
	pthread_join(resizer.thread, NULL);
	pthread_mutex_lock(&load->lock);
	load->stop = true;
	pthread_mutex_unlock(&load->lock);
	pthread_join(worker.thread, NULL);
	ASSERT_GT(COMMITS_MAX, load->count);
	snprintf(to, sizeof(to), "%s.to", self->dir);
	ASSERT_EQ(0, mkdir(to, 0700));
	ASSERT_EQ(0, tool("verify '%s' > '%s/out'", self->dir, to));
	ASSERT_EQ(0, tool("restore --to '%s' '%s' > '%s/out'", to, self->dir, to));
	commits = check_copy(load, to);
	EXPECT_LE(before, commits);
	EXPECT_GE(after, commits);
}

TEST_F(backup, a_restored_copy_goes_on)
{
	struct load *load = self->load;
	char to[PATH_MAX], path[PATH_MAX];
	rvm_tid_t tid;
	rvm_options_t options;
	rvm_region_t region;
	int i;

	rvm_init_tid(&tid);
	for (i = 1; i <= 5; i++) {
		ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
		ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, load->at[0] + i * PAGE, 10));
		memset(load->at[0] + i * PAGE, i, 10);
		ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, no_flush));
	}
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, load->at[0] + 6 * PAGE, 10));
	memset(load->at[0] + 6 * PAGE, 6, 10);
	ASSERT_RVM(RVM_SUCCESS, rvm_backup(self->dir, NULL, NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());

	snprintf(to, sizeof(to), "%s.to", self->dir);
	ASSERT_EQ(0, mkdir(to, 0700));
	ASSERT_EQ(0, tool("restore -t '%s' '%s' > '%s/out'", to, self->dir, to));
	rvm_init_options(&options);
	options.log_dev = join(path, to, "log");
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(&options));
	join(path, to, "seg");
	ASSERT_RVM(RVM_SUCCESS, map_part(&region, path, 0, 0, variant->flag));
	for (i = 1; i <= 5; i++)
		EXPECT_TRUE(holds(region.vmaddr + i * PAGE, 10, i));
	EXPECT_TRUE(holds(region.vmaddr + 6 * PAGE, 10, 0));
	ASSERT_RVM(RVM_SUCCESS, rvm_begin_transaction(&tid, restore));
	ASSERT_RVM(RVM_SUCCESS, rvm_set_range(&tid, region.vmaddr, 10));
	memset(region.vmaddr, 'n', 10);
	ASSERT_RVM(RVM_SUCCESS, rvm_end_transaction(&tid, flush));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	ASSERT_EQ(0, tool("recover '%s/log' > '%s/out'", to, to));
	EXPECT_TRUE(file_holds(path, 0, 10, 'n'));
	EXPECT_TRUE(file_holds(load->place.seg, 0, 10, 0));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
