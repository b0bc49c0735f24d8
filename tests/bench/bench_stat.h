/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_stat.h - samples and their summary
 *
 * A series has a fixed room; what comes after it is full is dropped and the
 * summary says so (dropped > 0), so that no figure is of other samples than
 * it claims.
 */
#ifndef BENCH_STAT_H
#define BENCH_STAT_H

#include <stddef.h>
#include <stdint.h>

struct stat_summary {
	size_t count;
	double p50, p99, mean, max;
};

/* Sorts the values in place. All zero if there are none. */
void stat_summarize(uint32_t *values, size_t count,
		    struct stat_summary *ret_summary);
/* Middle of the values (sorted in place); 0 if there are none. */
double stat_median(double *values, size_t count);

#define STAT_SERIES 512u

struct stat_series {
	size_t count, dropped;
	double value[STAT_SERIES];
};

void stat_add(struct stat_series *series, double value);
double stat_series_median(const struct stat_series *series);
double stat_series_max(const struct stat_series *series);
/* The smallest value that at most 1 % of the others exceed. */
double stat_series_p99(const struct stat_series *series);

#endif
