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

/** rvmt_pressure_exit() - stop that; nothing is under way afterwards */
void rvmt_pressure_exit(void);

#endif /* _RVMT_PRESSURE_H */
