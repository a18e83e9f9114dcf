/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands to the kernel module: a client of the generic netlink family rvm_track.
 *
 * linux/rvm_track.h says what each command does.  A client has two
 * sockets: one for commands whose end is awaited without blocking anybody, and
 * one for writeback, which may take as long as the disk does.
 */
#ifndef RVM_LIB_NETLINK_H
#define RVM_LIB_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most ends that travel together. */
#define NETLINK_ENDS_MAX	32

struct netlink;

/**
 * struct netlink_region - what is to become a region
 * @seg_fd: the segment
 * @offset: first byte in it
 * @length: bytes
 * @flags: enum rvm_track_region_flags
 */
struct netlink_region {
	int seg_fd;
	uint64_t offset;
	uint64_t length;
	uint32_t flags;
};

/**
 * struct netlink_stats - what the module tells of a region
 * @id: a number for people
 * @pid: the process that made it, as that numbers itself
 * @flags: enum rvm_track_region_flags
 * @slots: how many pages may have owners at once
 * @offset: first byte in the segment
 * @length: bytes
 * @resident: pages in memory, now
 * @dirty: of these, pages that the segment does not have
 * @owned: pages that have an owner, now
 * @stray: pages whose owner is nobody, now
 * @first_writes: pages that got an owner, since the region's creation
 * @written: pages written back
 * @busy: refusals to write a page back
 * @read: pages read from the segment
 * @rolled_back: pages restored
 * @hot: pages that stay writable, now
 * @conflicts: stores that were made to a page that another transaction owned
 */
struct netlink_stats {
	uint64_t id;
	uint32_t pid;
	uint32_t flags;
	uint32_t slots;
	uint64_t offset;
	uint64_t length;
	uint64_t resident;
	uint64_t dirty;
	uint64_t owned;
	uint64_t stray;
	uint64_t first_writes;
	uint64_t written;
	uint64_t busy;
	uint64_t read;
	uint64_t rolled_back;
	uint64_t hot;
	uint64_t conflicts;
};

/**
 * netlink_open() - make a client and look the family up
 * @out: the client
 *
 * Return: 0; -ENOENT the module is not loaded; others; with a text.
 */
int netlink_open(struct netlink **out);

/**
 * netlink_close() - close the client's sockets
 * @nl: the client
 */
void netlink_close(struct netlink *nl);

/**
 * netlink_create() - RVM_TRACK_CMD_REGION_CREATE
 * @nl: the client
 * @region: what is to become a region
 *
 * Return: the region's file descriptor, close-on-exec, or a negative errno
 * with a text.
 */
int netlink_create(struct netlink *nl, const struct netlink_region *region);

/**
 * struct netlink_end - a transaction that ends in a region
 * @fd: the region
 * @tid: the transaction
 * @lsn: end of its log record
 * @flags: enum rvm_track_end_flags
 * @first: the head of the transaction's chain, which a command that fails leaves as it is; if it
 *	is not 0 before and is afterwards, the socket is not asked for an error
 */
struct netlink_end {
	int fd;
	uint32_t tid;
	uint64_t lsn;
	uint32_t flags;
	const uint32_t *first;
};

/**
 * netlink_end() - RVM_TRACK_CMD_TX_END, of several regions in one system call
 * @nl: the client
 * @ends: what ends
 * @n: how many, at most NETLINK_ENDS_MAX
 *
 * Each of them is carried out, whatever becomes of the others.
 *
 * Return: 0, or the negative errno of the first that failed, with a text.
 */
int netlink_end(struct netlink *nl, const struct netlink_end *ends, size_t n);

/**
 * netlink_arm() - RVM_TRACK_CMD_ARM
 * @nl: the client
 * @fd: the region
 *
 * Return: 0 or a negative errno, with a text.
 */
int netlink_arm(struct netlink *nl, int fd);

/**
 * netlink_writeback() - RVM_TRACK_CMD_WRITEBACK, and wait until it is done
 * @nl: the client
 * @fd: the region
 * @pages: which pages
 * @n: how many, at most RVM_TRACK_PAGES_MAX
 * @busy: filled with those that may not be written; room for @n
 * @n_busy: how many these are
 *
 * Return: 0 or a negative errno, with a text.
 */
int netlink_writeback(struct netlink *nl, int fd, const uint64_t *pages, size_t n,
		      uint64_t *busy, size_t *n_busy);

/**
 * netlink_stats() - RVM_TRACK_CMD_REGION_GET
 * @nl: the client
 * @fd: the region
 * @stats: what is counted
 *
 * Return: 0 or a negative errno, with a text.
 */
int netlink_stats(struct netlink *nl, int fd, struct netlink_stats *stats);

/**
 * netlink_each() - RVM_TRACK_CMD_REGION_GET of all regions that the caller may see
 * @nl: the client
 * @fn: called for each, oldest first
 * @arg: passed on
 *
 * Return: 0 or a negative errno, with a text.
 */
int netlink_each(struct netlink *nl, void (*fn)(void *arg, const struct netlink_stats *stats),
		 void *arg);

/**
 * netlink_listen() - have the module's events sent to a client
 * @nl: the client, which sends no commands any more
 *
 * Return: 0 or a negative errno, with a text.
 */
int netlink_listen(struct netlink *nl);

/**
 * netlink_wait() - wait for an event about a region of this process
 * @nl: a client that listens
 * @cmd: RVM_TRACK_CMD_EVENT_*; others are dropped
 * @stop: a descriptor that becomes readable to end the wait
 *
 * Events may be lost where they are many.  Return: false if @stop ended it.
 */
bool netlink_wait(struct netlink *nl, uint8_t cmd, int stop);

#endif
