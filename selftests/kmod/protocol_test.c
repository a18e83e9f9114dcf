// SPDX-License-Identifier: GPL-2.0
/* Each command, and each of its errors with the exact errno and a text. */

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "support.h"

#define PAGES	16

/* An error must have exactly this number, and a text for people. */
#define EXPECT_REFUSED(err, call) do { \
	EXPECT_EQ(-(err), call); \
	EXPECT_NE(0, strlen(self->c.extack)); \
	self->c.extack[0] = 0; \
} while (0)

TEST(no_uapi_structure_has_holes)
{
	struct rvm_track_ctl *ctl = NULL;

	EXPECT_EQ(sizeof(struct rvm_track_tx), 4 * sizeof(__u32));
	EXPECT_EQ(sizeof(struct rvm_track_word), 2 * sizeof(__u32) + sizeof(__u64));
	EXPECT_EQ(sizeof(struct rvm_track_slot), 2 * sizeof(__u64) + 4 * sizeof(__u32));
	EXPECT_EQ(sizeof(struct rvm_track_ctl),
		  4 * sizeof(__u32) + 2 * sizeof(__u64) + 2 * sizeof(__u32) +
		  sizeof(ctl->hot) + sizeof(ctl->owned) + sizeof(ctl->reserved) + sizeof(ctl->tx) +
		  sizeof(ctl->thread));
	EXPECT_EQ(0, offsetof(struct rvm_track_ctl, tx) % PAGE);
	EXPECT_EQ(0, offsetof(struct rvm_track_ctl, thread) % PAGE);
	EXPECT_EQ(0, sizeof(struct rvm_track_ctl) % PAGE);
}

FIXTURE(protocol) {
	struct client c;
	int seg;
};

FIXTURE_SETUP(protocol)
{
	self->seg = segment_new(PAGES);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, client_open(&self->c));
}

FIXTURE_TEARDOWN(protocol)
{
	client_close(&self->c);
	close(self->seg);
}

static int create(FIXTURE_DATA(protocol) *self, int seg)
{
	return cmd_create(&self->c, seg, 0, PAGES * PAGE, 0, 0);
}

TEST_F(protocol, create_answers_a_descriptor_and_an_id)
{
	int fd = create(self, self->seg);

	ASSERT_LE(0, fd);
	EXPECT_NE(0, attr_u64(&self->c, RVM_TRACK_A_ID));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	close(fd);
}

TEST_F(protocol, create_needs_an_open_descriptor)
{
	int path = open(getenv("TMPDIR") ?: "/var/tmp", O_PATH | O_CLOEXEC);

	EXPECT_REFUSED(EBADF, create(self, 999));
	EXPECT_REFUSED(EBADF, create(self, -1));
	ASSERT_LE(0, path);
	EXPECT_REFUSED(EBADF, create(self, path));
	close(path);
}

TEST_F(protocol, create_needs_reading_and_writing)
{
	int modes[] = { O_RDONLY, O_WRONLY };
	char path[64];
	unsigned int i;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->seg);
	for (i = 0; i < 2; i++) {
		fd = open(path, modes[i] | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_REFUSED(EACCES, create(self, fd));
		close(fd);
	}
}

TEST_F(protocol, create_needs_a_file_or_block_device)
{
	int fds[] = { open("/dev/null", O_RDWR), open("/tmp", O_RDONLY | O_DIRECTORY),
		      socket(AF_UNIX, SOCK_STREAM, 0) };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_REFUSED(EINVAL, create(self, fds[i]));
		close(fds[i]);
	}
}

TEST_F(protocol, create_refuses_append_mode)
{
	ASSERT_EQ(0, fcntl(self->seg, F_SETFL, O_APPEND));
	EXPECT_REFUSED(EINVAL, create(self, self->seg));
}

TEST_F(protocol, create_refuses_a_region_as_a_segment)
{
	int fd = create(self, self->seg);

	ASSERT_LE(0, fd);
	EXPECT_REFUSED(ELOOP, create(self, fd));
	close(fd);
}

