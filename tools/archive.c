// SPDX-License-Identifier: LGPL-2.1-or-later
/* A backup as it stands on the disk: its manifest, its files, its records. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "crc.h"
#include "err.h"
#include "os.h"

#define MANIFEST_MAX	0x10000000U	/* more is no manifest */
#define WINDOW		0x100000U
#define ALIGN		4096U

static int open_file(const struct archive *a, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", a->dir, name) >= PATH_MAX)
		return err_set(ENAMETOOLONG, "backup: its path is longer than %d bytes",
			       PATH_MAX - 1);
	fd = os.open(path, O_RDONLY, 0);
	if (fd == -ENOENT)
		return err_set(ENOENT, "backup %s: %s is missing", a->dir, name);
	return fd < 0 ? err_set(-fd, "backup %s: cannot open %s: %s", a->dir, name,
				err_name(fd)) : fd;
}

static int damaged(const struct archive *a, const char *what)
{
	return err_set(EUCLEAN, "backup %s: its manifest is damaged: %s", a->dir, what);
}

/* Every byte of the text counts: those before the checksum, and how it ends. */
static int check_text(const struct archive *a, const char *text, size_t length)
{
	char end[MANIFEST_END_LENGTH + 1];
	size_t before = length - MANIFEST_END_LENGTH;

	if (length < MANIFEST_END_LENGTH)
		return damaged(a, "it is too short");
	snprintf(end, sizeof(end), MANIFEST_END, crc32c(0, text, before));
	return memcmp(text + before, end, MANIFEST_END_LENGTH) ?
	       damaged(a, "its checksum is wrong") : 0;
}

static int read_text(const struct archive *a, char **text, size_t *length)
{
	struct stat st;
	int err, fd;

	fd = open_file(a, MANIFEST_NAME);
	if (fd == -ENOENT && access(a->dir, F_OK))
		return err_set(ENOENT, "backup %s: there is no such directory", a->dir);
	if (fd == -ENOENT)
		return err_set(EUCLEAN, "backup %s: it has no %s: it was never finished, or is none",
			       a->dir, MANIFEST_NAME);
	if (fd < 0)
		return fd;
	err = fstat(fd, &st) ? -errno : 0;
	*length = err ? 0 : st.st_size;
	*text = *length < MANIFEST_MAX ? malloc(*length + 1) : NULL;
	if (!*text)
		err = -ENOMEM;
	if (!err)
		err = os_read(fd, *text, *length, 0);
	os.close(fd);
	if (err) {
		free(*text);
		return err_set(-err, "backup %s: cannot read its manifest: %s", a->dir,
			       err_name(err));
	}
	return 0;
}

/* The byte of two hexadecimal digits, or -1 if these are none. */
static int coded_byte(const char *text)
{
	char digits[3] = { text[0], text[0] ? text[1] : '\0' };

	if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]))
		return -1;
	return strtoul(digits, NULL, 16);
}

/* Decodes into @path, which has room for it; false if a byte is not coded as it should be. */
static bool decode_path(const char *coded, char *path)
{
	while (*coded) {
		int byte = *coded;

		if (byte == '%') {
			byte = coded_byte(coded + 1);
			if (byte <= 0)
				return false;
			coded += 2;
		}
		*path++ = byte;
		coded++;
	}
	*path = '\0';
	return true;
}

/* NULL: it is no path, or there is no memory. */
static char *plain_path(const char *coded)
{
	char *path = malloc(strlen(coded) + 1);

	if (!path || decode_path(coded, path))
		return path;
	free(path);
	return NULL;
}

static bool plain_uuid(const char *text, uint8_t uuid[16])
{
	int i, byte;

	for (i = 0; i < 16; i++) {
		if (i && *text == '-')
			text++;
		byte = coded_byte(text);
		if (byte < 0)
			return false;
		uuid[i] = byte;
		text += 2;
	}
	return !*text;
}

