/* SPDX-License-Identifier: GPL-2.0 */
/* Memory pressure: libraries are asked to have pages written back that cannot be reclaimed. */
#ifndef _RVMT_PRESSURE_H
#define _RVMT_PRESSURE_H

extern unsigned int rvmt_pressure_percent;

/**
 * rvmt_pressure_init() - begin to listen to the kernel's reclaim
 *
 * Return: 0 or -ENOMEM.
 */
int rvmt_pressure_init(void);

/**
 * rvmt_pressure_awaited() - does anybody wait for pages to become clean?
 *
 * Return: true if so; it may change at once.
 */
bool rvmt_pressure_awaited(void);

/** rvmt_pressure_answered() - pages have become clean: whoever waits for memory tries again */
void rvmt_pressure_answered(void);

/** rvmt_pressure_exit() - stop that; nothing is under way afterwards */
void rvmt_pressure_exit(void);

#endif /* _RVMT_PRESSURE_H */