TEST_F(protocol, create_checks_offset_and_length)
{
	struct {
		uint64_t offset, length;
		int err;
	} bad[] = {
		{ 0, 0, EINVAL },
		{ 0, PAGE - 1, EINVAL },
		{ 0, PAGE + 1, EINVAL },
		{ 1, PAGE, EINVAL },
		{ 512, PAGE, EINVAL },
		{ -PAGE, 2 * PAGE, EOVERFLOW },
		{ 0, -PAGE, EOVERFLOW },
		{ INT64_MAX & -PAGE, PAGE, EOVERFLOW },
		{ 0, RVM_TRACK_LENGTH_MAX + PAGE, EOVERFLOW },
		{ 0, RVM_TRACK_LENGTH_MAX, ENXIO },
		{ 0, (PAGES + 1) * PAGE, ENXIO },
		{ PAGES * PAGE, PAGE, ENXIO },
		{ PAGE, PAGES * PAGE, ENXIO },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_REFUSED(bad[i].err, cmd_create(&self->c, self->seg, bad[i].offset,
						      bad[i].length, 0, 0));
	}
}

TEST_F(protocol, create_checks_flags_and_slots)
{
	EXPECT_REFUSED(EINVAL, cmd_create(&self->c, self->seg, 0, PAGE, 0, 2));
	EXPECT_REFUSED(EINVAL, cmd_create(&self->c, self->seg, 0, PAGE, 0, 1U << 31));
	EXPECT_REFUSED(EINVAL, cmd_create(&self->c, self->seg, 0, PAGE, UINT32_MAX, 0));
}

TEST_F(protocol, create_refuses_a_last_page_that_is_cut)
{
	ASSERT_EQ(0, ftruncate(self->seg, PAGES * PAGE - 1));
	EXPECT_REFUSED(ENXIO, create(self, self->seg));
}

TEST_F(protocol, live_regions_may_touch_but_not_overlap)
{
	int a = cmd_create(&self->c, self->seg, 4 * PAGE, 4 * PAGE, 0, 0), b;

	ASSERT_LE(0, a);
	EXPECT_REFUSED(EBUSY, cmd_create(&self->c, self->seg, 4 * PAGE, 4 * PAGE, 0, 0));
	EXPECT_REFUSED(EBUSY, cmd_create(&self->c, self->seg, 0, 5 * PAGE, 0, 0));
	EXPECT_REFUSED(EBUSY, cmd_create(&self->c, self->seg, 7 * PAGE, PAGE, 0, 0));
	EXPECT_REFUSED(EBUSY, cmd_create(&self->c, self->seg, 0, PAGES * PAGE, 0, 0));
	b = cmd_create(&self->c, self->seg, 0, 4 * PAGE, 0, 0);
	EXPECT_LE(0, b);
	close(b);
	b = cmd_create(&self->c, self->seg, 8 * PAGE, 4 * PAGE, 0, 0);
	EXPECT_LE(0, b);
	close(b);
	close(a);
	b = create(self, self->seg);
	EXPECT_LE(0, b);
	close(b);
}

TEST_F(protocol, two_files_are_two_segments)
{
	int other = segment_new(PAGES), a, b;

	ASSERT_LE(0, other);
	a = create(self, self->seg);
	b = create(self, other);
	EXPECT_LE(0, a);
	EXPECT_LE(0, b);
	close(a);
	close(b);
	close(other);
}

/* A swap file of one version-1 header page and a few more. */
static void make_swap(int fd)
{
	unsigned int info[3] = { 1, PAGES - 1, 0 };

	pwrite(fd, info, sizeof(info), 1024);
	pwrite(fd, "SWAPSPACE2", 10, PAGE - 10);
	fsync(fd);
}

TEST_F(protocol, create_refuses_a_swap_file)
{
	char path[64], link[256] = "";

	/* A linked file, because swapon wants a path of its own. */
	snprintf(link, sizeof(link), "%s/swap", getenv("TMPDIR") ?: "/var/tmp");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->seg);
	close(self->seg);
	self->seg = open(link, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_LE(0, self->seg);
	ASSERT_EQ(0, posix_fallocate(self->seg, 0, PAGES * PAGE));
	make_swap(self->seg);
	ASSERT_EQ(0, swapon(link, 0));
	EXPECT_REFUSED(ETXTBSY, create(self, self->seg));
	EXPECT_EQ(0, swapoff(link));
	unlink(link);
}

