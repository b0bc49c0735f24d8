/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/demo/demo.h - what the steps of `make demo` share
 *
 * The demo is a story for somebody who sees this for the first time: each
 * line states one thing that was just tried here, with its time. A line that
 * did not hold has a cross, and then the demo fails.
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include <stdbool.h>

#include "bench/bench_broker.h"
#include "bench/bench_load.h"

struct demo {
	struct bench_paths paths;
	char build[200], source[200];
	struct server server;
	struct load *load;
	int good, bad;
	unsigned names;         /* numbers for files not seen before */
	uint64_t start_ns;
};

/* ---- demo_say.c: lines ---- */

void demo_title(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
/* A line with a tick or a cross. Returns held. */
bool demo_check(struct demo *demo, bool held, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void demo_remark(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
/* How innocents fared since `from`: none refused, none longer than 500 ms. */
void demo_check_innocents(struct demo *demo, uint32_t from);

/* ---- demo_host.c: the stage ---- */

/* The environment, documents, a program, and the EICAR test file. */
int demo_host_set_up(struct demo *demo) __attribute__((warn_unused_result));
/* Starts `bailey run` with scan and, if there is one, a rogue in that mode. */
int demo_host_run(struct demo *demo, const char *rogue_mode)
	__attribute__((warn_unused_result));
/* Ends it as Ctrl-C would; says what is left of it. */
void demo_host_stop(struct demo *demo);
/* One open by an ordinary user: 0 or an errno value; *ret_ms how long. */
int demo_host_open(struct demo *demo, const char *name, double *ret_ms);
/* Until a copy of the EICAR file that nobody has seen before is refused: so it
 * is a product that decides, no memory. Milliseconds, or -1. */
double demo_host_wait_refused(struct demo *demo, int limit_ms);
/* Writes documents that nobody has seen before, opens each: how many were
 * refused, the longest open and all of them together. 0 or a negated errno. */
int demo_host_new_documents(struct demo *demo, unsigned count,
			    unsigned *ret_refused, double *ret_longest_ms,
			    double *ret_all_ms)
	__attribute__((warn_unused_result));
/* The named product's row of the status; null if it has none. */
int demo_host_product(struct demo *demo, const char *name,
		      struct broker_status *ret_status);

/* ---- the steps ---- */

void demo_steps_faults(struct demo *demo);      /* demo_faults.c */
void demo_steps_rogues(struct demo *demo);      /* demo_rogues.c */
void demo_steps_content(struct demo *demo);     /* demo_content.c */

#define DEMO_EICAR "once_evil0"         /* the load tries it all the time */

#endif
