// SPDX-License-Identifier: GPL-2.0
/* A judge of the order of writes, under the table of I/O calls. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format.h"
#include "order.h"
#include "os.h"

#define PAGE		4096U
#define FDS		65536
#define FILES		2048
#define BUCKETS		256
#define DICT_MOST	0x100000U

/*
 * struct part - bytes of a page that a durable record says
 * @lsn: where they are in the log
 * @offset: the first one, in the segment
 * @length: how many
 * @next: an older one
 */
struct part {
	uint64_t lsn;
	uint64_t offset;
	uint32_t length;
	struct part *next;
};

/*
 * struct page - a page of a segment that records change
 * @number: which
 * @next: in its bucket
 * @parts: what records that are not freed say of it, the newest first
 * @written: when it was written last
 * @durable: when what is durable of it was written
 * @stale: as it was written, it lacks what the log has from this LSN on; 0: it lacks nothing
 */
struct page {
	uint64_t number;
	struct page *next;
	struct part *parts;
	uint64_t written;
	uint64_t durable;
	uint64_t stale;
};

/*
 * struct file - a log or a segment, by its path
 * @path: canonical
 * @opens: descriptors
 * @pages: of a segment, by number
 * @synced: what was written before that is durable
 * @syncing: when the sync under way began
 */
struct file {
	char path[PATH_MAX];
	unsigned int opens;
	struct page *pages[BUCKETS];
	uint64_t synced;
	uint64_t syncing;
};

/* struct record - a durable record that is not freed */
struct record {
	struct format_record header;
	uint64_t when;
	struct record *next;
};

/* struct late - bytes of a log that were written and wait for a sync */
struct late {
	uint64_t offset;
	size_t length;
	struct late *next;
	unsigned char bytes[];
};

/*
 * struct judged_log - the log that is open
 * @source: the head, for format_record_check()
 * @fd: its descriptor, or -1
 * @status: what counts
 * @seed: of its records
 * @area: bytes of the record area that are durable
 * @started: its status was written: what is read is not durable any more
 * @next: LSN of the next record to become durable
 * @records: durable ones, in their order
 * @last: where the next one is linked
 * @late: what waits for a sync
 * @dict: the newest copy of the dictionary, or NULL
 */
struct judged_log {
	struct format_source source;
	int fd;
	struct format_status status;
	struct format_seed seed;
	unsigned char *area;
	bool started;
	uint64_t next;
	struct record *records;
	struct record **last;
	struct late *late;
	unsigned char *dict;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *of_fd[FDS];
static unsigned int opens_fd[FDS];
static bool writes_fd[FDS];
static int top_fd;
static struct file *files[FILES];
static unsigned int n_files;
static struct judged_log judged = { .fd = -1 };
static uint64_t now = 1;
static unsigned long good;

bool order_kernel_writes;
bool order_excused;
ssize_t (*order_reader)(int fd, void *buf, size_t length, uint64_t offset);

__attribute__((format(printf, 1, 2), noreturn))
static void violation(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "# order of writes: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	raise(SIGTRAP);	/* the harness takes SIGABRT for a failed assertion only */
	abort();
}

static void *need(size_t size)
{
	void *p = reallocarray(NULL, 1, size);	/* tests let the other calls fail */

	if (!p)
		violation("no memory");
	return memset(p, 0, size);
}

static bool knows(int fd)
{
	return fd >= 0 && fd < FDS && of_fd[fd];
}

static struct page *find_page(struct file *file, uint64_t number, bool make)
{
	struct page **at = &file->pages[number % BUCKETS];

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	if (!*at && make) {
		*at = need(sizeof(**at));
		(*at)->number = number;
	}
	return *at;
}

static void forget_parts(struct part **at)
{
	while (*at) {
		struct part *part = *at;

		*at = part->next;
		free(part);
	}
}

static void forget_pages(struct file *file)
{
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		while (file->pages[i]) {
			struct page *page = file->pages[i];

			file->pages[i] = page->next;
			forget_parts(&page->parts);
			free(page);
		}
	}
}

static struct file *find_file(const char *path)
{
	unsigned int i;

	for (i = 0; i < n_files; i++)
		if (!strcmp(files[i]->path, path))
			return files[i];
	return NULL;
}

/* A new place, else that of a file that nobody has open; NULL if there is none. */
static struct file **free_place(void)
{
	unsigned int i;

	if (n_files < FILES)
		return &files[n_files++];
	for (i = 0; i < FILES; i++) {
		if (files[i]->opens)
			continue;
		forget_pages(files[i]);
		free(files[i]);
		return &files[i];
	}
	return NULL;
}

