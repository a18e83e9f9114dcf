// SPDX-License-Identifier: GPL-2.0
/* What a workload did to the disk, and what it was told, in one order. */
#include <pthread.h>
#include <unistd.h>

#include "trace.h"

/* The trace that is being written, by any thread of the library. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct trace *current;
static bool lingers;

#define LINGER_US 60

static void *copy(const void *bytes, size_t length)
{
	void *to = malloc(length + 1);

	if (!to)
		abort();
	return memcpy(to, bytes, length);
}

static void add(const struct trace_event *event)
{
	struct trace *t = current;

	if (t->count == t->room) {
		t->room = 2 * t->room + 64;
		t->events = realloc(t->events, t->room * sizeof(*t->events));
		if (!t->events)
			abort();
	}
	t->events[t->count] = *event;
	if (event->kind == TRACE_DISK && event->disk.what == MEM_WRITE)
		t->events[t->count].disk.bytes = copy(event->disk.bytes, event->disk.length);
	t->count++;
}

static void note(const struct mem_event *disk)
{
	const struct trace_event event = { .kind = TRACE_DISK, .disk = *disk };

	pthread_mutex_lock(&lock);
	add(&event);
	pthread_mutex_unlock(&lock);
	if (lingers && (disk->what == MEM_WRITE || disk->what == MEM_SYNC))
		usleep(disk->number % 2 ? LINGER_US : 8 * LINGER_US);
}

size_t trace_mark(enum trace_kind kind, unsigned int n)
{
	const struct trace_event event = { .kind = kind, .n = n };
	size_t number;

	pthread_mutex_lock(&lock);
	number = current->count;
	add(&event);
	pthread_mutex_unlock(&lock);
	return number;
}

void trace_amend(size_t event, unsigned int n)
{
	current->events[event].n = n;
}

void trace_linger(bool on)
{
	lingers = on;
}

void trace_start(struct trace *trace)
{
	int i;

	memset(trace, 0, sizeof(*trace));
	for (i = 0; i < TRACE_FILES; i++) {
		const struct mem_file *file = &mem.files[i];

		trace->files[i].exists = file->name[0];
		trace->files[i].size = file->size;
		trace->files[i].bytes = copy(file->data ? file->data : (void *)"", file->size);
	}
	current = trace;
	mem.tell = note;
}

void trace_stop(void)
{
	int i;

	mem.tell = NULL;
	for (i = 0; i < TRACE_FILES; i++)
		memcpy(current->files[i].name, mem.files[i].name, sizeof(mem.files[i].name));
}

void trace_free(struct trace *trace)
{
	size_t i;

	for (i = 0; i < trace->count; i++)
		if (trace->events[i].kind == TRACE_DISK &&
		    trace->events[i].disk.what == MEM_WRITE)
			free((void *)trace->events[i].disk.bytes);
	for (i = 0; i < TRACE_FILES; i++)
		free(trace->files[i].bytes);
	free(trace->events);
}
