// SPDX-License-Identifier: GPL-2.0
/* All that can happen to a region at the same time, against an oracle of every page. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES		512
#define STRAYS		64		/* pages behind them, to which only strays are stored */
#define ALL		(PAGES + STRAYS)
#define WORKERS		3
#define VERSIONS	(1 << 24)	/* memory is taken for those that come to be */
#define SECONDS		"12"		/* or RVM_SECONDS; until RVM_WRITES stores if later */
#define MOST		48		/* pages of one transaction */
#define TELL		60		/* seconds from one word of the stores so far to the next */

/**
 * struct oracle - what must be true of each page
 * @lock: of each page: held by the transaction that writes it
 * @version: committed, by page
 * @hot: by page: it is hot
 * @lsn: of each version that is committed, 0 if it is not
 * @next: the next version
 * @next_lsn: the next LSN
 * @wrong: claims that did not hold
 * @kept: pages that were committed and stayed hot
 * @commits: transactions that were committed
 * @aborts: transactions that were aborted
 * @written: pages that were written back
 * @busy: pages that writeback refused
 * @checked: pages of the segment that were compared
 * @stored: pages that transactions stored to
 * @strays: stores outside of any
 * @passed: processes that came and went
 * @stop: to end all threads
 * @r: the region
 * @seg: its segment
 */
struct oracle {
	pthread_mutex_t lock[PAGES];
	uint64_t version[PAGES];
	bool hot[PAGES];
	_Atomic uint64_t lsn[VERSIONS];
	_Atomic uint64_t next, next_lsn, wrong;
	_Atomic uint64_t kept, commits, aborts, written, busy, checked, stored, strays, passed;
	_Atomic bool stop;
	struct region r;
	int seg;
};

static struct oracle oracle;

/* Each transaction takes a version; when they run out the test ends, and tells so. */
static bool versions_left(void)
{
	return oracle.next < VERSIONS - WORKERS - 1;
}

#define CLAIM(condition) do { \
	if (!(condition) && !oracle.wrong++) \
		fprintf(stderr, "# line %d: %s\n", __LINE__, #condition); \
} while (0)

/* Both ends of a page say which version it is; version 0 is the segment as made. */
static uint64_t head(const unsigned char *page)
{
	uint64_t v;

	memcpy(&v, page, sizeof(v));
	return v;
}

static uint64_t tail(const unsigned char *page)
{
	return head(page + PAGE - sizeof(uint64_t));
}

static void stamp(unsigned char *page, uint64_t version)
{
	memcpy(page, &version, sizeof(version));
	memcpy(page + PAGE - sizeof(version), &version, sizeof(version));
}

static int compare(const void *a, const void *b)
{
	return *(const unsigned int *)a - *(const unsigned int *)b;
}

/* Some pages, locked in order: a run or a scattering. */
static unsigned int choose(unsigned int *seed, unsigned int *pages)
{
	unsigned int want = 1 + rand_r(seed) % MOST, step = rand_r(seed) % 3 ? 1 : 9, n = 0, i;
	unsigned int first = rand_r(seed) % PAGES;

	for (i = 0; i < want; i++)
		pages[i] = (first + i * step) % PAGES;
	qsort(pages, want, sizeof(*pages), compare);
	for (i = 0; i < want; i++)
		if (!pthread_mutex_trylock(&oracle.lock[pages[i]]))
			pages[n++] = pages[i];
	return n;
}

/* Hot pages are in no transaction's chain, but have their slots all the time. */
static void check_preimages(uint32_t tid, const unsigned int *pages, unsigned int n)
{
	unsigned int i, hot = 0;
	uint32_t slot;

	for (i = 0; i < n; i++)
		hot += oracle.hot[pages[i]];
	CLAIM(chain_length(&oracle.r, tid) == n - hot);
	for (i = 0; i < n; i++) {
		slot = oracle.r.words[pages[i]].slot;
		CLAIM(slot && oracle.r.slots[slot].page == pages[i]);
		CLAIM(head(oracle.r.arena + slot * PAGE) == oracle.version[pages[i]]);
		CLAIM(tail(oracle.r.arena + slot * PAGE) == oracle.version[pages[i]]);
	}
}

static void check_pages(const unsigned int *pages, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		CLAIM(head(oracle.r.data + pages[i] * PAGE) == oracle.version[pages[i]]);
		CLAIM(tail(oracle.r.data + pages[i] * PAGE) == oracle.version[pages[i]]);
	}
}