TEST_F(protocol, create_needs_a_free_descriptor)
{
	struct rlimit limit = { .rlim_cur = 30, .rlim_max = 1024 };
	int fd;

	/* The socket and the segment are open; fill what is left below the limit. */
	while ((fd = dup(self->seg)) >= 0 && fd < 40)
		;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_REFUSED(EMFILE, create(self, self->seg));
}

static int send_without(struct client *c, uint8_t cmd, int fd)
{
	struct nlmsghdr *message = client_begin(c, cmd, NLM_F_ACK);

	if (fd >= 0)
		mnl_attr_put_u32(message, cmd == RVM_TRACK_CMD_REGION_CREATE ?
				 RVM_TRACK_A_SEG_FD : RVM_TRACK_A_FD, fd);
	return client_call(c, message, false);
}

TEST_F(protocol, missing_attributes_are_refused)
{
	int fd = create(self, self->seg), cmd;

	ASSERT_LE(0, fd);
	for (cmd = RVM_TRACK_CMD_REGION_CREATE; cmd <= RVM_TRACK_CMD_REGION_GET; cmd++)
		EXPECT_REFUSED(EINVAL, send_without(&self->c, cmd, -1));
	EXPECT_REFUSED(EINVAL, send_without(&self->c, RVM_TRACK_CMD_REGION_CREATE, self->seg));
	EXPECT_REFUSED(EINVAL, send_without(&self->c, RVM_TRACK_CMD_TX_END, fd));
	EXPECT_REFUSED(EINVAL, send_without(&self->c, RVM_TRACK_CMD_WRITEBACK, fd));
	close(fd);
}

TEST_F(protocol, unknown_and_misplaced_attributes_are_refused)
{
	struct nlmsghdr *message;
	int fd = create(self, self->seg);

	ASSERT_LE(0, fd);
	message = client_begin(&self->c, RVM_TRACK_CMD_ARM, NLM_F_ACK);
	mnl_attr_put_u32(message, RVM_TRACK_A_FD, fd);
	mnl_attr_put_u32(message, RVM_TRACK_A_MAX + 1, 0);
	EXPECT_REFUSED(EINVAL, client_call(&self->c, message, false));
	message = client_begin(&self->c, RVM_TRACK_CMD_ARM, NLM_F_ACK);
	mnl_attr_put_u32(message, RVM_TRACK_A_FD, fd);
	mnl_attr_put_u32(message, RVM_TRACK_A_TID, 1);
	EXPECT_REFUSED(EINVAL, client_call(&self->c, message, false));
	message = client_begin(&self->c, RVM_TRACK_CMD_ARM, NLM_F_ACK);
	mnl_attr_put_u64(message, RVM_TRACK_A_FD, fd);
	EXPECT_REFUSED(EINVAL, client_call(&self->c, message, false));
	close(fd);
}

TEST_F(protocol, events_are_no_commands)
{
	int cmd;

	for (cmd = RVM_TRACK_CMD_EVENT_OWNER_EXIT; cmd <= RVM_TRACK_CMD_MAX + 1; cmd++)
		EXPECT_EQ(-EOPNOTSUPP, send_without(&self->c, cmd, self->seg));
}

TEST_F(protocol, commands_need_a_region)
{
	EXPECT_REFUSED(EBADF, cmd_end(&self->c, 999, 1, 0, 0));
	EXPECT_REFUSED(EBADF, cmd_arm(&self->c, 999));
	EXPECT_REFUSED(EBADF, cmd_writeback(&self->c, 999, 0, 1, NULL, NULL));
	EXPECT_REFUSED(EBADF, cmd_get(&self->c, 999));
	EXPECT_REFUSED(EINVAL, cmd_end(&self->c, self->seg, 1, 0, 0));
	EXPECT_REFUSED(EINVAL, cmd_arm(&self->c, self->seg));
	EXPECT_REFUSED(EINVAL, cmd_writeback(&self->c, self->seg, 0, 1, NULL, NULL));
	EXPECT_REFUSED(EINVAL, cmd_get(&self->c, self->seg));
}

