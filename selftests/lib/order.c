// SPDX-License-Identifier: GPL-2.0
/* A judge of the order of writes, under the table of I/O calls. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "format.h"
#include "order.h"
#include "order_file.h"
#include "order_log.h"
#include "order_violation.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long good;	/* pages */

bool order_kernel_writes;
bool order_excused;
ssize_t (*order_reader)(int fd, void *buf, size_t length, uint64_t offset);

static void judge_read(int fd, const void *buf, size_t length, uint64_t offset)
{
	pthread_mutex_lock(&lock);
	if (order_file_writes(fd) && !offset && length == 2 * FORMAT_BLOCK)
		order_log_open(fd, buf);
	else if (order_log_is(fd))
		order_log_read(offset, buf, length);
	pthread_mutex_unlock(&lock);
}

/*
 * struct said - what records that are not freed say of bytes that are being written
 * @same: of each byte: one of them says what it becomes
 * @by: of each byte: where the newest one is that says anything of it, or 0
 * @newest: what that one says
 */
struct said {
	bool same[ORDER_PAGE];
	uint64_t by[ORDER_PAGE];
	unsigned char newest[ORDER_PAGE];
};

/* Parts of records that are freed are forgotten. */
static void find_said(struct order_page *page, const unsigned char *new, struct said *said)
{
	uint64_t i, from, to, offset = page->number * ORDER_PAGE;
	unsigned char value[ORDER_PAGE];
	struct order_part **at, *part;

	for (at = &page->parts; (part = *at); at = &part->next) {
		if (part->lsn < order_log_head()) {
			order_file_forget_parts(at);
			break;
		}
		from = part->offset > offset ? part->offset : offset;
		to = part->offset + part->length;
		to = to < offset + ORDER_PAGE ? to : offset + ORDER_PAGE;
		if (from >= to)
			continue;
		order_log_get(part->lsn + (from - part->offset), value, to - from);
		for (i = from; i < to; i++) {
			said->same[i - offset] |= value[i - from] == new[i - offset];
			if (said->by[i - offset])
				continue;
			said->by[i - offset] = part->lsn;
			said->newest[i - offset] = value[i - from];
		}
	}
}

/*
 * A byte may become what no durable record says if one that is in the log says what it becomes
 * by recovery: transactions that are merged leave only the newest value in the log, and the page
 * may be written with one before.  Then, as whenever a page is written with bytes that are not the
 * newest ones in the log, it must be written again before the record is freed.
 */
static void judge_bytes(const struct order_file *file, struct order_page *page,
			const unsigned char *old, const unsigned char *new)
{
	static struct said said;
	size_t i;

	memset(&said, 0, sizeof(said));
	find_said(page, new, &said);
	page->stale = 0;
	for (i = 0; i < ORDER_PAGE; i++) {
		if (old[i] != new[i] && !said.same[i] && !said.by[i])
			order_violation("byte %llu of %s becomes %02x, which no durable record says",
					(unsigned long long)(page->number * ORDER_PAGE + i),
					file->path, new[i]);
		if (said.by[i] && new[i] != said.newest[i] &&
		    (!page->stale || said.by[i] < page->stale))
			page->stale = said.by[i];
	}
}

static void check_page(struct order_file *file, uint64_t number, const unsigned char *old,
		       const unsigned char *new)
{
	struct order_page *page = order_file_page(file, number);

	if (page->parts || memcmp(old, new, ORDER_PAGE))
		judge_bytes(file, page, old, new);
	if (page->written <= file->synced)
		page->durable = page->written;
	page->written = order_now();
	good++;
}

static void read_old(int fd, void *old, size_t length, uint64_t offset)
{
	ssize_t n = order_reader ? order_reader(fd, old, length, offset) :
		    pread(fd, old, length, offset);

	if (n < 0)
		order_violation("cannot read what stands there: %m");
	memset((char *)old + n, 0, length - n);
}

