// SPDX-License-Identifier: LGPL-2.1-or-later
/* Hot pages of a region of the module: those that stay writable between transactions. */
#include <linux/rvm_track.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "kmod_area.h"
#include "kmod_chain.h"
#include "kmod_hot.h"
#include "track.h"

#define HOT_MAX		16384	/* their slots are memory that nothing can take back */

/**
 * struct cooling - a walk over the hot pages
 * @hot: of these
 * @area: in this region
 */
struct cooling {
	struct kmod_hot *hot;
	const struct kmod_area *area;
};

/* What is never touched of it takes no memory. */
void kmod_hot_open(struct kmod_hot *hot, const struct kmod_area *area, uint32_t patience)
{
	void *at = mmap(NULL, area->pages * sizeof(*hot->changed), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return;
	hot->changed = at;
	hot->patience = patience;
}

void kmod_hot_close(struct kmod_hot *hot, const struct kmod_area *area)
{
	if (hot->changed)
		munmap(hot->changed, area->pages * sizeof(*hot->changed));
}

/* Between two transactions the mark changes by nobody else. */
static void take_mark(const struct cooling *cooling, uint64_t page)
{
	uint32_t old = __atomic_fetch_and(&cooling->area->words[page].hold, ~RVM_TRACK_HOLD_HOT,
					  __ATOMIC_SEQ_CST);

	if (old & RVM_TRACK_HOLD_HOT)
		cooling->hot->pages--;
}

static int cool_page(void *arg, const struct track_page *page)
{
	const struct cooling *cooling = arg;
	const struct kmod_hot *hot = cooling->hot;

	if (hot->ends - hot->changed[page->page] > hot->patience)
		take_mark(cooling, page->page);
	return 0;
}

static int cool_any_page(void *arg, const struct track_page *page)
{
	take_mark(arg, page->page);
	return 0;
}

static int cool_pages(struct kmod_hot *hot, const struct kmod_area *area,
		      int (*fn)(void *arg, const struct track_page *page))
{
	struct cooling cooling = { .hot = hot, .area = area };

	return kmod_chain_visit(area, &area->ctl->hot, fn, &cooling);
}

int kmod_hot_cool_all(struct kmod_hot *hot, const struct kmod_area *area)
{
	return cool_pages(hot, area, cool_any_page);
}

/*
 * Now and then, so that a command cools several pages.  Who watches for stores wants to know who
 * made them, which nobody knows of hot pages.
 */
bool kmod_hot_cool(struct kmod_hot *hot, const struct kmod_area *area, bool watched)
{
	uint32_t before = hot->pages;

	hot->ends++;
	if (before && watched)
		return cool_pages(hot, area, cool_any_page) || true;
	if (!before || hot->ends % (hot->patience / 2 + 1))
		return false;
	return cool_pages(hot, area, cool_page) || hot->pages != before;
}

bool kmod_hot_keep(struct kmod_hot *hot, const struct kmod_area *area, uint64_t page,
		   bool watched)
{
	__u32 *mark = &area->words[page].hold;
	uint32_t now = hot->ends + 1, last;

	if (!hot->patience)
		return false;
	last = hot->changed[page];
	hot->changed[page] = now;
	if (__atomic_load_n(mark, __ATOMIC_RELAXED) & RVM_TRACK_HOLD_HOT)
		return true;
	if (!last || now - last > hot->patience || hot->pages == HOT_MAX || watched)
		return false;
	__atomic_fetch_or(mark, RVM_TRACK_HOLD_HOT, __ATOMIC_SEQ_CST);
	hot->pages++;
	return true;
}
