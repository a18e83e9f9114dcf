/* SPDX-License-Identifier: GPL-2.0 */
/* A shortage of memory: since when there is one, and who waits for pages to become clean. */
#ifndef _RVMT_SHORTAGE_H
#define _RVMT_SHORTAGE_H

#include <linux/types.h>

/**
 * rvmt_shortage_noted() - somebody reclaims memory that dirty pages fill
 *
 * Return: true if it is time to ask the libraries again.
 */
bool rvmt_shortage_noted(void);

/**
 * rvmt_shortage_lasts() - is memory short?
 *
 * Return: true if libraries have been asked for pages not long ago.
 */
bool rvmt_shortage_lasts(void);

/**
 * rvmt_shortage_times() - how often have pages become clean?
 *
 * Return: a number that changes each time.
 */
int rvmt_shortage_times(void);

/**
 * rvmt_shortage_wait() - sleep until pages have become clean, at most RVMT_SHORTAGE_WAIT
 * @seen: what rvmt_shortage_times() returned before the libraries were asked
 */
void rvmt_shortage_wait(int seen);

/** rvmt_shortage_eased() - pages have become clean: whoever waits for memory tries again */
void rvmt_shortage_eased(void);

#endif /* _RVMT_SHORTAGE_H */
