/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What dm-log-writes writes to its log device: each write to the device above it, in the order in
 * which flushes make them durable, and marks.  In sectors:
 *
 *	0	super: le64 magic, le64 version, le64 number of entries, le32 bytes of a sector
 *	1...	entries, one after the other: a sector with
 *			le64 sector, le64 sectors, le64 flags, le64 bytes of a mark, its text
 *		and then the sectors that were written, if it is neither a discard nor a mark
 */
#ifndef SELFTESTS_CRASH_BLOCKLOG_H
#define SELFTESTS_CRASH_BLOCKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCKLOG_FLUSH		1
#define BLOCKLOG_FUA		2
#define BLOCKLOG_DISCARD	4
#define BLOCKLOG_MARK		8

#define BLOCKLOG_TEXT		128	/* bytes of a mark that are read, with the final zero */

/**
 * struct blocklog - an open one
 * @fd: the file or device that holds it
 * @entries: how many there are
 * @next: number of the next entry
 * @sector: bytes of one
 * @position: of the next entry, in bytes
 */
struct blocklog {
	int fd;
	uint64_t entries;
	uint64_t next;
	uint32_t sector;
	uint64_t position;
};

/**
 * struct blocklog_entry - one entry
 * @start: first byte that was written
 * @length: bytes written
 * @flags: BLOCKLOG_*
 * @mark: the text of a mark
 */
struct blocklog_entry {
	uint64_t start;
	uint64_t length;
	uint64_t flags;
	char mark[BLOCKLOG_TEXT];
};

/**
 * blocklog_open() - read the super
 * @log: filled in
 * @path: of the file or device
 *
 * Return: true, or false: it cannot be read, or is no such log.
 */
bool blocklog_open(struct blocklog *log, const char *path);

/**
 * blocklog_apply() - read the next entry, and do to an image what it did to the device
 * @log: with entries left
 * @entry: filled in
 * @image: the image
 * @size: its bytes
 *
 * Return: true, or false: it cannot be read, or lies outside of the image.
 */
bool blocklog_apply(struct blocklog *log, struct blocklog_entry *entry, char *image, size_t size);

/**
 * blocklog_mark() - put a mark in the log of a device in use
 * @name: the device's, without its directory
 * @text: without blanks
 *
 * Return: true, or false with errno.
 */
bool blocklog_mark(const char *name, const char *text);

#endif