static bool unpack_owner(json_t *json, struct manifest_owner *owner, bool *device)
{
	json_int_t mode, uid, gid;
	int is_device;

	if (json_unpack(json, "{s:b, s:I, s:I, s:I}", "device", &is_device, "mode", &mode,
			"uid", &uid, "gid", &gid))
		return false;
	owner->mode = mode;
	owner->uid = uid;
	owner->gid = gid;
	*device = is_device;
	return true;
}

static bool unpack_digest(json_t *json, uint64_t *length, struct filecopy_digest *digest)
{
	json_int_t bytes, blocks;
	const char *crc;

	if (json_unpack(json, "{s:I, s:I, s:s}", "length", &bytes, "blocks", &blocks, "crc32c",
			&crc) || bytes < 0)
		return false;
	*length = bytes;
	digest->blocks = blocks;
	digest->crc = strtoul(crc, NULL, 16);
	return true;
}

static bool unpack_segment(json_t *json, struct manifest_segment *s)
{
	const char *path, *uuid;
	json_int_t id;

	if (json_unpack(json, "{s:I, s:s, s:s}", "id", &id, "path", &path, "uuid", &uuid) ||
	    !unpack_owner(json, &s->owner, &s->device) ||
	    !unpack_digest(json, &s->length, &s->digest))
		return false;
	s->id = id;
	s->path = plain_path(path);
	return s->path && plain_uuid(uuid, s->uuid);
}

static bool unpack_segments(json_t *array, struct manifest *m)
{
	size_t i, count = json_array_size(array);

	m->segments = calloc(count + 1, sizeof(*m->segments));
	if (!m->segments || !json_is_array(array))
		return false;
	for (i = 0; i < count; i++) {
		m->count++;
		if (!unpack_segment(json_array_get(array, i), &m->segments[i]))
			return false;
	}
	return true;
}

/* Do the records lie where records can? */
static bool is_extent(const struct manifest *m)
{
	return m->base % ALIGN == 0 && m->head % FORMAT_ALIGN == 0 &&
	       m->tail % FORMAT_ALIGN == 0 && m->base <= m->head && m->head <= m->tail &&
	       m->tail <= INT64_MAX && m->tail - m->base == m->length;
}

static bool unpack_log(json_t *log, json_t *records, struct manifest *m)
{
	json_int_t generation, sector, size, head, tail, base;
	const char *path, *uuid;

	if (json_unpack(log, "{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "path", &path, "uuid", &uuid,
			"generation", &generation, "sector", &sector, "size", &size,
			"head", &head, "tail", &tail) ||
	    !unpack_owner(log, &m->owner, &m->device) ||
	    json_unpack(records, "{s:I}", "base", &base) ||
	    !unpack_digest(records, &m->length, &m->digest))
		return false;
	m->generation = generation;
	m->sector = sector;
	m->size = size;
	m->head = head;
	m->tail = tail;
	m->base = base;
	m->path = plain_path(path);
	return m->path && plain_uuid(uuid, m->uuid) && is_extent(m);
}

static int unpack(const struct archive *a, json_t *json, struct manifest *m)
{
	json_int_t version = 0;

	if (json_unpack(json, "{s:I}", "rvm_backup", &version))
		return damaged(a, "it is no backup's");
	if (version != MANIFEST_VERSION)
		return err_set(EPROTO, "backup %s: it has version %lld, this tool knows version %d",
			       a->dir, (long long)version, MANIFEST_VERSION);
	if (!unpack_log(json_object_get(json, "log"), json_object_get(json, "records"), m) ||
	    !unpack_segments(json_object_get(json, "segments"), m))
		return damaged(a, "something is missing in it");
	return 0;
}

static int read_manifest(struct archive *a)
{
	json_error_t where;
	size_t length = 0;
	char *text = NULL;
	json_t *json;
	int err;

	err = read_text(a, &text, &length);
	if (err)
		return err;
	err = check_text(a, text, length);
	if (!err) {
		json = json_loadb(text, length, 0, &where);
		err = json ? unpack(a, json, &a->manifest) : damaged(a, where.text);
		json_decref(json);
	}
	free(text);
	return err;
}