TEST_F(protocol, tx_end_checks_tid_and_flags)
{
	uint32_t bad[] = { 0, RVM_TRACK_TXS, 2 * RVM_TRACK_TXS, RVM_TRACK_TID_MAX + 2, UINT32_MAX };
	int fd = create(self, self->seg);
	unsigned int i;

	ASSERT_LE(0, fd);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_REFUSED(EINVAL, cmd_end(&self->c, fd, bad[i], 0, 0));
	EXPECT_REFUSED(EINVAL, cmd_end(&self->c, fd, RVM_TRACK_TXS, 0, RVM_TRACK_END_STRAYS));
	EXPECT_REFUSED(EINVAL, cmd_end(&self->c, fd, 1, 0, 16));
	close(fd);
}

TEST_F(protocol, tx_end_of_a_transaction_without_writes_succeeds)
{
	int fd = create(self, self->seg);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, cmd_end(&self->c, fd, 1, 5, 0));
	EXPECT_EQ(0, cmd_end(&self->c, fd, RVM_TRACK_TID_MAX, 5, RVM_TRACK_END_ABORT));
	EXPECT_EQ(0, cmd_end(&self->c, fd, 0, 5, RVM_TRACK_END_STRAYS));
	close(fd);
}

TEST_F(protocol, writeback_checks_its_pages)
{
	uint64_t far[] = { 0, PAGES };
	int fd = create(self, self->seg);

	ASSERT_LE(0, fd);
	EXPECT_REFUSED(ERANGE, cmd_writeback(&self->c, fd, PAGES, 1, NULL, NULL));
	EXPECT_REFUSED(ERANGE, cmd_writeback(&self->c, fd, 0, PAGES + 1, NULL, NULL));
	EXPECT_REFUSED(ERANGE, cmd_writeback(&self->c, fd, UINT64_MAX, 2, NULL, NULL));
	EXPECT_REFUSED(ERANGE, cmd_writeback(&self->c, fd, 1, UINT64_MAX, NULL, NULL));
	EXPECT_REFUSED(ERANGE, cmd_writeback_list(&self->c, fd, far, 2));
	EXPECT_REFUSED(EINVAL, cmd_writeback(&self->c, fd, 0, 0, NULL, NULL));
	EXPECT_REFUSED(EINVAL, cmd_writeback_list(&self->c, fd, far, 0));
	close(fd);
}

TEST_F(protocol, writeback_takes_one_form_of_pages)
{
	int fd = create(self, self->seg), form;
	uint64_t page = 0;
	struct nlmsghdr *message;

	ASSERT_LE(0, fd);
	/* 1 first, 2 count, 4 list: only 3 and 4 are right. */
	for (form = 0; form < 8; form++) {
		if (form == 3 || form == 4)
			continue;
		message = client_begin(&self->c, RVM_TRACK_CMD_WRITEBACK, NLM_F_ACK);
		mnl_attr_put_u32(message, RVM_TRACK_A_FD, fd);
		if (form & 1)
			mnl_attr_put_u64(message, RVM_TRACK_A_FIRST, 0);
		if (form & 2)
			mnl_attr_put_u64(message, RVM_TRACK_A_COUNT, 1);
		if (form & 4)
			mnl_attr_put(message, RVM_TRACK_A_PAGES, sizeof(page), &page);
		EXPECT_REFUSED(EINVAL, client_call(&self->c, message, false));
	}
	message = client_begin(&self->c, RVM_TRACK_CMD_WRITEBACK, NLM_F_ACK);
	mnl_attr_put_u32(message, RVM_TRACK_A_FD, fd);
	mnl_attr_put(message, RVM_TRACK_A_PAGES, sizeof(page) - 1, &page);
	EXPECT_REFUSED(EINVAL, client_call(&self->c, message, false));
	close(fd);
}

TEST_F(protocol, writeback_takes_a_full_list_and_no_longer_one)
{
	static uint64_t pages[RVM_TRACK_PAGES_MAX + 1];
	int fd = create(self, self->seg);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, cmd_writeback_list(&self->c, fd, pages, RVM_TRACK_PAGES_MAX));
	EXPECT_REFUSED(ERANGE, cmd_writeback_list(&self->c, fd, pages, RVM_TRACK_PAGES_MAX + 1));
	close(fd);
}

