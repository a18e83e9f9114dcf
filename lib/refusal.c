// SPDX-License-Identifier: LGPL-2.1-or-later
/* Strict regions, and the words for a store that one of them refused. */
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "refusal.h"
#include "siglock.h"
#include "track.h"

#define LINE	(PATH_MAX + 256)

static struct siglock list_lock;
static struct refusal *list;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/**
 * struct line - a line that is made without stdio, which is not for signal handlers
 * @text: the text
 * @length: how much of it there is
 */
struct line {
	char text[LINE];
	size_t length;
};

static void add_text(struct line *line, const char *text)
{
	size_t n = strlen(text), room = sizeof(line->text) - line->length;

	if (n > room)
		n = room;
	memcpy(line->text + line->length, text, n);
	line->length += n;
}

static void add_hex(struct line *line, uint64_t value)
{
	char text[2 + 16 + 1], *at = text + sizeof(text) - 1;

	*at = 0;
	do {
		*--at = "0123456789abcdef"[value % 16];
		value /= 16;
	} while (value);
	*--at = 'x';
	*--at = '0';
	add_text(line, at);
}

/* A child has none of its parent's regions, and nobody else who holds the lock. */
static void begin_child(void)
{
	list_lock.state = 0;
	list = NULL;
}

static void init_once(void)
{
	pthread_atfork(NULL, NULL, begin_child);
}

void refusal_add(struct refusal *refusal)
{
	sigset_t saved;

	pthread_once(&once, init_once);
	siglock_block(&list_lock, &saved);
	refusal->next = list;
	list = refusal;
	siglock_unblock(&list_lock, &saved);
}

void refusal_del(struct refusal *refusal)
{
	struct refusal **at = &list;
	sigset_t saved;

	siglock_block(&list_lock, &saved);
	while (*at && *at != refusal)
		at = &(*at)->next;
	if (*at)
		*at = refusal->next;
	siglock_unblock(&list_lock, &saved);
}

static const struct refusal *find(const char *addr)
{
	const struct refusal *refusal = list;

	while (refusal && (addr < refusal->base || addr >= refusal->base + refusal->length))
		refusal = refusal->next;
	return refusal;
}

static void print(const struct refusal *refusal, uint64_t at, uint64_t ip)
{
	struct line line = { .length = 0 };
	ssize_t written;

	add_text(&line, "rvm: store outside any transaction at region offset ");
	add_hex(&line, at);
	add_text(&line, ", offset ");
	add_hex(&line, refusal->offset + at);
	add_text(&line, " of ");
	add_text(&line, refusal->path ? refusal->path : "its segment");
	add_text(&line, ", by the instruction at ");
	add_hex(&line, ip);
	add_text(&line, "\n");
	written = write(STDERR_FILENO, line.text, line.length);
	(void)written;
}

bool refusal_print(const void *addr, uint64_t ip)
{
	const struct refusal *refusal;
	uint64_t at;
	bool stray = false;

	siglock_take(&list_lock);
	refusal = find(addr);
	if (refusal) {
		at = (const char *)addr - refusal->base;
		stray = !refusal->is_stray ||
			refusal->is_stray(refusal->owner, at >> TRACK_PAGE_SHIFT);
		if (stray)
			print(refusal, at, ip);
	}
	siglock_give(&list_lock);
	return stray;
}
