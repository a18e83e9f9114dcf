/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files in memory under the library's table of I/O calls: counts and fails calls, loses power
 * at any of them, and tells whoever wants to know of each write and sync.  What was not synced
 * when power is lost survives sector by sector, or does not; so does the length of a file that was
 * not synced, and the name of one whose directory was not.
 */
#ifndef MEMDISK_H
#define MEMDISK_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "os.h"

#define MEM_FILES 8
#define MEM_SECTOR 512
#define MEM_MAPPED (1 << 20)	/* bytes that a file which may be mapped can have */

/**
 * struct mem_file - a file
 * @name: its path
 * @data: what a reader sees
 * @stable: what is on the disk for sure; where it differs from @data the loss of power decides
 * @size: bytes of @data
 * @stable_size: the length that the disk has for sure
 * @entered: the directory has its name for sure
 * @locked: some open file holds the lock
 */
struct mem_file {
	char name[64];
	unsigned char *data;
	unsigned char *stable;
	uint64_t size;
	uint64_t stable_size;
	bool entered;
	bool locked;
};

/**
 * enum mem_what - what happened on the disk
 * @MEM_SIZED: a file has @length bytes now
 * @MEM_WRITE: bytes were written, and are not durable
 * @MEM_WRITTEN: the write of that number has returned; if it was to sync they are durable now
 * @MEM_SYNC: a sync of a file begins
 * @MEM_SYNCED: the sync of that number has returned
 * @MEM_NAMED: a file has a name
 */
enum mem_what {
	MEM_SIZED,
	MEM_WRITE,
	MEM_WRITTEN,
	MEM_SYNC,
	MEM_SYNCED,
	MEM_NAMED,
};

/** MEM_DIR - the file of an event that is about the directory */
#define MEM_DIR (-1)

/**
 * struct mem_event - something that happened on the disk
 * @what: see there
 * @file: index of the file
 * @number: of the write or sync
 * @offset: of the bytes
 * @length: how many, or the size
 * @bytes: the bytes, until the listener returns
 * @durable: of MEM_WRITTEN: it was to sync
 */
struct mem_event {
	enum mem_what what;
	int file;
	unsigned int number;
	uint64_t offset;
	uint64_t length;
	const void *bytes;
	bool durable;
};

/**
 * struct mem - the disk
 * @files: all files; a descriptor is an index + 100
 * @calls: calls so far that read, write or sync
 * @fail_at: the call that fails, from 1; 0: none
 * @fail_err: what it returns, negative; MEM_SHORT: it transfers only a part
 * @fail_on: all calls from there on fail
 * @fail_next: what the call after it returns, or 0
 * @power_at: the call at which power is lost, from 1; 0: none
 * @dead: power is lost: nothing works any more
 * @sync_writes: writes that sync are to be had
 * @limit: bytes that a file may have
 * @failed: how many calls failed
 * @sector: the smallest unit of direct I/O
 * @mappable: new files may be mapped: their descriptors are real ones
 * @tell: called with each event, by the thread that makes it, or NULL
 * @number: of the last write or sync
 */
struct mem {
	struct mem_file files[MEM_FILES];
	atomic_uint calls;
	unsigned int fail_at;
	int fail_err;
	bool fail_on;
	int fail_next;
	unsigned int power_at;
	atomic_bool dead;
	bool sync_writes;
	uint64_t limit;
	atomic_uint failed;
	uint32_t sector;
	bool mappable;
	void (*tell)(const struct mem_event *event);
	atomic_uint number;
};

extern struct mem mem;

#define MEM_SHORT 1

/** mem_install() - an empty disk; all calls of the library go there from now on */
void mem_install(void);

/**
 * mem_fail() - a call fails from here on
 * @at: its number, from 1; 0: none does
 * @err: with this negative errno, or MEM_SHORT
 * @on: so do all after it
 */
void mem_fail(unsigned int at, int err, bool on);

/** mem_heal() - no call fails and power stays from here on */
void mem_heal(void);

/**
 * mem_power_loss() - what was not synced survives or not: bytes by sectors, lengths, names
 * @choice: 0 none survives, 1 all, else it seeds a random choice
 */
void mem_power_loss(unsigned int choice);

/** mem_kill() - all programs are gone, power stays: what was written is there, and not durable */
void mem_kill(void);

/** mem_find() - the file of that name, or NULL */
struct mem_file *mem_find(const char *name);

/** mem_file() - the file of a descriptor */
struct mem_file *mem_file(int fd);

/** mem_grow() - give a file another size; 0 or -ENOSPC */
int mem_grow(struct mem_file *file, uint64_t size);

/** mem_save() - a copy of a file, to put back with mem_restore() */
unsigned char *mem_save(const char *name);

/** mem_restore() - put the bytes of a file back; its size has not changed */
void mem_restore(const char *name, const unsigned char *copy);

/**
 * mem_put() - a file of that name with these bytes, all of them durable and nobody using it
 * @name: its path
 * @bytes: what it holds
 * @size: how many
 */
void mem_put(const char *name, const void *bytes, uint64_t size);

/** mem_count() - count a call: 0, the negative errno that it fails with, or MEM_SHORT */
int mem_count(void);

/* How far to go from one state to the next: all are tried, or a sample, under a sanitizer. */
static inline unsigned int mem_stride(unsigned int sample)
{
	return getenv("RVM_QUICK") ? sample : 1;
}

/* Calls of the table, for tests that replace one and go on to it. */
int mem_unlink(const char *path);
ssize_t mem_pread(int fd, void *buf, size_t length, uint64_t offset);
ssize_t mem_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync);
int mem_datasync(int fd);
int mem_resize(int fd, uint64_t length);
int mem_allocate(int fd, uint64_t offset, uint64_t length);
int mem_geometry(int fd, struct os_geometry *geometry);
int mem_canonical(const char *path, char out[PATH_MAX]);

#endif
