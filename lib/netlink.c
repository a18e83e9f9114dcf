// SPDX-License-Identifier: LGPL-2.1-or-later
/* Commands to the kernel module: a client of the generic netlink family rvm_track. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rvm_track.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "netlink.h"

/* Room for a message with a full list of pages, in either direction. */
#define MESSAGE_MAX	(RVM_TRACK_PAGES_MAX * sizeof(uint64_t) + 4096)

/* More than a TX_END takes. */
#define END_SIZE	128
_Static_assert(NETLINK_ENDS_MAX * END_SIZE <= MESSAGE_MAX, "ends that travel together");

/* Attributes of higher types are none of ours. */
#define ATTRS_MAX	63
_Static_assert(RVM_TRACK_A_MAX <= ATTRS_MAX, "attributes of the family");
_Static_assert(CTRL_ATTR_FAMILY_ID <= ATTRS_MAX, "attributes of the controller");

/**
 * struct channel - a socket and the message under way
 * @lock: held from the building of a command to the reading of its answer
 * @socket: the socket
 * @seq: of the newest command
 * @oldest: of the first of those that were sent with it
 * @buf: the message
 * @attr: the attributes of the answer, by type
 */
struct channel {
	pthread_mutex_t lock;
	struct mnl_socket *socket;
	uint32_t seq;
	uint32_t oldest;
	char *buf;
	const struct nlattr *attr[ATTRS_MAX + 1];
};

/**
 * struct netlink - a client of the family
 * @family: its number
 * @group: the number of its multicast group, 0 if it has none
 * @quick: for commands that do no I/O
 * @slow: for the others
 */
struct netlink {
	uint16_t family;
	uint32_t group;
	struct channel quick;
	struct channel slow;
};