TEST_F(protocol, get_tells_all_about_a_region)
{
	int fd = cmd_create(&self->c, self->seg, PAGE, 2 * PAGE, 77, RVM_TRACK_REGION_STRICT), i;
	uint64_t id = attr_u64(&self->c, RVM_TRACK_A_ID);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, cmd_get(&self->c, fd));
	EXPECT_EQ(id, attr_u64(&self->c, RVM_TRACK_A_ID));
	EXPECT_EQ(PAGE, attr_u64(&self->c, RVM_TRACK_A_OFFSET));
	EXPECT_EQ(2 * PAGE, attr_u64(&self->c, RVM_TRACK_A_LENGTH));
	EXPECT_EQ(77, mnl_attr_get_u32(self->c.attr[RVM_TRACK_A_SLOTS]));
	EXPECT_EQ(RVM_TRACK_REGION_STRICT, mnl_attr_get_u32(self->c.attr[RVM_TRACK_A_FLAGS]));
	EXPECT_EQ(getpid(), mnl_attr_get_u32(self->c.attr[RVM_TRACK_A_PID]));
	for (i = RVM_TRACK_A_STAT_RESIDENT; i <= RVM_TRACK_A_MAX; i++) {
		ASSERT_NE(NULL, self->c.attr[i]);
		EXPECT_EQ(0, attr_u64(&self->c, i));
	}
	close(fd);
}

/* How many regions a dump shows, and whether one of them has this id. */
static int dump(struct client *c, uint64_t id, bool *found)
{
	struct nlmsghdr *message = client_begin(c, RVM_TRACK_CMD_REGION_GET, NLM_F_DUMP);
	const struct nlattr *attr;
	int n, count = 0;

	*found = false;
	if (client_send(c, message))
		return -1;
	for (;;) {
		n = mnl_socket_recvfrom(c->socket, c->answer, sizeof(c->answer));
		if (n <= 0)
			return -1;
		for (message = (void *)c->answer; mnl_nlmsg_ok(message, n);
		     message = mnl_nlmsg_next(message, &n)) {
			if (message->nlmsg_type == NLMSG_DONE)
				return count;
			if (message->nlmsg_type == NLMSG_ERROR)
				return -1;
			count++;
			mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
				if (mnl_attr_get_type(attr) == RVM_TRACK_A_ID &&
				    mnl_attr_get_u64(attr) == id)
					*found = true;
		}
	}
}

TEST_F(protocol, a_dump_shows_all_regions)
{
	struct client *c = &self->c;
	int fds[PAGES], i;
	uint64_t last;
	bool found;

	for (i = 0; i < PAGES; i++) {
		fds[i] = cmd_create(c, self->seg, i * PAGE, PAGE, 0, 0);
		ASSERT_LE(0, fds[i]);
	}
	last = attr_u64(c, RVM_TRACK_A_ID);
	EXPECT_EQ(PAGES, dump(c, last, &found));
	EXPECT_TRUE(found);
	for (i = 0; i < PAGES; i++)
		close(fds[i]);
	EXPECT_EQ(0, dump(c, last, &found));
}

/* Run something in a child; its exit status. */
#define IN_CHILD(statement) ({ \
	pid_t pid_ = fork(); \
	int status_ = -1; \
	if (!pid_) { \
		statement; \
	} \
	waitpid(pid_, &status_, 0); \
	WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; \
})

TEST_F(protocol, a_dump_shows_a_user_its_own_regions_only)
{
	int fd = create(self, self->seg);
	uint64_t id = attr_u64(&self->c, RVM_TRACK_A_ID);
	bool found;

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, IN_CHILD({
		if (setresuid(65534, 65534, 65534))
			_exit(9);
		_exit(dump(&self->c, id, &found) == 0 && !found ? 0 : 1);
	}));
	close(fd);
}

