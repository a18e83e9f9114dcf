// SPDX-License-Identifier: GPL-2.0
/* What dm-log-writes writes to its log device. */
#include <endian.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "blocklog.h"

#define MAGIC	0x6a736677736872UL
#define VERSION	1

struct disk_super {
	uint64_t magic;
	uint64_t version;
	uint64_t entries;
	uint32_t sector;
};

struct disk_entry {
	uint64_t sector;
	uint64_t sectors;
	uint64_t flags;
	uint64_t text;
};

bool blocklog_open(struct blocklog *log, const char *path)
{
	struct disk_super super;

	log->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (log->fd < 0 || pread(log->fd, &super, sizeof(super), 0) != sizeof(super) ||
	    le64toh(super.magic) != MAGIC || le64toh(super.version) != VERSION)
		return false;
	log->entries = le64toh(super.entries);
	log->sector = le32toh(super.sector);
	log->next = 0;
	log->position = log->sector;
	return true;
}

static bool read_entry(struct blocklog *log, struct blocklog_entry *entry)
{
	struct disk_entry disk;
	uint64_t length;

	if (pread(log->fd, &disk, sizeof(disk), log->position) != sizeof(disk))
		return false;
	entry->start = le64toh(disk.sector) * log->sector;
	entry->length = le64toh(disk.sectors) * log->sector;
	entry->flags = le64toh(disk.flags);
	entry->mark[0] = '\0';
	if (!(entry->flags & BLOCKLOG_MARK))
		return true;
	length = le64toh(disk.text);
	if (length >= sizeof(entry->mark))
		length = sizeof(entry->mark) - 1;
	entry->mark[length] = '\0';
	return pread(log->fd, entry->mark, length, log->position + sizeof(disk)) == length;
}

bool blocklog_apply(struct blocklog *log, struct blocklog_entry *entry, char *image, size_t size)
{
	bool data;

	if (!read_entry(log, entry) || entry->start > size || entry->length > size - entry->start)
		return false;
	log->next++;
	log->position += log->sector;
	data = !(entry->flags & (BLOCKLOG_DISCARD | BLOCKLOG_MARK));
	if (entry->flags & BLOCKLOG_DISCARD)
		memset(image + entry->start, 0, entry->length);
	if (!data)
		return true;
	if (pread(log->fd, image + entry->start, entry->length, log->position) != entry->length)
		return false;
	log->position += entry->length;
	return true;
}

/* A message ends in its text, for which the record has no room of its own. */
bool blocklog_mark(const char *name, const char *text)
{
	char buf[sizeof(struct dm_ioctl) + sizeof(struct dm_target_msg) + BLOCKLOG_TEXT]
		__attribute__((aligned(8))) = { 0 };
	struct dm_ioctl *call = (struct dm_ioctl *)buf;
	struct dm_target_msg *message = (struct dm_target_msg *)(call + 1);
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	bool good;

	call->version[0] = DM_VERSION_MAJOR;
	call->data_size = sizeof(buf);
	call->data_start = sizeof(*call);
	snprintf(call->name, sizeof(call->name), "%s", name);
	snprintf(message->message, BLOCKLOG_TEXT, "mark %s", text);
	good = fd >= 0 && !ioctl(fd, DM_TARGET_MSG, call);
	if (fd >= 0)
		close(fd);
	return good;
}
