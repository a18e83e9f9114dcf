// SPDX-License-Identifier: LGPL-2.1-or-later
/* Backup: a copy of all segments and of the log's records, while transactions run. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "err.h"
#include "filecopy.h"
#include "format.h"
#include "log.h"
#include "logfile.h"
#include "manifest.h"
#include "os.h"
#include "region.h"
#include "segment.h"

#define BUFFER		0x100000U
#define CATCH_UP	0x1000000U	/* bytes of segments between two looks at the log */
#define NAME_LENGTH	32
#define TEXT_LENGTH	512

/**
 * struct backup - a backup under way
 * @source: the caller's
 * @dir: where it is made
 * @manifest: what is known of it
 * @records: the file of records
 * @buffer: BUFFER bytes for records
 * @copied: LSN up to which they are copied, 0 before the first call of keep(); like the LSNs
 *	of the manifest guarded by the log's lock
 * @failed: the errno that stopped copying records
 * @text: why
 * @done: bytes of segments copied
 * @total: bytes of segments known to be copied
 * @since: bytes of segments copied since the last look at the log
 */
struct backup {
	const struct backup_source *source;
	const char *dir;
	struct manifest manifest;
	int records;
	char *buffer;
	uint64_t copied;
	atomic_int failed;
	char text[TEXT_LENGTH];
	uint64_t done;
	uint64_t total;
	uint64_t since;
};

static int no_memory(const struct backup *b)
{
	return err_set(ENOMEM, "backup %s: out of memory", b->dir);
}

static int path_of(const struct backup *b, const char *name, char path[PATH_MAX])
{
	if (snprintf(path, PATH_MAX, "%s/%s", b->dir, name) >= PATH_MAX)
		return err_set(ENAMETOOLONG, "backup: its path is longer than %d bytes",
			       PATH_MAX - 1);
	return 0;
}

static void segment_name(uint32_t id, char name[NAME_LENGTH])
{
	snprintf(name, NAME_LENGTH, MANIFEST_SEGMENT, id);
}

static int write_error(const struct backup *b, const char *name, int err)
{
	return err_set(-err, "backup %s: cannot write %s: %s", b->dir, name, err_name(err));
}

static int create(const struct backup *b, const char *name)
{
	char path[PATH_MAX];
	int fd = path_of(b, name, path);

	if (!fd)
		fd = os.open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	return fd < 0 ? write_error(b, name, fd) : fd;
}

/*
 * Copies some records, read by whole blocks as direct I/O wants it.  Of a block that was copied
 * in part only the rest counts: the part may be freed and overwritten by now.
 */
static int copy_some(struct backup *b, uint64_t lsn)
{
	size_t skip = b->copied % LOGFILE_ALIGN;
	uint64_t from = b->copied - skip;
	uint64_t n = ((lsn + LOGFILE_ALIGN - 1) & ~(uint64_t)(LOGFILE_ALIGN - 1)) - from;
	struct iovec iov;
	int err;

	if (n > BUFFER)
		n = BUFFER;
	err = logfile_read_lsn(log_file(b->source->log), from, b->buffer, n);
	if (err)
		return err;
	iov.iov_base = b->buffer + skip;
	iov.iov_len = n - skip;
	err = os_write(b->records, &iov, 1, b->copied - b->manifest.base, false, 1);
	if (err)
		return write_error(b, MANIFEST_RECORDS, err);
	b->copied = from + n < lsn ? from + n : lsn;
	return 0;
}

/*
 * Called at first with the head, then before records below @lsn are freed.  A failure is the
 * backup's, not truncation's.
 */
static void keep(void *arg, uint64_t lsn)
{
	struct backup *b = arg;
	int err = atomic_load(&b->failed);

	if (!b->copied) {
		b->copied = lsn;
		b->manifest.head = lsn;
		b->manifest.base = lsn - lsn % LOGFILE_ALIGN;
	}
	while (!err && b->copied < lsn) {
		err = copy_some(b, lsn);
		if (!err)
			continue;
		snprintf(b->text, sizeof(b->text), "%s", err_text());
		atomic_store(&b->failed, err);
	}
}