TEST_F(protocol, another_process_may_only_look)
{
	int fd = create(self, self->seg);
	struct client *c = &self->c;

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, IN_CHILD({
		if (cmd_end(c, fd, 1, 0, 0) != -EPERM || !c->extack[0])
			_exit(1);
		if (cmd_arm(c, fd) != -EPERM || !c->extack[0])
			_exit(2);
		if (cmd_writeback(c, fd, 0, 1, NULL, NULL) != -EPERM || !c->extack[0])
			_exit(3);
		if (cmd_get(c, fd))
			_exit(4);
		if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED || errno != EPERM)
			_exit(5);
		_exit(0);
	}));
	close(fd);
}

/* A program with other rights is handed a socket: what it writes to it is not its wish. */
TEST_F(protocol, a_socket_of_other_credentials_is_refused)
{
	struct client *c = &self->c;

	EXPECT_EQ(0, IN_CHILD({
		int fd;

		if (setresuid(65534, 65534, 65534))
			_exit(9);
		fd = cmd_create(c, self->seg, 0, PAGE, 0, 0);
		_exit(fd == -EPERM && c->extack[0] ? 0 : 1);
	}));
	EXPECT_EQ(0, IN_CHILD({
		struct client theirs;
		int fd;

		if (setresuid(65534, 65534, 0) || client_open(&theirs) || setresuid(0, 0, 0))
			_exit(9);
		fd = cmd_create(&theirs, self->seg, 0, PAGE, 0, 0);
		_exit(fd == -EPERM && theirs.extack[0] ? 0 : 1);
	}));
	EXPECT_EQ(0, IN_CHILD({
		if (setresuid(65534, 65534, 65534) || client_open(c))
			_exit(9);
		_exit(cmd_create(c, self->seg, 0, PAGE, 0, 0) < 0);
	}));
}

TEST_F(protocol, the_family_is_there_in_a_new_network_namespace)
{
	EXPECT_EQ(0, IN_CHILD({
		if (unshare(CLONE_NEWNET) || client_open(&self->c))
			_exit(9);
		_exit(cmd_create(&self->c, self->seg, 0, PAGE, 0, 0) < 0);
	}));
}

TEST_F(protocol, several_ends_travel_in_one_message)
{
	_Alignas(8) char batch[1024];
	struct nlmsghdr *message;
	struct region r;
	size_t used = 0;
	uint32_t tid;
	int n, acks = 0;

	ASSERT_EQ(0, region_open(&self->c, &r, self->seg, PAGES, 0, 0));
	for (tid = 1; tid <= 4; tid++) {
		ASSERT_EQ(0, thread_set(&r, tid, RVM_TRACK_KIND_TRACKED));
		r.data[tid * PAGE] = 200;
		message = client_begin(&self->c, RVM_TRACK_CMD_TX_END, NLM_F_ACK);
		mnl_attr_put_u32(message, RVM_TRACK_A_FD, r.fd);
		mnl_attr_put_u32(message, RVM_TRACK_A_TID, tid);
		memcpy(batch + used, message, message->nlmsg_len);
		used += NLMSG_ALIGN(message->nlmsg_len);
	}
	EXPECT_EQ(4, region_stat(&self->c, r.fd, RVM_TRACK_A_STAT_OWNED));
	ASSERT_EQ((ssize_t)used, mnl_socket_sendto(self->c.socket, batch, used));
	while (acks < 4) {
		n = mnl_socket_recvfrom(self->c.socket, batch, sizeof(batch));
		ASSERT_LT(0, n);
		for (message = (void *)batch; mnl_nlmsg_ok(message, n);
		     message = mnl_nlmsg_next(message, &n), acks++)
			EXPECT_EQ(0, ((struct nlmsgerr *)mnl_nlmsg_get_payload(message))->error);
	}
	EXPECT_EQ(0, region_stat(&self->c, r.fd, RVM_TRACK_A_STAT_OWNED));
	region_close(&r);
}

