/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/bench_floor.h - the least that any fanotify product can cost
 *
 * A loop that reads a question, allows it, and closes the descriptor. What
 * Bailey is measured against: nobody who decides in user mode is faster.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

/* Marks the mount at tree and answers for ever. Returns an errno value only
 * when it could not begin or the group failed. */
int floor_serve(const char *tree);

#endif