/* Copies what two buffers hold from byte @from on. */
static void gather(const struct iovec *iov, int count, size_t from, unsigned char *to, size_t n)
{
	for (; count && n; iov++, count--) {
		size_t have = iov->iov_len > from ? iov->iov_len - from : 0;

		have = have < n ? have : n;
		memcpy(to, (char *)iov->iov_base + (have ? from : 0), have);
		from -= from < iov->iov_len ? from : iov->iov_len;
		to += have;
		n -= have;
	}
}

/* Page by page, with what stands around the bytes. */
static void check_write(int fd, struct order_file *file, const struct iovec *iov, int count,
			uint64_t offset)
{
	static unsigned char old[ORDER_PAGE] __attribute__((aligned(ORDER_PAGE))), new[ORDER_PAGE];
	size_t length = 0, at, n;
	int i;

	for (i = 0; i < count; i++)
		length += iov[i].iov_len;
	for (at = 0; at < length; at += n) {
		uint64_t number = (offset + at) / ORDER_PAGE;
		size_t in = (offset + at) % ORDER_PAGE;

		n = length - at < ORDER_PAGE - in ? length - at : ORDER_PAGE - in;
		read_old(fd, old, ORDER_PAGE, number * ORDER_PAGE);
		memcpy(new, old, ORDER_PAGE);
		gather(iov, count, at, new + in, n);
		check_page(file, number, old, new);
	}
}

static void judge_writing(int fd, const struct iovec *iov, int count, uint64_t offset)
{
	struct format_status status;
	struct order_file *file;
	const char *why;

	pthread_mutex_lock(&lock);
	file = order_file_of(fd);
	order_log_walk();
	if (order_log_is(fd) && offset < FORMAT_DICT_OFFSET && offset % FORMAT_BLOCK == 0 &&
	    iov[0].iov_len == FORMAT_BLOCK &&
	    !format_status_decode(iov[0].iov_base, &status, &why))
		order_log_status(&status);
	else if (!order_excused && !order_log_is(fd) && file && order_log_names(file))
		check_write(fd, file, iov, count, offset);
	pthread_mutex_unlock(&lock);
}

static void judge_written(int fd, const struct iovec *iov, int count, uint64_t offset,
			  size_t length, bool sync)
{
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; order_log_is(fd) && i < count && length; i++) {
		size_t n = iov[i].iov_len < length ? iov[i].iov_len : length;

		order_log_written(offset, iov[i].iov_base, n, sync);
		offset += n;
		length -= n;
	}
	if (order_log_is(fd) && sync)
		order_log_walk();
	pthread_mutex_unlock(&lock);
}

static void judge_syncing(int fd)
{
	struct order_file *file;

	pthread_mutex_lock(&lock);
	file = order_file_of(fd);
	if (file)
		file->syncing = order_now();
	pthread_mutex_unlock(&lock);
}

static void judge_synced(int fd)
{
	struct order_file *file;

	pthread_mutex_lock(&lock);
	file = order_file_of(fd);
	if (file)
		file->synced = file->syncing;
	if (order_log_is(fd))
		order_log_synced();
	pthread_mutex_unlock(&lock);
}

static void judge_opened(int fd, const char *path, bool writes)
{
	pthread_mutex_lock(&lock);
	order_file_opened(fd, path, writes);
	pthread_mutex_unlock(&lock);
}

static void judge_closed(int fd)
{
	pthread_mutex_lock(&lock);
	if (order_file_closed(fd) && order_log_is(fd))
		order_log_drop();
	pthread_mutex_unlock(&lock);
}

static void judge_lost(void)
{
	pthread_mutex_lock(&lock);
	order_log_drop();
	order_file_lost();
	pthread_mutex_unlock(&lock);
}

static const struct order_judge judge = {
	.opened = judge_opened,
	.closed = judge_closed,
	.read = judge_read,
	.writing = judge_writing,
	.written = judge_written,
	.syncing = judge_syncing,
	.synced = judge_synced,
	.lost = judge_lost,
};

const struct order_judge *order_judge = &judge;

unsigned long order_judged(void)
{
	return good + order_log_freed();
}
