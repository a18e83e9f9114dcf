// SPDX-License-Identifier: GPL-2.0
/* What all programs of this suite need: a netlink client, segments, regions. */

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "support.h"

static int errno_of(void)
{
	return errno ? -errno : -EIO;
}

/* Keep the attributes of a message in the client, by type. */
static void parse(struct client *c, const struct nlmsghdr *message, size_t header)
{
	const struct nlattr *attr;

	memset(c->attr, 0, sizeof(c->attr));
	mnl_attr_for_each(attr, message, header)
		if (mnl_attr_get_type(attr) <= RVM_TRACK_A_MAX)
			c->attr[mnl_attr_get_type(attr)] = attr;
}

static int parse_error(struct client *c, const struct nlmsghdr *message)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	size_t header = sizeof(*err);

	c->extack[0] = 0;
	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return err->error;
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		header += err->msg.nlmsg_len - sizeof(struct nlmsghdr);
	mnl_attr_for_each(attr, message, header)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			snprintf(c->extack, sizeof(c->extack), "%s", mnl_attr_get_str(attr));
	return err->error;
}

static int receive(struct client *c)
{
	ssize_t n = mnl_socket_recvfrom(c->socket, c->answer, sizeof(c->answer));

	return n < 0 ? errno_of() : n;
}

int client_send(struct client *c, struct nlmsghdr *message)
{
	ssize_t n = mnl_socket_sendto(c->socket, message, message->nlmsg_len);

	return n < 0 ? errno_of() : 0;
}

int client_call(struct client *c, struct nlmsghdr *message, bool answer)
{
	uint32_t seq = message->nlmsg_seq;
	struct nlmsghdr *got = (void *)c->answer;
	int n, err;

	err = client_send(c, message);
	while (!err) {
		n = receive(c);
		if (n < 0)
			return n;
		if (got->nlmsg_seq != seq)
			continue;
		if (got->nlmsg_type == NLMSG_ERROR) {
			err = parse_error(c, got);
			if (err || !answer)
				return err;
		} else {
			parse(c, got, sizeof(struct genlmsghdr));
			if (answer)
				return 0;
		}
	}
	return err;
}

int client_event(struct client *c, int ms)
{
	struct pollfd fd = { .fd = mnl_socket_get_fd(c->socket), .events = POLLIN };
	struct nlmsghdr *got = (void *)c->answer;
	const struct genlmsghdr *genl;
	int n;

	for (;;) {
		n = poll(&fd, 1, ms);
		if (n <= 0)
			return n ? errno_of() : -EAGAIN;
		n = receive(c);
		if (n < 0)
			return n;
		if (got->nlmsg_seq || got->nlmsg_type != c->family)
			continue;
		genl = mnl_nlmsg_get_payload(got);
		parse(c, got, sizeof(*genl));
		return genl->cmd;
	}
}

/*
 * Sequence numbers are those of the process, not of a client: WRITEBACK may answer when its client
 * is closed, and then a new client, whose port has the same number, gets the answer.
 */
static uint32_t newest_seq;

static struct nlmsghdr *begin(struct client *c, uint16_t type, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(c->answer);
	struct genlmsghdr *genl;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	c->seq = ++newest_seq;
	message->nlmsg_seq = c->seq;
	genl = mnl_nlmsg_put_extra_header(message, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = RVM_TRACK_GENL_VERSION;
	return message;
}

struct nlmsghdr *client_begin(struct client *c, uint8_t cmd, uint16_t flags)
{
	return begin(c, c->family, cmd, flags);
}

/* Ask generic netlink about the family; the group's number is nested deep. */
static int resolve(struct client *c, uint32_t *group)
{
	struct nlmsghdr *message = begin(c, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0), *got;
	const struct nlattr *attr, *one, *field;
	int err;

	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, RVM_TRACK_GENL_NAME);
	err = client_call(c, message, true);
	if (err)
		return err;
	got = (void *)c->answer;
	mnl_attr_for_each(attr, got, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			c->family = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		mnl_attr_for_each_nested(one, attr)
			mnl_attr_for_each_nested(field, one)
				if (mnl_attr_get_type(field) == CTRL_ATTR_MCAST_GRP_ID)
					*group = mnl_attr_get_u32(field);
	}
	return 0;
}

