/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The manifest of a backup, as text: JSON that ends with the CRC32C of all before it.
 * Documentation/backup.md describes it.
 */
#ifndef RVM_LIB_MANIFEST_H
#define RVM_LIB_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "filecopy.h"

#define MANIFEST_NAME		"MANIFEST"
#define MANIFEST_RECORDS	"records"
#define MANIFEST_SEGMENT	"segment.%u"	/* number in the dictionary */
#define MANIFEST_VERSION	1

/* How the text ends: the checksum of all that stands before these bytes. */
#define MANIFEST_END		"  \"crc32c\": \"%08x\"\n}\n"
#define MANIFEST_END_LENGTH	25

/**
 * struct manifest_owner - who may use a file
 * @mode: permissions
 * @uid: owner
 * @gid: group
 */
struct manifest_owner {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/**
 * struct manifest_segment - a segment in a backup
 * @id: number in the log's dictionary
 * @uuid: its identity there
 * @path: where it was, malloc'ed
 * @device: it was a block device
 * @length: bytes
 * @owner: see there
 * @digest: of its copy
 */
struct manifest_segment {
	uint32_t id;
	uint8_t uuid[16];
	char *path;
	bool device;
	uint64_t length;
	struct manifest_owner owner;
	struct filecopy_digest digest;
};

/**
 * struct manifest - what a backup is
 * @uuid: of the log
 * @generation: of the log
 * @sector: of the log
 * @path: where the log was, malloc'ed
 * @device: it was a block device
 * @size: bytes of its record area
 * @owner: see there
 * @head: LSN of the first record
 * @tail: LSN after the last one: the backup is the state after the last commit before it
 * @base: LSN of the first byte of the file of records
 * @length: bytes of the file of records
 * @digest: of the file of records
 * @segments: the segments
 * @count: how many
 */
struct manifest {
	uint8_t uuid[16];
	uint32_t generation;
	uint32_t sector;
	char *path;
	bool device;
	uint64_t size;
	struct manifest_owner owner;
	uint64_t head;
	uint64_t tail;
	uint64_t base;
	uint64_t length;
	struct filecopy_digest digest;
	struct manifest_segment *segments;
	size_t count;
};

/**
 * manifest_text() - write a manifest
 * @m: the manifest
 * @length: bytes of the text
 *
 * Return: the text, malloc'ed, or NULL without memory.
 */
char *manifest_text(const struct manifest *m, size_t *length);

/** manifest_free() - free what a manifest points to */
void manifest_free(struct manifest *m);

#endif
