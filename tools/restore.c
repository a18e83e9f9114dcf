// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * rvm restore: put a backup where it came from, or elsewhere.
 *
 * Everything is made beside its place first: the segments with the records applied, and an empty
 * log.  Then an old log is taken away, the segments get their names, and last the new log: a
 * restore that is cut off leaves no log that could be taken for whole, or an old one untouched.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "command.h"
#include "err.h"
#include "log.h"
#include "logfile.h"
#include "os.h"
#include "progress.h"

#define SUFFIX ".restore"

/**
 * struct target - a file that is restored
 * @path: its canonical path
 * @temporary: where it is made; the same on a device
 * @device: a block device stands there
 * @there: something stands there
 * @made: @temporary was made
 * @fd: open, or -1
 */
struct target {
	char path[PATH_MAX];
	char temporary[PATH_MAX];
	bool device;
	bool there;
	bool made;
	int fd;
};

/**
 * struct restore - what is asked for, and the work under way
 * @paths: the backup
 * @to: directory for everything, or NULL
 * @moves: "OLD=NEW" for single files
 * @move_count: how many
 * @force: overwrite
 * @archive: the backup
 * @segments: in the order of its manifest
 * @log: the log
 * @progress: for a terminal
 * @done: bytes of segments written
 * @total: bytes of segments in all
 */
struct restore {
	struct paths paths;
	const char *to;
	char **moves;
	size_t move_count;
	bool force;
	struct archive archive;
	struct target *segments;
	struct target log;
	struct progress progress;
	uint64_t done;
	uint64_t total;
};

static void add_move(struct restore *r, char *move, struct argp_state *state)
{
	if (!strchr(move, '='))
		argp_error(state, "%s is not OLD=NEW", move);
	r->moves = realloc(r->moves, (r->move_count + 1) * sizeof(*r->moves));
	if (!r->moves)
		argp_failure(state, RESULT_FAILED, ENOMEM, "%s", move);
	r->moves[r->move_count++] = move;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct restore *r = state->input;

	switch (key) {
	case 'a':
		add_move(r, arg, state);
		return 0;
	case 'f':
		r->force = true;
		return 0;
	case 't':
		r->to = arg;
		return 0;
	}
	return command_word(&r->paths, key, arg, state);
}

/* Where a file goes: as one option says, or all of them, or where it was. */
static int choose_path(const struct restore *r, const char *old, char path[PATH_MAX])
{
	size_t i, n = strlen(old);
	int length;

	for (i = 0; i < r->move_count; i++)
		if (!strncmp(r->moves[i], old, n) && r->moves[i][n] == '=')
			break;
	if (i < r->move_count)
		length = snprintf(path, PATH_MAX, "%s", r->moves[i] + n + 1);
	else if (r->to)
		length = snprintf(path, PATH_MAX, "%s/%s", r->to, strrchr(old, '/') + 1);
	else
		length = snprintf(path, PATH_MAX, "%s", old);
	return length < PATH_MAX ? 0 : err_set(ENAMETOOLONG, "%s: its new path is too long", old);
}

/* Its directory must be there, it need not. */
static int canonical(const char *path, char out[PATH_MAX])
{
	char dir[PATH_MAX], base[PATH_MAX], full[PATH_MAX];
	int err = os.canonical(path, out);

	if (err != -ENOENT)
		return err ? err_set(-err, "%s: %s", path, err_name(err)) : 0;
	snprintf(dir, sizeof(dir), "%s", path);
	snprintf(base, sizeof(base), "%s", path);
	err = os.canonical(dirname(dir), full);
	if (err)
		return err_set(-err, "%s: its directory: %s", path, err_name(err));
	if (snprintf(out, PATH_MAX, "%s/%s", strcmp(full, "/") ? full : "", basename(base)) >=
	    PATH_MAX)
		return err_set(ENAMETOOLONG, "%s: its path is too long", path);
	return 0;
}

static int choose(const struct restore *r, const char *old, struct target *target)
{
	char path[PATH_MAX];
	struct stat st;
	int err;

	target->fd = -1;
	if (old[0] != '/')
		return err_set(EUCLEAN, "backup %s: %s is no path", r->archive.dir, old);
	err = choose_path(r, old, path);
	if (!err)
		err = canonical(path, target->path);
	if (err)
		return err;
	target->there = !stat(target->path, &st);
	target->device = target->there && S_ISBLK(st.st_mode);
	if (target->there && !r->force)
		return err_set(EEXIST, "%s: it exists already; nothing was changed (see --force, --to, --as)",
			       target->path);
	if (target->there && !target->device && !S_ISREG(st.st_mode))
		return err_set(EEXIST, "%s: neither a regular file nor a block device",
			       target->path);
	if (snprintf(target->temporary, PATH_MAX, "%s%s", target->path,
		     target->device ? "" : SUFFIX) >= PATH_MAX)
		return err_set(ENAMETOOLONG, "%s: its path is too long", target->path);
	return 0;
}

