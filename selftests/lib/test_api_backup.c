// SPDX-License-Identifier: GPL-2.0
/*
 * Backups while transactions run: each is the state after some commit, a failure or a crash
 * leaves nothing that could be taken for one, and the source never notices.
 *
 * Every transaction counts itself in one segment and writes pieces into both; the program notes
 * the order of the commits.  So the counter in a copy tells which bytes all the others must have.
 */
#include "api.h"

#include <limits.h>
#include <stdarg.h>

#include "archive.h"
#include "instance.h"
#include "log.h"
#include "os.h"

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

/* The tool of the build that this program is of: its exit code. */
static int tool(const char *format, ...)
{
	char path[PATH_MAX], command[3 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int up, used, status;
	va_list args;

	need(n > 0);
	path[n] = 0;
	for (up = 0; up < 3; up++)
		*strrchr(path, '/') = 0;
	used = snprintf(command, sizeof(command), "'%s/bin/rvm' ", path);
	va_start(args, format);
	vsnprintf(command + used, sizeof(command) - used, format, args);
	va_end(args);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *join(char *out, const char *dir, const char *name)
{
	need(snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX);
	return out;
}

static bool same_file(const char *path, const char *bytes, size_t length)
{
	char *got = malloc(length);
	bool same = got && file_read(path, 0, got, length) && !memcmp(got, bytes, length);

	free(got);
	return same;
}

static void remove_tree(const char *dir)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	need(!system(command));
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

/* A place with one small segment, for what is tried many times. */
struct small {
	struct place place;
	rvm_region_t region;
	char dir[128];
	rvm_tid_t tid;
};

static void small_open(struct small *small)
{
	need(place_open(&small->place) == RVM_SUCCESS);
	need(place_map(&small->place, &small->region, RVM_TRACK_NONE) == RVM_SUCCESS);
	rvm_init_tid(&small->tid);
}

static void small_commit(struct small *small, size_t page, int value)
{
	char *at = small->region.vmaddr + page * PAGE;

	need(rvm_begin_transaction(&small->tid, restore) == RVM_SUCCESS);
	need(rvm_set_range(&small->tid, at, 100) == RVM_SUCCESS);
	memset(at, value, 100);
	need(rvm_end_transaction(&small->tid, flush) == RVM_SUCCESS);
}

FIXTURE(small) {
	struct small small;
};

FIXTURE_SETUP(small)
{
	ASSERT_TRUE(place_make(&self->small.place));
	snprintf(self->small.dir, sizeof(self->small.dir), "%s/backup", self->small.place.dir);
}

FIXTURE_TEARDOWN(small)
{
	os = os_real;
	rvm_terminate();
	remove_tree(self->small.place.dir);
}

TEST_F(small, bad_calls_are_refused)
{
	EXPECT_RVM(RVM_EINIT, rvm_backup(self->small.dir, NULL, NULL));
	ASSERT_RVM(RVM_SUCCESS, RVM_INIT(NULL));
	EXPECT_REFUSED(RVM_ELOG, "log_dev", rvm_backup(self->small.dir, NULL, NULL));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	small_open(&self->small);
	EXPECT_REFUSED(RVM_EOPTIONS, "directory", rvm_backup(NULL, NULL, NULL));
	EXPECT_REFUSED(RVM_EOPTIONS, "directory", rvm_backup("", NULL, NULL));
}

TEST_F(small, a_target_that_is_there_is_left_alone)
{
	char path[PATH_MAX];

	small_open(&self->small);
	ASSERT_EQ(0, mkdir(self->small.dir, 0700));
	ASSERT_TRUE(file_make(join(path, self->small.dir, "mine"), 100, 'm'));
	EXPECT_REFUSED(RVM_EOPTIONS, "exists", rvm_backup(self->small.dir, NULL, NULL));
	EXPECT_TRUE(file_holds(path, 0, 100, 'm'));
	EXPECT_REFUSED(RVM_EOPTIONS, "exists", rvm_backup(path, NULL, NULL));
	EXPECT_TRUE(file_holds(path, 0, 100, 'm'));
	EXPECT_REFUSED(RVM_EIO, "mine/x", rvm_backup(join(path, self->small.dir, "mine/x"), NULL,
						     NULL));
	EXPECT_REFUSED(RVM_EIO, "no/dir", rvm_backup(join(path, self->small.dir, "no/dir"), NULL,
						     NULL));
}

TEST_F(small, without_permission_it_is_refused)
{
	char path[PATH_MAX];

	small_open(&self->small);
	ASSERT_EQ(0, mkdir(self->small.dir, 0500));
	if (!geteuid())
		ASSERT_EQ(0, seteuid(65534));
	EXPECT_REFUSED(RVM_EPERM, "Permission",
		       rvm_backup(join(path, self->small.dir, "x"), NULL, NULL));
	if (!getuid())
		ASSERT_EQ(0, seteuid(0));
}

TEST_F(small, a_segment_that_is_gone_is_missed)
{
	char other[128];
	rvm_region_t region;

	snprintf(other, sizeof(other), "%s/other", self->small.place.dir);
	ASSERT_TRUE(file_make(other, PAGE, 0));
	small_open(&self->small);
	ASSERT_RVM(RVM_SUCCESS, map_part(&region, other, 0, 0, RVM_TRACK_NONE));
	ASSERT_RVM(RVM_SUCCESS, rvm_terminate());
	small_open(&self->small);
	ASSERT_EQ(0, unlink(other));
	EXPECT_REFUSED(RVM_EIO, other, rvm_backup(self->small.dir, NULL, NULL));
	EXPECT_NE(NULL, strstr(rvm_error(), "rvm forget"));
	EXPECT_EQ(-1, access(self->small.dir, F_OK));
}

TEST_F(small, a_segment_that_was_renamed_while_it_is_open_is_found)
{
	char away[PATH_MAX], to[PATH_MAX];

	small_open(&self->small);
	small_commit(&self->small, 3, 'r');
	join(away, self->small.place.dir, "away");
	ASSERT_EQ(0, rename(self->small.place.seg, away));
	ASSERT_TRUE(file_make(self->small.place.seg, SEG_BYTES, 'x'));
	ASSERT_RVM(RVM_SUCCESS, rvm_backup(self->small.dir, NULL, NULL));
	join(to, self->small.place.dir, "to");
	ASSERT_EQ(0, mkdir(to, 0700));
	ASSERT_EQ(0, tool("restore -t '%s' '%s' > '%s/out'", to, self->small.dir, to));
	join(away, to, "seg");
	EXPECT_TRUE(file_holds(away, 3 * PAGE, 100, 'r'));
	EXPECT_TRUE(file_holds(away, 4 * PAGE, PAGE, 0));
}

struct late {
	struct small *small;
	char path[PATH_MAX];
	rvm_region_t region;
	bool done;
};

static void commit_to(rvm_region_t *region, size_t offset, int value)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	need(rvm_begin_transaction(&tid, restore) == RVM_SUCCESS);
	need(rvm_set_range(&tid, region->vmaddr + offset, 100) == RVM_SUCCESS);
	memset(region->vmaddr + offset, value, 100);
	need(rvm_end_transaction(&tid, no_flush) == RVM_SUCCESS);
}

/* Beside the copy of the first segment: a second one is made, and the first one grows. */
static void map_and_grow(void *arg, uint64_t done, uint64_t total)
{
	struct late *late = arg;
	struct small *small = late->small;
	static const char grown[] = "grown", new[] = "new";
	struct log_range range = {
		.offset = SEG_BYTES + PAGE, .length = sizeof(new), .data = new,
	};
	uint64_t lsn;

	if (late->done)
		return;
	late->done = true;
	need(file_make(late->path, 3 * PAGE, 'o'));
	need(map_part(&late->region, late->path, 0, 0, RVM_TRACK_NONE) == RVM_SUCCESS);
	commit_to(&late->region, PAGE, 'n');
	need(truncate(small->place.seg, SEG_BYTES + 2 * PAGE) == 0);
	need(file_write(small->place.seg, SEG_BYTES, grown, sizeof(grown)));
	need(!log_name_segment(rvm.log, small->place.seg, SEG_BYTES + 2 * PAGE, &range.segment));
	need(!log_append(rvm.log, 77, &range, 1, &lsn));
}

TEST_F(small, a_segment_that_comes_or_grows_meanwhile_is_in_it)
{
	struct late late = { .small = &self->small };
	char to[PATH_MAX], path[PATH_MAX], got[16];

	small_open(&self->small);
	small_commit(&self->small, 0, 'a');
	join(late.path, self->small.place.dir, "late");
	ASSERT_RVM(RVM_SUCCESS, rvm_backup(self->small.dir, map_and_grow, &late));
	ASSERT_TRUE(late.done);
	join(to, self->small.place.dir, "to");
	ASSERT_EQ(0, mkdir(to, 0700));
	ASSERT_EQ(0, tool("restore -t '%s' '%s' > '%s/out'", to, self->small.dir, to));
	join(path, to, "late");
	EXPECT_TRUE(file_holds(path, 0, PAGE, 'o'));
	EXPECT_TRUE(file_holds(path, PAGE, 100, 'n'));
	EXPECT_TRUE(file_holds(path, PAGE + 100, 2 * PAGE - 100, 'o'));
	join(path, to, "seg");
	EXPECT_EQ(SEG_BYTES + 2 * PAGE, file_length(path));
	EXPECT_TRUE(file_holds(path, 0, 100, 'a'));
	ASSERT_TRUE(file_read(path, SEG_BYTES, got, sizeof(got)));
	EXPECT_STREQ("grown", got);
	ASSERT_TRUE(file_read(path, SEG_BYTES + PAGE, got, sizeof(got)));
	EXPECT_STREQ("new", got);
}

/* Failing calls: the one that is due, of those on files of the backup. */
static int due;
static int calls;
static bool die;
static const char *in_dir;

static bool is_due(int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = 0;
	if (strncmp(path, in_dir, strlen(in_dir)) || ++calls != due)
		return false;
	if (die)
		_exit(77);
	return true;
}

static ssize_t failing_pwritev(int fd, const struct iovec *iov, int n, uint64_t offset, bool sync)
{
	return is_due(fd) ? -ENOSPC : os_real.pwritev(fd, iov, n, offset, sync);
}

static int failing_sync(int fd)
{
	return is_due(fd) ? -ENOSPC : os_real.sync(fd);
}

static int failing_resize(int fd, uint64_t length)
{
	return is_due(fd) ? -ENOSPC : os_real.resize(fd, length);
}

static void fail_at(struct small *small, int n)
{
	in_dir = small->dir;
	due = n;
	calls = 0;
	os.pwritev = failing_pwritev;
	os.sync = failing_sync;
	os.resize = failing_resize;
}

static void truncate_now(void *arg, uint64_t done, uint64_t total)
{
	need(rvm_truncate() == RVM_SUCCESS);
}

TEST_F(small, on_a_full_disk_nothing_stays_and_nothing_else_fails)
{
	struct small *small = &self->small;
	rvm_return_t code;
	int n = 0;

	small_open(small);
	do {
		small_commit(small, n % SEG_PAGES, n);
		fail_at(small, ++n);
		code = rvm_backup(small->dir, truncate_now, NULL);
		os = os_real;
		if (!code)
			break;
		ASSERT_EQ(RVM_ENO_SPACE, code) {
			TH_LOG("call %d: %s: %s", n, rvm_return(code), rvm_error());
		}
		EXPECT_NE(NULL, strstr(rvm_error(), small->dir));
		ASSERT_EQ(-1, access(small->dir, F_OK));
	} while (n < 100);
	EXPECT_LT(8, n);
	EXPECT_GT(100, n);
	EXPECT_EQ(0, tool("verify '%s' > '%s/out'", small->dir, small->place.dir));
	small_commit(small, 0, 'e');
}

static void die_in_backup(void *arg)
{
	struct small *small = arg;

	small_open(small);
	small_commit(small, due % SEG_PAGES, due);
	fail_at(small, due);
	die = true;
	need(rvm_backup(small->dir, truncate_now, NULL) == RVM_SUCCESS);
}

TEST_F(small, a_crash_leaves_the_source_whole_and_no_backup_that_seems_so)
{
	struct small *small = &self->small;
	int n, status;

	for (n = 1; n < 100; n++) {
		due = n;
		status = in_child(die_in_backup, small);
		if (!status)
			break;
		ASSERT_EQ(77, status);
		status = tool("verify '%s' > '%s/out' 2>&1", small->dir, small->place.dir);
		EXPECT_TRUE(status == 3 || (status == 0 && n > 8)) {
			TH_LOG("call %d: verify says %d", n, status);
		}
		remove_tree(small->dir);
		ASSERT_RVM(RVM_SUCCESS, place_recover(&small->place));
		EXPECT_TRUE(file_holds(small->place.seg, n * PAGE, 100, n));
	}
	EXPECT_LT(8, n);
	EXPECT_GT(SEG_PAGES, n);
	EXPECT_EQ(0, tool("verify '%s' > '%s/out'", small->dir, small->place.dir));
}

static void ignore(void *arg, uint64_t done, uint64_t total)
{
}

static int verify(const char *dir)
{
	struct archive archive;
	int err = archive_open(dir, &archive);

	if (err)
		return err;
	err = archive_check(&archive, ignore, NULL);
	archive_close(&archive);
	return err;
}

/* Flip one bit, see what is found, and flip it back. */
static int flip_and_verify(const char *dir, const char *path, size_t at, int bit)
{
	unsigned char byte;
	int err;

	need(file_read(path, at, &byte, 1));
	byte ^= 1 << bit;
	need(file_write(path, at, &byte, 1));
	err = verify(dir);
	byte ^= 1 << bit;
	need(file_write(path, at, &byte, 1));
	return err;
}

/* The manifest and the records bit by bit, the segment here and there; fewer in the slow VM. */
TEST_F(small, verify_finds_every_flipped_bit)
{
	static const struct {
		const char *name;
		size_t step;
	} files[] = { { "MANIFEST", 1 }, { "records", 1 }, { "segment.1", 40009 } };
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC), told = dup(2);
	struct small *small = &self->small;
	size_t i, bit, length, missed = 0, rarer = getenv("RVM_VM") ? 211 : 1;
	char path[PATH_MAX];

	small_open(small);
	small_commit(small, 1, 1);
	ASSERT_RVM(RVM_SUCCESS, rvm_truncate());
	small_commit(small, 2, 2);
	ASSERT_RVM(RVM_SUCCESS, rvm_backup(small->dir, NULL, NULL));
	ASSERT_EQ(0, verify(small->dir));
	dup2(quiet, 2);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		join(path, small->dir, files[i].name);
		length = file_length(path);
		need(length > 100);
		for (bit = 0; bit < 8 * length; bit += files[i].step * rarer)
			missed += flip_and_verify(small->dir, path, bit / 8, bit % 8) != -EUCLEAN;
	}
	dup2(told, 2);
	EXPECT_EQ(0, missed);
	EXPECT_EQ(0, verify(small->dir));
}

static void __attribute__((constructor)) leave_out(void)
{
	drop_variants();
}

TEST_HARNESS_MAIN
