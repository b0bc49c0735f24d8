/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/replay_death.h - a worker that dies at a chosen instruction
 *
 * The worker is cloned as the keeper clones it (shared descriptors, shared
 * block, its own copy of everything else), traced, stepped and killed. A call
 * into the stand-in for the kernel is never cut in half.
 */
#ifndef LIB_REPLAY_DEATH_H
#define LIB_REPLAY_DEATH_H

#include "lib/replay_engine.h"

/* What the worker does until it dies; the reply thread's, the service
 * thread's, or anything. */
typedef void replay_work(struct replay *r);

/* A point in its life: so many stops at system calls (two each: before and
 * behind), then so many instructions. */
struct replay_point {
	unsigned long stops, steps;
};

/* Runs the work in a worker that is killed at that point. Returns 1 if it was,
 * 0 if the work was done before, or a negative errno (no ptrace here).
 * *ret_ran: how far it came. */
int replay_die(struct replay *r, replay_work *work, struct replay_point after,
	       struct replay_point *ret_ran) must_use;

#endif