int archive_open(const char *dir, struct archive *archive)
{
	int err;

	memset(archive, 0, sizeof(*archive));
	archive->dir = dir;
	archive->records = -1;
	err = read_manifest(archive);
	if (!err) {
		archive->records = open_file(archive, MANIFEST_RECORDS);
		err = archive->records < 0 ? archive->records : 0;
	}
	if (err == -ENOENT && !access(dir, F_OK))
		err = -EUCLEAN;	/* a file is missing */
	if (err)
		archive_close(archive);
	return err;
}

void archive_close(struct archive *archive)
{
	if (archive->records >= 0)
		os.close(archive->records);
	manifest_free(&archive->manifest);
}

int archive_segment(const struct archive *archive, const struct manifest_segment *segment)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), MANIFEST_SEGMENT, segment->id);
	fd = open_file(archive, name);
	return fd == -ENOENT ? -EUCLEAN : fd;
}

/* struct checking - a check under way */
struct checking {
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	uint64_t done;
	uint64_t total;
};

/* An filecopy_watch's step. */
static int step(void *arg, uint64_t bytes)
{
	struct checking *c = arg;

	c->done += bytes;
	c->progress(c->arg, c->done, c->total);
	return 0;
}

/* Is a file what it was? */
static int check_file(const struct archive *a, const char *name, int fd, uint64_t length,
		      const struct filecopy_digest *right, struct checking *c)
{
	const struct filecopy_watch watch = { .step = step, .arg = c };
	struct filecopy_digest digest;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return err_set(errno, "backup %s: %s: %s", a->dir, name, err_name(errno));
	if ((uint64_t)st.st_size != length)
		return err_set(EUCLEAN, "backup %s: %s has %" PRIu64 " bytes, not %" PRIu64,
			       a->dir, name, (uint64_t)st.st_size, length);
	err = filecopy_digest(fd, length, &watch, &digest);
	if (err)
		return err_set(-err, "backup %s: cannot read %s: %s", a->dir, name, err_name(err));
	if (digest.blocks != right->blocks || digest.crc != right->crc)
		return err_set(EUCLEAN, "backup %s: %s is damaged: its checksum is wrong",
			       a->dir, name);
	return 0;
}

static int check_segment(const struct archive *a, const struct manifest_segment *s,
			 struct checking *c)
{
	char name[PATH_MAX + 64];
	int err, fd = archive_segment(a, s);

	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), MANIFEST_SEGMENT " (%s)", s->id, s->path);
	err = check_file(a, name, fd, s->length, &s->digest, c);
	os.close(fd);
	return err;
}

static void tell(int err)
{
	if (err)
		fprintf(stderr, "%s: %s\n", program_invocation_name, err_text());
}

static int no_bytes(void *arg, const struct format_range *range, const void *data)
{
	(void)arg;
	(void)range;
	(void)data;
	return 0;
}

int archive_check(const struct archive *archive,
		  void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	const struct manifest *m = &archive->manifest;
	struct checking c = { .progress = progress, .arg = arg, .total = m->length };
	const struct archive_walk nobody = { .bytes = no_bytes };
	uint64_t transactions;
	size_t i, bad = 0;
	int err;

	for (i = 0; i < m->count; i++)
		c.total += m->segments[i].length;
	for (i = 0; i < m->count; i++) {
		err = check_segment(archive, &m->segments[i], &c);
		tell(err);
		bad += !!err;
	}
	err = check_file(archive, MANIFEST_RECORDS, archive->records, m->length, &m->digest, &c);
	if (!err)
		err = archive_records(archive, &nobody, &transactions);
	tell(err);
	bad += !!err;
	return bad ? err_set(EUCLEAN, "backup %s: %zu of its %zu files are damaged", archive->dir,
			     bad, m->count + 1) : 0;
}

/**
 * struct window - the records through a piece of memory
 * @source: for format_record_check(); it must be the first member
 * @archive: the backup
 * @bytes: WINDOW bytes
 * @start: LSN of the first
 * @length: how many there are
 */