static int failure(struct backup *b)
{
	int err = atomic_load(&b->failed);

	return err ? err_set(-err, "%s", b->text) : 0;
}

static bool is_hot(const struct backup *b)
{
	return b->source->regions;
}

/* In small steps: who moves the head waits for one of them at most. */
static int copy_records(struct backup *b, uint64_t lsn)
{
	uint64_t at = b->manifest.head;
	int err = 0;

	while (at < lsn && !err) {
		at = lsn - at < BUFFER ? lsn : at + BUFFER;
		if (is_hot(b))
			log_keep_below(b->source->log, at);
		else
			keep(b, at);
		err = failure(b);
	}
	return err;
}

/* An filecopy_watch's step. */
static int step(void *arg, uint64_t bytes)
{
	struct backup *b = arg;

	b->done += bytes;
	b->since += bytes;
	if (b->total < b->done)
		b->total = b->done;
	if (b->source->progress)
		b->source->progress(b->source->arg, b->done, b->total);
	if (b->since < CATCH_UP || !is_hot(b))
		return failure(b);
	b->since = 0;
	return copy_records(b, log_durable(b->source->log));
}

/* A segment that is open is found by what is open, wherever its name points now. */
static int open_segment(const struct backup *b, const struct log_segment *entry)
{
	char path[NAME_LENGTH] = "";
	struct segment *segment;
	int fd;

	if (b->source->regions) {
		pthread_rwlock_rdlock(&b->source->regions->lock);
		for (segment = b->source->regions->segments; segment; segment = segment->next)
			if (segment->id == entry->id)
				snprintf(path, sizeof(path), "/proc/self/fd/%d", segment->fd);
		pthread_rwlock_unlock(&b->source->regions->lock);
	}
	fd = os.open(path[0] ? path : entry->path, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENOENT)
		return err_set(ENOENT, "segment %s: there is no such file; if the log needs it no more, `rvm forget' drops it",
			       entry->path);
	return fd < 0 ? err_set(-fd, "segment %s: cannot open it for a backup: %s", entry->path,
				err_name(fd)) : fd;
}

static int owner_of(int fd, const char *path, struct manifest_owner *owner, bool *device)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(errno, "%s: %s", path, err_name(errno));
	owner->mode = st.st_mode & 07777;
	owner->uid = st.st_uid;
	owner->gid = st.st_gid;
	*device = S_ISBLK(st.st_mode);
	return 0;
}

static int fill_segment(struct manifest_segment *s, const struct log_segment *entry, int fd)
{
	struct os_geometry geometry;
	int err;

	s->id = entry->id;
	memcpy(s->uuid, entry->uuid, sizeof(s->uuid));
	err = os.geometry(fd, &geometry);
	if (err)
		return err_set(-err, "segment %s: cannot learn its size: %s", entry->path,
			       err_name(err));
	if (!geometry.regular && !geometry.device)
		return err_set(EINVAL, "segment %s: neither a regular file nor a block device",
			       entry->path);
	s->length = geometry.size;
	if (s->length < entry->length)
		return err_set(EUCLEAN, "segment %s: it has %" PRIu64 " bytes and had %" PRIu64
			       " when it was mapped; it was cut off, or is another file",
			       entry->path, s->length, entry->length);
	err = owner_of(fd, entry->path, &s->owner, &s->device);
	if (err)
		return err;
	free(s->path);
	s->path = strdup(entry->path);
	return s->path ? 0 : err_set(ENOMEM, "segment %s: out of memory", entry->path);
}

static int copy_bytes(struct backup *b, struct manifest_segment *s, int from)
{
	const struct filecopy_watch watch = { .step = step, .arg = b };
	char name[NAME_LENGTH];
	int err, to;

	segment_name(s->id, name);
	to = create(b, name);
	if (to < 0)
		return to;
	err = filecopy_make(from, to, false, s->length, &watch, &s->digest);
	os.close(to);
	if (err && !failure(b))
		err = err_set(-err, "backup %s: cannot copy segment %s: %s", b->dir, s->path,
			      err_name(err));
	return err;
}

