/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The live regions of the kernel module, as one look shows them. */
#ifndef RVM_TOOLS_LIVE_H
#define RVM_TOOLS_LIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "netlink.h"

/**
 * struct live - the regions, oldest first
 * @region: what the module told of each
 * @n: how many
 * @incomplete: there was no memory for all
 */
struct live {
	struct netlink_stats *region;
	size_t n;
	bool incomplete;
};

/**
 * live_look() - ask the module
 * @nl: a client
 * @live: filled in
 *
 * Return: 0 or a negative errno, with a text.
 */
int live_look(struct netlink *nl, struct live *live);

/** live_free() - forget what was seen */
void live_free(struct live *live);

#endif
