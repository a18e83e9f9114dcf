// SPDX-License-Identifier: GPL-2.0
/* Measurements of one thing: median and spread. */
#include <stdlib.h>

#include "series.h"

void series_add(struct series *series, double value)
{
	if (series->count < SERIES_MAX)
		series->value[series->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which a share of the sorted measurements lies. */
static double quantile(const struct series *series, double share)
{
	double place = share * (series->count - 1);
	unsigned int below = place;

	if (below + 1 >= series->count)
		return series->value[series->count - 1];
	return series->value[below] +
	       (place - below) * (series->value[below + 1] - series->value[below]);
}

double series_median(struct series *series)
{
	if (!series->count)
		return 0;
	qsort(series->value, series->count, sizeof(*series->value), compare);
	return quantile(series, 0.5);
}

double series_spread(struct series *series)
{
	double median = series_median(series);

	if (median == 0)
		return 0;
	return 50 * (quantile(series, 0.75) - quantile(series, 0.25)) / median;
}

double series_most(const struct series *series)
{
	double most = 0;
	unsigned int i;

	for (i = 0; i < series->count; i++)
		if (series->value[i] > most)
			most = series->value[i];
	return most;
}
