/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_case.h - the cases, and how they are held side by side
 *
 * A machine is never quiet. So what is compared is measured alternately, in
 * short slices of one run, A B B A; a ratio is the median of the ratios of
 * neighbours, a time the median over all slices of its case.
 */
#ifndef BENCH_CASE_H
#define BENCH_CASE_H

#include "bench/bench_figures.h"

struct bench_paths {
	char trivial[256];      /* static program of tests/bench */
	char bailey[256];       /* the command */
	char product[256];      /* tests/bench/product.c */
};

struct bench_options {
	struct bench_paths paths;
	int rounds;             /* slices of each pair */
	const char *build, *source;     /* folders, absolute */
	const char *only;       /* part of the cases' names; null: all */
	bool quick;             /* faults: few and short, for `make check` */
	bool verbose;           /* each slice to standard error */
};

/* Opens and program starts. Returns how many cases could not be measured (said
 * on standard error), or -EINTR. */
int cases_run(const struct bench_options *options, struct figures *figures)
	__attribute__((warn_unused_result));
/* Faults: what innocents feel while something is broken. The same returns. */
int faults_run(const struct bench_options *options, struct figures *figures)
	__attribute__((warn_unused_result));

#endif
