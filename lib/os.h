/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operating system as the log and the segments see it: one table of calls, which a test
 * replaces to inject failures or to simulate a disk, and helpers for whole transfers.
 */
#ifndef RVM_LIB_OS_H
#define RVM_LIB_OS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/**
 * struct os_geometry - what an open file is
 * @regular: a regular file
 * @device: a block device
 * @size: its length in bytes
 * @sector: the smallest unit of direct I/O, in bytes; 512 where nobody knows
 */
struct os_geometry {
	bool regular;
	bool device;
	uint64_t size;
	uint32_t sector;
};

/**
 * struct os_io - the calls
 * @open: open(2); close-on-exec is added
 * @close: close(2)
 * @pread: pread(2)
 * @pwritev: pwritev(2); if @sync the bytes are durable when it returns, and -EOPNOTSUPP
 *	says that the kernel or file system cannot do that in one call
 * @datasync: fdatasync(2)
 * @sync: fsync(2), for a directory
 * @resize: ftruncate(2)
 * @allocate: fallocate(2) of @length bytes from @offset on; it may grow the file
 * @geometry: fill in *@geometry
 * @lock: take the lock of the whole open file for writing, or -EAGAIN
 * @locked: 1 if another open file holds that lock, else 0
 * @set_direct: turn direct I/O on or off, or -EINVAL where there is none
 * @forget: let the page cache forget what is clean of the file; nothing depends on it
 * @name: give an open file without a name one, or -EEXIST
 * @unlink: unlink(2)
 * @canonical: realpath(3) into @out
 * @random: fill @buf with random bytes
 *
 * Each returns 0 (or the descriptor, or a number of bytes) or a negative errno.
 */
struct os_io {
	int (*open)(const char *path, int flags, mode_t mode);
	int (*close)(int fd);
	ssize_t (*pread)(int fd, void *buf, size_t length, uint64_t offset);
	ssize_t (*pwritev)(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync);
	int (*datasync)(int fd);
	int (*sync)(int fd);
	int (*resize)(int fd, uint64_t length);
	int (*allocate)(int fd, uint64_t offset, uint64_t length);
	int (*geometry)(int fd, struct os_geometry *geometry);
	int (*lock)(int fd);
	int (*locked)(int fd);
	int (*set_direct)(int fd, bool direct);
	void (*forget)(int fd);
	int (*name)(int fd, const char *path);
	int (*unlink)(const char *path);
	int (*canonical)(const char *path, char out[PATH_MAX]);
	int (*random)(void *buf, size_t length);
};

/** os - the calls in use; a test assigns to it while no log or segment is open */
extern struct os_io os;

/** os_real - the calls of the real operating system */
extern const struct os_io os_real;

/**
 * os_read() - read exactly @length bytes
 * @fd: open file
 * @buf: for the bytes
 * @length: how many
 * @offset: where in the file
 *
 * Return: 0; -ENODATA the file ends before; or what the read returned.
 */
int os_read(int fd, void *buf, size_t length, uint64_t offset);

/**
 * os_write() - write all of some buffers
 * @fd: open file
 * @iov: the buffers; their descriptions are used up
 * @count: how many buffers
 * @offset: where in the file
 * @sync: as in struct os_io
 * @align: after a short write the rest is written from a multiple of that many bytes on, as
 *	direct I/O demands; it divides @offset
 *
 * An interrupted or short write is continued; a write that moves nothing is -EIO.
 *
 * Return: 0, or what the write returned.
 */
int os_write(int fd, struct iovec *iov, int count, uint64_t offset, bool sync, size_t align);

/**
 * os_uuid() - make a random uuid (RFC 4122, version 4)
 * @uuid: filled in
 *
 * Return: 0, or what the random source returned.
 */
int os_uuid(uint8_t uuid[16]);

/**
 * os_create() - make a new file, without its name where the file system can do that
 * @path: where it will be
 * @mode: permissions, less the umask
 * @named: set if it has its name already, so that a crash leaves it half made
 *
 * Return: a descriptor for reading and writing; -EEXIST; or what open returned.
 */
int os_create(const char *path, mode_t mode, bool *named);

/**
 * os_publish() - let a new file appear, whole and durably
 * @fd: from os_create(), its contents synced
 * @path: as there
 * @named: as set there
 *
 * Return: 0; -EEXIST somebody else was faster; or what the calls returned.
 */
int os_publish(int fd, const char *path, bool named);

/**
 * os_sync_parent() - make the name of a new file durable
 * @path: its path
 *
 * Return: 0, or what open or fsync of the directory returned.
 */
int os_sync_parent(const char *path);

/**
 * os_settle_name() - make durable the name of a file that somebody else made
 * @path: by which it was opened; perhaps a symbolic link
 *
 * Whoever made it may have been killed before its directory was synced, and power may fail later.
 *
 * Return: 0, also if the directory may not be read or its file system syncs none; or what the
 * calls returned.
 */
int os_settle_name(const char *path);

#endif