static int open_channel(struct channel *channel)
{
	int on = 1;

	/* Not where another process began that had this port and left an answer to come. */
	channel->seq = time(NULL);
	channel->buf = malloc(MESSAGE_MAX);
	if (!channel->buf)
		return err_set(ENOMEM, "no memory for netlink messages");
	channel->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!channel->socket)
		return err_set(errno, "netlink socket: %s", strerror(errno));
	if (mnl_socket_bind(channel->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_set(errno, "bind of a netlink socket: %s", strerror(errno));
	/* Without these there are no texts to errors, and nothing else is lost. */
	mnl_socket_setsockopt(channel->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(channel->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

static void close_channel(struct channel *channel)
{
	if (channel->socket)
		mnl_socket_close(channel->socket);
	free(channel->buf);
	pthread_mutex_destroy(&channel->lock);
}

/* A command at @at in the buffer, behind those that are sent with it. */
static struct nlmsghdr *put_command_at(struct channel *channel, char *at, uint16_t type,
				       uint8_t cmd, uint8_t version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++channel->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = version;
	return nlh;
}

static struct nlmsghdr *put_command(struct channel *channel, uint16_t type, uint8_t cmd,
				    uint8_t version)
{
	channel->oldest = channel->seq + 1;
	return put_command_at(channel, channel->buf, type, cmd, version);
}

static struct nlmsghdr *put_region(struct netlink *nl, struct channel *channel, uint8_t cmd,
				   int fd)
{
	struct nlmsghdr *nlh = put_command(channel, nl->family, cmd, RVM_TRACK_GENL_VERSION);

	mnl_attr_put_u32(nlh, RVM_TRACK_A_FD, fd);
	return nlh;
}

static int send_bytes(struct channel *channel, const void *bytes, size_t size)
{
	ssize_t sent;

	do {
		sent = mnl_socket_sendto(channel->socket, bytes, size);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return err_set(errno, "sending a netlink message: %s", strerror(errno));
	return 0;
}

static int send_command(struct channel *channel, const struct nlmsghdr *nlh)
{
	return send_bytes(channel, nlh, nlh->nlmsg_len);
}

/* Returns the size of what is in the buffer, or an error. */
static ssize_t receive(struct channel *channel, int flags)
{
	ssize_t got;

	do {
		got = recv(mnl_socket_get_fd(channel->socket), channel->buf, MESSAGE_MAX, flags);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* The attributes that begin at @attr, by type; those of a type that we do not know are skipped. */
static void index_attrs(struct channel *channel, const struct nlattr *attr, const char *end)
{
	memset(channel->attr, 0, sizeof(channel->attr));
	for (; mnl_attr_ok(attr, end - (const char *)attr); attr = mnl_attr_next(attr))
		if (mnl_attr_get_type(attr) <= ATTRS_MAX)
			channel->attr[mnl_attr_get_type(attr)] = attr;
}

/* Is attribute @type there with at least @size bytes? */
static bool has(const struct channel *channel, unsigned int type, size_t size)
{
	const struct nlattr *attr = channel->attr[type];

	return attr && mnl_attr_get_payload_len(attr) >= size;
}

static uint64_t get_u64(const struct channel *channel, unsigned int type)
{
	return has(channel, type, sizeof(uint64_t)) ? mnl_attr_get_u64(channel->attr[type]) : 0;
}

static uint32_t get_u32(const struct channel *channel, unsigned int type)
{
	return has(channel, type, sizeof(uint32_t)) ? mnl_attr_get_u32(channel->attr[type]) : 0;
}

/* The errno of an error message, with the kernel's words if it found any. */
static int take_error(struct channel *channel, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	const char *end = mnl_nlmsg_get_payload_tail(nlh);
	const char *words = NULL;
	size_t skip = sizeof(*error);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*error))
		return err_set(EBADMSG, "a netlink error message is cut short");
	if (!error->error)
		return 0;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&error->msg);
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS) {
		index_attrs(channel, mnl_nlmsg_get_payload_offset(nlh, skip), end);
		if (has(channel, NLMSGERR_ATTR_MSG, 1) &&
		    !mnl_attr_validate(channel->attr[NLMSGERR_ATTR_MSG], MNL_TYPE_NUL_STRING))
			words = mnl_attr_get_str(channel->attr[NLMSGERR_ATTR_MSG]);
	}
	return err_set(-error->error, "rvm_track: %s", words ? words : strerror(-error->error));
}

/* Take a received message: 1 it is no answer to the newest commands, 0 it is, or its error. */
static int take_message(struct channel *channel, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_seq - channel->oldest > channel->seq - channel->oldest ||
	    nlh->nlmsg_type == NLMSG_NOOP)
		return 1;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return take_error(channel, nlh);
	index_attrs(channel, mnl_nlmsg_get_payload_offset(nlh, sizeof(struct genlmsghdr)),
		    mnl_nlmsg_get_payload_tail(nlh));
	return 0;
}

/* Read messages up to the answer of the newest command: 1 there was none, 0, or its error. */
static int take_answer(struct channel *channel, int flags)
{
	int left, ret = 1;

	do {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)channel->buf;

		left = receive(channel, flags);
		if (left == -EAGAIN)
			return 1;
		if (left < 0)
			return err_set(-left, "receiving a netlink message: %s", strerror(-left));
		for (; ret == 1 && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			ret = take_message(channel, nlh);
	} while (ret == 1);
	return ret;
}

/* Send a command and wait for its answer, whose attributes are in @channel then. */
static int request(struct channel *channel, const struct nlmsghdr *nlh)
{
	int err;

	err = send_command(channel, nlh);
	return err ? err : take_answer(channel, 0);
}

/*
 * After a command that answers only if it fails.  The kernel runs it inside
 * sendto(2), so when that returns an error message is there or never will be.
 */
static int take_error_if_any(struct channel *channel)
{
	int ret = take_answer(channel, MSG_DONTWAIT);

	return ret == 1 ? 0 : ret;
}

static int run(struct channel *channel, const struct nlmsghdr *nlh)
{
	int err = send_command(channel, nlh);

	return err ? err : take_error_if_any(channel);
}

static const char not_loaded[] =
	"the module rvm_track is not loaded: insmod rvm_track.ko or modprobe rvm_track";

/* The family has one group. */
static uint32_t find_group(const struct nlattr *groups)
{
	const struct nlattr *group, *attr;

	mnl_attr_for_each_nested(group, groups)
		mnl_attr_for_each_nested(attr, group)
			if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
				return mnl_attr_get_u32(attr);
	return 0;
}

static int look_up(struct netlink *nl)
{
	struct channel *channel = &nl->quick;
	struct nlmsghdr *nlh;
	int err;

	nlh = put_command(channel, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, RVM_TRACK_GENL_NAME);
	err = request(channel, nlh);
	if (err == -ENOENT)
		return err_set(ENOENT, "%s", not_loaded);
	if (err)
		return err;
	if (!has(channel, CTRL_ATTR_FAMILY_ID, sizeof(uint16_t)))
		return err_set(EBADMSG, "the kernel did not tell the number of rvm_track");
	nl->family = mnl_attr_get_u16(channel->attr[CTRL_ATTR_FAMILY_ID]);
	if (has(channel, CTRL_ATTR_MCAST_GROUPS, 1))
		nl->group = find_group(channel->attr[CTRL_ATTR_MCAST_GROUPS]);
	return 0;
}

int netlink_open(struct netlink **out)
{
	struct netlink *nl;
	int err;

	nl = calloc(1, sizeof(*nl));
	if (!nl)
		return err_set(ENOMEM, "no memory for a netlink client");
	pthread_mutex_init(&nl->quick.lock, NULL);
	pthread_mutex_init(&nl->slow.lock, NULL);
	err = open_channel(&nl->quick);
	if (!err)
		err = open_channel(&nl->slow);
	if (!err)
		err = look_up(nl);
	if (err) {
		netlink_close(nl);
		return err;
	}
	*out = nl;
	return 0;
}

void netlink_close(struct netlink *nl)
{
	close_channel(&nl->slow);
	close_channel(&nl->quick);
	free(nl);
}

static int create_locked(struct netlink *nl, const struct netlink_region *region)
{
	struct channel *channel = &nl->quick;
	struct nlmsghdr *nlh;
	int err;

	nlh = put_command(channel, nl->family, RVM_TRACK_CMD_REGION_CREATE,
			  RVM_TRACK_GENL_VERSION);
	mnl_attr_put_u32(nlh, RVM_TRACK_A_SEG_FD, region->seg_fd);
	mnl_attr_put_u64(nlh, RVM_TRACK_A_OFFSET, region->offset);
	mnl_attr_put_u64(nlh, RVM_TRACK_A_LENGTH, region->length);
	mnl_attr_put_u32(nlh, RVM_TRACK_A_FLAGS, region->flags);
	err = request(channel, nlh);
	if (err)
		return err;
	if (!has(channel, RVM_TRACK_A_FD, sizeof(uint32_t)))
		return err_set(EBADMSG, "rvm_track answered without a descriptor");
	return mnl_attr_get_u32(channel->attr[RVM_TRACK_A_FD]);
}

int netlink_create(struct netlink *nl, const struct netlink_region *region)
{
	int ret;

	pthread_mutex_lock(&nl->quick.lock);
	ret = create_locked(nl, region);
	pthread_mutex_unlock(&nl->quick.lock);
	return ret;
}

/* Have all the chains pages, or has none? */
static bool have_pages(const struct netlink_end *ends, size_t n, bool all)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!__atomic_load_n(ends[i].first, __ATOMIC_ACQUIRE) == all)
			return false;
	return true;
}