struct window {
	struct format_source source;
	const struct archive *archive;
	char *bytes;
	uint64_t start;
	size_t length;
};

static int get(struct format_source *source, uint64_t lsn, size_t length, const void **bytes)
{
	struct window *w = (struct window *)source;
	const struct manifest *m = &w->archive->manifest;
	int err;

	if (lsn < w->start || lsn + length > w->start + w->length) {
		w->start = lsn - lsn % ALIGN;
		w->length = m->tail - w->start < WINDOW ? m->tail - w->start : WINDOW;
		err = lsn + length > w->start + w->length ? -ENODATA :
		      os_read(w->archive->records, w->bytes, w->length, w->start - m->base);
		if (err) {
			w->length = 0;
			return err_set(-err, "backup %s: reading %s failed: %s", w->archive->dir,
				       MANIFEST_RECORDS, err_name(err));
		}
	}
	*bytes = w->bytes + (lsn - w->start);
	return 0;
}

static int check_range(const struct archive *a, const struct format_range *range)
{
	size_t i;

	for (i = 0; i < a->manifest.count; i++) {
		const struct manifest_segment *s = &a->manifest.segments[i];

		if (s->id == range->segment && range->offset <= s->length &&
		    range->length <= s->length - range->offset)
			return 0;
	}
	return err_set(EUCLEAN, "backup %s: a record changes byte %" PRIu64 " of segment %" PRIu32
		       ", which is not in it", a->dir, range->offset, range->segment);
}

static int walk_range(struct window *w, const struct format_range *range, uint64_t lsn,
		      const struct archive_walk *walk)
{
	struct format_range part = *range;
	uint32_t left = range->length;
	int err = check_range(w->archive, range);

	while (left && !err) {
		const void *bytes;

		part.length = left < FORMAT_CHUNK ? left : FORMAT_CHUNK;
		err = get(&w->source, lsn, part.length, &bytes);
		if (!err)
			err = walk->bytes(walk->arg, &part, bytes);
		part.offset += part.length;
		lsn += part.length;
		left -= part.length;
	}
	return err;
}

static int walk_record(struct window *w, const struct format_record *record,
		       const struct archive_walk *walk)
{
	uint64_t at = record->lsn + sizeof(struct disk_record);
	uint64_t data = at + record->count * sizeof(struct disk_range);
	uint32_t i;
	int err = 0;

	for (i = 0; i < record->count && !err; i++) {
		struct format_range range;
		const void *bytes;

		err = get(&w->source, at, sizeof(struct disk_range), &bytes);
		if (err)
			return err;
		format_range_decode(bytes, &range);
		err = walk_range(w, &range, data, walk);
		at += sizeof(struct disk_range);
		data += range.length;
	}
	return err;
}

static int walk_all(struct window *w, const struct archive_walk *walk, uint64_t *transactions)
{
	const struct manifest *m = &w->archive->manifest;
	struct format_record record;
	struct format_seed seed;
	uint64_t lsn = m->head;
	const char *why;
	int err = 0;

	format_seed_init(&seed, m->uuid, m->generation);
	*transactions = 0;
	while (lsn < m->tail && !err) {
		err = format_record_check(&w->source, &seed, lsn, m->tail, &record, &why);
		if (err == -EUCLEAN)
			return err_set(EUCLEAN, "backup %s: %s is damaged at LSN %" PRIu64 ": %s",
				       w->archive->dir, MANIFEST_RECORDS, lsn, why);
		if (!err && record.type == FORMAT_TX) {
			err = walk_record(w, &record, walk);
			(*transactions)++;
		}
		lsn += record.length;
	}
	return err;
}

int archive_records(const struct archive *archive, const struct archive_walk *walk,
		    uint64_t *transactions)
{
	struct window w = { .source.get = get, .archive = archive };
	int err;

	w.bytes = aligned_alloc(ALIGN, WINDOW);
	if (!w.bytes)
		return err_set(ENOMEM, "backup %s: out of memory", archive->dir);
	err = walk_all(&w, walk, transactions);
	free(w.bytes);
	return err;
}