static int copy_segment(struct backup *b, struct manifest_segment *s, uint32_t id)
{
	struct log_segment entry;
	int err, fd;

	err = log_segment(b->source->log, id, &entry);
	if (err)
		return err;
	fd = open_segment(b, &entry);
	if (fd < 0)
		return fd;
	err = fill_segment(s, &entry, fd);
	if (!err)
		err = copy_bytes(b, s, fd);
	os.close(fd);
	return err;
}

/* For the progress; what changes meanwhile is of no matter. */
static void add_up(struct backup *b)
{
	uint32_t id, count = log_segments(b->source->log);
	struct log_segment entry;

	for (id = 1; id <= count; id++)
		if (!log_segment(b->source->log, id, &entry))
			b->total += entry.length;
}

/* Those that the dictionary has and the backup has not. */
static int copy_new(struct backup *b)
{
	struct manifest *m = &b->manifest;
	int err = 0;

	while (!err && m->count < log_segments(b->source->log)) {
		struct manifest_segment *list;

		list = realloc(m->segments, (m->count + 1) * sizeof(*list));
		if (!list)
			return no_memory(b);
		m->segments = list;
		memset(&list[m->count], 0, sizeof(*list));
		m->count++;
		err = copy_segment(b, &list[m->count - 1], m->count);
	}
	return err;
}

/* One that has grown is copied once more: what is new in it may be in no record. */
static int copy_grown(struct backup *b, bool *any)
{
	size_t i;
	int err = 0;

	for (i = 0; i < b->manifest.count && !err; i++) {
		struct manifest_segment *s = &b->manifest.segments[i];
		struct log_segment entry;
		char name[NAME_LENGTH], path[PATH_MAX];

		err = log_segment(b->source->log, s->id, &entry);
		if (err || entry.length <= s->length)
			continue;
		*any = true;
		segment_name(s->id, name);
		err = path_of(b, name, path);
		if (!err)
			err = os.unlink(path);
		if (!err)
			err = copy_segment(b, s, s->id);
	}
	return err;
}

static int flush_log(struct backup *b, uint64_t *lsn)
{
	struct log_state state;
	int err;

	*lsn = b->source->tail;
	if (!is_hot(b))
		return 0;
	log_state(b->source->log, &state);
	err = log_flush(b->source->log, state.tail);
	*lsn = log_durable(b->source->log);
	return err;
}

/*
 * The tail is taken after the segments are copied, and before it is asked for new ones: then
 * every record below it is about a segment that was copied, all of it that there was.
 */
static int copy_all(struct backup *b)
{
	bool again;
	int err;

	add_up(b);
	do {
		again = false;
		err = copy_new(b);
		if (!err)
			err = flush_log(b, &b->manifest.tail);
		if (!err)
			err = copy_grown(b, &again);
		again |= b->manifest.count < log_segments(b->source->log);
	} while (!err && again);
	return err ? err : copy_records(b, b->manifest.tail);
}

/* What stands behind the last record in its block is no part of the backup. */
static int finish_records(struct backup *b)
{
	struct manifest *m = &b->manifest;
	int err;

	m->length = m->tail - m->base;
	err = os.resize(b->records, m->length);
	if (!err)
		err = filecopy_digest(b->records, m->length, NULL, &m->digest);
	if (!err)
		err = os.sync(b->records);
	return err ? write_error(b, MANIFEST_RECORDS, err) : 0;
}

static int write_text(struct backup *b, char *text, size_t length)
{
	struct iovec iov = { .iov_base = text, .iov_len = length };
	int fd = create(b, MANIFEST_NAME ".new");
	int err;

	if (fd < 0)
		return fd;
	err = os_write(fd, &iov, 1, 0, false, 1);
	if (!err)
		err = os.sync(fd);
	os.close(fd);
	return err ? write_error(b, MANIFEST_NAME, err) : 0;
}