static void hold(unsigned int page)
{
	__atomic_fetch_add(&oracle.r.words[page].hold, 1, __ATOMIC_SEQ_CST);
}

/* What a library does to a page that it keeps: its slot takes what was committed. */
static void keep(unsigned int page, uint64_t version, uint64_t lsn)
{
	struct rvm_track_word *word = &oracle.r.words[page];

	__atomic_fetch_or(&word->hold, RVM_TRACK_HOLD_HOT, __ATOMIC_SEQ_CST);
	stamp(oracle.r.arena + word->slot * PAGE, version);
	__atomic_store_n(&word->lsn, lsn, __ATOMIC_SEQ_CST);
	oracle.hot[page] = true;
	oracle.kept++;
}

static void let_go(unsigned int page)
{
	__atomic_fetch_sub(&oracle.r.words[page].hold, 1, __ATOMIC_SEQ_CST);
}

/* Log the pages; some stay hot, and some of the hot ones are to be cold again. */
static uint32_t commit(const unsigned int *pages, unsigned int n, uint64_t version, uint64_t *lsn,
		       unsigned int *seed)
{
	uint32_t flags = RVM_TRACK_END_KEEP;
	unsigned int i;

	for (i = 0; i < n; i++)
		hold(pages[i]);
	*lsn = ++oracle.next_lsn;
	oracle.lsn[version] = *lsn;
	for (i = 0; i < n; i++) {
		if (oracle.hot[pages[i]] || rand_r(seed) % 4 == 0)
			keep(pages[i], version, *lsn);
		let_go(pages[i]);
		if (!oracle.hot[pages[i]] || rand_r(seed) % 4)
			continue;
		__atomic_fetch_and(&oracle.r.words[pages[i]].hold, ~RVM_TRACK_HOLD_HOT,
				   __ATOMIC_SEQ_CST);
		oracle.hot[pages[i]] = false;
		flags |= RVM_TRACK_END_HOT;
	}
	return flags;
}

/* The module does not restore hot pages here: others are using theirs. */
static void undo_hot(const unsigned int *pages, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (oracle.hot[pages[i]])
			memcpy(oracle.r.data + pages[i] * PAGE,
			       oracle.r.arena + oracle.r.words[pages[i]].slot * PAGE, PAGE);
}

static void transaction(struct client *c, uint32_t tid, unsigned int *seed)
{
	uint64_t version = ++oracle.next, lsn = 0;
	unsigned int pages[MOST], n = choose(seed, pages), i;
	uint32_t flags = RVM_TRACK_END_ABORT;
	bool commits = rand_r(seed) % 4;

	check_pages(pages, n);
	thread_set(&oracle.r, tid, RVM_TRACK_KIND_TRACKED);
	for (i = 0; i < n; i++)
		stamp(oracle.r.data + pages[n - 1 - i] * PAGE, version);
	oracle.stored += n;
	check_preimages(tid, pages, n);
	thread_set(&oracle.r, 0, RVM_TRACK_KIND_NONE);
	if (commits)
		flags = commit(pages, n, version, &lsn, seed);
	else
		undo_hot(pages, n);
	CLAIM(!cmd_end(c, oracle.r.fd, tid, lsn, flags));
	for (i = 0; i < n && commits; i++)
		oracle.version[pages[i]] = version;
	check_pages(pages, n);
	for (i = 0; i < n; i++)
		pthread_mutex_unlock(&oracle.lock[pages[i]]);
	commits ? oracle.commits++ : oracle.aborts++;
}

static void *worker(void *arg)
{
	unsigned int seed = (unsigned long)arg;
	static struct client client[WORKERS + 1];
	struct client *c = &client[(unsigned long)arg];
	uint32_t tid = (unsigned long)arg;

	CLAIM(!client_open(c));
	/* Always a new tid, and never two live ones equal modulo the table. */
	for (; !oracle.stop && versions_left(); tid += RVM_TRACK_TXS)
		transaction(c, tid, &seed);
	client_close(c);
	return NULL;
}

/* The log becomes durable in steps, and pages follow it to the segment. */
static void *writer(void *arg)
{
	static struct client c;
	uint64_t written, busy;
	unsigned int seed = 99;

	CLAIM(!client_open(&c));
	while (!oracle.stop) {
		__atomic_store_n(&oracle.r.ctl->durable_lsn, oracle.next_lsn, __ATOMIC_SEQ_CST);
		CLAIM(!cmd_writeback(&c, oracle.r.fd, rand_r(&seed) % (ALL / 2), ALL / 2,
				     &written, &busy));
		oracle.written += written;
		oracle.busy += busy;
		usleep(2000);
	}
	client_close(&c);
	return NULL;
}

