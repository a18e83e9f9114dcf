// SPDX-License-Identifier: GPL-2.0
/* Every first write is seen, by whatever way it comes, and has the right owner. */

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	64
#define TID	7

FIXTURE(track) {
	struct client c;
	struct region r;
	int seg;
};

FIXTURE_SETUP(track)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
	ASSERT_EQ(0, client_subscribe(&self->c));
	ASSERT_EQ(0, region_open(&self->c, &self->r, self->seg, PAGES, 0, 0));
}

FIXTURE_TEARDOWN(track)
{
	region_close(&self->r);
	client_close(&self->c);
	close(self->seg);
}

/* Make the region anew with other slots or flags. */
static int reopen(FIXTURE_DATA(track) *self, uint32_t slots, uint32_t flags)
{
	region_close(&self->r);
	return region_open(&self->c, &self->r, self->seg, PAGES, slots, flags);
}

static void begin(struct region *r, uint32_t tid, unsigned int kind)
{
	if (thread_set(r, tid, kind))
		abort();
}

/* A page has this owner and pre-image, and everything says so. */
static bool owned(struct region *r, uint32_t tid, uint64_t page, unsigned char was)
{
	uint32_t slot = chain_find(r, tid, page);

	return slot && r->ctl->tx[tid % RVM_TRACK_TXS].tid == tid &&
	       r->words[page].slot == slot && r->slots[slot].tid == tid &&
	       page_is(r->arena + slot * PAGE, was);
}

TEST_F(track, pages_come_from_the_segment)
{
	size_t i;

	for (i = 0; i < PAGES; i++)
		EXPECT_TRUE(page_is(self->r.data + i * PAGE, segment_byte(i)));
	EXPECT_EQ(PAGES, region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_READ));
	EXPECT_EQ(0, region_stat(&self->c, self->r.fd, RVM_TRACK_A_STAT_FIRST_WRITES));
}

TEST_F(track, a_segment_that_shrank_is_a_sigbus)
{
	ASSERT_EQ(0, ftruncate(self->seg, 10 * PAGE + 1));
	EXPECT_FALSE(load_faults(self->r.data + 9 * PAGE));
	EXPECT_TRUE(load_faults(self->r.data + 10 * PAGE));
	EXPECT_TRUE(load_faults(self->r.data + 11 * PAGE));
}

TEST_F(track, unsynced_data_in_the_segments_page_cache_is_read)
{
	unsigned char buf[PAGE];

	memset(buf, 222, PAGE);
	ASSERT_EQ((ssize_t)PAGE, pwrite(self->seg, buf, PAGE, 5 * PAGE));
	EXPECT_TRUE(page_is(self->r.data + 5 * PAGE, 222));
}

TEST_F(track, a_tracked_store_owns_its_page)
{
	struct region *r = &self->r;
	const struct rvm_track_slot *slot;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[3 * PAGE + 100] = 200;
	EXPECT_TRUE(owned(r, TID, 3, segment_byte(3)));
	EXPECT_EQ(1, r->ctl->tx[TID].count);
	EXPECT_EQ(1, chain_length(r, TID));
	slot = &r->slots[r->ctl->tx[TID].first];
	EXPECT_EQ(gettid(), slot->thread);
	EXPECT_EQ(0, slot->next);
	EXPECT_EQ(100, slot->at);
	EXPECT_EQ(0, chain_length(r, 0));
}

static void __attribute__((noinline)) store_here(volatile unsigned char *at)
{
	*at = 201;
}

TEST_F(track, the_slot_names_the_instruction)
{
	struct region *r = &self->r;
	unsigned long ip, start = (unsigned long)store_here;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	store_here(r->data);
	ip = r->slots[r->ctl->tx[TID].first].ip;
	EXPECT_LE(start, ip);
	EXPECT_GT(start + 64, ip);
}

TEST_F(track, every_page_is_owned_once_and_the_newest_is_first)
{
	struct region *r = &self->r;
	size_t i;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	for (i = 0; i < 3 * PAGES; i++)
		r->data[(i * 5 % PAGES) * PAGE + i] = 200;
	EXPECT_EQ(PAGES, r->ctl->tx[TID].count);
	EXPECT_EQ(PAGES, chain_length(r, TID));
	for (i = 0; i < PAGES; i++)
		EXPECT_TRUE(owned(r, TID, i, segment_byte(i)));
	EXPECT_EQ((PAGES - 1) * 5 % PAGES, r->slots[r->ctl->tx[TID].first].page);
}