TEST_F(protocol, mappings_are_checked)
{
	int rw = PROT_READ | PROT_WRITE, fd;
	uint64_t areas[] = { RVM_TRACK_MMAP_DATA, RVM_TRACK_MMAP_CTL, RVM_TRACK_MMAP_WORDS,
			     RVM_TRACK_MMAP_SLOTS, RVM_TRACK_MMAP_ARENA };
	size_t lengths[] = { PAGES * PAGE, sizeof(struct rvm_track_ctl), PAGE, PAGE, 65 * PAGE };
	unsigned int i;
	void *p;

	fd = cmd_create(&self->c, self->seg, 0, PAGES * PAGE, 64, 0);
	ASSERT_LE(0, fd);
#define EXPECT_NO_MAP(err, length, prot, flags, offset) do { \
	p = mmap(NULL, length, prot, flags, fd, offset); \
	EXPECT_EQ(MAP_FAILED, p); \
	EXPECT_EQ(err, errno); \
} while (0)
	for (i = 0; i < 5; i++) {
		EXPECT_NO_MAP(EINVAL, PAGE, PROT_READ, MAP_PRIVATE, areas[i]);
		EXPECT_NO_MAP(EPERM, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, areas[i]);
		EXPECT_NO_MAP(ENXIO, lengths[i] + PAGE, PROT_READ, MAP_SHARED, areas[i]);
		EXPECT_NO_MAP(ENXIO, PAGE, PROT_READ, MAP_SHARED, areas[i] + lengths[i]);
		p = mmap(NULL, lengths[i], PROT_READ, MAP_SHARED, fd, areas[i]);
		EXPECT_NE(MAP_FAILED, p);
		EXPECT_EQ(-1, mprotect(p, lengths[i], PROT_READ | PROT_EXEC));
		EXPECT_EQ(EACCES, errno);
		munmap(p, lengths[i]);
	}
	EXPECT_NO_MAP(ENXIO, PAGE, PROT_READ, MAP_SHARED, 0x5000000000000000ULL);
	EXPECT_NO_MAP(EACCES, PAGE, rw, MAP_SHARED, RVM_TRACK_MMAP_SLOTS);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, RVM_TRACK_MMAP_SLOTS);
	EXPECT_EQ(-1, mprotect(p, PAGE, rw));
	EXPECT_EQ(EACCES, errno);
	close(fd);
}

TEST_F(protocol, the_file_itself_can_do_nothing_else)
{
	int fd = create(self, self->seg);
	struct stat st;
	char path[64], byte = 1;

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fstat(fd, &st));
	EXPECT_EQ((off_t)(PAGES * PAGE), st.st_size);
	EXPECT_EQ(-1, read(fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, fchmod(fd, 0777));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, fallocate(fd, 0, 0, PAGE));
	EXPECT_EQ(EOPNOTSUPP, errno);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_EQ(-1, open(path, O_RDWR));
	EXPECT_EQ(ENXIO, errno);
	close(fd);
}

TEST_F(protocol, the_control_block_tells_what_was_asked_for)
{
	struct region r;

	ASSERT_EQ(0, region_open(&self->c, &r, self->seg, PAGES, 99, RVM_TRACK_REGION_STRICT));
	EXPECT_EQ(RVM_TRACK_GENL_VERSION, r.ctl->version);
	EXPECT_EQ(RVM_TRACK_REGION_STRICT, r.ctl->flags);
	EXPECT_EQ(PAGES * PAGE, r.ctl->length);
	EXPECT_EQ(99, r.ctl->slots);
	EXPECT_EQ(0, r.ctl->loose);
	EXPECT_EQ(0, r.ctl->refused);
	region_close(&r);
}

TEST_F(protocol, a_huge_region_maps_at_once_and_takes_no_memory)
{
	uint64_t length = 1ULL << 40;
	struct client *c = &self->c;
	struct region r;

	ASSERT_EQ(0, ftruncate(self->seg, length));
	ASSERT_EQ(0, region_open(c, &r, self->seg, length / PAGE, 0, 0));
	EXPECT_EQ(0, r.data[length - 1]);
	ASSERT_EQ(0, thread_set(&r, 5, RVM_TRACK_KIND_TRACKED));
	r.data[length - PAGE] = 1;
	EXPECT_EQ(length / PAGE - 1, r.slots[r.ctl->tx[5].first].page);
	EXPECT_EQ(1, region_stat(c, r.fd, RVM_TRACK_A_STAT_RESIDENT));
	EXPECT_EQ(0, cmd_end(c, r.fd, 5, 0, RVM_TRACK_END_ABORT));
	region_close(&r);
}

TEST_HARNESS_MAIN