/* Returns where the next one goes. */
static char *put_end(struct netlink *nl, char *at, const struct netlink_end *end)
{
	struct nlmsghdr *nlh = put_command_at(&nl->quick, at, nl->family, RVM_TRACK_CMD_TX_END,
					      RVM_TRACK_GENL_VERSION);

	mnl_attr_put_u32(nlh, RVM_TRACK_A_FD, end->fd);
	mnl_attr_put_u32(nlh, RVM_TRACK_A_TID, end->tid);
	mnl_attr_put_u64(nlh, RVM_TRACK_A_LSN, end->lsn);
	mnl_attr_put_u32(nlh, RVM_TRACK_A_FLAGS, end->flags);
	return at + MNL_ALIGN(nlh->nlmsg_len);
}

/* No look for an error is needed if the chains tell that there is none. */
static int end_locked(struct netlink *nl, const struct netlink_end *ends, size_t n)
{
	struct channel *channel = &nl->quick;
	bool tell = have_pages(ends, n, true);
	char *at = channel->buf;
	size_t i;
	int err;

	channel->oldest = channel->seq + 1;
	for (i = 0; i < n; i++)
		at = put_end(nl, at, &ends[i]);
	err = send_bytes(channel, channel->buf, at - channel->buf);
	if (err || (tell && have_pages(ends, n, false)))
		return err;
	return take_error_if_any(channel);
}

