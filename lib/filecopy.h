/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of files, and digests that tell whether a copy is still what was copied. */
#ifndef RVM_LIB_FILECOPY_H
#define RVM_LIB_FILECOPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILECOPY_BLOCK 65536U

/**
 * struct filecopy_digest - stands for the bytes of a file
 * @blocks: blocks of FILECOPY_BLOCK bytes that are not all zero
 * @crc: CRC32C over the number (64 bits, little-endian) and the bytes of each such block
 *
 * Zero blocks do not count, so holes may come and go when files are copied, and a sparse
 * terabyte costs nothing.
 */
struct filecopy_digest {
	uint64_t blocks;
	uint32_t crc;
};

/**
 * struct filecopy_watch - who is told about a copy under way
 * @step: called after at most a mebibyte with bytes done since the last call; anything but 0
 *	ends the copy with that error
 * @arg: its first argument
 */
struct filecopy_watch {
	int (*step)(void *arg, uint64_t bytes);
	void *arg;
};

/**
 * filecopy_make() - copy a file, its holes as holes, and digest it
 * @from: open for reading
 * @to: open for reading and writing; a file is emptied first, a device zeroed where it must be
 * @device: @to is a block device
 * @length: bytes
 * @watch: may be NULL
 * @digest: filled in
 *
 * Where the file system shares blocks between files it is asked to.  The copy is synced.
 *
 * Return: 0; -ENODATA @from is shorter; what reading, writing or @watch returned.
 */
int filecopy_make(int from, int to, bool device, uint64_t length,
		  const struct filecopy_watch *watch, struct filecopy_digest *digest);

/**
 * filecopy_digest() - digest a file
 * @fd: open for reading
 * @length: bytes
 * @watch: may be NULL
 * @digest: filled in
 *
 * Return: as filecopy_make().
 */
int filecopy_digest(int fd, uint64_t length, const struct filecopy_watch *watch,
		    struct filecopy_digest *digest);

#endif
