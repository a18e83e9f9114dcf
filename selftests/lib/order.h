/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A judge of the order of writes, under the table of I/O calls of every program of this suite.
 *
 * It decodes what is written to logs.  The program is aborted, with a text,
 *
 *  1. if a byte of a segment changes to what no durable record of the log says, and none that is
 *     in the log says anything of it; or
 *  2. if the head moves over a record, and a page that the record changes was not written to its
 *     segment and synced after the record was durable, or was written with older bytes last.
 *
 * It knows a log from the first read of its status on until it is closed, and the segments that
 * its dictionary names, if they are opened by their paths.  Where the kernel module may write the
 * segments the second is not judged, because nobody sees that here.
 */
#ifndef SELFTESTS_LIB_ORDER_H
#define SELFTESTS_LIB_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/**
 * struct order_judge - what a disk tells the judge
 * @opened: a file was opened, to be written if @writes
 * @closed: a descriptor is about to be closed
 * @read: bytes were read
 * @writing: bytes are about to be written
 * @written: they were, durably if @sync
 * @syncing: a file is about to be synced
 * @synced: it was
 * @lost: power was lost: all descriptors are void
 */
struct order_judge {
	void (*opened)(int fd, const char *path, bool writes);
	void (*closed)(int fd);
	void (*read)(int fd, const void *buf, size_t length, uint64_t offset);
	void (*writing)(int fd, const struct iovec *iov, int count, uint64_t offset);
	void (*written)(int fd, const struct iovec *iov, int count, uint64_t offset, size_t length,
			bool sync);
	void (*syncing)(int fd);
	void (*synced)(int fd);
	void (*lost)(void);
};

/** order_judge - the judge of this program, or NULL; a disk in memory tells it, too */
extern const struct order_judge *order_judge;

/** order_reader - how the judge reads bytes of a disk in memory; NULL: with pread() */
extern ssize_t (*order_reader)(int fd, void *buf, size_t length, uint64_t offset);

/** order_kernel_writes - the module, or a test in its place, writes segments: 2 is not judged */
extern bool order_kernel_writes;

/** order_excused - a test does on purpose what is judged, or moves bytes behind the table */
extern bool order_excused;

/** order_judged() - how many writes to segments, and moves of heads, were found to be right */
unsigned long order_judged(void);

#endif