int netlink_end(struct netlink *nl, const struct netlink_end *ends, size_t n)
{
	int err;

	pthread_mutex_lock(&nl->quick.lock);
	err = end_locked(nl, ends, n);
	pthread_mutex_unlock(&nl->quick.lock);
	return err;
}

int netlink_arm(struct netlink *nl, int fd)
{
	int err;

	pthread_mutex_lock(&nl->quick.lock);
	err = run(&nl->quick, put_region(nl, &nl->quick, RVM_TRACK_CMD_ARM, fd));
	pthread_mutex_unlock(&nl->quick.lock);
	return err;
}

/* What WRITEBACK answered. */
static int take_busy(struct channel *channel, size_t n, uint64_t *busy, size_t *n_busy)
{
	int32_t error = 0;
	size_t size = 0;

	if (has(channel, RVM_TRACK_A_ERROR, sizeof(error)))
		error = mnl_attr_get_u32(channel->attr[RVM_TRACK_A_ERROR]);
	if (error)
		return err_set(-error, "writing pages back: %s", strerror(-error));
	if (has(channel, RVM_TRACK_A_BUSY, sizeof(*busy)))
		size = mnl_attr_get_payload_len(channel->attr[RVM_TRACK_A_BUSY]);
	*n_busy = size / sizeof(*busy);
	if (*n_busy > n || get_u64(channel, RVM_TRACK_A_BUSY_COUNT) > *n_busy)
		return err_set(EBADMSG, "rvm_track reports other busy pages than were asked for");
	if (size)
		memcpy(busy, mnl_attr_get_payload(channel->attr[RVM_TRACK_A_BUSY]), size);
	return 0;
}

int netlink_writeback(struct netlink *nl, int fd, const uint64_t *pages, size_t n,
		      uint64_t *busy, size_t *n_busy)
{
	struct nlmsghdr *nlh;
	int err;

	pthread_mutex_lock(&nl->slow.lock);
	nlh = put_region(nl, &nl->slow, RVM_TRACK_CMD_WRITEBACK, fd);
	mnl_attr_put(nlh, RVM_TRACK_A_PAGES, n * sizeof(*pages), pages);
	err = request(&nl->slow, nlh);
	if (!err)
		err = take_busy(&nl->slow, n, busy, n_busy);
	pthread_mutex_unlock(&nl->slow.lock);
	return err;
}

static struct netlink_stats take_stats(const struct channel *channel)
{
	return (struct netlink_stats){
		.id = get_u64(channel, RVM_TRACK_A_ID),
		.pid = get_u32(channel, RVM_TRACK_A_PID),
		.flags = get_u32(channel, RVM_TRACK_A_FLAGS),
		.slots = get_u32(channel, RVM_TRACK_A_SLOTS),
		.offset = get_u64(channel, RVM_TRACK_A_OFFSET),
		.length = get_u64(channel, RVM_TRACK_A_LENGTH),
		.resident = get_u64(channel, RVM_TRACK_A_STAT_RESIDENT),
		.dirty = get_u64(channel, RVM_TRACK_A_STAT_DIRTY),
		.owned = get_u64(channel, RVM_TRACK_A_STAT_OWNED),
		.stray = get_u64(channel, RVM_TRACK_A_STAT_STRAY),
		.first_writes = get_u64(channel, RVM_TRACK_A_STAT_FIRST_WRITES),
		.written = get_u64(channel, RVM_TRACK_A_STAT_WRITTEN),
		.busy = get_u64(channel, RVM_TRACK_A_STAT_BUSY),
		.read = get_u64(channel, RVM_TRACK_A_STAT_READ),
		.rolled_back = get_u64(channel, RVM_TRACK_A_STAT_ROLLED_BACK),
		.hot = get_u64(channel, RVM_TRACK_A_STAT_HOT),
		.conflicts = get_u64(channel, RVM_TRACK_A_STAT_CONFLICTS),
	};
}