static struct file *make_file(const char *path)
{
	struct file *file = find_file(path), **place;

	if (file)
		return file;
	place = free_place();
	if (!place)
		return NULL;
	file = need(sizeof(*file));
	snprintf(file->path, sizeof(file->path), "%s", path);
	*place = file;
	return file;
}

/* The open segment of a number, or NULL. */
static struct file *segment(uint32_t id)
{
	struct format_segment entry;
	char path[PATH_MAX];
	size_t at = 0;

	while (judged.dict && format_dict_next(judged.dict, &at, &entry)) {
		if (entry.id != id)
			continue;
		snprintf(path, sizeof(path), "%.*s", (int)entry.path_length, entry.path);
		return find_file(path);
	}
	return NULL;
}

/* Does the log name this file? */
static bool is_segment(const struct file *file)
{
	struct format_segment entry;
	size_t at = 0;

	while (judged.dict && format_dict_next(judged.dict, &at, &entry))
		if (entry.path_length == strlen(file->path) &&
		    !memcmp(entry.path, file->path, entry.path_length))
			return true;
	return false;
}

/* A format_source of what is durable; bytes around the end of the area are put together. */
static int get_area(struct format_source *source, uint64_t lsn, size_t length, const void **bytes)
{
	static _Alignas(8) unsigned char whole[FORMAT_CHUNK];
	uint64_t size = judged.status.area_size, at = lsn % size;
	size_t first = length < size - at ? length : size - at;

	(void)source;
	*bytes = judged.area + at;
	if (first == length)
		return 0;
	memcpy(whole, judged.area + at, first);
	memcpy(whole + first, judged.area, length - first);
	*bytes = whole;
	return 0;
}

static void get_bytes(uint64_t lsn, void *to, size_t length)
{
	while (length) {
		size_t n = length < FORMAT_CHUNK ? length : FORMAT_CHUNK;
		const void *bytes;

		get_area(&judged.source, lsn, n, &bytes);
		memcpy(to, bytes, n);
		to = (char *)to + n;
		lsn += n;
		length -= n;
	}
}

/* Calls @fn with each part of a page that a record changes, and the LSN of its new bytes. */
static void each_part(const struct format_record *r,
		      void (*fn)(void *arg, struct file *file, uint64_t offset, uint32_t length,
				 uint64_t lsn), void *arg)
{
	uint64_t data = r->lsn + sizeof(struct disk_record) + r->count * sizeof(struct disk_range);
	struct format_range range;
	struct disk_range disk;
	uint32_t i;

	for (i = 0; r->type == FORMAT_TX && i < r->count; i++) {
		struct file *file;
		uint64_t at = 0;

		get_bytes(r->lsn + sizeof(struct disk_record) + i * sizeof(disk), &disk,
			  sizeof(disk));
		format_range_decode(&disk, &range);
		file = segment(range.segment);
		while (file && at < range.length) {
			uint64_t offset = range.offset + at;
			uint32_t n = PAGE - offset % PAGE;

			if (n > range.length - at)
				n = range.length - at;
			fn(arg, file, offset, n, data + at);
			at += n;
		}
		data += range.length;
	}
}

static void learn(void *arg, struct file *file, uint64_t offset, uint32_t length, uint64_t lsn)
{
	struct page *page = find_page(file, offset / PAGE, true);
	struct part *part = need(sizeof(*part));

	(void)arg;
	*part = (struct part){ .lsn = lsn, .offset = offset, .length = length,
			       .next = page->parts };
	page->parts = part;
}

/* What is whole and durable now behind the records that were. */
static void walk(void)
{
	uint64_t limit = judged.status.head + judged.status.area_size;
	struct format_record header;
	const char *why;

	if (order_excused || judged.fd < 0 || !judged.area)
		return;
	while (!format_record_check(&judged.source, &judged.seed, judged.next, limit, &header,
				    &why)) {
		struct record *record = need(sizeof(*record));

		record->header = header;
		record->when = now++;
		*judged.last = record;
		judged.last = &record->next;
		each_part(&header, learn, NULL);
		judged.next = header.lsn + header.length;
	}
}

static void drop_records(void)
{
	while (judged.records) {
		struct record *record = judged.records;

		judged.records = record->next;
		free(record);
	}
	judged.last = &judged.records;
}

static void drop_late(void)
{
	while (judged.late) {
		struct late *late = judged.late;

		judged.late = late->next;
		free(late);
	}
}