/* All else is durable, with its name, before the manifest has its own. */
static int publish(struct backup *b)
{
	char from[PATH_MAX], to[PATH_MAX];
	int err;

	err = path_of(b, MANIFEST_NAME ".new", from);
	if (!err)
		err = path_of(b, MANIFEST_NAME, to);
	if (err)
		return err;
	err = os_sync_parent(to);
	if (!err)
		err = os_sync_parent(b->dir);
	if (!err && rename(from, to))
		err = -errno;
	if (!err)
		err = os_sync_parent(to);
	return err ? write_error(b, MANIFEST_NAME, err) : 0;
}

static int finish(struct backup *b)
{
	size_t length;
	char *text;
	int err;

	err = finish_records(b);
	if (err)
		return err;
	text = manifest_text(&b->manifest, &length);
	if (!text)
		return no_memory(b);
	err = write_text(b, text, length);
	free(text);
	return err ? err : publish(b);
}

static int describe_log(struct backup *b, const struct format_status *status)
{
	const struct logfile *file = log_file(b->source->log);
	struct manifest *m = &b->manifest;
	char path[PATH_MAX];
	int err;

	memcpy(m->uuid, status->uuid, sizeof(m->uuid));
	m->generation = status->generation;
	m->sector = status->sector;
	m->size = status->area_size;
	err = os.canonical(log_path(b->source->log), path);
	if (err)
		return err_set(-err, "log %s: cannot resolve its path: %s", file->path,
			       err_name(err));
	m->path = strdup(path);
	if (!m->path)
		return no_memory(b);
	return owner_of(file->fd, file->path, &m->owner, &m->device);
}

static int make(struct backup *b)
{
	struct format_status status;
	int err;

	log_status(b->source->log, &status);
	err = describe_log(b, &status);
	if (err)
		return err;
	b->records = create(b, MANIFEST_RECORDS);
	if (b->records < 0)
		return b->records;
	if (is_hot(b))
		log_keep(b->source->log, keep, b);
	else
		keep(b, status.head);
	err = copy_all(b);
	if (is_hot(b))
		log_keep(b->source->log, NULL, NULL);
	if (!err)
		err = finish(b);
	os.close(b->records);
	return err;
}

/* Nothing of a backup that failed stays, so that it can be tried again. */
static void remove_all(struct backup *b)
{
	char name[NAME_LENGTH], path[PATH_MAX];
	size_t i;

	for (i = 0; i < b->manifest.count; i++) {
		segment_name(b->manifest.segments[i].id, name);
		if (!path_of(b, name, path))
			os.unlink(path);
	}
	if (!path_of(b, MANIFEST_RECORDS, path))
		os.unlink(path);
	if (!path_of(b, MANIFEST_NAME ".new", path))
		os.unlink(path);
	if (!path_of(b, MANIFEST_NAME, path))
		os.unlink(path);
	rmdir(b->dir);
}

static int make_dir(const struct backup *b)
{
	if (!mkdir(b->dir, 0700))
		return 0;
	if (errno == EEXIST)
		return err_set(EEXIST, "backup %s: it exists already; name a new directory",
			       b->dir);
	return err_set(errno, "backup %s: cannot make the directory: %s", b->dir, err_name(errno));
}

static void fill_stats(const struct backup *b, struct backup_stats *stats)
{
	size_t i;

	memset(stats, 0, sizeof(*stats));
	stats->lsn = b->manifest.tail;
	stats->segments = b->manifest.count;
	stats->log_bytes = b->manifest.tail - b->manifest.head;
	for (i = 0; i < b->manifest.count; i++)
		stats->segment_bytes += b->manifest.segments[i].length;
}

int backup_make(const struct backup_source *source, const char *dir, struct backup_stats *stats)
{
	struct backup b = { .source = source, .dir = dir };
	int err;

	err = make_dir(&b);
	if (err)
		return err;
	b.buffer = aligned_alloc(LOGFILE_ALIGN, BUFFER);
	err = b.buffer ? make(&b) : no_memory(&b);
	if (err) {
		char text[TEXT_LENGTH];

		snprintf(text, sizeof(text), "%s", err_text());
		remove_all(&b);
		err_set(-err, "%s", text);
	}
	fill_stats(&b, stats);
	manifest_free(&b.manifest);
	free(b.buffer);
	return err;
}