int netlink_stats(struct netlink *nl, int fd, struct netlink_stats *stats)
{
	int err;

	pthread_mutex_lock(&nl->quick.lock);
	err = request(&nl->quick, put_region(nl, &nl->quick, RVM_TRACK_CMD_REGION_GET, fd));
	if (!err)
		*stats = take_stats(&nl->quick);
	pthread_mutex_unlock(&nl->quick.lock);
	return err;
}

/* A dump comes in several messages, up to one that says that this was all. */
static int take_all(struct channel *channel,
		    void (*fn)(void *arg, const struct netlink_stats *stats), void *arg)
{
	struct netlink_stats stats;
	int left, ret;

	for (;;) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)channel->buf;

		left = receive(channel, 0);
		if (left < 0)
			return err_set(-left, "receiving a netlink message: %s", strerror(-left));
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			if (nlh->nlmsg_type == NLMSG_DONE)
				return 0;
			ret = take_message(channel, nlh);
			if (ret < 0)
				return ret;
			stats = take_stats(channel);
			if (!ret)
				fn(arg, &stats);
		}
	}
}

int netlink_each(struct netlink *nl, void (*fn)(void *arg, const struct netlink_stats *stats),
		 void *arg)
{
	struct channel *channel = &nl->quick;
	struct nlmsghdr *nlh;
	int err;

	pthread_mutex_lock(&channel->lock);
	nlh = put_command(channel, nl->family, RVM_TRACK_CMD_REGION_GET, RVM_TRACK_GENL_VERSION);
	nlh->nlmsg_flags |= NLM_F_DUMP;
	err = send_command(channel, nlh);
	if (!err)
		err = take_all(channel, fn, arg);
	pthread_mutex_unlock(&channel->lock);
	return err;
}

int netlink_listen(struct netlink *nl)
{
	if (!mnl_socket_setsockopt(nl->quick.socket, NETLINK_ADD_MEMBERSHIP, &nl->group,
				   sizeof(nl->group)))
		return 0;
	return err_set(errno, "listening to the events of rvm_track: %s", strerror(errno));
}

/* Is what was received an event of this kind, about a region of this process? */
static bool is_event(struct netlink *nl, uint8_t cmd, ssize_t size)
{
	struct channel *channel = &nl->quick;
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)channel->buf;
	const struct genlmsghdr *genl;

	if (!mnl_nlmsg_ok(nlh, size) || nlh->nlmsg_type != nl->family ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*genl))
		return false;
	genl = mnl_nlmsg_get_payload(nlh);
	index_attrs(channel, mnl_nlmsg_get_payload_offset(nlh, sizeof(*genl)),
		    mnl_nlmsg_get_payload_tail(nlh));
	return genl->cmd == cmd && get_u32(channel, RVM_TRACK_A_PID) == (uint32_t)getpid();
}

bool netlink_wait(struct netlink *nl, uint8_t cmd, int stop)
{
	struct pollfd fds[] = {
		{ .fd = stop, .events = POLLIN },
		{ .fd = mnl_socket_get_fd(nl->quick.socket), .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents)
			return false;
		if (fds[1].revents && is_event(nl, cmd, receive(&nl->quick, MSG_DONTWAIT)))
			return true;
	}
}
