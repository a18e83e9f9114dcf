/* SPDX-License-Identifier: GPL-2.0 */
/* The files that the judge of the order of writes knows, and their pages; under its lock. */
#ifndef SELFTESTS_LIB_ORDER_FILE_H
#define SELFTESTS_LIB_ORDER_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define ORDER_PAGE	4096U
#define ORDER_BUCKETS	256

/*
 * struct order_part - bytes of a page that a durable record says
 * @lsn: where they are in the log
 * @offset: the first one, in the segment
 * @length: how many
 * @next: an older one
 */
struct order_part {
	uint64_t lsn;
	uint64_t offset;
	uint32_t length;
	struct order_part *next;
};

/*
 * struct order_page - a page of a segment that records change
 * @number: which
 * @next: in its bucket
 * @parts: what records that are not freed say of it, the newest first
 * @written: when it was written last
 * @durable: when what is durable of it was written
 * @stale: as it was written, it lacks what the log has from this LSN on; 0: it lacks nothing
 */
struct order_page {
	uint64_t number;
	struct order_page *next;
	struct order_part *parts;
	uint64_t written;
	uint64_t durable;
	uint64_t stale;
};

/*
 * struct order_file - a log or a segment, by its path
 * @path: canonical
 * @opens: descriptors
 * @pages: of a segment, by number
 * @synced: what was written before that is durable
 * @syncing: when the sync under way began
 */
struct order_file {
	char path[PATH_MAX];
	unsigned int opens;
	struct order_page *pages[ORDER_BUCKETS];
	uint64_t synced;
	uint64_t syncing;
};

/** order_now() - the time, which goes on by that */
uint64_t order_now(void);

/** order_file_of() - the file of a descriptor, or NULL */
struct order_file *order_file_of(int fd);

/** order_file_writes() - was the descriptor opened to write, too? */
bool order_file_writes(int fd);

/** order_file_find() - the file of a path, or NULL */
struct order_file *order_file_find(const char *path);

/** order_file_page() - a page of a file, which is made if it is not known */
struct order_page *order_file_page(struct order_file *file, uint64_t number);

/** order_file_forget_parts() - the part at this place, and all older ones */
void order_file_forget_parts(struct order_part **at);

/** order_file_forget_pages() - all pages of all files */
void order_file_forget_pages(void);

/** order_file_opened() - a descriptor is of a file now */
void order_file_opened(int fd, const char *path, bool writes);

/** order_file_closed() - one is closed; returns whether it is void now */
bool order_file_closed(int fd);

/** order_file_lost() - all descriptors are void */
void order_file_lost(void);

#endif
