/* SPDX-License-Identifier: GPL-2.0 */
/* What all programs of this suite need: a netlink client, segments, regions. */
#ifndef _KMOD_SUPPORT_H
#define _KMOD_SUPPORT_H

#include <linux/rvm_track.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE	RVM_TRACK_PAGE_SIZE

/**
 * struct client - a netlink socket and what came last
 * @socket: libmnl's
 * @family: the number of rvm_track
 * @seq: of the newest request
 * @extack: text that came with the newest error, or ""
 * @attr: attributes of the newest answer by type, into @answer
 * @answer: the newest answer
 */
struct client {
	struct mnl_socket *socket;
	uint16_t family;
	uint32_t seq;
	char extack[128];
	const struct nlattr *attr[RVM_TRACK_A_MAX + 1];
	_Alignas(8) char answer[65536];
};

/**
 * struct region - a region and its mappings
 * @fd: the region file
 * @id: its number
 * @pages: its length
 * @data: its bytes
 * @ctl: the control block
 * @words: a word a page
 * @slots: descriptors
 * @arena: pre-images
 * @nslots: how many
 */
struct region {
	int fd;
	uint64_t id;
	size_t pages;
	unsigned char *data;
	struct rvm_track_ctl *ctl;
	struct rvm_track_word *words;
	const struct rvm_track_slot *slots;
	unsigned char *arena;
	uint32_t nslots;
};

/* All of these return 0 (or what they say) or a negative errno. */

int client_open(struct client *c);
void client_close(struct client *c);
int client_subscribe(struct client *c);

/* A message under way, in the client's answer buffer. */
struct nlmsghdr *client_begin(struct client *c, uint8_t cmd, uint16_t flags);
int client_send(struct client *c, struct nlmsghdr *message);
/* Send, and wait for the acknowledgment or, if @answer, for the answer. */
int client_call(struct client *c, struct nlmsghdr *message, bool answer);
/* The next message that is not ours: an event; returns its command, -EAGAIN after @ms. */
int client_event(struct client *c, int ms);

int cmd_create(struct client *c, int seg, uint64_t offset, uint64_t length, uint32_t slots,
	       uint32_t flags);
int cmd_end(struct client *c, int fd, uint32_t tid, uint64_t lsn, uint32_t flags);
int cmd_arm(struct client *c, int fd);
/* Returns the ERROR of the answer; written and busy by the pointers. */
int cmd_writeback(struct client *c, int fd, uint64_t first, uint64_t count, uint64_t *written,
		  uint64_t *busy);
int cmd_writeback_list(struct client *c, int fd, const uint64_t *pages, unsigned int count);
int cmd_get(struct client *c, int fd);
uint64_t attr_u64(const struct client *c, int attr);
uint64_t region_stat(struct client *c, int fd, int attr);

/* A segment in $TMPDIR whose page p is filled with segment_byte(p). */
int segment_new(size_t pages);
unsigned char segment_byte(size_t page);
/* Read a page of a segment past the page cache. */
int segment_read(int seg, size_t page, unsigned char *buf);
/* The first byte of a page as the disk has it, or -1. */
int segment_first_byte(int seg, size_t page);
bool page_is(const void *page, unsigned char byte);

int region_open(struct client *c, struct region *r, int seg, size_t pages, uint32_t slots,
		uint32_t flags);
void region_close(struct region *r);

/* What the library does: the calling thread's entry of the thread table. */
int thread_set(struct region *r, uint32_t tid, unsigned int kind);
uint32_t chain_length(const struct region *r, uint32_t tid);
/* The slot of a page in an owner's chain, or 0. */
uint32_t chain_find(const struct region *r, uint32_t tid, uint64_t page);

/* Store a byte; true if that was a SIGBUS. */
bool store_faults(volatile unsigned char *at, unsigned char byte);
bool load_faults(const volatile unsigned char *at);

/* Is this an older kernel? Some errors are the kernel's own, and changed. */
bool kernel_before(unsigned int major, unsigned int minor);

/* Write to a file of the kernel's; false: it does not take it. */
bool write_line(const char *path, const char *line);

#endif /* _KMOD_SUPPORT_H */