/* A program that runs must not lose its log, nor its segments, under its feet. */
static int check_log_is_free(const struct target *log)
{
	struct logfile file;
	int err;

	if (!log->there)
		return 0;
	err = logfile_open(log->path, false, &file);
	if (!err)
		logfile_close(&file);
	return err;
}

/* Does the log or a segment before this one go to the same place? */
static bool is_taken(const struct restore *r, size_t segment)
{
	const char *path = r->segments[segment].path;
	size_t i;

	for (i = 0; i < segment; i++)
		if (!strcmp(path, r->segments[i].path))
			return true;
	return !strcmp(path, r->log.path);
}

static int choose_all(struct restore *r)
{
	const struct manifest *m = &r->archive.manifest;
	size_t i;
	int err;

	err = choose(r, m->path, &r->log);
	for (i = 0; i < m->count && !err; i++) {
		err = choose(r, m->segments[i].path, &r->segments[i]);
		if (!err && is_taken(r, i))
			err = err_set(EEXIST, "%s: two files would be restored there (see --as)",
				      r->segments[i].path);
		r->total += m->segments[i].length;
	}
	return err ? err : check_log_is_free(&r->log);
}

/* An filecopy_watch's step. */
static int step(void *arg, uint64_t bytes)
{
	struct restore *r = arg;

	r->done += bytes;
	progress_show(&r->progress, r->done, r->total);
	return 0;
}

static int give(const struct target *t, const struct manifest_owner *owner)
{
	if (t->device)
		return 0;
	if ((!geteuid() && fchown(t->fd, owner->uid, owner->gid)) || fchmod(t->fd, owner->mode))
		return err_set(errno, "%s: cannot set its owner and mode: %s", t->path,
			       err_name(errno));
	return 0;
}

static int open_target(struct target *t)
{
	int flags = t->device ? O_RDWR | O_EXCL : O_RDWR | O_CREAT | O_TRUNC;

	t->fd = os.open(t->temporary, flags, 0600);
	if (t->fd < 0)
		return err_set(-t->fd, "%s: cannot create it: %s", t->temporary, err_name(t->fd));
	t->made = !t->device;
	return 0;
}

static int check_room(const struct target *t, uint64_t length)
{
	struct os_geometry geometry;
	int err = t->device ? os.geometry(t->fd, &geometry) : 0;

	if (!err && t->device && geometry.size < length)
		err = -ENOSPC;
	return err ? err_set(-err, "%s: %s", t->path, err_name(err)) : 0;
}

static int copy_segment(struct restore *r, const struct manifest_segment *s, struct target *t)
{
	const struct filecopy_watch watch = { .step = step, .arg = r };
	struct filecopy_digest digest;
	int err, from;

	from = archive_segment(&r->archive, s);
	if (from < 0)
		return from;
	err = open_target(t);
	if (!err)
		err = check_room(t, s->length);
	if (!err)
		err = give(t, &s->owner);
	if (!err) {
		err = filecopy_make(from, t->fd, t->device, s->length, &watch, &digest);
		if (err)
			err = err_set(-err, "%s: cannot write it: %s", t->path, err_name(err));
		else if (digest.crc != s->digest.crc || digest.blocks != s->digest.blocks)
			err = err_set(EUCLEAN, "backup %s: the copy of %s is damaged",
				      r->archive.dir, s->path);
	}
	os.close(from);
	return err;
}

/* Of an archive_walk: the newer value comes later. */
static int apply(void *arg, const struct format_range *range, const void *data)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = range->length };
	struct restore *r = arg;
	size_t i;
	int err;

	for (i = 0; r->archive.manifest.segments[i].id != range->segment; i++)
		;
	err = os_write(r->segments[i].fd, &iov, 1, range->offset, false, 1);
	return err ? err_set(-err, "%s: cannot write it: %s", r->segments[i].path,
			     err_name(err)) : 0;
}

static int make_segments(struct restore *r, uint64_t *transactions)
{
	const struct archive_walk walk = { .bytes = apply, .arg = r };
	const struct manifest *m = &r->archive.manifest;
	size_t i;
	int err = 0;

	for (i = 0; i < m->count && !err; i++)
		err = copy_segment(r, &m->segments[i], &r->segments[i]);
	if (!err)
		err = archive_records(&r->archive, &walk, transactions);
	for (i = 0; i < m->count && !err; i++) {
		err = os.sync(r->segments[i].fd);
		if (err)
			err = err_set(-err, "%s: cannot write it: %s", r->segments[i].path,
				      err_name(err));
	}
	return err;
}

