/* SPDX-License-Identifier: GPL-2.0 */
/* What is measured: points along axes that meet at a base point, and applications. */
#ifndef SELFTESTS_BENCH_AXES_H
#define SELFTESTS_BENCH_AXES_H

#include "workload.h"

/** axes_points() - all points, those of an axis behind each other; the first axes_count() count */
const struct workload *axes_points(void);

/** axes_count() - how many there are */
unsigned int axes_count(void);

#endif
