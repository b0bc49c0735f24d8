/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_sizes.h - memory and wake-ups at rest, and the cost of
 * forgetting 100,000 verdicts
 */
#ifndef BENCH_SIZES_H
#define BENCH_SIZES_H

#include "bench/bench_case.h"

/* Returns how many of the two parts could not be measured. */
int sizes_run(const struct bench_options *options, struct figures *figures)
	__attribute__((warn_unused_result));

#endif
