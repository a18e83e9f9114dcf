/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file or device of a log: its lock, its transfers by position and by LSN. */
#ifndef RVM_LIB_LOGFILE_H
#define RVM_LIB_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Buffers for direct I/O are aligned to this, which is a multiple of every sector size. */
#define LOGFILE_ALIGN 4096

/**
 * struct logfile - an open log file
 * @path: as it was opened
 * @fd: open file
 * @readonly: not locked, never written
 * @device: a block device
 * @direct: direct I/O
 * @dsync: one call writes and syncs
 * @proven: a write has succeeded, so @direct and @dsync are what the file system can do
 * @padded: what is behind the end of the file reads as zeros: it was cut off, and is looked at
 * @size: bytes of the file
 * @sector: unit of direct I/O on it
 * @area_offset: where the record area starts; set by whoever knows it
 * @area_size: its bytes; of a log in use changed with the tail's lock, and read without it
 *	only while a group is being written
 */
struct logfile {
	char *path;
	int fd;
	bool readonly;
	bool device;
	bool direct;
	bool dsync;
	bool proven;
	bool padded;
	uint64_t size;
	uint32_t sector;
	uint64_t area_offset;
	uint64_t area_size;
};

/**
 * logfile_open() - open and lock the file
 * @path: an existing regular file or block device
 * @readonly: neither lock it nor allow writes
 * @file: filled in
 *
 * Return: 0; -ENOENT, -EACCES, -EINVAL (another kind of file), -EBUSY (locked), -EIO, -ENOMEM,
 * with a text.
 */
int logfile_open(const char *path, bool readonly, struct logfile *file);

/**
 * logfile_adopt() - lock a file that is open
 * @path: its path
 * @fd: open file, closed by logfile_close() and also if this fails
 * @readonly: neither lock it nor allow writes
 * @file: filled in
 *
 * Return: as logfile_open().
 */
int logfile_adopt(const char *path, int fd, bool readonly, struct logfile *file);

/** logfile_close() - unlock and close */
void logfile_close(struct logfile *file);

/**
 * logfile_settle() - make durable what is read from here on
 * @file: the log
 *
 * Whoever wrote it may have been killed before its sync.  What is built on bytes that are not
 * durable is lost with them: a status that the other copy is overwritten for, a record that is
 * brought to its segments in part when power is lost.  So is all of it if the file's name is not.
 *
 * Return: 0, or a negative errno with a text.
 */
int logfile_settle(const struct logfile *file);

/** logfile_measure() - learn its size again; Return: 0, or -EIO with a text */
int logfile_measure(struct logfile *file);

/** logfile_go_direct() - use direct I/O from now on if the file system has it */
void logfile_go_direct(struct logfile *file);

/** logfile_position() - where in the file the byte of @lsn is */
uint64_t logfile_position(const struct logfile *file, uint64_t lsn);

/**
 * logfile_read() - read from a position in the file
 * @file: the log
 * @position: byte in the file
 * @buf: for the bytes
 * @length: how many
 *
 * With direct I/O position, length and buffer are multiples of LOGFILE_ALIGN.
 *
 * Return: 0, or a negative errno with a text.
 */
int logfile_read(const struct logfile *file, uint64_t position, void *buf, size_t length);

/**
 * logfile_write() - write to a position in the file, durably
 * @file: the log
 * @position: byte in the file
 * @buf: the bytes
 * @length: how many
 *
 * With direct I/O position and length are multiples of the sector, the buffer's address is one
 * of LOGFILE_ALIGN.
 *
 * Return: 0, or a negative errno with a text; then nobody knows what is durable.
 */
int logfile_write(struct logfile *file, uint64_t position, const void *buf, size_t length);

/**
 * logfile_read_lsn() - read bytes of the record area, around its end if need be
 * @file: the log
 * @lsn: of the first byte
 * @buf: for the bytes
 * @length: how many
 *
 * Return: as logfile_read().
 */
int logfile_read_lsn(const struct logfile *file, uint64_t lsn, void *buf, size_t length);

/**
 * logfile_write_lsn() - write bytes of the record area, durably, around its end if need be
 * @file: the file
 * @lsn: where
 * @iov: at most two buffers
 * @count: how many
 *
 * Return: as logfile_write().
 */
int logfile_write_lsn(struct logfile *file, uint64_t lsn, const struct iovec *iov, int count);

#endif
