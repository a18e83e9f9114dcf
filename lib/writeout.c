// SPDX-License-Identifier: LGPL-2.1-or-later
/* Writing images of pages to their segments, in the order of the segments. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "iobuf.h"
#include "segment.h"
#include "writeout.h"

#define SHORT_PAGES	64U	/* of a window, beside commits */
#define LONG_PAGES	256U
#define GAP		16U	/* pages that are read in vain rather than by a read more */
#define TEXT		1024

/**
 * struct work - what the threads share
 * @out: memory
 * @images: what is to be written
 * @targets: where to
 * @target_count: how many
 * @lock: of what follows
 * @next: the image at which the next window begins
 * @workers: how many began
 * @bytes: written
 * @err: the first error
 * @text: what it had to say
 */
struct work {
	const struct writeout *out;
	const struct images *images;
	struct target *targets;
	size_t target_count;
	pthread_mutex_t lock;
	size_t next;
	unsigned int workers;
	uint64_t bytes;
	int err;
	char text[TEXT];
};

/**
 * struct window - pages that are written together
 * @images: they, sorted
 * @image: the first
 * @count: how many
 * @target: their segment
 * @memory: for them, and what lies between
 * @bytes: of the images that were written
 */
struct window {
	const struct images *images;
	const struct image *image;
	size_t count;
	struct target *target;
	char *memory;
	uint64_t bytes;
};

int writeout_init(struct writeout *out, unsigned int depth)
{
	out->depth = depth > 1 ? depth : 1;
	out->pages = depth > 1 ? LONG_PAGES : SHORT_PAGES;
	out->memory = iobuf_alloc((size_t)out->depth * out->pages * IMAGE_SIZE);
	return out->memory ? 0 : -ENOMEM;
}

void writeout_free(struct writeout *out)
{
	free(out->memory);
	out->memory = NULL;
}

/* How many bytes of a page the segment has: its last one may be short. */
static size_t page_room(const struct window *w, const struct image *image)
{
	uint64_t left = w->target->segment->length - (image->page << IMAGE_SHIFT);

	return left < IMAGE_SIZE ? left : IMAGE_SIZE;
}

static char *in_window(const struct window *w, const struct image *image)
{
	return w->memory + ((image->page - w->image->page) << IMAGE_SHIFT);
}

static uint64_t length_of(const struct window *w, size_t first, size_t last)
{
	const struct image *image = w->image;

	return ((image[last].page - image[first].page) << IMAGE_SHIFT) +
	       page_room(w, &image[last]);
}

static int read_run(struct window *w, size_t first, size_t last)
{
	return pagefile_read(&w->target->file, w->image[first].page << IMAGE_SHIFT,
			     in_window(w, &w->image[first]), length_of(w, first, last));
}

static int write_run(struct window *w, size_t first, size_t last)
{
	return pagefile_write(&w->target->file, w->image[first].page << IMAGE_SHIFT,
			      in_window(w, &w->image[first]), length_of(w, first, last));
}

/* The first image from @i on of which the log has not all, or the count. */
static size_t next_partial(const struct window *w, size_t i)
{
	while (i < w->count && image_full(w->images, &w->image[i]))
		i++;
	return i;
}

/* Fills the window with what the segment has, where the log has not all of it. */
static int fill(struct window *w)
{
	size_t first = next_partial(w, 0);
	int err = 0;

	while (first < w->count && !err) {
		size_t last = first;
		size_t next = next_partial(w, last + 1);

		while (next < w->count && w->image[next].page - w->image[last].page <= GAP) {
			last = next;
			next = next_partial(w, last + 1);
		}
		err = read_run(w, first, last);
		first = next;
	}
	return err;
}

/* Fills the window and writes it, neighbours at once. */
static int write_window(struct window *w)
{
	size_t i, first = 0;
	int err;

	err = fill(w);
	for (i = 0; i < w->count && !err; i++) {
		const struct image *image = &w->image[i];

		w->bytes += image_merge(w->images, image, in_window(w, image),
					page_room(w, image));
		if (i + 1 < w->count && image[1].page == image->page + 1)
			continue;
		err = write_run(w, first, i);
		first = i + 1;
	}
	return err;
}

/* How many images from @first on lie in one window. */
static size_t window_size(const struct work *work, const struct image *first, size_t left)
{
	size_t n = 1;

	while (n < left && first[n].segment == first->segment &&
	       first[n].page - first->page < work->out->pages)
		n++;
	return n;
}

static struct target *target_of(const struct work *work, uint32_t id)
{
	size_t i = 0;

	while (i < work->target_count && work->targets[i].id != id)
		i++;
	assert(i < work->target_count);
	return &work->targets[i];
}

/* The next window, if there is one and no error. */
static bool next_window(struct work *work, struct window *w)
{
	bool is_there;

	pthread_mutex_lock(&work->lock);
	is_there = !work->err && work->next < work->images->count;
	if (is_there) {
		w->image = &work->images->image[work->next];
		w->count = window_size(work, w->image, work->images->count - work->next);
		w->target = target_of(work, w->image->segment);
		work->next += w->count;
	}
	pthread_mutex_unlock(&work->lock);
	return is_there;
}

static void note(struct work *work, const struct window *w, int err)
{
	pthread_mutex_lock(&work->lock);
	work->bytes += w->bytes;
	if (err && !work->err) {
		work->err = err;
		snprintf(work->text, sizeof(work->text), "%s", err_text());
	}
	pthread_mutex_unlock(&work->lock);
}

static char *own_memory(struct work *work)
{
	size_t size = (size_t)work->out->pages * IMAGE_SIZE;
	char *memory;

	pthread_mutex_lock(&work->lock);
	memory = work->out->memory + work->workers++ * size;
	pthread_mutex_unlock(&work->lock);
	return memory;
}

static void *run(void *arg)
{
	struct work *work = arg;
	struct window w = { .images = work->images, .memory = own_memory(work) };
	int err = 0;

	while (!err && next_window(work, &w))
		err = write_window(&w);
	note(work, &w, err);
	return NULL;
}

/* A thread for each window but one, and none for so few pages that one window holds them. */
static unsigned int start_threads(struct work *work, pthread_t *threads)
{
	size_t most = work->images->count / work->out->pages;
	unsigned int n = 0;

	while (n + 1 < work->out->depth && n < most &&
	       !pthread_create(&threads[n], NULL, run, work))
		n++;
	return n;
}

int writeout_images(const struct writeout *out, const struct images *images,
		    struct target *targets, size_t count, uint64_t *bytes)
{
	struct work work = {
		.out = out,
		.images = images,
		.targets = targets,
		.target_count = count,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pthread_t threads[WRITEOUT_DEPTH];
	unsigned int n;

	n = start_threads(&work, threads);
	run(&work);
	while (n)
		pthread_join(threads[--n], NULL);
	*bytes += work.bytes;
	if (work.err)
		err_set(-work.err, "%s", work.text);
	return work.err;
}