TEST_F(track, reads_own_nothing)
{
	struct region *r = &self->r;
	unsigned char sum = 0;
	size_t i;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	for (i = 0; i < PAGES; i++)
		sum += ((volatile unsigned char *)r->data)[i * PAGE];
	EXPECT_EQ(0, chain_length(r, TID));
	/* Now readable, not yet writable. */
	r->data[0] = sum;
	EXPECT_EQ(1, chain_length(r, TID));
}

TEST_F(track, read_into_the_region_is_seen)
{
	struct region *r = &self->r;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	ASSERT_EQ((ssize_t)(3 * PAGE), pread(self->seg, r->data + 10 * PAGE + 1, 3 * PAGE, 0));
	EXPECT_EQ(4, chain_length(r, TID));
	EXPECT_TRUE(owned(r, TID, 10, segment_byte(10)));
	EXPECT_TRUE(owned(r, TID, 13, segment_byte(13)));
	EXPECT_EQ(0, r->slots[r->ctl->tx[TID].first].ip);
}

TEST_F(track, direct_read_into_the_region_is_seen)
{
	struct region *r = &self->r;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->seg);
	fd = open(path, O_RDONLY | O_DIRECT);
	ASSERT_LE(0, fd);
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	ASSERT_EQ((ssize_t)(2 * PAGE), pread(fd, r->data + 10 * PAGE, 2 * PAGE, 20 * PAGE));
	EXPECT_TRUE(owned(r, TID, 10, segment_byte(10)));
	EXPECT_TRUE(owned(r, TID, 11, segment_byte(11)));
	EXPECT_TRUE(page_is(r->data + 10 * PAGE, segment_byte(20)));
	close(fd);
}

TEST_F(track, process_vm_writev_is_seen)
{
	struct region *r = &self->r;
	unsigned char buf[2 * PAGE];
	struct iovec from = { buf, sizeof(buf) }, to = { r->data + 20 * PAGE + 8, sizeof(buf) };

	memset(buf, 211, sizeof(buf));
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	ASSERT_EQ((ssize_t)sizeof(buf), process_vm_writev(getpid(), &from, 1, &to, 1, 0));
	EXPECT_EQ(3, chain_length(r, TID));
	EXPECT_TRUE(owned(r, TID, 20, segment_byte(20)));
	EXPECT_EQ(211, r->data[20 * PAGE + 8]);
}

TEST_F(track, proc_self_mem_is_seen)
{
	struct region *r = &self->r;
	int fd = open("/proc/self/mem", O_RDWR);
	char byte = 99;

	ASSERT_LE(0, fd);
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	ASSERT_EQ(1, pwrite(fd, &byte, 1, (unsigned long)r->data + 30 * PAGE));
	EXPECT_TRUE(owned(r, TID, 30, segment_byte(30)));
	EXPECT_EQ(99, r->data[30 * PAGE]);
	close(fd);
}