static void drop_log(void)
{
	unsigned int i;

	drop_records();
	drop_late();
	if (judged.area)
		munmap(judged.area, judged.status.area_size);
	free(judged.dict);
	judged = (struct judged_log){ .fd = -1, .last = &judged.records };
	for (i = 0; i < n_files; i++)
		forget_pages(files[i]);
}

static void begin_area(void)
{
	const struct format_status *s = &judged.status;

	/* tests let the function fail */
	judged.area = (void *)syscall(SYS_mmap, NULL, s->area_size, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (judged.area == MAP_FAILED)
		judged.area = NULL;
	format_seed_init(&judged.seed, s->uuid, s->generation);
	judged.next = s->head;
}

/* A page that a freed record changes. */
static void check_freed(void *arg, struct file *file, uint64_t offset, uint32_t length,
			uint64_t lsn)
{
	const struct record *record = arg;
	struct page *page = find_page(file, offset / PAGE, true);
	uint64_t durable = page->written <= file->synced ? page->written : page->durable;

	(void)length;
	if (page->stale && lsn >= page->stale)
		violation("the head moves over the record at LSN %llu, but page %llu of %s was written with older bytes",
			  (unsigned long long)record->header.lsn,
			  (unsigned long long)page->number, file->path);
	if (durable <= record->when)
		violation("the head moves over the record at LSN %llu, but page %llu of %s was not %s since it was durable",
			  (unsigned long long)record->header.lsn,
			  (unsigned long long)page->number, file->path,
			  page->written > record->when ? "synced" : "written");
}

static void move_head(uint64_t head)
{
	while (judged.records && judged.records->header.lsn < head) {
		struct record *record = judged.records;

		if (!order_kernel_writes && !order_excused)
			each_part(&record->header, check_freed, record);
		judged.records = record->next;
		if (!judged.records)
			judged.last = &judged.records;
		free(record);
		good++;
	}
}

/* A copy of the status was read, or is about to be written. */
static void note_status(const struct format_status *s, bool writing)
{
	bool anew = !judged.area || s->area_size != judged.status.area_size ||
		    s->generation != judged.status.generation;

	if (writing && judged.area)
		move_head(s->head);
	if (anew && judged.area) {
		munmap(judged.area, judged.status.area_size);
		drop_records();
	}
	judged.status = *s;
	judged.started |= writing;
	if (anew)
		begin_area();
	if (judged.next < s->head)
		judged.next = s->head;
}

static void note_dict(const unsigned char *bytes, size_t length)
{
	uint64_t size = judged.status.dict_size;

	if (length < size || format_dict_check(bytes, size, judged.status.uuid) ||
	    (judged.dict && format_dict_sequence(judged.dict) >= format_dict_sequence(bytes)))
		return;
	free(judged.dict);
	judged.dict = memcpy(need(size), bytes, size);
}

/* Both copies, as status_load() reads them. */
static void see_status(int fd, const unsigned char *buf)
{
	struct format_status found, newest = { .sequence = 0 };
	const char *why;
	int i;

	for (i = 0; i < 2; i++)
		if (!format_status_decode((const void *)(buf + i * FORMAT_BLOCK), &found, &why) &&
		    found.sequence > newest.sequence)
			newest = found;
	if (!newest.sequence)
		return;
	drop_log();
	judged.source.get = get_area;
	judged.fd = fd;
	note_status(&newest, false);
}

static void put_area(uint64_t offset, const unsigned char *bytes, size_t length)
{
	uint64_t start = judged.status.area_offset, end = start + judged.status.area_size;

	if (!judged.area || offset < start || offset >= end)
		return;
	if (length > end - offset)
		length = end - offset;
	memcpy(judged.area + (offset - start), bytes, length);
}

static void judge_read(int fd, const void *buf, size_t length, uint64_t offset)
{
	uint64_t dict;

	pthread_mutex_lock(&lock);
	if (knows(fd) && writes_fd[fd] && !offset && length == 2 * FORMAT_BLOCK) {
		see_status(fd, buf);
	} else if (fd == judged.fd && !judged.started) {
		put_area(offset, buf, length);
		dict = judged.status.dict_size;
		if (offset == FORMAT_DICT_OFFSET && length == 2 * dict) {
			note_dict(buf, dict);
			note_dict((const unsigned char *)buf + dict, dict);
		}
	}
	pthread_mutex_unlock(&lock);
}

/*
 * struct said - what records that are not freed say of bytes that are being written
 * @same: of each byte: one of them says what it becomes
 * @by: of each byte: where the newest one is that says anything of it, or 0
 * @newest: what that one says
 */
struct said {
	bool same[PAGE];
	uint64_t by[PAGE];
	unsigned char newest[PAGE];
};

/* Parts of records that are freed are forgotten. */
static void find_said(struct page *page, const unsigned char *new, struct said *said)
{
	uint64_t i, from, to, offset = page->number * PAGE;
	unsigned char value[PAGE];
	struct part **at, *part;

	for (at = &page->parts; (part = *at); at = &part->next) {
		if (part->lsn < judged.status.head) {
			forget_parts(at);
			break;
		}
		from = part->offset > offset ? part->offset : offset;
		to = part->offset + part->length;
		to = to < offset + PAGE ? to : offset + PAGE;
		if (from >= to)
			continue;
		get_bytes(part->lsn + (from - part->offset), value, to - from);
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
static void judge_bytes(const struct file *file, struct page *page, const unsigned char *old,
			const unsigned char *new)
{
	static struct said said;
	size_t i;

	memset(&said, 0, sizeof(said));
	find_said(page, new, &said);
	page->stale = 0;
	for (i = 0; i < PAGE; i++) {
		if (old[i] != new[i] && !said.same[i] && !said.by[i])
			violation("byte %llu of %s becomes %02x, which no durable record says",
				  (unsigned long long)(page->number * PAGE + i), file->path,
				  new[i]);
		if (said.by[i] && new[i] != said.newest[i] &&
		    (!page->stale || said.by[i] < page->stale))
			page->stale = said.by[i];
	}
}

static void check_page(struct file *file, uint64_t number, const unsigned char *old,
		       const unsigned char *new)
{
	struct page *page = find_page(file, number, true);

	if (page->parts || memcmp(old, new, PAGE))
		judge_bytes(file, page, old, new);
	if (page->written <= file->synced)
		page->durable = page->written;
	page->written = now++;
	good++;
}

static void read_old(int fd, void *old, size_t length, uint64_t offset)
{
	ssize_t n = order_reader ? order_reader(fd, old, length, offset) :
		    pread(fd, old, length, offset);

	if (n < 0)
		violation("cannot read what stands there: %m");
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
static void check_write(int fd, const struct iovec *iov, int count, uint64_t offset)
{
	static unsigned char old[PAGE] __attribute__((aligned(PAGE))), new[PAGE];
	size_t length = 0, at, n;
	int i;

	for (i = 0; i < count; i++)
		length += iov[i].iov_len;
	for (at = 0; at < length; at += n) {
		uint64_t number = (offset + at) / PAGE;
		size_t in = (offset + at) % PAGE;

		n = length - at < PAGE - in ? length - at : PAGE - in;
		read_old(fd, old, PAGE, number * PAGE);
		memcpy(new, old, PAGE);
		gather(iov, count, at, new + in, n);
		check_page(of_fd[fd], number, old, new);
	}
}

static void judge_writing(int fd, const struct iovec *iov, int count, uint64_t offset)
{
	struct format_status status;
	const char *why;

	pthread_mutex_lock(&lock);
	walk();
	if (fd == judged.fd && offset < FORMAT_DICT_OFFSET && offset % FORMAT_BLOCK == 0 &&
	    iov[0].iov_len == FORMAT_BLOCK &&
	    !format_status_decode(iov[0].iov_base, &status, &why))
		note_status(&status, true);
	else if (!order_excused && fd != judged.fd && knows(fd) && is_segment(of_fd[fd]))
		check_write(fd, iov, count, offset);
	pthread_mutex_unlock(&lock);
}

static void keep_late(uint64_t offset, const void *bytes, size_t length)
{
	struct late **at = &judged.late, *late = need(sizeof(*late) + length);

	late->offset = offset;
	late->length = length;
	memcpy(late->bytes, bytes, length);
	while (*at)
		at = &(*at)->next;
	*at = late;
}

static void note_written(uint64_t offset, const unsigned char *bytes, size_t length, bool sync)
{
	if (sync)
		put_area(offset, bytes, length);
	else
		keep_late(offset, bytes, length);
	if (offset >= FORMAT_DICT_OFFSET && offset < judged.status.area_offset)
		note_dict(bytes, length);
}

static void judge_written(int fd, const struct iovec *iov, int count, uint64_t offset,
			  size_t length, bool sync)
{
	int i;

	pthread_mutex_lock(&lock);
	for (i = 0; fd == judged.fd && i < count && length; i++) {
		size_t n = iov[i].iov_len < length ? iov[i].iov_len : length;

		note_written(offset, iov[i].iov_base, n, sync);
		offset += n;
		length -= n;
	}
	if (fd == judged.fd && sync)
		walk();
	pthread_mutex_unlock(&lock);
}

static void judge_syncing(int fd)
{
	pthread_mutex_lock(&lock);
	if (knows(fd))
		of_fd[fd]->syncing = now++;
	pthread_mutex_unlock(&lock);
}

static void judge_synced(int fd)
{
	struct late *late;

	pthread_mutex_lock(&lock);
	if (knows(fd))
		of_fd[fd]->synced = of_fd[fd]->syncing;
	if (fd == judged.fd) {
		for (late = judged.late; late; late = late->next)
			put_area(late->offset, late->bytes, late->length);
		drop_late();
		walk();
	}
	pthread_mutex_unlock(&lock);
}

static void judge_opened(int fd, const char *path, bool writes)
{
	pthread_mutex_lock(&lock);
	if (fd >= 0 && fd < FDS) {
		top_fd = fd > top_fd ? fd : top_fd;
		of_fd[fd] = make_file(path);
		opens_fd[fd]++;
		writes_fd[fd] = writes;
		if (of_fd[fd])
			of_fd[fd]->opens++;
	}
	pthread_mutex_unlock(&lock);
}

static void judge_closed(int fd)
{
	pthread_mutex_lock(&lock);
	if (knows(fd)) {
		of_fd[fd]->opens--;
		if (!--opens_fd[fd]) {
			if (fd == judged.fd)
				drop_log();
			of_fd[fd] = NULL;
		}
	}
	pthread_mutex_unlock(&lock);
}

static void judge_lost(void)
{
	unsigned int i;
	int fd;

	pthread_mutex_lock(&lock);
	drop_log();
	for (fd = 0; fd <= top_fd; fd++) {
		of_fd[fd] = NULL;
		opens_fd[fd] = 0;
	}
	for (i = 0; i < n_files; i++)
		files[i]->opens = 0;
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
	return good;
}

/* The real calls, with the judge told. The linker has this suite take them for os_real. */
extern const struct os_io __real_os_real;

static int real_open(const char *path, int flags, mode_t mode)
{
	int fd = __real_os_real.open(path, flags, mode);
	char canonical[PATH_MAX];

	order_reader = NULL;
	if (fd >= 0 && !__real_os_real.canonical(path, canonical))
		judge_opened(fd, canonical, (flags & O_ACCMODE) == O_RDWR);
	return fd;
}

static int real_close(int fd)
{
	judge_closed(fd);
	return __real_os_real.close(fd);
}

static ssize_t real_pread(int fd, void *buf, size_t length, uint64_t offset)
{
	ssize_t n = __real_os_real.pread(fd, buf, length, offset);

	if (n > 0)
		judge_read(fd, buf, n, offset);
	return n;
}

static ssize_t real_pwritev(int fd, const struct iovec *iov, int count, uint64_t offset, bool sync)
{
	ssize_t n;

	judge_writing(fd, iov, count, offset);
	n = __real_os_real.pwritev(fd, iov, count, offset, sync);
	if (n > 0)
		judge_written(fd, iov, count, offset, n, sync);
	return n;
}

/* It was opened as a nameless file of its directory. */
static int real_name(int fd, const char *path)
{
	int err = __real_os_real.name(fd, path);
	char canonical[PATH_MAX];

	if (!err && !__real_os_real.canonical(path, canonical)) {
		judge_closed(fd);
		judge_opened(fd, canonical, true);
	}
	return err;
}

static int real_datasync(int fd)
{
	int err;

	judge_syncing(fd);
	err = __real_os_real.datasync(fd);
	if (!err)
		judge_synced(fd);
	return err;
}

static int real_sync(int fd)
{
	int err;

	judge_syncing(fd);
	err = __real_os_real.sync(fd);
	if (!err)
		judge_synced(fd);
	return err;
}

struct os_io __wrap_os_real;

/* Before any test, and before main(). */
__attribute__((constructor(101)))
static void install(void)
{
	__wrap_os_real = __real_os_real;
	__wrap_os_real.open = real_open;
	__wrap_os_real.close = real_close;
	__wrap_os_real.name = real_name;
	__wrap_os_real.pread = real_pread;
	__wrap_os_real.pwritev = real_pwritev;
	__wrap_os_real.datasync = real_datasync;
	__wrap_os_real.sync = real_sync;
	os = __wrap_os_real;
	order_kernel_writes = getenv("RVM_VM") || getenv("RVM_TEST_KMOD");
	judged.last = &judged.records;
}
