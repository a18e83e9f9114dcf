/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of the trackers share: a region with a model beside it.
 *
 * The model knows what each byte is, live and committed, and which pages were
 * written; every collect is held against it.
 */
#ifndef SELFTESTS_LIB_TEST_TRACK_H
#define SELFTESTS_LIB_TEST_TRACK_H

#include "api.h"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "err.h"
#include "track.h"

/* A check inside a child process that ends without returning to the harness. */
#define must(expr) do { \
	if (!(expr)) { \
		fprintf(stderr, "# %s:%d: must(%s): %s\n", __FILE__, __LINE__, #expr, \
			err_text()); \
		_exit(1); \
	} \
} while (0)

/**
 * struct model - a region, and what it must be
 * @ops: the tracker's
 * @tracker: the region
 * @fd: its segment
 * @pages: in the region
 * @tid: the transaction that runs or ran last
 * @live: what the region holds
 * @committed: what it held at the last commit
 * @first: what the segment holds
 * @written: pages that must be collected
 * @may: pages that may be collected because they were copied back
 * @seen: pages that were collected
 * @n_seen: how many
 * @wrong: collected pages that were not what they must be
 */
struct model {
	const struct track_ops *ops;
	struct tracker *tracker;
	int fd;
	uint64_t pages;
	uint32_t tid;
	char *live;
	char *committed;
	char *first;
	bool *written;
	bool *may;
	bool *seen;
	uint64_t n_seen;
	uint64_t wrong;
};