/* Is this a version that may be on the disk by now? */
static bool may_be_there(uint64_t version)
{
	uint64_t durable = __atomic_load_n(&oracle.r.ctl->durable_lsn, __ATOMIC_SEQ_CST);

	if (!version)
		return true;
	return version < VERSIONS && oracle.lsn[version] && oracle.lsn[version] <= durable;
}

static void *reader(void *arg)
{
	static _Alignas(4096) unsigned char buf[ALL * PAGE];
	char path[64];
	int fd, i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", oracle.seg);
	fd = open(path, O_RDONLY | O_DIRECT);
	CLAIM(fd >= 0);
	while (!oracle.stop) {
		CLAIM(pread(fd, buf, sizeof(buf), 0) == sizeof(buf));
		for (i = 0; i < ALL; i++, oracle.checked++) {
			CLAIM(may_be_there(head(buf + i * PAGE)));
			CLAIM(may_be_there(tail(buf + i * PAGE)));
		}
		usleep(1000);
	}
	close(fd);
	return NULL;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		CLAIM(errno == EINTR);
	close(fd);
}

/* Everything that takes pages or their mappings away. */
static void *reclaimer(void *arg)
{
	static const int advice[] = { MADV_DONTNEED, MADV_COLD, 21 /* MADV_PAGEOUT */ };
	unsigned int seed = 7;

	while (!oracle.stop) {
		CLAIM(!madvise(oracle.r.data, ALL * PAGE, advice[rand_r(&seed) % 3]));
		if (rand_r(&seed) % 64 == 0)
			write_file("/proc/sys/vm/drop_caches", "1");
		if (rand_r(&seed) % 128 == 0)
			write_file("/proc/sys/vm/compact_memory", "1");
		CLAIM(!fsync(oracle.r.fd));
		usleep(3000);
	}
	return NULL;
}

/* Stores of nobody, which are undone; the disk must not see them. */
static void *strayer(void *arg)
{
	static struct client c;
	unsigned int seed = 5;
	unsigned char *page;

	CLAIM(!client_open(&c));
	while (!oracle.stop) {
		page = oracle.r.data + (PAGES + rand_r(&seed) % STRAYS) * PAGE;
		stamp(page, VERSIONS + 1);
		oracle.strays++;
		usleep(500);
		CLAIM(head(page) == VERSIONS + 1);
		CLAIM(!cmd_end(&c, oracle.r.fd, 0, 0, RVM_TRACK_END_STRAYS | RVM_TRACK_END_ABORT));
		CLAIM(head(page) == 0 && tail(page) == 0);
	}
	client_close(&c);
	return NULL;
}

/* A process with a region of its own, which it may leave in any way. */
static void pass_by(int seg, unsigned int how)
{
	static struct client c;
	struct region r;
	unsigned int i;

	if (client_open(&c) || region_open(&c, &r, seg, 16, 0, 0) ||
	    thread_set(&r, 3, RVM_TRACK_KIND_TRACKED))
		_exit(1);
	for (i = 0; i < 16; i++)
		r.data[i * PAGE] = how;
	if (how % 4 == 0)
		kill(getpid(), SIGKILL);
	if (how % 4 == 1)
		_exit(0);
	if (cmd_end(&c, r.fd, 3, 0, 0) || cmd_writeback(&c, r.fd, 0, 16, NULL, NULL))
		_exit(2);
	if (how % 4 == 2)
		region_close(&r);
	_exit(0);
}

/* Processes that come and go beside, and attempts to unload the module. */
static void *passer(void *arg)
{
	int seg = segment_new(16), status;
	unsigned int how;
	pid_t pid;

	CLAIM(seg >= 0);
	for (how = 0; !oracle.stop; how++) {
		pid = fork();
		if (!pid)
			pass_by(seg, how);
		CLAIM(waitpid(pid, &status, 0) == pid);
		CLAIM(how % 4 ? status == 0 : WIFSIGNALED(status));
		CLAIM(syscall(SYS_delete_module, "rvm_track", O_NONBLOCK) == -1);
		CLAIM(errno == EWOULDBLOCK || errno == EBUSY);
		oracle.passed++;
		usleep(20000);
	}
	close(seg);
	return NULL;
}