int client_open(struct client *c)
{
	uint32_t group;
	int on = 1, err;

	memset(c, 0, sizeof(*c));
	c->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!c->socket)
		return errno_of();
	if (mnl_socket_bind(c->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return errno_of();
	mnl_socket_setsockopt(c->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(c->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	err = resolve(c, &group);
	if (err)
		client_close(c);
	return err;
}

void client_close(struct client *c)
{
	if (c->socket)
		mnl_socket_close(c->socket);
	c->socket = NULL;
}

int client_subscribe(struct client *c)
{
	uint32_t group = 0;
	int err;

	err = resolve(c, &group);
	if (err)
		return err;
	if (!group)
		return -ENOENT;
	return mnl_socket_setsockopt(c->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ?
		errno_of() : 0;
}

uint64_t attr_u64(const struct client *c, int attr)
{
	return c->attr[attr] ? mnl_attr_get_u64(c->attr[attr]) : 0;
}

int cmd_create(struct client *c, int seg, uint64_t offset, uint64_t length, uint32_t slots,
	       uint32_t flags)
{
	struct nlmsghdr *message = client_begin(c, RVM_TRACK_CMD_REGION_CREATE, 0);
	int err;

	mnl_attr_put_u32(message, RVM_TRACK_A_SEG_FD, seg);
	mnl_attr_put_u64(message, RVM_TRACK_A_OFFSET, offset);
	mnl_attr_put_u64(message, RVM_TRACK_A_LENGTH, length);
	if (slots)
		mnl_attr_put_u32(message, RVM_TRACK_A_SLOTS, slots);
	if (flags)
		mnl_attr_put_u32(message, RVM_TRACK_A_FLAGS, flags);
	err = client_call(c, message, true);
	if (err)
		return err;
	return c->attr[RVM_TRACK_A_FD] ? (int)mnl_attr_get_u32(c->attr[RVM_TRACK_A_FD]) : -EPROTO;
}

int cmd_end(struct client *c, int fd, uint32_t tid, uint64_t lsn, uint32_t flags)
{
	struct nlmsghdr *message = client_begin(c, RVM_TRACK_CMD_TX_END, NLM_F_ACK);

	mnl_attr_put_u32(message, RVM_TRACK_A_FD, fd);
	mnl_attr_put_u32(message, RVM_TRACK_A_TID, tid);
	if (lsn)
		mnl_attr_put_u64(message, RVM_TRACK_A_LSN, lsn);
	if (flags)
		mnl_attr_put_u32(message, RVM_TRACK_A_FLAGS, flags);
	return client_call(c, message, false);
}

int cmd_arm(struct client *c, int fd)
{
	struct nlmsghdr *message = client_begin(c, RVM_TRACK_CMD_ARM, NLM_F_ACK);

	mnl_attr_put_u32(message, RVM_TRACK_A_FD, fd);
	return client_call(c, message, false);
}

static int writeback_result(struct client *c)
{
	const struct nlattr *error = c->attr[RVM_TRACK_A_ERROR];

	return error ? (int)mnl_attr_get_u32(error) : -EPROTO;
}

int cmd_writeback(struct client *c, int fd, uint64_t first, uint64_t count, uint64_t *written,
		  uint64_t *busy)
{
	struct nlmsghdr *message = client_begin(c, RVM_TRACK_CMD_WRITEBACK, 0);
	int err;

	mnl_attr_put_u32(message, RVM_TRACK_A_FD, fd);
	mnl_attr_put_u64(message, RVM_TRACK_A_FIRST, first);
	mnl_attr_put_u64(message, RVM_TRACK_A_COUNT, count);
	err = client_call(c, message, true);
	if (err)
		return err;
	if (written)
		*written = attr_u64(c, RVM_TRACK_A_WRITTEN);
	if (busy)
		*busy = attr_u64(c, RVM_TRACK_A_BUSY_COUNT);
	return writeback_result(c);
}

int cmd_writeback_list(struct client *c, int fd, const uint64_t *pages, unsigned int count)
{
	struct nlmsghdr *message = client_begin(c, RVM_TRACK_CMD_WRITEBACK, 0);
	int err;

	mnl_attr_put_u32(message, RVM_TRACK_A_FD, fd);
	mnl_attr_put(message, RVM_TRACK_A_PAGES, count * sizeof(*pages), pages);
	err = client_call(c, message, true);
	return err ?: writeback_result(c);
}

int cmd_get(struct client *c, int fd)
{
	struct nlmsghdr *message = client_begin(c, RVM_TRACK_CMD_REGION_GET, 0);

	mnl_attr_put_u32(message, RVM_TRACK_A_FD, fd);
	return client_call(c, message, true);
}

uint64_t region_stat(struct client *c, int fd, int attr)
{
	return cmd_get(c, fd) ? UINT64_MAX : attr_u64(c, attr);
}

bool write_line(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);

	if (fd >= 0)
		close(fd);
	return ok;
}

unsigned char segment_byte(size_t page)
{
	return page % 61 + 1;
}

static int fill_segment(int seg, size_t pages)
{
	unsigned char buf[PAGE];
	size_t i;

	for (i = 0; i < pages; i++) {
		memset(buf, segment_byte(i), PAGE);
		if (pwrite(seg, buf, PAGE, i * PAGE) != (ssize_t)PAGE)
			return errno_of();
	}
	return fsync(seg) ? errno_of() : 0;
}

int segment_new(size_t pages)
{
	const char *dir = getenv("TMPDIR") ?: "/var/tmp";
	char path[256];
	int seg, err;

	snprintf(path, sizeof(path), "%s/segment-XXXXXX", dir);
	seg = mkostemp(path, O_CLOEXEC);
	if (seg < 0)
		return errno_of();
	unlink(path);
	err = fill_segment(seg, pages);
	if (!err)
		return seg;
	close(seg);
	return err;
}

int segment_read(int seg, size_t page, unsigned char *buf)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", seg);
	fd = open(path, O_RDONLY | O_DIRECT);
	if (fd < 0)
		return errno_of();
	n = pread(fd, buf, PAGE, page * PAGE);
	close(fd);
	return n == (ssize_t)PAGE ? 0 : errno_of();
}

int segment_first_byte(int seg, size_t page)
{
	static _Alignas(4096) unsigned char buf[PAGE];

	return segment_read(seg, page, buf) ? -1 : buf[0];
}

bool page_is(const void *page, unsigned char byte)
{
	const unsigned char *p = page;

	return p[0] == byte && !memcmp(p, p + 1, PAGE - 1);
}

static void *map(int fd, size_t length, int prot, uint64_t offset)
{
	void *p = mmap(NULL, length, prot, MAP_SHARED, fd, offset);

	return p == MAP_FAILED ? NULL : p;
}

int region_open(struct client *c, struct region *r, int seg, size_t pages, uint32_t slots,
		uint32_t flags)
{
	int rw = PROT_READ | PROT_WRITE;

	memset(r, 0, sizeof(*r));
	r->fd = cmd_create(c, seg, 0, pages * PAGE, slots, flags);
	if (r->fd < 0)
		return r->fd;
	r->id = attr_u64(c, RVM_TRACK_A_ID);
	r->pages = pages;
	r->data = map(r->fd, pages * PAGE, rw, RVM_TRACK_MMAP_DATA);
	r->ctl = map(r->fd, sizeof(*r->ctl), rw, RVM_TRACK_MMAP_CTL);
	r->words = map(r->fd, pages * sizeof(*r->words), rw, RVM_TRACK_MMAP_WORDS);
	if (!r->data || !r->ctl || !r->words)
		return errno_of();
	r->nslots = r->ctl->slots;
	r->slots = map(r->fd, (r->nslots + 1UL) * sizeof(*r->slots), PROT_READ,
		       RVM_TRACK_MMAP_SLOTS);
	r->arena = map(r->fd, (r->nslots + 1UL) * PAGE, rw, RVM_TRACK_MMAP_ARENA);
	return r->slots && r->arena ? 0 : errno_of();
}

static void unmap(const void *p, size_t length)
{
	if (p)
		munmap((void *)p, length);
}

void region_close(struct region *r)
{
	unmap(r->data, r->pages * PAGE);
	unmap(r->ctl, sizeof(*r->ctl));
	unmap(r->words, r->pages * sizeof(*r->words));
	unmap(r->slots, (r->nslots + 1UL) * sizeof(*r->slots));
	unmap(r->arena, (r->nslots + 1UL) * PAGE);
	if (r->fd > 0)
		close(r->fd);
	memset(r, 0, sizeof(*r));
}

int thread_set(struct region *r, uint32_t tid, unsigned int kind)
{
	uint32_t self = gettid(), at = rvm_track_thread_hash(self), i;
	__u64 *entry, old;

	for (i = 0; i < RVM_TRACK_PROBES; i++) {
		entry = &r->ctl->thread[(at + i) % RVM_TRACK_THREADS];
		old = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if (old && RVM_TRACK_THREAD_ID(old) != self)
			continue;
		if (!__atomic_compare_exchange_n(entry, &old, RVM_TRACK_THREAD(self, tid, kind),
						 false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			continue;
		return 0;
	}
	return -ENOSPC;
}

uint32_t chain_length(const struct region *r, uint32_t tid)
{
	uint32_t slot = r->ctl->tx[tid % RVM_TRACK_TXS].first, n = 0;

	for (; slot && n <= r->nslots; slot = r->slots[slot].next)
		n++;
	return n;
}

uint32_t chain_find(const struct region *r, uint32_t tid, uint64_t page)
{
	uint32_t slot = r->ctl->tx[tid % RVM_TRACK_TXS].first, n = 0;

	for (; slot && n <= r->nslots; slot = r->slots[slot].next, n++)
		if (r->slots[slot].page == page)
			return slot;
	return 0;
}

static __thread sigjmp_buf on_fault;

static void fault(int signal)
{
	siglongjmp(on_fault, signal);
}

/* SIGBUS is what is asked about; it is caught only here. */
static bool faults(volatile unsigned char *at, int byte)
{
	struct sigaction act = { .sa_handler = fault }, old;
	volatile bool caught = true;

	sigaction(SIGBUS, &act, &old);
	if (!sigsetjmp(on_fault, 1)) {
		if (byte < 0)
			(void)*at;
		else
			*at = byte;
		caught = false;
	}
	sigaction(SIGBUS, &old, NULL);
	return caught;
}

bool store_faults(volatile unsigned char *at, unsigned char byte)
{
	return faults(at, byte);
}

bool load_faults(const volatile unsigned char *at)
{
	return faults((volatile unsigned char *)at, -1);
}

bool kernel_before(unsigned int major, unsigned int minor)
{
	unsigned int is_major = 0, is_minor = 0;
	struct utsname name;

	uname(&name);
	if (sscanf(name.release, "%u.%u", &is_major, &is_minor) != 2)
		abort();
	return is_major < major || (is_major == major && is_minor < minor);
}