/* The log knows its segments, so that the next backup finds them. */
static int name_segments(struct restore *r, struct log *log)
{
	const struct manifest *m = &r->archive.manifest;
	struct log_state state;
	uint32_t id;
	size_t i;
	int err;

	log_state(log, &state);
	err = log_start(log, state.head, state.head);
	for (i = 0; i < m->count && !err; i++)
		err = log_name_segment(log, r->segments[i].path, m->segments[i].length, &id);
	return err;
}

static int make_log(struct restore *r)
{
	const struct manifest *m = &r->archive.manifest;
	struct log *log;
	int err, late;

	if (!r->log.device)
		os.unlink(r->log.temporary);	/* of a restore that was cut off */
	err = log_create(r->log.temporary, m->size, 0600, true, progress_show, &r->progress);
	if (err)
		return err;
	r->log.made = !r->log.device;
	err = log_open(r->log.temporary, 0, false, &log);
	if (err)
		return err;
	err = name_segments(r, log);
	late = log_close(log);
	return err ? err : late;
}

static int give_log(struct restore *r)
{
	int err;

	r->log.fd = os.open(r->log.temporary, O_RDWR, 0);
	if (r->log.fd < 0)
		return err_set(-r->log.fd, "%s: %s", r->log.temporary, err_name(r->log.fd));
	err = give(&r->log, &r->archive.manifest.owner);
	if (!err && !r->log.device)
		err = os.sync(r->log.fd);
	return err;
}

static int name_target(struct target *t)
{
	int err = 0;

	if (t->device)
		return 0;
	if (rename(t->temporary, t->path))
		err = -errno;
	if (!err) {
		t->made = false;
		err = os_sync_parent(t->path);
	}
	return err ? err_set(-err, "%s: %s", t->path, err_name(err)) : 0;
}

static int take_away(const struct target *t)
{
	int err = 0;

	if (!t->there || t->device)
		return 0;
	err = os.unlink(t->path);
	if (!err)
		err = os_sync_parent(t->path);
	return err ? err_set(-err, "%s: %s", t->path, err_name(err)) : 0;
}

static int publish(struct restore *r)
{
	size_t i;
	int err = take_away(&r->log);

	for (i = 0; i < r->archive.manifest.count && !err; i++)
		err = name_target(&r->segments[i]);
	return err ? err : name_target(&r->log);
}

static void clean(struct target *t)
{
	if (t->fd >= 0)
		os.close(t->fd);
	if (t->made)
		os.unlink(t->temporary);
}

/* A log on a device is made first: from then on the old one is void. */
static int restore_all(struct restore *r, uint64_t *transactions)
{
	int err = choose_all(r);

	if (!err && r->log.device)
		err = make_log(r);
	if (!err)
		err = make_segments(r, transactions);
	if (!err && !r->log.device)
		err = make_log(r);
	if (!err)
		err = give_log(r);
	return err ? err : publish(r);
}

static int restore(struct restore *r, uint64_t *transactions)
{
	size_t i;
	int err;

	err = archive_open(r->paths.words[0], &r->archive);
	if (err)
		return err;
	r->log.fd = -1;
	r->segments = calloc(r->archive.manifest.count + 1, sizeof(*r->segments));
	if (!r->segments)
		err = err_set(ENOMEM, "backup %s: out of memory", r->archive.dir);
	for (i = 0; !err && i < r->archive.manifest.count; i++)
		r->segments[i].fd = -1;
	if (!err)
		err = archive_check(&r->archive, progress_show, &r->progress);
	if (!err)
		err = restore_all(r, transactions);
	progress_end(&r->progress);
	for (i = 0; r->segments && i < r->archive.manifest.count; i++)
		clean(&r->segments[i]);
	clean(&r->log);
	free(r->segments);
	if (err)
		archive_close(&r->archive);
	return err;
}

int command_restore(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "as", 'a', "OLD=NEW", 0, "Put what was at OLD to NEW; may be repeated", 0 },
		{ "force", 'f', NULL, 0, "Overwrite what stands there", 0 },
		{ "to", 't', "DIRECTORY", 0, "Put all files into this directory", 0 },
		{ 0 }
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "DIR",
		.doc = "Verify a backup, and put its segments and a log where they were.\n"
		       "\vThe segments are in the state of the backup's last commit, and the log\n"
		       "is empty; it has the size that it had.  Nothing is overwritten unless it\n"
		       "is forced.",
	};
	struct restore r = {
		.paths = { .least = 1, .most = 1 }, .progress = { .label = "restoring" },
	};
	uint64_t transactions = 0;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &r))
		return RESULT_USAGE;
	err = restore(&r, &transactions);
	free(r.moves);
	if (err)
		return command_fail(err);
	printf("restored: %zu segments, %" PRIu64 " bytes, and %" PRIu64
	       " transactions of the log, to LSN %" PRIu64 "\n", r.archive.manifest.count, r.total,
	       transactions, r.archive.manifest.tail);
	archive_close(&r.archive);
	return RESULT_OK;
}
