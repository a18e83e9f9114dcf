// SPDX-License-Identifier: LGPL-2.1-or-later
/* The page vector of a region: what truncation knows of each page. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pagevec.h"

#define SIZE_MIN	64

void pagevec_init(struct pagevec *vec)
{
	memset(vec, 0, sizeof(*vec));
}

void pagevec_free(struct pagevec *vec)
{
	free(vec->entry);
	pagevec_init(vec);
}

static size_t hash(const struct pagevec *vec, uint64_t page)
{
	uint64_t x = page * 0x9e3779b97f4a7c15ULL;

	return (x ^ x >> 32) & (vec->size - 1);
}

static size_t next(const struct pagevec *vec, size_t at)
{
	return (at + 1) & (vec->size - 1);
}

/* The page's entry, or the free one where it belongs; the table is never full. */
static struct page_state *find(const struct pagevec *vec, uint64_t page)
{
	size_t at = hash(vec, page);

	while (vec->entry[at].used && vec->entry[at].page != page)
		at = next(vec, at);
	return &vec->entry[at];
}

struct page_state *pagevec_get(const struct pagevec *vec, uint64_t page)
{
	struct page_state *state;

	if (!vec->count)
		return NULL;
	state = find(vec, page);
	return state->used ? state : NULL;
}

static bool grow(struct pagevec *vec)
{
	struct pagevec more = { .size = vec->size ? 2 * vec->size : SIZE_MIN };
	size_t i;

	more.entry = calloc(more.size, sizeof(*more.entry));
	if (!more.entry)
		return false;
	for (i = 0; i < vec->size; i++)
		if (vec->entry[i].used)
			*find(&more, vec->entry[i].page) = vec->entry[i];
	more.count = vec->count;
	free(vec->entry);
	*vec = more;
	return true;
}

struct page_state *pagevec_make(struct pagevec *vec, uint64_t page)
{
	struct page_state *state = pagevec_get(vec, page);

	if (state)
		return state;
	if (2 * (vec->count + 1) > vec->size && !grow(vec))
		return NULL;
	state = find(vec, page);
	memset(state, 0, sizeof(*state));
	state->page = page;
	state->used = true;
	vec->count++;
	return state;
}

/* What follows without a gap moves up, if it may stand there: no search passes a free entry. */
void pagevec_drop(struct pagevec *vec, struct page_state *state)
{
	size_t hole = state - vec->entry;
	size_t at;

	assert(state->used);
	for (at = next(vec, hole); vec->entry[at].used; at = next(vec, at)) {
		size_t home = hash(vec, vec->entry[at].page);

		if (((at - home) & (vec->size - 1)) < ((at - hole) & (vec->size - 1)))
			continue;
		vec->entry[hole] = vec->entry[at];
		hole = at;
	}
	memset(&vec->entry[hole], 0, sizeof(vec->entry[hole]));
	vec->count--;
}