static int make_segment(void)
{
	static unsigned char zero[ALL * PAGE];
	int seg = segment_new(0);

	if (seg >= 0 && pwrite(seg, zero, sizeof(zero), 0) != sizeof(zero))
		return -EIO;
	return seg;
}

/* Until so many stores were made, or a claim did not hold; it may take hours, so it tells. */
static void wait_for_stores(uint64_t want)
{
	unsigned int second;

	for (second = 1; oracle.stored < want && versions_left() && !oracle.wrong; second++) {
		sleep(1);
		if (second % TELL == 0)
			fprintf(stderr, "# %llu pages stored to, %llu wrong\n",
				(long long)oracle.stored, (long long)oracle.wrong);
	}
}

/* It has none; only a test of one has a time of its own. */
FIXTURE(stress) {
};

FIXTURE_SETUP(stress)
{
}

FIXTURE_TEARDOWN(stress)
{
}

TEST_F_TIMEOUT(stress, every_page_is_what_the_oracle_says, 36000)
{
	uint64_t want = strtoull(getenv("RVM_WRITES") ?: "0", NULL, 10), written, busy;
	const char *seconds = getenv("RVM_SECONDS") ?: SECONDS;
	pthread_t id[WORKERS + 5];
	static struct client c;
	unsigned long i;

	oracle.seg = make_segment();
	ASSERT_LE(0, oracle.seg);
	ASSERT_EQ(0, client_open(&c));
	ASSERT_EQ(0, region_open(&c, &oracle.r, oracle.seg, ALL, 0, 0));
	for (i = 0; i < PAGES; i++)
		pthread_mutex_init(&oracle.lock[i], NULL);
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, pthread_create(&id[i], NULL, worker, (void *)(i + 1)));
	ASSERT_EQ(0, pthread_create(&id[i++], NULL, writer, NULL));
	ASSERT_EQ(0, pthread_create(&id[i++], NULL, reader, NULL));
	ASSERT_EQ(0, pthread_create(&id[i++], NULL, reclaimer, NULL));
	ASSERT_EQ(0, pthread_create(&id[i++], NULL, strayer, NULL));
	ASSERT_EQ(0, pthread_create(&id[i++], NULL, passer, NULL));
	sleep(atoi(seconds));
	wait_for_stores(want);
	oracle.stop = true;
	while (i--)
		pthread_join(id[i], NULL);
	EXPECT_EQ(0, atomic_load(&oracle.wrong));

	oracle.r.ctl->durable_lsn = oracle.next_lsn;
	ASSERT_EQ(0, cmd_writeback(&c, oracle.r.fd, 0, ALL, &written, &busy));
	EXPECT_EQ(0, busy);
	EXPECT_EQ(0, region_stat(&c, oracle.r.fd, RVM_TRACK_A_STAT_OWNED));
	for (i = 0; i < PAGES; i++) {
		unsigned char buf[PAGE] __attribute__((aligned(4096)));

		ASSERT_EQ(0, segment_read(oracle.seg, i, buf));
		EXPECT_EQ(oracle.version[i], head(buf));
		EXPECT_EQ(oracle.version[i], tail(buf));
		EXPECT_EQ(oracle.version[i], head(oracle.r.data + i * PAGE));
	}
	EXPECT_LE(want, atomic_load(&oracle.stored));
	EXPECT_TRUE(versions_left());
	/* It was no stress if nothing happened. */
	EXPECT_LT(20, atomic_load(&oracle.commits));
	EXPECT_LT(3, atomic_load(&oracle.aborts));
	EXPECT_LT(100, atomic_load(&oracle.written));
	EXPECT_LT(0, atomic_load(&oracle.busy));
	EXPECT_LT(20, atomic_load(&oracle.kept));
	EXPECT_LT(10, atomic_load(&oracle.strays));
	EXPECT_LT(3, atomic_load(&oracle.passed));
	TH_LOG("%llu commits, %llu aborts, %llu pages stored to, %llu strays, %llu processes",
	       (long long)oracle.commits, (long long)oracle.aborts, (long long)oracle.stored,
	       (long long)oracle.strays, (long long)oracle.passed);
	TH_LOG("%llu pages kept hot, %llu written, %llu busy, %llu checked on disk",
	       (long long)oracle.kept, (long long)oracle.written, (long long)oracle.busy,
	       (long long)oracle.checked);
	region_close(&oracle.r);
	client_close(&c);
	close(oracle.seg);
}

TEST_HARNESS_MAIN
