// SPDX-License-Identifier: GPL-2.0
/* Every first write is seen, by whatever way it comes, and has the right owner. */

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "tracked.h"

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
