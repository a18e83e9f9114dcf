/* SPDX-License-Identifier: GPL-2.0 */
/* What kernel and processor take for a page, without this library: what trackers are made of. */
#ifndef SELFTESTS_BENCH_MECHANISM_H
#define SELFTESTS_BENCH_MECHANISM_H

#include <stdbool.h>

#define MECHANISM_PAGES	256	/* on which one is tried */

/**
 * struct mechanism - something that costs, a page
 * @name: what it is
 * @open: get ready, with files in a directory; false: it is not to be had here; NULL: nothing to do
 * @arm: before each time, untimed; NULL: nothing to do
 * @act: the thing itself, on all pages
 * @close: give back what open took, or NULL
 */
struct mechanism {
	const char *name;
	bool (*open)(const char *dir);
	void (*arm)(void);
	void (*act)(void);
	void (*close)(void);
};

/** mechanisms - all of them; the last one has no name */
extern const struct mechanism mechanisms[];

#endif
