/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_stat.c - see bench_stat.h */
#include "bench/bench_stat.h"

#include <stdlib.h>
#include <string.h>

static int by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Nearest rank: at least part of the values are not above it. */
static size_t rank(size_t count, double part)
{
	size_t i = (size_t)(part * (double)count);

	return i < count ? i : count - 1;
}

void stat_summarize(uint32_t *values, size_t count,
		    struct stat_summary *ret_summary)
{
	double sum = 0;

	memset(ret_summary, 0, sizeof *ret_summary);
	if (count == 0) {
		return;
	}
	qsort(values, count, sizeof *values, by_u32);
	for (size_t i = 0; i < count; i++) {
		sum += values[i];
	}
	ret_summary->count = count;
	ret_summary->p50 = values[rank(count, 0.50)];
	ret_summary->p99 = values[rank(count, 0.99)];
	ret_summary->mean = sum / (double)count;
	ret_summary->max = values[count - 1];
}

double stat_median(double *values, size_t count)
{
	if (count == 0) {
		return 0;
	}
	qsort(values, count, sizeof *values, by_double);
	if (count % 2 == 1) {
		return values[count / 2];
	}
	return (values[count / 2 - 1] + values[count / 2]) / 2;
}

void stat_add(struct stat_series *series, double value)
{
	if (series->count == STAT_SERIES) {
		series->dropped++;
		return;
	}
	series->value[series->count++] = value;
}

double stat_series_median(const struct stat_series *series)
{
	struct stat_series copy = *series;

	return stat_median(copy.value, copy.count);
}

double stat_series_max(const struct stat_series *series)
{
	double max = 0;

	for (size_t i = 0; i < series->count; i++) {
		max = series->value[i] > max ? series->value[i] : max;
	}
	return max;
}

double stat_series_p99(const struct stat_series *series)
{
	struct stat_series copy = *series;

	if (copy.count == 0) {
		return 0;
	}
	qsort(copy.value, copy.count, sizeof copy.value[0], by_double);
	return copy.value[rank(copy.count, 0.99)];
}
