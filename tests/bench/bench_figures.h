/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_figures.h - the figures, by name, with their budgets
 *
 * One flat set of numbers. Budgets (most that a figure may be) stand in one
 * table in bench_figures.c and nowhere else.
 */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdbool.h>
#include <stdio.h>

#define FIGURES_MAX 256

struct figure {
	char name[48];
	double value;
};

struct figures {
	size_t count;
	struct figure row[FIGURES_MAX];
};

/* Sets or replaces. Names are ours: at most 47 bytes, no quotes. */
__attribute__((format(printf, 3, 4)))
void figures_set(struct figures *figures, double value, const char *name, ...);
/* False if there is no such figure. */
bool figures_get(const struct figures *figures, const char *name,
		 double *ret_value);

/* A table for people: name, value, budget, whether it is kept. Returns how
 * many budgets are missed; *ret_absent: how many have no figure. */
int figures_print(const struct figures *figures, FILE *out, bool markdown,
		  int *ret_absent);
/* One flat JSON object. 0 or a negated errno. */
int figures_save(const struct figures *figures, const char *path)
	__attribute__((warn_unused_result));

#endif
