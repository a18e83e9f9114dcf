// SPDX-License-Identifier: LGPL-2.1-or-later
/* Chains of pages that may have changed: of each transaction, of strays, and of hot pages. */
#include <errno.h>
#include <linux/rvm_track.h>
#include <stdint.h>

#include "err.h"
#include "kmod_area.h"
#include "kmod_chain.h"
#include "track.h"

static struct track_store first_store(const struct rvm_track_slot *slot)
{
	return (struct track_store) { .ip = slot->ip, .thread = slot->thread, .at = slot->at };
}

static int bad_chain(uint32_t slot)
{
	return err_set(EUCLEAN, "the region's table of written pages is damaged at slot %u", slot);
}

int kmod_chain_visit(const struct kmod_area *area, const struct rvm_track_tx *tx,
		     int (*fn)(void *arg, const struct track_page *page), void *arg)
{
	uint32_t slot = kmod_chain_first(tx), left;
	struct track_page page;
	int err;

	for (left = area->slots; slot; left--) {
		if (slot > area->slots || !left)
			return bad_chain(slot);
		page.page = area->slot[slot].page;
		if (page.page >= area->pages)
			return bad_chain(slot);
		page.live = area->base + (page.page << TRACK_PAGE_SHIFT);
		page.committed = kmod_area_preimage(area, slot);
		page.store = first_store(&area->slot[slot]);
		err = fn(arg, &page);
		if (err)
			return err;
		slot = area->slot[slot].next;
	}
	return 0;
}
