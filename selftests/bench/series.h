/* SPDX-License-Identifier: GPL-2.0 */
/* Measurements of one thing: median and spread. */
#ifndef SELFTESTS_BENCH_SERIES_H
#define SELFTESTS_BENCH_SERIES_H

#define SERIES_MAX	64

/**
 * struct series - measurements
 * @count: how many
 * @value: the measurements, sorted once asked for the median
 */
struct series {
	unsigned int count;
	double value[SERIES_MAX];
};

/** series_add() - note a measurement; beyond SERIES_MAX they are dropped */
void series_add(struct series *series, double value);

/** series_median() - the median, 0 if there is none */
double series_median(struct series *series);

/** series_spread() - half the distance of the quartiles, in percent of the median */
double series_spread(struct series *series);

/** series_most() - the highest, which is not below 0 */
double series_most(const struct series *series);

#endif
