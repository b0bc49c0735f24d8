/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/run_product.h - a real product's program against the fake broker
 *
 * One at a time. The child gets descriptors 0-3 and an empty environment.
 */
#ifndef LIB_RUN_PRODUCT_H
#define LIB_RUN_PRODUCT_H

#include <sys/types.h>

#include "lib/fake_broker.h"

struct run {
	struct fake *fake;
	pid_t pid;              /* 0 once reaped */
	uint64_t next_id;
};

/* argv[0] is the program's path. directory: content, or null for none. */
void run_start(struct run *ret_run, const char *const argv[],
	       const char *directory);
/* ... and waits until it said that it is ready; returns ms since start. */
double run_start_ready(struct run *ret_run, const char *const argv[],
		       const char *directory);
/* Publishes a question about a file in its own slot. fd < 0: none is sent and
 * the object is described as empty; returns the event's id, its deadline being
 * ms away. */
uint64_t run_ask(struct run *run, uint32_t slot, const char *path, int fd,
		 unsigned ms);
/* The next answer of the type within 5 s; others are skipped. */
struct wire_answer run_answer(struct run *run, uint32_t type);
/* 1 if an answer of the type comes within ms. */
int run_hears(struct run *run, uint32_t type, unsigned ms);
/* Waits up to 5 s for its end; the wait status. */
int run_wait(struct run *run);
/* Kills it if it still runs, ends the fake. */
void run_stop(struct run *run);

double run_now_ms(void);

#endif