/* The tracker of a name. */
static inline const struct track_ops *ops_of(const char *name)
{
	static const struct track_ops *const all[] = {
		&track_kmod, &track_uffd, &track_sigsegv, &track_none,
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

/* A file that is gone with its last descriptor. */
static inline int open_segment(uint64_t size)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/rvm-track-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0 && (unlink(path) || ftruncate(fd, size))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A repeatable sequence of numbers. */
static inline uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

/* Fill the segment and map it; the error of open. */
static inline int model_open(struct model *model, const char *name, uint64_t pages, bool strict)
{
	size_t size = pages * PAGE, i;
	struct track_map map = { .length = size, .strict = strict };

	memset(model, 0, sizeof(*model));
	model->ops = ops_of(name);
	model->pages = pages;
	model->fd = open_segment(map.length);
	model->live = malloc(size);
	model->committed = malloc(size);
	model->first = malloc(size);
	model->written = calloc(pages, sizeof(bool));
	model->may = calloc(pages, sizeof(bool));
	model->seen = calloc(pages, sizeof(bool));
	for (i = 0; i < size; i++)
		model->first[i] = i * 7 + i / PAGE;
	memcpy(model->live, model->first, size);
	memcpy(model->committed, model->first, size);
	map.fd = model->fd;
	if (map.fd < 0 || pwrite(map.fd, model->first, size, 0) != (ssize_t)size)
		return -EIO;
	return model->ops->open(&map, &model->tracker);
}

static inline void model_close(struct model *model)
{
	if (model->tracker)
		model->ops->close(model->tracker);
	close(model->fd);
	free(model->live);
	free(model->committed);
	free(model->first);
	free(model->written);
	free(model->may);
	free(model->seen);
}

static inline char *model_at(struct model *model, uint64_t offset)
{
	return model->tracker->base + offset;
}

/* Bytes from @offset on were written to the region: note what they are now. */
static inline void model_note(struct model *model, uint64_t offset, const void *data, size_t size)
{
	uint64_t page;

	memcpy(model->live + offset, data, size);
	for (page = offset / PAGE; page <= (offset + size - 1) / PAGE; page++)
		model->written[page] = true;
}

static inline void model_store(struct model *model, uint64_t offset, const void *data, size_t size)
{
	memcpy(model_at(model, offset), data, size);
	model_note(model, offset, data, size);
}

/* Store @n short runs of random bytes at random places. */
static inline void model_scribble(struct model *model, uint64_t *state, unsigned int n)
{
	uint64_t offset, size;
	char data[64];
	unsigned int i;

	while (n--) {
		size = 1 + next_random(state) % sizeof(data);
		offset = next_random(state) % (model->pages * PAGE - size);
		for (i = 0; i < size; i++)
			data[i] = next_random(state);
		model_store(model, offset, data, size);
	}
}

static inline int model_begin(struct model *model)
{
	model->tid++;
	if (model->tid % 256 == 0)
		model->tid++;
	return model->ops->begin ? model->ops->begin(model->tracker, model->tid) : 0;
}

/* A collected page must be where it belongs, live and committed as the model says. */
static inline int model_see(void *arg, const struct track_page *page)
{
	struct model *model = arg;
	uint64_t offset = page->page * PAGE;

	if (page->page >= model->pages || model->seen[page->page] ||
	    page->live != model_at(model, offset) ||
	    memcmp(page->live, model->live + offset, PAGE) ||
	    memcmp(page->committed, model->committed + offset, PAGE)) {
		model->wrong++;
		return 0;
	}
	model->seen[page->page] = true;
	model->n_seen++;
	return 0;
}

/*
 * Collect: 0 if exactly the written pages came, each once and right; else how
 * many were missing, too many or wrong, or the error.
 */
static inline int64_t model_collect(struct model *model)
{
	uint64_t page;
	int64_t bad;
	int err;

	memset(model->seen, 0, model->pages * sizeof(bool));
	model->n_seen = 0;
	model->wrong = 0;
	err = model->ops->collect(model->tracker, model->tid, model_see, model);
	if (err)
		return err;
	bad = model->wrong;
	for (page = 0; page < model->pages; page++)
		bad += model->seen[page] ? !model->written[page] && !model->may[page]
					 : model->written[page];
	return bad;
}

static inline int make_committed(void *arg, const struct track_page *page)
{
	struct model *model = arg;

	if (model->ops->twin)
		memcpy(page->committed, page->live, PAGE);
	return 0;
}

static inline int make_live(void *arg, const struct track_page *page)
{
	struct model *model = arg;

	memcpy(page->live, page->committed, PAGE);
	model->may[page->page] = true;
	return 0;
}

/* End the transaction as a commit at @lsn would. */
static inline int model_commit(struct model *model, uint64_t lsn)
{
	size_t size = model->pages * sizeof(bool);
	int err;

	err = model->ops->collect(model->tracker, model->tid, make_committed, model);
	if (err)
		return err;
	memcpy(model->committed, model->live, model->pages * PAGE);
	memset(model->written, 0, size);
	memset(model->may, 0, size);
	return model->ops->end(model->tracker, model->tid, lsn);
}

/* End the transaction as an abort would. */
static inline int model_abort(struct model *model)
{
	size_t size = model->pages * sizeof(bool);
	int err;

	memset(model->may, 0, size);
	memset(model->written, 0, size);
	memcpy(model->live, model->committed, model->pages * PAGE);
	if (model->ops->restore)
		return model->ops->restore(model->tracker, model->tid);
	err = model->ops->collect(model->tracker, model->tid, make_live, model);
	if (err)
		return err;
	return model->ops->end(model->tracker, model->tid, 0);
}

/* Is the region what the model says? */
static inline bool model_live_ok(struct model *model)
{
	return !memcmp(model->tracker->base, model->live, model->pages * PAGE);
}

/* Is the segment what it was in the beginning? */
static inline bool model_segment_untouched(struct model *model)
{
	size_t size = model->pages * PAGE;
	char *data = malloc(size);
	bool ok;

	ok = pread(model->fd, data, size, 0) == (ssize_t)size &&
	     !memcmp(data, model->first, size);
	free(data);
	return ok;
}

/*
 * Mappings of this process but for the heap, which malloc() gives back and takes
 * again; with a sanitizer, which maps what it likes, only those of segments.
 */
static inline unsigned int count_mappings(void)
{
	bool sanitized = dlsym(RTLD_DEFAULT, "__asan_init") || dlsym(RTLD_DEFAULT, "__tsan_init");
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned int n = 0;

	while (file && fgets(line, sizeof(line), file))
		n += sanitized ? !!strstr(line, "rvm") : !strstr(line, "[heap]");
	if (file)
		fclose(file);
	return n;
}

/* Open descriptors of this process. */
static inline unsigned int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static inline double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

#endif