/* Another process is in no transaction of ours, even if the table has its number. */
TEST_F(track, a_foreign_process_writes_strays)
{
	struct region *r = &self->r;
	int go[2], status;
	pid_t child;

	ASSERT_EQ(0, pipe(go));
	child = fork();
	if (!child) {
		char byte = 55;
		struct iovec from = { &byte, 1 }, to = { r->data + 5 * PAGE, 1 };

		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(process_vm_writev(getppid(), &from, 1, &to, 1, 0) != 1);
	}
	r->ctl->thread[rvm_track_thread_hash(child)] =
		RVM_TRACK_THREAD(child, TID, RVM_TRACK_KIND_TRACKED);
	ASSERT_EQ(1, write(go[1], "\x37", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(55, r->data[5 * PAGE]);
	EXPECT_EQ(0, chain_length(r, TID));
	EXPECT_TRUE(owned(r, 0, 5, segment_byte(5)));
}

struct thread {
	struct region *r;
	uint32_t tid;
	size_t first, last;
};

static void *store_pages(void *arg)
{
	struct thread *t = arg;
	size_t i;

	begin(t->r, t->tid, RVM_TRACK_KIND_TRACKED);
	for (i = t->first; i < t->last; i++)
		t->r->data[i * PAGE] = 200;
	begin(t->r, t->tid, RVM_TRACK_KIND_NONE);
	return NULL;
}

TEST_F(track, threads_own_what_they_write_first)
{
	struct region *r = &self->r;
	struct thread t[4];
	pthread_t id[4];
	size_t i;

	for (i = 0; i < 4; i++) {
		t[i] = (struct thread){ r, i + 1, i * 16, i * 16 + 16 };
		ASSERT_EQ(0, pthread_create(&id[i], NULL, store_pages, &t[i]));
	}
	for (i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	for (i = 0; i < PAGES; i++)
		EXPECT_TRUE(owned(r, i / 16 + 1, i, segment_byte(i)));
	EXPECT_EQ(PAGES, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
}

TEST_F(track, threads_that_race_for_a_page_make_one_owner)
{
	struct region *r = &self->r;
	struct thread t[4];
	pthread_t id[4];
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < 4; i++) {
		t[i] = (struct thread){ r, i + 1, 0, PAGES };
		ASSERT_EQ(0, pthread_create(&id[i], NULL, store_pages, &t[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(id[i], NULL);
		sum += chain_length(r, i + 1);
	}
	EXPECT_LE(PAGES, sum);
	for (i = 1; i <= 4; i++)
		sum -= r->ctl->tx[i].count;
	EXPECT_EQ(0, sum);
	EXPECT_EQ(PAGES, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
}

TEST_F(track, an_owned_page_that_was_unmapped_keeps_its_owner)
{
	struct region *r = &self->r;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[4 * PAGE] = 200;
	ASSERT_EQ(0, madvise(r->data, PAGES * PAGE, MADV_DONTNEED));
	EXPECT_EQ(200, r->data[4 * PAGE]);
	r->data[4 * PAGE] = 201;
	EXPECT_EQ(1, chain_length(r, TID));
	EXPECT_TRUE(owned(r, TID, 4, segment_byte(4)));
}

TEST_F(track, a_stray_belongs_to_nobody)
{
	struct region *r = &self->r;

	r->data[9 * PAGE] = 200;
	EXPECT_TRUE(owned(r, 0, 9, segment_byte(9)));
	EXPECT_EQ(gettid(), r->slots[r->ctl->tx[0].first].thread);
	EXPECT_EQ(1, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_STRAY));
	begin(r, TID, RVM_TRACK_KIND_NONE);
	r->data[10 * PAGE] = 200;
	EXPECT_TRUE(owned(r, 0, 10, segment_byte(10)));
}

TEST_F(track, an_exclusive_transaction_owns_strays)
{
	struct region *r = &self->r;

	r->ctl->exclusive = TID;
	r->data[9 * PAGE] = 200;
	EXPECT_TRUE(owned(r, TID, 9, segment_byte(9)));
	EXPECT_EQ(0, chain_length(r, 0));
}

TEST_F(track, an_explicit_store_is_loose_without_an_exclusive_transaction)
{
	struct region *r = &self->r;

	begin(r, TID, RVM_TRACK_KIND_EXPLICIT);
	r->data[9 * PAGE] = 200;
	EXPECT_EQ(1, r->ctl->loose);
	EXPECT_EQ(0, r->words[9].slot);
	EXPECT_EQ(0, chain_length(r, TID));
	EXPECT_EQ(0, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
	r->data[9 * PAGE + 1] = 200;
	EXPECT_EQ(1, r->ctl->loose);
}

TEST_F(track, a_held_page_is_loose_for_everybody)
{
	struct region *r = &self->r;

	r->words[9].hold = 1;
	r->data[9 * PAGE] = 200;
	EXPECT_EQ(1, r->ctl->loose);
	EXPECT_EQ(0, chain_length(r, 0));
}

TEST_F(track, an_explicit_store_belongs_to_the_exclusive_transaction)
{
	struct region *r = &self->r;

	r->ctl->exclusive = TID;
	begin(r, TID + 1, RVM_TRACK_KIND_EXPLICIT);
	r->data[9 * PAGE] = 200;
	EXPECT_EQ(0, r->ctl->loose);
	EXPECT_TRUE(owned(r, TID, 9, segment_byte(9)));
}

TEST_F(track, arm_makes_the_next_store_to_a_loose_page_seen)
{
	struct region *r = &self->r;
	size_t i;

	begin(r, TID + 1, RVM_TRACK_KIND_EXPLICIT);
	for (i = 0; i < PAGES; i += 2)
		r->data[i * PAGE] = 200;
	EXPECT_EQ(PAGES / 2, r->ctl->loose);
	r->ctl->exclusive = TID;
	ASSERT_EQ(0, cmd_arm(&self->c, r->fd));
	EXPECT_EQ(0, r->ctl->loose);
	for (i = 0; i < PAGES; i += 2)
		r->data[i * PAGE + 1] = 201;
	EXPECT_EQ(PAGES / 2, chain_length(r, TID));
	/* The pre-image has what the explicit transaction stored before. */
	EXPECT_EQ(200, r->arena[chain_find(r, TID, 4) * PAGE]);
	EXPECT_EQ(segment_byte(4), r->arena[chain_find(r, TID, 4) * PAGE + 1]);
}

TEST_F(track, a_loose_page_that_faults_again_gets_an_owner)
{
	struct region *r = &self->r;

	begin(r, TID + 1, RVM_TRACK_KIND_EXPLICIT);
	r->data[9 * PAGE] = 200;
	ASSERT_EQ(0, madvise(r->data, PAGES * PAGE, MADV_DONTNEED));
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[9 * PAGE + 1] = 201;
	EXPECT_EQ(0, r->ctl->loose);
	EXPECT_EQ(1, chain_length(r, TID));
	EXPECT_EQ(200, r->arena[chain_find(r, TID, 9) * PAGE]);
}

struct handshake {
	struct region *r;
	unsigned int page;
	pthread_barrier_t barrier;
};

static void *explicit_store(void *arg)
{
	struct handshake *h = arg;

	begin(h->r, 3, RVM_TRACK_KIND_EXPLICIT);
	pthread_barrier_wait(&h->barrier);
	h->r->data[h->page * PAGE] = 1;
	pthread_barrier_wait(&h->barrier);
	return NULL;
}

/*
 * Dekker: whichever way the race goes, either the page has the exclusive owner
 * or the library sees that something is loose.
 */
TEST_F(track, loose_and_exclusive_never_miss_each_other)
{
	struct handshake h = { .r = &self->r };
	struct region *r = &self->r;
	unsigned int missed = 0;
	pthread_t id;
	uint32_t loose;

	pthread_barrier_init(&h.barrier, NULL, 2);
	for (h.page = 0; h.page < PAGES; h.page++) {
		r->ctl->exclusive = 0;
		ASSERT_EQ(0, pthread_create(&id, NULL, explicit_store, &h));
		pthread_barrier_wait(&h.barrier);
		__atomic_store_n(&r->ctl->exclusive, TID, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		loose = __atomic_load_n(&r->ctl->loose, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&h.barrier);
		pthread_join(id, NULL);
		if (!loose && !chain_find(r, TID, h.page))
			missed++;
		cmd_arm(&self->c, r->fd);
	}
	EXPECT_EQ(0, missed);
}

TEST_F(track, strict_regions_refuse_stores_outside_transactions)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, reopen(self, 0, RVM_TRACK_REGION_STRICT));
	EXPECT_TRUE(store_faults(r->data + PAGE, 1));
	EXPECT_EQ(1, r->ctl->refused);
	r->ctl->exclusive = TID;
	EXPECT_TRUE(store_faults(r->data + PAGE, 1));
	r->ctl->exclusive = 0;
	EXPECT_EQ(2, r->ctl->refused);
	EXPECT_TRUE(page_is(r->data + PAGE, segment_byte(1)));
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	EXPECT_FALSE(store_faults(r->data + PAGE, 1));
	begin(r, TID, RVM_TRACK_KIND_EXPLICIT);
	EXPECT_FALSE(store_faults(r->data + 2 * PAGE, 1));
	begin(r, TID, RVM_TRACK_KIND_NONE);
	r->words[3].hold = 1;
	EXPECT_FALSE(store_faults(r->data + 3 * PAGE, 1));
	EXPECT_EQ(2, r->ctl->refused);
}

TEST_F(track, strict_regions_refuse_system_calls_as_well)
{
	struct region *r = &self->r;

	ASSERT_EQ(0, reopen(self, 0, RVM_TRACK_REGION_STRICT));
	EXPECT_EQ(-1, pread(self->seg, r->data, PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_NE(0, r->ctl->refused);
}

TEST_F(track, without_a_slot_a_store_is_a_sigbus_and_an_event)
{
	struct region *r = &self->r;
	size_t i;

	ASSERT_EQ(0, reopen(self, 4, 0));
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	for (i = 0; i < 4; i++)
		EXPECT_FALSE(store_faults(r->data + i * PAGE, 200));
	EXPECT_TRUE(store_faults(r->data + 4 * PAGE, 200));
	EXPECT_EQ(1, r->ctl->refused);
	EXPECT_TRUE(page_is(r->data + 4 * PAGE, segment_byte(4)));
	EXPECT_EQ(RVM_TRACK_CMD_EVENT_OVERFLOW, client_event(&self->c, 5000));
	EXPECT_EQ(r->id, attr_u64(&self->c, RVM_TRACK_A_ID));
	EXPECT_EQ(4, chain_length(r, TID));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	EXPECT_FALSE(store_faults(r->data + 4 * PAGE, 200));
}

TEST_F(track, bad_transaction_ids_in_the_table_are_refused)
{
	uint32_t bad[] = { 0, RVM_TRACK_TXS, 4 * RVM_TRACK_TXS };
	struct region *r = &self->r;
	unsigned int i;

	for (i = 1; i < 3; i++) {
		begin(r, bad[i], RVM_TRACK_KIND_TRACKED);
		EXPECT_TRUE(store_faults(r->data, 1));
		begin(r, 0, RVM_TRACK_KIND_NONE);
		r->ctl->exclusive = bad[i];
		EXPECT_TRUE(store_faults(r->data, 1));
		r->ctl->exclusive = 0;
	}
	r->ctl->exclusive = UINT32_MAX;
	EXPECT_TRUE(store_faults(r->data, 1));
	r->ctl->exclusive = 0;
	/* Tid 0 is nobody, and so is one that is ending. */
	begin(r, TID, RVM_TRACK_KIND_ENDING);
	EXPECT_FALSE(store_faults(r->data, 1));
	EXPECT_EQ(1, chain_length(r, 0));
}

TEST_F(track, two_live_transactions_equal_modulo_the_table_are_refused)
{
	struct region *r = &self->r;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[0] = 1;
	begin(r, TID + RVM_TRACK_TXS, RVM_TRACK_KIND_TRACKED);
	EXPECT_TRUE(store_faults(r->data + PAGE, 1));
	EXPECT_EQ(0, cmd_end(&self->c, r->fd, TID + RVM_TRACK_TXS, 0, 0));
	EXPECT_EQ(1, chain_length(r, TID));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	EXPECT_FALSE(store_faults(r->data + PAGE, 1));
	EXPECT_TRUE(owned(r, TID + RVM_TRACK_TXS, 1, segment_byte(1)));
}

/* The module believes nothing it finds in the shared memory. */
TEST_F(track, garbage_in_the_shared_areas_harms_nobody)
{
	struct region *r = &self->r;
	size_t i;

	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	for (i = 0; i < 20; i++)
		r->data[i * PAGE] = 200;
	memset(&r->ctl->tx, 0xee, sizeof(r->ctl->tx));
	memset(r->words, 0xee, PAGES * sizeof(*r->words));
	r->ctl->loose = 0xeeeeeeee;
	r->ctl->slots = 0xeeeeeeee;
	r->ctl->version = 0xeeeeeeee;
	r->ctl->length = UINT64_MAX;
	for (i = 20; i < 40; i++)
		r->data[i * PAGE] = 200;
	EXPECT_EQ(40, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, RVM_TRACK_END_ABORT));
	for (i = 0; i < PAGES; i++)
		EXPECT_TRUE(page_is(r->data + i * PAGE, segment_byte(i)));
	EXPECT_EQ(0, region_stat(&self->c, r->fd, RVM_TRACK_A_STAT_OWNED));
}

TEST_F(track, a_slot_that_was_never_used_is_a_sigbus)
{
	struct region *r = &self->r;

	EXPECT_TRUE(load_faults(r->arena));
	EXPECT_TRUE(load_faults(r->arena + PAGE));
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[0] = 1;
	EXPECT_EQ(1, r->ctl->tx[TID].first);
	EXPECT_FALSE(load_faults(r->arena + PAGE));
	EXPECT_TRUE(load_faults(r->arena + 2 * PAGE));
}

TEST_F(track, two_mappings_show_the_same_pages)
{
	struct region *r = &self->r;
	unsigned char *other = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
				    16 * PAGE);

	ASSERT_NE(MAP_FAILED, other);
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[20 * PAGE] = 200;
	EXPECT_EQ(200, other[4 * PAGE]);
	other[4 * PAGE + 1] = 201;
	other[5 * PAGE] = 202;
	EXPECT_EQ(2, chain_length(r, TID));
	EXPECT_TRUE(owned(r, TID, 21, segment_byte(21)));
	ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	other[4 * PAGE] = 203;
	r->data[20 * PAGE] = 204;
	EXPECT_EQ(1, chain_length(r, TID));
	munmap(other, 32 * PAGE);
}

TEST_F(track, huge_pages_do_not_widen_a_first_write)
{
	struct region *r = &self->r;

	madvise(r->data, PAGES * PAGE, MADV_HUGEPAGE);
#ifdef MADV_COLLAPSE
	madvise(r->data, PAGES * PAGE, MADV_COLLAPSE);
#endif
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	r->data[8 * PAGE] = 1;
	EXPECT_EQ(1, chain_length(r, TID));
	EXPECT_EQ(8, r->slots[r->ctl->tx[TID].first].page);
}

/* Writing the segment from a page that is not resident must not lock up. */
TEST_F(track, the_segment_can_be_written_from_the_region)
{
	struct region *r = &self->r;

	alarm(20);
	EXPECT_EQ((ssize_t)PAGE, pwrite(self->seg, r->data + 5 * PAGE, PAGE, 6 * PAGE));
	EXPECT_EQ((ssize_t)PAGE, pwrite(self->seg, r->data + 8 * PAGE, PAGE, 8 * PAGE));
	EXPECT_TRUE(page_is(r->data + 6 * PAGE, segment_byte(5)));
	alarm(0);
}

TEST_F(track, direct_writes_of_the_segment_from_the_region_do_not_lock_up)
{
	struct region *r = &self->r;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->seg);
	fd = open(path, O_RDWR | O_DIRECT);
	ASSERT_LE(0, fd);
	alarm(20);
	EXPECT_EQ((ssize_t)PAGE, pwrite(fd, r->data + 5 * PAGE, PAGE, 6 * PAGE));
	EXPECT_EQ((ssize_t)PAGE, pwrite(fd, r->data + 8 * PAGE, PAGE, 8 * PAGE));
	EXPECT_EQ(segment_byte(5), segment_first_byte(self->seg, 6));
	alarm(0);
	close(fd);
}

static void *retry_store(void *arg)
{
	volatile unsigned char *at = arg;

	*at = 7;
	return NULL;
}

/* A fault that never ends would be a page_mkwrite() that lost its lock. */
TEST_F(track, a_store_ends)
{
	pthread_t id;

	alarm(20);
	ASSERT_EQ(0, pthread_create(&id, NULL, retry_store, self->r.data));
	pthread_join(id, NULL);
	alarm(0);
	EXPECT_EQ(7, self->r.data[0]);
}

/*
 * mprotect(2) makes a dirty page of a shared mapping writable without asking.
 * So an end must leave no dirty bit behind, dense pages or sparse.
 */
TEST_F(track, mprotect_to_and_fro_hides_no_store_after_an_end)
{
	struct region *r = &self->r;
	size_t i, dense;

	for (dense = 1; dense <= 20; dense += 19) {
		begin(r, TID, RVM_TRACK_KIND_TRACKED);
		for (i = 0; i < dense; i++)
			r->data[i * PAGE] = 200;
		ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
		ASSERT_EQ(0, mprotect(r->data, PAGES * PAGE, PROT_READ));
		ASSERT_EQ(0, mprotect(r->data, PAGES * PAGE, PROT_READ | PROT_WRITE));
		for (i = 0; i < dense; i++)
			r->data[i * PAGE] = 201;
		EXPECT_EQ(dense, chain_length(r, TID));
		ASSERT_EQ(0, cmd_end(&self->c, r->fd, TID, 0, 0));
	}
}

TEST_F(track, io_uring_fixed_buffers_are_refused)
{
	struct io_uring_params params = { };
	struct region *r = &self->r;
	struct iovec buffer = { r->data + 4 * PAGE, 2 * PAGE };
	int ring = syscall(__NR_io_uring_setup, 4, &params), ret, err;

	ASSERT_LE(0, ring);
	begin(r, TID, RVM_TRACK_KIND_TRACKED);
	ret = syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1);
	err = errno;
	/* A long-term pin is refused: the pages could be written at any time. */
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(kernel_before(6, 5) ? EOPNOTSUPP : EFAULT, err);
	close(ring);
}

TEST_HARNESS_MAIN
