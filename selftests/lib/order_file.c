// SPDX-License-Identifier: GPL-2.0
/* The files that the judge of the order of writes knows, and their pages; under its lock. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order_file.h"
#include "order_violation.h"

#define FDS		65536
#define FILES		2048

static struct order_file *of_fd[FDS];
static unsigned int opens_fd[FDS];
static bool writes_fd[FDS];
static int top_fd;
static struct order_file *files[FILES];
static unsigned int n_files;
static uint64_t now = 1;

uint64_t order_now(void)
{
	return now++;
}

struct order_file *order_file_of(int fd)
{
	return fd >= 0 && fd < FDS ? of_fd[fd] : NULL;
}

bool order_file_writes(int fd)
{
	return order_file_of(fd) && writes_fd[fd];
}

struct order_page *order_file_page(struct order_file *file, uint64_t number)
{
	struct order_page **at = &file->pages[number % ORDER_BUCKETS];

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	if (!*at) {
		*at = order_need(sizeof(**at));
		(*at)->number = number;
	}
	return *at;
}

void order_file_forget_parts(struct order_part **at)
{
	while (*at) {
		struct order_part *part = *at;

		*at = part->next;
		free(part);
	}
}

static void forget_pages(struct order_file *file)
{
	unsigned int i;

	for (i = 0; i < ORDER_BUCKETS; i++) {
		while (file->pages[i]) {
			struct order_page *page = file->pages[i];

			file->pages[i] = page->next;
			order_file_forget_parts(&page->parts);
			free(page);
		}
	}
}

void order_file_forget_pages(void)
{
	unsigned int i;

	for (i = 0; i < n_files; i++)
		forget_pages(files[i]);
}

struct order_file *order_file_find(const char *path)
{
	unsigned int i;

	for (i = 0; i < n_files; i++)
		if (!strcmp(files[i]->path, path))
			return files[i];
	return NULL;
}

/* A new place, else that of a file that nobody has open; NULL if there is none. */
static struct order_file **free_place(void)
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

static struct order_file *make_file(const char *path)
{
	struct order_file *file = order_file_find(path), **place;

	if (file)
		return file;
	place = free_place();
	if (!place)
		return NULL;
	file = order_need(sizeof(*file));
	snprintf(file->path, sizeof(file->path), "%s", path);
	*place = file;
	return file;
}

void order_file_opened(int fd, const char *path, bool writes)
{
	if (fd < 0 || fd >= FDS)
		return;
	top_fd = fd > top_fd ? fd : top_fd;
	of_fd[fd] = make_file(path);
	opens_fd[fd]++;
	writes_fd[fd] = writes;
	if (of_fd[fd])
		of_fd[fd]->opens++;
}

bool order_file_closed(int fd)
{
	struct order_file *file = order_file_of(fd);

	if (!file)
		return false;
	file->opens--;
	if (--opens_fd[fd])
		return false;
	of_fd[fd] = NULL;
	return true;
}

void order_file_lost(void)
{
	unsigned int i;
	int fd;

	for (fd = 0; fd <= top_fd; fd++) {
		of_fd[fd] = NULL;
		opens_fd[fd] = 0;
	}
	for (i = 0; i < n_files; i++)
		files[i]->opens = 0;
}
